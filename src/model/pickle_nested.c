/*
 * What stands within the strings of a pickle: a pickle, an archive or source,
 * as it is, deflated, or in base64, hexadecimal or escapes, one within another.
 * Whatever the outer pickle's code does with such a string loads it, and
 * scanners that stop at the first layer do not see it.
 */
#include "model/code.h"
#include "model/pickle.h"
#include "model/torch.h"

#include <string.h>

#include "assay/base/base64.h"
#include "assay/base/text.h"

enum {
    HEAD = 64,              /* bytes of a string that are looked at first */
    DECODE_MOST = 32 << 20, /* encoded bytes that are decoded */
    NESTED_MIN = 6,         /* shorter ones cannot call anything */
    TEXT_MIN = 16,          /* of encoded text */
    LAYERS = 4              /* of encodings, one within another */
};

/* ---- encodings ---- */

/* Of either alphabet: decoders of Python take both. */
static int digit_of(uint8_t c)
{
    return base64_digit(c == '-' ? '+' : c == '_' ? '/' : c);
}

static bool all_base64(struct span s)
{
    size_t n = s.n;
    while (n && s.p[n - 1] == '=' && s.n - n < 2)
        n--;
    for (size_t i = 0; i < n; i++)
        if (digit_of(s.p[i]) < 0)
            return false;
    return n > 0;
}

static bool all_hex(struct span s)
{
    bool ok = s.n > 0;
    pickle_hex_digits(s.p, s.n, &ok);
    return ok;
}

static size_t decode_base64(uint8_t *out, struct span s)
{
    uint32_t bits = 0;
    size_t n = 0, have = 0;
    for (size_t i = 0; i < s.n && digit_of(s.p[i]) >= 0; i++) {
        bits = bits << 6 | (uint32_t)digit_of(s.p[i]);
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
        out[i] = (uint8_t)pickle_hex_digits(s.p + 2 * i, 2, &ok);
    return n;
}

/* \\x80\\x04 as text; ends at anything else. */
static size_t decode_escapes(uint8_t *out, struct span s)
{
    bool ok = true;
    size_t n = 0;
    for (; 4 * n + 4 <= s.n && ok; n++) {
        ok = s.p[4 * n] == '\\' && s.p[4 * n + 1] == 'x';
        out[n] = (uint8_t)pickle_hex_digits(s.p + 4 * n + 2, 2, &ok);
    }
    return ok ? n : n - 1;
}

/* Characters U+0080 to U+00FF as the bytes that latin-1 makes of them. */
static size_t decode_latin1(uint8_t *out, struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; n++)
        out[n] = (uint8_t)utf8_next(s, &i);
    return n;
}

static const struct encoding {
    const char *what;
    size_t (*decode)(uint8_t *out, struct span s);
} encodings[] = {{"a latin-1 string", decode_latin1},
                 {"a hexadecimal string", decode_hex},
                 {"a string of escapes", decode_escapes},
                 {"a base64 string", decode_base64}};

/* Whether these first bytes of n could be of that encoding. */
static bool may_be(const struct encoding *e, struct span head, uint64_t n, bool text)
{
    if (e->decode == decode_latin1)
        return text && head.n > 1 && head.p[0] == 0xc2 && head.p[1] == 0x80;
    if (n < TEXT_MIN)
        return false;
    if (e->decode == decode_hex)
        return n % 2 == 0 && all_hex(head);
    if (e->decode == decode_escapes)
        return head.p[0] == '\\' && head.p[1] == 'x';
    return all_base64(head);
}

/* ---- what speaks ---- */

/* Formats that hold code or content; a bare zlib or gzip header is too short to say so. */
static bool speaks(struct span head, uint64_t size)
{
    return head.n >= NESTED_MIN &&
           (pickle_sniff_string(head, size) || (head.n >= 4 && load_u32le(head.p) == 0x04034b50) ||
            (head.p[0] == 0x78 && (head.p[0] << 8 | head.p[1]) % 31 == 0) ||
            (head.p[0] == 0x1f && head.p[1] == 0x8b && head.p[2] == 8));
}

static bool among(uint8_t c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static bool is_plain_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 0x7f || (s.p[i] < ' ' && !among(s.p[i], "\t\n\r")))
            return false;
    return s.n >= NESTED_MIN;
}

/* from a.b import: prose has other words between the two. */
static bool is_from_import(struct span s)
{
    size_t i = 5;
    if (!span_starts(s, "from "))
        return false;
    while (i < s.n && s.p[i] > ' ')
        i++;
    return span_starts(span_sub(s, i, s.n), " import ");
}

