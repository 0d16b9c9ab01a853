/*
 * Merkle proofs (RFC 9162 sections 2.1.3 and 2.1.4) and the one place that
 * computes them: pure functions over a reader of stored hashes, so that the
 * log, the tile export and the verifier share them.
 */
#ifndef ASSAY_PROOF_H
#define ASSAY_PROOF_H

#include "assay/digest.h"

enum {
    PROOF_MAX = 64
}; /* hashes of an inclusion proof; a consistency proof has one more at most */

struct proof {
    struct digest hash[PROOF_MAX + 1];
    size_t count;
};

/* True when `leaf` is entry `index` of the tree of `size` leaves with `root`. */
bool proof_inclusion_ok(const struct digest *leaf, uint64_t index, uint64_t size,
                        const struct digest *root, const struct proof *p);
/* True when the tree (size2, root2) extends (size1, root1); size1 == 0 is refused. */
bool proof_consistency_ok(uint64_t size1, const struct digest *root1, uint64_t size2,
                          const struct digest *root2, const struct proof *p);

/*
 * Where hashes come from: the hash of the complete subtree number `index` of
 * 2^level leaves. Called only for subtrees that are complete in the tree.
 */
struct hash_reader {
    bool (*read)(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e);
    void *arg;
};

bool proof_root(struct digest *out, uint64_t size, const struct hash_reader *r,
                struct err *e) ASSAY_MUST_CHECK;
bool proof_inclusion(struct proof *out, uint64_t index, uint64_t size, const struct hash_reader *r,
                     struct err *e) ASSAY_MUST_CHECK;
bool proof_consistency(struct proof *out, uint64_t size1, uint64_t size2,
                       const struct hash_reader *r, struct err *e) ASSAY_MUST_CHECK;

#endif
