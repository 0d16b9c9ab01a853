/* Private to src/log: an erasure on its way (erase.c), and its transaction (erase_rows.c). */
#ifndef LOG_ERASE_H
#define LOG_ERASE_H

#include "log/ops.h"

struct erasure {
    struct op_result *result;
    bool entry;       /* one entry, not a subject */
    uint64_t seq;     /* that entry */
    struct span name; /* the subject */
    struct log_order order;
    struct arena *arena;
    struct subject_rows rows; /* all rows of the subject */
    int64_t row;              /* the entry's */
    struct seal_key fresh;    /* the new key of that row */
    uint64_t *entries;        /* whose content is erased, ascending */
    size_t entry_count, entry_cap;
    uint64_t keys; /* destroyed by it */
    uint64_t now;  /* the epoch that survivors are wrapped under */
};

/* Delete what is erased, wrap what survives under the epoch `now`, and note the members of the leaf to
 * come: all of it, or nothing. */
bool erase_rows(struct log *l, struct erasure *x, struct err *e) ASSAY_MUST_CHECK;

#endif
