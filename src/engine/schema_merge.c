/*
 * Schemas that must all hold: those of allOf, and what stands beside it or beside $ref. Where their keywords
 * speak of different things, or of one in a way that has an answer, they are one schema that is read
 * like any other; members that two of them describe must be as both say. The rest is refused.
 */
#include <string.h>

#include "engine/decimal.h"
#include "engine/schema.h"

enum { PARTS = 256, NESTED = 32, WORK = 1 << 16, MERGED_MAX = 16 << 20 };

/* One of the schemas, and where it stands. */
struct part {
    struct json schema;
    const struct way *at;
};

struct merge {
    struct form_maker *m;
    const struct way *at;
    struct part part[PARTS];
    size_t count;
    uint32_t work; /* schemas looked at and compared */
    struct json_writer w;
    struct buf text;
};

static bool refuse(struct merge *g, size_t part, const char *key, const char *why, struct err *e)
{
    return schema_refuse(g->m, g->part[part].at, key, why, e);
}

static struct json keyword(const struct merge *g, size_t part, const char *key)
{
    return json_get(g->part[part].schema, key);
}

static bool leads_on(struct span key)
{
    return span_is(key, "allOf") || span_is(key, "$ref");
}

/* ---- which they are ---- */

static const struct way *step(struct form_maker *m, const struct way *up, const char *key,
                              size_t index)
{
    struct way *w = arena_alloc(m->a, sizeof *w);
    if (w)
        *w = (struct way){up, key ? span_str(key) : SPAN_EMPTY, index};
    return w;
}

static bool gather(struct merge *g, struct json v, const struct way *at, unsigned depth,
                   struct err *e);

static bool gather_all(struct merge *g, struct json list, const struct way *at, unsigned depth,
                       struct err *e)
{
    size_t i = 0;
    const struct way *all = step(g->m, at, "allOf", 0);
    if (json_type(list) != JSON_ARRAY || json_count(list) == 0)
        return schema_refuse(g->m, at, "allOf", "must be an array that is not empty", e);
    for (struct json v = json_first(list); json_type(v); v = json_next(v), i++) {
        const struct way *here = all ? step(g->m, all, NULL, i) : NULL;
        if (!here)
            return err_set(e, ERR_MEMORY, "no memory for a form");
        if (json_type(v) != JSON_TRUE && !gather(g, v, here, depth, e))
            return false;
    }
    return true;
}

/* A schema, what it refers to and its own parts: in the order in which their members are written. */
static bool gather(struct merge *g, struct json v, const struct way *at, unsigned depth,
                   struct err *e)
{
    struct json reference = json_get(v, "$ref"), all = json_get(v, "allOf");
    if (json_type(v) != JSON_OBJECT)
        return schema_refuse(
            g->m, at, NULL, json_type(v) == JSON_FALSE ? "allows no value" : "must be a schema", e);
    if (depth == NESTED || g->work++ == WORK)
        return schema_refuse(g->m, g->at, NULL, "holds itself, or over 32 others in one another",
                             e);
    if (json_type(reference)) {
        struct json to = schema_referred(g->m->root, reference);
        const struct way *there = step(g->m, at, "$ref", 0);
        if (!json_type(to))
            return schema_refuse(g->m, at, "$ref", "must lead to a schema within this one", e);
        if (!there)
            return err_set(e, ERR_MEMORY, "no memory for a form");
        if (json_type(to) != JSON_TRUE && !gather(g, to, there, depth + 1, e))
            return false;
    }
    if (json_type(all) && !gather_all(g, all, at, depth + 1, e))
        return false;
    if (!schema_says(v, at))
        return true;
    if (g->count == PARTS)
        return schema_refuse(g->m, at, NULL, "is one of more than 256 that must all hold", e);
    g->part[g->count++] = (struct part){v, at};
    return true;
}

/* ---- what they say together ---- */

static bool same(struct merge *g, struct json a, struct json b)
{
    if (span_eq(json_text(a), json_text(b)))
        return true;
    g->w.failed = g->w.failed || g->work++ >= WORK;
    if (g->w.failed)
        return false;
    struct span x = schema_written(g->m, a, NULL), y = schema_written(g->m, b, NULL);
    return x.n && span_eq(x, y);
}

