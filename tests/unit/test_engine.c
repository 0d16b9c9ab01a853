/*
 * The engine: nothing but weights, tokens and parameters shows in a result, and
 * whatever could make one meaningless is refused before the first token.
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
#include "assay/inspect.h"
#include "assay/numerics.h"
#include "support/family_model.h"
#include "support/folder.h"

/* LONG: more positions than logits are computed for at once, and not a multiple of them. */
enum { ANSWER = 20, PROMPT = 37, LONG = 90 };

static struct folder place;

static int make_place(void **state)
{
    (void)state;
    return folder_make(&place) ? 0 : -1;
}

static int remove_place(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

static const char *model(const char *family, const struct family_change *change)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/model.gguf", place.path);
    (void)unlink(path);
    if (!family_write(path, family, change))
        fail_msg("cannot write %s", path);
    return path;
}

static struct engine *load(const char *path, struct engine_options o)
{
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    if (!engine_load(&g, path, &o, &e))
        fail_msg("%s", e.text);
    return g;
}

/* What one request gave. */
struct heard {
    struct digest all; /* over the digests of its positions */
    uint32_t ids[128];
    uint32_t n;
    struct engine_result result;
    bool done;
    uint32_t stop_after; /* 0: never */
};

static bool hear(void *arg, const struct engine_token *t)
{
    struct heard *h = arg;
    uint8_t both[2 * DIGEST_SIZE];
    memcpy(both, h->all.b, DIGEST_SIZE);
    memcpy(both + DIGEST_SIZE, t->digest.b, DIGEST_SIZE);
    h->all = sha256_of((struct span){both, sizeof both});
    h->ids[h->n++ % 128] = t->id;
    return h->stop_after == 0 || h->n < h->stop_after;
}

static void over(void *arg, const struct engine_result *r)
{
    struct heard *h = arg;
    h->result = *r;
    h->done = true;
}

static void prompt_ids(uint32_t *ids, size_t n, uint32_t salt)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = 3 + (uint32_t)(i * 37 + salt * 11) % (FAMILY_WORDS - 3);
}

static void ask_for(struct engine *g, struct heard *h, size_t n, uint32_t salt,
                    struct engine_sampling sampling, uint32_t most)
{
    uint32_t ids[128];
    struct err e = ERR_INIT;
    uint64_t id;
    struct engine_request r = {.tokens = ids,
                               .count = n,
                               .max_tokens = most,
                               .sampling = sampling,
                               .ignore_end = true,
                               .token = hear,
                               .done = over,
                               .arg = h};
    prompt_ids(ids, n, salt);
    *h = (struct heard){.n = 0};
    if (!engine_submit(g, &r, &id, &e))
        fail_msg("%s", e.text);
}

static void ask(struct engine *g, struct heard *h, size_t n, uint32_t salt,
                struct engine_sampling sampling)
{
    ask_for(g, h, n, salt, sampling, ANSWER);
}

static void run(struct engine *g)
{
    struct err e = ERR_INIT;
    bool work = true;
    while (work) {
        if (!engine_step(g, &work, &e))
            fail_msg("%s", e.text);
    }
}

static void same(const struct heard *a, const struct heard *b)
{
    assert_true(a->done && b->done && a->n == b->n && a->n > 0);
    assert_memory_equal(a->ids, b->ids, a->n * sizeof *a->ids);
    assert_memory_equal(a->all.b, b->all.b, DIGEST_SIZE);
}

static struct engine_sampling warm(void)
{
    struct engine_sampling s = engine_greedy();
    s.temperature = 0.9f;
    s.seed = 7;
    return s;
}

static void no_way_of_computing_shows(void **unused)
{
    static const uint32_t batches[] = {1, 2, 7, 16, 64, 256};
    size_t compared = 0;
    (void)unused;
    for (int t = 0; t < 3; t++) {
        static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_Q8_0};
        const char *path =
            model(t == 1 ? "gemma3" : "llama", &(struct family_change){.type = types[t]});
        struct heard want, got;
        numerics_limit(NUMERICS_SCALAR);
        struct engine *g = load(path, (struct engine_options){.threads = 1});
        ask(g, &want, PROMPT, 0, warm());
        run(g);
        engine_free(g);
        for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++) {
            for (size_t b = 0; b < 6; b++) {
                numerics_limit((enum numerics_isa)isa);
                g = load(path, (struct engine_options){.threads = 1 + (unsigned)b % 4,
                                                       .batch = batches[b]});
                ask(g, &got, PROMPT, 0, warm());
                run(g);
                same(&want, &got);
                engine_free(g);
                compared++;
            }
        }
    }
    numerics_limit(NUMERICS_AVX512);
    print_message("%zu comparisons\n", compared);
}

