/*
 * Tokenizer, chat template and provenance facts: from GGUF metadata and from a
 * folder's documents, and every disagreement among them found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "inspect/facts.h"
#include "inspect/vocabulary.h"
#include "model/reader.h"
#include "support/documents.h"
#include "support/gguf_writer.h"

static const char *const texts[] = {"<unk>", "<s>", "</s>", "a", "b"};

struct gguf {
    struct gguf_writer w;
    struct model *m;
    struct facts facts;
};

static void begin(struct gguf *g, uint64_t pairs)
{
    gw_init(&g->w);
    gw_header(&g->w, 0, pairs + 1);
    gw_kv_string(&g->w, "general.architecture", "llama");
}

static void finish(struct gguf *g)
{
    gw_pad(&g->w, 32);
    struct err e = ERR_INIT;
    assert_true(model_read_memory(&g->m, "m.gguf", gw_span(&g->w), &e));
    assert_true(inspect_tokenizer(&g->facts.tokenizer, g->m));
    assert_true(inspect_provenance(&g->facts, g->m));
}

static void end(struct gguf *g)
{
    model_free(g->m);
    gw_free(&g->w);
}

static void vocabulary(struct gguf *g, const int32_t types[5])
{
    static const float scores[5] = {0};
    gw_kv_string(&g->w, "tokenizer.ggml.model", "llama");
    gw_kv_strings(&g->w, "tokenizer.ggml.tokens", texts, 5);
    gw_kv_f32s(&g->w, "tokenizer.ggml.scores", scores, 5);
    gw_kv_i32s(&g->w, "tokenizer.ggml.token_type", types, 5);
}

static const int32_t usual_types[5] = {2, 3, 3, 1, 1};

static const struct special *special(const struct gguf *g, const char *role)
{
    for (size_t i = 0; i < g->facts.tokenizer.special_count; i++)
        if (strcmp(g->facts.tokenizer.special[i].role, role) == 0)
            return &g->facts.tokenizer.special[i];
    return NULL;
}

static void tokenizer_reads_gguf_metadata(void **state)
{
    (void)state;
    struct gguf g = {0};
    begin(&g, 6);
    vocabulary(&g, usual_types);
    gw_kv_u32(&g.w, "tokenizer.ggml.bos_token_id", 1);
    gw_kv_u32(&g.w, "tokenizer.ggml.eos_token_id", 2);
    finish(&g);
    assert_string_equal(g.facts.tokenizer.kind, "SPM");
    assert_int_equal(g.facts.tokenizer.size, 5);
    assert_int_equal(g.facts.tokenizer.special_count, 2);
    assert_true(span_is(special(&g, "eos")->text, "</s>"));
    assert_int_equal(g.m->verdict.count, 0);
    end(&g);
}

static void tokenizer_reports_ids_beyond_the_vocabulary(void **state)
{
    (void)state;
    struct gguf g = {0};
    begin(&g, 5);
    vocabulary(&g, usual_types);
    gw_kv_u32(&g.w, "tokenizer.ggml.eos_token_id", 5);
    finish(&g);
    assert_int_equal(findings_of(g.m, RULE_TOKENIZER_SPECIAL_RANGE), 1);
    end(&g);
}

static void tokenizer_reports_lists_of_other_length_and_type(void **state)
{
    (void)state;
    struct gguf g = {0};
    begin(&g, 4);
    gw_kv_string(&g.w, "tokenizer.ggml.model", "llama");
    gw_kv_strings(&g.w, "tokenizer.ggml.tokens", texts, 5);
    gw_kv_strings(&g.w, "tokenizer.ggml.scores", texts, 5);
    gw_kv_i32s(&g.w, "tokenizer.ggml.token_type", usual_types, 4);
    finish(&g);
    assert_int_equal(findings_of(g.m, RULE_TOKENIZER_TYPE), 1);
    assert_int_equal(findings_of(g.m, RULE_TOKENIZER_COUNTS), 1);
    end(&g);
}

static void tokenizer_reports_duplicates_and_hidden_control_tokens(void **state)
{
    (void)state;
    static const char *const odd[] = {"<s>", "<s>", "<\xE2\x80\x8B>", "\xE2\x80\x8B"};
    static const int32_t types[] = {3, 1, 3, 1};
    struct gguf g = {0};
    begin(&g, 3);
    gw_kv_string(&g.w, "tokenizer.ggml.model", "gpt2");
    gw_kv_strings(&g.w, "tokenizer.ggml.tokens", odd, 4);
    gw_kv_i32s(&g.w, "tokenizer.ggml.token_type", types, 4);
    finish(&g);
    assert_int_equal(findings_of(g.m, RULE_TOKENIZER_DUPLICATE), 1);
    assert_int_equal(findings_of(g.m, RULE_TOKENIZER_HIDDEN), 1);
    end(&g);
}

static void provenance_reads_gguf_metadata(void **state)
{
    (void)state;
    static const char *const languages[] = {"en", "de", "en"};
    struct gguf g = {0};
    begin(&g, 7);
    gw_kv_string(&g.w, "general.name", "A name");
    gw_kv_string(&g.w, "general.license", "llama3.1");
    gw_kv_u32(&g.w, "general.base_model.count", 2);
    gw_kv_string(&g.w, "general.base_model.0.repo_url", "https://huggingface.co/meta/base");
    gw_kv_string(&g.w, "general.base_model.1.name", "Other");
    gw_kv_string(&g.w, "general.base_model.1.organization", "Org");
    gw_kv_strings(&g.w, "general.languages", languages, 3);
    finish(&g);
    assert_true(span_is(g.facts.name, "A name"));
    assert_int_equal(g.facts.licence_count, 1);
    assert_string_equal(g.facts.licences[0].spdx, "LicenseRef-Llama-3.1-Community");
    assert_int_equal(g.facts.base_model_count, 2);
    assert_true(span_is(g.facts.base_models[0], "meta/base"));
    assert_true(span_is(g.facts.base_models[1], "Org/Other"));
    assert_int_equal(g.facts.language_count, 2);
    end(&g);
}

/* ---- documents ---- */

