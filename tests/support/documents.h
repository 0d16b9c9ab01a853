/*
 * Models made of documents, from texts in memory, and counting of findings.
 */
#ifndef SUPPORT_DOCUMENTS_H
#define SUPPORT_DOCUMENTS_H

#include "assay/model.h"

/* Findings of one rule, folded ones included. */
uint32_t findings_of(const struct model *m, enum rule_id rule);
/* A model of one file; parsed when its format is known. NULL when out of memory. */
struct model *text_model(const char *name, struct span text);
/* Add a JSON text as a document of the model. */
bool add_document(struct model *m, enum document_kind kind, const char *json);

#endif
