/*
 * Readers: read-only, of a database that anyone may have written. History only
 * grows, so a reader notes the size once and needs no lasting snapshot: each
 * query ends at once, and a walk copies a window of leaves before it shows them.
 */
#include "log/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "log/socket.h"
#include "log/store.h"

enum { WALK_ROWS = 1024, WALK_BYTES = 4 << 20, COSIGNED_MAX = 1 << 18 };

#define SNAPSHOT_NS (UINT64_C(500) * 1000 * 1000)

static char *path_in(const struct log_reader *r, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", r->folder, name) < 0 ? NULL : path;
}

static bool read_size(struct log_reader *r, struct err *e)
{
    int64_t first = 0, size = 0;
    if (!sql_int(r->db, "SELECT coalesce(min(seq), 0) FROM record", &first, e) ||
        !sql_int(r->db, "SELECT coalesce(max(seq) + 1, 0) FROM record", &size, e))
        return false;
    if (first < 0)
        return err_set(e, ERR_INTEGRITY, "the log holds an entry with a negative number");
    r->size = (uint64_t)size;
    return true;
}

static bool open_database(struct log_reader *r, struct err *e)
{
    char *path = path_in(r, "log.db");
    bool ok = path ? sql_open(&r->db, path, SQL_READ, e)
                   : err_set(e, ERR_MEMORY, "out of memory for a reader");
    free(path);
    return ok && (r->leaf = sql_prepare(r->db, "SELECT leaf FROM record WHERE seq = ?1", e)) &&
           (r->walk = sql_prepare(r->db,
                                  "SELECT seq, leaf FROM record WHERE seq >= ?1 AND seq < ?2 "
                                  "ORDER BY seq",
                                  e));
}

/* ---- the newest signed checkpoint ---- */

/* The size that a note covers; false when it is no checkpoint. */
static bool covers(struct span bytes, uint64_t *size, struct arena *a)
{
    struct note note;
    struct checkpoint c;
    if (!note_parse(&note, bytes, a, NULL) || !checkpoint_parse(&c, note.text, NULL))
        return false;
    *size = c.size;
    return true;
}

/* Take what covers more than the best so far, and no more than is there. */
static void consider(struct log_reader *r, struct span note, uint64_t *best, struct arena *a)
{
    uint64_t size = 0;
    if (note.n == 0 || note.n > LOG_NOTE_MAX || !covers(note, &size, a) || size > r->size ||
        size < *best)
        return;
    buf_clear(&r->note);
    buf_put_span(&r->note, note);
    *best = size;
}

static bool consider_kept(struct log_reader *r, uint64_t *best, struct arena *a, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(
        r->db, "SELECT note FROM checkpoint WHERE size <= ?1 ORDER BY size DESC LIMIT 1", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)r->size);
    int step = sqlite3_step(st);
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sql_fail(r->db, "reading heads", e);
    if (step == SQLITE_ROW)
        consider(r, sql_blob(st, 0), best, a);
    sqlite3_finalize(st);
    return ok;
}

/* The head file is at most a second behind. */
static void consider_head(struct log_reader *r, uint64_t *best, struct arena *a)
{
    struct span head;
    char *path = path_in(r, "head");
    if (path && file_read(&head, path, LOG_NOTE_MAX, false, a, NULL))
        consider(r, head, best, a);
    free(path);
}

/* Its owner, if we may ask it, has signed everything it acknowledged. */
static bool consider_owner(struct log_reader *r, uint64_t *best, struct arena *a, struct err *e)
{
    static const uint8_t request = SOCKET_CHECKPOINT;
    struct buf answer;
    struct span note = SPAN_EMPTY;
    struct socket_end owner;
    if (!socket_connect(&owner, r->folder, SOCKET_WAIT_S, NULL))
        return true;
    buf_init(&answer, LOG_NOTE_MAX);
    bool ok = true;
    if (socket_call(&owner, (struct span){&request, 1}, &answer, &note, NULL)) {
        ok = read_size(r, e); /* it may have grown while we asked */
        consider(r, note, best, a);
    }
    buf_free(&answer);
    socket_close(&owner);
    return ok;
}

static bool find_checkpoint(struct log_reader *r, struct err *e)
{
    uint64_t best = 0, wanted = r->size;
    struct arena *a = arena_new(4 << 20);
    bool ok = a ? consider_kept(r, &best, a, e) : err_set(e, ERR_MEMORY, "out of memory");
    if (ok)
        consider_head(r, &best, a);
    if (ok && best < wanted)
        ok = consider_owner(r, &best, a, e);
    arena_free(a);
    return ok && (buf_ok(&r->note) || err_set(e, ERR_MEMORY, "out of memory"));
}

