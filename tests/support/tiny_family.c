/* Families as a table of tensors: name in GGUF, name in transformers, shape. */
#include "support/tiny_family.h"

#include <stdio.h>
#include <string.h>

#include "assay/dtype.h"

/* What sets the families apart. */
enum feature {
    ALWAYS = 0,
    UNTIED = 1 << 0,
    PRE = 1 << 1,   /* norms before attention and feed-forward */
    POST = 1 << 2,  /* norms after them */
    SPLIT = 1 << 3, /* q, k and v apart */
    FUSED = 1 << 4, /* phi3: qkv and gate_up */
    QKV_BIAS = 1 << 5,
    QK_HEAD = 1 << 6,  /* norm of each head */
    QK_WHOLE = 1 << 7, /* norm of all heads together */
    DENSE = 1 << 8,
    MIXTRAL = 1 << 9,
    QWEN_MOE = 1 << 10,
    GPT2 = 1 << 11,
    GPT_OSS = 1 << 12,
    POST_ONLY = 1 << 13 /* olmo2 */
};

enum size { END, W, Q, K, QKV, F, F2, V, P, H, HD, E, X, X2 };

/* Where Hugging Face stores it otherwise. */
enum how { SAME, TURNED, EACH, TURNED_EXPERTS };

static const struct row {
    unsigned need;
    const char *gguf, *hf;
    enum size shape[3];
    enum how how;
} rows[] = {
    {ALWAYS, "token_embd.weight", "model.embed_tokens.weight", {V, W}, SAME},
    {UNTIED, "output.weight", "lm_head.weight", {V, W}, SAME},
    {ALWAYS, "output_norm.weight", "model.norm.weight", {W}, SAME},
    {PRE, "blk.%u.attn_norm.weight", "model.layers.%u.input_layernorm.weight", {W}, SAME},
    {SPLIT, "blk.%u.attn_q.weight", "model.layers.%u.self_attn.q_proj.weight", {Q, W}, SAME},
    {SPLIT, "blk.%u.attn_k.weight", "model.layers.%u.self_attn.k_proj.weight", {K, W}, SAME},
    {SPLIT, "blk.%u.attn_v.weight", "model.layers.%u.self_attn.v_proj.weight", {K, W}, SAME},
    {QKV_BIAS, "blk.%u.attn_q.bias", "model.layers.%u.self_attn.q_proj.bias", {Q}, SAME},
    {QKV_BIAS, "blk.%u.attn_k.bias", "model.layers.%u.self_attn.k_proj.bias", {K}, SAME},
    {QKV_BIAS, "blk.%u.attn_v.bias", "model.layers.%u.self_attn.v_proj.bias", {K}, SAME},
    {FUSED, "blk.%u.attn_qkv.weight", "model.layers.%u.self_attn.qkv_proj.weight", {QKV, W}, SAME},
    {SPLIT | FUSED,
     "blk.%u.attn_output.weight",
     "model.layers.%u.self_attn.o_proj.weight",
     {W, Q},
     SAME},
    {QK_HEAD, "blk.%u.attn_q_norm.weight", "model.layers.%u.self_attn.q_norm.weight", {HD}, SAME},
    {QK_HEAD, "blk.%u.attn_k_norm.weight", "model.layers.%u.self_attn.k_norm.weight", {HD}, SAME},
    {QK_WHOLE, "blk.%u.attn_q_norm.weight", "model.layers.%u.self_attn.q_norm.weight", {Q}, SAME},
    {QK_WHOLE, "blk.%u.attn_k_norm.weight", "model.layers.%u.self_attn.k_norm.weight", {K}, SAME},
    {POST | POST_ONLY,
     "blk.%u.post_attention_norm.weight",
     "model.layers.%u.post_attention_layernorm.weight",
     {W},
     SAME},
    {POST, "blk.%u.ffn_norm.weight", "model.layers.%u.pre_feedforward_layernorm.weight", {W}, SAME},
    {POST | POST_ONLY,
     "blk.%u.post_ffw_norm.weight",
     "model.layers.%u.post_feedforward_layernorm.weight",
     {W},
     SAME},
    {DENSE, "blk.%u.ffn_gate.weight", "model.layers.%u.mlp.gate_proj.weight", {F, W}, SAME},
    {DENSE, "blk.%u.ffn_up.weight", "model.layers.%u.mlp.up_proj.weight", {F, W}, SAME},
    {DENSE | FUSED, "blk.%u.ffn_down.weight", "model.layers.%u.mlp.down_proj.weight", {W, F}, SAME},
    {FUSED, "blk.%u.ffn_up.weight", "model.layers.%u.mlp.gate_up_proj.weight", {F2, W}, SAME},
    {MIXTRAL,
     "blk.%u.ffn_gate_inp.weight",
     "model.layers.%u.block_sparse_moe.gate.weight",
     {E, W},
     SAME},
    {MIXTRAL,
     "blk.%u.ffn_gate_exps.weight",
     "model.layers.%u.block_sparse_moe.experts.%u.w1.weight",
     {E, X, W},
     EACH},
    {MIXTRAL,
     "blk.%u.ffn_up_exps.weight",
     "model.layers.%u.block_sparse_moe.experts.%u.w3.weight",
     {E, X, W},
     EACH},
    {MIXTRAL,
     "blk.%u.ffn_down_exps.weight",
     "model.layers.%u.block_sparse_moe.experts.%u.w2.weight",
     {E, W, X},
     EACH},
    {QWEN_MOE, "blk.%u.ffn_gate_inp.weight", "model.layers.%u.mlp.gate.weight", {E, W}, SAME},
    {QWEN_MOE,
     "blk.%u.ffn_gate_exps.weight",
     "model.layers.%u.mlp.experts.%u.gate_proj.weight",
     {E, X, W},
     EACH},
    {QWEN_MOE,
     "blk.%u.ffn_up_exps.weight",
     "model.layers.%u.mlp.experts.%u.up_proj.weight",
     {E, X, W},
     EACH},
    {QWEN_MOE,
     "blk.%u.ffn_down_exps.weight",
     "model.layers.%u.mlp.experts.%u.down_proj.weight",
     {E, W, X},
     EACH},
    {GPT_OSS, "blk.%u.attn_output.bias", "model.layers.%u.self_attn.o_proj.bias", {W}, SAME},
    {GPT_OSS, "blk.%u.attn_sinks.weight", "model.layers.%u.self_attn.sinks", {H}, SAME},
    {GPT_OSS, "blk.%u.ffn_gate_inp.weight", "model.layers.%u.mlp.router.weight", {E, W}, SAME},
    {GPT_OSS, "blk.%u.ffn_gate_inp.bias", "model.layers.%u.mlp.router.bias", {E}, SAME},
    {GPT_OSS, NULL, "model.layers.%u.mlp.experts.gate_up_proj", {E, W, X2}, SAME},
    {GPT_OSS, NULL, "model.layers.%u.mlp.experts.gate_up_proj_bias", {E, X2}, SAME},
    {GPT_OSS, "blk.%u.ffn_gate_exps.weight", NULL, {E, X, W}, SAME},
    {GPT_OSS, "blk.%u.ffn_gate_exps.bias", NULL, {E, X}, SAME},
    {GPT_OSS, "blk.%u.ffn_up_exps.weight", NULL, {E, X, W}, SAME},
    {GPT_OSS, "blk.%u.ffn_up_exps.bias", NULL, {E, X}, SAME},
    {GPT_OSS,
     "blk.%u.ffn_down_exps.weight",
     "model.layers.%u.mlp.experts.down_proj",
     {E, W, X},
     TURNED_EXPERTS},
    {GPT_OSS,
     "blk.%u.ffn_down_exps.bias",
     "model.layers.%u.mlp.experts.down_proj_bias",
     {E, W},
     SAME},
    /* the second norm has its own name in gpt-oss's GGUF */
    {GPT_OSS,
     "blk.%u.post_attention_norm.weight",
     "model.layers.%u.post_attention_layernorm.weight",
     {W},
     SAME},
    {PRE, "blk.%u.ffn_norm.weight", "model.layers.%u.post_attention_layernorm.weight", {W}, SAME},
    {GPT2, "token_embd.weight", "transformer.wte.weight", {V, W}, SAME},
    {GPT2, "position_embd.weight", "transformer.wpe.weight", {P, W}, SAME},
    {GPT2, "output_norm.weight", "transformer.ln_f.weight", {W}, SAME},
    {GPT2, "output_norm.bias", "transformer.ln_f.bias", {W}, SAME},
    {GPT2, "blk.%u.attn_norm.weight", "transformer.h.%u.ln_1.weight", {W}, SAME},
    {GPT2, "blk.%u.attn_norm.bias", "transformer.h.%u.ln_1.bias", {W}, SAME},
    {GPT2, "blk.%u.attn_qkv.weight", "transformer.h.%u.attn.c_attn.weight", {QKV, W}, TURNED},
    {GPT2, "blk.%u.attn_qkv.bias", "transformer.h.%u.attn.c_attn.bias", {QKV}, SAME},
    {GPT2, "blk.%u.attn_output.weight", "transformer.h.%u.attn.c_proj.weight", {W, Q}, TURNED},
    {GPT2, "blk.%u.attn_output.bias", "transformer.h.%u.attn.c_proj.bias", {W}, SAME},
    {GPT2, "blk.%u.ffn_norm.weight", "transformer.h.%u.ln_2.weight", {W}, SAME},
    {GPT2, "blk.%u.ffn_norm.bias", "transformer.h.%u.ln_2.bias", {W}, SAME},
    {GPT2, "blk.%u.ffn_up.weight", "transformer.h.%u.mlp.c_fc.weight", {F, W}, TURNED},
    {GPT2, "blk.%u.ffn_up.bias", "transformer.h.%u.mlp.c_fc.bias", {F}, SAME},
    {GPT2, "blk.%u.ffn_down.weight", "transformer.h.%u.mlp.c_proj.weight", {W, F}, TURNED},
    {GPT2, "blk.%u.ffn_down.bias", "transformer.h.%u.mlp.c_proj.bias", {W}, SAME},
};

