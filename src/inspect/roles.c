/*
 * Tensor names to roles, for the names of GGUF (llama.cpp, tensor_mapping.py),
 * of transformers and of Meta's and Mistral's original checkpoints. A name is
 * reduced to a stem (prefix and suffix off, numbers to '#') and looked up, so
 * that 100,000 tensors cost 100,000 look-ups.
 */
#include "inspect/architecture.h"

#include <string.h>

#include "assay/base/text.h"

const struct role_info roles[ROLE_COUNT] = {
    [ROLE_UNKNOWN] = {"unknown", 0, {0}},
    [ROLE_TOKEN_EMBEDDING] = {"token embedding", 2, {DIM_VOCABULARY, DIM_WIDTH}},
    [ROLE_POSITION_EMBEDDING] = {"position embedding", 2, {DIM_POSITIONS, DIM_WIDTH}},
    [ROLE_OUTPUT] = {"output head", 2, {DIM_VOCABULARY, DIM_WIDTH}},
    [ROLE_FINAL_NORM] = {"final norm", 1, {DIM_WIDTH}},
    [ROLE_BUFFER] = {"buffer", 0, {0}},
    [ROLE_MODALITY] = {"other modality", 0, {0}},
    [ROLE_ATTN_NORM] = {"attention norm", 1, {DIM_WIDTH}},
    [ROLE_Q] = {"attention query", 2, {DIM_Q, DIM_WIDTH}},
    [ROLE_K] = {"attention key", 2, {DIM_K, DIM_WIDTH}},
    [ROLE_V] = {"attention value", 2, {DIM_V, DIM_WIDTH}},
    [ROLE_QKV] = {"fused attention query, key and value", 2, {DIM_QKV, DIM_WIDTH}},
    [ROLE_O] = {"attention output", 2, {DIM_WIDTH, DIM_O}},
    [ROLE_Q_NORM] = {"query norm", 1, {DIM_Q_NORM}},
    [ROLE_K_NORM] = {"key norm", 1, {DIM_K_NORM}},
    [ROLE_SINKS] = {"attention sinks", 1, {DIM_HEADS}},
    [ROLE_POST_ATTN_NORM] = {"norm after attention", 1, {DIM_WIDTH}},
    [ROLE_FFN_NORM] = {"feed-forward norm", 1, {DIM_WIDTH}},
    [ROLE_POST_FFN_NORM] = {"norm after feed-forward", 1, {DIM_WIDTH}},
    [ROLE_GATE] = {"feed-forward gate", 2, {DIM_FFN, DIM_WIDTH}},
    [ROLE_UP] = {"feed-forward up", 2, {DIM_FFN, DIM_WIDTH}},
    [ROLE_GATE_UP] = {"fused feed-forward gate and up", 2, {DIM_FFN2, DIM_WIDTH}},
    [ROLE_DOWN] = {"feed-forward down", 2, {DIM_WIDTH, DIM_FFN}},
    [ROLE_ROUTER] = {"expert router", 2, {DIM_EXPERTS, DIM_WIDTH}},
    [ROLE_EXPERT_GATE] = {"experts' gate", 3, {DIM_EXPERTS, DIM_EXPERT_FFN, DIM_WIDTH}},
    [ROLE_EXPERT_UP] = {"experts' up", 3, {DIM_EXPERTS, DIM_EXPERT_FFN, DIM_WIDTH}},
    [ROLE_EXPERT_GATE_UP] = {"experts' fused gate and up",
                             3,
                             {DIM_EXPERTS, DIM_EXPERT_FFN2, DIM_WIDTH}},
    [ROLE_EXPERT_DOWN] = {"experts' down", 3, {DIM_EXPERTS, DIM_WIDTH, DIM_EXPERT_FFN}},
    [ROLE_SHARED_GATE] = {"shared expert's gate", 2, {DIM_ANY, DIM_WIDTH}},
    [ROLE_SHARED_UP] = {"shared expert's up", 2, {DIM_ANY, DIM_WIDTH}},
    [ROLE_SHARED_DOWN] = {"shared expert's down", 2, {DIM_WIDTH, DIM_ANY}},
    [ROLE_SHARED_ROUTER] = {"shared expert's router", 0, {0}},
};

