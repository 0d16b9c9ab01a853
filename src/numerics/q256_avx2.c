/*
 * Quantised matrices with super-blocks of 256 on AVX2: lane = row, as in
 * q32_avx2.c, and sub-blocks' integers as in q256_avx2.c. Products are added
 * in 16 bits as long as they cannot overflow: eight of 4-bit weights, four of
 * 5-bit ones, two of 6-bit ones.
 */
#include "numerics/blocks.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { TOKENS = 4, LINE = 64, PAIR = 128, EIGHTS = MATRIX_GROUP / 8 };

TARGET_AVX2 ALWAYS_INLINE __m256i line(const uint8_t *p)
{
    return _mm256_load_si256((const void *)p);
}

TARGET_AVX2 ALWAYS_INLINE __m256 halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_load_si128((const void *)p));
}

TARGET_AVX2 ALWAYS_INLINE __m256i times(__m256i w, const int8_t *q)
{
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm256_maddubs_epi16(w, _mm256_set1_epi32(four));
}

/* Products of n words of weights, added in 16 bits `together` at a time. */
TARGET_AVX2 ALWAYS_INLINE __m256i products(const __m256i *w, const int8_t *q, int n, int together)
{
    const __m256i one = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int p = 0; p < n; p += together) {
        __m256i narrow = times(w[p], q + 4 * p);
#pragma GCC unroll 8
        for (int j = 1; j < together; j++)
            narrow = _mm256_add_epi16(narrow, times(w[p + j], q + 4 * (p + j)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(narrow, one));
    }
    return sum;
}

/* ---- Q4_K, Q5_K: scales and minima of six bits ---------------------------- */

/* Scales and minima of a super-block of eight rows: bytes 4i.. of a row are word i. */
struct scales {
    __m256i scale[2], minimum[2];
    __m256 d, dmin;
};

/* get_scale_min_k4 for four sub-blocks at once. */
TARGET_AVX2 ALWAYS_INLINE struct scales load_scales(const uint8_t *g, int eight)
{
    const __m256i six = _mm256_set1_epi32(0x3f3f3f3f), four = _mm256_set1_epi32(0x0f0f0f0f);
    const __m256i two = _mm256_set1_epi32(0x30303030);
    struct scales s;
    s.d = halves(g + 16 * eight);
    s.dmin = halves(g + LINE + 16 * eight);
    g += 2 * LINE + 32 * eight;
    __m256i a = line(g), b = line(g + PAIR), c = line(g + 2 * PAIR);
    s.scale[0] = _mm256_and_si256(a, six);
    s.minimum[0] = _mm256_and_si256(b, six);
    s.scale[1] =
        _mm256_or_si256(_mm256_and_si256(c, four), _mm256_and_si256(_mm256_srli_epi32(a, 2), two));
    s.minimum[1] = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(c, 4), four),
                                   _mm256_and_si256(_mm256_srli_epi32(b, 2), two));
    return s;
}

/* Byte `i` of each word as a number. */
TARGET_AVX2 ALWAYS_INLINE __m256i byte_of(__m256i words, int i)
{
    return _mm256_and_si256(_mm256_srli_epi32(words, 8 * i), _mm256_set1_epi32(255));
}

/* The minima's part: sum of minimum times the activations' sums, exact in 32 bits. */
TARGET_AVX2 ALWAYS_INLINE __m256i minima(const struct scales *s, const struct act256 *x)
{
    const __m256i even = _mm256_set1_epi32(0x00ff00ff);
    __m256i sum = _mm256_setzero_si256();
    for (int i = 0; i < 2; i++) {
        int32_t b[4];
        for (int j = 0; j < 4; j++)
            b[j] = x->sums[8 * i + 2 * j] + x->sums[8 * i + 2 * j + 1];
        int32_t low = (int32_t)((uint32_t)(uint16_t)b[0] | (uint32_t)(uint16_t)b[2] << 16);
        int32_t high = (int32_t)((uint32_t)(uint16_t)b[1] | (uint32_t)(uint16_t)b[3] << 16);
        sum = _mm256_add_epi32(
            sum, _mm256_madd_epi16(_mm256_and_si256(s->minimum[i], even), _mm256_set1_epi32(low)));
        sum = _mm256_add_epi32(
            sum, _mm256_madd_epi16(_mm256_and_si256(_mm256_srli_epi32(s->minimum[i], 8), even),
                                   _mm256_set1_epi32(high)));
    }
    return sum;
}

