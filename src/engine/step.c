/*
 * One step: a batch is one token of every answer that is being given, then
 * pieces of prompts while there is room. Which rows share a batch changes no
 * result, so the only concern here is who waits how long.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/numerics.h"
#include "engine/state.h"

/* ---- requests end --------------------------------------------------------- */

void request_free(struct request *q)
{
    if (q == NULL)
        return;
    text_free(&q->text);
    free(q->tokens);
    free(q->sum);
    free(q->form);
    free(q);
}

static const float *embedding_of(struct engine *g, struct request *q)
{
    double length = 0, scale = 1.0 / (double)q->prompt;
    for (uint32_t i = 0; i < g->info.width; i++)
        length += q->sum[i] * scale * (q->sum[i] * scale);
    length = length > 0 ? 1.0 / __builtin_sqrt(length) : 0;
    for (uint32_t i = 0; i < g->info.width; i++)
        g->hidden[i] = (float)(q->sum[i] * scale * length);
    return g->hidden;
}

void request_end(struct engine *g, struct request *q, enum engine_finish finish,
                 const struct err *error)
{
    uint64_t now = clock_monotonic();
    struct engine_result result = {.finish = finish,
                                   .error = ERR_INIT,
                                   .prompt = q->prompt,
                                   .cached = q->cached,
                                   .answer = q->answered};
    if (error != NULL)
        result.error = *error;
    if (finish != ENGINE_STOPPED)
        result.text = text_finish(&q->text);
    uint64_t started = q->started ? q->started : now, first = q->first ? q->first : now;
    result.queue_us = (started - q->submitted) / 1000;
    result.prefill_us = (first - started) / 1000;
    result.decode_us = (now - first) / 1000;
    if (q->r.embed && finish == ENGINE_END) {
        result.embedding = embedding_of(g, q);
        result.embedding_size = g->info.width;
    }
    if (q->r.done != NULL)
        q->r.done(q->r.arg, &result);
    request_free(q);
}

/* Leaves what was computed in the slot, for the next one with the same beginning. */
static void leave(struct engine *g, struct slot *s, enum engine_finish finish,
                  const struct err *error)
{
    struct request *q = s->request;
    s->used = g->steps;
    pthread_mutex_lock(&g->lock);
    s->request = NULL;
    g->now.running--;
    g->now.answer_tokens += q->answered;
    pthread_mutex_unlock(&g->lock);
    request_end(g, q, finish, error);
}

/* ---- requests begin ------------------------------------------------------- */

/* How many tokens at the beginning are the same and computed; the last one of a prompt is always
 * computed anew, because its logits are wanted. */
static uint32_t common(const struct slot *s, const struct request *q)
{
    uint32_t n = 0, most = q->prompt - 1 < s->computed ? q->prompt - 1 : s->computed;
    while (n < most && s->tokens[n] == q->tokens[n])
        n++;
    return q->r.embed || q->r.prompt ? 0 : n;
}

/* The free slot that knows most of the prompt, the one unused longest among equals. */
static struct slot *free_slot(struct engine *g, const struct request *q)
{
    struct slot *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct slot *s = &g->slots[i];
        if (s->request != NULL)
            continue;
        uint32_t n = common(s, q);
        if (best == NULL || n > most || (n == most && s->used < best->used)) {
            best = s;
            most = n;
        }
    }
    return best;
}

/* A copy is cheaper than computing again, even of a slot that is in use. */
static void borrow_prefix(struct engine *g, struct slot *s, const struct request *q)
{
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct slot *other = &g->slots[i];
        uint32_t n = other != s ? common(other, q) : 0;
        if (n <= common(s, q))
            continue;
        kv_copy(&s->cache, &other->cache, &g->config, n);
        memcpy(s->tokens, other->tokens, n * sizeof *s->tokens);
        s->computed = n;
    }
}

static struct request *next_waiting(struct engine *g)
{
    struct request *q = g->waiting;
    if (q == NULL)
        return NULL;
    g->waiting = q->next;
    if (g->waiting == NULL)
        g->waiting_end = &g->waiting;
    g->now.waiting--;
    g->now.running++;
    return q;
}

static void begin_waiting(struct engine *g)
{
    for (;;) {
        pthread_mutex_lock(&g->lock);
        struct slot *s = g->waiting != NULL ? free_slot(g, g->waiting) : NULL;
        struct request *q = s != NULL ? next_waiting(g) : NULL;
        if (q != NULL) {
            borrow_prefix(g, s, q);
            s->request = q;
            s->computed = q->cached = common(s, q);
            g->now.cached_tokens += q->cached;
            g->now.prompt_tokens += q->prompt;
        }
        pthread_mutex_unlock(&g->lock);
        if (q == NULL)
            return;
        q->started = clock_monotonic();
    }
}

