/*
 * Policies, days and licence expressions: what they mean, and that what is not
 * understood is refused with its line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "assay/policy.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct arena *arena;
static struct err e;
static struct policy policy;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    err_clear(&e);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void expect(const char *text)
{
    err_clear(&e);
    if (!policy_parse(&policy, span_str(text), "p.yaml", arena, &e))
        fail_msg("%s: %s", text, e.text);
}

static void expect_refused(const char *text, const char *words)
{
    err_clear(&e);
    if (policy_parse(&policy, span_str(text), "p.yaml", arena, &e))
        fail_msg("accepted: %s", text);
    assert_int_equal(e.code, ERR_CONFIG);
    if (!strstr(e.text, words))
        fail_msg("%s\nsays     %s\nexpected %s", text, e.text, words);
}

static void policy_without_a_file_fails_on_high_findings(void **state)
{
    (void)state;
    policy_default(&policy);
    assert_true(policy_fails(&policy, RULE_READ_CHANGED));
    assert_true(policy_fails(&policy, RULE_GGUF_COUNT));
    assert_false(policy_fails(&policy, RULE_GGUF_KEY_TYPE));
    assert_null(policy.file);
}

static void policy_chooses_rules_by_severity_family_and_id(void **state)
{
    (void)state;
    expect(
        "version: 1\nfail: {severity: critical, rules: [card.*, gguf.key], except: card.yaml}\n");
    assert_true(policy_fails(&policy, RULE_CARD_TYPE));
    assert_true(policy_fails(&policy, RULE_GGUF_KEY));
    assert_true(policy_fails(&policy, RULE_READ_CHANGED));
    assert_false(policy_fails(&policy, RULE_CARD_YAML));
    assert_false(policy_fails(&policy, RULE_GGUF_COUNT));
    expect("version: 1\nfail: {severity: never, except: policy.card}\n");
    assert_false(policy_fails(&policy, RULE_READ_CHANGED));
    assert_true(policy_fails(&policy, RULE_POLICY_CARD));
}

static void policy_names_what_it_does_not_understand(void **state)
{
    (void)state;
    expect_refused("{}", "the key 'version' is missing");
    expect_refused("version: 2\n", "expected 1 to 1, found 2 at line 1");
    expect_refused("version: 1\nfial: {}\n", "unknown key 'fial' at line 2; did you mean 'fail'?");
    expect_refused("version: 1\nfail:\n  rules: [gguf.ofset]\n",
                   "there is no rule 'gguf.ofset' (did you mean 'gguf.offset'?) at line 3");
    expect_refused("version: 1\nfail: {rules: [gguff.*]}\n", "there is no rule 'gguff.*'");
    expect_refused("version: 1\nfail: {severity: sever}\n", "is no value of 'severity'");
    expect_refused("version: 1\nallow: {formats: [GGUFF]}\n", "did you mean 'GGUF'?");
    expect_refused("version: 1\nallow: {licences: [MIT AND X]}\n", "one licence an entry");
    expect_refused("version: 1\nallow: {licences: ['(MIT']}\n", "no SPDX licence");
    expect("version: 1\nallow: {formats: [gguf]}\n");
    assert_true(policy_allows_format(&policy, FORMAT_GGUF));
    assert_false(policy_allows_format(&policy, FORMAT_SAFETENSORS));
    expect_refused("version: 1\nrequire:\n  signature: {}\n", "name trusted 'keys'");
    expect_refused("version: 1\nrequire: {card: [licence]}\n", "did you mean 'license'?");
    expect_refused("version: 1\nsize: {files: 0}\n", "at least 1");
}

static const char *waiver(const char *rule, const char *subject, const char *created,
                          const char *expires)
{
    return arena_printf(arena,
                        "version: 1\nwaivers:\n- id: W\n  rule: %s\n  subject: '%s'\n  reason: r\n"
                        "  approver: a\n  created: %s\n  expires: %s\n",
                        rule, subject, created, expires);
}

static void waivers_need_a_rule_a_digest_and_days_in_order(void **state)
{
    (void)state;
    expect(waiver("gguf.key", "sha256:" ZEROS, "2026-01-01", "2026-01-01"));
    assert_int_equal(policy.waiver_count, 1);
    assert_int_equal(policy.waivers[0].created, policy.waivers[0].expires);
    expect_refused(waiver("gguf.kez", ZEROS, "2026-01-01", "2026-01-02"), "there is no rule");
    expect_refused(waiver("gguf.*", ZEROS, "2026-01-01", "2026-01-02"), "name one rule");
    expect_refused(waiver("gguf.key", "00", "2026-01-01", "2026-01-02"), "SHA-256");
    expect_refused(waiver("gguf.key", ZEROS, "2026-01-02", "2026-01-01"), "expires before");
    expect_refused(waiver("gguf.key", ZEROS, "2026-02-29", "2027-01-01"), "'2026-02-29' is no day");
    expect_refused("version: 1\nwaivers:\n- id: W\n", "the key 'rule' is missing");
    expect_refused(arena_printf(arena, "%s%s",
                                waiver("gguf.key", ZEROS, "2026-01-01", "2026-01-02"),
                                strchr(waiver("gguf.key", ZEROS, "2026-01-01", "2026-01-02"), '-')),
                   "two waivers have the id 'W'");
}

static void days_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t days;
    } good[] = {{"1970-01-01", 0},      {"1970-03-01", 59},    {"1999-12-31", 10956},
                {"2000-02-29", 11016},  {"2026-11-25", 20782}, {"2100-03-01", 47541},
                {"9999-12-31", 2932896}};
    char out[16];
    int64_t days;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(policy_date(&days, span_str(good[i].text)));
        assert_int_equal(days, good[i].days);
        assert_string_equal(policy_date_text(out, days), good[i].text);
    }
    static const char *const bad[] = {"2100-02-29",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-01-00",
                                      "2026-01-32",
                                      "26-01-01",
                                      "2026-1-01",
                                      "2026-01-01T",
                                      "1969-12-31",
                                      "2026/01/01",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(policy_date(&days, span_str(bad[i])));
    for (days = 0; days < 60000; days += 1) {
        int64_t again;
        assert_true(policy_date(&again, span_str(policy_date_text(out, days))));
        assert_int_equal(again, days);
    }
}

static bool allowed(const char *expression, const char *a, const char *b)
{
    struct span items[] = {span_str(a), span_str(b)};
    size_t lines[2] = {0};
    struct config_texts list = {items, lines, b ? 2 : 1};
    const struct spdx *x = NULL;
    err_clear(&e);
    if (!spdx_parse(&x, span_str(expression), arena, &e))
        fail_msg("%s: %s", expression, e.text);
    return spdx_allowed(x, &list);
}

static void licences_are_allowed_as_their_operators_say(void **state)
{
    (void)state;
    assert_true(allowed("MIT", "MIT", NULL));
    assert_true(allowed("mit", "MIT", NULL));
    assert_false(allowed("MIT-0", "MIT", NULL));
    assert_true(allowed("MIT OR GPL-3.0-only", "MIT", NULL));
    assert_false(allowed("MIT AND GPL-3.0-only", "MIT", NULL));
    assert_true(allowed("MIT AND GPL-3.0-only", "MIT", "GPL-3.0-only"));
    assert_true(allowed("MIT or Apache-2.0 and X", "MIT", NULL)); /* AND binds closer */
    assert_false(allowed("(MIT OR Apache-2.0) AND X", "MIT", NULL));
    assert_true(allowed("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only", NULL));
    assert_true(allowed("GPL-2.0-only WITH Classpath-exception-2.0",
                        "GPL-2.0-only WITH Classpath-exception-2.0", NULL));
    assert_false(allowed("GPL-2.0-only", "GPL-2.0-only WITH Classpath-exception-2.0", NULL));
    assert_true(allowed("LicenseRef-ours", "LicenseRef-ours", NULL));
}

