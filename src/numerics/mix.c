/*
 * What attention does with values: y[d] = the sum over positions p, ascending,
 * of weight[p] * v[p][d], each step one fused multiply-add. A lane is a
 * dimension, so a vector of any width has the bits of the scalar loop.
 */
#include "numerics/lane.h"

#if NUMERICS_X86
#include <immintrin.h>
#endif

/* Dimensions d0..size-1 of heads h0.., one at a time. */
ALWAYS_INLINE void mix_rest(const struct mix *m, size_t h0, size_t heads, size_t d0)
{
    for (size_t h = h0; h < h0 + heads; h++) {
        const float *weight = m->weight + h * m->weight_stride;
        for (size_t d = d0; d < m->size; d++) {
            float acc = 0.0f;
            for (size_t p = 0; p < m->n; p++)
                acc = fmaf(weight[p], lane_from_half(m->v[p * m->size + d]), acc);
            m->y[h * m->y_stride + d] = acc;
        }
    }
}

static void mix_scalar(const struct mix *m)
{
    mix_rest(m, 0, m->heads, 0);
}

#if NUMERICS_X86
/* Values are widened once for several heads. */
enum { HEADS = 4 };

TARGET_AVX512 ALWAYS_INLINE void part512(const struct mix *m, size_t h0, size_t d0, int heads,
                                         int vectors)
{
    const float *weight = m->weight + h0 * m->weight_stride;
    const uint16_t *v = m->v + d0;
    __m512 acc[HEADS][4];
    for (int h = 0; h < heads; h++) {
        for (int i = 0; i < vectors; i++)
            acc[h][i] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < m->n; p++, v += m->size) {
        __m512 wide[4];
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i++)
            wide[i] = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(v + 16 * i)));
#pragma GCC unroll 4
        for (int h = 0; h < heads; h++) {
            __m512 w = _mm512_set1_ps(weight[(size_t)h * m->weight_stride + p]);
#pragma GCC unroll 4
            for (int i = 0; i < vectors; i++)
                acc[h][i] = _mm512_fmadd_ps(w, wide[i], acc[h][i]);
        }
    }
    for (int h = 0; h < heads; h++) {
        for (int i = 0; i < vectors; i++)
            _mm512_storeu_ps(m->y + (h0 + (size_t)h) * m->y_stride + d0 + 16 * (size_t)i,
                             acc[h][i]);
    }
}

TARGET_AVX512 ALWAYS_INLINE void heads512(const struct mix *m, size_t h, int heads)
{
    size_t d = 0;
    for (; d + 64 <= m->size; d += 64)
        part512(m, h, d, heads, 4);
    for (; d + 16 <= m->size; d += 16)
        part512(m, h, d, heads, 1);
    mix_rest(m, h, (size_t)heads, d);
}

TARGET_AVX512 static void mix_avx512(const struct mix *m)
{
    size_t h = 0;
    for (; h + HEADS <= m->heads; h += HEADS)
        heads512(m, h, HEADS);
    for (; h < m->heads; h++)
        heads512(m, h, 1);
}

TARGET_AVX2 ALWAYS_INLINE void part256(const struct mix *m, size_t h, size_t d0, int vectors)
{
    const float *weight = m->weight + h * m->weight_stride;
    const uint16_t *v = m->v + d0;
    __m256 acc[8];
    for (int i = 0; i < vectors; i++)
        acc[i] = _mm256_setzero_ps();
    for (size_t p = 0; p < m->n; p++, v += m->size) {
        __m256 w = _mm256_set1_ps(weight[p]);
#pragma GCC unroll 8
        for (int i = 0; i < vectors; i++) {
            __m128i half = _mm_loadu_si128((const void *)(v + 8 * i));
            acc[i] = _mm256_fmadd_ps(w, _mm256_cvtph_ps(half), acc[i]);
        }
    }
    for (int i = 0; i < vectors; i++)
        _mm256_storeu_ps(m->y + h * m->y_stride + d0 + 8 * (size_t)i, acc[i]);
}

TARGET_AVX2 static void mix_avx2(const struct mix *m)
{
    for (size_t h = 0; h < m->heads; h++) {
        size_t d = 0;
        for (; d + 64 <= m->size; d += 64)
            part256(m, h, d, 8);
        for (; d + 8 <= m->size; d += 8)
            part256(m, h, d, 1);
        mix_rest(m, h, 1, d);
    }
}
#endif

void numerics_mix(const struct mix *m)
{
#if NUMERICS_X86
    static void (*const run[NUMERICS_ISAS])(const struct mix *) = {mix_scalar, mix_avx2,
                                                                   mix_avx512};
    run[numerics_isa()](m);
#else
    mix_scalar(m);
#endif
}
