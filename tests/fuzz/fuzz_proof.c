/*
 * Inclusion and consistency proofs. Any bytes as a proof, for any size and index: judged without
 * a fault. And proofs of a real tree of the input's own leaves: they hold, and with any one
 * bit of them changed they do not.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/proof.h"

enum { LEAVES = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static struct digest take_digest(struct cursor *c)
{
    struct digest d = {{0}};
    struct span s = cursor_take(c, DIGEST_SIZE);
    if (s.n == DIGEST_SIZE)
        memcpy(d.b, s.p, DIGEST_SIZE);
    return d;
}

static void any_bytes(struct span input)
{
    struct cursor c = cursor_over(input);
    uint64_t one = cursor_u64(&c), two = cursor_u64(&c);
    struct digest a = take_digest(&c), b = take_digest(&c);
    struct proof p = {.count = 0};
    while (cursor_left(&c) >= DIGEST_SIZE && p.count < PROOF_MAX)
        p.hash[p.count++] = take_digest(&c);
    if (proof_inclusion_ok(&a, one, two, &b, &p))
        demand(one < two && p.count < 64);
    if (proof_consistency_ok(one, &a, two, &b, &p))
        demand(one > 0 && one <= two);
}

/* Roots of complete subtrees, computed again each time. */
struct leaves {
    struct digest hash[LEAVES];
    uint64_t count;
};

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    const struct leaves *l = arg;
    struct merkle m;
    (void)e;
    merkle_start(&m);
    demand(level < 10 && (index + 1) << level <= l->count);
    for (uint64_t i = index << level; i < (index + 1) << level; i++)
        merkle_append(&m, &l->hash[i]);
    *out = merkle_root(&m);
    return true;
}

static void flip(struct proof *p, uint8_t where)
{
    p->hash[where % p->count].b[where % DIGEST_SIZE] ^= (uint8_t)(1 << where % 8);
}

static void real_tree(struct span input)
{
    static struct leaves l;
    struct cursor c = cursor_over(input);
    l.count = 1 + cursor_u8(&c) % LEAVES;
    uint64_t index = cursor_u8(&c) % l.count, older = 1 + cursor_u8(&c) % l.count;
    uint8_t where = cursor_u8(&c);
    struct merkle m;
    struct digest old_root = {{0}};
    struct hash_reader r = {read_hash, &l};
    struct proof p;
    merkle_start(&m);
    for (uint64_t i = 0; i < l.count; i++) {
        uint8_t leaf[2] = {(uint8_t)i, cursor_u8(&c)};
        l.hash[i] = merkle_leaf((struct span){leaf, sizeof leaf});
        merkle_append(&m, &l.hash[i]);
        if (i + 1 == older)
            old_root = merkle_root(&m);
    }
    struct digest root = merkle_root(&m);
    demand(proof_inclusion(&p, index, l.count, &r, NULL) &&
           proof_inclusion_ok(&l.hash[index], index, l.count, &root, &p));
    if (p.count) {
        flip(&p, where);
        demand(!proof_inclusion_ok(&l.hash[index], index, l.count, &root, &p));
    }
    demand(proof_consistency(&p, older, l.count, &r, NULL) &&
           proof_consistency_ok(older, &old_root, l.count, &root, &p));
    if (p.count) {
        flip(&p, where);
        demand(!proof_consistency_ok(older, &old_root, l.count, &root, &p));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    any_bytes(input);
    real_tree(input);
    return 0;
}
