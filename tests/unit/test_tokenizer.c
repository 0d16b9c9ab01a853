/*
 * Tokenizers from GGUF metadata: merges in order, what no token holds, where
 * control tokens may come from, and streaming back to text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/vocab_case.h"
#include "tokenizer/tokenizer.h"

#define BLOCK "\xE2\x96\x81"

/* ---- SPM ---- */

static const char *const spm_tokens[] = {"<unk>",  "<s>", "</s>",     "<0x21>", "<0xC3>",
                                         "<0xA9>", BLOCK, "a",        "b",      "c",
                                         "ab",     "bc",  BLOCK "ab", "<u>",    NULL};
static const int32_t spm_types[] = {2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 1, 4};
/* "bc" is better than "ab". */
static const float spm_scores[] = {0, 0, 0, 0, 0, 0, -9, -9, -9, -9, -3, -2, -1, 0};

static struct vocab_case spm(void)
{
    return (struct vocab_case){.model = "llama",
                               .tokens = spm_tokens,
                               .types = spm_types,
                               .scores = spm_scores,
                               .bos = 1,
                               .eos = 2,
                               .space_prefix = -1,
                               .bos_wanted = -1};
}

static void spm_merges_the_best_score_first(void **state)
{
    (void)state;
    struct vocab_case c = spm();
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "ab", false, 0), "12");
    assert_string_equal(vocab_ids(t, "abc", false, 0), "6 7 11");
    assert_string_equal(vocab_ids(t, "", false, 0), "");
    assert_string_equal(vocab_ids(t, "ab", false, ENCODE_SPECIAL), "1 12");
    tokenizer_free(t);
}

static void spm_writes_bytes_for_what_no_token_holds(void **state)
{
    (void)state;
    struct vocab_case c = spm();
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "!\xC3\xA9", false, 0), "6 3 4 5");
    assert_string_equal(vocab_ids(t, "?a", false, 0), "6 0 7");
    /* The spelling of a byte token is text, not the byte. */
    assert_string_equal(vocab_ids(t, "<0x21>", false, 0), "6 0 0 0 0 0 0");
    tokenizer_free(t);
}

static void spm_prefixes_a_space_unless_the_file_says_no(void **state)
{
    (void)state;
    struct vocab_case c = spm();
    struct tokenizer *t = vocab_new(&c);
    const uint32_t ids[] = {12, 6, 7};
    assert_string_equal(vocab_text(t, ids, 3, 0), "ab a");
    assert_string_equal(vocab_text(t, ids, 3, DECODE_CONTINUES), " ab a");
    tokenizer_free(t);
    c.space_prefix = 0;
    t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "ab", false, 0), "10");
    assert_string_equal(vocab_text(t, ids, 3, 0), " ab a");
    tokenizer_free(t);
}

/* ---- trust ---- */

static void control_tokens_come_from_trusted_text_only(void **state)
{
    (void)state;
    struct vocab_case c = spm();
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "a</s>", true, 0), "6 7 2");
    assert_null(strstr(vocab_ids(t, "a</s>", false, 0), "2"));
    const struct marked half[] = {{span_str("</"), true}, {span_str("s>"), false}};
    assert_string_equal(vocab_parts(t, half, 2), "6 0 0 0 0");
    const struct marked joined[] = {{span_str("</"), true}, {span_str("s>"), true}};
    assert_string_equal(vocab_parts(t, joined, 2), "2");
    const struct marked prompt[] = {
        {span_str("<s>"), true}, {span_str("a</s>b"), false}, {span_str("</s>"), true}};
    assert_string_equal(vocab_parts(t, prompt, 3), "1 6 7 0 0 0 0 8 2");
    tokenizer_free(t);
}

static void tokens_that_the_template_writes_are_no_users_either(void **state)
{
    (void)state;
    struct vocab_case c = spm();
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "<u>", false, 0), "13");
    tokenizer_free(t);
    c.template = "{{ '<u>' }}";
    t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "<u>", true, 0), "13");
    assert_string_equal(vocab_ids(t, "<u>", false, 0), "6 0 0 0");
    assert_string_equal(vocab_ids(t, "<u>", false, ENCODE_PROTOCOL), "13");
    tokenizer_free(t);
}

