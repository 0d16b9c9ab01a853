/*
 * What an owner does before the first caller: hold the database against the
 * newest signed heads, close calls that a crash left open, and record what it
 * runs on.
 */
#include "log/ops.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/embed.h"
#include "assay/base/file.h"

enum { SYNC_SAMPLES = 8, SYNC_BYTES = 4096, BODY_MAX = 16384 };

static const char software[] = "assay " ASSAY_VERSION;

/* ---- the heads ---- */

static bool check_root(struct log *l, const struct checkpoint *c, const char *where, struct err *e)
{
    struct tiles tiles;
    struct digest root;
    uint64_t size = l->store.tree.size;
    if (!span_eq(c->origin, l->origin))
        return err_set(e, ERR_INTEGRITY, "%s is of another log", where);
    if (c->size > size)
        return err_set(e, ERR_INTEGRITY,
                       "%s covers %llu entries and the database holds %llu: it was rolled back, or "
                       "its WAL was deleted",
                       where, (unsigned long long)c->size, (unsigned long long)size);
    bool ok = tiles_open(&tiles, l->store.db, &l->store.edge, e);
    struct hash_reader reader = {tiles_hash, &tiles};
    ok = ok && proof_root(&root, c->size, &reader, e);
    tiles_close(&tiles);
    return ok && (digest_eq(&root, &c->root) ||
                  err_set(e, ERR_INTEGRITY,
                          "the tree of %llu entries is not the one that %s signs: history was "
                          "changed, or the stored tree is damaged (assay log reindex)",
                          (unsigned long long)c->size, where));
}

static bool check_note(struct log *l, struct span bytes, const char *where, uint64_t *covered,
                       struct err *e)
{
    struct note note;
    struct note_key key;
    struct checkpoint c;
    bool valid = false;
    struct arena *a = arena_new(1 << 20);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    ok =
        ok && note_parse(&note, bytes, a, e) && checkpoint_parse(&c, note.text, e) &&
        rotate_key_at(l, c.size, &key, a, e) && note_verify(&note, &key, 1, &valid, NULL, e) &&
        (valid || err_set(e, ERR_CONFIG, "the signing key is not the one that signed %s", where)) &&
        check_root(l, &c, where, e);
    if (ok && c.size > *covered)
        *covered = c.size;
    arena_free(a);
    return ok;
}

