/*
 * The lanes of stats.c on AVX2 and AVX-512, bit for bit. The square of a
 * float is exact in double, so a fused multiply-add rounds exactly where the
 * plain code's separate addition does; everything else is the same operation.
 */
#include "dtype/lanes.h"

#if DTYPE_X86
#include <immintrin.h>

#define TARGET_LANES2 __attribute__((target("avx2,fma")))
#define TARGET_LANES512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

/* 16 lanes in registers: sums as 4 x 4 doubles, extremes as 2 x 8 floats. */
struct lanes2 {
    __m256d sum[4], squares[4];
    __m256 min[2], max[2];
    __m256i zeros;
    uint64_t nan, inf;
};

/* Eight elements into quarter registers q and q + 1. */
TARGET_LANES2 ALWAYS_INLINE void add8(struct lanes2 *r, int q, const float *v)
{
    const __m256 infinity = _mm256_set1_ps(INFINITY);
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 x = _mm256_loadu_ps(v), low = x, high = x;
    __m256 finite = _mm256_cmp_ps(_mm256_and_ps(x, magnitude), infinity, _CMP_LT_OQ);
    __m256 zero = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_EQ_OQ);
    r->zeros = _mm256_sub_epi32(r->zeros, _mm256_castps_si256(zero));
    int mask = _mm256_movemask_ps(finite);
    if (__builtin_expect(mask != 0xff, 0)) {
        int nan =
            __builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
        r->nan += (unsigned)nan;
        r->inf += 8u - (unsigned)__builtin_popcount((unsigned)mask) - (unsigned)nan;
        low = _mm256_blendv_ps(infinity, x, finite);
        high = _mm256_blendv_ps(_mm256_set1_ps(-INFINITY), x, finite);
        x = _mm256_and_ps(x, finite); /* adding +0 changes no sum */
    }
    r->min[q / 2] = _mm256_min_ps(r->min[q / 2], low);
    r->max[q / 2] = _mm256_max_ps(r->max[q / 2], high);
    __m256d a = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    __m256d b = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    r->sum[q] = _mm256_add_pd(r->sum[q], a);
    r->sum[q + 1] = _mm256_add_pd(r->sum[q + 1], b);
    r->squares[q] = _mm256_fmadd_pd(a, a, r->squares[q]);
    r->squares[q + 1] = _mm256_fmadd_pd(b, b, r->squares[q + 1]);
}

static void keep_extremes(struct lanes *l, const float *min, const float *max)
{
    for (int i = 0; i < LANES; i++) {
        l->min[i] = (double)min[i] < l->min[i] ? (double)min[i] : l->min[i];
        l->max[i] = (double)max[i] > l->max[i] ? (double)max[i] : l->max[i];
    }
}

TARGET_LANES2 void lanes_avx2(struct lanes *l, const float *v, size_t n)
{
    struct lanes2 r = {.zeros = _mm256_setzero_si256(), .nan = 0, .inf = 0};
    for (int q = 0; q < 4; q++) {
        r.sum[q] = _mm256_loadu_pd(l->sum + 4 * q);
        r.squares[q] = _mm256_loadu_pd(l->squares + 4 * q);
    }
    r.min[0] = r.min[1] = _mm256_set1_ps(INFINITY);
    r.max[0] = r.max[1] = _mm256_set1_ps(-INFINITY);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        add8(&r, 0, v + i);
        add8(&r, 2, v + i + 8);
    }
    float min[LANES], max[LANES];
    uint32_t zeros[8];
    for (int q = 0; q < 4; q++) {
        _mm256_storeu_pd(l->sum + 4 * q, r.sum[q]);
        _mm256_storeu_pd(l->squares + 4 * q, r.squares[q]);
    }
    for (int q = 0; q < 2; q++) {
        _mm256_storeu_ps(min + 8 * q, r.min[q]);
        _mm256_storeu_ps(max + 8 * q, r.max[q]);
    }
    _mm256_storeu_si256((__m256i_u *)zeros, r.zeros);
    for (int j = 0; j < 8; j++)
        l->zeros += zeros[j];
    l->nan += r.nan;
    l->inf += r.inf;
    keep_extremes(l, min, max);
    lanes_plain(l, v + i, n - i);
}

TARGET_LANES512 void lanes_avx512(struct lanes *l, const float *v, size_t n)
{
    const __m512 pinf = _mm512_set1_ps(INFINITY), ninf = _mm512_set1_ps(-INFINITY);
    __m512d sum0 = _mm512_loadu_pd(l->sum), sum1 = _mm512_loadu_pd(l->sum + 8);
    __m512d sq0 = _mm512_loadu_pd(l->squares), sq1 = _mm512_loadu_pd(l->squares + 8);
    __m512 low = pinf, high = ninf;
    uint64_t zeros = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m512 x = _mm512_loadu_ps(v + i);
        __mmask16 finite = _mm512_cmp_ps_mask(_mm512_abs_ps(x), pinf, _CMP_LT_OQ);
        __mmask16 zero = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ);
        zeros += (unsigned)__builtin_popcount(zero);
        low = _mm512_mask_min_ps(low, finite, low, x);
        high = _mm512_mask_max_ps(high, finite, high, x);
        if (__builtin_expect(finite != 0xffff, 0)) {
            unsigned nan = (unsigned)__builtin_popcount(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q));
            l->nan += nan;
            l->inf += 16u - (unsigned)__builtin_popcount(finite) - nan;
            x = _mm512_maskz_mov_ps(finite, x); /* adding +0 changes no sum */
        }
        __m512d a = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
        __m512d b = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
        sum0 = _mm512_add_pd(sum0, a);
        sum1 = _mm512_add_pd(sum1, b);
        sq0 = _mm512_fmadd_pd(a, a, sq0);
        sq1 = _mm512_fmadd_pd(b, b, sq1);
    }
    _mm512_storeu_pd(l->sum, sum0);
    _mm512_storeu_pd(l->sum + 8, sum1);
    _mm512_storeu_pd(l->squares, sq0);
    _mm512_storeu_pd(l->squares + 8, sq1);
    float min[LANES], max[LANES];
    _mm512_storeu_ps(min, low);
    _mm512_storeu_ps(max, high);
    l->zeros += zeros;
    keep_extremes(l, min, max);
    lanes_plain(l, v + i, n - i);
}
#else
typedef int lanes_x86_is_empty;
#endif
