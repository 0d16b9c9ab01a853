/*
 * ggml's first block types: 32 weights, one scale, sometimes a minimum.
 * Layouts are the structures block_q4_0 to block_q8_1 of ggml-common.h; the
 * low nibbles of the 16 bytes are weights 0-15, the high ones 16-31.
 */
#include "dtype/decode.h"

enum { HALF_BLOCK = 16 };

/* d f16, qs[16]: (q - 8) * d. */
ALWAYS_INLINE float q4_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2;
    for (int j = 0; j < HALF_BLOCK; j++) {
        y[j] = (float)((qs[j] & 15) - 8) * d;
        y[j + HALF_BLOCK] = (float)((qs[j] >> 4) - 8) * d;
    }
    return d;
}
BLOCKS(Q4_0, q4_0, {0, 2, 1})

/* d f16, m f16, qs[16]: q * d + m. */
ALWAYS_INLINE float q4_1(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p), m = half_at(p + 2);
    const uint8_t *qs = p + 4;
    for (int j = 0; j < HALF_BLOCK; j++) {
        y[j] = (float)(qs[j] & 15) * d + m;
        y[j + HALF_BLOCK] = (float)(qs[j] >> 4) * d + m;
    }
    return d + m;
}
BLOCKS(Q4_1, q4_1, {0, 2, 2})

/* d f16, qh[4] (bit j is the fifth bit of weight j), qs[16]: (q - 16) * d. */
ALWAYS_INLINE float q5_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    uint32_t high = le32(p + 2);
    const uint8_t *qs = p + 6;
    for (int j = 0; j < HALF_BLOCK; j++) {
        int lo = (qs[j] & 15) | (int)((high >> j & 1) << 4);
        int hi = (qs[j] >> 4) | (int)((high >> (j + HALF_BLOCK) & 1) << 4);
        y[j] = (float)(lo - 16) * d;
        y[j + HALF_BLOCK] = (float)(hi - 16) * d;
    }
    return d;
}
BLOCKS(Q5_0, q5_0, {0, 2, 1})

/* d f16, m f16, qh[4], qs[16]: q * d + m. */
ALWAYS_INLINE float q5_1(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p), m = half_at(p + 2);
    uint32_t high = le32(p + 4);
    const uint8_t *qs = p + 8;
    for (int j = 0; j < HALF_BLOCK; j++) {
        int lo = (qs[j] & 15) | (int)((high >> j & 1) << 4);
        int hi = (qs[j] >> 4) | (int)((high >> (j + HALF_BLOCK) & 1) << 4);
        y[j] = (float)lo * d + m;
        y[j + HALF_BLOCK] = (float)hi * d + m;
    }
    return d + m;
}
BLOCKS(Q5_1, q5_1, {0, 2, 2})

/* d f16, qs[32] int8: q * d. */
ALWAYS_INLINE float q8_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2;
    for (int j = 0; j < BLOCK_Q8_0; j++)
        y[j] = (float)(int8_t)qs[j] * d;
    return d;
}
BLOCKS(Q8_0, q8_0, {0, 2, 1})

/* d f16, s f16 (d times the sum of the quants; a cache, not a value), qs[32] int8: q * d. */
ALWAYS_INLINE float q8_1(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 4;
    for (int j = 0; j < BLOCK_Q8_1; j++)
        y[j] = (float)(int8_t)qs[j] * d;
    return d;
}
BLOCKS(Q8_1, q8_1, {0, 2, 2})
