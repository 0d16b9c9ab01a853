/*
 * The families that this engine computes, a row each. What a family does
 * differently is a trait; a new trait is one place in forward.c or config.c.
 * Sources: llama.cpp src/models/NAME.cpp, transformers modeling_NAME.py.
 */
#include "engine/settings.h"

const struct family engine_families[] = {
    {"llama", NORM_BEFORE | ROPE_PAIRS},
    {"qwen2", NORM_BEFORE | BIAS_QKV},
    {"qwen3", NORM_BEFORE | QK_NORM_HEAD},
    {"gemma3", NORM_BEFORE | NORM_AFTER | QK_NORM_HEAD | GELU | EMBED_SQRT | NORM_PLUS_ONE |
                   WINDOW_MOST | SOFTCAPS},
    {"gemma2",
     NORM_BEFORE | NORM_AFTER | GELU | EMBED_SQRT | NORM_PLUS_ONE | WINDOW_EVEN | SOFTCAPS},
    {"smollm3", NORM_BEFORE | ROPE_PAIRS | ROPE_SKIPS},
    {"granite", NORM_BEFORE | ROPE_PAIRS | SCALES},
    {"olmo2", NORM_AFTER | QK_NORM_WHOLE},
    {"phi3", NORM_BEFORE | FUSED_QKV | FUSED_GATE_UP | FACTORS},
    {"gpt2",
     NORM_BEFORE | NORM_LAYER | FUSED_QKV | NO_GATE | GELU | BIAS_ALL | ROPE_NONE | TRANSPOSED},
    {NULL, 0},
};

const struct family *family_find(struct span name)
{
    for (const struct family *f = engine_families; f->name != NULL; f++) {
        if (span_is(name, f->name))
            return f;
    }
    return NULL;
}

bool has_window(const struct settings *c, uint32_t layer)
{
    return c->window != 0 &&
           (c->window_pattern <= 1 || layer % c->window_pattern < c->window_pattern - 1);
}

bool turns(const struct settings *c, uint32_t layer)
{
    if (has(c, ROPE_NONE))
        return false;
    return !has(c, ROPE_SKIPS) || (layer + 1) % 4 != 0;
}
