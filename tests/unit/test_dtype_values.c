/*
 * Values of every element type: blocks made by hand, with the values worked
 * out on paper from the layouts in docs/formats/dtypes.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dtype/decode.h"

enum { MOST_BYTES = 12, MOST_VALUES = 12, REST_UNCHECKED = 0, REST_CHECKED = 1 };

struct byte_at {
    uint16_t at;
    uint8_t byte;
};

struct value_at {
    uint16_t at;
    float value;
};

/* A block of zeros but for `set`, decoding to `want`; all others are `rest` if checked. */
struct sample {
    enum dtype type;
    struct byte_at set[MOST_BYTES];
    struct value_at want[MOST_VALUES];
    float rest;
    int check;
};

#define END                                                                                        \
    {                                                                                              \
        0xffff, 0                                                                                  \
    }

/* f16: 3C00 is 1, 4000 is 2, 3800 is 0.5, BC00 is -1. */
static const struct sample samples[] = {
    {DTYPE_F32, {{3, 0xc0}, {2, 0x20}, END}, {{0, -2.5f}, END}, 0, REST_CHECKED},
    {DTYPE_F16, {{1, 0xbc}, END}, {{0, -1}, END}, 0, REST_CHECKED},
    {DTYPE_BF16, {{0, 0x80}, {1, 0x3f}, END}, {{0, 1}, END}, 0, REST_CHECKED},
    {DTYPE_F64, {{7, 0x3f}, {6, 0xe0}, END}, {{0, 0.5f}, END}, 0, REST_CHECKED},
    /* 3 + 4i */
    {DTYPE_C64, {{3, 0x40}, {2, 0x40}, {7, 0x40}, {6, 0x80}, END}, {{0, 5}, END}, 0, REST_CHECKED},
    {DTYPE_C128,
     {{7, 0x40}, {6, 0x08}, {15, 0x40}, {14, 0x10}, END},
     {{0, 5}, END},
     0,
     REST_CHECKED},
    {DTYPE_F8_E4M3, {{0, 0x7e}, END}, {{0, 448}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E4M3, {{0, 0x81}, END}, {{0, -0x1p-9f}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E4M3, {{0, 0x7f}, END}, {{0, NAN}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E4M3, {{0, 0xff}, END}, {{0, NAN}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2, {{0, 0x7b}, END}, {{0, 57344}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2, {{0, 0x01}, END}, {{0, 0x1p-16f}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2, {{0, 0x7c}, END}, {{0, INFINITY}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2, {{0, 0xfc}, END}, {{0, -INFINITY}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2, {{0, 0x7d}, END}, {{0, NAN}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E8M0, {{0, 0x7f}, END}, {{0, 1}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E8M0, {END}, {{0, 0x1p-127f}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E8M0, {{0, 0xfe}, END}, {{0, 0x1p127f}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E8M0, {{0, 0xff}, END}, {{0, NAN}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E4M3FNUZ, {{0, 0x7f}, END}, {{0, 240}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E4M3FNUZ, {{0, 0x80}, END}, {{0, NAN}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E4M3FNUZ, {{0, 0x81}, END}, {{0, -0x1p-10f}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2FNUZ, {{0, 0xff}, END}, {{0, -57344}, END}, 0, REST_CHECKED},
    {DTYPE_F8_E5M2FNUZ, {{0, 0x80}, END}, {{0, NAN}, END}, 0, REST_CHECKED},
    /* Codes 1f, 01, 3f, 20, packed from the lowest bit: 1f | 01 << 6 | 3f << 12 | 20 << 18. */
    {DTYPE_F6_E2M3,
     {{0, 0x5f}, {1, 0xf0}, {2, 0x83}, END},
     {{0, 7.5f}, {1, 0.125f}, {2, -7.5f}, {3, 0}, END},
     0,
     REST_CHECKED},
    {DTYPE_F6_E3M2,
     {{0, 0x5f}, {1, 0xf0}, {2, 0x83}, END},
     {{0, 28}, {1, 0.0625f}, {2, -28}, {3, 0}, END},
     0,
     REST_CHECKED},
    {DTYPE_F4, {{0, 0x97}, END}, {{0, 6}, {1, -0.5f}, END}, 0, REST_CHECKED},
    {DTYPE_BOOL, {{0, 1}, END}, {{0, 1}, END}, 0, REST_CHECKED},
    {DTYPE_BOOL, {{0, 0xff}, END}, {{0, 1}, END}, 0, REST_CHECKED},
    {DTYPE_BOOL, {END}, {END}, 0, REST_CHECKED},
    {DTYPE_U8, {{0, 0xff}, END}, {{0, 255}, END}, 0, REST_CHECKED},
    {DTYPE_I8, {{0, 0x80}, END}, {{0, -128}, END}, 0, REST_CHECKED},
    {DTYPE_U16, {{0, 1}, {1, 0x80}, END}, {{0, 32769}, END}, 0, REST_CHECKED},
    {DTYPE_I16, {{0, 1}, {1, 0x80}, END}, {{0, -32767}, END}, 0, REST_CHECKED},
    {DTYPE_U32, {{3, 0x80}, END}, {{0, 0x1p31f}, END}, 0, REST_CHECKED},
    {DTYPE_I32, {{3, 0x80}, END}, {{0, -0x1p31f}, END}, 0, REST_CHECKED},
    {DTYPE_U64, {{7, 0x80}, END}, {{0, 0x1p63f}, END}, 0, REST_CHECKED},
    {DTYPE_I64, {{7, 0x80}, END}, {{0, -0x1p63f}, END}, 0, REST_CHECKED},
    {DTYPE_Q4_0, {{1, 0x40}, {2, 0x19}, END}, {{0, 2}, {16, -14}, END}, -16, REST_CHECKED},
    {DTYPE_Q4_1,
     {{1, 0x40}, {3, 0x3c}, {19, 0xf3}, END},
     {{15, 7}, {31, 31}, END},
     1,
     REST_CHECKED},
    {DTYPE_Q5_0,
     {{1, 0x3c}, {2, 1}, {4, 2}, {6, 0x0a}, END},
     {{0, 10}, {17, 0}, END},
     -16,
     REST_CHECKED},
    {DTYPE_Q5_1,
     {{1, 0x3c}, {3, 0xbc}, {7, 0x80}, {23, 0xf0}, END},
     {{31, 30}, END},
     -1,
     REST_CHECKED},
    {DTYPE_Q8_0,
     {{1, 0x38}, {2, 0x80}, {33, 0x7f}, END},
     {{0, -64}, {31, 63.5f}, END},
     0,
     REST_CHECKED},
    /* The stored sum, here NaN, is no value. */
    {DTYPE_Q8_1, {{1, 0x38}, {3, 0x7e}, {5, 3}, END}, {{1, 1.5f}, END}, 0, REST_CHECKED},
    {DTYPE_Q2_K,
     {{0, 0x21}, {3, 0x03}, {16, 0x1b}, {32, 0x08}, {81, 0x3c}, {83, 0x38}, END},
     {{0, 2}, {1, -1}, {15, -1}, {16, 0}, {32, 0}, {48, 6}, {49, 0}, {255, 0}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_Q3_K,
     {{0, 1}, {31, 0x80}, {32, 3}, {96, 5}, {103, 0x10}, {104, 2}, {107, 0x80}, {109, 0x3c}, END},
     {{0, 15}, {1, -20}, {15, -20}, {16, 128}, {239, 128}, {240, -4}, {254, -4}, {255, 0}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_Q4_K,
     {{1, 0x3c}, {3, 0x3c}, {4, 0x42}, {8, 0x81}, {12, 0x53}, {16, 7}, {80, 2}, END},
     {{0, 13}, {1, -1}, {31, -1}, {32, 0}, {128, 1}, {129, -37}, {159, -37}, {160, 0}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_Q5_K,
     {{1, 0x3c}, {4, 1}, {5, 2}, {16, 1}, {17, 2}, {48, 0x0f}, END},
     {{0, 31}, {33, 32}, END},
     0,
     REST_CHECKED},
    {DTYPE_Q6_K,
     {{0, 0x5f},
      {127, 0x10},
      {128, 0x23},
      {191, 0x80},
      {192, 1},
      {194, 0xff},
      {196, 2},
      {207, 1},
      {209, 0x3c},
      END},
     {{0, 31}, {1, -32}, {16, 0}, {32, 32}, {64, 10}, {65, -64}, {240, -32}, {255, 1}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_Q8_K,
     {{2, 0x80}, {3, 0x3e}, {4, 0x80}, {259, 4}, {260, 0xff}, END},
     {{0, -32}, {255, 1}, END},
     0,
     REST_CHECKED},
    /* Row 1 of the code book is 43 and seven 8; one sign of seven makes the eighth odd too. */
    {DTYPE_IQ2_XXS,
     {{1, 0x3c}, {2, 1}, {6, 1}, {9, 0x10}, END},
     {{0, -16.125f}, {1, 3}, {7, -3}, {8, 3}, {31, 3}, {32, 1}, {255, 1}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ2_XS,
     {{1, 0x3c}, {2, 1}, {3, 2}, {66, 1}, END},
     {{0, -16.125f}, {1, 3}, {7, -3}, {15, 3}, {16, 1}, {255, 1}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ2_S,
     {{1, 0x3c}, {2, 1}, {34, 2}, {74, 0x10}, END},
     {{0, 5.375f}, {1, -1}, {7, 1}, {15, 1}, {16, 3}, {31, 3}, {32, 1}, {255, 1}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ3_XXS,
     {{1, 0x3c}, {2, 1}, {66, 2}, {69, 0x20}, END},
     {{0, 25}, {1, -5}, {7, -5}, {31, 5}, {32, 1}, {255, 1}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ3_S,
     {{1, 0x3c}, {2, 1}, {74, 0x80}, {106, 0x21}, END},
     {{0, 9}, {1, 3}, {7, -3}, {31, 3}, {32, 5}, {63, 5}, {64, 1}, {255, 1}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ1_S,
     {{1, 0x3c}, {2, 1}, {35, 0x90}, END},
     {{0, 2.625f}, {1, -3.375f}, {31, -3.375f}, {32, -0.875f}, {255, -0.875f}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ1_M,
     {{1, 1}, {32, 0x08}, {48, 1}, {53, 0xc0}, {55, 0x30}, END},
     {{0, -3.375f}, {7, -3.375f}, {8, 3.375f}, {9, -2.625f}, {16, -0.875f}, {255, -0.875f}, END},
     0,
     REST_UNCHECKED},
    /* Upper bits of row numbers, first and last of a block. */
    {DTYPE_IQ2_XS,
     {{1, 0x3c}, {3, 1}, END},
     {{0, 5.375f}, {1, 3.125f}, {7, 3.125f}, END},
     1,
     REST_CHECKED},
    {DTYPE_IQ2_S,
     {{1, 0x3c}, {2, 1}, {66, 1}, END},
     {{1, 5.375f}, {2, 3.125f}, {3, 3.125f}, {4, 3.125f}, {6, 3.125f}, END},
     1,
     REST_CHECKED},
    {DTYPE_IQ2_S,
     {{1, 0x3c}, {33, 0xff}, {73, 0xc0}, END},
     {{247, 1}, {248, 5.375f}, {255, 5.375f}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ3_S,
     {{1, 0x3c}, {65, 0xff}, {66, 2}, {73, 0x80}, END},
     {{4, 7}, {5, 5}, {6, 9}, {7, 5}, {254, 15}, {255, 15}, END},
     1,
     REST_CHECKED},
    {DTYPE_IQ1_S,
     {{1, 0x3c}, {34, 1}, {35, 0x0e}, END},
     {{0, -0.875f},
      {1, 0.125f},
      {2, 1.125f},
      {24, 1.125f},
      {25, -0.875f},
      {26, 0.125f},
      {32, -0.875f},
      END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ1_M,
     {{47, 0x70}, {53, 0xc0}, {55, 0x30}, END},
     {{247, -0.875f}, {248, 1.125f}, {249, -0.875f}, {250, 0.125f}, END},
     0,
     REST_UNCHECKED},
    {DTYPE_IQ4_NL, {{1, 0x3c}, {2, 0xf0}, END}, {{16, 113}, END}, -127, REST_CHECKED},
    {DTYPE_IQ4_XS,
     {{1, 0x3c}, {2, 2}, {4, 0x21}, {8, 8}, {3, 0x80}, END},
     {{0, 1}, {1, -127}, {16, -127}, {32, 3810}, {64, 4064}, {224, 0}, {255, 0}, END},
     0,
     REST_UNCHECKED},
    /* 207 holds the digits 2 1 0 2 1, 146 the four digits 1 2 0 1. */
    {DTYPE_TQ1_0,
     {{0, 207}, {48, 146}, {53, 0x40}, END},
     {{0, 2}, {32, 0}, {96, 2}, {128, 0}, {240, 0}, {244, 2}, {252, 0}, END},
     -2,
     REST_CHECKED},
    {DTYPE_TQ1_0,
     {{32, 207}, {53, 0x40}, END},
     {{160, 2}, {176, 0}, {208, 2}, {224, 0}, END},
     -2,
     REST_CHECKED},
    {DTYPE_TQ2_0,
     {{0, 0xe4}, {63, 0x80}, {65, 0x40}, END},
     {{32, 0}, {64, 2}, {96, 4}, {255, 2}, END},
     -2,
     REST_CHECKED},
    {DTYPE_MXFP4, {{0, 128}, {1, 0xf7}, END}, {{0, 12}, {16, -12}, END}, 0, REST_CHECKED},
    {DTYPE_MXFP4, {{1, 0x12}, END}, {{0, 0x1p-127f}, {16, 0x1p-128f}, END}, 0, REST_CHECKED},
    {DTYPE_MXFP4,
     {{0, 255}, {1, 0x12}, END},
     {{0, INFINITY}, {16, 0x1p127f}, END},
     0,
     REST_CHECKED},
    {DTYPE_NVFP4,
     {{0, 0x38}, {1, 1}, {2, 0x80}, {3, 0x7f}, {4, 0x21}, {12, 7}, {20, 0x77}, {35, 0x77}, END},
     {{0, 0.5f}, {8, 1}, {16, 12 * 0x1p-10f}, END},
     0,
     REST_CHECKED},
    {DTYPE_Q1_0, {{1, 0x40}, {2, 1}, {17, 0x80}, END}, {{0, 2}, {127, 2}, END}, -2, REST_CHECKED},
    {DTYPE_Q2_0, {{1, 0x40}, {2, 0xe4}, END}, {{1, 0}, {2, 2}, {3, 4}, END}, -2, REST_CHECKED},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static bool equal(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void check_value(const struct sample *s, size_t i, float got, float want)
{
    if (!equal(got, want))
        fail_msg("%s element %zu is %g, not %g", dtype_name(s->type), i, (double)got, (double)want);
}

static void check_sample(const struct sample *s)
{
    uint8_t block[BLOCK_MAX_BYTES] = {0};
    float y[256];
    for (size_t i = 0; s->set[i].at != 0xffff; i++)
        block[s->set[i].at] = s->set[i].byte;
    dtype_decode(s->type, block, 1, false, y);
    for (size_t i = 0; s->want[i].at != 0xffff; i++) {
        check_value(s, s->want[i].at, y[s->want[i].at], s->want[i].value);
        y[s->want[i].at] = s->rest;
    }
    for (size_t i = 0; s->check == REST_CHECKED && i < dtypes[s->type].block; i++)
        check_value(s, i, y[i], s->rest);
}

static void dtype_decodes_blocks_made_by_hand(void **state)
{
    (void)state;
    bool seen[DTYPE_COUNT] = {false};
    for (int isa = ISA_PLAIN; isa < ISA_COUNT; isa++) {
        isa_limit((enum isa)isa);
        for (size_t i = 0; i < SAMPLES; i++) {
            check_sample(&samples[i]);
            seen[samples[i].type] = true;
        }
    }
    for (size_t t = 0; t < DTYPE_COUNT; t++) {
        if (!seen[t])
            fail_msg("no sample of %s", dtypes[t].name);
    }
}

static float slow_half(unsigned h)
{
    int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
    double v = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31)
        v = mantissa != 0 ? (double)NAN : (double)INFINITY;
    return (float)((h & 0x8000) != 0 ? -v : v);
}

static float slow_bf16(unsigned h)
{
    int exponent = (int)(h >> 7 & 255), mantissa = (int)(h & 127);
    double v = exponent == 0 ? ldexp(mantissa, -133) : ldexp(128 + mantissa, exponent - 134);
    if (exponent == 255)
        v = mantissa != 0 ? (double)NAN : (double)INFINITY;
    return (float)((h & 0x8000) != 0 ? -v : v);
}

static void check_every_code(enum dtype t, float (*slow)(unsigned))
{
    uint8_t *codes = malloc(2 * 65536);
    float *y = malloc(65536 * sizeof *y);
    assert_non_null(codes);
    assert_non_null(y);
    for (unsigned h = 0; h < 65536; h++) {
        codes[2 * h] = (uint8_t)h;
        codes[2 * h + 1] = (uint8_t)(h >> 8);
    }
    for (int isa = ISA_PLAIN; isa < ISA_COUNT; isa++) {
        isa_limit((enum isa)isa);
        dtype_decode(t, codes, 65536, false, y);
        for (unsigned h = 0; h < 65536; h++) {
            float want = slow(h);
            if (!equal(y[h], want) || (signbit(y[h]) != 0) != ((h & 0x8000) != 0))
                fail_msg("%s code %04x is %a, not %a", dtype_name(t), h, (double)y[h],
                         (double)want);
        }
    }
    free(y);
    free(codes);
}

static void f16_agrees_with_its_definition_for_every_code(void **state)
{
    (void)state;
    check_every_code(DTYPE_F16, slow_half);
}

static void bf16_agrees_with_its_definition_for_every_code(void **state)
{
    (void)state;
    check_every_code(DTYPE_BF16, slow_bf16);
}

/* A scale that is not finite makes one NaN, whatever the operands' order was. */
static void nan_from_a_scale_has_one_pattern(void **state)
{
    (void)state;
    uint8_t block[20] = {0, 0x7c, 0, 0xfe};
    float y[32];
    block[4] = 0x10;
    dtype_decode(DTYPE_Q4_1, block, 1, false, y);
    for (int i = 0; i < 32; i++) {
        uint32_t bits;
        memcpy(&bits, &y[i], sizeof bits);
        assert_int_equal(bits, 0x7fc00000u);
    }
}

/* ---- bounds ---- */

enum { BOUNDED_BLOCKS = 64 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* What the encoders make of any values lies within the bounds of what they made. */
static void encoded_values_lie_within_their_bounds(void **state)
{
    static const enum dtype types[] = {DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q8_0};
    float x[32 * BOUNDED_BLOCKS], y[32 * BOUNDED_BLOCKS], bound[32 * BOUNDED_BLOCKS];
    uint8_t bytes[40 * BOUNDED_BLOCKS];
    uint32_t seed = 20261126;
    (void)state;
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
        float scale =
            i < sizeof x / sizeof x[0] / 2 ? 1 : ldexpf(1, (int)(next_random(&seed) % 12));
        x[i] = ((float)(next_random(&seed) % 20001) - 10000) / 10000 * scale;
    }
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        assert_true(dtype_bounds_known(types[t]));
        dtype_encode(types[t], x, BOUNDED_BLOCKS, bytes);
        dtype_decode(types[t], bytes, BOUNDED_BLOCKS, false, y);
        dtype_bounds(types[t], bytes, BOUNDED_BLOCKS, false, bound);
        for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
            if (!(fabsf(x[i] - y[i]) <= bound[i]))
                fail_msg("%s: %a became %a, beyond %a", dtype_name(types[t]), (double)x[i],
                         (double)y[i], (double)bound[i]);
    }
}

/* Quants 0 and 1 in turn: one step apart, the lower one at the end of the range. */
static void bounds_are_half_a_step_and_a_whole_one_at_the_ends(void **state)
{
    static const struct {
        enum dtype type;
        size_t scale_at[2], high_from, high_to, from, to; /* F16 scales; quants */
        uint8_t one;
    } types[] = {{DTYPE_Q2_K, {80, 82}, 0, 0, 16, 80, 0x55},
                 {DTYPE_Q3_K, {108, 108}, 0, 32, 32, 96, 0x55},
                 {DTYPE_Q4_K, {0, 2}, 0, 0, 16, 144, 0x11},
                 {DTYPE_Q5_K, {0, 2}, 16, 48, 48, 176, 0x11},
                 {DTYPE_Q6_K, {208, 208}, 128, 192, 0, 128, 0x11}};
    uint8_t block[BLOCK_MAX_BYTES];
    float y[256], bound[256];
    uint32_t seed = 7;
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (uint8_t)next_random(&seed);
        for (size_t i = 0; i < 2; i++) /* 1.0 */
            memcpy(block + types[t].scale_at[i], (uint8_t[]){0, 0x3c}, 2);
        memset(block + types[t].high_from, 0, types[t].high_to - types[t].high_from);
        for (size_t i = types[t].from; i < types[t].to; i++)
            block[i] = i % 2 ? types[t].one : 0;
        dtype_decode(types[t].type, block, 1, false, y);
        dtype_bounds(types[t].type, block, 1, false, bound);
        for (size_t i = 0; i < 256; i += 2) {
            float step = fabsf(y[i + 1] - y[i]), slack = (fabsf(y[i]) + fabsf(y[i + 1])) * 0.002f;
            assert_true(fabsf(bound[i] - step) <= slack);
            assert_true(fabsf(bound[i + 1] - step / 2) <= slack);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_decodes_blocks_made_by_hand),
        cmocka_unit_test(f16_agrees_with_its_definition_for_every_code),
        cmocka_unit_test(bf16_agrees_with_its_definition_for_every_code),
        cmocka_unit_test(nan_from_a_scale_has_one_pattern),
        cmocka_unit_test(encoded_values_lie_within_their_bounds),
        cmocka_unit_test(bounds_are_half_a_step_and_a_whole_one_at_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