static const struct kind {
    const char *family, *gguf, *model_type;
    unsigned features;
    bool tied;
} kinds[] = {
    {"llama", "llama", "llama", PRE | SPLIT | DENSE, true},
    {"llama-moe", "llama", "mixtral", PRE | SPLIT | MIXTRAL, false},
    {"mistral3", "mistral3", "ministral3", PRE | SPLIT | DENSE, false},
    {"qwen2", "qwen2", "qwen2", PRE | SPLIT | DENSE | QKV_BIAS, true},
    {"qwen3", "qwen3", "qwen3", PRE | SPLIT | DENSE | QK_HEAD, true},
    {"qwen3moe", "qwen3moe", "qwen3_moe", PRE | SPLIT | QWEN_MOE | QK_HEAD, false},
    {"gemma2", "gemma2", "gemma2", PRE | POST | SPLIT | DENSE, true},
    {"gemma3", "gemma3", "gemma3_text", PRE | POST | SPLIT | DENSE | QK_HEAD, true},
    {"phi3", "phi3", "phi3", PRE | FUSED, false},
    {"smollm3", "smollm3", "smollm3", PRE | SPLIT | DENSE, true},
    {"granite", "granite", "granite", PRE | SPLIT | DENSE, true},
    {"olmo2", "olmo2", "olmo2", POST_ONLY | SPLIT | DENSE | QK_WHOLE, false},
    {"gpt2", "gpt2", "gpt2", GPT2, true},
    {"gpt-oss", "gpt-oss", "gpt_oss", PRE | SPLIT | QKV_BIAS | GPT_OSS, false},
};

