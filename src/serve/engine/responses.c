/*
 * The Responses API: its answer is a list of items, and its stream numbers every event. Nothing is
 * kept from one call to the next, so a call that goes on from another is refused
 * (parameter_limits.c).
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

enum { LOGPROBS_MAX = 256 << 20 };

/* ---- items of the answer ---- */

static void put_id(struct json_writer *w, const char *key, const struct engine_job *j,
                   const char *kind, size_t k)
{
    char id[JOB_ID + 32];
    (void)snprintf(id, sizeof id, "%s_%s%zu", kind, j->id + strlen("resp_"), k);
    jw_key(w, key);
    jw_str(w, id);
}

static void put_part(struct json_writer *w, const struct engine_answer *a, struct span text)
{
    jw_object(w);
    engine_put_type(w, "output_text");
    jw_key(w, "text");
    jw_string(w, text);
    jw_key(w, "annotations");
    jw_array(w);
    jw_end_array(w);
    jw_key(w, "logprobs");
    engine_put_items(w, &a->logprobs);
    jw_end_object(w);
}

/* `text` NULL: it has no content yet. */
static void put_message(struct json_writer *w, const struct engine_answer *a,
                        const struct span *text, const char *status)
{
    jw_object(w);
    put_id(w, "id", a->job, "msg", 0);
    engine_put_type(w, "message");
    jw_key(w, "status");
    jw_str(w, status);
    jw_key(w, "role");
    jw_str(w, "assistant");
    jw_key(w, "content");
    jw_array(w);
    if (text)
        put_part(w, a, *text);
    jw_end_array(w);
    jw_end_object(w);
}

static void put_function_call(struct json_writer *w, const struct engine_answer *a, size_t k,
                              bool begun)
{
    char id[CALL_ID];
    jw_object(w);
    put_id(w, "id", a->job, "fc", k);
    engine_put_type(w, "function_call");
    jw_key(w, "status");
    jw_str(w, begun ? "in_progress" : "completed");
    jw_key(w, "call_id");
    jw_str(w, engine_call_id(id, a, k));
    jw_key(w, "name");
    jw_string(w, a->calls.call[k].name);
    jw_key(w, "arguments");
    jw_string(w, begun ? SPAN_EMPTY : a->calls.call[k].arguments);
    jw_end_object(w);
}

/* Its message stands there unless there are only calls. */
static bool has_message(const struct engine_answer *a)
{
    return a->calls.count == 0 || a->content.n || a->opened;
}

static void put_output(struct json_writer *w, const struct engine_answer *a, bool over)
{
    jw_key(w, "output");
    jw_array(w);
    if (over && has_message(a))
        put_message(w, a, &a->content,
                    a->result.finish == ENGINE_LENGTH ? "incomplete" : "completed");
    for (size_t i = 0; over && i < a->calls.count; i++)
        put_function_call(w, a, i, false);
    jw_end_array(w);
}

/* ---- the response ---- */

/* As it was asked for, or what it would have been. */
static void put_echo(struct json_writer *w, const struct engine_job *j, const char *name,
                     const char *preset)
{
    struct json v = json_get(j->root, name);
    jw_key(w, name);
    jw_raw(w, json_type(v) > JSON_NULL ? json_text(v) : span_str(preset));
}

static void put_number(struct json_writer *w, const char *key, uint64_t n)
{
    jw_key(w, key);
    jw_u64(w, n);
}

static void put_usage(struct json_writer *w, const struct engine_job *j)
{
    uint64_t in = j->tokens.n, out = engine_answer_tokens(j);
    jw_key(w, "usage");
    jw_object(w);
    put_number(w, "input_tokens", in);
    jw_key(w, "input_tokens_details");
    jw_object(w);
    put_number(w, "cached_tokens", engine_cached_tokens(j));
    jw_end_object(w);
    put_number(w, "output_tokens", out);
    jw_key(w, "output_tokens_details");
    jw_object(w);
    put_number(w, "reasoning_tokens", 0);
    jw_end_object(w);
    put_number(w, "total_tokens", in + out);
    jw_end_object(w);
}

