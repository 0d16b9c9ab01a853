/* Writes checkpoints as torch.save does, without torch: the pickle is put together opcode by
 * opcode and never run. */
#ifndef SUPPORT_TORCH_WRITER_H
#define SUPPORT_TORCH_WRITER_H

#include "assay/base/bytes.h"

struct torch_item {
    const char *name;
    const char *storage; /* type: "FloatStorage"; of "QInt8Storage" a quantised tensor is made */
    struct span bytes;   /* of the storage; NULL p: the storage of the item before */
    uint64_t elements;   /* of the storage */
    uint64_t offset;
    unsigned rank;
    uint64_t shape[4], stride[4];
};

enum torch_form { TORCH_ZIP, TORCH_LEGACY };

/* A state dictionary; with `outer`, a dictionary that holds it under that key. */
void torch_write(struct buf *out, enum torch_form form, const struct torch_item *items, size_t n,
                 const char *outer);
/* Its pickle alone. */
void torch_pickle(struct buf *out, const struct torch_item *items, size_t n, const char *outer);

#endif
