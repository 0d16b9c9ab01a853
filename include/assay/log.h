/*
 * The audit log: what serve, engine, check and report append to and read.
 *
 * A log is a folder: log.db (SQLite, WAL, FULL), log.db-wal, head (the newest
 * checkpoint, written after commits), keyring, LOG.sock and lock. One process owns
 * it: it holds the lock and the only writing connection and listens on the
 * socket; log_open of another process becomes a client of that owner. Nothing is
 * acknowledged before it is durable (fdatasync by SQLite's FULL); batches are
 * whatever queued while the last one was synced. reference: docs/log-format.md,
 * docs/operating.md.
 */
#ifndef ASSAY_LOG_H
#define ASSAY_LOG_H

#include "assay/base/clock.h"
#include "assay/proof.h"
#include "assay/record.h"
#include "assay/seal.h"
#include "assay/sign.h"

struct log;

struct log_paths {            /* NULL: the default inside the log's folder */
    const char *key;          /* signing key (PKCS#8 PEM) */
    const char *operator_key; /* wraps the keyring */
};

/* Create folder, keys, keyring, database and genesis leaf. `origin` names the log ("example.org/audit"). */
bool log_init(const char *folder, struct span origin, const struct log_paths *p,
              struct err *e) ASSAY_MUST_CHECK;
/* The same; the genesis names the final checkpoint of the log in the folder `predecessor`,
 * which was sealed off (log_seal_off). */
bool log_init_after(const char *folder, struct span origin, const struct log_paths *p,
                    const char *predecessor, struct err *e) ASSAY_MUST_CHECK;
/* Own the log, or speak to its owner. Recovers after a crash: replays the edge of the tree, gives
 * open intents an outcome `crash`, appends a start leaf (owner only). */
bool log_open(struct log **out, const char *folder, const struct log_paths *p,
              struct err *e) ASSAY_MUST_CHECK;
/* Wait for what is queued, append a stop leaf when owner, close. NULL is harmless. */
void log_close(struct log *l);
bool log_is_owner(const struct log *l);
/* Calls that a crash had left open, and that got their outcome when the log was opened by its owner. */
uint64_t log_crashed(const struct log *l);

/* Content to seal with a record. Borrowed until log_submit returns. */
struct log_content {
    struct span field;
    struct span data;
};

/* What a caller gets when its record is durable. */
struct log_receipt {
    bool ok;
    struct err error; /* when not ok: nothing was acknowledged */
    uint64_t seq;
    struct digest leaf_hash;
};

typedef void log_done(void *arg, const struct log_receipt *r);

/* What a record is found by, beside its head: members of its body, in plain text. */
struct log_index {
    struct span model, outcome, response; /* empty: none */
    bool has_intent;
    uint64_t intent; /* of a call-outcome: the call-intent's number */
};

struct log_entry {
    enum record_kind kind;
    struct span body;    /* JSON object text; members of the kind */
    struct span subject; /* who it concerns, in clear; empty: nobody. Stored only sealed. */
    const struct log_content *content;
    size_t content_count;
    /*
     * Of a call-intent: bytes of members and content that its outcome may have. Space for an
     * outcome of that size (8 KiB more than asked for) is set aside on the disk before the
     * intent is accepted: on a disk that has become full everything else is refused with
     * ERR_IO, and such outcomes are still taken.
     */
    uint64_t reserve;
    const struct log_index *index; /* as the body has it; NULL: it is read from there */
    bool owed; /* by an open call: taken when the queue is full too; see log_pressed */
    bool more; /* log_submit: others follow at once; the commit thread is woken by log_push */
};

/*
 * Queue a record and return at once. Sealing happens in the caller's thread;
 * `done` is called from the commit thread once the record is durable (or will
 * never be): it must return soon and never wait for the log itself. False when
 * the queue is full (ERR_LIMIT) or the log cannot be written (ERR_IO): nothing
 * was queued, `done` will not be called.
 */
bool log_submit(struct log *l, const struct log_entry *entry, log_done *done, void *arg,
                struct err *e) ASSAY_MUST_CHECK;
/* Wake the commit thread for what was submitted with `more`; it may have taken it before. A
 * client's records are on their way already. */
void log_push(struct log *l);
/*
 * The queue is twice as long as what new work may make it: open calls better wait before they
 * add windows. What they owe in the end is always taken.
 */
bool log_pressed(struct log *l);
/* Submit and wait. */
bool log_append(struct log *l, const struct log_entry *entry, struct log_receipt *out,
                struct err *e) ASSAY_MUST_CHECK;
/* An eventfd that becomes readable when records were acknowledged; owned by the log. */
int log_eventfd(struct log *l);

