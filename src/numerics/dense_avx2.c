/*
 * Plain matrices on AVX2: two registers are the 16 lanes of one output. A tile
 * of 2 rows by 3 columns keeps six outputs in twelve of the sixteen registers.
 * A single column takes long rows one after another, as in dense_avx512.c, and
 * short ones by four.
 */
#include "numerics/dense.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { ROWS = 2, COLUMNS = 3, ALONE = 4 };

struct pair {
    __m256 lo, hi;
};

TARGET_AVX2 ALWAYS_INLINE __m256 load8(enum dtype t, const uint8_t *p)
{
    if (t == DTYPE_F32)
        return _mm256_loadu_ps((const float *)(const void *)p);
    __m128i h = _mm_loadu_si128((const void *)p);
    if (t == DTYPE_F16)
        return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

TARGET_AVX2 ALWAYS_INLINE struct pair load(enum dtype t, const uint8_t *p)
{
    return (struct pair){load8(t, p), load8(t, p + 8 * dense_bytes(t))};
}

TARGET_AVX2 ALWAYS_INLINE float tree(struct pair v)
{
    __m256 a = _mm256_add_ps(v.lo, v.hi);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

TARGET_AVX2 ALWAYS_INLINE struct pair fused(struct pair a, struct pair b, struct pair c)
{
    return (struct pair){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}

TARGET_AVX2 ALWAYS_INLINE void tile(const struct dense *d, enum dtype t, size_t n, size_t m,
                                    int rows, int columns)
{
    size_t size = d->k * dense_bytes(t), i = 0;
    const uint8_t *w = (const uint8_t *)d->w + n * size;
    const float *x = d->x + m * d->x_stride;
    struct pair acc[ALONE][COLUMNS];
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++)
            acc[r][c] = (struct pair){_mm256_setzero_ps(), _mm256_setzero_ps()};
    }
    for (; i + LANES <= d->k; i += LANES) {
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            struct pair wide = load(t, w + (size_t)r * size + i * dense_bytes(t));
#pragma GCC unroll 3
            for (int c = 0; c < columns; c++) {
                const uint8_t *one = (const uint8_t *)(x + (size_t)c * d->x_stride + i);
                acc[r][c] = fused(wide, load(DTYPE_F32, one), acc[r][c]);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            float *y = d->y + (m + (size_t)c) * d->y_stride + n + (size_t)r;
            if (i == d->k) {
                *y = tree(acc[r][c]);
                continue;
            }
            float lanes[LANES];
            _mm256_storeu_ps(lanes, acc[r][c].lo);
            _mm256_storeu_ps(lanes + 8, acc[r][c].hi);
            *y = dense_finish(t, lanes, w + (size_t)r * size, x + (size_t)c * d->x_stride, i, d->k);
        }
    }
}

/* All columns of `rows` rows. */
TARGET_AVX2 ALWAYS_INLINE void strip(const struct dense *d, enum dtype t, size_t n, int rows)
{
    size_t m = 0;
    for (; rows != ALONE && m + COLUMNS <= d->batch; m += COLUMNS)
        tile(d, t, n, m, rows, COLUMNS);
    for (; m < d->batch; m++)
        tile(d, t, n, m, rows, 1);
}

TARGET_AVX2 ALWAYS_INLINE void all(const struct dense *d, enum dtype t, size_t n0, size_t n1)
{
    size_t n = n0;
    if (d->batch == 1 && d->k >= DENSE_LONG) {
        for (; n < n1; n++)
            strip(d, t, n, 1);
    }
    if (d->batch == 1) {
        for (; n + ALONE <= n1; n += ALONE)
            strip(d, t, n, ALONE);
    }
    for (; n + ROWS <= n1; n += ROWS)
        strip(d, t, n, ROWS);
    for (; n < n1; n++)
        strip(d, t, n, 1);
}

TARGET_AVX2 void dense_avx2(const struct dense *d, size_t n0, size_t n1)
{
    if (d->type == DTYPE_F32)
        all(d, DTYPE_F32, n0, n1);
    else if (d->type == DTYPE_F16)
        all(d, DTYPE_F16, n0, n1);
    else
        all(d, DTYPE_BF16, n0, n1);
}
#endif
