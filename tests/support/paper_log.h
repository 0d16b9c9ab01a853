/*
 * A log on paper: leaves, keys, checkpoints, receipts and an exported folder
 * made with the modules that writers use, without a store.
 */
#ifndef TESTS_SUPPORT_PAPER_LOG_H
#define TESTS_SUPPORT_PAPER_LOG_H

#include "assay/proof.h"
#include "assay/record.h"
#include "assay/sign.h"

#define PAPER_ORIGIN "example.org/paper"
#define PAPER_WITNESSED UINT64_C(1795392999)

enum { PAPER_WITNESSES = 3 };

struct paper_log {
    struct arena *a;
    struct sign_key *key;
    struct note_key name;
    struct sign_key *witness[PAPER_WITNESSES];
    struct note_key witness_name[PAPER_WITNESSES];
    struct span *leaf;
    size_t count, cap;
    uint64_t rotated_at; /* size from which the second key signs; 0: never */
    struct sign_key *old_key;
    struct note_key old_name;
};

/* What paper_seal committed to. */
struct paper_sealed {
    uint64_t seq;
    uint8_t salt[32];
    struct span field, content;
};

void paper_start(struct paper_log *l);
void paper_free(struct paper_log *l);
/* One leaf of the kind; `body` is its members. */
void paper_append(struct paper_log *l, enum record_kind kind, const char *body);
/* Genesis, a start leaf, then calls (intent, outcome) until there are `count` leaves. */
void paper_fill(struct paper_log *l, size_t count);
void paper_rotate(struct paper_log *l);
/* A call-intent that commits to `content` as its field `prompt`. */
void paper_seal(struct paper_log *l, struct span content, struct paper_sealed *out);

struct digest paper_root(const struct paper_log *l, uint64_t size);
/* The signed checkpoint of the first `size` leaves, cosigned by the first `witnesses`. */
void paper_checkpoint(const struct paper_log *l, uint64_t size, size_t witnesses, struct buf *out);
void paper_receipt(const struct paper_log *l, uint64_t index, uint64_t size, size_t witnesses,
                   struct buf *out);
/* Cosigned by two, as is the export. */
void paper_bundle(const struct paper_log *l, const struct paper_sealed *s, uint64_t size,
                  struct buf *out);
/* checkpoint, tiles and entries of all leaves, as C2SP tlog-tiles names them. */
bool paper_export(const struct paper_log *l, const char *folder);
/* Hashes of complete subtrees, for proofs. */
struct hash_reader paper_hashes(const struct paper_log *l);

#endif
