/*
 * Objects of a schema: those whose members have names that are known, in the order of `properties` and
 * then of `required`, and maps, whose names are like something. No member is written that neither
 * keyword names beside properties.
 */
#include "engine/automaton.h"
#include "engine/schema.h"

/* The names of `required`, each of which is one of the properties, or may be another one; *more: of those. */
static bool required(struct form_maker *m, struct json schema, const struct way *at,
                     struct map *names, size_t *more, struct err *e)
{
    struct json list = json_get(schema, "required"), properties = json_get(schema, "properties");
    bool others = json_type(json_get(schema, "additionalProperties")) != JSON_FALSE &&
                  !json_type(json_get(schema, "patternProperties"));
    struct way w = {at, span_str("required"), 0}, item = {&w, {NULL, 0}, 0};
    struct span name;
    uint32_t before;
    if (json_type(list) && (json_type(list) != JSON_ARRAY || json_count(list) > FORM_LIST))
        return schema_refuse(m, &w, NULL, "must be an array of up to 8192 names", e);
    if (!map_init(names, m->a, json_count(list)))
        return err_set(e, ERR_MEMORY, "no memory for a form");
    for (struct json r = json_first(list); json_type(r); r = json_next(r), item.index++) {
        bool known = json_string(r, &name) && json_type(json_get_span(properties, name));
        if (!json_string(r, &name) || (!known && !others))
            return schema_refuse(m, &item, NULL, "must name one of the properties", e);
        before = MAP_NONE;
        if (!map_put(names, name, 0, &before))
            return err_set(e, ERR_MEMORY, "no memory for a form");
        *more += !known && before == MAP_NONE;
    }
    return true;
}

/* Names like a schema's strings. */
static bool names_like(struct form_maker *m, struct json schema, const struct way *at,
                       uint32_t node, struct err *e)
{
    struct way w = {at, span_str("propertyNames"), 0};
    uint32_t name = 0;
    if (!schema_make(m, json_get(schema, "propertyNames"), &w, &name, e))
        return false;
    uint32_t stands_for = form_resolved(m->form, name);
    const struct form_node *n = stands_for == FORM_NODES ? NULL : &m->form->node[stands_for];
    bool strings = n && (n->kind == FORM_TEXTUAL || n->kind == FORM_REGULAR ||
                         (n->kind == FORM_LITERALS && n->count));
    for (uint32_t i = 0; strings && i < (n->kind == FORM_LITERALS ? n->count : 0); i++)
        strings = n->item[i].text.p[0] == '"';
    if (strings && n->kind == FORM_REGULAR)
        strings = automaton_next(n->automaton, 0, '"') != AUTOMATON_NONE;
    if (!strings)
        return schema_refuse(m, &w, NULL, "must be of type string", e);
    m->form->node[node].name = stands_for;
    return true;
}

/* No properties: any names, or those of one expression, unless no others are allowed. */
static bool map(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                struct err *e)
{
    struct json patterns = json_get(schema, "patternProperties"), others;
    struct way w = {at, span_str("patternProperties"), 0}, value_at = w, *way = &value_at;
    uint32_t value, name = 0;
    if (json_type(patterns)) {
        others = json_first(patterns);
        value_at = (struct way){&w, json_key(others), 0};
        if (!form_new(m, FORM_UNSET, &name, e) ||
            !schema_pattern(m, json_key(others), &value_at, name, e))
            return false;
    } else {
        others = json_get(schema, "additionalProperties");
        w.key = span_str("additionalProperties");
        way = &w;
    }
    if (!(json_type(others) == JSON_OBJECT ? schema_make(m, others, way, &value, e)
                                           : schema_any(m, &value, e)))
        return false;
    m->form->node[node].kind = FORM_MAP;
    m->form->node[node].value = value;
    m->form->node[node].name = name;
    return !json_type(json_get(schema, "propertyNames")) || names_like(m, schema, at, node, e);
}

