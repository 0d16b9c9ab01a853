/*
 * ggml's K-quants: super-blocks of 256 weights, whose sub-block scales are
 * themselves quantised. Layouts are the structures block_q2_K to block_q8_K
 * of ggml-common.h, formulas those of ggml-quants.c, evaluated in float in
 * the order written there.
 */
#include "dtype/decode.h"

/* scales[16] (low nibble scale, high nibble minimum), qs[64], d f16, dmin f16. */
ALWAYS_INLINE float q2_k(const uint8_t *restrict p, float *restrict y)
{
    const uint8_t *scales = p, *qs = p + 16;
    float d = half_at(p + 80), dmin = half_at(p + 82);
    for (int s = 0; s < 16; s++) {
        /* 16 weights: bits 2 * (s / 2 % 4) of 16 bytes, 32 bytes per 128 weights. */
        const uint8_t *q = qs + 32 * (s / 8) + 16 * (s % 2);
        int shift = s / 2 % 4 * 2;
        float scale = d * (float)(scales[s] & 15), minimum = dmin * (float)(scales[s] >> 4);
        for (int j = 0; j < 16; j++)
            y[16 * s + j] = scale * (float)(q[j] >> shift & 3) - minimum;
    }
    return d + dmin;
}
BLOCKS(Q2_K, q2_k, {80, 2, 2})

/* Sixteen 6-bit scales in 12 bytes: low nibbles in bytes 0-7, high pairs in bytes 8-11. */
ALWAYS_INLINE int q3_k_scale(const uint8_t *scales, int s)
{
    int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
    int high = scales[8 + s % 4] >> (s / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

/* hmask[32] (a clear bit subtracts 4), qs[64], scales[12], d f16. */
ALWAYS_INLINE float q3_k(const uint8_t *restrict p, float *restrict y)
{
    const uint8_t *hmask = p, *qs = p + 32, *scales = p + 96;
    float d = half_at(p + 108);
    for (int s = 0; s < 16; s++) {
        const uint8_t *q = qs + 32 * (s / 8) + 16 * (s % 2);
        const uint8_t *h = hmask + 16 * (s % 2);
        int shift = s / 2 % 4 * 2, bit = s / 2;
        float scale = d * (float)q3_k_scale(scales, s);
        for (int j = 0; j < 16; j++)
            y[16 * s + j] = scale * (float)((q[j] >> shift & 3) + (h[j] >> bit & 1) * 4 - 4);
    }
    return d;
}
BLOCKS(Q3_K, q3_k, {108, 2, 1})

/* Eight 6-bit scales and minima in 12 bytes, as get_scale_min_k4 unpacks them. */
ALWAYS_INLINE void k4_scale(const uint8_t *scales, int s, int *scale, int *minimum)
{
    if (s < 4) {
        *scale = scales[s] & 63;
        *minimum = scales[s + 4] & 63;
    } else {
        *scale = (scales[s + 4] & 15) | scales[s - 4] >> 6 << 4;
        *minimum = scales[s + 4] >> 4 | scales[s] >> 6 << 4;
    }
}

/* d f16, dmin f16, scales[12], qs[128]: low nibbles are a sub-block, high ones the next. */
ALWAYS_INLINE float q4_k(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p), dmin = half_at(p + 2);
    const uint8_t *scales = p + 4, *qs = p + 16;
    for (int s = 0; s < 8; s++) {
        int sc, mn;
        k4_scale(scales, s, &sc, &mn);
        float scale = d * (float)sc, minimum = dmin * (float)mn;
        const uint8_t *q = qs + 32 * (s / 2);
        int shift = s % 2 * 4;
        for (int j = 0; j < 32; j++)
            y[32 * s + j] = scale * (float)(q[j] >> shift & 15) - minimum;
    }
    return d + dmin;
}
BLOCKS(Q4_K, q4_k, {0, 2, 2})

/* d f16, dmin f16, scales[12], qh[32] (bit s is the fifth bit of sub-block s), qs[128]. */
ALWAYS_INLINE float q5_k(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p), dmin = half_at(p + 2);
    const uint8_t *scales = p + 4, *qh = p + 16, *qs = p + 48;
    for (int s = 0; s < 8; s++) {
        int sc, mn;
        k4_scale(scales, s, &sc, &mn);
        float scale = d * (float)sc, minimum = dmin * (float)mn;
        const uint8_t *q = qs + 32 * (s / 2);
        int shift = s % 2 * 4;
        for (int j = 0; j < 32; j++)
            y[32 * s + j] = scale * (float)((q[j] >> shift & 15) | (qh[j] >> s & 1) << 4) - minimum;
    }
    return d + dmin;
}
BLOCKS(Q5_K, q5_k, {0, 2, 2})

/* ql[128], qh[64], scales[16] int8, d f16: (q - 32) * (d * scale). */
ALWAYS_INLINE float q6_k(const uint8_t *restrict p, float *restrict y)
{
    const uint8_t *ql = p, *qh = p + 128, *scales = p + 192;
    float d = half_at(p + 208);
    for (int s = 0; s < 16; s++) {
        /* Per 128 weights: 64 bytes of low nibbles, used twice, and 32 of high pairs. */
        int part = s / 2 % 4, column = s % 2 * 16;
        const uint8_t *lo = ql + 64 * (s / 8) + part % 2 * 32 + column;
        const uint8_t *hi = qh + 32 * (s / 8) + column;
        float scale = d * (float)(int8_t)scales[s];
        for (int j = 0; j < 16; j++) {
            int q = (lo[j] >> (part / 2 * 4) & 15) | (hi[j] >> (2 * part) & 3) << 4;
            y[16 * s + j] = scale * (float)(q - 32);
        }
    }
    return d;
}
BLOCKS(Q6_K, q6_k, {208, 2, 1})

/* d f32, qs[256] int8, bsums[16] int16 (sums of quants; a cache, not values). */
ALWAYS_INLINE float q8_k(const uint8_t *restrict p, float *restrict y)
{
    float d = float_of_bits(le32(p));
    const uint8_t *qs = p + 4;
    for (int j = 0; j < BLOCK_Q8_K; j++)
        y[j] = d * (float)(int8_t)qs[j];
    return d;
}
BLOCKS(Q8_K, q8_k, {0, 4, 1}, {260, 2, 16})
