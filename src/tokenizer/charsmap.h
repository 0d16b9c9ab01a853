/*
 * Private: SentencePiece's precompiled character map.
 */
#ifndef TOKENIZER_CHARSMAP_H
#define TOKENIZER_CHARSMAP_H

#include "assay/base/bytes.h"

/* Is it one that charsmap_apply can walk? */
bool charsmap_check(struct span map, struct err *e) ASSAY_MUST_CHECK;
/* Append the text with the longest known prefixes replaced. */
void charsmap_apply(struct buf *out, struct span text, struct span map);

#endif
