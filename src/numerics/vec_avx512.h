/*
 * Private to src/numerics: what the packed kernels ask of AVX-512 with VNNI,
 * sixteen rows to a register. vec_avx2.h offers the same for eight rows; the
 * integers are exact in both, and each float operation is one of IEEE 754's.
 */
#ifndef NUMERICS_VEC_AVX512_H
#define NUMERICS_VEC_AVX512_H

#include <immintrin.h>

#include "numerics/lane.h"

#define TARGET_VEC TARGET_VNNI

/* SHARED vectors use a load of activations; WIDE rows of those by SHARED vectors fill the registers
 * just so. */
enum { WIDTH = 16, TOKENS = 8, SHARED = 2, WIDE = 6 };

typedef __m512i vec;  /* a 32-bit integer, or four bytes, of each row */
typedef __m512 reals; /* a float of each row */

TARGET_VEC ALWAYS_INLINE vec vec_load(const uint8_t *p)
{
    return _mm512_load_si512(p);
}

/* WIDTH numbers of 16 bits, widened. */
TARGET_VEC ALWAYS_INLINE vec vec_load16(const uint8_t *p)
{
    return _mm512_cvtepu16_epi32(_mm256_load_si256((const void *)p));
}

TARGET_VEC ALWAYS_INLINE vec vec_all(int32_t v)
{
    return _mm512_set1_epi32(v);
}

TARGET_VEC ALWAYS_INLINE vec vec_and(vec a, vec b)
{
    return _mm512_and_si512(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_or(vec a, vec b)
{
    return _mm512_or_si512(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return _mm512_add_epi32(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_multiply(vec a, vec b)
{
    return _mm512_mullo_epi32(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_left(vec a, int n)
{
    return _mm512_slli_epi32(a, (unsigned)n);
}

TARGET_VEC ALWAYS_INLINE vec vec_right(vec a, int n)
{
    return _mm512_srli_epi32(a, (unsigned)n);
}

TARGET_VEC ALWAYS_INLINE vec vec_right_signed(vec a, int n)
{
    return _mm512_srai_epi32(a, (unsigned)n);
}

/* sum + the products of two pairs of signed 16-bit numbers. */
TARGET_VEC ALWAYS_INLINE vec vec_pairs(vec sum, vec a, vec b)
{
    return _mm512_dpwssd_epi32(sum, a, b);
}

/* Bytes 0..15 of each word name an entry of the book. */
TARGET_VEC ALWAYS_INLINE vec vec_book(__m128i book, vec at)
{
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(book), at);
}

/* Signed bytes become unsigned ones by an offset. */
enum { SIGNED_OFFSET = 128 };
TARGET_VEC ALWAYS_INLINE vec vec_signed(vec w)
{
    return _mm512_xor_si512(w, _mm512_set1_epi8(-128));
}

/* sum + the products of `words` words of weights with as many of activations. */
TARGET_VEC ALWAYS_INLINE vec vec_dot(vec sum, const vec *w, const int8_t *q, int words, int bits)
{
    (void)bits; /* 32-bit sums: nothing can overflow */
#pragma GCC unroll 8
    for (int p = 0; p < words; p++) {
        int32_t four;
        memcpy(&four, q + 4 * p, sizeof four);
        sum = _mm512_dpbusd_epi32(sum, w[p], _mm512_set1_epi32(four));
    }
    return sum;
}

/* The same of `n` vectors of eight words with one word after another of activations. */
TARGET_VEC ALWAYS_INLINE void vec_dots(vec *sum, vec (*w)[8], int n, const int8_t *q, int bits)
{
    (void)bits;
#pragma GCC unroll 8
    for (int p = 0; p < 8; p++) {
        int32_t four;
        memcpy(&four, q + 4 * p, sizeof four);
        vec x = _mm512_set1_epi32(four);
#pragma GCC unroll 2
        for (int i = 0; i < n; i++)
            sum[i] = _mm512_dpbusd_epi32(sum[i], w[i][p], x);
    }
}

TARGET_VEC ALWAYS_INLINE reals reals_all(float f)
{
    return _mm512_set1_ps(f);
}

TARGET_VEC ALWAYS_INLINE reals reals_of(vec v)
{
    return _mm512_cvtepi32_ps(v);
}

TARGET_VEC ALWAYS_INLINE reals reals_halves(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const void *)p));
}

TARGET_VEC ALWAYS_INLINE reals reals_multiply(reals a, reals b)
{
    return _mm512_mul_ps(a, b);
}

TARGET_VEC ALWAYS_INLINE reals reals_fma(reals a, reals b, reals c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* c - a b, rounded once. */
TARGET_VEC ALWAYS_INLINE reals reals_fms(reals a, reals b, reals c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

TARGET_VEC ALWAYS_INLINE void reals_store(float *p, reals v)
{
    _mm512_storeu_ps(p, v);
}

#endif
