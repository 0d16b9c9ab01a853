/*
 * Names of tensors across containers: from Hugging Face modules to GGUF. One
 * table for blocks and one for what stands outside them; every row says what
 * converters do to the numbers on the way. Checked against the converters of
 * llama.cpp (conversion/ *.py and convert_lora_to_gguf.py); docs/formats/diff.md
 * holds the same table for people.
 */
#include "inspect/diff.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX_PASSES = 4 };

struct row {
    const char *hf; /* '*' stands for an expert's number */
    const char *gguf;
    enum name_rule rule;
    enum name_part part;
    enum name_layout layout;
};

/* Several rows of one name: alternatives in order, or, with parts, all of them. */
static const struct row blocks[] = {
    /* the skeleton shared by llama, mistral, qwen, gemma, phi3, granite, smollm3, olmo2 */
    {"input_layernorm", "attn_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.q_proj", "attn_q", NAME_HEADS_Q, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.k_proj", "attn_k", NAME_HEADS_K, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.v_proj", "attn_v", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.o_proj", "attn_output", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.q_norm", "attn_q_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.k_norm", "attn_k_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.qkv_proj", "attn_qkv", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"self_attn.sinks", "attn_sinks", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    /* after the attention (gemma2, gemma3, olmo2, gpt-oss) or before the FFN (the others) */
    {"post_attention_layernorm", "post_attention_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"post_attention_layernorm", "ffn_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"pre_feedforward_layernorm", "ffn_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"post_feedforward_layernorm", "post_ffw_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"mlp.gate_proj", "ffn_gate", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.up_proj", "ffn_up", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.down_proj", "ffn_down", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.gate_up_proj", "ffn_up", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    /* experts: mixtral, qwen, deepseek, granite */
    {"block_sparse_moe.gate", "ffn_gate_inp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"block_sparse_moe.router.layer", "ffn_gate_inp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"block_sparse_moe.experts.*.w1", "ffn_gate_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"block_sparse_moe.experts.*.w2", "ffn_down_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"block_sparse_moe.experts.*.w3", "ffn_up_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"block_sparse_moe.input_linear", "ffn_gate_exps", NAME_PLAIN, PART_FIRST_HALF, LAYOUT_ANY},
    {"block_sparse_moe.input_linear", "ffn_up_exps", NAME_PLAIN, PART_SECOND_HALF, LAYOUT_ANY},
    {"block_sparse_moe.output_linear", "ffn_down_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    /* experts in one tensor: transformers 5, gpt-oss */
    {"mlp.experts.gate_up_proj", "ffn_gate_exps", NAME_PLAIN, PART_FIRST_HALF, LAYOUT_OUT_IN},
    {"mlp.experts.gate_up_proj", "ffn_up_exps", NAME_PLAIN, PART_SECOND_HALF, LAYOUT_OUT_IN},
    {"mlp.experts.gate_up_proj", "ffn_gate_exps", NAME_TRANSPOSE, PART_EVEN, LAYOUT_IN_OUT},
    {"mlp.experts.gate_up_proj", "ffn_up_exps", NAME_TRANSPOSE, PART_ODD, LAYOUT_IN_OUT},
    {"mlp.experts.down_proj", "ffn_down_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_OUT_IN},
    {"mlp.experts.down_proj", "ffn_down_exps", NAME_TRANSPOSE, PART_WHOLE, LAYOUT_IN_OUT},
    {"mlp.gate", "ffn_gate_inp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.router", "ffn_gate_inp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.experts.*.gate_proj", "ffn_gate_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.experts.*.up_proj", "ffn_up_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.experts.*.down_proj", "ffn_down_exps", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_experts.gate_proj", "ffn_gate_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_experts.up_proj", "ffn_up_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_experts.down_proj", "ffn_down_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"shared_mlp.input_linear", "ffn_gate_shexp", NAME_PLAIN, PART_FIRST_HALF, LAYOUT_ANY},
    {"shared_mlp.input_linear", "ffn_up_shexp", NAME_PLAIN, PART_SECOND_HALF, LAYOUT_ANY},
    {"shared_mlp.output_linear", "ffn_down_shexp", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    /* the same module in a granite without experts */
    {"shared_mlp.input_linear", "ffn_gate", NAME_PLAIN, PART_FIRST_HALF, LAYOUT_ANY},
    {"shared_mlp.input_linear", "ffn_up", NAME_PLAIN, PART_SECOND_HALF, LAYOUT_ANY},
    {"shared_mlp.output_linear", "ffn_down", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    /* gpt2: Conv1D keeps [in, out] */
    {"ln_1", "attn_norm", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"ln_2", "ffn_norm", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"attn.c_attn", "attn_qkv", NAME_TRANSPOSE, PART_WHOLE, LAYOUT_ANY},
    {"attn.c_proj", "attn_output", NAME_TRANSPOSE, PART_WHOLE, LAYOUT_ANY},
    {"mlp.c_fc", "ffn_up", NAME_TRANSPOSE, PART_WHOLE, LAYOUT_ANY},
    {"mlp.c_proj", "ffn_down", NAME_TRANSPOSE, PART_WHOLE, LAYOUT_ANY},
};

static const struct row globals[] = {
    {"embed_tokens", "token_embd", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"wte", "token_embd", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"wpe", "position_embd", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"norm", "output_norm", NAME_NORM, PART_WHOLE, LAYOUT_ANY},
    {"ln_f", "output_norm", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    {"lm_head", "output", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
    /* tied: the file keeps one of the two */
    {"lm_head", "token_embd", NAME_PLAIN, PART_WHOLE, LAYOUT_ANY},
};

static const char *const prefixes[] = {
    "base_model.model.", "model.language_model.", "language_model.",
    "model.text_model.", "transformer.",          "model.",
};

static const struct suffix {
    const char *hf, *gguf;
} suffixes[] = {
    {".lora_A.default.weight", ".weight.lora_a"},
    {".lora_B.default.weight", ".weight.lora_b"},
    {".lora_A.weight", ".weight.lora_a"},
    {".lora_B.weight", ".weight.lora_b"},
    {".weight", ".weight"},
    {".bias", ".bias"},
    {"_blocks", ".weight"},
    {"_bias", ".bias"},
    {"", ".weight"}, /* a bare parameter, such as attention sinks */
};

/* LlamaModel.permute, its heirs (arcee, granite*, llama-embed, mistral3, smollm3) and those
 * that call it or a copy themselves (deepseek, minicpm, olmo); not qwen, gemma, phi3, olmo2, gpt-oss, llama4, apertus. */
static const char *const permuting[] = {
    "llama", "mistral3", "smollm3", "granite",  "granitemoe",  "granitehybrid",
    "arcee", "olmo",     "minicpm", "deepseek", "llama-embed",
};

/* Their norms multiply by 1 + weight (nemotron's weight only, not its bias); gemma3n and
 * gemma4 do not. */
static const char *const shifting[] = {"gemma", "gemma2", "gemma3", "gemma-embedding", "nemotron"};

static const char *const hf_only[] = {
    ".rotary_emb.inv_freq",
    ".attn.bias",
    ".attn.masked_bias",
    ".mlp.experts.gate_up_proj_scales", /* read together with the blocks */
    ".mlp.experts.down_proj_scales",
};

static const char *const hf_only_prefixes[] = {
    "vision_tower.",          "vision_model.",
    "multi_modal_projector.", "model.vision_tower.",
    "model.vision_model.",    "model.multi_modal_projector.",
    "model.visual.",          "visual.",
};

static const char *const gguf_only[] = {
    "rope_freqs.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool is_one_of(struct span s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(s, list[i]))
            return true;
    return false;
}

bool arch_permutes(struct span arch)
{
    return is_one_of(arch, permuting, COUNT(permuting));
}

bool arch_shifts_norms(struct span arch)
{
    return is_one_of(arch, shifting, COUNT(shifting));
}

enum name_layout arch_expert_layout(struct span arch)
{
    return span_is(arch, "gpt-oss") ? LAYOUT_IN_OUT : LAYOUT_OUT_IN;
}

bool name_explained(struct span name, bool gguf)
{
    if (gguf)
        return is_one_of(name, gguf_only, COUNT(gguf_only));
    for (size_t i = 0; i < COUNT(hf_only); i++)
        if (span_ends(name, hf_only[i]))
            return true;
    for (size_t i = 0; i < COUNT(hf_only_prefixes); i++)
        if (span_starts(name, hf_only_prefixes[i]))
            return true;
    return false;
}

static struct span skip(struct span s, size_t n)
{
    return span_sub(s, n, s.n);
}

static struct span without_prefixes(struct span s)
{
    for (int pass = 0; pass < PREFIX_PASSES; pass++) {
        size_t before = s.n;
        for (size_t i = 0; i < COUNT(prefixes) && s.n == before; i++)
            if (span_starts(s, prefixes[i]))
                s = skip(s, strlen(prefixes[i]));
        if (s.n == before)
            break;
    }
    return s;
}

/* Digits and a full stop: "12.rest". */
static bool take_number(struct span *s, uint64_t *out)
{
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    if (n == 0 || n > 9 || n == s->n || s->p[n] != '.')
        return false;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out = *out * 10 + (uint64_t)(s->p[i] - '0');
    *s = skip(*s, n + 1);
    return true;
}

static bool take_layer(struct span *s, uint64_t *layer)
{
    static const char *const lists[] = {"layers.", "h."};
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct span rest = *s;
        if (!span_starts(rest, lists[i]))
            continue;
        rest = skip(rest, strlen(lists[i]));
        if (take_number(&rest, layer)) {
            *s = rest;
            return true;
        }
    }
    return false;
}

/* Does `stem` equal the pattern, in which one '*' stands for a number? */
static bool stem_matches(struct span stem, const char *pattern, bool *has_expert, uint64_t *expert)
{
    const char *star = strchr(pattern, '*');
    *has_expert = false;
    if (!star)
        return span_is(stem, pattern);
    size_t head = (size_t)(star - pattern);
    if (stem.n <= head || memcmp(stem.p, pattern, head) != 0)
        return false;
    struct span rest = skip(stem, head);
    *has_expert = true;
    return take_number(&rest, expert) && span_is(rest, star + 2);
}

struct name {
    struct span stem;
    const struct suffix *suffix;
    bool has_layer;
    uint64_t layer;
};

static bool fill(struct candidate *c, const struct name *n, const struct row *row)
{
    *c = (struct candidate){.rule = row->rule, .part = row->part, .layout = row->layout};
    c->blocks = strcmp(n->suffix->hf, "_blocks") == 0;
    c->bias = strcmp(n->suffix->gguf, ".bias") == 0;
    if (!stem_matches(n->stem, row->hf, &c->has_expert, &c->expert))
        return false;
    c->has_layer = n->has_layer;
    c->layer = n->layer;
    if (n->has_layer)
        snprintf(c->name, sizeof c->name, "blk.%llu.%s%s", (unsigned long long)n->layer, row->gguf,
                 n->suffix->gguf);
    else
        snprintf(c->name, sizeof c->name, "%s%s", row->gguf, n->suffix->gguf);
    /* Low-rank factors: only B has the rows of the weight; A has its columns. */
    if (strcmp(n->suffix->gguf, ".weight.lora_a") == 0)
        c->rule = NAME_PLAIN;
    if (row->rule == NAME_TRANSPOSE && (strcmp(n->suffix->gguf, ".weight") != 0 || c->blocks))
        c->rule = NAME_PLAIN;
    return true;
}

size_t name_candidates(struct candidate out[NAME_CANDIDATES], struct span hf)
{
    struct name n = {.stem = without_prefixes(hf)};
    n.has_layer = take_layer(&n.stem, &n.layer);
    n.suffix = suffixes; /* the last row matches any name */
    while (!span_ends(n.stem, n.suffix->hf))
        n.suffix++;
    n.stem = span_sub(n.stem, 0, n.stem.n - strlen(n.suffix->hf));
    const struct row *rows = n.has_layer ? blocks : globals;
    size_t row_count = n.has_layer ? COUNT(blocks) : COUNT(globals), found = 0;
    for (size_t i = 0; i < row_count && found < NAME_CANDIDATES; i++)
        found += fill(&out[found], &n, &rows[i]);
    return found;
}

char name_lora(struct span name, struct span *stem)
{
    static const struct {
        const char *mark;
        char side;
    } marks[] = {
        {".lora_A.default.weight", 'A'},
        {".lora_B.default.weight", 'B'},
        {".lora_A.weight", 'A'},
        {".lora_B.weight", 'B'},
        {".lora_embedding_A", 'A'},
        {".lora_embedding_B", 'B'},
        {".lora_a", 'A'},
        {".lora_b", 'B'},
    };
    for (size_t i = 0; i < COUNT(marks); i++)
        if (span_ends(name, marks[i].mark)) {
            *stem = span_sub(name, 0, name.n - strlen(marks[i].mark));
            return marks[i].side;
        }
    return 0;
}
