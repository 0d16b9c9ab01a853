/*
 * Private to src/log: the open log and the parts it is made of.
 *
 * Threads: callers seal and queue (entry.c, subject.c, queue.c); one commit
 * thread owns the writing connection and the tree (commit.c); one keeper
 * writes the head file and syncs (keeper.c); one thread serves LOG.sock (owner.c). What
 * the commit thread alone may touch stands in struct store.
 */
#ifndef LOG_STORE_H
#define LOG_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "assay/log.h"
#include "log/tiles.h"

enum {
    LOG_BATCH_MAX = 4096,                  /* records in one transaction */
    LOG_CROWD = 2,                         /* records of a batch that come of many callers */
    LOG_QUEUE_MAX = 65536,                 /* records waiting */
    LOG_QUEUE_BYTES = 256 << 20,           /* ... and their bytes */
    LOG_ENTRY_BYTES = 64 << 20,            /* body and content of one entry */
    LOG_PLACES = 256,                      /* content.id = seq * this + place of the field */
    LOG_SUBJECT_MAX = 4096,                /* bytes of a subject's name */
    LOG_SLICE_PAGES = 128,                 /* so many more in the WAL and a slice is copied back */
    LOG_WAL_PAGES = 4096,                  /* ... and all of it, once it has so many */
    LOG_CLOCK_BACK_US = 10 * 1000 * 1000,  /* the wall clock may step back by this much */
    LOG_HEAD_EVERY_NS = 200 * 1000 * 1000, /* the head file is at most this much behind */
    LOG_KEPT_EVERY_US = 1000 * 1000,       /* signed heads kept in the database */
    LOG_FULL_EVERY_US = 1000 * 1000,       /* a full disk is tried again */
    LOG_NOTE_MAX = 1 << 16
};

/* An owner that starts or ends is waited for this long. */
#define LOG_OWNER_WAIT_NS (UINT64_C(5) * 1000 * 1000 * 1000)

/* Clocks in microseconds; passed in so that tests can turn them back. */
struct log_clock {
    uint64_t (*wall)(void *arg);
    uint64_t (*boot)(void *arg);
    void *arg;
};

/* ---- subjects: subject.c ---- */

/* Stays in memory while an entry refers to it or it is not stored yet. */
struct subject {
    struct subject *next;
    struct digest lookup;
    struct seal_id pseudonym;
    struct seal_key key;
    int64_t id;
    uint64_t born;
    unsigned refs;
    bool stored; /* set by the commit thread */
    struct seal_wrapped wrapped;
    struct digest commitment;
    struct buf name; /* ciphertext, until stored */
};

enum { SUBJECT_BUCKETS = 1024, SUBJECTS_KEPT = 8192 };

struct subjects {
    pthread_mutex_t lock;
    struct subject *bucket[SUBJECT_BUCKETS];
    size_t count;
    int64_t next_id;
    uint64_t epoch; /* of the two keys below; 0: none are loaded */
    struct seal_key epoch_key, lookup_key;
    struct subject *last;  /* taken; NULL: none, or of a long name */
    uint8_t last_name[64]; /* wiped with the keys */
    size_t last_length;
    sqlite3 *db; /* a reader of its own */
    sqlite3_stmt *find;
};

struct log;

bool subjects_open(struct log *l, struct err *e) ASSAY_MUST_CHECK;
void subjects_close(struct log *l);
/* The subject of this name in the current epoch, made when new. The empty name
 * is the subject of content that concerns nobody. */
bool subject_take(struct log *l, struct span name, struct subject **out,
                  struct err *e) ASSAY_MUST_CHECK;
void subject_release(struct log *l, struct subject *s); /* NULL is harmless */
/* What stands for a name in the table `subject` under the key of an epoch. */
void subject_lookup(struct digest *out, const struct seal_key *epoch_key, struct span name);
/* Forget what is cached, wiping keys; commit thread, nothing queued. */
void subjects_forget(struct log *l);

/* ---- entries on their way: entry.c, queue.c ---- */

/* What the index says of a record beside its head. */
struct entry_index {
    struct span model, outcome; /* borrowed from the item */
    bool has_intent, has_response;
    uint64_t intent;   /* of a call-outcome: the call-intent's seq */
    uint32_t response; /* of a call-outcome: its answer's identifier, hashed; calls.h */
};

