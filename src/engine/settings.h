/*
 * Private to src/engine: a model's family and numbers, wherever they were
 * declared. Everything that forward() does differently for one family or
 * another is a field here.
 */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include "assay/inspect.h"

/* What sets families apart; a family is a row of these in families.c. */
enum trait {
    NORM_BEFORE = 1 << 0,    /* norms before attention and feed-forward */
    NORM_AFTER = 1 << 1,     /* norms of what they give, before it is added */
    NORM_LAYER = 1 << 2,     /* LayerNorm with bias instead of RMSNorm */
    QK_NORM_HEAD = 1 << 3,   /* RMSNorm of each head of q and k */
    QK_NORM_WHOLE = 1 << 4,  /* of all heads together */
    FUSED_QKV = 1 << 5,      /* one matrix for q, k and v */
    FUSED_GATE_UP = 1 << 6,  /* one matrix for gate and up */
    NO_GATE = 1 << 7,        /* the feed-forward is up, activation, down */
    GELU = 1 << 8,           /* instead of SiLU */
    BIAS_QKV = 1 << 9,       /* q, k and v have biases */
    BIAS_ALL = 1 << 10,      /* every matrix of a layer has one */
    ROPE_PAIRS = 1 << 11,    /* GGUF's rows are ordered for interleaved pairs */
    ROPE_NONE = 1 << 12,     /* learned position embeddings instead */
    ROPE_SKIPS = 1 << 13,    /* every fourth layer has no rotation */
    EMBED_SQRT = 1 << 14,    /* embeddings times sqrt(width) */
    NORM_PLUS_ONE = 1 << 15, /* Hugging Face stores norm weights minus 1 */
    WINDOW_MOST = 1 << 16,   /* window on all layers but each sixth (gemma3) */
    WINDOW_EVEN = 1 << 17,   /* window on even layers (gemma2) */
    SCALES = 1 << 18,        /* granite's four multipliers */
    SOFTCAPS = 1 << 19,      /* attention and final softcap */
    TRANSPOSED = 1 << 20,    /* Hugging Face stores matrices input first */
    FACTORS = 1 << 21        /* long and short RoPE factors (longrope) */
};

struct family {
    const char *name; /* general.architecture, and the family table's of inspect */
    unsigned traits;
};
extern const struct family engine_families[];
const struct family *family_find(struct span name);

enum rope_scaling { ROPE_PLAIN, ROPE_LINEAR, ROPE_YARN, ROPE_LLAMA3, ROPE_LONG };

struct settings {
    const struct family *family;
    bool gguf; /* names, row order and norms as in GGUF; else as in Hugging Face's folders */
    uint32_t layers, width, ffn, heads, kv_heads, head, vocabulary;
    uint32_t trained_context, context; /* context: that this engine allows */
    float eps;
    uint32_t rope_dims;
    double rope_base, rope_base_local; /* local: layers with a window */
    enum rope_scaling scaling;
    double factor, low_freq, high_freq, beta_fast, beta_slow, attention_factor;
    uint32_t original_context;
    uint32_t window, window_pattern; /* a layer l has a window when l % pattern < pattern - 1 */
    float attention_scale, embed_scale, residual_scale, logit_scale; /* 1: none */
    float attention_cap, final_cap;                                  /* 0: none */
    bool tied;
};

bool settings_read(struct settings *c, struct model *m, const struct facts *f, uint32_t context,
                   struct err *e) ASSAY_MUST_CHECK;
static inline bool has(const struct settings *c, unsigned trait)
{
    return (c->family->traits & trait) != 0;
}
bool has_window(const struct settings *c, uint32_t layer);
bool turns(const struct settings *c, uint32_t layer);

#endif
