/*
 * Answers as OpenAI's clients read them, of chats and of the older completions: one object of
 * choices, or an event for every piece of one, its role first, then why it ended, the usage when
 * every answer is over and it was asked for, and [DONE].
 */
#include <math.h>
#include <string.h>

#include "serve/engine/dialect.h"
#include "serve/engine/reading.h"

/* ---- what stands around the choices ---- */

static bool is_chat(const struct engine_job *j)
{
    return j->api == EXCHANGE_CHAT;
}

static void put_top(struct json_writer *w, const struct engine_job *j)
{
    const char *chats = j->stream ? "chat.completion.chunk" : "chat.completion";
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, j->id);
    jw_key(w, "object");
    jw_str(w, is_chat(j) ? chats : "text_completion");
    jw_key(w, "created");
    jw_u64(w, j->created);
    jw_key(w, "model");
    jw_string(w, j->model);
    jw_key(w, "system_fingerprint");
    jw_str(w, j->fingerprint);
}

static void put_usage(struct json_writer *w, const struct engine_job *j)
{
    uint64_t in = j->tokens.n, out = engine_answer_tokens(j);
    jw_key(w, "usage");
    jw_object(w);
    jw_key(w, "prompt_tokens");
    jw_u64(w, in);
    jw_key(w, "completion_tokens");
    jw_u64(w, out);
    jw_key(w, "total_tokens");
    jw_u64(w, in + out);
    jw_key(w, "prompt_tokens_details");
    jw_object(w);
    jw_key(w, "cached_tokens");
    jw_u64(w, engine_cached_tokens(j));
    jw_end_object(w);
    jw_end_object(w);
}

/* A chat's prompt is the call's; a completion's is its choice's. */
static void put_prompt_ids(struct json_writer *w, const struct engine_answer *a)
{
    if (a->job->token_ids)
        engine_put_ids(w, "prompt_token_ids", a->prompt, a->prompt_count);
}

/* ---- a choice ---- */

/* What a choice is told with: of a stream, this moment's; of a whole answer, all. */
struct saying {
    const char *role; /* of a chat */
    const struct span *text;
    bool calls;
    const struct engine_token *token;
    const char *finish;
    bool likelihoods;   /* the lists of the older API have some */
    bool whole, begins; /* begins: the first that is said of this choice */
};