/* Who waits for a record; on its own stack until it is done. wake.c */
struct waiter {
    atomic_uint done;
    atomic_uint *next[2]; /* whom to wake after oneself */
    struct log_receipt receipt;
};

void waiter_start(struct waiter *w);
void waiter_wait(struct waiter *w);
/* Their receipts are written: they may go. */
void waiters_wake(struct waiter **w, size_t count);

struct item {
    struct item *next;
    enum record_kind kind;
    struct seal_id id;
    struct subject *subject; /* NULL: neither subject nor content */
    bool named;              /* the leaf shows the subject's pseudonym */
    struct span body;
    struct entry_index index;
    struct seal_wrapped key;     /* when there are fields */
    struct record_field *fields; /* in the order of their names, as in the leaf */
    size_t field_count;
    struct buf content; /* the fields' ciphertexts, one after the other */
    size_t bytes;       /* counted against LOG_QUEUE_BYTES */
    uint64_t reserve;   /* of a call-intent: bytes that its outcome may have */
    bool owed;          /* by an open call: no limit of the queue holds for it */
    bool refused;       /* takes no number; the receipt says why */
    log_done *done;
    void *arg;
    struct waiter *waiter; /* NULL: nobody waits, `done` is called */
    struct log_receipt receipt;
};

bool item_new(struct log *l, const struct log_entry *entry, struct item **out,
              struct err *e) ASSAY_MUST_CHECK;
void item_free(struct log *l, struct item *i);
bool entry_index_of(struct entry_index *out, enum record_kind kind, struct span body,
                    struct err *e) ASSAY_MUST_CHECK;

/* Work for the commit thread between two batches: erasure, rotation, checkpoints. */
typedef bool store_job(struct log *l, void *arg, struct err *e);

struct job {
    struct job *next;
    store_job *run;
    void *arg;
    struct err *e;
    bool ok, finished;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, finished;
    struct item *first, **last;
    size_t count, bytes;
    struct job *jobs;
    bool asleep;        /* the commit thread waits, and nobody has woken it yet */
    bool stopping;      /* finish what is queued, then end */
    struct err failure; /* code not ERR_NONE: the log is stopped */
};

bool queue_open(struct queue *q, struct err *e) ASSAY_MUST_CHECK;
void queue_close(struct queue *q);
/* False: full, stopped or closing; the item stays the caller's. `more`: others follow, and
 * queue_push after them. */
bool queue_put(struct queue *q, struct item *i, bool more, struct err *e) ASSAY_MUST_CHECK;
void queue_push(struct queue *q);
bool queue_pressed(struct queue *q); /* log_pressed */
/* For tests: queues take so many records instead of LOG_QUEUE_MAX. Safe in a signal's handler. */
void queue_limit(size_t records);
/* Wait for items or a job; false when there will be none. */
bool queue_take(struct queue *q, struct item **items, struct job **job);
void queue_stop(struct queue *q);
/* From now on everything fails with this. */
void queue_fail(struct queue *q, const struct err *why);
bool queue_failed(struct queue *q, struct err *e);
bool queue_empty(struct queue *q);
/* What is queued now, up to a batch, without waiting; NULL: nothing. */
struct item *queue_cut(struct queue *q);
/* Run `run` in the commit thread and wait. */
bool log_run(struct log *l, store_job *run, void *arg, struct err *e) ASSAY_MUST_CHECK;

/* ---- the commit thread's own: commit.c, batch.c ---- */

enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_RECORD,
    ST_ENTRY,
    ST_INTENT,
    ST_OUTCOME,
    ST_RESPONSE,
    ST_SUBJECT,
    ST_CONTENT_KEY,
    ST_CONTENT,
    ST_TILE,
    ST_CHECKPOINT,
    STATEMENTS
};

/* Blocks of the disk that the WAL has, and for what. reserve.c */
struct reserve {
    uint64_t room;     /* bytes that the WAL has blocks for, as far as is known */
    uint64_t promised; /* of them to open calls, together */
    struct promise {
        uint64_t seq, bytes; /* of a call-intent; bytes 0: a free slot */
    } * open;
    size_t slots, count;
    int index; /* descriptor of the WAL's index, plus 1; 0: not open */
};

