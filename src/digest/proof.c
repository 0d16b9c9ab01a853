/*
 * RFC 9162 proofs: verification as in sections 2.1.3.2 and 2.1.4.2, generation
 * by the recursive definitions of 2.1.3.1 and 2.1.4.1 turned into loops over
 * complete subtrees, which are all that is ever stored.
 */
#include "assay/proof.h"

/* Nodes of the path below the point where it leaves the tree's right border. */
static unsigned inner_length(uint64_t index, uint64_t size)
{
    uint64_t differ = index ^ (size - 1);
    return differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;
}

static unsigned border_length(uint64_t index, unsigned inner)
{
    return inner > 63 ? 0 : (unsigned)__builtin_popcountll(index >> inner);
}

bool proof_inclusion_ok(const struct digest *leaf, uint64_t index, uint64_t size,
                        const struct digest *root, const struct proof *p)
{
    if (index >= size)
        return false;
    unsigned inner = inner_length(index, size);
    if (p->count != inner + border_length(index, inner))
        return false;
    struct digest h = *leaf;
    for (unsigned k = 0; k < p->count; k++) {
        bool left = k >= inner || (index >> k & 1);
        h = left ? merkle_node(&p->hash[k], &h) : merkle_node(&h, &p->hash[k]);
    }
    return digest_eq(&h, root);
}

bool proof_consistency_ok(uint64_t size1, const struct digest *root1, uint64_t size2,
                          const struct digest *root2, const struct proof *p)
{
    if (size1 == 0 || size1 > size2)
        return false;
    if (size1 == size2)
        return p->count == 0 && digest_eq(root1, root2);
    unsigned shift = (unsigned)__builtin_ctzll(size1);
    unsigned inner = inner_length(size1 - 1, size2) - shift;
    uint64_t mask = (size1 - 1) >> shift;
    /* A power of two is a node of the larger tree itself: its root is the seed. */
    bool complete = (size1 & (size1 - 1)) == 0;
    size_t first = complete ? 0 : 1;
    if (p->count != first + inner + border_length(mask, inner))
        return false;
    struct digest old_root = complete ? *root1 : p->hash[0], new_root = old_root;
    for (size_t k = 0; first + k < p->count; k++) {
        const struct digest *sibling = &p->hash[first + k];
        if (k >= inner || (mask >> k & 1)) {
            old_root = merkle_node(sibling, &old_root);
            new_root = merkle_node(sibling, &new_root);
        } else {
            new_root = merkle_node(&new_root, sibling);
        }
    }
    return digest_eq(&old_root, root1) && digest_eq(&new_root, root2);
}

/* ---- generation ---- */

/* Largest power of two below n, as its exponent; n > 1. */
static unsigned split_level(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll(n - 1);
}

/*
 * MTH(D[from : from + n]) where `from` is a multiple of the largest power of
 * two below n: its complete subtrees are read from the largest down and folded
 * from the right.
 */
static bool range_root(struct digest *out, uint64_t from, uint64_t n, const struct hash_reader *r,
                       struct err *e)
{
    struct digest part[64] = {{{0}}};
    unsigned parts = 0;
    while (n) {
        unsigned level = 63 - (unsigned)__builtin_clzll(n);
        if (!r->read(r->arg, level, from >> level, &part[parts++], e))
            return false;
        from += UINT64_C(1) << level;
        n -= UINT64_C(1) << level;
    }
    struct digest h = part[--parts];
    while (parts--)
        h = merkle_node(&part[parts], &h);
    *out = h;
    return true;
}

bool proof_root(struct digest *out, uint64_t size, const struct hash_reader *r, struct err *e)
{
    if (size == 0) {
        *out = sha256_of(SPAN_EMPTY);
        return true;
    }
    return range_root(out, 0, size, r, e);
}

/* The path was met from the root down and is told from the leaf up. */
static void reverse(struct proof *p)
{
    for (size_t a = 0, b = p->count; a + 1 < b; a++, b--) {
        struct digest t = p->hash[a];
        p->hash[a] = p->hash[b - 1];
        p->hash[b - 1] = t;
    }
}

bool proof_inclusion(struct proof *out, uint64_t index, uint64_t size, const struct hash_reader *r,
                     struct err *e)
{
    out->count = 0;
    if (index >= size)
        return err_set(e, ERR_USAGE, "entry %llu does not exist in a tree of %llu",
                       (unsigned long long)index, (unsigned long long)size);
    uint64_t from = 0, n = size;
    while (n > 1) {
        uint64_t k = UINT64_C(1) << split_level(n);
        bool right = index - from >= k;
        struct digest *sibling = &out->hash[out->count++];
        if (!(right ? range_root(sibling, from, k, r, e)
                    : range_root(sibling, from + k, n - k, r, e)))
            return false;
        from += right ? k : 0;
        n = right ? n - k : k;
    }
    reverse(out);
    return true;
}

bool proof_consistency(struct proof *out, uint64_t size1, uint64_t size2,
                       const struct hash_reader *r, struct err *e)
{
    out->count = 0;
    if (size1 == 0 || size1 > size2)
        return err_set(e, ERR_USAGE, "no consistency proof leads from %llu to %llu leaves",
                       (unsigned long long)size1, (unsigned long long)size2);
    uint64_t from = 0, n = size2, old = size1;
    bool whole = true; /* the old tree is the subtree in hand: its root is known */
    while (old < n) {
        uint64_t k = UINT64_C(1) << split_level(n);
        bool right = old > k;
        struct digest *sibling = &out->hash[out->count++];
        if (!(right ? range_root(sibling, from, k, r, e)
                    : range_root(sibling, from + k, n - k, r, e)))
            return false;
        whole = whole && !right;
        from += right ? k : 0;
        old -= right ? k : 0;
        n = right ? n - k : k;
    }
    if (!whole && !range_root(&out->hash[out->count++], from, n, r, e))
        return false;
    reverse(out);
    return true;
}
