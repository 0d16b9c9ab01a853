/*
 * What the footer of a Parquet file says: rows, row groups, columns. Private to
 * provenance.
 */
#ifndef ASSAY_PROVENANCE_PARQUET_H
#define ASSAY_PROVENANCE_PARQUET_H

#include "assay/base/arena.h"
#include "assay/source.h"

enum {
    PARQUET_MAX_FOOTER = 64 << 20,
    PARQUET_MAX_COLUMNS = 1000, /* whose names are kept */
    PARQUET_COLUMN_NAME = 100,  /* bytes of one that are kept */
    PARQUET_MAX_DEPTH = 16      /* structures and lists in each other */
};

struct parquet {
    uint64_t rows, groups,
        group_rows;        /* rows: as the footer sums up; group_rows: of its row groups */
    uint64_t column_count; /* leaves of the schema */
    const char **columns;  /* the first of them */
    size_t named;
};

/* Names are in `a`. False, with the offset in the file, where it is no Parquet or broken. */
bool parquet_read(struct parquet *out, const struct source *s, struct arena *a,
                  struct err *e) ASSAY_MUST_CHECK;
/* The footer's own bytes, which stand at `offset` of their file. */
bool parquet_footer(struct parquet *out, struct span footer, const char *path, uint64_t offset,
                    struct arena *a, struct err *e) ASSAY_MUST_CHECK;

#endif
