/*
 * Written models read back: every metadata type, alignment, order, quantised
 * values against hand-made blocks, and what a failed write leaves behind.
 */
#include "assay/model_write.h"
#include "assay/base/file.h"
#include "support/folder.h"
#include "support/gguf_cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

static struct folder here;
static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    return arena && folder_make(&here) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    folder_remove(&here);
    return 0;
}

static const struct write_tensor three[] = {
    {{(const uint8_t *)"a.weight", 8}, DTYPE_F32, 2, {3, 5}},
    {{(const uint8_t *)"b.weight", 8}, DTYPE_Q8_0, 2, {2, 32}},
    {{(const uint8_t *)"c", 1}, DTYPE_F16, 1, {7}},
};

enum { THREE_BYTES = 60 + 68 + 14 };

static void fill(uint8_t bytes[THREE_BYTES])
{
    for (size_t i = 0; i < THREE_BYTES; i++)
        bytes[i] = (uint8_t)(i * 37 + 1);
}

/* All bytes in pieces of `step`. */
static bool put_all(struct model_writer *w, size_t step, struct err *e)
{
    uint8_t bytes[THREE_BYTES];
    fill(bytes);
    for (size_t at = 0; at < THREE_BYTES; at += step) {
        size_t n = THREE_BYTES - at < step ? THREE_BYTES - at : step;
        if (!model_writer_put(w, bytes + at, n, e))
            return false;
    }
    return true;
}

static void write_gguf(const char *path, size_t step)
{
    struct metadata_list pairs;
    struct model_writer *w;
    struct err e = ERR_INIT;
    const struct span words[] = {span_str("one"), span_str(""), span_str("three")};
    const int32_t numbers[] = {-1, 2};
    metadata_init(&pairs, arena);
    metadata_set_str(&pairs, "general.architecture", span_str("llama"));
    metadata_set_u32(&pairs, "test.u32", 7);
    metadata_set_f32(&pairs, "test.f32", 0.1f);
    metadata_set_bool(&pairs, "test.bool", true);
    metadata_set_strs(&pairs, "test.words", words, 3);
    metadata_set_i32s(&pairs, "test.numbers", numbers, 2);
    metadata_set_u32(&pairs, "general.quantization_version", 1);
    metadata_set_u32(&pairs, "general.quantization_version", 2);
    assert_true(gguf_begin(&w, path, &pairs, three, 3, &e));
    assert_true(put_all(w, step, &e));
    assert_true(model_writer_finish(w, &e));
}

static struct span bytes_of(const char *path)
{
    struct err e = ERR_INIT;
    struct span s;
    assert_true(file_read(&s, path, 1 << 20, false, arena, &e));
    return s;
}

static void expect_three(const struct model *m)
{
    uint8_t expected[THREE_BYTES], seen[THREE_BYTES];
    size_t at = 0;
    struct err e = ERR_INIT;
    fill(expected);
    assert_int_equal(m->tensor_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct tensor *t = model_tensor(m, three[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, three[i].dtype);
        assert_int_equal(t->rank, three[i].rank);
        for (uint32_t d = 0; d < t->rank; d++)
            assert_true(t->shape[d] == three[i].shape[d]);
        size_t n = (size_t)t->data.length;
        assert_true(source_read(m->files[0].source, seen, t->data.offset, n, &e));
        assert_memory_equal(seen, expected + at, n);
        at += n;
    }
}

static void gguf_reads_back_without_a_finding(void **state)
{
    (void)state;
    struct model *m;
    struct err e = ERR_INIT;
    uint64_t u;
    double d;
    bool b;
    write_gguf(folder_path(&here, "m.gguf"), 11);
    assert_true(model_read(&m, folder_path(&here, "m.gguf"), NULL, &e));
    assert_int_equal(m->verdict.count, 0);
    expect_three(m);
    assert_true(metadata_u64(m, "test.u32", &u) && u == 7);
    assert_true(metadata_double(m, "test.f32", &d) && d == (double)0.1f);
    assert_true(metadata_bool(m, "test.bool", &b) && b);
    assert_true(metadata_u64(m, "general.quantization_version", &u) && u == 2);
    assert_int_equal(model_metadata(m, "test.words")->value.count, 3);
    assert_int_equal(m->metadata_count, 7);
    model_free(m);
}

static void gguf_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    write_gguf(folder_path(&here, "m.gguf"), 1);
    struct span one = bytes_of(folder_path(&here, "m.gguf"));
    write_gguf(folder_path(&here, "m.gguf"), THREE_BYTES);
    assert_true(span_eq(one, bytes_of(folder_path(&here, "m.gguf"))));
}

