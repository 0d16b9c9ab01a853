/*
 * What strings and numbers are held to by the keywords of JSON Schema. Without any, the machine reads
 * them itself; otherwise they are a regular language, which all keywords are part of, and an
 * automaton reads them.
 */
#include "assay/base/text.h"
#include "engine/decimal.h"
#include "engine/pattern.h"
#include "engine/schema.h"

enum { ALL_STATES = 4 * AUTOMATON_STATES, ALL_WORK = 1 << 24, SHORT = 32 };

static bool regular(struct form_maker *m, const struct automaton *made, uint32_t node,
                    struct err *e)
{
    m->states += made->states;
    if (m->states > ALL_STATES || m->work > ALL_WORK)
        return err_set(e, ERR_UNSUPPORTED, "is, with what stands before it, too large");
    m->form->node[node].kind = FORM_REGULAR;
    m->form->node[node].automaton = made;
    return true;
}

/* A fault of memory is none of the schema's. */
static bool about(struct form_maker *m, const struct way *at, const char *key,
                  const struct err *why, struct err *e)
{
    return why->code == ERR_MEMORY ? err_set(e, ERR_MEMORY, "%s", why->text)
                                   : schema_refuse(m, at, key, why->text, e);
}

/* ---- strings ---- */

static bool expression(struct pattern *p, uint32_t *term, struct span text, struct err *e)
{
    uint32_t found;
    if (!pattern_parse(&found, p, text, e))
        return false;
    *term = term_join(p, TERM_BOTH, *term, found);
    return true;
}

/* Strings of the term. */
static bool strings(struct form_maker *m, struct pattern *p, uint32_t term, uint32_t node,
                    struct err *e)
{
    const struct automaton *made;
    bool ok = pattern_automaton(&made, p, term, m->a, e);
    m->work += p->work + 16 * (uint64_t)p->derived;
    return ok && regular(m, made, node, e);
}

/* One string alone. */
static uint32_t only(struct pattern *p, struct span text)
{
    size_t n = 0;
    uint32_t term = TERM_EMPTY;
    struct range *range = arena_array(p->a, text.n + 1, sizeof *range);
    p->full = p->full || range == NULL;
    for (size_t at = 0; range && at < text.n; n++)
        range[n].from = range[n].to = utf8_next(text, &at);
    while (range && n-- > 0)
        term = term_pair(p, term_set(p, &range[n], 1), term);
    return term;
}

static uint32_t characters(struct span text)
{
    uint32_t n = 0;
    for (size_t at = 0; at < text.n; n++)
        (void)utf8_next(text, &at);
    return n;
}

/* The strings that are left out, of min to max characters; *min rises where the empty one is. */
static uint32_t left_out(struct pattern *p, const struct schema_left_out *l, uint32_t *min,
                         uint32_t max, bool *any)
{
    uint32_t term = TERM_NOTHING;
    struct span s;
    *any = false;
    for (struct json v = l->first; json_type(v); v = schema_left_next(l, v)) {
        if (!(l->types & IS_STRING) || !json_string(v, &s))
            continue;
        uint32_t n = characters(s);
        if (n == 0 && *min == 0)
            *min = 1;
        if (n == 0 || n < *min || n > max)
            continue;
        *any = true;
        if (p != NULL)
            term = term_join(p, TERM_EITHER, term, only(p, s));
    }
    return term;
}

/* `brief`: the format's, where it has one that is as short as it must be; NULL: it is counted. */
static bool language(uint32_t *term, struct pattern *p, struct json schema, const char *brief,
                     const char **key, struct err *e)
{
    struct json format = json_get(schema, "format"), pattern = json_get(schema, "pattern");
    struct span text = SPAN_EMPTY;
    *key = "format";
    if (json_type(format)) {
        const char *known = json_string(format, &text) ? pattern_of_format(text) : NULL;
        known = brief != NULL ? brief : known;
        if (text.p == NULL)
            return err_set(e, ERR_UNSUPPORTED, "must be a string");
        if (known != NULL && !expression(p, term, span_str(known), e))
            return false;
    }
    if (!json_type(pattern))
        return true;
    *key = "pattern";
    return json_string(pattern, &text)
               ? expression(p, term, text, e)
               : err_set(e, ERR_UNSUPPORTED, "must be a regular expression");
}

