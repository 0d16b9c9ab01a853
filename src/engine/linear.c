/*
 * Products with weights: the activations are made ready once for every kind
 * that the matrices need, then chunks of rows are jobs of the team. Adapters come
 * after the whole product and its bias, in the order they were given.
 */
#include "engine/forward.h"

#include "assay/numerics.h"
#include "engine/adapter.h"

enum { TARGETS = 3, FEW = 4 };

struct work {
    struct forward *f;
    const float *x;
    size_t x_stride;
    uint32_t n;
    const struct target *targets;
    unsigned count;
    uint32_t chunk[TARGETS]; /* rows of a job */
    uint32_t first[TARGETS]; /* job */
    uint32_t jobs, threads;
    enum activation kind; /* of make_ready */
    size_t cols;
};

static void make_ready(void *arg, uint32_t m, unsigned worker)
{
    struct work *w = arg;
    (void)worker;
    activation_make(w->f->ready[w->kind] + m * w->f->ready_size[w->kind], w->kind,
                    w->x + m * w->x_stride, w->cols);
}

/* low = A x of every adapter of a target, one after another in f->low. */
static void adapters_low(struct work *w, const struct target *t)
{
    float *low = w->f->low;
    for (const struct adapted *a = t->w->adapted; a != NULL; a = a->next) {
        struct dense d = {.type = a->a.type,
                          .w = a->a.data,
                          .k = a->a.cols,
                          .x = w->x,
                          .x_stride = w->x_stride,
                          .batch = w->n,
                          .y = low,
                          .y_stride = a->a.rows};
        numerics_dense(&d, 0, a->a.rows);
        low += (size_t)w->n * a->a.rows;
    }
}

/* y += s * (B low), one row of activations a job. */
static void adapters_high(void *arg, uint32_t m, unsigned worker)
{
    const struct work *w = arg;
    const float *low = w->f->low;
    const struct target *t = w->targets;
    (void)worker;
    for (const struct adapted *a = t->w->adapted; a != NULL; a = a->next) {
        float *high = w->f->high + m * w->f->high_size;
        struct dense d = {.type = a->b.type,
                          .w = a->b.data,
                          .k = a->b.cols,
                          .x = low + (size_t)m * a->a.rows,
                          .x_stride = a->a.rows,
                          .batch = 1,
                          .y = high,
                          .y_stride = a->b.rows};
        numerics_dense(&d, 0, a->b.rows);
        numerics_scale(high, a->scale, a->b.rows);
        numerics_add(t->y + m * t->y_stride, high, a->b.rows);
        low += (size_t)w->n * a->a.rows;
    }
}

/*
 * Which job the i-th to be taken is: threads that take turns each go through a part of their own, so
 * that the group that a kernel fetches while it computes (src/numerics/packed.h) is the thread's
 * next. A single row is read as memory has it.
 */
static uint32_t job_of(const struct work *w, uint32_t i)
{
    uint32_t part = i % w->threads, each = w->jobs / w->threads, more = w->jobs % w->threads;
    if (w->n <= FEW)
        return i;
    return part * each + (part < more ? part : more) + i / w->threads;
}

static void multiply(void *arg, uint32_t taken, unsigned worker)
{
    const struct work *w = arg;
    unsigned k = w->count - 1;
    uint32_t i = job_of(w, taken);
    (void)worker;
    while (i < w->first[k])
        k--;
    const struct target *t = &w->targets[k];
    const struct matrix *m = &t->w->m;
    size_t n0 = (size_t)(i - w->first[k]) * w->chunk[k];
    size_t n1 = n0 + w->chunk[k] < m->rows ? n0 + w->chunk[k] : m->rows;
    enum activation kind = matrix_activation(m->type);
    struct product p = {.w = m, .batch = w->n, .y = t->y, .y_stride = t->y_stride};
    p.x = kind == ACTIVATION_FLOAT ? (const void *)w->x : w->f->ready[kind];
    p.x_size = kind == ACTIVATION_FLOAT ? w->x_stride * sizeof(float) : w->f->ready_size[kind];
    matrix_product(&p, n0, n1);
    for (uint32_t r = 0; t->w->bias != NULL && r < w->n; r++)
        numerics_add(t->y + r * t->y_stride + n0, t->w->bias + n0, n1 - n0);
}

/* About eight jobs a thread when one row must stream all weights; groups are never cut. */
static uint32_t chunk_of(size_t rows, uint32_t n, unsigned threads)
{
    size_t jobs = (size_t)threads * 8;
    size_t chunk = (rows / jobs + MATRIX_GROUP - 1) / MATRIX_GROUP * MATRIX_GROUP;
    size_t most = n > FEW ? 64 : 512;
    chunk = chunk < MATRIX_GROUP ? MATRIX_GROUP : chunk;
    return (uint32_t)(chunk < most ? chunk : most);
}

void linear(struct forward *f, const float *x, size_t x_stride, uint32_t n,
            const struct target *targets, unsigned count)
{
    struct work w = {
        .f = f, .x = x, .x_stride = x_stride, .n = n, .targets = targets, .count = count};
    unsigned threads = team_threads(f->team);
    bool made[ACTIVATION_KINDS] = {[ACTIVATION_FLOAT] = true};
    uint32_t jobs = 0;
    for (unsigned k = 0; k < count; k++) {
        const struct matrix *m = &targets[k].w->m;
        w.kind = matrix_activation(m->type);
        w.cols = m->cols;
        if (!made[w.kind] && n > FEW)
            team_run(f->team, n, make_ready, &w);
        for (uint32_t r = 0; !made[w.kind] && n <= FEW && r < n; r++)
            make_ready(&w, r, 0);
        made[w.kind] = true;
        w.first[k] = jobs;
        w.chunk[k] = chunk_of(m->rows, n, threads);
        jobs += (uint32_t)((m->rows + w.chunk[k] - 1) / w.chunk[k]);
    }
    w.jobs = jobs;
    w.threads = threads;
    team_run(f->team, jobs, multiply, &w);
    for (unsigned k = 0; k < count; k++) {
        struct work one = w;
        one.targets = &targets[k];
        if (targets[k].w->adapted == NULL)
            continue;
        adapters_low(&one, &targets[k]);
        team_run(f->team, n, adapters_high, &one);
    }
}
