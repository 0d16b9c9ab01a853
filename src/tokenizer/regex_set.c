/*
 * Character sets: a literal, an escape, a property, or a bracketed set with
 * ranges, nesting, negation and intersection. \s, \d and \w are Unicode's, as
 * Oniguruma has them for UTF-8.
 */
#include "tokenizer/regex_set.h"

#include <string.h>

#include "assay/base/text.h"

static const struct set *refuse(struct set_reader *r, const char *what)
{
    (void)err_at(r->e, ERR_UNSUPPORTED, NULL, r->at, "regular expression: %s", what);
    return NULL;
}

static const struct set *make(struct set_reader *r, struct set s)
{
    struct set *out = arena_alloc(r->arena, sizeof *out);
    if (!out) {
        (void)err_set(r->e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    *out = s;
    return out;
}

const struct set *set_or(struct arena *a, const struct set *x, const struct set *y)
{
    if (!x || !y)
        return x ? x : y;
    struct set *out = arena_alloc(a, sizeof *out);
    if (out)
        *out = (struct set){.kind = SET_OR, .a = y, .b = x};
    return out;
}

static const struct set *join(struct set_reader *r, const struct set *x, const struct set *y)
{
    if (!y)
        return NULL;
    return x ? make(r, (struct set){.kind = SET_OR, .a = y, .b = x}) : y;
}

static const struct set *negate(struct set_reader *r, const struct set *x)
{
    return x ? make(r, (struct set){.kind = SET_NOT, .a = x}) : NULL;
}

static const struct set *categories(struct set_reader *r, uint32_t bits)
{
    return make(r, (struct set){.kind = SET_CATEGORIES, .categories = bits});
}

static const struct set *range(struct set_reader *r, uint32_t low, uint32_t high)
{
    return make(r, (struct set){.kind = SET_RANGE, .low = low, .high = high});
}

struct bounds {
    uint32_t low, high;
};

static const struct set *ranges(struct set_reader *r, const struct set *all, const struct bounds *b,
                                size_t n)
{
    for (size_t i = 0; i < n && (all || i == 0); i++)
        all = join(r, all, range(r, b[i].low, b[i].high));
    return all;
}

/* A long union is a chain along b; what hangs on a is nested no deeper than the pattern. */
bool set_has(const struct set *s, uint32_t c, enum unicode_category category)
{
    for (; s->kind == SET_OR; s = s->b)
        if (set_has(s->a, c, category))
            return true;
    switch (s->kind) {
    case SET_RANGE:
        return c >= s->low && c <= s->high;
    case SET_CATEGORIES:
        return s->categories >> category & 1;
    case SET_AND:
        return set_has(s->a, c, category) && set_has(s->b, c, category);
    case SET_NOT:
        return !set_has(s->a, c, category);
    case SET_OR:
        break;
    }
    return false;
}

/* ---- named sets ---- */

/* \w beyond its categories: circled and squared letters (Other_Alphabetic), and the numbers of
 * Latin-1, as Oniguruma has it. */
static const struct bounds word_more[] = {{0xB2, 0xB3},      {0xB9, 0xB9},       {0xBC, 0xBE},
                                          {0x24B6, 0x24E9},  {0x1F130, 0x1F149}, {0x1F150, 0x1F169},
                                          {0x1F170, 0x1F189}};
enum { WORD_MORE = sizeof word_more / sizeof *word_more };

#define WORD_CATEGORIES (UC_LETTER | UC_MARK | UC_BIT(UC_ND) | UC_BIT(UC_NL) | UC_BIT(UC_PC))

/* Scripts.txt, Han (Unicode 16). */
static const struct bounds han[] = {
    {0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},
    {0x3007, 0x3007},   {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},   {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3},
    {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739}, {0x2B740, 0x2B81D},
    {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2EBF0, 0x2EE5D}, {0x2F800, 0x2FA1D},
    {0x30000, 0x3134A}, {0x31350, 0x323AF}};

static const struct set *property(struct set_reader *r, struct span name)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } names[] = {
        {"L", UC_LETTER},
        {"Lu", UC_BIT(UC_LU)},
        {"Ll", UC_BIT(UC_LL)},
        {"Lt", UC_BIT(UC_LT)},
        {"Lm", UC_BIT(UC_LM)},
        {"Lo", UC_BIT(UC_LO)},
        {"M", UC_MARK},
        {"Mn", UC_BIT(UC_MN)},
        {"Mc", UC_BIT(UC_MC)},
        {"Me", UC_BIT(UC_ME)},
        {"N", UC_NUMBER},
        {"Nd", UC_BIT(UC_ND)},
        {"Nl", UC_BIT(UC_NL)},
        {"No", UC_BIT(UC_NO)},
        {"P", UC_PUNCTUATION},
        {"Pc", UC_BIT(UC_PC)},
        {"Pd", UC_BIT(UC_PD)},
        {"Ps", UC_BIT(UC_PS)},
        {"Pe", UC_BIT(UC_PE)},
        {"Pi", UC_BIT(UC_PI)},
        {"Pf", UC_BIT(UC_PF)},
        {"Po", UC_BIT(UC_PO)},
        {"S", UC_SYMBOL},
        {"Sm", UC_BIT(UC_SM)},
        {"Sc", UC_BIT(UC_SC)},
        {"Sk", UC_BIT(UC_SK)},
        {"So", UC_BIT(UC_SO)},
        {"Z", UC_SEPARATOR},
        {"Zs", UC_BIT(UC_ZS)},
        {"Zl", UC_BIT(UC_ZL)},
        {"Zp", UC_BIT(UC_ZP)},
        {"C", UC_OTHER},
        {"Cc", UC_BIT(UC_CC)},
        {"Cf", UC_BIT(UC_CF)},
        {"Co", UC_BIT(UC_CO)},
        {"Cs", UC_BIT(UC_CS)},
        {"Cn", UC_BIT(UC_CN)},
        {"Letter", UC_LETTER},
        {"Mark", UC_MARK},
        {"Number", UC_NUMBER},
        {"Symbol", UC_SYMBOL},
        {"Punctuation", UC_PUNCTUATION},
        {"Separator", UC_SEPARATOR},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(name, names[i].name))
            return categories(r, names[i].bits);
    if (span_is(name, "Han") || span_is(name, "Script=Han"))
        return ranges(r, NULL, han, sizeof han / sizeof *han);
    char shown[48], text[96];
    size_t n = sizeof "property " - 1;
    memcpy(text, "property ", n);
    const char *s = text_shown(shown, sizeof shown, name);
    for (; *s && n + 1 < sizeof text; s++)
        text[n++] = *s;
    text[n] = '\0';
    return refuse(r, text);
}

