/*
 * What one model is to another: each relation on models whose numbers the test
 * knows, each transformation of the converters undone exactly, the same bits
 * from any number of threads, and no quiet "identical" where bytes are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

/* ---- across containers ---- */

/* What a converter writes for row `row`: halves of a head interleaved. */
static uint64_t hf_row(uint64_t row, uint64_t head)
{
    uint64_t h = row / head, w = row % head;
    return h * head + w % 2 * (head / 2) + w / 2;
}

static void permute_rows(struct built_tensor *to, const struct built_tensor *from, uint64_t head)
{
    uint64_t cols = from->shape[1] ? from->shape[1] : 1, rows = from->elements / cols;
    for (uint64_t r = 0; r < rows; r++)
        memcpy(to->values + r * cols, from->values + hf_row(r, head) * cols,
               cols * sizeof *to->values);
}

static struct built_tensor *hf(struct bench *x, const char *name, uint64_t rows, uint64_t cols)
{
    struct built_tensor *t = builder_add(&x->a, name, DTYPE_BF16, rows, cols);
    built_random(t, (uint32_t)x->a.n, 0.1f);
    for (uint64_t i = 0; i < t->elements; i++) { /* values that BF16 holds */
        uint32_t u;
        memcpy(&u, &t->values[i], sizeof u);
        u &= 0xffff0000;
        memcpy(&t->values[i], &u, sizeof u);
    }
    return t;
}

static struct built_tensor *gguf(struct bench *x, const char *name, uint64_t rows, uint64_t cols)
{
    return builder_add(&x->b, name, DTYPE_F32, rows, cols);
}

static void both(struct bench *x, const char *a, const char *b, uint64_t rows, uint64_t cols)
{
    struct built_tensor *t = hf(x, a, rows, cols);
    copy(gguf(x, b, rows, cols), t);
}

enum { WIDTH = 64, HEADS = 4, KV_HEADS = 2, HEAD = 16 };

static void llama_like(struct bench *x, const char *arch)
{
    char key[64];
    builder_string(&x->b, "general.architecture", arch);
    snprintf(key, sizeof key, "%s.attention.head_count", arch);
    builder_u32(&x->b, key, HEADS);
    snprintf(key, sizeof key, "%s.attention.head_count_kv", arch);
    builder_u32(&x->b, key, KV_HEADS);
    both(x, "model.embed_tokens.weight", "token_embd.weight", 96, WIDTH);
    both(x, "model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight", 0, WIDTH);
    both(x, "model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight", 0, WIDTH);
    both(x, "model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", KV_HEADS * HEAD,
         WIDTH);
    both(x, "model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight", WIDTH, 128);
    struct built_tensor *q = hf(x, "model.layers.0.self_attn.q_proj.weight", HEADS * HEAD, WIDTH);
    permute_rows(gguf(x, "blk.0.attn_q.weight", HEADS * HEAD, WIDTH), q, HEAD);
    struct built_tensor *k =
        hf(x, "model.layers.0.self_attn.k_proj.weight", KV_HEADS * HEAD, WIDTH);
    permute_rows(gguf(x, "blk.0.attn_k.weight", KV_HEADS * HEAD, WIDTH), k, HEAD);
    struct built_tensor *bias = hf(x, "model.layers.0.self_attn.q_proj.bias", 0, HEADS * HEAD);
    permute_rows(gguf(x, "blk.0.attn_q.bias", 0, HEADS * HEAD), bias, HEAD);
}

static void expect_all_mapped_at_zero(const struct bench *x)
{
    for (size_t i = 0; i < x->diff.tensor_count; i++) {
        const struct tensor_diff *d = &x->diff.tensors[i];
        if (!d->mapped || d->distance != 0 || d->changed != 0)
            fail_msg("%s: mapped %d, %s, distance %g", d->a ? (const char *)d->a->name.p : "-",
                     d->mapped, tensor_change_name(d->change), d->distance);
    }
    expect(x, REL_REPACKED);
}

