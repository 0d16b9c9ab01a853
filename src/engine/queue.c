/*
 * The queue: what other threads may do. A request is checked and copied whole
 * before it is accepted, so that nothing can go wrong with it later that could
 * be known now.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/state.h"

static bool tokens_are_known(const struct engine *g, const uint32_t *ids, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= g->info.vocabulary)
            return err_set(e, ERR_USAGE, "token id %u at %zu: the model has %u tokens", ids[i], i,
                           g->info.vocabulary);
    }
    return true;
}

bool engine_check(const struct engine *g, const struct engine_request *r, struct err *e)
{
    if (r->count == 0)
        return err_set(e, ERR_USAGE, "the prompt is empty: there is nothing to go on from");
    if (r->count + r->answer_count > g->info.context ||
        (r->answer_count == 0 && !r->embed && r->count >= g->info.context))
        return err_set(e, ERR_USAGE,
                       "the prompt%s has %zu tokens, and the context is %u: give more with "
                       "--context, or shorten it",
                       r->answer_count ? " with its answer" : "", r->count + r->answer_count,
                       g->info.context);
    if (r->form != NULL && !engine_form_writable(g, r->form))
        return err_set(e, ERR_UNSUPPORTED,
                       "the model's vocabulary lacks octets that the form may ask for");
    if (r->stop_count > ENGINE_MAX_STOPS)
        return err_set(e, ERR_USAGE, "%zu stop strings: at most %d", r->stop_count,
                       ENGINE_MAX_STOPS);
    for (size_t i = 0; i < r->stop_count; i++) {
        if (r->stops[i].n == 0 || r->stops[i].n > ENGINE_MAX_STOP)
            return err_set(e, ERR_USAGE, "a stop string has %zu bytes: 1 to %d", r->stops[i].n,
                           ENGINE_MAX_STOP);
    }
    return tokens_are_known(g, r->tokens, r->count, e) &&
           tokens_are_known(g, r->answer, r->answer_count, e) &&
           sampling_check(&r->sampling, g->info.vocabulary, e);
}

/* One block for the request and the copies of what it points to. */
static struct request *copy_of(const struct engine_request *r)
{
    size_t bias = r->sampling.bias_count * sizeof *r->sampling.bias, stops = 0;
    for (size_t i = 0; i < r->stop_count; i++)
        stops += r->stops[i].n;
    struct request *q = calloc(1, sizeof *q + bias + r->stop_count * sizeof *r->stops + stops);
    if (q == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)(q + 1);
    struct span *spans = (struct span *)(void *)(at + bias);
    uint8_t *bytes = (uint8_t *)(spans + r->stop_count);
    q->r = *r;
    if (bias != 0)
        memcpy(at, r->sampling.bias, bias);
    q->r.sampling.bias = (const struct engine_bias *)(void *)at;
    for (size_t i = 0; i < r->stop_count; i++) {
        memcpy(bytes, r->stops[i].p, r->stops[i].n);
        spans[i] = (struct span){bytes, r->stops[i].n};
        bytes += r->stops[i].n;
    }
    q->r.stops = spans;
    return q;
}

static bool set_up(const struct engine *g, struct request *q, struct err *e)
{
    const struct engine_request *r = &q->r;
    uint32_t left = g->info.context - (uint32_t)r->count;
    q->prompt = (uint32_t)r->count;
    q->most = r->answer_count        ? (uint32_t)r->answer_count
              : r->max_tokens == 0   ? left
              : r->max_tokens < left ? r->max_tokens
                                     : left;
    q->room = q->prompt + q->most + 1;
    q->count = q->prompt + (uint32_t)r->answer_count;
    q->tokens = calloc(q->room, sizeof *q->tokens);
    q->sum = r->embed ? calloc(g->info.width, sizeof *q->sum) : NULL;
    if (q->tokens == NULL || (r->embed && q->sum == NULL))
        return err_set(e, ERR_MEMORY, "no memory for a request of %zu tokens", r->count);
    memcpy(q->tokens, r->tokens, r->count * sizeof *q->tokens);
    if (r->answer_count != 0)
        memcpy(q->tokens + r->count, r->answer, r->answer_count * sizeof *q->tokens);
    text_start(&q->text, g->tokenizer, r);
    q->form = r->form != NULL ? malloc(sizeof *q->form) : NULL;
    if (r->form != NULL && q->form == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    if (r->form != NULL)
        form_begin(q->form, r->form);
    return true;
}

bool engine_submit(struct engine *g, const struct engine_request *r, uint64_t *id, struct err *e)
{
    if (!engine_check(g, r, e))
        return false;
    struct request *q = copy_of(r);
    if (q == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a request");
    if (!set_up(g, q, e)) {
        request_free(q);
        return false;
    }
    q->submitted = clock_monotonic();
    pthread_mutex_lock(&g->lock);
    q->id = *id = ++g->next_id;
    *g->waiting_end = q;
    g->waiting_end = &q->next;
    g->now.waiting++;
    pthread_cond_signal(&g->work);
    pthread_mutex_unlock(&g->lock);
    return true;
}

/* A slot's request is freed by the engine's thread only after it left the slot under the lock. */
void engine_cancel(struct engine *g, uint64_t id)
{
    pthread_mutex_lock(&g->lock);
    for (struct request *q = g->waiting; q != NULL; q = q->next) {
        if (q->id == id)
            atomic_store(&q->cancelled, true);
    }
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct request *q = g->slots[i].request;
        if (q != NULL && q->id == id)
            atomic_store(&q->cancelled, true);
    }
    pthread_cond_signal(&g->work);
    pthread_mutex_unlock(&g->lock);
}

void engine_interrupt(struct engine *g)
{
    pthread_mutex_lock(&g->lock);
    g->interrupted = true;
    pthread_cond_signal(&g->work);
    pthread_mutex_unlock(&g->lock);
}

void engine_wait(struct engine *g, uint64_t microseconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + microseconds % 1000000 * 1000;
    until.tv_sec += (time_t)(microseconds / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&g->lock);
    while (!g->interrupted && g->now.waiting + g->now.running == 0) {
        int late = microseconds ? pthread_cond_timedwait(&g->work, &g->lock, &until)
                                : pthread_cond_wait(&g->work, &g->lock);
        if (late != 0)
            break;
    }
    g->interrupted = false;
    pthread_mutex_unlock(&g->lock);
}

struct engine_now engine_load_now(struct engine *g)
{
    pthread_mutex_lock(&g->lock);
    struct engine_now now = g->now;
    pthread_mutex_unlock(&g->lock);
    now.sequences = g->slot_count;
    return now;
}

const char *engine_finish_name(enum engine_finish f)
{
    static const char *const names[] = {"stop", "stop", "length", "cancelled", "error"};
    return (unsigned)f < sizeof names / sizeof *names ? names[f] : "?";
}
