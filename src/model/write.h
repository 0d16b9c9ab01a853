/*
 * Private to src/model: what the two containers' writers share. A container
 * writes its header into `header`; the data that follow are the same in both
 * but for the alignment.
 */
#ifndef MODEL_WRITE_H
#define MODEL_WRITE_H

#include "assay/model_write.h"

enum { WRITE_MAX_HEADER = 256 << 20 };

struct model_writer {
    int fd;
    char *path, *temporary;
    struct buf header;
    uint64_t *ends;   /* of each tensor's bytes, in the data section */
    size_t count, at; /* tensors; the one whose bytes come next */
    uint64_t written; /* bytes of the data section */
    uint64_t alignment;
};

/* A writer with `ends` filled for the alignment and an empty header; no file yet. */
bool writer_new(struct model_writer **out, const char *path, const struct write_tensor *tensors,
                size_t count, uint64_t alignment, struct err *e) ASSAY_MUST_CHECK;
/* Where a tensor's bytes begin in the data section. */
uint64_t writer_offset(const struct model_writer *w, size_t i);
/* Create the file and write the header. Frees the writer when it fails. */
bool writer_open(struct model_writer **w, struct err *e) ASSAY_MUST_CHECK;

#endif
