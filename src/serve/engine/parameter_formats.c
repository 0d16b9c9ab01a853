/*
 * What the three APIs call the form of an answer: free text, one JSON object, or one that a schema
 * describes. The schema is kept here and becomes a form when the tools are known too (form.c).
 */
#include "serve/engine/parameters.h"

#include <stdio.h>

/* It becomes a form when the tools are known too. */
static bool keep_schema(struct engine_job *j, const char *param, struct span schema, struct err *e)
{
    j->schema = schema;
    j->schema_param = arena_str(j->arena, span_str(param));
    return j->schema_param || err_set(e, ERR_MEMORY, "out of memory for a request");
}

static bool is_name(struct span s)
{
    bool ok = s.n > 0 && s.n <= 64;
    for (size_t i = 0; ok && i < s.n; i++) {
        uint8_t c = s.p[i], lower = c | 0x20;
        ok = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return ok;
}

/* What a schema comes with; `strict` changes nothing, because answers are always held to it. */
static bool schema_format(struct engine_job *j, const char *name, struct json v, struct err *e)
{
    static const char *const known_members[] = {"type", "name", "description", "strict", "schema"};
    char param[PARAM_MAX];
    struct span text;
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        bool listed = false;
        for (size_t i = 0; i < sizeof known_members / sizeof *known_members; i++)
            listed = listed || span_is(json_key(m), known_members[i]);
        if (!listed)
            return complain(j->wrong, e, "invalid_value", name,
                            "holds more than a name, a description, strict and a schema");
    }
    (void)snprintf(param, sizeof param, "%s.name", name);
    if (!json_string(json_get(v, "name"), &text) || !is_name(text))
        return complain(j->wrong, e, "invalid_value", param,
                        "must be 1 to 64 letters, digits, underscores or hyphens");
    (void)snprintf(param, sizeof param, "%s.schema", name);
    if (json_type(json_get(v, "schema")) != JSON_OBJECT)
        return complain(j->wrong, e, "invalid_type", param, "must be an object");
    return keep_schema(j, param, json_text(json_get(v, "schema")), e);
}

/* Free text, one JSON object, or one that a schema describes. `inner`: what the schema stands in. */
static bool format(struct engine_job *j, const char *name, struct json v, const char *inner,
                   struct json described, struct err *e)
{
    struct span type = span_str("text");
    if (json_type(v) > JSON_NULL && !json_string(json_get(v, "type"), &type))
        type = SPAN_EMPTY;
    if (span_is(type, "json_schema"))
        return schema_format(j, inner, described, e);
    if (span_is(type, "json_object"))
        return keep_schema(j, name, span_str("{\"type\":\"object\"}"), e);
    return span_is(type, "text") ||
           complain(j->wrong, e, "unsupported_value", name,
                    "can be of type text, json_object or json_schema with the bundled engine");
}

/* ---- in each API's place ---- */

bool parameter_response_format(struct engine_job *j, const struct parameter *p, struct json v,
                               struct err *e)
{
    return format(j, p->name, v, "response_format.json_schema", json_get(v, "json_schema"), e);
}

bool parameter_text_format(struct engine_job *j, const struct parameter *p, struct json v,
                           struct err *e)
{
    if (json_type(v) != JSON_OBJECT)
        return complain(j->wrong, e, "invalid_type", p->name, "must be an object");
    for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
        struct span s = SPAN_EMPTY;
        (void)json_string(m, &s);
        bool preset = span_is(json_key(m), "verbosity") && span_is(s, "medium");
        if (!span_is(json_key(m), "format") && json_type(m) != JSON_NULL && !preset)
            return parameter_unsupported(j, "text.verbosity", e);
    }
    struct json f = json_get(v, "format");
    return format(j, "text.format", f, "text.format", f, e);
}

/* Messages: what the answer is held to, and nothing else. */
bool parameter_output_config(struct engine_job *j, const struct parameter *p, struct json v,
                             struct err *e)
{
    struct json f = json_get(v, "format"), schema = json_get(f, "schema");
    struct span type = SPAN_EMPTY;
    if (json_type(v) != JSON_OBJECT)
        return complain(j->wrong, e, "invalid_type", p->name, "must be an object");
    for (struct json m = json_first(v); json_type(m); m = json_next(m))
        if (!span_is(json_key(m), "format") && json_type(m) != JSON_NULL)
            return parameter_unsupported(j, "output_config", e);
    if (json_type(f) <= JSON_NULL)
        return true;
    if (!json_string(json_get(f, "type"), &type) || !span_is(type, "json_schema"))
        return complain(j->wrong, e, "unsupported_value", "output_config.format",
                        "can only be of type json_schema");
    if (json_type(schema) != JSON_OBJECT)
        return complain(j->wrong, e, "invalid_type", "output_config.format.schema",
                        "must be an object");
    return keep_schema(j, "output_config.format.schema", json_text(schema), e);
}