static bool check_kept(struct log *l, uint64_t *covered, struct err *e)
{
    sqlite3_stmt *st =
        sql_prepare(l->store.db, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1", e);
    if (!st)
        return false;
    int step = sqlite3_step(st);
    bool ok = step == SQLITE_ROW
                  ? check_note(l, sql_blob(st, 0), "the newest kept checkpoint", covered, e)
                  : step == SQLITE_DONE || sql_fail(l->store.db, "reading", e);
    sqlite3_finalize(st);
    return ok;
}

static bool check_head(struct log *l, uint64_t *covered, struct err *e)
{
    struct span note;
    struct arena *a = arena_new(1 << 20);
    bool ok = a ? file_read(&note, l->path[PATH_HEAD], LOG_NOTE_MAX, false, a, e) &&
                      check_note(l, note, "the head file", covered, e)
                : err_set(e, ERR_MEMORY, "out of memory for the head");
    if (!ok)
        err_in_file(e, l->path[PATH_HEAD]);
    arena_free(a);
    return ok;
}

static bool check_leaf(uint64_t seq, struct span leaf, struct err *e)
{
    struct record_head h;
    struct err why = ERR_INIT;
    if (!record_check(&h, NULL, leaf, &why))
        return err_set(e, why.code, "entry %llu, which no checkpoint covers yet, is no record: %s",
                       (unsigned long long)seq, why.text);
    return h.seq == seq ||
           err_set(e, ERR_INTEGRITY,
                   "entry %llu, which no checkpoint covers yet, says that it is entry %llu: it was "
                   "put there by somebody else",
                   (unsigned long long)seq, (unsigned long long)h.seq);
}

/* What no head covers is signed next: only if it is what an owner would have written. */
static bool check_tail(struct log *l, uint64_t covered, struct err *e)
{
    sqlite3_stmt *st =
        sql_prepare(l->store.db, "SELECT seq, leaf FROM record WHERE seq >= ?1 ORDER BY seq", e);
    int step = SQLITE_DONE;
    bool ok = st != NULL;
    if (ok)
        sqlite3_bind_int64(st, 1, (int64_t)covered);
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = check_leaf((uint64_t)sqlite3_column_int64(st, 0), sql_blob(st, 1), e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(l->store.db, "reading the newest entries", e);
    sqlite3_finalize(st);
    return ok;
}

/* ---- appending our own leaves ---- */

typedef void write_body(struct log *l, struct json_writer *w, const void *arg);

static bool append(struct log *l, enum record_kind kind, write_body *members, const void *arg,
                   struct err *e)
{
    struct buf body;
    struct json_writer w;
    struct log_receipt receipt;
    buf_init(&body, BODY_MAX);
    jw_init(&w, json_sink_buf, &body, false);
    jw_object(&w);
    members(l, &w, arg);
    jw_end_object(&w);
    bool ok = buf_ok(&body) || err_set(e, ERR_MEMORY, "out of memory for a record");
    struct log_entry entry = {.kind = kind, .body = buf_span(&body)};
    ok = ok && store_append(l, &entry, &receipt, e);
    buf_free(&body);
    return ok;
}

static void put_key(struct log *l, struct json_writer *w)
{
    struct buf b;
    buf_init(&b, LOG_NOTE_MAX);
    note_key_put(&b, &l->name);
    jw_key(w, "key");
    jw_string(w, buf_span(&b));
    buf_free(&b);
}

static void put_schema(struct json_writer *w)
{
    char hex[DIGEST_HEX + 1];
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < embedded_count; i++)
        if (span_ends(span_str(embedded[i].name), ".sql"))
            buf_put_span(&b, embedded[i].bytes);
    struct digest d = sha256_of(buf_span(&b));
    buf_free(&b);
    jw_key(w, "schema");
    jw_str(w, digest_hex(hex, &d));
}

static void put_text(struct json_writer *w, const char *name, const char *value)
{
    jw_key(w, name);
    jw_str(w, value);
}

static void put_number(struct json_writer *w, const char *name, uint64_t value)
{
    jw_key(w, name);
    jw_u64(w, value);
}

/* ---- start, stop, genesis ---- */

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* What an acknowledgement costs at least: a block that is there already, as the WAL's are, is
 * written and synced on the log's own disk. */
static bool measure_sync(struct log *l, uint64_t us[SYNC_SAMPLES], struct err *e)
{
    static const uint8_t block[SYNC_BYTES];
    struct buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/sync.tmp", l->folder);
    const char *name = buf_ok(&path) ? buf_cstr(&path) : "";
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0;
    for (int i = -1; ok && i < SYNC_SAMPLES; i++) { /* the first makes the block */
        ok = pwrite(fd, block, sizeof block, 0) == SYNC_BYTES;
        uint64_t start = clock_monotonic();
        ok = ok && fdatasync(fd) == 0;
        if (i >= 0)
            us[i] = (clock_monotonic() - start) / 1000;
    }
    if (!ok)
        err_errno(e, name, "the log's disk cannot be written and synced");
    if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    buf_free(&path);
    qsort(us, SYNC_SAMPLES, sizeof *us, by_value);
    return ok;
}

/* Two writing connections can lose commits (SQLite's "WAL-reset bug", sqlite.org/wal.html): fixed in
 * 3.51.3, 3.50.7 and 3.44.6. We never open two. */
static bool has_wal_reset_bug(void)
{
    int v = sqlite3_libversion_number();
    return v < 3044006 || (v >= 3045000 && v < 3050007) || (v >= 3051000 && v < 3051003);
}

struct start {
    uint64_t crashed;
    uint64_t us[SYNC_SAMPLES];
};

static void start_body(struct log *l, struct json_writer *w, const void *arg)
{
    const struct start *s = arg;
    put_number(w, "crashed", s->crashed);
    put_number(w, "epoch", keyring_epoch(l->keyring));
    put_key(l, w);
    put_schema(w);
    put_text(w, "software", software);
    char sqlite[256];
    sqlite3_snprintf(sizeof sqlite, sqlite, "%s %s", sqlite3_libversion(), sqlite3_sourceid());
    put_text(w, "sqlite", sqlite);
    jw_key(w, "sync");
    jw_object(w);
    put_number(w, "p50_us", s->us[SYNC_SAMPLES / 2]);
    put_number(w, "p99_us", s->us[SYNC_SAMPLES - 1]);
    put_number(w, "samples", SYNC_SAMPLES);
    jw_end_object(w);
    jw_key(w, "wal_reset_bug");
    jw_bool(w, has_wal_reset_bug());
}

bool append_start(struct log *l, uint64_t crashed, struct err *e)
{
    struct start s = {.crashed = crashed};
    return measure_sync(l, s.us, e) && append(l, RECORD_START, start_body, &s, e);
}

static void stop_body(struct log *l, struct json_writer *w, const void *arg)
{
    (void)l, (void)arg;
    put_text(w, "reason", "shutdown");
    put_text(w, "software", software);
}

bool append_stop(struct log *l, struct err *e)
{
    return append(l, RECORD_STOP, stop_body, NULL, e);
}

static void genesis_body(struct log *l, struct json_writer *w, const void *arg)
{
    (void)arg;
    put_key(l, w);
    jw_key(w, "origin");
    jw_string(w, l->origin);
    if (l->predecessor.checkpoint.n) {
        jw_key(w, "predecessor");
        jw_object(w);
        jw_key(w, "checkpoint");
        jw_string(w, l->predecessor.checkpoint);
        jw_key(w, "key");
        jw_string(w, l->predecessor.key);
        jw_end_object(w);
    }
    put_schema(w);
    put_text(w, "software", software);
}

bool append_genesis(struct log *l, struct err *e)
{
    return append(l, RECORD_GENESIS, genesis_body, NULL, e);
}

bool recover_check(struct log *l, struct err *e)
{
    if (l->store.tree.size == 0)
        return err_at(e, ERR_INTEGRITY, l->path[PATH_DB], ERR_NO_OFFSET,
                      "the log has no genesis: its making was interrupted, or everything was "
                      "deleted from it");
    uint64_t covered = 0;
    return check_kept(l, &covered, e) && check_head(l, &covered, e) && check_tail(l, covered, e);
}

bool recover(struct log *l, uint64_t *crashed, struct err *e)
{
    return recover_check(l, e) && close_intents(l, crashed, e);
}
