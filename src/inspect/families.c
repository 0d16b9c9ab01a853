/*
 * The families whose tensors and rules are known: one row each, and one row
 * for each of transformers' configuration classes with what it fills in.
 * Adding a family is a row here, its names in roles.c, and a row of the tiny
 * families in tests/support.
 */
#include "inspect/architecture.h"

#include <string.h>

#define B ROLE_BIT
#define QKVO (B(ROLE_Q) | B(ROLE_K) | B(ROLE_V) | B(ROLE_O))
#define PRE (B(ROLE_ATTN_NORM) | B(ROLE_FFN_NORM))
#define POST (B(ROLE_POST_ATTN_NORM) | B(ROLE_POST_FFN_NORM))
#define QK_NORM (B(ROLE_Q_NORM) | B(ROLE_K_NORM))
#define GATED (B(ROLE_GATE) | B(ROLE_UP) | B(ROLE_DOWN))
#define EXPERTS (B(ROLE_ROUTER) | B(ROLE_EXPERT_GATE) | B(ROLE_EXPERT_UP) | B(ROLE_EXPERT_DOWN))

/* Sources: llama.cpp src/models/NAME.cpp (which tensors are created, which of
 * them may be absent) and transformers models/NAME/modeling_NAME.py. */
const struct family families[] = {
    {.name = "llama", .gguf = "llama", .layer = QKVO | PRE, .ffn = GATED, .moe = EXPERTS},
    {.name = "mistral3", .gguf = "mistral3", .layer = QKVO | PRE, .ffn = GATED, .moe = EXPERTS},
    {.name = "qwen2",
     .gguf = "qwen2",
     .layer = QKVO | PRE,
     .ffn = GATED,
     .bias = B(ROLE_Q) | B(ROLE_K) | B(ROLE_V)},
    {.name = "qwen3", .gguf = "qwen3", .layer = QKVO | PRE | QK_NORM, .ffn = GATED},
    {.name = "qwen3moe",
     .gguf = "qwen3moe",
     .layer = QKVO | PRE | QK_NORM,
     .ffn = GATED,
     .moe = EXPERTS},
    {.name = "gemma2", .gguf = "gemma2", .layer = QKVO | PRE | POST, .ffn = GATED},
    {.name = "gemma3", .gguf = "gemma3", .layer = QKVO | PRE | POST | QK_NORM, .ffn = GATED},
    {.name = "phi3", .gguf = "phi3", .traits = TRAIT_FUSED_UP, .layer = QKVO | PRE, .ffn = GATED},
    {.name = "smollm3", .gguf = "smollm3", .layer = QKVO | PRE, .ffn = GATED},
    {.name = "granite", .gguf = "granite", .layer = QKVO | PRE, .ffn = GATED},
    {.name = "olmo2",
     .gguf = "olmo2",
     .traits = TRAIT_QK_NORM_WHOLE,
     .layer = QKVO | POST | QK_NORM,
     .ffn = GATED},
    {.name = "gpt2",
     .gguf = "gpt2",
     .traits = TRAIT_CONV1D,
     .layer = QKVO | PRE,
     .ffn = B(ROLE_UP) | B(ROLE_DOWN),
     .global = B(ROLE_POSITION_EMBEDDING),
     .bias = PRE | QKVO | B(ROLE_UP) | B(ROLE_DOWN) | B(ROLE_FINAL_NORM)},
    {.name = "gpt-oss",
     .gguf = "gpt-oss",
     .traits = TRAIT_EXPERTS_IN_OUT,
     .layer = QKVO | PRE | B(ROLE_SINKS),
     .moe = EXPERTS,
     .bias = QKVO | EXPERTS},
};
const size_t family_count = sizeof families / sizeof families[0];

/*
 * transformers, models/NAME/configuration_NAME.py. A default that depends on
 * another key (head_dim = hidden_size / num_attention_heads, num_key_value_heads
 * = num_attention_heads, n_inner = 4 n_embd) is 0 here and derived in
 * architecture.c. GPT-2 has no RoPE; PretrainedConfig ties where a class says
 * nothing. docs/formats/architecture.md names the revision that was read.
 */
#define DIMS(layers, width, ffn, heads, kv, head, vocabulary, context)                             \
    [FACT_LAYERS] = (layers), [FACT_WIDTH] = (width), [FACT_FFN] = (ffn), [FACT_HEADS] = (heads),  \
    [FACT_KV_HEADS] = (kv), [FACT_HEAD_SIZE] = (head), [FACT_VOCABULARY] = (vocabulary),           \
    [FACT_CONTEXT] = (context)

