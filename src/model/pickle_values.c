/*
 * Opcodes that push a value of their own: numbers, texts and bytes, empty
 * containers. Arguments are taken as the most lenient reader takes them; where
 * readers differ in what they accept there is a finding.
 */
#include "model/pickle_ops.h"

#include <string.h>

#include "assay/base/text.h"

/* ---- values without content ---- */

bool pickle_push_kind(struct pickle *p, enum pv_kind kind)
{
    return pickle_push(p, pv_make(kind, 0, p->op_at));
}

bool pickle_op_none(struct pickle *p)
{
    return pickle_push(p, pv_make(PV_NONE, 0, 0));
}

bool pickle_op_bool(struct pickle *p)
{
    return pickle_push(p, pv_make(PV_BOOL, 0, 0));
}

bool pickle_op_list(struct pickle *p)
{
    return pickle_push_kind(p, PV_LIST);
}

bool pickle_op_dict(struct pickle *p)
{
    return pickle_push_kind(p, PV_DICT);
}

bool pickle_op_set(struct pickle *p)
{
    return pickle_push_kind(p, PV_SET);
}

bool pickle_op_empty_tuple(struct pickle *p)
{
    return pickle_push(p, pickle_tuple(p, NULL, 0));
}

/* ---- numbers ---- */

static bool push_integer(struct pickle *p, bool negative, uint64_t v)
{
    bool fits = !negative && v <= PV_AT_MAX;
    return pickle_push(p, pv_make(fits ? PV_INT : PV_LONG, 0, fits ? v : p->op_at));
}

bool pickle_op_binint(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    if (!s.n)
        return false;
    uint32_t v = load_u32le(s.p);
    return push_integer(p, v >> 31, v);
}

bool pickle_op_binint1(struct pickle *p)
{
    return push_integer(p, false, window_u8(&p->w));
}

bool pickle_op_binint2(struct pickle *p)
{
    struct span s = window_take(&p->w, 2);
    return s.n && push_integer(p, false, load_u16le(s.p));
}

bool pickle_op_binfloat(struct pickle *p)
{
    window_skip(&p->w, 8);
    return pickle_push(p, pv_make(PV_FLOAT, 0, 0));
}

/* Python's int() and C's strtol(.., 0) differ in what they take; both take this. */
bool pickle_decimal(struct span s, bool *negative, uint64_t *v)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    *negative = s.n && s.p[0] == '-';
    *v = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (*v <= PV_AT_MAX)
            *v = *v * 10 + (uint64_t)(s.p[i] - '0');
    }
    return true;
}

static bool number_line(struct pickle *p, struct span s)
{
    bool negative;
    uint64_t v;
    char shown[64];
    if (!pickle_decimal(s, &negative, &v)) {
        pickle_note(p, RULE_PICKLE_AMBIGUOUS, "\"%s\" is a number for some readers only",
                    text_shown(shown, sizeof shown, s));
        return pickle_push_kind(p, PV_LONG);
    }
    return push_integer(p, negative, v);
}

/* I: "00" and "01" are booleans. */
bool pickle_op_int(struct pickle *p)
{
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    if (span_is(s, "00") || span_is(s, "01"))
        return pickle_op_bool(p);
    return number_line(p, s);
}

bool pickle_op_long(struct pickle *p)
{
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    if (s.n && s.p[s.n - 1] == 'L')
        s.n--;
    return number_line(p, s);
}

bool pickle_op_float(struct pickle *p)
{
    struct span s = window_line(&p->w);
    char shown[64];
    if (!window_ok(&p->w))
        return false;
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        plain = plain && s.p[i] && strchr("0123456789+-.eEinfatyINFATY", s.p[i]);
    if (!plain)
        pickle_note(p, RULE_PICKLE_AMBIGUOUS, "\"%s\" is a number for some readers only",
                    text_shown(shown, sizeof shown, s));
    return pickle_push(p, pv_make(PV_FLOAT, 0, 0));
}

