/*
 * Verification: chain, proofs, signatures, receipts, exports. Never includes
 * log or SQLite; `make verifier` links a small standalone program from it.
 */
#ifndef ASSAY_VERIFY_H
#define ASSAY_VERIFY_H

#include "assay/proof.h"
#include "assay/record.h"
#include "assay/sign.h"

enum {
    TRUST_MAX = 64,               /* logs, witnesses and groups of a policy, each */
    TRUST_MAX_POLICY = 256 << 10, /* bytes of its text */
    RECEIPT_MAX = 2 << 20,        /* bytes of a .tlog-proof file */
    BUNDLE_MAX = 128 << 20        /* bytes of a disclosure */
};

/* A group of a policy: it has witnessed what `need` of its members have.
 * Bit i stands for witnesses[i] or groups[i]; groups hold only earlier groups. */
struct trust_group {
    uint64_t witnesses, groups;
    size_t need;
};

/* Whom the verifier believes: the log's keys, witnesses and how many of them must have signed. */
struct trust {
    struct span origin;        /* empty: the name of whichever log key signed */
    struct note_key *log_keys; /* none: nobody is pinned, and `verified` says so */
    size_t log_key_count;
    struct note_key *witnesses; /* at most TRUST_MAX */
    size_t witness_count;
    size_t required; /* witnesses that must have cosigned */
    /* The policy's own rule, beside `required`: the last group must have witnessed. */
    struct trust_group *groups;
    size_t group_count; /* 0: no such rule */
};

/* C2SP tlog-policy text: log, witness, group, quorum lines. */
bool trust_parse(struct trust *out, struct span policy, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;

/* A field whose content a disclosure opened; borrowed from the bundle and the arena. */
struct disclosed {
    struct span field, content;
};

/* What was shown, for the caller to print. */
struct verified {
    struct checkpoint checkpoint;
    bool signed_by_log;  /* the signature was checked, with `key` */
    bool pinned;         /* and the key, or one that it descends from, came from the caller */
    struct note_key key; /* whose signature it is */
    size_t cosignatures; /* valid ones of known witnesses */
    uint64_t newest_cosignature; /* Unix seconds */
    uint64_t index;              /* receipts: the entry */
    struct record record;        /* receipts: the decoded leaf */
    struct disclosed *fields;    /* disclosures: what was opened */
    size_t field_count;
    bool call;               /* bundles: a caller's receipt of a call, `record` its outcome */
    uint64_t leaves;         /* logs and exports: how many were recomputed */
    uint64_t checkpoints;    /* older checkpoints that the log extends */
    uint64_t rotations;      /* changes of the key, each signed by both */
    uint64_t restores;       /* times the log went on from a backup */
    uint64_t clock_back;     /* leaves whose wall clock is before their predecessor's */
    uint64_t boot_back;      /* leaves whose boot clock is, in the same boot */
    uint64_t open_intents;   /* calls without an outcome */
    uint64_t stray_outcomes; /* outcomes that close no open intent */
    bool intents_overflowed; /* more calls were open at once than are followed */
};

bool verify_checkpoint(struct verified *out, struct span note, const struct trust *t,
                       struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* A .tlog-proof file. */
bool verify_receipt(struct verified *out, struct span receipt, const struct trust *t,
                    struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/*
 * A disclosure (docs/log-format.md, "Disclosures"): the contents are what the leaf
 * of its receipt commits to. Nothing is decrypted; salts open the commitments. Or the
 * caller's own receipt of a call ("Receipts of calls"): all entries of the call are
 * in the log, none is left out, and out->fields is what they hold under each
 * name, joined; out->record is the outcome.
 */
bool verify_bundle(struct verified *out, struct span bundle, const struct trust *t, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;

/*
 * A whole log, fed leaf by leaf in order, constant memory: hashes, sequence
 * numbers, clocks, key rotations (signed by both keys), and at the end the
 * root against the checkpoint.
 */
struct verifier;
bool verifier_new(struct verifier **out, const struct trust *t, struct err *e) ASSAY_MUST_CHECK;
bool verifier_leaf(struct verifier *v, struct span leaf, struct err *e) ASSAY_MUST_CHECK;
/* An older checkpoint of the log, given before the leaves that it covers are
 * passed: its root is compared when its size is reached. Copied. */
bool verifier_expect(struct verifier *v, struct span older_note, struct err *e) ASSAY_MUST_CHECK;
/* The newest checkpoint covers exactly the leaves that were fed. */
bool verifier_finish(struct verifier *v, struct span newest_note, struct verified *out,
                     struct arena *a, struct err *e) ASSAY_MUST_CHECK;
void verifier_free(struct verifier *v);
/* An exported folder (C2SP tlog-tiles): checkpoint, tile/L/N and tile/entries/N; every hash of
 * every tile is computed again from the entries. */
bool verify_export(struct verified *out, const char *folder, const struct trust *t, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;

/* What a file or folder is, by its content. */
enum verified_kind {
    VERIFIED_CHECKPOINT,
    VERIFIED_RECEIPT,
    VERIFIED_DISCLOSURE,
    VERIFIED_CALL, /* a caller's receipt of a call */
    VERIFIED_EXPORT
};

/* Whatever stands at `path`; *kind is set even when it does not verify. */
bool verify_path(struct verified *out, enum verified_kind *kind, const char *path,
                 const struct trust *t, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* A screenful for people, appended: what was shown, and what was not. */
void verified_text(struct buf *out, enum verified_kind kind, const struct verified *v);
const char *verified_kind_name(enum verified_kind kind);

#endif
