/*
 * Tokenizers that others made: kind, sizes and special ids of the shared
 * vocabulary files, without a false finding and fast.
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

#include "assay/base/clock.h"
#include "inspect/facts.h"

enum { NO_ID = -1, SLOWEST_MS = 200 };

static const struct expected {
    const char *file, *kind, *pre;
    uint64_t size, merges;
    int64_t bos, eos, unk, pad;
} expected[] = {
    {"gpt-2", "BPE", "gpt-2", 50257, 50000, 50256, 50256, NO_ID, NO_ID},
    {"llama-bpe", "BPE", "llama-bpe", 128256, 280147, 128000, 128001, NO_ID, NO_ID},
    {"llama-spm", "SPM", "default", 32000, 0, 1, 2, 0, NO_ID},
    {"phi-3", "SPM", "default", 32064, 0, 1, 32000, 0, 32000},
    {"qwen2", "BPE", "qwen2", 151936, 151387, 151643, 151643, NO_ID, 151643},
};

static int64_t id_of(const struct tokenizer_facts *t, const char *role)
{
    for (size_t i = 0; i < t->special_count; i++)
        if (strcmp(t->special[i].role, role) == 0)
            return (int64_t)t->special[i].id;
    return NO_ID;
}

static size_t tokenizer_findings(const struct model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        n += strncmp(rules[m->verdict.findings[i].rule].id, "tokenizer.", 10) == 0;
    return n;
}

static void check(const char *path, const struct expected *x)
{
    struct model *m = NULL;
    struct tokenizer_facts t;
    struct err e = ERR_INIT;
    assert_true(model_read(&m, path, NULL, &e));
    uint64_t start = clock_monotonic();
    assert_true(inspect_tokenizer(&t, m));
    uint64_t took = clock_monotonic() - start;
    print_message("%s: %.1f ms\n", x->file, (double)took / 1e6);
    assert_true(took / 1000000 < SLOWEST_MS);
    assert_string_equal(t.kind, x->kind);
    assert_true(span_is(t.pre, x->pre));
    assert_int_equal(t.size, x->size);
    assert_int_equal(t.merges, x->merges);
    assert_int_equal(id_of(&t, "bos"), x->bos);
    assert_int_equal(id_of(&t, "eos"), x->eos);
    assert_int_equal(id_of(&t, "unk"), x->unk);
    assert_int_equal(id_of(&t, "pad"), x->pad);
    assert_int_equal(tokenizer_findings(m), 0);
    model_free(m);
}

static void tokenizers_of_others_are_read_exactly(void **state)
{
    (void)state;
    const char *folder = getenv("CONFORMANCE");
    size_t found = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/tokenizers/ggml-vocab-%s.gguf",
                 folder ? folder : "../shared/conformance", expected[i].file);
        if (access(path, R_OK) != 0)
            continue;
        found++;
        check(path, &expected[i]);
    }
    if (!found) {
        print_message("skipped: no shared tokenizers; set CONFORMANCE\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tokenizers_of_others_are_read_exactly)};
    return cmocka_run_group_tests_name("tokenizers of others", tests, NULL, NULL);
}
