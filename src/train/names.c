/* Names of the llama family in both containers (llama.cpp, convert_hf_to_gguf.py). */
#include "train/names.h"

#include <stdio.h>
#include <string.h>

static const char *const pairs[][2] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};

static const char *const whole[][2] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
};

bool names_gguf(char out[NAME_ROOM], const char *name)
{
    static const char start[] = "model.layers.";
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strcmp(name, whole[i][0]) == 0) {
            snprintf(out, NAME_ROOM, "%s", whole[i][1]);
            return true;
        }
    if (strncmp(name, start, sizeof start - 1) != 0)
        return false;
    const char *number = name + sizeof start - 1, *rest = strchr(number, '.');
    for (size_t i = 0; rest && i < sizeof pairs / sizeof *pairs; i++) {
        size_t n = strlen(pairs[i][0]);
        if (strncmp(rest + 1, pairs[i][0], n) != 0 || strcmp(rest + 1 + n, ".weight") != 0)
            continue;
        snprintf(out, NAME_ROOM, "blk.%.*s.%s.weight", (int)(rest - number), number, pairs[i][1]);
        return true;
    }
    return false;
}

size_t names_heads(const struct shape *s, const char *name)
{
    if (strstr(name, "self_attn.q_proj.weight"))
        return s->heads;
    return strstr(name, "self_attn.k_proj.weight") ? s->kv_heads : 0;
}

/* Halves become pairs: row (h, half, i) goes to (h, i, half). */
size_t names_gguf_row(size_t row, size_t head)
{
    size_t h = row / head, in = row % head, half = head / 2;
    return h * head + in % half * 2 + in / half;
}