static void a_trusted_bos_is_not_doubled(void **state)
{
    (void)state;
    struct vocab_case c = spm();
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "<s>a", true, ENCODE_SPECIAL), "1 6 7");
    assert_string_equal(vocab_ids(t, "<s>a", false, ENCODE_SPECIAL), "1 6 0 0 0 7");
    tokenizer_free(t);
}

/* ---- byte BPE ---- */

static const char *const bpe_tokens[] = {"h",  "e",     "l",          "o",        "\xC4\xA0", "he",
                                         "ll", "hello", "hell",       "\xC3\x83", "\xC2\xA9", "lo",
                                         "1",  "<|x|>", "<|im_end|>", NULL};
static const int32_t bpe_types[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 4};
static const char *const bpe_merges[] = {"h e", "l l", "he ll", "l o", "x y", NULL};

static struct vocab_case bpe(const char *pre)
{
    return (struct vocab_case){.model = "gpt2",
                               .pre = pre,
                               .tokens = bpe_tokens,
                               .types = bpe_types,
                               .merges = bpe_merges,
                               .bos = 13,
                               .eos = 14,
                               .space_prefix = -1,
                               .bos_wanted = -1};
}

static void bpe_merges_by_rank_within_words(void **state)
{
    (void)state;
    struct vocab_case c = bpe("gpt-2");
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(tokenizer_rule(t), "gpt-2");
    assert_string_equal(vocab_ids(t, "hello", false, 0), "8 3");
    assert_string_equal(vocab_ids(t, "he llo", false, 0), "5 4 6 3");
    assert_string_equal(vocab_ids(t, "lo", false, 0), "11");
    assert_string_equal(vocab_ids(t, "\xC3\xA9", false, 0), "9 10");
    tokenizer_free(t);
}

static void a_word_that_is_a_token_is_whole_where_the_rule_says_so(void **state)
{
    (void)state;
    struct vocab_case c = bpe("llama-bpe");
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_ids(t, "hello", false, 0), "7");
    assert_string_equal(vocab_ids(t, "hello", false, ENCODE_SPECIAL), "13 7");
    tokenizer_free(t);
}

static void a_control_token_that_the_file_calls_text_is_control(void **state)
{
    (void)state;
    struct vocab_case c = bpe("gpt-2");
    struct tokenizer *t = vocab_new(&c);
    struct token token;
    assert_true(tokenizer_token(&token, t, 14));
    assert_int_equal(token.type, TOKEN_CONTROL);
    assert_true(tokenizer_ends(t, 14));
    assert_false(tokenizer_ends(t, 13));
    assert_string_equal(vocab_ids(t, "<|im_end|>", false, ENCODE_PROTOCOL), "1");
    assert_int_equal(tokenizer_roles(t)->eot, 14);
    tokenizer_free(t);
}

static void every_rule_of_llama_cpp_is_known(void **state)
{
    (void)state;
    static const char *const names[] = {"default",
                                        "minicpm5",
                                        "llama3",
                                        "llama-v3",
                                        "llama-bpe",
                                        "falcon3",
                                        "falcon-h1",
                                        "pixtral",
                                        "midm-2.0",
                                        "lfm2",
                                        "jina-v5-nano",
                                        "deepseek-llm",
                                        "deepseek-coder",
                                        "deepseek-v3",
                                        "spark2_5",
                                        "youtu",
                                        "falcon",
                                        "mpt",
                                        "starcoder",
                                        "gpt-2",
                                        "phi-2",
                                        "jina-es",
                                        "jina-de",
                                        "gigachat",
                                        "jina-v2-es",
                                        "jina-v2-de",
                                        "a.x-4.0",
                                        "mellum",
                                        "modern-bert",
                                        "jais-2",
                                        "gemma4",
                                        "granite-embed-multi-311m",
                                        "sarvam-moe",
                                        "jina-v1-en",
                                        "jina-v2-code",
                                        "roberta-bpe",
                                        "whitespace",
                                        "refact",
                                        "command-r",
                                        "qwen2",
                                        "deepseek-r1-qwen",
                                        "kormo",
                                        "f2llmv2",
                                        "qwen35",
                                        "stablelm2",
                                        "olmo",
                                        "dbrx",
                                        "smaug-bpe",
                                        "poro-chat",
                                        "glm4",
                                        "chatglm-bpe",
                                        "viking",
                                        "jais",
                                        "tekken",
                                        "smollm",
                                        "codeshell",
                                        "bloom",
                                        "gpt3-finnish",
                                        "exaone",
                                        "exaone4",
                                        "exaone-moe",
                                        "chameleon",
                                        "minerva-7b",
                                        "megrez",
                                        "gpt-4o",
                                        "llama4",
                                        "kanana2",
                                        "talkie",
                                        "granite-embed-multi-97m",
                                        "tiny_aya",
                                        "cohere2moe",
                                        "superbpe",
                                        "trillion",
                                        "granite-docling",
                                        "bailingmoe",
                                        "bailingmoe2",
                                        "llada-moe",
                                        "seed-coder",
                                        "hunyuan",
                                        "hunyuan-dense",
                                        "hy_v4",
                                        "joyai-llm",
                                        "kimi-k2",
                                        "ufakzeka",
                                        "grok-2",
                                        "afmoe",
                                        "laguna",
                                        "minimax-m2",
                                        "solar-open",
                                        "mellum2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct vocab_case c = bpe(names[i]);
        struct tokenizer *t = vocab_new(&c);
        assert_string_equal(tokenizer_rule(t), names[i]);
        assert_int_equal(*vocab_ids(t, "he 12", false, 0) == '!', 0);
        tokenizer_free(t);
    }
}

