/* GGUF: one case for every check that the reference loader's own tests lack. */
#include "support/gguf_cases.h"
#include "support/prefixes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct row {
    const char *name;
    void (*write)(struct gguf_writer *w);
    enum rule_id rule;
    bool loader, strict; /* accepted by the loader, by a strict reader */
    bool incomplete;
};

/* One pair besides the architecture, no tensors; the value follows. */
static void begin(struct gguf_writer *w, uint64_t tensors, uint64_t pairs)
{
    gw_header(w, tensors, pairs + 1);
    gw_kv_string(w, "general.architecture", "llama");
}

static void two_tensors(struct gguf_writer *w)
{
    static const struct gw_tensor t[] = {{"a", DTYPE_F32, {5}}, {"b", DTYPE_F32, {8}}};
    begin(w, 2, 0);
    gw_tensors(w, t, 2, 32, 3);
}

/* ---- strings, booleans, keys ---- */

static void text_not_utf8(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_string(w, "general.name", "ab\xff");
}

static void token_not_utf8(struct gguf_writer *w)
{
    static const char *const tokens[] = {"a", "\xc3", "b"};
    begin(w, 0, 1);
    gw_kv_strings(w, "tokenizer.ggml.tokens", tokens, 3);
}

static void name_not_utf8(struct gguf_writer *w)
{
    static const struct gw_tensor t = {"\xed\xa0\x80", DTYPE_F32, {8}};
    begin(w, 1, 0);
    gw_tensors(w, &t, 1, 32, 3);
}

static void name_with_nul(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_key(w, "general.name", VALUE_STRING);
    gw_bytes(w, "good\0bad", 8);
}

static void boolean_2(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_bool(w, "test.flag", 2);
}

static void boolean_in_array(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_array(w, "test.flags", VALUE_BOOL, 3);
    gw_u8(w, 0);
    gw_u8(w, 1);
    gw_u8(w, 0x80);
}

static void key_of_capitals(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "test.Key", 1);
}

static void key_of_empty_segment(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "test..key", 1);
}

static void key_of_65536_bytes(struct gguf_writer *w)
{
    static char key[65537];
    memset(key, 'k', sizeof key - 1);
    begin(w, 0, 1);
    gw_kv_u32(w, key, 1);
}

static void array_of_arrays(struct gguf_writer *w)
{
    begin(w, 0, 2);
    gw_kv_array(w, "test.nested", VALUE_ARRAY, 2);
    for (uint32_t i = 0; i < 2; i++) {
        gw_u32(w, VALUE_U8);
        gw_u64(w, i);
        gw_zeros(w, i);
    }
    gw_kv_u32(w, "test.after", 7);
}

static void arrays_too_deep(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_array(w, "test.nested", VALUE_ARRAY, 1);
    for (uint32_t i = 0; i < 20; i++) {
        gw_u32(w, VALUE_ARRAY);
        gw_u64(w, 1);
    }
    gw_zeros(w, 64);
}

static void array_of_unknown_type(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_array(w, "test.array", 99, 1);
    gw_zeros(w, 64);
}

static void array_longer_than_file(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_array(w, "test.array", VALUE_U64, UINT64_C(1) << 61);
    gw_zeros(w, 64);
}

static void strings_longer_than_file(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_array(w, "test.array", VALUE_STRING, UINT64_C(0x2000000000000001));
    gw_zeros(w, 64);
}

static void string_in_array_longer_than_file(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_array(w, "test.array", VALUE_STRING, 2);
    gw_string(w, "fine");
    gw_u64(w, 1000);
    gw_zeros(w, 64);
}

static void wrong_type_of_known_key(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "general.name", 1);
}

static void architecture_missing(struct gguf_writer *w)
{
    static const struct gw_tensor t = {"a", DTYPE_F32, {8}};
    gw_header(w, 1, 0);
    gw_tensors(w, &t, 1, 32, 3);
}

static void quantization_version_missing(struct gguf_writer *w)
{
    static const struct gw_tensor t = {"a", DTYPE_Q8_0, {32}};
    begin(w, 1, 0);
    gw_tensors(w, &t, 1, 32, 3);
}

