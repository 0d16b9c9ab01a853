/*
 * Base64 (RFC 4648): text for bytes.
 */
#ifndef ASSAY_BASE_BASE64_H
#define ASSAY_BASE_BASE64_H

#include "assay/base/arena.h"

/* Section 4, with padding. */
void base64_put(struct buf *out, struct span bytes);
/* Strict: one text for one value. False for any other text, or out of memory. */
bool base64_decode(struct span text, struct arena *a, struct span *out) ASSAY_MUST_CHECK;
/* The six bits of one character of section 4's alphabet; -1 for others. */
int base64_digit(uint8_t c);

#endif
