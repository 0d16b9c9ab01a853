/*
 * Models across containers: every name finds its counterpart, and each
 * transformation of the converters is undone exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "inspect/diff.h"
#include "support/diff_bench.h"
#include "support/tiny_family.h"

static void permutation_of_llama_is_undone_exactly(void **state)
{
    static const char *const archs[] = {"llama", "granite", "smollm3"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bench x;
        bench_start(&x);
        bench_llama(&x, archs[i]);
        bench_compare(&x, ST, GGUF);
        assert_int_equal(x.diff.tensor_count, 8);
        bench_expect_mapped(&x);
        bench_finish(&x);
    }
}

static void permutation_is_undone_in_the_other_direction(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_llama(&x, "llama");
    x.mb = bench_build(&x.a, ST, &x.bytes_a);
    x.ma = bench_build(&x.b, GGUF, &x.bytes_b);
    bench_compare_with(&x, 2);
    bench_expect_mapped(&x);
    bench_finish(&x);
}

static void qwen_is_not_permuted(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_llama(&x, "qwen2");
    bench_compare(&x, ST, GGUF);
    bench_expect(&x, REL_FINE_TUNED); /* the test's own permutation is now a difference */
    bench_finish(&x);
}

/* Without a number of heads the permutation cannot be undone: no number is better
 * than a wrong one. */
static void unknown_heads_are_not_compared(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "llama");
    bench_both(&x, "model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight", 16, 32);
    bench_compare(&x, ST, GGUF);
    assert_true(x.diff.tensors[0].unread && isnan(x.diff.tensors[0].distance));
    assert_int_equal(x.diff.unread, 1);
    assert_int_equal(x.diff.counts[TENSOR_CHANGED] + x.diff.counts[TENSOR_RETYPED], 0);
    bench_expect(&x, REL_UNDECIDED);
    bench_finish(&x);
}

/* Rows wider than a chunk cannot take the path of whole heads. */
static void permutation_of_wide_rows_is_undone_exactly(void **state)
{
    struct bench x;
    enum { WIDE = 40960 };
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "llama");
    builder_u32(&x.b, "llama.attention.head_count", 2);
    struct built_tensor *q = bench_hf(&x, "model.layers.0.self_attn.q_proj.weight", 16, WIDE);
    built_permute_rows(bench_gguf(&x, "blk.0.attn_q.weight", 16, WIDE), q, 8);
    bench_compare(&x, ST, GGUF);
    bench_expect_mapped(&x);
    bench_finish(&x);
}

static void norm_offset_of_gemma_is_undone_exactly(void **state)
{
    static const char *const names[][2] = {
        {"model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight"},
        {"model.layers.0.post_attention_layernorm.weight", "blk.0.post_attention_norm.weight"},
        {"model.layers.0.pre_feedforward_layernorm.weight", "blk.0.ffn_norm.weight"},
        {"model.layers.0.post_feedforward_layernorm.weight", "blk.0.post_ffw_norm.weight"},
        {"model.layers.0.self_attn.q_norm.weight", "blk.0.attn_q_norm.weight"},
        {"model.norm.weight", "output_norm.weight"},
    };
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "gemma3");
    bench_both(&x, "model.embed_tokens.weight", "token_embd.weight", 8, 32);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct built_tensor *t = bench_hf(&x, names[i][0], 0, 32),
                            *u = bench_gguf(&x, names[i][1], 0, 32);
        for (int k = 0; k < 32; k++)
            u->values[k] = t->values[k] + 1.0f;
    }
    bench_compare(&x, ST, GGUF);
    bench_expect_mapped(&x);
    bench_finish(&x);
}

static void transpose(struct bench *x, const char *a, const char *b, uint64_t in, uint64_t out)
{
    struct built_tensor *t = bench_hf(x, a, in, out), *u = bench_gguf(x, b, out, in);
    for (uint64_t i = 0; i < in; i++)
        for (uint64_t o = 0; o < out; o++)
            u->values[o * in + i] = t->values[i * out + o];
}

static void transposition_of_gpt2_is_undone_exactly(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "gpt2");
    bench_both(&x, "wte.weight", "token_embd.weight", 50, 96);
    bench_both(&x, "wpe.weight", "position_embd.weight", 10, 96);
    bench_both(&x, "h.0.attn.c_attn.bias", "blk.0.attn_qkv.bias", 0, 288);
    transpose(&x, "h.0.attn.c_attn.weight", "blk.0.attn_qkv.weight", 96, 288);
    transpose(&x, "h.0.attn.c_proj.weight", "blk.0.attn_output.weight", 96, 96);
    transpose(&x, "h.0.mlp.c_fc.weight", "blk.0.ffn_up.weight", 300, 1100);
    transpose(&x, "h.0.mlp.c_proj.weight", "blk.0.ffn_down.weight", 1100, 300);
    bench_compare(&x, ST, GGUF);
    bench_expect_mapped(&x);
    bench_finish(&x);
}