static void alignment_4(struct gguf_writer *w)
{
    static const struct gw_tensor t = {"a", DTYPE_F32, {8}};
    begin(w, 1, 1);
    gw_kv_u32(w, "general.alignment", 4);
    gw_tensors(w, &t, 1, 4, 3);
}

static void alignment_0(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "general.alignment", 0);
}

static void alignment_2_31(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "general.alignment", UINT32_C(1) << 31);
}

/* ---- tensors and data ---- */

static void empty_name(struct gguf_writer *w)
{
    static const struct gw_tensor t = {"", DTYPE_F32, {8}};
    begin(w, 1, 0);
    gw_tensors(w, &t, 1, 32, 3);
}

static void name_of_64_bytes(struct gguf_writer *w)
{
    static const struct gw_tensor t = {
        "0123456789012345678901234567890123456789012345678901234567890123", DTYPE_F32, {8}};
    begin(w, 1, 0);
    gw_tensors(w, &t, 1, 32, 3);
}

static void info(struct gguf_writer *w, uint32_t rank, const uint64_t *ne, uint32_t type,
                 size_t data)
{
    begin(w, 1, 0);
    gw_info(w, "a", rank, ne, type, 0);
    gw_pad(w, 32);
    gw_zeros(w, data);
}

static void removed_type(struct gguf_writer *w)
{
    static const uint64_t ne[] = {32};
    info(w, 1, ne, 4, 64);
}

static void hundred_dimensions(struct gguf_writer *w)
{
    static const uint64_t ne[100] = {1};
    info(w, 100, ne, 0, 64);
}

static void dimensions_beyond_file(struct gguf_writer *w)
{
    begin(w, 1, 0);
    gw_string(w, "a");
    gw_u32(w, UINT32_MAX);
    gw_zeros(w, 64);
}

static void rows_not_of_blocks(struct gguf_writer *w)
{
    static const uint64_t ne[] = {16, 2}; /* 32 elements, but no row is a block */
    info(w, 2, ne, 8, 64);
}

/* 2^62 blocks of 34 bytes (CVE-2026-33298). */
static void bytes_overflow(struct gguf_writer *w)
{
    static const uint64_t ne[] = {UINT64_C(1) << 31, UINT64_C(1) << 31};
    info(w, 2, ne, 28, 64);
}

static void offset_not_the_sum(struct gguf_writer *w)
{
    static const uint64_t ne[] = {8};
    begin(w, 2, 0);
    gw_info(w, "a", 1, ne, 0, 0);
    gw_info(w, "b", 1, ne, 0, 96);
    gw_pad(w, 32);
    gw_zeros(w, 128);
}

static void tensors_overlap(struct gguf_writer *w)
{
    static const uint64_t ne[] = {16};
    begin(w, 2, 0);
    gw_info(w, "a", 1, ne, 0, 0);
    gw_info(w, "b", 1, ne, 0, 32);
    gw_pad(w, 32);
    gw_zeros(w, 96);
}

static void data_beyond_file(struct gguf_writer *w)
{
    static const uint64_t ne[] = {1024};
    info(w, 1, ne, 0, 64);
}

static void padding_not_zero(struct gguf_writer *w)
{
    two_tensors(w);
    w->out.p[w->out.n - 33] = 1; /* before the second tensor */
}

static void padding_before_data_not_zero(struct gguf_writer *w)
{
    two_tensors(w);
    w->out.p[w->out.n - 65] = 1;
}

static void bytes_follow(struct gguf_writer *w)
{
    two_tensors(w);
    gw_u8(w, 0);
}

static void bytes_follow_no_tensors(struct gguf_writer *w)
{
    begin(w, 0, 0);
    gw_pad(w, 32);
    gw_u8(w, 1);
}

/* ---- claims of the header ---- */

static void fifty_six_bytes(struct gguf_writer *w)
{
    gw_header(w, UINT64_MAX / 24, UINT64_MAX / 13);
    gw_zeros(w, 32);
}

static void ends_in_counts(struct gguf_writer *w)
{
    gw_header(w, 0, 0);
    w->out.n = 20;
}

static void ends_in_the_version(struct gguf_writer *w)
{
    gw_header(w, 0, 0);
    w->out.n = 6;
}

