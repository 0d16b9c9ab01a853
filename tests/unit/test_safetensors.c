/*
 * The safetensors reader: the vectors of the reference implementation's own
 * tests, one case for every rule with the verdict of both readers, every
 * prefix, and mutations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/prefixes.h"
#include "support/safetensors_writer.h"

#define G "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"
#define GOOD "\"a\":{" G "}"

static struct model *read_bytes(struct span bytes)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "x.safetensors", bytes, &e))
        fail_msg("%s", e.text);
    return m;
}

static size_t count_of(const struct model *m, enum rule_id rule)
{
    size_t n = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        n += m->verdict.findings[i].rule == rule;
    return n;
}

static bool has(const struct model *m, enum rule_id rule)
{
    return count_of(m, rule) > 0;
}

enum accept { NEITHER, LENIENT, BOTH }; /* who accepts */

static void expect(const struct model *m, enum accept who, const char *text)
{
    bool strict = verdict_accepts(&m->verdict, BREAKS_SPEC);
    bool lenient = verdict_accepts(&m->verdict, BREAKS_LOADER);
    if (strict != (who == BOTH) || lenient != (who != NEITHER))
        fail_msg("strict %d lenient %d: %s", strict, lenient, text);
}

/* ---- the vectors of safetensors/src/tensor.rs ---- */

#define BYTES(s)                                                                                   \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }
#define T22 "{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":"
#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define FLOATS "\0\0\0\0\0\0\x80?\0\0\0@\0\0@@\0\0\x80@\0\0\xa0@"

static const struct {
    const char *name;
    struct span bytes;
    bool accepted;
    size_t tensors;
} vectors[] = {
    {"serialization",
     BYTES("@\0\0\0\0\0\0\0{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],"
           "\"data_offsets\":[0,24]}}" FLOATS),
     true, 1},
    {"serialization_fp4",
     BYTES("@\0\0\0\0\0\0\0{\"attn.0\":{\"dtype\":\"F4\",\"shape\":[1,2],"
           "\"data_offsets\":[0,1]}}    \0"),
     true, 1},
    {"empty", BYTES("\x08\0\0\0\0\0\0\0{}      "), true, 0},
    {"empty_with_metadata", BYTES("(\0\0\0\0\0\0\0{\"__metadata__\":{\"framework\":\"pt\"}}     "),
     true, 0},
    {"forced_alignment",
     BYTES("H\0\0\0\0\0\0\0{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3],"
           "\"data_offsets\":[0,24]}}       " FLOATS),
     true, 1},
    {"empty_shapes_allowed",
     BYTES("8\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[],"
           "\"data_offsets\":[0,4]}}\0\0\0\0"),
     true, 1},
    {"deserialization", BYTES("<\0\0\0\0\0\0\0" T22 "[0,16]}}" ZERO16), true, 1},
    {"incomplete_buffer_extra",
     BYTES("<\0\0\0\0\0\0\0" T22 "[0,16]}}" ZERO16 "extra_bogus_data_for_polyglot_file"), false, 1},
    {"incomplete_buffer_missing",
     BYTES("<\0\0\0\0\0\0\0" T22 "[0,16]}}\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false, 1},
    {"header_too_large", BYTES("<\0\0\0\0\xff\xff\xff" T22 "[0,16]}}" ZERO16), false, 0},
    {"header_too_small", BYTES(""), false, 0},
    {"invalid_header_length", BYTES("<\0\0\0\0\0\0\0"), false, 0},
    {"invalid_header_non_utf8", BYTES("\x01\0\0\0\0\0\0\0\xff"), false, 0},
    {"invalid_header_not_json", BYTES("\x01\0\0\0\0\0\0\0{"), false, 0},
    {"whitespace_padded_header", BYTES("\x06\0\0\0\0\0\0\0{}\r \t\n"), true, 0},
    {"whitespace_leading_padded_header", BYTES("\x06\0\0\0\0\0\0\0\t\n{}\r "), true, 0},
    {"zero_sized_tensor",
     BYTES("<\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,0],"
           "\"data_offsets\":[0, 0]}}"),
     true, 1},
    {"invalid_info", BYTES("<\0\0\0\0\0\0\0" T22 "[0, 4]}}"), false, 1},
    {"invalid_info_overflow",
     BYTES("<\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,18446744073709551614],"
           "\"data_offsets\":[0,16]}}" ZERO16),
     false, 0},
};

static void safetensors_agrees_with_the_reference_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct model *m = read_bytes(vectors[i].bytes);
        if (verdict_accepts(&m->verdict, BREAKS_LOADER) != vectors[i].accepted)
            fail_msg("%s: accepted %d", vectors[i].name, !vectors[i].accepted);
        if (m->tensor_count != vectors[i].tensors)
            fail_msg("%s: %zu tensors", vectors[i].name, m->tensor_count);
        model_free(m);
    }
}