static void drop_cancelled(struct engine *g)
{
    struct request *dropped = NULL;
    pthread_mutex_lock(&g->lock);
    for (struct request **p = &g->waiting; *p != NULL;) {
        struct request *q = *p;
        if (!atomic_load(&q->cancelled)) {
            p = &q->next;
            continue;
        }
        *p = q->next;
        q->next = dropped;
        dropped = q;
        g->now.waiting--;
    }
    g->waiting_end = &g->waiting;
    while (*g->waiting_end != NULL)
        g->waiting_end = &(*g->waiting_end)->next;
    pthread_mutex_unlock(&g->lock);
    while (dropped != NULL) {
        struct request *q = dropped;
        dropped = q->next;
        request_end(g, q, ENGINE_CANCELLED, NULL);
    }
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct slot *s = &g->slots[i];
        if (s->request != NULL && atomic_load(&s->request->cancelled))
            leave(g, s, ENGINE_CANCELLED, NULL);
    }
}

/* ---- a batch -------------------------------------------------------------- */

static uint32_t add_rows(struct engine *g, struct slot *s, uint32_t n, uint32_t most)
{
    struct request *q = s->request;
    uint32_t at = s->computed;
    for (; n < most && at < q->count; n++, at++) {
        g->rows[n] = (struct row){q->tokens[at], at, &s->cache};
        g->row_slot[n] = s;
        s->tokens[at] = q->tokens[at];
    }
    return n;
}

/* Answers first, a row each; then prompts in the order of their requests. */
static uint32_t collect(struct engine *g)
{
    uint32_t n = 0;
    for (int prompts = 0; prompts < 2; prompts++) {
        uint64_t last = 0;
        for (uint32_t k = 0; k < g->slot_count; k++) {
            struct slot *next = NULL;
            for (uint32_t i = 0; i < g->slot_count; i++) {
                struct slot *s = &g->slots[i];
                if (s->request != NULL && s->request->id > last &&
                    (next == NULL || s->request->id < next->request->id))
                    next = s;
            }
            if (next == NULL)
                break;
            last = next->request->id;
            if ((next->request->count - next->computed > 1) == prompts)
                n = add_rows(g, next, n, g->batch);
        }
    }
    return n;
}

/* ---- results -------------------------------------------------------------- */

static struct digest position_digest(struct engine *g, const float *hidden, uint32_t id,
                                     float logit)
{
    static const char domain[] = "assay/position/v1";
    uint8_t tail[8];
    uint32_t bits;
    struct digest d;
    memcpy(&bits, &logit, sizeof bits);
    store_u32le(tail, id);
    store_u32le(tail + 4, bits);
    sha256_start(g->sha);
    sha256_update(g->sha, domain, sizeof domain);
    sha256_update(g->sha, hidden, g->info.width * sizeof *hidden);
    sha256_update(g->sha, tail, sizeof tail);
    sha256_finish(g->sha, &d);
    return d;
}

static bool ends(const struct engine *g, const struct request *q, uint32_t id)
{
    return !q->r.ignore_end && g->tokenizer != NULL && tokenizer_ends(g->tokenizer, id);
}

/* Why an answer would end here; ENGINE_LENGTH where only its length could end it. */
static enum engine_finish finish_of(const struct engine *g, const struct request *q, uint32_t id,
                                    bool go, bool stopped)
{
    bool last = q->r.answer_count == 0 || q->answered == q->most;
    if (!go)
        return ENGINE_CANCELLED;
    if (stopped)
        return ENGINE_STOPPED;
    return last && ends(g, q, id) ? ENGINE_END : ENGINE_LENGTH;
}

/* The form takes the token; true: it is over with it. */
static bool form_goes_on(const struct engine *g, struct request *q, uint32_t id)
{
    bool control;
    struct span octets = form_octets(g->tokenizer, id, &control);
    return form_push(q->form, octets, control) && q->form->over;
}

/* Draws (or looks at) the token after `position`, tells the request, and lets it grow. */
static void give_token(struct engine *g, struct request *q, uint32_t position, const float *hidden,
                       const float *logits)
{
    bool given = q->r.answer_count != 0, stopped = false;
    struct draw d = {logits, q->tokens, position + 1, &q->r.sampling, q->form};
    struct engine_token t = {.index = q->answered, .position = position + 1};
    if (q->first == 0)
        q->first = clock_monotonic();
    t.drawn = sample(&g->sampler, &d);
    t.id = given ? q->tokens[position + 1] : t.drawn;
    t.margin = sample_margin(&g->sampler, &d, t.drawn, t.id);
    t.logit = logits[t.id];
    if (q->r.logprobs || q->r.sampling.top > 0)
        t.logprob = sample_logprobs(&g->sampler, &d, t.id);
    t.top = g->sampler.top;
    t.top_count = q->r.sampling.top < g->info.vocabulary ? q->r.sampling.top : g->info.vocabulary;
    t.digest = position_digest(g, hidden, t.id, t.logit);
    t.text = text_push(&q->text, t.id, &stopped);
    q->answered++;
    if (q->r.logits != NULL)
        q->r.logits(q->r.arg, position, logits, g->info.vocabulary);
    bool go = q->r.token == NULL || q->r.token(q->r.arg, &t);
    if (!given)
        q->tokens[q->count++] = t.id;
    bool over = q->form != NULL && form_goes_on(g, q, t.id);
    q->finish = finish_of(g, q, t.id, go, stopped && !given);
    if (over && go && !stopped && !given)
        q->finish = ENGINE_END;
    q->ended = !go || (!given && q->finish != ENGINE_LENGTH) || q->answered >= q->most;
}

