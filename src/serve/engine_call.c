/*
 * Calls that the bundled engine answers. Its thread computes and does nothing else; what
 * comes of it crosses to the loop's thread in the jobs, announced by an eventfd, and
 * goes through the gate like an upstream's answer.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "serve/engine.h"

enum { JOB_ARENA = 512 << 20, PROMPT_MAX = 256 << 20, SAMPLING_MAX = 65536, ID_BYTES = 12 };

/* ---- jobs ---- */

static void job_free(struct engine_job *j)
{
    struct worker *w = j->worker;
    if (j->previous)
        j->previous->next = j->next;
    else
        w->jobs = j->next;
    if (j->next)
        j->next->previous = j->previous;
    tape_free(&j->tape);
    tokens_free(&j->tokens);
    buf_free(&j->prompt);
    buf_free(&j->sampling);
    buf_free(&j->fresh);
    arena_free(j->arena);
    free(j);
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
    j->created = c->start_us / 1000000;
    buf_init(&j->prompt, PROMPT_MAX);
    buf_init(&j->sampling, SAMPLING_MAX);
    buf_init(&j->fresh, c->settings->limits.answer);
    j->next = w->jobs;
    if (j->next)
        j->next->previous = j;
    w->jobs = j;
    c->job = j;
    return j;
}

