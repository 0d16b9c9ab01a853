/*
 * Filters over text, and the string methods that are the same thing
 * (jinja2/filters.py; str of Python).
 */
#include "template/interpreter.h"

#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"
#include "template/filters.h"
#include "template/text.h"

bool self_string(struct interpreter *x, const struct arguments *a, const struct string **out)
{
    return to_string(x, a->items[0], out);
}

/* A text argument; *given false when it is missing or none. */
bool string_argument(struct interpreter *x, const struct arguments *a, size_t i,
                     const struct string **out, bool *given)
{
    struct value v = argument(a, i);
    *given = v.type == V_STRING;
    *out = *given ? v.as.string : NULL;
    return *given || v.type == V_UNDEFINED || v.type == V_NONE ||
           runtime_fault(x, ERR_FORMAT, "a text was expected, not %s", type_name(v));
}

bool whole_argument(struct interpreter *x, const struct arguments *a, size_t i, int64_t missing,
                    int64_t *out)
{
    struct value v = argument(a, i);
    *out = missing;
    if (v.type == V_INTEGER)
        *out = v.as.integer;
    else if (v.type == V_BOOL)
        *out = v.as.boolean;
    else if (v.type != V_UNDEFINED && v.type != V_NONE)
        return runtime_fault(x, ERR_FORMAT, "a whole number was expected, not %s", type_name(v));
    return true;
}

/* ---- case ---- */

static uint32_t upper_of(uint32_t c)
{
    uint32_t up[UNICODE_UPPER_MAX];
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (unicode_to_lower(c) != c)
        return c;
    return unicode_from_lower(up, c) ? up[0] : c;
}

static void put_character(struct maker *m, uint32_t c, bool trusted)
{
    uint8_t room[8];
    struct buf b = {.p = room, .cap = sizeof room, .max = sizeof room - 1};
    utf8_put(&b, c);
    maker_put(m, buf_span(&b), trusted);
}

enum casing { CASE_UPPER, CASE_LOWER, CASE_CAPITALIZE, CASE_TITLE, CASE_TITLE_METHOD };

/* title: jinja begins a word after white space, '-' and opening brackets. */
static bool begins_word(uint32_t before)
{
    return text_is_space(before) || (before < 0x80 && before && strchr("-({[<", (int)before));
}

/* str.title: it begins after all that has no case. */
static bool is_cased(uint32_t c)
{
    enum unicode_category category = unicode_category(c);
    return category == UC_LU || category == UC_LL || category == UC_LT;
}

static bool recase(struct interpreter *x, const struct arguments *a, enum casing casing,
                   struct value *out)
{
    const struct string *s;
    struct maker m;
    uint32_t before = ' ';
    if (!self_string(x, a, &s))
        return false;
    maker_init(&m, x);
    m.markup = s->markup;
    for (size_t i = 0, length; i < s->text.n; i += length) {
        uint32_t c = unicode_at(s->text.p + i, &length);
        bool up = casing == CASE_UPPER || (casing == CASE_CAPITALIZE && i == 0) ||
                  (casing == CASE_TITLE && begins_word(before)) ||
                  (casing == CASE_TITLE_METHOD && !is_cased(before));
        if (up && c == 0xDF)
            maker_put(&m, span_str(casing == CASE_UPPER ? "SS" : "Ss"), string_trusted(s, i));
        else
            put_character(&m, up ? upper_of(c) : unicode_to_lower(c), string_trusted(s, i));
        before = c;
    }
    return maker_value(&m, out);
}

static bool f_upper(struct interpreter *x, struct arguments *a, struct value *out)
{
    return recase(x, a, CASE_UPPER, out);
}

static bool f_lower(struct interpreter *x, struct arguments *a, struct value *out)
{
    return recase(x, a, CASE_LOWER, out);
}

static bool f_capitalize(struct interpreter *x, struct arguments *a, struct value *out)
{
    return recase(x, a, CASE_CAPITALIZE, out);
}

static bool f_title(struct interpreter *x, struct arguments *a, struct value *out)
{
    return recase(x, a, CASE_TITLE, out);
}

static bool m_title(struct interpreter *x, struct arguments *a, struct value *out)
{
    return recase(x, a, CASE_TITLE_METHOD, out);
}

