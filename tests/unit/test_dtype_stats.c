/*
 * What must not show in a decoded value or a statistic: byte order, the
 * instruction set, alignment, threads, where reads were cut. And that the
 * statistics are what their names say, against sums in long double.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dtype/decode.h"

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Exactly n bytes, so that a sanitizer sees every read beyond them. Caller frees. */
static uint8_t *random_bytes(size_t n)
{
    uint8_t *p = malloc(n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(random_bits() >> 32);
    return p;
}

static float *decoded(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian)
{
    float *y = malloc(blocks * dtypes[t].block * sizeof *y);
    assert_non_null(y);
    dtype_decode(t, src, blocks, big_endian, y);
    return y;
}

static struct stats whole(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian)
{
    struct stats all;
    size_t step = STATS_CHUNK / dtypes[t].block;
    stats_init(&all);
    for (size_t done = 0; done < blocks; done += step) {
        struct stats s;
        size_t n = blocks - done < step ? blocks - done : step;
        stats_chunk(&s, t, src + done * dtypes[t].bytes, n, big_endian);
        stats_merge(&all, &s);
    }
    return all;
}

static void same_stats(enum dtype t, const struct stats *a, const struct stats *b)
{
    if (memcmp(a, b, sizeof *a) != 0)
        fail_msg("%s: sums %a and %a, squares %a and %a, %llu and %llu zeros", dtype_name(t),
                 a->sum, b->sum, a->sum_squares, b->sum_squares, (unsigned long long)a->zeros,
                 (unsigned long long)b->zeros);
}

/* Multi-byte fields written from the C structures, apart from the decoders' own table. */
static const struct {
    enum dtype type;
    struct {
        int at, width, count;
    } fields[3];
} swapped[] = {
    {DTYPE_F32, {{0, 4, 1}}},
    {DTYPE_F16, {{0, 2, 1}}},
    {DTYPE_BF16, {{0, 2, 1}}},
    {DTYPE_F64, {{0, 8, 1}}},
    {DTYPE_C64, {{0, 4, 2}}},
    {DTYPE_C128, {{0, 8, 2}}},
    {DTYPE_U16, {{0, 2, 1}}},
    {DTYPE_I16, {{0, 2, 1}}},
    {DTYPE_U32, {{0, 4, 1}}},
    {DTYPE_I32, {{0, 4, 1}}},
    {DTYPE_U64, {{0, 8, 1}}},
    {DTYPE_I64, {{0, 8, 1}}},
    {DTYPE_Q4_0, {{0, 2, 1}}},
    {DTYPE_Q4_1, {{0, 2, 2}}},
    {DTYPE_Q5_0, {{0, 2, 1}}},
    {DTYPE_Q5_1, {{0, 2, 2}}},
    {DTYPE_Q8_0, {{0, 2, 1}}},
    {DTYPE_Q8_1, {{0, 2, 2}}},
    {DTYPE_Q2_K, {{80, 2, 2}}},
    {DTYPE_Q3_K, {{108, 2, 1}}},
    {DTYPE_Q4_K, {{0, 2, 2}}},
    {DTYPE_Q5_K, {{0, 2, 2}}},
    {DTYPE_Q6_K, {{208, 2, 1}}},
    {DTYPE_Q8_K, {{0, 4, 1}, {260, 2, 16}}},
    {DTYPE_IQ2_XXS, {{0, 2, 1}, {2, 2, 32}}},
    {DTYPE_IQ2_XS, {{0, 2, 1}, {2, 2, 32}}},
    {DTYPE_IQ2_S, {{0, 2, 1}}},
    {DTYPE_IQ3_XXS, {{0, 2, 1}}},
    {DTYPE_IQ3_S, {{0, 2, 1}}},
    {DTYPE_IQ1_S, {{0, 2, 1}, {34, 2, 8}}},
    {DTYPE_IQ4_NL, {{0, 2, 1}}},
    {DTYPE_IQ4_XS, {{0, 2, 1}, {2, 2, 1}}},
    {DTYPE_TQ1_0, {{52, 2, 1}}},
    {DTYPE_TQ2_0, {{64, 2, 1}}},
    {DTYPE_Q1_0, {{0, 2, 1}}},
    {DTYPE_Q2_0, {{0, 2, 1}}},
};

static void turn(uint8_t *block, int at, int width, int count)
{
    for (int i = 0; i < count; i++, at += width) {
        uint8_t copy[8];
        memcpy(copy, block + at, (size_t)width);
        for (int j = 0; j < width; j++)
            block[at + j] = copy[width - 1 - j];
    }
}

static void turn_blocks(enum dtype t, uint8_t *p, size_t blocks)
{
    for (size_t r = 0; r < sizeof swapped / sizeof swapped[0]; r++) {
        for (size_t b = 0; b < blocks && swapped[r].type == t; b++) {
            for (int f = 0; f < 3; f++)
                turn(p + b * dtypes[t].bytes, swapped[r].fields[f].at, swapped[r].fields[f].width,
                     swapped[r].fields[f].count);
        }
    }
}

static void big_endian_blocks_decode_as_their_mirror(void **state)
{
    (void)state;
    for (int i = 0; i < (int)DTYPE_COUNT; i++) {
        enum dtype t = (enum dtype)i;
        size_t blocks = (size_t)9001 / dtypes[t].bytes * 3 + 1;
        size_t bytes = blocks * dtypes[t].bytes;
        uint8_t *little = random_bytes(bytes), *big = malloc(bytes);
        assert_non_null(big);
        memcpy(big, little, bytes);
        turn_blocks(t, big, blocks);
        float *a = decoded(t, little, blocks, false), *b = decoded(t, big, blocks, true);
        if (memcmp(a, b, blocks * dtypes[t].block * sizeof *a) != 0)
            fail_msg("%s differs", dtype_name(t));
        struct stats s = whole(t, little, blocks, false), u = whole(t, big, blocks, true);
        same_stats(t, &s, &u);
        free(a);
        free(b);
        free(little);
        free(big);
    }
}

/* Odd numbers of blocks, unaligned, and one block at a time. */
static void check_isas(enum dtype t, size_t blocks)
{
    size_t bytes = blocks * dtypes[t].bytes, n = blocks * dtypes[t].block;
    uint8_t *src = random_bytes(bytes + 1);
    isa_limit(ISA_PLAIN);
    float *plain = decoded(t, src + 1, blocks, false);
    struct stats want = whole(t, src + 1, blocks, false);
    for (int isa = ISA_AVX2; isa < ISA_COUNT; isa++) {
        isa_limit((enum isa)isa);
        float *y = decoded(t, src + 1, blocks, false);
        if (memcmp(plain, y, n * sizeof *y) != 0)
            fail_msg("%s: %zu blocks decode differently on instruction set %d", dtype_name(t),
                     blocks, isa);
        struct stats s = whole(t, src + 1, blocks, false);
        same_stats(t, &want, &s);
        memset(y, 0, n * sizeof *y);
        for (size_t b = 0; b < blocks; b++)
            dtype_decode(t, src + 1 + b * dtypes[t].bytes, 1, false, y + b * dtypes[t].block);
        assert_memory_equal(plain, y, n * sizeof *y);
        free(y);
    }
    free(plain);
    free(src);
}

static void every_instruction_set_gives_the_same_bits(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 7, 15, 17, 31, 33, 63, 127};
    for (int t = 0; t < (int)DTYPE_COUNT; t++) {
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            check_isas((enum dtype)t, counts[i]);
        check_isas((enum dtype)t, 3 * (size_t)DECODE_BATCH / dtypes[t].block + 5);
        check_isas((enum dtype)t, (size_t)STATS_CHUNK / dtypes[t].block + 11);
    }
}

