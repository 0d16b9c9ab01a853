/* Metadata and config that contradict the tensors: every contradiction is found, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/architecture_case.h"
#include "support/documents.h"

static const struct lie {
    const char *family, *key;
    uint64_t value;
    enum rule_id rule;
    const char *tensor; /* named in the finding; NULL: none */
} lies[] = {
    {"llama", ".block_count", 4, RULE_ARCH_LAYERS, NULL},
    {"llama", ".block_count", 2, RULE_ARCH_LAYERS, NULL},
    {"llama", ".block_count", UINT64_C(1) << 40, RULE_ARCH_LAYERS, NULL},
    {"llama", ".block_count", UINT64_MAX, RULE_ARCH_LAYERS, NULL},
    {"llama", ".block_count", 0, RULE_ARCH_KEY, NULL},
    {"llama", ".embedding_length", 33, RULE_ARCH_SHAPE, "token_embd.weight"},
    {"llama", ".feed_forward_length", 57, RULE_ARCH_SHAPE, "blk.0.ffn_gate.weight"},
    {"llama", ".feed_forward_length", UINT64_MAX, RULE_ARCH_SHAPE, "blk.0.ffn_gate.weight"},
    {"llama", ".head_count", 8, RULE_ARCH_SHAPE, "blk.0.attn_q.weight"},
    {"llama", ".head_count", UINT64_MAX, RULE_ARCH_SHAPE, "blk.0.attn_q.weight"},
    {"llama", ".head_count_kv", 4, RULE_ARCH_SHAPE, "blk.0.attn_k.weight"},
    {"llama", ".head_count_kv", 3, RULE_ARCH_HEADS, NULL},
    {"llama", ".key_length", 4, RULE_ARCH_SHAPE, "blk.0.attn_q.weight"},
    {"llama", ".vocab_size", 95, RULE_ARCH_SHAPE, "token_embd.weight"},
    {"llama-moe", ".expert_count", 6, RULE_ARCH_SHAPE, "blk.0.ffn_gate_inp.weight"},
    {"llama-moe", ".expert_used_count", 6, RULE_ARCH_EXPERTS, NULL},
    {"qwen3moe", ".expert_feed_forward_length", 25, RULE_ARCH_SHAPE, "blk.0.ffn_gate_exps.weight"},
    {"gpt2", ".context_length", 64, RULE_ARCH_SHAPE, "position_embd.weight"},
    {"olmo2", ".head_count", 8, RULE_ARCH_SHAPE, "blk.0.attn_q_norm.weight"},
    {"gpt-oss", ".head_count", 8, RULE_ARCH_SHAPE, "blk.0.attn_sinks.weight"},
};

static void metadata_that_contradicts_tensors_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct tiny t;
        case_build(&t, lies[i].family, FORMAT_GGUF);
        struct metadata *k = case_key(&t, lies[i].key);
        struct metadata *at =
            strcmp(lies[i].key, ".key_length") == 0 ? case_key(&t, ".head_count") : k;
        k->value = (struct value){.type = VALUE_U64, .u = lies[i].value};
        struct model *m = case_model(&t);
        struct facts f = case_facts(m);
        const struct finding *x = case_found(m, lies[i].rule);
        assert_int_equal(x->origin.file, 0);
        assert_int_equal(x->origin.offset, at->origin.offset); /* of a product: the first */
        bool named = !lies[i].tensor;
        for (size_t n = 0; n < m->verdict.count; n++)
            named = named || strstr(m->verdict.findings[n].detail, lies[i].tensor);
        assert_true(named);
        assert_true(f.architecture.layers <= 4);
    }
}

