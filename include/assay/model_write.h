/*
 * Writing models: safetensors and GGUF version 3, the same bytes each time.
 *
 * A writer is begun with what the header says of every tensor and is then given
 * the tensors' bytes in that order, in pieces of any size; nothing but the
 * header is held in memory. The file stands under its name only when it is
 * whole and on the disk: until model_writer_finish it is PATH.new.
 */
#ifndef ASSAY_MODEL_WRITE_H
#define ASSAY_MODEL_WRITE_H

#include "assay/base/clock.h"
#include "assay/model.h"

struct write_tensor {
    struct span name;
    enum dtype dtype;
    uint32_t rank;
    uint64_t shape[MODEL_MAX_RANK]; /* outermost first, in both containers */
};

/* ---- metadata: what GGUF's header holds, and safetensors' as far as it is text ---- */

struct metadata_list {
    struct arena *arena; /* owns what is added */
    struct metadata *items;
    size_t count, cap;
    bool failed; /* out of memory: the writer refuses the list */
};

void metadata_init(struct metadata_list *l, struct arena *a);
/* Each replaces a pair of the same key, else adds one at the end. Keys and texts are copied. */
void metadata_set(struct metadata_list *l, const char *key, const struct value *v);
void metadata_set_str(struct metadata_list *l, const char *key, struct span text);
void metadata_set_u32(struct metadata_list *l, const char *key, uint32_t v);
void metadata_set_f32(struct metadata_list *l, const char *key, float v);
void metadata_set_bool(struct metadata_list *l, const char *key, bool v);
void metadata_set_strs(struct metadata_list *l, const char *key, const struct span *v, size_t n);
void metadata_set_i32s(struct metadata_list *l, const char *key, const int32_t *v, size_t n);

/* ---- writing ---- */

enum { GGUF_ALIGNMENT = 32 };

struct model_writer;

/* Pairs that are not text are refused: the format holds nothing else. */
bool safetensors_begin(struct model_writer **out, const char *path,
                       const struct metadata_list *pairs, const struct write_tensor *tensors,
                       size_t count, struct err *e) ASSAY_MUST_CHECK;
bool gguf_begin(struct model_writer **out, const char *path, const struct metadata_list *pairs,
                const struct write_tensor *tensors, size_t count, struct err *e) ASSAY_MUST_CHECK;
/* A GGUF file of metadata alone, appended to *out: a vocabulary, say. */
bool gguf_bytes(struct buf *out, const struct metadata_list *pairs, struct err *e) ASSAY_MUST_CHECK;
/* The next bytes of the tensors' data. Padding between tensors is the writer's. */
bool model_writer_put(struct model_writer *w, const void *p, size_t n,
                      struct err *e) ASSAY_MUST_CHECK;
/* Sync and rename. Ends the writer, whatever it returns; ERR_FORMAT when bytes are missing. */
bool model_writer_finish(struct model_writer *w, struct err *e) ASSAY_MUST_CHECK;
/* End without a file. NULL is harmless. */
void model_writer_abort(struct model_writer *w);

/* ---- the card's front matter (YAML, as huggingface_hub's repocard.py reads it) ---- */

/* `key: "text"`, and a list of texts below `key`; nothing when there is no text. `key` may
 * be indented. */
void card_put(struct buf *out, const char *key, struct span text);
void card_put_list(struct buf *out, const char *key, const struct span *texts, size_t n);

/* ---- quantising ---- */

/*
 * A GGUF model as another of element type `to` (dtype_encodes): matrices whose rows
 * fill its blocks become `to`, other matrices F16, vectors F32. general.file_type and
 * general.quantization_version follow. An incomplete or big-endian model is refused.
 */
bool model_quantize(struct model *m, enum dtype to, const char *path, const struct progress *p,
                    struct err *e) ASSAY_MUST_CHECK;

#endif
