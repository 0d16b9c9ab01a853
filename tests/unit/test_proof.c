/* Proofs: every index and pair of sizes of small trees, every alteration refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assay/proof.h"

enum { LEAVES = 70 };

static struct digest leaves[LEAVES];

/* The definition of RFC 9162 section 2.1.1, by recursion. */
static struct digest tree_hash(size_t from, size_t n)
{
    if (n == 0)
        return sha256_of(SPAN_EMPTY);
    if (n == 1)
        return leaves[from];
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    struct digest left = tree_hash(from, k), right = tree_hash(from + k, n - k);
    return merkle_node(&left, &right);
}

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    (void)arg;
    (void)e;
    size_t n = (size_t)1 << level;
    assert_true((index + 1) * n <= LEAVES);
    *out = tree_hash(index * n, n);
    return true;
}

static const struct hash_reader reader = {read_hash, NULL};

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEAVES; i++) {
        uint8_t data = (uint8_t)i;
        leaves[i] = merkle_leaf((struct span){&data, 1});
    }
    return 0;
}

static void roots_agree_with_the_definition(void **state)
{
    (void)state;
    struct merkle m;
    merkle_start(&m);
    for (size_t n = 0; n <= LEAVES; n++) {
        struct digest root, expected = tree_hash(0, n), appended = merkle_root(&m);
        assert_true(proof_root(&root, n, &reader, NULL));
        assert_true(digest_eq(&root, &expected));
        assert_true(digest_eq(&appended, &expected));
        if (n < LEAVES)
            merkle_append(&m, &leaves[n]);
    }
}

static void inclusion_holds_for_the_entry_alone(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LEAVES; n++) {
        struct digest root = tree_hash(0, n);
        for (size_t i = 0; i < n; i++) {
            struct proof p;
            assert_true(proof_inclusion(&p, i, n, &reader, NULL));
            assert_true(proof_inclusion_ok(&leaves[i], i, n, &root, &p));
            for (size_t other = 0; other < n; other++)
                if (other != i)
                    assert_false(proof_inclusion_ok(&leaves[i], other, n, &root, &p));
            for (size_t h = 0; h < p.count; h++) {
                p.hash[h].b[h % DIGEST_SIZE] ^= 1;
                assert_false(proof_inclusion_ok(&leaves[i], i, n, &root, &p));
                p.hash[h].b[h % DIGEST_SIZE] ^= 1;
            }
            p.count++;
            assert_false(proof_inclusion_ok(&leaves[i], i, n, &root, &p));
        }
        struct proof p;
        assert_false(proof_inclusion(&p, n, n, &reader, NULL));
    }
}

static void consistency_holds_for_the_two_sizes_alone(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LEAVES; n++)
        for (size_t m = 1; m <= n; m++) {
            struct digest old_root = tree_hash(0, m), new_root = tree_hash(0, n);
            struct proof p;
            assert_true(proof_consistency(&p, m, n, &reader, NULL));
            assert_true(proof_consistency_ok(m, &old_root, n, &new_root, &p));
            if (m < n) {
                assert_false(proof_consistency_ok(m, &new_root, n, &new_root, &p));
                assert_false(proof_consistency_ok(m, &old_root, n, &old_root, &p));
                assert_false(proof_consistency_ok(n, &new_root, m, &old_root, &p));
            }
            for (size_t h = 0; h < p.count; h++) {
                p.hash[h].b[h % DIGEST_SIZE] ^= 1;
                assert_false(proof_consistency_ok(m, &old_root, n, &new_root, &p));
                p.hash[h].b[h % DIGEST_SIZE] ^= 1;
            }
        }
    struct digest root = tree_hash(0, 3);
    struct proof none = {.count = 0};
    assert_false(proof_consistency_ok(0, &root, 3, &root, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_agree_with_the_definition),
        cmocka_unit_test(inclusion_holds_for_the_entry_alone),
        cmocka_unit_test(consistency_holds_for_the_two_sizes_alone),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
