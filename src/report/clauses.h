/* Frameworks against claims: private to the report. */
#ifndef ASSAY_REPORT_CLAUSES_H
#define ASSAY_REPORT_CLAUSES_H

#include "report/making.h"

/* Fill the report's clauses and counts; claims that are missing are added. */
bool clauses_make(struct making *k, struct err *e) ASSAY_MUST_CHECK;

#endif
