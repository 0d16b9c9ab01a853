/*
 * Texts of a pickle, read again from where they stand; and what stands within
 * them: a pickle, an archive or base64 of one hidden in a string is loaded by
 * whatever the outer one's code does with it.
 */
#include "model/pickle.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum {
    HEAD = 64,              /* bytes of a string that are looked at first */
    DECODE_MOST = 32 << 20, /* bytes of base64 or hexadecimal that are decoded */
    NESTED_MIN = 6,         /* shorter ones cannot call anything */
    TEXT_MIN = 16           /* of encoded text */
};

/* Bytes of the input, from the window's buffer where they still stand there. */
static bool fetch(struct pickle *p, void *buf, uint64_t at, size_t n)
{
    const struct window *w = &p->w;
    struct err ignored = ERR_INIT;
    if (at >= w->base && at + n <= w->base + w->have) {
        memcpy(buf, w->buf + (at - w->base), n);
        return true;
    }
    return input_read(&p->c.in, buf, at, n, &ignored);
}

/* ---- text ---- */

bool pickle_body(struct pickle *p, pv v, uint64_t *at, uint64_t *n)
{
    uint8_t head[9];
    uint64_t from = pv_at(v), left = p->c.in.size - from;
    size_t have = left < sizeof head ? (size_t)left : sizeof head;
    if ((pv_kind(v) != PV_STR && pv_kind(v) != PV_BYTES) || !fetch(p, head, from, have))
        return false;
    size_t prefix;
    switch (head[0]) {
    case 'C':
    case 'U':
    case 0x8c:
        prefix = 1;
        break;
    case 'B':
    case 'T':
    case 'X':
        prefix = 4;
        break;
    case 0x8d:
    case 0x8e:
    case 0x96:
        prefix = 8;
        break;
    default:
        return false;
    }
    if (have < 1 + prefix)
        return false;
    *n = prefix == 1 ? head[1] : prefix == 4 ? load_u32le(head + 1) : load_u64le(head + 1);
    *at = from + 1 + prefix;
    return *n <= p->c.in.size - *at;
}

static uint32_t hex_digits(const uint8_t *s, size_t n, bool *ok)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = s[i] | 0x20;
        bool digit = s[i] >= '0' && s[i] <= '9', letter = c >= 'a' && c <= 'f';
        *ok = *ok && (digit || letter);
        v = v << 4 | (uint32_t)(digit ? s[i] - '0' : c - 'a' + 10);
    }
    return v;
}

static uint8_t plain_escape(uint8_t c)
{
    static const char from[] = "nrtabfv\\'\"", to[] = "\n\r\t\a\b\f\v\\'\"";
    const char *at = c ? strchr(from, c) : NULL;
    return at ? (uint8_t)to[at - from] : 0;
}

/* One escape of a STRING (a Python literal) or UNICODE (raw-unicode-escape); returns the bytes
 * of `s` that it takes. */
static size_t escape(struct span s, bool literal, struct buf *out)
{
    uint8_t c = s.n > 1 ? s.p[1] : 0;
    size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : c == 'x' && literal ? 2 : 0;
    bool ok = digits > 0 && s.n >= 2 + digits;
    uint32_t v = ok ? hex_digits(s.p + 2, digits, &ok) : 0;
    if (ok && (c == 'x' || !literal)) {
        utf8_put(out, v);
        return 2 + digits;
    }
    if (literal && c >= '0' && c <= '7') {
        size_t n = 0;
        for (v = 0; n < 3 && n + 1 < s.n && s.p[n + 1] >= '0' && s.p[n + 1] <= '7'; n++)
            v = v << 3 | (uint32_t)(s.p[n + 1] - '0');
        utf8_put(out, v & 0xff);
        return n + 1;
    }
    uint8_t plain = literal ? plain_escape(c) : 0;
    buf_put_u8(out, plain ? plain : '\\');
    return plain ? 2 : 1;
}

static bool line_text(struct pickle *p, uint64_t from, uint8_t *buf, size_t room, size_t *n)
{
    uint8_t raw[4 * PICKLE_NAME + 4], *end;
    uint64_t left = p->c.in.size - from;
    size_t have = left < sizeof raw ? (size_t)left : sizeof raw;
    if (!fetch(p, raw, from, have) || !(end = memchr(raw, '\n', have)))
        return false;
    struct span s = {raw + 1, (size_t)(end - raw) - 1};
    bool literal = raw[0] == 'S';
    if (literal) {
        while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
            s.n--;
        s = s.n >= 2 ? span_sub(s, 1, s.n - 2) : SPAN_EMPTY;
    }
    struct buf out;
    buf_init(&out, 4 * sizeof raw);
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '\\')
            i += escape(span_sub(s, i, s.n), literal, &out);
        else
            buf_put_u8(&out, s.p[i++]);
    }
    bool ok = buf_ok(&out) && out.n <= room;
    *n = ok ? out.n : 0;
    if (*n)
        memcpy(buf, out.p, *n);
    buf_free(&out);
    return ok;
}

bool pickle_text(struct pickle *p, pv v, uint8_t *buf, size_t room, size_t *n)
{
    uint64_t at, length;
    uint8_t op;
    if (pv_kind(v) != PV_STR && pv_kind(v) != PV_BYTES)
        return false;
    if (pickle_body(p, v, &at, &length)) {
        *n = (size_t)length;
        return length <= room && fetch(p, buf, at, (size_t)length);
    }
    return fetch(p, &op, pv_at(v), 1) && (op == 'S' || op == 'V') &&
           line_text(p, pv_at(v), buf, room, n);
}

