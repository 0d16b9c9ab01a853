/*
 * One reader for the four shapes of an answer (OpenAI's chat, completions and responses,
 * Anthropic's messages) as a whole or in events. Where usage is not reported it is
 * estimated, and said so: a token for every event that carries text, four bytes of
 * the request for a token.
 */
#include "serve/call/facts.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { EVENT_ARENA = 64 << 20, BYTES_A_TOKEN = 4 };

void facts_init(struct facts *f, enum exchange_api api, uint64_t request_bytes)
{
    memset(f, 0, sizeof *f);
    f->api = api;
    f->bytes_in = request_bytes;
    f->terminal_at = UINT64_MAX;
    sse_init(&f->sse);
}

void facts_free(struct facts *f)
{
    sse_free(&f->sse);
}

/* The first that is said stays. */
static void keep(char *out, size_t size, struct json v)
{
    struct span s;
    if (out[0] || !json_string(v, &s) || s.n == 0)
        return;
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(out, s.p, n);
    out[n] = '\0';
    while (n && utf8_invalid((struct span){(const uint8_t *)out, n}) != TEXT_VALID)
        out[--n] = '\0'; /* not cut within a character */
}

static bool first_number(struct json v, const char *const *names, uint64_t *out)
{
    for (; *names; names++)
        if (json_u64(json_get(v, *names), out))
            return true;
    return false;
}

static void read_usage(struct facts *f, struct json u)
{
    static const char *const input[] = {"prompt_tokens", "input_tokens", NULL};
    static const char *const output[] = {"completion_tokens", "output_tokens", NULL};
    if (json_type(u) != JSON_OBJECT)
        return;
    bool any = first_number(u, input, &f->input);
    any = first_number(u, output, &f->output) || any;
    f->reported = f->reported || any;
    (void)json_u64(json_get(json_get(u, "prompt_tokens_details"), "cached_tokens"), &f->cached);
    (void)json_u64(json_get(json_get(u, "input_tokens_details"), "cached_tokens"), &f->cached);
    (void)json_u64(json_get(u, "cache_read_input_tokens"), &f->cached);
    (void)json_u64(json_get(json_get(u, "completion_tokens_details"), "reasoning_tokens"),
                   &f->reasoning);
    (void)json_u64(json_get(json_get(u, "output_tokens_details"), "reasoning_tokens"),
                   &f->reasoning);
}

static void add_finish(struct facts *f, uint64_t index, struct json reason)
{
    if (json_type(reason) != JSON_STRING || index >= FACTS_FINISH)
        return;
    keep(f->finish[index], sizeof f->finish[index], reason);
    if (index >= f->finish_count)
        f->finish_count = (size_t)index + 1;
}

static void add_status(struct facts *f, struct json status)
{
    struct span s = SPAN_EMPTY;
    if (json_string(status, &s) && !span_is(s, "in_progress") && !span_is(s, "queued"))
        add_finish(f, 0, status);
}

static void read_choices(struct facts *f, struct json choices)
{
    uint64_t place = 0;
    for (struct json c = json_first(choices); json_type(c); c = json_next(c), place++) {
        uint64_t index = place;
        (void)json_u64(json_get(c, "index"), &index);
        add_finish(f, index, json_get(c, "finish_reason"));
        struct json delta = json_get(c, "delta");
        f->deltas += json_count(json_get(c, "text")) || json_type(json_get(c, "text")) ||
                     json_type(json_get(delta, "content")) == JSON_STRING ||
                     json_type(json_get(delta, "tool_calls")) ||
                     json_type(json_get(delta, "reasoning_content")) == JSON_STRING;
    }
}

/* What stands at the top of an answer, or of the object within an event that is one. */
static void read_answer(struct facts *f, struct json v)
{
    keep(f->id, sizeof f->id, json_get(v, "id"));
    keep(f->model, sizeof f->model, json_get(v, "model"));
    keep(f->fingerprint, sizeof f->fingerprint, json_get(v, "system_fingerprint"));
    read_usage(f, json_get(v, "usage"));
    read_choices(f, json_get(v, "choices"));
    add_finish(f, 0, json_get(v, "stop_reason"));
    if (f->api == EXCHANGE_RESPONSES)
        add_status(f, json_get(v, "status"));
}

void facts_body(struct facts *f, struct span body)
{
    struct json root;
    if (body.n == 0 || body.n > FACTS_BODY_MAX)
        return;
    struct arena *a = arena_new(EVENT_ARENA);
    if (a && json_parse(&root, body, JSON_KEEP_DUPLICATES, a, NULL))
        read_answer(f, root);
    arena_free(a);
}

static bool is_terminal(const struct facts *f, struct span type)
{
    if (f->api == EXCHANGE_MESSAGES)
        return span_is(type, "message_stop") || span_is(type, "error");
    return span_is(type, "response.completed") || span_is(type, "response.incomplete") ||
           span_is(type, "response.failed") || span_is(type, "error");
}

static void read_typed(struct facts *f, struct json root, const struct sse_event *e)
{
    struct span type = e->event;
    (void)json_string(json_get(root, "type"), &type);
    if (span_starts(type, "response.") && json_type(json_get(root, "response")))
        read_answer(f, json_get(root, "response"));
    if (span_is(type, "message_start"))
        read_answer(f, json_get(root, "message"));
    if (span_is(type, "message_delta")) {
        read_usage(f, json_get(root, "usage"));
        add_finish(f, 0, json_get(json_get(root, "delta"), "stop_reason"));
    }
    f->deltas += span_is(type, "content_block_delta") || span_ends(type, ".delta");
    if (is_terminal(f, type) && f->terminal_at == UINT64_MAX)
        f->terminal_at = e->begin;
    f->failed = f->failed || span_is(type, "error") || span_is(type, "response.failed");
}

static bool is_usage_alone(struct json v)
{
    struct json choices = json_get(v, "choices");
    return json_type(choices) == JSON_ARRAY && json_count(choices) == 0 &&
           json_type(json_get(v, "usage")) == JSON_OBJECT;
}

static void visit(void *arg, const struct sse_event *e)
{
    struct facts *f = arg;
    struct json root;
    if (span_is(e->data, "[DONE]")) {
        if (f->terminal_at == UINT64_MAX)
            f->terminal_at = e->begin;
        return;
    }
    struct arena *a = arena_new(EVENT_ARENA);
    if (a && json_parse(&root, e->data, JSON_KEEP_DUPLICATES, a, NULL)) {
        if (f->api == EXCHANGE_RESPONSES || f->api == EXCHANGE_MESSAGES)
            read_typed(f, root, e);
        else
            read_answer(f, root);
        if (f->usage_event && is_usage_alone(root))
            f->usage_event(f->usage_arg, e);
        f->failed = f->failed || json_type(json_get(root, "error")) == JSON_OBJECT;
    }
    arena_free(a);
}

void facts_stream(struct facts *f, struct span bytes)
{
    sse_feed(&f->sse, bytes, visit, f);
}

void facts_stream_end(struct facts *f)
{
    sse_end(&f->sse, visit, f);
}

struct exchange_tokens facts_tokens(const struct facts *f, bool answered)
{
    if (f->reported)
        return (struct exchange_tokens){true, false, f->input, f->output, f->cached, f->reasoning};
    return (struct exchange_tokens){.known = answered,
                                    .estimated = true,
                                    .input = f->bytes_in / BYTES_A_TOKEN,
                                    .output = f->deltas};
}