static void config_that_contradicts_tensors_is_found(void **state)
{
    static const struct {
        const char *from, *to;
        enum rule_id rule;
    } edits[] = {
        {"\"hidden_size\": 32", "\"hidden_size\": 48", RULE_ARCH_SHAPE},
        {"\"num_hidden_layers\": 3", "\"num_hidden_layers\": 9", RULE_ARCH_LAYERS},
        {"\"intermediate_size\": 56", "\"intermediate_size\": 58", RULE_ARCH_SHAPE},
        {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 1", RULE_ARCH_SHAPE},
        {"\"vocab_size\": 96", "\"vocab_size\": 97", RULE_ARCH_SHAPE},
        {"\"vocab_size\": 96", "\"vocab_size\": -1", RULE_ARCH_KEY},
        {"\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false", RULE_ARCH_TIED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct tiny t;
        case_build(&t, "llama", FORMAT_SAFETENSORS);
        const char *at = strstr(t.config, edits[i].from);
        assert_non_null(at);
        size_t before = (size_t)(at - t.config);
        t.config = arena_printf(case_arena, "%.*s%s%s", (int)before, t.config, edits[i].to,
                                at + strlen(edits[i].from));
        struct model *m = case_model(&t);
        (void)case_facts(m);
        const struct finding *x = case_found(m, edits[i].rule);
        const char *value = strrchr(edits[i].from, ' ') + 1;
        assert_int_equal(x->origin.file, 1);
        assert_int_equal(x->origin.offset, before + (size_t)(value - edits[i].from));
    }
}

static void missing_unknown_and_needless_tensors_are_found(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    case_drop(&t, "blk.1.attn_k.");
    struct model *m = case_model(&t);
    (void)case_facts(m);
    assert_non_null(
        strstr(case_found(m, RULE_ARCH_MISSING)->detail, "layer 1 has no attention key"));

    case_build(&t, "llama", FORMAT_GGUF);
    case_drop(&t, "blk.1.");
    m = case_model(&t);
    (void)case_facts(m);
    assert_non_null(strstr(case_found(m, RULE_ARCH_GAP)->detail, "layer 1 has no tensor"));

    case_build(&t, "qwen2", FORMAT_SAFETENSORS);
    case_drop(&t, "model.layers.2.self_attn.v_proj.bias");
    m = case_model(&t);
    (void)case_facts(m);
    assert_non_null(strstr(case_found(m, RULE_ARCH_MISSING)->detail, "bias"));

    case_build(&t, "llama", FORMAT_GGUF);
    case_tensor(&t, "blk.1.ffn_norm.weight")->name = span_str("blk.1.secret.weight");
    m = case_model(&t);
    (void)case_facts(m);
    assert_non_null(strstr(case_found(m, RULE_ARCH_NAMES)->detail, "blk.1.secret.weight"));
    (void)case_found(m, RULE_ARCH_MISSING);

    case_build(&t, "qwen3", FORMAT_GGUF);
    case_key(&t, "general.architecture")->value.string = span_str("llama");
    m = case_model(&t);
    (void)case_facts(m);
    (void)case_found(m, RULE_ARCH_KEY); /* llama.block_count is absent */
    (void)case_found(m, RULE_ARCH_UNEXPECTED);
}

static void incomplete_models_are_not_accused_of_missing_tensors(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    case_drop(&t, "blk.2.");
    case_drop(&t, "blk.1.attn_k.");
    struct model *m = case_model(&t);
    m->verdict.incomplete = m->unlisted = true;
    struct facts f = case_facts(m);
    case_no_findings(m);
    assert_int_equal(f.architecture.layers, 3);
}

static void huge_layer_numbers_cost_nothing(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    case_tensor(&t, "blk.2.attn_k.weight")->name = span_str("blk.4294967294.attn_k.weight");
    case_tensor(&t, "blk.2.attn_v.weight")->name =
        span_str("blk.99999999999999999999.attn_v.weight");
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    (void)case_found(m, RULE_ARCH_GAP);
    (void)case_found(m, RULE_ARCH_NAMES);
    assert_int_equal(f.architecture.layers, 3);
}

static void token_list_is_compared_with_the_embedding(void **state)
{
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    struct metadata *k = case_key(&t, ".vocab_size");
    k->key = span_str("tokenizer.ggml.tokens");
    k->value = (struct value){.type = VALUE_ARRAY, .element = VALUE_STRING, .count = 90};
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    assert_int_equal(case_found(m, RULE_ARCH_VOCABULARY)->origin.offset, k->origin.offset);
    assert_int_equal(f.architecture.vocabulary, 96);
}

static void stored_head_that_the_config_shares_counts_once(void **state)
{
    (void)state;
    struct tiny t, u;
    struct tiny_dims d = tiny_default_dims("qwen2");
    case_build(&u, "qwen2", FORMAT_SAFETENSORS);
    d.tied = false;
    assert_true(tiny_build(&t, case_arena, "qwen2", &d, FORMAT_SAFETENSORS));
    t.config = u.config;
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    assert_non_null(strstr(case_found(m, RULE_ARCH_TIED)->detail, "lm_head.weight"));
    assert_true(f.architecture.tied);
    assert_int_equal(f.architecture.parameters.total, case_elements(&u));
}

static void key_value_heads_may_differ_by_layer(void **state)
{
    static const uint8_t heads[] = {2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
    (void)state;
    struct tiny t;
    case_build(&t, "llama", FORMAT_GGUF);
    struct value v = {.type = VALUE_ARRAY, .element = VALUE_U32, .count = 3};
    v.items = (struct span){heads, sizeof heads};
    case_key(&t, ".head_count_kv")->value = v;
    case_tensor(&t, "blk.1.attn_k.weight")->shape[0] = 8;
    case_tensor(&t, "blk.1.attn_v.weight")->shape[0] = 8;
    struct model *m = case_model(&t);
    struct facts f = case_facts(m);
    case_no_findings(m);
    assert_int_equal(f.architecture.kv_heads, 2);
    assert_int_equal(f.architecture.kv_bytes_per_1000, (2 + 1 + 2) * 8 * 2 * 2 * 1000);
    case_tensor(&t, "blk.2.attn_k.weight")->shape[0] = 8;
    m = case_model(&t);
    (void)case_facts(m);
    assert_non_null(strstr(case_found(m, RULE_ARCH_SHAPE)->detail, "blk.2.attn_k.weight"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(metadata_that_contradicts_tensors_is_found),
        T(config_that_contradicts_tensors_is_found),
        T(missing_unknown_and_needless_tensors_are_found),
        T(incomplete_models_are_not_accused_of_missing_tensors),
        T(huge_layer_numbers_cost_nothing),
        T(token_list_is_compared_with_the_embedding),
        T(stored_head_that_the_config_shares_counts_once),
        T(key_value_heads_may_differ_by_layer),
    };
    return cmocka_run_group_tests_name("architecture_lies", tests, NULL, NULL);
}
