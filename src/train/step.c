/*
 * One step: fill the windows, run the micro-batches, look whether everything
 * is finite, clip, and move the weights. The weights change only after the last
 * check, so that a step that fails leaves the run as it was.
 */
#include <math.h>
#include <string.h>

#include "assay/numerics.h"
#include "train/run.h"

/* ---- the step's windows ---- */

/* Makes the epoch that holds window `number` of the run the current one. */
static bool find_epoch(struct train *t, uint64_t number, struct err *e)
{
    bool none = t->epoch.count == 0;
    while (none || number < t->epoch_first || number >= t->epoch_first + t->epoch.count) {
        bool next = !none && number >= t->epoch_first;
        uint64_t epoch = next ? t->epoch.number + 1 : 0;
        t->epoch_first = next ? t->epoch_first + t->epoch.count : 0;
        arena_free(t->epoch_arena);
        t->epoch = (struct epoch){.count = 0};
        t->epoch_arena = arena_new((size_t)8 << 30);
        if (!t->epoch_arena)
            return err_set(e, ERR_MEMORY, "out of memory for the order of the data");
        if (!epoch_make(&t->epoch, &t->data, t->config.seed, epoch, false, t->config.steps.packing,
                        t->network->shape.context, t->epoch_arena, e))
            return false;
        none = false;
    }
    return true;
}

/* All windows of the step; *counted: positions that count. */
static bool fill_windows(struct train *t, uint64_t *counted, struct err *e)
{
    const struct config_steps *s = &t->config.steps;
    size_t context = t->network->shape.context, windows = (size_t)(s->batch * s->accumulate);
    *counted = 0;
    for (size_t i = 0; i < windows; i++) {
        uint64_t number = t->step * windows + i;
        uint8_t *counts = t->counts + i * context;
        if (!find_epoch(t, number, e))
            return false;
        t->used[i] = window_fill(&t->data, &t->epoch, (size_t)(number - t->epoch_first), context,
                                 t->tokens_in + i * context, t->targets + i * context, counts);
        for (size_t k = 0; k < context; k++)
            *counted += counts[k];
    }
    return true;
}

/* The windows from `first`, moved together to the longest of them. */
static struct batch batch_at(const struct train *t, size_t first, size_t count, uint32_t *tokens,
                             uint32_t *targets, uint8_t *counts, const size_t *used)
{
    size_t context = t->network->shape.context, length = 1;
    for (size_t i = 0; i < count; i++)
        length = used[first + i] > length ? used[first + i] : length;
    for (size_t i = 0; i < count; i++) {
        size_t from = (first + i) * context, to = first * context + i * length;
        memmove(tokens + to, tokens + from, length * sizeof *tokens);
        memmove(targets + to, targets + from, length * sizeof *targets);
        memmove(counts + to, counts + from, length);
    }
    return (struct batch){count, length, tokens + first * context, targets + first * context,
                          counts + first * context};
}

/* ---- the step ---- */

static bool not_finite(const struct train *t, struct err *e, const char *what, size_t window,
                       size_t position)
{
    return err_set(
        e, ERR_LIMIT,
        "the %s is not finite in step %llu (window %zu, position %zu); nothing was "
        "changed, and the last checkpoint, if there is one, is good: lower learning_rate or clip",
        what, (unsigned long long)t->step + 1, window, position);
}

static bool run_batches(struct train *t, uint64_t counted, double *loss, struct err *e)
{
    const struct config_steps *s = &t->config.steps;
    float weight = counted ? 1.0f / (float)counted : 0;
    network_clear(t->network);
    *loss = 0;
    for (size_t i = 0; i < s->accumulate; i++) {
        size_t bad = 0;
        struct batch b = batch_at(t, i * (size_t)s->batch, (size_t)s->batch, t->tokens_in,
                                  t->targets, t->counts, t->used);
        if (!network_run(t->network, t->activations, &b, weight, loss, &bad, t->team))
            return not_finite(t, e, "loss", i * (size_t)s->batch + bad / b.length, bad % b.length);
    }
    network_gather(t->network);
    *loss = counted ? *loss / (double)counted : 0;
    return true;
}

/* The squares of each tensor in lanes, the tensors in their order. */
static double gradient_norm(const struct network *n)
{
    double sum = 0;
    for (size_t i = 0; i < n->count; i++)
        if (n->parameters[i].trained)
            sum += (double)numerics_sum_squares(n->parameters[i].g,
                                                n->parameters[i].rows * n->parameters[i].columns);
    return sqrt(sum);
}

static double rate_at(const struct train *t)
{
    const struct config_steps *s = &t->config.steps;
    const double half_turn = 3.141592653589793;
    double most = train_config_number(s->rate), least = train_config_number(s->least_rate);
    if (t->step < s->warmup)
        return most * (double)(t->step + 1) / (double)s->warmup;
    double left = s->steps > s->warmup ? (double)(s->steps - s->warmup) : 1;
    double done = (double)(t->step - s->warmup) / left;
    done = done < 1 ? done : 1;
    return least + (most - least) * 0.5 * (1 + numerics_cos_double(half_turn * done));
}

