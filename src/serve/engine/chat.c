/*
 * What a chat's template gets: messages as templates expect them, of what clients send. Parts of
 * text become one text, arguments of tool calls become objects, and who is a developer is the
 * system. Everything else goes on as it is.
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

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

/* One call as it was written before there were tools. */
static bool put_older_call(struct json_writer *w, const struct place *p, struct json function,
                           struct err *e)
{
    jw_array(w);
    jw_object(w);
    jw_key(w, "type");
    jw_str(w, "function");
    bool ok = put_function(w, p, function, e);
    jw_end_object(w);
    jw_end_array(w);
    return ok;
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
    jw_string(w, span_is(role, "developer")  ? span_str("system")
                 : span_is(role, "function") ? span_str("tool")
                                             : role);
    ok = put_content(w, p, message, span_is(role, "assistant"), e);
    for (struct json m = json_first(message); ok && json_type(m); m = json_next(m)) {
        struct span key = json_key(m);
        bool calls = span_is(key, "tool_calls"), older = span_is(key, "function_call");
        if (span_is(key, "role") || span_is(key, "content") || ((calls || older) && !is_there(m)))
            continue;
        if (!calls && !older) {
            put_member(w, m);
            continue;
        }
        jw_key(w, "tool_calls");
        ok = older ? put_older_call(w, p, m, e) : put_calls(w, p, m, e);
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
                            .wrong = j->wrong};
    return engine_chat_read(j->worker->engine, &c, &j->tokens, &j->prompt, e) &&
           engine_add_prompt(j, 0, e);
}

bool engine_chat_text(struct engine_job *j, struct span text, struct err *e)
{
    struct json messages;
    struct complaint *w = j->wrong;
    struct span copy = arena_span(j->arena, text);
    if (!copy.p)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    if (json_parse(&messages, copy, JSON_STRICT, j->arena, e) && engine_chat_job(j, messages, e))
        return true;
    if (strncmp(w->param, "messages", strlen("messages")) == 0)
        (void)snprintf(w->param, sizeof w->param, "%s", j->dialect->prompt);
    return false;
}
