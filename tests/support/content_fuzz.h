/*
 * Runs one reader of content over fuzzed bytes, whatever a sniff would say of
 * them, and checks what must hold for any input.
 */
#ifndef SUPPORT_CONTENT_FUZZ_H
#define SUPPORT_CONTENT_FUZZ_H

#include "assay/model.h"

struct content;

/* Read the bytes by `examine` (NULL: as a file would be, by content); aborts when a listed tensor
 * lies outside of them or two readings differ. */
void content_fuzz(const char *name, struct span bytes, bool (*examine)(const struct content *c));

#endif
