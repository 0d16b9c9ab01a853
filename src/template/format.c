/*
 * Formatting: "%s" % x, "{}".format(x), and strftime.
 */
#include "template/filters.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "assay/base/text.h"

/* What stands between % or : and the letter, in either language. */
struct layout {
    bool left, zeros, plus, middle;
    unsigned width;
    int precision; /* -1: none */
    char letter;
};

enum { WIDTH_MAX = 1000 };

static unsigned read_number(struct span s, size_t *i)
{
    unsigned v = 0;
    while (*i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9' && v <= WIDTH_MAX)
        v = v * 10 + (unsigned)(s.p[(*i)++] - '0');
    return v;
}

static bool number_text(struct interpreter *x, struct value v, const struct layout *l, char *out,
                        size_t size)
{
    char letter = l->letter;
    if (!is_number(v))
        return runtime_fault(x, ERR_FORMAT, "a number is required, not %s", type_name(v));
    bool whole = strchr("diuxX", letter) != NULL;
    if (whole && v.type == V_FLOAT && !(fabs(v.as.real) < 0x1p63))
        return runtime_fault(x, ERR_LIMIT, "a number does not fit in 64 bits");
    int64_t i = v.type == V_BOOL ? v.as.boolean : v.type == V_INTEGER ? v.as.integer : 0;
    if (whole && v.type == V_FLOAT)
        i = (int64_t)v.as.real;
    double d = v.type == V_FLOAT ? v.as.real : (double)i;
    int precision = l->precision < 0 ? 6 : l->precision > 30 ? 30 : l->precision;
    const char *sign = (whole ? i >= 0 : d >= 0) && l->plus ? "+" : "";
    uint64_t size_of = i < 0 ? -(uint64_t)i : (uint64_t)i;
    if (letter == 'x' || letter == 'X')
        snprintf(out, size, letter == 'x' ? "%s%" PRIx64 : "%s%" PRIX64, i < 0 ? "-" : sign,
                 size_of);
    else if (whole)
        snprintf(out, size, "%s%" PRId64, sign, i);
    else if (letter == 'f' || letter == 'F')
        snprintf(out, size, "%s%.*f", sign, precision, d);
    else if (letter == 'e')
        snprintf(out, size, "%s%.*e", sign, precision, d);
    else
        snprintf(out, size, "%s%.*g", sign, precision, d);
    return true;
}

static void pad(struct maker *m, size_t n, bool zeros)
{
    for (size_t i = 0; i < n; i++)
        maker_text(m, zeros ? "0" : " ");
}

/* The text with blanks beside it as far as the width demands. */
static bool put_padded(struct maker *m, struct maker *text, const struct layout *l, bool number)
{
    struct value v = UNDEFINED;
    if (!maker_value(text, &v))
        return false;
    const struct string *s = v.as.string;
    size_t n = characters(s->text), room = l->width > n ? l->width - n : 0;
    bool left = l->left;
    size_t before = l->middle ? room / 2 : left ? 0 : room, sign = 0;
    if (number && l->zeros && !left && s->text.n && (s->text.p[0] == '-' || s->text.p[0] == '+')) {
        sign = 1;
        maker_part(m, s, 0, 1);
    }
    pad(m, before, number && l->zeros);
    maker_part(m, s, sign, s->text.n);
    pad(m, room - before, false);
    return true;
}

static bool put_formatted(struct maker *m, struct value v, const struct layout *l)
{
    struct interpreter *x = m->x;
    struct maker text;
    char number[400];
    bool is_text = l->letter == 's' || l->letter == 'r', ok;
    maker_init(&text, x);
    if (l->letter == 'r')
        ok = put_repr(&text, v, 1);
    else if (is_text)
        ok = put_value(&text, v);
    else if ((ok = number_text(x, v, l, number, sizeof number)))
        maker_text(&text, number);
    if (ok && is_text && l->precision >= 0) {
        struct value whole = UNDEFINED;
        if (!maker_value(&text, &whole))
            return false;
        maker_init(&text, x);
        const struct string *s = whole.as.string;
        maker_part(&text, s, 0, character_offset(s->text, (size_t)l->precision));
    }
    if (ok)
        return put_padded(m, &text, l, !is_text);
    maker_free(&text);
    return false;
}

/* ---- % ---- */

struct percent {
    const struct string *format;
    struct value args;
    size_t used;
};

static bool next_argument(struct interpreter *x, struct percent *p, struct span key,
                          struct value *out)
{
    if (key.p) {
        const struct value *found =
            p->args.type == V_DICT ? dict_find_text(x, p->args.as.dict, key) : NULL;
        if (!found)
            return runtime_fault(x, ERR_FORMAT, "%%(...)s names a key that is not there");
        *out = *found;
        return true;
    }
    size_t count = p->args.type == V_TUPLE ? p->args.as.list->count : 1;
    if (p->used >= count)
        return runtime_fault(x, ERR_FORMAT, "not enough arguments for format string");
    *out = p->args.type == V_TUPLE ? p->args.as.list->items[p->used] : p->args;
    p->used++;
    return true;
}

/* One conversion after its %; *i moves behind it. */
static bool conversion(struct maker *m, struct percent *p, size_t *i)
{
    struct span s = p->format->text, key = SPAN_EMPTY;
    struct layout l = {.precision = -1};
    struct value v = UNDEFINED;
    if (*i < s.n && s.p[*i] == '(') {
        const uint8_t *end = memchr(s.p + *i, ')', s.n - *i);
        if (!end)
            return runtime_fault(m->x, ERR_FORMAT, "incomplete format key");
        key = (struct span){s.p + *i + 1, (size_t)(end - (s.p + *i)) - 1};
        *i = (size_t)(end - s.p) + 1;
    }
    for (; *i < s.n && s.p[*i] && strchr("-0+ #", s.p[*i]); ++*i) {
        l.left |= s.p[*i] == '-';
        l.zeros |= s.p[*i] == '0';
        l.plus |= s.p[*i] == '+';
        if (s.p[*i] == '#' || s.p[*i] == ' ')
            return runtime_fault(m->x, ERR_UNSUPPORTED, "the format flag '%c'", s.p[*i]);
    }
    l.width = read_number(s, i);
    if (*i < s.n && s.p[*i] == '.') {
        ++*i;
        l.precision = (int)read_number(s, i);
    }
    l.letter = *i < s.n ? (char)s.p[(*i)++] : '\0';
    if (l.letter == '%') {
        maker_text(m, "%");
        return true;
    }
    if (!l.letter || !strchr("sdiufFegxXr", l.letter) || l.width > WIDTH_MAX)
        return runtime_fault(m->x, ERR_UNSUPPORTED, "unsupported format character '%%%c'",
                             l.letter >= ' ' && l.letter < 0x7F ? l.letter : '?');
    return next_argument(m->x, p, key, &v) && put_formatted(m, v, &l);
}

bool format_percent(struct interpreter *x, const struct string *format, struct value args,
                    struct value *out)
{
    struct percent p = {format, args, 0};
    struct maker m;
    struct span s = format->text;
    maker_init(&m, x);
    for (size_t i = 0; i < s.n;) {
        const uint8_t *at = memchr(s.p + i, '%', s.n - i);
        size_t end = at ? (size_t)(at - s.p) : s.n;
        maker_part(&m, format, i, end - i);
        i = end + 1;
        if (at && !conversion(&m, &p, &i)) {
            maker_free(&m);
            return false;
        }
    }
    if (args.type == V_TUPLE && p.used < args.as.list->count) {
        maker_free(&m);
        return runtime_fault(x, ERR_FORMAT, "not all arguments converted during string formatting");
    }
    return maker_value(&m, out);
}

/* ---- {} ---- */

static bool read_layout(struct interpreter *x, struct span s, struct layout *l)
{
    size_t i = 0;
    *l = (struct layout){.precision = -1};
    if (i < s.n && s.p[i] && strchr("<>^", s.p[i])) {
        l->left = s.p[i] == '<';
        l->middle = s.p[i] == '^';
        i++;
    }
    l->plus = i < s.n && s.p[i] == '+';
    i += l->plus;
    l->zeros = i < s.n && s.p[i] == '0';
    l->width = read_number(s, &i);
    if (i < s.n && s.p[i] == '.') {
        i++;
        l->precision = (int)read_number(s, &i);
    }
    l->letter = i < s.n ? (char)s.p[i++] : '\0';
    if (i < s.n || l->width > WIDTH_MAX || (l->letter && !strchr("sdfegxX", l->letter)))
        return runtime_fault(x, ERR_UNSUPPORTED, "a format specification that is not supported");
    return true;
}

/* "0", "name", "name.attribute", "name[key]". */
static bool field_value(struct interpreter *x, struct arguments *a, struct span field, size_t *next,
                        struct value *out)
{
    size_t end = 0;
    uint64_t number;
    while (end < field.n && field.p[end] != '.' && field.p[end] != '[')
        end++;
    struct span name = span_sub(field, 0, end);
    *out = UNDEFINED;
    if (name.n == 0 || text_u64(name, &number)) {
        size_t i = name.n ? (size_t)number : (*next)++;
        if (i + 1 >= a->count)
            return runtime_fault(x, ERR_FORMAT, "format has no argument %zu", i);
        *out = a->items[i + 1];
    } else {
        bool found = false;
        for (size_t i = 0; i < a->named_count && !found; i++) {
            found = span_eq(a->named[i].key.as.string->text, name);
            *out = a->named[i].value;
        }
        if (!found)
            return runtime_fault(x, ERR_FORMAT, "format has no argument of that name");
    }
    while (end < field.n) {
        bool bracket = field.p[end] == '[';
        size_t from = ++end;
        while (end < field.n &&
               (bracket ? field.p[end] != ']' : field.p[end] != '.' && field.p[end] != '['))
            end++;
        struct span part = span_sub(field, from, end - from);
        end += bracket;
        struct value key = UNDEFINED, inner = UNDEFINED;
        if (text_u64(part, &number) && bracket)
            key = integer((int64_t)(number & INT32_MAX));
        else if (!string_value(x, part, true, &key))
            return false;
        if (!get_item(x, *out, key, &inner))
            return false;
        *out = inner;
    }
    return true;
}

/* One replacement field between braces. */
static bool field(struct maker *m, struct arguments *a, struct span text, size_t *next)
{
    struct interpreter *x = m->x;
    const uint8_t *colon = memchr(text.p, ':', text.n);
    size_t n = colon ? (size_t)(colon - text.p) : text.n;
    struct span name = span_sub(text, 0, n);
    struct layout l;
    struct value v = UNDEFINED;
    bool repr = name.n > 1 && span_ends(name, "!r"), str = name.n > 1 && span_ends(name, "!s");
    if (repr || str)
        name.n -= 2;
    if (!field_value(x, a, name, next, &v) ||
        !read_layout(x, span_sub(text, n + (colon != NULL), text.n), &l))
        return false;
    bool laid_out = text.n > n + 1, number = is_number(v) && !repr && !str;
    if (!l.letter && number && l.precision >= 0)
        l.letter = 'g';
    else if (!l.letter && number && v.type != V_FLOAT && (laid_out || v.type != V_BOOL))
        l.letter = 'd';
    if (!l.letter || l.letter == 's') {
        if (l.zeros || l.plus)
            return runtime_fault(x, ERR_UNSUPPORTED,
                                 "a format specification that is not supported");
        l.letter = repr ? 'r' : 's';
        l.left |= !number && !(laid_out && strchr(">^", text.p[n + 1]));
    }
    return put_formatted(m, v, &l);
}

bool format_braces(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *format = a->items[0].as.string;
    struct span s = format->text;
    struct maker m;
    size_t next = 0, i = 0;
    bool ok = true;
    maker_init(&m, x);
    while (ok && i < s.n) {
        uint8_t c = s.p[i];
        bool twice = i + 1 < s.n && s.p[i + 1] == c;
        if ((c == '{' || c == '}') && twice) {
            maker_part(&m, format, i, 1);
            i += 2;
        } else if (c == '{') {
            const uint8_t *end = memchr(s.p + i, '}', s.n - i);
            size_t stop = end ? (size_t)(end - s.p) : s.n;
            ok = end ? field(&m, a, span_sub(s, i + 1, stop - i - 1), &next)
                     : runtime_fault(x, ERR_FORMAT, "'{' without '}' in a format string");
            i = stop + 1;
        } else if (c == '}') {
            ok = runtime_fault(x, ERR_FORMAT, "a single '}' in a format string");
        } else {
            maker_part(&m, format, i++, 1);
        }
    }
    if (ok)
        return maker_value(&m, out);
    maker_free(&m);
    return false;
}

/* ---- time ---- */

/* Names and numbers as in the C locale, whatever the process's locale is. */
static bool time_letter(char letter, const struct tm *t, char *out, size_t size)
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    int hour = t->tm_hour % 12 ? t->tm_hour % 12 : 12;
    switch (letter) {
    case 'Y':
        return snprintf(out, size, "%d", t->tm_year + 1900) > 0;
    case 'y':
        return snprintf(out, size, "%02d", t->tm_year % 100) > 0;
    case 'm':
        return snprintf(out, size, "%02d", t->tm_mon + 1) > 0;
    case 'd':
        return snprintf(out, size, "%02d", t->tm_mday) > 0;
    case 'e':
        return snprintf(out, size, "%2d", t->tm_mday) > 0;
    case 'H':
        return snprintf(out, size, "%02d", t->tm_hour) > 0;
    case 'I':
        return snprintf(out, size, "%02d", hour) > 0;
    case 'M':
        return snprintf(out, size, "%02d", t->tm_min) > 0;
    case 'S':
        return snprintf(out, size, "%02d", t->tm_sec) > 0;
    case 'j':
        return snprintf(out, size, "%03d", t->tm_yday + 1) > 0;
    case 'p':
        return snprintf(out, size, "%s", t->tm_hour < 12 ? "AM" : "PM") > 0;
    case 'A':
        return snprintf(out, size, "%s", days[t->tm_wday]) > 0;
    case 'a':
        return snprintf(out, size, "%.3s", days[t->tm_wday]) > 0;
    case 'B':
        return snprintf(out, size, "%s", months[t->tm_mon]) > 0;
    case 'b':
    case 'h':
        return snprintf(out, size, "%.3s", months[t->tm_mon]) > 0;
    case 'F':
        return snprintf(out, size, "%d-%02d-%02d", t->tm_year + 1900, t->tm_mon + 1, t->tm_mday) >
               0;
    case 'T':
        return snprintf(out, size, "%02d:%02d:%02d", t->tm_hour, t->tm_min, t->tm_sec) > 0;
    case 'Z':
        return snprintf(out, size, "UTC") > 0;
    case 'z':
        return snprintf(out, size, "+0000") > 0;
    case '%':
        return snprintf(out, size, "%%") > 0;
    default:
        return false;
    }
}

bool put_time(struct maker *m, struct span format, int64_t now)
{
    time_t seconds = (time_t)now;
    struct tm t;
    if (!gmtime_r(&seconds, &t))
        return runtime_fault(m->x, ERR_LIMIT, "a time that no calendar holds");
    for (size_t i = 0; i < format.n; i++) {
        char text[32];
        if (format.p[i] != '%') {
            maker_put(m, span_sub(format, i, 1), true);
            continue;
        }
        i++;
        bool plain = i < format.n && format.p[i] == '-'; /* %-d: no zero before */
        i += plain;
        char letter = i < format.n ? (char)format.p[i] : '\0';
        if (!time_letter(letter, &t, text, sizeof text))
            return runtime_fault(m->x, ERR_UNSUPPORTED, "strftime_now with %%%c",
                                 letter >= ' ' && letter < 0x7F ? letter : '?');
        const char *shown = text;
        while (plain && (*shown == '0' || *shown == ' ') && shown[1])
            shown++;
        maker_text(m, shown);
    }
    return true;
}