static void permutation_of_llama_is_undone_exactly(void **state)
{
    static const char *const archs[] = {"llama", "granite", "smollm3"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bench x;
        start(&x);
        llama_like(&x, archs[i]);
        compare(&x, ST, GGUF);
        assert_int_equal(x.diff.tensor_count, 8);
        expect_all_mapped_at_zero(&x);
        finish(&x);
    }
}

static void permutation_is_undone_in_the_other_direction(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    llama_like(&x, "llama");
    x.mb = build(&x.a, ST, &x.bytes_a);
    x.ma = build(&x.b, GGUF, &x.bytes_b);
    compare_with(&x, 2);
    expect_all_mapped_at_zero(&x);
    finish(&x);
}

static void qwen_is_not_permuted(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    llama_like(&x, "qwen2");
    compare(&x, ST, GGUF);
    expect(&x, REL_FINE_TUNED); /* the test's own permutation is now a difference */
    finish(&x);
}

/* Without a number of heads the permutation cannot be undone: no number is better
 * than a wrong one. */
static void unknown_heads_are_not_compared(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    builder_string(&x.b, "general.architecture", "llama");
    both(&x, "model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight", 16, 32);
    compare(&x, ST, GGUF);
    assert_true(x.diff.tensors[0].unread && isnan(x.diff.tensors[0].distance));
    assert_int_equal(x.diff.unread, 1);
    assert_int_equal(x.diff.counts[TENSOR_CHANGED] + x.diff.counts[TENSOR_RETYPED], 0);
    expect(&x, REL_UNDECIDED);
    finish(&x);
}

/* Rows wider than a chunk cannot take the path of whole heads. */
static void permutation_of_wide_rows_is_undone_exactly(void **state)
{
    struct bench x;
    enum { WIDE = 40960 };
    (void)state;
    start(&x);
    builder_string(&x.b, "general.architecture", "llama");
    builder_u32(&x.b, "llama.attention.head_count", 2);
    struct built_tensor *q = hf(&x, "model.layers.0.self_attn.q_proj.weight", 16, WIDE);
    permute_rows(gguf(&x, "blk.0.attn_q.weight", 16, WIDE), q, 8);
    compare(&x, ST, GGUF);
    expect_all_mapped_at_zero(&x);
    finish(&x);
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
    start(&x);
    builder_string(&x.b, "general.architecture", "gemma3");
    both(&x, "model.embed_tokens.weight", "token_embd.weight", 8, 32);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct built_tensor *t = hf(&x, names[i][0], 0, 32), *u = gguf(&x, names[i][1], 0, 32);
        for (int k = 0; k < 32; k++)
            u->values[k] = t->values[k] + 1.0f;
    }
    compare(&x, ST, GGUF);
    expect_all_mapped_at_zero(&x);
    finish(&x);
}

static void transpose(struct bench *x, const char *a, const char *b, uint64_t in, uint64_t out)
{
    struct built_tensor *t = hf(x, a, in, out), *u = gguf(x, b, out, in);
    for (uint64_t i = 0; i < in; i++)
        for (uint64_t o = 0; o < out; o++)
            u->values[o * in + i] = t->values[i * out + o];
}

static void transposition_of_gpt2_is_undone_exactly(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    builder_string(&x.b, "general.architecture", "gpt2");
    both(&x, "wte.weight", "token_embd.weight", 50, 96);
    both(&x, "wpe.weight", "position_embd.weight", 10, 96);
    both(&x, "h.0.attn.c_attn.bias", "blk.0.attn_qkv.bias", 0, 288);
    transpose(&x, "h.0.attn.c_attn.weight", "blk.0.attn_qkv.weight", 96, 288);
    transpose(&x, "h.0.attn.c_proj.weight", "blk.0.attn_output.weight", 96, 96);
    transpose(&x, "h.0.mlp.c_fc.weight", "blk.0.ffn_up.weight", 300, 1100);
    transpose(&x, "h.0.mlp.c_proj.weight", "blk.0.ffn_down.weight", 1100, 300);
    compare(&x, ST, GGUF);
    expect_all_mapped_at_zero(&x);
    finish(&x);
}

