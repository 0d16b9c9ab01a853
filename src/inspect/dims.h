/*
 * Private to inspect: a tensor's dimensions as the claims demand them.
 */
#ifndef INSPECT_DIMS_H
#define INSPECT_DIMS_H

#include "inspect/architecture.h"

/* The dimensions of the tensor in this place, outermost first, as the
 * container stores them. Returns their number; 0: nothing to compare. */
uint32_t dims_of(const struct study *s, const struct place *p, uint32_t rank, uint8_t out[3]);
/* What the claims demand; false when they say nothing. Overflow gives UINT64_MAX. */
bool dim_value(const struct study *s, enum dim d, uint64_t layer, uint64_t *out);
/* The claim behind it, for the finding's place; NULL when none. */
const struct claim *dim_claim(const struct study *s, enum dim d);
/* "llama.attention.head_count = 4 x llama.attention.key_length = 8". Returns out. */
const char *dim_words(const struct study *s, enum dim d, uint64_t layer, char *out, size_t size);
/* A claim with what follows from the others where it is absent. 0: unknown. */
uint64_t declared(const struct study *s, enum fact f, uint64_t layer);

#endif
