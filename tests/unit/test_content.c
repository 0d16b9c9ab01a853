/*
 * What one file may use up: bytes that it unpacks to, depth, pieces, and bytes
 * that are examined again. Reaching a bound is said, once, and incomplete.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "model/content.h"
#include "support/documents.h"
#include "support/zip_writer.h"

enum { MEMBER = 100000 };

static const uint64_t all = (uint64_t)CONTENT_UNPACKED_MIB << 20;

static struct model *m;
static struct zip_writer w;

static int begin(void **state)
{
    (void)state;
    m = text_model("?", span_str("?"));
    zw_init(&w);
    return m ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    zw_free(&w);
    model_free(m);
    return 0;
}

static void add_member(const char *name)
{
    uint8_t *bytes = calloc(MEMBER, 1);
    assert_non_null(bytes);
    zw_add(&w, name, (struct span){bytes, MEMBER}, true, NULL);
    free(bytes);
}

static void examine(struct content_budget *budget)
{
    zw_finish(&w);
    struct content c = {
        .m = m, .in = input_memory(buf_span(&w.out)), .where = "", .budget = budget};
    m->verdict.incomplete = false;
    assert_true(archive_examine_zip(&c));
}

static void what_is_unpacked_is_counted_over_all_members(void **state)
{
    struct content_budget budget = {.unpacked = 0};
    (void)state;
    add_member("a");
    add_member("b");
    examine(&budget);
    assert_int_equal(budget.unpacked, 2 * MEMBER);
    assert_false(m->verdict.incomplete);
}

static void unpacking_stops_where_the_file_s_share_ends(void **state)
{
    struct content_budget budget = {.unpacked = all - MEMBER / 2};
    (void)state;
    add_member("a");
    examine(&budget);
    assert_int_equal(budget.unpacked, all);
    assert_int_equal(findings_of(m, RULE_ARCHIVE_BOMB), 1);
    assert_true(m->verdict.incomplete);
}

static void nothing_is_unpacked_after_it(void **state)
{
    struct content_budget budget = {.unpacked = all};
    (void)state;
    add_member("a");
    add_member("b");
    examine(&budget);
    assert_int_equal(budget.unpacked, all);
    assert_true(findings_of(m, RULE_READ_LIMIT) >= 1);
    assert_true(m->verdict.incomplete);
}

static void one_byte_less_is_unpacked_whole(void **state)
{
    struct content_budget budget = {.unpacked = all - MEMBER - 1};
    (void)state;
    add_member("a");
    examine(&budget);
    assert_false(m->verdict.incomplete);
    assert_int_equal(findings_of(m, RULE_ARCHIVE_BOMB), 0);
}

static void an_inflated_stream_ends_at_its_most(void **state)
{
    struct inflated out;
    struct err e = ERR_INIT;
    struct archive a;
    struct arena *arena = arena_new(1 << 20);
    (void)state;
    add_member("a");
    zw_finish(&w);
    struct input in = input_memory(buf_span(&w.out));
    assert_non_null(arena);
    assert_true(zip_read(&a, &in, arena, NULL, NULL, &e));
    struct input stored = input_part(&in, a.members[0].data, a.members[0].stored);
    static const uint64_t most[] = {1, MEMBER - 1, MEMBER, MEMBER + 1};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        assert_true(inflate_input(&out, &stored, INFLATE_RAW, most[i], &e));
        assert_int_equal(out.bytes.size, most[i] < MEMBER ? most[i] : MEMBER);
        assert_int_equal(out.whole, most[i] > MEMBER);
        assert_int_equal(out.code, most[i] > MEMBER ? ERR_NONE : ERR_LIMIT);
        spool_close(out.spool);
    }
    arena_free(arena);
}

static void pieces_and_depth_are_said_once(void **state)
{
    struct content_budget budget = {.pieces = CONTENT_PIECES};
    (void)state;
    add_member("a");
    add_member("b");
    examine(&budget);
    assert_int_equal(findings_of(m, RULE_READ_LIMIT), 1);
    assert_true(m->verdict.incomplete);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_unpacked_is_counted_over_all_members),
        TEST(unpacking_stops_where_the_file_s_share_ends),
        TEST(nothing_is_unpacked_after_it),
        TEST(one_byte_less_is_unpacked_whole),
        TEST(an_inflated_stream_ends_at_its_most),
        TEST(pieces_and_depth_are_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
