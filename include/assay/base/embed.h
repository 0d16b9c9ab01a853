/*
 * Files that are part of the program: schemas and templates, put there at
 * build time by tools/embed.c. Each is followed by a NUL that is not counted.
 */
#ifndef ASSAY_BASE_EMBED_H
#define ASSAY_BASE_EMBED_H

#include "assay/base/bytes.h"

struct embedded {
    const char *name; /* path in the source tree: "schema/record.sql" */
    struct span bytes;
};

extern const struct embedded embedded[];
extern const size_t embedded_count;

#endif
