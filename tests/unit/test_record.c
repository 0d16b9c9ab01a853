/* Leaves: one canonical form, and nothing else is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/record.h"
#include "record/table.h"
#include "support/records.h"

static const struct record_head head = {.kind = RECORD_STOP, .seq = 3, .wall_us = 1, .boot_us = 2};
#define STOP "{\"reason\":\"shutdown\",\"software\":\"assay 1\"}"
#define ZERO_ID "\"00000000000000000000000000000000\""
#define BEFORE                                                                                     \
    "{\"assay\":1,\"boot_id\":" ZERO_ID ",\"boot_us\":2,\"id\":" ZERO_ID                           \
    ",\"kind\":\"stop\",\"record\":"
#define AFTER ",\"seq\":3,\"wall_us\":1}"

static enum err_code encode(struct buf *out, const char *body)
{
    struct err e = ERR_INIT;
    buf_init(out, RECORD_MAX);
    if (record_encode(out, &head, span_str(body), NULL, 0, &e))
        return ERR_NONE;
    assert_true(e.text[0]);
    return e.code;
}

static enum err_code check(struct span leaf)
{
    struct record_head h;
    struct err e = ERR_INIT;
    return record_check(&h, NULL, leaf, &e) ? ERR_NONE : e.code;
}

static void record_is_written_byte_for_byte(void **state)
{
    (void)state;
    struct buf b;
    assert_int_equal(encode(&b, STOP), ERR_NONE);
    assert_string_equal(buf_cstr(&b), BEFORE STOP AFTER);
    buf_free(&b);
}

static void record_makes_any_order_and_space_canonical(void **state)
{
    (void)state;
    struct buf b;
    assert_int_equal(
        encode(&b, " { \"software\" : \"\\u0061ssay 1\",\n\"reason\":\"shut\\u0064own\"} "),
        ERR_NONE);
    assert_string_equal(buf_cstr(&b), BEFORE STOP AFTER);
    buf_free(&b);
}

static void record_of_every_kind_decodes_to_itself(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_KINDS; k++)
        for (unsigned every = 0; every < 2; every++) {
            struct buf b, again;
            struct record r;
            struct err e = ERR_INIT;
            struct arena *a = arena_new(1 << 20);
            buf_init(&b, RECORD_MAX);
            buf_init(&again, RECORD_MAX);
            record_leaf(&b, (enum record_kind)k, every, every * 3);
            assert_true(record_decode(&r, buf_span(&b), a, &e));
            assert_int_equal(r.head.kind, k);
            assert_int_equal(r.field_count, every * 3);
            assert_true(
                record_encode(&again, &r.head, json_text(r.body), r.fields, r.field_count, &e));
            assert_true(span_eq(buf_span(&b), buf_span(&again)));
            arena_free(a);
            buf_free(&again);
            buf_free(&b);
        }
}

static void record_refuses_every_prefix(void **state)
{
    (void)state;
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        struct buf b;
        buf_init(&b, RECORD_MAX);
        record_leaf(&b, (enum record_kind)k, true, 2);
        assert_int_equal(check(buf_span(&b)), ERR_NONE);
        for (size_t n = 0; n < b.n; n++) {
            /* A block of its own, so that a read beyond it is seen. */
            uint8_t *copy = malloc(n + !n);
            assert_non_null(copy);
            memcpy(copy, b.p, n);
            assert_int_not_equal(check((struct span){copy, n}), ERR_NONE);
            free(copy);
        }
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_written_byte_for_byte),
        cmocka_unit_test(record_makes_any_order_and_space_canonical),
        cmocka_unit_test(record_of_every_kind_decodes_to_itself),
        cmocka_unit_test(record_refuses_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
