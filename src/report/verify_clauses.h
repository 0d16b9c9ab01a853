/* The clauses of a report's JSON against its claims: private to the report's verification. */
#ifndef ASSAY_REPORT_VERIFY_CLAUSES_H
#define ASSAY_REPORT_VERIFY_CLAUSES_H

#include "assay/base/json.h"

/*
 * Every clause has the status of its worst claim, and its claims are those whose own
 * text names it; frameworks are those of the signed `predicate`, and their words those
 * of this program's files where the digests are. With `whole`, nothing is hidden, and
 * the clauses are as many of each status as the predicate counts, where it does.
 * *unread: a framework whose file is not in this program, so that its words could not
 * be compared; NULL: none.
 */
bool clauses_prove(const char **unread, struct json report, struct json predicate, bool whole,
                   struct arena *a, struct err *e) ASSAY_MUST_CHECK;

#endif