/* ---- stripping ---- */

static bool among(struct span set, const uint8_t *p, size_t length)
{
    return memmem(set.p, set.n, p, length) != NULL;
}

static bool stripped(const struct string *chars, const uint8_t *p)
{
    size_t length;
    uint32_t c = unicode_at(p, &length);
    return chars ? chars->text.n && among(chars->text, p, length) : text_is_space(c);
}

static bool strip(struct interpreter *x, const struct arguments *a, bool left, bool right,
                  struct value *out)
{
    const struct string *s, *chars;
    bool given;
    size_t from = 0, length;
    if (!self_string(x, a, &s) || !string_argument(x, a, 1, &chars, &given))
        return false;
    size_t end = s->text.n;
    while (left && from < end && stripped(chars, s->text.p + from)) {
        (void)unicode_at(s->text.p + from, &length);
        from += length;
    }
    while (right && end > from) {
        size_t last = end - 1;
        while (last > from && (s->text.p[last] & 0xC0) == 0x80)
            last--;
        if (!stripped(chars, s->text.p + last))
            break;
        end = last;
    }
    return string_part(x, s, from, end - from, out);
}

static bool f_trim(struct interpreter *x, struct arguments *a, struct value *out)
{
    return strip(x, a, true, true, out);
}

static bool f_lstrip(struct interpreter *x, struct arguments *a, struct value *out)
{
    return strip(x, a, true, false, out);
}

static bool f_rstrip(struct interpreter *x, struct arguments *a, struct value *out)
{
    return strip(x, a, false, true, out);
}

/* ---- replacing ---- */

static bool f_replace(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s, *from, *to;
    int64_t left;
    struct maker m;
    size_t at = 0;
    if (!self_string(x, a, &s) || !to_string(x, argument(a, 1), &from) ||
        !to_string(x, argument(a, 2), &to) || !whole_argument(x, a, 3, -1, &left))
        return false;
    size_t n = from->text.n;
    maker_init(&m, x);
    for (size_t i = 0, length; left != 0 && i + n <= s->text.n; i += length) {
        const uint8_t *found =
            n ? memmem(s->text.p + i, s->text.n - i, from->text.p, n) : s->text.p + i;
        if (!found || !buf_ok(&m.text))
            break;
        i = n ? (size_t)(found - s->text.p) : i;
        maker_part(&m, s, at, i - at);
        maker_string(&m, to);
        at = i + n;
        length = n;
        left -= left > 0;
        x->steps++;
        if (n)
            continue;
        if (i == s->text.n)
            break;
        (void)unicode_at(s->text.p + i, &length);
    }
    maker_part(&m, s, at, s->text.n - at);
    if (!spend(x, 1)) {
        maker_free(&m);
        return false;
    }
    return maker_value(&m, out);
}

static void put_spaces(struct maker *m, int64_t n)
{
    for (int64_t i = 0; i < n && buf_ok(&m->text); i++)
        maker_text(m, " ");
}

/* indent(width=4, first=False, blank=False); the width may be a text. Jinja puts a line feed
 * behind the text first, which a carriage return there becomes one with. */
static bool f_indent(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s, *with = NULL;
    int64_t width = 4;
    struct maker m;
    if (argument(a, 1).type == V_STRING)
        with = argument(a, 1).as.string;
    else if (!whole_argument(x, a, 1, 4, &width))
        return false;
    if (!self_string(x, a, &s))
        return false;
    bool first = truth(argument(a, 2)), blank = truth(argument(a, 3));
    maker_init(&m, x);
    bool more = true;
    for (size_t at = 0, next, line = 0; more; at = next, line++) {
        size_t end = text_line(s->text, at, &next);
        more = end < next && !(next == s->text.n && s->text.p[next - 1] == '\r');
        if (line)
            maker_text(&m, "\n");
        if (line ? blank || at < end : first) {
            if (with)
                maker_string(&m, with);
            else
                put_spaces(&m, width);
        }
        maker_part(&m, s, at, end - at);
    }
    return maker_value(&m, out);
}

