/*
 * What verification was given, what it showed and what it did not: one text
 * and one JSON object for receipts, checkpoints, disclosures, exports and logs.
 */
#ifndef ASSAY_CLI_PROOF_VIEW_H
#define ASSAY_CLI_PROOF_VIEW_H

#include "assay/verify.h"
#include "cli/output.h"

enum evidence {
    EVIDENCE_RECEIPT,
    EVIDENCE_CHECKPOINT,
    EVIDENCE_BUNDLE,
    EVIDENCE_CALL,
    EVIDENCE_EXPORT,
    EVIDENCE_LOG
};

struct judged {
    const char *path;
    enum evidence what;
    struct verified v;
    size_t witnesses; /* known ones */
    size_t required;
    uint64_t unsigned_entries; /* of a log, newer than its newest checkpoint */
};

const char *evidence_name(enum evidence what); /* "receipt" */
/* Somebody signed what was shown, as far as that can be known. */
bool judged_signed(const struct judged *j);
void proof_text(struct out *o, const struct judged *j);
void proof_json(struct out *o, const struct judged *j);
/* A PATH that was refused. */
void proof_refused_json(struct out *o, const char *path, const struct err *e);

#endif
