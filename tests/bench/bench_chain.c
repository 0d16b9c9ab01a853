/*
 * The matrix products of a training step beside the processor's own peak of
 * fused multiply-adds, measured in the same minute on as many threads.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "assay/base/clock.h"
#include "assay/numerics.h"
#include "assay/team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROUNDS = 5, PEAK_STEPS = 4000000 };

static volatile float sink;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double peak_512(void)
{
    __m512 acc[12], x = _mm512_set1_ps(0.5f);
    for (int i = 0; i < 12; i++)
        acc[i] = _mm512_set1_ps((float)i);
    for (int s = 0; s < PEAK_STEPS; s++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            acc[i] = _mm512_fmadd_ps(acc[i], x, x);
    for (int i = 0; i < 12; i++)
        sink = _mm512_reduce_add_ps(acc[i]);
    return 12.0 * 16 * PEAK_STEPS;
}

__attribute__((target("avx2,fma"))) static double peak_2(void)
{
    __m256 acc[12], x = _mm256_set1_ps(0.5f);
    float out[8];
    for (int i = 0; i < 12; i++)
        acc[i] = _mm256_set1_ps((float)i);
    for (int s = 0; s < PEAK_STEPS; s++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            acc[i] = _mm256_fmadd_ps(acc[i], x, x);
    for (int i = 0; i < 12; i++) {
        _mm256_storeu_ps(out, acc[i]);
        sink = out[0];
    }
    return 12.0 * 8 * PEAK_STEPS;
}
#endif

static double fused_of_one_thread(void)
{
#if defined(__x86_64__)
    if (numerics_isa() == NUMERICS_AVX512)
        return peak_512();
    if (numerics_isa() == NUMERICS_AVX2)
        return peak_2();
#endif
    return 0;
}

static void peak_job(void *arg, uint32_t i, unsigned worker)
{
    (void)worker;
    ((double *)arg)[i] = fused_of_one_thread();
}

static double best_peak(struct team *t)
{
    double best = 0, done[TEAM_MAX];
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t start = clock_monotonic();
        team_run(t, team_threads(t), peak_job, done);
        double seconds = (double)(clock_monotonic() - start) * 1e-9, sum = 0;
        for (unsigned i = 0; i < team_threads(t); i++)
            sum += done[i];
        best = sum / seconds > best ? sum / seconds : best;
    }
    return best;
}

static double best_chain(const struct chain *c, struct team *t)
{
    double best = 0, fused = (double)c->m * (double)c->n * (double)c->k;
    int repeat = (int)(4e8 / fused) + 1;
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t start = clock_monotonic();
        for (int i = 0; i < repeat; i++)
            numerics_chain(c, t);
        double seconds = (double)(clock_monotonic() - start) * 1e-9;
        best = fused * repeat / seconds > best ? fused * repeat / seconds : best;
    }
    return best;
}

static void say(const char *what, const char *direction, const struct chain *c, struct team *t)
{
    double peak = best_peak(t), figure = best_chain(c, t);
    printf("train product %-22s %-10s %6.0f GFLOP/s  reference %6.0f GFLOP/s   ratio %4.2f  "
           "target 0.40  %s\n",
           what, direction, 2e-9 * figure, 2e-9 * peak, figure / peak,
           figure >= 0.4 * peak ? "ok" : "missed");
}

static void measure(struct team *t, const char *what, size_t tokens, size_t out, size_t in)
{
    size_t most = tokens > out ? tokens : out;
    float *x = calloc(most * in + tokens * out, sizeof *x), *w = calloc(out * in, sizeof *w);
    float *y = calloc(most * (in > out ? in : out), sizeof *y);
    if (!x || !w || !y)
        exit(1);
    struct chain forward = {x, w, in, 1, 1, in, tokens, out, in, y, out, false};
    struct chain back = {x, w, out, 1, in, 1, tokens, in, out, y, in, false};
    struct chain weights = {x, x, 1, out, in, 1, out, in, tokens, y, in, true};
    say(what, "forward", &forward, t);
    say(what, "by input", &back, t);
    say(what, "by weights", &weights, t);
    free(x);
    free(w);
    free(y);
}

int main(void)
{
    struct team *t = team_new(0);
    if (!t)
        return 1;
    printf("train: products, %u threads, %s\n", team_threads(t), numerics_isa_name(numerics_isa()));
    measure(t, "bundled 4096x320x128", 4096, 320, 128);
    measure(t, "bundled head 4096x1024", 4096, 1024, 128);
    measure(t, "SmolLM2 256x1536x576", 256, 1536, 576);
    measure(t, "SmolLM2 head 256x49152", 256, 49152, 576);
    team_free(t);
    return 0;
}
