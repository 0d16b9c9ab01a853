/*
 * Tokenizers from tokenizer.json: stages in order, added tokens by their
 * flags, and every file that cannot be followed refused with its reason. That
 * ids equal Hugging Face's is tested against them (tests/conformance/tokenizer_peer.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/documents.h"
#include "support/vocab_case.h"

#define BPE(more)                                                                                  \
    "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"c\":3," \
    "\"ab\":4,\"_\":5,\"abc\":6},\"merges\":[\"a b\",[\"ab\",\"c\"]]" more "}"
#define ADDED                                                                                      \
    ",\"added_tokens\":[{\"id\":7,\"content\":\"<s>\",\"special\":true},{\"id\":8,\"content\":"    \
    "\"W\",\"single_word\":true,\"normalized\":false},{\"id\":9,\"content\":\"L\",\"lstrip\":"     \
    "true,"                                                                                        \
    "\"normalized\":false},{\"id\":10,\"content\":\"R\",\"rstrip\":true,\"normalized\":false}]"

static bool try(struct tokenizer **t, const char *json, const char *config, struct err *e)
{
    struct model *m = text_model("config.json", span_str("{}"));
    assert_non_null(m);
    assert_true(add_document(m, DOC_TOKENIZER, json));
    if (config)
        assert_true(add_document(m, DOC_TOKENIZER_CONFIG, config));
    bool ok = tokenizer_new(t, m, e);
    model_free(m);
    return ok;
}

static struct tokenizer *make(const char *json, const char *config)
{
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    if (!try(&t, json, config, &e))
        fail_msg("%s", e.text);
    return t;
}

static void merges_and_unknown_characters(void **state)
{
    (void)state;
    struct tokenizer *t = make(BPE("") "}", NULL);
    assert_string_equal(tokenizer_rule(t), "tokenizer.json");
    assert_string_equal(vocab_ids(t, "abcab", false, 0), "6 4");
    assert_string_equal(vocab_ids(t, "xya", false, 0), "0 0 1");
    tokenizer_free(t);
    t = make(BPE(",\"fuse_unk\":true") "}", NULL);
    assert_string_equal(vocab_ids(t, "xya", false, 0), "0 1");
    tokenizer_free(t);
}

static void stages_run_in_their_order(void **state)
{
    (void)state;
    struct tokenizer *t = make(
        BPE("") ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},"
                "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"a\"}]},"
                "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"_\"},"
                "\"behavior\":\"Isolated\"}}",
        NULL);
    assert_string_equal(vocab_ids(t, "XBC_AB", false, 0), "6 5 4");
    tokenizer_free(t);
}

/* A form that ASCII has already is left out: the steps around it must not notice. */
static void a_step_that_is_left_out_changes_nothing(void **state)
{
    (void)state;
    struct tokenizer *t = make(
        BPE("") ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},"
                "{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"i\"},"
                "\"content\":\"a\"}]}}",
        NULL);
    assert_string_equal(vocab_ids(t, "IBC_AB", false, 0), "6 5 4");
    assert_string_equal(vocab_ids(t,
                                  "\xC4\xB0"
                                  "b",
                                  false, 0),
                        "1 0 2"); /* one capital, two letters */
    tokenizer_free(t);
}

static void an_added_token_of_the_vocabulary_is_still_a_piece(void **state)
{
    (void)state;
    struct tokenizer *t =
        make(BPE("") ",\"added_tokens\":[{\"id\":4,\"content\":\"ab\",\"single_word\":true}],"
                     "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                     "\"use_regex\":false}}",
             NULL);
    assert_string_equal(vocab_ids(t, "abab", false, 0), "4 4");
    assert_string_equal(vocab_ids(t, "abc", false, 0), "6");
    tokenizer_free(t);
}

static void added_tokens_obey_their_flags(void **state)
{
    (void)state;
    struct tokenizer *t = make(BPE("") ADDED "}", NULL);
    assert_string_equal(vocab_ids(t, "a<s>b", true, 0), "1 7 2");
    assert_string_equal(vocab_ids(t, "a<s>b", false, 0), "1 0 0 0 2");
    assert_string_equal(vocab_ids(t, "W aWb W", false, 0), "8 0 1 0 2 0 8");
    assert_string_equal(vocab_ids(t, "W\xE2\x80\x8D", false, 0), "0 0"); /* a joiner is of a word */
    assert_string_equal(vocab_ids(t, "a  Lb", false, 0), "1 9 2");
    assert_string_equal(vocab_ids(t, "aR  b", false, 0), "1 10 2");
    tokenizer_free(t);
}

