/*
 * Which entries of a log are asked for. The leaves themselves are judged, not
 * the database's index: that can be rebuilt, and proves nothing.
 */
#ifndef ASSAY_CLI_LOG_FILTER_H
#define ASSAY_CLI_LOG_FILTER_H

#include "assay/log.h"
#include "cli/args.h"
#include "cli/cli.h"

struct log_filter {
    uint64_t since, until; /* wall clock: since <= t < until */
    bool any_kind, kind[RECORD_KINDS];
    bool has_subject;
    struct span subject_name; /* in clear, until log_filter_find; empty: none was typed */
    struct log_subject subject;
    struct seal_id pseudonym;   /* as typed */
    struct span model, outcome; /* empty: any */
    struct span response;       /* empty: any; else, found by log_filter_find: */
    uint64_t *intents;          /* of the calls whose answer had this identifier, ascending */
    size_t intent_count;
};

/* A time in UTC as options take it, for --OPTION; NULL leaves *out. */
bool log_time(uint64_t *out, const char *option, const char *text, struct err *e) ASSAY_MUST_CHECK;

/* From what was typed; ERR_USAGE says what is wrong with it. */
bool log_filter_set(struct log_filter *f, const struct filter_args *args,
                    struct err *e) ASSAY_MUST_CHECK;
/* What only the log knows, into `a`: who a subject is that was typed by name, with the log's
 * keyring, and which calls had an answer. */
bool log_filter_find(struct log_filter *f, const struct filter_args *args, struct log_reader *r,
                     struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* *match: the leaf at `seq` is asked for, and *record is it, living in `a`. Any
 * leaf that is none is an error. */
bool log_filter_leaf(const struct log_filter *f, uint64_t seq, struct span leaf, bool *match,
                     struct record *record, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
enum query_format { QUERY_TABLE, QUERY_JSON, QUERY_CSV };

/* What log query does with its folder, for whoever lists entries; returns the exit status. */
int query_entries(const struct call *call, const struct query_args *args);
/* Name of the model that an entry is about, or its outcome; empty when it has none. */
struct span entry_model(const struct record *r);
struct span entry_outcome(const struct record *r);

#endif