/*
 * ---- operations ----
 *
 * Done by the owner in its commit thread, or asked of it over LOG.sock by whoever
 * has the log open as a client. Each appends the entry that says so before its
 * result is handed out.
 */

/* Who ordered it and why. Both stand in the leaf in clear: no personal data. */
struct log_order {
    struct span by, basis;
};

struct log_erased {
    bool pending;   /* keys are destroyed, but a reader holds the WAL, which still has their bytes:
                     no leaf yet; it is tried again with later entries, by log_erase_resume, and
                     when the log is opened or closed */
    uint64_t seq;   /* the erasure leaf, when not pending */
    uint64_t epoch; /* destroyed, with all before it */
    uint64_t epoch_now; /* under which the survivors are wrapped */
    uint64_t keys;      /* wrapped keys destroyed */
    uint64_t entries;   /* whose content can no longer be opened */
};

/*
 * Erase everything sealed for a subject (its name in clear), or the content of one
 * entry: destroy the keys, wrap what survives anew, advance the keyring and destroy
 * the epochs before, empty the WAL, append the erasure leaf; only then is it erased.
 * Appending waits meanwhile. A crash between is made good when the log is opened.
 * `certificate` (may be NULL) gets the signed note of log_erase_certificate.
 * ERR_POLICY: under legal hold (that refusal is an entry). ERR_USAGE: nothing of that
 * subject or entry is sealed. ERR_INTEGRITY: the entry was erased before.
 */
bool log_erase_subject(struct log *l, struct span subject, const struct log_order *o,
                       struct log_erased *out, struct buf *certificate,
                       struct err *e) ASSAY_MUST_CHECK;
bool log_erase_entry(struct log *l, uint64_t seq, const struct log_order *o, struct log_erased *out,
                     struct buf *certificate, struct err *e) ASSAY_MUST_CHECK;
/* Finish what was pending; *left: erasures that still are. */
bool log_erase_resume(struct log *l, uint64_t *left, struct err *e) ASSAY_MUST_CHECK;
/* The certificate of the erasure leaf `seq`: a note signed by the log whose text is one
 * JSON object (docs/operating.md, "Erasure"). Appends to *out. */
bool log_erase_certificate(struct log *l, uint64_t seq, struct buf *out,
                           struct err *e) ASSAY_MUST_CHECK;

/* What a legal hold covers: a subject, the entries from `from` until before `to`, or,
 * when neither is given, the whole log. */
struct log_hold {
    struct span subject;
    uint64_t from, to;
};

bool log_hold_set(struct log *l, const struct log_hold *what, const struct log_order *o,
                  struct seal_id *hold, struct err *e) ASSAY_MUST_CHECK;
/* ERR_USAGE when no hold of that name is in force. */
bool log_hold_release(struct log *l, const struct seal_id *hold, const struct log_order *o,
                      struct err *e) ASSAY_MUST_CHECK;

struct log_disclosure {
    uint64_t seq;      /* the entry */
    struct span field; /* its sealed field */
    struct span recipient;
    struct log_order order;
};

/*
 * Open one field of one entry to somebody: the disclosure leaf (*leaf) first, then the
 * bundle (docs/log-format.md, "Disclosures"), appended to *out. ERR_INTEGRITY: erased, or
 * damaged. ERR_USAGE: no such entry or field.
 */
bool log_disclose(struct log *l, const struct log_disclosure *what, uint64_t *leaf, struct buf *out,
                  struct err *e) ASSAY_MUST_CHECK;

/*
 * Content of the log for a program of its operator that records what it did with it, as replay
 * does: appends field `field` of entry `seq` to *out. No leaf says that it was opened.
 * ERR_INTEGRITY: erased, or damaged. ERR_USAGE: no such entry or field.
 */
bool log_open_content(struct log *l, uint64_t seq, struct span field, struct buf *out,
                      struct err *e) ASSAY_MUST_CHECK;

/*
 * The caller's own receipt of a call (docs/log-format.md, "Receipts of calls"), appended to
 * *out: a receipt of each of its entries, from `intent` to `outcome`, and their content in
 * clear. It is no disclosure: whoever asks must have shown that they are the caller. Never from a
 * callback: the commit thread is waited for. ERR_USAGE: not covered by a signed checkpoint yet.
 */
bool log_call_receipt(struct log *l, uint64_t intent, uint64_t outcome, struct buf *out,
                      struct err *e) ASSAY_MUST_CHECK;

