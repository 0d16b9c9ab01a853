/* Claims: ids, canonical text, commitments, frameworks read from YAML, templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "assay/claim.h"
#include "assay/framework.h"
#include "report/activity.h"
#include "report/canon.h"
#include "report/page.h"
#include "report/scores.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* ---- claims ---- */

static void claims_about_one_property_get_ids_of_their_own(void **state)
{
    struct claims s;
    (void)state;
    claims_init(&s, arena);
    assert_string_equal(claims_add(&s, "dataset", "t", CLAIM_DECLARED)->id, "dataset");
    assert_string_equal(claims_add(&s, "dataset", "t", CLAIM_DECLARED)->id, "dataset#2");
    assert_non_null(claims_find(&s, "dataset#2"));
    assert_null(claims_find(&s, "dataset#3"));
}

static void claim_text_is_sorted_and_holds_only_what_is_known(void **state)
{
    struct claims s;
    struct err e = ERR_INIT;
    (void)state;
    claims_init(&s, arena);
    s.observed_at = "2026-11-23T00:00:00Z";
    struct claim *c = claims_add(&s, "model.parameters", "Number", CLAIM_VERIFIED);
    claim_value(&s, c, "%d", 117056);
    claim_prove(&s, c, claims_evidence(&s, EVIDENCE_FILE, span_str("{\"a\":\"b\"}")));
    claim_requirement(&s, c, "f:1");
    assert_true(claims_seal(&s, &e));
    assert_true(
        span_is(c->text,
                "{\"evidence\":[\"cbcbb2d7b9c1a4eb9de2cd9d5b2a1c98\"],\"id\":\"model."
                "parameters\",\"observed_at\":\"2026-11-23T00:00:00Z\",\"property\":\"model."
                "parameters\",\"requirements\":[\"f:1\"],\"status\":\"verified\",\"title\":"
                "\"Number\",\"value\":\"117056\"}") ||
        strstr(arena_str(arena, c->text), "\"id\":\"model.parameters\",\"observed_at\""));
}

static void equal_evidence_is_kept_once(void **state)
{
    struct claims s;
    (void)state;
    claims_init(&s, arena);
    const char *a = claims_evidence(&s, EVIDENCE_FILE, span_str("{}"));
    const char *b = claims_evidence(&s, EVIDENCE_FILE, span_str("{}"));
    assert_ptr_equal(a, b);
    assert_int_equal(s.evidence_count, 1);
    assert_int_equal(strlen(a), CLAIM_ID);
}

static void a_commitment_changes_with_salt_and_text(void **state)
{
    struct digest secret = {{1}}, a, b, c;
    uint8_t one[SEAL_SALT], two[SEAL_SALT];
    (void)state;
    claim_salt(one, &secret, 1);
    claim_salt(two, &secret, 2);
    assert_memory_not_equal(one, two, SEAL_SALT);
    claim_commit(&a, one, span_str("{}"));
    claim_commit(&b, two, span_str("{}"));
    claim_commit(&c, one, span_str("{ }"));
    assert_false(digest_eq(&a, &b));
    assert_false(digest_eq(&a, &c));
}

static void the_worst_status_is_contradicted_and_not_applicable_the_least(void **state)
{
    (void)state;
    static const enum claim_status order[] = {CLAIM_CONTRADICTED,  CLAIM_MISSING,  CLAIM_STALE,
                                              CLAIM_DECLARED,      CLAIM_ATTESTED, CLAIM_VERIFIED,
                                              CLAIM_NOT_APPLICABLE};
    for (size_t i = 0; i + 1 < CLAIM_STATUSES; i++) {
        assert_true(claim_worse(order[i], order[i + 1]));
        assert_false(claim_worse(order[i + 1], order[i]));
    }
}

/* ---- what is compared with what ---- */

static struct score score(const struct claim *c, const char *metric, const char *set,
                          const char *value)
{
    return (struct score){span_str(metric), span_str(set), span_str(value), c};
}

static void results_are_equal_to_the_last_digit_that_both_give(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"0.91", "0.91", true},  {"0.91", "0.9", true},   {"0.9", "0.84", false},
        {"91.2", "0.912", true}, {"91.2", "0.83", false}, {"3", "3.4", true},
        {"1e-3", "0.001", true}, {"many", "0.5", true},   {"0.84", "84", true},
        {"-0.5", "-0.5", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct score a = score(NULL, "m", "d", cases[i].a), b = score(NULL, "m", "d", cases[i].b);
        if (score_equal(&a, &b) != cases[i].equal || score_equal(&b, &a) != cases[i].equal)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
}