struct job {
    enum dtype type;
    const uint8_t *src;
    size_t blocks;
    struct stats result;
};

static void *run_job(void *arg)
{
    struct job *j = arg;
    stats_chunk(&j->result, j->type, j->src, j->blocks, false);
    return NULL;
}

static void threads_do_not_show_in_statistics(void **state)
{
    (void)state;
    enum { JOBS = 4 };
    size_t blocks = JOBS * (STATS_CHUNK / 32) - 77;
    uint8_t *src = random_bytes(blocks * BYTES_Q8_0);
    struct stats want = whole(DTYPE_Q8_0, src, blocks, false);
    pthread_t threads[JOBS];
    struct job jobs[JOBS];
    for (size_t i = 0, step = STATS_CHUNK / 32; i < JOBS; i++) {
        size_t n = blocks - i * step < step ? blocks - i * step : step;
        jobs[i] = (struct job){.type = DTYPE_Q8_0, .src = src + i * step * BYTES_Q8_0, .blocks = n};
        assert_int_equal(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
    }
    struct stats all;
    stats_init(&all);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        stats_merge(&all, &jobs[i].result);
    }
    same_stats(DTYPE_Q8_0, &want, &all);
    free(src);
}

static void check_close(enum dtype t, double got, long double want, long double scale)
{
    long double error = fabsl((long double)got - want);
    if (error > scale * 0x1p-40L)
        fail_msg("%s: %.17g, definition %.17Lg", dtype_name(t), got, want);
}

