/* Filters of log query and log sample, over leaves as they stand in a log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "cli/log_filter.h"

#define OUTCOME                                                                                    \
    "{\"attempts\":1,\"durability\":\"answer\",\"intent\":3,\"model\":{\"name\":\"tiny\","         \
    "\"tensor_root\":\"1111111111111111111111111111111111111111111111111111111111111111\"},"       \
    "\"outcome\":\"timeout\",\"released_bytes\":0}"

/* One second after 2026-11-23T14:05:00Z. */
enum { SEQ = 4 };
#define WALL UINT64_C(1795442701000000)

static bool matches_leaf(const struct filter_args *args, struct span leaf, struct err *e)
{
    struct log_filter f;
    struct record r;
    bool match = false;
    struct arena *a = arena_new(1 << 20);
    assert_non_null(a);
    bool ok = log_filter_set(&f, args, e) && log_filter_leaf(&f, SEQ, leaf, &match, &r, a, e);
    arena_free(a);
    return ok && match;
}

static bool matches(const struct filter_args *args)
{
    struct err e = ERR_INIT;
    struct record_head h = {.kind = RECORD_CALL_OUTCOME,
                            .seq = SEQ,
                            .wall_us = WALL,
                            .has_subject = true,
                            .subject = {0xab, 0xcd}};
    struct buf leaf;
    buf_init(&leaf, RECORD_MAX);
    assert_true(record_encode(&leaf, &h, span_str(OUTCOME), NULL, 0, &e));
    bool match = matches_leaf(args, buf_span(&leaf), &e);
    assert_int_equal(e.code, ERR_NONE);
    buf_free(&leaf);
    return match;
}

static bool refused(const struct filter_args *args)
{
    struct log_filter f;
    struct err e = ERR_INIT;
    return !log_filter_set(&f, args, &e) && e.code == ERR_USAGE;
}

static void no_filter_lets_everything_through(void **state)
{
    (void)state;
    assert_true(matches(&(struct filter_args){.since = NULL}));
}

static void times_are_utc_and_until_is_excluded(void **state)
{
    (void)state;
    assert_true(matches(&(struct filter_args){.since = "2026-11-23"}));
    assert_true(matches(&(struct filter_args){.since = "2026-11-23T14:05:01Z"}));
    assert_true(matches(&(struct filter_args){.since = "2026-11-23 14:05"}));
    assert_false(matches(&(struct filter_args){.since = "2026-11-23T14:05:02"}));
    assert_false(matches(&(struct filter_args){.until = "2026-11-23T14:05:01Z"}));
    assert_true(matches(&(struct filter_args){.until = "2026-11-23T14:05:02Z"}));
}

static void times_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"yesterday",        "2026-11-31",        "2026-13-01",
                                      "2026-11-23T24:30", "2026-11-23T14:05+", "2026-11",
                                      "1969-01-01",       "2026-11-23T14",     ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(refused(&(struct filter_args){.since = bad[i]}));
        assert_true(refused(&(struct filter_args){.until = bad[i]}));
    }
}

static void kinds_are_alternatives(void **state)
{
    (void)state;
    assert_true(matches(&(struct filter_args){.kinds = {{"model", "call-outcome"}, 2}}));
    assert_false(matches(&(struct filter_args){.kinds = {{"model"}, 1}}));
    assert_true(refused(&(struct filter_args){.kinds = {{"call"}, 1}}));
}

static void models_are_named_by_name_or_digest(void **state)
{
    (void)state;
    assert_true(matches(&(struct filter_args){.model = "tiny"}));
    assert_true(matches(&(struct filter_args){
        .model = "1111111111111111111111111111111111111111111111111111111111111111"}));
    assert_false(matches(&(struct filter_args){.model = "tin"}));
}

static void outcomes_and_subjects_are_whole(void **state)
{
    (void)state;
    assert_true(matches(&(struct filter_args){.outcome = "timeout"}));
    assert_false(matches(&(struct filter_args){.outcome = "error"}));
    assert_true(refused(&(struct filter_args){.outcome = "time"}));
    assert_true(refused(&(struct filter_args){.outcome = ""}));
    assert_true(refused(&(struct filter_args){.model = ""}));
    assert_true(matches(&(struct filter_args){.subject = "abcd0000000000000000000000000000"}));
    assert_false(matches(&(struct filter_args){.subject = "abcd0000000000000000000000000001"}));
    assert_true(refused(&(struct filter_args){.subject = ""}));
    assert_false(matches(&(struct filter_args){.subject = "abcd"})); /* a name, of nobody */
    assert_false(matches(&(struct filter_args){.subject = "ABCD0000000000000000000000000000"}));
}

static void a_leaf_that_is_none_is_never_passed_over(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct filter_args args = {.kinds = {{"model"}, 1}};
    assert_false(matches_leaf(&args, span_str("{\"assay\":1}"), &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_filter_lets_everything_through),
        cmocka_unit_test(times_are_utc_and_until_is_excluded),
        cmocka_unit_test(times_that_do_not_exist_are_refused),
        cmocka_unit_test(kinds_are_alternatives),
        cmocka_unit_test(models_are_named_by_name_or_digest),
        cmocka_unit_test(outcomes_and_subjects_are_whole),
        cmocka_unit_test(a_leaf_that_is_none_is_never_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
