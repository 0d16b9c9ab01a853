/*
 * Private to src/log: operations that change more than the end of the log, done by its
 * owner and asked of it over LOG.sock. One form of argument and result serves them all.
 */
#ifndef LOG_OPS_H
#define LOG_OPS_H

#include "assay/base/json.h"
#include "log/store.h"

enum { OP_NUMBERS = 6, OP_TEXTS = 6, OP_TEXT_MAX = 1 << 20, OP_BYTES_MAX = 96 << 20 };

enum op_code {
    OP_ERASE = 16,
    OP_ERASE_RESUME,
    OP_CERTIFICATE,
    OP_HOLD,
    OP_RELEASE,
    OP_DISCLOSE,
    OP_ROTATE,
    OP_SEAL_OFF,
    OP_CONTENT
};

struct op_args {
    uint64_t n[OP_NUMBERS];
    struct span s[OP_TEXTS];
};

struct op_result {
    uint64_t n[OP_NUMBERS];
    struct buf bytes;
};

typedef bool op_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e);

/* Run it here when we own the log, else over LOG.sock. The caller frees r->bytes. */
bool op_do(struct log *l, enum op_code code, const struct op_args *a, struct op_result *r,
           struct err *e) ASSAY_MUST_CHECK;
/* The owner's end: whether `code` is one of these, and what to answer. */
bool op_known(uint8_t code);
bool op_serve(struct log *l, uint8_t code, struct cursor *c, struct buf *result,
              struct err *e) ASSAY_MUST_CHECK;

op_run erase_run, erase_resume_run, erase_certificate_run;  /* erase.c, certificate.c */
op_run hold_run, release_run;                               /* hold.c */
op_run disclose_run, content_run, rotate_run, seal_off_run; /* disclose.c, rotate.c, sealoff.c */

/* Steps of an erasure are numbered from 1; the key's leaf is durable and its file is not yet
 * the log's. Called after each step: tests end the process there. */
enum { STEP_ROTATED = 10 };
extern void (*erase_step)(int step);
void erase_passed(int step);
/* After recovery, before the log is handed out, and when it is closed. */
bool erase_recover(struct log *l, struct err *e) ASSAY_MUST_CHECK;
/* Between batches, at most once a second while an erasure is pending. */
void erase_retry(struct log *l);
/* The leaf of the erasure that began this epoch, when there is one. */
bool erase_leaf(struct log *l, uint64_t epoch, bool *found, uint64_t *seq,
                struct err *e) ASSAY_MUST_CHECK;
/* Within a job: append the leaves of what can be finished. */
bool erase_finish(struct log *l, uint64_t *left, struct err *e) ASSAY_MUST_CHECK;

/* ---- keys: rotate.c ---- */