/* The squares of random floats fit a long double, whatever their exponents. */
static void check_definition(enum dtype t)
{
    size_t blocks = (STATS_CHUNK + 4321u) / dtypes[t].block;
    uint8_t *src = random_bytes(blocks * dtypes[t].bytes);
    float *y = decoded(t, src, blocks, false);
    struct stats s = whole(t, src, blocks, false);
    long double sum = 0, size = 0, squares = 0;
    uint64_t nan = 0, inf = 0, zeros = 0;
    float min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < blocks * dtypes[t].block; i++) {
        long double x = (long double)y[i];
        nan += isnan(y[i]) != 0;
        inf += isinf(y[i]) != 0;
        if (!isfinite(y[i]))
            continue;
        zeros += y[i] == 0;
        min = y[i] < min ? y[i] : min;
        max = y[i] > max ? y[i] : max;
        sum += x;
        size += fabsl(x);
        squares += x * x;
    }
    assert_true(s.count == blocks * dtypes[t].block);
    assert_true(s.nan == nan && s.inf == inf && s.zeros == zeros);
    assert_true(s.min == (double)min && s.max == (double)max);
    check_close(t, s.sum, sum, size);
    check_close(t, s.sum_squares, squares, squares);
    free(y);
    free(src);
}

static void statistics_are_what_their_names_say(void **state)
{
    (void)state;
    for (int isa = ISA_PLAIN; isa < ISA_COUNT; isa++) {
        isa_limit((enum isa)isa);
        for (int t = 0; t < (int)DTYPE_COUNT; t++) {
            if (decoders[t]->widen == NULL)
                check_definition((enum dtype)t);
        }
    }
}

/* Numbers that no float holds: the statistics take them as doubles. */
static void wide_types_keep_their_extremes(void **state)
{
    (void)state;
    static const int64_t integers[] = {9007199254740993, -9007199254740991, 16777217, 0, 5};
    static const double doubles[] = {1e300, -1e-300, 0.0, (double)NAN, -(double)INFINITY, 0.1};
    static const int32_t words[] = {INT32_MAX, -16777217, 0};
    struct stats s = whole(DTYPE_I64, (const uint8_t *)integers, 5, false);
    assert_true(s.max == 9007199254740992.0 && s.min == -9007199254740991.0 && s.zeros == 1);
    s = whole(DTYPE_F64, (const uint8_t *)doubles, 6, false);
    assert_true(s.max == 1e300 && s.min == -1e-300);
    assert_true(s.count == 6 && s.nan == 1 && s.inf == 1 && s.zeros == 1);
    s = whole(DTYPE_I32, (const uint8_t *)words, 3, false);
    assert_true(s.max == 2147483647.0 && s.min == -16777217.0);
    assert_true(s.sum == 2147483647.0 - 16777217.0);
}

