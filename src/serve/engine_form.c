/*
 * What an answer of the engine is held to: the schema of a response format, or the call of a tool
 * that must be made or may be made instead. They become a form, which is part of the recorded
 * parameters. Runs in a reader's thread.
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine.h"

enum { FORM_TEXT_MAX = 64 << 20 };

/* The text of a form, made one alternative after another. */
struct form_text {
    struct buf text;
    struct json_writer w;
};

static void begin(struct form_text *f)
{
    buf_init(&f->text, FORM_TEXT_MAX);
    jw_init(&f->w, json_sink_buf, &f->text, false);
    jw_array(&f->w);
}

static void add(struct form_text *f, struct span before, struct span schema, struct span behind)
{
    jw_object(&f->w);
    if (before.n) {
        jw_key(&f->w, "begin");
        jw_string(&f->w, before);
    }
    jw_key(&f->w, "schema");
    jw_raw(&f->w, schema);
    if (behind.n) {
        jw_key(&f->w, "end");
        jw_string(&f->w, behind);
    }
    jw_end_object(&f->w);
}

/* *why: what is wrong with it, when it is the caller's schema. */
static bool end(struct form_text *f, struct engine_job *j, struct engine_form_wrong *wrong,
                struct err *why)
{
    struct json root;
    jw_end_array(&f->w);
    bool ok = buf_ok(&f->text) && !f->w.failed;
    struct span copy = ok ? arena_span(j->arena, buf_span(&f->text)) : SPAN_EMPTY;
    buf_free(&f->text);
    if (!copy.p)
        return err_set(why, ERR_MEMORY, "out of memory for a schema");
    return json_parse(&root, copy, JSON_STRICT, j->arena, why) &&
           engine_form_read(&j->request.form, root, j->arena, wrong, why);
}

static bool writable(struct engine_job *j, const char *param, struct err *e)
{
    return engine_form_writable(j->worker->engine, j->request.form) ||
           complain(&j->call->wrong, e, "unsupported_value", param,
                    "asks for octets that this model's vocabulary cannot write");
}

static bool complain_of(struct engine_job *j, const char *param, const struct engine_form_wrong *at,
                        const struct err *why, struct err *e)
{
    char place[PARAM_MAX];
    if (why->code == ERR_MEMORY)
        return err_set(e, ERR_MEMORY, "out of memory for a schema");
    (void)snprintf(place, sizeof place, "%s%s", param, at->where);
    return complain(&j->call->wrong, e, "unsupported_value", place, "%s", why->text);
}

/* ---- calls ---- */

/* How a family writes a call, around the name and around the arguments (tool_calls.c reads it). */
static const struct {
    const char *before, *between, *behind;
} calls[] = {
    [ENGINE_TOOLS_HERMES] = {"<tool_call>\n{\"name\": ", ", \"arguments\": ", "}\n</tool_call>"},
    [ENGINE_TOOLS_LLAMA] = {"{\"name\": ", ", \"parameters\": ", "}"},
    [ENGINE_TOOLS_MISTRAL] = {"[TOOL_CALLS][{\"name\": ", ", \"arguments\": ", "}]"}};

static void add_call(struct form_text *f, enum engine_tools form, struct json function)
{
    static const char nothing[] = "{\"properties\":{},\"additionalProperties\":false}";
    struct json schema = json_get(function, "parameters");
    struct json_writer w;
    struct buf before;
    struct span name = SPAN_EMPTY;
    (void)json_string(json_get(function, "name"), &name);
    buf_init(&before, FORM_TEXT_MAX);
    buf_put_str(&before, calls[form].before);
    jw_init(&w, json_sink_buf, &before, false);
    jw_string(&w, name);
    buf_put_str(&before, calls[form].between);
    add(f, buf_span(&before), json_type(schema) > JSON_NULL ? json_text(schema) : span_str(nothing),
        span_str(calls[form].behind));
    f->text.failed = f->text.failed || !buf_ok(&before);
    buf_free(&before);
}

static const char *schema_of_tools(enum exchange_api api)
{
    return api == EXCHANGE_CHAT       ? "function.parameters"
           : api == EXCHANGE_MESSAGES ? "input_schema"
                                      : "parameters";
}

/* The tools that may be called; *named: the one, when it is one. */
static size_t add_calls(struct form_text *f, const struct engine_job *j, size_t *named)
{
    size_t count = 0, i = 0;
    for (struct json t = json_first(j->tools); json_type(t); t = json_next(t), i++) {
        struct json function = json_get(t, "function");
        struct span name = SPAN_EMPTY;
        (void)json_string(json_get(function, "name"), &name);
        if (j->chosen.n && !span_eq(name, j->chosen))
            continue;
        add_call(f, j->form, function);
        *named = i;
        count++;
    }
    return count;
}

bool engine_form_answer(struct engine_job *j, struct err *e)
{
    struct form_text f;
    struct engine_form_wrong wrong = {0};
    struct err why = ERR_INIT;
    char param[PARAM_MAX];
    size_t named = 0;
    bool schema = j->schema.n && !j->must_call;
    bool tools = j->form != ENGINE_TOOLS_NONE && (j->must_call || schema);
    if (!schema && !tools)
        return true;
    begin(&f);
    if (schema)
        add(&f, SPAN_EMPTY, j->schema, SPAN_EMPTY);
    if (tools && add_calls(&f, j, &named) == 0) {
        buf_free(&f.text);
        return complain(&j->call->wrong, e, "invalid_value", "tool_choice",
                        "names none of the tools");
    }
    if (end(&f, j, &wrong, &why))
        return writable(j, schema ? j->schema_param : "tools", e);
    if (schema && wrong.alternative == 0)
        return complain_of(j, j->schema_param, &wrong, &why, e);
    (void)snprintf(param, sizeof param, "tools[%zu].%s",
                   j->chosen.n ? named : wrong.alternative - schema, schema_of_tools(j->api));
    return complain_of(j, param, &wrong, &why, e);
}