static const struct config_class classes[] = {
    {"llama",
     "LlamaForCausalLM",
     "llama",
     {DIMS(32, 4096, 11008, 32, 0, 0, 32000, 2048)},
     10000,
     TIED_NO,
     false},
    {"mistral",
     "MistralForCausalLM",
     "llama",
     {DIMS(32, 4096, 14336, 32, 8, 0, 32000, 131072), [FACT_WINDOW] = 4096},
     10000,
     TIED_NO,
     false},
    {"mixtral",
     "MixtralForCausalLM",
     "llama",
     {DIMS(32, 4096, 14336, 32, 8, 0, 32000, 131072), [FACT_EXPERTS] = 8,
      [FACT_EXPERTS_ACTIVE] = 2},
     1000000,
     TIED_NO,
     false},
    /* Its text model where it names none. Whether weights are shared is left open: the
     * defaults of the wrapper and of the text model disagree. */
    {"mistral3",
     "Mistral3ForConditionalGeneration",
     "mistral3",
     {DIMS(40, 5120, 32768, 32, 8, 128, 131072, 131072)},
     1000000000,
     TIED_UNKNOWN,
     false},
    {"ministral3",
     "Ministral3ForCausalLM",
     "mistral3",
     {DIMS(34, 4096, 14336, 32, 8, 128, 131072, 262144)},
     1000000,
     TIED_NO,
     false},
    {"qwen2",
     "Qwen2ForCausalLM",
     "qwen2",
     {DIMS(32, 4096, 22016, 32, 32, 0, 151936, 32768), [FACT_WINDOW] = 4096},
     10000,
     TIED_NO,
     true},
    {"qwen3",
     "Qwen3ForCausalLM",
     "qwen3",
     {DIMS(32, 4096, 22016, 32, 32, 128, 151936, 32768), [FACT_WINDOW] = 4096},
     10000,
     TIED_NO,
     true},
    {"qwen3_moe",
     "Qwen3MoeForCausalLM",
     "qwen3moe",
     {DIMS(24, 2048, 6144, 32, 4, 0, 151936, 32768), [FACT_EXPERTS] = 128,
      [FACT_EXPERTS_ACTIVE] = 8, [FACT_EXPERT_FFN] = 768, [FACT_WINDOW] = 4096},
     10000,
     TIED_NO,
     true},
    {"gemma2",
     "Gemma2ForCausalLM",
     "gemma2",
     {DIMS(26, 2304, 9216, 8, 4, 256, 256000, 8192), [FACT_WINDOW] = 4096},
     10000,
     TIED_YES,
     false},
    {"gemma3",
     "Gemma3ForConditionalGeneration",
     "gemma3",
     {DIMS(26, 2304, 9216, 8, 4, 256, 262208, 131072), [FACT_WINDOW] = 4096},
     1000000,
     TIED_YES,
     false},
    {"gemma3_text",
     "Gemma3ForCausalLM",
     "gemma3",
     {DIMS(26, 2304, 9216, 8, 4, 256, 262208, 131072), [FACT_WINDOW] = 4096},
     1000000,
     TIED_YES,
     false},
    {"phi3",
     "Phi3ForCausalLM",
     "phi3",
     {DIMS(32, 3072, 8192, 32, 0, 0, 32064, 4096)},
     10000,
     TIED_NO,
     false},
    {"smollm3",
     "SmolLM3ForCausalLM",
     "smollm3",
     {DIMS(36, 2048, 11008, 16, 4, 0, 128256, 32768)},
     2000000,
     TIED_YES,
     true},
    {"granite",
     "GraniteForCausalLM",
     "granite",
     {DIMS(32, 4096, 11008, 32, 0, 0, 32000, 2048)},
     10000,
     TIED_NO,
     false},
    {"olmo2",
     "Olmo2ForCausalLM",
     "olmo2",
     {DIMS(32, 4096, 11008, 32, 0, 0, 50304, 2048)},
     10000,
     TIED_NO,
     false},
    {"olmo3",
     "Olmo3ForCausalLM",
     "olmo2",
     {DIMS(32, 4096, 11008, 32, 0, 0, 50304, 2048), [FACT_WINDOW] = 4096},
     500000,
     TIED_NO,
     false},
    {"gpt2",
     "GPT2LMHeadModel",
     "gpt2",
     {DIMS(12, 768, 0, 12, 0, 0, 50257, 1024)},
     0,
     TIED_YES,
     false},
    {"gpt_oss",
     "GptOssForCausalLM",
     "gpt-oss",
     {DIMS(36, 2880, 2880, 64, 8, 64, 201088, 131072), [FACT_EXPERTS] = 128,
      [FACT_EXPERTS_ACTIVE] = 4, [FACT_WINDOW] = 128},
     150000,
     TIED_NO,
     false},
};
static const size_t class_count = sizeof classes / sizeof classes[0];

const struct family *family_by_name(const char *name)
{
    for (size_t i = 0; i < family_count; i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

const struct family *family_of_gguf(struct span architecture)
{
    for (size_t i = 0; i < family_count; i++)
        if (span_is(architecture, families[i].gguf))
            return &families[i];
    return NULL;
}

const struct config_class *config_class_of(struct span model_type)
{
    for (size_t i = 0; i < class_count; i++)
        if (span_is(model_type, classes[i].model_type))
            return &classes[i];
    return NULL;
}

const struct config_class *config_class_of_architecture(struct span architecture)
{
    for (size_t i = 0; i < class_count; i++)
        if (span_is(architecture, classes[i].architecture))
            return &classes[i];
    return NULL;
}
