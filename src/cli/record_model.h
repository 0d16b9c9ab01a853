/* The leaf that enrols a model, for `assay record` and for whoever has just made one. */
#ifndef ASSAY_CLI_RECORD_MODEL_H
#define ASSAY_CLI_RECORD_MODEL_H

#include "assay/log.h"
#include "cli/subject.h"

/* The operator's own words are not cut as those of a model are: usage error beyond 512 bytes and
 * for what is no UTF-8. NULL is fine. */
bool record_source_ok(const char *source, struct err *e) ASSAY_MUST_CHECK;
/* `source` may be NULL: where it was obtained, as the operator says. */
bool record_model(struct log_receipt *receipt, struct log *l, const struct subject *s,
                  const char *source, struct err *e) ASSAY_MUST_CHECK;

#endif