/* The response's identifier, and what computed: the numerics and the weights. */
static bool name_job(struct engine_job *j, struct err *e)
{
    static const char hex[] = "0123456789abcdef";
    const struct engine_info *i = engine_info(j->worker->engine);
    const char *begin = j->chat ? "chatcmpl-" : "cmpl-";
    size_t n = strlen(begin), at;
    uint8_t random[ID_BYTES];
    struct buf b;
    if (!seal_random(random, sizeof random, e))
        return false;
    memcpy(j->id, begin, n);
    for (size_t k = 0; k < sizeof random; k++) {
        j->id[n++] = hex[random[k] >> 4];
        j->id[n++] = hex[random[k] & 15];
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

/* ---- the engine's thread ---- */

static void announce(struct engine_job *j)
{
    struct worker *w = j->worker;
    uint64_t one = 1;
    if (j->ready)
        return;
    j->ready = true;
    j->next_ready = w->ready;
    w->ready = j;
    if (write(w->fd, &one, sizeof one) < 0)
        return; /* its counter is full: the loop will be woken anyway */
}

static bool on_token(void *arg, const struct engine_token *t)
{
    struct engine_job *j = arg;
    tape_token(&j->tape, t);
    if (!j->stream || t->text.n == 0)
        return tape_ok(&j->tape);
    pthread_mutex_lock(&j->worker->lock);
    engine_answer_piece(&j->fresh, j, t->text);
    announce(j);
    bool ok = buf_ok(&j->fresh);
    pthread_mutex_unlock(&j->worker->lock);
    return ok && tape_ok(&j->tape);
}

static void on_done(void *arg, const struct engine_result *r)
{
    struct engine_job *j = arg;
    bool whole = r->finish != ENGINE_FAILED && r->finish != ENGINE_CANCELLED;
    tape_end(&j->tape, r);
    j->result = *r;
    j->result.text = SPAN_EMPTY;
    j->result.embedding = NULL;
    pthread_mutex_lock(&j->worker->lock);
    if (whole && j->stream) {
        engine_answer_piece(&j->fresh, j, r->text);
        engine_answer_end(&j->fresh, j);
    } else if (whole) {
        engine_answer_whole(&j->fresh, j);
    }
    j->ended = true;
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

/* ---- the loop's thread ---- */

static void answer_ended(struct engine_job *j)
{
    struct call *c = j->call;
    const struct engine_result *r = &j->result;
    c->facts.reported = true;
    c->facts.input = r->prompt;
    c->facts.output = r->answer;
    c->facts.cached = r->cached;
    if (c->stopping)
        call_stopped(c);
    else if (r->finish == ENGINE_FAILED)
        call_give_up(c, EXCHANGE_ERROR, err_name(r->error.code));
    else if (r->finish == ENGINE_CANCELLED)
        call_give_up(c, EXCHANGE_ERROR, "answer_too_large");
    else
        call_answer_whole(c);
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
        job_free(j);
}

static void on_ready(void *arg)
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
        buf_init(&j->fresh, w->service->settings->limits.answer);
        bool ended = j->ended;
        j->ready = false;
        pthread_mutex_unlock(&w->lock);
        tell(j, &octets, ended);
        buf_free(&octets);
    }
}

/* ---- the backend ---- */

static bool prepare(struct call *c, struct err *e)
{
    struct engine_job *j = job_new(c->service->worker, c);
    if (!j)
        return err_set(e, ERR_MEMORY, "out of memory for a call");
    j->model = c->model;
    if (!engine_request_read(j, c, e) || !name_job(j, e))
        return false;
    j->model = arena_span(j->arena, c->model);
    j->request.token = on_token;
    j->request.done = on_done;
    j->request.arg = j;
    tape_sampling(&j->sampling, &j->request);
    return tape_start(&j->tape, j->worker->engine, &j->request, e);
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
    return tape_outcome(&c->job->tape, content);
}

/* The answer's head is ours: it says what an upstream's would. */
static bool ask(struct call *c, struct err *e)
{
    struct engine_job *j = c->job;
    upstream_answer_head(c, 200,
                         span_str(j->stream ? "Content-Type: text/event-stream\r\n"
                                            : "Content-Type: application/json\r\n"));
    if (j->stream)
        engine_answer_begin(&j->fresh, j);
    j->submitted = engine_submit(j->worker->engine, &j->request, &j->number, e);
    c->upstream_status = j->submitted ? 200 : 0;
    return j->submitted;
}

/* True: the engine does not have it (any more). */
static bool stop_job(struct engine_job *j)
{
    if (!j->submitted || j->over)
        return true;
    engine_cancel(j->worker->engine, j->number);
    return false;
}

static bool stop(struct call *c)
{
    return stop_job(c->job);
}

static void outcome(struct call *c, struct exchange_outcome *o)
{
    const struct engine_result *r = &c->job->result;
    o->upstream_status = 0;
    o->model.name = SPAN_EMPTY;
    o->timings.queue += r->queue_us;
    o->timings.prefill = r->prefill_us;
    o->timings.decode = r->decode_us;
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
    job_free(j);
}

const struct backend engine_backend = {
    EXCHANGE_ENGINE, prepare, describe, intent, sealed, ask, stop, outcome, forget};

/* ---- the worker ---- */

bool worker_start(struct service *s, struct err *e)
{
    const struct engine_config *c = &s->settings->engine;
    struct engine_options o = {.threads = (unsigned)c->threads,
                               .context = (uint32_t)c->context,
                               .sequences = c->sequences ? (uint32_t)c->sequences : 4};
    if (c->path.n == 0)
        return true;
    struct worker *w = s->worker = calloc(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_MEMORY, "out of memory for the engine");
    w->service = s;
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&w->lock, NULL);
    if (w->fd < 0)
        return err_errno(e, NULL, "cannot make an eventfd");
    if (!engine_load(&w->engine, c->path_text, &o, e))
        return false;
    if (!engine_tokenizer(w->engine))
        return err_at(e, ERR_UNSUPPORTED, c->path_text, ERR_NO_OFFSET,
                      "the model has no tokenizer: it reads no text");
    w->event = loop_readable(s->loop, w->fd, on_ready, w);
    w->running = w->event && pthread_create(&w->thread, NULL, compute, w) == 0;
    return w->running || err_set(e, ERR_MEMORY, "cannot start the engine's thread");
}

/* The calls are gone. */
void worker_stop(struct service *s)
{
    struct worker *w = s->worker;
    if (!w)
        return;
    atomic_store(&w->stop, true);
    if (w->running) {
        engine_interrupt(w->engine);
        (void)pthread_join(w->thread, NULL);
    }
    engine_free(w->engine);
    for (struct engine_job *next, *j = w->jobs; j; j = next) {
        next = j->next;
        job_free(j);
    }
    loop_event_free(w->event);
    if (w->fd >= 0)
        close(w->fd);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    s->worker = NULL;
}