static const char tokenizer_json[] =
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]},"
    "\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true},"
    "{\"id\":4,\"content\":\"</s>\",\"special\":true},{\"id\":0,\"content\":\"a\"}]}";

static struct model *documents(const char *tokenizer)
{
    struct model *m = text_model("config.json", span_str("{}"));
    assert_non_null(m);
    m->verdict.count = 0; /* that the lone file is of no known format */
    assert_true(add_document(m, DOC_TOKENIZER, tokenizer));
    return m;
}

static void tokenizer_reads_documents(void **state)
{
    (void)state;
    struct model *m = documents(tokenizer_json);
    assert_true(add_document(m, DOC_TOKENIZER_CONFIG,
                             "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\"}"));
    assert_true(add_document(m, DOC_CONFIG, "{\"vocab_size\":8,\"eos_token_id\":4}"));
    assert_true(add_document(m, DOC_GENERATION_CONFIG, "{\"eos_token_id\":[2,4]}"));
    struct tokenizer_facts t;
    assert_true(inspect_tokenizer(&t, m));
    assert_string_equal(t.kind, "BPE");
    assert_int_equal(t.size, 5);
    assert_int_equal(t.merges, 1);
    assert_int_equal(t.added, 3);
    assert_int_equal(t.special_count, 2);
    assert_int_equal(t.special[0].id, 3);
    assert_true(t.special[1].has_id);
    assert_int_equal(t.special[1].id, 4);
    assert_int_equal(findings_of(m, RULE_TOKENIZER_PADDED), 1);
    assert_int_equal(m->verdict.count, 1);
    model_free(m);
}

static void tokenizer_reports_documents_that_disagree(void **state)
{
    (void)state;
    struct model *m = documents(tokenizer_json);
    assert_true(add_document(m, DOC_TOKENIZER_CONFIG,
                             "{\"eos_token\":\"</s>\",\"bos_token\":null,"
                             "\"pad_token\":\"<pad>\"}"));
    assert_true(add_document(m, DOC_SPECIAL_TOKENS_MAP, "{\"eos_token\":\"<s>\"}"));
    assert_true(add_document(m, DOC_CONFIG, "{\"vocab_size\":4,\"eos_token_id\":3}"));
    struct tokenizer_facts t;
    assert_true(inspect_tokenizer(&t, m));
    assert_int_equal(findings_of(m, RULE_TOKENIZER_SPECIAL_DISAGREEMENT), 2);
    assert_int_equal(findings_of(m, RULE_TOKENIZER_SPECIAL_RANGE), 1);
    assert_int_equal(findings_of(m, RULE_TOKENIZER_SIZE), 1);
    model_free(m);
}

static void tokenizer_reads_unigram_lists(void **state)
{
    (void)state;
    struct model *m =
        documents("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1.5],[\"b\",0],"
                  "[\"a\",1],7]}}");
    struct tokenizer_facts t;
    assert_true(inspect_tokenizer(&t, m));
    assert_string_equal(t.kind, "Unigram");
    assert_int_equal(t.size, 4);
    assert_int_equal(findings_of(m, RULE_TOKENIZER_DUPLICATE), 1);
    assert_int_equal(findings_of(m, RULE_TOKENIZER_TYPE), 1);
    model_free(m);
}