/* However they are written. */
static bool same_value(struct merge *g, struct json a, struct json b)
{
    g->w.failed = g->w.failed || g->work++ >= WORK;
    return !g->w.failed && schema_equal(a, b);
}

/* No value is as two of them say. */
static bool conflict(struct merge *g, size_t part, const char *key, struct err *e)
{
    return schema_refuse_none(g->m, g->part[part].at, key,
                              "allows no value that another schema does that must hold as well", e);
}

/* One value, or several that must all hold. */
static void put_all(struct merge *g, const struct json *list, size_t n)
{
    if (n > 1) {
        jw_object(&g->w);
        jw_key(&g->w, "allOf");
        jw_array(&g->w);
    }
    for (size_t i = 0; i < n; i++)
        jw_raw(&g->w, json_text(list[i]));
    if (n > 1) {
        jw_end_array(&g->w);
        jw_end_object(&g->w);
    }
}

/* Adds a schema to those that must hold, unless it is there or says nothing. */
static void add(struct merge *g, struct json *list, size_t *n, struct json v)
{
    bool there = json_type(v) == JSON_TRUE && *n > 0;
    for (size_t i = 0; !there && i < *n; i++)
        there = same(g, list[i], v);
    if (!there)
        list[(*n)++] = v;
}

/* What a part says of a member that it does not name itself; missing: nothing. */
static struct json of_others(const struct merge *g, size_t part, struct span name)
{
    struct json others = keyword(g, part, "additionalProperties");
    bool named = json_type(json_get_span(keyword(g, part, "properties"), name)) != JSON_MISSING;
    return named || json_type(others) == JSON_TRUE ? JSON_NOTHING : others;
}

static bool put_member(struct merge *g, size_t first, struct span name)
{
    struct json list[2 * PARTS];
    size_t n = 0;
    bool before = false;
    for (size_t i = 0; i < first; i++)
        before = before || json_type(json_get_span(keyword(g, i, "properties"), name));
    for (size_t i = 0; !before && i < g->count; i++) {
        struct json v = json_get_span(keyword(g, i, "properties"), name);
        struct json others = of_others(g, i, name);
        if (json_type(v))
            add(g, list, &n, v);
        if (json_type(others) == JSON_FALSE)
            return true; /* never written; where it is required there is no value, which is found later */
        if (json_type(others))
            add(g, list, &n, others);
    }
    if (!before) {
        jw_key_span(&g->w, name);
        put_all(g, list, n);
    }
    return true;
}

static bool put_properties(struct merge *g, const char *key, struct err *e)
{
    jw_object(&g->w);
    for (size_t i = 0; i < g->count; i++) {
        struct json all = keyword(g, i, key);
        if (json_type(all) && json_type(all) != JSON_OBJECT)
            return refuse(g, i, key, "must be an object", e);
        for (struct json p = json_first(all); json_type(p); p = json_next(p))
            if (!put_member(g, i, json_key(p)))
                return false;
    }
    jw_end_object(&g->w);
    return true;
}

static bool put_others(struct merge *g, const char *key, struct err *e)
{
    struct json list[PARTS];
    size_t n = 0;
    bool none = false;
    (void)e;
    for (size_t i = 0; i < g->count; i++) {
        struct json v = keyword(g, i, key);
        none = none || json_type(v) == JSON_FALSE;
        if (json_type(v))
            add(g, list, &n, v);
    }
    if (none)
        jw_bool(&g->w, false);
    else
        put_all(g, list, n);
    return true;
}

static bool put_required(struct merge *g, const char *key, struct err *e)
{
    jw_array(&g->w);
    for (size_t i = 0; i < g->count; i++) {
        struct json list = keyword(g, i, key);
        if (json_type(list) && json_type(list) != JSON_ARRAY)
            return refuse(g, i, key, "must be an array of names", e);
        for (struct json v = json_first(list); json_type(v); v = json_next(v))
            jw_raw(&g->w, json_text(v));
    }
    jw_end_array(&g->w);
    return true;
}

