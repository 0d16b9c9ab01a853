/*
 * Values as text: str(), repr() and json.dumps() of Python, and values from
 * the request's JSON.
 */
#include "template/interpreter.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"

/* A decimal as digits and where the point stands: 0.DIGITS * 10^place. */
struct decimal {
    char digits[32];
    int count, place;
    bool negative;
};

static struct decimal decimal_of(double d)
{
    struct decimal v = {.negative = signbit(d) != 0};
    char text[48];
    bool seen = false;
    text_double(text, sizeof text, fabs(d));
    const char *e = strchr(text, 'e');
    for (const char *p = text; *p && p != e; p++) {
        if (*p == '.') {
            seen = true;
            continue;
        }
        v.place += !seen;
        if (v.count || *p != '0') {
            if (v.count < (int)sizeof v.digits - 1)
                v.digits[v.count++] = *p;
        } else {
            v.place--;
        }
    }
    while (v.count && v.digits[v.count - 1] == '0')
        v.count--;
    v.place += e ? (int)strtol(e + 1, NULL, 10) : 0;
    return v;
}

const char *python_float(char out[FLOAT_TEXT], double d)
{
    struct buf b;
    if (isnan(d) || isinf(d))
        return isnan(d) ? "nan" : d > 0 ? "inf" : "-inf";
    struct decimal v = decimal_of(d);
    buf_init(&b, FLOAT_TEXT - 1);
    if (v.negative)
        buf_put_u8(&b, '-');
    if (v.count == 0) {
        buf_put_str(&b, "0.0");
    } else if (v.place > 16 || v.place < -3) {
        buf_put_u8(&b, (uint8_t)v.digits[0]);
        if (v.count > 1)
            buf_printf(&b, ".%.*s", v.count - 1, v.digits + 1);
        buf_printf(&b, "e%c%02d", v.place > 0 ? '+' : '-', abs(v.place - 1));
    } else {
        for (int i = v.place < 0 ? v.place : 0; i < v.count || i < v.place; i++) {
            if (i == v.place)
                buf_put_str(&b, i <= 0 && v.place <= 0 ? "0." : ".");
            buf_put_u8(&b, i >= 0 && i < v.count ? (uint8_t)v.digits[i] : '0');
        }
        if (v.place >= v.count)
            buf_put_str(&b, ".0");
    }
    memcpy(out, buf_cstr(&b), b.n + 1);
    buf_free(&b);
    return out;
}

/* ---- repr and str ---- */

static bool printable(uint32_t c)
{
    uint32_t bit = UC_BIT(unicode_category(c));
    return c == ' ' || !(bit & (UC_OTHER | UC_SEPARATOR));
}

static void put_escaped(struct maker *m, uint32_t c, bool trusted)
{
    char text[16];
    if (c == '\n' || c == '\r' || c == '\t')
        snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else
        snprintf(text, sizeof text,
                 c < 0x100     ? "\\x%02x"
                 : c < 0x10000 ? "\\u%04x"
                               : "\\U%08x",
                 (unsigned)c);
    maker_put(m, span_str(text), trusted);
}

static void put_quoted(struct maker *m, const struct string *s)
{
    bool single = s->text.n && memchr(s->text.p, '\'', s->text.n);
    bool twice = s->text.n && memchr(s->text.p, '"', s->text.n);
    const char *quote = single && !twice ? "\"" : "'";
    maker_text(m, quote);
    for (size_t i = 0, length; i < s->text.n; i += length) {
        uint32_t c = unicode_at(s->text.p + i, &length);
        bool trusted = string_trusted(s, i);
        if (c == '\\' || c == (uint32_t)quote[0])
            maker_put(m, span_str("\\"), trusted);
        if (printable(c))
            maker_put(m, span_sub(s->text, i, length), trusted);
        else
            put_escaped(m, c, trusted);
    }
    maker_text(m, quote);
}

static bool put_items(struct maker *m, struct value v, unsigned depth)
{
    bool list = v.type == V_LIST;
    maker_text(m, list ? "[" : "(");
    for (size_t i = 0; i < v.as.list->count; i++) {
        maker_text(m, i ? ", " : "");
        if (!put_repr(m, v.as.list->items[i], depth + 1))
            return false;
    }
    maker_text(m, list ? "]" : v.as.list->count == 1 ? ",)" : ")");
    return true;
}

static bool put_pairs(struct maker *m, const struct dict *d, unsigned depth)
{
    maker_text(m, "{");
    for (size_t i = 0; i < d->count; i++) {
        maker_text(m, i ? ", " : "");
        if (!put_repr(m, d->pairs[i].key, depth + 1))
            return false;
        maker_text(m, ": ");
        if (!put_repr(m, d->pairs[i].value, depth + 1))
            return false;
    }
    maker_text(m, "}");
    return true;
}

