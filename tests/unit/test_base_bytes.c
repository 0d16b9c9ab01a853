/* Spans, the cursor against a guard page, the bounded buffer, checked sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/bytes.h"
#include "support/prefixes.h"

static void span_compares_bytewise_shorter_first(void **state)
{
    (void)state;
    assert_true(span_cmp(span_str("a"), span_str("ab")) < 0);
    assert_true(span_cmp(span_str("b"), span_str("ab")) > 0);
    assert_true(span_cmp(span_str("\xFF"), span_str("a")) > 0);
    assert_int_equal(span_cmp(SPAN_EMPTY, span_str("")), 0);
    assert_true(span_eq(SPAN_EMPTY, span_str("")) && span_is(SPAN_EMPTY, ""));
    assert_true(span_starts(span_str("abc"), "ab") && !span_starts(span_str("a"), "ab"));
    assert_true(span_ends(span_str("abc"), "bc") && !span_ends(span_str("c"), "bc"));
    assert_true(span_is(span_sub(span_str("abc"), 1, SIZE_MAX), "bc"));
    assert_true(span_among(span_str("b"), "abc b") && span_among(span_str("abc"), "abc b"));
    assert_false(span_among(span_str("ab"), "abc b") || span_among(span_str("abc b"), "abc b"));
    assert_false(span_among(SPAN_EMPTY, "abc b") || span_among(span_str("a"), ""));
    assert_int_equal(span_sub(span_str("abc"), 3, 1).n, 0);
    assert_int_equal(span_sub(SPAN_EMPTY, 0, 1).n, 0);
    assert_int_equal(span_str(NULL).n, 0);
}

/* Each kind of read, at every distance from the end of readable memory. */
static uint64_t read_kind(struct cursor *c, int kind)
{
    switch (kind) {
    case 0:
        return cursor_u8(c);
    case 1:
        return cursor_u16(c);
    case 2:
        return cursor_u32(c);
    case 3:
        return cursor_u64(c);
    case 4:
        return cursor_f32(c) != 0;
    case 5:
        return cursor_f64(c) != 0;
    default:
        return cursor_take(c, 3).n;
    }
}

static void cursor_reads_up_to_the_edge_and_not_beyond(void **state)
{
    (void)state;
    static const size_t width[] = {1, 2, 4, 8, 4, 8, 3};
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct guarded g;
    assert_true(guarded_copy(&g, (struct span){bytes, sizeof bytes}));
    for (int kind = 0; kind < 7; kind++)
        for (size_t at = 0; at <= sizeof bytes; at++) {
            struct cursor c = cursor_over(g.bytes);
            cursor_seek(&c, at);
            uint64_t v = read_kind(&c, kind);
            bool fits = sizeof bytes - at >= width[kind];
            assert_int_equal(cursor_ok(&c), fits);
            assert_int_equal(v != 0, fits);
            assert_int_equal(c.pos, fits ? at + width[kind] : sizeof bytes);
            if (!fits)
                assert_int_equal(c.fault_at, at);
        }
    guarded_free(&g);
}

static void cursor_reads_either_byte_order(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct cursor c = cursor_over((struct span){bytes, 8});
    assert_int_equal(cursor_u64(&c), 0x0807060504030201);
    c = cursor_over((struct span){bytes, 8});
    c.big_endian = true;
    assert_int_equal(cursor_u16(&c), 0x0102);
    assert_int_equal(cursor_u32(&c), 0x03040506);
    c = cursor_over((struct span){bytes, 8});
    c.big_endian = true;
    assert_int_equal(cursor_u64(&c), 0x0102030405060708);
}