static void results_are_compared_between_documents_alone(void **state)
{
    struct claim_source here = {.path = "README.md"}, there = {.path = "results.yaml"};
    struct claim card = {.sources = &here, .source_count = 1};
    struct claim file = {.sources = &there, .source_count = 1};
    struct score a = score(&card, "accuracy", "ferries", "1");
    struct score b = score(&file, "", "ferries", "2"), c = score(&file, "Accuracy", "", "2");
    struct score d = score(&file, "accuracy", "boats", "2"), e = score(&card, "f1", "ferries", "2");
    (void)state;
    assert_true(score_same(&a, &b));
    assert_true(score_same(&a, &c));
    assert_false(score_same(&a, &d));
    assert_false(score_same(&a, &e));
    assert_false(score_same(&a, &a));
}

static void a_denial_is_a_word_of_its_own(void **state)
{
    (void)state;
    assert_true(says_no("No."));
    assert_true(says_no("none, as far as we know"));
    assert_true(says_no("It does not hold any"));
    assert_false(says_no("Notes by nurses"));
    assert_false(says_no("noisy"));
    assert_false(says_no(NULL));
}

/* ---- frameworks ---- */

static const char good[] = "framework: x\n"
                           "title: X\n"
                           "version: '1'\n"
                           "source: somewhere\n"
                           "dated: 2026-11-23\n"
                           "requirements:\n"
                           "  - id: A\n"
                           "    title: parameters\n"
                           "    claims: [model.parameters, human.purpose]\n"
                           "    evidence: [weights]\n"
                           "    from: 2027-12-02\n";

static bool parses(const char *text, struct framework *f, struct err *e)
{
    err_clear(e);
    return framework_parse(f, span_str(text), "x.yaml", arena, e);
}

