/*
 * Quantised matrices with blocks of 32 on AVX-512 with VNNI: lane = row. Bytes
 * 4p..4p+3 of a block of sixteen rows are one register, so a product of four
 * with the activations is one instruction for sixteen outputs. Weights are made
 * unsigned by an offset, whose part of the sum the accumulator begins with.
 */
#include "numerics/blocks.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { TOKENS = 8, LINE = 64, PAIR = 128 };

/* One block of sixteen rows: weights + offset as unsigned bytes, scales, minima. */
struct part {
    __m512i q[8];
    __m512 d, m;
};

ALWAYS_INLINE int offset_of(enum dtype t)
{
    if (t == DTYPE_Q4_0)
        return 8;
    if (t == DTYPE_Q5_0)
        return 16;
    return t == DTYPE_Q8_0 || t == DTYPE_IQ4_NL ? 128 : 0;
}

ALWAYS_INLINE bool has_minimum(enum dtype t)
{
    return t == DTYPE_Q4_1 || t == DTYPE_Q5_1;
}

/* Bits 4p..4p+3 of each row's word become bit 4 of the word's four bytes. */
TARGET_VNNI ALWAYS_INLINE __m512i fifth_bits(__m512i high, int p)
{
    const __m512i spread = _mm512_set1_epi32(0x00204081), bit = _mm512_set1_epi32(0x01010101);
    __m512i four =
        _mm512_and_si512(_mm512_srli_epi32(high, (unsigned)(4 * p)), _mm512_set1_epi32(15));
    four = _mm512_and_si512(_mm512_mullo_epi32(four, spread), bit);
    return _mm512_slli_epi32(four, 4);
}

TARGET_VNNI ALWAYS_INLINE __m512i line(const uint8_t *p)
{
    return _mm512_load_si512(p);
}

/* `g`: the group's bytes of this block; `half`: rows 0..15 or 16..31. */
TARGET_VNNI ALWAYS_INLINE struct part load(enum dtype t, const uint8_t *g, int half)
{
    const __m512i low = _mm512_set1_epi8(15);
    struct part o;
    o.d = _mm512_cvtph_ps(_mm256_load_si256((const void *)(g + 32 * half)));
    o.m = o.d;
    g += LINE;
    if (has_minimum(t)) {
        o.m = _mm512_cvtph_ps(_mm256_load_si256((const void *)(g + 32 * half)));
        g += LINE;
    }
    g += LINE * half;
    if (t == DTYPE_Q8_0) {
        for (int p = 0; p < 8; p++)
            o.q[p] = _mm512_xor_si512(line(g + PAIR * p), _mm512_set1_epi8(-128));
        return o;
    }
    __m512i high = _mm512_setzero_si512();
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1) {
        high = line(g);
        g += PAIR;
    }
    for (int p = 0; p < 4; p++) {
        __m512i both = line(g + PAIR * p);
        o.q[p] = _mm512_and_si512(both, low);
        o.q[p + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
    }
    if (t == DTYPE_Q5_0 || t == DTYPE_Q5_1) {
        for (int p = 0; p < 8; p++)
            o.q[p] = _mm512_or_si512(o.q[p], fifth_bits(high, p));
    }
    if (t == DTYPE_IQ4_NL) {
        __m128i values = _mm_loadu_si128((const void *)iq4_values);
        __m512i book = _mm512_broadcast_i32x4(_mm_xor_si128(values, _mm_set1_epi8(-128)));
        for (int p = 0; p < 8; p++)
            o.q[p] = _mm512_shuffle_epi8(book, o.q[p]);
    }
    return o;
}

TARGET_VNNI ALWAYS_INLINE __m512 step(enum dtype t, const struct part *w, const struct act32 *x,
                                      __m512 acc)
{
    const __m512 dx = _mm512_set1_ps(x->d);
    __m512i s = _mm512_set1_epi32(-offset_of(t) * x->sum);
#pragma GCC unroll 8
    for (int p = 0; p < 8; p++) {
        int32_t four;
        memcpy(&four, x->q + 4 * p, sizeof four);
        s = _mm512_dpbusd_epi32(s, w->q[p], _mm512_set1_epi32(four));
    }
    acc = _mm512_fmadd_ps(_mm512_mul_ps(w->d, dx), _mm512_cvtepi32_ps(s), acc);
    if (has_minimum(t))
        acc = _mm512_fmadd_ps(_mm512_mul_ps(w->m, dx), _mm512_set1_ps((float)x->sum), acc);
    return acc;
}

/* One group times one row of activations: memory decides, so whole lines in order. */
TARGET_VNNI ALWAYS_INLINE void single(enum dtype t, const uint8_t *g, const struct act32 *x,
                                      size_t blocks, float *y)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP;
    __m512 a = _mm512_setzero_ps(), b = a;
    for (size_t i = 0; i < blocks; i++, g += bytes, x++) {
        struct part w = load(t, g, 0), v = load(t, g, 1);
        a = step(t, &w, x, a);
        b = step(t, &v, x, b);
    }
    _mm512_storeu_ps(y, a);
    _mm512_storeu_ps(y + 16, b);
}

/* Sixteen rows times `tokens` rows of activations: each load of weights serves them all. */
TARGET_VNNI ALWAYS_INLINE void several(enum dtype t, const uint8_t *g, int half,
                                       const struct product *p, size_t m, size_t n, int tokens)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP, blocks = p->w->cols / 32;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    __m512 acc[TOKENS];
    for (int k = 0; k < tokens; k++)
        acc[k] = _mm512_setzero_ps();
    for (size_t i = 0; i < blocks; i++, g += bytes, x += sizeof(struct act32)) {
        struct part w = load(t, g, half);
#pragma GCC unroll 8
        for (int k = 0; k < tokens; k++)
            acc[k] = step(t, &w, (const void *)(x + (size_t)k * p->x_size), acc[k]);
    }
    for (int k = 0; k < tokens; k++)
        _mm512_storeu_ps(p->y + (m + (size_t)k) * p->y_stride + n + 16 * (size_t)half, acc[k]);
}

TARGET_VNNI ALWAYS_INLINE void product(enum dtype t, const struct product *p, size_t n0, size_t n1)
{
    for (size_t n = n0; n < n1; n += MATRIX_GROUP) {
        const uint8_t *g = p->w->data + n * p->w->row_bytes;
        size_t m = 0;
        for (; m + TOKENS <= p->batch; m += TOKENS) {
            several(t, g, 0, p, m, n, TOKENS);
            several(t, g, 1, p, m, n, TOKENS);
        }
        for (; m + 4 <= p->batch; m += 4) {
            several(t, g, 0, p, m, n, 4);
            several(t, g, 1, p, m, n, 4);
        }
        for (; m < p->batch; m++)
            single(t, g, (const void *)((const uint8_t *)p->x + m * p->x_size), p->w->cols / 32,
                   p->y + m * p->y_stride + n);
    }
}

#define KERNEL(NAME, name)                                                                         \
    TARGET_VNNI void name##_avx512(const struct product *p, size_t n0, size_t n1)                  \
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
