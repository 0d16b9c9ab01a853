/* What a card says against what was counted: private to provenance. */
#ifndef ASSAY_PROVENANCE_COMPARE_H
#define ASSAY_PROVENANCE_COMPARE_H

#include "assay/provenance.h"

/* Beyond DATASET_NOTES notes are dropped: the first ones are there. */
void dataset_note(struct dataset *d, const char *rule, const char *declared, const char *counted,
                  bool contradicts);
/* The card given, or the first of the usual names in the folder. */
bool dataset_find_card(struct dataset *d, bool folder, const char *given, struct arena *a,
                       struct err *e) ASSAY_MUST_CHECK;
/* Notes for everything that disagrees. */
void dataset_compare(struct dataset *d, struct arena *a);

#endif
