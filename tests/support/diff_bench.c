/* See diff_bench.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/diff_bench.h"

void bench_start(struct bench *x)
{
    memset(x, 0, sizeof *x);
    builder_init(&x->a);
    builder_init(&x->b);
    x->arena = arena_new(64 << 20);
    assert_non_null(x->arena);
}

void bench_finish(struct bench *x)
{
    model_free(x->ma);
    model_free(x->mb);
    arena_free(x->arena);
    builder_free(&x->a);
    builder_free(&x->b);
}

struct model *bench_read(const char *name, struct span bytes)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, name, bytes, &e))
        fail_msg("%s: %s", name, e.text);
    return m;
}

void bench_compare_with(struct bench *x, unsigned threads)
{
    struct err e = ERR_INIT;
    struct diff_options opt = {.threads = threads};
    if (!inspect_diff(&x->diff, x->ma, x->mb, x->arena, &opt, &e))
        fail_msg("%s", e.text);
}

struct model *bench_build(struct builder *b, enum container c, struct span *bytes)
{
    *bytes = c == ST ? builder_safetensors(b) : builder_gguf(b);
    return bench_read(c == ST ? "m.safetensors" : "m.gguf", *bytes);
}

void bench_compare(struct bench *x, enum container a, enum container b)
{
    x->ma = bench_build(&x->a, a, &x->bytes_a);
    x->mb = bench_build(&x->b, b, &x->bytes_b);
    bench_compare_with(x, 2);
}

void bench_expect(const struct bench *x, enum relation r)
{
    if (x->diff.relation != r)
        fail_msg("%s, expected %s: %s", relation_name(x->diff.relation), relation_name(r),
                 x->diff.because);
}

void built_copy(struct built_tensor *to, const struct built_tensor *from)
{
    memcpy(to->values, from->values, from->elements * sizeof *from->values);
}

/* A matrix and a norm, in both. */
void bench_two_alike(struct bench *x, enum dtype a, enum dtype b)
{
    struct built_tensor *t = builder_add(&x->a, "model.layers.0.mlp.up_proj.weight", a, 64, 256);
    built_random(t, 1, 0.05f);
    built_copy(builder_add(&x->b, t->name, b, 64, 256), t);
    t = builder_add(&x->a, "model.norm.weight", DTYPE_F32, 0, 64);
    built_random(t, 2, 1);
    built_copy(builder_add(&x->b, t->name, DTYPE_F32, 0, 64), t);
}

/* What a converter writes for row `row`: halves of a head interleaved. */
static uint64_t hf_row(uint64_t row, uint64_t head)
{
    uint64_t h = row / head, w = row % head;
    return h * head + w % 2 * (head / 2) + w / 2;
}

void built_permute_rows(struct built_tensor *to, const struct built_tensor *from, uint64_t head)
{
    uint64_t cols = from->shape[1] ? from->shape[1] : 1, rows = from->elements / cols;
    for (uint64_t r = 0; r < rows; r++)
        memcpy(to->values + r * cols, from->values + hf_row(r, head) * cols,
               cols * sizeof *to->values);
}

struct built_tensor *bench_hf(struct bench *x, const char *name, uint64_t rows, uint64_t cols)
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

struct built_tensor *bench_gguf(struct bench *x, const char *name, uint64_t rows, uint64_t cols)
{
    return builder_add(&x->b, name, DTYPE_F32, rows, cols);
}

void bench_both(struct bench *x, const char *a, const char *b, uint64_t rows, uint64_t cols)
{
    struct built_tensor *t = bench_hf(x, a, rows, cols);
    built_copy(bench_gguf(x, b, rows, cols), t);
}

enum { WIDTH = 64, HEADS = 4, KV_HEADS = 2, HEAD = 16 };

void bench_llama(struct bench *x, const char *arch)
{
    char key[64];
    builder_string(&x->b, "general.architecture", arch);
    snprintf(key, sizeof key, "%s.attention.head_count", arch);
    builder_u32(&x->b, key, HEADS);
    snprintf(key, sizeof key, "%s.attention.head_count_kv", arch);
    builder_u32(&x->b, key, KV_HEADS);
    bench_both(x, "model.embed_tokens.weight", "token_embd.weight", 96, WIDTH);
    bench_both(x, "model.layers.0.input_layernorm.weight", "blk.0.attn_norm.weight", 0, WIDTH);
    bench_both(x, "model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight", 0,
               WIDTH);
    bench_both(x, "model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", KV_HEADS * HEAD,
               WIDTH);
    bench_both(x, "model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight", WIDTH, 128);
    struct built_tensor *q =
        bench_hf(x, "model.layers.0.self_attn.q_proj.weight", HEADS * HEAD, WIDTH);
    built_permute_rows(bench_gguf(x, "blk.0.attn_q.weight", HEADS * HEAD, WIDTH), q, HEAD);
    struct built_tensor *k =
        bench_hf(x, "model.layers.0.self_attn.k_proj.weight", KV_HEADS * HEAD, WIDTH);
    built_permute_rows(bench_gguf(x, "blk.0.attn_k.weight", KV_HEADS * HEAD, WIDTH), k, HEAD);
    struct built_tensor *bias =
        bench_hf(x, "model.layers.0.self_attn.q_proj.bias", 0, HEADS * HEAD);
    built_permute_rows(bench_gguf(x, "blk.0.attn_q.bias", 0, HEADS * HEAD), bias, HEAD);
}

void bench_expect_mapped(const struct bench *x)
{
    for (size_t i = 0; i < x->diff.tensor_count; i++) {
        const struct tensor_diff *d = &x->diff.tensors[i];
        if (!d->mapped || d->distance != 0 || d->changed != 0)
            fail_msg("%s: mapped %d, %s, distance %g", d->a ? (const char *)d->a->name.p : "-",
                     d->mapped, tensor_change_name(d->change), d->distance);
    }
    bench_expect(x, REL_REPACKED);
}
