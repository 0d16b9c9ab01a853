/*
 * The cases with which the reference loader tests itself (test-gguf.cpp), under
 * names of our own: what it refuses breaks BREAKS_LOADER here by the rule that
 * says why, what it accepts does not.
 */
#include "support/gguf_cases.h"
#include "support/prefixes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ACCEPTED RULE_COUNT

struct row {
    const char *name;
    void (*write)(struct gguf_writer *w);
    enum rule_id rule; /* by which it is refused, or ACCEPTED */
};

/* Three tensors of different types, as many pairs as are asked for. */
static const struct gw_tensor three[] = {{"my_tensor_0", DTYPE_F32, {7, 3}},
                                         {"my_tensor_1", DTYPE_Q4_0, {64, 2}},
                                         {"my_tensor_2", DTYPE_I8, {5}}};

static void pair(struct gguf_writer *w)
{
    gw_kv_string(w, "my_key_0", "value");
}

static void three_tensors(struct gguf_writer *w, size_t alignment)
{
    gw_tensors(w, three, 3, alignment, 1);
}

/* ---- header ---- */

static void bad_magic(struct gguf_writer *w)
{
    gw_header(w, 0, 0);
    memcpy(w->out.p, "FUGG", 4);
    gw_pad(w, 32);
}

static void with_version(struct gguf_writer *w, uint32_t version)
{
    gw_header(w, 0, 0);
    store_u32le(w->out.p + 4, version);
    gw_pad(w, 32);
}

static void version_0(struct gguf_writer *w)
{
    with_version(w, 0);
}

static void version_1(struct gguf_writer *w)
{
    w->version = 1;
    gw_header(w, 0, 0);
    gw_pad(w, 32);
}

static void version_4(struct gguf_writer *w)
{
    with_version(w, 4);
}

static void minus_one_tensors(struct gguf_writer *w)
{
    gw_header(w, UINT64_MAX, 0);
    gw_pad(w, 32);
}

static void minus_one_pairs(struct gguf_writer *w)
{
    gw_header(w, 0, UINT64_MAX);
    gw_pad(w, 32);
}

static void nothing(struct gguf_writer *w)
{
    gw_header(w, 0, 0);
    gw_pad(w, 32);
}

/* ---- pairs ---- */

static void key_of_minus_one_bytes(struct gguf_writer *w)
{
    gw_header(w, 0, 1);
    gw_u64(w, UINT64_MAX);
    gw_zeros(w, 64);
}

static void key_empty(struct gguf_writer *w)
{
    gw_header(w, 0, 1);
    gw_kv_u32(w, "", 1);
    gw_pad(w, 32);
}

static void value_of_type_13(struct gguf_writer *w)
{
    gw_header(w, 0, 1);
    gw_key(w, "my_key_0", VALUE_TYPES);
    gw_u8(w, 0);
    gw_pad(w, 32);
}

static void key_twice(struct gguf_writer *w)
{
    gw_header(w, 0, 2);
    gw_kv_u32(w, "my_key_0", 1);
    gw_kv_f32(w, "my_key_0", 1);
    gw_pad(w, 32);
}

static void alignment_13(struct gguf_writer *w)
{
    gw_header(w, 0, 1);
    gw_kv_u32(w, "general.alignment", 13);
    gw_pad(w, 13);
}

static void alignment_of_type_i32(struct gguf_writer *w)
{
    gw_header(w, 0, 1);
    gw_kv_i32(w, "general.alignment", 32);
    gw_pad(w, 32);
}

static void pairs_of_every_type(struct gguf_writer *w)
{
    gc_whole(w);
}

/* ---- tensors ---- */

static void name_too_long(struct gguf_writer *w)
{
    static const struct gw_tensor t = {
        "my_tensor_0_with_a_name_that_is_longer_than_what_loaders_allow_it_to_be", DTYPE_F32, {4}};
    gw_header(w, 1, 1);
    pair(w);
    gw_tensors(w, &t, 1, 32, 1);
}

