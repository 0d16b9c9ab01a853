/*
 * Tiny (or life-size but empty) models of every known family, generated from
 * a table of their own, under the names of GGUF and of Hugging Face. What
 * stands here is written from the families' definitions and not from the
 * table that it tests.
 */
#ifndef SUPPORT_TINY_FAMILY_H
#define SUPPORT_TINY_FAMILY_H

#include "assay/model.h"
#include "support/gguf_writer.h"
#include "support/safetensors_writer.h"

struct tiny_dims {
    uint64_t layers, width, ffn, heads, kv_heads, head_size, vocabulary, context;
    uint64_t experts, experts_active, expert_ffn; /* 0 experts: dense */
    bool tied;
};

/* Everything in `arena`: change what you like before building a model of it. */
struct tiny {
    struct arena *arena;
    const char *family;
    struct tiny_dims dims;
    enum format naming; /* FORMAT_GGUF or FORMAT_SAFETENSORS */
    struct tensor *tensors;
    size_t tensor_count, tensor_cap;
    struct metadata *metadata; /* GGUF */
    size_t metadata_count, metadata_cap;
    const char *config; /* config.json */
};

/* Names of the families this knows, NULL at the end. "llama-moe" is Mixtral. */
extern const char *const tiny_families[];
/* Small numbers that suit the family, all different from each other. */
struct tiny_dims tiny_default_dims(const char *family);
/* general.architecture of a family, as "llama" for "llama-moe". */
const char *tiny_name(const char *family);

/* False for an unknown family or when out of memory. F32 throughout. */
bool tiny_build(struct tiny *t, struct arena *a, const char *family, const struct tiny_dims *d,
                enum format naming);
/* A model without bytes, of these tensors, metadata or config, which outlive
 * it. The caller frees it. NULL when out of memory or the config is no JSON. */
struct model *tiny_model(const struct tiny *t);
/* An empty model without findings and with room for this many files; name them. */
struct model *tiny_blank(size_t files);
/* The same as files. */
void tiny_write_gguf(struct gguf_writer *w, const struct tiny *t, uint32_t seed);
struct span tiny_write_safetensors(struct safetensors_writer *w, const struct tiny *t,
                                   uint32_t seed);

#endif