static const struct stem {
    const char *stem;
    enum role role;
} stems[] = {
    /* GGUF: llama.cpp, gguf-py/gguf/constants.py TENSOR_NAMES */
    {"token_embd", ROLE_TOKEN_EMBEDDING},
    {"position_embd", ROLE_POSITION_EMBEDDING},
    {"output", ROLE_OUTPUT},
    {"output_norm", ROLE_FINAL_NORM},
    {"rope_freqs", ROLE_BUFFER},
    {"rope_factors_long", ROLE_BUFFER},
    {"rope_factors_short", ROLE_BUFFER},
    {"blk.#.rope_freqs", ROLE_BUFFER},
    {"blk.#.rope_factors_long", ROLE_BUFFER},
    {"blk.#.rope_factors_short", ROLE_BUFFER},
    {"blk.#.attn_rot_embd", ROLE_BUFFER},
    {"blk.#.attn_norm", ROLE_ATTN_NORM},
    {"blk.#.attn_q", ROLE_Q},
    {"blk.#.attn_k", ROLE_K},
    {"blk.#.attn_v", ROLE_V},
    {"blk.#.attn_qkv", ROLE_QKV},
    {"blk.#.attn_output", ROLE_O},
    {"blk.#.attn_q_norm", ROLE_Q_NORM},
    {"blk.#.attn_k_norm", ROLE_K_NORM},
    {"blk.#.attn_sinks", ROLE_SINKS},
    {"blk.#.post_attention_norm", ROLE_POST_ATTN_NORM},
    {"blk.#.ffn_norm", ROLE_FFN_NORM},
    {"blk.#.post_ffw_norm", ROLE_POST_FFN_NORM},
    {"blk.#.ffn_gate", ROLE_GATE},
    {"blk.#.ffn_up", ROLE_UP},
    {"blk.#.ffn_down", ROLE_DOWN},
    {"blk.#.ffn_gate_inp", ROLE_ROUTER},
    {"blk.#.ffn_gate_exps", ROLE_EXPERT_GATE},
    {"blk.#.ffn_up_exps", ROLE_EXPERT_UP},
    {"blk.#.ffn_gate_up_exps", ROLE_EXPERT_GATE_UP},
    {"blk.#.ffn_down_exps", ROLE_EXPERT_DOWN},
    {"blk.#.ffn_gate.#", ROLE_EXPERT_GATE}, /* before experts were stacked */
    {"blk.#.ffn_up.#", ROLE_EXPERT_UP},
    {"blk.#.ffn_down.#", ROLE_EXPERT_DOWN},
    {"blk.#.ffn_gate_shexp", ROLE_SHARED_GATE},
    {"blk.#.ffn_up_shexp", ROLE_SHARED_UP},
    {"blk.#.ffn_down_shexp", ROLE_SHARED_DOWN},
    {"blk.#.ffn_gate_inp_shexp", ROLE_SHARED_ROUTER},
    /* transformers */
    {"embed_tokens", ROLE_TOKEN_EMBEDDING},
    {"lm_head", ROLE_OUTPUT},
    {"norm", ROLE_FINAL_NORM},
    {"rotary_emb.inv_freq", ROLE_BUFFER},
    {"layers.#.self_attn.rotary_emb.inv_freq", ROLE_BUFFER},
    {"layers.#.input_layernorm", ROLE_ATTN_NORM},
    {"layers.#.self_attn.q_proj", ROLE_Q},
    {"layers.#.self_attn.k_proj", ROLE_K},
    {"layers.#.self_attn.v_proj", ROLE_V},
    {"layers.#.self_attn.qkv_proj", ROLE_QKV},
    {"layers.#.self_attn.o_proj", ROLE_O},
    {"layers.#.self_attn.q_norm", ROLE_Q_NORM},
    {"layers.#.self_attn.k_norm", ROLE_K_NORM},
    {"layers.#.self_attn.sinks", ROLE_SINKS},
    {"layers.#.post_attention_layernorm", ROLE_POST_ATTN_NORM}, /* see study_tensors */
    {"layers.#.pre_feedforward_layernorm", ROLE_FFN_NORM},
    {"layers.#.post_feedforward_layernorm", ROLE_POST_FFN_NORM},
    {"layers.#.mlp.gate_proj", ROLE_GATE},
    {"layers.#.mlp.up_proj", ROLE_UP},
    {"layers.#.mlp.gate_up_proj", ROLE_GATE_UP},
    {"layers.#.mlp.down_proj", ROLE_DOWN},
    {"layers.#.mlp.gate", ROLE_ROUTER},
    {"layers.#.mlp.router", ROLE_ROUTER},
    {"layers.#.mlp.experts.#.gate_proj", ROLE_EXPERT_GATE},
    {"layers.#.mlp.experts.#.up_proj", ROLE_EXPERT_UP},
    {"layers.#.mlp.experts.#.down_proj", ROLE_EXPERT_DOWN},
    {"layers.#.mlp.experts.gate_up_proj", ROLE_EXPERT_GATE_UP},
    {"layers.#.mlp.experts.down_proj", ROLE_EXPERT_DOWN},
    {"layers.#.mlp.shared_expert.gate_proj", ROLE_SHARED_GATE},
    {"layers.#.mlp.shared_expert.up_proj", ROLE_SHARED_UP},
    {"layers.#.mlp.shared_expert.down_proj", ROLE_SHARED_DOWN},
    {"layers.#.mlp.shared_experts.gate_proj", ROLE_SHARED_GATE},
    {"layers.#.mlp.shared_experts.up_proj", ROLE_SHARED_UP},
    {"layers.#.mlp.shared_experts.down_proj", ROLE_SHARED_DOWN},
    {"layers.#.mlp.shared_expert_gate", ROLE_SHARED_ROUTER},
    {"layers.#.block_sparse_moe.gate", ROLE_ROUTER},
    {"layers.#.block_sparse_moe.experts.#.w1", ROLE_EXPERT_GATE},
    {"layers.#.block_sparse_moe.experts.#.w3", ROLE_EXPERT_UP},
    {"layers.#.block_sparse_moe.experts.#.w2", ROLE_EXPERT_DOWN},
    {"wte", ROLE_TOKEN_EMBEDDING},
    {"wpe", ROLE_POSITION_EMBEDDING},
    {"ln_f", ROLE_FINAL_NORM},
    {"h.#.ln_1", ROLE_ATTN_NORM},
    {"h.#.attn.c_attn", ROLE_QKV},
    {"h.#.attn.c_proj", ROLE_O},
    {"h.#.attn", ROLE_BUFFER}, /* h.0.attn.bias: the causal mask */
    {"h.#.attn.masked_bias", ROLE_BUFFER},
    {"h.#.ln_2", ROLE_FFN_NORM},
    {"h.#.mlp.c_fc", ROLE_UP},
    {"h.#.mlp.c_proj", ROLE_DOWN},
    /* Meta's and Mistral's own checkpoints */
    {"tok_embeddings", ROLE_TOKEN_EMBEDDING},
    {"rope.freqs", ROLE_BUFFER},
    {"layers.#.attention_norm", ROLE_ATTN_NORM},
    {"layers.#.attention.wq", ROLE_Q},
    {"layers.#.attention.wk", ROLE_K},
    {"layers.#.attention.wv", ROLE_V},
    {"layers.#.attention.wo", ROLE_O},
    {"layers.#.ffn_norm", ROLE_FFN_NORM},
    {"layers.#.feed_forward.w1", ROLE_GATE},
    {"layers.#.feed_forward.w3", ROLE_UP},
    {"layers.#.feed_forward.w2", ROLE_DOWN},
};