void reserve_keep(struct reserve *r, uint64_t intent, uint64_t bytes);
void reserve_release(struct reserve *r, uint64_t intent);
void reserve_free(struct reserve *r);
/* What is promised to the outcome of this intent. */
uint64_t reserve_wanted(const struct item *intent);
/*
 * Blocks for a batch; false: none beyond what was promised to open calls, so nothing but the
 * items may be written, and those that must be refused are marked.
 */
bool reserve_batch(struct log *l, struct item *items);
/* The WAL is empty: what is promised to open calls is set aside anew, if nobody took it. */
void reserve_again(struct log *l);
/* Blocks for an order that changes so many pages; false: the disk is full, and what it has set
 * aside belongs to open calls. */
bool reserve_order(struct log *l, uint64_t pages, struct err *e) ASSAY_MUST_CHECK;

/* How the WAL gets into the database. copy_back.c */
struct copying {
    sqlite3 *reader; /* NULL: none yet, or none is to be had */
    sqlite3_stmt *look;
    sqlite3_file *file; /* the reader's: what the keeper syncs */
    bool tried, held;
    uint64_t held_end;    /* pages of the WAL that the reader sees */
    atomic_bool unsynced; /* a slice was copied, and the keeper is not done with it */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *st[STATEMENTS];
    struct edge edge;
    struct merkle tree;
    uint64_t newest_us; /* largest wall clock of a leaf */
    uint64_t kept_us;   /* when a signed head was last kept */
    struct buf leaf, note;
    struct waiter **waiters; /* of a batch, LOG_BATCH_MAX */
    uint64_t batch;          /* records in the last one */
    uint64_t wal_end;        /* pages after which the next batch may be written */
    uint64_t wal_copied;     /* of them when the WAL was last copied back */
    uint64_t copy_at_us;     /* not copied back before, for the disk was full */
    struct copying copying;
    struct reserve reserve;
    bool sealed;  /* off: the last leaf is written */
    bool erasing; /* an erasure is pending: a reader holds the WAL */
    uint64_t erase_tried_us;
};

bool store_open(struct log *l, struct err *e) ASSAY_MUST_CHECK;
void store_close(struct log *l);
/* Commit a list of items, in order; sets their receipts. False: the log must stop. */
bool store_commit(struct log *l, struct item *items, struct err *e) ASSAY_MUST_CHECK;
/* Keep the newest signed head in the database. */
bool store_keep(struct log *l, struct err *e) ASSAY_MUST_CHECK;
/*
 * Within a job: keep callers from sealing and commit what they have sealed, so that no
 * entry is on its way with keys that the job changes. store_admit ends it.
 */
bool store_exclude(struct log *l, struct err *e) ASSAY_MUST_CHECK;
void store_admit(struct log *l);
/* Around sealing and queueing an entry. */
void store_seal_begin(struct log *l);
void store_seal_end(struct log *l);
/* Append in the calling thread, before the commit thread runs or within a job. */
bool store_append(struct log *l, const struct log_entry *entry, struct log_receipt *out,
                  struct err *e) ASSAY_MUST_CHECK;
void *commit_thread(void *log);

/* ---- from the WAL into the database: copy_back.c; the commit thread's own ---- */

/* Between two batches: a slice, or all of it, when that is due and nobody waits, or long due. */
bool copy_back(struct log *l, struct err *e) ASSAY_MUST_CHECK;
/* Copy the WAL back and empty it; *pending: a reader holds it. */
bool store_truncate(struct log *l, bool *pending, struct err *e) ASSAY_MUST_CHECK;
void copy_back_close(struct store *s);
/* In the keeper: make durable what slices have copied. */
bool copy_back_sync(struct log *l, struct err *e) ASSAY_MUST_CHECK;
/* For tests: pages of a slice, and of a WAL that is copied whole. */
void copy_back_limits(uint64_t slice, uint64_t most);

/* ---- the head file: head.c; the thread that writes it: keeper.c ---- */

struct head {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stopping, waiting;
    bool sync;          /* the database is to be synced */
    uint64_t due_ns;    /* before which the file is not written again; the keeper's own */
    atomic_bool full;   /* no space for the file: it is older than it should be */
    struct merkle tree; /* the newest committed one */
    uint64_t version, signed_version, written; /* of that tree; that `note` signs; in the file */
    struct buf note;
};

