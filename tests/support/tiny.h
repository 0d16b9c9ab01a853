/*
 * A tiny llama with every part that a real one has: seeded weights under both
 * containers' names, a byte-level BPE vocabulary, and the encoders for the
 * element types that it is written in. The same bytes on every machine.
 */
#ifndef SUPPORT_TINY_H
#define SUPPORT_TINY_H

#include "assay/dtype.h"

enum {
    TINY_LAYERS = 2,
    TINY_WIDTH = 64,
    TINY_FFN = 192,
    TINY_HEADS = 4,
    TINY_KV_HEADS = 2,
    TINY_HEAD = 16,
    TINY_CONTEXT = 512,
    TINY_SPECIALS = 3,
    TINY_MERGES = 29,
    TINY_VOCABULARY = TINY_SPECIALS + 256 + TINY_MERGES,
    TINY_TENSORS = 2 + 9 * TINY_LAYERS
};

struct tiny_tensor {
    char gguf[48], hf[80];
    uint64_t rows, columns; /* rows 0: one dimension */
    uint64_t heads;         /* rows that GGUF permutes: q and k; 0: none */
    float *values;          /* as in the HF folder, each exact in BF16 */
};

struct tiny {
    struct tiny_tensor tensors[TINY_TENSORS]; /* in GGUF's usual order */
    size_t count;
};

bool tiny_make(struct tiny *t, uint32_t seed);
void tiny_free(struct tiny *t);
uint64_t tiny_elements(const struct tiny_tensor *t);

/* Append the tensor's values as `type`: BF16, F32, F16, Q8_0 or Q4_0. `permuted`:
 * rows in GGUF's order for rotary embeddings of interleaved pairs. */
bool tiny_encode(struct buf *out, const struct tiny_tensor *t, enum dtype type, bool permuted);

/* Append tensors [from, to) in BF16 as a safetensors file under the HF folder's names; *bytes grows
 * by their data. */
bool tiny_safetensors(struct buf *out, const struct tiny *t, size_t from, size_t to,
                      uint64_t *bytes);

/* Entry `id` of the vocabulary as tokenizer.json and GGUF spell it. */
const char *tiny_token(char out[32], unsigned id);
/* The merge that made entry TINY_SPECIALS + 256 + n: "Ġ t". */
const char *tiny_merge(char out[64], unsigned n);

#endif
