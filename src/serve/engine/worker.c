/*
 * What the engine says of an answer, in its thread: tokens, and that it is over. It is written into
 * the jobs here, in their dialect, and crosses to the loop's thread under a lock, announced by an
 * eventfd.
 */
#include <string.h>
#include <unistd.h>

#include "serve/engine/dialect.h"

enum { CALL_ARENA = 64 << 20 };

/* With the lock. */
static void announce(struct engine_job *j)
{
    struct worker *w = j->worker;
    const uint64_t one = 1;
    if (j->ready)
        return;
    j->ready = true;
    j->next_ready = w->ready;
    w->ready = j;
    if (write(w->fd, &one, sizeof one) < 0)
        return; /* its counter is full: the loop will be woken anyway */
}

/* With tools a text is held back where a call could begin in it. */
static struct span showable(struct engine_answer *a, struct span text)
{
    if (a->job->calls.family == ENGINE_TOOLS_NONE)
        return text;
    size_t from = a->shown, until;
    buf_put_span(&a->marked, text);
    until = tool_calls_before(a->job->calls.family, buf_span(&a->marked));
    a->shown = until > from ? until : from;
    return span_sub(buf_span(&a->marked), from, a->shown - from);
}

static void add_mark(struct engine_answer *a, uint32_t id)
{
    struct token t;
    if (a->job->calls.family != ENGINE_TOOLS_NONE &&
        tokenizer_token(&t, engine_tokenizer(a->job->worker->engine), id) &&
        t.type == TOKEN_CONTROL && tool_calls_mark(t.bytes))
        buf_put_span(&a->marked, t.bytes);
}

static void stream_piece(struct engine_answer *a, const struct engine_piece *p)
{
    struct engine_job *j = a->job;
    pthread_mutex_lock(&j->worker->lock);
    size_t before = j->fresh.n;
    j->dialect->piece(&j->fresh, a, p);
    if (j->fresh.n != before || !buf_ok(&j->fresh))
        announce(j);
    pthread_mutex_unlock(&j->worker->lock);
}

/* Whether the answer ends here because it has the one call that it may have; a call ends with a brace.
 * One that must be made ends with its form. */
static bool ends_with_call(struct engine_answer *a, struct span text)
{
    struct engine_job *j = a->job;
    if (!j->one_call || j->must_call || text.n == 0 || !memchr(text.p, '}', text.n))
        return false;
    struct arena *scratch = arena_new(CALL_ARENA);
    a->called = scratch && tool_calls_first(&a->calls, &j->calls, buf_span(&a->marked), scratch);
    a->calls.count = 0;
    arena_free(scratch);
    return a->called;
}

void engine_on_prompt(void *arg, const struct engine_token *t)
{
    struct engine_answer *a = arg;
    if (t->index == 1)
        logprobs_first(a);
    logprobs_prompt(a, t);
}

static void prompt_is_over(struct engine_answer *a)
{
    if (a->job->logprobs && a->prompt_count == 1)
        logprobs_first(a);
    a->characters = 0;
    for (size_t i = 0; i < a->echo.n; i++)
        a->characters += (a->echo.p[i] & 0xc0) != 0x80;
}

bool engine_on_token(void *arg, const struct engine_token *t)
{
    struct engine_answer *a = arg;
    struct engine_job *j = a->job;
    if (t->index == 0 && j->echo)
        prompt_is_over(a);
    if (j->only_echo)
        return false;
    a->likelihood += (double)t->logprob;
    struct engine_piece p = {showable(a, t->text), t};
    if (j->stream)
        stream_piece(a, &p);
    else if (j->logprobs && j->api == EXCHANGE_COMPLETIONS)
        logprobs_older(a, t);
    else if (j->logprobs)
        logprobs_chat(&a->logprobs, a, t);
    for (size_t i = 0; i < t->text.n; i++)
        a->characters += (t->text.p[i] & 0xc0) != 0x80;
    add_mark(a, t->id);
    tape_token(&a->tape, t);
    return tape_ok(&a->tape) && buf_ok(&a->marked) && buf_ok(&a->logprobs) &&
           !ends_with_call(a, t->text);
}

/* What it says and which calls it makes, now that nothing follows. */
static bool conclude(struct engine_answer *a)
{
    struct engine_job *j = a->job;
    struct span text = buf_span(&a->tape.text);
    a->content = text;
    if (j->calls.family == ENGINE_TOOLS_NONE)
        return true;
    struct span marked = buf_span(&a->marked);
    bool one = a->called && tool_calls_first(&a->calls, &j->calls, marked, j->arena);
    if (!one && !tool_calls_read(&a->calls, &j->calls, marked, j->arena))
        return false;
    if (a->calls.count)
        a->content = a->calls.content;
    return true;
}

static void end_stream(struct engine_answer *a)
{
    struct engine_job *j = a->job;
    bool tools = j->calls.family != ENGINE_TOOLS_NONE;
    struct engine_piece rest = {a->result.text, NULL};
    if (tools)
        rest.text = span_sub(a->content, a->shown, a->content.n);
    j->dialect->piece(&j->fresh, a, &rest);
    j->dialect->end(&j->fresh, a);
    if (j->left == 0)
        j->dialect->finish(&j->fresh, j);
}

/* Without the lock: nobody else has an answer that is no stream before it is announced. */
static void write_whole(struct engine_job *j)
{
    struct buf out;
    buf_init(&out, j->limit);
    j->dialect->whole(&out, j);
    pthread_mutex_lock(&j->worker->lock);
    buf_free(&j->fresh);
    j->fresh = out;
    j->ended = true;
    announce(j);
    pthread_mutex_unlock(&j->worker->lock);
}

void engine_on_done(void *arg, const struct engine_result *r)
{
    struct engine_answer *a = arg;
    struct engine_job *j = a->job;
    a->result = *r;
    if (a->called && r->finish == ENGINE_CANCELLED)
        a->result.finish = ENGINE_END;
    if (j->only_echo && r->finish == ENGINE_CANCELLED && r->answer == 1) {
        a->result.finish = ENGINE_LENGTH;
        a->result.answer = 0;
        a->result.text = SPAN_EMPTY;
    }
    if (j->calls.family != ENGINE_TOOLS_NONE)
        buf_put_span(&a->marked, a->result.text);
    if (r->embedding)
        buf_put(&a->vector, r->embedding, r->embedding_size * sizeof *r->embedding);
    tape_end(&a->tape, &a->result);
    a->result.embedding = NULL;
    bool good =
        a->result.finish != ENGINE_FAILED && a->result.finish != ENGINE_CANCELLED && conclude(a);
    pthread_mutex_lock(&j->worker->lock);
    bool last = --j->left == 0;
    j->broken = j->broken || !good;
    bool whole = last && !j->broken && !j->stream;
    if (!j->broken && j->stream)
        end_stream(a);
    a->result.text = SPAN_EMPTY;
    j->ended = last && !whole;
    if (j->broken || j->ended || j->stream)
        announce(j);
    pthread_mutex_unlock(&j->worker->lock);
    if (whole)
        write_whole(j);
}

void engine_not_submitted(struct engine_job *j, size_t count)
{
    pthread_mutex_lock(&j->worker->lock);
    j->left -= count;
    j->broken = true;
    j->ended = j->left == 0;
    if (j->ended && j->submitted)
        announce(j);
    pthread_mutex_unlock(&j->worker->lock);
}
