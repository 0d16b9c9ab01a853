/*
 * Which tools a request offers, and which of them may or must be called: what the three APIs, and
 * the older name of functions, say in ways of their own becomes tools as chats have them, which is
 * what templates know. Runs in a reader's thread.
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine/reading.h"

enum { TOOLS_MAX = 256 << 20 };

static bool is_there(struct json v)
{
    return json_type(v) > JSON_NULL;
}

/* ---- what is offered ---- */

static bool bad_tool(struct engine_job *j, size_t i, const char *why, struct err *e)
{
    char param[PARAM_MAX];
    (void)snprintf(param, sizeof param, "%s[%zu]", j->older_tools ? "functions" : "tools", i);
    return complain(j->wrong, e, "invalid_value", param, "%s", why);
}

/* The function that a tool is: of a chat it holds one, in the other APIs it is one itself. */
static bool function_of(const struct engine_job *j, struct json tool, struct json *out)
{
    struct span type;
    bool named = json_string(json_get(tool, "type"), &type);
    *out = j->api == EXCHANGE_CHAT && !j->older_tools ? json_get(tool, "function") : tool;
    if (j->older_tools)
        return true;
    if (j->api == EXCHANGE_MESSAGES)
        return !named || span_is(type, "custom");
    return named && span_is(type, "function");
}

/* Templates know the chat's form. */
static void put_tool(struct json_writer *w, const struct engine_job *j, struct json function)
{
    jw_object(w);
    jw_key(w, "type");
    jw_str(w, "function");
    jw_key(w, "function");
    jw_object(w);
    for (struct json m = json_first(function); json_type(m); m = json_next(m)) {
        bool schema = j->api == EXCHANGE_MESSAGES && span_is(json_key(m), "input_schema");
        if (j->api != EXCHANGE_CHAT && span_is(json_key(m), "type"))
            continue;
        jw_key_span(w, schema ? span_str("parameters") : json_key(m));
        jw_raw(w, json_text(m));
    }
    jw_end_object(w);
    jw_end_object(w);
}

static bool put_tools(struct engine_job *j, struct buf *out, struct err *e)
{
    struct json_writer w;
    size_t i = 0;
    jw_init(&w, json_sink_buf, out, false);
    jw_array(&w);
    for (struct json t = json_first(j->tools); json_type(t); t = json_next(t), i++) {
        struct json function;
        struct span name;
        if (!function_of(j, t, &function))
            return bad_tool(j, i, "must be a function of the caller's", e);
        enum json_type strict = json_type(json_get(function, "strict"));
        if (!json_string(json_get(function, "name"), &name) || name.n == 0)
            return bad_tool(j, i, "must have a function with a name", e);
        if (strict > JSON_NULL && strict != JSON_TRUE && strict != JSON_FALSE)
            return bad_tool(j, i, "is strict or not: a boolean", e);
        put_tool(&w, j, function);
    }
    jw_end_array(&w);
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for tools");
}

struct span engine_tool_name(const struct engine_job *j, struct json choice)
{
    struct json of =
        j->api == EXCHANGE_CHAT && !j->older_tools ? json_get(choice, "function") : choice;
    struct span type = SPAN_EMPTY, name = SPAN_EMPTY;
    (void)json_string(json_get(choice, "type"), &type);
    if (j->older_tools || span_is(type, j->api == EXCHANGE_MESSAGES ? "tool" : "function"))
        (void)json_string(json_get(of, "name"), &name);
    return name;
}

static bool bad_choice(struct engine_job *j, struct err *e)
{
    if (j->older_tools)
        return complain(j->wrong, e, "unsupported_value", "function_call",
                        "must be auto, none, or name a function");
    return complain(j->wrong, e, "unsupported_value", "tool_choice",
                    "must be auto, none, required (of messages: any), name a function or, of "
                    "OpenAI's APIs, allow some of them");
}

/* Some of the tools, of which one may or must be called. */
static bool some_choice(struct engine_job *j, struct json v, struct err *e)
{
    struct json of = j->api == EXCHANGE_CHAT ? json_get(v, "allowed_tools") : v;
    struct span mode = SPAN_EMPTY;
    (void)json_string(json_get(of, "mode"), &mode);
    j->allowed = json_get(of, "tools");
    j->must_call = span_is(mode, "required");
    return (json_count(j->allowed) && json_type(j->allowed) == JSON_ARRAY &&
            (j->must_call || span_is(mode, "auto"))) ||
           bad_choice(j, e);
}

/* What an object says, in each API's own way. */
static bool object_choice(struct engine_job *j, struct json v, struct err *e)
{
    struct span type = SPAN_EMPTY;
    (void)json_string(json_get(v, "type"), &type);
    if (span_is(type, "allowed_tools") && j->api != EXCHANGE_MESSAGES && !j->older_tools)
        return some_choice(j, v, e);
    j->must_call = true;
    j->chosen = engine_tool_name(j, v);
    return j->chosen.n || bad_choice(j, e);
}

