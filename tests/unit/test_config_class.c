/*
 * What a config.json means that says little: every configuration class by its
 * defaults, the keys whose null is a value, and wrapped text models. The
 * expected numbers were read in transformers, not in the table under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "assay/inspect.h"
#include "support/tiny_family.h"

static struct arena *arena;
static struct model *model;

static int fresh(void **state)
{
    (void)state;
    arena = arena_new(16 << 20);
    return arena ? 0 : -1;
}

static int done(void **state)
{
    (void)state;
    model_free(model);
    model = NULL;
    arena_free(arena);
    return 0;
}

static struct architecture of_config(const char *config)
{
    struct tiny t = {.arena = arena, .naming = FORMAT_SAFETENSORS, .config = config};
    struct facts f;
    struct err e = ERR_INIT;
    model_free(model);
    model = tiny_model(&t);
    assert_non_null(model);
    assert_true(inspect_facts(&f, model, &e));
    return f.architecture;
}

static void every_class_has_the_defaults_of_transformers(void **state)
{
    static const struct {
        const char *type, *family;
        uint64_t layers, width, ffn, heads, kv, head, vocabulary, context;
        uint64_t experts, active, expert_ffn, window;
        double base;
    } expected[] = {
        {"llama", "llama", 32, 4096, 11008, 32, 32, 128, 32000, 2048, 0, 0, 0, 0, 1e4},
        {"mistral", "llama", 32, 4096, 14336, 32, 8, 128, 32000, 131072, 0, 0, 0, 4096, 1e4},
        {"mixtral", "llama", 32, 4096, 14336, 32, 8, 128, 32000, 131072, 8, 2, 14336, 0, 1e6},
        {"mistral3", "mistral3", 40, 5120, 32768, 32, 8, 128, 131072, 131072, 0, 0, 0, 0, 1e9},
        {"ministral3", "mistral3", 34, 4096, 14336, 32, 8, 128, 131072, 262144, 0, 0, 0, 0, 1e6},
        {"qwen2", "qwen2", 32, 4096, 22016, 32, 32, 128, 151936, 32768, 0, 0, 0, 0, 1e4},
        {"qwen3", "qwen3", 32, 4096, 22016, 32, 32, 128, 151936, 32768, 0, 0, 0, 0, 1e4},
        {"qwen3_moe", "qwen3moe", 24, 2048, 6144, 32, 4, 64, 151936, 32768, 128, 8, 768, 0, 1e4},
        {"gemma2", "gemma2", 26, 2304, 9216, 8, 4, 256, 256000, 8192, 0, 0, 0, 4096, 1e4},
        {"gemma3", "gemma3", 26, 2304, 9216, 8, 4, 256, 262208, 131072, 0, 0, 0, 4096, 1e6},
        {"gemma3_text", "gemma3", 26, 2304, 9216, 8, 4, 256, 262208, 131072, 0, 0, 0, 4096, 1e6},
        {"phi3", "phi3", 32, 3072, 8192, 32, 32, 96, 32064, 4096, 0, 0, 0, 0, 1e4},
        {"smollm3", "smollm3", 36, 2048, 11008, 16, 4, 128, 128256, 32768, 0, 0, 0, 0, 2e6},
        {"granite", "granite", 32, 4096, 11008, 32, 32, 128, 32000, 2048, 0, 0, 0, 0, 1e4},
        {"olmo2", "olmo2", 32, 4096, 11008, 32, 32, 128, 50304, 2048, 0, 0, 0, 0, 1e4},
        {"olmo3", "olmo2", 32, 4096, 11008, 32, 32, 128, 50304, 2048, 0, 0, 0, 4096, 5e5},
        {"gpt2", "gpt2", 12, 768, 3072, 12, 12, 64, 50257, 1024, 0, 0, 0, 0, 0},
        {"gpt_oss", "gpt-oss", 36, 2880, 2880, 64, 8, 64, 201088, 131072, 128, 4, 2880, 128, 1.5e5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct architecture a =
            of_config(arena_printf(arena, "{\"model_type\": \"%s\"}", expected[i].type));
        const uint64_t want[] = {
            expected[i].layers,  expected[i].width,  expected[i].ffn,        expected[i].heads,
            expected[i].kv,      expected[i].head,   expected[i].vocabulary, expected[i].context,
            expected[i].experts, expected[i].active, expected[i].expert_ffn, expected[i].window};
        const uint64_t got[] = {a.layers,   a.width,          a.ffn,        a.heads,
                                a.kv_heads, a.head_size,      a.vocabulary, a.context,
                                a.experts,  a.experts_active, a.expert_ffn, a.window};
        assert_string_equal(a.family, expected[i].family);
        for (size_t k = 0; k < sizeof want / sizeof want[0]; k++)
            if (want[k] != got[k])
                fail_msg("%s, figure %zu: %llu, expected %llu", expected[i].type, k,
                         (unsigned long long)got[k], (unsigned long long)want[k]);
        assert_true(a.rope.base == expected[i].base);
    }
}

static void null_is_a_value_for_heads_and_window(void **state)
{
    (void)state;
    struct architecture a = of_config("{\"model_type\": \"mistral\", \"sliding_window\": null, "
                                      "\"num_key_value_heads\": null, \"vocab_size\": null}");
    assert_int_equal(a.kv_heads, 32);
    assert_int_equal(a.window, 0);
    assert_int_equal(a.vocabulary, 32000);
    a = of_config("{\"model_type\": \"gpt_oss\", \"head_dim\": null}");
    assert_int_equal(a.head_size, 45);
}

static void rope_is_scaled_where_the_class_scales_it(void **state)
{
    (void)state;
    struct architecture a = of_config("{\"model_type\": \"gpt_oss\"}");
    assert_true(span_is(a.rope.scaling, "yarn"));
    assert_true(a.rope.factor == 32);
    assert_int_equal(a.rope.original_context, 4096);
    a = of_config("{\"model_type\": \"ministral3\", \"rope_scaling\": null}");
    assert_true(span_is(a.rope.scaling, "yarn"));
    assert_true(a.rope.factor == 16);
    assert_int_equal(a.rope.original_context, 16384);
    a = of_config(
        "{\"model_type\": \"gpt_oss\", \"rope_parameters\": {\"rope_type\": \"default\"}}");
    assert_int_equal(a.rope.scaling.n, 0);
    a = of_config("{\"model_type\": \"llama\"}");
    assert_int_equal(a.rope.scaling.n, 0);
}

static void rotated_share_is_read_in_both_places(void **state)
{
    (void)state;
    struct architecture a = of_config("{\"model_type\": \"phi3\", \"hidden_size\": 3072, "
                                      "\"num_attention_heads\": 24, "
                                      "\"partial_rotary_factor\": 0.75}");
    assert_int_equal(a.rope.dimensions, 96);
    a = of_config("{\"model_type\": \"phi3\", \"head_dim\": 64, "
                  "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}}");
    assert_int_equal(a.rope.dimensions, 32);
}

static void wrapped_text_model_without_a_type_is_the_wrappers(void **state)
{
    (void)state;
    struct architecture a = of_config("{\"model_type\": \"mistral3\", \"text_config\": {}}");
    assert_int_equal(a.layers, 32);
    assert_int_equal(a.window, 4096);
    assert_false(a.tied_known);
    a = of_config("{\"model_type\": \"gemma3\", \"text_config\": {\"num_hidden_layers\": 34}}");
    assert_int_equal(a.layers, 34);
    assert_int_equal(a.head_size, 256);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_class_has_the_defaults_of_transformers),
        T(null_is_a_value_for_heads_and_window),
        T(rope_is_scaled_where_the_class_scales_it),
        T(rotated_share_is_read_in_both_places),
        T(wrapped_text_model_without_a_type_is_the_wrappers),
    };
    return cmocka_run_group_tests_name("config_class", tests, NULL, NULL);
}
