/*
 * Sealed content: commitments that hide, encryption that can be forgotten.
 *
 * A leaf never holds content. Each field of a record gets 32 random bytes r
 * and the commitment
 *     SHA-256("assay/commit/v1\0" || u64be len(field) || field || r || u64be len(data) || data),
 * and is encrypted with AES-256-GCM under the record's own key in 64-KiB
 * chunks; the plaintext carries r and is padded (Padme, PURBs section 4.4). The leaf
 * holds commitment and SHA-256 of the ciphertext. The record's key is wrapped
 * (RFC 3394) by a key of its subject, that by a key of the epoch, that by the
 * operator's key; the epoch keys live in the keyring file outside the database.
 * Destroying a key forgets what it sealed, and every proof stays valid.
 */
#ifndef ASSAY_SEAL_H
#define ASSAY_SEAL_H

#include "assay/base/arena.h"
#include "assay/digest.h"

enum {
    SEAL_KEY = 32,
    SEAL_SALT = 32,
    SEAL_WRAPPED = 40,
    SEAL_ID = 16,
    SEAL_CHUNK = 65536,
    SEAL_NAME_MAX = 64,
    SEAL_ID_HEX = 2 * 16 /* digits of an id */
};

struct seal_key {
    uint8_t b[SEAL_KEY];
};

struct seal_wrapped {
    uint8_t b[SEAL_WRAPPED];
};

/* Random, public, in leaves: record ids and pseudonyms. */
struct seal_id {
    uint8_t b[SEAL_ID];
};

const char *seal_id_hex(char out[SEAL_ID_HEX + 1], const struct seal_id *id); /* returns out */
/* False unless s is 32 lower-case hexadecimal digits. */
bool seal_id_from_hex(struct seal_id *out, struct span s) ASSAY_MUST_CHECK;

bool seal_random(void *out, size_t n, struct err *e) ASSAY_MUST_CHECK;
void seal_wipe(void *p, size_t n);
bool seal_key_wrap(struct seal_wrapped *out, const struct seal_key *by, const struct seal_key *key,
                   struct err *e) ASSAY_MUST_CHECK;
/* ERR_INTEGRITY when `by` is not the key that wrapped it. */
bool seal_key_unwrap(struct seal_key *out, const struct seal_key *by, const struct seal_wrapped *w,
                     struct err *e) ASSAY_MUST_CHECK;

/* The commitment above; r is SEAL_SALT random bytes that stay secret with the content. */
void seal_commit(struct digest *out, struct span field, const uint8_t r[SEAL_SALT],
                 struct span data);

/* What a leaf says of one sealed field. */
struct sealed_field {
    struct span name;
    struct digest commitment;
    struct digest ciphertext; /* SHA-256 */
    uint64_t size;            /* bytes of ciphertext, padding included */
};

/* The key of one field: HMAC-SHA-256(record key, "assay/field/v1\0" || u64be len || name).
 * It opens that field alone, which is what a disclosure hands over. */
void seal_field_key(struct seal_key *out, const struct seal_key *record_key, struct span field);
/*
 * Seal one field, whose name stands in f: the ciphertext is appended to `out`,
 * the rest of *f is filled. Origin, record id, field name, chunk number and
 * "last" are authenticated with every chunk.
 */
bool seal_encrypt(struct buf *out, struct sealed_field *f, const struct seal_key *record_key,
                  struct span origin, const struct seal_id *record, struct span data,
                  struct err *e) ASSAY_MUST_CHECK;
/* The same with the caller's r: random, secret, and never used for another field. The thread's
 * cipher keeps the field's key until the next field or seal_forget. */
bool seal_encrypt_salted(struct buf *out, struct sealed_field *f, const struct seal_key *record_key,
                         struct span origin, const struct seal_id *record,
                         const uint8_t r[SEAL_SALT], struct span data,
                         struct err *e) ASSAY_MUST_CHECK;
void seal_forget(void);
/* Open one field: the ciphertext's digest, every tag and the commitment are
 * checked (ERR_INTEGRITY). r and data are the caller's to use; data lies in `a`. */
bool seal_open(struct span *data, uint8_t r[SEAL_SALT], const struct sealed_field *f,
               const struct seal_key *field_key, struct span origin, const struct seal_id *record,
               struct span ciphertext, struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/* ---- keyring: the epoch keys, in a file outside the database ---- */

struct keyring;

/* Create keyring and operator key files (0600, O_EXCL); one epoch, number 1. */
bool keyring_create(const char *path, const char *operator_key_path, struct span origin,
                    struct err *e) ASSAY_MUST_CHECK;
bool keyring_open(struct keyring **out, const char *path, const char *operator_key_path,
                  struct err *e) ASSAY_MUST_CHECK;
void keyring_close(struct keyring *k);               /* wipes */
struct span keyring_origin(const struct keyring *k); /* borrowed until keyring_close */
uint64_t keyring_epoch(const struct keyring *k);     /* the current one */
bool keyring_key(const struct keyring *k, uint64_t epoch, struct seal_key *out,
                 struct err *e) ASSAY_MUST_CHECK; /* ERR_INTEGRITY: destroyed or unknown */
/* Add a new current epoch; on disk (temporary file, fsync, rename, fsync of the folder) before it returns. */
bool keyring_advance(struct keyring *k, struct err *e) ASSAY_MUST_CHECK;
/* Forget every epoch before `epoch`: rewritten as above, old bytes overwritten first where the file system allows. */
bool keyring_destroy_before(struct keyring *k, uint64_t epoch, struct err *e) ASSAY_MUST_CHECK;

#endif
