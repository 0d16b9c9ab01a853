/*
 * Private to src/numerics: products of packed groups, written once over the
 * registers of vec_avx2.h or vec_avx512.h. Lane = row: bytes 4p..4p+3 of a
 * block of sixteen rows are one line, so a word of activations meets WIDTH rows
 * in one instruction. matrix_pack lays the lines in the order in which one row
 * of activations reads them: the processor's own prefetching then runs ahead,
 * and measured twice as fast as any other order or prefetching by hand.
 */
#ifndef NUMERICS_PACKED_H
#define NUMERICS_PACKED_H

#include "numerics/blocks.h"

/* LINE: a 16-bit field of a group's 32 rows, or a word of half of them. */
enum { LINE = 64, VECTORS = MATRIX_GROUP / WIDTH, HALF = 16 / WIDTH };

ALWAYS_INLINE bool is_super(enum dtype t)
{
    return t == DTYPE_Q4_K || t == DTYPE_Q5_K || t == DTYPE_Q6_K || t == DTYPE_IQ4_XS;
}

ALWAYS_INLINE bool has_book(enum dtype t)
{
    return t == DTYPE_IQ4_NL || t == DTYPE_IQ4_XS;
}

ALWAYS_INLINE bool has_fifth(enum dtype t)
{
    return t == DTYPE_Q5_0 || t == DTYPE_Q5_1 || t == DTYPE_Q5_K;
}

ALWAYS_INLINE bool has_minimum(enum dtype t)
{
    return t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q4_K || t == DTYPE_Q5_K;
}

/* Of a weight as the products see it. */
ALWAYS_INLINE int bits_of_weight(enum dtype t)
{
    if (t == DTYPE_Q8_0 || has_book(t))
        return 8;
    return t == DTYPE_Q6_K ? 6 : has_fifth(t) ? 5 : 4;
}

/* What was added to the weights to make them unsigned. */
ALWAYS_INLINE int offset_of(enum dtype t)
{
    if (t == DTYPE_Q4_0)
        return 8;
    if (t == DTYPE_Q5_0)
        return 16;
    return t == DTYPE_Q6_K ? 32 : bits_of_weight(t) == 8 ? SIGNED_OFFSET : 0;
}

/* Nibbles as the signed entries of IQ4's code book. */
TARGET_VEC ALWAYS_INLINE vec from_book(vec nibbles)
{
    __m128i book = _mm_loadu_si128((const void *)iq4_values);
    return vec_signed(vec_book(book, nibbles));
}

/* Words of a row in a block. */
ALWAYS_INLINE int count_of_words(enum dtype t)
{
    switch ((int)t) {
    case DTYPE_Q8_0:
        return 8;
    case DTYPE_Q5_0:
    case DTYPE_Q5_1:
        return 5;
    case DTYPE_Q4_K:
        return 35;
    case DTYPE_Q5_K:
        return 43;
    case DTYPE_Q6_K:
        return 48;
    case DTYPE_IQ4_XS:
        return 33;
    default:
        return 4;
    }
}

/* Where the words of vector v begin; `g`: behind the group's 16-bit fields. */
ALWAYS_INLINE const uint8_t *words_of(enum dtype t, const uint8_t *g, int v)
{
    return g + v / HALF * count_of_words(t) * LINE + v % HALF * 4 * WIDTH;
}

/* ---- blocks of 32 --------------------------------------------------------- */

/* Bits 4p..4p+3 of each row's word become bit 4 of the word's four bytes. */
TARGET_VEC ALWAYS_INLINE vec fifth_bits(vec high, int p)
{
    vec four = vec_and(vec_right(high, 4 * p), vec_all(15));
    four = vec_and(vec_multiply(four, vec_all(0x00204081)), vec_all(0x01010101));
    return vec_left(four, 4);
}

