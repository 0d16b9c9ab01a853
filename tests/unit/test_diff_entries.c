/* What differs outside the tensors: metadata, tokens, templates, documents of folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/diff_bench.h"

/* ---- outside the tensors ---- */

static const struct diff_entry *entry(const struct bench *x, const char *where, const char *what)
{
    for (size_t i = 0; i < x->diff.entry_count; i++)
        if (strcmp(x->diff.entries[i].where, where) == 0 &&
            strcmp(x->diff.entries[i].what, what) == 0)
            return &x->diff.entries[i];
    fail_msg("no entry %s, %s", where, what);
    return NULL;
}

static void metadata_and_tokens_are_entries(void **state)
{
    static const char *const tokens_a[] = {"a", "b", "c"}, *const tokens_b[] = {"a", "c", "d\x1b"};
    struct bench x;
    (void)state;
    bench_start(&x);
    builder_add(&x.a, "token_embd.weight", DTYPE_F32, 2, 32);
    builder_add(&x.b, "token_embd.weight", DTYPE_F32, 2, 32);
    builder_u32(&x.a, "llama.block_count", 4);
    builder_u32(&x.b, "llama.block_count", 5);
    builder_string(&x.a, "general.name", "A");
    builder_strings(&x.a, "tokenizer.ggml.tokens", tokens_a, 3);
    builder_strings(&x.b, "tokenizer.ggml.tokens", tokens_b, 3);
    builder_string(&x.b, "tokenizer.chat_template", "{{ x }}");
    bench_compare(&x, GGUF, GGUF);
    bench_expect(&x, REL_REPACKED);
    assert_string_equal(entry(&x, "metadata", "llama.block_count")->b, "5");
    assert_null(entry(&x, "metadata", "general.name")->b);
    assert_string_equal(entry(&x, "tokenizer", "tokens removed")->a, "1 of 3: \"b\"");
    assert_null(strchr(entry(&x, "tokenizer", "tokens added")->b, 0x1b));
    assert_string_equal(entry(&x, "tokenizer", "tokens of another id")->b, "1 of 3: \"c\"");
    assert_null(entry(&x, "chat template", "default")->a);
    bench_finish(&x);
}

static void entries_beyond_the_limit_are_counted(void **state)
{
    struct bench x;
    char key[32];
    (void)state;
    bench_start(&x);
    for (int i = 0; i < DIFF_MAX_ENTRIES + 7; i++) {
        snprintf(key, sizeof key, "k%d", i);
        builder_u32(&x.a, key, 1);
    }
    bench_compare(&x, GGUF, GGUF);
    assert_int_equal(x.diff.entry_count, DIFF_MAX_ENTRIES);
    assert_int_equal(x.diff.entries_more, 7);
    bench_expect(&x, REL_UNDECIDED);
    bench_finish(&x);
}

/* ---- folders ---- */

static void put_file(const char *folder, const char *name, struct span bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    assert_int_equal(fclose(f), 0);
}

static const char *const folder_files[] = {"config.json", "tokenizer.json", "model.safetensors"};

static struct model *read_folder(char *folder, const char *config, const char *tokenizer,
                                 struct builder *b)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    assert_non_null(mkdtemp(folder));
    put_file(folder, folder_files[0], span_str(config));
    put_file(folder, folder_files[1], span_str(tokenizer));
    put_file(folder, folder_files[2], builder_safetensors(b));
    if (!model_read(&m, folder, NULL, &e))
        fail_msg("%s", e.text);
    return m;
}

static void remove_folder(const char *folder)
{
    char path[512];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folder_files[i]);
        remove(path);
    }
    remove(folder);
}

#define VOCAB(tokens, merges)                                                                      \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{" tokens "},\"merges\":[" merges "]}}"

static void documents_are_compared_by_pointer(void **state)
{
    char fa[] = "/tmp/assay-diff-XXXXXX", fb[] = "/tmp/assay-diff-XXXXXX";
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_two_alike(&x, DTYPE_F32, DTYPE_F32);
    x.ma =
        read_folder(fa, "{\"hidden_size\":64,\"eps\":1e-5,\"rope\":{\"a/b\":[1,2]},\"gone\":null}",
                    VOCAB("\"a\":0,\"b\":1", "\"a b\""), &x.a);
    x.mb = read_folder(fb, "{\"eps\":0.00001,\"hidden_size\":65,\"rope\":{\"a/b\":[1,3,4]}}",
                       VOCAB("\"a\":0,\"c\":1", "[\"a\",\"b\"]"), &x.b);
    bench_compare_with(&x, 1);
    bench_expect(&x, REL_REPACKED);
    assert_string_equal(entry(&x, "config", "/hidden_size")->b, "65");
    assert_string_equal(entry(&x, "config", "/rope/a~1b/1")->a, "2");
    assert_null(entry(&x, "config", "/rope/a~1b/2")->a);
    assert_null(entry(&x, "config", "/gone")->b);
    assert_string_equal(entry(&x, "tokenizer", "tokens added")->b, "1 of 2: \"c\"");
    assert_int_equal(x.diff.entry_count, 6); /* eps and merges are equal in value */
    bench_finish(&x);
    remove_folder(fa);
    remove_folder(fb);
}

static void a_folder_and_a_file_are_compared_by_what_both_name(void **state)
{
    static const char *const tokens[] = {"a", "b", "[PAD2]"};
    char folder[] = "/tmp/assay-diff-XXXXXX";
    struct bench x;
    (void)state;
    bench_start(&x);
    bench_llama(&x, "llama");
    builder_u32(&x.b, "llama.block_count", 1);
    builder_u32(&x.b, "llama.context_length", 128);
    builder_strings(&x.b, "tokenizer.ggml.tokens", tokens, 3);
    x.ma = read_folder(folder,
                       "{\"num_hidden_layers\":1,\"max_position_embeddings\":256,"
                       "\"num_attention_heads\":4}",
                       VOCAB("\"a\":0,\"b\":1", ""), &x.a);
    x.mb = bench_build(&x.b, GGUF, &x.bytes_b);
    bench_compare_with(&x, 1);
    bench_expect(&x, REL_REPACKED);
    assert_int_equal(x.diff.entry_count, 1);
    assert_string_equal(entry(&x, "config", "max_position_embeddings")->a, "256");
    assert_string_equal(entry(&x, "config", "max_position_embeddings")->b, "128");
    bench_finish(&x);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_and_tokens_are_entries),
        cmocka_unit_test(entries_beyond_the_limit_are_counted),
        cmocka_unit_test(documents_are_compared_by_pointer),
        cmocka_unit_test(a_folder_and_a_file_are_compared_by_what_both_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
