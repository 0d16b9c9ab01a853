/*
 * Private to src/numerics: what the packed kernels ask of AVX2, eight rows to
 * a register; the mirror of vec_avx512.h. Products of unsigned weights and
 * signed activations are added in 16 bits as long as they cannot overflow:
 * eight of 4-bit weights, four of 5-bit ones, two of 6-bit ones. Signed bytes
 * lend their sign to the activation and are added one at a time.
 */
#ifndef NUMERICS_VEC_AVX2_H
#define NUMERICS_VEC_AVX2_H

#include <immintrin.h>

#include "numerics/lane.h"

#define TARGET_VEC TARGET_AVX2

enum { WIDTH = 8, TOKENS = 4, SHARED = 1, WIDE = 4 };

typedef __m256i vec;  /* a 32-bit integer, or four bytes, of each row */
typedef __m256 reals; /* a float of each row */

TARGET_VEC ALWAYS_INLINE vec vec_load(const uint8_t *p)
{
    return _mm256_load_si256((const void *)p);
}

/* WIDTH numbers of 16 bits, widened. */
TARGET_VEC ALWAYS_INLINE vec vec_load16(const uint8_t *p)
{
    return _mm256_cvtepu16_epi32(_mm_load_si128((const void *)p));
}

TARGET_VEC ALWAYS_INLINE vec vec_all(int32_t v)
{
    return _mm256_set1_epi32(v);
}

TARGET_VEC ALWAYS_INLINE vec vec_and(vec a, vec b)
{
    return _mm256_and_si256(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_or(vec a, vec b)
{
    return _mm256_or_si256(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return _mm256_add_epi32(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_multiply(vec a, vec b)
{
    return _mm256_mullo_epi32(a, b);
}

TARGET_VEC ALWAYS_INLINE vec vec_left(vec a, int n)
{
    return _mm256_slli_epi32(a, n);
}

TARGET_VEC ALWAYS_INLINE vec vec_right(vec a, int n)
{
    return _mm256_srli_epi32(a, n);
}

TARGET_VEC ALWAYS_INLINE vec vec_right_signed(vec a, int n)
{
    return _mm256_srai_epi32(a, n);
}

/* sum + the products of two pairs of signed 16-bit numbers. */
TARGET_VEC ALWAYS_INLINE vec vec_pairs(vec sum, vec a, vec b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

/* Bytes 0..15 of each word name an entry of the book. */
TARGET_VEC ALWAYS_INLINE vec vec_book(__m128i book, vec at)
{
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(book), at);
}

/* Signed bytes stay what they are. */
enum { SIGNED_OFFSET = 0 };
TARGET_VEC ALWAYS_INLINE vec vec_signed(vec w)
{
    return w;
}

/* Four products of each row as two sums of two; weights of 8 bits are signed. */
TARGET_VEC ALWAYS_INLINE vec vec_four(vec w, const int8_t *q, int bits)
{
    int32_t four;
    memcpy(&four, q, sizeof four);
    vec x = _mm256_set1_epi32(four);
    if (bits == 8)
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_maddubs_epi16(w, x);
}

/* sum + the products of `words` words of weights with as many of activations. */
TARGET_VEC ALWAYS_INLINE vec vec_dot(vec sum, const vec *w, const int8_t *q, int words, int bits)
{
    const int together = bits == 8 ? 1 : 128 >> bits;
#pragma GCC unroll 8
    for (int p = 0; p < words; p += together) {
        vec narrow = vec_four(w[p], q + 4 * p, bits);
#pragma GCC unroll 8
        for (int j = 1; j < together; j++)
            narrow = _mm256_add_epi16(narrow, vec_four(w[p + j], q + 4 * (p + j), bits));
        sum = vec_pairs(sum, narrow, _mm256_set1_epi16(1));
    }
    return sum;
}

TARGET_VEC ALWAYS_INLINE void vec_dots(vec *sum, vec (*w)[8], int n, const int8_t *q, int bits)
{
    for (int i = 0; i < n; i++)
        sum[i] = vec_dot(sum[i], w[i], q, 8, bits);
}

TARGET_VEC ALWAYS_INLINE reals reals_all(float f)
{
    return _mm256_set1_ps(f);
}

TARGET_VEC ALWAYS_INLINE reals reals_of(vec v)
{
    return _mm256_cvtepi32_ps(v);
}

TARGET_VEC ALWAYS_INLINE reals reals_halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_load_si128((const void *)p));
}

TARGET_VEC ALWAYS_INLINE reals reals_multiply(reals a, reals b)
{
    return _mm256_mul_ps(a, b);
}

TARGET_VEC ALWAYS_INLINE reals reals_fma(reals a, reals b, reals c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* c - a b, rounded once. */
TARGET_VEC ALWAYS_INLINE reals reals_fms(reals a, reals b, reals c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

TARGET_VEC ALWAYS_INLINE void reals_store(float *p, reals v)
{
    _mm256_storeu_ps(p, v);
}

#endif
