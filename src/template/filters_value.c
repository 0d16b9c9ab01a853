/*
 * Filters over single values, tests and global functions.
 */
#include "template/filters.h"

#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"
#include "template/text.h"

/* ---- filters ---- */

static bool f_default(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value v = a->items[0];
    bool missing = v.type == V_UNDEFINED || (truth(argument(a, 2)) && !truth(v));
    *out = v;
    if (missing && a->count > 1)
        *out = a->items[1];
    else if (missing)
        return string_value(x, SPAN_EMPTY, true, out);
    return true;
}

/* The number that a text spells for int() and float(); false when it spells none. */
static bool spelled(struct span s, double *d, int64_t *i, bool *is_whole)
{
    uint8_t plain[64];
    size_t n = 0;
    s = text_strip_right(text_strip_left(s));
    bool negative = s.n && s.p[0] == '-';
    struct span rest = span_sub(s, negative || (s.n && s.p[0] == '+'), s.n);
    uint64_t u;
    *is_whole = text_u64(rest, &u) && u <= INT64_MAX;
    if (*is_whole) {
        *i = negative ? -(int64_t)u : (int64_t)u;
        *d = (double)*i;
        return true;
    }
    bool digits = false;
    for (size_t k = 0; k < rest.n && n < sizeof plain; k++) {
        uint8_t c = rest.p[k];
        digits |= c >= '0' && c <= '9';
        if (!(c >= '0' && c <= '9') && c != '.' && (c | 0x20) != 'e' &&
            !((c == '-' || c == '+') && k && (rest.p[k - 1] | 0x20) == 'e'))
            return false;
        plain[n++] = c;
    }
    if (!digits || !text_to_double((struct span){plain, n}, d))
        return false;
    *d = negative ? -*d : *d;
    return true;
}

static bool f_int(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value v = a->items[0];
    double d = 0;
    int64_t i = 0;
    bool whole = false;
    if (argument(a, 2).type != V_UNDEFINED)
        return runtime_fault(x, ERR_UNSUPPORTED, "int with a base");
    *out = a->count > 1 && a->items[1].type != V_UNDEFINED ? a->items[1] : integer(0);
    if (v.type == V_INTEGER)
        *out = v;
    else if (v.type == V_BOOL)
        *out = integer(v.as.boolean);
    else if (v.type == V_STRING && spelled(v.as.string->text, &d, &i, &whole) && whole)
        *out = integer(i);
    else if (v.type == V_FLOAT || v.type == V_STRING)
        d = v.type == V_FLOAT ? v.as.real : d;
    bool from_double = v.type == V_FLOAT || (v.type == V_STRING && !whole && (d < 0 || d > 0));
    if (from_double && isfinite(d) && fabs(d) >= 0x1p63)
        return runtime_fault(x, ERR_LIMIT, "a number does not fit in 64 bits");
    if (from_double && isfinite(d))
        *out = integer((int64_t)d);
    return true;
}

static bool f_float(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value v = a->items[0];
    double d;
    int64_t i;
    bool whole;
    (void)x;
    *out = a->count > 1 ? a->items[1] : real(0);
    if (v.type == V_FLOAT)
        *out = v;
    else if (v.type == V_INTEGER || v.type == V_BOOL)
        *out = real(v.type == V_BOOL ? v.as.boolean : (double)v.as.integer);
    else if (v.type == V_STRING && spelled(v.as.string->text, &d, &i, &whole))
        *out = real(d);
    return true;
}

static bool f_abs(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value v = a->items[0];
    if (v.type == V_FLOAT)
        *out = real(fabs(v.as.real));
    else if (v.type == V_INTEGER && v.as.integer != INT64_MIN)
        *out = integer(v.as.integer < 0 ? -v.as.integer : v.as.integer);
    else
        return runtime_fault(x, ERR_FORMAT, "abs of '%s'", type_name(v));
    return true;
}

/* round(precision=0, method='common'): always a float. */
static bool f_round(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct value v = a->items[0];
    int64_t precision;
    const struct string *method;
    bool given;
    if (!whole_argument(x, a, 1, 0, &precision) || !string_argument(x, a, 2, &method, &given))
        return false;
    if (!is_number(v) || precision < -15 || precision > 15)
        return runtime_fault(x, ERR_FORMAT, "round of '%s'", type_name(v));
    double d = v.type == V_FLOAT  ? v.as.real
               : v.type == V_BOOL ? v.as.boolean
                                  : (double)v.as.integer;
    double scale = pow(10, (double)precision);
    if (given && span_is(method->text, "ceil"))
        d = ceil(d * scale) / scale;
    else if (given && span_is(method->text, "floor"))
        d = floor(d * scale) / scale;
    else
        d = nearbyint(d * scale) / scale; /* half to even, as Python */
    if (v.type != V_FLOAT && !given) {
        *out = v;
        return true;
    }
    *out = real(d);
    return true;
}