static void cursor_keeps_its_first_fault(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct cursor c = cursor_over(span_str("abcdef"));
    c.origin = 100;
    cursor_u8(&c);
    assert_true(cursor_check(&c, &e));
    cursor_fault(&c, ERR_LIMIT, "first");
    cursor_fault(&c, ERR_FORMAT, "second");
    assert_int_equal(cursor_u8(&c) + cursor_u32(&c) + cursor_count(&c, 5, 1), 0);
    assert_int_equal(cursor_take(&c, 0).n + cursor_take(&c, UINT64_MAX).n, 0);
    cursor_skip(&c, 1);
    cursor_seek(&c, 0);
    assert_int_equal(cursor_left(&c), 0);
    assert_false(cursor_check(&c, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(e.offset, 101);
    assert_string_equal(e.text, "first");
}

static void cursor_judges_claims_by_the_bytes_left(void **state)
{
    (void)state;
    static const uint8_t bytes[24];
    struct span s = {bytes, sizeof bytes};
    struct cursor c = cursor_over(s);
    assert_int_equal(cursor_count(&c, 3, 8), 3);
    assert_int_equal(cursor_count(&c, 4, 8), 0);
    assert_false(cursor_ok(&c));
    c = cursor_over(s);
    assert_int_equal(cursor_count(&c, UINT64_MAX, 1), 0);
    assert_false(cursor_ok(&c));
    c = cursor_over(s);
    assert_int_equal(cursor_take(&c, UINT64_MAX).n, 0);
    assert_false(cursor_ok(&c));
    c = cursor_over(s);
    cursor_skip(&c, UINT64_MAX);
    assert_false(cursor_ok(&c));
    c = cursor_over(s);
    cursor_seek(&c, 25);
    assert_false(cursor_ok(&c));
    c = cursor_over(s);
    assert_int_equal(cursor_atmost(&c, 7, 7, "too many"), 7);
    assert_int_equal(cursor_atmost(&c, 8, 7, "too many"), 0);
    assert_string_equal(c.fault, "too many");
    c = cursor_over(SPAN_EMPTY);
    assert_int_equal(cursor_take(&c, 0).n, 0);
    assert_true(cursor_ok(&c));
    assert_int_equal(cursor_u8(&c), 0);
    assert_false(cursor_ok(&c));
}

static size_t half_fill(void *arg, size_t need)
{
    size_t *have = arg;
    return need <= *have ? need : *have;
}

static void cursor_fills_on_demand_and_faults_when_it_cannot(void **state)
{
    (void)state;
    static const uint8_t bytes[16] = {1};
    size_t have = 8;
    struct cursor c = {.base = bytes, .size = 16, .fill = half_fill, .fill_arg = &have};
    assert_int_equal(cursor_u64(&c), 1);
    assert_int_equal(cursor_u8(&c), 0);
    assert_false(cursor_ok(&c));
    assert_int_equal(c.fault_code, ERR_IO);
}

/* ---- buf ---- */

static void buf_never_exceeds_its_maximum(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_put_u8(&b, (uint8_t)i);
        assert_true(buf_ok(&b));
        assert_int_equal(b.n, max);
        buf_put(&b, "", 0);
        assert_true(buf_ok(&b));
        buf_put_u8(&b, 1);
        assert_false(buf_ok(&b));
        buf_put_str(&b, ""); /* a failed buffer stays failed and keeps what it has */
        assert_false(buf_ok(&b));
        assert_int_equal(b.n, max);
        assert_int_equal(buf_cstr(&b)[max], 0);
        buf_clear(&b);
        assert_true(buf_ok(&b));
        buf_free(&b);
        buf_free(&b);
    }
}

static void buf_prints_and_takes_numbers(void **state)
{
    (void)state;
    static const uint8_t want[] = {1, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4,
                                   3, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8};
    struct buf b;
    buf_init(&b, 1000);
    assert_string_equal(buf_cstr(&b), "");
    buf_put_u8(&b, 1);
    buf_put_u16le(&b, 0x0102);
    buf_put_u32le(&b, 0x01020304);
    buf_put_u64le(&b, 0x0102030405060708);
    buf_put_u64be(&b, 0x0102030405060708);
    assert_int_equal(b.n, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
    buf_clear(&b);
    buf_printf(&b, "%s-%d", "x", 7);
    buf_put_str(&b, NULL);
    assert_string_equal(buf_cstr(&b), "x-7");
    buf_printf(&b, "%997d", 1);
    assert_true(buf_ok(&b));
    buf_printf(&b, "%d", 1);
    assert_false(buf_ok(&b));
    buf_free(&b);
}

static void sums_and_products_refuse_overflow(void **state)
{
    (void)state;
    uint64_t v = 7;
    assert_true(size_mul(&v, UINT32_MAX, UINT32_MAX) && v == 0xFFFFFFFE00000001u);
    assert_false(size_mul(&v, UINT64_MAX, 2) || size_mul(&v, 1ull << 32, 1ull << 32));
    assert_true(v == 0xFFFFFFFE00000001u);
    assert_true(size_add(&v, UINT64_MAX, 0) && v == UINT64_MAX);
    assert_false(size_add(&v, UINT64_MAX, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(span_compares_bytewise_shorter_first),
        cmocka_unit_test(cursor_reads_up_to_the_edge_and_not_beyond),
        cmocka_unit_test(cursor_reads_either_byte_order),
        cmocka_unit_test(cursor_keeps_its_first_fault),
        cmocka_unit_test(cursor_judges_claims_by_the_bytes_left),
        cmocka_unit_test(cursor_fills_on_demand_and_faults_when_it_cannot),
        cmocka_unit_test(buf_never_exceeds_its_maximum),
        cmocka_unit_test(buf_prints_and_takes_numbers),
        cmocka_unit_test(sums_and_products_refuse_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