/* By squaring: IEEE products alone. */
static double power(double base, uint64_t n)
{
    double result = 1;
    for (; n; n >>= 1, base *= base)
        if (n & 1)
            result *= base;
    return result;
}

struct move {
    struct train *t;
    struct adamw a;
};

static void move_one(void *arg, uint32_t i, unsigned worker)
{
    const struct move *m = arg;
    const struct network *n = m->t->network;
    const struct parameter *p = &n->parameters[i];
    struct adamw a = m->a;
    (void)worker;
    if (!p->trained)
        return;
    size_t at = (size_t)(p->w - n->w);
    a.decay = p->decays ? a.decay : 0;
    numerics_adamw(p->w, n->m + at, n->v + at, p->g, p->rows * p->columns, &a);
}

static void move_weights(struct train *t, double rate, double norm)
{
    const struct config_steps *s = &t->config.steps;
    double beta1 = train_config_number(s->beta1), beta2 = train_config_number(s->beta2);
    double scale = train_config_number(s->clip) / (norm + 1e-6);
    struct move m = {t, {.rate = (float)rate, .beta1 = (float)beta1, .beta2 = (float)beta2}};
    m.a.eps = (float)train_config_number(s->eps);
    m.a.decay = (float)train_config_number(s->decay);
    m.a.correction1 = (float)(1 - power(beta1, t->step + 1));
    m.a.correction2 = (float)(1 - power(beta2, t->step + 1));
    m.a.scale = scale < 1 ? (float)scale : 1;
    team_run(t->team, (uint32_t)t->network->count, move_one, &m);
}

bool train_step(struct train *t, struct train_step *out, struct err *e)
{
    uint64_t counted;
    double loss;
    if (!fill_windows(t, &counted, e) || !run_batches(t, counted, &loss, e))
        return false;
    double norm = gradient_norm(t->network), rate = rate_at(t);
    if (!isfinite(norm))
        return not_finite(t, e, "gradient", 0, 0);
    move_weights(t, rate, norm);
    t->step++;
    t->tokens += counted;
    *out = (struct train_step){t->step, t->tokens, loss, rate, norm};
    return true;
}

/* ---- validation and samples ---- */

bool train_validate(struct train *t, double *loss, struct err *e)
{
    size_t context = t->network->shape.context, most = (size_t)t->config.steps.batch, counted = 0;
    struct arena *a = arena_new((size_t)1 << 30);
    struct epoch p;
    double sum = 0;
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for the validation");
    ok = ok && t->validation.count > 0 &&
         epoch_make(&p, &t->validation, 0, 0, true, t->config.steps.packing, context, a, e);
    for (size_t i = 0; ok && i < p.count; i += most) {
        size_t n = p.count - i < most ? p.count - i : most, bad = 0;
        for (size_t k = 0; k < n; k++)
            t->used[k] = window_fill(&t->validation, &p, i + k, context, t->tokens_in + k * context,
                                     t->targets + k * context, t->counts + k * context);
        for (size_t k = 0; k < n * context; k++)
            counted += t->counts[k];
        struct batch b = batch_at(t, 0, n, t->tokens_in, t->targets, t->counts, t->used);
        ok = network_run(t->network, t->activations, &b, 0, &sum, &bad, t->team) ||
             not_finite(t, e, "validation loss", i + bad / b.length, bad % b.length);
    }
    arena_free(a);
    *loss = counted ? sum / (double)counted : 0;
    if (ok)
        t->last_validation = *loss;
    return ok && counted > 0;
}

static uint32_t best_of(const float *logits, size_t n)
{
    uint32_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = (uint32_t)i;
    return best;
}

bool train_sample(struct train *t, struct span prompt, size_t most, struct buf *out, struct err *e)
{
    struct tokens ids = {.max = t->network->shape.context};
    size_t bad, first;
    double loss = 0;
    bool ok = tokenizer_encode_text(&ids, t->tokenizer, prompt, true, ENCODE_PLAIN, e);
    first = ids.n;
    while (ok && ids.n > 0 && ids.n < t->network->shape.context && ids.n - first < most) {
        struct batch b = {1, ids.n, ids.id, ids.id, t->counts};
        memset(t->counts, 0, ids.n);
        ok = network_run(t->network, t->activations, &b, 0, &loss, &bad, t->team);
        uint32_t next = best_of(network_logits(t->network, t->activations, ids.n - 1, t->team),
                                t->network->shape.vocabulary);
        if (!ok || tokenizer_ends(t->tokenizer, next))
            break;
        ok = tokens_add(&ids, next, e);
    }
    ok = ok &&
         tokenizer_decode(out, t->tokenizer, ids.id + first, ids.n - first, DECODE_REPLACE_BAD, e);
    tokens_free(&ids);
    return ok;
}
