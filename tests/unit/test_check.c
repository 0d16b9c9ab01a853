/*
 * Judging: which finding fails, which a waiver or baseline covers, what the
 * whole result is, and that renderers place findings where they stand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/check.h"
#include "support/documents.h"

static const char card[] = "---\nlicense: mit\n---\n# A\nB\nC\n";

static struct arena *arena;
static struct err e;
static struct model *m;
static struct policy policy;
static struct scan scan;
static struct check_input in;
static struct check result;
static struct digest file_digest;
static bool file_ok = true;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    err_clear(&e);
    m = text_model("README.md", span_str(card));
    policy_default(&policy);
    file_digest = sha256_of(span_str(card));
    scan = (struct scan){.file = &file_digest, .file_ok = &file_ok};
    in = (struct check_input){
        .model = m, .scan = &scan, .complete = true, .policy = &policy, .today = 20000};
    return arena && m ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    model_free(m);
    arena_free(arena);
    return 0;
}

static void find(enum rule_id rule, uint64_t offset, const char *detail)
{
    verdict_add(&m->verdict, rule, (struct origin){0, offset, 1}, "%s", detail);
}

static void run(void)
{
    if (!check_run(&result, &in, &e))
        fail_msg("%s", e.text);
}

static struct waiver waiver_for(const char *rule, int64_t created, int64_t expires)
{
    return (struct waiver){.id = span_str("W"),
                           .rule = span_str(rule),
                           .reason = span_str("r"),
                           .approver = span_str("a"),
                           .expires_text = span_str("2030-01-01"),
                           .subject = file_digest,
                           .created = created,
                           .expires = expires};
}

static void nothing_found_passes_and_incomplete_never_does(void **state)
{
    (void)state;
    run();
    assert_int_equal(check_result(&result), CHECK_PASS);
    in.complete = false;
    run();
    assert_int_equal(check_result(&result), CHECK_INCOMPLETE);
    in.complete = true;
    m->verdict.incomplete = true;
    run();
    assert_int_equal(check_result(&result), CHECK_INCOMPLETE);
}

static void high_findings_fail_and_others_are_noted(void **state)
{
    (void)state;
    find(RULE_GGUF_COUNT, 1, "x");
    find(RULE_CARD_TYPE, 2, "y");
    run();
    assert_int_equal(check_result(&result), CHECK_FAIL);
    assert_int_equal(result.items[0].judgement, JUDGED_FAILS);
    assert_int_equal(result.items[1].judgement, JUDGED_NOTED);
    assert_int_equal(result.totals[JUDGED_FAILS], 1);
}

static void a_waiver_holds_on_its_days_and_for_its_digest(void **state)
{
    (void)state;
    struct waiver w = waiver_for("gguf.count", 20000, 20000);
    policy.waivers = &w;
    policy.waiver_count = 1;
    find(RULE_GGUF_COUNT, 1, "x");
    run();
    assert_int_equal(check_result(&result), CHECK_PASS);
    assert_ptr_equal(result.items[0].waiver, &w);
    in.today = 20001;
    run();
    assert_int_equal(check_result(&result), CHECK_EXPIRED);
    assert_int_equal(result.items[0].judgement, JUDGED_EXPIRED);
    in.today = 19999; /* not yet */
    run();
    assert_int_equal(check_result(&result), CHECK_FAIL);
    in.today = 20000;
    w.subject.b[0] ^= 1;
    run();
    assert_int_equal(check_result(&result), CHECK_FAIL);
    assert_int_equal(result.other_waivers, 1);
}

static void a_waiver_in_force_wins_over_an_expired_one(void **state)
{
    (void)state;
    struct waiver w[] = {waiver_for("gguf.count", 1, 2), waiver_for("gguf.count", 3, 30000)};
    policy.waivers = w;
    policy.waiver_count = 2;
    find(RULE_GGUF_COUNT, 1, "x");
    run();
    assert_int_equal(check_result(&result), CHECK_PASS);
    assert_ptr_equal(result.items[0].waiver, &w[1]);
    assert_int_equal(result.unused_count, 1);
}

static void a_waiver_for_what_does_not_fail_is_unused(void **state)
{
    (void)state;
    struct waiver w = waiver_for("card.type", 1, 30000);
    policy.waivers = &w;
    policy.waiver_count = 1;
    find(RULE_CARD_TYPE, 2, "y");
    run();
    assert_int_equal(result.unused_count, 1);
    assert_null(result.items[0].waiver);
}

static struct baseline *baseline_of(unsigned count)
{
    char hex[DIGEST_HEX + 1], path[] = "/tmp/assay-baseline-XXXXXX";
    struct baseline *b = NULL;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *text = arena_printf(
        arena,
        "{\"schema\":\"assay.check/1\",\"findings\":[{\"fingerprint\":\"%s\",\"count\":%u}]}",
        digest_hex(hex, &result.items[0].fingerprint), count);
    assert_true(file_write(fd, span_str(text)));
    close(fd);
    if (!baseline_read(&b, path, arena, &e))
        fail_msg("%s", e.text);
    unlink(path);
    return b;
}