/* SHA-256 over the position digests of 20 tokens; a change here is a new version of the numerics. */
static const struct golden {
    const char *family;
    enum dtype type;
    const char *hash;
} goldens[] = {
    {"llama", DTYPE_F32, "dcd7bff30627e4c34e86582d92c6c12d635b4b251031742d6ce2094e9303fd55"},
    {"llama", DTYPE_F16, "2f76d25fbb1fe20f0ffc82356bce4585d9982f852af9d9c5aa8792be474bf7d2"},
    {"llama", DTYPE_BF16, "4502beabf990acace4b303c00d32dd6a8c5603c36dddbf2438536e1063053fb4"},
    {"llama", DTYPE_Q8_0, "20929ca7dc34b42088e7ac354a232eb534bbaa591014c081fac5a425d3acbffb"},
    {"qwen2", DTYPE_F32, "73679d14841a2c022c0be50980f942382c29bf5e64f5ab57208d4d86b18266da"},
    {"qwen3", DTYPE_F32, "b2513318b7b139f617581a3571a4a05386b45bd40e8d91ffe843b3e8f0d87ecc"},
    {"gemma3", DTYPE_F32, "ab1ef15865cf0531e37ae641adb38dabdd2a54003b0c04b28c503a4c8feb3389"},
    {"gemma2", DTYPE_F32, "967aa7f01597836ec84015bb2044f4bb062d9fc1497921a4619f7af0cb386df0"},
    {"smollm3", DTYPE_F32, "8b12f8d3f19ee88cb77196d42e75fdd8240c5a5fff98a26de55f0d0cd7c959af"},
    {"granite", DTYPE_F32, "fea8417a2030601ce09afd5e2f3ce800c2b70b54e3719b9cb57b92f20ce2a035"},
    {"olmo2", DTYPE_F32, "ea777024908fac1e4a5a03ab155414e8061ee3019d638d40390aeecc0f3ab6aa"},
    {"phi3", DTYPE_F32, "9ba574f7219cd64880facea668535e8004a2c5a203fc7bb79f7db046ebdf576d"},
    {"gpt2", DTYPE_F32, "a4193fae5c09e223e95bb86f622e1f21c183db311c08ee797684276f9a1fba18"},
};

