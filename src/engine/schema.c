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

bool schema_refuse_none(struct form_maker *m, const struct way *at, const char *key,
                        const char *why, struct err *e)
{
    m->none = true;
    return schema_refuse(m, at, key, why, e);
}

/* ---- nodes ---- */

bool form_new(struct form_maker *m, enum form_kind kind, uint32_t *node, struct err *e)
{
    struct engine_form *f = m->form;
    if (f->count == FORM_NODES)
        return err_set(e, ERR_UNSUPPORTED, "has more than %d parts", FORM_NODES);
    struct form_node *grown = arena_grow(m->a, f->node, f->count, &m->room, sizeof *grown);
    struct json *made = arena_grow(m->a, m->made_of, f->count, &m->made_room, sizeof *made);
    if (grown == NULL || made == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    f->node = grown;
    m->made_of = made;
    *node = f->count++;
    f->node[*node] = (struct form_node){.kind = kind, .max = UINT32_MAX};
    made[*node] = JSON_NOTHING;
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

/* What says nothing of the value, and what is read. Everything else is refused. (OpenAPI's "nullable" may
 * allow a value that JSON Schema does not: it is never written.) */
static const char *const annotations[] = {"title",
                                          "description",
                                          "default",
                                          "examples",
                                          "example",
                                          "$schema",
                                          "$comment",
                                          "$defs",
                                          "definitions",
                                          "readOnly",
                                          "writeOnly",
                                          "deprecated",
                                          "contentEncoding",
                                          "contentMediaType",
                                          "contentSchema",
                                          "discriminator",
                                          "externalDocs",
                                          "nullable",
                                          NULL};
static const char *const held_to[] = {"type",  "enum",  "const", "not", "anyOf",
                                      "oneOf", "allOf", "$ref",  NULL};

static bool listed(const char *const *names, struct span key)
{
    for (; *names != NULL; names++)
        if (span_is(key, *names))
            return true;
    return false;
}

/* `at` NULL: the schema as a whole, whose name changes nothing. */
bool schema_is_annotation(struct json k, const struct way *at)
{
    struct span key = json_key(k);
    return listed(annotations, key) || span_starts(key, "x-") ||
           (at == NULL && span_is(key, "$id")) ||
           (span_is(key, "uniqueItems") && json_type(k) == JSON_FALSE);
}

bool schema_says(struct json schema, const struct way *at)
{
    for (struct json k = json_first(schema); json_type(k); k = json_next(k))
        if (!schema_is_annotation(k, at) && !span_is(json_key(k), "allOf") &&
            !span_is(json_key(k), "$ref"))
            return true;
    return false;
}

/* `alone`: nothing but this keyword may say what the value is; or `beside`, which then says nothing. */
static bool keywords(struct form_maker *m, struct json schema, const struct way *at,
                     const char *alone, const char *beside, struct err *e)
{
    for (struct json k = json_first(schema); json_type(k); k = json_next(k)) {
        struct span key = json_key(k);
        struct way w = {at, key, 0};
        if (schema_is_annotation(k, at) || (alone != NULL && span_is(key, alone)) ||
            (beside != NULL && span_is(key, beside)))
            continue;
        if (!schema_speaks(key) && !listed(held_to, key))
            return refuse(m, &w, "is not among what answers can be held to", e);
        if (alone != NULL)
            return refuse(m, &w, "cannot stand beside anyOf or oneOf", e);
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

bool schema_any(struct form_maker *m, uint32_t *out, struct err *e)
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

static bool words(struct form_maker *m, struct json schema, const struct way *at, unsigned type,
                  uint32_t node, struct err *e)
{
    static const struct {
        const char *text;
        unsigned type;
        enum json_type json;
    } all[] = {{"false", IS_BOOLEAN, JSON_FALSE},
               {"true", IS_BOOLEAN, JSON_TRUE},
               {"null", IS_NULL, JSON_NULL}};
    struct schema_left_out left;
    uint32_t n = 0;
    if (!schema_left_out(m, schema, at, &left, e) || !form_list(m, node, 3, e))
        return false;
    for (size_t i = 0; i < 3; i++)
        if ((type & all[i].type) && !schema_leaves_out_type(&left, all[i].json))
            m->form->node[node].item[n++].text = span_str(all[i].text);
    m->form->node[node].kind = FORM_LITERALS;
    m->form->node[node].count = n;
    return true;
}

/* A value of one type. */
static bool typed(struct form_maker *m, struct json schema, const struct way *at, unsigned type,
                  uint32_t node, struct err *e)
{
    if (type == IS_OBJECT)
        return schema_object(m, schema, at, node, e);
    if (type == IS_ARRAY)
        return schema_array(m, schema, at, node, e);
    if (type == IS_STRING)
        return schema_string(m, schema, at, node, e);
    if (type == IS_NULL || type == IS_BOOLEAN)
        return words(m, schema, at, type, node, e);
    return schema_number(m, schema, at, type == IS_INTEGER, node, e);
}

/* A number may be whole, so that one kind is enough where both are named. */
static bool of_types(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e)
{
    unsigned all = 0;
    uint32_t n = 0;
    struct schema_left_out left;
    if (!schema_types(m, schema, at, &all, e) || !schema_left_out(m, schema, at, &left, e))
        return false;
    all = schema_types_left(&left, all);
    if (all == 0)
        return schema_refuse_none(m, at, "not", "leaves no value", e);
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

/* Whether the type that a union stands beside says nothing more: each alternative says one of it itself,
 * or what it refers to does. */
static bool types_hold(struct form_maker *m, struct json schema, struct json list)
{
    enum { REFERENCES = 8 };
    unsigned all = 0, own;
    bool hold = json_type(json_get(schema, "type")) && schema_types(m, schema, NULL, &all, NULL);
    if (all & IS_NUMBER)
        all |= IS_INTEGER;
    for (struct json v = json_first(list); hold && json_type(v); v = json_next(v)) {
        struct json at = v;
        for (int i = 0; i < REFERENCES && json_type(json_get(at, "$ref")); i++)
            at = schema_referred(m->root, json_get(at, "$ref"));
        hold = json_type(json_get(at, "type")) && schema_types(m, at, NULL, &own, NULL) &&
               (own & ~all) == 0;
    }
    return hold;
}

/* anyOf or oneOf. */
static bool any_of(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                   uint32_t node, struct err *e)
{
    struct json list = json_get(schema, key);
    struct way w = {at, span_str(key), 0}, here = {&w, {NULL, 0}, 0};
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0)
        return refuse(m, &w, "must be an array that is not empty", e);
    const char *beside = types_hold(m, schema, list) ? "type" : NULL;
    if (!keywords(m, schema, at, key, beside, e) || !form_list(m, node, json_count(list), e))
        return false;
    m->form->node[node].kind = FORM_ANY;
    for (struct json v = json_first(list); json_type(v); v = json_next(v), here.index++) {
        uint32_t value;
        if (!schema_make(m, v, &here, &value, e))
            return false;
        m->form->node[node].item[here.index].value = value;
    }
    return strcmp(key, "oneOf") != 0 || note_apart(m, &w, node, e);
}

/* Another schema of this one. */
static bool reference(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                      struct err *e)
{
    struct json to = schema_referred(m->root, json_get(schema, "$ref"));
    struct way w = {at, span_str("$ref"), 0};
    uint32_t value;
    if (!json_type(to))
        return refuse(m, &w, "must lead to a schema within this one (#/$defs/NAME)", e);
    if (!schema_make(m, to, &w, &value, e))
        return false;
    m->form->node[node].kind = FORM_ALIAS;
    m->form->node[node].value = value;
    return true;
}

static bool make_new(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e);

/* What several schemas say together; of the same there is one node, so that it may refer to itself. */
static bool all_of(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct json merged;
    struct way w = {at, span_str("allOf"), 0};
    uint32_t before = MAP_NONE;
    if (!schema_merge(m, schema, at, &merged, e))
        return false;
    if (!map_put(&m->merged, json_text(merged), node, &before))
        return err_set(e, ERR_MEMORY, "no memory for a form");
    if (before == MAP_NONE || m->form->node[before].kind == FORM_REFUSED) {
        if (make_new(m, merged, json_type(json_get(schema, "allOf")) ? &w : at, node, e))
            return true;
        m->form->node[node].kind = FORM_REFUSED; /* whoever asked may do without it */
        return false;
    }
    m->form->node[node].kind = FORM_ALIAS;
    m->form->node[node].value = before;
    return true;
}

static bool make_new(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e)
{
    if (json_type(json_get(schema, "allOf")) ||
        (json_type(json_get(schema, "$ref")) && schema_says(schema, at)))
        return all_of(m, schema, at, node, e);
    if (json_type(json_get(schema, "$ref")))
        return reference(m, schema, at, node, e);
    if (json_type(json_get(schema, "anyOf")))
        return any_of(m, schema, at, "anyOf", node, e);
    if (json_type(json_get(schema, "oneOf")))
        return any_of(m, schema, at, "oneOf", node, e);
    if (!keywords(m, schema, at, NULL, NULL, e))
        return false;
    if (json_type(json_get(schema, "enum")) || json_type(json_get(schema, "const")))
        return schema_constants(m, schema, at, node, e);
    return of_types(m, schema, at, node, e);
}

bool schema_make(struct form_maker *m, struct json schema, const struct way *at, uint32_t *out,
                 struct err *e)
{
    if (json_type(schema) == JSON_TRUE)
        return schema_any(m, out, e);
    if (json_type(schema) != JSON_OBJECT)
        return refuse(m, at,
                      json_type(schema) == JSON_FALSE ? "allows no value" : "must be a schema", e);
    for (uint32_t i = m->first; i < m->form->count; i++) {
        if (m->made_of[i].doc == schema.doc && m->made_of[i].node == schema.node) {
            *out = i;
            return true;
        }
    }
    if (m->depth == SCHEMA_DEPTH)
        return refuse(m, at, "is reached over too many others", e);
    if (!form_new(m, FORM_UNSET, out, e))
        return false;
    m->made_of[*out] = schema;
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
    if (!map_init(&m->merged, m->a, 0))
        return err_set(e, ERR_MEMORY, "no memory for a form");
    return schema_make(m, schema, NULL, node, e);
}
