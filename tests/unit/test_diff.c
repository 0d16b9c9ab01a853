/*
 * What one model is to another: each relation on models whose numbers the test
 * knows, each transformation of the converters undone exactly, the same bits
 * from any number of threads, and no quiet "identical" where bytes are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "assay/inspect.h"
#include "support/model_builder.h"

/* Two models and their comparison. */
struct bench {
    struct builder a, b;
    struct model *ma, *mb;
    struct span bytes_a, bytes_b;
    struct arena *arena;
    struct diff diff;
};

static void start(struct bench *x)
{
    memset(x, 0, sizeof *x);
    builder_init(&x->a);
    builder_init(&x->b);
    x->arena = arena_new(64 << 20);
    assert_non_null(x->arena);
}

static void finish(struct bench *x)
{
    model_free(x->ma);
    model_free(x->mb);
    arena_free(x->arena);
    builder_free(&x->a);
    builder_free(&x->b);
}

static struct model *read_span(const char *name, struct span bytes)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, name, bytes, &e))
        fail_msg("%s: %s", name, e.text);
    return m;
}

static void compare_with(struct bench *x, unsigned threads)
{
    struct err e = ERR_INIT;
    struct diff_options opt = {.threads = threads};
    if (!inspect_diff(&x->diff, x->ma, x->mb, x->arena, &opt, &e))
        fail_msg("%s", e.text);
}

enum container { ST, GGUF };

static struct model *build(struct builder *b, enum container c, struct span *bytes)
{
    *bytes = c == ST ? builder_safetensors(b) : builder_gguf(b);
    return read_span(c == ST ? "m.safetensors" : "m.gguf", *bytes);
}

static void compare(struct bench *x, enum container a, enum container b)
{
    x->ma = build(&x->a, a, &x->bytes_a);
    x->mb = build(&x->b, b, &x->bytes_b);
    compare_with(x, 2);
}

static void expect(const struct bench *x, enum relation r)
{
    if (x->diff.relation != r)
        fail_msg("%s, expected %s: %s", relation_name(x->diff.relation), relation_name(r),
                 x->diff.because);
}

static void copy(struct built_tensor *to, const struct built_tensor *from)
{
    memcpy(to->values, from->values, from->elements * sizeof *from->values);
}

/* A matrix and a norm, in both. */
static void two_alike(struct bench *x, enum dtype a, enum dtype b)
{
    struct built_tensor *t = builder_add(&x->a, "model.layers.0.mlp.up_proj.weight", a, 64, 256);
    built_random(t, 1, 0.05f);
    copy(builder_add(&x->b, t->name, b, 64, 256), t);
    t = builder_add(&x->a, "model.norm.weight", DTYPE_F32, 0, 64);
    built_random(t, 2, 1);
    copy(builder_add(&x->b, t->name, DTYPE_F32, 0, 64), t);
}

static void same_bytes_are_identical(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_F32);
    compare(&x, ST, ST);
    expect(&x, REL_IDENTICAL);
    assert_int_equal(x.diff.counts[TENSOR_SAME], 2);
    assert_true(x.diff.tensors[0].exact);
    assert_true(x.diff.distance == 0 && x.diff.cosine == 1 && x.diff.changed == 0);
    finish(&x);
}

static void lossless_retyping_is_repacking(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_BF16);
    for (uint64_t i = 0; i < x.a.t[0].elements; i++) /* values that BF16 holds */
        x.a.t[0].values[i] = x.b.t[0].values[i] = (float)(i % 100) / 64;
    compare(&x, ST, ST);
    expect(&x, REL_REPACKED);
    assert_int_equal(x.diff.counts[TENSOR_RETYPED], 1);
    finish(&x);
}

static void rounding_to_bf16_is_quantised(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_BF16);
    compare(&x, ST, ST);
    expect(&x, REL_QUANTISED);
    assert_true(x.diff.tensors[0].distance > 1e-3 && x.diff.tensors[0].distance < 2.5e-3);
    finish(&x);
}

static void some_changed_elements_are_fine_tuning(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_F32);
    for (uint64_t i = 0; i < x.b.t[0].elements; i += 4)
        x.b.t[0].values[i] += 0.01f;
    compare(&x, ST, ST);
    expect(&x, REL_FINE_TUNED);
    assert_true(fabs(x.diff.tensors[0].changed - 0.25) < 1e-12);
    finish(&x);
}

static void distance_cosine_and_share_follow_their_definitions(void **state)
{
    struct bench x;
    static const float a[4] = {3, 0, 4, 0}, b[4] = {3, 0, 0, 4};
    (void)state;
    start(&x);
    memcpy(builder_add(&x.a, "w", DTYPE_F32, 2, 2)->values, a, sizeof a);
    memcpy(builder_add(&x.b, "w", DTYPE_F32, 2, 2)->values, b, sizeof b);
    compare(&x, ST, ST);
    assert_true(fabs(x.diff.tensors[0].distance - sqrt(32) / 5) < 1e-15);
    assert_true(fabs(x.diff.tensors[0].cosine - 9.0 / 25) < 1e-15);
    assert_true(x.diff.tensors[0].changed == 0.5);
    finish(&x);
}

