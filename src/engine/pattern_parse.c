/*
 * The subset of ECMA 262's regular expressions that has no memory: characters, classes, groups,
 * alternatives, quantifiers, and, of a whole pattern or one of its alternatives, anchors around it
 * and looks ahead, which hold all that follows to something more. The rest is refused by its name.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "engine/pattern.h"

enum { DEPTH = 64, LAST = 0x10ffff, LINE = 0x2028 };

struct reader {
    struct pattern *p;
    struct span text;
    size_t at;
    unsigned depth;
    struct err *e;
    struct range range[PATTERN_RANGES]; /* of the set that is being read */
    size_t ranges;
};

static bool refuse(struct reader *r, const char *why)
{
    return err_set(r->e, ERR_UNSUPPORTED, "octet %zu: %s", r->at, why);
}

static int peek(const struct reader *r)
{
    return r->at < r->text.n ? r->text.p[r->at] : -1;
}

static bool take(struct reader *r, const char *what)
{
    struct span rest = span_sub(r->text, r->at, r->text.n), s = span_str(what);
    if (rest.n < s.n || memcmp(rest.p, s.p, s.n) != 0)
        return false;
    r->at += s.n;
    return true;
}

/* ---- sets ---- */

static bool add(struct reader *r, uint32_t from, uint32_t to)
{
    if (r->ranges == PATTERN_RANGES)
        return refuse(r, "the set has too many parts");
    r->range[r->ranges++] = (struct range){from, to};
    return true;
}