static void one_info(struct gguf_writer *w, uint32_t rank, uint64_t ne, uint32_t type,
                     uint64_t offset)
{
    const uint64_t dims[] = {ne, ne, ne, ne, ne};
    gw_header(w, 1, 1);
    pair(w);
    gw_info(w, "my_tensor_0", rank, dims, type, offset);
    gw_pad(w, 32);
    gw_zeros(w, 4096);
}

static void five_dimensions(struct gguf_writer *w)
{
    one_info(w, 5, 2, 0, 0);
}

static void negative_dimensions(struct gguf_writer *w)
{
    one_info(w, 2, UINT64_MAX, 0, 0);
}

static void zero_dimension(struct gguf_writer *w)
{
    static const uint64_t ne[] = {8, 0};
    gw_header(w, 1, 1);
    pair(w);
    gw_info(w, "my_tensor_0", 2, ne, 0, 0);
    gw_pad(w, 32);
}

static void too_many_elements(struct gguf_writer *w)
{
    one_info(w, 2, UINT64_C(4) * INT32_MAX, 0, 0);
}

/* Below 2^63 elements, above 2^64 bytes as I64. */
static void too_many_bytes(struct gguf_writer *w)
{
    one_info(w, 2, UINT64_C(1533916891), 27, 0);
}

static void type_43(struct gguf_writer *w)
{
    one_info(w, 1, 32, 43, 0);
}

static void offset_minus_one(struct gguf_writer *w)
{
    one_info(w, 1, 32, 0, UINT64_MAX);
}

static void name_twice(struct gguf_writer *w)
{
    static const struct gw_tensor t[] = {{"my_tensor", DTYPE_F32, {8}},
                                         {"my_tensor", DTYPE_F32, {8}}};
    gw_header(w, 2, 1);
    pair(w);
    gw_tensors(w, t, 2, 32, 1);
}

static void tensors_aligned_to_13(struct gguf_writer *w)
{
    gw_header(w, 3, 1);
    gw_kv_u32(w, "general.alignment", 13);
    three_tensors(w, 13);
}

static void tensors_aligned_to_1_unsaid(struct gguf_writer *w)
{
    gw_header(w, 3, 1);
    pair(w);
    three_tensors(w, 1);
    gw_zeros(w, 64);
}

static void tensors_fine(struct gguf_writer *w)
{
    gw_header(w, 3, 1);
    pair(w);
    three_tensors(w, 32);
}

static void tensors_aligned_to_1(struct gguf_writer *w)
{
    gw_header(w, 3, 1);
    gw_kv_u32(w, "general.alignment", 1);
    three_tensors(w, 1);
}

/* ---- data ---- */

static void last_byte_missing(struct gguf_writer *w)
{
    static const struct gw_tensor t = {"my_tensor_0", DTYPE_F32, {8}};
    gw_header(w, 1, 1);
    pair(w);
    gw_tensors(w, &t, 1, 32, 1);
    w->out.n--;
}

static void last_byte_of_padding_missing(struct gguf_writer *w)
{
    tensors_fine(w);
    w->out.n--;
}

/* Each size is representable, their sum is not (CVE-2025-53630). */
static void sizes_overflow_together(struct gguf_writer *w)
{
    static const uint64_t ne[] = {UINT64_C(0x7fffffffffffffc0)};
    gw_header(w, 2, 1);
    pair(w);
    gw_info(w, "my_tensor_0", 1, ne, 24, 0);
    gw_info(w, "my_tensor_1", 1, ne, 24, ne[0]);
    gw_pad(w, 32);
    gw_zeros(w, 32);
}

