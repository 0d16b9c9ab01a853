/*
 * What training does to rows of numbers: gradients of the row functions, and
 * the optimiser's step. As everywhere here, a body in plain C with an inner
 * loop of 16 is compiled for each instruction set.
 */
#include "numerics/lane.h"

/* silu(g) = g s with s = 1 / (1 + exp(-g)); its derivative is s (1 + g (1 - s)). */
ALWAYS_INLINE void silu_one(float *gate, float *up, float d)
{
    float g = *gate, u = *up;
    float s = 1.0f / (1.0f + lane_exp(-g));
    *up = d * (g * s);
    *gate = (d * u) * (s * fmaf(g, 1.0f - s, 1.0f));
}

ALWAYS_INLINE void silu_gradient_body(float *gate, float *up, const float *d, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            silu_one(gate + i + j, up + i + j, d[i + j]);
    }
    for (; i < n; i++)
        silu_one(gate + i, up + i, d[i]);
}
VARIANTS(void, , silu_gradient, (float *gate, float *up, const float *d, size_t n),
         (gate, up, d, n))

void numerics_silu_gradient(float *gate, float *up, const float *d, size_t n)
{
    silu_gradient_of[numerics_isa()](gate, up, d, n);
}

/* sum(w dy x), in lanes. */
ALWAYS_INLINE float triple_body(const float *x, const float *w, const float *dy, size_t n)
{
    float l[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            l[j] = fmaf(w[i + j] * dy[i + j], x[i + j], l[j]);
    }
    for (size_t j = 0; i + j < n; j++)
        l[j] = fmaf(w[i + j] * dy[i + j], x[i + j], l[j]);
    return lanes_tree(l);
}
VARIANTS(float, return, triple, (const float *x, const float *w, const float *dy, size_t n),
         (x, w, dy, n))

struct spread {
    const float *x, *w, *dy;
    float r, pull;
};

ALWAYS_INLINE float spread_one(const struct spread *s, size_t i, float dx)
{
    return dx + (s->r * (s->w[i] * s->dy[i]) - s->x[i] * s->pull);
}

ALWAYS_INLINE void spread_body(float *dx, const struct spread *s, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            dx[i + j] = spread_one(s, i + j, dx[i + j]);
    }
    for (; i < n; i++)
        dx[i] = spread_one(s, i, dx[i]);
}
VARIANTS(void, , spread, (float *dx, const struct spread *s, size_t n), (dx, s, n))

void numerics_rms_norm_gradient(float *dx, const float *x, const float *w, const float *dy,
                                size_t n, float eps)
{
    float r = 1.0f / sqrtf(numerics_sum_squares(x, n) / (float)n + eps);
    float sum = triple_of[numerics_isa()](x, w, dy, n);
    struct spread s = {x, w, dy, r, r * r * r / (float)n * sum};
    spread_of[numerics_isa()](dx, &s, n);
}

struct moments {
    float *w, *m, *v;
    const float *g;
};

ALWAYS_INLINE void adamw_one(const struct moments *x, size_t i, const struct adamw *a)
{
    float g = x->g[i] * a->scale;
    float m = fmaf(a->beta1, x->m[i], (1.0f - a->beta1) * g);
    float v = fmaf(a->beta2, x->v[i], (1.0f - a->beta2) * (g * g));
    float step = (m / a->correction1) / (sqrtf(v / a->correction2) + a->eps);
    x->m[i] = m;
    x->v[i] = v;
    x->w[i] -= a->rate * fmaf(a->decay, x->w[i], step);
}

ALWAYS_INLINE void adamw_body(const struct moments *x, size_t n, const struct adamw *a)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            adamw_one(x, i + j, a);
    }
    for (; i < n; i++)
        adamw_one(x, i, a);
}
VARIANTS(void, , adamw, (const struct moments *x, size_t n, const struct adamw *a), (x, n, a))

void numerics_adamw(float *w, float *m, float *v, const float *g, size_t n, const struct adamw *a)
{
    struct moments x = {w, m, v, g};
    adamw_of[numerics_isa()](&x, n, a);
}
