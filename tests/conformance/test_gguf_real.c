/* GGUF files that others wrote: all read whole, none with a finding that matters. */
#include "support/gguf_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct real {
    const char *path; /* under CONFORMANCE, or the variable that names it */
    size_t tensors, pairs;
    uint64_t tokens;
};

static const struct real reals[] = {
    {"models/stories260K-f32.gguf", 47, 22, 512},
    {"models/stories260K-f16.gguf", 47, 23, 512},
    {"models/stories260K-q8_0.gguf", 47, 23, 512},
    {"models/stories260K-q4_0.gguf", 47, 23, 512},
    {"models/stories260K-q4_k_m.gguf", 47, 23, 512},
    {"tokenizers/ggml-vocab-gpt-2.gguf", 0, 16, 50257},
    {"tokenizers/ggml-vocab-llama-bpe.gguf", 0, 20, 128256},
    {"tokenizers/ggml-vocab-llama-spm.gguf", 0, 22, 32000},
    {"tokenizers/ggml-vocab-phi-3.gguf", 0, 26, 32064},
    {"tokenizers/ggml-vocab-qwen2.gguf", 0, 20, 151936},
    {"SMOLLM2", 272, 33, 49152},
};

static const char *place(char out[1024], const char *path)
{
    const char *folder = getenv("CONFORMANCE");
    if (!strchr(path, '/'))
        return getenv(path);
    snprintf(out, 1024, "%s/%s", folder ? folder : "../shared/conformance", path);
    return out;
}

static struct model *read_real(const struct real *r)
{
    char room[1024];
    const char *path = place(room, r->path);
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!path || access(path, R_OK) != 0)
        skip();
    if (!model_read(&m, path, NULL, &e))
        fail_msg("%s: %s", path, e.text);
    return m;
}

static void check_real(void **state)
{
    const struct real *r = *state;
    struct model *m = read_real(r);
    if (gc_worse(m, SEV_MEDIUM))
        gc_print(m);
    assert_int_equal(gc_worse(m, SEV_MEDIUM), 0);
    assert_false(m->verdict.incomplete);
    assert_true(verdict_accepts(&m->verdict, BREAKS_LOADER));
    assert_int_equal(m->tensor_count, r->tensors);
    assert_int_equal(m->metadata_count, r->pairs);
    const struct metadata *tokens = model_metadata(m, "tokenizer.ggml.tokens");
    assert_non_null(tokens);
    assert_int_equal(tokens->value.count, r->tokens);
    uint64_t n = 0;
    struct value item;
    for (struct value_iter it = value_items(&tokens->value); value_next(&it, &item);)
        n++;
    assert_int_equal(n, r->tokens);
    model_free(m);
}

/* Data and header together are the file: nothing is left over. */
static void gguf_real_bytes_are_all_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct model *m = read_real(&reals[i]);
        uint64_t sum = 0;
        for (size_t t = 0; t < m->tensor_count; t++)
            sum += (m->tensors[t].data.length + 31) / 32 * 32;
        assert_int_equal(m->files[0].data + sum, m->files[0].size);
        model_free(m);
    }
}

int main(void)
{
    enum { N = sizeof reals / sizeof *reals };
    struct CMUnitTest tests[N + 1] = {[N] = cmocka_unit_test(gguf_real_bytes_are_all_explained)};
    for (size_t i = 0; i < N; i++) {
        struct real *state = (struct real *)(uintptr_t)&reals[i];
        tests[i] = (struct CMUnitTest){reals[i].path, check_real, NULL, NULL, state};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
