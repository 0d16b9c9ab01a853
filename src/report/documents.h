/* Documents that speak of the model, while they are read. */
#ifndef ASSAY_REPORT_DOCUMENTS_H
#define ASSAY_REPORT_DOCUMENTS_H

#include "report/making.h"

struct given_document {
    const char *name;
    struct digest digest;
    const char *evidence; /* id */
};

/* What the document says, declared; NULL when `value` is, or there is no room. */
struct claim *document_claim(struct making *k, const struct given_document *d, const char *property,
                             const char *place, const char *value);
/* The document cannot be used: a claim of its own. */
void document_trouble(struct making *k, const struct given_document *d, const char *why);
/* Bills of materials (boms.c). */
void take_cyclonedx(struct making *k, const struct given_document *d, struct json root);
void take_spdx(struct making *k, const struct given_document *d, struct json root);

#endif