/* Quadratic behaviour on them would take minutes. */
static void tokenizer_reads_many_repeats_of_a_text_under_a_taken_id(void **state)
{
    enum { REPEATS = 300000 };
    struct buf b;
    (void)state;
    buf_init(&b, 64 << 20);
    buf_put_str(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}},\"added_tokens\":[");
    for (int i = 0; i < REPEATS; i++)
        buf_printf(&b, "%s{\"id\":0,\"content\":\"x\"}", i ? "," : "");
    buf_put(&b, "]}", sizeof "]}"); /* with its NUL */
    assert_true(buf_ok(&b));
    struct model *m = documents((const char *)b.p);
    struct tokenizer_facts t;
    alarm(60);
    assert_true(inspect_tokenizer(&t, m));
    alarm(0);
    assert_int_equal(t.added, REPEATS);
    assert_int_equal(findings_of(m, RULE_TOKENIZER_DUPLICATE), REPEATS);
    model_free(m);
    buf_free(&b);
}

static void tokenizer_reports_ids_that_no_list_can_hold(void **state)
{
    (void)state;
    struct model *m =
        documents("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000000,\"b\":-1}}}");
    struct tokenizer_facts t;
    assert_true(inspect_tokenizer(&t, m));
    assert_int_equal(findings_of(m, RULE_TOKENIZER_TYPE), 2);
    model_free(m);
}

/* ---- templates ---- */

static void add_template(struct model *m, const char *name, const char *text)
{
    struct text *t = model_add_template(m);
    assert_non_null(t);
    *t = (struct text){
        .bytes = span_str(text), .name = span_str(name), .origin = {0, 10, strlen(text)}};
}

static void template_copies_must_be_equal(void **state)
{
    (void)state;
    struct model *m = documents("{}");
    struct tokenizer_facts t;
    add_template(m, "", "{{ a }}");
    add_template(m, "", "{{ a }}\n");
    add_template(m, "tool_use", "{{ b }}");
    assert_true(inspect_tokenizer(&t, m));
    assert_int_equal(findings_of(m, RULE_TEMPLATE_DISAGREEMENT), 0);
    add_template(m, "", "{{ a if x }}");
    assert_true(inspect_tokenizer(&t, m));
    assert_int_equal(findings_of(m, RULE_TEMPLATE_DISAGREEMENT), 1);
    model_free(m);
}

static void template_with_hidden_characters_is_reported(void **state)
{
    (void)state;
    struct model *m = documents("{}");
    struct tokenizer_facts t;
    add_template(m, "", "{{ a\t}}\n");
    assert_true(inspect_tokenizer(&t, m));
    assert_int_equal(findings_of(m, RULE_TEMPLATE_HIDDEN), 0);
    add_template(m, "x", "{{ a }}\xE2\x80\xAEz");
    assert_true(inspect_tokenizer(&t, m));
    assert_int_equal(findings_of(m, RULE_TEMPLATE_HIDDEN), 1);
    assert_int_equal(m->verdict.findings[m->verdict.count - 1].origin.offset, 17);
    model_free(m);
}

static size_t hidden_at(const char *text)
{
    uint32_t c;
    return first_hidden(span_str(text), &c);
}

static void emoji_are_not_hidden_characters(void **state)
{
    static const char *const seen[] = {
        "\u2764\uFE0F",                           /* a red heart */
        "\u2139\uFE0E\u00A9\uFE0F",               /* text style, a sign below U+2600 */
        "1\uFE0F\u20E3 #\uFE0F\u20E3",            /* keycaps */
        "\U0001F469\u200D\U0001F4BB",             /* a woman at a computer */
        "\U0001F469\U0001F3FD\u200D\u2695\uFE0F", /* a doctor with a skin tone */
        "\U0001F3F3\uFE0F\u200D\U0001F308",       /* a rainbow flag */
        "\U0001F1E9\U0001F1EA",                   /* a flag of two letters */
        "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F!", /* Scotland */
    };
    (void)state;
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        if (hidden_at(seen[i]) != SIZE_MAX)
            fail_msg("%s is reported at %zu", seen[i], hidden_at(seen[i]));
}

