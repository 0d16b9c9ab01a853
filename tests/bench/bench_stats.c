/*
 * How fast statistics are taken, in bytes of file per second of one core (processor
 * time, so that neighbours on a shared machine count for less), for every type. The reference is a plain read of the same buffer in the
 * same run: the sum of its 64-bit words. One line each: name, figure,
 * reference, ratio, target, ok or missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "assay/dtype.h"
#include "dtype/decode.h"

enum { BUFFER = 32 << 20, ROUNDS = 5 };

struct target {
    enum dtype type;
    double gigabytes; /* a second and core */
};

static const struct target targets[] = {
    {DTYPE_F32, 1.5},  {DTYPE_F16, 1.5},  {DTYPE_BF16, 1.5}, {DTYPE_Q8_0, 1.5}, {DTYPE_Q2_K, 0.5},
    {DTYPE_Q3_K, 0.5}, {DTYPE_Q4_K, 0.5}, {DTYPE_Q5_K, 0.5}, {DTYPE_Q6_K, 0.5},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static volatile uint64_t sink;

static void read_plain(const uint8_t *p)
{
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < BUFFER; i += sizeof sums) {
        uint64_t words[8];
        memcpy(words, p + i, sizeof words);
        for (int j = 0; j < 8; j++)
            sums[j] += words[j];
    }
    for (int j = 0; j < 8; j++)
        sink += sums[j];
}

static void take_stats(enum dtype t, const uint8_t *p)
{
    struct stats all;
    stats_init(&all);
    size_t step = STATS_CHUNK / dtypes[t].block, blocks = BUFFER / dtypes[t].bytes;
    for (size_t done = 0; done < blocks; done += step) {
        struct stats s;
        size_t n = blocks - done < step ? blocks - done : step;
        stats_chunk(&s, t, p + done * dtypes[t].bytes, n, false);
        stats_merge(&all, &s);
    }
    sink += all.zeros;
}

/* Bytes that are ordinary numbers in most types: small exponents, mixed signs. */
static void fill(uint8_t *p, enum dtype t)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < BUFFER; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = (uint8_t)(x >> 24);
    }
    unsigned width = t == DTYPE_F32 ? 4 : t == DTYPE_F64 ? 8 : 2;
    unsigned step = dtypes[t].kind == DTYPE_BLOCK ? 2 : width;
    for (size_t i = step - 1; i < BUFFER && dtypes[t].bytes > 1; i += step)
        p[i] &= 0xbf; /* an exponent below the middle: no infinity, no NaN */
}

static double target_of(enum dtype t)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (targets[i].type == t)
            return targets[i].gigabytes;
    }
    return 0.0;
}

static const char *verdict(double rate, double wanted)
{
    if (wanted <= 0)
        return "-";
    return rate >= wanted ? "ok" : "missed";
}

static void measure(enum dtype t, uint8_t *p)
{
    double best = 1e9, reference = 1e9;
    fill(p, t);
    for (int i = 0; i < ROUNDS; i++) {
        double a = now();
        read_plain(p);
        double b = now();
        take_stats(t, p);
        double c = now();
        reference = b - a < reference ? b - a : reference;
        best = c - b < best ? c - b : best;
    }
    double rate = BUFFER / best / 1e9, plain = BUFFER / reference / 1e9, wanted = target_of(t);
    char target[32] = "no target";
    if (wanted > 0)
        snprintf(target, sizeof target, ">= %.1f GB/s", wanted);
    printf("stats %-11s one core   %5.2f GB/s   plain read %5.2f GB/s   ratio %.3f   %s   %s\n",
           dtype_name(t), rate, plain, rate / plain, target, verdict(rate, wanted));
}

/* bench_stats [plain|avx2] [TYPE]: lower instruction sets, or one type only. */
int main(int argc, char **argv)
{
    uint8_t *p = malloc(BUFFER);
    enum dtype only = DTYPE_NONE;
    if (p == NULL)
        return 3;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "plain") == 0)
            isa_limit(ISA_PLAIN);
        else if (strcmp(argv[i], "avx2") == 0)
            isa_limit(ISA_AVX2);
        else
            only = dtype_from_name(span_str(argv[i]));
    }
    for (int t = 0; t < (int)DTYPE_COUNT; t++) {
        if (only == DTYPE_NONE || only == (enum dtype)t)
            measure((enum dtype)t, p);
    }
    free(p);
    return 0;
}
