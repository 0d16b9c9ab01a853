/*
 * `not` with constants: the values that a schema leaves out. They are left out of constants, words and
 * strings, of numbers where a bound or a list can say it, and of arrays where it is the empty
 * one; of anything else, and with any other `not`, that cannot be held to.
 */
#include "engine/decimal.h"
#include "engine/schema.h"

enum { INTEGERS = 1024 }; /* that are listed one by one */

static bool refuse(struct form_maker *m, const struct way *at, const char *why, struct err *e)
{
    return schema_refuse(m, at, "not", why, e);
}

/* ---- which they are ---- */

bool schema_constants_of(struct form_maker *m, struct json schema, const struct way *at,
                         const char *key, struct schema_left_out *out, struct err *e)
{
    static const char why[] = "can only be about constants: of enum or of const";
    struct json list = json_get(schema, "enum");
    struct way w = {at, span_str(key), 0};
    *out = (struct schema_left_out){.types = IS_ANY, .listed = json_type(list) != JSON_MISSING};
    out->first = out->listed ? json_first(list) : json_get(schema, "const");
    for (struct json k = json_first(schema); json_type(k); k = json_next(k)) {
        struct span name = json_key(k);
        if (!schema_is_annotation(k, &w) && !span_is(name, out->listed ? "enum" : "const") &&
            !span_is(name, "type"))
            return schema_refuse(m, at, key, why, e);
    }
    if ((out->listed && json_type(list) != JSON_ARRAY) || !json_type(out->first))
        return schema_refuse(m, at, key, why, e);
    for (struct json v = out->first; json_type(v); v = schema_left_next(out, v))
        if (!schema_countable(v))
            return schema_refuse(m, at, key, "holds a number of more digits than are counted with",
                                 e);
    if (json_type(json_get(schema, "type")) && !schema_types(m, schema, &w, &out->types, e))
        return false;
    if (out->types & (IS_INTEGER | IS_NUMBER))
        out->types |= IS_INTEGER | IS_NUMBER; /* in doubt: of as many digits as there may be */
    return true;
}

bool schema_left_out(struct form_maker *m, struct json schema, const struct way *at,
                     struct schema_left_out *out, struct err *e)
{
    struct json v = json_get(schema, "not");
    *out = (struct schema_left_out){.types = IS_ANY};
    return !json_type(v) || schema_constants_of(m, v, at, "not", out, e);
}

struct json schema_left_next(const struct schema_left_out *l, struct json v)
{
    return l->listed ? json_next(v) : JSON_NOTHING;
}

/* ---- the same value ---- */

static bool members_equal(struct json a, struct json b)
{
    for (struct json k = json_first(a); json_type(k); k = json_next(k)) {
        struct json other = json_get_span(b, json_key(k));
        if (!json_type(other) || !schema_equal(k, other))
            return false;
    }
    return true;
}

static bool items_equal(struct json a, struct json b)
{
    for (a = json_first(a), b = json_first(b); json_type(a); a = json_next(a), b = json_next(b))
        if (!schema_equal(a, b))
            return false;
    return true;
}

bool schema_equal(struct json a, struct json b)
{
    struct decimal x, y;
    struct span s, t;
    if (json_type(a) != json_type(b))
        return false;
    switch (json_type(a)) {
    case JSON_NUMBER:
        if (!decimal_read(&x, json_text(a)))
            return span_eq(json_text(a), json_text(b)); /* of more digits than the other has */
        return decimal_read(&y, json_text(b)) && decimal_compare(&x, &y) == 0;
    case JSON_STRING:
        return json_string(a, &s) && json_string(b, &t) && span_eq(s, t);
    case JSON_ARRAY:
        return json_count(a) == json_count(b) && items_equal(a, b);
    case JSON_OBJECT:
        return json_count(a) == json_count(b) && members_equal(a, b);
    case JSON_MISSING:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        break;
    }
    return true;
}

bool schema_countable(struct json v)
{
    struct decimal d;
    bool all = json_type(v) != JSON_NUMBER || decimal_read(&d, json_text(v));
    bool holds = json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT;
    for (struct json i = holds ? json_first(v) : JSON_NOTHING; all && json_type(i);
         i = json_next(i))
        all = schema_countable(i);
    return all;
}

