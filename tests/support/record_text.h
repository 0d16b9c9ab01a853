/* What schema/records/ and docs/log-format.md say of the kinds, written from the table. */
#ifndef TESTS_SUPPORT_RECORD_TEXT_H
#define TESTS_SUPPORT_RECORD_TEXT_H

#include "assay/record.h"

/* JSON Schema (draft 2020-12) of a leaf of the kind, with a line end. */
void record_schema_text(struct buf *out, enum record_kind k);
/* Markdown: the envelope, each kind, each object. */
void record_kinds_text(struct buf *out);

#endif
