/*
 * What one model is to another: each relation on models whose numbers the test
 * knows, the same bits from any number of threads, and no quiet "identical"
 * where bytes are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "support/diff_bench.h"

static void same_bytes_are_identical(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_F32);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_IDENTICAL);
    assert_int_equal(x.diff.counts[TENSOR_SAME], 2);
    assert_true(x.diff.tensors[0].exact);
    assert_true(x.diff.distance == 0 && x.diff.cosine == 1 && x.diff.changed == 0);
    bench_finish(&x);
}

static void lossless_retyping_is_repacking(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_BF16);
    for (uint64_t i = 0; i < x.a.t[0].elements; i++) /* values that BF16 holds */
        x.a.t[0].values[i] = x.b.t[0].values[i] = (float)(i % 100) / 64;
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_REPACKED);
    assert_int_equal(x.diff.counts[TENSOR_RETYPED], 1);
    bench_finish(&x);
}

static void rounding_to_bf16_is_quantised(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_BF16);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_QUANTISED);
    assert_true(x.diff.tensors[0].distance > 1e-3 && x.diff.tensors[0].distance < 2.5e-3);
    bench_finish(&x);
}

/* Values of BF16, some too small for F16: the F16 file is made from the BF16 one, whatever the bits. */
static void bf16_written_as_f16_was_rounded_from_bf16(void **state)
{
    static const struct {
        enum dtype a, b;
        bool reversed;
    } ways[] = {{DTYPE_BF16, DTYPE_F16, false}, {DTYPE_F16, DTYPE_BF16, true}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct bench x;
        bench_start(&x);
        bench_two_alike(&x, ways[i].a, ways[i].b);
        for (uint64_t k = 0; k < x.a.t[0].elements; k++) {
            uint32_t bits;
            memcpy(&bits, &x.a.t[0].values[k], sizeof bits);
            bits &= 0xffff0000;
            memcpy(&x.a.t[0].values[k], &bits, sizeof bits);
        }
        x.a.t[0].values[0] = 0x1p-30f;
        built_copy(&x.b.t[0], &x.a.t[0]);
        bench_compare(&x, ST, ST);
        bench_expect(&x, REL_QUANTISED);
        assert_int_equal(x.diff.reversed, ways[i].reversed);
        bench_finish(&x);
    }
}

static void the_coarser_of_two_roundings_is_the_quantised_one(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_BF16, DTYPE_F16);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_QUANTISED);
    assert_true(x.diff.reversed);
    bench_finish(&x);
}

static void some_changed_elements_are_fine_tuning(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_F32);
    for (uint64_t i = 0; i < x.b.t[0].elements; i += 4)
        x.b.t[0].values[i] += 0.01f;
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_FINE_TUNED);
    assert_true(fabs(x.diff.tensors[0].changed - 0.25) < 1e-12);
    bench_finish(&x);
}

static void distance_cosine_and_share_follow_their_definitions(void **state)
{
    struct bench x;
    static const float a[4] = {3, 0, 4, 0}, b[4] = {3, 0, 0, 4};
    (void)state;
    bench_start(&x);
    memcpy(builder_add(&x.a, "w", DTYPE_F32, 2, 2)->values, a, sizeof a);
    memcpy(builder_add(&x.b, "w", DTYPE_F32, 2, 2)->values, b, sizeof b);
    bench_compare(&x, ST, ST);
    assert_true(fabs(x.diff.tensors[0].distance - sqrt(32) / 5) < 1e-15);
    assert_true(fabs(x.diff.tensors[0].cosine - 9.0 / 25) < 1e-15);
    assert_true(x.diff.tensors[0].changed == 0.5);
    bench_finish(&x);
}

static void other_values_are_the_same_architecture(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_F32);
    built_random(&x.b.t[0], 77, 0.05f);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_SAME_ARCHITECTURE);
    bench_finish(&x);
}

static void other_names_and_shapes_are_unrelated(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    built_random(builder_add(&x.a, "a", DTYPE_F32, 64, 64), 1, 1);
    builder_add(&x.a, "b", DTYPE_F32, 4, 4);
    builder_add(&x.b, "b", DTYPE_F32, 2, 8);
    builder_add(&x.b, "c", DTYPE_F32, 4, 4);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_UNRELATED);
    assert_int_equal(x.diff.counts[TENSOR_REMOVED], 1);
    assert_int_equal(x.diff.counts[TENSOR_RESHAPED], 1);
    assert_int_equal(x.diff.counts[TENSOR_ADDED], 1);
    assert_true(isnan(x.diff.tensors[1].distance));
    bench_finish(&x);
}

static void low_rank_pairs_are_an_adapter(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_add(&x.a, "model.layers.0.self_attn.q_proj.weight", DTYPE_F32, 32, 16);
    builder_add(&x.b, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", DTYPE_F32,
                4, 16);
    builder_add(&x.b, "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", DTYPE_F32,
                32, 4);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_ADAPTER);
    bench_finish(&x);
}

