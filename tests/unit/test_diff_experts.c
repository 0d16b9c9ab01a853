/*
 * Experts and fused projections across containers: the layouts of transformers
 * that converters take apart, put back element by element.
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

/* Experts, outputs, inputs; more rows and columns than one unit of work has. */
enum { E = 3, N = 600, W = 288 };

#define LAYER "model.layers.0."

/* Whole numbers that BF16 holds, no two near ones alike. */
static void number(struct built_tensor *t)
{
    for (uint64_t i = 0; i < t->elements; i++)
        t->values[i] = (float)((i * 37 + i / 251) % 253) - 126;
}

static struct built_tensor *hf3(struct bench *x, const char *name, uint64_t e, uint64_t rows,
                                uint64_t cols)
{
    struct built_tensor *t = builder_add3(&x->a, name, DTYPE_BF16, e, rows, cols);
    number(t);
    return t;
}

static float *gguf3(struct bench *x, const char *name, uint64_t e, uint64_t rows, uint64_t cols)
{
    return builder_add3(&x->b, name, DTYPE_F32, e, rows, cols)->values;
}

static void mapped(struct bench *x, size_t pairs)
{
    bench_compare(x, ST, GGUF);
    assert_int_equal(x->diff.tensor_count, pairs);
    bench_expect_mapped(x);
    bench_finish(x);
}

/* [e, 2n, w] to [e, n, w] twice; n = N unless it is one matrix (e = 0). */
static void split_halves(struct bench *x, const char *hf, const char *gate, const char *up,
                         uint64_t e)
{
    const float *v = hf3(x, hf, e, 2 * N, W)->values;
    float *g = gguf3(x, gate, e, N, W), *u = gguf3(x, up, e, N, W);
    for (uint64_t k = 0; k < (e ? e : 1); k++) {
        memcpy(g + k * N * W, v + k * 2 * N * W, sizeof *v * N * W);
        memcpy(u + k * N * W, v + (k * 2 + 1) * N * W, sizeof *v * N * W);
    }
}

static void stacked_experts_of_transformers_5_are_split(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "qwen3moe");
    split_halves(&x, LAYER "mlp.experts.gate_up_proj", "blk.0.ffn_gate_exps.weight",
                 "blk.0.ffn_up_exps.weight", E);
    const struct built_tensor *down = hf3(&x, LAYER "mlp.experts.down_proj", E, W, N);
    memcpy(gguf3(&x, "blk.0.ffn_down_exps.weight", E, W, N), down->values,
           sizeof *down->values * E * N * W);
    mapped(&x, 3);
}

static void fused_experts_of_granite_are_split(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "granitemoe");
    split_halves(&x, LAYER "block_sparse_moe.input_linear.weight", "blk.0.ffn_gate_exps.weight",
                 "blk.0.ffn_up_exps.weight", E);
    split_halves(&x, LAYER "shared_mlp.input_linear.weight", "blk.0.ffn_gate_shexp.weight",
                 "blk.0.ffn_up_shexp.weight", 0);
    mapped(&x, 4);
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "granite"); /* no experts: plain names */
    split_halves(&x, LAYER "shared_mlp.input_linear.weight", "blk.0.ffn_gate.weight",
                 "blk.0.ffn_up.weight", 0);
    bench_both(&x, LAYER "shared_mlp.output_linear.weight", "blk.0.ffn_down.weight", W, N);
    mapped(&x, 3);
}

