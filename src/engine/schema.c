/*
 * The subset of JSON Schema (2020-12) that answers are held to. Every value that a form lets
 * through is one that the schema allows; not every allowed value is let through, because
 * members come in the order of `properties` and no others are written. A keyword that would
 * be overlooked is refused by its place instead.
 */
#include "engine/schema.h"

#include <stdlib.h>
#include <string.h>

enum { LITERAL_DEPTH = 32, SCHEMA_DEPTH = 256 }; /* of what is being read at once */

/* The way to a place in the schema. */
struct way {
    const struct way *up;
    struct span key; /* of an item of an array: empty */
    size_t index;
};

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

static bool refuse_key(struct form_maker *m, const struct way *at, const char *key, const char *why,
                       struct err *e)
{
    struct way w = {at, span_str(key), 0};
    return refuse(m, &w, why, e);
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

/* ---- literals ---- */

static void put_compact(struct json_writer *w, struct json v, int depth)
{
    struct span s;
    bool object = json_type(v) == JSON_OBJECT;
    w->failed = w->failed || depth > LITERAL_DEPTH;
    if (w->failed)
        return;
    if (!object && json_type(v) != JSON_ARRAY) {
        if (json_string(v, &s))
            jw_string(w, s);
        else
            jw_raw(w, json_text(v));
        return;
    }
    if (object)
        jw_object(w);
    else
        jw_array(w);
    for (struct json i = json_first(v); json_type(i); i = json_next(i)) {
        if (object)
            jw_key_span(w, json_key(i));
        put_compact(w, i, depth + 1);
    }
    if (object)
        jw_end_object(w);
    else
        jw_end_array(w);
}

/* A value or a name as it is written; empty: it is too long. */
static struct span written(struct form_maker *m, struct json v, const struct span *name)
{
    struct json_writer w;
    struct buf text;
    buf_init(&text, FORM_TEXT);
    jw_init(&w, json_sink_buf, &text, false);
    if (name != NULL)
        jw_string(&w, *name);
    else
        put_compact(&w, v, 0);
    struct span copy = buf_ok(&text) && !w.failed ? arena_span(m->a, buf_span(&text)) : SPAN_EMPTY;
    buf_free(&text);
    return copy;
}

static int by_octets(const void *a, const void *b)
{
    const struct form_item *x = a, *y = b;
    size_t n = x->text.n < y->text.n ? x->text.n : y->text.n;
    int d = memcmp(x->text.p, y->text.p, n);
    return d != 0 ? d : (x->text.n > y->text.n) - (x->text.n < y->text.n);
}

/* ---- types ---- */

enum {
    IS_NULL = 1,
    IS_BOOLEAN = 2,
    IS_STRING = 4,
    IS_INTEGER = 8,
    IS_NUMBER = 16,
    IS_OBJECT = 32,
    IS_ARRAY = 64,
    IS_ANY = 127
};

static unsigned type_named(struct json v)
{
    static const char *const names[] = {"null",   "boolean", "string", "integer",
                                        "number", "object",  "array"};
    struct span s = SPAN_EMPTY;
    (void)json_string(v, &s);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(s, names[i]))
            return 1U << i;
    return 0;
}

static bool is_whole(struct json v)
{
    struct span text = json_text(v);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '.' || text.p[i] == 'e' || text.p[i] == 'E')
            return false;
    return true;
}

static unsigned type_of(struct json v)
{
    switch (json_type(v)) {
    case JSON_NULL:
        return IS_NULL;
    case JSON_FALSE:
    case JSON_TRUE:
        return IS_BOOLEAN;
    case JSON_NUMBER:
        return is_whole(v) ? IS_INTEGER | IS_NUMBER : IS_NUMBER;
    case JSON_STRING:
        return IS_STRING;
    case JSON_ARRAY:
        return IS_ARRAY;
    case JSON_OBJECT:
        return IS_OBJECT;
    case JSON_MISSING:
        break;
    }
    return 0;
}

/* Without a type, what the other keywords speak of: a value of it is allowed, whatever else is. */
static unsigned implied(struct json schema)
{
    static const struct {
        const char *key;
        unsigned type;
    } speaks[] = {
        {"properties", IS_OBJECT}, {"required", IS_OBJECT}, {"additionalProperties", IS_OBJECT},
        {"items", IS_ARRAY},       {"minItems", IS_ARRAY},  {"maxItems", IS_ARRAY},
        {"minLength", IS_STRING},  {"maxLength", IS_STRING}};
    for (size_t i = 0; i < sizeof speaks / sizeof *speaks; i++)
        if (json_type(json_get(schema, speaks[i].key)))
            return speaks[i].type;
    return IS_ANY;
}