/* The same keywords give the same automaton, which is made once. */
static bool made_before(struct form_maker *m, struct json schema, uint32_t node, bool *found,
                        struct err *e)
{
    const struct form_node *n = &m->form->node[node];
    struct span format = json_text(json_get(schema, "format"));
    struct span pattern = json_text(json_get(schema, "pattern"));
    struct span left = json_text(json_get(schema, "not"));
    const char *key = arena_printf(m->a, "%u %u %.*s %.*s %.*s", n->min, n->max, (int)format.n,
                                   (const char *)format.p, (int)pattern.n, (const char *)pattern.p,
                                   (int)left.n, (const char *)left.p);
    uint32_t before = MAP_NONE;
    if (key == NULL || !map_put(&m->strings, span_str(key), node, &before))
        return err_set(e, ERR_MEMORY, "no memory for a form");
    *found = before != MAP_NONE && m->form->node[before].automaton != NULL;
    if (*found) {
        m->form->node[node].kind = FORM_REGULAR;
        m->form->node[node].automaton = m->form->node[before].automaton;
    }
    return true;
}

/* Which of them a fault of all is about. */
static const char *keyword_of(struct json schema)
{
    return json_type(json_get(schema, "pattern"))  ? "pattern"
           : json_type(json_get(schema, "format")) ? "format"
                                                   : "not";
}

/* Strings of min to max characters; *key: the keyword that cannot be held to, whatever the bounds are. */
static bool bounded(struct form_maker *m, struct json schema, const struct schema_left_out *left,
                    uint32_t min, uint32_t max, uint32_t node, const char **key, struct err *why)
{
    struct pattern p;
    bool any;
    *why = (struct err)ERR_INIT;
    *key = NULL;
    if (!pattern_new(&p, why))
        return false;
    struct span format = SPAN_EMPTY;
    (void)json_string(json_get(schema, "format"), &format);
    const char *brief = max == UINT32_MAX ? NULL : pattern_of_short_format(format, max);
    bool endless = max == UINT32_MAX || brief != NULL;
    uint32_t term = term_any(&p, min, endless ? PATTERN_ENDLESS : max);
    bool ok = language(&term, &p, schema, brief, key, why);
    if (ok) {
        *key = NULL;
        uint32_t without = left_out(&p, left, &min, max, &any);
        term = any ? term_join(&p, TERM_BOTH, term, term_not(&p, without)) : term;
        ok = strings(m, &p, term, node, why);
    }
    pattern_free(&p);
    return ok;
}

/* Where counting as far as maxLength says takes too many states, shorter strings are let through alone. */
bool schema_string(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e)
{
    const char *key;
    struct err why = ERR_INIT;
    uint32_t min = 0, max = UINT32_MAX;
    struct schema_left_out left;
    bool found = false, some = false;
    if (!schema_count(m, schema, at, "minLength", &min, e) ||
        !schema_count(m, schema, at, "maxLength", &max, e) ||
        !schema_left_out(m, schema, at, &left, e))
        return false;
    (void)left_out(NULL, &left, &min, max, &some);
    if (min > max)
        return schema_refuse(m, at, "maxLength", "is below minLength: there is no such string", e);
    m->form->node[node].min = min;
    m->form->node[node].max = max;
    m->form->node[node].kind = FORM_TEXTUAL;
    struct span format = SPAN_EMPTY;
    bool named = json_string(json_get(schema, "format"), &format);
    if (!some && !json_type(json_get(schema, "pattern")) &&
        (!json_type(json_get(schema, "format")) || (named && pattern_of_format(format) == NULL)))
        return true; /* other formats than JSON Schema's own say nothing */
    if (!made_before(m, schema, node, &found, e) || found)
        return found;
    while (!bounded(m, schema, &left, min, max, node, &key, &why)) {
        if (key != NULL || why.code == ERR_MEMORY || max == UINT32_MAX || max <= SHORT ||
            max / 2 < min)
            return about(m, at, key != NULL ? key : keyword_of(schema), &why, e);
        max /= 2;
    }
    return true;
}

bool schema_pattern(struct form_maker *m, struct span text, const struct way *at, uint32_t node,
                    struct err *e)
{
    struct pattern p;
    struct err why = ERR_INIT;
    if (!pattern_new(&p, e))
        return false;
    uint32_t term = term_any(&p, 0, PATTERN_ENDLESS);
    bool ok = expression(&p, &term, text, &why) && strings(m, &p, term, node, &why);
    pattern_free(&p);
    return ok || about(m, at, NULL, &why, e);
}