const char *const tiny_families[] = {"llama",    "llama-moe", "mistral3", "qwen2",   "qwen3",
                                     "qwen3moe", "gemma2",    "gemma3",   "phi3",    "smollm3",
                                     "granite",  "olmo2",     "gpt2",     "gpt-oss", NULL};

static const struct kind *kind_of(const char *family)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].family, family) == 0)
            return &kinds[i];
    return NULL;
}

const char *tiny_name(const char *family)
{
    const struct kind *k = kind_of(family);
    return k ? k->gguf : NULL;
}

struct tiny_dims tiny_default_dims(const char *family)
{
    const struct kind *k = kind_of(family);
    struct tiny_dims d = {.layers = 3,
                          .width = 32,
                          .ffn = 56,
                          .heads = 4,
                          .kv_heads = 2,
                          .head_size = 8,
                          .vocabulary = 96,
                          .context = 128};
    if (!k)
        return d;
    d.tied = k->tied;
    if (k->features & (QK_HEAD | POST | GPT_OSS))
        d.head_size = 12; /* not width / heads */
    if (k->features & GPT2)
        d.kv_heads = d.heads;
    if (k->features & (MIXTRAL | QWEN_MOE | GPT_OSS)) {
        d.experts = 5;
        d.experts_active = 2;
        d.expert_ffn = k->features & QWEN_MOE ? 24 : d.ffn;
    }
    return d;
}

