/* Merkle trees of RFC 9162 section 2.1, grown a leaf at a time. */
#include "assay/digest.h"

#include <string.h>

struct digest merkle_node(const struct digest *left, const struct digest *right)
{
    uint8_t data[1 + 2 * DIGEST_SIZE] = {1};
    memcpy(data + 1, left->b, DIGEST_SIZE);
    memcpy(data + 1 + DIGEST_SIZE, right->b, DIGEST_SIZE);
    return sha256_of((struct span){data, sizeof data});
}

void merkle_start(struct merkle *m)
{
    m->size = 0;
}

/*
 * frontier[i] is the root of the complete subtree of 2^i leaves that bit i of
 * `size` stands for; appending carries as binary addition does.
 */
void merkle_append(struct merkle *m, const struct digest *leaf_hash)
{
    struct digest d = *leaf_hash;
    unsigned i = 0;
    for (; m->size >> i & 1; i++)
        d = merkle_node(&m->frontier[i], &d);
    m->frontier[i] = d;
    m->size++;
}

struct digest merkle_root(const struct merkle *m)
{
    if (m->size == 0)
        return sha256_of(SPAN_EMPTY);
    unsigned i = (unsigned)__builtin_ctzll(m->size);
    struct digest d = m->frontier[i];
    for (i++; i < 64 && m->size >> i; i++)
        if (m->size >> i & 1)
            d = merkle_node(&m->frontier[i], &d);
    return d;
}