static void put_status(struct json_writer *w, const struct engine_answer *a, bool over)
{
    bool cut = over && a->result.finish == ENGINE_LENGTH;
    jw_key(w, "status");
    jw_str(w, !over ? "in_progress" : cut ? "incomplete" : "completed");
    jw_key(w, "incomplete_details");
    jw_raw(w, span_str(cut ? "{\"reason\":\"max_output_tokens\"}" : "null"));
}

static void put_ids(struct json_writer *w, const struct engine_answer *a)
{
    struct span given = buf_span(&a->tape.tokens_out);
    engine_put_ids(w, "prompt_token_ids", a->prompt, a->prompt_count);
    jw_key(w, "token_ids");
    jw_array(w);
    for (size_t i = 0; i < given.n; i += 4)
        jw_u64(w, load_u32le(given.p + i));
    jw_end_array(w);
}

static void put_response(struct json_writer *w, const struct engine_job *j, bool over)
{
    static const char *const nothing[] = {"error", "previous_response_id", NULL};
    const struct engine_answer *a = &j->answers[0];
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, j->id);
    jw_key(w, "object");
    jw_str(w, "response");
    put_number(w, "created_at", j->created);
    put_status(w, a, over);
    for (size_t i = 0; nothing[i]; i++) {
        jw_key(w, nothing[i]);
        jw_null(w);
    }
    jw_key(w, "model");
    jw_string(w, j->model);
    jw_key(w, "system_fingerprint");
    jw_str(w, j->fingerprint);
    put_output(w, a, over);
    put_echo(w, j, "instructions", "null");
    put_echo(w, j, "max_output_tokens", "null");
    put_echo(w, j, "metadata", "{}");
    put_echo(w, j, "parallel_tool_calls", "true");
    put_echo(w, j, "temperature", "1");
    put_echo(w, j, "text", "{\"format\":{\"type\":\"text\"}}");
    put_echo(w, j, "tool_choice", "\"auto\"");
    put_echo(w, j, "tools", "[]");
    put_echo(w, j, "top_p", "1");
    put_echo(w, j, "truncation", "\"disabled\"");
    put_echo(w, j, "user", "null");
    jw_key(w, "background");
    jw_bool(w, false);
    jw_key(w, "store");
    jw_bool(w, false);
    if (over && j->token_ids)
        put_ids(w, a);
    if (over) {
        put_usage(w, j);
    } else {
        jw_key(w, "usage");
        jw_null(w);
    }
    jw_end_object(w);
}

static void whole(struct buf *out, struct engine_job *j)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    put_response(&w, j, true);
    out->failed = out->failed || w.failed;
}

/* ---- the stream ---- */

static void open_event(struct buf *out, struct json_writer *w, struct engine_job *j,
                       const char *type)
{
    engine_open_event(out, w, type);
    put_number(w, "sequence_number", j->events++);
}

static void response_event(struct buf *out, struct engine_job *j, const char *type, bool over)
{
    struct json_writer w;
    open_event(out, &w, j, type);
    jw_key(&w, "response");
    put_response(&w, j, over);
    engine_close_event(out, &w);
}

static void begin(struct buf *out, struct engine_job *j)
{
    response_event(out, j, "response.created", false);
    response_event(out, j, "response.in_progress", false);
}

static void item_event(struct buf *out, struct json_writer *w, const struct engine_answer *a,
                       const char *type, size_t place)
{
    open_event(out, w, a->job, type);
    put_number(w, "output_index", place);
}

static void content_event(struct buf *out, struct json_writer *w, const struct engine_answer *a,
                          const char *type)
{
    open_event(out, w, a->job, type);
    put_id(w, "item_id", a->job, "msg", 0);
    put_number(w, "output_index", 0);
    put_number(w, "content_index", 0);
}