/* transformers: tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False) */
static bool f_tojson(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct json_style style = {.ascii = truth(argument(a, 1)), .sort_keys = truth(argument(a, 4))};
    const struct list *separators =
        a->count > 3 && is_sequence(a->items[3]) ? a->items[3].as.list : NULL;
    int64_t indent;
    struct maker m;
    if (!whole_argument(x, a, 2, -1, &indent))
        return false;
    if (indent > 64)
        return runtime_fault(x, ERR_LIMIT, "tojson indents by at most 64");
    style.indent = indent < 0 ? -1 : (int)indent;
    if (separators) {
        const struct list *l = separators;
        if (l->count != 2 || l->items[0].type != V_STRING || l->items[1].type != V_STRING)
            return runtime_fault(x, ERR_FORMAT, "separators are two texts");
        style.item = arena_str(x->arena, l->items[0].as.string->text);
        style.key = arena_str(x->arena, l->items[1].as.string->text);
        if (!style.item || !style.key)
            return no_memory(x);
    }
    maker_init(&m, x);
    if (!put_json(&m, a->items[0], &style, 0)) {
        maker_free(&m);
        return false;
    }
    return maker_value(&m, out);
}

/* A text that holds JSON, as a value; what it holds is as untrusted as its text. */
static bool f_from_json(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    struct json root;
    struct err e = ERR_INIT;
    if (!self_string(x, a, &s))
        return false;
    if (!json_parse(&root, s->text, JSON_KEEP_DUPLICATES, x->arena, &e))
        return runtime_fault(x, ERR_FORMAT, "from_json: %s", e.text);
    return spend(x, 1 + s->text.n / 16) && from_json(x, root, out);
}

const struct function value_filters[] = {
    {"default", "default_value boolean", 0, 2, f_default},
    {"d", "default_value boolean", 0, 2, f_default},
    {"int", "default base", 0, 2, f_int},
    {"float", "default", 0, 1, f_float},
    {"abs", NULL, 0, 0, f_abs},
    {"round", "precision method", 0, 2, f_round},
    {"from_json", NULL, 0, 0, f_from_json},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, 4, f_tojson},
    {NULL, NULL, 0, 0, NULL},
};

/* ---- tests ---- */

static bool yes(struct value *out, bool is)
{
    *out = boolean(is);
    return true;
}

#define TYPE_TEST(name, condition)                                                                 \
    static bool t_##name(struct interpreter *x, struct arguments *a, struct value *out)            \
    {                                                                                              \
        struct value v = a->items[0];                                                              \
        (void)x;                                                                                   \
        return yes(out, condition);                                                                \
    }

TYPE_TEST(defined, v.type != V_UNDEFINED)
TYPE_TEST(undefined, v.type == V_UNDEFINED)
TYPE_TEST(none, v.type == V_NONE)
TYPE_TEST(boolean, v.type == V_BOOL)
TYPE_TEST(true, v.type == V_BOOL && v.as.boolean)
TYPE_TEST(false, v.type == V_BOOL && !v.as.boolean)
TYPE_TEST(integer, v.type == V_INTEGER)
TYPE_TEST(float, v.type == V_FLOAT)
TYPE_TEST(number, is_number(v))
TYPE_TEST(string, v.type == V_STRING)
TYPE_TEST(mapping, v.type == V_DICT)
/* Jinja's undefined has the methods of all three, and fails when they are called. */
TYPE_TEST(sequence,
          v.type == V_STRING || is_sequence(v) || v.type == V_DICT || v.type == V_UNDEFINED)
TYPE_TEST(iterable,
          v.type == V_STRING || is_sequence(v) || v.type == V_DICT || v.type == V_UNDEFINED)
TYPE_TEST(callable,
          v.type == V_MACRO || v.type == V_METHOD || v.type == V_FUNCTION || v.type == V_UNDEFINED)

static bool comparing(struct interpreter *x, struct arguments *a, const char *op, struct value *out)
{
    bool holds;
    if (!compare(x, span_str(op), a->items[0], argument(a, 1), &holds))
        return false;
    return yes(out, holds);
}

