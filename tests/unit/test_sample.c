/* Sampling: filters against plain definitions, noise against its distribution. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/numerics.h"
#include "engine/sample.h"

enum { WORDS = 500 };

static struct sampler sampler;
static float logits[WORDS];

static int setup(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    for (int i = 0; i < WORDS; i++)
        logits[i] = (float)((i * 7919 + 13) % 1009) / 100.0f - 5.0f;
    return sampler_new(&sampler, WORDS, &e) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sampler_free(&sampler);
    return 0;
}

static uint32_t draw(const struct engine_sampling *p, uint32_t position)
{
    static const uint32_t history[4000] = {0};
    struct draw d = {logits, history, position, p, NULL};
    return sample(&sampler, &d);
}

/* By the definition: every token's score, no bound and no shortcut. */
static double noise(uint64_t seed, uint32_t position, uint32_t id)
{
    uint64_t x[3] = {seed + 0x9e3779b97f4a7c15u, 0, 0};
    for (int i = 0; i < 3; i++) {
        uint64_t m = x[i];
        m ^= m >> 30;
        m *= 0xbf58476d1ce4e5b9u;
        m ^= m >> 27;
        m *= 0x94d049bb133111ebu;
        m ^= m >> 31;
        if (i == 2)
            return -numerics_log_double(-numerics_log_double(((double)(m >> 11) + 0.5) * 0x1p-53));
        x[i + 1] = m + 0x9e3779b97f4a7c15u * ((uint64_t)(i == 0 ? position : id) + 1);
    }
    return 0;
}

static void the_winner_is_the_one_of_the_definition(void **unused)
{
    (void)unused;
    struct engine_sampling p = engine_greedy();
    p.temperature = 1.3f;
    p.seed = 42;
    for (uint32_t position = 1; position < 2000; position++) {
        uint32_t best = 0;
        double most = -INFINITY;
        for (uint32_t i = 0; i < WORDS; i++) {
            double now = (double)(logits[i] / p.temperature) + noise(42, position, i);
            if (now > most) {
                most = now;
                best = i;
            }
        }
        assert_int_equal(draw(&p, position), best);
    }
}

static void draws_follow_the_softmax(void **unused)
{
    (void)unused;
    struct engine_sampling p = engine_greedy();
    double total = 0, seen[WORDS] = {0}, chi = 0;
    p.temperature = 1.0f;
    for (int i = 0; i < WORDS; i++)
        total += exp((double)logits[i]);
    enum { DRAWS = 40000 };
    for (uint32_t n = 0; n < DRAWS; n++) {
        p.seed = n / 4000;
        seen[draw(&p, 1 + n % 4000 % 3999)]++;
    }
    for (int i = 0; i < WORDS; i++) {
        double want = DRAWS * exp((double)logits[i]) / total;
        chi += (seen[i] - want) * (seen[i] - want) / want;
    }
    assert_true(chi < 650); /* 499 degrees of freedom: beyond 620 once in 10,000 */
}

static void filters_keep_what_they_say(void **unused)
{
    (void)unused;
    struct engine_sampling p = engine_greedy();
    float sorted[WORDS];
    double total = 0, sum = 0;
    memcpy(sorted, logits, sizeof sorted);
    for (int i = 0; i < WORDS; i++) {
        for (int j = i + 1; j < WORDS; j++) {
            if (sorted[j] > sorted[i]) {
                float t = sorted[i];
                sorted[i] = sorted[j];
                sorted[j] = t;
            }
        }
        total += exp((double)logits[i]);
    }
    int k = 0;
    while (sum < 0.3 * total)
        sum += exp((double)sorted[k++]);
    for (uint32_t n = 1; n < 3000; n++) {
        p = engine_greedy();
        p.temperature = 1.0f;
        p.seed = 3;
        p.top_k = 5;
        assert_true(logits[draw(&p, n)] >= sorted[4]);
        p.top_k = 0;
        p.top_p = 0.3f;
        assert_true(logits[draw(&p, n)] >= sorted[k - 1]);
        p.top_p = 1;
        p.min_p = 0.5f;
        assert_true(exp((double)(logits[draw(&p, n)] - sorted[0])) >= 0.5 - 1e-6);
        p.min_p = 0;
        p.top_k = 1;
        assert_int_equal(draw(&p, n), draw(&(struct engine_sampling){.top_p = 1}, n));
    }
}

static void penalties_and_biases_move_the_choice(void **unused)
{
    (void)unused;
    struct engine_sampling p = engine_greedy();
    uint32_t first = draw(&p, 0);
    uint32_t history[3] = {first, first, 7};
    struct draw d = {logits, history, 3, &p, NULL};
    assert_int_equal(sample(&sampler, &d), first);
    p.presence = 20;
    assert_int_not_equal(sample(&sampler, &d), first);
    p.presence = 0;
    p.repetition = 50;
    assert_int_not_equal(sample(&sampler, &d), first);
    p.penalty_last = 1; /* the 7 alone */
    assert_int_equal(sample(&sampler, &d), first);
    p = engine_greedy();
    const struct engine_bias bias = {123, 100};
    p.bias = &bias;
    p.bias_count = 1;
    assert_int_equal(sample(&sampler, &d), 123);
}

static void logprobs_are_those_of_the_softmax(void **unused)
{
    (void)unused;
    struct engine_sampling p = engine_greedy();
    struct draw d = {logits, NULL, 0, &p, NULL};
    double total = 0;
    p.top = 7;
    for (int i = 0; i < WORDS; i++)
        total += exp((double)logits[i]);
    assert_true(fabs((double)sample_logprobs(&sampler, &d, 9) - ((double)logits[9] - log(total))) <
                1e-5);
    for (int i = 0; i < 7; i++) {
        uint32_t better = 0, id = sampler.top[i].id;
        for (uint32_t j = 0; j < WORDS; j++)
            better += logits[j] > logits[id] || (logits[j] == logits[id] && j < id);
        assert_int_equal(better, i);
    }
}

static void what_is_out_of_range_is_refused(void **unused)
{
    (void)unused;
    struct err e = ERR_INIT;
    struct engine_sampling p = engine_greedy();
    assert_true(sampling_check(&p, WORDS, &e));
    p.temperature = -1;
    assert_false(sampling_check(&p, WORDS, &e));
    p = engine_greedy();
    p.min_p = NAN;
    assert_false(sampling_check(&p, WORDS, &e));
    p = engine_greedy();
    p.top = ENGINE_MAX_TOP + 1;
    assert_false(sampling_check(&p, WORDS, &e));
    const struct engine_bias bias = {WORDS, 1};
    p = engine_greedy();
    p.bias = &bias;
    p.bias_count = 1;
    assert_false(sampling_check(&p, WORDS, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_winner_is_the_one_of_the_definition),
        cmocka_unit_test(draws_follow_the_softmax),
        cmocka_unit_test(filters_keep_what_they_say),
        cmocka_unit_test(penalties_and_biases_move_the_choice),
        cmocka_unit_test(logprobs_are_those_of_the_softmax),
        cmocka_unit_test(what_is_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
