/*
 * Calls that the bundled engine answers, as the loop's thread sees them: read by a reader's
 * thread, computed by the engine's, and what comes of them goes through the gate like
 * an upstream's answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/config/enrolled.h"
#include "serve/engine/engine.h"
#include "serve/upstream/upstream.h"

enum { JOB_ARENA = 512 << 20, PROMPT_MAX = 256 << 20, SAMPLING_MAX = 65536, ITEMS_MAX = 64 << 20 };

/* ---- jobs ---- */

static void answer_free(struct engine_answer *a)
{
    tape_free(&a->tape);
    buf_free(&a->marked);
    buf_free(&a->logprobs);
    buf_free(&a->texts);
    buf_free(&a->offsets);
    buf_free(&a->tops);
    buf_free(&a->vector);
}

void engine_job_free(struct engine_job *j)
{
    struct worker *w = j->worker;
    if (j->previous)
        j->previous->next = j->next;
    else
        w->jobs = j->next;
    if (j->next)
        j->next->previous = j->previous;
    w->job_count--;
    for (size_t i = 0; i < j->answer_count; i++)
        answer_free(&j->answers[i]);
    tape_free(&j->tape);
    tokens_free(&j->tokens);
    buf_free(&j->prompt);
    buf_free(&j->sampling);
    buf_free(&j->fresh);
    arena_free(j->arena);
    free(j);
}

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

static struct engine_job *job_new(struct worker *w, struct call *c)
{
    struct engine_job *j = calloc(1, sizeof *j);
    struct arena *a = arena_new(JOB_ARENA);
    if (!j || !a) {
        arena_free(a);
        free(j);
        return NULL;
    }
    j->worker = w;
    j->call = c;
    j->arena = a;
    j->api = c->endpoint->api;
    j->dialect = engine_dialect(j->api);
    j->body = buf_span(&c->body);
    j->wrong = &c->wrong;
    j->stream = c->stream;
    j->created = c->start_us / 1000000;
    buf_init(&j->prompt, PROMPT_MAX);
    buf_init(&j->sampling, SAMPLING_MAX);
    j->limit = c->settings->limits.answer;
    buf_init(&j->fresh, j->limit);
    j->next = w->jobs;
    if (j->next)
        j->next->previous = j;
    w->jobs = j;
    w->job_count++;
    c->job = j;
    return j;
}

/* ---- in a reader's thread ---- */

/* The response's identifier, and what computed: the numerics and the weights. */
static bool name_job(struct engine_job *j, struct err *e)
{
    static const char hex[] = "0123456789abcdef";
    const struct engine_info *i = engine_info(j->worker->engine);
    size_t n = strlen(j->dialect->id_prefix), at;
    struct buf b;
    if (!seal_random(j->random, sizeof j->random, e))
        return false;
    memcpy(j->id, j->dialect->id_prefix, n);
    for (size_t k = 0; k < sizeof j->random; k++) {
        j->id[n++] = hex[j->random[k] >> 4];
        j->id[n++] = hex[j->random[k] & 15];
    }
    j->id[n] = '\0';
    buf_init(&b, sizeof j->fingerprint - DIGEST_HEX - 1);
    buf_printf(&b, "assay-%u-", i->numerics);
    at = b.n;
    memcpy(j->fingerprint, b.p, at);
    digest_hex(j->fingerprint + at, &i->tensor_root);
    buf_free(&b);
    return true;
}

static void start_answer(struct engine_job *j, size_t i)
{
    struct engine_answer *a = &j->answers[i];
    a->job = j;
    a->index = (uint32_t)i;
    a->prompt_count = j->prompts[i / j->choices];
    a->prompt = i == 0                ? j->tokens.id
                : i % j->choices == 0 ? a[-1].prompt + a[-1].prompt_count
                                      : a[-1].prompt;
    tape_part(&a->tape);
    buf_init(&a->marked, ITEMS_MAX);
    buf_init(&a->logprobs, ITEMS_MAX);
    buf_init(&a->texts, ITEMS_MAX);
    buf_init(&a->offsets, ITEMS_MAX);
    buf_init(&a->tops, ITEMS_MAX);
    buf_init(&a->vector, ITEMS_MAX);
}

/* The prompt's text, as its tokens have it: it may have been given as ids. */
static bool echo_prompt(struct engine_answer *a, struct err *e)
{
    struct engine_job *j = a->job;
    struct buf text;
    buf_init(&text, PROMPT_MAX);
    bool ok = tokenizer_decode(&text, engine_tokenizer(j->worker->engine), a->prompt,
                               a->prompt_count, DECODE_REPLACE_BAD, e);
    a->echo = ok ? arena_span(j->arena, buf_span(&text)) : SPAN_EMPTY;
    ok = ok &&
         ((buf_ok(&text) && a->echo.p) || err_set(e, ERR_MEMORY, "out of memory for a prompt"));
    buf_free(&text);
    return ok;
}

static bool read_job(struct engine_job *j, struct err *e)
{
    struct tape_shape shape;
    if (!engine_request_read(j, e) || !name_job(j, e))
        return false;
    size_t n = j->prompt_count * j->choices;
    j->model = arena_span(j->arena, j->call->model);
    j->answers = arena_array(j->arena, n, sizeof *j->answers);
    if (!j->answers || !j->model.p)
        return err_set(e, ERR_MEMORY, "out of memory for a call's answers");
    for (; j->answer_count < n; j->answer_count++)
        start_answer(j, j->answer_count);
    for (size_t i = 0; j->echo && i < n; i++)
        if (!echo_prompt(&j->answers[i], e))
            return false;
    shape = (struct tape_shape){j->prompts, j->prompt_count, j->choices};
    tape_sampling(&j->sampling, &j->request, j->choices);
    return tape_start(&j->tape, j->worker->engine, &j->request, &shape, e);
}

static void work(struct errand *x)
{
    struct engine_job *j = (struct engine_job *)(void *)x;
    j->asked = read_job(j, &j->err);
}

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
    struct engine_job *j = may_wait(c, w, &e) ? job_new(w, c) : NULL;
    if (!j && e.code == ERR_NONE)
        err_set(&e, ERR_MEMORY, "out of memory for a call");
    if (j) {
        j->errand.work = work;
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
