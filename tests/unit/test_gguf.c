/* GGUF: what a right file gives, in every version and byte order. */
#include "support/gguf_cases.h"
#include "support/prefixes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct model *read_whole(struct gguf_writer *w, uint32_t version, bool big_endian)
{
    gw_init(w);
    w->version = version;
    w->big_endian = big_endian;
    gc_whole(w);
    assert_true(buf_ok(&w->out));
    return gc_read(w);
}

static void check_scalars(const struct model *m)
{
    uint64_t u = 0;
    double d = 0;
    bool b = false;
    struct span s;
    assert_true(metadata_string(m, "general.name", &s));
    assert_true(span_is(s, "tiny"));
    assert_true(metadata_u64(m, "test.u8", &u));
    assert_int_equal(u, 200);
    assert_true(metadata_u64(m, "test.u16", &u));
    assert_int_equal(u, 60000);
    assert_true(metadata_u64(m, "test.u64", &u));
    assert_true(u == UINT64_C(1) << 60);
    assert_true(metadata_double(m, "test.f64", &d));
    assert_true(d == 0.1);
    assert_true(metadata_double(m, "llama.rope.freq_base", &d));
    assert_true(d == 10000);
    assert_true(metadata_bool(m, "test.bool", &b));
    assert_true(b);
    assert_int_equal(model_metadata(m, "test.i8")->value.i, -2);
    assert_int_equal(model_metadata(m, "test.i16")->value.i, -3);
    assert_int_equal(model_metadata(m, "test.i32")->value.i, -4);
    assert_int_equal(model_metadata(m, "test.i64")->value.i, -5);
    assert_false(metadata_u64(m, "test.i64", &u)); /* negative */
    assert_false(metadata_u64(m, "general.name", &u));
    assert_null(model_metadata(m, "absent"));
}

static void check_arrays(const struct model *m)
{
    const struct value *v = &model_metadata(m, "tokenizer.ggml.tokens")->value;
    struct value item;
    struct value_iter it = value_items(v);
    assert_int_equal(v->count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(value_next(&it, &item));
    assert_true(span_is(item.string, "ab"));
    assert_false(value_next(&it, &item));
    it = value_items(&model_metadata(m, "tokenizer.ggml.scores")->value);
    for (size_t i = 0; i < 5; i++)
        assert_true(value_next(&it, &item));
    assert_true(item.f == -3);
    it = value_items(&model_metadata(m, "tokenizer.ggml.token_type")->value);
    assert_true(value_next(&it, &item));
    assert_int_equal(item.i, 2);
    it = value_items(&model_metadata(m, "general.name")->value);
    assert_false(value_next(&it, &item));
}

static void check_tensors(const struct model *m, size_t size)
{
    assert_int_equal(m->tensor_count, 3);
    const struct tensor *q = model_tensor(m, span_str("blk.0.attn_q.weight"));
    assert_ptr_equal(q, &m->tensors[1]);
    assert_int_equal(q->dtype, DTYPE_Q8_0);
    assert_int_equal(q->rank, 2);
    assert_int_equal(q->shape[0], 2); /* outermost first */
    assert_int_equal(q->shape[1], 32);
    assert_int_equal(q->elements, 64);
    assert_int_equal(q->data.length, 68);
    assert_int_equal(q->data.offset, m->files[0].data + 96);
    assert_int_equal(m->files[0].data % 32, 0);
    assert_true(m->files[0].parsed <= m->files[0].data);
    assert_int_equal(m->tensors[2].data.offset + 32, size);
    assert_null(model_tensor(m, span_str("blk.1.attn_q.weight")));
}

static void check_whole(uint32_t version, bool big_endian)
{
    struct gguf_writer w;
    struct model *m = read_whole(&w, version, big_endian);
    if (gc_worse(m, SEV_LOW))
        gc_print(m);
    assert_int_equal(gc_worse(m, SEV_LOW), 0);
    assert_false(m->verdict.incomplete);
    assert_int_equal(m->files[0].format, FORMAT_GGUF);
    assert_int_equal(m->files[0].version, version);
    assert_int_equal(m->files[0].big_endian, big_endian);
    assert_int_equal(m->files[0].alignment, 32);
    check_scalars(m);
    check_arrays(m);
    check_tensors(m, w.out.n);
    assert_int_equal(m->template_count, 2);
    assert_true(span_is(m->templates[0].bytes, "{{ messages }}"));
    assert_int_equal(m->templates[0].name.n, 0);
    assert_true(span_is(m->templates[1].name, "tool_use"));
    const struct origin *o = &m->templates[1].origin;
    assert_memory_equal(w.out.p + o->offset, "{{ tools }}", o->length);
    model_free(m);
    gw_free(&w);
}

static void gguf_reads_version_3(void **state)
{
    (void)state;
    check_whole(3, false);
}

static void gguf_reads_version_2(void **state)
{
    (void)state;
    check_whole(2, false);
}

static void gguf_reads_big_endian_and_says_so(void **state)
{
    (void)state;
    check_whole(3, true);
    struct gguf_writer w;
    struct model *m = read_whole(&w, 3, true);
    assert_true(gc_found(m, RULE_GGUF_ENDIAN));
    model_free(m);
    gw_free(&w);
}

static void gguf_calls_no_prefix_complete(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        struct gguf_writer w;
        model_free(read_whole(&w, 3, big));
        size_t complete = 0;
        assert_true(prefixes_read("prefix.gguf", gw_span(&w), &complete));
        /* The whole, and those that lack only padding after 6 bytes of data. */
        assert_int_equal(complete, 1 + 26);
        gw_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_reads_version_3),
        cmocka_unit_test(gguf_reads_version_2),
        cmocka_unit_test(gguf_reads_big_endian_and_says_so),
        cmocka_unit_test(gguf_calls_no_prefix_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
