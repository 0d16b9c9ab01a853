/*
 * What witnesses added to checkpoints: kept by the owner in one transaction
 * with the checkpoint itself, read back by anyone. A line is kept only with a
 * checkpoint that this log signed; whose line it is, the verifier asks again.
 */
#include <string.h>
#include <unistd.h>

#include "log/read.h"
#include "log/socket.h"
#include "log/store.h"

enum {
    STAMPED = 8 + SIGN_SIGNATURE, /* a cosignature: u64be time, Ed25519 signature */
    LINES_MAX = 64 * 1024,
    LINE_PAGES = 4,   /* of table and index */
    LINES = 60,       /* of one note, beside the log's own */
    SCAN_ROWS = 4096, /* newest lines looked through */
    PROOF_ROWS = 512, /* ... for one receipt */
    ARENA = 4 << 20
};

struct cosigned {
    struct span note, lines;
    struct arena *arena;
    struct checkpoint checkpoint;
    struct note added; /* the lines alone, parsed */
};

static uint64_t stamp(const struct note_line *l)
{
    return __builtin_bswap64(load_u64le(l->signature.p));
}

/* ---- keeping ---- */

/* The checkpoint is one of ours, and the lines are cosignature lines for it. */
static bool parse(struct cosigned *c, struct log *l, struct err *e)
{
    struct note own;
    struct buf whole;
    bool ours = false;
    if (!note_parse(&own, c->note, c->arena, e) || !checkpoint_parse(&c->checkpoint, own.text, e))
        return false;
    pthread_rwlock_rdlock(&l->keys);
    bool ok = note_verify(&own, &l->name, 1, &ours, NULL, e);
    pthread_rwlock_unlock(&l->keys);
    if (!ok || !ours)
        return err_set(e, ERR_INTEGRITY, "the cosigned checkpoint is not signed by this log");
    buf_init(&whole, LOG_NOTE_MAX + LINES_MAX);
    buf_put_span(&whole, own.text);
    buf_put_u8(&whole, '\n');
    buf_put_span(&whole, c->lines);
    struct span bytes = arena_span(c->arena, buf_span(&whole));
    ok = (buf_ok(&whole) && bytes.p) || err_set(e, ERR_MEMORY, "out of memory for cosignatures");
    buf_free(&whole);
    ok = ok && note_parse(&c->added, bytes, c->arena, e);
    if (ok && c->added.text.n != own.text.n)
        return err_set(e, ERR_FORMAT, "not cosignature lines");
    for (size_t i = 0; ok && i < c->added.count; i++)
        ok = c->added.lines[i].signature.n == STAMPED ||
             err_set(e, ERR_FORMAT, "a cosignature has %d bytes", STAMPED);
    return ok;
}

static bool insert_line(struct log *l, sqlite3_stmt *st, const struct cosigned *c,
                        const struct note_line *line, struct err *e)
{
    struct buf text;
    uint8_t raw[4 + STAMPED];
    buf_init(&text, LINES_MAX);
    store_u32le(raw, __builtin_bswap32(line->id));
    memcpy(raw + 4, line->signature.p, STAMPED);
    buf_put_str(&text, "\xE2\x80\x94 ");
    buf_put_span(&text, line->name);
    buf_put_u8(&text, ' ');
    base64_put(&text, (struct span){raw, sizeof raw});
    buf_put_u8(&text, '\n');
    sqlite3_bind_int64(st, 1, (int64_t)c->checkpoint.size);
    sqlite3_bind_int64(st, 2, (int64_t)stamp(line));
    sql_bind_blob(st, 3, text.p, text.n);
    bool ok = (buf_ok(&text) || err_set(e, ERR_MEMORY, "out of memory for a cosignature")) &&
              sql_run(l->store.db, st, "keeping a cosignature", e);
    buf_free(&text);
    return ok;
}

