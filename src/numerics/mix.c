/*
 * What attention does with values: y[d] = the sum over positions p, ascending,
 * of weight[p] * v[p][d], each step one fused multiply-add. A lane is a
 * dimension, so a vector of any width has the bits of the scalar loop.
 */
#include "numerics/lane.h"

#if NUMERICS_X86
#include <immintrin.h>
#endif

struct mix {
    float *y;
    const float *weight;
    const uint16_t *v; /* n rows of `size` binary16 numbers */
    size_t size, n;
};

/* Dimensions d0..size-1, one at a time. */
ALWAYS_INLINE void mix_rest(const struct mix *m, size_t d0)
{
    for (size_t d = d0; d < m->size; d++) {
        float acc = 0.0f;
        for (size_t p = 0; p < m->n; p++)
            acc = fmaf(m->weight[p], lane_from_half(m->v[p * m->size + d]), acc);
        m->y[d] = acc;
    }
}

static void mix_scalar(const struct mix *m)
{
    mix_rest(m, 0);
}

#if NUMERICS_X86
TARGET_AVX512 ALWAYS_INLINE void part512(const struct mix *m, size_t d0, int vectors)
{
    __m512 acc[4];
    for (int i = 0; i < vectors; i++)
        acc[i] = _mm512_setzero_ps();
    const uint16_t *v = m->v + d0;
    for (size_t p = 0; p < m->n; p++, v += m->size) {
        __m512 w = _mm512_set1_ps(m->weight[p]);
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++) {
            __m256i h = _mm256_loadu_si256((const void *)(v + 16 * i));
            acc[i] = _mm512_fmadd_ps(w, _mm512_cvtph_ps(h), acc[i]);
        }
    }
    for (int i = 0; i < vectors; i++)
        _mm512_storeu_ps(m->y + d0 + 16 * (size_t)i, acc[i]);
}

TARGET_AVX512 static void mix_avx512(const struct mix *m)
{
    size_t d = 0;
    for (; d + 64 <= m->size; d += 64)
        part512(m, d, 4);
    for (; d + 16 <= m->size; d += 16)
        part512(m, d, 1);
    mix_rest(m, d);
}

TARGET_AVX2 ALWAYS_INLINE void part256(const struct mix *m, size_t d0, int vectors)
{
    __m256 acc[8];
    for (int i = 0; i < vectors; i++)
        acc[i] = _mm256_setzero_ps();
    const uint16_t *v = m->v + d0;
    for (size_t p = 0; p < m->n; p++, v += m->size) {
        __m256 w = _mm256_set1_ps(m->weight[p]);
#pragma GCC unroll 8
        for (int i = 0; i < vectors; i++) {
            __m128i h = _mm_loadu_si128((const void *)(v + 8 * i));
            acc[i] = _mm256_fmadd_ps(w, _mm256_cvtph_ps(h), acc[i]);
        }
    }
    for (int i = 0; i < vectors; i++)
        _mm256_storeu_ps(m->y + d0 + 8 * (size_t)i, acc[i]);
}

TARGET_AVX2 static void mix_avx2(const struct mix *m)
{
    size_t d = 0;
    for (; d + 64 <= m->size; d += 64)
        part256(m, d, 8);
    for (; d + 8 <= m->size; d += 8)
        part256(m, d, 1);
    mix_rest(m, d);
}
#endif

void numerics_mix(float *y, const float *weight, const uint16_t *v, size_t size, size_t n)
{
    const struct mix m = {y, weight, v, size, n};
#if NUMERICS_X86
    static void (*const run[NUMERICS_ISAS])(const struct mix *) = {mix_scalar, mix_avx2,
                                                                   mix_avx512};
    run[numerics_isa()](&m);
#else
    mix_scalar(&m);
#endif
}