static bool put_types(struct merge *g, const char *key, struct err *e)
{
    unsigned all = IS_ANY, own;
    for (size_t i = 0; i < g->count; i++) {
        if (!json_type(keyword(g, i, key)))
            continue;
        if (!schema_types(g->m, g->part[i].schema, g->part[i].at, &own, e))
            return false;
        all &= own & IS_NUMBER ? own | IS_INTEGER : own;
        if (all == 0)
            return conflict(g, i, key, e);
    }
    if (all & IS_NUMBER)
        all &= ~(unsigned)IS_INTEGER;
    jw_array(&g->w);
    for (unsigned type = 1; type < IS_ANY; type <<= 1)
        if (all & type)
            jw_str(&g->w, schema_type_name(type));
    jw_end_array(&g->w);
    return true;
}

/* The tightest of several bounds. */
static bool put_bound(struct merge *g, const char *key, struct err *e)
{
    struct decimal best, d;
    struct json bound = JSON_NOTHING;
    bool least = strncmp(key, "min", 3) == 0 || strcmp(key, "exclusiveMinimum") == 0;
    for (size_t i = 0; i < g->count; i++) {
        struct json v = keyword(g, i, key);
        if (!json_type(v))
            continue;
        if (json_type(v) != JSON_NUMBER || !decimal_read(&d, json_text(v)))
            return refuse(g, i, key, "must be a number of at most 24 digits before its point", e);
        int order = json_type(bound) ? decimal_compare(&d, &best) : 0;
        if (json_type(bound) && (least ? order <= 0 : order >= 0))
            continue;
        best = d;
        bound = v;
    }
    jw_raw(&g->w, json_text(bound));
    return true;
}

/* Values that each list has. */
static bool put_values(struct merge *g, const char *key, struct err *e)
{
    size_t first = 0, kept = 0;
    while (!json_type(keyword(g, first, key)))
        first++;
    jw_array(&g->w);
    for (struct json v = json_first(keyword(g, first, key)); json_type(v); v = json_next(v)) {
        bool everywhere = true;
        for (size_t i = first + 1; everywhere && i < g->count; i++) {
            struct json list = keyword(g, i, key);
            everywhere = !json_type(list);
            for (struct json o = json_first(list); !everywhere && json_type(o); o = json_next(o))
                everywhere = same_value(g, v, o);
        }
        kept += everywhere;
        if (everywhere)
            jw_raw(&g->w, json_text(v));
    }
    jw_end_array(&g->w);
    return kept || conflict(g, first, key, e);
}

static bool put_constant(struct merge *g, const char *key, struct err *e)
{
    struct json first = JSON_NOTHING;
    for (size_t i = 0; i < g->count; i++) {
        struct json v = keyword(g, i, key);
        first = json_type(first) ? first : v;
        if (json_type(v) && !schema_equal(v, first))
            return conflict(g, i, key, e);
    }
    jw_raw(&g->w, json_text(first));
    return true;
}

/* Items are like all of them say, unless some of them are counted from the first. */
static bool put_items(struct merge *g, const char *key, struct err *e)
{
    struct json list[PARTS];
    size_t n = 0, none = g->count;
    for (size_t i = 0; i < g->count; i++) {
        struct json v = keyword(g, i, key);
        none = json_type(v) == JSON_FALSE ? i : none;
        if (json_type(v))
            add(g, list, &n, v);
    }
    if (none < g->count && n > 1)
        return refuse(g, none, key, "allows none, and another schema says what they are like", e);
    put_all(g, list, n);
    return true;
}

static bool put_truth(struct merge *g, const char *key, struct err *e)
{
    bool any = false;
    for (size_t i = 0; i < g->count; i++) {
        enum json_type t = json_type(keyword(g, i, key));
        if (t && t != JSON_TRUE && t != JSON_FALSE)
            return refuse(g, i, key, "must be a boolean", e);
        any = any || t == JSON_TRUE;
    }
    jw_bool(&g->w, any);
    return true;
}

/* ---- keywords ---- */

