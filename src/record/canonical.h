/* Any JSON text without fractions and nulls made canonical (RFC 8785). */
#ifndef ASSAY_RECORD_CANONICAL_H
#define ASSAY_RECORD_CANONICAL_H

#include "assay/base/json.h"

bool record_canonical(struct buf *out, struct span text, struct err *e) ASSAY_MUST_CHECK;

#endif