static void open_message(struct buf *out, struct engine_answer *a)
{
    struct json_writer w;
    a->opened = true;
    item_event(out, &w, a, "response.output_item.added", 0);
    jw_key(&w, "item");
    put_message(&w, a, NULL, "in_progress");
    engine_close_event(out, &w);
    content_event(out, &w, a, "response.content_part.added");
    jw_key(&w, "part");
    jw_raw(&w, span_str("{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[],"
                        "\"logprobs\":[]}"));
    engine_close_event(out, &w);
}

static void piece(struct buf *out, struct engine_answer *a, const struct engine_piece *p)
{
    struct json_writer w;
    struct buf fresh;
    bool probable = p->token && a->job->logprobs;
    if (!p->text.n && !probable)
        return;
    if (!a->opened)
        open_message(out, a);
    buf_init(&fresh, LOGPROBS_MAX);
    if (probable)
        logprobs_chat(&fresh, a, p->token);
    if (a->logprobs.n && fresh.n)
        buf_put_u8(&a->logprobs, ',');
    buf_put_span(&a->logprobs, buf_span(&fresh));
    content_event(out, &w, a, "response.output_text.delta");
    jw_key(&w, "delta");
    jw_string(&w, p->text);
    jw_key(&w, "logprobs");
    engine_put_items(&w, &fresh);
    engine_close_event(out, &w);
    buf_free(&fresh);
}

static void close_message(struct buf *out, struct engine_answer *a)
{
    struct json_writer w;
    content_event(out, &w, a, "response.output_text.done");
    jw_key(&w, "text");
    jw_string(&w, a->content);
    jw_key(&w, "logprobs");
    engine_put_items(&w, &a->logprobs);
    engine_close_event(out, &w);
    content_event(out, &w, a, "response.content_part.done");
    jw_key(&w, "part");
    put_part(&w, a, a->content);
    engine_close_event(out, &w);
    item_event(out, &w, a, "response.output_item.done", 0);
    jw_key(&w, "item");
    put_message(&w, a, &a->content, a->result.finish == ENGINE_LENGTH ? "incomplete" : "completed");
    engine_close_event(out, &w);
}

static void arguments_event(struct buf *out, const struct engine_answer *a, size_t k, size_t place,
                            bool done)
{
    struct json_writer w;
    item_event(out, &w, a,
               done ? "response.function_call_arguments.done"
                    : "response.function_call_arguments.delta",
               place);
    put_id(&w, "item_id", a->job, "fc", k);
    if (done) {
        jw_key(&w, "name");
        jw_string(&w, a->calls.call[k].name);
    }
    jw_key(&w, done ? "arguments" : "delta");
    jw_string(&w, a->calls.call[k].arguments);
    engine_close_event(out, &w);
}

static void say_call(struct buf *out, const struct engine_answer *a, size_t k, size_t place)
{
    struct json_writer w;
    item_event(out, &w, a, "response.output_item.added", place);
    jw_key(&w, "item");
    put_function_call(&w, a, k, true);
    engine_close_event(out, &w);
    arguments_event(out, a, k, place, false);
    arguments_event(out, a, k, place, true);
    item_event(out, &w, a, "response.output_item.done", place);
    jw_key(&w, "item");
    put_function_call(&w, a, k, false);
    engine_close_event(out, &w);
}

static void end(struct buf *out, struct engine_answer *a)
{
    size_t message = has_message(a);
    if (message && !a->opened)
        open_message(out, a);
    if (message)
        close_message(out, a);
    for (size_t i = 0; i < a->calls.count; i++)
        say_call(out, a, i, message + i);
}

static void finish(struct buf *out, struct engine_job *j)
{
    bool cut = j->answers[0].result.finish == ENGINE_LENGTH;
    response_event(out, j, cut ? "response.incomplete" : "response.completed", true);
}

const struct dialect responses_dialect = {"resp_", "input", engine_read_response, begin, piece, end,
                                          finish,  whole};