/*
 * Sign from now on with another key: made new, or the one in the file `key`
 * (PKCS#8), whose copy becomes the log's. The leaf is signed by both; checkpoints that
 * cover it by the new one. The old key's bytes are overwritten. Appends the new verifier key.
 */
bool log_rotate_key(struct log *l, const char *key, struct span reason, struct buf *vkey,
                    struct err *e) ASSAY_MUST_CHECK;

/*
 * End the log: the last leaf, after which nothing is appended, erased or disclosed any more,
 * and its final checkpoint, appended to *checkpoint. ERR_USAGE while calls are open or an
 * erasure is pending. Afterwards only log_close is left to do.
 */
bool log_seal_off(struct log *l, struct buf *checkpoint, struct err *e) ASSAY_MUST_CHECK;

/* ---- upkeep: nobody else may own the log, but for backups ---- */

struct log_reindexed {
    uint64_t entries, tiles;
    uint64_t wrong_entries, wrong_tiles, wrong_intents; /* rows that disagreed with the leaves */
};

/*
 * Rebuild what is derived from the leaves: tiles, index, open calls. Changes no leaf and
 * appends none. ERR_INTEGRITY: the leaves are not what the newest checkpoint signs; nothing
 * is changed then. ERR_USAGE: another process owns the log.
 */
bool log_reindex(const char *folder, struct log_reindexed *out, struct err *e) ASSAY_MUST_CHECK;

struct log_backed_up {
    uint64_t entries;
    bool keyring; /* is among the copies: it must be destroyed when something is erased */
};

/*
 * Copy the log as it is at one moment to a new folder `to`: log.db, head and, when asked,
 * the keyring. Works while the log is written (its WAL grows until the copy is made). The
 * signing key and the operator's key are never copied. The copy's tree is compared with the
 * head that was signed before.
 */
bool log_backup(const char *folder, const char *to, bool keyring, struct log_backed_up *out,
                struct err *e) ASSAY_MUST_CHECK;

struct log_restored {
    uint64_t entries; /* in the backup */
    uint64_t lost;    /* entries after it, as far as the head in `folder` knows of them */
    uint64_t seq;     /* the restore leaf */
    uint64_t epoch;   /* that it began */
    bool sealed;      /* the log was sealed off: it is back as it was, without a leaf */
};

/*
 * Make the log in `folder` from a backup and go on by a restore leaf in a new epoch. log.db
 * must not be there; log.key and operator.key must be, or be given. A keyring that is
 * there is kept, so that what was erased since the backup stays erased; else the backup's is
 * taken.
 */
bool log_restore(const char *backup, const char *folder, const struct log_paths *p,
                 const struct log_order *o, struct log_restored *out,
                 struct err *e) ASSAY_MUST_CHECK;

/* ---- reading: a snapshot of a log, by its owner or by anyone, read-only and defensive ---- */

struct log_reader;

bool log_reader_open(struct log_reader **out, const char *folder, struct err *e) ASSAY_MUST_CHECK;
void log_reader_close(struct log_reader *r);
uint64_t log_reader_size(const struct log_reader *r);
/* The newest signed checkpoint (a note). */
bool log_reader_checkpoint(struct log_reader *r, struct buf *note, struct err *e) ASSAY_MUST_CHECK;
/* The one of `size` entries; ERR_USAGE, naming the sizes around it, when none was signed or kept. */
bool log_reader_checkpoint_at(struct log_reader *r, uint64_t size, struct buf *note,
                              struct err *e) ASSAY_MUST_CHECK;
/* Leaf bytes, copied to `a`. */
bool log_reader_leaf(struct log_reader *r, uint64_t seq, struct arena *a, struct span *leaf,
                     struct err *e) ASSAY_MUST_CHECK;
/* Leaves from `seq` in order until visit returns false. */
bool log_reader_walk(struct log_reader *r, uint64_t seq,
                     bool (*visit)(void *arg, uint64_t seq, struct span leaf), void *arg,
                     struct err *e) ASSAY_MUST_CHECK;
/* The pseudonyms that a subject has had; borrowed from the arena. */
struct log_subject {
    const struct seal_id *pseudonyms;
    size_t count;
};

/* By its name in clear, which takes the keyring and the operator's key. None: nothing is sealed for
 * it, or it was erased, after which nothing links its entries any more. */
