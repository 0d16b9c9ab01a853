/*
 * Writes zip archives, honest ones and others: every field of either header
 * can be made to say something else than the truth.
 */
#ifndef SUPPORT_ZIP_WRITER_H
#define SUPPORT_ZIP_WRITER_H

#include "assay/base/bytes.h"

struct zip_lie { /* what is written instead; zero members are the truth */
    const char *local_name;
    uint16_t local_flags, central_flags;
    uint16_t local_method, central_method;
    uint32_t crc; /* in both */
    uint32_t local_size;
    bool unlisted; /* no entry in the directory */
    uint16_t mode; /* st_mode of Unix in the directory */
};

struct zip_writer {
    struct buf out, directory;
    unsigned entries;
};

void zw_init(struct zip_writer *w);
void zw_free(struct zip_writer *w);
/* `lie` may be NULL. */
void zw_add(struct zip_writer *w, const char *name, struct span bytes, bool deflate,
            const struct zip_lie *lie);
void zw_finish(struct zip_writer *w); /* the directory and the end record */

#endif