static const struct {
    const char *key;
    bool (*put)(struct merge *g, const char *key, struct err *e);
} keywords[] = {{"type", put_types},
                {"properties", put_properties},
                {"additionalProperties", put_others},
                {"required", put_required},
                {"enum", put_values},
                {"const", put_constant},
                {"items", put_items},
                {"uniqueItems", put_truth},
                {"minimum", put_bound},
                {"maximum", put_bound},
                {"exclusiveMinimum", put_bound},
                {"exclusiveMaximum", put_bound},
                {"minLength", put_bound},
                {"maxLength", put_bound},
                {"minItems", put_bound},
                {"maxItems", put_bound}};

/* Any other keyword: said once, or everywhere the same. */
static bool put_same(struct merge *g, struct span name, size_t first, struct err *e)
{
    struct json v = json_get_span(g->part[first].schema, name);
    for (size_t i = first + 1; i < g->count; i++) {
        struct json other = json_get_span(g->part[i].schema, name);
        struct way w = {g->part[i].at, name, 0};
        if (json_type(other) && !same(g, v, other))
            return schema_refuse(g->m, &w, NULL,
                                 "says something else than another schema that must hold as well",
                                 e);
    }
    jw_raw(&g->w, json_text(v));
    return true;
}

static bool put_keyword(struct merge *g, size_t first, struct span name, struct err *e)
{
    for (size_t i = 0; i < first; i++)
        if (json_type(json_get_span(g->part[i].schema, name)))
            return true; /* it was put */
    jw_key_span(&g->w, name);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (span_is(name, keywords[i].key))
            return keywords[i].put(g, keywords[i].key, e);
    return put_same(g, name, first, e);
}

/* Keywords whose sense another one of the same schema gives: they stay in one. */
static bool stay_together(struct merge *g, struct err *e)
{
    static const struct {
        const char *key, *why;
        const char *others[4];
    } bound[] = {{"patternProperties",
                  "cannot stand where another schema that must hold as well names members",
                  {"properties", "additionalProperties", "patternProperties", NULL}},
                 {"prefixItems",
                  "cannot stand where another schema that must hold as well speaks of items",
                  {"prefixItems", "items", NULL}},
                 {"contains",
                  "cannot stand where another schema that must hold as well counts items",
                  {"contains", "minContains", "maxContains", NULL}}};
    for (size_t k = 0; k < sizeof bound / sizeof *bound; k++)
        for (size_t i = 0; i < g->count; i++)
            for (size_t o = 0; json_type(keyword(g, i, bound[k].key)) && o < g->count; o++)
                for (size_t n = 0; o != i && bound[k].others[n]; n++)
                    if (json_type(keyword(g, o, bound[k].others[n])))
                        return refuse(g, i, bound[k].key, bound[k].why, e);
    return true;
}

static bool put_keywords(struct merge *g, struct err *e)
{
    if (!stay_together(g, e))
        return false;
    jw_object(&g->w);
    for (size_t i = 0; i < g->count; i++)
        for (struct json k = json_first(g->part[i].schema); json_type(k); k = json_next(k))
            if (!leads_on(json_key(k)) && !schema_is_annotation(k, g->part[i].at) &&
                !put_keyword(g, i, json_key(k), e))
                return false;
    jw_end_object(&g->w);
    return (buf_ok(&g->text) && !g->w.failed) ||
           schema_refuse(g->m, g->part[0].at, NULL, "is, with what must hold as well, too large",
                         e);
}

bool schema_merge(struct form_maker *m, struct json schema, const struct way *at, struct json *out,
                  struct err *e)
{
    struct merge *g = arena_alloc(m->a, sizeof *g);
    if (g == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    *g = (struct merge){.m = m, .at = at};
    buf_init(&g->text, MERGED_MAX);
    jw_init(&g->w, json_sink_buf, &g->text, false);
    bool ok = gather(g, schema, at, 0, e);
    ok = ok && put_keywords(g, e);
    struct span text = ok ? arena_span(m->a, buf_span(&g->text)) : SPAN_EMPTY;
    buf_free(&g->text);
    if (ok && text.p == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    return ok && json_parse(out, text, JSON_STRICT, m->a, e);
}
