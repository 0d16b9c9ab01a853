/*
 * Writes safetensors, right or wrong: a header given as text with any length
 * claimed for it, or entries with running offsets and data that depend on a seed.
 */
#ifndef SUPPORT_SAFETENSORS_WRITER_H
#define SUPPORT_SAFETENSORS_WRITER_H

#include "assay/model.h"

struct safetensors_writer {
    struct buf header, out;
    uint64_t data; /* bytes of data that the entries written so far describe */
    bool any;      /* a member stands in the header */
};

void sw_init(struct safetensors_writer *w);
void sw_free(struct safetensors_writer *w);

/* A whole file: this header with its true length, then `data` zero bytes. Borrowed
 * until the next call. */
struct span sw_file(struct safetensors_writer *w, const char *header, size_t data);
/* As above, header of any bytes and any length claimed for it. */
struct span sw_claim(struct safetensors_writer *w, struct span header, uint64_t claim, size_t data);

/* Members one after the other. */
void sw_metadata(struct safetensors_writer *w, const char *key, const char *value);
/* A tensor behind the one before; rank ends at the first UINT64_MAX. */
#define SW_END UINT64_MAX
void sw_tensor(struct safetensors_writer *w, const char *name, enum dtype t, const uint64_t *shape);
/* A member as JSON text. */
void sw_member(struct safetensors_writer *w, const char *name, const char *json);
/* Header padded to 8, data bytes from `seed`. Borrowed until the next call. */
struct span sw_finish(struct safetensors_writer *w, uint32_t seed);
/* Write bytes to a new file. */
bool sw_save(struct span bytes, const char *path);

#endif
