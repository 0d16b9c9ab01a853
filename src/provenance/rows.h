/*
 * What is measured in the rows of a data set as they pass: hashes, languages,
 * dates, addresses, tokens. Private to provenance.
 */
#ifndef ASSAY_PROVENANCE_ROWS_H
#define ASSAY_PROVENANCE_ROWS_H

#include "assay/provenance.h"
#include "provenance/row_set.h"

enum row_format { ROWS_NONE, ROWS_LINES, ROWS_JSONL, ROWS_CSV, ROWS_TSV, ROWS_PARQUET };

struct rows {
    struct dataset *d;
    const struct tokenizer *tokenizer;
    struct tokens ids;
    struct buf text; /* of the row at hand: its strings */
    char first[11], last[11];
    bool failed; /* out of memory */
};

enum row_format row_format_of(const char *name);
void rows_init(struct rows *r, struct dataset *d, const struct tokenizer *t);
void rows_free(struct rows *r);
/* One row, without its line end; `whole` is the hash of one that was cut, else NULL. *tokens grows
 * by what the tokenizer counts. */
void rows_add(struct rows *r, enum row_format format, struct span row, const struct digest *whole,
              uint64_t *tokens);
/* Count duplicates and overlap, keep dates and languages. */
bool rows_finish(struct rows *r, const struct dataset *other, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;
/* The language that a text's letters and small words point to: a code, or "und". */
const char *language_of(struct span text);

#endif
