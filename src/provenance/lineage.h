/*
 * Merges in a lineage: what mergekit was told, and where a model lies between two.
 * Private to provenance.
 */
#ifndef ASSAY_PROVENANCE_LINEAGE_H
#define ASSAY_PROVENANCE_LINEAGE_H

#include "assay/provenance.h"

enum { LINEAGE_BASES = 16, MERGE_MODELS = 64 };

/* What a model's mergekit_config.yml names; none: it has no such file. */
struct lineage_merge {
    const char *models[MERGE_MODELS];
    size_t count;
    const char *trouble; /* it cannot be read, and why; NULL: nothing */
};
bool lineage_merge_read(struct lineage_merge *out, const struct model *m, struct arena *a,
                        struct err *e) ASSAY_MUST_CHECK;

/* Where a model lies with regard to the line from `other` to `parent`, over the tensors in which
 * the two differ, weighted by elements. */
struct lineage_mixture {
    size_t tensors; /* that could be compared; 0: nothing is known */
    double share;   /* 0: at `other`; 1: at `parent` */
    double beside;  /* distance from the line, over that of the two */
};
bool lineage_mixture(struct lineage_mixture *out, const struct lineage_base *parent,
                     const struct lineage_base *other, const struct lineage_base *model,
                     struct arena *a, struct err *e) ASSAY_MUST_CHECK;

#endif