/* `good` with one text for another. */
static const char *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    assert_non_null(at);
    return arena_printf(arena, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

static void a_framework_is_read_with_its_dates(void **state)
{
    struct framework f;
    struct err e = ERR_INIT;
    (void)state;
    assert_true(parses(good, &f, &e));
    assert_int_equal(f.count, 1);
    assert_int_equal(f.requirements[0].fill, FILL_WEIGHTS);
    assert_int_equal(f.requirements[0].recipients, FOR_ALL);
    assert_false(requirement_applies(&f.requirements[0], "2027-12-01"));
    assert_true(requirement_applies(&f.requirements[0], "2027-12-02"));
}

static void a_typo_beside_the_requirements_is_named_with_its_line(void **state)
{
    static const struct {
        const char *from, *to, *line, *says;
    } typos[] = {
        {"dated: 2026-11-23", "dated: 2026-02-30", "line 1", "2026-02-30"},
        {"source: somewhere", "sorce: somewhere", "line 4", "sorce"},
        {"requirements:\n", "requirements: [\n", "line", ""},
        {"requirements:\n", "requirements: none\nnote: |\n", "line 6", "requirements"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof typos / sizeof typos[0]; i++) {
        struct framework f;
        struct err e = ERR_INIT;
        assert_false(parses(changed(typos[i].from, typos[i].to), &f, &e));
        assert_int_equal(e.code, ERR_CONFIG);
        if (!strstr(e.text, typos[i].line) || !strstr(e.text, typos[i].says))
            fail_msg("%s", e.text);
    }
}

static void a_typo_in_a_requirement_is_its_own_fault_and_the_others_stand(void **state)
{
    static const struct {
        const char *from, *to, *line, *says;
    } typos[] = {
        {"    title: parameters", "    titel: parameters", "line 8", "titel"},
        {"model.parameters,", "model.paramters,", "line 9", "paramters"},
        {"[weights]", "[wieghts]", "line 10", "evidence"},
        {"2027-12-02", "2027-13-02", "line 7", "2027-13-02"},
        {"  - id: A", "  - ID: A", "line 7", "ID"},
        {"  - id: A", "  - {id: A, title: t, claims: [model.name]}\n  - id: A", "line 8", "line 7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof typos / sizeof typos[0]; i++) {
        struct framework f;
        struct err e = ERR_INIT;
        const char *text = changed(typos[i].from, typos[i].to);
        text = arena_printf(arena, "%s  - {id: Z, title: z, claims: [model.name]}\n", text);
        if (!parses(text, &f, &e))
            fail_msg("%s", e.text);
        assert_true(f.count >= 2);
        assert_int_equal(f.faults, 1);
        const struct requirement *q = &f.requirements[f.count - 2];
        assert_non_null(q->fault);
        assert_non_null(q->id);
        assert_non_null(q->title);
        if (!strstr(q->fault, typos[i].line) || !strstr(q->fault, typos[i].says))
            fail_msg("%s", q->fault);
        assert_null(f.requirements[f.count - 1].fault);
        assert_int_equal(f.requirements[f.count - 1].claim_count, 1);
    }
}

static void every_framework_of_the_program_is_read(void **state)
{
    const char *name;
    size_t i = 0;
    (void)state;
    for (; (name = framework_name(i, arena)); i++) {
        struct framework f;
        struct err e = ERR_INIT;
        if (!framework_load(&f, name, arena, &e))
            fail_msg("%s: %s", name, e.text);
        assert_int_equal(f.faults, 0);
        assert_string_equal(f.id, name);
    }
    assert_true(i > 0);
}

/* ---- templates ---- */

static const char *rendered(const char *template, const char *view, enum page_escape escape)
{
    struct buf out;
    struct json v;
    struct err e = ERR_INIT;
    buf_init(&out, 1 << 20);
    assert_true(json_parse(&v, span_str(view), JSON_STRICT, arena, &e));
    bool ok = page_render_text(&out, span_str(template), v, escape, &e);
    const char *text = ok ? arena_str(arena, buf_span(&out)) : NULL;
    buf_free(&out);
    return text;
}

static void a_template_escapes_whatever_it_sets_down(void **state)
{
    (void)state;
    assert_string_equal(rendered("<p>{{x}}</p>", "{\"x\":\"<script>&\\\"'\"}", PAGE_HTML),
                        "<p>&lt;script&gt;&amp;&quot;&#39;</p>");
    assert_string_equal(rendered("- {{x}}", "{\"x\":\"a|b*\\n# <i>\"}", PAGE_MARKDOWN),
                        "- a\\|b\\* \\# &lt;i\\>");
}

static void a_section_repeats_enters_or_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(rendered("{{#l}}[{{n}}{{o}}]{{/l}}",
                                 "{\"l\":[{\"n\":1},{\"n\":2,\"o\":\"i\"}],\"o\":\"x\"}",
                                 PAGE_HTML),
                        "[1x][2i]");
    assert_string_equal(rendered("{{#a}}yes{{/a}}{{#b}}no{{/b}}{{#c}}no{{/c}}",
                                 "{\"a\":\"t\",\"b\":\"\",\"c\":false}", PAGE_HTML),
                        "yes");
    assert_null(rendered("{{#a}}no end", "{\"a\":[]}", PAGE_HTML));
}

static void a_text_that_looks_like_a_tag_is_not_expanded(void **state)
{
    (void)state;
    assert_string_equal(rendered("{{x}}", "{\"x\":\"{{y}}\",\"y\":\"secret\"}", PAGE_HTML),
                        "{{y}}");
}

/* ---- canonical leaves ---- */

static void members_of_a_leaf_are_found_without_a_tree(void **state)
{
    struct span leaf = span_str("{\"a\":\"x\\\"}\",\"b\":{\"c\":[1,2]},\"d\":17}");
    (void)state;
    assert_true(span_is(canon_text(canon_get(leaf, "a")), "x\\\"}"));
    assert_true(span_is(canon_get(canon_get(leaf, "b"), "c"), "[1,2]"));
    assert_int_equal(canon_count(canon_get(leaf, "d")), 17);
    assert_int_equal(canon_get(leaf, "e").n, 0);
    for (size_t n = 0; n < leaf.n; n++) { /* no prefix of it reads beyond itself */
        struct canon c = canon_over(span_sub(leaf, 0, n));
        struct span name, value;
        while (canon_next(&c, &name, &value))
            assert_true(value.p + value.n <= leaf.p + n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_about_one_property_get_ids_of_their_own),
        cmocka_unit_test(claim_text_is_sorted_and_holds_only_what_is_known),
        cmocka_unit_test(equal_evidence_is_kept_once),
        cmocka_unit_test(a_commitment_changes_with_salt_and_text),
        cmocka_unit_test(the_worst_status_is_contradicted_and_not_applicable_the_least),
        cmocka_unit_test(results_are_equal_to_the_last_digit_that_both_give),
        cmocka_unit_test(results_are_compared_between_documents_alone),
        cmocka_unit_test(a_denial_is_a_word_of_its_own),
        cmocka_unit_test(a_framework_is_read_with_its_dates),
        cmocka_unit_test(a_typo_beside_the_requirements_is_named_with_its_line),
        cmocka_unit_test(a_typo_in_a_requirement_is_its_own_fault_and_the_others_stand),
        cmocka_unit_test(every_framework_of_the_program_is_read),
        cmocka_unit_test(a_template_escapes_whatever_it_sets_down),
        cmocka_unit_test(a_section_repeats_enters_or_is_left_out),
        cmocka_unit_test(a_text_that_looks_like_a_tag_is_not_expanded),
        cmocka_unit_test(members_of_a_leaf_are_found_without_a_tree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