static void special_tokens_stand_around_a_text(void **state)
{
    (void)state;
    struct tokenizer *t =
        make(BPE("") ADDED ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
                           "\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],"
                           "\"special_tokens\":{\"<s>\":{\"ids\":[7]}}}}",
             "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"W\"}");
    assert_string_equal(vocab_ids(t, "ab", false, ENCODE_SPECIAL), "7 4");
    assert_int_equal(tokenizer_roles(t)->bos, 7);
    assert_int_equal(tokenizer_roles(t)->eos, 8);
    assert_true(tokenizer_roles(t)->add_bos);
    assert_true(tokenizer_ends(t, 8));
    tokenizer_free(t);
}

/* Gemma's runs of spaces are added tokens. */
static void a_decoder_shows_the_spaces_of_added_tokens_as_well(void **state)
{
    (void)state;
    static const uint32_t ids[] = {1, 7, 2};
    struct tokenizer *t =
        make(BPE(",\"byte_fallback\":false") ",\"added_tokens\":[{\"id\":7,\"content\":"
                                             "\"\u2581\u2581\"}],"
                                             "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{"
                                             "\"type\":\"Replace\",\"pattern\":{"
                                             "\"String\":\"\u2581\"},\"content\":\" "
                                             "\"},{\"type\":\"Fuse\"}]}}",
             NULL);
    struct err e = ERR_INIT;
    struct buf text;
    buf_init(&text, 100);
    assert_true(tokenizer_decode(&text, t, ids, 3, DECODE_PLAIN, &e));
    assert_string_equal(buf_cstr(&text), "a  b");
    buf_free(&text);
    tokenizer_free(t);
}

static void words_that_no_decoder_joins_stand_apart(void **state)
{
    (void)state;
    static const uint32_t ids[] = {6, 1, 2};
    struct tokenizer *t = make(BPE("") "}", NULL);
    struct err e = ERR_INIT;
    struct buf text;
    buf_init(&text, 100);
    assert_true(tokenizer_decode(&text, t, ids, 3, DECODE_PLAIN, &e));
    assert_string_equal(buf_cstr(&text), "abc a b");
    buf_free(&text);
    tokenizer_free(t);
}

static void what_cannot_be_followed_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "model type"},
        {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "\"WordLevel\" is not supported"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}", "vocab is missing"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"},\"merges\":[]}}", "whole number"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "whole number"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999},\"merges\":[]}}", "above"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "two tokens"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "twice"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "merges is no list"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "two parts"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "not in the"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", "not in the"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[\"a a\",\"a a\"]}}",
         "merge stands there twice"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "a text and a score"},
        {BPE(",\"dropout\":0.1") "}", "dropout"},
        {BPE(",\"end_of_word_suffix\":\"</w>\"") "}", "end_of_word_suffix"},
        {BPE("") ",\"normalizer\":{\"type\":\"Nmt\"}}", "normalizer \"Nmt\""},
        {BPE("") ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}", "\"UnicodeScripts\""},
        {BPE("") ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?<=a)b\"},"
                 "\"behavior\":\"Isolated\"}}",
         "a group of this kind"},
        {BPE("") ",\"decoder\":{\"type\":\"CTC\"}}", "decoder \"CTC\""},
        {BPE("") ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",99],\"sep\":["
                 "\"a\","
                 "1]}}",
         "beyond the vocabulary"},
        {BPE("") ",\"added_tokens\":[{\"id\":1,\"content\":\"z\"}]}", "two tokens"},
        {BPE("") ",\"added_tokens\":[{\"id\":20}]}", "no content"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *t = NULL;
        struct err e = ERR_INIT;
        bool ok = try(&t, cases[i][0], NULL, &e);
        if (ok || !strstr(e.text, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], ok ? "accepted" : e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_and_unknown_characters),
        cmocka_unit_test(stages_run_in_their_order),
        cmocka_unit_test(a_step_that_is_left_out_changes_nothing),
        cmocka_unit_test(an_added_token_of_the_vocabulary_is_still_a_piece),
        cmocka_unit_test(added_tokens_obey_their_flags),
        cmocka_unit_test(special_tokens_stand_around_a_text),
        cmocka_unit_test(a_decoder_shows_the_spaces_of_added_tokens_as_well),
        cmocka_unit_test(words_that_no_decoder_joins_stand_apart),
        cmocka_unit_test(what_cannot_be_followed_is_refused),
    };
    return cmocka_run_group_tests_name("tokenizer.json", tests, NULL, NULL);
}