static void safetensors_reads_the_reference_tensor(void **state)
{
    (void)state;
    struct model *m = read_bytes(vectors[0].bytes);
    assert_int_equal(m->files[0].format, FORMAT_SAFETENSORS);
    const struct tensor *t = model_tensor(m, span_str("attn.0"));
    assert_non_null(t);
    assert_int_equal(t->dtype, DTYPE_F32);
    assert_int_equal(t->rank, 3);
    assert_int_equal(t->shape[2], 3);
    assert_int_equal(t->elements, 6);
    assert_int_equal(t->data.offset, 72);
    assert_int_equal(t->data.length, 24);
    assert_int_equal(t->entry.offset, 9);
    assert_int_equal(t->entry.length, 62);
    assert_int_equal(m->files[0].data, 72);
    assert_int_equal(m->files[0].parsed, 72);
    assert_int_equal(m->verdict.count, 0);
    model_free(m);
}

/* ---- one case for every rule ---- */

#define DEEP8 "[[[[[[[["
#define FLAT8 "]]]]]]]]"
#define DEEP120                                                                                    \
    DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8
#define FLAT120                                                                                    \
    FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8 FLAT8
#define Z "\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":"

static const struct {
    const char *header;
    size_t data;
    enum accept who;
    enum rule_id rule; /* RULE_COUNT: none but alignment */
    size_t tensors;
} cases[] = {
    {"{" GOOD "}", 4, BOTH, RULE_COUNT, 1},
    {"{" GOOD "}   ", 4, BOTH, RULE_COUNT, 1},
    {" {" GOOD "}", 4, LENIENT, RULE_ST_START, 1},
    {"{" GOOD "}\n", 4, LENIENT, RULE_ST_PADDING, 1},
    {"{" GOOD "}x", 4, NEITHER, RULE_ST_JSON, 1},
    {"{" GOOD ",}", 4, NEITHER, RULE_ST_JSON, 1},
    {"{" GOOD ",\"b\":{\"dtype\":}}", 4, NEITHER, RULE_ST_JSON, 1},
    {"{" GOOD ",\"\xff\":{}}", 4, NEITHER, RULE_ST_UTF8, 1},
    {"[]", 0, NEITHER, RULE_ST_JSON, 0},
    {"null", 0, NEITHER, RULE_ST_JSON, 0},
    {"", 0, NEITHER, RULE_ST_JSON, 0},
    {"\xef\xbb\xbf{}", 0, NEITHER, RULE_ST_JSON, 0},
    {"{\"__metadata__\":{\"a\":\"1\"}," GOOD "}", 4, BOTH, RULE_COUNT, 1},
    {"{\"__metad\\u0061ta__\":{}," GOOD "}", 4, BOTH, RULE_COUNT, 1},
    {"{\"__metadata__\":null," GOOD "}", 4, LENIENT, RULE_ST_METADATA_NULL, 1},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}," GOOD "}", 4, LENIENT,
     RULE_ST_METADATA_DUPLICATE, 1},
    {"{\"__metadata__\":{\"a\":1}," GOOD "}", 4, NEITHER, RULE_ST_METADATA, 1},
    {"{\"__metadata__\":[]," GOOD "}", 4, NEITHER, RULE_ST_METADATA, 1},
    {"{\"__metadata__\":{},\"__metadata__\":{}," GOOD "}", 4, NEITHER, RULE_ST_METADATA, 1},
    {"{\"__metadata__\":{\"a\":\"\\ud800\"}," GOOD "}", 4, NEITHER, RULE_ST_JSON, 0},
    {"{\"b\":3," GOOD "}", 4, NEITHER, RULE_ST_ENTRY, 1},
    {"{\"b\":null," GOOD "}", 4, NEITHER, RULE_ST_ENTRY, 1},
    {"{\"b\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_ENTRY, 0},
    {"{\"a\":{\"dtype\":\"F32\"," G "}}", 4, NEITHER, RULE_ST_ENTRY, 0},
    {"{\"a\":{\"dtype\":17,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_ENTRY, 0},
    {"{\"a\":[\"F32\",[1],[0,4]]}", 4, LENIENT, RULE_ST_FORM, 1},
    {"{\"a\":[\"F32\",[1],[0,4],0]}", 4, NEITHER, RULE_ST_ENTRY, 0},
    {"{\"a\":{\"dtype\":{\"F32\":null},\"shape\":[1],\"data_offsets\":[0,4]}}", 4, LENIENT,
     RULE_ST_FORM, 1},
    {"{\"a\":{\"dtype\":{\"F32\":{}},\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NEITHER,
     RULE_ST_ENTRY, 0},
    {"{\"a\":{\"dt\\u0079pe\":\"F\\u0033\\u0032\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, BOTH,
     RULE_COUNT, 1},
    {"{\"a\":{\"x\":1," G "}}", 4, LENIENT, RULE_ST_FIELD, 1},
    {"{\"a\":{\"x\":1e400," G "}}", 4, NEITHER, RULE_ST_JSON, 1},
    {"{\"a\":{\"x\":" DEEP120 "[[[[[]]]]]" FLAT120 "," G "}}", 4, LENIENT, RULE_ST_FIELD, 1},
    {"{\"a\":{\"x\":" DEEP120 "[[[[[[]]]]]]" FLAT120 "," G "}}", 4, NEITHER, RULE_ST_JSON, 1},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_DTYPE,
     1},
    {"{\"a\":{\"dtype\":\"Q4_0\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_DTYPE,
     1},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_SHAPE,
     0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, NEITHER,
     RULE_ST_SHAPE, 0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":{},\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_SHAPE,
     0},
    {"{\"z\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808,4,0],\"data_offsets\":[0,0]}," GOOD
     "}",
     4, NEITHER, RULE_ST_SHAPE, 1},
    {"{\"z\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775808,4],\"data_offsets\":[0,0]}," GOOD
     "}",
     4, BOTH, RULE_COUNT, 2},
    {"{\"z\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}," GOOD "}",
     4, NEITHER, RULE_ST_SHAPE, 2},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, BOTH,
     RULE_ST_RANK, 0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-0,4]}}", 4, NEITHER,
     RULE_ST_OFFSETS, 0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, NEITHER,
     RULE_ST_OFFSETS, 0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, NEITHER,
     RULE_ST_OFFSETS, 0},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[18446744073709551614,"
     "18446744073709551615]}}",
     4, NEITHER, RULE_ST_OFFSETS, 0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, NEITHER, RULE_ST_SIZE,
     1},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, NEITHER, RULE_ST_BITS,
     1},
    {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, NEITHER,
     RULE_ST_BITS, 1},
    {"{\"a\":{\"dtype\":\"F6_E3M2\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, BOTH, RULE_COUNT,
     1},
    {"{" GOOD "," GOOD "}", 4, LENIENT, RULE_ST_DUPLICATE, 1},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}," GOOD "}", 4, LENIENT,
     RULE_ST_DUPLICATE, 1},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"\\u0061\":{\"dtype\":"
     "\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, NEITHER, RULE_ST_DUPLICATE, 1},
    /* Of two entries the reference judges the last one only, and reads both. */
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[9,2]}," GOOD "}", 4, LENIENT,
     RULE_ST_DUPLICATE, 1},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}," GOOD "}", 4, NEITHER,
     RULE_ST_DUPLICATE, 1},
    {"{" Z "[0,0]}," Z "[4,4]}," GOOD "}", 4, LENIENT, RULE_ST_DUPLICATE, 2},
    {"{" Z "[4,4]}," GOOD "}", 4, BOTH, RULE_COUNT, 2},
    {"{" Z "[2,2]}," GOOD "}", 4, NEITHER, RULE_ST_OVERLAP, 2},
    {"{\"\":{" G "}}", 4, BOTH, RULE_ST_NAME, 1},
    {"{\"\\u0000\":{" G "}}", 4, BOTH, RULE_ST_NAME, 1},
    {"{\"a\\u001bb\":{" G "}}", 4, BOTH, RULE_ST_NAME, 1},
    {"{\"a\xe2\x80\xae\":{" G "}}", 4, BOTH, RULE_ST_NAME, 1},
    {"{\"\xc3\xa9\":{" G "}}", 4, BOTH, RULE_COUNT, 1},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, NEITHER, RULE_ST_HOLE,
     1},
    {"{" GOOD ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}", 12, NEITHER,
     RULE_ST_HOLE, 2},
    {"{" GOOD ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6, NEITHER,
     RULE_ST_OVERLAP, 2},
    {"{" GOOD "}", 3, NEITHER, RULE_ST_TRUNCATED, 1},
    {"{" GOOD "}", 0, NEITHER, RULE_ST_TRUNCATED, 1},
    {"{" GOOD "}", 5, NEITHER, RULE_ST_TRAILING, 1},
    {"{}", 1, NEITHER, RULE_ST_TRAILING, 0},
};

