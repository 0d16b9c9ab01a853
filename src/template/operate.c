/*
 * Operators, subscripts and iteration, with Python's meaning.
 */
#include "template/interpreter.h"

#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/unicode.h"

/* ---- arithmetic ---- */

static double as_double(struct value v)
{
    return v.type == V_FLOAT ? v.as.real : v.type == V_BOOL ? v.as.boolean : (double)v.as.integer;
}

static int64_t as_whole(struct value v)
{
    return v.type == V_BOOL ? v.as.boolean : v.as.integer;
}

static bool unfit(struct interpreter *x, struct span name, struct value a, struct value b)
{
    return runtime_fault(x, ERR_FORMAT, "'%s' %.*s '%s' is not possible", type_name(a), (int)name.n,
                         (const char *)name.p, type_name(b));
}

static bool overflow(struct interpreter *x)
{
    return runtime_fault(x, ERR_LIMIT, "a number does not fit in 64 bits");
}

static bool divide_whole(struct interpreter *x, char op, int64_t a, int64_t b, struct value *out)
{
    if (b == 0)
        return runtime_fault(x, ERR_FORMAT, "division by zero");
    if (op == '/') {
        *out = real((double)a / (double)b);
        return true;
    }
    if (b == -1) {
        int64_t r;
        if (op == 'd' && __builtin_sub_overflow((int64_t)0, a, &r))
            return overflow(x);
        *out = integer(op == 'd' ? -a : 0);
        return true;
    }
    int64_t q = a / b, r = a % b;
    bool down = r != 0 && (r < 0) != (b < 0); /* towards minus infinity */
    *out = integer(op == 'd' ? q - down : r + (down ? b : 0));
    return true;
}

static bool power(struct interpreter *x, struct value a, struct value b, struct value *out)
{
    int64_t result = 1;
    if (a.type == V_FLOAT || b.type == V_FLOAT || as_whole(b) < 0) {
        *out = real(pow(as_double(a), as_double(b)));
        return true;
    }
    for (int64_t i = 0; i < as_whole(b); i++) {
        int64_t before = result;
        if (__builtin_mul_overflow(result, as_whole(a), &result))
            return overflow(x);
        if (result == before)
            break; /* 0 or 1 */
        if (!spend(x, 1))
            return false;
    }
    if (as_whole(a) == -1)
        result = as_whole(b) % 2 ? -1 : 1;
    *out = integer(result);
    return true;
}

/* floor(a / b) and what is left, as Python has them (floatobject.c). */
static double divide_down(double a, double b, double *left)
{
    double rest = fmod(a, b), quotient = (a - rest) / b;
    bool some = rest < 0 || rest > 0;
    if (some && (rest < 0) != (b < 0)) {
        rest += b;
        quotient -= 1;
    }
    *left = some ? rest : copysign(0, b);
    double whole = floor(quotient);
    return quotient < 0 || quotient > 0 ? whole + (quotient - whole > 0.5) : copysign(0, a / b);
}

static bool on_doubles(struct interpreter *x, char op, double a, double b, struct value *out)
{
    if ((op == '/' || op == 'd' || op == '%') && !(b < 0 || b > 0))
        return runtime_fault(x, ERR_FORMAT, "division by zero");
    double left = 0, r = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
    if (op == 'd' || op == '%')
        r = divide_down(a, b, &left);
    *out = real(op == '%' ? left : r);
    return true;
}

static bool on_numbers(struct interpreter *x, char op, struct value a, struct value b,
                       struct value *out)
{
    int64_t r = 0;
    if (op == 'p')
        return power(x, a, b, out);
    if (a.type == V_FLOAT || b.type == V_FLOAT)
        return on_doubles(x, op, as_double(a), as_double(b), out);
    int64_t p = as_whole(a), q = as_whole(b);
    if (op == '/' || op == 'd' || op == '%')
        return divide_whole(x, op, p, q, out);
    if (op == '+'   ? __builtin_add_overflow(p, q, &r)
        : op == '-' ? __builtin_sub_overflow(p, q, &r)
                    : __builtin_mul_overflow(p, q, &r))
        return overflow(x);
    *out = integer(r);
    return true;
}

/* ---- joining and repeating ---- */