static void what_is_not_known_is_refused_by_name(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err e = ERR_INIT;
    struct vocab_case c = bpe("no-such-rule");
    assert_false(vocab_try(&t, &c, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "no-such-rule"));
    c.model = "rwkv";
    e = (struct err)ERR_INIT;
    assert_false(vocab_try(&t, &c, &e));
    assert_non_null(strstr(e.text, "rwkv"));
    c = bpe("gpt-2");
    c.merges = NULL;
    e = (struct err)ERR_INIT;
    assert_false(vocab_try(&t, &c, &e));
    assert_non_null(strstr(e.text, "merges"));
}

static void malformed_vocabularies_are_refused(void **state)
{
    (void)state;
    static const char *const one_part[] = {"h e", "hello", NULL};
    static const float not_a_number[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (float)NAN};
    struct tokenizer *t;
    struct err e = ERR_INIT;
    struct vocab_case c = bpe("gpt-2");
    c.merges = one_part;
    assert_false(vocab_try(&t, &c, &e));
    assert_non_null(strstr(e.text, "entry 1 "));
    c = spm();
    c.scores = not_a_number;
    e = (struct err)ERR_INIT;
    assert_false(vocab_try(&t, &c, &e));
    assert_non_null(strstr(e.text, "scores"));
    c = spm();
    c.bos = 99;
    c.bos_wanted = 1;
    t = vocab_new(&c); /* an id beyond the vocabulary: the default stays, as in llama.cpp */
    assert_int_equal(tokenizer_roles(t)->bos, 1);
    tokenizer_free(t);
}

/* ---- text that is not text, and much of it ---- */

