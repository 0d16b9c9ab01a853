/*
 * A lineage while it is made. Private to provenance.
 */
#ifndef ASSAY_PROVENANCE_LINEAGE_H
#define ASSAY_PROVENANCE_LINEAGE_H

#include "provenance/merge.h"

enum { LINEAGE_BASES = 16 };

extern const char lineage_merge[]; /* the relation's name */

struct making {
    struct lineage *l;
    const struct lineage_base *self, *bases; /* the model, and ancestors at hand */
    size_t base_count;
    const struct diff_options *options; /* threads and progress */
    struct arena *a;
    struct err *e;
    /* The last merge that was computed again: all edges to one node are judged by it. */
    size_t computed; /* node + 1; 0: none yet */
    struct merge_plan plan;
    struct merge_result result;
};

/* The model at hand that a node is; NULL: it is not at hand. */
const struct lineage_base *lineage_at_hand(const struct making *k, size_t n);
bool lineage_same_name(const char *a, const char *b);
/* What documents and tensors say of one step that is no merge. */
bool lineage_judge(struct making *k, struct lineage_edge *e, struct diff *d) ASSAY_MUST_CHECK;
/* One parent of a merge; both ends are at hand. */
bool lineage_judge_merge(struct making *k, struct lineage_edge *e) ASSAY_MUST_CHECK;

#endif