static bool join_strings(struct interpreter *x, struct value a, struct value b, struct value *out)
{
    struct maker m;
    maker_init(&m, x);
    if (put_value(&m, a) && put_value(&m, b))
        return maker_value(&m, out);
    maker_free(&m);
    return false;
}

/* markupsafe: what is added to markup is escaped, and the sum is markup. */
static bool add_strings(struct interpreter *x, const struct string *a, const struct string *b,
                        struct value *out)
{
    struct maker m;
    maker_init(&m, x);
    m.markup = a->markup || b->markup;
    if (m.markup)
        put_escaped_html(&m, a);
    else
        maker_string(&m, a);
    if (m.markup)
        put_escaped_html(&m, b);
    else
        maker_string(&m, b);
    return maker_value(&m, out);
}

static bool join_lists(struct interpreter *x, struct value a, struct value b, struct value *out)
{
    struct list *l = list_new(x);
    if (!l)
        return false;
    for (size_t i = 0; i < a.as.list->count; i++)
        if (!list_add(x, l, a.as.list->items[i]))
            return false;
    for (size_t i = 0; i < b.as.list->count; i++)
        if (!list_add(x, l, b.as.list->items[i]))
            return false;
    *out = of_list(a.type, l);
    return true;
}

static bool repeat(struct interpreter *x, struct value v, int64_t times, struct value *out)
{
    struct list *l = v.type == V_STRING ? NULL : list_new(x);
    struct maker m;
    if (v.type != V_STRING && !l)
        return false;
    maker_init(&m, x);
    for (int64_t i = 0; i < times; i++) {
        if (!spend(x, 1) || (v.type == V_STRING && !buf_ok(&m.text))) {
            maker_free(&m);
            return no_memory(x);
        }
        if (v.type == V_STRING)
            maker_string(&m, v.as.string);
        for (size_t k = 0; l && k < v.as.list->count; k++)
            if (!list_add(x, l, v.as.list->items[k]))
                return false;
    }
    if (v.type == V_STRING)
        return maker_value(&m, out);
    *out = of_list(v.type, l);
    return true;
}

/* One letter for an operator: d is //, p is **. */
static char letter(struct span name)
{
    if (name.n == 2)
        return name.p[0] == '/' ? 'd' : 'p';
    return (char)name.p[0];
}

bool operate(struct interpreter *x, struct span name, struct value a, struct value b,
             struct value *out)
{
    char op = letter(name);
    if (op == '~')
        return join_strings(x, a, b, out);
    if (is_number(a) && is_number(b))
        return on_numbers(x, op, a, b, out);
    if (op == '+' && a.type == V_STRING && b.type == V_STRING)
        return add_strings(x, a.as.string, b.as.string, out);
    if (op == '+' && is_sequence(a) && a.type == b.type)
        return join_lists(x, a, b, out);
    if (op == '%' && a.type == V_STRING)
        return format_percent(x, a.as.string, b, out);
    bool left = a.type == V_STRING || is_sequence(a), right = b.type == V_STRING || is_sequence(b);
    if (op == '*' && left && (b.type == V_INTEGER || b.type == V_BOOL))
        return repeat(x, a, as_whole(b), out);
    if (op == '*' && right && (a.type == V_INTEGER || a.type == V_BOOL))
        return repeat(x, b, as_whole(a), out);
    if (a.type == V_UNDEFINED || b.type == V_UNDEFINED)
        return runtime_fault(x, ERR_FORMAT, "an operand of %.*s is undefined", (int)name.n,
                             (const char *)name.p);
    return unfit(x, name, a, b);
}

/* ---- comparisons ---- */

bool contains(struct interpreter *x, struct value a, struct value in, bool *out)
{
    *out = false;
    if (in.type == V_STRING) {
        if (a.type != V_STRING)
            return runtime_fault(x, ERR_FORMAT, "'in <string>' requires a string, not %s",
                                 type_name(a));
        struct span s = in.as.string->text, part = a.as.string->text;
        *out = part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n));
        return spend(x, 1 + s.n / 64);
    }
    if (in.type == V_DICT) {
        *out = dict_find(x, in.as.dict, a) != NULL;
        return spend(x, 1);
    }
    if (is_sequence(in)) {
        for (size_t i = 0; i < in.as.list->count && !*out; i++) {
            *out = equal(x, a, in.as.list->items[i], 0);
            if (!spend(x, 1))
                return false;
        }
        return true;
    }
    if (in.type == V_UNDEFINED)
        return true;
    return runtime_fault(x, ERR_FORMAT, "'in' is not possible with %s", type_name(in));
}