/* \p{Name}, \P{Name}, \p{^Name}, \pL */
static const struct set *read_property(struct set_reader *r, bool negated)
{
    struct span rest = span_sub(r->text, r->at, r->text.n), name = span_sub(rest, 0, 1);
    size_t used = 1;
    if (span_starts(rest, "{")) {
        const uint8_t *end = memchr(rest.p, '}', rest.n);
        if (!end)
            return refuse(r, "\\p{ is not closed");
        used = (size_t)(end - rest.p) + 1;
        name = span_sub(rest, 1, used - 2);
        if (span_starts(name, "^")) {
            negated = !negated;
            name = span_sub(name, 1, name.n);
        }
    }
    const struct set *s = property(r, name);
    r->at += used;
    return negated ? negate(r, s) : s;
}

static const struct set *named(struct set_reader *r, uint8_t letter)
{
    static const struct bounds space_more[] = {{9, 13}, {0x85, 0x85}};
    const struct set *s = NULL;
    switch (letter | 0x20) {
    case 's':
        s = ranges(r, categories(r, UC_SEPARATOR), space_more, 2);
        break;
    case 'd':
        s = categories(r, UC_BIT(UC_ND));
        break;
    case 'w':
        s = ranges(r, categories(r, WORD_CATEGORIES), word_more, WORD_MORE);
        break;
    default:
        return refuse(r, "an escape that is not supported");
    }
    return letter & 0x20 ? s : negate(r, s);
}

/* ---- single characters ---- */

static bool hexadecimal(struct set_reader *r, size_t least, size_t most, uint32_t *out)
{
    uint32_t v = 0;
    size_t n = 0;
    for (; n < most && r->at < r->text.n; n++, r->at++) {
        uint8_t c = r->text.p[r->at], low = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v << 4 | (uint32_t)(low - 'a' + 10);
        else
            break;
    }
    *out = v;
    return n >= least && v < UNICODE_END;
}

/* After a backslash: \n, \x41, \x{1F600}, A, or the character itself. */
static bool escaped(struct set_reader *r, uint32_t *out)
{
    static const char from[] = "nrtfvae", to[] = "\n\r\t\f\v\a\x1B";
    uint8_t c = r->text.p[r->at];
    const char *known = strchr(from, c);
    if (known && c) {
        *out = (uint8_t)to[known - from];
        r->at++;
        return true;
    }
    if (c == 'x' || c == 'u') {
        r->at++;
        if (c == 'u')
            return hexadecimal(r, 4, 4, out);
        bool brace = r->at < r->text.n && r->text.p[r->at] == '{';
        r->at += brace;
        bool ok = hexadecimal(r, 1, brace ? 6 : 2, out);
        if (brace)
            ok = ok && r->at < r->text.n && r->text.p[r->at++] == '}';
        return ok;
    }
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return false;
    *out = utf8_next(r->text, &r->at);
    return true;
}

