/*
 * Quantised matrices with super-blocks of 256 on AVX-512 with VNNI: lane = row,
 * as in q32_avx512.c. A sub-block's products are one integer for each of
 * sixteen rows; its scale multiplies that integer before all are added, so a
 * super-block has the exact sum of the specification.
 */
#include "numerics/blocks.h"

#if NUMERICS_X86
#include <immintrin.h>

enum { TOKENS = 8, LINE = 64, PAIR = 128 };

TARGET_VNNI ALWAYS_INLINE __m512i line(const uint8_t *p)
{
    return _mm512_load_si512(p);
}

TARGET_VNNI ALWAYS_INLINE __m512 halves(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const void *)p));
}

TARGET_VNNI ALWAYS_INLINE __m512i times(__m512i sum, __m512i w, const int8_t *q)
{
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(four));
}

/* ---- Q4_K, Q5_K: scales and minima of six bits ---------------------------- */

/* Scales and minima of a super-block of sixteen rows: bytes 4i.. of a row are word i. */
struct scales {
    __m512i scale[2], minimum[2];
    __m512 d, dmin;
};

/* get_scale_min_k4 for four sub-blocks at once. */
TARGET_VNNI ALWAYS_INLINE struct scales load_scales(const uint8_t *g, int half)
{
    const __m512i six = _mm512_set1_epi32(0x3f3f3f3f), four = _mm512_set1_epi32(0x0f0f0f0f);
    const __m512i two = _mm512_set1_epi32(0x30303030);
    struct scales s;
    s.d = halves(g + 32 * half);
    s.dmin = halves(g + LINE + 32 * half);
    g += 2 * LINE + LINE * half;
    __m512i a = line(g), b = line(g + PAIR), c = line(g + 2 * PAIR);
    s.scale[0] = _mm512_and_si512(a, six);
    s.minimum[0] = _mm512_and_si512(b, six);
    s.scale[1] =
        _mm512_or_si512(_mm512_and_si512(c, four), _mm512_and_si512(_mm512_srli_epi32(a, 2), two));
    s.minimum[1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(c, 4), four),
                                   _mm512_and_si512(_mm512_srli_epi32(b, 2), two));
    return s;
}

/* Byte `i` of each word as a number. */
TARGET_VNNI ALWAYS_INLINE __m512i byte_of(__m512i words, int i)
{
    return _mm512_and_si512(_mm512_srli_epi32(words, (unsigned)(8 * i)), _mm512_set1_epi32(255));
}

/* The minima's part: sum of minimum times the activations' sums, exact in 32 bits. */
TARGET_VNNI ALWAYS_INLINE __m512i minima(const struct scales *s, const struct act256 *x)
{
    const __m512i even = _mm512_set1_epi32(0x00ff00ff);
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < 2; i++) {
        int32_t b[4];
        for (int j = 0; j < 4; j++)
            b[j] = x->sums[8 * i + 2 * j] + x->sums[8 * i + 2 * j + 1];
        int32_t low = (int32_t)((uint32_t)(uint16_t)b[0] | (uint32_t)(uint16_t)b[2] << 16);
        int32_t high = (int32_t)((uint32_t)(uint16_t)b[1] | (uint32_t)(uint16_t)b[3] << 16);
        sum =
            _mm512_dpwssd_epi32(sum, _mm512_and_si512(s->minimum[i], even), _mm512_set1_epi32(low));
        sum = _mm512_dpwssd_epi32(sum, _mm512_and_si512(_mm512_srli_epi32(s->minimum[i], 8), even),
                                  _mm512_set1_epi32(high));
    }
    return sum;
}

