/*
 * What a chat's template gets: messages as templates expect them, of what clients send. Parts of
 * text become one text, arguments of tool calls become objects, and who is a developer is the
 * system. Everything else goes on as it is.
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine.h"

enum { VARIABLES_MAX = 256 << 20 };

static bool is_there(struct json v)
{
    return json_type(v) > JSON_NULL;
}

static void put_member(struct json_writer *w, struct json m)
{
    jw_key_span(w, json_key(m));
    jw_raw(w, json_text(m));
}

/* ---- a message ---- */

struct place {
    const struct engine_chat *c;
    size_t message;
};

static bool wrong(const struct place *p, const char *where, const char *why, struct err *e)
{
    char param[PARAM_MAX];
    (void)snprintf(param, sizeof param, "messages[%zu]%s%s", p->message, *where ? "." : "", where);
    return complain(p->c->wrong, e, "invalid_value", param, "%s", why);
}

/* Parts that are text, or said why there is none, a line each; nothing else is read by a language
 * model alone. */
static bool put_parts(struct json_writer *w, const struct place *p, struct json parts,
                      struct err *e)
{
    struct buf text;
    bool ok = true;
    size_t i = 0;
    buf_init(&text, VARIABLES_MAX);
    for (struct json part = json_first(parts); ok && json_type(part); part = json_next(part)) {
        struct span type = SPAN_EMPTY, words;
        char where[PARAM_MAX];
        (void)json_string(json_get(part, "type"), &type);
        bool refusal = span_is(type, "refusal");
        ok = (refusal || span_is(type, "text") || span_is(type, "input_text") ||
              span_is(type, "output_text")) &&
             json_string(json_get(part, refusal ? "refusal" : "text"), &words);
        if (!ok) {
            (void)snprintf(where, sizeof where, "content[%zu]", i);
            wrong(p, where, "must be of text: images, files and sounds are not read", e);
            break;
        }
        i++;
        if (text.n)
            buf_put_u8(&text, '\n');
        buf_put_span(&text, words);
    }
    jw_string(w, buf_span(&text));
    ok = ok && (buf_ok(&text) || err_set(e, ERR_MEMORY, "out of memory for a message"));
    buf_free(&text);
    return ok;
}

/* Templates write arguments as JSON, so they must be a value and not its text. */
static bool put_function(struct json_writer *w, const struct place *p, struct json function,
                         struct err *e)
{
    struct span name;
    if (!json_string(json_get(function, "name"), &name))
        return wrong(p, "tool_calls", "must each have a function with a name", e);
    jw_key(w, "function");
    jw_object(w);
    for (struct json m = json_first(function); json_type(m); m = json_next(m)) {
        struct json value;
        struct span text;
        bool arguments = span_is(json_key(m), "arguments") && json_string(m, &text);
        if (!arguments) {
            put_member(w, m);
            continue;
        }
        jw_key(w, "arguments");
        if (json_parse(&value, text, JSON_STRICT, p->c->a, NULL) && json_type(value) == JSON_OBJECT)
            jw_raw(w, text);
        else
            jw_string(w, text);
    }
    jw_end_object(w);
    return true;
}

static bool put_calls(struct json_writer *w, const struct place *p, struct json calls,
                      struct err *e)
{
    bool ok = json_type(calls) == JSON_ARRAY;
    jw_array(w);
    for (struct json call = json_first(calls); ok && json_type(call); call = json_next(call)) {
        ok = json_type(call) == JSON_OBJECT;
        if (!ok)
            break;
        jw_object(w);
        for (struct json m = json_first(call); json_type(m); m = json_next(m))
            if (!span_is(json_key(m), "function"))
                put_member(w, m);
        ok = put_function(w, p, json_get(call, "function"), e);
        jw_end_object(w);
    }
    jw_end_array(w);
    return ok || wrong(p, "tool_calls", "must be an array of calls", e);
}