/* The eight words of WIDTH rows; `g`: behind the scales. */
TARGET_VEC ALWAYS_INLINE void words32(enum dtype t, const uint8_t *g, vec *q)
{
    const vec low = vec_all(0x0f0f0f0f);
    if (t == DTYPE_Q8_0) {
        for (int p = 0; p < 8; p++)
            q[p] = vec_signed(vec_load(g + LINE * p));
        return;
    }
    vec high = low;
    if (has_fifth(t)) {
        high = vec_load(g);
        g += LINE;
    }
    for (int p = 0; p < 4; p++) {
        vec both = vec_load(g + LINE * p);
        q[p] = vec_and(both, low);
        q[p + 4] = vec_and(vec_right(both, 4), low);
    }
    for (int p = 0; has_fifth(t) && p < 8; p++)
        q[p] = vec_or(q[p], fifth_bits(high, p));
    for (int p = 0; has_book(t) && p < 8; p++)
        q[p] = from_book(q[p]);
}

/*
 * One block of vectors v.. of a group, `vectors` of them, added to the outputs of `tokens` rows of
 * activations. Two vectors share what is loaded of the activations: a processor that can load one
 * register a cycle loads for one of them about as often as it multiplies.
 */
TARGET_VEC ALWAYS_INLINE void block32(enum dtype t, const uint8_t *g, int v, int vectors,
                                      const uint8_t *x, size_t x_size, int tokens,
                                      reals acc[][TOKENS])
{
    const uint8_t *words = g + (has_minimum(t) ? 2 : 1) * LINE;
    vec q[SHARED][8];
    reals d[SHARED], least[SHARED];
    d[SHARED - 1] = least[SHARED - 1] = reals_all(0); /* where there is one vector, of no use */
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) {
        d[i] = reals_halves(g + 2 * WIDTH * (v + i));
        least[i] = has_minimum(t) ? reals_halves(g + LINE + 2 * WIDTH * (v + i)) : d[i];
        words32(t, words_of(t, words, v + i), q[i]);
    }
#pragma GCC unroll 8
    for (int k = 0; k < tokens; k++) {
        const struct act32 *a = (const void *)(x + (size_t)k * x_size);
        const reals dx = reals_all(a->d);
        vec s[SHARED];
#pragma GCC unroll 2
        for (int i = 0; i < vectors; i++)
            s[i] = vec_all(offset_of(t) / 8 * a->less);
        vec_dots(s, q, vectors, a->q, bits_of_weight(t));
#pragma GCC unroll 2
        for (int i = 0; i < vectors; i++) {
            reals *to = &acc[i][k];
            *to = reals_fma(reals_multiply(d[i], dx), reals_of(s[i]), *to);
            if (has_minimum(t))
                *to = reals_fma(reals_multiply(least[i], dx), reals_all((float)act32_sum(a)), *to);
        }
    }
}

/* ---- super-blocks of 256 -------------------------------------------------- */

/* What a super-block has beside its weights. */
struct scales {
    vec scale[2], minimum[2]; /* Q4_K, Q5_K: byte i % 4 of word i / 4 is of sub-block i */
    vec low, high;            /* IQ4_XS: four and two bits of each */
    vec pairs[8];             /* Q6_K: byte i % 2 of i / 2 */
    const uint8_t *words;     /* the weights */
    reals d, least;
};

/* get_scale_min_k4 for four sub-blocks at once. */
TARGET_VEC ALWAYS_INLINE void six_bits(struct scales *s, const uint8_t *g)
{
    const vec six = vec_all(0x3f3f3f3f), four = vec_all(0x0f0f0f0f), two = vec_all(0x30303030);
    vec a = vec_load(g), b = vec_load(g + LINE), c = vec_load(g + 2 * LINE);
    s->scale[0] = vec_and(a, six);
    s->minimum[0] = vec_and(b, six);
    s->scale[1] = vec_or(vec_and(c, four), vec_and(vec_right(a, 2), two));
    s->minimum[1] = vec_or(vec_and(vec_right(c, 4), four), vec_and(vec_right(b, 2), two));
}