#define COMPARE_TEST(name, op)                                                                     \
    static bool t_##name(struct interpreter *x, struct arguments *a, struct value *out)            \
    {                                                                                              \
        return comparing(x, a, op, out);                                                           \
    }

COMPARE_TEST(eq, "==")
COMPARE_TEST(ne, "!=")
COMPARE_TEST(lt, "<")
COMPARE_TEST(le, "<=")
COMPARE_TEST(gt, ">")
COMPARE_TEST(ge, ">=")
COMPARE_TEST(in, "in")

static bool t_sameas(struct interpreter *x, struct arguments *a, struct value *out)
{
    return yes(out,
               a->items[0].type == argument(a, 1).type && equal(x, a->items[0], argument(a, 1), 0));
}

static bool divisible(struct interpreter *x, struct value v, int64_t by, int64_t rest,
                      struct value *out)
{
    if (v.type != V_INTEGER || by == 0)
        return runtime_fault(x, ERR_FORMAT, "'%s' is not divided by %lld", type_name(v),
                             (long long)by);
    return yes(out, (by == -1 ? 0 : v.as.integer % by) == rest ||
                        (by == 2 && rest == 1 && v.as.integer % 2 == -1));
}

static bool t_odd(struct interpreter *x, struct arguments *a, struct value *out)
{
    return divisible(x, a->items[0], 2, 1, out);
}

static bool t_even(struct interpreter *x, struct arguments *a, struct value *out)
{
    return divisible(x, a->items[0], 2, 0, out);
}

static bool t_divisibleby(struct interpreter *x, struct arguments *a, struct value *out)
{
    int64_t by;
    return whole_argument(x, a, 1, 0, &by) && divisible(x, a->items[0], by, 0, out);
}

static bool cased(struct interpreter *x, struct arguments *a, const char *filter, struct value *out)
{
    struct value other = UNDEFINED;
    if (a->items[0].type != V_STRING)
        return yes(out, false);
    struct span s = a->items[0].as.string->text;
    bool any = false;
    for (size_t i = 0, length; i < s.n && !any; i += length)
        any = (UC_BIT(UC_LU) | UC_BIT(UC_LL)) >> unicode_category(unicode_at(s.p + i, &length)) & 1;
    if (!find_filter(span_str(filter))->run(x, a, &other))
        return false;
    return yes(out, any && equal(x, a->items[0], other, 0));
}

static bool t_lower(struct interpreter *x, struct arguments *a, struct value *out)
{
    return cased(x, a, "lower", out);
}

static bool t_upper(struct interpreter *x, struct arguments *a, struct value *out)
{
    return cased(x, a, "upper", out);
}

const struct function all_tests[] = {
    {"defined", NULL, 0, 0, t_defined},
    {"undefined", NULL, 0, 0, t_undefined},
    {"none", NULL, 0, 0, t_none},
    {"boolean", NULL, 0, 0, t_boolean},
    {"true", NULL, 0, 0, t_true},
    {"false", NULL, 0, 0, t_false},
    {"integer", NULL, 0, 0, t_integer},
    {"float", NULL, 0, 0, t_float},
    {"number", NULL, 0, 0, t_number},
    {"string", NULL, 0, 0, t_string},
    {"mapping", NULL, 0, 0, t_mapping},
    {"sequence", NULL, 0, 0, t_sequence},
    {"iterable", NULL, 0, 0, t_iterable},
    {"callable", NULL, 0, 0, t_callable},
    {"eq", NULL, 1, 1, t_eq},
    {"equalto", NULL, 1, 1, t_eq},
    {"==", NULL, 1, 1, t_eq},
    {"ne", NULL, 1, 1, t_ne},
    {"!=", NULL, 1, 1, t_ne},
    {"lt", NULL, 1, 1, t_lt},
    {"lessthan", NULL, 1, 1, t_lt},
    {"<", NULL, 1, 1, t_lt},
    {"le", NULL, 1, 1, t_le},
    {"<=", NULL, 1, 1, t_le},
    {"gt", NULL, 1, 1, t_gt},
    {"greaterthan", NULL, 1, 1, t_gt},
    {">", NULL, 1, 1, t_gt},
    {"ge", NULL, 1, 1, t_ge},
    {">=", NULL, 1, 1, t_ge},
    {"in", NULL, 1, 1, t_in},
    {"sameas", NULL, 1, 1, t_sameas},
    {"odd", NULL, 0, 0, t_odd},
    {"even", NULL, 0, 0, t_even},
    {"divisibleby", NULL, 1, 1, t_divisibleby},
    {"lower", NULL, 0, 0, t_lower},
    {"upper", NULL, 0, 0, t_upper},
    {NULL, NULL, 0, 0, NULL},
};

