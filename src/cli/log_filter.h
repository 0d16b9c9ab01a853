/*
 * Which entries of a log are asked for. The leaves themselves are judged, not
 * the database's index: that can be rebuilt, and proves nothing.
 */
#ifndef ASSAY_CLI_LOG_FILTER_H
#define ASSAY_CLI_LOG_FILTER_H

#include "assay/log.h"
#include "cli/args.h"

struct log_filter {
    uint64_t since, until; /* wall clock: since <= t < until */
    bool any_kind, kind[RECORD_KINDS];
    bool has_subject;
    uint8_t subject[16];
    struct span model, outcome; /* empty: any */
};

/* From what was typed; ERR_USAGE says what is wrong with it. */
bool log_filter_set(struct log_filter *f, const struct filter_args *args,
                    struct err *e) ASSAY_MUST_CHECK;
/* *match: the leaf at `seq` is asked for, and *record is it, living in `a`. Any
 * leaf that is none is an error. */
bool log_filter_leaf(const struct log_filter *f, uint64_t seq, struct span leaf, bool *match,
                     struct record *record, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* Name of the model that an entry is about, or its outcome; empty when it has none. */
struct span entry_model(const struct record *r);
struct span entry_outcome(const struct record *r);

#endif
