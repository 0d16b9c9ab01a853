/*
 * C2SP signed-note v1.0.0 and tlog-cosignature v1.0.1. The last blank line
 * divides text from signatures; each signature line is
 * "EM DASH SP name SP base64(u32be key id || signature) LF".
 */
#include "assay/sign.h"

#include <string.h>

#include "assay/base/text.h"

static const char dash[] = "\xE2\x80\x94 ";

enum { DASH = sizeof dash - 1, COSIGNED = 8 + SIGN_SIGNATURE };

static uint32_t load_u32be(const uint8_t *p)
{
    return __builtin_bswap32(load_u32le(p));
}

/* ---- verifier keys ---- */

/* White_Space of Unicode 15 beyond the controls. */
static bool is_space(uint32_t c)
{
    return c <= ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool name_ok(struct span name)
{
    if (name.n == 0 || utf8_invalid(name) != TEXT_VALID)
        return false;
    for (size_t pos = 0; pos < name.n;) {
        uint32_t c = utf8_next(name, &pos);
        if (is_space(c) || c == '+' || unicode_is_hidden(c))
            return false;
    }
    return true;
}

static uint32_t key_id(struct span name, enum note_type type, const struct sign_public *k)
{
    struct buf b;
    buf_init(&b, name.n + 2 + SIGN_PUBLIC);
    buf_put_span(&b, name);
    buf_put_u8(&b, '\n');
    buf_put_u8(&b, (uint8_t)type);
    buf_put(&b, k->b, SIGN_PUBLIC);
    struct digest d = sha256_of(buf_span(&b));
    buf_free(&b);
    return load_u32be(d.b);
}

bool note_key_make(struct note_key *out, struct span name, enum note_type type,
                   const struct sign_public *k, struct err *e)
{
    if (!name_ok(name) || name.n > NOTE_MAX_BYTES)
        return err_set(e, ERR_CONFIG,
                       "a key's name must be UTF-8 without spaces, '+' and control characters");
    *out = (struct note_key){name, key_id(name, type, k), type, *k};
    return true;
}

static size_t find_byte(struct span s, uint8_t c, size_t from)
{
    const uint8_t *p = from < s.n ? memchr(s.p + from, c, s.n - from) : NULL;
    return p ? (size_t)(p - s.p) : s.n;
}

static bool hex_u32(struct span s, uint32_t *out)
{
    uint32_t v = 0;
    if (s.n != 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter)
            return false;
        v = v << 4 | (uint32_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return true;
}

bool note_key_parse(struct note_key *out, struct span vkey, struct arena *a, struct err *e)
{
    size_t plus = find_byte(vkey, '+', 0), second = find_byte(vkey, '+', plus + 1);
    uint32_t id = 0;
    struct span raw = SPAN_EMPTY;
    if (second >= vkey.n || !hex_u32(span_sub(vkey, plus + 1, second - plus - 1), &id) ||
        !base64_decode(span_sub(vkey, second + 1, vkey.n), a, &raw) || raw.n != 1 + SIGN_PUBLIC)
        return err_set(e, ERR_CONFIG,
                       "not a verifier key; expected name+8 hex digits+base64 of 33 bytes");
    if (raw.p[0] != NOTE_ED25519 && raw.p[0] != NOTE_COSIGNATURE)
        return err_set(e, ERR_UNSUPPORTED,
                       "the verifier key is of type 0x%02x; 0x01 and 0x04 are known", raw.p[0]);
    struct sign_public k;
    memcpy(k.b, raw.p + 1, sizeof k.b);
    struct span name = arena_span(a, span_sub(vkey, 0, plus));
    if (!note_key_make(out, name, (enum note_type)raw.p[0], &k, e))
        return false;
    return out->id == id ||
           err_set(e, ERR_CONFIG, "the verifier key's id is %08x and its name and key give %08x",
                   id, out->id);
}

void note_key_put(struct buf *out, const struct note_key *k)
{
    uint8_t raw[1 + SIGN_PUBLIC] = {(uint8_t)k->type};
    memcpy(raw + 1, k->key.b, SIGN_PUBLIC);
    buf_put_span(out, k->name);
    buf_printf(out, "+%08x+", k->id);
    base64_put(out, (struct span){raw, sizeof raw});
}

/* ---- parsing ---- */

static bool plain_text(struct span s, struct err *e)
{
    size_t bad = utf8_invalid(s);
    if (bad != TEXT_VALID)
        return err_at(e, ERR_FORMAT, NULL, bad, "a note must be UTF-8");
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\n') || s.p[i] == 0x7F)
            return err_at(e, ERR_FORMAT, NULL, i, "a note holds no control character but LF");
    return true;
}

static bool parse_line(struct note_line *out, struct span line, uint64_t at, struct arena *a,
                       struct err *e)
{
    struct span rest = span_sub(line, DASH, line.n), raw = SPAN_EMPTY;
    size_t space = find_byte(rest, ' ', 0);
    struct span name = span_sub(rest, 0, space);
    if (!span_starts(line, dash) || space >= rest.n || !name_ok(name) ||
        !base64_decode(span_sub(rest, space + 1, rest.n), a, &raw) || raw.n < 5)
        return err_at(e, ERR_FORMAT, NULL, at,
                      "not a signature line; expected an em dash, a name, base64 of id and "
                      "signature");
    *out = (struct note_line){name, load_u32be(raw.p), span_sub(raw, 4, raw.n)};
    return true;
}

/* Offset of the LF that ends the text: the one before the last empty line. */
static bool find_text_end(struct span s, size_t *end)
{
    for (size_t i = s.n; i-- > 1;)
        if (s.p[i] == '\n' && s.p[i - 1] == '\n') {
            *end = i;
            return true;
        }
    return false;
}

bool note_parse(struct note *out, struct span bytes, struct arena *a, struct err *e)
{
    size_t end = 0;
    *out = (struct note){SPAN_EMPTY, NULL, 0};
    if (bytes.n > NOTE_MAX_BYTES)
        return err_set(e, ERR_LIMIT, "a note has at most %d bytes", NOTE_MAX_BYTES);
    if (!plain_text(bytes, e))
        return false;
    if (!find_text_end(bytes, &end) || end + 1 == bytes.n || bytes.p[bytes.n - 1] != '\n')
        return err_set(e, ERR_FORMAT,
                       "not a signed note: no empty line with signature lines after it");
    out->text = span_sub(bytes, 0, end);
    out->lines = arena_array(a, NOTE_MAX_SIGNATURES, sizeof *out->lines);
    if (!out->lines)
        return err_set(e, ERR_MEMORY, "out of memory for a note");
    for (size_t at = end + 1; at < bytes.n;) {
        size_t stop = find_byte(bytes, '\n', at);
        if (out->count == NOTE_MAX_SIGNATURES)
            return err_at(e, ERR_LIMIT, NULL, at, "a note has at most %d signature lines",
                          NOTE_MAX_SIGNATURES);
        if (!parse_line(&out->lines[out->count++], span_sub(bytes, at, stop - at), at, a, e))
            return false;
        at = stop + 1;
    }
    return true;
}

/* ---- signatures ---- */

/* What a cosigner signs (tlog-cosignature, "Ed25519 signatures"). */
static void cosigned_message(struct buf *out, struct span text, uint64_t seconds)
{
    buf_init(out, text.n + 64);
    buf_printf(out, "cosignature/v1\ntime %llu\n", (unsigned long long)seconds);
    buf_put_span(out, text);
}

static bool line_valid(const struct note_line *l, struct span text, const struct note_key *k,
                       uint64_t *seconds)
{
    *seconds = 0;
    if (k->type == NOTE_ED25519)
        return l->signature.n == SIGN_SIGNATURE && sign_verify(&k->key, text, l->signature.p);
    if (l->signature.n != COSIGNED)
        return false;
    *seconds = __builtin_bswap64(load_u64le(l->signature.p));
    struct buf message;
    cosigned_message(&message, text, *seconds);
    bool ok = buf_ok(&message) && sign_verify(&k->key, buf_span(&message), l->signature.p + 8);
    buf_free(&message);
    return ok;
}

bool note_verify(const struct note *n, const struct note_key *keys, size_t count, bool *valid,
                 uint64_t *time, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        valid[i] = false;
    for (size_t l = 0; l < n->count; l++)
        for (size_t i = 0; i < count; i++) {
            const struct note_line *line = &n->lines[l];
            uint64_t seconds;
            if (line->id != keys[i].id || !span_eq(line->name, keys[i].name))
                continue;
            if (!line_valid(line, n->text, &keys[i], &seconds)) {
                char shown[128];
                return err_set(e, ERR_INTEGRITY, "the signature of %s does not match the text",
                               text_shown(shown, sizeof shown, line->name));
            }
            if (time && (!valid[i] || seconds > time[i]))
                time[i] = seconds;
            valid[i] = true;
        }
    return true;
}

static void put_line(struct buf *out, const struct note_key *k, const uint8_t *signature, size_t n)
{
    uint8_t raw[4 + COSIGNED];
    store_u32le(raw, __builtin_bswap32(k->id));
    memcpy(raw + 4, signature, n);
    buf_put_str(out, dash);
    buf_put_span(out, k->name);
    buf_put_u8(out, ' ');
    base64_put(out, (struct span){raw, 4 + n});
    buf_put_u8(out, '\n');
}

bool note_sign(struct buf *out, struct span text, const struct note_key *name,
               const struct sign_key *k, struct err *e)
{
    uint8_t signature[SIGN_SIGNATURE];
    if (!sign_bytes(k, text, signature, e))
        return false;
    put_line(out, name, signature, sizeof signature);
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a signature");
}

bool note_cosign(struct buf *out, struct span text, const struct note_key *name,
                 const struct sign_key *k, uint64_t seconds, struct err *e)
{
    uint8_t stamped[COSIGNED];
    struct buf message;
    cosigned_message(&message, text, seconds);
    store_u64be(stamped, seconds);
    bool ok = buf_ok(&message) && sign_bytes(k, buf_span(&message), stamped + 8, e);
    buf_free(&message);
    if (ok)
        put_line(out, name, stamped, sizeof stamped);
    return (ok && buf_ok(out)) || err_set(e, ERR_MEMORY, "out of memory for a cosignature");
}
