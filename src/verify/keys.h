/*
 * What a log says of itself: its name and key in the genesis leaf, changes of
 * the key, the end. The few leaves that bear on trust are parsed here.
 */
#ifndef VERIFY_KEYS_H
#define VERIFY_KEYS_H

#include "assay/verify.h"

/* The log's keys, one after the other. */
struct keychain {
    const struct trust *trust;
    struct span origin;     /* in the arena of who owns the chain */
    struct note_key active; /* signs checkpoints that cover the last leaf seen */
    bool pinned;            /* one of them is trusted by the caller */
    bool closed;            /* sealed off: no leaf may follow */
    uint64_t rotations, restores;
    struct arena *keep; /* the origin lives here */
};

/* The first leaf must be a genesis leaf, no other may be one. */
bool keychain_leaf(struct keychain *k, const struct record_head *h, struct span body,
                   struct err *e) ASSAY_MUST_CHECK;

#endif
