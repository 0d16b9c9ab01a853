/*
 * Which calls are open, in constant memory: intents come with ascending numbers,
 * so the list is sorted as it grows, and closed ones are swept out when it is full.
 */
#ifndef VERIFY_INTENTS_H
#define VERIFY_INTENTS_H

#include "assay/base/bytes.h"

enum { INTENTS_MAX = 1 << 16 };

struct intents {
    uint64_t seq[INTENTS_MAX]; /* ascending; INTENT_CLOSED is set on closed ones */
    size_t count;
    uint64_t open, stray;
    bool overflowed;
};

void intents_opened(struct intents *t, uint64_t seq);
/* An outcome that names intent `seq`. */
void intents_closed(struct intents *t, uint64_t seq);
/* The member `intent` of a call-outcome's canonical body. */
bool intents_named(struct span body, uint64_t *out);

#endif