/* ---- functions ---- */

static bool g_raise(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *s;
    char shown[300];
    (void)out;
    if (!to_string(x, argument(a, 1), &s))
        return false;
    return runtime_fault(x, ERR_POLICY, "the template refuses this input: %s",
                         text_shown(shown, sizeof shown, s->text));
}

/* From another dictionary, or from a sequence of pairs. */
static bool take_pairs(struct interpreter *x, struct dict *d, struct value from)
{
    struct list *items, *pair;
    if (from.type == V_DICT) {
        for (size_t i = 0; i < from.as.dict->count; i++)
            if (!dict_set(x, d, from.as.dict->pairs[i].key, from.as.dict->pairs[i].value))
                return false;
        return true;
    }
    if (!iterate(x, from, &items))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        if (!iterate(x, items->items[i], &pair))
            return false;
        if (pair->count != 2)
            return runtime_fault(x, ERR_FORMAT, "item %zu for a dictionary is no pair", i);
        if (!dict_set(x, d, pair->items[0], pair->items[1]))
            return false;
    }
    return true;
}

bool dict_take(struct interpreter *x, struct dict *d, const struct arguments *a)
{
    if (a->count > 1 && !take_pairs(x, d, a->items[1]))
        return false;
    for (size_t i = 0; i < a->named_count; i++)
        if (!dict_set(x, d, a->named[i].key, a->named[i].value))
            return false;
    return true;
}

static bool g_namespace(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct dict *d = dict_new(x);
    *out = (struct value){.type = V_NAMESPACE, .as.dict = d};
    return d && dict_take(x, d, a);
}

static bool g_dict(struct interpreter *x, struct arguments *a, struct value *out)
{
    if (!g_namespace(x, a, out))
        return false;
    out->type = V_DICT;
    return true;
}

/* dict.fromkeys(keys, value=None) */
static bool d_fromkeys(struct interpreter *x, struct arguments *a, struct value *out)
{
    struct dict *d = dict_new(x);
    struct list *keys;
    if (!d || !iterate(x, a->items[1], &keys))
        return false;
    for (size_t i = 0; i < keys->count; i++)
        if (!dict_set(x, d, keys->items[i], a->count > 2 ? a->items[2] : NONE))
            return false;
    *out = of_dict(d);
    return true;
}

/* Python takes any other attribute of dict for the type of a dictionary's keys and hands back
 * what makes such dictionaries: a real template calls dict.from_keys. */
const struct function dict_type_methods[] = {
    {"fromkeys", NULL, 1, 2, d_fromkeys},
    {"from_keys", NULL, 0, 1, g_dict},
    {NULL, NULL, 0, 0, NULL},
};

bool is_dict_type(struct value v)
{
    return v.type == V_FUNCTION && v.as.function->run == g_dict;
}

static bool g_range(struct interpreter *x, struct arguments *a, struct value *out)
{
    int64_t start = 0, stop, step;
    struct list *l = list_new(x);
    if (!l || !whole_argument(x, a, 1, 0, &stop) || !whole_argument(x, a, 3, 1, &step))
        return false;
    if (a->count > 2) {
        start = stop;
        if (!whole_argument(x, a, 2, 0, &stop))
            return false;
    }
    if (step == 0)
        return runtime_fault(x, ERR_FORMAT, "range with step 0");
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        if (!list_add(x, l, integer(i)))
            return false;
        if (l->count > 100000) /* jinja2.sandbox.MAX_RANGE */
            return runtime_fault(x, ERR_LIMIT, "range of more than 100000");
    }
    *out = of_list(V_LIST, l);
    return true;
}

static bool g_strftime_now(struct interpreter *x, struct arguments *a, struct value *out)
{
    const struct string *format;
    struct maker m;
    if (!to_string(x, argument(a, 1), &format))
        return false;
    maker_init(&m, x);
    if (!put_time(&m, format->text, x->in->now)) {
        maker_free(&m);
        return false;
    }
    return maker_value(&m, out);
}

const struct function all_functions[] = {
    {"raise_exception", NULL, 1, 1, g_raise},
    {"namespace", NULL, 0, UINT32_MAX - 1, g_namespace},
    {"dict", NULL, 0, UINT32_MAX - 1, g_dict},
    {"range", NULL, 1, 3, g_range},
    {"strftime_now", NULL, 1, 1, g_strftime_now},
    {NULL, NULL, 0, 0, NULL},
};