/* What is committed now; not signed before somebody asks or the file is due. */
void head_set(struct log *l, const struct merkle *tree);
/* Its signed checkpoint, appended; *size: of its tree. */
bool head_note(struct log *l, struct buf *note, uint64_t *size, struct err *e) ASSAY_MUST_CHECK;
bool head_write(struct log *l, struct err *e) ASSAY_MUST_CHECK;
bool keeper_open(struct log *l, struct err *e) ASSAY_MUST_CHECK;
void keeper_close(struct log *l);
/* Have it sync the database soon. */
void keeper_sync(struct log *l);

/* ---- one owner: owner.c, server.c, client.c ---- */

struct server {
    pthread_t thread;
    pthread_mutex_t lock;
    struct session *sessions;
    uint64_t turns; /* under the lock: how often a session had nothing to do */
    bool running;
    int listener, wake;
};

/* SOCKET_COSIGNED: u32le length and checkpoint, then lines. cosign.c */
bool cosign_serve(struct log *l, struct cursor *arguments, struct buf *result,
                  struct err *e) ASSAY_MUST_CHECK;
bool server_open(struct log *l, struct err *e) ASSAY_MUST_CHECK;
void server_close(struct log *l);

struct client;

/* `event` counts answers; it stays the caller's. */
bool client_open(struct client **out, const char *folder, int event,
                 struct err *e) ASSAY_MUST_CHECK;
void client_close(struct client *c);
bool client_pressed(struct client *c); /* log_pressed */
bool client_submit(struct client *c, const struct log_entry *entry, log_done *done, void *arg,
                   struct err *e) ASSAY_MUST_CHECK;

/* ---- the log ---- */

/* The sealed-off log that a new one continues. */
struct predecessor {
    struct span checkpoint, key;
};

enum path { PATH_DB, PATH_HEAD, PATH_KEYRING, PATH_LOCK, PATH_KEY, PATH_OPERATOR, PATHS };

struct log {
    char *folder;
    char *path[PATHS];
    bool owner;
    uint64_t crashed;      /* calls that a crash had left open when it was opened */
    struct client *client; /* when somebody else owns it */
    int lock, event;
    struct log_clock clock;
    uint8_t boot_id[16];
    pthread_rwlock_t keys;    /* around keyring, key and name */
    pthread_rwlock_t sealing; /* read: from taking a subject until its entry is queued */
    struct keyring *keyring;
    struct sign_key *key;
    struct note_key name;
    struct span origin;             /* in `names` */
    struct predecessor predecessor; /* while the genesis is written; borrowed */
    struct arena *names;
    struct store store;
    struct queue queue;
    struct subjects subjects;
    struct head head;
    struct server server;
    pthread_t committer;
    bool committing;
};

/* log_open with clocks of the caller's. */
bool log_open_with(struct log **out, const char *folder, const struct log_paths *p,
                   const struct log_clock *clock, struct err *e) ASSAY_MUST_CHECK;
/* A log that is locked and nothing else; NULL: it cannot be, ERR_USAGE when it has an owner. */
struct log *log_alone(const char *folder, const struct log_paths *p, struct err *e);
void log_release(struct log *l);
bool log_load_keys(struct log *l, struct err *e) ASSAY_MUST_CHECK;
/* False: another process owns the log. */
bool owner_lock(struct log *l, bool *taken, struct err *e) ASSAY_MUST_CHECK;

/* Outcomes `crash` for calls that have none; before the commit thread runs. crash.c */
bool close_intents(struct log *l, uint64_t *closed, struct err *e) ASSAY_MUST_CHECK;
/* After a crash: rollback, outcomes of open intents; then the start leaf. recover.c */
bool recover_check(struct log *l, struct err *e) ASSAY_MUST_CHECK; /* its first part alone */
bool recover(struct log *l, uint64_t *crashed, struct err *e) ASSAY_MUST_CHECK;
bool append_start(struct log *l, uint64_t crashed, struct err *e) ASSAY_MUST_CHECK;
bool append_stop(struct log *l, struct err *e) ASSAY_MUST_CHECK;
bool append_genesis(struct log *l, struct err *e) ASSAY_MUST_CHECK;

#endif
