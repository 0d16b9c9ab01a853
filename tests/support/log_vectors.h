/*
 * A small log with fixed keys, clocks and randomness: the test vectors of
 * docs/log-format.md. Linking it replaces getrandom, so that salts are known.
 */
#ifndef TESTS_SUPPORT_LOG_VECTORS_H
#define TESTS_SUPPORT_LOG_VECTORS_H

#include "assay/proof.h"
#include "assay/record.h"
#include "assay/seal.h"
#include "assay/sign.h"

enum { VECTOR_LEAVES = 5, VECTOR_RECEIPT = 2, VECTOR_SIGNED = 4 };

struct log_vectors {
    struct buf leaf[VECTOR_LEAVES];
    struct digest hash[VECTOR_LEAVES];
    struct digest root[VECTOR_LEAVES + 1];    /* by size */
    struct buf log_key, new_key, witness_key; /* verifier keys */
    struct buf rotation;                      /* the message that both keys sign */
    struct seal_key record_key, prompt_key, subject_key;
    struct seal_wrapped wrapped; /* record_key by subject_key */
    struct span prompt, answer;
    uint8_t prompt_salt[SEAL_SALT];
    struct sealed_field sealed_prompt, sealed_answer;
    struct buf prompt_ciphertext, answer_ciphertext;
    struct buf checkpoint;     /* of VECTOR_SIGNED leaves, cosigned */
    struct buf new_checkpoint; /* of all leaves, by the new key */
    struct proof inclusion;    /* of VECTOR_RECEIPT in VECTOR_SIGNED */
    struct proof consistency;  /* of three leaves with VECTOR_SIGNED */
    struct buf receipt, bundle;
};

/* False when anything was refused. */
bool log_vectors_make(struct log_vectors *v, struct err *e);
void log_vectors_free(struct log_vectors *v);
/* As docs/log-format.md shows them. */
void log_vectors_text(struct buf *out, const struct log_vectors *v);

#endif