static uint64_t size_of(const struct tiny_dims *d, enum size s)
{
    const uint64_t sizes[] = {[END] = 0,
                              [W] = d->width,
                              [Q] = d->heads * d->head_size,
                              [K] = d->kv_heads * d->head_size,
                              [QKV] = (d->heads + 2 * d->kv_heads) * d->head_size,
                              [F] = d->ffn,
                              [F2] = 2 * d->ffn,
                              [V] = d->vocabulary,
                              [P] = d->context,
                              [H] = d->heads,
                              [HD] = d->head_size,
                              [E] = d->experts,
                              [X] = d->expert_ffn,
                              [X2] = 2 * d->expert_ffn};
    return sizes[s];
}

static bool add_tensor(struct tiny *t, const char *name, const uint64_t *shape, uint32_t rank)
{
    struct tensor *all =
        arena_grow(t->arena, t->tensors, t->tensor_count, &t->tensor_cap, sizeof *all);
    if (!all || !name)
        return false;
    t->tensors = all;
    struct tensor *x = &all[t->tensor_count++];
    *x = (struct tensor){.name = span_str(name), .dtype = DTYPE_F32, .rank = rank, .elements = 1};
    for (uint32_t i = 0; i < rank; i++) {
        x->shape[i] = shape[i];
        x->elements *= shape[i];
    }
    x->data.length = 4 * x->elements;
    return true;
}

/* Names come from the table above, so a format that is no literal is meant. */
static const char *name_of(struct tiny *t, const char *pattern, unsigned layer, unsigned expert)
{
    char out[160];
    size_t n = 0;
    unsigned number = layer;
    for (const char *p = pattern; *p && n < sizeof out - 12; p++) {
        if (p[0] == '%' && p[1] == 'u') {
            n += (size_t)snprintf(out + n, sizeof out - n, "%u", number);
            number = expert;
            p++;
        } else {
            out[n++] = *p;
        }
    }
    return arena_str(t->arena, (struct span){(const uint8_t *)out, n});
}

static bool add_row(struct tiny *t, const struct row *r, unsigned layer)
{
    bool gguf = t->naming == FORMAT_GGUF;
    const char *pattern = gguf ? r->gguf : r->hf;
    uint64_t shape[3];
    uint32_t rank = 0;
    if (!pattern)
        return true;
    while (rank < 3 && r->shape[rank] != END) {
        shape[rank] = size_of(&t->dims, r->shape[rank]);
        rank++;
    }
    if (!gguf && (r->how == TURNED || r->how == TURNED_EXPERTS)) {
        uint64_t last = shape[rank - 1];
        shape[rank - 1] = shape[rank - 2];
        shape[rank - 2] = last;
    }
    if (gguf || r->how != EACH)
        return add_tensor(t, name_of(t, pattern, layer, 0), shape, rank);
    for (unsigned e = 0; e < t->dims.experts; e++)
        if (!add_tensor(t, name_of(t, pattern, layer, e), shape + 1, rank - 1))
            return false;
    return true;
}

/* The one norm that gpt-oss and the gemmas name their own way. */
static bool wanted(const struct row *r, unsigned features)
{
    bool gpt2_row = (r->need & GPT2) != 0;
    if (gpt2_row != ((features & GPT2) != 0))
        return false;
    if ((features & (POST | GPT_OSS)) && r->need == PRE && r->gguf &&
        strcmp(r->gguf, "blk.%u.ffn_norm.weight") == 0)
        return false;
    return r->need == ALWAYS || (r->need & features);
}

