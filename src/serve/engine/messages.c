/*
 * Anthropic's Messages API: blocks of text, calls of tools and their results become a chat's
 * messages; an answer is a list of blocks, and a stream opens and closes each of them.
 */
#include <stdio.h>
#include <string.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

enum { INPUT_MAX = 256 << 20 };

/* ---- what was asked ---- */

struct input {
    struct engine_job *j;
    struct json_writer w;
    struct buf text;
    size_t message;
};

static bool wrong(struct input *in, const char *where, const char *why, struct err *e)
{
    char param[PARAM_MAX];
    (void)snprintf(param, sizeof param, "messages[%zu].%s", in->message, where);
    return complain(in->j->wrong, e, "invalid_value", param, "%s", why);
}

static bool is_block(struct json block, const char *type)
{
    struct span s;
    return json_string(json_get(block, "type"), &s) && span_is(s, type);
}

/* A string, or blocks of text, as one text; the caller frees it, also when it is none. */
static bool read_text(struct json v, struct buf *out)
{
    struct span text;
    bool ok = json_type(v) == JSON_ARRAY || json_type(v) == JSON_MISSING;
    buf_init(out, INPUT_MAX);
    if (json_string(v, &text)) {
        buf_put_span(out, text);
        return buf_ok(out);
    }
    for (struct json b = json_first(v); ok && json_type(b); b = json_next(b)) {
        ok = is_block(b, "text") && json_string(json_get(b, "text"), &text);
        if (ok && out->n)
            buf_put_u8(out, '\n');
        if (ok)
            buf_put_span(out, text);
    }
    return ok && buf_ok(out);
}

static void begin_message(struct json_writer *w, const char *role, struct span content)
{
    jw_object(w);
    jw_key(w, "role");
    jw_str(w, role);
    jw_key(w, "content");
    jw_string(w, content);
}

static bool put_result(struct input *in, struct json block, struct err *e)
{
    struct buf text;
    struct span id = SPAN_EMPTY;
    bool ok = read_text(json_get(block, "content"), &text) &&
              json_string(json_get(block, "tool_use_id"), &id);
    if (ok) {
        begin_message(&in->w, "tool", buf_span(&text));
        jw_key(&in->w, "tool_call_id");
        jw_string(&in->w, id);
        jw_end_object(&in->w);
    }
    buf_free(&text);
    return ok || wrong(in, "content", "has a tool_result without tool_use_id, or not of text", e);
}

static bool put_use(struct input *in, struct json block, struct err *e)
{
    struct json_writer *w = &in->w;
    struct span id, name;
    struct json input = json_get(block, "input");
    if (!json_string(json_get(block, "id"), &id) || !json_string(json_get(block, "name"), &name) ||
        json_type(input) != JSON_OBJECT)
        return wrong(in, "content", "has a tool_use without id, name or input", e);
    jw_object(w);
    engine_put_call(w, id, name, json_text(input));
    jw_end_object(w);
    return true;
}

/* The text of a message, which results of calls go before and calls go within. */
static bool gather_text(struct input *in, struct json blocks, struct buf *text, size_t *uses,
                        struct err *e)
{
    bool ok = true;
    for (struct json b = json_first(blocks); ok && json_type(b); b = json_next(b)) {
        struct span piece;
        if (is_block(b, "tool_use")) {
            ++*uses;
        } else if (is_block(b, "tool_result")) {
            ok = put_result(in, b, e);
        } else if (is_block(b, "text") && json_string(json_get(b, "text"), &piece)) {
            if (text->n)
                buf_put_u8(text, '\n');
            buf_put_span(text, piece);
        } else {
            ok = wrong(in, "content", "may hold blocks of text, tool_use and tool_result alone", e);
        }
    }
    return ok;
}

static bool put_blocks(struct input *in, const char *role, struct json blocks, struct err *e)
{
    struct buf text;
    size_t uses = 0;
    buf_init(&text, INPUT_MAX);
    bool ok = gather_text(in, blocks, &text, &uses, e);
    if (ok && (text.n || uses)) {
        begin_message(&in->w, role, buf_span(&text));
        if (uses) {
            jw_key(&in->w, "tool_calls");
            jw_array(&in->w);
        }
        for (struct json b = json_first(blocks); ok && json_type(b); b = json_next(b))
            ok = !is_block(b, "tool_use") || put_use(in, b, e);
        if (uses)
            jw_end_array(&in->w);
        jw_end_object(&in->w);
    }
    buf_free(&text);
    return ok;
}

