/*
 * What the dialects have in common: which of them an API is, what they count, and how lists, ids
 * and events with names are written.
 */
#include "serve/engine/dialect.h"

enum { ITEMS_MAX = 64 << 20 };

const struct dialect *engine_dialect(enum exchange_api api)
{
    static const struct dialect *const all[EXCHANGE_APIS] = {
        [EXCHANGE_CHAT] = &chat_dialect,
        [EXCHANGE_COMPLETIONS] = &completions_dialect,
        [EXCHANGE_RESPONSES] = &responses_dialect,
        [EXCHANGE_EMBEDDINGS] = &embeddings_dialect,
        [EXCHANGE_MESSAGES] = &messages_dialect};
    return all[api];
}

/* ---- what is said of an answer ---- */

const char *engine_call_id(char out[CALL_ID], const struct engine_answer *a, size_t k)
{
    static const char hex[] = "0123456789abcdef";
    const struct engine_job *j = a->job;
    size_t number = (size_t)a->index * TOOL_CALLS_MAX + k, n = 0;
    for (size_t i = 0; i < 3; i++) {
        out[n++] = hex[j->random[i] >> 4];
        out[n++] = hex[j->random[i] & 15];
    }
    for (; n < CALL_ID - 1; number /= 36)
        out[n++] = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
    out[n] = '\0';
    return out;
}

uint64_t engine_answer_tokens(const struct engine_job *j)
{
    uint64_t n = 0;
    for (size_t i = 0; i < j->answer_count; i++)
        n += j->answers[i].result.answer;
    return n;
}

/* Of the first answer to each prompt: the others find what that one left. */
uint64_t engine_cached_tokens(const struct engine_job *j)
{
    uint64_t n = 0;
    for (size_t i = 0; i < j->answer_count; i += j->choices)
        n += j->answers[i].result.cached;
    return n;
}

bool engine_called(const struct engine_answer *a)
{
    return a->calls.count && !a->calls.cut;
}

const char *engine_finish(const struct engine_answer *a)
{
    const char *called = a->job->older_tools ? "function_call" : "tool_calls";
    return engine_called(a) ? called : engine_finish_name(a->result.finish);
}

/* ---- how it is written ---- */

void engine_put_items(struct json_writer *w, const struct buf *items)
{
    struct buf list;
    buf_init(&list, ITEMS_MAX);
    buf_put_u8(&list, '[');
    buf_put_span(&list, buf_span(items));
    buf_put_u8(&list, ']');
    if (buf_ok(&list))
        jw_raw(w, buf_span(&list));
    w->failed = w->failed || !buf_ok(&list);
    buf_free(&list);
}

void engine_put_ids(struct json_writer *w, const char *key, const uint32_t *ids, size_t n)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < n; i++)
        jw_u64(w, ids[i]);
    jw_end_array(w);
}

void engine_put_type(struct json_writer *w, const char *type)
{
    jw_key(w, "type");
    jw_str(w, type);
}

void engine_put_function(struct json_writer *w, const char *key, struct span name,
                         struct span arguments)
{
    jw_key(w, key);
    jw_object(w);
    jw_key(w, "name");
    jw_string(w, name);
    jw_key(w, "arguments");
    jw_string(w, arguments);
    jw_end_object(w);
}

void engine_put_call(struct json_writer *w, struct span id, struct span name, struct span arguments)
{
    jw_key(w, "id");
    jw_string(w, id);
    engine_put_type(w, "function");
    engine_put_function(w, "function", name, arguments);
}

void engine_open_event(struct buf *out, struct json_writer *w, const char *type)
{
    buf_printf(out, "event: %s\ndata: ", type);
    jw_init(w, json_sink_buf, out, false);
    jw_object(w);
    engine_put_type(w, type);
}

void engine_close_event(struct buf *out, struct json_writer *w)
{
    jw_end_object(w);
    buf_put_str(out, "\n\n");
    out->failed = out->failed || w->failed;
}
