/*
 * What a log says of the run that made a model: the entries that enrolled it,
 * began and ended its training, and what the run was made from. The log is
 * verified on the way (hashes, key changes, root, signature), so what is said
 * here is bound to its signed head.
 */
#ifndef ASSAY_RECORDED_H
#define ASSAY_RECORDED_H

#include "assay/log.h"
#include "assay/provenance.h"

#define RECORDED_NONE UINT64_MAX

/* A data set or a base that the run's beginning names. */
struct recorded_part {
    const char *name, *kind; /* "dataset", "model" */
    const char *root;        /* manifest root, tensor root: hex */
    uint64_t entry;          /* that enrolled it; RECORDED_NONE: none is named */
    bool agrees;             /* that entry names the same root */
};

struct recorded_run {
    const char *name;           /* of the run; NULL: no entry enrols the model with one */
    uint64_t model, begin, end; /* entries; begin and end may be RECORDED_NONE */
    const char *code, *config;  /* digests: of the program, of the configuration */
    const char *weights;        /* root of the last step, in F32 */
    uint64_t steps, tokens;
    uint64_t replays, mismatches, replay; /* executed again: how often, the newest entry */
    struct recorded_part *parts;
    size_t count;
};

/* The newest enrolment of the model with this tensor root that names a run. */
bool recorded_run(struct recorded_run *out, const char *log, const struct digest *tensor_root,
                  struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* The same of a log that was verified up to entry `until`, for the model that entry `model` enrols. */
bool recorded_run_of(struct recorded_run *out, struct log_reader *r, uint64_t until, uint64_t model,
                     struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* What the run was made from, as edges to the model that are verified, or contradicted. */
bool recorded_lineage(struct lineage *l, const struct recorded_run *r, struct arena *a,
                      struct err *e) ASSAY_MUST_CHECK;

#endif