static bool insert_all(struct log *l, const struct cosigned *c, struct err *e)
{
    sqlite3 *db = l->store.db;
    sqlite3_stmt *head =
        sql_prepare(db, "INSERT OR IGNORE INTO checkpoint (size, note) VALUES (?1, ?2)", e);
    sqlite3_stmt *line =
        sql_prepare(db, "INSERT INTO cosignature (size, time, line) VALUES (?1, ?2, ?3)", e);
    bool ok = head && line;
    if (ok) {
        sqlite3_bind_int64(head, 1, (int64_t)c->checkpoint.size);
        sql_bind_blob(head, 2, c->note.p, c->note.n);
        ok = sql_run(db, head, "keeping a checkpoint", e);
    }
    for (size_t i = 0; ok && i < c->added.count; i++)
        ok = insert_line(l, line, c, &c->added.lines[i], e);
    sqlite3_finalize(head);
    sqlite3_finalize(line);
    return ok;
}

/* In the commit thread. */
static bool keep_job(struct log *l, void *arg, struct err *e)
{
    sqlite3 *db = l->store.db;
    const struct cosigned *c = arg;
    bool ok = reserve_order(l, LINE_PAGES * c->added.count, e) &&
              sql_exec(db, "BEGIN IMMEDIATE", e) && insert_all(l, c, e) &&
              sql_exec(db, "COMMIT", e);
    if (!ok && !sqlite3_get_autocommit(db) && !sql_exec(db, "ROLLBACK", NULL))
        return false;
    return ok;
}

static bool keep(struct log *l, struct span note, struct span lines, struct err *e)
{
    struct cosigned c = {.note = note, .lines = lines, .arena = arena_new(ARENA)};
    bool ok = c.arena || err_set(e, ERR_MEMORY, "out of memory for cosignatures");
    ok = ok && parse(&c, l, e) && log_run(l, keep_job, &c, e);
    arena_free(c.arena);
    return ok;
}

bool cosign_serve(struct log *l, struct cursor *c, struct buf *result, struct err *e)
{
    (void)result;
    uint32_t n = cursor_u32(c);
    struct span note = cursor_take(c, n);
    struct span lines = cursor_take(c, cursor_left(c));
    return cursor_check(c, e) && keep(l, note, lines, e);
}

static bool ask_owner(struct log *l, struct span note, struct span lines, struct err *e)
{
    struct buf request, answer;
    struct span result;
    struct socket_end owner;
    if (!socket_connect(&owner, l->folder, SOCKET_WAIT_S, e))
        return false;
    buf_init(&request, LOG_NOTE_MAX + LINES_MAX + 8);
    buf_init(&answer, 4096);
    buf_put_u8(&request, SOCKET_COSIGNED);
    buf_put_u32le(&request, (uint32_t)note.n);
    buf_put_span(&request, note);
    buf_put_span(&request, lines);
    bool ok = (buf_ok(&request) || err_set(e, ERR_LIMIT, "too many cosignatures at once")) &&
              socket_call(&owner, buf_span(&request), &answer, &result, e);
    buf_free(&request);
    buf_free(&answer);
    socket_close(&owner);
    return ok;
}

bool log_keep_cosignatures(struct log *l, struct span checkpoint, struct span lines, struct err *e)
{
    if (checkpoint.n > LOG_NOTE_MAX || lines.n == 0 || lines.n > LINES_MAX)
        return err_set(e, ERR_LIMIT, "a checkpoint has at most %d bytes, and 1 to %d are added",
                       LOG_NOTE_MAX, LINES_MAX);
    return l->client ? ask_owner(l, checkpoint, lines, e) : keep(l, checkpoint, lines, e);
}

/* ---- reading ---- */

/* The line's name and key are the witness's. */
static bool is_of(struct span line, const struct note_key *k, struct arena *a)
{
    struct buf whole;
    struct note n;
    buf_init(&whole, LINES_MAX + 8);
    buf_put_str(&whole, "x\n\n");
    buf_put_span(&whole, line);
    bool is = note_parse(&n, arena_span(a, buf_span(&whole)), a, NULL) && n.count == 1 &&
              n.lines[0].id == k->id && span_eq(n.lines[0].name, k->name);
    buf_free(&whole);
    return is;
}