static void ends_in_a_number(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "test.number", 1);
    w->out.n -= 2;
}

static void ends_in_a_pair(struct gguf_writer *w)
{
    begin(w, 0, 0);
    w->out.n -= 2;
}

static void ends_in_an_info(struct gguf_writer *w)
{
    static const uint64_t ne[] = {8};
    begin(w, 2, 0);
    gw_info(w, "a", 1, ne, 0, 0);
    gw_info(w, "bbbbbbbbbbbbbbbbbbbbbbbbbbb", 1, ne, 0, 32);
    w->out.n -= 4;
}

static void block_count_513(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u32(w, "llama.block_count", 513);
}

/* ---- the vocabulary ---- */

static const char *const abc[] = {"a", "b", "c"};

static void tokens_of_numbers(struct gguf_writer *w)
{
    static const int32_t v[] = {1, 2};
    begin(w, 0, 1);
    gw_kv_i32s(w, "tokenizer.ggml.tokens", v, 2);
}

static void scores_of_strings(struct gguf_writer *w)
{
    begin(w, 0, 2);
    gw_kv_strings(w, "tokenizer.ggml.tokens", abc, 3);
    gw_kv_strings(w, "tokenizer.ggml.scores", abc, 3);
}

static void tokens_of_one_string(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_string(w, "tokenizer.ggml.tokens", "a");
}

static void too_few_scores(struct gguf_writer *w)
{
    static const float v[] = {1, 2};
    begin(w, 0, 2);
    gw_kv_strings(w, "tokenizer.ggml.tokens", abc, 3);
    gw_kv_f32s(w, "tokenizer.ggml.scores", v, 2);
}

static void too_many_types(struct gguf_writer *w)
{
    static const int32_t v[] = {1, 1, 1, 1};
    begin(w, 0, 2);
    gw_kv_i32s(w, "tokenizer.ggml.token_type", v, 4);
    gw_kv_strings(w, "tokenizer.ggml.tokens", abc, 3);
}

static void long_token(struct gguf_writer *w)
{
    static char token[4098];
    static const char *const tokens[] = {"a", token};
    memset(token, 'x', sizeof token - 1);
    begin(w, 0, 1);
    gw_kv_strings(w, "tokenizer.ggml.tokens", tokens, 2);
}

static void byte_token_minus_one(struct gguf_writer *w)
{
    static const char *const tokens[] = {"a", "<0x-1>"};
    begin(w, 0, 1);
    gw_kv_strings(w, "tokenizer.ggml.tokens", tokens, 2);
}

static void byte_token_too_long(struct gguf_writer *w)
{
    static const char *const tokens[] = {"<0x100>"};
    static const int32_t kinds[] = {6};
    begin(w, 0, 2);
    gw_kv_strings(w, "tokenizer.ggml.tokens", tokens, 1);
    gw_kv_i32s(w, "tokenizer.ggml.token_type", kinds, 1);
}

static void unknown_kind(struct gguf_writer *w)
{
    static const int32_t kinds[] = {1, -1, 7};
    begin(w, 0, 2);
    gw_kv_strings(w, "tokenizer.ggml.tokens", abc, 3);
    gw_kv_i32s(w, "tokenizer.ggml.token_type", kinds, 3);
}

static void special_beyond_vocabulary(struct gguf_writer *w)
{
    begin(w, 0, 2);
    gw_kv_strings(w, "tokenizer.ggml.tokens", abc, 3);
    gw_kv_u32(w, "tokenizer.ggml.eos_token_id", 3);
}

static void merge_of_one_piece(struct gguf_writer *w)
{
    static const char *const merges[] = {"a b", "ab"};
    begin(w, 0, 2);
    gw_kv_strings(w, "tokenizer.ggml.tokens", abc, 3);
    gw_kv_strings(w, "tokenizer.ggml.merges", merges, 2);
}

static void part_by_metadata_only(struct gguf_writer *w)
{
    begin(w, 0, 1);
    gw_kv_u16(w, "split.count", 3);
}

#define ROW(f, rule, loader, strict, incomplete)                                                   \
    {                                                                                              \
        "gguf_finds_" #f, f, RULE_GGUF_##rule, loader, strict, incomplete                          \
    }
