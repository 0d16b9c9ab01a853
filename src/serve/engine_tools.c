/*
 * How the bundled engine reads a text or a chat: token ids and prompts, as llama-server gives
 * them. Nothing is computed, and so nothing is recorded.
 */
#include "serve/engine.h"

enum { TOOL_ARENA = 512 << 20, TOOL_MAX = 256 << 20 };

static bool tokenize(struct engine *g, struct json root, struct buf *out, struct err *e)
{
    struct json special = json_get(root, "add_special");
    struct tokens ids = {0};
    struct span text;
    struct json_writer w;
    bool add = false;
    if (!json_string(json_get(root, "content"), &text))
        return err_set(e, ERR_FORMAT, "'content' must be a string");
    if (json_type(special) > JSON_NULL && !json_bool(special, &add))
        return err_set(e, ERR_FORMAT, "'add_special' must be a boolean");
    bool ok = tokenizer_encode_text(&ids, engine_tokenizer(g), text, false,
                                    ENCODE_PROTOCOL | (add ? ENCODE_SPECIAL : 0U), e);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "tokens");
    jw_array(&w);
    for (size_t i = 0; ok && i < ids.n; i++)
        jw_u64(&w, ids.id[i]);
    jw_end_array(&w);
    jw_end_object(&w);
    tokens_free(&ids);
    return ok;
}

static bool apply_template(struct engine *g, struct json root, struct arena *a, struct buf *out,
                           struct err *e)
{
    struct tokens ids = {0};
    struct buf prompt;
    struct json_writer w;
    struct json messages = json_get(root, "messages");
    if (json_type(messages) != JSON_ARRAY)
        return err_set(e, ERR_FORMAT, "'messages' must be an array");
    buf_init(&prompt, TOOL_MAX);
    bool ok = engine_messages(g, messages, service_now_us() / 1000000, a, &ids, &prompt, e);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "prompt");
    jw_string(&w, buf_span(&prompt));
    jw_end_object(&w);
    buf_free(&prompt);
    tokens_free(&ids);
    return ok;
}

void engine_tool(struct service *s, struct conn *c, const struct endpoint *ep)
{
    struct buf body = {0}, out;
    struct json root;
    struct err e = ERR_INIT;
    if (!s->worker || ep->admin) {
        reply_error(c, 501, "invalid_request_error", s->worker ? "not_served" : "no_engine",
                    s->worker ? "A server replays nothing: use assay replay."
                              : "Only the bundled engine answers this, and none is configured.");
        return;
    }
    struct arena *a = arena_new(TOOL_ARENA);
    conn_take_body(c, &body);
    buf_init(&out, TOOL_MAX);
    bool ok = (a || err_set(&e, ERR_MEMORY, "out of memory")) &&
              json_parse(&root, buf_span(&body), JSON_STRICT, a, &e);
    if (ok && span_is(span_str(ep->path), "/tokenize"))
        ok = tokenize(s->worker->engine, root, &out, &e);
    else if (ok)
        ok = apply_template(s->worker->engine, root, a, &out, &e);
    if (ok && buf_ok(&out))
        reply_large(c, "application/json", buf_span(&out));
    else
        reply_error(c, 400, "invalid_request_error", "invalid_body",
                    ok ? "The answer is too large." : e.text);
    buf_free(&out);
    buf_free(&body);
    arena_free(a);
}
