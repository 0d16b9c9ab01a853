/*
 * Arrays of a schema: the first items, all others, how many there are. That none comes twice is held to
 * where items are words of a short list; that some are counted, where those are constants, so that
 * each item shows as it is written whether it is one of them.
 */
#include "engine/schema.h"

/* The first items, each like a schema of its own. */
static bool prefix(struct form_maker *m, struct json list, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct way w = {at, span_str("prefixItems"), 0}, item = {&w, {NULL, 0}, 0};
    if (json_type(list) && (json_type(list) != JSON_ARRAY || json_count(list) == 0))
        return schema_refuse(m, &w, NULL, "must be an array that is not empty", e);
    if (!form_list(m, node, json_count(list), e))
        return false;
    for (struct json v = json_first(list); json_type(v); v = json_next(v), item.index++) {
        uint32_t value;
        if (!schema_make(m, v, &item, &value, e))
            return false;
        m->form->node[node].item[item.index].value = value;
    }
    return true;
}

/* ---- none twice ---- */

/* In doubt they are the same. */
static bool same_text(struct form_maker *m, struct span a, struct span b)
{
    struct json x, y;
    return !json_parse(&x, a, JSON_STRICT, m->a, NULL) ||
           !json_parse(&y, b, JSON_STRICT, m->a, NULL) ||
           (!schema_countable(x) && !schema_countable(y)) || schema_equal(x, y);
}