static void text_that_is_not_utf8_is_refused_with_its_offset(void **state)
{
    (void)state;
    struct vocab_case c = bpe("gpt-2");
    struct tokenizer *t = vocab_new(&c);
    struct tokens ids = {0};
    struct err e = ERR_INIT;
    assert_false(tokenizer_encode_text(&ids, t, span_str("he\xFFl"), false, 0, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    assert_int_equal(e.offset, 2);
    assert_int_equal(ids.n, 0);
    tokens_free(&ids);
    tokenizer_free(t);
}

static void more_tokens_than_asked_for_are_refused(void **state)
{
    (void)state;
    struct vocab_case c = bpe("gpt-2");
    struct tokenizer *t = vocab_new(&c);
    struct tokens ids = {.max = 3};
    struct err e = ERR_INIT;
    assert_true(tokenizer_encode_text(&ids, t, span_str("lo"), false, 0, &e));
    assert_false(tokenizer_encode_text(&ids, t, span_str("1 1 1"), false, 0, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(ids.n, 1);
    tokens_free(&ids);
    tokenizer_free(t);
}

static void a_megabyte_of_one_letter_takes_no_quadratic_time(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20, SLOWEST_S = 3 };
    static const char *const kinds[] = {"gpt-2", "llama-bpe", "gpt-4o"};
    static const char letters[] = "l \n1";
    uint8_t *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct vocab_case c = bpe(kinds[k]);
        struct tokenizer *t = vocab_new(&c);
        for (const char *l = letters; *l; l++) {
            struct tokens ids = {0};
            struct err e = ERR_INIT;
            memset(text, *l, SIZE);
            clock_t start = clock();
            assert_true(tokenizer_encode_text(&ids, t, (struct span){text, SIZE}, false, 0, &e));
            assert_true((clock() - start) / CLOCKS_PER_SEC < SLOWEST_S);
            tokens_free(&ids);
        }
        tokenizer_free(t);
    }
    free(text);
}

/* ---- back to text ---- */

static void a_stream_holds_back_what_is_no_whole_character(void **state)
{
    (void)state;
    struct vocab_case c = bpe("gpt-2");
    struct tokenizer *t = vocab_new(&c);
    struct decoder d;
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, 100);
    decoder_init(&d, t, DECODE_REPLACE_BAD);
    assert_true(decoder_push(&d, 0, &b, &e));
    assert_true(decoder_push(&d, 9, &b, &e));
    assert_int_equal(b.n, 1);
    assert_true(decoder_push(&d, 10, &b, &e));
    assert_true(span_is(buf_span(&b), "h\xC3\xA9"));
    assert_true(decoder_push(&d, 9, &b, &e));
    assert_true(decoder_push(&d, 1, &b, &e));
    assert_true(span_is(buf_span(&b), "h\xC3\xA9\xEF\xBF\xBD"
                                      "e"));
    assert_true(decoder_push(&d, 9, &b, &e));
    decoder_finish(&d, &b);
    assert_true(span_ends(buf_span(&b), "e\xEF\xBF\xBD"));
    buf_free(&b);
    tokenizer_free(t);
}

static void control_tokens_are_shown_on_request(void **state)
{
    (void)state;
    static const uint32_t ids[] = {13, 0, 1, 14};
    static const uint32_t beyond[] = {99};
    struct vocab_case c = bpe("gpt-2");
    struct tokenizer *t = vocab_new(&c);
    assert_string_equal(vocab_text(t, ids, 4, 0), "he");
    assert_string_equal(vocab_text(t, ids, 4, DECODE_SPECIAL), "<|x|>he<|im_end|>");
    assert_non_null(strstr(vocab_text(t, beyond, 1, 0), "no token has the id 99"));
    tokenizer_free(t);
}

static void printable_bytes_go_there_and_back(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        struct buf shown, back;
        buf_init(&shown, 8);
        buf_init(&back, 8);
        byte_level_put(&shown, (uint8_t)b);
        assert_true(byte_level_decode(&back, buf_span(&shown)));
        assert_int_equal(back.n, 1);
        assert_int_equal(back.p[0], b);
        buf_free(&shown);
        buf_free(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spm_merges_the_best_score_first),
        cmocka_unit_test(spm_writes_bytes_for_what_no_token_holds),
        cmocka_unit_test(spm_prefixes_a_space_unless_the_file_says_no),
        cmocka_unit_test(control_tokens_come_from_trusted_text_only),
        cmocka_unit_test(tokens_that_the_template_writes_are_no_users_either),
        cmocka_unit_test(a_trusted_bos_is_not_doubled),
        cmocka_unit_test(bpe_merges_by_rank_within_words),
        cmocka_unit_test(a_word_that_is_a_token_is_whole_where_the_rule_says_so),
        cmocka_unit_test(a_control_token_that_the_file_calls_text_is_control),
        cmocka_unit_test(every_rule_of_llama_cpp_is_known),
        cmocka_unit_test(what_is_not_known_is_refused_by_name),
        cmocka_unit_test(malformed_vocabularies_are_refused),
        cmocka_unit_test(text_that_is_not_utf8_is_refused_with_its_offset),
        cmocka_unit_test(more_tokens_than_asked_for_are_refused),
        cmocka_unit_test(a_megabyte_of_one_letter_takes_no_quadratic_time),
        cmocka_unit_test(a_stream_holds_back_what_is_no_whole_character),
        cmocka_unit_test(control_tokens_are_shown_on_request),
        cmocka_unit_test(printable_bytes_go_there_and_back),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