/* A constant text that knows its length. */
struct word {
    const char *text;
    size_t n;
};

#define WORD(s)                                                                                    \
    {                                                                                              \
        s, sizeof s - 1                                                                            \
    }

/* Wrappers that say nothing about the role; taken off as often as they stand there. */
static const struct word prefixes[] = {WORD("base_model."), WORD("language_model."),
                                       WORD("model."),      WORD("transformer."),
                                       WORD("text_model."), WORD("_orig_mod.")};

/* Parts of multimodal models outside the language model. */
static const struct word modalities[] = {WORD("vision_tower."), WORD("vision_model."),
                                         WORD("visual."),       WORD("multi_modal_projector."),
                                         WORD("audio_tower."),  WORD("embed_vision."),
                                         WORD("embed_audio."),  WORD("vision_embed."),
                                         WORD("patch_merger."), WORD("v."),
                                         WORD("mm."),           WORD("a."),
                                         WORD("resampler.")};

/* The longest match must come first. */
static const struct suffix {
    struct word word;
    enum part part;
} suffixes[] = {
    {WORD(".lora_A.default.weight"), PART_LORA_A},
    {WORD(".lora_B.default.weight"), PART_LORA_B},
    {WORD(".lora_A.weight"), PART_LORA_A},
    {WORD(".lora_B.weight"), PART_LORA_B},
    {WORD(".lora_embedding_A"), PART_LORA_A},
    {WORD(".lora_embedding_B"), PART_LORA_B},
    {WORD(".weight.lora_a"), PART_LORA_A}, /* GGUF adapters */
    {WORD(".weight.lora_b"), PART_LORA_B},
    {WORD(".weight.absmax"), PART_AUX}, /* bitsandbytes */
    {WORD(".weight.quant_map"), PART_AUX},
    {WORD(".weight.nested_absmax"), PART_AUX},
    {WORD(".weight.nested_quant_map"), PART_AUX},
    {WORD(".weight.quant_state.bitsandbytes__nf4"), PART_AUX},
    {WORD(".weight.quant_state.bitsandbytes__fp4"), PART_AUX},
    {WORD(".weight_format"), PART_AUX},
    {WORD(".SCB"), PART_AUX},
    {WORD(".weight_scale_inv"), PART_AUX}, /* FP8 */
    {WORD(".weight_scale"), PART_AUX},
    {WORD(".weight_scale_2"), PART_AUX},
    {WORD(".weight_global_scale"), PART_AUX},
    {WORD(".input_scale"), PART_AUX},
    {WORD(".input_global_scale"), PART_AUX},
    {WORD(".output_scale"), PART_AUX},
    {WORD(".k_scale"), PART_AUX},
    {WORD(".v_scale"), PART_AUX},
    {WORD(".activation_scale"), PART_AUX},
    {WORD(".scale"), PART_AUX},        /* GGUF, per tensor, with NVFP4 and the like */
    {WORD(".weight_shape"), PART_AUX}, /* compressed-tensors */
    {WORD(".weight_zero_point"), PART_AUX},
    {WORD(".weight_g_idx"), PART_AUX},
    {WORD(".weight_packed"), PART_PACKED},
    {WORD(".qweight"), PART_PACKED}, /* GPTQ and AWQ */
    {WORD(".qzeros"), PART_AUX},
    {WORD(".scales"), PART_AUX},
    {WORD(".g_idx"), PART_AUX},
    {WORD("_proj_blocks"), PART_PACKED}, /* gpt-oss: MXFP4 in U8 */
    {WORD("_proj_scales"), PART_AUX},
    {WORD("_proj_bias"), PART_BIAS},
    {WORD(".weight"), PART_WEIGHT},
    {WORD(".bias"), PART_BIAS},
};

