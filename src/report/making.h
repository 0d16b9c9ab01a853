/*
 * What the makers of claims share: the set under construction, the subject of
 * the claims being made, and evidence in its canonical form.
 */
#ifndef ASSAY_REPORT_MAKING_H
#define ASSAY_REPORT_MAKING_H

#include "assay/report.h"
#include "report/activity.h"

/* The result of an evaluation, and the claim that states it. */
struct score {
    struct span metric, dataset, value;
    const struct claim *claim;
};

struct making {
    const struct report_input *in;
    struct report *r;
    struct claims *s;
    struct arena *a;
    const char *subject; /* of the claims that are added now */
    const struct digest *subject_digest;
    struct log_reader *reader; /* NULL without a log */
    struct score *scores;      /* gathered by the makers (scores.h) */
    size_t score_count, score_cap;
};

/* A claim about the current subject with the title of its property; NULL when there is no room. */
struct claim *make_claim(struct making *k, const char *property, enum claim_status status,
                         const char *rule);
/* The same, missing, with the reason. */
struct claim *make_missing(struct making *k, const char *property, const char *reason);
const char *make_text(struct making *k, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* A text from outside as one line: NUL-terminated, cut at `max` characters, hidden characters shown. */
const char *make_shown(struct making *k, struct span s, size_t max);

/* Evidence; NULL when it cannot be given. */
const char *prove_file(struct making *k, const struct report_model *m, uint32_t file);
const char *prove_place(struct making *k, const struct report_model *m, struct origin at);
const char *prove_tensor(struct making *k, const struct report_model *m, size_t tensor);
const char *prove_leaf(struct making *k, uint64_t seq);
/* A file that was read whole, beside the model's. */
const char *prove_bytes(struct making *k, const char *path, uint64_t bytes,
                        const struct digest *sha256);
/* The whole range examined with one measure's query and result. */
const char *prove_range(struct making *k, const char *measure, const char *result);

/* Makers; each adds what its source can say. */
void claims_from_model(struct making *k, const struct report_model *m);
void claims_from_signature(struct making *k, const struct report_model *m);
void claims_from_card(struct making *k, const struct report_model *m);
void claims_from_log(struct making *k);
void claims_from_calls(struct making *k);
/* About the run that made the examined model, where the log has it. */
bool claims_from_recorded(struct making *k, struct err *e) ASSAY_MUST_CHECK;
/* Those of the model's findings, and those that take more than the model. */
void contradictions_from_model(struct making *k, const struct report_model *m);
void contradictions_from_data(struct making *k);
void contradictions_from_calls(struct making *k);
/* Number `number` of the catalogue, about its property. */
struct claim *make_contradiction(struct making *k, unsigned number, const char *title,
                                 const char *says, const char *found);
/* The same from two claims: where each stands becomes evidence and counter-evidence. */
struct claim *make_opposed(struct making *k, unsigned number, const char *title,
                           const struct claim *said, const struct claim *found);
/* The first claim with a value about a property, of that subject or (NULL) of any; NULL: none. */
struct claim *made_before(const struct making *k, const char *property, const char *subject);
/* Does the text deny? "No", "none of it", "does not". */
bool says_no(const char *text);
/* What a data set's claims call it. */
const char *dataset_shown(struct making *k, const struct dataset *d);
void claims_from_attestations(struct making *k);
/* Documents that speak of the model, each held against the rest (documents.c). */
void claims_from_documents(struct making *k);
void claims_from_dataset(struct making *k, const struct dataset *d);
/* The files that a run was read from, as evidence of a claim or against it. */
void training_stands(struct making *k, const struct training_run *t, struct claim *c, bool against);
void claims_from_training(struct making *k, const struct training_run *t);
void claims_from_lineage(struct making *k); /* what documents and tensors say of it */

#endif