/* Whether one is called, and which; left to the model, or held to by a form. */
static bool judge_choice(struct engine_job *j, bool *none, struct err *e)
{
    struct span choice = span_str("auto");
    struct json v = j->tool_choice;
    bool messages = j->api == EXCHANGE_MESSAGES;
    struct json word = messages ? json_get(v, "type") : v;
    bool is_word = is_there(v) && json_string(word, &choice);
    *none = span_is(choice, "none");
    j->must_call = is_word && !j->older_tools && span_is(choice, messages ? "any" : "required");
    if (!is_there(v) || *none || j->must_call || (is_word && span_is(choice, "auto")))
        return true;
    return object_choice(j, v, e);
}

/* Whom the choice names is offered. */
static bool judge_allowed(struct engine_job *j, struct err *e)
{
    size_t i = 0;
    char param[PARAM_MAX];
    for (struct json t = json_first(j->allowed); json_type(t); t = json_next(t), i++) {
        struct span name = engine_tool_name(j, t), offered = SPAN_EMPTY;
        bool found = false;
        for (struct json o = json_first(j->tools); !found && json_type(o); o = json_next(o))
            found = name.n && json_string(json_get(json_get(o, "function"), "name"), &offered) &&
                    span_eq(name, offered);
        if (found)
            continue;
        (void)snprintf(param, sizeof param, "tool_choice%s.tools[%zu]",
                       j->api == EXCHANGE_CHAT ? ".allowed_tools" : "", i);
        return complain(j->wrong, e, "invalid_value", param, "names none of the tools");
    }
    return true;
}

/* Where one call is asked for a form lets one through, and a free answer ends with its first. */
static bool judge_parallel(struct engine_job *j, struct err *e)
{
    bool serial = false, parallel = true;
    (void)json_bool(json_get(j->tool_choice, "disable_parallel_tool_use"), &serial);
    if (is_there(j->parallel) && !json_bool(j->parallel, &parallel))
        return complain(j->wrong, e, "invalid_type", "parallel_tool_calls", "must be a boolean");
    j->one_call = serial || !parallel || j->older_tools;
    return true;
}

/* Functions are tools by their older name: they are read as such, and answered as they were asked for. */
static bool judge_functions(struct engine_job *j, struct err *e)
{
    j->older_tools = is_there(j->functions);
    if (!j->older_tools)
        return !is_there(j->function_call) ||
               complain(j->wrong, e, "invalid_value", "function_call",
                        "is about 'functions', and there are none");
    if (is_there(j->tools) || is_there(j->tool_choice))
        return complain(j->wrong, e, "invalid_value", "functions",
                        "cannot stand beside tools, which they are an older name of");
    if (json_type(j->functions) != JSON_ARRAY || json_count(j->functions) == 0)
        return complain(j->wrong, e, "invalid_type", "functions",
                        "must be an array that is not empty");
    j->tools = j->functions;
    j->tool_choice = j->function_call;
    return true;
}

static bool no_tools(struct engine_job *j, struct err *e)
{
    bool none;
    return judge_choice(j, &none, e) &&
           (!j->must_call || complain(j->wrong, e, "invalid_value", "tool_choice",
                                      "asks for a call, and there are no tools"));
}

bool engine_tools_read(struct engine_job *j, struct err *e)
{
    struct buf text;
    bool none = false;
    enum engine_tools form = engine_chat_tools(j->worker->engine);
    if (!judge_functions(j, e))
        return false;
    if (is_there(j->tools) && json_type(j->tools) != JSON_ARRAY)
        return complain(j->wrong, e, "invalid_type", "tools", "must be an array");
    if (json_count(j->tools) == 0)
        return no_tools(j, e);
    if (!judge_choice(j, &none, e) || none)
        return none;
    if (!judge_parallel(j, e))
        return false;
    if (form == ENGINE_TOOLS_NONE || form == ENGINE_TOOLS_UNKNOWN)
        return complain(j->wrong, e, "unsupported_value", "tools",
                        form == ENGINE_TOOLS_NONE
                            ? "cannot be shown to this model: its chat template has no place for "
                              "them"
                            : "are of no use with this model: how its chat template has calls "
                              "written is not read here");
    buf_init(&text, TOOLS_MAX);
    bool ok = put_tools(j, &text, e);
    struct span copy = ok ? arena_span(j->arena, buf_span(&text)) : SPAN_EMPTY;
    buf_free(&text);
    if (!ok || !copy.p)
        return ok ? err_set(e, ERR_MEMORY, "out of memory for tools") : false;
    j->calls.family = form;
    return json_parse(&j->tools, copy, JSON_STRICT, j->arena, e) && judge_allowed(j, e);
}