static void what_emoji_are_made_of_is_hidden_elsewhere(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } hidden[] = {
        {"\uFE0F", 0},
        {"a\uFE0F", 1},
        {"1\uFE0F", 1},            /* no keycap follows */
        {"\u2764\uFE0F\uFE0F", 6}, /* a second one in a row */
        {"\u2764\uFE0E\uFE0F", 6},
        {"\u2764\uFE01", 3},         /* a selector that no emoji has */
        {"\U0001F600\U000E0100", 4}, /* bytes carried by selectors 17 to 256 */
        {"a\u200Db", 1},
        {"\U0001F469\u200D", 4}, /* nothing is joined */
        {"\U0001F469\u200D\u200D\U0001F4BB", 4},
        {"\u2764\uFE0E\u200D\u2764", 6},
        {"\U0001F3F4\U000E0068\U000E0069\U000E007F", 4}, /* tags of no flag: "hi" */
        {"\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074", 4}, /* without an end */
        {"x\U000E0067", 1},
        {"\uE000", 0}, /* private use */
    };
    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (hidden_at(hidden[i].text) != hidden[i].at)
            fail_msg("case %zu is reported at %zu", i, hidden_at(hidden[i].text));
}

/* ---- licences ---- */

static struct span *spans(struct model *m, const char *a)
{
    struct span *s = arena_array(m->arena, 1, sizeof *s);
    assert_non_null(s);
    *s = span_str(a);
    return s;
}

/* A count that promises models of which nothing is said. */
static void provenance_ignores_base_models_without_a_name(void **state)
{
    (void)state;
    struct gguf g = {.m = NULL};
    begin(&g, 2);
    gw_kv_u32(&g.w, "general.base_model.count", 3);
    gw_kv_string(&g.w, "general.base_model.1.organization", "Org");
    finish(&g);
    assert_int_equal(g.facts.base_model_count, 0);
    end(&g);
}

static void provenance_merges_card_and_adapter(void **state)
{
    (void)state;
    struct model *m = documents("{}");
    struct facts f = {0};
    assert_true(add_document(m, DOC_ADAPTER_CONFIG, "{\"base_model_name_or_path\":\"meta/base\"}"));
    m->card.base_models = spans(m, "https://huggingface.co/meta/base/");
    m->card.base_model_count = 1;
    m->card.license = span_str("other");
    m->card.license_name = span_str("gemma");
    m->card.body.bytes = span_str("text\n## two\n# The model\n");
    assert_true(inspect_provenance(&f, m));
    assert_int_equal(f.base_model_count, 1);
    assert_true(span_is(f.base_models[0], "meta/base"));
    assert_true(span_is(f.name, "The model"));
    assert_string_equal(f.licences[0].spdx, "LicenseRef-Gemma");
    assert_int_equal(m->verdict.count, 0);
    model_free(m);
}

static uint32_t disagreements(const char *card, const char *text, const char *second)
{
    struct model *m = documents("{}");
    struct facts f = {0};
    struct licence_text licences[2] = {{.spdx = text}, {.spdx = second}};
    m->licences = licences;
    m->licence_count = 2;
    m->card.license = span_str(card);
    assert_true(inspect_provenance(&f, m));
    uint32_t n = findings_of(m, RULE_LICENCE_DISAGREEMENT);
    model_free(m);
    return n;
}

static void provenance_reports_licences_that_disagree(void **state)
{
    (void)state;
    assert_int_equal(disagreements("mit", "Apache-2.0", NULL), 1);
    assert_int_equal(disagreements("mit", "Apache-2.0", "MIT"), 0);
    assert_int_equal(disagreements("gpl-3.0-or-later", "GPL-3.0-only", NULL), 0);
    assert_int_equal(disagreements("openrail", "LicenseRef-CreativeML-OpenRAIL-M", NULL), 0);
    assert_int_equal(disagreements("other", "MIT", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer_reads_gguf_metadata),
        cmocka_unit_test(tokenizer_reports_ids_beyond_the_vocabulary),
        cmocka_unit_test(tokenizer_reports_lists_of_other_length_and_type),
        cmocka_unit_test(tokenizer_reports_duplicates_and_hidden_control_tokens),
        cmocka_unit_test(provenance_reads_gguf_metadata),
        cmocka_unit_test(tokenizer_reads_documents),
        cmocka_unit_test(tokenizer_reports_documents_that_disagree),
        cmocka_unit_test(tokenizer_reads_unigram_lists),
        cmocka_unit_test(tokenizer_reads_many_repeats_of_a_text_under_a_taken_id),
        cmocka_unit_test(tokenizer_reports_ids_that_no_list_can_hold),
        cmocka_unit_test(template_copies_must_be_equal),
        cmocka_unit_test(template_with_hidden_characters_is_reported),
        cmocka_unit_test(provenance_ignores_base_models_without_a_name),
        cmocka_unit_test(emoji_are_not_hidden_characters),
        cmocka_unit_test(what_emoji_are_made_of_is_hidden_elsewhere),
        cmocka_unit_test(provenance_merges_card_and_adapter),
        cmocka_unit_test(provenance_reports_licences_that_disagree),
    };
    return cmocka_run_group_tests_name("tokenizer facts", tests, NULL, NULL);
}