static void experts_are_found_in_the_stack(void **state)
{
    struct bench x;
    char name[96];
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "llama");
    struct built_tensor *stack =
        builder_add3(&x.b, "blk.0.ffn_gate_exps.weight", DTYPE_F32, 3, 8, 32);
    for (uint64_t e = 0; e < 3; e++) {
        snprintf(name, sizeof name, "model.layers.0.block_sparse_moe.experts.%d.w1.weight", (int)e);
        struct built_tensor *t = bench_hf(&x, name, 8, 32);
        memcpy(stack->values + e * 256, t->values, 256 * sizeof(float));
    }
    bench_compare(&x, ST, GGUF);
    assert_int_equal(x.diff.tensor_count, 3);
    bench_expect_mapped(&x);
    bench_finish(&x);
}

static void a_missing_expert_is_said(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "qwen3moe");
    builder_add3(&x.b, "blk.0.ffn_up_exps.weight", DTYPE_F32, 3, 8, 32);
    bench_hf(&x, "model.layers.0.mlp.experts.0.up_proj.weight", 8, 32);
    bench_hf(&x, "model.layers.0.mlp.experts.2.up_proj.weight", 8, 32);
    bench_compare(&x, ST, GGUF);
    assert_int_equal(x.diff.counts[TENSOR_ADDED], 1);
    bench_finish(&x);
}

static void a_tied_output_is_compared_with_the_embedding(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "qwen2");
    bench_both(&x, "model.embed_tokens.weight", "token_embd.weight", 8, 32);
    struct built_tensor *t = bench_hf(&x, "lm_head.weight", 8, 32);
    built_copy(t, &x.a.t[0]);
    bench_compare(&x, ST, GGUF);
    assert_int_equal(x.diff.tensor_count, 2);
    bench_expect_mapped(&x);
    bench_finish(&x);
}

static void rope_factors_are_no_difference(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_llama(&x, "llama");
    built_random(bench_gguf(&x, "rope_freqs.weight", 0, 8), 1, 1);
    bench_compare(&x, ST, GGUF);
    bench_expect(&x, REL_REPACKED);
    assert_int_equal(x.diff.counts[TENSOR_ADDED], 1);
    bench_finish(&x);
}

static bool is_named(const struct tiny *t, const char *name, bool *hit)
{
    for (size_t i = 0; i < t->tensor_count; i++)
        if (span_is(t->tensors[i].name, name))
            return hit[i] = true;
    return false;
}

/* Both sides of every family: each name leads somewhere, each place is reached. */
static void every_name_of_every_family_finds_its_place(void **state)
{
    (void)state;
    for (size_t f = 0; tiny_families[f]; f++) {
        struct arena *a = arena_new(16 << 20);
        struct tiny hf, gguf;
        struct tiny_dims d = tiny_default_dims(tiny_families[f]);
        assert_non_null(a);
        assert_true(tiny_build(&hf, a, tiny_families[f], &d, FORMAT_SAFETENSORS));
        assert_true(tiny_build(&gguf, a, tiny_families[f], &d, FORMAT_GGUF));
        enum name_layout layout = arch_expert_layout(span_str(tiny_name(tiny_families[f])));
        bool *hit = arena_array(a, gguf.tensor_count, sizeof *hit);
        assert_non_null(hit);
        for (size_t i = 0; i < hf.tensor_count; i++) {
            struct candidate c[NAME_CANDIDATES];
            size_t n = name_candidates(c, hf.tensors[i].name), found = 0;
            for (size_t k = 0; k < n; k++)
                if (c[k].layout == LAYOUT_ANY || c[k].layout == layout)
                    found += is_named(&gguf, c[k].name, hit);
            if (!found)
                fail_msg("%s: %s has no place", tiny_families[f],
                         (const char *)hf.tensors[i].name.p);
        }
        for (size_t i = 0; i < gguf.tensor_count; i++)
            if (!hit[i])
                fail_msg("%s: nothing leads to %s", tiny_families[f],
                         (const char *)gguf.tensors[i].name.p);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutation_of_llama_is_undone_exactly),
        cmocka_unit_test(permutation_is_undone_in_the_other_direction),
        cmocka_unit_test(qwen_is_not_permuted),
        cmocka_unit_test(unknown_heads_are_not_compared),
        cmocka_unit_test(permutation_of_wide_rows_is_undone_exactly),
        cmocka_unit_test(norm_offset_of_gemma_is_undone_exactly),
        cmocka_unit_test(transposition_of_gpt2_is_undone_exactly),
        cmocka_unit_test(experts_are_found_in_the_stack),
        cmocka_unit_test(a_missing_expert_is_said),
        cmocka_unit_test(a_tied_output_is_compared_with_the_embedding),
        cmocka_unit_test(rope_factors_are_no_difference),
        cmocka_unit_test(every_name_of_every_family_finds_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
