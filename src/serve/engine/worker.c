/*
 * The engine's thread: it computes and does nothing else. What comes of it is written into
 * the jobs here and crosses to the loop's thread under a lock, announced by an eventfd.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "serve/config/enrolled.h"
#include "serve/engine/engine.h"

enum { READERS = 2, CALL_ARENA = 64 << 20, SEQUENCES = 4, QUEUE_MAX = EXCHANGE_OPEN_MAX };

/* ---- in the engine's thread ---- */

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

/* Whether the answer ends here because it has the one call that it may have; a call ends with a brace. */
static bool ends_with_call(struct engine_answer *a, struct span text)
{
    struct engine_job *j = a->job;
    if (!j->one_call || text.n == 0 || !memchr(text.p, '}', text.n))
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

static void *compute(void *arg)
{
    struct worker *w = arg;
    while (!atomic_load(&w->stop)) {
        bool work = false;
        /* A step that fails has ended every request with its reason. */
        if (!engine_step(w->engine, &work, NULL) || !work)
            engine_wait(w->engine, 0);
    }
    return NULL;
}

/* ---- the workers ---- */

static bool load(struct worker *w, const struct engine_config *c, struct arena *a, struct err *e)
{
    struct engine_options o = {.threads = (unsigned)c->threads,
                               .context = (uint32_t)c->context,
                               .sequences = c->sequences ? (uint32_t)c->sequences : SEQUENCES};
    const struct adapter_config *given = c->adapters.items;
    struct engine_adapter *adapters = arena_array(a, c->adapters.count + 1, sizeof *adapters);
    const char *path = arena_str(a, c->path);
    bool ok = adapters && path;
    for (size_t i = 0; ok && i < c->adapters.count; i++) {
        adapters[i] = (struct engine_adapter){arena_str(a, given[i].path), 1};
        ok = adapters[i].path &&
             (given[i].scale.n == 0 || text_to_double(given[i].scale, &adapters[i].scale));
    }
    if (!ok)
        return err_set(e, ERR_MEMORY, "out of memory for an engine");
    o.adapters = adapters;
    o.adapter_count = c->adapters.count;
    w->most = o.sequences + (size_t)c->waiting;
    if (!engine_load(&w->engine, path, &o, e))
        return false;
    return engine_tokenizer(w->engine) || err_at(e, ERR_UNSUPPORTED, path, ERR_NO_OFFSET,
                                                 "the model has no tokenizer: it reads no text");
}

static bool start(struct service *s, const struct engine_config *c, struct err *e)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_MEMORY, "out of memory for an engine");
    s->workers[s->worker_count++] = w;
    w->service = s;
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&w->lock, NULL);
    if (w->fd < 0)
        return err_errno(e, NULL, "cannot make an eventfd");
    if (!load(w, c, s->settings->arena, e))
        return false;
    w->event = loop_readable(s->loop, w->fd, engine_on_ready, w);
    w->running = w->event && pthread_create(&w->thread, NULL, compute, w) == 0;
    return w->running || err_set(e, ERR_MEMORY, "cannot start an engine's thread");
}

bool workers_start(struct service *s, struct err *e)
{
    const struct settings *c = s->settings;
    if (c->engines.count && !errands_open(&s->readers, s->loop, READERS, QUEUE_MAX, e))
        return false;
    for (size_t i = 0; i < c->engines.count; i++)
        if (!start(s, serve_settings_engine(c, i), e))
            return false;
    return workers_agree(s, c, e);
}

static struct worker *worker_at(const struct service *s, const struct settings *c,
                                const struct model_config *m)
{
    const struct target_config *t = m ? m->targets.items : NULL;
    return t && t->engine ? s->workers[t->index - c->upstreams.count] : NULL;
}

struct worker *worker_of(const struct service *s, const struct settings *c, struct span model)
{
    return worker_at(s, c, serve_settings_model(c, model));
}

bool workers_agree(const struct service *s, const struct settings *fresh, struct err *e)
{
    for (size_t i = 0; i < fresh->models.count; i++) {
        const struct model_config *m = (const struct model_config *)fresh->models.items + i;
        const struct worker *w = worker_at(s, fresh, m);
        if (w && !enrolled_agrees(fresh, m->name, w->engine, e))
            return false;
    }
    return true;
}

static void stop(struct worker *w)
{
    atomic_store(&w->stop, true);
    if (w->running) {
        engine_interrupt(w->engine);
        (void)pthread_join(w->thread, NULL);
    }
    engine_free(w->engine);
    while (w->jobs)
        engine_job_free(w->jobs);
    loop_event_free(w->event);
    if (w->fd >= 0)
        (void)close(w->fd);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

/* The calls are gone. */
void workers_stop(struct service *s)
{
    while (s->worker_count)
        stop(s->workers[--s->worker_count]);
}
