/*
 * The subset of JSON Schema (2020-12) that answers are held to. Every value that a form lets
 * through is one that the schema allows; not every allowed value is let through, because
 * members come in the order of `properties` and no others are written. A keyword that would
 * be overlooked is refused by its place instead.
 */
#include <string.h>

#include "engine/automaton.h"
#include "engine/schema.h"

enum { SCHEMA_DEPTH = 256 }; /* of what is being read at once */

/* ---- what is refused ---- */

static void put_way(struct buf *out, const struct way *w)
{
    if (w == NULL)
        return;
    put_way(out, w->up);
    if (w->key.p == NULL) {
        buf_printf(out, "/%zu", w->index);
        return;
    }
    buf_put_u8(out, '/');
    for (size_t i = 0; i < w->key.n; i++) {
        if (w->key.p[i] == '~' || w->key.p[i] == '/')
            buf_put_str(out, w->key.p[i] == '~' ? "~0" : "~1");
        else
            buf_put_u8(out, w->key.p[i]);
    }
}

static bool refuse(struct form_maker *m, const struct way *at, const char *why, struct err *e)
{
    buf_clear(m->where);
    buf_put_u8(m->where, '#');
    put_way(m->where, at);
    return err_set(e, ERR_UNSUPPORTED, "%s", why);
}

bool schema_refuse(struct form_maker *m, const struct way *at, const char *key, const char *why,
                   struct err *e)
{
    struct way w = {at, key ? span_str(key) : SPAN_EMPTY, 0};
    return refuse(m, key ? &w : at, why, e);
}

/* ---- nodes ---- */