static bool types(struct form_maker *m, struct json schema, const struct way *at, unsigned *out,
                  struct err *e)
{
    struct json v = json_get(schema, "type");
    bool list = json_type(v) == JSON_ARRAY;
    *out = json_type(v) ? 0 : implied(schema);
    for (struct json t = list ? json_first(v) : v; json_type(t);
         t = list ? json_next(t) : JSON_NOTHING) {
        unsigned type = type_named(t);
        if (type == 0)
            return refuse_key(m, at, "type", "must be the name of a type, or several", e);
        *out |= type;
    }
    return *out != 0 || refuse_key(m, at, "type", "must be the name of a type, or several", e);
}

/* ---- keywords ---- */

/* What says nothing of the value, and what is read. Everything else is refused. */
static const char *const annotations[] = {"title",    "description", "default",    "examples",
                                          "$schema",  "$comment",    "$defs",      "definitions",
                                          "readOnly", "writeOnly",   "deprecated", NULL};
static const char *const held_to[] = {
    "type",  "enum",     "const",    "properties", "required",  "additionalProperties",
    "items", "minItems", "maxItems", "minLength",  "maxLength", "anyOf",
    "allOf", "$ref",     NULL};

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
        if (!listed(held_to, key))
            return refuse(m, &w, "is not among what answers can be held to", e);
        if (alone != NULL)
            return refuse(m, &w, "cannot stand beside anyOf, allOf or $ref", e);
    }
    return true;
}

static bool bound(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                  uint32_t *out, struct err *e)
{
    uint64_t n;
    struct json v = json_get(schema, key);
    if (!json_type(v))
        return true;
    if (!json_u64(v, &n) || n > FORM_STRING)
        return refuse_key(m, at, key, "must be a whole number up to 16777216", e);
    *out = (uint32_t)n;
    return true;
}