static void or_later_is_satisfied_by_a_later_version(void **state)
{
    (void)state;
    assert_true(allowed("GPL-2.0-or-later", "GPL-3.0-only", NULL));
    assert_true(allowed("GPL-2.0+", "GPL-2.0-only", NULL));
    assert_true(allowed("GPL-2.0+", "GPL-2.0-or-later", NULL));
    assert_false(allowed("GPL-3.0-or-later", "GPL-2.0-only", NULL));
    assert_false(allowed("GPL-2.0-only", "GPL-2.0-or-later", NULL));
    assert_false(allowed("GPL-2.0-only", "GPL-3.0-only", NULL));
    assert_true(allowed("Apache-1.1+", "Apache-2.0", NULL));
    assert_false(allowed("LGPL-2.1-or-later", "GPL-3.0-only", NULL));
}

static void expressions_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "MIT AND",   "AND MIT",  "(MIT",  "MIT)",
                                      "MIT MIT", "MIT And X", "MIT WITH", "MIT/X", "MIT WITH AND",
                                      "()",      "+",         "MIT ++",   "a\xff"};
    const struct spdx *x;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err_clear(&e);
        if (spdx_parse(&x, span_str(bad[i]), arena, &e))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.code, ERR_FORMAT);
    }
    char deep[2 * SPDX_MAX_DEPTH + 8] = "";
    memset(deep, '(', SPDX_MAX_DEPTH + 1);
    err_clear(&e);
    assert_false(spdx_parse(&x, span_str(deep), arena, &e));
    assert_non_null(strstr(e.text, "too deep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(policy_without_a_file_fails_on_high_findings, begin, end),
        cmocka_unit_test_setup_teardown(policy_chooses_rules_by_severity_family_and_id, begin, end),
        cmocka_unit_test_setup_teardown(policy_names_what_it_does_not_understand, begin, end),
        cmocka_unit_test_setup_teardown(waivers_need_a_rule_a_digest_and_days_in_order, begin, end),
        cmocka_unit_test_setup_teardown(days_are_those_of_the_calendar, begin, end),
        cmocka_unit_test_setup_teardown(licences_are_allowed_as_their_operators_say, begin, end),
        cmocka_unit_test_setup_teardown(or_later_is_satisfied_by_a_later_version, begin, end),
        cmocka_unit_test_setup_teardown(expressions_that_are_none_are_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
