/*
 * ggml's K-quants: super-blocks of 256 weights, whose sub-block scales are
 * themselves quantised. Layouts are the structures block_q2_K to block_q8_K
 * of ggml-common.h, formulas those of ggml-quants.c, evaluated in float in
 * the order written there.
 */
#include "dtype/decode.h"

/*
 * Packed bits are first spread to a byte each and then turned into floats:
 * two short loops of fixed length, which compilers turn into vector code.
 */
enum { ROW = 32 };

ALWAYS_INLINE void spread(uint8_t *restrict q, const uint8_t *restrict p, int shift, int mask)
{
    for (int j = 0; j < ROW; j++)
        q[j] = (uint8_t)(p[j] >> shift & mask);
}

/* Bit `from` of each byte of p into bit `to` of q. */
ALWAYS_INLINE void add_bit(uint8_t *restrict q, const uint8_t *restrict p, int from, int to)
{
    for (int j = 0; j < ROW; j++)
        q[j] = (uint8_t)(q[j] | (p[j] >> from & 1) << to);
}

ALWAYS_INLINE void scale_less(float *restrict y, const uint8_t *restrict q, int n, float scale,
                              float minimum)
{
    for (int j = 0; j < n; j++)
        y[j] = scale * (float)q[j] - minimum;
}

ALWAYS_INLINE void scale_from(float *restrict y, const uint8_t *restrict q, float scale, int zero)
{
    for (int j = 0; j < 16; j++)
        y[j] = scale * (float)(q[j] - zero);
}

/* scales[16] (low nibble scale, high nibble minimum), qs[64], d f16, dmin f16. */
ALWAYS_INLINE float q2_k(const uint8_t *restrict p, float *restrict y)
{
    const uint8_t *scales = p, *qs = p + 16;
    float d = half_at(p + 80), dmin = half_at(p + 82);
    uint8_t q[256];
    for (int half = 0; half < 2; half++) {
        for (int n = 0; n < 4; n++)
            spread(q + 128 * half + ROW * n, qs + 32 * half, 2 * n, 3);
    }
    float scale[16], minimum[16];
    for (int s = 0; s < 16; s++) {
        scale[s] = d * (float)(scales[s] & 15);
        minimum[s] = dmin * (float)(scales[s] >> 4);
    }
    for (int s = 0; s < 16; s++)
        scale_less(y + 16 * s, q + 16 * s, 16, scale[s], minimum[s]);
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
    uint8_t q[256];
    for (int n = 0; n < 8; n++) {
        spread(q + ROW * n, qs + 32 * (n / 4), n % 4 * 2, 3);
        add_bit(q + ROW * n, hmask, n, 2);
    }
    for (int s = 0; s < 16; s++)
        scale_from(y + 16 * s, q + 16 * s, d * (float)q3_k_scale(scales, s), 4);
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
    for (int s = 0; s < 8; s++) {
        uint8_t q[ROW];
        int scale, minimum;
        k4_scale(p + 4, s, &scale, &minimum);
        spread(q, p + 16 + 32 * (s / 2), s % 2 * 4, 15);
        scale_less(y + ROW * s, q, ROW, d * (float)scale, dmin * (float)minimum);
    }
    return d + dmin;
}
BLOCKS(Q4_K, q4_k, {0, 2, 2})

/* d f16, dmin f16, scales[12], qh[32] (bit s is the fifth bit of sub-block s), qs[128]. */
ALWAYS_INLINE float q5_k(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p), dmin = half_at(p + 2);
    for (int s = 0; s < 8; s++) {
        uint8_t q[ROW];
        int scale, minimum;
        k4_scale(p + 4, s, &scale, &minimum);
        spread(q, p + 48 + 32 * (s / 2), s % 2 * 4, 15);
        add_bit(q, p + 16, s, 4);
        scale_less(y + ROW * s, q, ROW, d * (float)scale, dmin * (float)minimum);
    }
    return d + dmin;
}
BLOCKS(Q5_K, q5_k, {0, 2, 2})

/* ql[128], qh[64], scales[16] int8, d f16: (q - 32) * (d * scale). */
ALWAYS_INLINE float q6_k(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p + 208);
    uint8_t q[256];
    for (int n = 0; n < 8; n++) {
        /* Per 128 weights: 64 bytes of low nibbles, used twice, and 32 of high pairs. */
        const uint8_t *lo = p + 64 * (n / 4) + 32 * (n % 2), *hi = p + 128 + 32 * (n / 4);
        spread(q + ROW * n, lo, n % 4 / 2 * 4, 15);
        add_bit(q + ROW * n, hi, n % 4 * 2, 4);
        add_bit(q + ROW * n, hi, n % 4 * 2 + 1, 5);
    }
    for (int s = 0; s < 16; s++)
        scale_from(y + 16 * s, q + 16 * s, d * (float)(int8_t)p[192 + s], 32);
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