static void an_adapter_may_come_first(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_add(&x.b, "model.layers.0.self_attn.q_proj.weight", DTYPE_F32, 32, 16);
    builder_add(&x.a, "model.layers.0.self_attn.q_proj.lora_A.weight", DTYPE_F32, 4, 16);
    builder_add(&x.a, "model.layers.0.self_attn.q_proj.lora_B.weight", DTYPE_F32, 32, 4);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_ADAPTER);
    assert_true(x.diff.reversed);
    bench_finish(&x);
}

static void an_adapter_of_other_shapes_is_unrelated(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_add(&x.a, "model.layers.0.self_attn.q_proj.weight", DTYPE_F32, 32, 16);
    builder_add(&x.b, "model.layers.0.self_attn.q_proj.lora_A.weight", DTYPE_F32, 4, 8);
    builder_add(&x.b, "model.layers.0.self_attn.q_proj.lora_B.weight", DTYPE_F32, 32, 4);
    bench_compare(&x, ST, ST);
    bench_expect(&x, REL_UNRELATED);
    bench_finish(&x);
}

static void equal_nan_is_same_and_other_nan_is_changed(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    struct built_tensor *t = builder_add(&x.a, "w", DTYPE_F32, 4, 4);
    struct built_tensor *u = builder_add(&x.b, "w", DTYPE_F32, 4, 4);
    built_random(t, 3, 1);
    t->values[0] = NAN;
    built_copy(u, t);
    t->values[1] = NAN; /* finite in B */
    u->values[2] = INFINITY;
    bench_compare(&x, ST, ST);
    assert_true(x.diff.tensors[0].not_finite == 3);
    assert_true(x.diff.tensors[0].changed == 2.0 / 16);
    assert_true(x.diff.tensors[0].distance == 0);
    assert_int_equal(x.diff.tensors[0].change, TENSOR_CHANGED);
    bench_finish(&x);
}

static void threads_do_not_change_a_bit(void **state)
{
    struct bench x;
    struct diff first;
    (void)state;
    bench_start(&x);
    struct built_tensor *t = builder_add(&x.a, "w", DTYPE_F32, 1024, 1000);
    struct built_tensor *u = builder_add(&x.b, "w", DTYPE_F32, 1024, 1000);
    built_random(t, 5, 1);
    built_random(u, 6, 1);
    bench_two_alike(&x, DTYPE_F32, DTYPE_BF16);
    bench_compare(&x, ST, ST);
    first = x.diff;
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        bench_compare_with(&x, threads);
        assert_int_equal(first.tensor_count, x.diff.tensor_count);
        for (size_t i = 0; i < first.tensor_count; i++) {
            assert_memory_equal(&first.tensors[i].distance, &x.diff.tensors[i].distance, 8);
            assert_memory_equal(&first.tensors[i].cosine, &x.diff.tensors[i].cosine, 8);
            assert_memory_equal(&first.tensors[i].changed, &x.diff.tensors[i].changed, 8);
        }
        assert_string_equal(first.because, x.diff.because);
    }
    bench_finish(&x);
}

static void a_truncated_copy_is_never_identical(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_F32);
    x.ma = bench_build(&x.a, ST, &x.bytes_a);
    struct span whole = builder_safetensors(&x.b);
    for (size_t n = 0; n < whole.n; n += n < 400 ? 1 : 4093) {
        x.mb = bench_read("cut.safetensors", span_sub(whole, 0, n));
        bench_compare_with(&x, 1);
        assert_int_not_equal(x.diff.relation, REL_IDENTICAL);
        assert_int_not_equal(x.diff.relation, REL_REPACKED);
        model_free(x.mb);
    }
    x.mb = NULL;
    bench_finish(&x);
}

/* ---- quantised, and more than that ---- */

static void quantise(struct bench *x, enum dtype type, float drift)
{
    bench_start(x);
    struct built_tensor *t = builder_add(&x->a, "blk.0.ffn_up.weight", DTYPE_F32, 256, 256);
    struct built_tensor *u = builder_add(&x->b, "blk.0.ffn_up.weight", type, 256, 256);
    struct built_tensor noise = *t;
    built_random(t, 9, 0.02f);
    built_copy(u, t);
    noise.values = calloc(t->elements, sizeof(float));
    assert_non_null(noise.values);
    built_random(&noise, 10, 0.02f * drift);
    for (uint64_t i = 0; i < t->elements; i++)
        u->values[i] += noise.values[i];
    free(noise.values);
    bench_compare(x, GGUF, GGUF);
}

static void quantisation_is_told_by_its_distance(void **state)
{
    struct bench x;
    (void)state;
    quantise(&x, DTYPE_Q8_0, 0);
    bench_expect(&x, REL_QUANTISED);
    bench_finish(&x);
    quantise(&x, DTYPE_Q4_0, 0);
    bench_expect(&x, REL_QUANTISED);
    bench_finish(&x);
}

