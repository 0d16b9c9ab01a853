/* Verdicts: folding, order, strictness, and what happens without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assay/finding.h"

static const struct origin in_file_0 = {0, 10, 1}, in_file_1 = {1, 5, 1};

static void verdict_folds_repeats_in_one_file_and_lists_another(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct verdict v;
    verdict_init(&v, a);
    for (int i = 0; i < FINDING_FOLD + 5; i++)
        verdict_add(&v, RULE_READ_IO, in_file_0, "%d", i);
    assert_int_equal(v.count, FINDING_FOLD);
    assert_int_equal(v.findings[FINDING_FOLD - 1].count, 6);
    verdict_add(&v, RULE_READ_IO, in_file_1, "other file");
    assert_int_equal(v.count, FINDING_FOLD + 1);
    assert_int_equal(verdict_count(&v, rules[RULE_READ_IO].severity), FINDING_FOLD + 6);
    arena_free(a);
}

static void verdict_lists_no_more_than_its_limit_however_files_alternate(void **state)
{
    (void)state;
    struct arena *a = arena_new(16 << 20);
    struct verdict v;
    verdict_init(&v, a);
    for (int i = 0; i < 3 * FINDING_FOLD_ALL; i++)
        verdict_add(&v, RULE_READ_IO, i % 2 ? in_file_0 : in_file_1, "x");
    assert_int_equal(v.count, FINDING_FOLD_ALL);
    assert_int_equal(verdict_count(&v, rules[RULE_READ_IO].severity), 3 * FINDING_FOLD_ALL);
    arena_free(a);
}

static void verdict_sorts_worst_first_and_still_folds_rightly(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct verdict v;
    verdict_init(&v, a);
    verdict_add(&v, RULE_READ_OPEN, in_file_1, "b");
    verdict_add(&v, RULE_READ_OPEN, in_file_0, "a");
    verdict_add(&v, RULE_READ_CHANGED, in_file_1, "c");
    verdict_sort(&v);
    assert_int_equal(v.findings[0].rule, RULE_READ_CHANGED);
    assert_string_equal(v.findings[1].detail, "a");
    assert_string_equal(v.findings[2].detail, "b");
    assert_int_equal(verdict_worst(&v), SEV_CRITICAL);
    for (int i = 0; i < FINDING_FOLD + 1; i++)
        verdict_add(&v, RULE_READ_CHANGED, in_file_1, "again");
    assert_int_equal(v.findings[v.count - 1].rule, RULE_READ_CHANGED);
    assert_int_equal(verdict_count(&v, SEV_CRITICAL), FINDING_FOLD + 2);
    arena_free(a);
}

static void verdict_keeps_strict_and_lenient_readers_apart(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct verdict v;
    verdict_init(&v, a);
    assert_true(verdict_accepts(&v, BREAKS_SPEC) && verdict_accepts(&v, BREAKS_LOADER));
    assert_int_equal(verdict_worst(&v), SEV_INFO);
    verdict_sort(&v);
    verdict_add(&v, RULE_READ_CHANGED, ORIGIN_NOWHERE, "breaks nothing");
    assert_true(verdict_accepts(&v, BREAKS_SPEC) && verdict_accepts(&v, BREAKS_LOADER));
    verdict_add(&v, RULE_READ_IO, ORIGIN_NOWHERE, "breaks the loader");
    assert_false(verdict_accepts(&v, BREAKS_SPEC) || verdict_accepts(&v, BREAKS_LOADER));
    arena_free(a);
}

static void verdict_without_memory_is_incomplete(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    for (uint64_t n = 1; n <= 2; n++) {
        struct verdict v;
        verdict_init(&v, a);
        arena_fail_after(n);
        verdict_add(&v, RULE_READ_IO, in_file_0, "x");
        assert_true(v.lost && v.incomplete);
        assert_int_equal(v.count, 0);
        verdict_add(&v, RULE_READ_IO, in_file_0, "y");
        assert_int_equal(v.count, 1);
    }
    arena_free(a);
}

static void rules_have_ids_of_their_own(void **state)
{
    (void)state;
    for (int i = 0; i < RULE_COUNT; i++) {
        assert_true(rules[i].id && rules[i].title && rules[i].remedy);
        assert_true(rules[i].severity < SEV_COUNT);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(rules[i].id, rules[j].id);
    }
    assert_string_equal(severity_name(SEV_CRITICAL), "critical");
    assert_string_equal(breaks_name(BREAKS_LOADER), "loader");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict_folds_repeats_in_one_file_and_lists_another),
        cmocka_unit_test(verdict_lists_no_more_than_its_limit_however_files_alternate),
        cmocka_unit_test(verdict_sorts_worst_first_and_still_folds_rightly),
        cmocka_unit_test(verdict_keeps_strict_and_lenient_readers_apart),
        cmocka_unit_test(verdict_without_memory_is_incomplete),
        cmocka_unit_test(rules_have_ids_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