bool log_reader_cosigned(struct log_reader *r, const struct note_key *witness,
                         struct log_cosigned *out, struct err *e)
{
    int step = SQLITE_DONE;
    bool found = false;
    *out = (struct log_cosigned){0};
    sqlite3_stmt *st =
        sql_prepare(r->db, "SELECT size, time, line FROM cosignature ORDER BY id DESC LIMIT ?1", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, SCAN_ROWS);
    while (!found && (step = sqlite3_step(st)) == SQLITE_ROW) {
        struct span line = sql_blob(st, 2);
        struct arena *a = line.n <= LINES_MAX ? arena_new(ARENA) : NULL;
        found = a && (!witness || is_of(line, witness, a));
        arena_free(a);
    }
    if (found)
        *out = (struct log_cosigned){(uint64_t)sqlite3_column_int64(st, 0),
                                     (uint64_t)sqlite3_column_int64(st, 1)};
    bool ok = found || step == SQLITE_DONE || sql_fail(r->db, "reading cosignatures", e);
    sqlite3_finalize(st);
    return ok;
}

static bool append_note(struct log_reader *r, uint64_t size, struct buf *out, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(r->db, "SELECT note FROM checkpoint WHERE size = ?1", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)size);
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW)
        buf_put_span(out, sql_blob(st, 0));
    bool ok = step == SQLITE_ROW ||
              (step == SQLITE_DONE
                   ? err_set(e, ERR_INTEGRITY, "the checkpoint that was cosigned is missing")
                   : sql_fail(r->db, "reading checkpoints", e));
    sqlite3_finalize(st);
    return ok;
}

/* "— name ": a note names a signer once, so of each only the newest line is taken. */
static bool is_new_name(struct span note, struct span line)
{
    const uint8_t *space = line.n ? memrchr(line.p, ' ', line.n) : NULL;
    size_t n = space ? (size_t)(space - line.p) + 1 : 0;
    return n && !memmem(note.p, note.n, line.p, n);
}

static bool append_lines(struct log_reader *r, uint64_t size, uint64_t seconds, struct buf *out,
                         struct err *e)
{
    int step = SQLITE_DONE;
    sqlite3_stmt *st = sql_prepare(r->db,
                                   "SELECT line FROM cosignature WHERE size = ?1 AND time <= ?3 "
                                   "ORDER BY id DESC LIMIT ?2",
                                   e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)size);
    sqlite3_bind_int64(st, 2, SCAN_ROWS);
    sqlite3_bind_int64(st, 3, seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds);
    for (int taken = 0; taken < LINES && (step = sqlite3_step(st)) == SQLITE_ROW;) {
        struct span line = sql_blob(st, 0);
        if (!is_new_name(buf_span(out), line))
            continue;
        buf_put_span(out, line);
        taken++;
    }
    bool ok =
        step == SQLITE_ROW || step == SQLITE_DONE || sql_fail(r->db, "reading cosignatures", e);
    sqlite3_finalize(st);
    return ok && (buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}

/* How many sign this note beside the log. */
static size_t lines_of(struct span note)
{
    size_t n = 0;
    for (size_t i = 0; i + 4 < note.n; i++)
        n += memcmp(note.p + i, "\n\xE2\x80\x94 ", 5) == 0;
    return n;
}

static bool consider_size(struct log_reader *r, uint64_t size, struct buf *best, struct err *e)
{
    struct buf note;
    buf_init(&note, LOG_NOTE_MAX + LINES_MAX);
    bool there = append_note(r, size, &note, NULL);
    bool ok = !there || append_lines(r, size, UINT64_MAX, &note, e);
    if (ok && there && lines_of(buf_span(&note)) > lines_of(buf_span(best))) {
        buf_clear(best);
        buf_put_span(best, buf_span(&note));
    }
    buf_free(&note);
    return ok;
}