/* gate_up [e, w, 2n], gate and up in turn; down [e, n, w]. */
static void gpt_oss_experts(struct bench *x)
{
    bench_start(x);
    builder_string(&x->b, "general.architecture", "gpt-oss");
    const float *v = hf3(x, LAYER "mlp.experts.gate_up_proj", E, W, 2 * N)->values;
    float *g = gguf3(x, "blk.0.ffn_gate_exps.weight", E, N, W);
    float *u = gguf3(x, "blk.0.ffn_up_exps.weight", E, N, W);
    const float *d = hf3(x, LAYER "mlp.experts.down_proj", E, N, W)->values;
    float *to = gguf3(x, "blk.0.ffn_down_exps.weight", E, W, N);
    for (uint64_t e = 0; e < E; e++)
        for (uint64_t n = 0; n < N; n++)
            for (uint64_t w = 0; w < W; w++) {
                g[(e * N + n) * W + w] = v[(e * W + w) * 2 * N + 2 * n];
                u[(e * N + n) * W + w] = v[(e * W + w) * 2 * N + 2 * n + 1];
                to[(e * W + w) * N + n] = d[(e * N + n) * W + w];
            }
    const float *b = hf3(x, LAYER "mlp.experts.gate_up_proj_bias", 0, E, 2 * N)->values;
    g = gguf3(x, "blk.0.ffn_gate_exps.bias", 0, E, N);
    u = gguf3(x, "blk.0.ffn_up_exps.bias", 0, E, N);
    for (uint64_t i = 0; i < (uint64_t)E * N; i++) {
        g[i] = b[2 * i];
        u[i] = b[2 * i + 1];
    }
    bench_both(x, LAYER "mlp.experts.down_proj_bias", "blk.0.ffn_down_exps.bias", E, W);
    bench_both(x, LAYER "mlp.router.weight", "blk.0.ffn_gate_inp.weight", E, W);
    bench_both(x, LAYER "mlp.router.bias", "blk.0.ffn_gate_inp.bias", 0, E);
    bench_both(x, LAYER "self_attn.sinks", "blk.0.attn_sinks.weight", 0, 64);
}

static void experts_of_gpt_oss_are_unwoven_and_turned(void **state)
{
    struct bench x;
    (void)state;
    gpt_oss_experts(&x);
    mapped(&x, 9);
    gpt_oss_experts(&x); /* one element in the last expert differs: it is seen, and only it */
    x.b.t[1].values[(uint64_t)E * N * W - 1] += 1;
    bench_compare(&x, ST, GGUF);
    size_t differ = 0;
    for (size_t i = 0; i < x.diff.tensor_count; i++)
        differ += x.diff.tensors[i].changed > 0;
    assert_int_equal(differ, 1);
    bench_finish(&x);
}

/* ---- MXFP4 in two tensors ---- */

enum { BLOCKS = 3, ROWS = 10, COLS = BLOCKS * 32 };

