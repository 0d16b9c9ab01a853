/*
 * Plain matrices on AVX-512: one register is the 16 lanes of one output. A
 * tile of 4 rows by 6 columns keeps 24 outputs in registers, which is what
 * makes each load of a weight serve six of them. A single column takes long
 * rows one after another: memory is fastest in its own order.
 */
#include "numerics/dense.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { ROWS = 4, COLUMNS = 6 };

TARGET_AVX512 ALWAYS_INLINE __m512 load(enum dtype t, const uint8_t *p)
{
    if (t == DTYPE_F32)
        return _mm512_loadu_ps(p);
    __m256i h = _mm256_loadu_si256((const void *)p);
    if (t == DTYPE_F16)
        return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

TARGET_AVX512 ALWAYS_INLINE float tree(__m512 v)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

/* The trees of four at once, lane for lane the same sums. */
TARGET_AVX512 ALWAYS_INLINE __m128 trees(__m512 v, __m512 w, __m512 x, __m512 y)
{
    const __m512i firsts = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
    __m512 a = _mm512_add_ps(_mm512_shuffle_f32x4(v, w, 0x44), _mm512_shuffle_f32x4(v, w, 0xee));
    __m512 b = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
    __m512 c = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    c = _mm512_add_ps(c, _mm512_permute_ps(c, 0x4e));
    c = _mm512_add_ps(c, _mm512_permute_ps(c, 0xb1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, c));
}

TARGET_AVX512 ALWAYS_INLINE void tile(const struct dense *d, enum dtype t, size_t n, size_t m,
                                      int rows, int columns)
{
    size_t size = d->k * dense_bytes(t), i = 0;
    const uint8_t *w = (const uint8_t *)d->w + n * size;
    const float *x = d->x + m * d->x_stride;
    __m512 acc[ROWS][COLUMNS];
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            acc[r][c] = _mm512_setzero_ps();
    }
    for (; i + LANES <= d->k; i += LANES) {
        __m512 wide[ROWS];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            wide[r] = load(t, w + (size_t)r * size + i * dense_bytes(t));
#pragma GCC unroll 6
        for (int c = 0; c < columns; c++) {
            __m512 one = _mm512_loadu_ps(x + (size_t)c * d->x_stride + i);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                acc[r][c] = _mm512_fmadd_ps(wide[r], one, acc[r][c]);
        }
    }
    if (rows == ROWS && i == d->k) {
        for (int c = 0; c < columns; c++)
            _mm_storeu_ps(d->y + (m + (size_t)c) * d->y_stride + n,
                          trees(acc[0][c], acc[1][c], acc[2][c], acc[3][c]));
        return;
    }
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            float *y = d->y + (m + (size_t)c) * d->y_stride + n + (size_t)r;
            if (i == d->k) {
                *y = tree(acc[r][c]);
                continue;
            }
            float lanes[LANES];
            _mm512_storeu_ps(lanes, acc[r][c]);
            *y = dense_finish(t, lanes, w + (size_t)r * size, x + (size_t)c * d->x_stride, i, d->k);
        }
    }
}

/* All columns of `rows` rows; eight, the queries that often share a key, are two tiles of four. */
TARGET_AVX512 ALWAYS_INLINE void strip(const struct dense *d, enum dtype t, size_t n, int rows)
{
    size_t m = 0;
    for (; m + COLUMNS <= d->batch && d->batch - m != 8; m += COLUMNS)
        tile(d, t, n, m, rows, COLUMNS);
    for (; m + 4 <= d->batch; m += 4)
        tile(d, t, n, m, rows, 4);
    for (; m + 2 <= d->batch; m += 2)
        tile(d, t, n, m, rows, 2);
    if (m < d->batch)
        tile(d, t, n, m, rows, 1);
}

TARGET_AVX512 ALWAYS_INLINE void all(const struct dense *d, enum dtype t, size_t n0, size_t n1)
{
    size_t n = n0;
    if (d->batch == 1 && d->k >= DENSE_LONG) {
        for (; n < n1; n++)
            tile(d, t, n, 0, 1, 1);
    }
    for (; n + ROWS <= n1; n += ROWS)
        strip(d, t, n, ROWS);
    for (; n < n1; n++)
        strip(d, t, n, 1);
}

TARGET_AVX512 void dense_avx512(const struct dense *d, size_t n0, size_t n1)
{
    if (d->type == DTYPE_F32)
        all(d, DTYPE_F32, n0, n1);
    else if (d->type == DTYPE_F16)
        all(d, DTYPE_F16, n0, n1);
    else
        all(d, DTYPE_BF16, n0, n1);
}
#endif