static int by_begin(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* In order, those that touch as one, and without the halves of surrogate pairs. */
static bool tidy(struct reader *r)
{
    size_t n = 0;
    qsort(r->range, r->ranges, sizeof *r->range, by_begin);
    for (size_t i = 0; i < r->ranges; i++) {
        struct range *last = n ? &r->range[n - 1] : NULL;
        if (last && r->range[i].from <= last->to + 1)
            last->to = r->range[i].to > last->to ? r->range[i].to : last->to;
        else
            r->range[n++] = r->range[i];
    }
    r->ranges = n;
    for (size_t i = 0; i < n; i++) {
        struct range *here = &r->range[i], whole = *here;
        if (whole.from > 0xdfff || whole.to < 0xd800)
            continue;
        *here = (struct range){whole.from, whole.from < 0xd800 ? 0xd7ff : 0};
        if (whole.to > 0xdfff && !add(r, 0xe000, whole.to))
            return false;
    }
    n = 0;
    for (size_t i = 0; i < r->ranges; i++)
        if (r->range[i].from <= r->range[i].to)
            r->range[n++] = r->range[i];
    r->ranges = n;
    qsort(r->range, n, sizeof *r->range, by_begin);
    return true;
}

/* What the ranges from `first` on are not. */
static bool negate(struct reader *r, size_t first)
{
    struct range own[PATTERN_RANGES];
    size_t n = r->ranges - first;
    uint32_t from = 0;
    memcpy(own, r->range + first, n * sizeof *own);
    qsort(own, n, sizeof *own, by_begin);
    r->ranges = first;
    for (size_t i = 0; i < n; i++) {
        if (own[i].from > from && !add(r, from, own[i].from - 1))
            return false;
        from = own[i].to >= from ? own[i].to + 1 : from;
    }
    return from > LAST || add(r, from, LAST);
}

static bool is_class(int c)
{
    return c > 0 && strchr("dDwWsS", c) != NULL;
}

/* \d, \w, \s and what they are not. */
static bool add_class(struct reader *r, int c)
{
    static const struct {
        char name;
        struct range range[11];
    } classes[] = {{'d', {{'0', '9'}}},
                   {'w', {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
                   {'s',
                    {{'\t', '\r'},
                     {' ', ' '},
                     {0xa0, 0xa0},
                     {0x1680, 0x1680},
                     {0x2000, 0x200a},
                     {LINE, LINE + 1},
                     {0x202f, 0x202f},
                     {0x205f, 0x205f},
                     {0x3000, 0x3000},
                     {0xfeff, 0xfeff}}}};
    size_t first = r->ranges, k = 0;
    while (classes[k].name != (c | 0x20))
        k++;
    for (const struct range *own = classes[k].range; own->to; own++)
        if (!add(r, own->from, own->to))
            return false;
    return (c & 0x20) != 0 || negate(r, first);
}

/* ---- characters ---- */

static bool hexadecimal(struct reader *r, unsigned least, unsigned most, uint32_t *out)
{
    unsigned n = 0;
    *out = 0;
    for (int c; n < most && (c = peek(r)) > 0 && strchr("0123456789abcdefABCDEF", c); n++) {
        *out = *out * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        r->at++;
    }
    return n >= least || refuse(r, "hexadecimal digits are missing");
}

/* Behind \u: four digits, twice for a pair, or any in braces. */
static bool unicode(struct reader *r, uint32_t *out)
{
    uint32_t low;
    if (take(r, "{"))
        return hexadecimal(r, 1, 6, out) &&
               (*out <= LAST || refuse(r, "there is no such character")) &&
               (take(r, "}") || refuse(r, "a } is missing"));
    if (!hexadecimal(r, 4, 4, out))
        return false;
    if (*out < 0xd800 || *out > 0xdbff || !take(r, "\\u"))
        return true;
    if (!hexadecimal(r, 4, 4, &low) || low < 0xdc00 || low > 0xdfff)
        return refuse(r, "half of a pair stands alone");
    *out = 0x10000 + ((*out & 0x3ff) << 10) + (low & 0x3ff);
    return true;
}

static bool unescaped(struct reader *r, int c, uint32_t *out)
{
    static const char names[] = "tnvfr", meant[] = "\t\n\v\f\r";
    const char *known = c > 0 ? strchr(names, c) : NULL;
    if (known || c == '0') {
        *out = known ? (uint8_t)meant[known - names] : 0;
        return c != '0' || peek(r) < '0' || peek(r) > '9' ||
               refuse(r, "octal escapes are not held to");
    }
    if (c == 'x')
        return hexadecimal(r, 2, 2, out);
    if (c == 'u')
        return unicode(r, out);
    if (c == 'b' || c == 'B')
        return refuse(r, "word boundaries are not held to");
    if (c == 'k' || (c >= '1' && c <= '9'))
        return refuse(r, "references to groups are not held to");
    if (c == 'p' || c == 'P')
        return refuse(r, "properties of Unicode are not held to");
    *out = (uint32_t)c;
    return (c > ' ' && c < 0x7f && strchr("^$\\.*+?()[]{}|/-#&,:;<=>@!\"'%_`~ ", c)) ||
           refuse(r, "there is no such escape");
}

/* A character as it stands, or behind a backslash that was taken already. */
static bool character(struct reader *r, bool escape, uint32_t *out)
{
    if (r->at == r->text.n)
        return refuse(r, "the pattern ends too early");
    if (!escape) {
        *out = utf8_next(r->text, &r->at);
        return true;
    }
    int c = r->text.p[r->at++];
    return unescaped(r, c, out);
}

/* ---- classes in brackets ---- */

/* One part of it, which may be a class of its own; *single: it was a character. */
static bool member(struct reader *r, bool *single, uint32_t *c)
{
    bool escape = take(r, "\\");
    *single = !escape || !is_class(peek(r));
    if (!*single)
        return add_class(r, r->text.p[r->at++]);
    if (escape && take(r, "b")) {
        *c = '\b';
        return true;
    }
    return character(r, escape, c);
}

static bool in_brackets(struct reader *r, uint32_t *term)
{
    bool not = take(r, "^"), from_single, to_single;
    uint32_t from, to;
    r->ranges = 0;
    while (!take(r, "]")) {
        if (!member(r, &from_single, &from))
            return false;
        bool range = peek(r) == '-' && r->at + 1 < r->text.n && r->text.p[r->at + 1] != ']';
        if (!range || !from_single) {
            if (range)
                return refuse(r, "a range begins with a class");
            if (from_single && !add(r, from, from))
                return false;
            continue;
        }
        r->at++;
        if (!member(r, &to_single, &to))
            return false;
        if (!to_single || to < from)
            return refuse(r, "the range has no end, or one before its beginning");
        if (!add(r, from, to))
            return false;
    }
    if ((not &&!negate(r, 0)) || !tidy(r))
        return false;
    *term = term_set(r->p, r->range, r->ranges);
    return true;
}

/* ---- terms ---- */

/* What a sequence is of: some of a pattern, which goes on behind it; all of it, found anywhere; or all that
 * follows a place where it looks ahead. */
enum extent { SOME, ALL, AHEAD };

static bool either(struct reader *r, enum extent extent, uint32_t *term);

static bool group(struct reader *r, uint32_t *term)
{
    if (take(r, "?<=") || take(r, "?<!"))
        return refuse(r, "looking behind is not held to");
    if (take(r, "?=") || take(r, "?!"))
        return refuse(r, "looking ahead is held to outside of groups alone");
    if (take(r, "?<"))
        while (peek(r) != -1 && !take(r, ">"))
            r->at++;
    else if (!take(r, "?:") && peek(r) == '?')
        return refuse(r, "flags within a pattern are not held to");
    if (r->depth == DEPTH)
        return refuse(r, "too many groups within groups");
    r->depth++;
    bool ok = either(r, SOME, term) && (take(r, ")") || refuse(r, "a ) is missing"));
    r->depth--;
    return ok;
}

/* Strings that begin as it says, or do not: what follows must be one as well. */
static bool look_ahead(struct reader *r, bool at_begin, uint32_t *term)
{
    bool not = take(r, "(?!");
    if (!not &&!take(r, "(?="))
        return false;
    if (at_begin)
        (void)take(r, "^");
    if (r->depth == DEPTH)
        return refuse(r, "too many groups within groups");
    r->depth++;
    if (!either(r, AHEAD, term) || (!take(r, ")") && !refuse(r, "a ) is missing")))
        return false;
    r->depth--;
    if (not )
        *term = term_not(r->p, *term);
    return true;
}

static bool looks_ahead(const struct reader *r)
{
    struct span rest = span_sub(r->text, r->at, r->text.n);
    return span_starts(rest, "(?=") || span_starts(rest, "(?!");
}

static bool one(struct reader *r, uint32_t c, uint32_t *term)
{
    r->ranges = 0;
    if (!add(r, c, c) || !tidy(r))
        return false;
    *term = term_set(r->p, r->range, r->ranges);
    return true;
}

static bool atom(struct reader *r, uint32_t *term)
{
    uint32_t c;
    r->ranges = 0;
    if (take(r, "("))
        return group(r, term);
    if (take(r, "["))
        return in_brackets(r, term);
    if (take(r, ".")) {
        if (!add(r, '\n', '\n') || !add(r, '\r', '\r') || !add(r, LINE, LINE + 1) ||
            !negate(r, 0) || !tidy(r))
            return false;
        *term = term_set(r->p, r->range, r->ranges);
        return true;
    }
    if (peek(r) == '^' || peek(r) == '$')
        return refuse(r, "an anchor stands within a group, or between other characters");
    if (peek(r) > 0 && strchr("*+?{", peek(r)))
        return refuse(r, "there is nothing to repeat");
    bool escape = take(r, "\\");
    if (escape && is_class(peek(r))) {
        if (!add_class(r, r->text.p[r->at++]) || !tidy(r))
            return false;
        *term = term_set(r->p, r->range, r->ranges);
        return true;
    }
    return character(r, escape, &c) && one(r, c, term);
}

static bool number(struct reader *r, uint32_t *out)
{
    size_t from = r->at;
    *out = 0;
    for (; peek(r) >= '0' && peek(r) <= '9'; r->at++) {
        *out = *out * 10 + (uint32_t)(peek(r) - '0');
        if (*out > PATTERN_REPEAT)
            return refuse(r, "so many are not counted");
    }
    return r->at > from || refuse(r, "a number is missing in {}");
}

/* Whether it takes as much as it can is of no matter to what is found at all. */
static bool quantified(struct reader *r, uint32_t *term)
{
    uint32_t min = 0, max = PATTERN_ENDLESS;
    if (take(r, "?")) {
        max = 1;
    } else if (take(r, "+")) {
        min = 1;
    } else if (take(r, "{")) {
        if (!number(r, &min))
            return false;
        max = min;
        if (take(r, ",")) {
            max = PATTERN_ENDLESS;
            if (peek(r) != '}' && !number(r, &max))
                return false;
        }
        if (!take(r, "}") || max < min)
            return refuse(r, "the bounds in {} are none");
    } else if (!take(r, "*")) {
        return true;
    }
    (void)take(r, "?");
    *term = term_repeat(r->p, *term, min, max);
    return true;
}

/* A part of a sequence: a term, or what all that follows must be as well. */
struct part {
    uint32_t term;
    bool ahead;
};

static bool one_part(struct reader *r, bool whole, bool at_begin, struct part *part)
{
    part->ahead = whole && looks_ahead(r);
    if (!part->ahead)
        return atom(r, &part->term) && quantified(r, &part->term);
    if (!look_ahead(r, at_begin, &part->term))
        return false;
    return !(peek(r) > 0 && strchr("*+?{", peek(r))) ||
           refuse(r, "what looks ahead cannot be repeated");
}

static uint32_t put_together(struct reader *r, const struct part *part, size_t n, uint32_t term)
{
    while (n-- > 0)
        term = part[n].ahead ? term_join(r->p, TERM_BOTH, part[n].term, term)
                             : term_pair(r->p, part[n].term, term);
    return term;
}

/* Of a whole one, where anchors stand, anything may stand beyond its ends without them. */
static bool sequence(struct reader *r, enum extent extent, uint32_t *term)
{
    struct part *part = NULL;
    uint32_t any = term_any(r->p, 0, PATTERN_ENDLESS);
    size_t n = 0, room = 0;
    bool whole = extent != SOME, begins = extent == AHEAD, ends = false;
    while (extent == ALL && take(r, "^"))
        begins = true;
    while (peek(r) != -1 && peek(r) != '|' && peek(r) != ')') {
        if (whole && take(r, "$")) {
            ends = true;
            continue;
        }
        if (ends)
            return refuse(r, "something stands behind a $");
        part = arena_grow(r->p->a, part, n, &room, sizeof *part);
        if (part == NULL)
            return err_set(r->e, ERR_MEMORY, "no memory for a pattern");
        if (!one_part(r, whole, extent == ALL && begins && n == 0, &part[n]))
            return false;
        n++;
    }
    *term = put_together(r, part, n, whole && !ends ? any : TERM_EMPTY);
    if (!begins && whole)
        *term = term_pair(r->p, any, *term);
    return true;
}

static bool either(struct reader *r, enum extent extent, uint32_t *term)
{
    if (!sequence(r, extent, term))
        return false;
    while (take(r, "|")) {
        uint32_t other;
        if (!sequence(r, extent, &other))
            return false;
        *term = term_join(r->p, TERM_EITHER, *term, other);
    }
    return true;
}

bool pattern_parse(uint32_t *term, struct pattern *p, struct span text, struct err *e)
{
    struct reader r = {.p = p, .text = text, .e = e};
    if (text.n > PATTERN_TEXT || utf8_invalid(text) != TEXT_VALID)
        return err_set(e, ERR_UNSUPPORTED, "has more than %d octets", PATTERN_TEXT);
    if (!either(&r, ALL, term))
        return false;
    return r.at == text.n || refuse(&r, "a ( is missing");
}