static bool build_tensors(struct tiny *t, const struct kind *k)
{
    unsigned features = k->features | (t->dims.tied ? 0 : UNTIED);
    size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n; i++)
        if (wanted(&rows[i], features) && rows[i].hf && !strstr(rows[i].hf, "%u") &&
            !add_row(t, &rows[i], 0))
            return false;
    for (unsigned l = 0; l < t->dims.layers; l++)
        for (size_t i = 0; i < n; i++) {
            const char *any = rows[i].hf ? rows[i].hf : rows[i].gguf;
            if (wanted(&rows[i], features) && strstr(any, "%u") && !add_row(t, &rows[i], l))
                return false;
        }
    return true;
}

static bool add_metadata(struct tiny *t, const char *prefix, const char *key, struct value v)
{
    struct metadata *all =
        arena_grow(t->arena, t->metadata, t->metadata_count, &t->metadata_cap, sizeof *all);
    char *name = arena_printf(t->arena, "%s.%s", prefix, key);
    if (!all || !name)
        return false;
    t->metadata = all;
    all[t->metadata_count] =
        (struct metadata){span_str(name), v, {0, 64 + 32 * (uint64_t)t->metadata_count, 32}};
    t->metadata_count++;
    return true;
}

static bool add_u32(struct tiny *t, const char *prefix, const char *key, uint64_t v)
{
    return add_metadata(t, prefix, key, (struct value){.type = VALUE_U32, .u = v});
}

static bool build_metadata(struct tiny *t, const struct kind *k)
{
    const struct tiny_dims *d = &t->dims;
    const char *p = k->gguf;
    struct value name = {.type = VALUE_STRING, .string = span_str(p)};
    struct value base = {.type = VALUE_F32, .f = 10000};
    bool moe = d->experts > 0;
    return add_metadata(t, "general", "architecture", name) &&
           add_u32(t, p, "block_count", d->layers) && add_u32(t, p, "context_length", d->context) &&
           add_u32(t, p, "embedding_length", d->width) &&
           add_u32(t, p, "feed_forward_length", d->ffn) &&
           add_u32(t, p, "attention.head_count", d->heads) &&
           (k->features & GPT2 ? true
                               : add_u32(t, p, "attention.head_count_kv", d->kv_heads) &&
                                     add_u32(t, p, "attention.key_length", d->head_size) &&
                                     add_u32(t, p, "attention.value_length", d->head_size) &&
                                     add_metadata(t, p, "rope.freq_base", base)) &&
           (!moe || (add_u32(t, p, "expert_count", d->experts) &&
                     add_u32(t, p, "expert_used_count", d->experts_active))) &&
           (!moe || k->features & MIXTRAL ||
            add_u32(t, p, "expert_feed_forward_length", d->expert_ffn)) &&
           add_u32(t, p, "vocab_size", d->vocabulary);
}

#define LL(x) ((unsigned long long)(x))

static const char *build_config(struct tiny *t, const struct kind *k)
{
    const struct tiny_dims *d = &t->dims;
    const char *experts = "";
    if (k->features & GPT2)
        return arena_printf(t->arena,
                            "{\"model_type\": \"gpt2\", \"n_layer\": %llu, \"n_embd\": %llu, "
                            "\"n_head\": %llu, \"n_inner\": %llu, \"n_positions\": %llu, "
                            "\"vocab_size\": %llu}",
                            LL(d->layers), LL(d->width), LL(d->heads), LL(d->ffn), LL(d->context),
                            LL(d->vocabulary));
    if (d->experts)
        experts = arena_printf(t->arena, ", \"%s\": %llu, \"num_experts_per_tok\": %llu%s%.0llu",
                               k->features & QWEN_MOE ? "num_experts" : "num_local_experts",
                               LL(d->experts), LL(d->experts_active),
                               k->features & QWEN_MOE ? ", \"moe_intermediate_size\": " : "",
                               LL(k->features & QWEN_MOE ? d->expert_ffn : 0));
    return arena_printf(
        t->arena,
        "{\"model_type\": \"%s\", \"num_hidden_layers\": %llu, \"hidden_size\": %llu, "
        "\"intermediate_size\": %llu, \"num_attention_heads\": %llu, "
        "\"num_key_value_heads\": %llu, \"head_dim\": %llu, \"vocab_size\": %llu, "
        "\"max_position_embeddings\": %llu, \"rope_theta\": 10000.0, "
        "\"tie_word_embeddings\": %s%s}",
        k->model_type, LL(d->layers), LL(d->width), LL(d->ffn), LL(d->heads), LL(d->kv_heads),
        LL(d->head_size), LL(d->vocabulary), LL(d->context), d->tied ? "true" : "false", experts);
}