static void experts_are_found_in_the_stack(void **state)
{
    struct bench x;
    char name[96];
    (void)state;
    start(&x);
    builder_string(&x.b, "general.architecture", "llama");
    struct built_tensor *stack =
        builder_add3(&x.b, "blk.0.ffn_gate_exps.weight", DTYPE_F32, 3, 8, 32);
    for (uint64_t e = 0; e < 3; e++) {
        snprintf(name, sizeof name, "model.layers.0.block_sparse_moe.experts.%d.w1.weight", (int)e);
        struct built_tensor *t = hf(&x, name, 8, 32);
        memcpy(stack->values + e * 256, t->values, 256 * sizeof(float));
    }
    compare(&x, ST, GGUF);
    assert_int_equal(x.diff.tensor_count, 3);
    expect_all_mapped_at_zero(&x);
    finish(&x);
}

static void a_missing_expert_is_said(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    builder_string(&x.b, "general.architecture", "qwen3moe");
    builder_add3(&x.b, "blk.0.ffn_up_exps.weight", DTYPE_F32, 3, 8, 32);
    hf(&x, "model.layers.0.mlp.experts.0.up_proj.weight", 8, 32);
    hf(&x, "model.layers.0.mlp.experts.2.up_proj.weight", 8, 32);
    compare(&x, ST, GGUF);
    assert_int_equal(x.diff.counts[TENSOR_ADDED], 1);
    finish(&x);
}

static void a_tied_output_is_compared_with_the_embedding(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    builder_string(&x.b, "general.architecture", "qwen2");
    both(&x, "model.embed_tokens.weight", "token_embd.weight", 8, 32);
    struct built_tensor *t = hf(&x, "lm_head.weight", 8, 32);
    copy(t, &x.a.t[0]);
    compare(&x, ST, GGUF);
    assert_int_equal(x.diff.tensor_count, 2);
    expect_all_mapped_at_zero(&x);
    finish(&x);
}

static void rope_factors_are_no_difference(void **state)
{
    struct bench x;
    (void)state;
    start(&x);
    llama_like(&x, "llama");
    built_random(gguf(&x, "rope_freqs.weight", 0, 8), 1, 1);
    compare(&x, ST, GGUF);
    expect(&x, REL_REPACKED);
    assert_int_equal(x.diff.counts[TENSOR_ADDED], 1);
    finish(&x);
}

/* ---- quantised, and more than that ---- */

static void quantise(struct bench *x, enum dtype type, float drift)
{
    start(x);
    struct built_tensor *t = builder_add(&x->a, "blk.0.ffn_up.weight", DTYPE_F32, 256, 256);
    struct built_tensor *u = builder_add(&x->b, "blk.0.ffn_up.weight", type, 256, 256);
    struct built_tensor noise = *t;
    built_random(t, 9, 0.02f);
    copy(u, t);
    noise.values = calloc(t->elements, sizeof(float));
    assert_non_null(noise.values);
    built_random(&noise, 10, 0.02f * drift);
    for (uint64_t i = 0; i < t->elements; i++)
        u->values[i] += noise.values[i];
    free(noise.values);
    compare(x, GGUF, GGUF);
}

static void quantisation_is_told_by_its_distance(void **state)
{
    struct bench x;
    (void)state;
    quantise(&x, DTYPE_Q8_0, 0);
    expect(&x, REL_QUANTISED);
    finish(&x);
    quantise(&x, DTYPE_Q4_0, 0);
    expect(&x, REL_QUANTISED);
    finish(&x);
}

static void quantised_and_changed_is_fine_tuned_and_says_both(void **state)
{
    struct bench x;
    (void)state;
    quantise(&x, DTYPE_Q8_0, 0.1f); /* 0.1 where rounding explains 0.005 */
    expect(&x, REL_FINE_TUNED);
    assert_non_null(strstr(x.diff.because, "quantised as well"));
    finish(&x);
    quantise(&x, DTYPE_Q4_0, 0.3f);
    expect(&x, REL_FINE_TUNED);
    finish(&x);
}

/* ---- outside the tensors ---- */

