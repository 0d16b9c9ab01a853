/*
 * Which calls are open, in constant memory: intents come with ascending numbers,
 * so the list is sorted as it grows, and closed ones are swept out when it is full.
 */
#ifndef VERIFY_INTENTS_H
#define VERIFY_INTENTS_H

#include "assay/record.h"

enum { INTENTS_MAX = 1 << 16 };

struct intents {
    uint64_t seq[INTENTS_MAX];        /* ascending; INTENT_CLOSED is set on closed ones */
    struct digest chain[INTENTS_MAX]; /* over what is there of each call */
    size_t count;
    uint64_t open, stray;
    bool overflowed;
};

void intents_opened(struct intents *t, uint64_t seq, const struct digest *leaf);
/* A window that names intent `seq`. */
void intents_window(struct intents *t, uint64_t seq, const struct digest *leaf);
/* An outcome that names intent `seq`; *chain: over the call until then, NULL when it is not known. */
void intents_closed(struct intents *t, uint64_t seq, const struct digest **chain);
/* The member `intent` of a canonical body. */
bool intents_named(struct span body, uint64_t *out);
/* The digest `chain` of its member `prefix`; false when there is none. */
bool intents_prefix(struct span body, struct digest *out);

#endif