static bool is_role(struct span role)
{
    static const char *const roles[] = {"system",    "developer", "user",
                                        "assistant", "tool",      "function"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (span_is(role, roles[i]))
            return true;
    return false;
}

/* A message without text is an assistant's: it called tools, or refused. Templates take an empty
 * text where not all take none. */
static bool put_content(struct json_writer *w, const struct place *p, struct json message,
                        bool assistant, struct err *e)
{
    struct json content = json_get(message, "content"), refusal = json_get(message, "refusal");
    struct span why = SPAN_EMPTY;
    enum json_type type = json_type(content);
    if (type == JSON_ARRAY) {
        jw_key(w, "content");
        return put_parts(w, p, content, e);
    }
    if (type != JSON_STRING && !(assistant && type <= JSON_NULL))
        return wrong(p, "content", "must be a string or an array of parts", e);
    (void)json_string(refusal, &why);
    jw_key(w, "content");
    if (type == JSON_STRING)
        jw_raw(w, json_text(content));
    else
        jw_string(w, why);
    return true;
}

static bool put_message(struct json_writer *w, const struct place *p, struct json message,
                        struct err *e)
{
    struct span role;
    bool ok = true;
    if (json_type(message) != JSON_OBJECT)
        return wrong(p, "", "must be an object", e);
    if (!json_string(json_get(message, "role"), &role) || !is_role(role))
        return wrong(p, "role", "must be system, developer, user, assistant, tool or function", e);
    jw_object(w);
    jw_key(w, "role");
    jw_string(w, span_is(role, "developer") ? span_str("system") : role);
    ok = put_content(w, p, message, span_is(role, "assistant"), e);
    for (struct json m = json_first(message); ok && json_type(m); m = json_next(m)) {
        struct span key = json_key(m);
        bool calls = span_is(key, "tool_calls");
        if (span_is(key, "role") || span_is(key, "content") || (calls && !is_there(m)))
            continue;
        if (!calls) {
            put_member(w, m);
            continue;
        }
        jw_key_span(w, key);
        ok = put_calls(w, p, m, e);
    }
    jw_end_object(w);
    return ok;
}

/* ---- all of it ---- */

static bool put_variables(struct buf *out, const struct engine_chat *c, struct err *e)
{
    struct place p = {c, 0};
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    for (struct json m = json_first(c->variables); json_type(m); m = json_next(m))
        if (!span_is(json_key(m), "messages") && !span_is(json_key(m), "tools"))
            put_member(&w, m);
    jw_key(&w, "messages");
    jw_array(&w);
    for (struct json m = json_first(c->messages); json_type(m); m = json_next(m), p.message++)
        if (!put_message(&w, &p, m, e))
            return false;
    jw_end_array(&w);
    if (json_count(c->tools)) {
        jw_key(&w, "tools");
        jw_raw(&w, json_text(c->tools));
    }
    jw_end_object(&w);
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a chat");
}

bool engine_chat_read(const struct engine *g, const struct engine_chat *c, struct tokens *out,
                      struct buf *prompt, struct err *e)
{
    struct buf text;
    struct json root;
    struct err why = ERR_INIT;
    if (is_there(c->variables) && json_type(c->variables) != JSON_OBJECT)
        return complain(c->wrong, e, "invalid_type", "chat_template_kwargs", "must be an object");
    if (json_count(c->messages) == 0)
        return complain(c->wrong, e, "invalid_value", "messages", "must hold a message");
    buf_init(&text, VARIABLES_MAX);
    bool ok = put_variables(&text, c, e) && engine_chats(g, &why) &&
              json_parse(&root, buf_span(&text), JSON_STRICT, c->a, &why) &&
              engine_chat_prompt(g, root, (int64_t)c->now, out, prompt, &why);
    buf_free(&text);
    if (ok || why.code == ERR_NONE)
        return ok;
    if (why.code == ERR_MEMORY)
        return err_set(e, ERR_MEMORY, "out of memory for a chat");
    return complain(c->wrong, e, "invalid_value", "messages", "cannot be read: %s", why.text);
}

bool engine_chat_job(struct engine_job *j, struct json messages, struct err *e)
{
    struct engine_chat c = {.messages = messages,
                            .tools = j->calls.family == ENGINE_TOOLS_NONE ? JSON_NOTHING : j->tools,
                            .variables = j->chat_variables,
                            .now = j->created,
                            .a = j->arena,
                            .wrong = &j->call->wrong};
    return engine_chat_read(j->worker->engine, &c, &j->tokens, &j->prompt, e) &&
           engine_add_prompt(j, 0, e);
}

bool engine_chat_text(struct engine_job *j, struct span text, struct err *e)
{
    struct json messages;
    struct complaint *w = &j->call->wrong;
    struct span copy = arena_span(j->arena, text);
    if (!copy.p)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    if (json_parse(&messages, copy, JSON_STRICT, j->arena, e) && engine_chat_job(j, messages, e))
        return true;
    if (strncmp(w->param, "messages", strlen("messages")) == 0)
        (void)snprintf(w->param, sizeof w->param, "%s", j->dialect->prompt);
    return false;
}

/* ---- tools ---- */

static bool bad_tool(struct engine_job *j, size_t i, const char *why, struct err *e)
{
    char param[PARAM_MAX];
    (void)snprintf(param, sizeof param, "tools[%zu]", i);
    return complain(&j->call->wrong, e, "invalid_value", param, "%s", why);
}

/* The function that a tool is: of a chat it holds one, in the other APIs it is one itself. */
static bool function_of(const struct engine_job *j, struct json tool, struct json *out)
{
    struct span type;
    bool named = json_string(json_get(tool, "type"), &type);
    *out = j->api == EXCHANGE_CHAT ? json_get(tool, "function") : tool;
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
    struct json of = j->api == EXCHANGE_CHAT ? json_get(choice, "function") : choice;
    struct span type = SPAN_EMPTY, name = SPAN_EMPTY;
    (void)json_string(json_get(choice, "type"), &type);
    if (span_is(type, j->api == EXCHANGE_MESSAGES ? "tool" : "function"))
        (void)json_string(json_get(of, "name"), &name);
    return name;
}

static bool bad_choice(struct engine_job *j, struct err *e)
{
    return complain(&j->call->wrong, e, "unsupported_value", "tool_choice",
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
    if (span_is(type, "allowed_tools") && j->api != EXCHANGE_MESSAGES)
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
    j->must_call = is_word && span_is(choice, messages ? "any" : "required");
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
        return complain(&j->call->wrong, e, "invalid_value", param, "names none of the tools");
    }
    return true;
}

/* One call is what a form lets through; a free answer ends with its first where no more are asked for. */
static bool judge_parallel(struct engine_job *j, struct err *e)
{
    bool serial = false, parallel = true;
    (void)json_bool(json_get(j->tool_choice, "disable_parallel_tool_use"), &serial);
    if (is_there(j->parallel) && !json_bool(j->parallel, &parallel))
        return complain(&j->call->wrong, e, "invalid_type", "parallel_tool_calls",
                        "must be a boolean");
    j->one_call = (serial || !parallel) && !j->must_call;
    return true;
}

static bool no_tools(struct engine_job *j, struct err *e)
{
    bool none;
    return judge_choice(j, &none, e) &&
           (!j->must_call || complain(&j->call->wrong, e, "invalid_value", "tool_choice",
                                      "asks for a call, and there are no tools"));
}

bool engine_tools_read(struct engine_job *j, struct err *e)
{
    struct buf text;
    bool none = false;
    enum engine_tools form = engine_chat_tools(j->worker->engine);
    if (is_there(j->tools) && json_type(j->tools) != JSON_ARRAY)
        return complain(&j->call->wrong, e, "invalid_type", "tools", "must be an array");
    if (json_count(j->tools) == 0)
        return no_tools(j, e);
    if (!judge_choice(j, &none, e) || none)
        return none;
    if (!judge_parallel(j, e))
        return false;
    if (form == ENGINE_TOOLS_NONE || form == ENGINE_TOOLS_UNKNOWN)
        return complain(&j->call->wrong, e, "unsupported_value", "tools",
                        form == ENGINE_TOOLS_NONE
                            ? "cannot be shown to this model: its chat template has no place for "
                              "them"
                            : "are of no use with this model: how its chat template has calls "
                              "written is not read here");
    buf_init(&text, VARIABLES_MAX);
    bool ok = put_tools(j, &text, e);
    struct span copy = ok ? arena_span(j->arena, buf_span(&text)) : SPAN_EMPTY;
    buf_free(&text);
    if (!ok || !copy.p)
        return ok ? err_set(e, ERR_MEMORY, "out of memory for tools") : false;
    j->calls.family = form;
    return json_parse(&j->tools, copy, JSON_STRICT, j->arena, e) && judge_allowed(j, e);
}
