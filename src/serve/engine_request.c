/*
 * A request to the bundled engine. A parameter that is not known here is refused by its
 * name: an answer that silently ignored one would be recorded as if it had not.
 */
#include <math.h>
#include <string.h>

#include "serve/engine.h"

enum { STOPS = ENGINE_MAX_STOPS };

static const char *const common[] = {
    "model", "stream", "stream_options", "max_tokens",        "temperature",      "top_p", "top_k",
    "min_p", "seed",   "stop",           "frequency_penalty", "presence_penalty", "n",     "user",
    NULL};

static bool in(const char *const *names, struct span name)
{
    while (*names && !span_is(name, *names))
        names++;
    return *names != NULL;
}

static bool all_known(struct json root, bool chat, struct err *e)
{
    static const char *const chats[] = {"messages", "max_completion_tokens", NULL};
    static const char *const plain[] = {"prompt", NULL};
    for (struct json m = json_first(root); json_type(m); m = json_next(m)) {
        struct span name = json_key(m);
        if (json_type(m) != JSON_NULL && !in(common, name) && !in(chat ? chats : plain, name))
            return err_set(e, ERR_UNSUPPORTED, "'%.*s' is not supported by the bundled engine",
                           name.n < 64 ? (int)name.n : 64, (const char *)name.p);
    }
    return true;
}

/* ---- numbers ---- */

static bool absent(struct json v)
{
    return json_type(v) == JSON_MISSING || json_type(v) == JSON_NULL;
}

static bool decimal(struct json root, const char *name, float *out, struct err *e)
{
    struct json v = json_get(root, name);
    double d;
    if (absent(v))
        return true;
    if (!json_double(v, &d) || !isfinite(d))
        return err_set(e, ERR_FORMAT, "'%s' must be a number", name);
    *out = (float)d;
    return true;
}

static bool whole(struct json root, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                  struct err *e)
{
    struct json v = json_get(root, name);
    uint64_t n;
    if (absent(v))
        return true;
    if (!json_u64(v, &n) || n < min || n > max)
        return err_set(e, ERR_FORMAT, "'%s' must be a whole number from %llu to %llu", name,
                       (unsigned long long)min, (unsigned long long)max);
    *out = n;
    return true;
}

/* OpenAI's presets: temperature 1, top_p 1. A seed that is not given is 0. */
static bool read_sampling(struct engine_job *j, struct json root, struct err *e)
{
    struct engine_sampling *s = &j->request.sampling;
    uint64_t top_k = 0, seed = 0, max = 0, n = 1;
    *s = engine_greedy();
    s->temperature = 1;
    if (!decimal(root, "temperature", &s->temperature, e) ||
        !decimal(root, "top_p", &s->top_p, e) || !decimal(root, "min_p", &s->min_p, e) ||
        !decimal(root, "frequency_penalty", &s->frequency, e) ||
        !decimal(root, "presence_penalty", &s->presence, e) ||
        !whole(root, "top_k", 0, UINT32_MAX, &top_k, e) ||
        !whole(root, "seed", 0, INT64_MAX, &seed, e) || !whole(root, "n", 1, 1, &n, e) ||
        !whole(root, "max_tokens", 1, UINT32_MAX, &max, e) ||
        !whole(root, "max_completion_tokens", 1, UINT32_MAX, &max, e))
        return false;
    s->top_k = (uint32_t)top_k;
    s->seed = seed;
    j->request.max_tokens = (uint32_t)max;
    return true;
}

/* ---- the rest ---- */

static bool read_stops(struct engine_job *j, struct json v, struct err *e)
{
    struct span *stops = arena_array(j->arena, STOPS, sizeof *stops);
    bool one = json_type(v) == JSON_STRING;
    size_t n = 0;
    if (absent(v))
        return true;
    if (!stops)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    for (struct json s = one ? v : json_first(v); json_type(s);
         s = one ? JSON_NOTHING : json_next(s))
        if (n == STOPS || !json_string(s, &stops[n++]))
            return err_set(e, ERR_FORMAT, "'stop' must be a string or up to %d of them", STOPS);
    j->request.stops = stops;
    j->request.stop_count = n;
    return true;
}

static bool read_stream(struct engine_job *j, struct json options, struct err *e)
{
    for (struct json m = json_first(options); json_type(m); m = json_next(m))
        if (!span_is(json_key(m), "include_usage") ||
            (!absent(m) && !json_bool(m, &j->include_usage)))
            return err_set(e, ERR_FORMAT, "'stream_options' holds include_usage alone, a boolean");
    return absent(options) || j->stream ||
           err_set(e, ERR_FORMAT, "'stream_options' is for streams: set 'stream'");
}

bool engine_messages(struct engine *g, struct json messages, uint64_t now, struct arena *a,
                     struct tokens *out, struct buf *prompt, struct err *e)
{
    struct buf text;
    struct json root;
    struct span source = json_text(messages);
    buf_init(&text, source.n + 64);
    buf_put_str(&text, "{\"messages\":");
    buf_put_span(&text, source);
    buf_put_u8(&text, '}');
    struct span copy = arena_span(a, buf_span(&text));
    bool ok = (buf_ok(&text) && copy.p) || err_set(e, ERR_MEMORY, "out of memory for a request");
    buf_free(&text);
    return ok && engine_chats(g, e) && json_parse(&root, copy, JSON_STRICT, a, e) &&
           engine_chat_prompt(g, root, (int64_t)now, out, prompt, e);
}

static bool read_ids(struct engine_job *j, struct json list, struct err *e)
{
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        uint64_t id;
        if (!json_u64(v, &id) || id > UINT32_MAX)
            return err_set(e, ERR_UNSUPPORTED,
                           "'prompt' must be a string or an array of token ids");
        if (!tokens_add(&j->tokens, (uint32_t)id, e))
            return false;
    }
    return true;
}

static bool read_prompt(struct engine_job *j, struct json prompt, struct err *e)
{
    struct span text;
    if (!json_string(prompt, &text))
        return read_ids(j, prompt, e);
    buf_put_span(&j->prompt, text);
    return tokenizer_encode_text(&j->tokens, engine_tokenizer(j->worker->engine), text, false,
                                 ENCODE_SPECIAL | ENCODE_PROTOCOL, e);
}

bool engine_request_read(struct engine_job *j, struct call *c, struct err *e)
{
    struct json root;
    j->chat = c->endpoint->api == EXCHANGE_CHAT;
    j->stream = c->stream;
    if (!j->chat && c->endpoint->api != EXCHANGE_COMPLETIONS)
        return err_set(e, ERR_UNSUPPORTED,
                       "the bundled engine answers /v1/chat/completions and /v1/completions");
    if (!json_parse(&root, buf_span(&c->body), JSON_STRICT, j->arena, e) ||
        !all_known(root, j->chat, e) || !read_sampling(j, root, e) ||
        !read_stops(j, json_get(root, "stop"), e) ||
        !read_stream(j, json_get(root, "stream_options"), e))
        return false;
    bool ok = j->chat ? engine_messages(j->worker->engine, json_get(root, "messages"), j->created,
                                        j->arena, &j->tokens, &j->prompt, e)
                      : read_prompt(j, json_get(root, "prompt"), e);
    if (!ok)
        return false;
    j->request.tokens = j->tokens.id;
    j->request.count = j->tokens.n;
    if (!buf_ok(&j->prompt))
        return err_set(e, ERR_MEMORY, "out of memory for a prompt");
    return engine_check(j->worker->engine, &j->request, e);
}
