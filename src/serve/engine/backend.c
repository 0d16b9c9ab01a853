/*
 * The bundled engine as a backend of calls, in the loop's thread: what the engine's thread has
 * written is told to the call, and goes through the gate like an upstream's answer.
 */
#include <stdio.h>
#include <unistd.h>

#include "serve/config/enrolled.h"
#include "serve/engine/dialect.h"
#include "serve/service.h"
#include "serve/upstream/upstream.h"

/* ---- what is told to a call ---- */

static void answer_ended(struct engine_job *j)
{
    struct call *c = j->call;
    const struct engine_result *bad = NULL;
    for (size_t i = 0; i < j->answer_count && !bad; i++)
        if (j->answers[i].result.finish == ENGINE_FAILED)
            bad = &j->answers[i].result;
    c->facts.reported = true;
    c->facts.input = j->tokens.n;
    c->facts.output = engine_answer_tokens(j);
    c->facts.cached = engine_cached_tokens(j);
    if (c->stopping)
        call_stopped(c);
    else if (bad)
        call_give_up(c, EXCHANGE_ERROR, err_name(bad->error.code));
    else if (j->broken)
        call_give_up(c, EXCHANGE_ERROR, "answer_too_large");
    else
        call_answer_whole(c);
}

static void cancel(struct engine_job *j)
{
    for (size_t i = 0; i < j->answer_count; i++)
        if (j->answers[i].submitted)
            engine_cancel(j->worker->engine, j->answers[i].number);
}

/* A call may be over after each word that is said to it; its job stays until it is marked as over. */
static void tell(struct engine_job *j, const struct buf *octets, bool ended)
{
    struct call *c = j->call;
    if (c && (octets->n || !buf_ok(octets)) && !c->stopping) {
        if (c->first_byte_us == 0)
            c->first_byte_us = service_now_us() - c->start_us;
        bool fits = buf_ok(octets) && call_upstream_data(c, buf_span(octets));
        if (!fits && j->call)
            call_give_up(c, EXCHANGE_ERROR, "answer_too_large");
    }
    if (!ended)
        return;
    j->over = true;
    if (j->call)
        answer_ended(j);
    else
        engine_job_free(j);
}