/* What cannot be held to beside properties, or beside one another. */
static bool check_names(struct form_maker *m, struct json schema, const struct way *at,
                        struct err *e)
{
    struct json properties = json_get(schema, "properties");
    struct json patterns = json_get(schema, "patternProperties");
    struct json others = json_get(schema, "additionalProperties");
    bool named = json_count(properties) != 0;
    if (json_type(properties) && json_type(properties) != JSON_OBJECT)
        return schema_refuse(m, at, "properties", "must be an object", e);
    if (json_type(others) && json_type(others) != JSON_OBJECT && json_type(others) != JSON_TRUE &&
        json_type(others) != JSON_FALSE)
        return schema_refuse(m, at, "additionalProperties", "must be a schema", e);
    if (json_type(patterns) && (json_type(patterns) != JSON_OBJECT || json_count(patterns) != 1 ||
                                named || json_type(json_get(schema, "propertyNames"))))
        return schema_refuse(m, at, "patternProperties",
                             "can only hold one pattern, without properties and propertyNames", e);
    return !named || !json_type(json_get(schema, "propertyNames")) ||
           schema_refuse(m, at, "propertyNames", "can only stand where there are no properties", e);
}

/* Whether the schema's names are like this one. */
static bool name_fits(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                      struct span written, struct err *e)
{
    if (!json_type(json_get(schema, "propertyNames")))
        return true;
    if (m->form->node[node].name == 0 && !names_like(m, schema, at, node, e))
        return false;
    return form_takes(m->form, m->form->node[node].name, written) ||
           schema_refuse(m, at, "required", "has a name that propertyNames does not allow", e);
}

/* Required names that are no properties: what others are like. */
static bool put_others(struct form_maker *m, struct json schema, const struct way *at,
                       uint32_t node, uint32_t n, struct err *e)
{
    struct json properties = json_get(schema, "properties"), name;
    struct json others = json_get(schema, "additionalProperties");
    struct way w = {at, span_str("additionalProperties"), 0};
    struct span key;
    uint32_t value, count = m->form->node[node].count;
    if (n < count && !(json_type(others) == JSON_OBJECT ? schema_make(m, others, &w, &value, e)
                                                        : schema_any(m, &value, e)))
        return false;
    for (name = json_first(json_get(schema, "required")); n < count && json_type(name);
         name = json_next(name)) {
        if (!json_string(name, &key) || json_type(json_get_span(properties, key)))
            continue;
        struct form_item item = {
            .text = schema_written(m, JSON_NOTHING, &key), .value = value, .required = true};
        if (item.text.n == 0)
            return schema_refuse(m, at, "required", "has too long a name", e);
        bool again = false;
        for (uint32_t i = 0; !again && i < n; i++)
            again = span_eq(m->form->node[node].item[i].text, item.text);
        if (again)
            continue;
        if (!name_fits(m, schema, at, node, item.text, e))
            return false;
        m->form->node[node].item[n++] = item;
    }
    return true;
}

bool schema_object(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct json properties = json_get(schema, "properties");
    struct json others = json_get(schema, "additionalProperties");
    struct way w = {at, span_str("properties"), 0};
    struct map names;
    uint32_t n = 0;
    size_t more = 0;
    struct schema_left_out left;
    if (!schema_left_out(m, schema, at, &left, e) ||
        !schema_leaves_in(m, &left, JSON_OBJECT, at, NULL, e))
        return false;
    if (!check_names(m, schema, at, e) || !required(m, schema, at, &names, &more, e))
        return false;
    if (json_count(properties) + more == 0 &&
        (json_type(others) == JSON_OBJECT || json_type(json_get(schema, "patternProperties")) ||
         (!json_type(properties) && json_type(others) != JSON_FALSE)))
        return map(m, schema, at, node, e);
    m->form->node[node].kind = FORM_OBJECT;
    if (!form_list(m, node, json_count(properties) + more, e))
        return false;
    for (struct json p = json_first(properties); json_type(p); p = json_next(p), n++) {
        struct span key = json_key(p);
        struct way here = {&w, key, 0};
        struct form_item item = {.text = schema_written(m, JSON_NOTHING, &key),
                                 .required = map_get(&names, key) != MAP_NONE};
        if (item.text.n == 0)
            return schema_refuse(m, &here, NULL, "has too long a name", e);
        if (!schema_make(m, p, &here, &item.value, e))
            return false;
        m->form->node[node].item[n] = item;
    }
    return put_others(m, schema, at, node, n, e);
}
