/*
 * The one judge of what a leaf is: a single pass over its bytes that accepts
 * exactly the canonical text of the table and no other.
 */
#ifndef ASSAY_RECORD_SCAN_H
#define ASSAY_RECORD_SCAN_H

#include "record/table.h"

/* Values as they stand in the leaf; strings without their quotes. n == 0 and p
 * NULL: the member is absent. */
struct sealed_values {
    struct span at[SEALED_MEMBERS];
};

struct leaf_values {
    struct span at[ENVELOPE_MEMBERS];
    enum record_kind kind;
    size_t sealed_count;
    struct sealed_values sealed[RECORD_MAX_FIELDS];
};

bool record_scan(struct leaf_values *out, struct span leaf, struct err *e) ASSAY_MUST_CHECK;

#endif