/* Word p of sub-block i: nibbles, with the fifth bit where the type has one. */
TARGET_VNNI ALWAYS_INLINE __m512i load45(bool fifth, const uint8_t *words, int i, int p)
{
    const __m512i low = _mm512_set1_epi8(15), bit = _mm512_set1_epi8(16);
    const uint8_t *qs = fifth ? words + 8 * PAIR : words;
    __m512i q = line(qs + PAIR * (8 * (i / 2) + p));
    q = _mm512_and_si512(i % 2 ? _mm512_srli_epi16(q, 4) : q, low);
    if (fifth) {
        __m512i high = line(words + PAIR * p);
        high = i <= 4 ? _mm512_slli_epi16(high, (uint8_t)(4 - i))
                      : _mm512_srli_epi16(high, (uint8_t)(i - 4));
        q = _mm512_or_si512(q, _mm512_and_si512(high, bit));
    }
    return q;
}

/* One super-block of sixteen rows, added to the outputs of `tokens` rows of activations. */
TARGET_VNNI ALWAYS_INLINE void super45(bool fifth, const uint8_t *g, int half, const uint8_t *x,
                                       size_t x_size, int tokens, __m512 *acc)
{
    struct scales s = load_scales(g, half);
    const uint8_t *words = g + 2 * LINE + 3 * PAIR + LINE * half;
    __m512i sum[TOKENS];
    for (int t = 0; t < tokens; t++)
        sum[t] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        __m512i q[8], scale = byte_of(s.scale[i / 4], i % 4);
#pragma GCC unroll 8
        for (int p = 0; p < 8; p++)
            q[p] = load45(fifth, words, i, p);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const struct act256 *a = (const void *)(x + (size_t)t * x_size);
            __m512i u = _mm512_setzero_si512();
#pragma GCC unroll 8
            for (int p = 0; p < 8; p++)
                u = times(u, q[p], a->q + 32 * i + 4 * p);
            sum[t] = _mm512_add_epi32(sum[t], _mm512_mullo_epi32(u, scale));
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++) {
        const struct act256 *a = (const void *)(x + (size_t)t * x_size);
        const __m512 dx = _mm512_set1_ps(a->d);
        acc[t] = _mm512_fmadd_ps(_mm512_mul_ps(s.d, dx), _mm512_cvtepi32_ps(sum[t]), acc[t]);
        acc[t] =
            _mm512_fnmadd_ps(_mm512_mul_ps(s.dmin, dx), _mm512_cvtepi32_ps(minima(&s, a)), acc[t]);
    }
}

/* ---- Q6_K: signed scales for sixteen weights ------------------------------ */

/* The sixteen bytes of scales are units of 2: byte i % 2 of a row's unit i / 2. */
TARGET_VNNI ALWAYS_INLINE __m512i scale6(const uint8_t *units, int i)
{
    __m512i pair = _mm512_cvtepu16_epi32(_mm256_load_si256((const void *)(units + LINE * (i / 2))));
    return _mm512_srai_epi32(_mm512_slli_epi32(pair, i % 2 ? 16 : 24), 24);
}

/* Word p of part `i` of 32 weights, six bits each. */
TARGET_VNNI ALWAYS_INLINE __m512i load6(const uint8_t *lows, const uint8_t *highs, int i, int p)
{
    const __m512i low = _mm512_set1_epi8(15), two = _mm512_set1_epi8(0x30);
    __m512i lo = line(lows + PAIR * (16 * (i / 4) + 8 * (i % 2) + p));
    __m512i hi = line(highs + PAIR * (8 * (i / 4) + p));
    unsigned part = (unsigned)i % 4, shift = part * 2;
    lo = _mm512_and_si512(_mm512_srli_epi16(lo, (uint8_t)(part / 2 * 4)), low);
    hi = shift <= 4 ? _mm512_slli_epi16(hi, (uint8_t)(4 - shift))
                    : _mm512_srli_epi16(hi, (uint8_t)(shift - 4));
    return _mm512_or_si512(lo, _mm512_and_si512(hi, two));
}

