/*
 * Arithmetic whose every bit is defined: docs/numerics.md is the text, the
 * scalar code of src/numerics its specification. AVX2 and AVX-512 are chosen
 * by the processor and give the same bits, whatever the threads, the batch or
 * the way that work is cut.
 *
 * Nothing here calls libm except fma, sqrt and their float forms, which IEEE
 * 754 rounds correctly everywhere. Inputs are finite; where a NaN arises it is
 * a NaN everywhere, but its sign and payload are not defined.
 */
#ifndef ASSAY_NUMERICS_H
#define ASSAY_NUMERICS_H

#include "assay/dtype.h"

/* Goes into every record. A change of one bit anywhere in docs/numerics.md is a new number. */
enum { NUMERICS_VERSION = 1 };

enum { NUMERICS_LANES = 16 };

enum numerics_isa { NUMERICS_SCALAR, NUMERICS_AVX2, NUMERICS_AVX512, NUMERICS_ISAS };

/*
 * What is in use: what the processor has, no higher than the environment
 * variable ASSAY_ISA says (scalar, avx2 or avx512; read once), no higher than
 * the last numerics_limit. Results never depend on it.
 */
enum numerics_isa numerics_isa(void);
void numerics_limit(enum numerics_isa highest); /* for tests */
const char *numerics_isa_name(enum numerics_isa isa);

/*
 * Round to nearest, no flushing of subnormals to zero, exceptions masked: for
 * the calling thread, because a library may have set something else. Every
 * thread that calls functions of this module does this first; a team's
 * threads have done it.
 */
void numerics_thread(void);

/* ---- one number ----------------------------------------------------------- */

float numerics_exp(float x);
float numerics_tanh(float x);
float numerics_log(float x); /* log(0) = -inf, of a negative number NaN */
float numerics_sin(float x); /* |x| up to 2^30; rounded from the double ones */
float numerics_cos(float x);
double numerics_exp_double(double x);
double numerics_log_double(double x);
double numerics_sin_double(double x); /* |x| up to 2^30 */
double numerics_cos_double(double x);
double numerics_pow_double(double x, double y); /* exp(y log x), x > 0 */

/* binary16 and bfloat16: to them by rounding half to even, from them exactly. */
uint16_t numerics_half(float x);
float numerics_from_half(uint16_t h);
uint16_t numerics_bfloat(float x);
float numerics_from_bfloat(uint16_t b);

/* ---- rows of numbers ------------------------------------------------------ */

/*
 * Sums run in 16 lanes: element i is added to lane i % 16, in order, by fused
 * multiply-add where there is a product; then lanes l are added as
 * a[i] = l[i] + l[i+8], b[i] = a[i] + a[i+4], (b[0] + b[2]) + (b[1] + b[3]).
 */
float numerics_sum(const float *x, size_t n);
float numerics_sum_squares(const float *x, size_t n);
float numerics_dot(const float *a, const float *b, size_t n);
float numerics_max(const float *x, size_t n); /* n > 0 */

/* Element by element; y may be x. */
void numerics_add(float *y, const float *x, size_t n);           /* y += x */
void numerics_mul(float *y, const float *x, size_t n);           /* y *= x */
void numerics_scale(float *y, float a, size_t n);                /* y *= a */
void numerics_axpy(float *y, float a, const float *x, size_t n); /* y = fma(a, x, y) */
void numerics_exp_row(float *y, const float *x, size_t n);       /* y = exp(x) */
void numerics_tanh_row(float *y, const float *x, size_t n);      /* y = tanh(x) */
void numerics_softcap(float *y, float cap, size_t n);            /* y = cap * tanh(y / cap) */
void numerics_silu_mul(float *gate, const float *up, size_t n);  /* gate = silu(gate) * up */
void numerics_gelu_mul(float *gate, const float *up, size_t n);  /* the same with gelu */
void numerics_gelu(float *y, size_t n);                          /* tanh form */

/* y = (x * (1 / sqrt(mean(x^2) + eps))) * w; w may be NULL for ones; y may be x. */
void numerics_rms_norm(float *y, const float *x, const float *w, size_t n, float eps);
/* y = ((x - mean) * (1 / sqrt(variance + eps))) * w + b, as separate steps; y may be x. */
void numerics_layer_norm(float *y, const float *x, const float *w, const float *b, size_t n,
                         float eps);
/* x = exp(x - max) * (1 / sum); returns the maximum and, through *sum, the sum. */
float numerics_softmax(float *x, size_t n, float *sum);

void numerics_to_half(uint16_t *y, const float *x, size_t n);
void numerics_to_bfloat(uint16_t *y, const float *x, size_t n);
void numerics_to_float(float *y, enum dtype t, const void *x, size_t n); /* F32, F16, BF16 */

/* ---- products of matrices ------------------------------------------------- */

/*
 * y[m * y_stride + n] = dot(row n of w, row m of x) for n in n0..n1-1 and m in
 * 0..batch-1, each by numerics_dot's rule. w has rows of `k` elements of type
 * F32, F16 or BF16, one after another, unaligned is fine.
 */
struct dense {
    enum dtype type;
    const void *w;
    size_t k;
    const float *x;
    size_t x_stride, batch;
    float *y;
    size_t y_stride;
};
void numerics_dense(const struct dense *d, size_t n0, size_t n1);

/*
 * y[h][d] = sum over p = 0..n-1, in order, of weight[h][p] * v[p][d] by fused multiply-add, for
 * each of the heads h; v holds n rows of `size` binary16 numbers.
 */
struct mix {
    float *y;
    const float *weight;
    size_t y_stride, weight_stride, heads;
    const uint16_t *v;
    size_t size, n;
};
void numerics_mix(const struct mix *m);

/* y (cols x rows) = x (rows x cols) transposed. */
void numerics_transpose(float *y, const float *x, size_t rows, size_t cols);

/* ---- for training: gradients (src/numerics/chain*.c, gradients.c) ---------- */

/*
 * c(i,j) = the chain acc = fma(a(i,p), b(p,j), acc) for p = 0..k-1, begun at 0 or,
 * with `add`, at what c(i,j) holds. Each output is one chain in the order of p, so
 * blocks, tiles and threads change nothing. Element (i,p) of a stands at
 * a[i * a_row + p * a_column], and so on: a matrix or its transpose.
 */
struct chain {
    const float *a, *b;
    size_t a_row, a_column, b_row, b_column;
    size_t m, n, k;
    float *c; /* row i at c + i * c_row */
    size_t c_row;
    bool add;
};
struct team;
/* `team` NULL: by the calling thread alone. */
void numerics_chain(const struct chain *c, struct team *team);

/* gate and up become the gradients of silu(gate) * up, given d, the product's gradient. */
void numerics_silu_gradient(float *gate, float *up, const float *d, size_t n);
/*
 * The gradient of rms_norm by its input, added to dx: with r = 1 / sqrt(mean(x^2) + eps),
 * dx += r * (w dy) - x * (r^3 / n * sum(w dy x)).
 */
void numerics_rms_norm_gradient(float *dx, const float *x, const float *w, const float *dy,
                                size_t n, float eps);

/* One step of AdamW (Loshchilov and Hutter), element by element. */
struct adamw {
    float rate, beta1, beta2, eps, decay; /* decay: times rate */
    float correction1, correction2;       /* 1 - beta^step */
    float scale;                          /* of the gradient, before all else: clipping */
};
void numerics_adamw(float *w, float *m, float *v, const float *g, size_t n, const struct adamw *a);

#endif