/* ---- numbers ---- */

static bool decimal(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                    struct decimal *out, struct err *e)
{
    if (json_type(json_get(schema, key)) != JSON_NUMBER)
        return schema_refuse(m, at, key, "must be a number", e);
    return decimal_read(out, json_text(json_get(schema, key))) ||
           schema_refuse(m, at, key, "has more than 24 digits before the point, or 15 behind it",
                         e);
}

/* A further bound; the tighter one counts. */
static void tighten(struct decimal_bounds *b, bool most, const struct decimal *d, bool without)
{
    bool *has = most ? &b->has_most : &b->has_least;
    bool *already = most ? &b->without_most : &b->without_least;
    struct decimal *bound = most ? &b->most : &b->least;
    int order = *has ? decimal_compare(d, bound) * (most ? -1 : 1) : 1;
    if (order > 0)
        *bound = *d;
    *already = order > 0 ? without : *already || (order == 0 && without);
    *has = true;
}

static bool limits(struct form_maker *m, struct json schema, const struct way *at,
                   struct decimal_bounds *b, const char **key, struct err *e)
{
    static const struct {
        const char *key;
        bool most, without;
    } known[] = {{"minimum", false, false},
                 {"exclusiveMinimum", false, true},
                 {"maximum", true, false},
                 {"exclusiveMaximum", true, true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct decimal d;
        if (!json_type(json_get(schema, known[i].key)))
            continue;
        *key = known[i].key;
        if (!decimal(m, schema, at, *key, &d, e))
            return false;
        tighten(b, known[i].most, &d, known[i].without);
    }
    return true;
}

/* Formats of numbers, which OpenAPI has: what they can hold. */
static bool number_format(struct form_maker *m, struct json schema, const struct way *at,
                          struct decimal_bounds *b, const char **key, struct err *e)
{
    static const struct {
        const char *name, *least, *most;
    } known[] = {{"int32", "-2147483648", "2147483647"},
                 {"int64", "-9223372036854775808", "9223372036854775807"},
                 {"uint32", "0", "4294967295"},
                 {"uint64", "0", "18446744073709551615"},
                 {"float", NULL, NULL},
                 {"double", NULL, NULL}};
    struct json format = json_get(schema, "format");
    struct span name = SPAN_EMPTY;
    struct decimal d;
    if (!json_type(format))
        return true;
    if (!json_string(format, &name))
        return schema_refuse(m, at, "format", "must be a string", e);
    *key = "format";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!span_is(name, known[i].name))
            continue;
        if (known[i].least && decimal_read(&d, span_str(known[i].least)))
            tighten(b, false, &d, false);
        if (known[i].most && decimal_read(&d, span_str(known[i].most)))
            tighten(b, true, &d, false);
        return true;
    }
    return true; /* others say nothing of numbers */
}

bool schema_number(struct form_maker *m, struct json schema, const struct way *at, bool whole,
                   uint32_t node, struct err *e)
{
    struct decimal_bounds b = {.whole = whole};
    const struct automaton *made;
    const char *key = NULL;
    struct decimal of;
    struct err why = ERR_INIT;
    if (!number_format(m, schema, at, &b, &key, e) || !limits(m, schema, at, &b, &key, e))
        return false;
    if (json_type(json_get(schema, "multipleOf"))) {
        key = "multipleOf";
        if (!decimal(m, schema, at, key, &of, e))
            return false;
        if (!decimal_multiple(&b, &of))
            return schema_refuse(m, at, key, "must be above 0, and up to 16384 without its point",
                                 e);
    }
    struct schema_left_out left;
    bool some;
    if (!schema_left_out(m, schema, at, &left, e))
        return false;
    schema_numbers_left(&left, &b, &some);
    m->form->node[node].kind = FORM_NUMBER;
    m->form->node[node].whole = whole;
    if ((b.multiple || b.has_least || b.has_most) &&
        !(decimal_automaton(&made, &b, m->a, &why) && regular(m, made, node, &why)))
        return about(m, at, key, &why, e);
    return !some || schema_integers_left(m, &left, at, &b, node, e);
}