static void a_baseline_covers_what_it_knows_wherever_it_moved(void **state)
{
    (void)state;
    find(RULE_GGUF_COUNT, 1, "x");
    run();
    in.baseline = baseline_of(1);
    m->verdict.findings[0].origin.offset = 9;
    run();
    assert_int_equal(result.items[0].judgement, JUDGED_KNOWN);
    m->verdict.findings[0].count = 2; /* one more than the baseline has */
    run();
    assert_int_equal(result.items[0].judgement, JUDGED_FAILS);
    m->verdict.findings[0].count = 1;
    m->verdict.findings[0].detail = "z";
    run();
    assert_int_equal(check_result(&result), CHECK_FAIL);
}

static void sarif_gives_the_line_of_a_text_and_only_failures_when_asked(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    find(RULE_GGUF_COUNT, 25, "x"); /* "B", line 5 */
    m->files[0].format = FORMAT_MARKDOWN;
    find(RULE_CARD_TYPE, 0, "y");
    run();
    assert_true(check_sarif(&out, &result, &(struct sarif_options){true, 1}, &e));
    assert_non_null(strstr(buf_cstr(&out), "\"startLine\": 5"));
    assert_null(strstr(buf_cstr(&out), "card.type"));
    buf_clear(&out);
    assert_true(check_sarif(&out, &result, &(struct sarif_options){false, 1}, &e));
    assert_non_null(strstr(buf_cstr(&out), "card.type"));
    assert_non_null(strstr(buf_cstr(&out), "\"byteOffset\": 25"));
    buf_free(&out);
}

static void junit_escapes_whatever_a_detail_holds(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 20);
    find(RULE_GGUF_COUNT, 0, "<a & \"b\"> \x01 \xff");
    run();
    assert_true(check_junit(&out, &result, &e));
    assert_non_null(strstr(buf_cstr(&out), "&lt;a &amp; &quot;b&quot;&gt; \xEF\xBF\xBD"));
    buf_free(&out);
}

static void a_lock_keeps_its_entries_in_order_and_reads_back(void **state)
{
    (void)state;
    char path[] = "/tmp/assay-lock-XXXXXX";
    int fd = mkstemp(path);
    struct lock lock = {NULL, 0};
    static const char *const names[] = {"m", "a", "z\"q", "a"};
    for (size_t i = 0; i < 4; i++) {
        struct buf out;
        struct lock_entry x = {.name = span_str(names[i]), .has_tensor_root = true};
        x.tensor_root.b[0] = (uint8_t)i;
        buf_init(&out, 1 << 20);
        assert_true(lock_write(&out, &lock, &x, &e));
        assert_true(file_replace(path, buf_span(&out), false, &e));
        buf_free(&out);
        if (!lock_read(&lock, path, false, arena, &e))
            fail_msg("%s", e.text);
    }
    close(fd);
    unlink(path);
    assert_int_equal(lock.count, 3);
    assert_true(span_is(lock.entries[0].name, "a") && span_is(lock.entries[2].name, "z\"q"));
    assert_int_equal(lock_find(&lock, span_str("a"))->tensor_root.b[0], 3);
    assert_null(lock_find(&lock, span_str("b")));
}

static void every_rule_belongs_to_one_contradiction_at_most(void **state)
{
    (void)state;
    unsigned last = 0, found = 0;
    for (const struct contradiction *c = contradictions; c->title; c++) {
        bool any = false;
        assert_true(c->number > last);
        last = c->number;
        for (int r = 0; r < RULE_COUNT; r++)
            any = any || contradiction_of((enum rule_id)r) == c;
        if (!any)
            fail_msg("no rule finds contradiction %u", c->number);
    }
    for (int r = 0; r < RULE_COUNT; r++) {
        bool claim = span_starts(span_str(rules[r].id), "claim.");
        found += claim;
        if (claim && !contradiction_of((enum rule_id)r))
            fail_msg("%s is in no contradiction", rules[r].id);
    }
    assert_true(found > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_found_passes_and_incomplete_never_does, begin, end),
        cmocka_unit_test_setup_teardown(high_findings_fail_and_others_are_noted, begin, end),
        cmocka_unit_test_setup_teardown(a_waiver_holds_on_its_days_and_for_its_digest, begin, end),
        cmocka_unit_test_setup_teardown(a_waiver_in_force_wins_over_an_expired_one, begin, end),
        cmocka_unit_test_setup_teardown(a_waiver_for_what_does_not_fail_is_unused, begin, end),
        cmocka_unit_test_setup_teardown(a_baseline_covers_what_it_knows_wherever_it_moved, begin,
                                        end),
        cmocka_unit_test_setup_teardown(sarif_gives_the_line_of_a_text_and_only_failures_when_asked,
                                        begin, end),
        cmocka_unit_test_setup_teardown(junit_escapes_whatever_a_detail_holds, begin, end),
        cmocka_unit_test_setup_teardown(a_lock_keeps_its_entries_in_order_and_reads_back, begin,
                                        end),
        cmocka_unit_test_setup_teardown(every_rule_belongs_to_one_contradiction_at_most, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