/* Word p of sub-block i: nibbles, with the fifth bit where the type has one. */
TARGET_AVX2 ALWAYS_INLINE __m256i load45(bool fifth, const uint8_t *words, int i, int p)
{
    const __m256i low = _mm256_set1_epi8(15), bit = _mm256_set1_epi8(16);
    const uint8_t *qs = fifth ? words + 8 * PAIR : words;
    __m256i q = line(qs + PAIR * (8 * (i / 2) + p));
    q = _mm256_and_si256(i % 2 ? _mm256_srli_epi16(q, 4) : q, low);
    if (fifth) {
        __m256i high = line(words + PAIR * p);
        high = i <= 4 ? _mm256_slli_epi16(high, 4 - i) : _mm256_srli_epi16(high, i - 4);
        q = _mm256_or_si256(q, _mm256_and_si256(high, bit));
    }
    return q;
}

/* One super-block of eight rows, added to the outputs of `tokens` rows of activations. */
TARGET_AVX2 ALWAYS_INLINE void super45(bool fifth, const uint8_t *g, int eight, const uint8_t *x,
                                       size_t x_size, int tokens, __m256 *acc)
{
    struct scales s = load_scales(g, eight);
    const uint8_t *words = g + 2 * LINE + 3 * PAIR + 32 * eight;
    __m256i sum[TOKENS];
    for (int t = 0; t < tokens; t++)
        sum[t] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        __m256i q[8], scale = byte_of(s.scale[i / 4], i % 4);
#pragma GCC unroll 8
        for (int p = 0; p < 8; p++)
            q[p] = load45(fifth, words, i, p);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const struct act256 *a = (const void *)(x + (size_t)t * x_size);
            __m256i u = products(q, a->q + 32 * i, 8, fifth ? 4 : 8);
            sum[t] = _mm256_add_epi32(sum[t], _mm256_mullo_epi32(u, scale));
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++) {
        const struct act256 *a = (const void *)(x + (size_t)t * x_size);
        const __m256 dx = _mm256_set1_ps(a->d);
        acc[t] = _mm256_fmadd_ps(_mm256_mul_ps(s.d, dx), _mm256_cvtepi32_ps(sum[t]), acc[t]);
        acc[t] =
            _mm256_fnmadd_ps(_mm256_mul_ps(s.dmin, dx), _mm256_cvtepi32_ps(minima(&s, a)), acc[t]);
    }
}

/* ---- Q6_K: signed scales for sixteen weights ------------------------------ */

/* The sixteen bytes of scales are units of 2: byte i % 2 of a row's unit i / 2. */
TARGET_AVX2 ALWAYS_INLINE __m256i scale6(const uint8_t *units, int i)
{
    __m256i pair = _mm256_cvtepu16_epi32(_mm_load_si128((const void *)(units + LINE * (i / 2))));
    return _mm256_srai_epi32(_mm256_slli_epi32(pair, i % 2 ? 16 : 24), 24);
}

/* Word p of part `i` of 32 weights, six bits each. */
TARGET_AVX2 ALWAYS_INLINE __m256i load6(const uint8_t *lows, const uint8_t *highs, int i, int p)
{
    const __m256i low = _mm256_set1_epi8(15), two = _mm256_set1_epi8(0x30);
    __m256i lo = line(lows + PAIR * (16 * (i / 4) + 8 * (i % 2) + p));
    __m256i hi = line(highs + PAIR * (8 * (i / 4) + p));
    lo = _mm256_and_si256(_mm256_srli_epi16(lo, i % 4 / 2 * 4), low);
    int shift = i % 4 * 2;
    hi = shift <= 4 ? _mm256_slli_epi16(hi, 4 - shift) : _mm256_srli_epi16(hi, shift - 4);
    return _mm256_or_si256(lo, _mm256_and_si256(hi, two));
}

