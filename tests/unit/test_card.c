/*
 * Model cards: the fields as written, whatever their YAML form, and a finding
 * with its place for everything that readers would trip over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "model/reader.h"
#include "support/documents.h"
#include "support/prefixes.h"

static const char good[] = "---\n"
                           "license: apache-2.0\n"
                           "license_name: \"a name\"\n"
                           "license_link: LICENSE\n"
                           "library_name: transformers\n"
                           "pipeline_tag: text-generation\n"
                           "base_model:\n"
                           "- meta/one\n"
                           "- other/two # comment\n"
                           "base_model_relation: merge\n"
                           "datasets: [a/b, 'c: d']\n"
                           "language: no\n"
                           "tags:\n"
                           "  - llama\n"
                           "model-index:\n"
                           "- name: x\n"
                           "  results: [{license: mit}]\n"
                           "---\n"
                           "# Title\n---\nmore\n";

static struct model *card_of(const char *text, size_t n)
{
    struct model *m = text_model("a card", (struct span){(const uint8_t *)text, n});
    assert_non_null(m);
    assert_true(card_read(m, 0));
    return m;
}

#define CARD(text) card_of(text, sizeof(text) - 1)

static void card_gives_every_field(void **state)
{
    (void)state;
    struct model *m = CARD(good);
    const struct card *c = &m->card;
    assert_true(m->has_card);
    assert_true(span_is(c->license, "apache-2.0"));
    assert_true(span_is(c->license_name, "a name"));
    assert_true(span_is(c->license_link, "LICENSE"));
    assert_true(span_is(c->library, "transformers"));
    assert_true(span_is(c->pipeline, "text-generation"));
    assert_true(span_is(c->base_model_relation, "merge"));
    assert_int_equal(c->base_model_count, 2);
    assert_true(span_is(c->base_models[1], "other/two"));
    assert_int_equal(c->dataset_count, 2);
    assert_true(span_is(c->datasets[1], "c: d"));
    assert_int_equal(c->language_count, 1);
    assert_true(span_is(c->languages[0], "no"));
    assert_int_equal(c->tag_count, 1);
    assert_true(span_is(c->body.bytes, "# Title\n---\nmore\n"));
    assert_int_equal(c->front.origin.offset, 4);
    assert_int_equal(c->body.origin.offset, sizeof good - 1 - c->body.bytes.n);
    assert_int_equal(findings_of(m, RULE_CARD_TYPE), 0);
    assert_int_equal(findings_of(m, RULE_CARD_YAML), 0);
    model_free(m);
}

static void card_reads_windows_line_ends(void **state)
{
    (void)state;
    struct model *m = CARD("---\r\nlicense: mit\r\n---\r\ntext\r\n");
    assert_true(span_is(m->card.license, "mit"));
    assert_true(span_is(m->card.body.bytes, "text\r\n"));
    model_free(m);
}

static void card_without_front_matter_is_all_text(void **state)
{
    (void)state;
    struct model *m = CARD("# A model\n---\nlicense: mit\n---\n");
    assert_int_equal(findings_of(m, RULE_CARD_FRONT_MATTER), 1);
    assert_int_equal(m->card.license.n, 0);
    assert_int_equal(m->card.body.bytes.n, m->files[0].size);
    model_free(m);
}

static void card_reports_front_matter_without_end(void **state)
{
    (void)state;
    struct model *m = CARD("---\nlicense: mit\n");
    assert_int_equal(findings_of(m, RULE_CARD_UNTERMINATED), 1);
    assert_int_equal(m->card.license.n, 0);
    assert_true(span_is(m->card.body.bytes, "license: mit\n"));
    model_free(m);
}

static void card_keeps_what_stood_before_invalid_yaml(void **state)
{
    (void)state;
    struct model *m = CARD("---\nlicense: mit\ntags: [\xC3\xA9, ]]\n---\nbody\n");
    assert_true(span_is(m->card.license, "mit"));
    assert_true(span_is(m->card.body.bytes, "body\n"));
    assert_int_equal(findings_of(m, RULE_CARD_YAML), 1);
    assert_true(m->verdict.incomplete);
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == RULE_CARD_YAML)
            assert_int_equal(m->verdict.findings[i].origin.offset, 29);
    model_free(m);
}

static void card_reports_duplicate_keys_at_every_depth(void **state)
{
    (void)state;
    struct model *m =
        CARD("---\nlicense: mit\na: {b: 1, b: 2}\nc: {b: 1}\nlicense: gpl-3.0\n---\n");
    assert_int_equal(findings_of(m, RULE_CARD_DUPLICATE), 2);
    assert_true(span_is(m->card.license, "gpl-3.0"));
    model_free(m);
}

static void card_never_follows_aliases(void **state)
{
    (void)state;
    struct model *m = CARD("---\na: &a [x, x]\nb: &b [*a, *a]\ntags: *b\nlicense: mit\n---\n");
    assert_int_equal(findings_of(m, RULE_CARD_ALIAS), 3);
    assert_int_equal(m->card.tag_count, 0);
    assert_true(span_is(m->card.license, "mit"));
    model_free(m);
}

static void card_reads_only_the_first_document(void **state)
{
    (void)state;
    struct model *m = CARD("---\nlicense: mit\n...\n--- {license: gpl-3.0}\n---\n");
    assert_int_equal(findings_of(m, RULE_CARD_DOCUMENTS), 1);
    assert_true(span_is(m->card.license, "mit"));
    model_free(m);
}

static void card_reports_values_of_the_wrong_type(void **state)
{
    (void)state;
    struct model *m = CARD("---\nlicense: [mit, isc]\ntags: {a: b}\nlanguage: null\n---\n");
    assert_int_equal(findings_of(m, RULE_CARD_TYPE), 2);
    assert_true(span_is(m->card.license, "mit"));
    assert_int_equal(m->card.language_count, 0);
    model_free(m);
    m = CARD("---\njust a text\n---\n");
    assert_int_equal(findings_of(m, RULE_CARD_TYPE), 1);
    model_free(m);
}

static void card_reports_a_byte_order_mark_and_bad_utf8(void **state)
{
    (void)state;
    struct model *m = CARD("\xEF\xBB\xBF---\nlicense: mit\n---\n\xFF\n");
    assert_int_equal(findings_of(m, RULE_CARD_ENCODING), 2);
    assert_true(span_is(m->card.license, "mit"));
    model_free(m);
}

static void card_bounds_depth(void **state)
{
    (void)state;
    static char deep[100000];
    size_t n = (size_t)sprintf(deep, "---\nlicense: mit\na: ");
    memset(deep + n, '[', sizeof deep - n);
    memcpy(deep + sizeof deep - 5, "\n---\n", 5);
    struct model *m = card_of(deep, sizeof deep);
    assert_true(span_is(m->card.license, "mit"));
    assert_true(m->verdict.incomplete);
    model_free(m);
}

static void read_prefix(struct span prefix, void *arg)
{
    (void)arg;
    struct model *m = text_model("a card", prefix);
    assert_non_null(m);
    assert_true(card_read(m, 0));
    model_free(m);
}

static void card_survives_every_prefix(void **state)
{
    (void)state;
    assert_true(prefixes_each(span_str(good), sizeof good, 1, read_prefix, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(card_gives_every_field),
        cmocka_unit_test(card_reads_windows_line_ends),
        cmocka_unit_test(card_without_front_matter_is_all_text),
        cmocka_unit_test(card_reports_front_matter_without_end),
        cmocka_unit_test(card_keeps_what_stood_before_invalid_yaml),
        cmocka_unit_test(card_reports_duplicate_keys_at_every_depth),
        cmocka_unit_test(card_never_follows_aliases),
        cmocka_unit_test(card_reads_only_the_first_document),
        cmocka_unit_test(card_reports_values_of_the_wrong_type),
        cmocka_unit_test(card_reports_a_byte_order_mark_and_bad_utf8),
        cmocka_unit_test(card_bounds_depth),
        cmocka_unit_test(card_survives_every_prefix),
    };
    return cmocka_run_group_tests_name("card", tests, NULL, NULL);
}
