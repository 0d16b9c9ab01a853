/*
 * What a word without quotes is. The core schema knows null, two truth values,
 * integers and decimals, and everything else is a text. A number that YAML 1.1
 * and 1.2 read differently (leading zeros), or that JSON cannot hold (infinity),
 * is refused rather than turned into a text that merely looks like a number.
 */
#include "yaml/scalar.h"

#include <inttypes.h>

#include "assay/base/json.h"

static bool is_one_of(struct span s, const char *const *words)
{
    for (; *words; words++)
        if (span_is(s, *words))
            return true;
    return false;
}

bool scalar_is_null(struct span s)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return is_one_of(s, words);
}

static size_t digits(struct span s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
        n++;
    return n;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? in its parts. */
struct number {
    bool negative, point;
    struct span whole, fraction, exponent; /* exponent with its sign */
};

static bool split_number(struct number *n, struct span s)
{
    size_t at = 0;
    *n = (struct number){.negative = s.n && s.p[0] == '-'};
    at += s.n && (s.p[0] == '-' || s.p[0] == '+');
    n->whole = span_sub(s, at, digits(s, at));
    at += n->whole.n;
    n->point = at < s.n && s.p[at] == '.';
    at += n->point;
    n->fraction = n->point ? span_sub(s, at, digits(s, at)) : SPAN_EMPTY;
    at += n->fraction.n;
    if (n->whole.n + n->fraction.n == 0)
        return false;
    if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
        size_t sign = at + 1 < s.n && (s.p[at + 1] == '-' || s.p[at + 1] == '+');
        size_t count = digits(s, at + 1 + sign);
        if (count == 0)
            return false;
        n->exponent = span_sub(s, at + 1, sign + count);
        at += 1 + sign + count;
    }
    return at == s.n;
}

/* As JSON writes it: no plus sign, digits on both sides of a point. */
static void put_number(struct buf *json, const struct number *n)
{
    if (n->negative)
        buf_put_u8(json, '-');
    if (n->whole.n)
        buf_put_span(json, n->whole);
    else
        buf_put_u8(json, '0');
    if (n->point) {
        buf_put_u8(json, '.');
        if (n->fraction.n)
            buf_put_span(json, n->fraction);
        else
            buf_put_u8(json, '0');
    }
    if (n->exponent.n) {
        buf_put_u8(json, 'e');
        buf_put_span(json, n->exponent);
    }
}

static bool is_based(struct span s, char base, uint64_t limit)
{
    if (s.n < 3 || s.p[0] != '0' || s.p[1] != (uint8_t)base)
        return false;
    for (size_t i = 2; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool decimal = c >= '0' && c <= '9' && (uint64_t)(c - '0') < limit;
        bool letter = limit == 16 && (((c | 0x20) >= 'a') && ((c | 0x20) <= 'f'));
        if (!decimal && !letter)
            return false;
    }
    return true;
}

static bool is_infinite(struct span s)
{
    static const char *const words[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                        "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                        ".NaN",  ".NAN",  NULL};
    return is_one_of(s, words);
}

const char *scalar_plain(struct buf *json, struct span s)
{
    static const char *const truths[] = {"true", "True", "TRUE", NULL};
    static const char *const falsehoods[] = {"false", "False", "FALSE", NULL};
    struct number n;
    if (scalar_is_null(s)) {
        buf_put_str(json, "null");
    } else if (is_one_of(s, truths)) {
        buf_put_str(json, "true");
    } else if (is_one_of(s, falsehoods)) {
        buf_put_str(json, "false");
    } else if (is_infinite(s)) {
        return "infinity and NaN are no values here; write a number, or put the text in quotes";
    } else if (is_based(s, 'o', 8) || is_based(s, 'x', 16)) {
        return "octal and hexadecimal numbers are not read; write the number in decimal, or put "
               "the text in quotes";
    } else if (split_number(&n, s)) {
        if (n.whole.n > 1 && n.whole.p[0] == '0')
            return "a number begins with a zero, which some readers take for octal; leave the "
                   "zero out, or put the text in quotes";
        put_number(json, &n);
    } else {
        struct json_writer w;
        jw_init(&w, json_sink_buf, json, false);
        jw_string(&w, s);
    }
    return NULL;
}