void engine_on_ready(void *arg)
{
    struct worker *w = arg;
    struct engine_job *next, *j, *in_order = NULL;
    uint64_t count;
    if (read(w->fd, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&w->lock);
    for (j = w->ready; j; j = next) {
        next = j->next_ready;
        j->next_ready = in_order;
        in_order = j;
    }
    w->ready = NULL;
    pthread_mutex_unlock(&w->lock);
    for (j = in_order; j; j = next) {
        struct buf octets;
        next = j->next_ready;
        pthread_mutex_lock(&w->lock);
        octets = j->fresh;
        buf_init(&j->fresh, j->limit);
        bool ended = j->ended, broken = j->broken;
        j->ready = false;
        pthread_mutex_unlock(&w->lock);
        if (broken && !ended)
            cancel(j);
        tell(j, &octets, ended);
        buf_free(&octets);
    }
}

/* ---- the backend ---- */

static void told(struct errand *x, bool over)
{
    struct engine_job *j = (struct engine_job *)(void *)x;
    if (!over)
        call_prepared(j->call, j->asked, &j->err);
}

static bool may_wait(struct call *c, const struct worker *w, struct err *e)
{
    struct err why = ERR_INIT;
    if (!enrolled_agrees(c->settings, c->model, w->engine, &why)) {
        c->wrong.status = 403;
        return complain(&c->wrong, e, "weights_not_enrolled", "model", "is not served: %s",
                        why.text);
    }
    return w->job_count < w->most || err_set(e, ERR_LIMIT, "too many calls wait for the engine");
}

static void begin(struct call *c)
{
    struct service *s = c->service;
    struct worker *w = s->workers[c->targets[0]->index - c->settings->upstreams.count];
    struct err e = ERR_INIT;
    struct engine_job *j = may_wait(c, w, &e) ? engine_job_new(w, c) : NULL;
    if (!j && e.code == ERR_NONE)
        err_set(&e, ERR_MEMORY, "out of memory for a call");
    if (j) {
        j->errand.work = engine_job_read;
        j->errand.told = told;
        if (errands_add(s->readers, &j->errand))
            return;
        err_set(&e, ERR_LIMIT, "too many calls wait for the engine");
    }
    call_prepared(c, false, &e);
}

/* A call has one engine, which is asked once: nothing is prepared again. */
static bool prepare(struct call *c, struct err *e)
{
    (void)c;
    return err_set(e, ERR_UNSUPPORTED, "the engine is asked once");
}

static void describe(struct call *c, struct exchange_call *out)
{
    struct engine_job *j = c->job;
    out->model = tape_identity(j->worker->engine, c->model, &j->identity);
    out->sampling = buf_span(&j->sampling);
    out->tokens_known = true;
    out->tokens_in = j->request.count;
}

static size_t intent(struct call *c, struct log_content content[BACKEND_FIELDS])
{
    return tape_intent(&c->job->tape, buf_span(&c->job->prompt), content);
}

static size_t sealed(struct call *c, struct log_content content[BACKEND_FIELDS])
{
    struct engine_job *j = c->job;
    for (size_t i = 0; i < j->answer_count; i++)
        tape_join(&j->tape, &j->answers[i].tape, j->answers[i].result.finish);
    return tape_outcome(&j->tape, content);
}

static bool submit(struct engine_job *j, struct err *e)
{
    for (size_t i = 0; i < j->answer_count; i++) {
        struct engine_answer *a = &j->answers[i];
        struct engine_request r = j->request;
        r.tokens = a->prompt;
        r.count = a->prompt_count;
        r.sampling.seed += i % j->choices;
        r.token = engine_on_token;
        r.done = engine_on_done;
        r.prompt = j->echo && j->logprobs ? engine_on_prompt : NULL;
        r.arg = a;
        a->submitted = engine_submit(j->worker->engine, &r, &a->number, e);
        if (!a->submitted) {
            engine_not_submitted(j, j->answer_count - i);
            return false;
        }
        j->submitted = true;
    }
    return true;
}

/* The answer's head is ours: it says what an upstream's would. */
static bool ask(struct call *c, struct err *e)
{
    struct engine_job *j = c->job;
    char head[128];
    (void)snprintf(c->facts.id, sizeof c->facts.id, "%s", j->id);
    (void)snprintf(head, sizeof head, "Content-Type: %s\r\n%s: %s\r\n",
                   j->stream ? "text/event-stream" : "application/json",
                   j->api == EXCHANGE_MESSAGES ? "Request-Id" : "X-Request-Id", j->id);
    upstream_answer_head(c, 200, span_str(head));
    if (j->stream)
        j->dialect->begin(&j->fresh, j);
    j->left = j->answer_count;
    bool ok = submit(j, e);
    c->upstream_status = ok ? 200 : 0;
    return ok;
}

/* True: the engine does not have it (any more). */
static bool stop_job(struct engine_job *j)
{
    if (!j->submitted || j->over)
        return true;
    cancel(j);
    return false;
}

static bool stop(struct call *c)
{
    return stop_job(c->job);
}

static void outcome(struct call *c, struct exchange_outcome *o)
{
    const struct engine_job *j = c->job;
    uint64_t queue = 0, prefill = 0, decode = 0;
    for (size_t i = 0; i < j->answer_count; i++) {
        const struct engine_result *r = &j->answers[i].result;
        queue = i == 0 ? r->queue_us : queue;
        prefill = r->prefill_us > prefill ? r->prefill_us : prefill;
        decode = r->decode_us > decode ? r->decode_us : decode;
    }
    o->upstream_status = 0;
    o->model.name = SPAN_EMPTY;
    o->timings.queue += queue;
    o->timings.prefill = prefill;
    o->timings.decode = decode;
}

static void forget(struct call *c)
{
    struct engine_job *j = c->job;
    if (!j)
        return;
    c->job = NULL;
    j->call = NULL;
    if (!stop_job(j))
        return; /* freed when the engine has let go of it */
    engine_job_free(j);
}

const struct backend engine_backend = {
    EXCHANGE_ENGINE, prepare, describe, intent, sealed, ask, stop, outcome, forget, begin};
