/*
 * Builds small models from numbers that a test holds: the same tensors as
 * safetensors or as GGUF, in a few element types, so that a comparison has a
 * known answer.
 */
#ifndef SUPPORT_MODEL_BUILDER_H
#define SUPPORT_MODEL_BUILDER_H

#include "assay/model.h"

enum { BUILDER_TENSORS = 64 };

struct built_tensor {
    char name[96];
    enum dtype type;   /* F32, F16, BF16, Q8_0, Q4_0, U8 */
    uint64_t shape[4]; /* outermost first; rank ends at the first 0 */
    uint64_t elements;
    float *values;
};

struct builder {
    struct built_tensor t[BUILDER_TENSORS];
    size_t n;
    struct buf pairs; /* GGUF key-value pairs, written by gw_kv_* through `kv` */
    uint64_t pair_count;
    struct buf out;
};

void builder_init(struct builder *b);
void builder_free(struct builder *b);
/* Adds a tensor; its zeroed values are the caller's to fill until builder_free. */
struct built_tensor *builder_add(struct builder *b, const char *name, enum dtype type,
                                 uint64_t rows, uint64_t cols);
/* As above with three dimensions. */
struct built_tensor *builder_add3(struct builder *b, const char *name, enum dtype type, uint64_t n,
                                  uint64_t rows, uint64_t cols);
/* Normally distributed values of one standard deviation, from a seed. */
void built_random(struct built_tensor *t, uint32_t seed, float deviation);
void builder_string(struct builder *b, const char *key, const char *value);
void builder_u32(struct builder *b, const char *key, uint32_t value);
void builder_strings(struct builder *b, const char *key, const char *const *v, size_t n);
/* The file's bytes; borrowed until the next call. */
struct span builder_safetensors(struct builder *b);
struct span builder_gguf(struct builder *b);

#endif
