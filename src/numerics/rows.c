/*
 * Rows of numbers: sums in 16 lanes, functions element by element. The bodies
 * are plain C with an inner loop of 16, which compilers turn into vectors of
 * whatever width; the lane that an element belongs to never changes.
 */
#include "numerics/lane.h"

/* ---- sums ----------------------------------------------------------------- */

/* Each lane takes its products in order. */
ALWAYS_INLINE float dot_body(const float *a, const float *b, size_t n)
{
    float l[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            l[j] = fmaf(a[i + j], b[i + j], l[j]);
    }
    for (size_t j = 0; i + j < n; j++)
        l[j] = fmaf(a[i + j], b[i + j], l[j]);
    return lanes_tree(l);
}

ALWAYS_INLINE float sum_body(const float *x, size_t n)
{
    float l[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++)
            l[j] += x[i + j];
    }
    for (size_t j = 0; i + j < n; j++)
        l[j] += x[i + j];
    return lanes_tree(l);
}

/* The maximum is exact in any order. */
ALWAYS_INLINE float max_body(const float *x, size_t n)
{
    float most = x[0];
    size_t i = 0;
    if (n >= LANES) {
        float l[LANES];
        memcpy(l, x, sizeof l);
        for (i = LANES; i + LANES <= n; i += LANES) {
            for (size_t j = 0; j < LANES; j++)
                l[j] = x[i + j] > l[j] ? x[i + j] : l[j];
        }
        for (size_t j = 0; j < LANES; j++)
            most = l[j] > most ? l[j] : most;
    }
    for (; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

VARIANTS(float, return, dot, (const float *a, const float *b, size_t n), (a, b, n))
VARIANTS(float, return, sum, (const float *x, size_t n), (x, n))
VARIANTS(float, return, max, (const float *x, size_t n), (x, n))

float numerics_sum(const float *x, size_t n)
{
    return sum_of[numerics_isa()](x, n);
}

float numerics_sum_squares(const float *x, size_t n)
{
    return dot_of[numerics_isa()](x, x, n);
}

float numerics_dot(const float *a, const float *b, size_t n)
{
    return dot_of[numerics_isa()](a, b, n);
}

float numerics_max(const float *x, size_t n)
{
    return max_of[numerics_isa()](x, n);
}

/* ---- element by element --------------------------------------------------- */

/* ROWS(name, parameters, arguments, statement): `statement` for every i. */
#define ROWS(name, parameters, arguments, statement)                                               \
    ALWAYS_INLINE void name##_body parameters                                                      \
    {                                                                                              \
        size_t base = 0;                                                                           \
        for (; base + LANES <= n; base += LANES) {                                                 \
            for (size_t j = 0; j < LANES; j++) {                                                   \
                size_t i = base + j;                                                               \
                statement;                                                                         \
            }                                                                                      \
        }                                                                                          \
        for (size_t i = base; i < n; i++) {                                                        \
            statement;                                                                             \
        }                                                                                          \
    }                                                                                              \
    VARIANTS(void, , name, parameters, arguments)                                                  \
    void numerics_##name parameters                                                                \
    {                                                                                              \
        name##_of[numerics_isa()] arguments;                                                       \
    }

ROWS(add, (float *y, const float *x, size_t n), (y, x, n), y[i] += x[i])
ROWS(mul, (float *y, const float *x, size_t n), (y, x, n), y[i] *= x[i])
ROWS(scale, (float *y, float a, size_t n), (y, a, n), y[i] *= a)
ROWS(axpy, (float *y, float a, const float *x, size_t n), (y, a, x, n), y[i] = fmaf(a, x[i], y[i]))
ROWS(exp_row, (float *y, const float *x, size_t n), (y, x, n), y[i] = lane_exp(x[i]))
ROWS(tanh_row, (float *y, const float *x, size_t n), (y, x, n), y[i] = lane_tanh(x[i]))
ROWS(softcap, (float *y, float cap, size_t n), (y, cap, n), y[i] = cap * lane_tanh(y[i] / cap))
ROWS(silu_mul, (float *gate, const float *up, size_t n), (gate, up, n),
     gate[i] = lane_silu(gate[i]) * up[i])
ROWS(gelu_mul, (float *gate, const float *up, size_t n), (gate, up, n),
     gate[i] = lane_gelu(gate[i]) * up[i])
ROWS(gelu, (float *y, size_t n), (y, n), y[i] = lane_gelu(y[i]))
ROWS(to_half, (uint16_t * y, const float *x, size_t n), (y, x, n), y[i] = lane_half(x[i]))
ROWS(to_bfloat, (uint16_t * y, const float *x, size_t n), (y, x, n), y[i] = lane_bfloat(x[i]))

ALWAYS_INLINE void widen_body(float *y, const uint16_t *x, size_t n, bool brain)
{
    for (size_t i = 0; i < n; i++)
        y[i] = brain ? lane_from_bfloat(x[i]) : lane_from_half(x[i]);
}
VARIANTS(void, , widen, (float *y, const uint16_t *x, size_t n, bool brain), (y, x, n, brain))

void numerics_to_float(float *y, enum dtype t, const void *x, size_t n)
{
    if (t == DTYPE_F32)
        memcpy(y, x, n * sizeof *y);
    else
        widen_of[numerics_isa()](y, x, n, t == DTYPE_BF16);
}

/* ---- norms and softmax ---------------------------------------------------- */

ALWAYS_INLINE void weigh_body(float *y, const float *x, const float *w, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++)
        y[i] = w != NULL ? (x[i] * scale) * w[i] : x[i] * scale;
}
VARIANTS(void, , weigh, (float *y, const float *x, const float *w, size_t n, float scale),
         (y, x, w, n, scale))

void numerics_rms_norm(float *y, const float *x, const float *w, size_t n, float eps)
{
    float mean = numerics_sum_squares(x, n) / (float)n;
    weigh_of[numerics_isa()](y, x, w, n, 1.0f / sqrtf(mean + eps));
}

ALWAYS_INLINE void shift_body(float *y, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] - by;
}
VARIANTS(void, , shift, (float *y, const float *x, float by, size_t n), (y, x, by, n))

void numerics_layer_norm(float *y, const float *x, const float *w, const float *b, size_t n,
                         float eps)
{
    shift_of[numerics_isa()](y, x, numerics_sum(x, n) / (float)n, n);
    float variance = numerics_sum_squares(y, n) / (float)n;
    weigh_of[numerics_isa()](y, y, w, n, 1.0f / sqrtf(variance + eps));
    if (b != NULL)
        numerics_add(y, b, n);
}

float numerics_softmax(float *x, size_t n, float *sum)
{
    float most = numerics_max(x, n);
    shift_of[numerics_isa()](x, x, most, n);
    numerics_exp_row(x, x, n);
    *sum = numerics_sum(x, n);
    numerics_scale(x, 1.0f / *sum, n);
    return most;
}
