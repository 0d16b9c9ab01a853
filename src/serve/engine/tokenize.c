/*
 * How the bundled engine reads a text or a chat: token ids and prompts, as llama-server gives
 * them, and how many tokens a request has, as OpenAI and Anthropic tell it. Nothing is computed,
 * and so nothing is recorded. Read in a reader's thread.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/engine/dialect.h"
#include "serve/front/question.h"
#include "serve/service.h"
#include "serve/engine/reading.h"

enum { TOOL_ARENA = 512 << 20, TOOL_MAX = 256 << 20 };

struct tool {
    struct question question;
    struct service *service;
    struct settings *settings;
    const struct key_config *key; /* in the settings */
    struct worker *worker;
    const struct engine *engine; /* of it */
    const struct endpoint *endpoint;
    struct buf body, out;
    struct complaint wrong;
    struct err err;
    bool ok;
};

static void put_ids(struct buf *out, const struct tokens *ids)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    engine_put_ids(&w, "tokens", ids->id, ids->n);
    jw_end_object(&w);
}

static bool tokenize(struct tool *t, struct json root, struct err *e)
{
    struct json special = json_get(root, "add_special");
    struct tokens ids = {0};
    struct span text;
    bool add = false;
    if (!json_string(json_get(root, "content"), &text))
        return complain(&t->wrong, e, "invalid_type", "content", "must be a string");
    if (json_type(special) > JSON_NULL && !json_bool(special, &add))
        return complain(&t->wrong, e, "invalid_type", "add_special", "must be a boolean");
    bool ok = tokenizer_encode_text(&ids, engine_tokenizer(t->engine), text, false,
                                    ENCODE_PROTOCOL | (add ? ENCODE_SPECIAL : 0U), e);
    put_ids(&t->out, &ids);
    tokens_free(&ids);
    return ok;
}

static bool apply_template(struct tool *t, struct json root, struct arena *a, struct err *e)
{
    struct tokens ids = {0};
    struct buf prompt;
    struct json_writer w;
    struct engine_chat c = {.messages = json_get(root, "messages"),
                            .tools = json_get(root, "tools"),
                            .variables = json_get(root, "chat_template_kwargs"),
                            .now = service_now_us() / 1000000,
                            .a = a,
                            .wrong = &t->wrong};
    if (json_type(c.messages) != JSON_ARRAY)
        return complain(&t->wrong, e, "invalid_type", "messages", "must be an array");
    buf_init(&prompt, TOOL_MAX);
    bool ok = engine_chat_read(t->engine, &c, &ids, &prompt, e);
    jw_init(&w, json_sink_buf, &t->out, false);
    jw_object(&w);
    jw_key(&w, "prompt");
    jw_string(&w, buf_span(&prompt));
    jw_end_object(&w);
    buf_free(&prompt);
    tokens_free(&ids);
    return ok;
}

/* The model that is named, or the first: what a tool reads with may differ between models. */
static bool choose(struct tool *t, struct json root, struct err *e)
{
    struct json model = json_get(root, "model");
    struct span name;
    t->worker = t->service->workers[0];
    t->engine = t->worker->engine;
    if (json_type(model) <= JSON_NULL)
        return true;
    if (!json_string(model, &name))
        return complain(&t->wrong, e, "invalid_type", "model", "must be a string");
    struct worker *w = worker_of(t->service, t->settings, name);
    if (!w || !serve_settings_key_may(t->key, name))
        return complain(&t->wrong, e, "model_not_found", "model", "is no model of the engine");
    t->worker = w;
    t->engine = w->engine;
    return true;
}

static bool is_at(const struct tool *t, const char *path)
{
    return strcmp(t->endpoint->path, path) == 0;
}

/* How much the model would read of a request that would be answered. */
static bool count(struct tool *t, struct arena *a, struct err *e)
{
    struct json_writer w;
    struct engine_job j = {.worker = t->worker,
                           .arena = a,
                           .api = t->endpoint->api,
                           .dialect = engine_dialect(t->endpoint->api),
                           .body = buf_span(&t->body),
                           .wrong = &t->wrong,
                           .created = service_now_us() / 1000000};
    buf_init(&j.prompt, TOOL_MAX);
    bool ok = engine_request_read(&j, e);
    jw_init(&w, json_sink_buf, &t->out, false);
    jw_object(&w);
    if (j.api == EXCHANGE_RESPONSES) {
        jw_key(&w, "object");
        jw_str(&w, "response.input_tokens");
    }
    jw_key(&w, "input_tokens");
    jw_u64(&w, j.tokens.n);
    jw_end_object(&w);
    tokens_free(&j.tokens);
    buf_free(&j.prompt);
    return ok;
}

static bool answer(struct tool *t, struct json root, struct arena *a, struct err *e)
{
    return is_at(t, "/tokenize")         ? tokenize(t, root, e)
           : is_at(t, "/apply-template") ? apply_template(t, root, a, e)
                                         : count(t, a, e);
}

static void work(struct errand *x)
{
    struct tool *t = (struct tool *)(void *)x;
    struct json root;
    struct arena *a = arena_new(TOOL_ARENA);
    t->ok = (a || err_set(&t->err, ERR_MEMORY, "out of memory")) &&
            json_parse(&root, buf_span(&t->body), JSON_STRICT, a, &t->err) &&
            choose(t, root, &t->err) && answer(t, root, a, &t->err) &&
            (buf_ok(&t->out) || err_set(&t->err, ERR_LIMIT, "the answer is too large"));
    arena_free(a);
}

static void tell(struct question *q)
{
    const struct tool *t = (struct tool *)(void *)q;
    if (t->ok)
        reply_large(q->conn, "application/json", buf_span(&t->out));
    else
        reply_wrong(q->conn, &t->wrong, "invalid_body", t->err.text);
}

static void forget(struct question *q)
{
    struct tool *t = (struct tool *)(void *)q;
    buf_free(&t->body);
    buf_free(&t->out);
    serve_settings_release(t->settings);
    free(t);
}

void engine_tool(struct service *s, struct conn *c, const struct endpoint *ep,
                 const struct caller *who)
{
    if (s->worker_count == 0) {
        reply_error(c, 501, "invalid_request_error", "no_engine",
                    "Only the bundled engine answers this, and none is configured.");
        return;
    }
    struct tool *t = calloc(1, sizeof *t);
    if (t) {
        t->question = (struct question){.errand.work = work, .answer = tell, .forget = forget};
        t->service = s;
        t->settings = serve_settings_hold(s->settings);
        t->key = who->key;
        t->endpoint = ep;
        conn_take_body(c, &t->body);
        buf_init(&t->out, TOOL_MAX);
    }
    if (!t || !question_ask(s->readers, &t->question, c)) {
        if (t)
            forget(&t->question);
        reply_error(c, 503, "server_error", "busy", "The server is busy; try again later.");
    }
}