#define YES true
#define NO false

/* case, rule, loader accepts, strict reader accepts, incomplete */
static const struct row rows[] = {
    ROW(text_not_utf8, UTF8, YES, NO, NO),
    ROW(token_not_utf8, UTF8, YES, NO, NO),
    ROW(name_not_utf8, UTF8, YES, NO, NO),
    ROW(name_with_nul, NUL, YES, YES, NO),
    ROW(boolean_2, BOOL, YES, NO, NO),
    ROW(boolean_in_array, BOOL, YES, NO, NO),
    ROW(key_of_capitals, KEY, YES, NO, NO),
    ROW(key_of_empty_segment, KEY, YES, NO, NO),
    ROW(key_of_65536_bytes, KEY, YES, NO, NO),
    ROW(array_of_arrays, NESTED, NO, NO, NO),
    ROW(arrays_too_deep, NESTED, NO, NO, YES),
    ROW(array_of_unknown_type, VALUE_TYPE, NO, NO, YES),
    ROW(array_longer_than_file, LENGTH, NO, NO, YES),
    ROW(strings_longer_than_file, LENGTH, NO, NO, YES),
    ROW(string_in_array_longer_than_file, LENGTH, NO, NO, YES),
    ROW(wrong_type_of_known_key, KEY_TYPE, YES, NO, NO),
    ROW(architecture_missing, KEY_MISSING, YES, NO, NO),
    ROW(quantization_version_missing, KEY_MISSING, YES, NO, NO),
    ROW(alignment_4, ALIGNMENT_SPEC, YES, NO, NO),
    ROW(alignment_0, ALIGNMENT, NO, NO, NO),
    ROW(alignment_2_31, ALIGNMENT_LARGE, YES, YES, NO),
    ROW(empty_name, NAME_EMPTY, YES, YES, NO),
    ROW(name_of_64_bytes, NAME_LONG, NO, NO, NO),
    ROW(removed_type, TYPE, NO, NO, YES),
    ROW(hundred_dimensions, RANK, NO, NO, NO),
    ROW(dimensions_beyond_file, TRUNCATED, NO, NO, YES),
    ROW(rows_not_of_blocks, BLOCK, NO, NO, NO),
    ROW(bytes_overflow, OVERFLOW, NO, NO, NO),
    ROW(offset_not_the_sum, OFFSET, NO, NO, NO),
    ROW(offset_not_the_sum, HOLE, NO, NO, NO),
    ROW(tensors_overlap, OVERLAP, NO, NO, NO),
    ROW(data_beyond_file, DATA, NO, NO, YES),
    ROW(padding_not_zero, PADDING, YES, NO, NO),
    ROW(padding_before_data_not_zero, PADDING, YES, NO, NO),
    ROW(bytes_follow, TRAILING, YES, NO, NO),
    ROW(bytes_follow_no_tensors, TRAILING, YES, NO, NO),
    ROW(fifty_six_bytes, COUNT, NO, NO, YES),
    ROW(ends_in_counts, TRUNCATED, NO, NO, YES),
    ROW(ends_in_the_version, TRUNCATED, NO, NO, YES),
    ROW(ends_in_a_number, TRUNCATED, NO, NO, YES),
    ROW(ends_in_a_pair, LENGTH, NO, NO, YES),
    ROW(ends_in_an_info, TRUNCATED, NO, NO, YES),
    ROW(block_count_513, LAYERS, NO, NO, NO),
    ROW(tokens_of_numbers, TOKENIZER_TYPE, YES, NO, NO),
    ROW(scores_of_strings, TOKENIZER_TYPE, YES, NO, NO),
    ROW(tokens_of_one_string, TOKENIZER_TYPE, YES, NO, NO),
    ROW(too_few_scores, TOKENIZER_LENGTH, YES, NO, NO),
    ROW(too_many_types, TOKENIZER_LENGTH, YES, NO, NO),
    ROW(long_token, TOKEN_LONG, YES, YES, NO),
    ROW(byte_token_minus_one, TOKEN_BYTE, YES, YES, NO),
    ROW(byte_token_too_long, TOKEN_BYTE, YES, YES, NO),
    ROW(unknown_kind, TOKEN_KIND, YES, NO, NO),
    ROW(special_beyond_vocabulary, TOKEN_ID, YES, YES, NO),
    ROW(merge_of_one_piece, MERGE, YES, YES, NO),
    ROW(part_by_metadata_only, SPLIT_NAME, NO, NO, YES),
};

