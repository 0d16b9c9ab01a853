/* Inside check: what the files of contradictions share. */
#ifndef CHECK_CLAIMS_H
#define CHECK_CLAIMS_H

#include "check/check.h"

/* A member of a document and where it stands; JSON_NOTHING and nowhere when absent. */
struct claimed {
    struct json value;
    struct origin origin;
};
struct claimed claim_of(const struct model *m, enum document_kind kind, const char *key);
struct claimed claim_within(const struct model *m, enum document_kind kind, const char *outer,
                            const char *key);
/* Where a document's value stands. */
struct origin claim_place(const struct model *m, enum document_kind kind, struct json v);
/* The place of a metadata value; nowhere when absent. */
struct origin claim_metadata(const struct model *m, const char *key);
/* Data of the first tensor that `keep` wants, or nowhere: where tensors contradict. */
struct origin claim_tensors(const struct model *m);

#endif
