/* UTF-8, hidden characters, text made safe to show, numbers and bytes as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/base64.h"
#include "assay/base/text.h"

static void utf8_takes_every_code_point_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 16);
    for (uint32_t c = 0; c < 0x110000; c++) {
        buf_clear(&b);
        utf8_put(&b, c);
        bool scalar = c < 0xD800 || c > 0xDFFF;
        size_t pos = 0;
        assert_int_equal(utf8_invalid(buf_span(&b)) == TEXT_VALID, scalar);
        assert_int_equal(utf8_next(buf_span(&b), &pos), scalar ? c : 0xFFFD);
        assert_int_equal(pos, scalar ? b.n : 1);
    }
    buf_free(&b);
}

/* Every sequence of three bytes: valid exactly when decoding and encoding gives it back. */
static void utf8_valid_is_what_encodes_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 16);
    for (uint32_t v = 0xC00000; v < 0x1000000; v += 1 + (v & 0xFF) / 64) {
        uint8_t raw[4] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v, 0x80};
        size_t n = utf8_length(raw, 4);
        if (!n)
            continue;
        size_t pos = 0;
        buf_clear(&b);
        utf8_put(&b, utf8_next((struct span){raw, 4}, &pos));
        assert_int_equal(pos, n);
        assert_int_equal(b.n, n);
        assert_memory_equal(b.p, raw, n);
        for (size_t cut = 1; cut < n; cut++)
            assert_int_equal(utf8_length(raw, cut), 0);
    }
    buf_free(&b);
}

static void utf8_points_at_the_first_bad_byte(void **state)
{
    (void)state;
    assert_int_equal(utf8_invalid(span_str("ab\xC3\xA9\xC3(")), 4);
    assert_int_equal(utf8_invalid(span_str("ab\xED\xA0\x80")), 2);
    assert_int_equal(utf8_invalid(SPAN_EMPTY), TEXT_VALID);
}

static void hidden_characters_are_known(void **state)
{
    (void)state;
    static const uint32_t hidden[] = {0,       0x1B,    0x7F,    0x85,     0xAD,   0x61C,  0x200B,
                                      0x202E,  0x2066,  0xFEFF,  0xE000,   0xFFFE, 0xFFFF, 0x1FFFE,
                                      0xE0041, 0xE01EF, 0xF0000, 0x10FFFF, 0xFE0F, 0x3164};
    static const uint32_t shown[] = {' ',    'a',    0xE9,    0x120, 0x3042,
                                     0x4E2D, 0xFFFD, 0x1F600, 0x2581};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_true(unicode_is_hidden(hidden[i]));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        assert_false(unicode_is_hidden(shown[i]));
}

static void expect_shown(const char *text, size_t max, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    text_show(&b, span_str(text), max);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void text_is_shown_without_tricks(void **state)
{
    (void)state;
    expect_shown("plain \xC3\xA9", 100, "plain \xC3\xA9");
    expect_shown("\x1B[2Jx\n", 100, "\\x1B[2Jx\\x0A");
    expect_shown("a\xE2\x80\xAE"
                 "b",
                 100, "a\\u{202E}b");
    expect_shown("\xFF\xC3(", 100, "\\xFF\\xC3(");
    expect_shown("\xF3\xA0\x81\x81", 100, "\\u{E0041}");
    expect_shown("abcdef", 6, "abcdef");
    expect_shown("abcdefg", 6, "abcde\xE2\x80\xA6");
    expect_shown("abcd\x01", 6, "abcd\xE2\x80\xA6"); /* an escape is never cut */
    expect_shown("\x01\x01", 3, "\xE2\x80\xA6");
    expect_shown("abc", 0, "");
    expect_shown("", 5, "");
}

static void text_fits_every_array(void **state)
{
    (void)state;
    const char *hostile = "ab\x1B\xE2\x80\xAE\xF0\x9F\x98\x80\xFFxyz\xF3\xA0\x81\x81";
    for (size_t size = 0; size < 60; size++) {
        char *out = malloc(size ? size : 1); /* exactly, so that one byte more is seen */
        const char *shown = text_shown(out, size, span_str(hostile));
        assert_true(size == 0 || shown == out);
        assert_true(strlen(shown) < (size ? size : 1));
        assert_int_equal(utf8_invalid(span_str(shown)), TEXT_VALID);
        for (const char *p = shown; *p; p++)
            assert_true((unsigned char)*p >= ' ');
        free(out);
    }
    char out[64];
    assert_string_equal(text_shown(out, sizeof out, span_str("a\nb")), "a\\x0Ab");
    assert_string_equal(text_shown(out, 8, span_str("abcdefgh")), "abcd\xE2\x80\xA6");
    assert_string_equal(text_shown(out, 9, span_str("abcdefgh")), "abcdefgh");
}

/* ---- numbers ---- */

static void sizes_and_counts_are_short(void **state)
{
    (void)state;
    char t[40];
    assert_string_equal(text_bytes(t, sizeof t, 0), "0 B");
    assert_string_equal(text_bytes(t, sizeof t, 1023), "1023 B");
    assert_string_equal(text_bytes(t, sizeof t, 1024), "1.00 KiB");
    assert_string_equal(text_bytes(t, sizeof t, 1101005), "1.05 MiB");
    assert_string_equal(text_bytes(t, sizeof t, 10230), "9.99 KiB");
    assert_string_equal(text_bytes(t, sizeof t, 10239), "10.0 KiB");
    assert_string_equal(text_bytes(t, sizeof t, 1048575), "1.00 MiB");
    assert_string_equal(text_bytes(t, sizeof t, UINT64_MAX), "16.0 EiB");
    assert_string_equal(text_count(t, sizeof t, 999), "999");
    assert_string_equal(text_count(t, sizeof t, 134515008), "134.5 M");
    assert_string_equal(text_count(t, sizeof t, 1235814400), "1.24 B");
    assert_string_equal(text_count(t, sizeof t, 999999), "1.00 M");
    assert_string_equal(text_grouped(t, sizeof t, 0), "0");
    assert_string_equal(text_grouped(t, sizeof t, 134515008), "134,515,008");
    assert_string_equal(text_grouped(t, sizeof t, UINT64_MAX), "18,446,744,073,709,551,615");
}

static void doubles_are_shortest_and_exact(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1e-5, "1e-05"},
                 {0, "0"},
                 {-0.0, "-0"},
                 {1e22, "1e+22"},
                 {123456789012345680.0, "1.2345678901234568e+17"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {5e-324, "5e-324"},
                 {DBL_MAX, "1.7976931348623157e+308"},
                 {1.0 / 3, "0.3333333333333333"},
                 {NAN, "NaN"},
                 {INFINITY, "inf"},
                 {-INFINITY, "-inf"}};
    char t[40];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_double(t, sizeof t, cases[i].v), cases[i].text);
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        double v, back;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(&v, &x, sizeof v);
        if (!isfinite(v))
            continue;
        text_double(t, sizeof t, v);
        assert_true(text_to_double(span_str(t), &back));
        assert_memory_equal(&back, &v, sizeof v);
    }
}