/* ---- content within ---- */

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static bool all_base64(struct span s)
{
    size_t n = s.n;
    while (n && s.p[n - 1] == '=' && s.n - n < 2)
        n--;
    for (size_t i = 0; i < n; i++)
        if (base64_digit(s.p[i]) < 0)
            return false;
    return n > 0;
}

static bool all_hex(struct span s)
{
    bool ok = s.n > 0;
    hex_digits(s.p, s.n, &ok);
    return ok;
}

static size_t decode_base64(uint8_t *out, struct span s)
{
    uint32_t bits = 0;
    size_t n = 0, have = 0;
    for (size_t i = 0; i < s.n && base64_digit(s.p[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)base64_digit(s.p[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

static size_t decode_hex(uint8_t *out, struct span s)
{
    bool ok = true;
    size_t n = s.n / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)hex_digits(s.p + 2 * i, 2, &ok);
    return n;
}

/* Characters U+0080 to U+00FF as the bytes that latin-1 makes of them. */
static size_t decode_latin1(uint8_t *out, struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++)
        out[n] = (uint8_t)utf8_next(s, &i);
    return n;
}

/* Formats that hold code or content; a bare zlib or gzip header is too short to say so. */
static bool speaks(struct span head, uint64_t size)
{
    return head.n >= NESTED_MIN &&
           (pickle_sniff(head, size) || (head.n >= 4 && load_u32le(head.p) == 0x04034b50) ||
            (head.p[0] == 0x78 && (head.p[0] << 8 | head.p[1]) % 31 == 0) ||
            (head.p[0] == 0x1f && head.p[1] == 0x8b && head.p[2] == 8));
}

/* A deflated stream only matters when it is one, and holds something. */
static bool examine_inflated(const struct content *c, enum inflate_kind kind)
{
    struct inflated out;
    struct content within;
    struct err ignored = ERR_INIT;
    bool ok = true;
    if (inflate_input(&out, &c->in, kind, DECODE_MOST, &ignored) && out.bytes.size &&
        content_sniff(&out.bytes) != FORMAT_UNKNOWN &&
        content_within(&within, c, out.bytes, "compressed")) {
        content_note(&within, RULE_PICKLE_NESTED, 0, 0, "a string holds compressed content");
        ok = content_examine(&within);
    }
    spool_close(out.spool);
    return ok;
}

static bool examine(struct pickle *p, struct input in, const char *what, uint64_t at)
{
    uint8_t head[CONTENT_HEAD];
    char name[96];
    struct err ignored = ERR_INIT;
    size_t n = in.size < sizeof head ? (size_t)in.size : sizeof head;
    struct content within;
    if (!input_read(&in, head, 0, n, &ignored) || !speaks((struct span){head, n}, in.size))
        return true;
    char *where = arena_printf(p->c.m->arena, "%s at offset %llu", what, (unsigned long long)at);
    if (!where || !content_within(&within, &p->c, in, where))
        return where || pickle_no_memory(p);
    if (head[0] == 0x78 || head[0] == 0x1f)
        return examine_inflated(&within, head[0] == 0x78 ? INFLATE_ZLIB : INFLATE_GZIP) ||
               pickle_no_memory(p);
    snprintf(name, sizeof name, "%s", what);
    pickle_note(p, RULE_PICKLE_NESTED, "within it, %s: %s", name,
                head[0] == 'P' ? "a zip archive" : "a pickle of its own");
    return content_examine(&within) || pickle_no_memory(p);
}

/* Decode all of it only once its beginning has been recognised. */
static bool examine_decoded(struct pickle *p, uint64_t at, uint64_t n, const char *what,
                            size_t (*decode)(uint8_t *out, struct span s))
{
    struct span text;
    struct err ignored = ERR_INIT;
    uint8_t head[2 * HEAD], out[2 * HEAD];
    size_t have = n < sizeof head ? (size_t)n & ~(size_t)(n > 2 * HEAD ? 3 : 0) : sizeof head;
    if (!fetch(p, head, at, have))
        return true;
    size_t m = decode(out, (struct span){head, have});
    /* The rest may continue a pickle that merely begins here. */
    if (!speaks((struct span){out, m}, n > have ? UINT64_MAX : m))
        return true;
    if (n > DECODE_MOST) {
        content_limit(&p->c, at, "an encoded string is longer than is decoded");
        return true;
    }
    if (!input_load(&text, &p->c.in, at, (size_t)n, p->a, &ignored))
        return true;
    uint8_t *bytes = arena_alloc(p->a, text.n + 1);
    if (!bytes)
        return pickle_no_memory(p);
    struct input in = input_memory((struct span){bytes, decode(bytes, text)});
    in.derived = true;
    in.origin = input_origin(&p->c.in, at);
    return examine(p, in, what, at);
}

bool pickle_nested(struct pickle *p, uint64_t at, uint64_t n, bool text)
{
    uint8_t head[HEAD];
    if (n < NESTED_MIN)
        return true;
    if (window_at(&p->w) == at)
        window_peek(&p->w, n < HEAD ? (size_t)n : HEAD);
    size_t have = n < HEAD ? (size_t)n : HEAD;
    if (!fetch(p, head, at, have))
        return true;
    struct span s = {head, have};
    if (speaks(s, n > have ? UINT64_MAX : n))
        return examine(p, input_part(&p->c.in, at, n), text ? "a string" : "bytes", at);
    if (text && head[0] == 0xc2 && head[1] == 0x80)
        return examine_decoded(p, at, n, "a latin-1 string", decode_latin1);
    if (n < TEXT_MIN)
        return true;
    if (n % 2 == 0 && all_hex(s) && !examine_decoded(p, at, n, "a hexadecimal string", decode_hex))
        return false;
    return !all_base64(s) || examine_decoded(p, at, n, "a base64 string", decode_base64);
}
