/*
 * The hashes of a data set's rows, however many: in memory while they are few,
 * beyond that in sorted runs of a temporary file without a name. Read back in
 * order, by which rows that repeat and rows that two sets share are counted
 * exactly in memory that does not grow. Private to provenance.
 */
#ifndef ASSAY_PROVENANCE_ROW_SET_H
#define ASSAY_PROVENANCE_ROW_SET_H

#include "assay/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    ROW_SET_MEMORY = 1 << 20, /* hashes in memory at a time; a run of the file */
    ROW_SET_RUNS = 1024       /* runs at most: with the above, rows at most */
};

struct row_set;

/* Runs of `memory` hashes; 0: ROW_SET_MEMORY. NULL: out of memory. */
struct row_set *row_set_new(size_t memory);
void row_set_free(struct row_set *s); /* NULL is harmless */
/* Hashes beyond the limit, or beyond what the temporary file takes, are not kept. */
void row_set_add(struct row_set *s, uint64_t hash);
/* How many are kept, and whether that is all of them. */
uint64_t row_set_kept(const struct row_set *s, bool *all);
/* Nothing is added afterwards. *repeated: hashes that stand in it before. */
bool row_set_finish(struct row_set *s, uint64_t *repeated, struct err *e) ASSAY_MUST_CHECK;
/* How many of one finished set's hashes stand in another. */
bool row_set_shared(uint64_t *out, const struct row_set *s, const struct row_set *other,
                    struct err *e) ASSAY_MUST_CHECK;

#endif