static bool unique(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct json v = json_get(schema, "uniqueItems");
    struct form_node *n = &m->form->node[node];
    if (json_type(v) != JSON_TRUE || n->max < 2)
        return !json_type(v) || json_type(v) == JSON_TRUE || json_type(v) == JSON_FALSE ||
               schema_refuse(m, at, "uniqueItems", "must be a boolean", e);
    uint32_t items = form_resolved(m->form, n->value);
    const struct form_node *of = items == FORM_NODES ? NULL : &m->form->node[items];
    if (of == NULL || of->kind != FORM_LITERALS || of->count > FORM_UNIQUE || n->count != 0 ||
        json_type(json_get(schema, "contains")))
        return schema_refuse(m, at, "uniqueItems",
                             "can be held to where all items are of up to 32 constants alone", e);
    for (uint32_t i = 0; i < of->count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (same_text(m, of->item[i].text, of->item[k].text))
                return schema_refuse(m, at, "uniqueItems",
                                     "stands beside constants of which two are the same value", e);
    if (n->min > of->count)
        return schema_refuse(m, at, "minItems", "asks for more items than there are constants", e);
    n->max = n->max < of->count ? n->max : of->count;
    n->unique = true;
    return true;
}

/* ---- some that are counted ---- */

/* The items that are, or (`not`) are not, as `contains` says. *none: there are none. */
static bool items_that(struct form_maker *m, struct json schema, const struct way *at, bool are,
                       uint32_t *out, bool *none, struct err *e)
{
    struct json items = json_get(schema, "items"), both;
    struct span contains = json_text(json_get(schema, "contains"));
    struct way w = {at, span_str("contains"), 0};
    struct span all = json_type(items) ? json_text(items) : span_str("true");
    char *text = arena_printf(m->a, "{\"allOf\":[%.*s,%s%.*s%s]}", (int)all.n, (const char *)all.p,
                              are ? "" : "{\"not\":", (int)contains.n, (const char *)contains.p,
                              are ? "" : "}");
    *none = false;
    if (text == NULL || !json_parse(&both, span_str(text), JSON_STRICT, m->a, NULL))
        return err_set(e, ERR_MEMORY, "no memory for a form");
    m->none = false;
    if (schema_make(m, both, &w, out, e)) {
        *out = form_resolved(m->form, *out);
        return true;
    }
    *none = m->none;
    return false;
}

/* What can be told from others as it is written, and has no levels. */
static bool is_plain(const struct engine_form *f, uint32_t node)
{
    enum form_kind k = node == FORM_NODES ? FORM_UNSET : f->node[node].kind;
    return k == FORM_LITERALS || k == FORM_TEXTUAL || k == FORM_NUMBER || k == FORM_REGULAR;
}

/* How many there must and may be of those that match. */
static bool counts(struct form_maker *m, struct json schema, const struct way *at, uint32_t *min,
                   uint32_t *max, struct err *e)
{
    *min = 1;
    *max = UINT8_MAX;
    if (!schema_count(m, schema, at, "minContains", min, e) ||
        !schema_count(m, schema, at, "maxContains", max, e))
        return false;
    if (*min > FORM_MATCHES || (json_type(json_get(schema, "maxContains")) && *max > FORM_MATCHES))
        return schema_refuse(m, at, *min > FORM_MATCHES ? "minContains" : "maxContains",
                             "counts beyond 254", e);
    return *min <= *max || schema_refuse(m, at, "maxContains", "is below minContains", e);
}

/* All items match, or none does: then it says how many there are, or nothing. */
static bool all_or_none(struct form_maker *m, const struct way *at, uint32_t node, bool all,
                        uint32_t least, uint32_t most, struct err *e)
{
    struct form_node *n = &m->form->node[node];
    if (all && n->min < least)
        n->min = least;
    if (all && most != UINT8_MAX && n->max > most)
        n->max = most;
    return (n->min <= n->max && (all || (least == 0 && most == UINT8_MAX))) ||
           schema_refuse(m, at, "contains", "asks for items that there cannot be", e);
}

static bool counted(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                    struct err *e)
{
    struct schema_left_out constants;
    struct err why = ERR_INIT;
    uint32_t least, most, match = 0, other = 0, any;
    bool no_match, no_other = false;
    if (!json_type(json_get(schema, "contains")))
        return true;
    if (!counts(m, schema, at, &least, &most, e))
        return false;
    /* As `not` reads it: constants. */
    if (!schema_constants_of(m, json_get(schema, "contains"), at, "contains", &constants, e))
        return false;
    if (m->form->node[node].count != 0)
        return schema_refuse(m, at, "contains", "cannot stand beside prefixItems", e);
    bool some = items_that(m, schema, at, true, &match, &no_match, &why);
    bool others = some && items_that(m, schema, at, false, &other, &no_other, &why);
    if (some ? !others && no_other : no_match)
        return all_or_none(m, at, node, some, least, most, e);
    if (why.code == ERR_MEMORY)
        return err_set(e, ERR_MEMORY, "%s", why.text);
    if (!some || !others || !is_plain(m->form, match) || !is_plain(m->form, other))
        return schema_refuse(m, at, "contains",
                             "can count constants among items that are plain, and that `not` can "
                             "leave them out of",
                             e);
    if (!form_new(m, FORM_ANY, &any, e) || !form_list(m, any, 2, e))
        return false;
    m->form->node[any].item[0].value = match;
    m->form->node[any].item[1].value = other;
    struct form_node *n = &m->form->node[node];
    n->value = any;
    n->match = match;
    n->match_min = (uint8_t)least;
    n->match_max = (uint8_t)most;
    n->min = n->min < least ? least : n->min;
    return n->min <= n->max ||
           schema_refuse(m, at, "contains", "asks for more items than there may be", e);
}

/* ---- */

bool schema_array(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                  struct err *e)
{
    struct json items = json_get(schema, "items"), list = json_get(schema, "prefixItems");
    struct way w = {at, span_str("items"), 0};
    uint32_t value, min = 0, max = UINT32_MAX;
    if (!schema_count(m, schema, at, "minItems", &min, e) ||
        !schema_count(m, schema, at, "maxItems", &max, e))
        return false;
    struct schema_left_out left;
    if (!schema_left_out(m, schema, at, &left, e) ||
        !schema_leaves_in(m, &left, JSON_ARRAY, at, &min, e))
        return false;
    bool none_behind = json_type(items) == JSON_FALSE && json_type(list);
    if (none_behind && max > json_count(list))
        max = (uint32_t)json_count(list);
    if (min > max)
        return schema_refuse(m, at,
                             json_type(json_get(schema, "maxItems")) ? "maxItems" : "minItems",
                             "allows fewer items than must be: there is no such array", e);
    if (!prefix(m, list, at, node, e) ||
        !(json_type(items) && !none_behind ? schema_make(m, items, &w, &value, e)
                                           : schema_any(m, &value, e)))
        return false;
    struct form_node *n = &m->form->node[node];
    n->kind = FORM_ARRAY;
    n->min = min;
    n->max = max;
    n->value = value;
    return unique(m, schema, at, node, e) && counted(m, schema, at, node, e);
}