/* Text that begins as a script does: a string of prose or configuration does not. */
static bool begins_as_script(struct span s)
{
    static const char *const words[] = {"import ",   "exec(",    "eval(",      "__import__(",
                                        "os.system", "os.popen", "subprocess."};
    size_t i = 0;
    if (!s.n || !among(s.p[0], "\n\r\t ifeos_#"))
        return false;
    for (bool comment = false; i < s.n; i++) {
        comment = s.p[i] == '#' || (comment && s.p[i] != '\n');
        if (!comment && !among(s.p[i], " \t\r\n"))
            break;
    }
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (span_starts(span_sub(s, i, s.n), words[k]))
            return true;
    return is_from_import(span_sub(s, i, s.n));
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

static bool examine(struct pickle *p, struct input in, struct span head, const char *what,
                    uint64_t at)
{
    struct content within;
    char *where = arena_printf(p->c.m->arena, "%s at offset %llu", what, (unsigned long long)at);
    if (!where || !content_within(&within, &p->c, in, where))
        return where || pickle_no_memory(p);
    if (head.p[0] == 0x78 || head.p[0] == 0x1f)
        return examine_inflated(&within, head.p[0] == 0x78 ? INFLATE_ZLIB : INFLATE_GZIP) ||
               pickle_no_memory(p);
    /* Pickled as other objects are, a tensor is a call of torch with a whole checkpoint. */
    bool checkpoint = torch_legacy_sniff(head, in.size);
    p->checkpoint = p->checkpoint || checkpoint;
    if (!checkpoint)
        pickle_note(p, RULE_PICKLE_NESTED, "within it, %s: %s", what,
                    head.p[0] == 'P' ? "a zip archive" : "a pickle of its own");
    return content_examine(&within) || pickle_no_memory(p);
}

/* Source is only told when it does what the search for dangerous words knows. */
static bool examine_source(struct pickle *p, const struct input *in, const char *what)
{
    struct span text;
    char shown[160];
    struct err ignored = ERR_INIT;
    struct arena *a = arena_new((size_t)DECODE_MOST * 2);
    if (!a)
        return pickle_no_memory(p);
    if (in->size <= DECODE_MOST && input_load(&text, in, 0, (size_t)in->size, a, &ignored)) {
        struct span line;
        const char *danger = code_danger(text, &line);
        if (danger)
            pickle_note(p, RULE_PICKLE_NESTED, "within it, %s: source that %s: %s", what, danger,
                        text_shown(shown, sizeof shown, line));
    }
    arena_free(a);
    return true;
}

/* ---- one string ---- */

static bool look(struct pickle *p, struct input in, const char *what, uint64_t at, bool text,
                 unsigned layer);

/* Decode all of it only once its beginning has been recognised, or could be another encoding. */
static bool look_decoded(struct pickle *p, const struct input *in, const struct encoding *e,
                         uint64_t at, unsigned layer)
{
    struct span all;
    struct err ignored = ERR_INIT;
    uint8_t head[2 * HEAD], out[2 * HEAD];
    uint64_t n = in->size;
    size_t have = n < sizeof head ? (size_t)n & ~(size_t)(n > 2 * HEAD ? 3 : 0) : sizeof head;
    if (!input_read(in, head, 0, have, &ignored))
        return true;
    struct span first = {out, e->decode(out, (struct span){head, have})};
    /* The rest may continue a pickle that merely begins here. */
    if (!speaks(first, n > have ? UINT64_MAX : first.n) && !is_plain_text(first))
        return true;
    if (n > DECODE_MOST) {
        content_limit(&p->c, at, "an encoded string is longer than is decoded");
        return true;
    }
    struct arena *a = arena_new((size_t)DECODE_MOST * 3);
    if (!a)
        return pickle_no_memory(p);
    bool ok = true;
    uint8_t *bytes = arena_alloc(a, (size_t)n + 1);
    if (bytes && input_load(&all, in, 0, (size_t)n, a, &ignored)) {
        struct input decoded = input_memory((struct span){bytes, e->decode(bytes, all)});
        decoded.derived = true;
        decoded.origin = input_origin(in, 0);
        ok = look(p, decoded, e->what, at, false, layer + 1);
    }
    arena_free(a);
    return ok;
}

static bool look(struct pickle *p, struct input in, const char *what, uint64_t at, bool text,
                 unsigned layer)
{
    uint8_t head[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    size_t n = in.size < sizeof head ? (size_t)in.size : sizeof head;
    if (in.size < NESTED_MIN || !input_read(&in, head, 0, n, &ignored))
        return true;
    struct span s = {head, n};
    if (speaks(s, in.size) || pickle_sniff_beyond(&in))
        return examine(p, in, s, what, at);
    if (layer >= LAYERS) {
        content_limit(&p->c, at, "encodings are nested deeper than is followed");
        return true;
    }
    s.n = s.n < HEAD ? s.n : HEAD;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (may_be(&encodings[i], s, in.size, text) &&
            !look_decoded(p, &in, &encodings[i], at, layer))
            return false;
    /* Who encodes text means it for a program: then every dangerous word counts. */
    bool source = begins_as_script(s) || (layer > 0 && is_plain_text(s));
    return !source || examine_source(p, &in, what);
}

bool pickle_nested(struct pickle *p, uint64_t at, uint64_t n, bool text)
{
    uint8_t head[HEAD];
    if (n < NESTED_MIN)
        return true;
    if (window_at(&p->w) == at)
        window_peek(&p->w, n < HEAD ? (size_t)n : HEAD);
    size_t have = n < HEAD ? (size_t)n : HEAD;
    if (!pickle_fetch(p, head, at, have))
        return true;
    /* Most strings are names and numbers: they are left with a look at their first bytes. */
    struct span s = {head, have};
    bool known = speaks(s, n > have ? UINT64_MAX : n) || begins_as_script(s);
    for (size_t i = 0; !known && i < sizeof encodings / sizeof *encodings; i++)
        known = may_be(&encodings[i], s, n, text);
    return !known || look(p, input_part(&p->c.in, at, n), text ? "a string" : "bytes", at, text, 0);
}
