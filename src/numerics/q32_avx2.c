/*
 * Quantised matrices with blocks of 32 on AVX2: lane = row, eight to a
 * register. Products of unsigned weights and signed activations are added in
 * 16 bits as long as they cannot overflow (eight of 4-bit weights, four of
 * 5-bit ones); signed 8-bit weights lend their sign to the activation.
 */
#include "numerics/blocks.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { TOKENS = 4, LINE = 64, PAIR = 128, EIGHTS = MATRIX_GROUP / 8 };

/* One block of eight rows; magnitudes with `sign` where weights are signed. */
struct part {
    __m256i q[8];
    __m256 d, m;
};

ALWAYS_INLINE bool is_signed(enum dtype t)
{
    return t == DTYPE_Q8_0 || t == DTYPE_IQ4_NL;
}

ALWAYS_INLINE bool has_minimum(enum dtype t)
{
    return t == DTYPE_Q4_1 || t == DTYPE_Q5_1;
}

ALWAYS_INLINE bool has_fifth(enum dtype t)
{
    return t == DTYPE_Q5_0 || t == DTYPE_Q5_1;
}

ALWAYS_INLINE int offset_of(enum dtype t)
{
    return t == DTYPE_Q4_0 ? 8 : t == DTYPE_Q5_0 ? 16 : 0;
}

TARGET_AVX2 ALWAYS_INLINE __m256i fifth_bits(__m256i high, int p)
{
    const __m256i spread = _mm256_set1_epi32(0x00204081), bit = _mm256_set1_epi32(0x01010101);
    __m256i four = _mm256_and_si256(_mm256_srli_epi32(high, 4 * p), _mm256_set1_epi32(15));
    four = _mm256_and_si256(_mm256_mullo_epi32(four, spread), bit);
    return _mm256_slli_epi32(four, 4);
}

TARGET_AVX2 ALWAYS_INLINE __m256i line(const uint8_t *p)
{
    return _mm256_load_si256((const void *)p);
}

TARGET_AVX2 ALWAYS_INLINE __m256 halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_load_si128((const void *)p));
}

/* `g`: the group's bytes of this block; rows 8 * eight and on. */
TARGET_AVX2 ALWAYS_INLINE struct part load(enum dtype t, const uint8_t *g, int eight)
{
    const __m256i low = _mm256_set1_epi8(15);
    struct part o;
    o.d = o.m = halves(g + 16 * eight);
    g += LINE;
    if (has_minimum(t)) {
        o.m = halves(g + 16 * eight);
        g += LINE;
    }
    g += 32 * eight;
    if (t == DTYPE_Q8_0) {
        for (int p = 0; p < 8; p++)
            o.q[p] = line(g + PAIR * p);
        return o;
    }
    __m256i high = _mm256_setzero_si256();
    if (has_fifth(t)) {
        high = line(g);
        g += PAIR;
    }
    for (int p = 0; p < 4; p++) {
        __m256i both = line(g + PAIR * p);
        o.q[p] = _mm256_and_si256(both, low);
        o.q[p + 4] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    }
    for (int p = 0; has_fifth(t) && p < 8; p++)
        o.q[p] = _mm256_or_si256(o.q[p], fifth_bits(high, p));
    if (t == DTYPE_IQ4_NL) {
        __m256i book = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)iq4_values));
        for (int p = 0; p < 8; p++)
            o.q[p] = _mm256_shuffle_epi8(book, o.q[p]);
    }
    return o;
}

TARGET_AVX2 ALWAYS_INLINE __m256i four_products(enum dtype t, __m256i w, const int8_t *q)
{
    int32_t four;
    memcpy(&four, q, sizeof four);
    __m256i x = _mm256_set1_epi32(four);
    if (is_signed(t))
        return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_maddubs_epi16(w, x);
}

TARGET_AVX2 ALWAYS_INLINE __m256 step(enum dtype t, const struct part *w, const struct act32 *x,
                                      __m256 acc)
{
    const __m256i one = _mm256_set1_epi16(1);
    const __m256 dx = _mm256_set1_ps(x->d);
    const int together = is_signed(t) ? 1 : has_fifth(t) ? 4 : 8;
    __m256i s = _mm256_set1_epi32(-offset_of(t) * x->sum);
#pragma GCC unroll 8
    for (int p = 0; p < 8; p += together) {
        __m256i narrow = four_products(t, w->q[p], x->q + 4 * p);
#pragma GCC unroll 8
        for (int j = 1; j < together; j++)
            narrow = _mm256_add_epi16(narrow, four_products(t, w->q[p + j], x->q + 4 * (p + j)));
        s = _mm256_add_epi32(s, _mm256_madd_epi16(narrow, one));
    }
    acc = _mm256_fmadd_ps(_mm256_mul_ps(w->d, dx), _mm256_cvtepi32_ps(s), acc);
    if (has_minimum(t))
        acc = _mm256_fmadd_ps(_mm256_mul_ps(w->m, dx), _mm256_set1_ps((float)x->sum), acc);
    return acc;
}

TARGET_AVX2 ALWAYS_INLINE void single(enum dtype t, const uint8_t *g, const struct act32 *x,
                                      size_t blocks, float *y)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP;
    __m256 acc[EIGHTS];
    for (int e = 0; e < EIGHTS; e++)
        acc[e] = _mm256_setzero_ps();
    for (size_t i = 0; i < blocks; i++, g += bytes, x++) {
#pragma GCC unroll 4
        for (int e = 0; e < EIGHTS; e++) {
            struct part w = load(t, g, e);
            acc[e] = step(t, &w, x, acc[e]);
        }
    }
    for (int e = 0; e < EIGHTS; e++)
        _mm256_storeu_ps(y + 8 * e, acc[e]);
}

TARGET_AVX2 ALWAYS_INLINE void several(enum dtype t, const uint8_t *g, int eight,
                                       const struct product *p, size_t m, size_t n)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP, blocks = p->w->cols / 32;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    __m256 acc[TOKENS];
    for (int k = 0; k < TOKENS; k++)
        acc[k] = _mm256_setzero_ps();
    for (size_t i = 0; i < blocks; i++, g += bytes, x += sizeof(struct act32)) {
        struct part w = load(t, g, eight);
#pragma GCC unroll 4
        for (int k = 0; k < TOKENS; k++)
            acc[k] = step(t, &w, (const void *)(x + (size_t)k * p->x_size), acc[k]);
    }
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
            single(t, g, (const void *)((const uint8_t *)p->x + m * p->x_size), p->w->cols / 32,
                   p->y + m * p->y_stride + n);
    }
}

#define KERNEL(NAME, name)                                                                         \
    TARGET_AVX2 void name##_avx2(const struct product *p, size_t n0, size_t n1)                    \
    {                                                                                              \
        product(DTYPE_##NAME, p, n0, n1);                                                          \
    }
KERNEL(Q4_0, q4_0)
KERNEL(Q4_1, q4_1)
KERNEL(Q5_0, q5_0)
KERNEL(Q5_1, q5_1)
KERNEL(Q8_0, q8_0)
KERNEL(IQ4_NL, iq4_nl)
#endif
