/*
 * Private to inspect: the parts that inspect_facts is made of. Each fills its
 * own fields of struct facts from the model alone, puts what it doubts into
 * the model's verdict, and returns false only when memory runs out.
 */
#ifndef INSPECT_FACTS_H
#define INSPECT_FACTS_H

#include "assay/inspect.h"

/* architecture.c: facts.architecture and facts.types. */
bool inspect_architecture(struct facts *out, struct model *m) ASSAY_MUST_CHECK;
/* tokenizer.c */
bool inspect_tokenizer(struct tokenizer_facts *out, struct model *m) ASSAY_MUST_CHECK;
/* licences.c: name, licences, base models, datasets, languages. */
bool inspect_provenance(struct facts *out, struct model *m) ASSAY_MUST_CHECK;

#endif