bool log_reader_open(struct log_reader **out, const char *folder, struct err *e)
{
    struct log_reader *r = calloc(1, sizeof *r);
    if (!r || !(r->folder = strdup(folder))) {
        free(r);
        return err_set(e, ERR_MEMORY, "out of memory for a reader");
    }
    buf_init(&r->note, LOG_NOTE_MAX);
    if (!open_database(r, e) || !read_size(r, e) || !find_checkpoint(r, e)) {
        log_reader_close(r);
        return false;
    }
    *out = r;
    return true;
}

void log_reader_close(struct log_reader *r)
{
    if (!r)
        return;
    tiles_close(&r->tiles);
    sqlite3_finalize(r->leaf);
    sqlite3_finalize(r->walk);
    sql_close(r->db);
    buf_free(&r->note);
    free(r->folder);
    free(r);
}

uint64_t log_reader_size(const struct log_reader *r)
{
    return r->size;
}

/* ---- leaves ---- */

static bool leaf_ok(struct span leaf, uint64_t seq, struct err *e)
{
    return (leaf.n && leaf.n <= RECORD_MAX) ||
           err_set(e, ERR_INTEGRITY, "entry %llu is not of 1 to %d bytes", (unsigned long long)seq,
                   RECORD_MAX);
}

static bool missing(uint64_t seq, struct err *e)
{
    return err_set(e, ERR_INTEGRITY, "entry %llu is missing from the log", (unsigned long long)seq);
}

bool log_reader_leaf(struct log_reader *r, uint64_t seq, struct arena *a, struct span *leaf,
                     struct err *e)
{
    if (seq >= r->size)
        return err_set(e, ERR_USAGE, "the log has no entry %llu: it ends before %llu",
                       (unsigned long long)seq, (unsigned long long)r->size);
    sqlite3_bind_int64(r->leaf, 1, (int64_t)seq);
    int step = sqlite3_step(r->leaf);
    bool ok = step == SQLITE_ROW ||
              (step == SQLITE_DONE ? missing(seq, e) : sql_fail(r->db, "reading an entry", e));
    if (ok) {
        struct span s = sql_blob(r->leaf, 0);
        ok = leaf_ok(s, seq, e);
        *leaf = ok ? arena_span(a, s) : SPAN_EMPTY;
        ok = ok && (leaf->p || err_set(e, ERR_MEMORY, "out of memory for an entry"));
    }
    sqlite3_reset(r->leaf);
    return ok;
}

/* A window of leaves, copied: u32 length and bytes each. */
struct window {
    struct buf bytes;
    uint64_t from, to;
};

static bool fill(struct log_reader *r, struct window *w, struct err *e)
{
    uint64_t end = r->size - w->from > WALK_ROWS ? w->from + WALK_ROWS : r->size;
    uint64_t start = clock_monotonic();
    int step = SQLITE_DONE;
    bool ok = true;
    buf_clear(&w->bytes);
    w->to = w->from;
    sqlite3_bind_int64(r->walk, 1, (int64_t)w->from);
    sqlite3_bind_int64(r->walk, 2, (int64_t)end);
    while (ok && w->to < end && w->bytes.n < WALK_BYTES &&
           clock_monotonic() - start < SNAPSHOT_NS &&
           (step = sqlite3_step(r->walk)) == SQLITE_ROW) {
        struct span leaf = sql_blob(r->walk, 1);
        ok = ((uint64_t)sqlite3_column_int64(r->walk, 0) == w->to || missing(w->to, e)) &&
             leaf_ok(leaf, w->to, e);
        buf_put_u32le(&w->bytes, (uint32_t)leaf.n);
        buf_put_span(&w->bytes, leaf);
        w->to++;
    }
    if (ok && step != SQLITE_ROW && step != SQLITE_DONE)
        ok = sql_fail(r->db, "reading entries", e);
    sqlite3_reset(r->walk);
    return ok && (buf_ok(&w->bytes) || err_set(e, ERR_MEMORY, "out of memory for entries")) &&
           (w->to > w->from || missing(w->from, e));
}

static bool show(const struct window *w, bool (*visit)(void *, uint64_t, struct span), void *arg)
{
    struct cursor c = cursor_over(buf_span(&w->bytes));
    for (uint64_t seq = w->from; seq < w->to; seq++) {
        uint32_t n = cursor_u32(&c);
        if (!visit(arg, seq, cursor_take(&c, n)))
            return false;
    }
    return true;
}