static void safetensors_keeps_the_two_verdicts_apart(void **state)
{
    (void)state;
    struct safetensors_writer w;
    sw_init(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].header;
        struct model *m = read_bytes(sw_file(&w, text, cases[i].data));
        expect(m, cases[i].who, text);
        size_t others = m->verdict.count - count_of(m, RULE_ST_ALIGNMENT);
        if (cases[i].rule == RULE_COUNT ? others > 0 : !has(m, cases[i].rule))
            fail_msg("case %zu, %zu findings: %s", i, others, text);
        if (m->tensor_count != cases[i].tensors)
            fail_msg("%zu tensors: %s", m->tensor_count, text);
        model_free(m);
    }
    sw_free(&w);
}

/* ---- the rest ---- */

static void safetensors_reads_all_22_types(void **state)
{
    (void)state;
    struct safetensors_writer w;
    size_t types = 0;
    const uint64_t shape[] = {2, 4, SW_END};
    sw_init(&w);
    for (size_t t = 0; t < DTYPE_COUNT; t++)
        if (dtypes[t].safetensors) {
            sw_tensor(&w, dtypes[t].safetensors, (enum dtype)t, shape);
            types++;
        }
    struct model *m = read_bytes(sw_finish(&w, 1));
    expect(m, BOTH, "22 types");
    assert_int_equal(types, 22);
    assert_int_equal(m->tensor_count, 22);
    for (size_t i = 0; i < m->tensor_count; i++) {
        uint64_t bytes = 0;
        assert_true(dtype_size(m->tensors[i].dtype, 8, &bytes));
        assert_int_equal(m->tensors[i].data.length, bytes);
        assert_true(span_is(m->tensors[i].name, dtypes[m->tensors[i].dtype].safetensors));
    }
    model_free(m);
    sw_free(&w);
}

