/*
 * Private to src/numerics: the functions of one float, written once and
 * compiled for every instruction set. Each step is one IEEE operation or one
 * explicit fmaf, none depends on a neighbour, and so a vector of them has the
 * bits of as many calls.
 */
#ifndef ASSAY_NUMERICS_LANE_H
#define ASSAY_NUMERICS_LANE_H

#include <math.h>
#include <string.h>

#include "assay/numerics.h"

#if defined(__x86_64__)
#define NUMERICS_X86 1
#define TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
/* VNNI for code that asks for it by name alone: gcc 12 takes sums of (int8_t)u8 * s8 for sums of
 * unsigned products and gives them to vpdpbusd. */
#define TARGET_VNNI                                                                                \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")))
#else
#define NUMERICS_X86 0
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = NUMERICS_LANES };

ALWAYS_INLINE float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

ALWAYS_INLINE uint32_t bits_of(float f)
{
    uint32_t b;
    memcpy(&b, &f, sizeof b);
    return b;
}

/* The fixed tree over 16 lanes. */
ALWAYS_INLINE float lanes_tree(const float *l)
{
    float a[8], b[4];
    for (int i = 0; i < 8; i++)
        a[i] = l[i] + l[i + 8];
    for (int i = 0; i < 4; i++)
        b[i] = a[i] + a[i + 4];
    return (b[0] + b[2]) + (b[1] + b[3]);
}

/*
 * exp(x) = 2^n exp(r) with n the integer nearest to x / ln 2, found by adding
 * 1.5 * 2^23, and exp(r) by Cephes' polynomial. 2^n is applied as two exact
 * factors, so that subnormal results are rounded once.
 */
ALWAYS_INLINE float lane_exp(float x)
{
    const float magic = 12582912.0f;
    float c = x < -104.0f ? -104.0f : x;
    c = c > 89.0f ? 89.0f : c;
    float t = fmaf(c, 0x1.715476p+0f, magic);
    float n = t - magic;
    float r = fmaf(n, -0x1.62e430p-1f, c);
    r = fmaf(n, 0x1.05c610p-29f, r);
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p, r * r, r) + 1.0f;
    int32_t k = (int32_t)(bits_of(t) - bits_of(magic));
    int32_t half = k >> 1;
    float a = float_of((uint32_t)(half + 127) << 23);
    float b = float_of((uint32_t)(k - half + 127) << 23);
    return p * a * b;
}

/* Cephes: a polynomial near zero, 1 - 2 / (exp(2|x|) + 1) elsewhere. */
ALWAYS_INLINE float lane_tanh(float x)
{
    float magnitude = float_of(bits_of(x) & 0x7fffffffu);
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = fmaf(p, z, 2.06390887954e-2f);
    p = fmaf(p, z, -5.37397155531e-2f);
    p = fmaf(p, z, 1.33314422036e-1f);
    p = fmaf(p, z, -3.33332819422e-1f);
    float small = fmaf(p * z, x, x);
    float large = 1.0f - 2.0f / (lane_exp(2.0f * magnitude) + 1.0f);
    large = float_of(bits_of(large) | (bits_of(x) & 0x80000000u));
    return magnitude < 0.625f ? small : large;
}

ALWAYS_INLINE float lane_silu(float x)
{
    return x / (1.0f + lane_exp(-x));
}

/* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
ALWAYS_INLINE float lane_gelu(float x)
{
    float inner = 0.79788456080286535588f * x * fmaf(0.044715f * x, x, 1.0f);
    return 0.5f * x * (1.0f + lane_tanh(inner));
}

/*
 * binary16 by rounding half to even. The sum with a power of two that has the
 * result's last place as its own rounds in the adder; NaN becomes quiet.
 */
ALWAYS_INLINE uint16_t lane_half(float x)
{
    uint32_t b = bits_of(x), sign = b >> 16 & 0x8000u, m = b & 0x7fffffffu;
    uint32_t odd = m >> 13 & 1;
    uint32_t normal = (m - (112u << 23) + 0xfffu + odd) >> 13;
    uint32_t small = bits_of(float_of(m) + 0.5f) - 0x3f000000u;
    uint32_t special = m > 0x7f800000u ? 0x7e00u | (m >> 13 & 0x3ffu) : 0x7c00u;
    uint32_t h = m < 0x38800000u ? small : m >= 0x477ff000u ? special : normal;
    return (uint16_t)(sign | h);
}

ALWAYS_INLINE float lane_from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
    uint32_t small = bits_of(float_of(0x3f000000u | rest) - 0.5f);
    uint32_t normal = (rest << 13) + (112u << 23);
    uint32_t special = 0x7f800000u | rest << 13 | (rest > 0x7c00u ? 0x400000u : 0);
    return float_of(sign | (rest < 0x0400u ? small : rest >= 0x7c00u ? special : normal));
}

ALWAYS_INLINE uint16_t lane_bfloat(float x)
{
    uint32_t b = bits_of(x);
    uint32_t rounded = (b + 0x7fffu + (b >> 16 & 1)) >> 16;
    return (uint16_t)((b & 0x7fffffffu) > 0x7f800000u ? (b >> 16) | 0x40u : rounded);
}

ALWAYS_INLINE float lane_from_bfloat(uint16_t v)
{
    return float_of((uint32_t)v << 16);
}

/*
 * VARIANTS(float, return, name, (parameters), (arguments)): name_scalar,
 * name_avx2 and name_avx512 from the inline name_body, and name_of[] to choose
 * from; VARIANTS(void, , ...) where there is nothing to return.
 */
#if NUMERICS_X86
#define VARIANTS(result, hand, name, parameters, arguments)                                        \
    static result name##_scalar parameters                                                         \
    {                                                                                              \
        hand name##_body arguments;                                                                \
    }                                                                                              \
    TARGET_AVX2 static result name##_avx2 parameters                                               \
    {                                                                                              \
        hand name##_body arguments;                                                                \
    }                                                                                              \
    TARGET_AVX512 static result name##_avx512 parameters                                           \
    {                                                                                              \
        hand name##_body arguments;                                                                \
    }                                                                                              \
    static result(*const name##_of[NUMERICS_ISAS])                                                 \
        parameters = {name##_scalar, name##_avx2, name##_avx512};
#else
#define VARIANTS(result, hand, name, parameters, arguments)                                        \
    static result name##_scalar parameters                                                         \
    {                                                                                              \
        hand name##_body arguments;                                                                \
    }                                                                                              \
    static result(*const name##_of[NUMERICS_ISAS])                                                 \
        parameters = {name##_scalar, name##_scalar, name##_scalar};
#endif

#endif