static void other_values_are_the_same_architecture(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_F32);
    built_random(&x.b.t[0], 77, 0.05f);
    compare(&x, ST, ST);
    expect(&x, REL_SAME_ARCHITECTURE);
    finish(&x);
}

static void other_names_and_shapes_are_unrelated(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    built_random(builder_add(&x.a, "a", DTYPE_F32, 64, 64), 1, 1);
    builder_add(&x.a, "b", DTYPE_F32, 4, 4);
    builder_add(&x.b, "b", DTYPE_F32, 2, 8);
    builder_add(&x.b, "c", DTYPE_F32, 4, 4);
    compare(&x, ST, ST);
    expect(&x, REL_UNRELATED);
    assert_int_equal(x.diff.counts[TENSOR_REMOVED], 1);
    assert_int_equal(x.diff.counts[TENSOR_RESHAPED], 1);
    assert_int_equal(x.diff.counts[TENSOR_ADDED], 1);
    assert_true(isnan(x.diff.tensors[1].distance));
    finish(&x);
}

static void low_rank_pairs_are_an_adapter(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    builder_add(&x.a, "model.layers.0.self_attn.q_proj.weight", DTYPE_F32, 32, 16);
    builder_add(&x.b, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", DTYPE_F32,
                4, 16);
    builder_add(&x.b, "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", DTYPE_F32,
                32, 4);
    compare(&x, ST, ST);
    expect(&x, REL_ADAPTER);
    finish(&x);
}

static void an_adapter_of_other_shapes_is_unrelated(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    builder_add(&x.a, "model.layers.0.self_attn.q_proj.weight", DTYPE_F32, 32, 16);
    builder_add(&x.b, "model.layers.0.self_attn.q_proj.lora_A.weight", DTYPE_F32, 4, 8);
    builder_add(&x.b, "model.layers.0.self_attn.q_proj.lora_B.weight", DTYPE_F32, 32, 4);
    compare(&x, ST, ST);
    expect(&x, REL_UNRELATED);
    finish(&x);
}

static void equal_nan_is_same_and_other_nan_is_changed(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    struct built_tensor *t = builder_add(&x.a, "w", DTYPE_F32, 4, 4);
    struct built_tensor *u = builder_add(&x.b, "w", DTYPE_F32, 4, 4);
    built_random(t, 3, 1);
    t->values[0] = NAN;
    copy(u, t);
    t->values[1] = NAN; /* finite in B */
    u->values[2] = INFINITY;
    compare(&x, ST, ST);
    assert_true(x.diff.tensors[0].not_finite == 3);
    assert_true(x.diff.tensors[0].changed == 2.0 / 16);
    assert_true(x.diff.tensors[0].distance == 0);
    assert_int_equal(x.diff.tensors[0].change, TENSOR_CHANGED);
    finish(&x);
}

static void threads_do_not_change_a_bit(void **state)
{
    struct bench x;
    struct diff first;
    (void)state;
    start(&x);
    struct built_tensor *t = builder_add(&x.a, "w", DTYPE_F32, 1024, 1000);
    struct built_tensor *u = builder_add(&x.b, "w", DTYPE_F32, 1024, 1000);
    built_random(t, 5, 1);
    built_random(u, 6, 1);
    two_alike(&x, DTYPE_F32, DTYPE_BF16);
    compare(&x, ST, ST);
    first = x.diff;
    for (unsigned threads = 1; threads <= 5; threads += 2) {
        compare_with(&x, threads);
        assert_int_equal(first.tensor_count, x.diff.tensor_count);
        for (size_t i = 0; i < first.tensor_count; i++) {
            assert_memory_equal(&first.tensors[i].distance, &x.diff.tensors[i].distance, 8);
            assert_memory_equal(&first.tensors[i].cosine, &x.diff.tensors[i].cosine, 8);
            assert_memory_equal(&first.tensors[i].changed, &x.diff.tensors[i].changed, 8);
        }
        assert_string_equal(first.because, x.diff.because);
    }
    finish(&x);
}

static void a_truncated_copy_is_never_identical(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_F32);
    x.ma = build(&x.a, ST, &x.bytes_a);
    struct span whole = builder_safetensors(&x.b);
    for (size_t n = 0; n < whole.n; n += n < 400 ? 1 : 4093) {
        x.mb = read_span("cut.safetensors", span_sub(whole, 0, n));
        compare_with(&x, 1);
        assert_int_not_equal(x.diff.relation, REL_IDENTICAL);
        assert_int_not_equal(x.diff.relation, REL_REPACKED);
        model_free(x.mb);
    }
    x.mb = NULL;
    finish(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_are_identical),
        cmocka_unit_test(lossless_retyping_is_repacking),
        cmocka_unit_test(rounding_to_bf16_is_quantised),
        cmocka_unit_test(some_changed_elements_are_fine_tuning),
        cmocka_unit_test(distance_cosine_and_share_follow_their_definitions),
        cmocka_unit_test(other_values_are_the_same_architecture),
        cmocka_unit_test(other_names_and_shapes_are_unrelated),
        cmocka_unit_test(low_rank_pairs_are_an_adapter),
        cmocka_unit_test(an_adapter_of_other_shapes_is_unrelated),
        cmocka_unit_test(equal_nan_is_same_and_other_nan_is_changed),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(a_truncated_copy_is_never_identical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
