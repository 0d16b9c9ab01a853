/* SHA-256 against FIPS 180-4's examples, Merkle trees against RFC 6962's test tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assay/digest.h"

static void expect_hex(struct digest d, const char *hex)
{
    char text[DIGEST_HEX + 1];
    assert_string_equal(digest_hex(text, &d), hex);
}

static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    expect_hex(sha256_of(SPAN_EMPTY),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hex(sha256_of(span_str("abc")),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_hex(sha256_of(span_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_streams_a_million_letters(void **state)
{
    (void)state;
    char block[1000];
    struct digest d;
    struct sha256 *s = sha256_new();
    memset(block, 'a', sizeof block);
    for (int round = 0; round < 2; round++) { /* the second proves that start resets */
        sha256_start(s);
        for (int i = 0; i < 1000; i++)
            sha256_update(s, block, sizeof block);
        sha256_finish(s, &d);
        expect_hex(d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    sha256_free(s);
    sha256_free(NULL);
}

/* The eight leaves of the Certificate Transparency reference tests. */
static const struct {
    const char *bytes;
    size_t n;
    const char *root; /* of the tree up to this leaf */
} leaves[] = {
    {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};

static void merkle_gives_the_rfc_6962_roots(void **state)
{
    (void)state;
    struct merkle m;
    merkle_start(&m);
    expect_hex(merkle_root(&m), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        struct digest d = merkle_leaf((struct span){(const uint8_t *)leaves[i].bytes, leaves[i].n});
        merkle_append(&m, &d);
        expect_hex(merkle_root(&m), leaves[i].root);
    }
}

/* Section 2.1.1 by its own words: split at the largest power of two below n. */
static struct digest recursive_root(const struct digest *d, size_t n)
{
    if (n == 1)
        return d[0];
    size_t k = 1;
    while (k * 2 < n)
        k *= 2;
    struct digest left = recursive_root(d, k), right = recursive_root(d + k, n - k);
    return merkle_node(&left, &right);
}

static void merkle_equals_the_recursive_definition_for_every_size(void **state)
{
    (void)state;
    struct digest d[131];
    struct merkle m;
    merkle_start(&m);
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
        d[i] = merkle_leaf((struct span){(const uint8_t *)&i, sizeof i});
        merkle_append(&m, &d[i]);
        struct digest want = recursive_root(d, i + 1), got = merkle_root(&m);
        assert_true(digest_eq(&want, &got));
    }
}

static void hex_takes_64_digits_of_either_case_and_nothing_else(void **state)
{
    (void)state;
    char text[DIGEST_HEX + 1];
    struct digest d, kept = {{1}};
    const char *upper = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    assert_true(digest_from_hex(&d, span_str(upper)));
    expect_hex(d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    d = kept;
    assert_false(digest_from_hex(&d, span_sub(span_str(upper), 0, 63)));
    strcpy(text, upper);
    for (size_t i = 0; i < DIGEST_HEX; i++) {
        text[i] = i % 2 ? 'g' : '/';
        assert_false(digest_from_hex(&d, span_str(text)));
        text[i] = upper[i];
    }
    assert_true(digest_eq(&d, &kept));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(sha256_streams_a_million_letters),
        cmocka_unit_test(merkle_gives_the_rfc_6962_roots),
        cmocka_unit_test(merkle_equals_the_recursive_definition_for_every_size),
        cmocka_unit_test(hex_takes_64_digits_of_either_case_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