TARGET_VNNI ALWAYS_INLINE void super6(const uint8_t *g, int half, const uint8_t *x, size_t x_size,
                                      int tokens, __m512 *acc)
{
    const uint8_t *lows = g + LINE * half, *highs = lows + 32 * PAIR;
    const uint8_t *units = g + 48 * PAIR + 32 * half;
    __m512i sum[TOKENS];
    for (int t = 0; t < tokens; t++)
        sum[t] = _mm512_setzero_si512();
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        __m512i q[4], scale = scale6(units, i);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            q[k] = load6(lows, highs, i / 2, i % 2 * 4 + k);
#pragma GCC unroll 8
        for (int t = 0; t < tokens; t++) {
            const struct act256 *a = (const void *)(x + (size_t)t * x_size);
            __m512i u = _mm512_set1_epi32(-32 * a->sums[i]);
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                u = times(u, q[k], a->q + 16 * i + 4 * k);
            sum[t] = _mm512_add_epi32(sum[t], _mm512_mullo_epi32(u, scale));
        }
    }
    __m512 d = halves(g + 48 * PAIR + 8 * LINE + 32 * half);
#pragma GCC unroll 8
    for (int t = 0; t < tokens; t++) {
        const struct act256 *a = (const void *)(x + (size_t)t * x_size);
        acc[t] = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(a->d)), _mm512_cvtepi32_ps(sum[t]),
                                 acc[t]);
    }
}

/* ---- all rows ------------------------------------------------------------- */

TARGET_VNNI ALWAYS_INLINE void super(enum dtype t, const uint8_t *g, int half, const uint8_t *x,
                                     size_t x_size, int tokens, __m512 *acc)
{
    if (t == DTYPE_Q6_K)
        super6(g, half, x, x_size, tokens, acc);
    else
        super45(t == DTYPE_Q5_K, g, half, x, x_size, tokens, acc);
}

/* One row of activations: both halves of a group in turn, so that memory is read in order. */
TARGET_VNNI ALWAYS_INLINE void single(enum dtype t, const uint8_t *g, const struct product *p,
                                      size_t m, size_t n)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP, blocks = p->w->cols / 256;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    __m512 a = _mm512_setzero_ps(), b = a;
    for (size_t i = 0; i < blocks; i++, g += bytes, x += sizeof(struct act256)) {
        super(t, g, 0, x, 0, 1, &a);
        super(t, g, 1, x, 0, 1, &b);
    }
    _mm512_storeu_ps(p->y + m * p->y_stride + n, a);
    _mm512_storeu_ps(p->y + m * p->y_stride + n + 16, b);
}

TARGET_VNNI ALWAYS_INLINE void several(enum dtype t, const uint8_t *g, int half,
                                       const struct product *p, size_t m, size_t n)
{
    size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP, blocks = p->w->cols / 256;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    __m512 acc[TOKENS];
    for (int k = 0; k < TOKENS; k++)
        acc[k] = _mm512_setzero_ps();
    for (size_t i = 0; i < blocks; i++, g += bytes, x += sizeof(struct act256))
        super(t, g, half, x, p->x_size, TOKENS, acc);
    for (int k = 0; k < TOKENS; k++)
        _mm512_storeu_ps(p->y + (m + (size_t)k) * p->y_stride + n + 16 * (size_t)half, acc[k]);
}

TARGET_VNNI ALWAYS_INLINE void product(enum dtype t, const struct product *p, size_t n0, size_t n1)
{
    for (size_t n = n0; n < n1; n += MATRIX_GROUP) {
        const uint8_t *g = p->w->data + n * p->w->row_bytes;
        size_t m = 0;
        for (; m + TOKENS <= p->batch; m += TOKENS) {
            several(t, g, 0, p, m, n);
            several(t, g, 1, p, m, n);
        }
        for (; m < p->batch; m++)
            single(t, g, p, m, n);
    }
}

#define KERNEL(NAME, name)                                                                         \
    TARGET_VNNI void name##_avx512(const struct product *p, size_t n0, size_t n1)                  \
    {                                                                                              \
        product(DTYPE_##NAME, p, n0, n1);                                                          \
    }
KERNEL(Q4_K, q4_k)
KERNEL(Q5_K, q5_k)
KERNEL(Q6_K, q6_k)
#endif