/* After a crash: the newest rotation's key is the log's, or its file is removed. */
bool rotate_recover(struct log *l, struct err *e) ASSAY_MUST_CHECK;
/* The key that signs checkpoints of this size. */
bool rotate_key_at(struct log *l, uint64_t size, struct note_key *out, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;

/* Copy a database at one moment to a file that does not exist yet. backup.c */
bool backup_database(const char *from, const char *to, struct err *e) ASSAY_MUST_CHECK;

/* ---- ends and beginnings: sealoff.c ---- */

bool sealed_off(sqlite3 *db, uint64_t size, bool *sealed, struct err *e) ASSAY_MUST_CHECK;
/* What a successor's genesis says of the log in `folder`. */
bool predecessor_read(const char *folder, struct predecessor *out, struct arena *a,
                      struct err *e) ASSAY_MUST_CHECK;

/* ---- leaves of our own: ops.c ---- */

extern const char op_software[];

struct op_body {
    struct buf text;
    struct json_writer w;
};

void body_open(struct op_body *b);
void body_start(struct op_body *b); /* with the member `software` */
void body_text(struct op_body *b, const char *name, struct span s);
void body_number(struct op_body *b, const char *name, uint64_t v);
void body_id(struct op_body *b, const char *name, const struct seal_id *id);
void body_ids(struct op_body *b, const char *name, const struct seal_id *ids, size_t count);
void body_order(struct op_body *b, const struct log_order *o);
bool body_end(struct op_body *b, struct err *e) ASSAY_MUST_CHECK;
void body_free(struct op_body *b);

void hex_id(char out[2 * SEAL_ID + 1], const struct seal_id *id);
bool id_from_hex(struct seal_id *out, struct span hex) ASSAY_MUST_CHECK;
bool order_ok(const struct log_order *o, struct err *e) ASSAY_MUST_CHECK;
/* Append within a job; a failure of the store stops the log. */
bool op_write(struct log *l, enum record_kind kind, struct span subject, struct span body,
              struct log_receipt *out, struct err *e) ASSAY_MUST_CHECK;

/* Records of a kind that is none of calls', by their number, until visit fails; visit gets the
 * kind's members. */
typedef bool op_visit(void *arg, uint64_t seq, struct json body, struct err *e);
bool op_each(sqlite3 *db, enum record_kind kind, op_visit *visit, void *arg,
             struct err *e) ASSAY_MUST_CHECK;
/* A leaf copied to `a`, decoded. ERR_USAGE: there is none of that number. */
bool op_leaf(sqlite3 *db, uint64_t seq, struct record *out, struct arena *a,
             struct err *e) ASSAY_MUST_CHECK;

/* ---- whom an operation concerns: subjects.c ---- */

/* The stored rows of one subject; in an arena. */
struct subject_rows {
    int64_t *id;
    struct seal_id *pseudonym;
    size_t count, cap_id, cap_pseudonym;
};

/* The keyring still has this epoch's key. */
bool epoch_alive(const struct keyring *k, uint64_t epoch);
bool subject_rows_of(struct log *l, struct span name, struct subject_rows *out, struct arena *a,
                     struct err *e) ASSAY_MUST_CHECK;

/* One row opened: its key and its name in clear. */
struct subject_row {
    int64_t id;
    uint64_t epoch;
    struct seal_id pseudonym;
    struct seal_key key;
    struct span name; /* in the arena */
};

bool subject_row_open(struct log *l, int64_t id, struct subject_row *out, struct arena *a,
                      struct err *e) ASSAY_MUST_CHECK;
/* ERR_INTEGRITY "erased" when the entry has had content; ERR_USAGE when it never had. */
bool content_key_of(sqlite3 *db, uint64_t seq, int64_t *subject, struct seal_wrapped *key,
                    struct err *e) ASSAY_MUST_CHECK;

/* Pages that an erasure changes, at most: of the entries' keys and content, of the other keys of
 * the subject's row that is made anew (0: none is), and of every subject that survives. */
bool erasure_pages(sqlite3 *db, const uint64_t *entries, size_t count, int64_t anew, uint64_t *out,
                   struct err *e) ASSAY_MUST_CHECK;

/* ---- content in clear: openings.c ---- */

/* The field at `place` of a record, within a job; data lies in `a`. ERR_INTEGRITY: erased or damaged. */
bool content_open(struct log *l, const struct record *r, size_t place, struct span *data,
                  uint8_t salt[SEAL_SALT], struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* One item of a bundle's `fields`. */
void bundle_put_field(struct json_writer *w, struct span field, struct span data,
                      const uint8_t salt[SEAL_SALT]);

/* ---- legal holds: hold.c ---- */

struct hold_target {
    const struct seal_id *pseudonyms;
    size_t count;
    const uint64_t *entries; /* ascending */
    size_t entry_count;
};

/* *held: a hold in force covers some of it; its name in *hold. */
bool hold_covers(sqlite3 *db, const struct hold_target *t, bool *held, struct seal_id *hold,
                 struct err *e) ASSAY_MUST_CHECK;
bool holds_in_force(sqlite3 *db, uint64_t *count, struct err *e) ASSAY_MUST_CHECK;
/* Append that a hold blocked an erasure; returns false with ERR_POLICY. */
bool hold_blocked(struct log *l, const struct seal_id *hold, const struct hold_target *t,
                  const struct log_order *o, struct err *e);

#endif