/* Members that the type has no use for stay zero, and cost nothing: all is inlined. */
TARGET_VEC ALWAYS_INLINE struct scales scales_of(enum dtype t, const uint8_t *g, int v)
{
    const int at = 2 * WIDTH * v;
    struct scales s = {.d = reals_halves(g + at)};
    if (t == DTYPE_Q6_K) {
        for (int i = 0; i < 8; i++)
            s.pairs[i] = vec_load16(g + LINE * (1 + i) + at);
        s.words = words_of(t, g + 9 * LINE, v);
        return s;
    }
    s.words = words_of(t, g + 2 * LINE, v);
    if (t == DTYPE_IQ4_XS) {
        s.high = vec_load16(g + LINE + at);
        s.low = vec_load(s.words);
        s.words += LINE;
        return s;
    }
    s.least = reals_halves(g + LINE + at);
    six_bits(&s, s.words);
    s.words += 3 * LINE;
    return s;
}

TARGET_VEC ALWAYS_INLINE vec scale_of(enum dtype t, const struct scales *s, int i)
{
    if (t == DTYPE_Q6_K) {
        return vec_right_signed(vec_left(s->pairs[i / 2], i % 2 ? 16 : 24), 24);
    }
    if (t == DTYPE_IQ4_XS) {
        vec low = vec_and(vec_right(s->low, 4 * i), vec_all(15));
        vec high = vec_and(vec_right(s->high, 2 * i), vec_all(3));
        return vec_add(vec_or(low, vec_left(high, 4)), vec_all(-32));
    }
    return vec_and(vec_right(s->scale[i / 4], i % 4 * 8), vec_all(255));
}

/* `a` shifted so that its bits from..from+n-1 are at `to`; the others are for vec_and. */
TARGET_VEC ALWAYS_INLINE vec moved(vec a, int from, int to)
{
    return from <= to ? vec_left(a, to - from) : vec_right(a, from - to);
}

/* Word p of part i of 32 weights. */
TARGET_VEC ALWAYS_INLINE vec word256(enum dtype t, const uint8_t *g, int i, int p)
{
    const vec low = vec_all(0x0f0f0f0f);
    if (t == DTYPE_IQ4_XS) {
        const uint8_t *at = g + LINE * (4 * i + p % 4);
        return from_book(vec_and(vec_right(vec_load(at), p / 4 * 4), low));
    }
    const uint8_t *at = g + LINE * (8 * (i / 2) + p + (has_fifth(t) ? 8 : 0));
    vec four = vec_and(vec_right(vec_load(at), i % 2 * 4), low);
    if (!has_fifth(t))
        return four;
    return vec_or(four, vec_and(moved(vec_load(g + LINE * p), i, 4), vec_all(0x10101010)));
}

/*
 * Q6_K: word p of four of sub-block i, in the order in which a line's bits are all used soon:
 * two bits of four sub-blocks, then the nibbles of two of them, then of the other two.
 */
ALWAYS_INLINE int sub6(int i)
{
    return i / 8 * 8 + i % 2 * 4 + i / 2 % 2 * 2 + i / 4 % 2;
}

TARGET_VEC ALWAYS_INLINE vec word6(const uint8_t *g, int i, int p)
{
    const int high = i % 2, odd = i / 2 % 2;
    const uint8_t *over = g + LINE * (12 * (i / 4) + p), *at = over + LINE * (4 + 4 * odd);
    vec four = vec_and(vec_right(vec_load(at), 4 * high), vec_all(0x0f0f0f0f));
    vec two = vec_and(moved(vec_load(over), 4 * high + 2 * odd, 4), vec_all(0x30303030));
    return vec_or(four, two);
}

/* The minima's part: sum of minimum times the activations' sums, exact in 32 bits. */
TARGET_VEC ALWAYS_INLINE vec minima(const struct scales *s, const struct act256 *x)
{
    const vec even = vec_all(0x00ff00ff);
    vec sum = vec_all(0);
    for (int i = 0; i < 2; i++) {
        int32_t b[4];
        for (int j = 0; j < 4; j++)
            b[j] = x->sums[8 * i + 2 * j] + x->sums[8 * i + 2 * j + 1];
        int32_t low = (int32_t)((uint32_t)(uint16_t)b[0] | (uint32_t)(uint16_t)b[2] << 16);
        int32_t high = (int32_t)((uint32_t)(uint16_t)b[1] | (uint32_t)(uint16_t)b[3] << 16);
        sum = vec_pairs(sum, vec_and(s->minimum[i], even), vec_all(low));
        sum = vec_pairs(sum, vec_and(vec_right(s->minimum[i], 8), even), vec_all(high));
    }
    return sum;
}