bool compare(struct interpreter *x, struct span name, struct value a, struct value b, bool *out)
{
    int sign = 0;
    bool negated = span_is(name, "!=") || span_is(name, "not in");
    if (span_is(name, "==") || span_is(name, "!=")) {
        *out = equal(x, a, b, 0) != negated;
        return spend(x, 1);
    }
    if (span_ends(name, "in")) {
        if (!contains(x, a, b, out))
            return false;
        *out = *out != negated;
        return true;
    }
    if (!order(x, a, b, &sign))
        return false;
    bool or_equal = name.n == 2;
    *out = (name.p[0] == '<' ? sign < 0 : sign > 0) || (or_equal && sign == 0);
    return true;
}

/* ---- subscripts ---- */

/* A method of that name, not called yet. */
static bool bound_method(struct interpreter *x, struct value object, struct span name,
                         struct value *out)
{
    if (!find_method(name, object.type) || (object.type == V_FUNCTION && !is_dict_type(object)))
        return false;
    struct method *m = arena_alloc(x->arena, sizeof *m);
    if (!m)
        return false;
    *m = (struct method){object, name};
    *out = (struct value){.type = V_METHOD, .as.method = m};
    return true;
}

static bool loop_attribute(struct interpreter *x, const struct loop *l, struct span name,
                           struct value *out)
{
    (void)x;
    size_t n = l->items->count, i = l->index;
    const struct {
        const char *name;
        struct value value;
    } all[] = {
        {"index", integer((int64_t)i + 1)},
        {"index0", integer((int64_t)i)},
        {"revindex", integer((int64_t)(n - i))},
        {"revindex0", integer((int64_t)(n - i) - 1)},
        {"first", boolean(i == 0)},
        {"last", boolean(i + 1 == n)},
        {"length", integer((int64_t)n)},
        {"depth", integer(l->depth)},
        {"depth0", integer((int64_t)l->depth - 1)},
        {"previtem", i ? l->items->items[i - 1] : UNDEFINED},
        {"nextitem", i + 1 < n ? l->items->items[i + 1] : UNDEFINED},
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (span_is(name, all[k].name)) {
            *out = all[k].value;
            return true;
        }
    return false;
}

bool get_attribute(struct interpreter *x, struct value object, struct span name, bool methods_first,
                   struct value *out)
{
    char shown[64];
    *out = UNDEFINED;
    if (object.type == V_UNDEFINED)
        return runtime_fault(x, ERR_FORMAT, "the value is undefined; it has no \"%s\"",
                             text_shown(shown, sizeof shown, name));
    if (object.type == V_LOOP && loop_attribute(x, object.as.loop, name, out))
        return true;
    if (methods_first && bound_method(x, object, name, out))
        return true;
    if (object.type == V_DICT || object.type == V_NAMESPACE) {
        const struct value *found = dict_find_text(x, object.as.dict, name);
        if (found)
            *out = *found;
        if (found)
            return true;
    }
    if (object.type == V_MACRO && span_is(name, "name"))
        return string_value(x, object.as.macro->node->name, true, out);
    if (!methods_first)
        (void)bound_method(x, object, name, out);
    return true;
}

bool get_item(struct interpreter *x, struct value object, struct value key, struct value *out)
{
    *out = UNDEFINED;
    if (key.type == V_STRING)
        return get_attribute(x, object, key.as.string->text, false, out);
    if (object.type == V_UNDEFINED)
        return runtime_fault(x, ERR_FORMAT, "the value is undefined; it has no items");
    if (object.type == V_DICT) {
        const struct value *found = dict_find(x, object.as.dict, key);
        *out = found ? *found : UNDEFINED;
        return spend(x, 1);
    }
    if (key.type != V_INTEGER && key.type != V_BOOL)
        return true;
    bool string = object.type == V_STRING;
    if (!string && !is_sequence(object))
        return true;
    size_t n = string ? characters(object.as.string->text) : object.as.list->count;
    int64_t i = as_whole(key);
    if (i < 0)
        i += (int64_t)n;
    if (i < 0 || (uint64_t)i >= n)
        return true;
    if (!string) {
        *out = object.as.list->items[i];
        return true;
    }
    size_t at = character_offset(object.as.string->text, (size_t)i), length;
    (void)unicode_at(object.as.string->text.p + at, &length);
    return spend(x, 1 + n / 64) && string_part(x, object.as.string, at, length, out);
}

/* slice.indices(n) of Python; false when the step is 0. */
static bool slice_bounds(const struct value part[3], int64_t n, int64_t *start, int64_t *stop,
                         int64_t *step)
{
    *step = part[2].type == V_NONE ? 1 : as_whole(part[2]);
    if (*step == 0)
        return false;
    bool back = *step < 0;
    int64_t low = back ? -1 : 0, high = back ? n - 1 : n;
    int64_t *bound[2] = {start, stop};
    const int64_t missing[2] = {back ? high : low, back ? low : high};
    for (int i = 0; i < 2; i++) {
        int64_t v = part[i].type == V_NONE ? missing[i] : as_whole(part[i]);
        if (part[i].type != V_NONE && v < 0)
            v = v < -n ? low : v + n;
        *bound[i] = v < low ? low : v > high ? high : v;
    }
    return true;
}

static bool slice_string(struct interpreter *x, const struct string *s, int64_t start, int64_t stop,
                         int64_t step, struct value *out)
{
    struct maker m;
    if (step == 1) {
        size_t from = character_offset(s->text, (size_t)start);
        struct span rest = span_sub(s->text, from, s->text.n);
        size_t n = stop > start ? character_offset(rest, (size_t)(stop - start)) : 0;
        return string_part(x, s, from, n, out);
    }
    maker_init(&m, x);
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        size_t at = character_offset(s->text, (size_t)i), length;
        (void)unicode_at(s->text.p + at, &length);
        maker_part(&m, s, at, length);
        if (!spend(x, 1 + at / 16)) {
            maker_free(&m);
            return false;
        }
    }
    return maker_value(&m, out);
}