bool schema_leaves_out(const struct schema_left_out *l, struct json v)
{
    bool found = false;
    for (struct json o = l->first; !found && json_type(o); o = schema_left_next(l, o))
        found = (schema_type_of(o) & l->types) && schema_equal(o, v);
    return found;
}

bool schema_leaves_out_type(const struct schema_left_out *l, enum json_type type)
{
    bool found = false;
    for (struct json o = l->first; !found && json_type(o); o = schema_left_next(l, o))
        found = json_type(o) == type && (schema_type_of(o) & l->types);
    return found;
}

unsigned schema_types_left(const struct schema_left_out *l, unsigned types)
{
    if (schema_leaves_out_type(l, JSON_NULL))
        types &= ~(unsigned)IS_NULL;
    if (schema_leaves_out_type(l, JSON_TRUE) && schema_leaves_out_type(l, JSON_FALSE))
        types &= ~(unsigned)IS_BOOLEAN;
    return types;
}

/* ---- arrays and objects ---- */

bool schema_leaves_in(struct form_maker *m, const struct schema_left_out *l, enum json_type type,
                      const struct way *at, uint32_t *min, struct err *e)
{
    for (struct json o = l->first; json_type(o); o = schema_left_next(l, o)) {
        if (json_type(o) != type || !(schema_type_of(o) & l->types))
            continue;
        if (min == NULL || json_count(o) != 0)
            return refuse(m, at, "can leave out no objects, and no arrays but the empty one", e);
        *min = *min > 1 ? *min : 1;
    }
    return true;
}

/* ---- numbers ---- */

/* Whether one that is left out lies within the bounds; at a bound it becomes one that is not reached. */
static bool lies_within(struct decimal_bounds *b, const struct decimal *d)
{
    int least = b->has_least ? decimal_compare(d, &b->least) : 1;
    int most = b->has_most ? decimal_compare(d, &b->most) : -1;
    b->without_least = b->without_least || least == 0;
    b->without_most = b->without_most || most == 0;
    return least > 0 && most < 0 && !(b->whole && d->point < d->count);
}

void schema_numbers_left(const struct schema_left_out *l, struct decimal_bounds *b, bool *within)
{
    *within = false;
    for (struct json o = l->first; json_type(o); o = schema_left_next(l, o)) {
        struct decimal d;
        if (json_type(o) == JSON_NUMBER && (schema_type_of(o) & l->types) &&
            decimal_read(&d, json_text(o)))
            *within = lies_within(b, &d) || *within;
    }
}

static bool whole_of(const struct decimal *d, int64_t *out)
{
    *out = 0;
    if (d->point > 9)
        return false;
    for (int i = 0; i < d->point; i++)
        *out = *out * 10 + (i < d->count ? d->digit[i] : 0);
    *out = d->negative ? -*out - (d->point < d->count) : *out;
    return true;
}

bool schema_integers_left(struct form_maker *m, const struct schema_left_out *l,
                          const struct way *at, const struct decimal_bounds *b, uint32_t node,
                          struct err *e)
{
    int64_t from = 0, to = 0;
    uint32_t n = 0;
    bool few = b->whole && b->has_least && b->has_most && whole_of(&b->least, &from) &&
               whole_of(&b->most, &to) && to - from < INTEGERS;
    if (!few)
        return refuse(m, at, "can leave out numbers of constants, or of up to 1024 integers", e);
    if (!form_list(m, node, (size_t)(to - from + 1), e))
        return false;
    struct form_item *items = m->form->node[node].item;
    for (int64_t i = from; i <= to; i++) {
        struct json v;
        char *text = arena_printf(m->a, "%lld", (long long)i);
        if (text == NULL || !json_parse(&v, span_str(text), JSON_STRICT, m->a, e))
            return err_set(e, ERR_MEMORY, "no memory for a form");
        if (form_takes(m->form, node, span_str(text)) && !schema_leaves_out(l, v))
            items[n++].text = span_str(text);
    }
    m->form->node[node].kind = FORM_LITERALS;
    m->form->node[node].automaton = NULL;
    m->form->node[node].count = n;
    schema_sort(items, n);
    return n != 0 || schema_refuse_none(m, at, "not", "leaves no value", e);
}