static const struct diff_entry *entry(const struct bench *x, const char *where, const char *what)
{
    for (size_t i = 0; i < x->diff.entry_count; i++)
        if (strcmp(x->diff.entries[i].where, where) == 0 &&
            strcmp(x->diff.entries[i].what, what) == 0)
            return &x->diff.entries[i];
    fail_msg("no entry %s, %s", where, what);
    return NULL;
}

static void metadata_and_tokens_are_entries(void **state)
{
    static const char *const tokens_a[] = {"a", "b", "c"}, *const tokens_b[] = {"a", "c", "d\x1b"};
    struct bench x;
    (void)state;
    start(&x);
    builder_add(&x.a, "token_embd.weight", DTYPE_F32, 2, 32);
    builder_add(&x.b, "token_embd.weight", DTYPE_F32, 2, 32);
    builder_u32(&x.a, "llama.block_count", 4);
    builder_u32(&x.b, "llama.block_count", 5);
    builder_string(&x.a, "general.name", "A");
    builder_strings(&x.a, "tokenizer.ggml.tokens", tokens_a, 3);
    builder_strings(&x.b, "tokenizer.ggml.tokens", tokens_b, 3);
    builder_string(&x.b, "tokenizer.chat_template", "{{ x }}");
    compare(&x, GGUF, GGUF);
    expect(&x, REL_REPACKED);
    assert_string_equal(entry(&x, "metadata", "llama.block_count")->b, "5");
    assert_null(entry(&x, "metadata", "general.name")->b);
    assert_string_equal(entry(&x, "tokenizer", "tokens removed")->a, "1 of 3: \"b\"");
    assert_null(strchr(entry(&x, "tokenizer", "tokens added")->b, 0x1b));
    assert_string_equal(entry(&x, "tokenizer", "tokens of another id")->b, "1 of 3: \"c\"");
    assert_null(entry(&x, "chat template", "default")->a);
    finish(&x);
}

static void entries_beyond_the_limit_are_counted(void **state)
{
    struct bench x;
    char key[32];
    (void)state;
    start(&x);
    for (int i = 0; i < DIFF_MAX_ENTRIES + 7; i++) {
        snprintf(key, sizeof key, "k%d", i);
        builder_u32(&x.a, key, 1);
    }
    compare(&x, GGUF, GGUF);
    assert_int_equal(x.diff.entry_count, DIFF_MAX_ENTRIES);
    assert_int_equal(x.diff.entries_more, 7);
    expect(&x, REL_UNDECIDED);
    finish(&x);
}

/* ---- folders ---- */

static void put_file(const char *folder, const char *name, struct span bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

static const char *const folder_files[] = {"config.json", "tokenizer.json", "model.safetensors"};

static struct model *read_folder(char *folder, const char *config, const char *tokenizer,
                                 struct builder *b)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_non_null(mkdtemp(folder));
    put_file(folder, folder_files[0], span_str(config));
    put_file(folder, folder_files[1], span_str(tokenizer));
    put_file(folder, folder_files[2], builder_safetensors(b));
    if (!model_read(&m, folder, NULL, &e))
        fail_msg("%s", e.text);
    return m;
}

static void remove_folder(const char *folder)
{
    char path[512];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folder_files[i]);
        remove(path);
    }
    remove(folder);
}

#define VOCAB(tokens, merges)                                                                      \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{" tokens "},\"merges\":[" merges "]}}"