static bool is_named(uint8_t c)
{
    return c && strchr("sSdDwW", c);
}

/* The character in either case: what folds to the same (CaseFolding.txt, C and S). */
static const struct set *folded(struct set_reader *r, uint32_t c)
{
    const struct set *s = range(r, c, c);
    uint32_t low = unicode_to_lower(c);
    if (!r->fold || !s)
        return s;
    if (low != c)
        s = join(r, s, range(r, low, low));
    uint32_t up[UNICODE_UPPER_MAX];
    size_t n = unicode_from_lower(up, low);
    for (size_t i = 0; i < n && s; i++)
        s = join(r, s, range(r, up[i], up[i]));
    if (s && low == 's')
        s = join(r, s, range(r, 0x17F, 0x17F)); /* long s */
    if (s && low == 'k')
        s = join(r, s, range(r, 0x212A, 0x212A)); /* Kelvin sign */
    return s;
}

/* ---- bracketed sets ---- */

static const struct set *bracket(struct set_reader *r);

static bool ends(const struct set_reader *r)
{
    return r->at >= r->text.n;
}

/* A character within brackets as a number; false: it is a set of its own, in *set. */
static bool member(struct set_reader *r, uint32_t *c, const struct set **set)
{
    *set = NULL;
    uint8_t b = r->text.p[r->at];
    if (b == '[') {
        *set = bracket(r);
        return false;
    }
    if (b != '\\') {
        *c = utf8_next(r->text, &r->at);
        return true;
    }
    r->at++;
    if (ends(r)) {
        (void)refuse(r, "ends in a backslash");
        return false;
    }
    b = r->text.p[r->at];
    if (is_named(b) || b == 'p' || b == 'P') {
        r->at++;
        *set = is_named(b) ? named(r, b) : read_property(r, b == 'P');
        return false;
    }
    if (b == 'b') {
        r->at++;
        *c = '\b';
        return true;
    }
    if (escaped(r, c))
        return true;
    (void)refuse(r, "an escape that is not supported");
    return false;
}

/* A range or a single character; in either case of ASCII letters when folding. */
static const struct set *span_of(struct set_reader *r, uint32_t low, uint32_t high)
{
    const struct set *s = low == high ? folded(r, low) : range(r, low, high);
    if (!s || !r->fold || low == high)
        return s;
    for (uint32_t c = low; s && c <= high && c < 0x80; c++)
        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            s = join(r, s, folded(r, c));
    return s;
}

static const struct set *items(struct set_reader *r)
{
    const struct set *all = NULL, *one;
    bool first = true;
    while (!ends(r) && (first || r->text.p[r->at] != ']')) {
        struct span rest = span_sub(r->text, r->at, r->text.n);
        uint32_t low, high;
        first = false;
        if (span_starts(rest, "&&")) {
            r->at += 2;
            one = items(r);
            return one && all ? make(r, (struct set){.kind = SET_AND, .a = all, .b = one}) : one;
        }
        if (span_starts(rest, "[:"))
            return refuse(r, "a POSIX class");
        if (member(r, &low, &one)) {
            rest = span_sub(r->text, r->at, r->text.n);
            high = low;
            if (rest.n > 1 && rest.p[0] == '-' && rest.p[1] != ']' && rest.p[1] != '[') {
                r->at++;
                if (!member(r, &high, &one))
                    return r->e && r->e->code ? NULL : refuse(r, "a range that ends in a set");
            }
            if (high < low)
                return refuse(r, "a range from a higher to a lower character");
            one = span_of(r, low, high);
        }
        all = join(r, all, one);
        if (!all)
            return NULL;
    }
    return all;
}

static const struct set *bracket(struct set_reader *r)
{
    if (++r->depth > REGEX_MAX_NESTING)
        return refuse(r, "sets are nested too deeply");
    r->at++;
    bool negated = !ends(r) && r->text.p[r->at] == '^';
    r->at += negated;
    const struct set *s = items(r);
    if (!s)
        return r->e && r->e->code ? NULL : refuse(r, "an empty set");
    if (ends(r))
        return refuse(r, "a set is not closed");
    r->at++;
    r->depth--;
    return negated ? negate(r, s) : s;
}

const struct set *set_read(struct set_reader *r)
{
    const struct set *set;
    uint32_t c;
    if (ends(r))
        return refuse(r, "ends where a character was expected");
    if (r->text.p[r->at] == '.') { /* any but a line feed */
        r->at++;
        return negate(r, range(r, '\n', '\n'));
    }
    if (!member(r, &c, &set))
        return set;
    return folded(r, c);
}