static void quantised_and_changed_is_fine_tuned_and_says_both(void **state)
{
    struct bench x;
    (void)state;
    quantise(&x, DTYPE_Q8_0, 0.1f); /* 0.1 where rounding explains 0.005 */
    bench_expect(&x, REL_FINE_TUNED);
    assert_non_null(strstr(x.diff.because, "quantised as well"));
    bench_finish(&x);
    quantise(&x, DTYPE_Q4_0, 0.3f);
    bench_expect(&x, REL_FINE_TUNED);
    bench_finish(&x);
}

/* A twelfth of each weight moves less than Q4_0 rounds away, and still is no rounding. */
static void a_fine_tune_below_the_rounding_is_told_by_its_blocks(void **state)
{
    static const enum dtype types[] = {DTYPE_Q4_0, DTYPE_Q8_0};
    static const float drifts[] = {0.08f, 0.005f};
    struct bench x;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        quantise(&x, types[i], drifts[i]);
        bench_expect(&x, REL_FINE_TUNED);
        assert_non_null(strstr(x.diff.because, "outside the bound"));
        bench_finish(&x);
        quantise(&x, types[i], 0);
        bench_expect(&x, REL_QUANTISED);
        assert_non_null(strstr(x.diff.because, "gives B to the bit"));
        bench_finish(&x);
    }
}

/* Rounded twice, as from an F16 file that was made of the F32 one: near, and not to the bit. */
static void rounding_twice_stays_within_the_bounds(void **state)
{
    struct bench x;
    (void)state;
    quantise(&x, DTYPE_Q4_0, 0.0002f);
    bench_expect(&x, REL_QUANTISED);
    assert_null(strstr(x.diff.because, "to the bit"));
    bench_finish(&x);
}

/* ---- hostile ---- */

static void any_damage_is_survived_and_never_identical(void **state)
{
    struct bench x;
    uint32_t random = 1;
    (void)state;
    bench_start(&x);
    bench_llama(&x, "llama");
    builder_u32(&x.b, "llama.block_count", 1);
    x.ma = bench_build(&x.a, ST, &x.bytes_a);
    struct span whole = builder_gguf(&x.b);
    uint8_t *damaged = malloc(whole.n);
    assert_non_null(damaged);
    for (int round = 0; round < 400; round++) {
        memcpy(damaged, whole.p, whole.n);
        for (int k = 0; k < 1 + round % 3; k++) {
            random = random * 1664525 + 1013904223;
            damaged[(random >> 8) % 1100] ^= (uint8_t)(1u << (random >> 4) % 8);
        }
        x.mb = bench_read("damaged.gguf", (struct span){damaged, whole.n});
        bench_compare_with(&x, 1);
        assert_int_not_equal(x.diff.relation, REL_IDENTICAL);
        model_free(x.mb);
    }
    free(damaged);
    x.mb = NULL;
    bench_finish(&x);
}

static bool stop_at_once(void *arg, const char *what, uint64_t done, uint64_t total)
{
    (void)what;
    *(unsigned *)arg += done <= total;
    return false;
}

static void the_caller_can_stop_it(void **state)
{
    struct bench x;
    struct err e = ERR_INIT;
    unsigned calls = 0;
    struct diff_options opt = {.threads = 1, .progress = {stop_at_once, &calls}};
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_F32);
    x.ma = bench_build(&x.a, ST, &x.bytes_a);
    x.mb = bench_build(&x.b, ST, &x.bytes_b);
    assert_false(inspect_diff(&x.diff, x.ma, x.mb, x.arena, &opt, &e));
    assert_int_equal(e.code, ERR_INTERRUPTED);
    assert_int_equal(calls, 1);
    bench_finish(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_are_identical),
        cmocka_unit_test(lossless_retyping_is_repacking),
        cmocka_unit_test(rounding_to_bf16_is_quantised),
        cmocka_unit_test(bf16_written_as_f16_was_rounded_from_bf16),
        cmocka_unit_test(the_coarser_of_two_roundings_is_the_quantised_one),
        cmocka_unit_test(an_adapter_may_come_first),
        cmocka_unit_test(some_changed_elements_are_fine_tuning),
        cmocka_unit_test(distance_cosine_and_share_follow_their_definitions),
        cmocka_unit_test(other_values_are_the_same_architecture),
        cmocka_unit_test(other_names_and_shapes_are_unrelated),
        cmocka_unit_test(low_rank_pairs_are_an_adapter),
        cmocka_unit_test(an_adapter_of_other_shapes_is_unrelated),
        cmocka_unit_test(equal_nan_is_same_and_other_nan_is_changed),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(a_truncated_copy_is_never_identical),
        cmocka_unit_test(quantisation_is_told_by_its_distance),
        cmocka_unit_test(quantised_and_changed_is_fine_tuned_and_says_both),
        cmocka_unit_test(a_fine_tune_below_the_rounding_is_told_by_its_blocks),
        cmocka_unit_test(rounding_twice_stays_within_the_bounds),
        cmocka_unit_test(any_damage_is_survived_and_never_identical),
        cmocka_unit_test(the_caller_can_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
