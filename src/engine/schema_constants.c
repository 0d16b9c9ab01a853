/*
 * enum and const: values as they are written, those that all other keywords of the schema allow. And which
 * types a schema allows, which is what keywords speak of where it does not say.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/decimal.h"
#include "engine/schema.h"

enum { LITERAL_DEPTH = 32 };

/* ---- what is written ---- */

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

struct span schema_written(struct form_maker *m, struct json v, const struct span *name)
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

void schema_sort(struct form_item *items, size_t n)
{
    qsort(items, n, sizeof *items, by_octets);
}

/* ---- types ---- */

static const char *const type_names[] = {"null",   "boolean", "string", "integer",
                                         "number", "object",  "array"};

static unsigned type_named(struct json v)
{
    struct span s = SPAN_EMPTY;
    (void)json_string(v, &s);
    for (unsigned i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (span_is(s, type_names[i]))
            return 1U << i;
    return 0;
}

const char *schema_type_name(unsigned type)
{
    unsigned i = 0;
    while (type >> i > 1)
        i++;
    return type_names[i];
}

/* As JSON Schema has it: 1.0 is an integer. */
static bool is_whole(struct json v)
{
    struct decimal d;
    return decimal_read(&d, json_text(v)) && d.point >= d.count;
}

unsigned schema_type_of(struct json v)
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

/* Of what the keywords speak, which say nothing of values of other types. */
static const struct {
    const char *key;
    unsigned type;
} speaks[] = {{"properties", IS_OBJECT},
              {"required", IS_OBJECT},
              {"additionalProperties", IS_OBJECT},
              {"patternProperties", IS_OBJECT},
              {"propertyNames", IS_OBJECT},
              {"items", IS_ARRAY},
              {"prefixItems", IS_ARRAY},
              {"minItems", IS_ARRAY},
              {"maxItems", IS_ARRAY},
              {"uniqueItems", IS_ARRAY},
              {"contains", IS_ARRAY},
              {"minContains", IS_ARRAY},
              {"maxContains", IS_ARRAY},
              {"minLength", IS_STRING},
              {"maxLength", IS_STRING},
              {"pattern", IS_STRING},
              {"format", IS_STRING},
              {"minimum", IS_NUMBER},
              {"maximum", IS_NUMBER},
              {"exclusiveMinimum", IS_NUMBER},
              {"exclusiveMaximum", IS_NUMBER},
              {"multipleOf", IS_NUMBER}};
enum { SPEAKS = sizeof speaks / sizeof *speaks };

bool schema_speaks(struct span key)
{
    for (size_t i = 0; i < SPEAKS; i++)
        if (span_is(key, speaks[i].key))
            return true;
    return false;
}

/* A keyword that the schema has of values of a type; SPEAKS: there is none. */
static size_t spoken(struct json schema, unsigned type)
{
    size_t i = 0;
    while (i < SPEAKS && !((speaks[i].type & type) && json_type(json_get(schema, speaks[i].key))))
        i++;
    return i;
}

/* Without a type, what the other keywords speak of: a value of it is allowed, whatever else is. */
static unsigned implied(struct json schema)
{
    size_t i = spoken(schema, IS_ANY);
    return i < SPEAKS ? speaks[i].type : IS_ANY;
}

bool schema_types(struct form_maker *m, struct json schema, const struct way *at, unsigned *out,
                  struct err *e)
{
    struct json v = json_get(schema, "type");
    bool list = json_type(v) == JSON_ARRAY;
    *out = json_type(v) ? 0 : implied(schema);
    for (struct json t = list ? json_first(v) : v; json_type(t);
         t = list ? json_next(t) : JSON_NOTHING) {
        unsigned type = type_named(t);
        if (type == 0)
            return schema_refuse(m, at, "type", "must be the name of a type, or several", e);
        *out |= type;
    }
    return *out != 0 || schema_refuse(m, at, "type", "must be the name of a type, or several", e);
}

/* ---- constants ---- */

/* Whether a constant is among what the other keywords allow, of which `probe` is the node for its
 * type, made when it is asked for. */
static bool allowed_too(struct form_maker *m, struct json schema, const struct way *at,
                        struct json v, struct span text, uint32_t probe[2], bool *out,
                        struct err *e)
{
    unsigned type = schema_type_of(v);
    size_t key = spoken(schema, type);
    uint32_t *node = &probe[(type & IS_STRING) != 0];
    *out = true;
    if (key == SPEAKS)
        return true;
    if (type & (IS_OBJECT | IS_ARRAY))
        return schema_refuse(m, at, speaks[key].key, "cannot stand beside constants of its type",
                             e);
    if (*node == 0 && !(form_new(m, FORM_UNSET, node, e) &&
                        (type & IS_STRING ? schema_string(m, schema, at, *node, e)
                                          : schema_number(m, schema, at, false, *node, e))))
        return false;
    *out = form_takes(m->form, *node, text);
    return true;
}

/* The constants of a list, those that are left when all else is asked. */
static bool constants(struct form_maker *m, struct json schema, const struct way *at,
                      struct json list, struct json only, uint32_t node, struct err *e)
{
    unsigned allowed = IS_ANY;
    uint32_t n = 0, probe[2] = {0, 0};
    const char *key = json_type(json_get(schema, "enum")) ? "enum" : "const";
    bool several = strcmp(key, "enum") == 0, keep = true;
    struct form_item *items = m->form->node[node].item;
    struct schema_left_out left;
    if ((json_type(json_get(schema, "type")) && !schema_types(m, schema, at, &allowed, e)) ||
        !schema_left_out(m, schema, at, &left, e))
        return false;
    for (struct json v = several ? json_first(list) : list; json_type(v);
         v = several ? json_next(v) : JSON_NOTHING) {
        struct span text = schema_written(m, v, NULL);
        if (text.n == 0)
            return schema_refuse(m, at, key, "holds a value that is too long or too deep", e);
        if ((schema_type_of(v) & allowed) == 0 || (json_type(only) && !schema_equal(only, v)) ||
            schema_leaves_out(&left, v))
            continue;
        if (!allowed_too(m, schema, at, v, text, probe, &keep, e))
            return false;
        m->form->node[node].loose = m->form->node[node].loose || !keep;
        if (keep)
            items[n++].text = text;
    }
    for (size_t i = 0; i < 2; i++)
        if (probe[i])
            m->form->node[probe[i]] = (struct form_node){.kind = FORM_UNSET};
    m->form->node[node].count = n;
    schema_sort(items, n);
    return n != 0 || schema_refuse_none(m, at, key, "holds no value that the rest allows", e);
}

bool schema_constants(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                      struct err *e)
{
    struct json list = json_get(schema, "enum"), one = json_get(schema, "const");
    bool several = json_type(list) != JSON_MISSING;
    if (several && (json_type(list) != JSON_ARRAY || json_count(list) == 0))
        return schema_refuse(m, at, "enum", "must be an array that is not empty", e);
    m->form->node[node].kind = FORM_LITERALS;
    return form_list(m, node, several ? json_count(list) : 1, e) &&
           constants(m, schema, at, several ? list : one, several ? one : JSON_NOTHING, node, e);
}