bool get_slice(struct interpreter *x, struct value object, const struct value part[3],
               struct value *out)
{
    int64_t start = 0, stop = 0, step = 1;
    *out = UNDEFINED;
    for (int i = 0; i < 3; i++)
        if (part[i].type != V_NONE && part[i].type != V_INTEGER && part[i].type != V_BOOL)
            return runtime_fault(x, ERR_FORMAT, "a slice needs whole numbers, not %s",
                                 type_name(part[i]));
    bool string = object.type == V_STRING;
    if (object.type == V_UNDEFINED)
        return runtime_fault(x, ERR_FORMAT, "the value is undefined; it has no items");
    if (!string && !is_sequence(object))
        return true;
    size_t n = string ? characters(object.as.string->text) : object.as.list->count;
    if (!slice_bounds(part, (int64_t)n, &start, &stop, &step))
        return runtime_fault(x, ERR_FORMAT, "slice step cannot be zero");
    if (string)
        return spend(x, 1 + n / 64) && slice_string(x, object.as.string, start, stop, step, out);
    struct list *l = list_new(x);
    if (!l)
        return false;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step)
        if (!list_add(x, l, object.as.list->items[i]))
            return false;
    *out = of_list(object.type, l);
    return true;
}

/* ---- iteration ---- */

static bool each_character(struct interpreter *x, const struct string *s, struct list *l)
{
    for (size_t i = 0, length; i < s->text.n; i += length) {
        struct value c = UNDEFINED;
        (void)unicode_at(s->text.p + i, &length);
        if (!string_part(x, s, i, length, &c) || !list_add(x, l, c))
            return false;
    }
    return true;
}

bool iterate(struct interpreter *x, struct value v, struct list **out)
{
    if (is_sequence(v)) {
        *out = v.as.list;
        return true;
    }
    struct list *l = list_new(x);
    *out = l;
    if (!l)
        return false;
    if (v.type == V_UNDEFINED)
        return true;
    if (v.type == V_STRING)
        return each_character(x, v.as.string, l);
    if (v.type != V_DICT)
        return runtime_fault(x, ERR_FORMAT, "'%s' object is not iterable", type_name(v));
    for (size_t i = 0; i < v.as.dict->count; i++)
        if (!list_add(x, l, v.as.dict->pairs[i].key))
            return false;
    return true;
}