static void documents_are_compared_by_pointer(void **state)
{
    char fa[] = "/tmp/assay-diff-XXXXXX", fb[] = "/tmp/assay-diff-XXXXXX";
    struct bench x;
    (void)state;
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_F32);
    x.ma =
        read_folder(fa, "{\"hidden_size\":64,\"eps\":1e-5,\"rope\":{\"a/b\":[1,2]},\"gone\":null}",
                    VOCAB("\"a\":0,\"b\":1", "\"a b\""), &x.a);
    x.mb = read_folder(fb, "{\"eps\":0.00001,\"hidden_size\":65,\"rope\":{\"a/b\":[1,3,4]}}",
                       VOCAB("\"a\":0,\"c\":1", "[\"a\",\"b\"]"), &x.b);
    compare_with(&x, 1);
    expect(&x, REL_REPACKED);
    assert_string_equal(entry(&x, "config", "/hidden_size")->b, "65");
    assert_string_equal(entry(&x, "config", "/rope/a~1b/1")->a, "2");
    assert_null(entry(&x, "config", "/rope/a~1b/2")->a);
    assert_null(entry(&x, "config", "/gone")->b);
    assert_string_equal(entry(&x, "tokenizer", "tokens added")->b, "1 of 2: \"c\"");
    assert_int_equal(x.diff.entry_count, 6); /* eps and merges are equal in value */
    finish(&x);
    remove_folder(fa);
    remove_folder(fb);
}

static void a_folder_and_a_file_are_compared_by_what_both_name(void **state)
{
    static const char *const tokens[] = {"a", "b", "[PAD2]"};
    char folder[] = "/tmp/assay-diff-XXXXXX";
    struct bench x;
    (void)state;
    start(&x);
    llama_like(&x, "llama");
    builder_u32(&x.b, "llama.block_count", 1);
    builder_u32(&x.b, "llama.context_length", 128);
    builder_strings(&x.b, "tokenizer.ggml.tokens", tokens, 3);
    x.ma = read_folder(folder,
                       "{\"num_hidden_layers\":1,\"max_position_embeddings\":256,"
                       "\"num_attention_heads\":4}",
                       VOCAB("\"a\":0,\"b\":1", ""), &x.a);
    x.mb = build(&x.b, GGUF, &x.bytes_b);
    compare_with(&x, 1);
    expect(&x, REL_REPACKED);
    assert_int_equal(x.diff.entry_count, 1);
    assert_string_equal(entry(&x, "config", "max_position_embeddings")->a, "256");
    assert_string_equal(entry(&x, "config", "max_position_embeddings")->b, "128");
    finish(&x);
    remove_folder(folder);
}

/* ---- hostile ---- */

static void any_damage_is_survived_and_never_identical(void **state)
{
    struct bench x;
    uint32_t random = 1;
    (void)state;
    start(&x);
    llama_like(&x, "llama");
    builder_u32(&x.b, "llama.block_count", 1);
    x.ma = build(&x.a, ST, &x.bytes_a);
    struct span whole = builder_gguf(&x.b);
    uint8_t *damaged = malloc(whole.n);
    assert_non_null(damaged);
    for (int round = 0; round < 400; round++) {
        memcpy(damaged, whole.p, whole.n);
        for (int k = 0; k < 1 + round % 3; k++) {
            random = random * 1664525 + 1013904223;
            damaged[(random >> 8) % 1100] ^= (uint8_t)(1u << (random >> 4) % 8);
        }
        x.mb = read_span("damaged.gguf", (struct span){damaged, whole.n});
        compare_with(&x, 1);
        assert_int_not_equal(x.diff.relation, REL_IDENTICAL);
        model_free(x.mb);
    }
    free(damaged);
    x.mb = NULL;
    finish(&x);
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
    start(&x);
    two_alike(&x, DTYPE_F32, DTYPE_F32);
    x.ma = build(&x.a, ST, &x.bytes_a);
    x.mb = build(&x.b, ST, &x.bytes_b);
    assert_false(inspect_diff(&x.diff, x.ma, x.mb, x.arena, &opt, &e));
    assert_int_equal(e.code, ERR_INTERRUPTED);
    assert_int_equal(calls, 1);
    finish(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_compared_by_pointer),
        cmocka_unit_test(a_folder_and_a_file_are_compared_by_what_both_name),
        cmocka_unit_test(any_damage_is_survived_and_never_identical),
        cmocka_unit_test(the_caller_can_stop_it),
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
        cmocka_unit_test(quantisation_is_told_by_its_distance),
        cmocka_unit_test(quantised_and_changed_is_fine_tuned_and_says_both),
        cmocka_unit_test(metadata_and_tokens_are_entries),
        cmocka_unit_test(entries_beyond_the_limit_are_counted),
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
