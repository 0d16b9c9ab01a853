/*
 * Results of evaluations from wherever they are stated, so that any two that
 * speak of the same measurement can be compared.
 */
#ifndef ASSAY_REPORT_SCORES_H
#define ASSAY_REPORT_SCORES_H

#include "report/making.h"

/* Members that a source does not give are empty. */
void score_add(struct making *k, struct span metric, struct span dataset, struct span value,
               const struct claim *claim);
/* Do both speak of one measurement? From different documents, by metric and data set. */
bool score_same(const struct score *a, const struct score *b);
/* Are the numbers equal, to the last digit that both give? True for what is no number. */
bool score_equal(const struct score *a, const struct score *b);

#endif