bool put_repr(struct maker *m, struct value v, unsigned depth)
{
    char text[FLOAT_TEXT];
    if (depth > VALUE_DEPTH)
        return runtime_fault(m->x, ERR_LIMIT, "values are nested too deeply");
    if (!spend(m->x, 1))
        return false;
    switch (v.type) {
    case V_STRING:
        put_quoted(m, v.as.string);
        return true;
    case V_LIST:
    case V_TUPLE:
        return put_items(m, v, depth);
    case V_DICT:
        return put_pairs(m, v.as.dict, depth);
    case V_NONE:
        maker_text(m, "None");
        return true;
    case V_BOOL:
        maker_text(m, v.as.boolean ? "True" : "False");
        return true;
    case V_INTEGER:
        snprintf(text, sizeof text, "%" PRId64, v.as.integer);
        maker_text(m, text);
        return true;
    case V_FLOAT:
        maker_text(m, python_float(text, v.as.real));
        return true;
    case V_UNDEFINED:
        maker_text(m, depth ? "Undefined" : "");
        return true;
    case V_NAMESPACE:
    case V_LOOP:
    case V_MACRO:
    case V_METHOD:
    case V_FUNCTION:
    case V_TYPES:
        break;
    }
    return runtime_fault(m->x, ERR_UNSUPPORTED, "a %s as text", type_name(v));
}

bool put_value(struct maker *m, struct value v)
{
    if (v.type != V_STRING)
        return put_repr(m, v, 0);
    maker_string(m, v.as.string);
    return spend(m->x, 1);
}

/* ---- JSON out ---- */