bool log_reader_walk(struct log_reader *r, uint64_t seq,
                     bool (*visit)(void *arg, uint64_t seq, struct span leaf), void *arg,
                     struct err *e)
{
    struct window w = {.from = seq, .to = seq};
    bool ok = true, more = true;
    buf_init(&w.bytes, WALK_BYTES + RECORD_MAX + 8);
    for (; ok && more && w.from < r->size; w.from = w.to) {
        ok = fill(r, &w, e);
        more = ok && show(&w, visit, arg);
    }
    buf_free(&w.bytes);
    return ok;
}

/* ---- the tree ---- */

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    struct log_reader *r = arg;
    if (!r->edge_loaded) {
        if (!edge_load(&r->edge, r->db, r->size, e) || !tiles_open(&r->tiles, r->db, &r->edge, e))
            return false;
        r->edge_loaded = true;
    }
    return tiles_hash(&r->tiles, level, index, out, e);
}

struct hash_reader log_reader_hashes(struct log_reader *r)
{
    return (struct hash_reader){read_hash, r};
}

bool log_reader_checkpoint(struct log_reader *r, struct buf *note, struct err *e)
{
    if (r->note.n == 0)
        return err_set(e, ERR_INTEGRITY, "the log holds no readable checkpoint");
    buf_put_span(note, buf_span(&r->note));
    return buf_ok(note) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
}

/* ---- receipts ---- */

static bool put_receipt(struct buf *out, uint64_t seq, struct span leaf, const struct proof *p,
                        struct span note, struct err *e)
{
    buf_put_str(out, "c2sp.org/tlog-proof@v1\nextra ");
    base64_put(out, leaf);
    buf_printf(out, "\nindex %llu\n", (unsigned long long)seq);
    for (size_t i = 0; i < p->count; i++) {
        base64_put(out, (struct span){p->hash[i].b, DIGEST_SIZE});
        buf_put_u8(out, '\n');
    }
    buf_put_u8(out, '\n');
    buf_put_span(out, note);
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a receipt");
}

/* Tiles are a cache: what they give is held against the signed root before it leaves. */
static bool prove(struct log_reader *r, uint64_t seq, struct span leaf, const struct checkpoint *c,
                  struct proof *p, struct err *e)
{
    struct hash_reader hashes = log_reader_hashes(r);
    struct digest hash = record_hash(leaf);
    if (seq >= c->size)
        return err_set(e, ERR_USAGE,
                       "entry %llu is newer than the newest signed checkpoint (%llu entries): try "
                       "again in a second",
                       (unsigned long long)seq, (unsigned long long)c->size);
    return proof_inclusion(p, seq, c->size, &hashes, e) &&
           (proof_inclusion_ok(&hash, seq, c->size, &c->root, p) ||
            err_set(e, ERR_INTEGRITY,
                    "entry %llu is not what the checkpoint signs, or the stored tree is damaged "
                    "(assay log reindex)",
                    (unsigned long long)seq));
}

static bool receipt_by(struct log_reader *r, uint64_t seq, struct span leaf, struct span bytes,
                       struct buf *out, struct arena *a, struct err *e)
{
    struct note note = {.count = 0};
    struct checkpoint c = {.size = 0};
    struct proof p = {.count = 0};
    return (bytes.n || err_set(e, ERR_INTEGRITY, "the log holds no readable checkpoint")) &&
           note_parse(&note, bytes, a, e) && checkpoint_parse(&c, note.text, e) &&
           prove(r, seq, leaf, &c, &p, e) && put_receipt(out, seq, leaf, &p, bytes, e);
}

/* By the checkpoint with most cosignatures; where there is none, or what is kept of it is
 * damaged, by the newest that is signed. */
bool log_reader_receipt(struct log_reader *r, uint64_t seq, struct buf *out, struct err *e)
{
    struct span leaf = SPAN_EMPTY;
    struct buf cosigned;
    struct arena *a = arena_new(8 << 20);
    buf_init(&cosigned, COSIGNED_MAX);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a receipt");
    ok = ok && log_reader_leaf(r, seq, a, &leaf, e) && cosigned_for(r, seq, &cosigned, e);
    ok = ok && ((cosigned.n && receipt_by(r, seq, leaf, buf_span(&cosigned), out, a, NULL)) ||
                receipt_by(r, seq, leaf, buf_span(&r->note), out, a, e));
    buf_free(&cosigned);
    arena_free(a);
    return ok;
}
