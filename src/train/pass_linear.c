/* Matrices, norms and rotations over the rows of a micro-batch, and their gradients. */
#include <math.h>

#include "assay/numerics.h"
#include "train/pass.h"

struct rows_job {
    rows_fn *fn;
    void *arg;
    size_t rows;
};

static void run_rows(void *arg, uint32_t i, unsigned worker)
{
    const struct rows_job *j = arg;
    size_t from = (size_t)i * ROWS_A_JOB, to = from + ROWS_A_JOB;
    (void)worker;
    j->fn(j->arg, from, to < j->rows ? to : j->rows);
}

void pass_rows(const struct pass *p, rows_fn *fn, void *arg)
{
    struct rows_job j = {fn, arg, p->rows};
    team_run(p->team, (uint32_t)((p->rows + ROWS_A_JOB - 1) / ROWS_A_JOB), run_rows, &j);
}

/* ---- matrices ---- */

/* y (rows x out) (+)= x (rows x in) w^T, w being out x in. */
static void product(const struct pass *p, const float *x, size_t in, const float *w, size_t out,
                    float *y, bool add)
{
    struct chain c = {x, w, in, 1, 1, in, p->rows, out, in, y, out, add};
    numerics_chain(&c, p->team);
}

/* dx (rows x in) (+)= dy (rows x out) w. */
static void by_input(const struct pass *p, const float *dy, size_t out, const float *w, size_t in,
                     float *dx, bool add)
{
    struct chain c = {dy, w, out, 1, in, 1, p->rows, in, out, dx, in, add};
    numerics_chain(&c, p->team);
}

/* g (out x in) += dy^T x. */
static void by_weight(const struct pass *p, const float *dy, size_t out, const float *x, size_t in,
                      float *g)
{
    struct chain c = {dy, x, 1, out, in, 1, out, in, p->rows, g, in, true};
    numerics_chain(&c, p->team);
}

/* scale * x a^T, rows x rank. */
static void narrow(const struct pass *p, const struct adapter_pair *l, const float *x, size_t in,
                   float *y)
{
    product(p, x, in, l->a, l->rank, y, false);
    numerics_scale(y, l->scale, p->rows * l->rank);
}

void pass_linear(const struct pass *p, const struct matrix *m, const float *x, float *y)
{
    product(p, x, m->columns, m->w, m->rows, y, false);
    if (!m->adapter)
        return;
    narrow(p, m->adapter, x, m->columns, p->a->small1);
    product(p, p->a->small1, m->adapter->rank, m->adapter->b, m->rows, y, true);
}

static void adapter_back(const struct pass *p, const struct matrix *m, const float *x,
                         const float *dy, float *dx)
{
    const struct adapter_pair *l = m->adapter;
    float *t = p->a->small1, *dt = p->a->small2;
    narrow(p, l, x, m->columns, t);
    by_weight(p, dy, m->rows, t, l->rank, l->gb);
    by_input(p, dy, m->rows, l->b, l->rank, dt, false);
    numerics_scale(dt, l->scale, p->rows * l->rank);
    by_weight(p, dt, l->rank, x, m->columns, l->ga);
    if (dx)
        by_input(p, dt, l->rank, l->a, m->columns, dx, true);
}

void pass_linear_back(const struct pass *p, const struct matrix *m, const float *x, const float *dy,
                      float *dx, bool add)
{
    if (dx)
        by_input(p, dy, m->rows, m->w, m->columns, dx, add);
    if (m->g)
        by_weight(p, dy, m->rows, x, m->columns, m->g);
    if (m->adapter)
        adapter_back(p, m, x, dy, dx);
}

/* ---- norms ---- */

struct norm_job {
    const struct pass *p;
    const float *x, *w, *dy;
    float *y;
};

static void norm_some(void *arg, size_t from, size_t to)
{
    const struct norm_job *j = arg;
    size_t width = j->p->n->shape.width;
    for (size_t r = from; r < to; r++)
        numerics_rms_norm(j->y + r * width, j->x + r * width, j->w, width, j->p->n->shape.eps);
}

void pass_norm(const struct pass *p, const float *x, const float *w, float *y)
{
    struct norm_job j = {.p = p, .x = x, .w = w, .y = y};
    pass_rows(p, norm_some, &j);
}

static void norm_back_some(void *arg, size_t from, size_t to)
{
    const struct norm_job *j = arg;
    size_t width = j->p->n->shape.width;
    for (size_t r = from; r < to; r++)
        numerics_rms_norm_gradient(j->y + r * width, j->x + r * width, j->w, j->dy + r * width,
                                   width, j->p->n->shape.eps);
}

void pass_norm_back(const struct pass *p, const float *x, const float *w, float *wg, float *dy,
                    float *dx)
{
    struct norm_job j = {p, x, w, dy, dx};
    size_t width = p->n->shape.width;
    pass_rows(p, norm_back_some, &j);
    for (size_t r = 0; wg && r < p->rows; r++) { /* in order: one chain an element */
        const float *row = x + r * width;
        float mean = numerics_sum_squares(row, width) / (float)width;
        numerics_mul(dy + r * width, row, width);
        numerics_axpy(wg, 1.0f / sqrtf(mean + p->n->shape.eps), dy + r * width, width);
    }
}

/* ---- rotary positions ---- */

struct rotate_job {
    const struct pass *p;
    float *x;
    size_t heads;
    float sign;
};

/* Pairs are (i, i + head/2). */
static void rotate_row(const struct rotate_job *j, float *x, const float *angles)
{
    size_t head = j->p->n->shape.head, half = head / 2;
    for (size_t h = 0; h < j->heads; h++, x += head)
        for (size_t i = 0; i < half; i++) {
            float c = angles[2 * i], s = j->sign * angles[2 * i + 1];
            float a = x[i], b = x[i + half];
            x[i] = a * c - b * s;
            x[i + half] = a * s + b * c;
        }
}

static void rotate_some(void *arg, size_t from, size_t to)
{
    const struct rotate_job *j = arg;
    const struct shape *s = &j->p->n->shape;
    for (size_t r = from; r < to; r++) {
        size_t position = r % j->p->b->length;
        rotate_row(j, j->x + r * j->heads * s->head, j->p->n->rope + position * s->head);
    }
}

void pass_rotate(const struct pass *p, float *x, size_t heads, bool back)
{
    struct rotate_job j = {p, x, heads, back ? -1.0f : 1.0f};
    pass_rows(p, rotate_some, &j);
}
