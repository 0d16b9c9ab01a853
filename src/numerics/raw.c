/*
 * Products of quantised rows as they are stored: the specification of every
 * block type. A block gives one exact integer, or two where the type has
 * minima, and one fused multiply-add for each; the kernels over packed rows
 * are compared with this.
 */
#include "numerics/blocks.h"

const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                               1,    13,   25,  38,  53,  69,  89,  113};

/* ---- blocks of 32 --------------------------------------------------------- */

/* sum of (low nibbles, then high nibbles) times q. */
ALWAYS_INLINE int32_t nibbles(const uint8_t *qs, const int8_t *q)
{
    int32_t s = 0;
    for (int j = 0; j < 16; j++)
        s += (qs[j] & 15) * q[j] + (qs[j] >> 4) * q[j + 16];
    return s;
}

/* The same with bit j of `high` as the fifth bit of weight j. */
ALWAYS_INLINE int32_t five_bits(const uint8_t *qs, uint32_t high, const int8_t *q)
{
    int32_t s = 0;
    for (int j = 0; j < 16; j++) {
        s += (int32_t)((uint32_t)(qs[j] & 15) | (high >> j & 1) << 4) * q[j];
        s += (int32_t)((uint32_t)(qs[j] >> 4) | (high >> (j + 16) & 1) << 4) * q[j + 16];
    }
    return s;
}

ALWAYS_INLINE float q4_0(float acc, const uint8_t *w, const struct act32 *x)
{
    return fmaf(half_at(w) * x->d, (float)(nibbles(w + 2, x->q) + x->less), acc);
}

ALWAYS_INLINE float q4_1(float acc, const uint8_t *w, const struct act32 *x)
{
    acc = fmaf(half_at(w) * x->d, (float)nibbles(w + 4, x->q), acc);
    return fmaf(half_at(w + 2) * x->d, (float)act32_sum(x), acc);
}

ALWAYS_INLINE float q5_0(float acc, const uint8_t *w, const struct act32 *x)
{
    int32_t s = five_bits(w + 6, read32(w + 2), x->q) + 2 * x->less;
    return fmaf(half_at(w) * x->d, (float)s, acc);
}

ALWAYS_INLINE float q5_1(float acc, const uint8_t *w, const struct act32 *x)
{
    acc = fmaf(half_at(w) * x->d, (float)five_bits(w + 8, read32(w + 4), x->q), acc);
    return fmaf(half_at(w + 2) * x->d, (float)act32_sum(x), acc);
}

ALWAYS_INLINE float q8_0(float acc, const uint8_t *w, const struct act32 *x)
{
    int32_t s = 0;
    for (int j = 0; j < 32; j++)
        s += (int8_t)w[2 + j] * x->q[j];
    return fmaf(half_at(w) * x->d, (float)s, acc);
}

ALWAYS_INLINE float iq4_nl(float acc, const uint8_t *w, const struct act32 *x)
{
    int32_t s = 0;
    for (int j = 0; j < 16; j++) {
        s += iq4_values[w[2 + j] & 15] * x->q[j];
        s += iq4_values[w[2 + j] >> 4] * x->q[j + 16];
    }
    return fmaf(half_at(w) * x->d, (float)s, acc);
}

/* ---- blocks of 256 -------------------------------------------------------- */

/* Scales and minima as integers, so that a block has two float steps. */
ALWAYS_INLINE float with_minima(float acc, const uint8_t *w, const struct act256 *x,
                                const int32_t *sums)
{
    uint8_t scale[8], minimum[8];
    k_scales(w + 4, scale, minimum);
    int32_t s = 0, m = 0;
    for (int i = 0; i < 8; i++) {
        s += scale[i] * sums[i];
        m += minimum[i] * (x->sums[2 * i] + x->sums[2 * i + 1]);
    }
    acc = fmaf(half_at(w) * x->d, (float)s, acc);
    return fmaf(-(half_at(w + 2) * x->d), (float)m, acc);
}

/* d, dmin, scales[12], qs[128]: low nibbles are a sub-block of 32, high ones the next. */
ALWAYS_INLINE float q4_k(float acc, const uint8_t *w, const struct act256 *x)
{
    int32_t sums[8] = {0};
    for (int i = 0; i < 8; i++) {
        const uint8_t *qs = w + 16 + 32 * (i / 2);
        for (int j = 0; j < 32; j++)
            sums[i] += (qs[j] >> (i % 2 * 4) & 15) * x->q[32 * i + j];
    }
    return with_minima(acc, w, x, sums);
}