static void put_calls(struct json_writer *w, const struct engine_answer *a)
{
    char id[CALL_ID];
    if (a->job->older_tools) { /* which knows one */
        engine_put_function(w, "function_call", a->calls.call[0].name, a->calls.call[0].arguments);
        return;
    }
    jw_key(w, "tool_calls");
    jw_array(w);
    for (size_t i = 0; i < a->calls.count; i++) {
        jw_object(w);
        if (a->job->stream) {
            jw_key(w, "index");
            jw_u64(w, i);
        }
        engine_put_call(w, span_str(engine_call_id(id, a, i)), a->calls.call[i].name,
                        a->calls.call[i].arguments);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_message(struct json_writer *w, const struct engine_answer *a,
                        const struct saying *s)
{
    jw_key(w, s->whole ? "message" : "delta");
    jw_object(w);
    if (s->role) {
        jw_key(w, "role");
        jw_str(w, s->role);
    }
    if (s->text && s->calls && s->text->n == 0) {
        jw_key(w, "content");
        jw_null(w);
    } else if (s->text) {
        jw_key(w, "content");
        jw_string(w, *s->text);
    }
    if (s->calls)
        put_calls(w, a);
    if (s->whole) {
        jw_key(w, "refusal");
        jw_null(w);
    }
    jw_end_object(w);
}

static void put_logprobs(struct json_writer *w, struct engine_answer *a, const struct saying *s)
{
    const struct engine_job *j = a->job;
    if (!j->logprobs || (!s->whole && !s->token && !s->likelihoods)) {
        jw_key(w, "logprobs");
        jw_null(w);
    } else if (!is_chat(j)) {
        logprobs_older_write(w, a);
    } else {
        jw_key(w, "logprobs");
        jw_object(w);
        jw_key(w, "content");
        engine_put_items(w, &a->logprobs);
        jw_key(w, "refusal");
        jw_null(w);
        jw_end_object(w);
    }
}

static void put_token_ids(struct json_writer *w, const struct engine_answer *a,
                          const struct saying *s)
{
    struct span given = s->whole ? buf_span(&a->tape.tokens_out) : SPAN_EMPTY;
    jw_key(w, "token_ids");
    jw_array(w);
    for (size_t i = 0; i < given.n; i += 4)
        jw_u64(w, load_u32le(given.p + i));
    if (!s->whole && s->token)
        jw_u64(w, s->token->id);
    jw_end_array(w);
}

/* Of the older API; a whole one may begin with its prompt. */
static void put_text(struct json_writer *w, const struct engine_answer *a, const struct saying *s)
{
    struct buf both;
    struct span text = s->text ? *s->text : SPAN_EMPTY;
    if (!s->whole || !a->job->echo) {
        jw_string(w, text);
        return;
    }
    buf_init(&both, a->echo.n + text.n + 1);
    buf_put_span(&both, a->echo);
    buf_put_span(&both, text);
    jw_string(w, buf_span(&both));
    w->failed = w->failed || !buf_ok(&both);
    buf_free(&both);
}

static void put_choice(struct json_writer *w, struct engine_answer *a, const struct saying *s)
{
    const struct engine_job *j = a->job;
    jw_object(w);
    jw_key(w, "index");
    jw_u64(w, a->index);
    if (is_chat(j)) {
        put_message(w, a, s);
    } else {
        jw_key(w, "text");
        put_text(w, a, s);
    }
    put_logprobs(w, a, s);
    jw_key(w, "finish_reason");
    jw_str(w, s->finish);
    if (j->token_ids)
        put_token_ids(w, a, s);
    if (!is_chat(j) && (s->whole || s->begins))
        put_prompt_ids(w, a);
    jw_end_object(w);
}

/* ---- streams ---- */

/* `a` NULL: the event of the usage, which has no choice. */
static void put_event(struct buf *out, struct engine_job *j, struct engine_answer *a,
                      const struct saying *s)
{
    struct json_writer w;
    buf_put_str(out, "data: ");
    jw_init(&w, json_sink_buf, out, false);
    put_top(&w, j);
    jw_key(&w, "choices");
    jw_array(&w);
    if (a)
        put_choice(&w, a, s);
    jw_end_array(&w);
    if (a && s->begins && is_chat(j))
        put_prompt_ids(&w, a);
    if (!a) {
        put_usage(&w, j);
    } else if (j->include_usage) {
        jw_key(&w, "usage");
        jw_null(&w);
    }
    jw_end_object(&w);
    buf_put_str(out, "\n\n");
    out->failed = out->failed || w.failed;
}

static void begin(struct buf *out, struct engine_job *j)
{
    static const struct span none = {(const uint8_t *)"", 0};
    for (size_t i = 0; is_chat(j) && i < j->answer_count; i++)
        put_event(out, j, &j->answers[i],
                  &(struct saying){.role = "assistant", .text = &none, .begins = i == 0});
}

static void clear_lists(struct engine_answer *a)
{
    buf_clear(&a->logprobs);
    buf_clear(&a->texts);
    buf_clear(&a->offsets);
    buf_clear(&a->tops);
}

/* The prompt, before anything of its answer. */
static void echo(struct buf *out, struct engine_answer *a)
{
    if (!a->job->echo || a->opened)
        return;
    a->opened = true;
    put_event(out, a->job, a,
              &(struct saying){.text = &a->echo, .likelihoods = true, .begins = true});
    clear_lists(a);
}

static void piece(struct buf *out, struct engine_answer *a, const struct engine_piece *p)
{
    const struct engine_job *j = a->job;
    struct saying s = {.text = p->text.n ? &p->text : NULL, .token = p->token};
    echo(out, a);
    if (p->token && j->logprobs) {
        clear_lists(a);
        if (is_chat(j))
            logprobs_chat(&a->logprobs, a, p->token);
        else
            logprobs_older(a, p->token);
    }
    if (p->token && !j->logprobs && !j->token_ids)
        s.token = NULL;
    if (!s.text && !s.token)
        return;
    s.begins = !is_chat(j) && !a->opened;
    a->opened = true;
    put_event(out, a->job, a, &s);
}

static void end(struct buf *out, struct engine_answer *a)
{
    struct saying calls = {.calls = true}, last = {.finish = engine_finish(a)};
    echo(out, a);
    last.begins = !is_chat(a->job) && !a->opened;
    if (a->calls.count)
        put_event(out, a->job, a, &calls);
    put_event(out, a->job, a, &last);
}

static void finish(struct buf *out, struct engine_job *j)
{
    if (j->include_usage)
        put_event(out, j, NULL, NULL);
    buf_put_str(out, "data: [DONE]\n\n");
}

/* ---- whole answers ---- */

/* Of a prompt's answers, the one whose tokens are the likeliest by their mean, and that was not chosen
 * before; the first of equals. */
static struct engine_answer *likeliest(struct engine_job *j, size_t prompt)
{
    struct engine_answer *all = &j->answers[prompt * j->choices], *best = all;
    double most = -INFINITY;
    for (struct engine_answer *a = all; a < all + j->choices; a++) {
        double mean = a->result.answer ? a->likelihood / a->result.answer : 0;
        if (a->chosen || mean <= most)
            continue;
        best = a;
        most = mean;
    }
    best->chosen = true;
    return best;
}

static void whole(struct buf *out, struct engine_job *j)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    put_top(&w, j);
    jw_key(&w, "choices");
    jw_array(&w);
    size_t each = j->given ? j->given : j->choices;
    for (size_t i = 0; i < j->prompt_count * each; i++) {
        struct engine_answer *a = j->given ? likeliest(j, i / each) : &j->answers[i];
        a->index = (uint32_t)i;
        struct saying s = {.role = "assistant",
                           .text = &a->content,
                           .calls = a->calls.count > 0,
                           .finish = engine_finish(a),
                           .whole = true};
        put_choice(&w, a, &s);
    }
    jw_end_array(&w);
    if (is_chat(j))
        put_prompt_ids(&w, &j->answers[0]);
    put_usage(&w, j);
    jw_end_object(&w);
    out->failed = out->failed || w.failed;
}

/* ---- the dialects ---- */

static bool read_chat(struct engine_job *j, struct json root, struct err *e)
{
    return engine_chat_job(j, json_get(root, "messages"), e);
}

const struct dialect chat_dialect = {"chatcmpl-", "messages", read_chat, begin,
                                     piece,       end,        finish,    whole};
const struct dialect completions_dialect = {
    "cmpl-", "prompt", engine_read_inputs, begin, piece, end, finish, whole};
