/*
 * The engine against llama.cpp's logits for stories260K (200 teacher-forced
 * positions), and fixed runs against hashes of their logits' bits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "assay/engine.h"

enum { TOKENS = 200, WORDS = 512 };

struct run {
    const char *model, *logits; /* logits NULL: none to compare with */
    double tolerance;           /* largest difference of a logit */
    int equal;                  /* greedy choices that must agree */
    const char *hash;           /* SHA-256 over all logits' bits */
};

static const struct run runs[] = {
    {"f32", "f32", 0.03, 200, "a331afc2499a1ca71a1af6b17f386ac3cdd0bd7e2a48aac549598cb4044e0007"},
    {"f16", "f16", 0.03, 200, "de06a209f466c945b7ff33fc7294755fc3e1d526d4bae06ac5945a64b71fd3dd"},
    {"q8_0", "q8_0", 0.42, 195, "4b7f54bc6007d976c822437ae801b97a28830778bcf9736ab7671387bd763a8d"},
    {"q4_0", "q4_0", 0.42, 195, "3a294a6caaceacb610d3e64b5232819920e05395cb2ee26bd9f53bfc44e0fe8a"},
    {"q4_k_m", NULL, 0, 0, "7bc316c231fefc8758fff912e9967ac909247b25d222b3a4d51718af2ca35dbc"},
};

static float got[TOKENS][WORDS];

static void keep(void *arg, uint32_t position, const float *logits, size_t n)
{
    (void)arg;
    assert_true(position < TOKENS && n == WORDS);
    memcpy(got[position], logits, sizeof got[position]);
}

static void *read_all(const char *name, size_t size)
{
    char path[1024];
    const char *folder = getenv("CONFORMANCE");
    (void)snprintf(path, sizeof path, "%s/models/stories260K%s",
                   folder ? folder : "../shared/conformance", name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        skip();
    void *p = malloc(size);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, size, f), size);
    (void)fclose(f);
    return p;
}

static int argmax(const float *x)
{
    int best = 0;
    for (int i = 1; i < WORDS; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

static void compute(const struct run *run, const uint32_t *tokens)
{
    char path[1024];
    const char *folder = getenv("CONFORMANCE");
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options o = {.threads = 2};
    (void)snprintf(path, sizeof path, "%s/models/stories260K-%s.gguf",
                   folder ? folder : "../shared/conformance", run->model);
    if (!engine_load(&g, path, &o, &e))
        fail_msg("%s: %s", path, e.text);
    /* A given answer: every position's logits. The last one's need one more token. */
    uint32_t answer[TOKENS];
    memcpy(answer, tokens + 1, (TOKENS - 1) * sizeof *answer);
    answer[TOKENS - 1] = 1;
    struct engine_request r = {.tokens = tokens,
                               .count = 1,
                               .answer = answer,
                               .answer_count = TOKENS,
                               .sampling = engine_greedy(),
                               .logits = keep};
    uint64_t id;
    bool work = true;
    if (!engine_submit(g, &r, &id, &e))
        fail_msg("%s", e.text);
    while (work)
        assert_true(engine_step(g, &work, &e));
    engine_free(g);
}

static void logits_agree(void **state)
{
    const struct run *run = *state;
    char name[64], hex[DIGEST_HEX + 1];
    uint32_t *tokens = read_all(".tokens.i32", TOKENS * 4);
    compute(run, tokens);
    struct digest d = sha256_of((struct span){(const uint8_t *)got, sizeof got});
    print_message("%s: logits %s\n", run->model, digest_hex(hex, &d));
    if (run->logits != NULL) {
        (void)snprintf(name, sizeof name, "-%s.logits.f32", run->logits);
        float *want = read_all(name, sizeof got);
        double worst = 0;
        int equal = 0;
        for (int t = 0; t < TOKENS; t++) {
            const float *w = want + (size_t)t * WORDS;
            for (int i = 0; i < WORDS; i++)
                worst = fmax(worst, fabs((double)w[i] - (double)got[t][i]));
            equal += argmax(w) == argmax(got[t]);
        }
        print_message("%s: largest difference %.4f, greedy choices %d of %d equal\n", run->model,
                      worst, equal, TOKENS);
        assert_true(worst <= run->tolerance);
        assert_true(equal >= run->equal);
        free(want);
    }
    if (run->hash[0] != '\0')
        assert_string_equal(hex, run->hash);
    free(tokens);
}

int main(void)
{
    struct CMUnitTest tests[sizeof runs / sizeof *runs];
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        tests[i] = (struct CMUnitTest){runs[i].model, logits_agree, NULL, NULL,
                                       (void *)(uintptr_t)&runs[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