static float mxfp4(unsigned code, unsigned exponent)
{
    static const float values[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    float v = ldexpf(values[code & 7], (int)exponent - 127);
    return code & 8 ? -v : v;
}

/* Rows `rows` of [E, rows, COLS]; `out` gets the numbers they stand for. */
static void packed(struct bench *x, const char *blocks, const char *scales, uint64_t rows,
                   float *out)
{
    struct built_tensor *b = builder_add3(&x->a, blocks, DTYPE_U8, E, rows, (uint64_t)BLOCKS * 16);
    struct built_tensor *s = builder_add3(&x->a, scales, DTYPE_U8, E, rows, BLOCKS);
    b->shape[2] = BLOCKS;
    b->shape[3] = 16;
    for (uint64_t i = 0; i < b->elements; i++) {
        unsigned byte = (unsigned)(i * 89 + i / 16) & 0xFF;
        s->values[i / 16] = (float)(120 + i / 16 % 9);
        b->values[i] = (float)byte;
        out[2 * i] = mxfp4(byte & 15, (unsigned)s->values[i / 16]);
        out[2 * i + 1] = mxfp4(byte >> 4, (unsigned)s->values[i / 16]);
    }
}

static void mxfp4_experts(struct bench *x)
{
    float gate_up[E * 2 * ROWS * COLS];
    bench_start(x);
    builder_string(&x->b, "general.architecture", "gpt-oss");
    packed(x, LAYER "mlp.experts.gate_up_proj_blocks", LAYER "mlp.experts.gate_up_proj_scales",
           (uint64_t)2 * ROWS, gate_up);
    float *g = gguf3(x, "blk.0.ffn_gate_exps.weight", E, ROWS, COLS);
    float *u = gguf3(x, "blk.0.ffn_up_exps.weight", E, ROWS, COLS);
    for (size_t r = 0; r < (size_t)E * ROWS; r++) {
        memcpy(g + r * COLS, gate_up + 2 * r * COLS, COLS * sizeof *g);
        memcpy(u + r * COLS, gate_up + (2 * r + 1) * COLS, COLS * sizeof *u);
    }
    packed(x, LAYER "mlp.experts.down_proj_blocks", LAYER "mlp.experts.down_proj_scales", ROWS,
           gguf3(x, "blk.0.ffn_down_exps.weight", E, ROWS, COLS));
}

static void mxfp4_of_gpt_oss_is_read_from_both_tensors(void **state)
{
    struct bench x;
    size_t pairs = 0;
    (void)state;
    mxfp4_experts(&x);
    bench_compare(&x, ST, GGUF);
    for (size_t i = 0; i < x.diff.tensor_count; i++) {
        const struct tensor_diff *d = &x.diff.tensors[i];
        pairs += d->a && d->b;
        if (d->a && d->b && (d->unread || d->distance != 0 || d->changed != 0))
            fail_msg("%s: distance %g", (const char *)d->b->name.p, d->distance);
    }
    assert_int_equal(pairs, 3);
    assert_int_equal(x.diff.counts[TENSOR_REMOVED], 2); /* the scales, which count for nothing */
    bench_expect(&x, REL_REPACKED);
    bench_finish(&x);
}

static void mxfp4_without_scales_is_not_compared(void **state)
{
    struct bench x;
    (void)state;
    mxfp4_experts(&x);
    strcpy(x.a.t[1].name, "elsewhere");
    bench_compare(&x, ST, GGUF);
    assert_int_equal(x.diff.unread, 2);
    bench_finish(&x);
    mxfp4_experts(&x);
    x.a.t[3].shape[2] = BLOCKS - 1; /* fewer scales than blocks */
    x.a.t[3].elements -= (uint64_t)E * ROWS;
    bench_compare(&x, ST, GGUF);
    assert_int_equal(x.diff.unread, 1);
    bench_finish(&x);
}

static void experts_of_another_shape_are_said(void **state)
{
    static const uint64_t shapes[][3] = {{E, 9, 32}, {E, 8, 33}, {E + 1, 8, 32}, {0, 8, 32}};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int turned = 0; turned < 2; turned++) {
            struct bench x;
            bench_start(&x);
            builder_string(&x.b, "general.architecture", turned ? "gpt-oss" : "qwen3moe");
            hf3(&x, LAYER "mlp.experts.gate_up_proj", E, turned ? 32 : 8, turned ? 8 : 32);
            gguf3(&x, "blk.0.ffn_gate_exps.weight", shapes[i][0], shapes[i][1], shapes[i][2]);
            bench_compare(&x, ST, GGUF);
            assert_int_equal(x.diff.counts[TENSOR_RESHAPED], 1);
            bench_finish(&x);
        }
}

/* ---- fused projections that stay fused ---- */

static void fused_projections_of_phi3_keep_their_rows(void **state)
{
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_string(&x.b, "general.architecture", "phi3");
    builder_u32(&x.b, "phi3.attention.head_count", 4);
    bench_both(&x, LAYER "self_attn.qkv_proj.weight", "blk.0.attn_qkv.weight", 96, 64);
    bench_both(&x, LAYER "mlp.gate_up_proj.weight", "blk.0.ffn_up.weight", 128, 64);
    bench_both(&x, LAYER "mlp.down_proj.weight", "blk.0.ffn_down.weight", 64, 64);
    mapped(&x, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacked_experts_of_transformers_5_are_split),
        cmocka_unit_test(fused_experts_of_granite_are_split),
        cmocka_unit_test(experts_of_gpt_oss_are_unwoven_and_turned),
        cmocka_unit_test(mxfp4_of_gpt_oss_is_read_from_both_tensors),
        cmocka_unit_test(mxfp4_without_scales_is_not_compared),
        cmocka_unit_test(experts_of_another_shape_are_said),
        cmocka_unit_test(fused_projections_of_phi3_keep_their_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