TARGET_AVX2 ALWAYS_INLINE void super6(const uint8_t *g, int eight, const uint8_t *x, size_t x_size,
                                      int tokens, __m256 *acc)
{
    const uint8_t *lows = g + 32 * eight, *highs = lows + 32 * PAIR;
    const uint8_t *units = g + 48 * PAIR + 16 * eight;
    __m256i sum[TOKENS];
    for (int t = 0; t < tokens; t++)
        sum[t] = _mm256_setzero_si256();
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        __m256i q[4], scale = scale6(units, i);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            q[k] = load6(lows, highs, i / 2, i % 2 * 4 + k);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const struct act256 *a = (const void *)(x + (size_t)t * x_size);
            __m256i u = _mm256_add_epi32(_mm256_set1_epi32(-32 * a->sums[i]),
                                         products(q, a->q + 16 * i, 4, 2));
            sum[t] = _mm256_add_epi32(sum[t], _mm256_mullo_epi32(u, scale));
        }
    }
    __m256 d = halves(g + 48 * PAIR + 8 * LINE + 16 * eight);
#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++) {
        const struct act256 *a = (const void *)(x + (size_t)t * x_size);
        acc[t] = _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(a->d)), _mm256_cvtepi32_ps(sum[t]),
                                 acc[t]);
    }
}

/* ---- all rows ------------------------------------------------------------- */

TARGET_AVX2 ALWAYS_INLINE void super(enum dtype t, const uint8_t *g, int eight, const uint8_t *x,
                                     size_t x_size, int tokens, __m256 *acc)
{
    if (t == DTYPE_Q6_K)
        super6(g, eight, x, x_size, tokens, acc);
    else
        super45(t == DTYPE_Q5_K, g, eight, x, x_size, tokens, acc);
}

/* One row of activations: all rows of a group in turn, so that memory is read in order. */
TARGET_AVX2 ALWAYS_INLINE void single(enum dtype t, const uint8_t *g, const struct product *p,
                                      size_t m, size_t n)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP, blocks = p->w->cols / 256;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    __m256 acc[EIGHTS];
    for (int e = 0; e < EIGHTS; e++)
        acc[e] = _mm256_setzero_ps();
    for (size_t i = 0; i < blocks; i++, g += bytes, x += sizeof(struct act256)) {
        for (int e = 0; e < EIGHTS; e++)
            super(t, g, e, x, 0, 1, &acc[e]);
    }
    for (int e = 0; e < EIGHTS; e++)
        _mm256_storeu_ps(p->y + m * p->y_stride + n + 8 * (size_t)e, acc[e]);
}

TARGET_AVX2 ALWAYS_INLINE void several(enum dtype t, const uint8_t *g, int eight,
                                       const struct product *p, size_t m, size_t n)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP, blocks = p->w->cols / 256;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    __m256 acc[TOKENS];
    for (int k = 0; k < TOKENS; k++)
        acc[k] = _mm256_setzero_ps();
    for (size_t i = 0; i < blocks; i++, g += bytes, x += sizeof(struct act256))
        super(t, g, eight, x, p->x_size, TOKENS, acc);
    for (int k = 0; k < TOKENS; k++)
        _mm256_storeu_ps(p->y + (m + (size_t)k) * p->y_stride + n + 8 * (size_t)eight, acc[k]);
}

TARGET_AVX2 ALWAYS_INLINE void product(enum dtype t, const struct product *p, size_t n0, size_t n1)
{
    for (size_t n = n0; n < n1; n += MATRIX_GROUP) {
        const uint8_t *g = p->w->data + n * p->w->row_bytes;
        size_t m = 0;
        for (; m + TOKENS <= p->batch; m += TOKENS) {
            for (int e = 0; e < EIGHTS; e++)
                several(t, g, e, p, m, n);
        }
        for (; m < p->batch; m++)
            single(t, g, p, m, n);
    }
}

#define KERNEL(NAME, name)                                                                         \
    TARGET_AVX2 void name##_avx2(const struct product *p, size_t n0, size_t n1)                    \
    {                                                                                              \
        product(DTYPE_##NAME, p, n0, n1);                                                          \
    }
KERNEL(Q4_K, q4_k)
KERNEL(Q5_K, q5_k)
KERNEL(Q6_K, q6_k)
#endif
