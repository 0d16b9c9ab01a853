/*
 * Tiles of chained products on AVX2 (6 x 16) and AVX-512 (12 x 32): every lane
 * is one output, so a wider register only does more outputs at a time.
 */
#include "numerics/chain.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { ROWS_2 = 6, COLUMNS_2 = 16, ROWS_512 = 12, COLUMNS_512 = 32 };

TARGET_AVX2 static void tile_avx2(const float *a, const float *b, size_t k, float *c, size_t c_row)
{
    __m256 acc[ROWS_2][2];
    for (int r = 0; r < ROWS_2; r++) {
        acc[r][0] = _mm256_loadu_ps(c + (size_t)r * c_row);
        acc[r][1] = _mm256_loadu_ps(c + (size_t)r * c_row + 8);
    }
    for (size_t p = 0; p < k; p++, a += ROWS_2, b += COLUMNS_2) {
        __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
        for (int r = 0; r < ROWS_2; r++) {
            __m256 x = _mm256_broadcast_ss(a + r);
            acc[r][0] = _mm256_fmadd_ps(x, b0, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(x, b1, acc[r][1]);
        }
    }
    for (int r = 0; r < ROWS_2; r++) {
        _mm256_storeu_ps(c + (size_t)r * c_row, acc[r][0]);
        _mm256_storeu_ps(c + (size_t)r * c_row + 8, acc[r][1]);
    }
}

TARGET_AVX512 static void tile_avx512(const float *a, const float *b, size_t k, float *c,
                                      size_t c_row)
{
    __m512 acc[ROWS_512][2];
#pragma GCC unroll 12
    for (int r = 0; r < ROWS_512; r++) {
        acc[r][0] = _mm512_loadu_ps(c + (size_t)r * c_row);
        acc[r][1] = _mm512_loadu_ps(c + (size_t)r * c_row + 16);
    }
    for (size_t p = 0; p < k; p++, a += ROWS_512, b += COLUMNS_512) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS_512; r++) {
            __m512 x = _mm512_set1_ps(a[r]);
            acc[r][0] = _mm512_fmadd_ps(x, b0, acc[r][0]);
            acc[r][1] = _mm512_fmadd_ps(x, b1, acc[r][1]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < ROWS_512; r++) {
        _mm512_storeu_ps(c + (size_t)r * c_row, acc[r][0]);
        _mm512_storeu_ps(c + (size_t)r * c_row + 16, acc[r][1]);
    }
}

const struct chain_kernel chain_avx2 = {ROWS_2, COLUMNS_2, tile_avx2};
const struct chain_kernel chain_avx512 = {ROWS_512, COLUMNS_512, tile_avx512};
#endif
