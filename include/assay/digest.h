/*
 * SHA-256 (FIPS 180-4, by OpenSSL), RFC 9162 Merkle trees, hexadecimal.
 */
#ifndef ASSAY_DIGEST_H
#define ASSAY_DIGEST_H

#include "assay/base/bytes.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX = 64 };

struct digest {
    uint8_t b[DIGEST_SIZE];
};

bool digest_eq(const struct digest *a, const struct digest *b);
/* 64 lower-case digits and a NUL. Returns out. */
const char *digest_hex(char out[DIGEST_HEX + 1], const struct digest *d);
/* Exactly 64 hexadecimal digits of either case. */
bool digest_from_hex(struct digest *out, struct span hex) ASSAY_MUST_CHECK;

/* Incremental SHA-256. Create once, reuse by sha256_start. */
struct sha256;
struct sha256 *sha256_new(void); /* NULL when out of memory */
void sha256_free(struct sha256 *s);
void sha256_start(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *p, size_t n);
void sha256_finish(struct sha256 *s, struct digest *out);
/* One shot. */
struct digest sha256_of(struct span bytes);
/* Of several pieces as if they were joined. */
struct digest sha256_of_parts(const struct span *parts, size_t count);

/* RFC 9162 section 2.1.1: leaf = H(0x00 || data), node = H(0x01 || l || r). */
struct digest merkle_leaf(struct span data);
struct digest merkle_node(const struct digest *left, const struct digest *right);

/* Append leaf hashes one at a time in O(log n) memory. */
struct merkle {
    struct digest frontier[64];
    uint64_t size;
};

void merkle_start(struct merkle *m);
void merkle_append(struct merkle *m, const struct digest *leaf_hash);
/* Root of what was appended; SHA-256 of nothing for an empty tree. */
struct digest merkle_root(const struct merkle *m);

#endif