bool tiny_build(struct tiny *t, struct arena *a, const char *family, const struct tiny_dims *d,
                enum format naming)
{
    const struct kind *k = kind_of(family);
    *t = (struct tiny){.arena = a, .family = family, .dims = *d, .naming = naming};
    if (!k || !build_tensors(t, k))
        return false;
    if (naming == FORMAT_GGUF)
        return build_metadata(t, k);
    t->config = build_config(t, k);
    return t->config != NULL;
}

struct model *tiny_blank(size_t files)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "tiny", SPAN_EMPTY, &e))
        return NULL;
    struct model_file *all = arena_array(m->arena, files, sizeof *all);
    if (!all || m->file_count != 1) {
        model_free(m);
        return NULL;
    }
    all[0] = m->files[0]; /* keeps its source, which the model closes */
    all[0].incomplete = m->unlisted = false;
    m->files = all;
    m->file_count = files;
    verdict_init(&m->verdict, m->arena);
    return m;
}

struct model *tiny_model(const struct tiny *t)
{
    struct err e = ERR_INIT;
    bool gguf = t->naming == FORMAT_GGUF;
    struct model *m = tiny_blank(gguf ? 1 : 2);
    if (!m)
        return NULL;
    m->folder = !gguf;
    m->files[0].name = gguf ? "tiny.gguf" : "model.safetensors";
    m->files[0].format = t->naming;
    m->tensors = t->tensors;
    m->tensor_count = t->tensor_count;
    m->metadata = t->metadata;
    m->metadata_count = t->metadata_count;
    if (gguf)
        return m;
    m->files[1].name = m->files[1].path = "config.json";
    m->files[1].format = FORMAT_JSON;
    m->documents[DOC_CONFIG].file = 1;
    if (json_parse(&m->documents[DOC_CONFIG].root, span_str(t->config), JSON_STRICT, m->arena, &e))
        return m;
    model_free(m);
    return NULL;
}

void tiny_write_gguf(struct gguf_writer *w, const struct tiny *t, uint32_t seed)
{
    struct gw_tensor *all = arena_array(t->arena, t->tensor_count, sizeof *all);
    if (!all)
        return;
    for (size_t i = 0; i < t->tensor_count; i++) {
        const struct tensor *x = &t->tensors[i];
        all[i].name = (const char *)x->name.p;
        all[i].type = x->dtype;
        for (uint32_t d = 0; d < x->rank; d++)
            all[i].ne[d] = x->shape[x->rank - 1 - d];
    }
    gw_header(w, t->tensor_count, t->metadata_count);
    for (size_t i = 0; i < t->metadata_count; i++) {
        const struct metadata *k = &t->metadata[i];
        const char *key = (const char *)k->key.p;
        if (k->value.type == VALUE_STRING)
            gw_kv_string(w, key, (const char *)k->value.string.p);
        else if (k->value.type == VALUE_F32)
            gw_kv_f32(w, key, (float)k->value.f);
        else
            gw_kv_u32(w, key, (uint32_t)k->value.u);
    }
    gw_tensors(w, all, t->tensor_count, 32, seed);
}

struct span tiny_write_safetensors(struct safetensors_writer *w, const struct tiny *t,
                                   uint32_t seed)
{
    for (size_t i = 0; i < t->tensor_count; i++) {
        const struct tensor *x = &t->tensors[i];
        uint64_t shape[MODEL_MAX_RANK + 1];
        memcpy(shape, x->shape, sizeof x->shape);
        shape[x->rank] = SW_END;
        sw_tensor(w, (const char *)x->name.p, x->dtype, shape);
    }
    return sw_finish(w, seed);
}