/* Little-endian two's complement. */
static bool long_bytes(struct pickle *p, uint64_t n)
{
    if (n > 6) {
        window_skip(&p->w, n);
        return pickle_push_kind(p, PV_LONG);
    }
    struct span s = window_take(&p->w, (size_t)n);
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0;)
        v = v << 8 | s.p[i];
    return window_ok(&p->w) && push_integer(p, s.n && s.p[s.n - 1] >> 7, v);
}

bool pickle_op_long1(struct pickle *p)
{
    return long_bytes(p, window_u8(&p->w));
}

bool pickle_op_long4(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    if (!s.n)
        return false;
    if (load_u32le(s.p) > INT32_MAX)
        return pickle_fail(p, "an integer has a negative length");
    return long_bytes(p, load_u32le(s.p));
}

/* ---- texts and bytes ---- */

static bool text_line(struct pickle *p, enum pv_kind kind)
{
    uint64_t at = window_at(&p->w);
    struct span s = window_line(&p->w);
    uint64_t n = s.n;
    if (!window_ok(&p->w))
        return false;
    return pickle_push_kind(p, kind) && pickle_nested(p, at, n, true);
}

/* S: within quotes that match, or CPython raises. */
bool pickle_op_string(struct pickle *p)
{
    uint64_t at = window_at(&p->w);
    struct span s = window_line(&p->w);
    if (!window_ok(&p->w))
        return false;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\t'))
        s.n--;
    if (s.n < 2 || s.p[0] != s.p[s.n - 1] || (s.p[0] != '\'' && s.p[0] != '"'))
        return pickle_fail(p, "a string without its quotes");
    uint64_t n = s.n - 2;
    return pickle_push_kind(p, PV_STR) && pickle_nested(p, at + 1, n, true);
}

bool pickle_op_unicode(struct pickle *p)
{
    return text_line(p, PV_STR);
}

static bool body(struct pickle *p, enum pv_kind kind, uint64_t n)
{
    uint64_t at = window_at(&p->w);
    if (n > window_left(&p->w))
        return pickle_fail(p, "a string is longer than the bytes left");
    return pickle_push_kind(p, kind) && pickle_nested(p, at, n, kind == PV_STR) &&
           (window_seek(&p->w, at + n), window_ok(&p->w));
}

static bool short_body(struct pickle *p, enum pv_kind kind)
{
    uint8_t n = window_u8(&p->w);
    return window_ok(&p->w) && body(p, kind, n);
}

static bool long_body(struct pickle *p, enum pv_kind kind)
{
    struct span s = window_take(&p->w, 4);
    return s.n && body(p, kind, load_u32le(s.p));
}

static bool huge_body(struct pickle *p, enum pv_kind kind)
{
    struct span s = window_take(&p->w, 8);
    return s.n && body(p, kind, load_u64le(s.p));
}

bool pickle_op_short_binunicode(struct pickle *p)
{
    return short_body(p, PV_STR);
}

bool pickle_op_binunicode(struct pickle *p)
{
    return long_body(p, PV_STR);
}

bool pickle_op_binunicode8(struct pickle *p)
{
    return huge_body(p, PV_STR);
}

bool pickle_op_short_binbytes(struct pickle *p)
{
    return short_body(p, PV_BYTES);
}

bool pickle_op_binbytes(struct pickle *p)
{
    return long_body(p, PV_BYTES);
}

bool pickle_op_binbytes8(struct pickle *p)
{
    return huge_body(p, PV_BYTES);
}

/* Python 2's str: text or bytes by the reader's `encoding`. */
bool pickle_op_short_binstring(struct pickle *p)
{
    return short_body(p, PV_STR);
}

bool pickle_op_binstring(struct pickle *p)
{
    struct span s = window_take(&p->w, 4);
    if (!s.n)
        return false;
    if (load_u32le(s.p) > INT32_MAX)
        return pickle_fail(p, "a string has a negative length");
    return body(p, PV_STR, load_u32le(s.p));
}

bool pickle_op_next_buffer(struct pickle *p)
{
    pickle_note(p, RULE_PICKLE_PERSISTENT, "NEXT_BUFFER takes bytes from outside of the file");
    return pickle_push(p, pv_make(PV_UNKNOWN, 0, 0));
}

bool pickle_op_readonly_buffer(struct pickle *p)
{
    pv v;
    return pickle_top(p, &v);
}