bool cosigned_for(struct log_reader *r, uint64_t seq, struct buf *note, struct err *e)
{
    static const char text[] = "SELECT size, count(*) FROM (SELECT size FROM cosignature WHERE "
                               "size > ?1 AND size <= ?2 ORDER BY size DESC LIMIT ?3) "
                               "GROUP BY size ORDER BY 2 DESC, 1 DESC LIMIT 4";
    int step = SQLITE_DONE;
    bool ok = true;
    sqlite3_stmt *st = sql_prepare(r->db, text, e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)seq);
    sqlite3_bind_int64(st, 2, (int64_t)r->size);
    sqlite3_bind_int64(st, 3, PROOF_ROWS);
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = consider_size(r, (uint64_t)sqlite3_column_int64(st, 0), note, e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(r->db, "reading cosignatures", e);
    sqlite3_finalize(st);
    return ok && (buf_ok(note) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}

bool log_reader_cosigned_note(struct log_reader *r, struct buf *note, struct err *e)
{
    struct log_cosigned newest;
    if (!log_reader_cosigned(r, NULL, &newest, e))
        return false;
    if (newest.time == 0)
        return err_set(e, ERR_USAGE, "no witness has cosigned this log yet");
    buf_clear(note);
    return append_note(r, newest.size, note, e) &&
           append_lines(r, newest.size, UINT64_MAX, note, e);
}

bool log_reader_anchor(struct log_reader *r, uint64_t size, uint64_t seconds, struct buf *note,
                       struct err *e)
{
    sqlite3_stmt *st = sql_prepare(
        r->db, "SELECT coalesce(max(size), 0) FROM cosignature WHERE size <= ?1 AND time <= ?2", e);
    buf_clear(note);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, size > INT64_MAX ? INT64_MAX : (int64_t)size);
    sqlite3_bind_int64(st, 2, seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds);
    bool ok = sqlite3_step(st) == SQLITE_ROW || sql_fail(r->db, "reading cosignatures", e);
    int64_t found = ok ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return ok && (found <= 0 || (append_note(r, (uint64_t)found, note, e) &&
                                 append_lines(r, (uint64_t)found, seconds, note, e)));
}

/* The kept sizes next to one that was not kept, for the message. */
static bool no_checkpoint(struct log_reader *r, uint64_t size, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(r->db,
                                   "SELECT coalesce((SELECT max(size) FROM checkpoint WHERE size < "
                                   "?1), 0), coalesce((SELECT min(size) FROM checkpoint WHERE size "
                                   "> ?1), 0)",
                                   e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, size > INT64_MAX ? INT64_MAX : (int64_t)size);
    bool ok = sqlite3_step(st) == SQLITE_ROW || sql_fail(r->db, "reading checkpoints", e);
    long long below = ok ? sqlite3_column_int64(st, 0) : 0;
    long long above = ok ? sqlite3_column_int64(st, 1) : 0;
    sqlite3_finalize(st);
    return ok && err_set(e, ERR_USAGE,
                         "no checkpoint of %llu entries is kept; the nearest ones are of %lld and "
                         "%lld entries",
                         (unsigned long long)size, below, above);
}

bool log_reader_checkpoint_at(struct log_reader *r, uint64_t size, struct buf *note, struct err *e)
{
    struct arena *a = arena_new(ARENA);
    struct note parsed;
    struct checkpoint c = {.size = 0};
    buf_clear(note);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    bool newest = ok && note_parse(&parsed, buf_span(&r->note), a, NULL) &&
                  checkpoint_parse(&c, parsed.text, NULL) && c.size == size;
    if (newest)
        buf_put_span(note, buf_span(&r->note));
    struct err why = ERR_INIT;
    if (ok && !newest && !append_note(r, size, note, &why))
        ok = why.code == ERR_INTEGRITY ? no_checkpoint(r, size, e)
                                       : err_set(e, why.code, "%s", why.text);
    arena_free(a);
    return ok && (buf_ok(note) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}