/* Read as a double and rounded, which is how replays read what was recorded. */
static void floats_are_shortest_and_read_back(void **state)
{
    (void)state;
    static const struct {
        float v;
        const char *text;
    } cases[] = {{0.7f, "0.7"},
                 {0.1f, "0.1"},
                 {0, "0"},
                 {-0.0f, "-0"},
                 {1, "1"},
                 {1.1754944e-38f, "1.1754944e-38"},
                 {1e-45f, "1e-45"},
                 {16777216, "16777216"},
                 {3.4028235e38f, "3.4028235e+38"},
                 {0.95f, "0.95"},
                 {1.0f / 3, "0.33333334"}};
    char t[40];
    double back;
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_float(t, sizeof t, cases[i].v), cases[i].text);
    for (int i = 0; i < 20000; i++) {
        float v, f;
        seed = seed * 1664525u + 1013904223u;
        memcpy(&v, &seed, sizeof v);
        if (!isfinite(v))
            continue;
        assert_true(text_to_double(span_str(text_float(t, sizeof t, v)), &back));
        f = (float)back;
        assert_memory_equal(&f, &v, sizeof v);
    }
}

static void doubles_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    char t[40];
    double v;
    for (size_t i = 0; i < sizeof commas / sizeof *commas; i++)
        if (setlocale(LC_ALL, commas[i]))
            break;
    assert_string_equal(text_double(t, sizeof t, 1.5), "1.5");
    assert_true(text_to_double(span_str("1.5"), &v) && v == 1.5);
    assert_string_equal(text_bytes(t, sizeof t, 1101005), "1.05 MiB");
    setlocale(LC_ALL, "C");
}

static void u64_takes_digits_alone(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "0x1",
                                        "1.0",
                                        "18446744073709551616",
                                        "99999999999999999999999"};
    uint64_t v = 7;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(text_u64(span_str(wrong[i]), &v));
    assert_true(v == 7);
    assert_true(text_u64(span_str("18446744073709551615"), &v) && v == UINT64_MAX);
    assert_true(text_u64(span_str("007"), &v) && v == 7);
}

static void base64_is_strict_and_round_trips(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct arena *arena = arena_new(1 << 20);
    assert_non_null(arena);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        struct buf b;
        struct span back;
        buf_init(&b, 1000);
        base64_put(&b, (struct span){bytes, n});
        assert_true(base64_decode(buf_span(&b), arena, &back));
        assert_true(span_eq(back, (struct span){bytes, n}));
        buf_free(&b);
    }
    static const char *const bad[] = {
        "A", "AA", "AAA", "AB==", "AAB=", "A===", "====", "AA=A", "AAA\n", "AA==AAAA", "A-_A"};
    struct span out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_decode(span_str(bad[i]), arena, &out))
            fail_msg("accepted %s", bad[i]);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_takes_every_code_point_back),
        cmocka_unit_test(utf8_valid_is_what_encodes_back),
        cmocka_unit_test(utf8_points_at_the_first_bad_byte),
        cmocka_unit_test(hidden_characters_are_known),
        cmocka_unit_test(text_is_shown_without_tricks),
        cmocka_unit_test(text_fits_every_array),
        cmocka_unit_test(sizes_and_counts_are_short),
        cmocka_unit_test(doubles_are_shortest_and_exact),
        cmocka_unit_test(floats_are_shortest_and_read_back),
        cmocka_unit_test(doubles_do_not_depend_on_the_locale),
        cmocka_unit_test(u64_takes_digits_alone),
        cmocka_unit_test(base64_is_strict_and_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