static void put_json_string(struct maker *m, const struct string *s, bool ascii)
{
    static const char named[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    size_t from = 0;
    maker_text(m, "\"");
    for (size_t i = 0, length; i < s->text.n; i += length) {
        char text[24];
        uint32_t c = unicode_at(s->text.p + i, &length);
        const char *known = c && c < 0x80 ? strchr(named, (int)c) : NULL;
        if (!known && c >= 0x20 && (c < 0x7F || !ascii || c == 0x7F))
            continue;
        maker_part(m, s, from, i - from);
        from = i + length;
        if (known)
            snprintf(text, sizeof text, "\\%c", letters[known - named]);
        else if (c < 0x10000)
            snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
        else
            snprintf(text, sizeof text, "\\u%04x\\u%04x",
                     (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                     (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
        maker_put(m, span_str(text), string_trusted(s, i));
    }
    maker_part(m, s, from, s->text.n - from);
    maker_text(m, "\"");
}

static void put_line(struct maker *m, const struct json_style *style, unsigned depth)
{
    if (style->indent < 0)
        return;
    maker_text(m, "\n");
    for (unsigned i = 0; i < depth * (unsigned)style->indent; i++)
        maker_text(m, " ");
}

static void put_separator(struct maker *m, const struct json_style *style)
{
    maker_text(m, style->item ? style->item : style->indent < 0 ? ", " : ",");
}

static bool put_array(struct maker *m, const struct list *l, const struct json_style *style,
                      unsigned depth)
{
    maker_text(m, "[");
    for (size_t i = 0; i < l->count; i++) {
        if (i)
            put_separator(m, style);
        put_line(m, style, depth + 1);
        if (!put_json(m, l->items[i], style, depth + 1))
            return false;
    }
    if (l->count)
        put_line(m, style, depth);
    maker_text(m, "]");
    return true;
}

/* json.dumps makes strings of the keys that it knows. */
static bool put_key(struct maker *m, struct value key, const struct json_style *style)
{
    char text[FLOAT_TEXT];
    if (key.type == V_STRING) {
        put_json_string(m, key.as.string, style->ascii);
        return true;
    }
    maker_text(m, "\"");
    if (key.type == V_NONE)
        maker_text(m, "null");
    else if (key.type == V_BOOL)
        maker_text(m, key.as.boolean ? "true" : "false");
    else if (key.type == V_INTEGER || key.type == V_FLOAT)
        maker_text(m, key.type == V_FLOAT
                          ? python_float(text, key.as.real)
                          : (snprintf(text, sizeof text, "%" PRId64, key.as.integer), text));
    else
        return runtime_fault(m->x, ERR_FORMAT, "keys of JSON must be strings, not %s",
                             type_name(key));
    maker_text(m, "\"");
    return true;
}

static bool sorted_pairs(struct interpreter *x, const struct dict *d, struct pair **out)
{
    struct pair *p = arena_array(x->arena, d->count + 1, sizeof *p);
    if (!p)
        return no_memory(x);
    for (size_t i = 0; i < d->count; i++) {
        size_t at = i;
        int before = 1;
        for (; at > 0; at--) {
            if (!order(x, p[at - 1].key, d->pairs[i].key, &before))
                return false;
            if (before <= 0)
                break;
            p[at] = p[at - 1];
        }
        p[at] = d->pairs[i];
    }
    *out = p;
    return true;
}

static bool put_object(struct maker *m, const struct dict *d, const struct json_style *style,
                       unsigned depth)
{
    struct pair *pairs = d->pairs;
    if (style->sort_keys && !sorted_pairs(m->x, d, &pairs))
        return false;
    maker_text(m, "{");
    for (size_t i = 0; i < d->count; i++) {
        if (i)
            put_separator(m, style);
        put_line(m, style, depth + 1);
        if (!put_key(m, pairs[i].key, style))
            return false;
        maker_text(m, style->key ? style->key : ": ");
        if (!put_json(m, pairs[i].value, style, depth + 1))
            return false;
    }
    if (d->count)
        put_line(m, style, depth);
    maker_text(m, "}");
    return true;
}

bool put_json(struct maker *m, struct value v, const struct json_style *style, unsigned depth)
{
    if (depth > VALUE_DEPTH)
        return runtime_fault(m->x, ERR_LIMIT, "values are nested too deeply");
    if (!spend(m->x, 1))
        return false;
    switch (v.type) {
    case V_NONE:
        maker_text(m, "null");
        return true;
    case V_BOOL:
        maker_text(m, v.as.boolean ? "true" : "false");
        return true;
    case V_FLOAT:
        if (isfinite(v.as.real))
            return put_repr(m, v, 1);
        maker_text(m, isnan(v.as.real) ? "NaN" : v.as.real > 0 ? "Infinity" : "-Infinity");
        return true;
    case V_INTEGER:
        return put_repr(m, v, 1);
    case V_STRING:
        put_json_string(m, v.as.string, style->ascii);
        return true;
    case V_LIST:
    case V_TUPLE:
        return put_array(m, v.as.list, style, depth);
    case V_DICT:
        return put_object(m, v.as.dict, style, depth);
    case V_UNDEFINED:
    case V_NAMESPACE:
    case V_LOOP:
    case V_MACRO:
    case V_METHOD:
    case V_FUNCTION:
    case V_TYPES:
        break;
    }
    return runtime_fault(m->x, ERR_FORMAT, "an object of type %s is not JSON serializable",
                         type_name(v));
}

/* ---- JSON in ---- */

/* Roles that chat interfaces define are no one's words: templates build control tokens of them
 * ('<|' + message.role + '|>'), and these words alone cannot become one. */
static bool is_role(struct span key, struct span text)
{
    static const char *const roles[] = {"system",        "user",        "assistant",   "tool",
                                        "developer",     "function",    "ipython",     "model",
                                        "tool_response", "observation", "environment", "context"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (span_is(key, "role") && span_is(text, roles[i]))
            return true;
    return false;
}

static bool json_container(struct interpreter *x, struct json v, struct value *out)
{
    bool object = json_type(v) == JSON_OBJECT;
    struct list *l = object ? NULL : list_new(x);
    struct dict *d = object ? dict_new(x) : NULL;
    if (!l && !d)
        return false;
    for (struct json i = json_first(v); json_type(i); i = json_next(i)) {
        struct value item = UNDEFINED, key = UNDEFINED;
        if (!from_json(x, i, &item))
            return false;
        if (object && item.type == V_STRING && is_role(json_key(i), item.as.string->text) &&
            !string_value(x, item.as.string->text, true, &item))
            return false;
        if (object ? !string_value(x, json_key(i), false, &key) || !dict_set(x, d, key, item)
                   : !list_add(x, l, item))
            return false;
    }
    *out = object ? of_dict(d) : of_list(V_LIST, l);
    return true;
}

static bool is_whole(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '.' || (s.p[i] | 0x20) == 'e')
            return false;
    return true;
}

bool from_json(struct interpreter *x, struct json v, struct value *out)
{
    struct span text = SPAN_EMPTY;
    double d = 0;
    int64_t i = 0;
    switch (json_type(v)) {
    case JSON_TRUE:
    case JSON_FALSE:
        *out = boolean(json_type(v) == JSON_TRUE);
        return true;
    case JSON_NUMBER:
        if (json_i64(v, &i))
            *out = integer(i);
        else if (!is_whole(json_text(v)) && json_double(v, &d))
            *out = real(d);
        else
            return runtime_fault(x, ERR_LIMIT, "a number in the request does not fit");
        return true;
    case JSON_STRING:
        if (!json_string(v, &text))
            return no_memory(x);
        return string_value(x, text, false, out);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_container(x, v, out);
    case JSON_NULL:
    case JSON_MISSING:
        break;
    }
    *out = NONE;
    return true;
}