static void safetensors_reads_back_without_a_finding(void **state)
{
    (void)state;
    struct metadata_list pairs;
    struct model_writer *w;
    struct model *m;
    struct err e = ERR_INIT;
    static const struct write_tensor two[] = {
        {{(const uint8_t *)"a\"\xc3\xa9", 4}, DTYPE_F32, 2, {3, 5}},
        {{(const uint8_t *)"scalar", 6}, DTYPE_F32, 0, {0}},
    };
    uint8_t bytes[64] = {1, 2, 3};
    metadata_init(&pairs, arena);
    metadata_set_str(&pairs, "format", span_str("pt"));
    assert_true(safetensors_begin(&w, folder_path(&here, "m.safetensors"), &pairs, two, 2, &e));
    assert_true(model_writer_put(w, bytes, sizeof bytes, &e));
    assert_true(model_writer_finish(w, &e));
    assert_true(model_read(&m, folder_path(&here, "m.safetensors"), NULL, &e));
    assert_int_equal(m->verdict.count, 0);
    assert_int_equal(m->tensor_count, 2);
    assert_int_equal(model_tensor(m, two[1].name)->rank, 0);
    assert_int_equal(model_tensor(m, two[0].name)->data.offset % 8, 0);
    model_free(m);
}

static void what_a_container_cannot_hold_is_refused(void **state)
{
    (void)state;
    struct metadata_list pairs;
    struct model_writer *w;
    struct err e = ERR_INIT;
    const char *path = folder_path(&here, "m");
    metadata_init(&pairs, arena);
    assert_false(safetensors_begin(&w, path, &pairs, &three[1], 1, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    struct write_tensor t = {span_str("t"), DTYPE_U8, 1, {4}};
    err_clear(&e);
    assert_false(gguf_begin(&w, path, &pairs, &t, 1, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    t = (struct write_tensor){span_str("t"), DTYPE_Q8_0, 2, {2, 33}};
    err_clear(&e);
    assert_false(gguf_begin(&w, path, &pairs, &t, 1, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    t = (struct write_tensor){span_str("t"), DTYPE_F32, 2, {UINT64_MAX, 33}};
    err_clear(&e);
    assert_false(gguf_begin(&w, path, &pairs, &t, 1, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    metadata_set_u32(&pairs, "n", 1);
    err_clear(&e);
    assert_false(safetensors_begin(&w, path, &pairs, three, 1, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_true(access(path, F_OK) != 0);
}

static void too_few_or_too_many_bytes_leave_no_file(void **state)
{
    (void)state;
    struct metadata_list pairs;
    struct model_writer *w;
    struct err e = ERR_INIT;
    uint8_t bytes[THREE_BYTES + 1] = {0};
    const char *path = folder_path(&here, "short.gguf");
    metadata_init(&pairs, arena);
    assert_true(gguf_begin(&w, path, &pairs, three, 3, &e));
    assert_true(model_writer_put(w, bytes, THREE_BYTES - 1, &e));
    assert_false(model_writer_finish(w, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    err_clear(&e);
    assert_true(gguf_begin(&w, path, &pairs, three, 3, &e));
    assert_false(model_writer_put(w, bytes, THREE_BYTES + 1, &e));
    model_writer_abort(w);
    assert_true(access(path, F_OK) != 0);
    assert_true(access(folder_path(&here, "short.gguf.new"), F_OK) != 0);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    struct metadata_list pairs;
    struct model_writer *w;
    struct err e = ERR_INIT;
    struct rlimit was, small = {256, 256};
    uint8_t bytes[THREE_BYTES] = {0};
    const char *path = folder_path(&here, "m.gguf");
    assert_true(folder_put(&here, "m.gguf", span_str("old")));
    metadata_init(&pairs, arena);
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    bool ok = gguf_begin(&w, path, &pairs, three, 3, &e);
    if (ok && !(ok = model_writer_put(w, bytes, sizeof bytes, &e)))
        model_writer_abort(w);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_false(ok);
    assert_int_equal(e.code, ERR_IO);
    assert_true(span_is(bytes_of(path), "old"));
    assert_true(access(folder_path(&here, "m.gguf.new"), F_OK) != 0);
}

/* ---- rounding ---- */

static float decoded(enum dtype t, float v)
{
    uint8_t bytes[4];
    float back;
    dtype_encode(t, &v, 1, bytes);
    dtype_decode(t, bytes, 1, false, &back);
    return back;
}

static void halves_round_to_the_nearest_even(void **state)
{
    (void)state;
    static const struct {
        float v, half;
    } rows[] = {
        {0, 0},
        {1, 1},
        {-2.5f, -2.5f},
        {65504, 65504},
        {65519.996f, 65504},
        {65520, INFINITY},
        {-1e9f, -INFINITY},
        {2049, 2048},
        {2051, 2052},
        {0x1p-24f, 0x1p-24f},
        {0x1p-25f, 0},
        {0x1.8p-25f, 0x1p-24f},
        {0x1.8p-24f, 0x1p-23f},
        {0x1.ff8p-15f, 0x1.ff8p-15f},
        {0x1.fffp-15f, 0x1p-14f},
        {1e-30f, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(decoded(DTYPE_F16, rows[i].v) == rows[i].half);
    assert_true(isnan(decoded(DTYPE_F16, NAN)));
    assert_true(signbit(decoded(DTYPE_F16, -0.0f)) != 0);
}

/* Every half decodes to a float that encodes to the same half. */
static void every_half_survives_the_way_through_float(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint8_t in[2] = {(uint8_t)h, (uint8_t)(h >> 8)}, out[2];
        float f;
        dtype_decode(DTYPE_F16, in, 1, false, &f);
        if (isnan(f))
            continue;
        dtype_encode(DTYPE_F16, &f, 1, out);
        assert_memory_equal(in, out, 2);
    }
}

static void bfloats_round_to_the_nearest_even(void **state)
{
    (void)state;
    assert_true(decoded(DTYPE_BF16, 1.00390625f) == 1.0f);
    assert_true(decoded(DTYPE_BF16, 1.01171875f) == 1.015625f);
    assert_true(decoded(DTYPE_BF16, -3.0f) == -3.0f);
    assert_true(isnan(decoded(DTYPE_BF16, NAN)));
}

/* Blocks whose scale is exact: what is stored is what was given. */
static void blocks_keep_what_they_can_hold(void **state)
{
    (void)state;
    static const struct {
        enum dtype type;
        float least;
    } rows[] = {
        {DTYPE_Q8_0, -127}, {DTYPE_Q4_0, -8}, {DTYPE_Q5_0, -16}, {DTYPE_Q4_1, 0}, {DTYPE_Q5_1, 0}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        float values[32], back[32];
        uint8_t bytes[34];
        for (int j = 0; j < 32; j++)
            values[j] = rows[r].least + (float)(j % 16);
        if (rows[r].type == DTYPE_Q5_1)
            values[31] = 31;
        dtype_encode(rows[r].type, values, 1, bytes);
        dtype_decode(rows[r].type, bytes, 1, false, back);
        assert_memory_equal(values, back, sizeof values);
    }
}

static void zeros_and_infinities_do_no_harm(void **state)
{
    (void)state;
    static const enum dtype types[] = {DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1};
    static const float hostile[] = {0, NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-44f};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t h = 0; h < sizeof hostile / sizeof *hostile; h++) {
            float values[32], back[32];
            uint8_t bytes[34];
            for (int j = 0; j < 32; j++)
                values[j] = j % 3 ? hostile[h] : 1e-3f;
            if (h == 0)
                memset(values, 0, sizeof values);
            dtype_encode(types[t], values, 1, bytes);
            dtype_decode(types[t], bytes, 1, false, back);
            assert_true(h > 0 || back[5] == 0);
        }
}

/* ---- whole models ---- */

static void a_quantised_model_says_so_and_reads_back(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct model *m, *q;
    struct err e = ERR_INIT;
    uint64_t u;
    static const struct gw_tensor tensors[] = {
        {"token_embd.weight", DTYPE_F32, {64, 3}},
        {"output_norm.weight", DTYPE_F16, {64}},
        {"odd.weight", DTYPE_F32, {20, 2}},
    };
    gw_init(&w);
    gw_header(&w, 3, 2);
    gw_kv_string(&w, "general.architecture", "llama");
    gw_kv_u32(&w, "general.alignment", 64);
    gw_tensors(&w, tensors, 3, 64, 1);
    assert_true(gw_save(&w, folder_path(&here, "in.gguf")));
    gw_free(&w);
    assert_true(model_read(&m, folder_path(&here, "in.gguf"), NULL, &e));
    assert_true(model_quantize(m, DTYPE_Q4_1, folder_path(&here, "out.gguf"), NULL, &e));
    assert_true(model_read(&q, folder_path(&here, "out.gguf"), NULL, &e));
    assert_int_equal(q->verdict.count, 0);
    assert_int_equal(model_tensor(q, span_str("token_embd.weight"))->dtype, DTYPE_Q4_1);
    assert_int_equal(model_tensor(q, span_str("output_norm.weight"))->dtype, DTYPE_F32);
    assert_int_equal(model_tensor(q, span_str("odd.weight"))->dtype, DTYPE_F16);
    assert_true(metadata_u64(q, "general.file_type", &u) && u == 3);
    assert_true(metadata_u64(q, "general.quantization_version", &u) && u == 2);
    assert_false(metadata_u64(q, "general.alignment", &u));
    model_free(q);
    model_free(m);
}

static void what_was_not_read_whole_is_not_quantised(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct model *m;
    struct err e = ERR_INIT;
    gw_init(&w);
    gc_whole(&w);
    struct span cut = span_sub(gw_span(&w), 0, gw_span(&w).n - 40);
    assert_true(folder_put(&here, "cut.gguf", cut));
    gw_free(&w);
    assert_true(model_read(&m, folder_path(&here, "cut.gguf"), NULL, &e));
    assert_false(model_quantize(m, DTYPE_Q8_0, folder_path(&here, "out2.gguf"), NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(access(folder_path(&here, "out2.gguf"), F_OK) != 0);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_reads_back_without_a_finding),
        cmocka_unit_test(gguf_is_the_same_however_it_is_cut),
        cmocka_unit_test(safetensors_reads_back_without_a_finding),
        cmocka_unit_test(what_a_container_cannot_hold_is_refused),
        cmocka_unit_test(too_few_or_too_many_bytes_leave_no_file),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(halves_round_to_the_nearest_even),
        cmocka_unit_test(every_half_survives_the_way_through_float),
        cmocka_unit_test(bfloats_round_to_the_nearest_even),
        cmocka_unit_test(blocks_keep_what_they_can_hold),
        cmocka_unit_test(zeros_and_infinities_do_no_harm),
        cmocka_unit_test(a_quantised_model_says_so_and_reads_back),
        cmocka_unit_test(what_was_not_read_whole_is_not_quantised),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
