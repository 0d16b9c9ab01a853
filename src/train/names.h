/* What a tensor is called in GGUF, and how its rows stand there. */
#ifndef TRAIN_NAMES_H
#define TRAIN_NAMES_H

#include "train/network.h"

/* "model.layers.0.mlp.up_proj.weight" -> "blk.0.ffn_up.weight"; false for what GGUF has not. */
bool names_gguf(char out[NAME_ROOM], const char *name);
/* Heads whose rows converters interleave for llama's rotary pairs; 0: rows stay as they are. */
size_t names_heads(const struct shape *s, const char *name);
/* Row of GGUF that holds row `row` of Hugging Face's file, `head` rows a head. */
size_t names_gguf_row(size_t row, size_t head);

#endif
