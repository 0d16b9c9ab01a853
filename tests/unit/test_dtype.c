/*
 * Element types: sizes against a table written from the formats' documents,
 * values against hand-made blocks, statistics against their definition.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dtype/decode.h"

struct size_row {
    const char *name;
    unsigned elements;
    unsigned bytes;
    int gguf;
};

/* Written by hand from ggml-common.h and safetensors/src/tensor.rs, not from dtypes.def. */
static const struct size_row sizes[] = {
    {"F32", 1, 4, 0},         {"F16", 1, 2, 1},          {"Q4_0", 32, 18, 2},
    {"Q4_1", 32, 20, 3},      {"Q5_0", 32, 22, 6},       {"Q5_1", 32, 24, 7},
    {"Q8_0", 32, 34, 8},      {"Q8_1", 32, 36, 9},       {"Q2_K", 256, 84, 10},
    {"Q3_K", 256, 110, 11},   {"Q4_K", 256, 144, 12},    {"Q5_K", 256, 176, 13},
    {"Q6_K", 256, 210, 14},   {"Q8_K", 256, 292, 15},    {"IQ2_XXS", 256, 66, 16},
    {"IQ2_XS", 256, 74, 17},  {"IQ3_XXS", 256, 98, 18},  {"IQ1_S", 256, 50, 19},
    {"IQ4_NL", 32, 18, 20},   {"IQ3_S", 256, 110, 21},   {"IQ2_S", 256, 82, 22},
    {"IQ4_XS", 256, 136, 23}, {"I8", 1, 1, 24},          {"I16", 1, 2, 25},
    {"I32", 1, 4, 26},        {"I64", 1, 8, 27},         {"F64", 1, 8, 28},
    {"IQ1_M", 256, 56, 29},   {"BF16", 1, 2, 30},        {"TQ1_0", 256, 54, 34},
    {"TQ2_0", 256, 66, 35},   {"MXFP4", 32, 17, 39},     {"NVFP4", 64, 36, 40},
    {"Q1_0", 128, 18, 41},    {"Q2_0", 64, 18, 42},      {"F4", 2, 1, -1},
    {"F6_E2M3", 4, 3, -1},    {"F6_E3M2", 4, 3, -1},     {"BOOL", 1, 1, -1},
    {"U8", 1, 1, -1},         {"F8_E5M2", 1, 1, -1},     {"F8_E4M3", 1, 1, -1},
    {"F8_E8M0", 1, 1, -1},    {"F8_E4M3FNUZ", 1, 1, -1}, {"F8_E5M2FNUZ", 1, 1, -1},
    {"U16", 1, 2, -1},        {"U32", 1, 4, -1},         {"U64", 1, 8, -1},
    {"C64", 1, 8, -1},        {"C128", 1, 16, -1},
};

enum { SIZE_ROWS = sizeof sizes / sizeof sizes[0] };

static void dtype_sizes_are_those_of_the_formats(void **state)
{
    (void)state;
    assert_int_equal(SIZE_ROWS, DTYPE_COUNT);
    for (size_t i = 0; i < SIZE_ROWS; i++) {
        enum dtype t = dtype_from_name(span_str(sizes[i].name));
        assert_int_not_equal(t, DTYPE_NONE);
        assert_int_equal(dtypes[t].block, sizes[i].elements);
        assert_int_equal(dtypes[t].bytes, sizes[i].bytes);
        assert_int_equal(dtypes[t].gguf, sizes[i].gguf);
        if (sizes[i].gguf >= 0)
            assert_int_equal(dtype_from_gguf((uint32_t)sizes[i].gguf), t);
        assert_true(dtype_bits(t) == 8.0 * sizes[i].bytes / sizes[i].elements);
    }
}

/* The bit widths of safetensors' Dtype::bitsize, by the names its headers use. */
static const struct {
    const char *name;
    int bits;
} safetensors_bits[] = {
    {"BOOL", 8}, {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},   {"F8_E5M2", 8},     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"I16", 16}, {"F8_E5M2FNUZ", 8}, {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32}, {"U32", 32},        {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64}, {"U64", 64},
};

static void dtype_knows_the_22_names_of_safetensors(void **state)
{
    (void)state;
    size_t known = 0;
    for (size_t i = 0; i < sizeof safetensors_bits / sizeof safetensors_bits[0]; i++) {
        enum dtype t = dtype_from_safetensors(span_str(safetensors_bits[i].name));
        assert_int_not_equal(t, DTYPE_NONE);
        assert_true(dtype_bits(t) == (double)safetensors_bits[i].bits);
        known++;
    }
    for (size_t t = 0; t < DTYPE_COUNT; t++)
        known -= dtypes[t].safetensors != NULL;
    assert_int_equal(known, 0);
}

static void dtype_refuses_names_and_numbers_it_does_not_know(void **state)
{
    (void)state;
    static const uint32_t removed[] = {4, 5, 31, 32, 33, 36, 37, 38, 43, 0x10000, UINT32_MAX};
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++)
        assert_int_equal(dtype_from_gguf(removed[i]), DTYPE_NONE);
    static const char *const names[] = {"", "f32", "F3", "F322", "Q4_K", "F8_E4M3FN"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(dtype_from_safetensors(span_str(names[i])), DTYPE_NONE);
    assert_int_equal(dtype_from_name(span_str("Q4_K")), DTYPE_Q4_K);
    assert_int_equal(dtype_from_name(SPAN_EMPTY), DTYPE_NONE);
    assert_string_equal(dtype_name(DTYPE_NONE), "?");
    assert_string_equal(dtype_name(DTYPE_IQ2_XXS), "IQ2_XXS");
}

static void dtype_size_refuses_partial_blocks_and_overflow(void **state)
{
    (void)state;
    uint64_t bytes = 7;
    assert_true(dtype_size(DTYPE_Q4_K, 512, &bytes));
    assert_int_equal(bytes, 288);
    assert_true(dtype_size(DTYPE_F32, 0, &bytes));
    assert_int_equal(bytes, 0);
    assert_true(dtype_size(DTYPE_F4, 6, &bytes));
    assert_int_equal(bytes, 3);
    assert_false(dtype_size(DTYPE_F4, 7, &bytes));
    assert_false(dtype_size(DTYPE_Q4_K, 255, &bytes));
    assert_true(dtype_size(DTYPE_F32, UINT64_MAX / 4, &bytes));
    assert_true(bytes == UINT64_MAX - 3);
    assert_false(dtype_size(DTYPE_F32, UINT64_MAX / 4 + 1, &bytes));
    assert_false(dtype_size(DTYPE_NONE, 1, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_sizes_are_those_of_the_formats),
        cmocka_unit_test(dtype_knows_the_22_names_of_safetensors),
        cmocka_unit_test(dtype_refuses_names_and_numbers_it_does_not_know),
        cmocka_unit_test(dtype_size_refuses_partial_blocks_and_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