static bool put_message(struct input *in, struct json m, struct err *e)
{
    struct json content = json_get(m, "content");
    struct span role, text;
    if (!json_string(json_get(m, "role"), &role) ||
        !(span_is(role, "user") || span_is(role, "assistant")))
        return wrong(in, "role", "must be user or assistant", e);
    const char *who = span_is(role, "user") ? "user" : "assistant";
    if (json_type(content) == JSON_ARRAY)
        return put_blocks(in, who, content, e);
    if (!json_string(content, &text))
        return wrong(in, "content", "must be a string or an array of blocks", e);
    begin_message(&in->w, who, text);
    jw_end_object(&in->w);
    return true;
}

static bool put_messages(struct input *in, struct json root, struct err *e)
{
    struct json system = json_get(root, "system"), messages = json_get(root, "messages");
    struct buf text;
    jw_array(&in->w);
    if (json_type(system) > JSON_NULL) {
        bool ok = read_text(system, &text);
        if (ok) {
            begin_message(&in->w, "system", buf_span(&text));
            jw_end_object(&in->w);
        }
        buf_free(&text);
        if (!ok)
            return complain(in->j->wrong, e, "invalid_type", "system",
                            "must be a string or blocks of text");
    }
    for (struct json m = json_first(messages); json_type(m); m = json_next(m), in->message++) {
        struct span role = SPAN_EMPTY;
        (void)json_string(json_get(m, "role"), &role);
        if (!put_message(in, m, e))
            return false;
        if (span_is(role, "assistant") && in->message + 1 == json_count(messages))
            return wrong(in, "role", "must be user: an answer that is begun is not gone on with",
                         e);
    }
    jw_end_array(&in->w);
    return buf_ok(&in->text) || err_set(e, ERR_MEMORY, "out of memory for a request");
}

static bool read_messages(struct engine_job *j, struct json root, struct err *e)
{
    struct input in = {.j = j};
    buf_init(&in.text, INPUT_MAX);
    jw_init(&in.w, json_sink_buf, &in.text, false);
    bool ok = put_messages(&in, root, e) && engine_chat_text(j, buf_span(&in.text), e);
    buf_free(&in.text);
    return ok;
}

/* ---- blocks of the answer ---- */

static void put_text(struct json_writer *w, struct span text)
{
    jw_object(w);
    engine_put_type(w, "text");
    jw_key(w, "text");
    jw_string(w, text);
    jw_end_object(w);
}

/* `begun`: its input follows. What is no object stands within one. */
static void put_tool_use(struct json_writer *w, const struct engine_answer *a, size_t k, bool begun)
{
    char id[CALL_ID];
    jw_object(w);
    engine_put_type(w, "tool_use");
    jw_key(w, "id");
    jw_str(w, engine_call_id(id, a, k));
    jw_key(w, "name");
    jw_string(w, a->calls.call[k].name);
    jw_key(w, "input");
    if (begun || !a->calls.call[k].object) {
        jw_object(w);
        if (!begun) {
            jw_key(w, "arguments");
            jw_string(w, a->calls.call[k].arguments);
        }
        jw_end_object(w);
    } else {
        jw_raw(w, a->calls.call[k].arguments);
    }
    jw_end_object(w);
}

static const char *stop_reason(const struct engine_answer *a)
{
    static const char *const words[] = {"end_turn", "stop_sequence", "max_tokens"};
    return engine_called(a) ? "tool_use" : words[a->result.finish % 3];
}

/* Which of several stop sequences it was is not told. */
static void put_stop(struct json_writer *w, const struct engine_answer *a)
{
    const struct engine_request *r = &a->job->request;
    jw_key(w, "stop_reason");
    jw_str(w, stop_reason(a));
    jw_key(w, "stop_sequence");
    if (a->result.finish == ENGINE_STOPPED && !engine_called(a) && r->stop_count == 1)
        jw_string(w, r->stops[0]);
    else
        jw_null(w);
}