/* A sub-block's sum of activations times minus the offset of its weights. */
ALWAYS_INLINE int32_t begin_of(enum dtype t, const struct act256 *x, int i)
{
    if (offset_of(t) == 0)
        return 0;
    return -offset_of(t) * (t == DTYPE_Q6_K ? x->sums[i] : x->sums[2 * i] + x->sums[2 * i + 1]);
}

/*
 * One super-block, as block32. A sub-block's products are one integer of each
 * row; its scale multiplies that integer before all are added, so a super-block
 * has the exact sum of the specification.
 */
TARGET_VEC ALWAYS_INLINE void block256(enum dtype t, const uint8_t *g, int v, const uint8_t *x,
                                       size_t x_size, int tokens, reals *acc)
{
    const int subs = t == DTYPE_Q6_K ? 16 : 8, words = 64 / subs;
    const struct scales s = scales_of(t, g, v);
    vec sum[TOKENS];
    for (int k = 0; k < tokens; k++)
        sum[k] = vec_all(0);
#pragma GCC unroll 16
    for (int n = 0; n < subs; n++) {
        const int i = t == DTYPE_Q6_K ? sub6(n) : n;
        vec q[8], scale = scale_of(t, &s, i);
#pragma GCC unroll 8
        for (int p = 0; p < words; p++)
            q[p] = t == DTYPE_Q6_K ? word6(s.words, n, p) : word256(t, s.words, n, p);
#pragma GCC unroll 8
        for (int k = 0; k < tokens; k++) {
            const struct act256 *a = (const void *)(x + (size_t)k * x_size);
            vec u = vec_dot(vec_all(begin_of(t, a, i)), q, a->q + 4 * words * i, words,
                            bits_of_weight(t));
            sum[k] = vec_add(sum[k], vec_multiply(u, scale));
        }
    }
#pragma GCC unroll 8
    for (int k = 0; k < tokens; k++) {
        const struct act256 *a = (const void *)(x + (size_t)k * x_size);
        const reals dx = reals_all(a->d);
        acc[k] = reals_fma(reals_multiply(s.d, dx), reals_of(sum[k]), acc[k]);
        if (has_minimum(t))
            acc[k] = reals_fms(reals_multiply(s.least, dx), reals_of(minima(&s, a)), acc[k]);
    }
}

/* ---- all blocks, all rows ------------------------------------------------- */

TARGET_VEC ALWAYS_INLINE void block(enum dtype t, const uint8_t *g, int v, int vectors,
                                    const uint8_t *x, size_t x_size, int tokens,
                                    reals acc[][TOKENS])
{
    const int shared = tokens > 1 && vectors > 1 ? SHARED : 1; /* alone, in memory's order */
    if (!is_super(t)) {
#pragma GCC unroll 4
        for (int i = 0; i < vectors; i += shared)
            block32(t, g, v + i, shared, x, x_size, tokens, acc + i);
        return;
    }
#pragma GCC unroll 4
    for (int i = 0; i < vectors; i++) {
        block256(t, g, v + i, x, x_size, tokens, acc[i]);
        /* Loading a word of activations again is free; gcc kept 64 of them on the stack. */
        __asm__ volatile("" ::: "memory");
    }
}

/* Lines of the next group that a tile brings near for each block of its own: one for 32 weights of
 * a vector, so that it has arrived when it is needed, and no tile waits for memory. */
ALWAYS_INLINE size_t lines_ahead(enum dtype t, int vectors)
{
    return (size_t)vectors * (is_super(t) ? 8 : 1);
}

/* Where tile `j` over the group at row n begins with that; NULL when it has all arrived. */
ALWAYS_INLINE const uint8_t *ahead(const struct product *p, size_t n, size_t j, int vectors)
{
    const size_t group = p->w->row_bytes * MATRIX_GROUP;
    const size_t share = p->w->cols / 32 * LINE * (size_t)vectors;
    return (j + 1) * share <= group ? p->w->data + n * p->w->row_bytes + group + j * share : NULL;
}