/* d, dmin, scales[12], qh[32] (bit i: the fifth bit of sub-block i), qs[128]. */
ALWAYS_INLINE float q5_k(float acc, const uint8_t *w, const struct act256 *x)
{
    int32_t sums[8] = {0};
    for (int i = 0; i < 8; i++) {
        const uint8_t *qh = w + 16, *qs = w + 48 + 32 * (i / 2);
        for (int j = 0; j < 32; j++) {
            int v = (qs[j] >> (i % 2 * 4) & 15) | (qh[j] >> i & 1) << 4;
            sums[i] += v * x->q[32 * i + j];
        }
    }
    return with_minima(acc, w, x, sums);
}

/* ql[128], qh[64], scales[16] int8, d: (q - 32) * scale, a scale for 16 weights. */
ALWAYS_INLINE float q6_k(float acc, const uint8_t *w, const struct act256 *x)
{
    int32_t total = 0;
    for (int i = 0; i < 8; i++) {
        const uint8_t *lo = w + 64 * (i / 4) + 32 * (i % 2), *hi = w + 128 + 32 * (i / 4);
        int32_t sums[2] = {0};
        for (int j = 0; j < 32; j++) {
            int v = (lo[j] >> (i % 4 / 2 * 4) & 15) | (hi[j] >> (i % 4 * 2) & 3) << 4;
            sums[j / 16] += (v - 32) * x->q[32 * i + j];
        }
        total += (int8_t)w[192 + 2 * i] * sums[0] + (int8_t)w[193 + 2 * i] * sums[1];
    }
    return fmaf(half_at(w + 208) * x->d, (float)total, acc);
}

/* d, scales_h u16, scales_l[4], qs[128]: 6-bit scales minus 32 over blocks as IQ4_NL's. */
ALWAYS_INLINE float iq4_xs(float acc, const uint8_t *w, const struct act256 *x)
{
    int32_t total = 0;
    uint32_t high = read16(w + 2);
    for (int i = 0; i < 8; i++) {
        const uint8_t *qs = w + 8 + 16 * i;
        int scale = (w[4 + i / 2] >> (i % 2 * 4) & 15) | (int)((high >> 2 * i & 3) << 4);
        int32_t s = 0;
        for (int j = 0; j < 16; j++) {
            s += iq4_values[qs[j] & 15] * x->q[32 * i + j];
            s += iq4_values[qs[j] >> 4] * x->q[32 * i + j + 16];
        }
        total += (scale - 32) * s;
    }
    return fmaf(half_at(w) * x->d, (float)total, acc);
}

/* ---- rows ----------------------------------------------------------------- */

/* ROW(name, activations, bytes): `blocks` blocks of a row, added to one output. */
#define ROW(name, act, bytes)                                                                      \
    ALWAYS_INLINE float name##_row_body(float acc, const uint8_t *w, const void *x, size_t blocks) \
    {                                                                                              \
        const struct act *a = x;                                                                   \
        for (size_t b = 0; b < blocks; b++)                                                        \
            acc = name(acc, w + b * (bytes), a + b);                                               \
        return acc;                                                                                \
    }                                                                                              \
    VARIANTS(float, return, name##_row,                                                            \
             (float acc, const uint8_t *w, const void *x, size_t blocks), (acc, w, x, blocks))

ROW(q4_0, act32, 18)
ROW(q4_1, act32, 20)
ROW(q5_0, act32, 22)
ROW(q5_1, act32, 24)
ROW(q8_0, act32, 34)
ROW(iq4_nl, act32, 18)
ROW(q4_k, act256, 144)
ROW(q5_k, act256, 176)
ROW(q6_k, act256, 210)
ROW(iq4_xs, act256, 136)

raw_row_fn *raw_row(enum dtype t)
{
    enum numerics_isa isa = numerics_isa();
#define PICK(NAME, name)                                                                           \
    if (t == DTYPE_##NAME)                                                                         \
        return name##_row_of[isa];
    PICK(Q4_0, q4_0)
    PICK(Q4_1, q4_1)
    PICK(Q5_0, q5_0)
    PICK(Q5_1, q5_1)
    PICK(Q8_0, q8_0)
    PICK(IQ4_NL, iq4_nl)
    PICK(Q4_K, q4_k)
    PICK(Q5_K, q5_k)
    PICK(Q6_K, q6_k)
    PICK(IQ4_XS, iq4_xs)
#undef PICK
    return NULL;
}

void raw_product(const struct product *p, size_t n0, size_t n1)
{
    const struct matrix *w = p->w;
    raw_row_fn *row = raw_row(w->type);
    size_t blocks = w->cols / dtypes[w->type].block;
    for (size_t n = n0; n < n1; n++) {
        for (size_t m = 0; m < p->batch; m++) {
            const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
            p->y[m * p->y_stride + n] = row(0.0f, w->data + n * w->row_bytes, x, blocks);
        }
    }
}