void put_escaped_html(struct maker *m, const struct string *s)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    for (size_t i = 0; i < s->text.n; i++) {
        const char *found = s->text.p[i] && !s->markup ? strchr(from, s->text.p[i]) : NULL;
        if (found)
            maker_put(m, span_str(to[found - from]), string_trusted(s, i));
        else
            maker_part(m, s, i, 1);
    }
}

static bool f_escape(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    struct maker m;
    if (!self_string(x, a, &s))
        return false;
    maker_init(&m, x);
    m.markup = true;
    put_escaped_html(&m, s);
    return maker_value(&m, out);
}

static bool f_safe(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    struct maker m;
    if (!self_string(x, a, &s))
        return false;
    maker_init(&m, x);
    m.markup = true;
    maker_string(&m, s);
    return maker_value(&m, out);
}

static bool f_string(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    if (!self_string(x, a, &s))
        return false;
    *out = (struct value){.type = V_STRING, .as.string = s};
    return true;
}

static bool f_wordcount(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    int64_t n = 0;
    bool within = false;
    if (!self_string(x, a, &s))
        return false;
    for (size_t i = 0, length; i < s->text.n; i += length) {
        uint32_t c = unicode_at(s->text.p + i, &length);
        bool word = c == '_' || ((UC_LETTER | UC_NUMBER | UC_MARK) >> unicode_category(c) & 1);
        n += word && !within;
        within = word;
    }
    *out = integer(n);
    return true;
}

/* truncate(length=255, killwords=False, end='...', leeway=5) */
static bool f_truncate(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s, *end;
    int64_t length, leeway;
    bool given;
    struct maker m;
    if (!self_string(x, a, &s) || !whole_argument(x, a, 1, 255, &length) ||
        !string_argument(x, a, 3, &end, &given) || !whole_argument(x, a, 4, 5, &leeway))
        return false;
    int64_t n = (int64_t)characters(s->text), tail = given ? (int64_t)characters(end->text) : 3;
    if (n <= length + leeway || length < tail)
        return string_part(x, s, 0, s->text.n, out);
    size_t keep = character_offset(s->text, (size_t)(length - tail));
    if (!truth(argument(a, 2))) {
        const uint8_t *space = memrchr(s->text.p, ' ', keep);
        keep = space ? (size_t)(space - s->text.p) : keep;
    }
    maker_init(&m, x);
    maker_part(&m, s, 0, keep);
    if (given)
        maker_string(&m, end);
    else
        maker_text(&m, "...");
    return maker_value(&m, out);
}

static bool f_format(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    struct list *l = list_new(x);
    if (!l || !self_string(x, a, &s))
        return false;
    for (size_t i = 1; i < a->count; i++)
        if (!list_add(x, l, a->items[i]))
            return false;
    return format_percent(x, s, of_list(V_TUPLE, l), out);
}

const struct function string_filters[] = {
    {"upper", NULL, 0, 0, f_upper},
    {"lower", NULL, 0, 0, f_lower},
    {"capitalize", NULL, 0, 0, f_capitalize},
    {"title", NULL, 0, 0, f_title},
    {"trim", "chars", 0, 1, f_trim},
    {"replace", "old new count", 2, 3, f_replace},
    {"indent", "width first blank", 0, 3, f_indent},
    {"escape", NULL, 0, 0, f_escape},
    {"e", NULL, 0, 0, f_escape},
    {"safe", NULL, 0, 0, f_safe},
    {"string", NULL, 0, 0, f_string},
    {"wordcount", NULL, 0, 0, f_wordcount},
    {"truncate", "length killwords end leeway", 0, 4, f_truncate},
    {"format", NULL, 0, 30, f_format},
    {NULL, NULL, 0, 0, NULL},
};

/* Methods of str that are filters, or are made like them. */
const struct function string_filter_methods[] = {
    {"upper", NULL, 0, 0, f_upper},
    {"lower", NULL, 0, 0, f_lower},
    {"capitalize", NULL, 0, 0, f_capitalize},
    {"title", NULL, 0, 0, m_title},
    {"strip", NULL, 0, 1, f_trim},
    {"lstrip", NULL, 0, 1, f_lstrip},
    {"rstrip", NULL, 0, 1, f_rstrip},
    {"replace", "old new count", 2, 3, f_replace},
    {NULL, NULL, 0, 0, NULL},
};
