/*
 * ggml's micro-scaling, ternary and binary blocks: MXFP4, NVFP4, TQ1_0,
 * TQ2_0, Q1_0, Q2_0. Layouts are the structures of the same names in
 * ggml-common.h, formulas those of ggml-quants.c, including what it does with
 * scale codes that the OCP formats call NaN: it never makes one.
 */
#include "dtype/decode.h"

/* E2M1 doubled, so that the table is of integers; the scales are halved in turn. */
static const float e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* Half of 2^(e - 127): e = 255 is 2^127 here, where OCP MX says NaN. */
ALWAYS_INLINE float half_e8m0(uint8_t e)
{
    return float_of_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

/* e E8M0, qs[16]: low nibbles are weights 0-15, high ones 16-31. */
ALWAYS_INLINE float mxfp4(const uint8_t *restrict p, float *restrict y)
{
    float d = half_e8m0(p[0]);
    const uint8_t *qs = p + 1;
    for (int j = 0; j < 16; j++) {
        y[j] = e2m1_doubled[qs[j] & 15] * d;
        y[j + 16] = e2m1_doubled[qs[j] >> 4] * d;
    }
    return 0.0f;
}
BLOCKS(MXFP4, mxfp4, {0, 0, 0})

/* Half of the unsigned E4M3 in bits 0-6; the code 0x7f is zero, bit 7 is ignored. */
ALWAYS_INLINE float half_ue4m3(uint8_t x)
{
    uint32_t rest = x & 0x7fu;
    if (x == 0x7f)
        return 0.0f;
    if (rest < 8)
        return (float)rest * 0x1p-10f;
    return float_of_bits((rest << 20) + (119u << 23));
}

/* d[4] UE4M3, one per 16 weights, qs[32]: each 8 bytes hold weights 0-7 low, 8-15 high. */
ALWAYS_INLINE float nvfp4(const uint8_t *restrict p, float *restrict y)
{
    for (int s = 0; s < 4; s++) {
        float d = half_ue4m3(p[s]);
        const uint8_t *qs = p + 4 + 8 * s;
        for (int j = 0; j < 8; j++) {
            y[16 * s + j] = e2m1_doubled[qs[j] & 15] * d;
            y[16 * s + j + 8] = e2m1_doubled[qs[j] >> 4] * d;
        }
    }
    return 0.0f;
}
BLOCKS(NVFP4, nvfp4, {0, 0, 0})

/*
 * Digit `n` of a byte that holds five base-3 digits as a fraction of 256: shift the
 * digits above it out by wrapping multiplication, and take the one at the top.
 */
ALWAYS_INLINE float trit(uint8_t packed, uint8_t power, float d)
{
    uint8_t shifted = (uint8_t)(packed * power);
    return (float)((shifted * 3 >> 8) - 1) * d;
}

static const uint8_t powers[5] = {1, 3, 9, 27, 81};

/* qs[48] five digits a byte (32 bytes, then 16), qh[4] four digits a byte, d f16. */
ALWAYS_INLINE float tq1_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p + 52);
    for (int n = 0; n < 5; n++) {
        for (int j = 0; j < 32; j++)
            y[32 * n + j] = trit(p[j], powers[n], d);
    }
    for (int n = 0; n < 5; n++) {
        for (int j = 0; j < 16; j++)
            y[160 + 16 * n + j] = trit(p[32 + j], powers[n], d);
    }
    for (int n = 0; n < 4; n++) {
        for (int j = 0; j < 4; j++)
            y[240 + 4 * n + j] = trit(p[48 + j], powers[n], d);
    }
    return d;
}
BLOCKS(TQ1_0, tq1_0, {52, 2, 1})

/* qs[64]: of each 32 bytes, bits 0-1 are weights 0-31, bits 2-3 the next 32; d f16. */
ALWAYS_INLINE float tq2_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p + 64);
    for (int half = 0; half < 2; half++) {
        const uint8_t *qs = p + 32 * half;
        for (int n = 0; n < 4; n++) {
            for (int j = 0; j < 32; j++)
                y[128 * half + 32 * n + j] = (float)((qs[j] >> (2 * n) & 3) - 1) * d;
        }
    }
    return d;
}
BLOCKS(TQ2_0, tq2_0, {64, 2, 1})

/* d f16, qs[16]: one bit a weight, lowest first; 1 is d, 0 is -d. */
ALWAYS_INLINE float q1_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2;
    uint32_t bits;
    memcpy(&bits, &d, sizeof bits);
    for (int i = 0; i < 16; i++) {
        uint32_t minus = ~(uint32_t)qs[i];
        for (int j = 0; j < 8; j++)
            y[8 * i + j] = float_of_bits(bits ^ minus >> j << 31);
    }
    return d;
}
BLOCKS(Q1_0, q1_0, {0, 2, 1})

/* d f16, qs[16]: two bits a weight, lowest first: (q - 1) * d. */
ALWAYS_INLINE float q2_0(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2;
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 4; j++)
            y[4 * i + j] = (float)((qs[i] >> (2 * j) & 3) - 1) * d;
    }
    return d;
}
BLOCKS(Q2_0, q2_0, {0, 2, 1})
