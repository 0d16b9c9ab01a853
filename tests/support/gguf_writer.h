/*
 * Writes GGUF, right or wrong: every part stands alone, so that a test can
 * claim one count and write another. Versions 1 to 3, both byte orders.
 */
#ifndef SUPPORT_GGUF_WRITER_H
#define SUPPORT_GGUF_WRITER_H

#include "assay/model.h"

struct gguf_writer {
    struct buf out;
    uint32_t version; /* 1 writes counts and lengths in 32 bits */
    bool big_endian;
};

/* Version 3, little-endian, empty; change the fields before writing. */
void gw_init(struct gguf_writer *w);
void gw_free(struct gguf_writer *w);
struct span gw_span(const struct gguf_writer *w); /* borrowed until the next write */
/* Write what was collected to a new file. */
bool gw_save(const struct gguf_writer *w, const char *path);

void gw_u8(struct gguf_writer *w, uint8_t v);
void gw_u16(struct gguf_writer *w, uint16_t v);
void gw_u32(struct gguf_writer *w, uint32_t v);
void gw_u64(struct gguf_writer *w, uint64_t v);
void gw_f32(struct gguf_writer *w, float v);
void gw_f64(struct gguf_writer *w, double v);
void gw_count(struct gguf_writer *w, uint64_t n); /* 32 bits in version 1 */
void gw_string(struct gguf_writer *w, const char *s);
void gw_bytes(struct gguf_writer *w, const void *p, size_t n); /* with its length */
void gw_zeros(struct gguf_writer *w, size_t n);

/* Magic, version and the two claimed counts. */
void gw_header(struct gguf_writer *w, uint64_t tensors, uint64_t pairs);
/* Key and type; the value follows. */
void gw_key(struct gguf_writer *w, const char *key, uint32_t type);
void gw_kv_u8(struct gguf_writer *w, const char *key, uint8_t v);
void gw_kv_u16(struct gguf_writer *w, const char *key, uint16_t v);
void gw_kv_u32(struct gguf_writer *w, const char *key, uint32_t v);
void gw_kv_i32(struct gguf_writer *w, const char *key, int32_t v);
void gw_kv_u64(struct gguf_writer *w, const char *key, uint64_t v);
void gw_kv_f32(struct gguf_writer *w, const char *key, float v);
void gw_kv_bool(struct gguf_writer *w, const char *key, uint8_t v);
void gw_kv_string(struct gguf_writer *w, const char *key, const char *v);
/* Key, element type and claimed count; the items follow. */
void gw_kv_array(struct gguf_writer *w, const char *key, uint32_t element, uint64_t count);
void gw_kv_strings(struct gguf_writer *w, const char *key, const char *const *v, size_t n);
void gw_kv_f32s(struct gguf_writer *w, const char *key, const float *v, size_t n);
void gw_kv_i32s(struct gguf_writer *w, const char *key, const int32_t *v, size_t n);

/* One tensor info; `ne` in the file's order, innermost first. */
void gw_info(struct gguf_writer *w, const char *name, uint32_t rank, const uint64_t *ne,
             uint32_t type, uint64_t offset);
/* Zeros up to the next multiple. */
void gw_pad(struct gguf_writer *w, size_t alignment);

/* A tensor of a well-formed file; `ne` innermost first, rank ends at the first 0. */
struct gw_tensor {
    const char *name;
    enum dtype type;
    uint64_t ne[5];
};
/* Infos with running offsets, padding, and data bytes that depend on `seed`,
 * each tensor padded. */
void gw_tensors(struct gguf_writer *w, const struct gw_tensor *t, size_t n, size_t alignment,
                uint32_t seed);
/* Bytes of one tensor's data as gw_tensors writes them. */
uint64_t gw_tensor_bytes(const struct gw_tensor *t);

#endif