/* The loader's own tests write data only for the last group; here tensors always have theirs. */
static const struct row rows[] = {
    {"gguf_loader_bad_magic", bad_magic, RULE_READ_FORMAT},
    {"gguf_loader_version_0", version_0, RULE_GGUF_VERSION},
    {"gguf_loader_version_1", version_1, RULE_GGUF_VERSION},
    {"gguf_loader_version_of_the_future", version_4, RULE_GGUF_VERSION},
    {"gguf_loader_count_of_pairs", minus_one_pairs, RULE_GGUF_COUNT},
    {"gguf_loader_count_of_tensors", minus_one_tensors, RULE_GGUF_COUNT},
    {"gguf_loader_takes_an_empty_file", nothing, ACCEPTED},
    {"gguf_loader_length_of_key", key_of_minus_one_bytes, RULE_GGUF_LENGTH},
    {"gguf_loader_empty_key", key_empty, RULE_GGUF_KEY_EMPTY},
    {"gguf_loader_type_of_value", value_of_type_13, RULE_GGUF_VALUE_TYPE},
    {"gguf_loader_key_twice", key_twice, RULE_GGUF_KEY_DUPLICATE},
    {"gguf_loader_alignment_13", alignment_13, RULE_GGUF_ALIGNMENT},
    {"gguf_loader_alignment_of_type_i32", alignment_of_type_i32, RULE_GGUF_ALIGNMENT},
    {"gguf_loader_takes_every_type_of_value", pairs_of_every_type, ACCEPTED},
    {"gguf_loader_long_name", name_too_long, RULE_GGUF_NAME_LONG},
    {"gguf_loader_five_dimensions", five_dimensions, RULE_GGUF_RANK},
    {"gguf_loader_negative_dimensions", negative_dimensions, RULE_GGUF_SHAPE},
    {"gguf_loader_takes_a_zero_dimension", zero_dimension, ACCEPTED},
    {"gguf_loader_too_many_elements", too_many_elements, RULE_GGUF_OVERFLOW},
    {"gguf_loader_too_many_bytes", too_many_bytes, RULE_GGUF_OVERFLOW},
    {"gguf_loader_type_of_tensor", type_43, RULE_GGUF_TYPE},
    {"gguf_loader_offset_minus_one", offset_minus_one, RULE_GGUF_OFFSET_ALIGN},
    {"gguf_loader_name_twice", name_twice, RULE_GGUF_NAME_DUPLICATE},
    {"gguf_loader_tensors_aligned_to_13", tensors_aligned_to_13, RULE_GGUF_ALIGNMENT},
    {"gguf_loader_tensors_aligned_otherwise", tensors_aligned_to_1_unsaid, RULE_GGUF_OFFSET_ALIGN},
    {"gguf_loader_takes_tensors", tensors_fine, ACCEPTED},
    {"gguf_loader_takes_alignment_1", tensors_aligned_to_1, ACCEPTED},
    {"gguf_loader_data_short_by_one", last_byte_missing, RULE_GGUF_DATA},
    {"gguf_loader_padding_short_by_one", last_byte_of_padding_missing, RULE_GGUF_TAIL},
    {"gguf_loader_data_aligned_to_13", tensors_aligned_to_13, RULE_GGUF_ALIGNMENT},
    {"gguf_loader_data_aligned_otherwise", tensors_aligned_to_1_unsaid, RULE_GGUF_OFFSET_ALIGN},
    {"gguf_loader_takes_data", tensors_fine, ACCEPTED},
    {"gguf_loader_takes_data_aligned_to_1", tensors_aligned_to_1, ACCEPTED},
    {"gguf_loader_sizes_overflow_together", sizes_overflow_together, RULE_GGUF_OVERFLOW},
};

static void check_row(void **state)
{
    const struct row *r = *state;
    struct gguf_writer w;
    gw_init(&w);
    r->write(&w);
    assert_true(buf_ok(&w.out));
    struct model *m = gc_read(&w);
    bool accepted = verdict_accepts(&m->verdict, BREAKS_LOADER);
    bool fine = r->rule == ACCEPTED ? accepted && !m->verdict.incomplete : gc_found(m, r->rule);
    if (!fine)
        gc_print(m);
    assert_true(fine);
    if (r->rule != ACCEPTED && r->rule != RULE_READ_FORMAT)
        assert_false(accepted);
    model_free(m);
    size_t complete;
    if (w.out.n < 8192) /* every prefix; the longer ones are long for one string's sake */
        assert_true(prefixes_read("case.gguf", gw_span(&w), &complete));
    gw_free(&w);
}

int main(void)
{
    struct CMUnitTest tests[sizeof rows / sizeof *rows];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct row *state = (struct row *)(uintptr_t)&rows[i];
        tests[i] = (struct CMUnitTest){rows[i].name, check_row, NULL, NULL, state};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
