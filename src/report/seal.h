/* The claims' root, and the statement over it: private to the report. */
#ifndef ASSAY_REPORT_SEAL_H
#define ASSAY_REPORT_SEAL_H

#include "assay/report.h"

#define REPORT_PREDICATE "https://assay.invalid/predicate/report/v1"

/* Commitments, root, statement and, with a key, envelope. */
bool report_bind(struct report *r, struct err *e) ASSAY_MUST_CHECK;
/* Root over commitments: RFC 9162, each commitment a leaf. */
struct digest claims_root(const struct digest *commitments, size_t count);

#endif