/* What the model made of a token of the prompt. */
static void tell_prompt(struct engine *g, const struct request *q, uint32_t position,
                        const float *logits)
{
    struct draw d = {logits, q->tokens, position + 1, &q->r.sampling, NULL};
    struct engine_token t = {.index = position + 1, .position = position + 1};
    t.id = t.drawn = q->tokens[position + 1];
    t.logit = logits[t.id];
    t.logprob = sample_logprobs(&g->sampler, &d, t.id);
    t.top = g->sampler.top;
    t.top_count = q->r.sampling.top < g->info.vocabulary ? q->r.sampling.top : g->info.vocabulary;
    q->r.prompt(q->r.arg, &t);
}

static bool finite(const float *x, uint32_t n)
{
    return matrix_finite(DTYPE_F32, (const uint8_t *)x, n);
}

/* Logits for up to g->heads rows, whose final hidden states stand in g->hidden. */
static void give_tokens(struct engine *g, const uint32_t *rows, uint32_t n)
{
    forward_logits(&g->forward, g->hidden, n, g->logits);
    for (uint32_t i = 0; i < n; i++) {
        struct slot *s = g->row_slot[rows[i]];
        struct request *q = s->request;
        const float *logits = g->logits + (size_t)i * g->info.vocabulary;
        const float *hidden = g->hidden + (size_t)i * g->info.width;
        struct err e = ERR_INIT;
        if (q == NULL || q->ended)
            continue;
        uint32_t position = g->rows[rows[i]].position;
        bool good = finite(logits, g->info.vocabulary) && finite(hidden, g->info.width);
        if (good && position + 1 < q->prompt)
            tell_prompt(g, q, position, logits);
        else if (good)
            give_token(g, q, position, hidden, logits);
        if (good)
            continue;
        err_set(&e, ERR_FORMAT,
                "position %u gives a logit that is not a number: the weights do "
                "not fit this input",
                position);
        q->ended = true;
        leave(g, s, ENGINE_FAILED, &e);
    }
}

static bool wanted(const struct request *q, uint32_t position)
{
    return q != NULL && !q->ended && !q->r.embed && (position + 1 >= q->prompt || q->r.prompt) &&
           (q->r.answer_count == 0 || position + 1 < q->count);
}

static void add_embedding(struct engine *g, struct request *q, uint32_t row)
{
    float *x = g->hidden;
    forward_final(&g->forward, row, x);
    for (uint32_t i = 0; i < g->info.width; i++)
        q->sum[i] += (double)x[i];
    q->ended = g->rows[row].position + 1 == q->prompt;
    q->finish = ENGINE_END;
}

static void results(struct engine *g, uint32_t n)
{
    uint32_t list[HEADS_MOST], k = 0;
    for (uint32_t r = 0; r < n; r++) {
        struct slot *s = g->row_slot[r];
        struct request *q = s->request;
        s->computed = g->rows[r].position + 1;
        if (q != NULL && q->r.embed)
            add_embedding(g, q, r);
        if (!wanted(q, g->rows[r].position))
            continue;
        forward_final(&g->forward, r, g->hidden + (size_t)k * g->info.width);
        list[k++] = r;
        if (k == g->heads) {
            give_tokens(g, list, k);
            k = 0;
        }
    }
    if (k != 0)
        give_tokens(g, list, k);
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct slot *s = &g->slots[i];
        if (s->request != NULL && s->request->ended)
            leave(g, s, s->request->finish, NULL);
    }
}

/* ---- the step ------------------------------------------------------------- */

static bool unchanged(struct engine *g)
{
    for (size_t i = 0; i < g->model->file_count; i++) {
        const struct source *s = g->model->files[i].source;
        if (s != NULL && !source_unchanged(s, &g->broken))
            return false;
    }
    return true;
}

static void fail_all(struct engine *g)
{
    for (uint32_t i = 0; i < g->slot_count; i++) {
        if (g->slots[i].request != NULL)
            leave(g, &g->slots[i], ENGINE_FAILED, &g->broken);
    }
    for (;;) {
        pthread_mutex_lock(&g->lock);
        struct request *q = next_waiting(g);
        if (q != NULL)
            g->now.running--;
        pthread_mutex_unlock(&g->lock);
        if (q == NULL)
            return;
        request_end(g, q, ENGINE_FAILED, &g->broken);
    }
}

bool engine_step(struct engine *g, bool *work, struct err *e)
{
    *work = false;
    if (g->broken.code != ERR_NONE || !unchanged(g)) {
        fail_all(g);
        if (e != NULL)
            *e = g->broken;
        return false;
    }
    numerics_thread();
    g->steps++;
    drop_cancelled(g);
    begin_waiting(g);
    uint32_t n = collect(g);
    if (n != 0) {
        forward_rows(&g->forward, g->rows, n);
        results(g, n);
    }
    pthread_mutex_lock(&g->lock);
    *work = g->now.running + g->now.waiting > 0;
    pthread_mutex_unlock(&g->lock);
    return true;
}
