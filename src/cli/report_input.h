/*
 * What a report is made from, as it was typed: the model read, keys and
 * statements loaded, times understood. Shared by report and verify.
 */
#ifndef ASSAY_CLI_REPORT_INPUT_H
#define ASSAY_CLI_REPORT_INPUT_H

#include "assay/report.h"
#include "cli/args.h"
#include "cli/subject.h"

struct report_sources {
    struct key_args keys;
    const char *model, *log, *period, *as_of, *signer, *training, *prices, *tokenizer, *subject,
        *finding;
    struct option_texts attestations, documents, trust, scopes, datasets, bases;
    struct option_u64 log_size;
    unsigned threads;
    bool no_cache;
};

struct report_given {
    struct arena *a;
    struct subject subject;
    bool has_subject;
    struct report_model model;
    struct dataset *datasets;
    size_t dataset_count;
    struct training_run training;
    struct subject bases[OPTION_MAX_TEXTS];
    size_t base_count;
    struct lineage lineage;
    struct model *tokenizer_model;
    struct tokenizer *tokenizer;
    struct trust trust;
    struct sign_key *key;
    struct report_input input;
    int status; /* of what was read: incomplete models */
};

/* Fills input (its edition excepted); everything lives until report_given_free, also on failure. */
bool report_given(struct report_given *g, const struct report_sources *s,
                  const struct option_texts *frameworks, struct err *e) ASSAY_MUST_CHECK;
void report_given_free(struct report_given *g);

/* A model for a report. */
bool report_subject(struct subject *s, struct report_model *m, const char *path,
                    const struct subject_options *o, struct err *e) ASSAY_MUST_CHECK;

/* What is declared against what is there becomes findings of the model; with a base at hand,
 * against that too. */
bool report_judge(struct subject *s, const struct subject *base, struct arena *a,
                  struct err *e) ASSAY_MUST_CHECK;

#endif