static bool bounds(struct form_maker *m, struct json schema, const struct way *at, const char *min,
                   const char *max, uint32_t node, struct err *e)
{
    struct form_node n = m->form->node[node];
    if (!bound(m, schema, at, min, &n.min, e) || !bound(m, schema, at, max, &n.max, e))
        return false;
    if (n.min > n.max)
        return refuse_key(m, at, max, "is below the least: there is no such value", e);
    m->form->node[node].min = n.min;
    m->form->node[node].max = n.max;
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

static bool literals(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e)
{
    struct json list = json_get(schema, "enum"), one = json_get(schema, "const");
    bool several = json_type(list) != JSON_MISSING;
    const char *key = several ? "enum" : "const";
    unsigned allowed = IS_ANY;
    uint32_t n = 0;
    if (several && json_type(one))
        return refuse_key(m, at, "const", "cannot stand beside enum", e);
    if (several && (json_type(list) != JSON_ARRAY || json_count(list) == 0))
        return refuse_key(m, at, key, "must be an array that is not empty", e);
    if ((json_type(json_get(schema, "type")) && !types(m, schema, at, &allowed, e)) ||
        !form_list(m, node, several ? json_count(list) : 1, e))
        return false;
    struct form_item *items = m->form->node[node].item;
    for (struct json v = several ? json_first(list) : one; json_type(v);
         v = several ? json_next(v) : JSON_NOTHING) {
        if ((type_of(v) & allowed) == 0)
            continue;
        items[n].text = written(m, v, NULL);
        if (items[n++].text.n == 0)
            return refuse_key(m, at, key, "holds a value that is too long or too deep", e);
    }
    m->form->node[node].kind = FORM_LITERALS;
    m->form->node[node].count = n;
    qsort(items, n, sizeof *items, by_octets);
    return n != 0 || refuse_key(m, at, key, "holds no value of the type", e);
}

static bool is_required(struct json list, struct span name)
{
    struct span s;
    for (struct json r = json_first(list); json_type(r); r = json_next(r))
        if (json_string(r, &s) && span_eq(s, name))
            return true;
    return false;
}

static bool required(struct form_maker *m, struct json schema, const struct way *at, struct err *e)
{
    struct json list = json_get(schema, "required"), properties = json_get(schema, "properties");
    struct way w = {at, span_str("required"), 0}, item = {&w, {NULL, 0}, 0};
    struct span name;
    if (json_type(list) && (json_type(list) != JSON_ARRAY || json_count(list) > FORM_LIST))
        return refuse(m, &w, "must be an array of up to 4096 names", e);
    for (struct json r = json_first(list); json_type(r); r = json_next(r), item.index++) {
        if (!json_string(r, &name) || !json_type(json_get_span(properties, name)))
            return refuse(m, &item, "must name one of the properties", e);
    }
    return true;
}

/* No properties: any names, unless no others are allowed. */
static bool map(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                struct err *e)
{
    struct json others = json_get(schema, "additionalProperties");
    struct way w = {at, span_str("additionalProperties"), 0};
    uint32_t value;
    if (!(json_type(others) == JSON_OBJECT ? make(m, others, &w, &value, e)
                                           : any_value(m, &value, e)))
        return false;
    m->form->node[node].kind = FORM_MAP;
    m->form->node[node].value = value;
    return true;
}

static bool object(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct json properties = json_get(schema, "properties");
    struct json others = json_get(schema, "additionalProperties");
    struct way w = {at, span_str("properties"), 0};
    uint32_t n = 0;
    if (json_type(others) && json_type(others) != JSON_OBJECT && json_type(others) != JSON_TRUE &&
        json_type(others) != JSON_FALSE)
        return refuse_key(m, at, "additionalProperties", "must be a schema", e);
    if (!required(m, schema, at, e))
        return false;
    if (json_count(properties) == 0 &&
        (json_type(others) == JSON_OBJECT ||
         (!json_type(properties) && json_type(others) != JSON_FALSE)))
        return map(m, schema, at, node, e);
    if (json_type(properties) && json_type(properties) != JSON_OBJECT)
        return refuse(m, &w, "must be an object", e);
    if (json_count(properties) && json_type(others) == JSON_OBJECT)
        return refuse_key(m, at, "additionalProperties",
                          "can only be a schema where there are no properties", e);
    m->form->node[node].kind = FORM_OBJECT;
    if (!form_list(m, node, json_count(properties), e))
        return false;
    for (struct json p = json_first(properties); json_type(p); p = json_next(p), n++) {
        struct span key = json_key(p);
        struct way here = {&w, key, 0};
        struct form_item item = {.text = written(m, JSON_NOTHING, &key),
                                 .required = is_required(json_get(schema, "required"), key)};
        if (item.text.n == 0)
            return refuse(m, &here, "has too long a name", e);
        if (!make(m, p, &here, &item.value, e))
            return false;
        m->form->node[node].item[n] = item;
    }
    return true;
}

static bool array(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                  struct err *e)
{
    struct json items = json_get(schema, "items");
    struct way w = {at, span_str("items"), 0};
    uint32_t value;
    m->form->node[node].kind = FORM_ARRAY;
    if (!bounds(m, schema, at, "minItems", "maxItems", node, e) ||
        !(json_type(items) ? make(m, items, &w, &value, e) : any_value(m, &value, e)))
        return false;
    m->form->node[node].value = value;
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
    if (type == IS_STRING) {
        m->form->node[node].kind = FORM_TEXTUAL;
        return bounds(m, schema, at, "minLength", "maxLength", node, e);
    }
    if (type == IS_NULL || type == IS_BOOLEAN)
        return words(m, type, node, e);
    m->form->node[node].kind = FORM_NUMBER;
    m->form->node[node].whole = type == IS_INTEGER;
    return true;
}

/* A number may be whole, so that one kind is enough where both are named. */
static bool of_types(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                     struct err *e)
{
    unsigned all = 0;
    uint32_t n = 0;
    if (!types(m, schema, at, &all, e))
        return false;
    if (all & IS_NUMBER)
        all &= ~(unsigned)IS_INTEGER;
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

static bool any_of(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    struct json list = json_get(schema, "anyOf");
    struct way w = {at, span_str("anyOf"), 0}, here = {&w, {NULL, 0}, 0};
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0)
        return refuse(m, &w, "must be an array that is not empty", e);
    if (!keywords(m, schema, at, "anyOf", e) || !form_list(m, node, json_count(list), e))
        return false;
    m->form->node[node].kind = FORM_ANY;
    for (struct json v = json_first(list); json_type(v); v = json_next(v), here.index++) {
        uint32_t value;
        if (!make(m, v, &here, &value, e))
            return false;
        m->form->node[node].item[here.index].value = value;
    }
    return true;
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
        return any_of(m, schema, at, node, e);
    if (!keywords(m, schema, at, NULL, e))
        return false;
    if (json_type(json_get(schema, "enum")) || json_type(json_get(schema, "const")))
        return literals(m, schema, at, node, e);
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