/* Vectors v..v+vectors-1 of a group times rows m..m+tokens-1 of the activations. */
TARGET_VEC ALWAYS_INLINE void tile(enum dtype t, const struct product *p, size_t n, size_t m, int v,
                                   int vectors, int tokens)
{
    const size_t bytes = (size_t)dtypes[t].bytes * MATRIX_GROUP;
    const size_t blocks = p->w->cols / (is_super(t) ? 256 : 32);
    const size_t step = is_super(t) ? sizeof(struct act256) : sizeof(struct act32);
    const size_t many = m / (size_t)tokens; /* tiles before this one, of one vector */
    const uint8_t *g = p->w->data + n * p->w->row_bytes;
    const uint8_t *x = (const uint8_t *)p->x + m * p->x_size;
    reals acc[VECTORS][TOKENS];
    for (int i = 0; i < vectors; i++) {
        for (int k = 0; k < tokens; k++)
            acc[i][k] = reals_all(0.0f);
    }
    const uint8_t *next = NULL;
    if (tokens == TOKENS || tokens == WIDE)
        next = ahead(p, n, many * VECTORS / (size_t)vectors + (size_t)v, vectors);
    for (size_t b = 0; b < blocks; b++, g += bytes, x += step) {
        for (size_t i = 0; next != NULL && i < lines_ahead(t, vectors); i++, next += LINE)
            __builtin_prefetch(next, 0, 2);
        block(t, g, v, vectors, x, p->x_size, tokens, acc);
    }
    for (int i = 0; i < vectors; i++) {
        for (int k = 0; k < tokens; k++)
            reals_store(p->y + (m + (size_t)k) * p->y_stride + n + (size_t)((v + i) * WIDTH),
                        acc[i][k]);
    }
}

/* Whether the next tile is WIDE rows of activations by two vectors, when `left` rows are to come:
 * never so that single ones would be left over that a tile of TOKENS takes in. */
ALWAYS_INLINE bool is_wide(enum dtype t, size_t left)
{
    return SHARED > 1 && !is_super(t) && !has_minimum(t) && left >= WIDE && left != TOKENS &&
           left != TOKENS + 1;
}

/* Several rows of activations share a load of weights; one alone reads memory in order. */
TARGET_VEC ALWAYS_INLINE void groups(enum dtype t, const struct product *p, size_t n0, size_t n1)
{
    for (size_t n = n0; n < n1; n += MATRIX_GROUP) {
        size_t m = 0;
        for (; is_wide(t, p->batch - m); m += WIDE)
            tile(t, p, n, m, 0, SHARED, WIDE);
        for (; m + TOKENS <= p->batch; m += TOKENS) {
            for (int v = 0; v < VECTORS; v++)
                tile(t, p, n, m, v, 1, TOKENS);
        }
        for (; !is_super(t) && m + TOKENS / 2 <= p->batch; m += TOKENS / 2) {
            for (int v = 0; v < VECTORS; v++)
                tile(t, p, n, m, v, 1, TOKENS / 2);
        }
        for (; m < p->batch; m++)
            tile(t, p, n, m, 0, VECTORS, 1);
    }
}

#define KERNEL(NAME, name)                                                                         \
    TARGET_VEC void PACKED_KERNEL(name)(const struct product *p, size_t n0, size_t n1)             \
    {                                                                                              \
        groups(DTYPE_##NAME, p, n0, n1);                                                           \
    }
/* A file for each, because compilers take their time. */
#if PACKED_BLOCK == 32
KERNEL(Q4_0, q4_0)
KERNEL(Q4_1, q4_1)
KERNEL(Q5_0, q5_0)
KERNEL(Q5_1, q5_1)
KERNEL(Q8_0, q8_0)
KERNEL(IQ4_NL, iq4_nl)
#else
KERNEL(Q4_K, q4_k)
KERNEL(Q5_K, q5_k)
KERNEL(Q6_K, q6_k)
KERNEL(IQ4_XS, iq4_xs)
#endif

#endif