static void fixed_runs_have_the_bits_they_had(void **unused)
{
    (void)unused;
    int wrong = 0;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        const struct golden *w = &goldens[i];
        char hex[DIGEST_HEX + 1];
        struct heard h;
        struct engine *g = load(model(w->family, &(struct family_change){.type = w->type}),
                                (struct engine_options){.threads = 1});
        ask(g, &h, PROMPT, 0, warm());
        run(g);
        engine_free(g);
        if (strcmp(digest_hex(hex, &h.all), w->hash) != 0) {
            print_message("%s %s %s\n", w->family, dtype_name(w->type), hex);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void company_does_not_show(void **unused)
{
    (void)unused;
    const char *path = model("qwen3", NULL);
    struct heard alone[5], together[5];
    struct engine *g = load(path, (struct engine_options){.threads = 2});
    for (uint32_t i = 0; i < 5; i++) {
        ask(g, &alone[i], 5 + 9 * i, i, warm());
        run(g);
    }
    engine_free(g);
    g = load(path, (struct engine_options){.threads = 2, .sequences = 3, .batch = 16});
    for (uint32_t i = 0; i < 5; i++)
        ask(g, &together[i], 5 + 9 * i, i, warm());
    run(g);
    for (int i = 0; i < 5; i++)
        same(&alone[i], &together[i]);
    engine_free(g);
}

static void what_was_computed_before_is_used_and_does_not_show(void **unused)
{
    (void)unused;
    struct engine *g =
        load(model("llama", NULL), (struct engine_options){.threads = 1, .sequences = 2});
    struct heard first, again, other;
    ask(g, &first, PROMPT, 0, warm());
    run(g);
    assert_int_equal(first.result.cached, 0);
    ask(g, &again, PROMPT, 0, warm());
    ask(g, &other, PROMPT, 0, warm());
    run(g);
    assert_int_equal(again.result.cached, PROMPT - 1);
    assert_int_equal(other.result.cached, PROMPT - 1);
    same(&first, &again);
    same(&first, &other);
    engine_free(g);
}

struct given {
    struct heard heard;
    uint32_t wrong;
};

static bool hear_given(void *arg, const struct engine_token *t)
{
    struct given *v = arg;
    v->wrong += t->drawn != t->id;
    assert_true((t->margin == 0) == (t->drawn == t->id));
    return hear(&v->heard, t);
}

static void over_given(void *arg, const struct engine_result *r)
{
    over(&((struct given *)arg)->heard, r);
}

static void an_answer_is_computed_again_in_one_pass(void **unused)
{
    (void)unused;
    struct engine *g = load(model("qwen2", NULL), (struct engine_options){.threads = 2});
    struct engine_sampling s = warm();
    s.top_p = 0.8f;
    s.repetition = 1.1f;
    struct heard first;
    struct given again = {.wrong = 0};
    uint32_t ids[PROMPT], answer[LONG];
    struct err e = ERR_INIT;
    uint64_t id;
    ask_for(g, &first, PROMPT, 0, s, LONG);
    run(g);
    prompt_ids(ids, PROMPT, 0);
    memcpy(answer, first.ids, sizeof answer);
    struct engine_request r = {.tokens = ids,
                               .count = PROMPT,
                               .answer = answer,
                               .answer_count = LONG,
                               .sampling = s,
                               .token = hear_given,
                               .done = over_given,
                               .arg = &again};
    assert_true(engine_submit(g, &r, &id, &e));
    run(g);
    same(&first, &again.heard);
    assert_int_equal(again.wrong, 0);
    answer[70] = answer[70] == 5 ? 6 : 5; /* another token was claimed */
    again = (struct given){.wrong = 0};
    assert_true(engine_submit(g, &r, &id, &e));
    run(g);
    assert_true(again.wrong >= 1);
    engine_free(g);
}

static void a_request_ends_when_it_is_told_to(void **unused)
{
    (void)unused;
    struct engine *g = load(model("llama", NULL), (struct engine_options){.threads = 1});
    struct heard a, b;
    ask(g, &a, 5, 0, engine_greedy());
    a.stop_after = 3;
    run(g);
    assert_true(a.done && a.n == 3 && a.result.finish == ENGINE_CANCELLED);
    ask(g, &b, 5, 1, engine_greedy());
    engine_cancel(g, 2);
    run(g);
    assert_true(b.done && b.n == 0 && b.result.finish == ENGINE_CANCELLED);
    ask(g, &a, 5, 0, engine_greedy());
    run(g);
    assert_true(a.result.finish == ENGINE_LENGTH && a.n == ANSWER);
    engine_free(g);
}

static void an_embedding_has_length_one(void **unused)
{
    (void)unused;
    struct engine *g = load(model("llama", NULL), (struct engine_options){.threads = 1});
    struct heard h = {.n = 0};
    uint32_t ids[9];
    struct err e = ERR_INIT;
    uint64_t id;
    prompt_ids(ids, 9, 0);
    struct engine_request r = {.tokens = ids,
                               .count = 9,
                               .sampling = engine_greedy(),
                               .embed = true,
                               .done = over,
                               .arg = &h};
    assert_true(engine_submit(g, &r, &id, &e));
    run(g);
    double length = 0;
    assert_int_equal(h.result.embedding_size, 64);
    for (size_t i = 0; i < h.result.embedding_size; i++)
        length += (double)h.result.embedding[i] * (double)h.result.embedding[i];
    assert_true(fabs(length - 1.0) < 1e-5);
    engine_free(g);
}

static void the_root_is_inspects_and_a_changed_file_stops_everything(void **unused)
{
    (void)unused;
    const char *path = model("llama", NULL);
    struct engine *g = load(path, (struct engine_options){.threads = 1});
    struct model *m = NULL;
    struct facts f;
    struct scan s;
    struct identity id;
    struct err e = ERR_INIT;
    bool work;
    struct heard h;
    assert_true(model_read(&m, path, NULL, &e) && inspect_facts(&f, m, &e));
    assert_true(inspect_scan(&s, m, &(struct scan_options){.digests = true}, &e));
    assert_true(inspect_identity(&id, m, &f, &s, &e));
    assert_true(digest_eq(&id.tensor_root, &engine_info(g)->tensor_root));
    model_free(m);
    ask(g, &h, 5, 0, engine_greedy());
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fputc(0, file), 0);
    assert_int_equal(fclose(file), 0);
    assert_false(engine_step(g, &work, &e));
    assert_int_equal(e.code, ERR_CHANGED);
    assert_true(h.done && h.n == 0 && h.result.finish == ENGINE_FAILED);
    engine_free(g);
}

static void refused(const char *family, struct family_change c, enum err_code code,
                    const char *words)
{
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options o = {.threads = 1};
    assert_false(engine_load(&g, model(family, &c), &o, &e));
    assert_null(g);
    if (e.code != code || strstr(e.text, words) == NULL)
        fail_msg("%s (%s), not %s", e.text, err_name(e.code), words);
}

static void what_cannot_be_computed_is_refused_by_name(void **unused)
{
    (void)unused;
    refused("llama", (struct family_change){.poison = "blk.1.ffn_up.weight"}, ERR_FORMAT,
            "\"blk.1.ffn_up.weight\" holds weights that are not finite");
    refused("llama", (struct family_change){.poison = "blk.0.attn_norm.weight"}, ERR_FORMAT,
            "not finite");
    refused("llama", (struct family_change){.drop = "blk.2.attn_v.weight"}, ERR_FORMAT,
            "\"blk.2.attn_v.weight\" is missing");
    refused("qwen2", (struct family_change){.drop = "blk.2.attn_v.bias"}, ERR_FORMAT,
            "\"blk.2.attn_v.bias\" is missing");
    refused("llama", (struct family_change){.shrink = "blk.1.ffn_gate.weight"}, ERR_FORMAT,
            "\"blk.1.ffn_gate.weight\" is 95 x 64");
    refused("llama", (struct family_change){.layers = 7}, ERR_FORMAT,
            "declares 7, and its tensors");
    refused("llama", (struct family_change){.rope_base = 0.5f}, ERR_FORMAT, "RoPE base");
    refused("llama", (struct family_change){.rope_base = -10000}, ERR_FORMAT, "RoPE base -10000");
    refused("llama", (struct family_change){.rope_base = NAN}, ERR_FORMAT, "RoPE base nan");
    refused("gpt-oss", (struct family_change){.rope_base = 0}, ERR_UNSUPPORTED, "gpt-oss");
    refused("llama-moe", (struct family_change){.rope_base = 0}, ERR_UNSUPPORTED, "experts");
}

static void memory_and_context_are_looked_at_before(void **unused)
{
    (void)unused;
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    const char *path = model("llama", NULL);
    struct engine_options little = {.threads = 1, .memory = 1 << 10};
    assert_false(engine_load(&g, path, &little, &e));
    assert_int_equal(e.code, ERR_MEMORY);
    err_clear(&e);
    g = load(path, (struct engine_options){.threads = 1, .context = 16});
    uint32_t ids[16] = {3, 4, 5};
    uint64_t id;
    struct engine_request r = {.tokens = ids, .count = 16, .sampling = engine_greedy()};
    assert_false(engine_submit(g, &r, &id, &e));
    assert_non_null(strstr(e.text, "the context is 16"));
    err_clear(&e);
    r.count = 0;
    assert_false(engine_submit(g, &r, &id, &e));
    err_clear(&e);
    r.count = 3;
    ids[1] = FAMILY_WORDS;
    assert_false(engine_submit(g, &r, &id, &e));
    err_clear(&e);
    ids[1] = 4;
    r.sampling.top_p = NAN;
    assert_false(engine_submit(g, &r, &id, &e));
    engine_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_way_of_computing_shows),
        cmocka_unit_test(fixed_runs_have_the_bits_they_had),
        cmocka_unit_test(company_does_not_show),
        cmocka_unit_test(what_was_computed_before_is_used_and_does_not_show),
        cmocka_unit_test(an_answer_is_computed_again_in_one_pass),
        cmocka_unit_test(a_request_ends_when_it_is_told_to),
        cmocka_unit_test(an_embedding_has_length_one),
        cmocka_unit_test(the_root_is_inspects_and_a_changed_file_stops_everything),
        cmocka_unit_test(what_cannot_be_computed_is_refused_by_name),
        cmocka_unit_test(memory_and_context_are_looked_at_before),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
