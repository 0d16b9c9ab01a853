/* Vocabularies: what is learnt, in which order, how it is spelled, and the same each time. */
#include "train/bpe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assay/inspect.h"
#include "train/random.h"
#include "train/vocabulary.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(256 << 20);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct bpe learnt(const char *text, size_t entries)
{
    struct bpe_words *w;
    struct bpe b;
    struct err e = ERR_INIT;
    assert_true(bpe_words_new(&w, arena, &e));
    assert_true(bpe_words_add(w, span_str(text), &e));
    assert_true(bpe_train(&b, w, entries, &e));
    return b;
}

static void the_most_frequent_pair_is_merged_first(void **state)
{
    (void)state;
    struct bpe b = learnt("low low low lower lowest newest newest", BPE_MIN + 3);
    assert_int_equal(b.merge_count, 3);
    assert_true(span_is(b.bytes[BPE_MIN], "lo")); /* five times, as "ow": the lower id first */
    assert_true(span_is(b.bytes[BPE_MIN + 1], "low"));
    assert_true(span_is(b.bytes[BPE_MIN + 2], " low"));
}

static void words_are_not_merged_across_spaces(void **state)
{
    (void)state;
    struct bpe b = learnt("a b a b a b a b", BPE_MIN + 50);
    for (size_t i = BPE_MIN; i < b.count; i++)
        for (size_t k = 1; k < b.bytes[i].n; k++)
            assert_int_not_equal(b.bytes[i].p[k], ' ');
}

static void nothing_that_occurs_once_is_learnt(void **state)
{
    (void)state;
    struct bpe b = learnt("abcdefg", BPE_MIN + 10);
    assert_int_equal(b.merge_count, 0);
    assert_int_equal(b.count, BPE_MIN);
}

static void any_byte_and_no_text_at_all_are_taken(void **state)
{
    (void)state;
    struct bpe_words *w;
    struct bpe b;
    struct err e = ERR_INIT;
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_bits(1, RANDOM_ORDER, 0, i);
    assert_true(bpe_words_new(&w, arena, &e));
    assert_true(bpe_words_add(w, SPAN_EMPTY, &e));
    assert_true(bpe_words_add(w, (struct span){bytes, sizeof bytes}, &e));
    assert_true(bpe_train(&b, w, BPE_MIN + 100, &e));
    for (size_t i = BPE_MIN; i < b.count; i++) { /* entries are what was merged */
        struct bpe_merge m = b.merges[i - BPE_MIN];
        assert_int_equal(b.bytes[i].n, b.bytes[m.left].n + b.bytes[m.right].n);
    }
}

static void a_size_out_of_bounds_is_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, BPE_MIN - 1, BPE_MAX + 1};
    for (size_t i = 0; i < 3; i++) {
        struct bpe_words *w;
        struct bpe b;
        struct err e = ERR_INIT;
        assert_true(bpe_words_new(&w, arena, &e));
        assert_false(bpe_train(&b, w, sizes[i], &e));
        assert_int_equal(e.code, ERR_CONFIG);
    }
}

static void bytes_are_spelled_as_gpt2_does(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 100);
    bpe_spell(&out, span_str(" a\n\xad\x7f~"));
    assert_true(span_is(buf_span(&out), "\xc4\xa0"
                                        "a\xc4\x8a\xc5\x83\xc4\xa1~"));
    buf_free(&out);
}

/* GGUF and tokenizer.json of one vocabulary have one digest, and no finding. */
static void both_files_hold_the_same_vocabulary(void **state)
{
    (void)state;
    struct bpe b = learnt("Once upon a time there was a time that was once upon.", BPE_MIN + 20);
    struct metadata_list pairs;
    struct model *gguf, *json;
    struct span tokenizer, config;
    struct facts facts;
    struct identity a, c;
    struct scan none = {.tensor = NULL};
    struct buf file;
    struct err e = ERR_INIT;
    buf_init(&file, 1 << 20);
    metadata_init(&pairs, arena);
    metadata_set_str(&pairs, "general.architecture", span_str("llama"));
    assert_true(vocabulary_metadata(&pairs, &b));
    assert_true(gguf_bytes(&file, &pairs, &e));
    assert_true(model_read_memory(&gguf, "v.gguf", buf_span(&file), &e));
    assert_int_equal(gguf->verdict.count, 0);
    assert_true(inspect_facts(&facts, gguf, &e));
    assert_true(inspect_identity(&a, gguf, &facts, &none, &e));
    assert_true(vocabulary_texts(&tokenizer, &config, &b, 64, arena, &e));
    assert_true(model_read_memory(&json, "tokenizer.json", tokenizer, &e));
    json->documents[DOC_TOKENIZER].file = json->documents[DOC_TOKENIZER_CONFIG].file = 0;
    assert_true(json_parse(&json->documents[DOC_TOKENIZER].root, tokenizer, 0, arena, &e));
    assert_true(json_parse(&json->documents[DOC_TOKENIZER_CONFIG].root, config, 0, arena, &e));
    assert_true(inspect_facts(&facts, json, &e));
    assert_true(inspect_identity(&c, json, &facts, &none, &e));
    assert_true(a.has_tokenizer && c.has_tokenizer);
    assert_true(digest_eq(&a.tokenizer, &c.tokenizer));
    model_free(gguf);
    model_free(json);
    buf_free(&file);
}

static void draws_depend_on_nothing_but_their_numbers(void **state)
{
    (void)state;
    float a[64], b[64], sum = 0, squares = 0, many[4096];
    random_normal(a, 64, 9, RANDOM_WEIGHTS, 3, 1);
    random_normal(b, 32, 9, RANDOM_WEIGHTS, 3, 1);
    assert_memory_equal(a, b, 32 * sizeof *a);
    random_normal(b, 64, 9, RANDOM_WEIGHTS, 4, 1);
    assert_memory_not_equal(a, b, sizeof a);
    random_normal(many, 4096, 9, RANDOM_WEIGHTS, 5, 2);
    for (size_t i = 0; i < 4096; i++) {
        sum += many[i];
        squares += many[i] * many[i];
    }
    assert_true(sum / 4096 < 0.15f && sum / 4096 > -0.15f);
    assert_true(squares / 4096 > 3.6f && squares / 4096 < 4.4f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_frequent_pair_is_merged_first),
        cmocka_unit_test(words_are_not_merged_across_spaces),
        cmocka_unit_test(nothing_that_occurs_once_is_learnt),
        cmocka_unit_test(any_byte_and_no_text_at_all_are_taken),
        cmocka_unit_test(a_size_out_of_bounds_is_refused),
        cmocka_unit_test(bytes_are_spelled_as_gpt2_does),
        cmocka_unit_test(both_files_hold_the_same_vocabulary),
        cmocka_unit_test(draws_depend_on_nothing_but_their_numbers),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