bool role_map_init(struct role_map *r, struct arena *a)
{
    size_t n = sizeof stems / sizeof stems[0];
    if (!map_init(&r->map, a, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t previous;
        if (!map_put(&r->map, span_str(stems[i].stem), (uint32_t)i, &previous))
            return false;
    }
    return true;
}

static bool begins(struct span s, const struct word *w)
{
    return s.n >= w->n && memcmp(s.p, w->text, w->n) == 0;
}

static bool ends(struct span s, const struct word *w)
{
    return s.n >= w->n && s.p[s.n - 2] == (uint8_t)w->text[w->n - 2] &&
           memcmp(s.p + s.n - w->n, w->text, w->n) == 0;
}

static bool is_modality(struct span s)
{
    for (size_t i = 0; i < sizeof modalities / sizeof modalities[0]; i++)
        if (begins(s, &modalities[i]))
            return true;
    return false;
}

static struct span without_prefixes(struct span s)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
            if (begins(s, &prefixes[i])) {
                s = span_sub(s, prefixes[i].n, s.n - prefixes[i].n);
                again = true;
            }
    }
    return s;
}

/* Takes the suffix off; "_proj_" stays with the stem. */
static struct span without_suffix(struct span s, enum part *part)
{
    *part = PART_WEIGHT;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends(s, &suffixes[i].word)) {
            const struct word *w = &suffixes[i].word;
            *part = suffixes[i].part;
            size_t keep = w->text[0] == '_' ? strlen("_proj") : 0;
            return span_sub(s, 0, s.n - w->n + keep);
        }
    return s;
}

static bool number(struct span s, uint32_t *out)
{
    uint64_t v;
    if (!text_u64(s, &v) || v >= NO_INDEX)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* Components that are numbers become '#': the first is the layer, the second the expert. */
static size_t stem_of(struct span s, uint8_t out[ARCH_MAX_NAME], struct place *p)
{
    size_t n = 0;
    unsigned numbers = 0;
    for (size_t at = 0; at <= s.n;) {
        size_t end = at;
        while (end < s.n && s.p[end] != '.')
            end++;
        struct span part = span_sub(s, at, end - at);
        uint32_t v;
        if (at > 0)
            out[n++] = '.';
        if (number(part, &v)) {
            if (numbers++ == 0)
                p->layer = v;
            else
                p->expert = v;
            out[n++] = '#';
        } else if (part.n) {
            memcpy(out + n, part.p, part.n);
            n += part.n;
        }
        at = end + 1;
    }
    return n;
}

struct place role_of(const struct role_map *r, struct span name)
{
    struct place p = {ROLE_UNKNOWN, PART_WEIGHT, false, NO_INDEX, NO_INDEX};
    uint8_t stem[ARCH_MAX_NAME];
    if (name.n >= ARCH_MAX_NAME)
        return p;
    struct span s = without_prefixes(name);
    enum part part;
    bool modality = is_modality(s);
    s = without_suffix(s, &part);
    p.part = (uint8_t)part;
    size_t n = stem_of(s, stem, &p);
    if (modality) {
        p.role = ROLE_MODALITY;
        return p;
    }
    uint32_t i = map_get(&r->map, (struct span){stem, n});
    if (i != MAP_NONE)
        p.role = (uint8_t)stems[i].role;
    if (p.role < ROLE_LAYER && p.role != ROLE_UNKNOWN)
        p.layer = NO_INDEX;
    return p;
}

const char *shown(char out[ARCH_MAX_NAME], struct span s)
{
    return text_shown(out, ARCH_MAX_NAME, s);
}