/* One odd element at each place of a row and of the tail. */
static void nan_inf_and_zero_are_seen_at_every_place(void **state)
{
    (void)state;
    enum { N = 53 };
    static const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f, -1e30f, 1e30f};
    for (int isa = ISA_PLAIN; isa < ISA_COUNT; isa++) {
        isa_limit((enum isa)isa);
        for (size_t at = 0; at < N * 7; at++) {
            float v[N];
            for (size_t i = 0; i < N; i++)
                v[i] = 1.0f;
            float x = v[at / 7] = odd[at % 7];
            struct stats s = whole(DTYPE_F32, (const uint8_t *)v, N, false);
            assert_true(s.count == N);
            assert_true(s.nan == (isnan(x) ? 1 : 0) && s.inf == (isinf(x) ? 1 : 0));
            assert_true(s.zeros == (x == 0.0f ? 1 : 0));
            assert_true(s.sum == (N - 1) + (isfinite(x) ? (double)x : 0.0));
            assert_true(s.min == (isfinite(x) && x < 1 ? (double)x : 1.0) &&
                        !signbit(s.min + 2e30));
            assert_true(s.max == (isfinite(x) && x > 1 ? (double)x : 1.0));
        }
    }
}

static void extremes_are_never_minus_zero(void **state)
{
    (void)state;
    float v[20];
    for (int isa = ISA_PLAIN; isa < ISA_COUNT; isa++) {
        isa_limit((enum isa)isa);
        for (int i = 0; i < 20; i++)
            v[i] = i % 3 == 0 ? 0.0f : -0.0f;
        struct stats s = whole(DTYPE_F32, (const uint8_t *)v, 20, false);
        assert_true(s.zeros == 20 && !signbit(s.min) && !signbit(s.max));
        assert_true(stats_mean(&s) == 0.0 && stats_rms(&s) == 0.0);
        for (int i = 0; i < 20; i++)
            v[i] = -0.0f;
        s = whole(DTYPE_F32, (const uint8_t *)v, 20, false);
        assert_true(s.zeros == 20 && !signbit(s.min) && !signbit(s.max));
    }
}

static void nothing_finite_has_no_mean(void **state)
{
    (void)state;
    static const float v[] = {NAN, INFINITY};
    struct stats s = whole(DTYPE_F32, (const uint8_t *)v, 2, false);
    assert_true(isnan(stats_mean(&s)) && isnan(stats_rms(&s)));
    s = whole(DTYPE_F32, NULL, 0, false);
    assert_true(s.count == 0 && isnan(stats_mean(&s)));
    stats_chunk(&s, DTYPE_F32, (const uint8_t *)v, 0, false);
    assert_true(s.count == 0 && s.min > s.max);
}

static int all_instruction_sets(void **state)
{
    (void)state;
    isa_limit(ISA_AVX512);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(big_endian_blocks_decode_as_their_mirror),
        cmocka_unit_test_teardown(every_instruction_set_gives_the_same_bits, all_instruction_sets),
        cmocka_unit_test(threads_do_not_show_in_statistics),
        cmocka_unit_test_teardown(statistics_are_what_their_names_say, all_instruction_sets),
        cmocka_unit_test(wide_types_keep_their_extremes),
        cmocka_unit_test_teardown(nan_inf_and_zero_are_seen_at_every_place, all_instruction_sets),
        cmocka_unit_test_teardown(extremes_are_never_minus_zero, all_instruction_sets),
        cmocka_unit_test(nothing_finite_has_no_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