static struct model *read_row(struct gguf_writer *w, const struct row *r)
{
    gw_init(w);
    r->write(w);
    assert_true(buf_ok(&w->out));
    return gc_read(w);
}

static void check_row(void **state)
{
    const struct row *r = *state;
    struct gguf_writer w;
    struct model *m = read_row(&w, r);
    bool fine = gc_found(m, r->rule) && m->verdict.incomplete == r->incomplete &&
                verdict_accepts(&m->verdict, BREAKS_LOADER) == r->loader &&
                verdict_accepts(&m->verdict, BREAKS_SPEC) == r->strict;
    if (!fine)
        gc_print(m);
    assert_true(fine);
    model_free(m);
    size_t complete;
    if (w.out.n < 8192) /* every prefix; the longer ones are long for one string's sake */
        assert_true(prefixes_read("case.gguf", gw_span(&w), &complete));
    gw_free(&w);
}

/* ---- what goes on after a fault ---- */

static void gguf_reads_on_after_a_nested_array(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct model *m = read_row(&w, &(struct row){.write = array_of_arrays});
    uint64_t v = 0;
    assert_true(metadata_u64(m, "test.after", &v));
    assert_int_equal(v, 7);
    struct value outer, item;
    struct value_iter it = value_items(&model_metadata(m, "test.nested")->value);
    assert_true(value_next(&it, &outer) && value_next(&it, &outer));
    assert_int_equal(outer.count, 1);
    struct value_iter inner = value_items(&outer);
    assert_true(value_next(&inner, &item));
    assert_int_equal(item.u, 0);
    assert_false(value_next(&it, &outer));
    model_free(m);
    gw_free(&w);
}

static void gguf_lists_other_tensors_beside_a_bad_one(void **state)
{
    (void)state;
    static const uint64_t ne[] = {8};
    struct gguf_writer w;
    gw_init(&w);
    gw_header(&w, 3, 0);
    gw_info(&w, "a", 1, ne, 0, 0);
    gw_info(&w, "b", 1, ne, 77, 32);
    gw_info(&w, "c", 1, ne, 0, 96);
    gw_pad(&w, 32);
    gw_zeros(&w, 128);
    struct model *m = gc_read(&w);
    assert_int_equal(m->tensor_count, 3);
    assert_int_equal(m->tensors[1].dtype, DTYPE_NONE);
    assert_int_equal(m->tensors[1].data.length, 64); /* what lies before the next one */
    assert_int_equal(m->tensors[2].data.length, 32);
    assert_false(gc_found(m, RULE_GGUF_OFFSET)); /* nobody knows where b ends */
    assert_false(gc_found(m, RULE_GGUF_HOLE));
    model_free(m);
    gw_free(&w);
}

/* Hostile counts cost nothing: each file of this program, many times, in a second. */
static void gguf_never_loops_on_a_claim(void **state)
{
    (void)state;
    clock_t start = clock();
    for (int i = 0; i < 100; i++) {
        struct gguf_writer w;
        struct model *m = read_row(&w, &(struct row){.write = fifty_six_bytes});
        assert_true(m->tensor_count <= 1);
        model_free(m);
        m = NULL;
        gw_free(&w);
    }
    assert_true((clock() - start) / CLOCKS_PER_SEC <= 1);
}

int main(void)
{
    enum { N = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[N + 3] = {
        [N] = cmocka_unit_test(gguf_reads_on_after_a_nested_array),
        [N + 1] = cmocka_unit_test(gguf_lists_other_tensors_beside_a_bad_one),
        [N + 2] = cmocka_unit_test(gguf_never_loops_on_a_claim),
    };
    for (size_t i = 0; i < N; i++) {
        struct row *state = (struct row *)(uintptr_t)&rows[i];
        tests[i] = (struct CMUnitTest){rows[i].name, check_row, NULL, NULL, state};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