static void safetensors_lists_tensors_in_data_order(void **state)
{
    (void)state;
    struct safetensors_writer w;
    sw_init(&w);
    struct model *m =
        read_bytes(sw_file(&w,
                           "{\"c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
                           "\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]},"
                           "\"d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]},"
                           "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                           2));
    expect(m, BOTH, "order");
    assert_true(span_is(m->tensors[0].name, "x"));
    assert_true(span_is(m->tensors[1].name, "c"));
    assert_true(span_is(m->tensors[2].name, "d"));
    assert_true(span_is(m->tensors[3].name, "e"));
    model_free(m);
    sw_free(&w);
}

static void safetensors_keeps_metadata_strings(void **state)
{
    (void)state;
    struct safetensors_writer w;
    struct span v;
    sw_init(&w);
    struct model *m = read_bytes(
        sw_file(&w, "{\"__metadata__\":{\"format\":\"pt\",\"n\\u0061me\":\"\\u00e9\"}}", 0));
    assert_int_equal(m->metadata_count, 2);
    assert_true(metadata_string(m, "format", &v) && span_is(v, "pt"));
    assert_true(metadata_string(m, "name", &v) && span_is(v, "\xc3\xa9"));
    assert_int_equal(m->metadata[0].origin.offset, 8 + 17);
    model_free(m);
    sw_free(&w);
}

static void safetensors_shows_what_stands_before_a_cut(void **state)
{
    (void)state;
    struct safetensors_writer w;
    char name[16];
    const uint64_t shape[] = {1, SW_END};
    sw_init(&w);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        sw_tensor(&w, name, DTYPE_F32, shape);
    }
    struct span whole = sw_finish(&w, 1);
    struct model *m = read_bytes(span_sub(whole, 0, w.header.n / 2));
    expect(m, NEITHER, "cut header");
    assert_true(has(m, RULE_ST_HEADER_LENGTH));
    assert_true(m->verdict.incomplete);
    assert_in_range(m->tensor_count, 40, 60);
    assert_true(span_is(m->tensors[0].name, "t0"));
    model_free(m);
    sw_free(&w);
}

static void safetensors_refuses_every_proper_prefix(void **state)
{
    (void)state;
    struct safetensors_writer w;
    const uint64_t shape[] = {2, 3, SW_END};
    size_t complete = 0;
    sw_init(&w);
    sw_metadata(&w, "format", "pt");
    sw_tensor(&w, "a.weight", DTYPE_BF16, shape);
    sw_member(&w, "b\\u00e9", "{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[12,28]}");
    w.data += 16;
    assert_true(prefixes_read("x.safetensors", sw_finish(&w, 7), &complete));
    assert_int_equal(complete, 1);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(prefixes_read("x.safetensors", vectors[i].bytes, &complete));
    sw_free(&w);
}

/* Bytes changed at random: read whole, never crash, never loop. */
static void safetensors_survives_mutations(void **state)
{
    (void)state;
    struct safetensors_writer w;
    const uint64_t shape[] = {2, 3, SW_END};
    uint32_t r = 12345;
    sw_init(&w);
    sw_metadata(&w, "format", "pt");
    sw_tensor(&w, "a", DTYPE_BF16, shape);
    sw_tensor(&w, "b", DTYPE_F4, (const uint64_t[]){2, SW_END});
    struct span whole = sw_finish(&w, 7);
    uint8_t *copy = test_malloc(whole.n);
    for (int round = 0; round < 5000; round++) {
        memcpy(copy, whole.p, whole.n);
        for (uint32_t i = 0, n = 1 + (uint32_t)round % 3; i < n; i++) {
            r = r * 1664525u + 1013904223u;
            copy[(r >> 8) % whole.n] = (uint8_t) "0123456789{}[]\",:\\ \xff"[(r >> 4) % 20];
        }
        struct model *m = read_bytes((struct span){copy, whole.n});
        model_walk(m);
        model_free(m);
    }
    test_free(copy);
    sw_free(&w);
}

static void safetensors_reads_100000_tensors_quickly(void **state)
{
    (void)state;
    struct safetensors_writer w;
    char name[64];
    struct timespec from, to;
    sw_init(&w);
    for (int i = 0; i < 100000; i++) {
        /* The last comes first: the worst order for whoever sorts badly. */
        snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%d.weight", i / 1000, i % 1000);
        sw_tensor(&w, name, DTYPE_U8, (const uint64_t[]){1, SW_END});
    }
    struct span whole = sw_finish(&w, 7);
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct model *m = read_bytes(whole);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    print_message("100000 tensors, %zu header bytes: %.3f s\n", w.header.n, seconds);
    expect(m, BOTH, "100000");
    assert_int_equal(m->tensor_count, 100000);
    assert_true(seconds < 5.0); /* sanitizers and neighbours; quadratic work takes minutes */
    model_free(m);
    sw_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_agrees_with_the_reference_vectors),
        cmocka_unit_test(safetensors_reads_the_reference_tensor),
        cmocka_unit_test(safetensors_keeps_the_two_verdicts_apart),
        cmocka_unit_test(safetensors_reads_all_22_types),
        cmocka_unit_test(safetensors_lists_tensors_in_data_order),
        cmocka_unit_test(safetensors_keeps_metadata_strings),
        cmocka_unit_test(safetensors_shows_what_stands_before_a_cut),
        cmocka_unit_test(safetensors_refuses_every_proper_prefix),
        cmocka_unit_test(safetensors_survives_mutations),
        cmocka_unit_test(safetensors_reads_100000_tensors_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