bool log_reader_subject(struct log_reader *r, const struct log_paths *p, struct span name,
                        struct log_subject *out, struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* Hashes of complete subtrees, for proof_*. */
struct hash_reader log_reader_hashes(struct log_reader *r);
/* A tlog-proof receipt for one entry (C2SP tlog-proof): proof, checkpoint; the leaf's bytes as `extra`.
 * The checkpoint is the kept one that most witnesses cosigned, where one covers the entry. */
bool log_reader_receipt(struct log_reader *r, uint64_t seq, struct buf *out,
                        struct err *e) ASSAY_MUST_CHECK;

/* ---- calls (src/log/calls.c) ---- */

struct log_call {
    uint64_t intent, outcome; /* entries */
};

/*
 * Calls whose answer had this identifier (`response_id` of the outcome), the newest first, until
 * visit returns false. Whoever answers chooses identifiers, so there may be several, and of other
 * callers: visit says which one is meant. An index finds them (log_reindex rebuilds it), their
 * leaves are judged. ERR_USAGE: a log of an earlier version that nobody has opened to append since.
 */
bool log_reader_calls(struct log_reader *r, struct span response,
                      bool (*visit)(void *arg, const struct log_call *call), void *arg,
                      struct err *e) ASSAY_MUST_CHECK;
/* The numbers of a call's entries in order: intent, windows, outcome. In `a`. */
bool log_reader_call(struct log_reader *r, const struct log_call *call, const uint64_t **entries,
                     size_t *count, struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/* ---- what witnesses added (src/log/cosign.c) ---- */

/*
 * Keep cosignature lines (witness_cosign verified them) with the checkpoint
 * that they are for, a note signed by this log; durable when it returns.
 */
bool log_keep_cosignatures(struct log *l, struct span checkpoint, struct span lines,
                           struct err *e) ASSAY_MUST_CHECK;

struct log_cosigned {
    uint64_t size; /* entries of the checkpoint */
    uint64_t time; /* Unix seconds that the witness signed; 0: there is none */
};

/* The newest cosignature of one witness, or of any when `witness` is NULL. As it was stored:
 * whether it holds is for verify_checkpoint to say. */
bool log_reader_cosigned(struct log_reader *r, const struct note_key *witness,
                         struct log_cosigned *out, struct err *e) ASSAY_MUST_CHECK;
/* The checkpoint that was cosigned last, with a line of each of its witnesses, for
 * verify_checkpoint. ERR_USAGE when there is none. */
bool log_reader_cosigned_note(struct log_reader *r, struct buf *note,
                              struct err *e) ASSAY_MUST_CHECK;

/* The largest checkpoint of at most `size` entries that a witness cosigned by `seconds`, with the
 * lines of up to then: the same later, whatever was added since. An empty note: there is none. */
bool log_reader_anchor(struct log_reader *r, uint64_t size, uint64_t seconds, struct buf *note,
                       struct err *e) ASSAY_MUST_CHECK;

/* ---- tiles (src/log/export.c) ---- */

struct log_exported {
    uint64_t size;     /* entries of the checkpoint now in the folder */
    uint64_t previous; /* of the one that was there before */
    uint64_t written;  /* files written, the checkpoint not counted */
    uint64_t kept;     /* files that were there already */
};

/*
 * The log as a folder that any web server can serve (C2SP tlog-tiles):
 * checkpoint, tile/L/N, tile/entries/N. Later exports add to the folder: a tile
 * that is full and published is never written again, and a folder that publishes
 * another history, another log or more entries than this one has is refused
 * (ERR_INTEGRITY, ERR_CONFIG). Every entry is held against the tree, and the tree against
 * the checkpoint, which is written last, when all the rest is on the disk.
 */
bool log_export(struct log_reader *r, const char *folder, const struct progress *p,
                struct log_exported *out, struct err *e) ASSAY_MUST_CHECK;

/* What a log holds beside its leaves, and how that stands to the retention set. */
struct log_stats {
    uint64_t entries, subjects; /* subjects: one for each epoch in which it was met */
    uint64_t sealed_entries;    /* whose content can still be opened by the log */
    uint64_t open_intents, pending_erasures, holds;
    uint64_t database_bytes, wal_bytes;
    uint64_t floor_days, ceiling_days; /* 0: not set */
    uint64_t oldest_sealed_us;         /* wall clock of the oldest of sealed_entries; 0: none */
    uint64_t beyond_ceiling;           /* sealed_entries older than the ceiling */
    uint64_t erased_before_floor;      /* entries erased when they were younger than the floor */
};

bool log_reader_stats(struct log_reader *r, uint64_t now_us, struct log_stats *out,
                      struct err *e) ASSAY_MUST_CHECK;
/* Days that sealed content should be kept at least and at most (0: no limit), as a
 * `config` entry. The log reports; it erases nothing by itself. */
bool log_retention_set(struct log *l, uint64_t floor_days, uint64_t ceiling_days,
                       const struct log_order *o, struct err *e) ASSAY_MUST_CHECK;

#endif