bool form_new(struct form_maker *m, enum form_kind kind, uint32_t *node, struct err *e)
{
    struct engine_form *f = m->form;
    if (f->count == FORM_NODES)
        return err_set(e, ERR_UNSUPPORTED, "has more than %d parts", FORM_NODES);
    struct form_node *grown = arena_grow(m->a, f->node, f->count, &m->room, sizeof *grown);
    size_t *made = arena_grow(m->a, m->made_of, f->count, &m->made_room, sizeof *made);
    if (grown == NULL || made == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    f->node = grown;
    m->made_of = made;
    *node = f->count++;
    f->node[*node] = (struct form_node){.kind = kind, .max = UINT32_MAX};
    made[*node] = SIZE_MAX;
    return true;
}

bool form_list(struct form_maker *m, uint32_t node, size_t count, struct err *e)
{
    if (count > FORM_LIST)
        return err_set(e, ERR_UNSUPPORTED, "has more than %d parts", FORM_LIST);
    struct form_item *items = arena_array(m->a, count + 1, sizeof *items);
    if (items == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    m->form->node[node].item = items;
    m->form->node[node].count = (uint32_t)count;
    return true;
}

/* ---- keywords ---- */

/* What says nothing of the value, and what is read. Everything else is refused. */
static const char *const annotations[] = {
    "title",       "description", "default",   "examples",   "$schema",       "$comment", "$defs",
    "definitions", "readOnly",    "writeOnly", "deprecated", "discriminator", NULL};
static const char *const held_to[] = {"type",  "enum",  "const", "anyOf",
                                      "oneOf", "allOf", "$ref",  NULL};

static bool listed(const char *const *names, struct span key)
{
    for (; *names != NULL; names++)
        if (span_is(key, *names))
            return true;
    return false;
}

/* `alone`: nothing but this keyword may say what the value is. */
static bool keywords(struct form_maker *m, struct json schema, const struct way *at,
                     const char *alone, struct err *e)
{
    for (struct json k = json_first(schema); json_type(k); k = json_next(k)) {
        struct span key = json_key(k);
        struct way w = {at, key, 0};
        bool false_one = span_is(key, "uniqueItems") && json_type(k) == JSON_FALSE;
        if (listed(annotations, key) || false_one || (alone != NULL && span_is(key, alone)))
            continue;
        if (!schema_speaks(key) && !listed(held_to, key))
            return refuse(m, &w, "is not among what answers can be held to", e);
        if (alone != NULL)
            return refuse(m, &w, "cannot stand beside anyOf, oneOf, allOf or $ref", e);
    }
    return true;
}

bool schema_count(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                  uint32_t *out, struct err *e)
{
    uint64_t n;
    struct json v = json_get(schema, key);
    if (!json_type(v))
        return true;
    if (!json_u64(v, &n) || n > FORM_STRING)
        return schema_refuse(m, at, key, "must be a whole number up to 16777216", e);
    *out = (uint32_t)n;
    return true;
}

/* ---- schemas ---- */

static bool make(struct form_maker *m, struct json schema, const struct way *at, uint32_t *out,
                 struct err *e);

static bool any_value(struct form_maker *m, uint32_t *out, struct err *e)
{
    static const char *const words[] = {"false", "null", "true"};
    uint32_t any, literals, number, map, array;
    if (m->free != 0) {
        *out = m->free;
        return true;
    }
    if (!form_new(m, FORM_ANY, &any, e) || !form_new(m, FORM_LITERALS, &literals, e) ||
        !form_new(m, FORM_NUMBER, &number, e) || !form_new(m, FORM_MAP, &map, e) ||
        !form_new(m, FORM_ARRAY, &array, e) || !form_list(m, any, 5, e) ||
        !form_list(m, literals, 3, e))
        return false;
    const uint32_t all[] = {0, literals, number, map, array};
    for (size_t i = 0; i < 5; i++)
        m->form->node[any].item[i].value = all[i];
    for (size_t i = 0; i < 3; i++)
        m->form->node[literals].item[i].text = span_str(words[i]);
    m->form->node[map].value = m->form->node[array].value = any;
    *out = m->free = any;
    return true;
}

/* The names of `required`, each of which must be one of the properties. */
static bool required(struct form_maker *m, struct json schema, const struct way *at,
                     struct map *names, struct err *e)
{
    struct json list = json_get(schema, "required"), properties = json_get(schema, "properties");
    struct way w = {at, span_str("required"), 0}, item = {&w, {NULL, 0}, 0};
    struct span name;
    uint32_t before;
    if (json_type(list) && (json_type(list) != JSON_ARRAY || json_count(list) > FORM_LIST))
        return refuse(m, &w, "must be an array of up to 8192 names", e);
    if (!map_init(names, m->a, json_count(list)))
        return err_set(e, ERR_MEMORY, "no memory for a form");
    for (struct json r = json_first(list); json_type(r); r = json_next(r), item.index++) {
        if (!json_string(r, &name) || !json_type(json_get_span(properties, name)))
            return refuse(m, &item, "must name one of the properties", e);
        if (!map_put(names, name, 0, &before))
            return err_set(e, ERR_MEMORY, "no memory for a form");
    }
    return true;
}

/* Names like a schema's strings. */
static bool names_like(struct form_maker *m, struct json schema, const struct way *at,
                       uint32_t node, struct err *e)
{
    struct way w = {at, span_str("propertyNames"), 0};
    uint32_t name = 0;
    if (!make(m, json_get(schema, "propertyNames"), &w, &name, e))
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
        return refuse(m, &w, "must be of type string", e);
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
    if (!(json_type(others) == JSON_OBJECT ? make(m, others, way, &value, e)
                                           : any_value(m, &value, e)))
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
    if (named && json_type(others) == JSON_OBJECT)
        return schema_refuse(m, at, "additionalProperties",
                             "can only be a schema where there are no properties", e);
    if (json_type(patterns) && (json_type(patterns) != JSON_OBJECT || json_count(patterns) != 1 ||
                                named || json_type(json_get(schema, "propertyNames"))))
        return schema_refuse(m, at, "patternProperties",
                             "can only hold one pattern, without properties and propertyNames", e);
    return !named || !json_type(json_get(schema, "propertyNames")) ||
           schema_refuse(m, at, "propertyNames", "can only stand where there are no properties", e);
}

static bool object(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct json properties = json_get(schema, "properties");
    struct json others = json_get(schema, "additionalProperties");
    struct way w = {at, span_str("properties"), 0};
    struct map names;
    uint32_t n = 0;
    if (!check_names(m, schema, at, e) || !required(m, schema, at, &names, e))
        return false;
    if (json_count(properties) == 0 &&
        (json_type(others) == JSON_OBJECT || json_type(json_get(schema, "patternProperties")) ||
         (!json_type(properties) && json_type(others) != JSON_FALSE)))
        return map(m, schema, at, node, e);
    m->form->node[node].kind = FORM_OBJECT;
    if (!form_list(m, node, json_count(properties), e))
        return false;
    for (struct json p = json_first(properties); json_type(p); p = json_next(p), n++) {
        struct span key = json_key(p);
        struct way here = {&w, key, 0};
        struct form_item item = {.text = schema_written(m, JSON_NOTHING, &key),
                                 .required = map_get(&names, key) != MAP_NONE};
        if (item.text.n == 0)
            return refuse(m, &here, "has too long a name", e);
        if (!make(m, p, &here, &item.value, e))
            return false;
        m->form->node[node].item[n] = item;
    }
    return true;
}

/* The first items, each like a schema of its own. */
static bool prefix(struct form_maker *m, struct json list, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct way w = {at, span_str("prefixItems"), 0}, item = {&w, {NULL, 0}, 0};
    if (json_type(list) && (json_type(list) != JSON_ARRAY || json_count(list) == 0))
        return refuse(m, &w, "must be an array that is not empty", e);
    if (!form_list(m, node, json_count(list), e))
        return false;
    for (struct json v = json_first(list); json_type(v); v = json_next(v), item.index++) {
        uint32_t value;
        if (!make(m, v, &item, &value, e))
            return false;
        m->form->node[node].item[item.index].value = value;
    }
    return true;
}

static bool array(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                  struct err *e)
{
    struct json items = json_get(schema, "items"), list = json_get(schema, "prefixItems");
    struct way w = {at, span_str("items"), 0};
    uint32_t value, min = 0, max = UINT32_MAX;
    if (!schema_count(m, schema, at, "minItems", &min, e) ||
        !schema_count(m, schema, at, "maxItems", &max, e))
        return false;
    bool none_behind = json_type(items) == JSON_FALSE && json_type(list);
    if (none_behind && max > json_count(list))
        max = (uint32_t)json_count(list);
    if (min > max)
        return schema_refuse(m, at,
                             json_type(json_get(schema, "maxItems")) ? "maxItems" : "minItems",
                             "allows fewer items than must be: there is no such array", e);
    if (!prefix(m, list, at, node, e) ||
        !(json_type(items) && !none_behind ? make(m, items, &w, &value, e)
                                           : any_value(m, &value, e)))
        return false;
    struct form_node *n = &m->form->node[node];
    n->kind = FORM_ARRAY;
    n->min = min;
    n->max = max;
    n->value = value;
    return true;
}

static bool words(struct form_maker *m, unsigned type, uint32_t node, struct err *e)
{
    static const char *const all[] = {"false", "true", "null"};
    uint32_t n = 0;
    if (!form_list(m, node, 3, e))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (type & (i == 2 ? IS_NULL : IS_BOOLEAN))
            m->form->node[node].item[n++].text = span_str(all[i]);
    m->form->node[node].kind = FORM_LITERALS;
    m->form->node[node].count = n;
    return true;
}

/* A value of one type. */
static bool typed(struct form_maker *m, struct json schema, const struct way *at, unsigned type,
                  uint32_t node, struct err *e)
{
    if (type == IS_OBJECT)
        return object(m, schema, at, node, e);
    if (type == IS_ARRAY)
        return array(m, schema, at, node, e);
    if (type == IS_STRING)
        return schema_string(m, schema, at, node, e);
    if (type == IS_NULL || type == IS_BOOLEAN)
        return words(m, type, node, e);
    return schema_number(m, schema, at, type == IS_INTEGER, node, e);
}

/* A number may be whole, so that one kind is enough where both are named. */
static bool of_types(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e)
{
    unsigned all = 0;
    uint32_t n = 0;
    if (!schema_types(m, schema, at, &all, e))
        return false;
    if (all & IS_NUMBER)
        all &= ~(unsigned)IS_INTEGER;
    m->form->node[node].loose =
        !json_type(json_get(schema, "type")) && all != (IS_ANY & ~IS_INTEGER);
    if ((all & (all - 1)) == 0)
        return typed(m, schema, at, all, node, e);
    if (!form_list(m, node, 7, e))
        return false;
    m->form->node[node].kind = FORM_ANY;
    for (unsigned type = 1; type <= IS_ARRAY; type <<= 1) {
        uint32_t value;
        if ((all & type) == 0)
            continue;
        if (!form_new(m, FORM_UNSET, &value, e) || !typed(m, schema, at, type, value, e))
            return false;
        m->form->node[node].item[n++].value = value;
    }
    m->form->node[node].count = n;
    return true;
}

/* Alternatives that must be apart: whether they are is seen once all nodes are made. */
static bool note_apart(struct form_maker *m, const struct way *at, uint32_t node, struct err *e)
{
    struct form_apart *grown =
        arena_grow(m->a, m->apart, m->apart_count, &m->apart_room, sizeof *grown);
    if (grown == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    m->apart = grown;
    buf_clear(m->where);
    buf_put_u8(m->where, '#');
    put_way(m->where, at);
    struct span where = arena_span(m->a, buf_span(m->where));
    grown[m->apart_count++] = (struct form_apart){node, where};
    return where.p != NULL || err_set(e, ERR_MEMORY, "no memory for a form");
}

/* anyOf or oneOf. */
static bool any_of(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                   uint32_t node, struct err *e)
{
    struct json list = json_get(schema, key);
    struct way w = {at, span_str(key), 0}, here = {&w, {NULL, 0}, 0};
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0)
        return refuse(m, &w, "must be an array that is not empty", e);
    if (!keywords(m, schema, at, key, e) || !form_list(m, node, json_count(list), e))
        return false;
    m->form->node[node].kind = FORM_ANY;
    for (struct json v = json_first(list); json_type(v); v = json_next(v), here.index++) {
        uint32_t value;
        if (!make(m, v, &here, &value, e))
            return false;
        m->form->node[node].item[here.index].value = value;
    }
    return strcmp(key, "oneOf") != 0 || note_apart(m, &w, node, e);
}

/* Where a pointer leads, RFC 6901 without the escapes of a URI. */
static struct json referred(struct json root, struct span pointer)
{
    struct json v = root;
    while (pointer.n && json_type(v)) {
        char key[256];
        size_t n = 0, i = 1;
        for (; i < pointer.n && pointer.p[i] != '/' && n < sizeof key; i++) {
            bool escape = pointer.p[i] == '~' && i + 1 < pointer.n;
            key[n++] = escape ? (pointer.p[++i] == '1' ? '/' : '~') : (char)pointer.p[i];
        }
        if (pointer.p[0] != '/' || json_type(v) != JSON_OBJECT || n == sizeof key)
            return JSON_NOTHING;
        v = json_get_span(v, (struct span){(const uint8_t *)key, n});
        pointer = span_sub(pointer, i, pointer.n);
    }
    return v;
}

/* Another schema of this one, or the only one of allOf. */
static bool alias(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                  uint32_t node, struct err *e)
{
    struct json v = json_get(schema, key), to = JSON_NOTHING;
    struct way w = {at, span_str(key), 0};
    struct span text;
    bool reference = strcmp(key, "$ref") == 0;
    uint32_t value;
    if (reference && json_string(v, &text) && text.n && text.p[0] == '#')
        to = referred(m->root, span_sub(text, 1, text.n));
    else if (!reference && json_count(v) == 1)
        to = json_first(v);
    if (!json_type(to))
        return refuse(m, &w,
                      reference ? "must lead to a schema within this one (#/$defs/NAME)"
                                : "can only hold one schema",
                      e);
    if (!keywords(m, schema, at, key, e) || !make(m, to, &w, &value, e))
        return false;
    m->form->node[node].kind = FORM_ALIAS;
    m->form->node[node].value = value;
    return true;
}

static bool make_new(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e)
{
    if (json_type(json_get(schema, "$ref")))
        return alias(m, schema, at, "$ref", node, e);
    if (json_type(json_get(schema, "allOf")))
        return alias(m, schema, at, "allOf", node, e);
    if (json_type(json_get(schema, "anyOf")))
        return any_of(m, schema, at, "anyOf", node, e);
    if (json_type(json_get(schema, "oneOf")))
        return any_of(m, schema, at, "oneOf", node, e);
    if (!keywords(m, schema, at, NULL, e))
        return false;
    if (json_type(json_get(schema, "enum")) || json_type(json_get(schema, "const")))
        return schema_constants(m, schema, at, node, e);
    return of_types(m, schema, at, node, e);
}

static bool make(struct form_maker *m, struct json schema, const struct way *at, uint32_t *out,
                 struct err *e)
{
    if (json_type(schema) == JSON_TRUE)
        return any_value(m, out, e);
    if (json_type(schema) != JSON_OBJECT)
        return refuse(m, at,
                      json_type(schema) == JSON_FALSE ? "allows no value" : "must be a schema", e);
    for (uint32_t i = m->first; i < m->form->count; i++) {
        if (m->made_of[i] == json_offset(schema)) {
            *out = i;
            return true;
        }
    }
    if (m->depth == SCHEMA_DEPTH)
        return refuse(m, at, "is reached over too many others", e);
    if (!form_new(m, FORM_UNSET, out, e))
        return false;
    m->made_of[*out] = json_offset(schema);
    m->depth++;
    bool ok = make_new(m, schema, at, *out, e);
    m->depth--;
    return ok;
}

bool schema_node(struct form_maker *m, struct json schema, uint32_t *node, struct err *e)
{
    m->root = schema;
    m->first = m->form->count;
    buf_clear(m->where);
    buf_put_u8(m->where, '#');
    return make(m, schema, NULL, node, e);
}