static void put_usage(struct json_writer *w, const struct engine_job *j)
{
    jw_key(w, "usage");
    jw_object(w);
    jw_key(w, "input_tokens");
    jw_u64(w, j->tokens.n);
    jw_key(w, "output_tokens");
    jw_u64(w, engine_answer_tokens(j));
    jw_end_object(w);
}

static void put_message_object(struct json_writer *w, const struct engine_job *j, bool over)
{
    const struct engine_answer *a = &j->answers[0];
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, j->id);
    engine_put_type(w, "message");
    jw_key(w, "role");
    jw_str(w, "assistant");
    jw_key(w, "model");
    jw_string(w, j->model);
    jw_key(w, "content");
    jw_array(w);
    if (over && (a->content.n || a->calls.count == 0))
        put_text(w, a->content);
    for (size_t i = 0; over && i < a->calls.count; i++)
        put_tool_use(w, a, i, false);
    jw_end_array(w);
    if (over) {
        put_stop(w, a);
    } else {
        jw_key(w, "stop_reason");
        jw_null(w);
        jw_key(w, "stop_sequence");
        jw_null(w);
    }
    put_usage(w, j);
    jw_end_object(w);
}

static void whole(struct buf *out, struct engine_job *j)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    put_message_object(&w, j, true);
    out->failed = out->failed || w.failed;
}

/* ---- the stream ---- */

static void open_block(struct buf *out, struct json_writer *w, const char *type, size_t index)
{
    engine_open_event(out, w, type);
    jw_key(w, "index");
    jw_u64(w, index);
}

static void say_delta(struct buf *out, size_t index, const char *type, const char *key,
                      struct span text)
{
    struct json_writer w;
    open_block(out, &w, "content_block_delta", index);
    jw_key(&w, "delta");
    jw_object(&w);
    engine_put_type(&w, type);
    jw_key(&w, key);
    jw_string(&w, text);
    jw_end_object(&w);
    engine_close_event(out, &w);
}

static void close_block(struct buf *out, size_t index)
{
    struct json_writer w;
    open_block(out, &w, "content_block_stop", index);
    engine_close_event(out, &w);
}

static void begin(struct buf *out, struct engine_job *j)
{
    struct json_writer w;
    engine_open_event(out, &w, "message_start");
    jw_key(&w, "message");
    put_message_object(&w, j, false);
    engine_close_event(out, &w);
}

static void open_text(struct buf *out, struct engine_answer *a)
{
    struct json_writer w;
    a->opened = true;
    open_block(out, &w, "content_block_start", 0);
    jw_key(&w, "content_block");
    put_text(&w, SPAN_EMPTY);
    engine_close_event(out, &w);
}

static void piece(struct buf *out, struct engine_answer *a, const struct engine_piece *p)
{
    if (p->text.n == 0)
        return;
    if (!a->opened)
        open_text(out, a);
    say_delta(out, 0, "text_delta", "text", p->text);
}

static void end(struct buf *out, struct engine_answer *a)
{
    struct json_writer w;
    if (!a->opened && a->calls.count == 0)
        open_text(out, a);
    size_t index = a->opened;
    if (a->opened)
        close_block(out, 0);
    for (size_t i = 0; i < a->calls.count; i++, index++) {
        open_block(out, &w, "content_block_start", index);
        jw_key(&w, "content_block");
        put_tool_use(&w, a, i, true);
        engine_close_event(out, &w);
        say_delta(out, index, "input_json_delta", "partial_json", a->calls.call[i].arguments);
        close_block(out, index);
    }
}

static void finish(struct buf *out, struct engine_job *j)
{
    struct json_writer w;
    engine_open_event(out, &w, "message_delta");
    jw_key(&w, "delta");
    jw_object(&w);
    put_stop(&w, &j->answers[0]);
    jw_end_object(&w);
    put_usage(&w, j);
    engine_close_event(out, &w);
    engine_open_event(out, &w, "message_stop");
    engine_close_event(out, &w);
}

const struct dialect messages_dialect = {"msg_", "messages", read_messages, begin,
                                         piece,  end,        finish,        whole};
