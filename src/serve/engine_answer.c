/*
 * The bundled engine's answers as OpenAI's clients read them: one object, or an event for
 * every piece of text, the role first, then why it ended, the usage if it was asked for,
 * and [DONE].
 */
#include "serve/engine.h"

static void put_top(struct json_writer *w, const struct engine_job *j)
{
    const char *chats = j->stream ? "chat.completion.chunk" : "chat.completion";
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, j->id);
    jw_key(w, "object");
    jw_str(w, j->chat ? chats : "text_completion");
    jw_key(w, "created");
    jw_u64(w, j->created);
    jw_key(w, "model");
    jw_string(w, j->model);
    jw_key(w, "system_fingerprint");
    jw_str(w, j->fingerprint);
    jw_key(w, "choices");
    jw_array(w);
}

static void put_usage(struct json_writer *w, const struct engine_result *r)
{
    jw_key(w, "usage");
    jw_object(w);
    jw_key(w, "prompt_tokens");
    jw_u64(w, r->prompt);
    jw_key(w, "completion_tokens");
    jw_u64(w, r->answer);
    jw_key(w, "total_tokens");
    jw_u64(w, (uint64_t)r->prompt + r->answer);
    jw_key(w, "prompt_tokens_details");
    jw_object(w);
    jw_key(w, "cached_tokens");
    jw_u64(w, r->cached);
    jw_end_object(w);
    jw_end_object(w);
}

/* What a chat's message or delta holds; NULL and nothing where it is not there. */
static void put_message(struct json_writer *w, const char *key, const char *role,
                        const struct span *text)
{
    jw_key(w, key);
    jw_object(w);
    if (role) {
        jw_key(w, "role");
        jw_str(w, role);
    }
    if (text) {
        jw_key(w, "content");
        jw_string(w, *text);
    }
    jw_end_object(w);
}

static void put_choice(struct json_writer *w, const struct engine_job *j, const char *role,
                       const struct span *text, const char *finish)
{
    jw_object(w);
    jw_key(w, "index");
    jw_u64(w, 0);
    if (j->chat) {
        put_message(w, j->stream ? "delta" : "message", role, text);
    } else {
        jw_key(w, "text");
        jw_string(w, text ? *text : SPAN_EMPTY);
    }
    jw_key(w, "logprobs");
    jw_null(w);
    jw_key(w, "finish_reason");
    jw_str(w, finish);
    jw_end_object(w);
}

/* `usage`: the event of the usage, which has no choice. */
static void put_event(struct buf *out, const struct engine_job *j, const char *role,
                      const struct span *text, const char *finish, bool usage)
{
    struct json_writer w;
    buf_put_str(out, "data: ");
    jw_init(&w, json_sink_buf, out, false);
    put_top(&w, j);
    if (!usage)
        put_choice(&w, j, role, text, finish);
    jw_end_array(&w);
    if (usage) {
        put_usage(&w, &j->result);
    } else if (j->include_usage) {
        jw_key(&w, "usage");
        jw_null(&w);
    }
    jw_end_object(&w);
    buf_put_str(out, "\n\n");
}

void engine_answer_begin(struct buf *out, const struct engine_job *j)
{
    const struct span none = SPAN_EMPTY;
    if (j->chat)
        put_event(out, j, "assistant", &none, NULL, false);
}

void engine_answer_piece(struct buf *out, const struct engine_job *j, struct span text)
{
    if (text.n)
        put_event(out, j, NULL, &text, NULL, false);
}

void engine_answer_end(struct buf *out, const struct engine_job *j)
{
    put_event(out, j, NULL, NULL, engine_finish_name(j->result.finish), false);
    if (j->include_usage)
        put_event(out, j, NULL, NULL, NULL, true);
    buf_put_str(out, "data: [DONE]\n\n");
}

void engine_answer_whole(struct buf *out, const struct engine_job *j)
{
    struct json_writer w;
    struct span text = buf_span(&j->tape.text);
    jw_init(&w, json_sink_buf, out, false);
    put_top(&w, j);
    put_choice(&w, j, "assistant", &text, engine_finish_name(j->result.finish));
    jw_end_array(&w);
    put_usage(&w, &j->result);
    jw_end_object(&w);
}
