/*
 * Rebuilding what is derived: tiles, the index of entries, open calls, and SQLite's own
 * indexes, all from the leaves. Each row is compared before it is replaced, so that the
 * result says how much of the stored form disagreed with the truth.
 */
#include <string.h>

#include "log/calls.h"
#include "log/ops.h"

struct reindex {
    sqlite3 *db;
    sqlite3_stmt *tile, *put_tile, *entry, *put_entry, *open, *close, *response;
    struct log_reindexed *out;
    struct edge edge;
    struct merkle tree;
    uint64_t answers, indexed;     /* outcomes whose answer has an identifier, and rows of them */
    struct checkpoint signed_head; /* newest kept; size 0: none */
    struct arena *arena;
};

static bool prepare(struct reindex *x, struct err *e)
{
    sqlite3 *db = x->db;
    return (x->tile = sql_prepare(db, "SELECT root, hashes FROM tile WHERE id = ?1", e)) &&
           (x->put_tile = sql_prepare(
                db, "INSERT OR REPLACE INTO tile (id, root, hashes) VALUES (?1, ?2, ?3)", e)) &&
           (x->entry = sql_prepare(db,
                                   "SELECT 1 FROM entry WHERE seq = ?1 AND kind = ?2 AND time = ?3 "
                                   "AND subject IS ?4 AND model IS ?5 AND outcome IS ?6",
                                   e)) &&
           (x->put_entry =
                sql_prepare(db,
                            "INSERT OR REPLACE INTO entry (seq, kind, time, subject, model, "
                            "outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                            e)) &&
           (x->open = sql_prepare(db, "INSERT OR IGNORE INTO temp.intent (seq) VALUES (?1)", e)) &&
           (x->close = sql_prepare(db, "DELETE FROM temp.intent WHERE seq = ?1", e)) &&
           (x->response = sql_prepare(db, "SELECT 1 FROM response WHERE id = ?1", e));
}

static void finalize(struct reindex *x)
{
    sqlite3_stmt *all[] = {x->tile, x->put_tile, x->entry,   x->put_entry,
                           x->open, x->close,    x->response};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sqlite3_finalize(all[i]);
}

/* ---- tiles ---- */

static bool same(struct span s, const void *p, size_t n)
{
    return s.n == n && memcmp(s.p, p, n) == 0;
}

static bool keep_tile(void *arg, int64_t id, const struct digest *root, const struct digest *hashes,
                      struct err *e)
{
    struct reindex *x = arg;
    sqlite3_bind_int64(x->tile, 1, id);
    int step = sqlite3_step(x->tile);
    bool right = step == SQLITE_ROW && same(sql_blob(x->tile, 0), root->b, DIGEST_SIZE) &&
                 same(sql_blob(x->tile, 1), hashes, TILE_BYTES);
    sqlite3_reset(x->tile);
    x->out->tiles++;
    if (right)
        return true;
    x->out->wrong_tiles++;
    sqlite3_bind_int64(x->put_tile, 1, id);
    sql_bind_blob(x->put_tile, 2, root->b, DIGEST_SIZE);
    sql_bind_blob(x->put_tile, 3, hashes, TILE_BYTES);
    return sql_run(x->db, x->put_tile, "writing a tile", e);
}

static bool delete_between(struct reindex *x, const char *text, int64_t from, int64_t to,
                           uint64_t *count, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(x->db, text, e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, from);
    sqlite3_bind_int64(st, 2, to);
    bool ok = sql_run(x->db, st, "removing what no leaf has", e);
    *count += ok ? (uint64_t)sqlite3_changes(x->db) : 0;
    sqlite3_finalize(st);
    return ok;
}

/* Rows that stand for nothing. */
static bool delete_strays(struct reindex *x, struct err *e)
{
    static const char tiles[] = "DELETE FROM tile WHERE id >= ?1 AND id < ?2";
    static const char entries[] = "DELETE FROM entry WHERE seq < ?1 OR seq >= ?2";
    bool ok =
        delete_between(x, tiles, INT64_MIN, 0, &x->out->wrong_tiles, e) &&
        delete_between(x, tiles, tile_id(TILE_LEVELS, 0), INT64_MAX, &x->out->wrong_tiles, e) &&
        delete_between(x, entries, 0, (int64_t)x->edge.size, &x->out->wrong_entries, e);
    for (unsigned i = 0; ok && i < TILE_LEVELS; i++)
        ok = delete_between(x, tiles, tile_id(i, x->edge.size >> (8 * (i + 1))), tile_id(i + 1, 0),
                            &x->out->wrong_tiles, e);
    return ok;
}

/* ---- entries ---- */

static void bind_name(sqlite3_stmt *st, int at, struct span s)
{
    if (s.n)
        sqlite3_bind_text64(st, at, (const char *)s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(st, at);
}

static void bind_entry(sqlite3_stmt *st, const struct record_head *h, const struct entry_index *i)
{
    sqlite3_bind_int64(st, 1, (int64_t)h->seq);
    sqlite3_bind_int64(st, 2, (int64_t)h->kind);
    sqlite3_bind_int64(st, 3, (int64_t)h->wall_us);
    if (h->has_subject)
        sql_bind_blob(st, 4, h->subject, SEAL_ID);
    else
        sqlite3_bind_null(st, 4);
    bind_name(st, 5, i->model);
    bind_name(st, 6, i->outcome);
}

static bool keep_intent(struct reindex *x, const struct record_head *h, const struct entry_index *i,
                        struct err *e)
{
    sqlite3_stmt *st = h->kind == RECORD_CALL_INTENT ? x->open : x->close;
    if (h->kind != RECORD_CALL_INTENT && !i->has_intent)
        return true;
    sqlite3_bind_int64(st, 1, (int64_t)(st == x->open ? h->seq : i->intent));
    return sql_run(x->db, st, "noting an open call", e);
}

static bool keep_entry(struct reindex *x, const struct record_head *h, const struct entry_index *i,
                       struct err *e)
{
    bind_entry(x->entry, h, i);
    bool right = sqlite3_step(x->entry) == SQLITE_ROW;
    sqlite3_reset(x->entry);
    x->out->entries++;
    if (right)
        return true;
    x->out->wrong_entries++;
    bind_entry(x->put_entry, h, i);
    return sql_run(x->db, x->put_entry, "writing the index", e);
}

static void note_answer(struct reindex *x, uint64_t seq, const struct entry_index *i)
{
    if (!i->has_response)
        return;
    sqlite3_bind_int64(x->response, 1, response_row(seq, i->response));
    x->answers++;
    x->indexed += sqlite3_step(x->response) == SQLITE_ROW;
    sqlite3_reset(x->response);
}

static bool check_signed(const struct reindex *x, struct err *e)
{
    struct digest root = merkle_root(&x->tree);
    return x->tree.size != x->signed_head.size || digest_eq(&root, &x->signed_head.root) ||
           err_set(e, ERR_INTEGRITY,
                   "the first %llu entries are not those that the newest checkpoint signs: the "
                   "leaves themselves were changed, which nothing derived can mend (restore a "
                   "backup)",
                   (unsigned long long)x->tree.size);
}

static bool keep_leaf(struct reindex *x, int64_t seq, struct span leaf, struct err *e)
{
    struct record_head h;
    struct entry_index index;
    struct span body;
    if ((uint64_t)seq != x->tree.size)
        return err_set(e, ERR_INTEGRITY, "entry %llu is missing from the log",
                       (unsigned long long)x->tree.size);
    if (!record_check(&h, &body, leaf, e))
        return false;
    if (h.seq != (uint64_t)seq)
        return err_set(e, ERR_INTEGRITY, "entry %lld says that it is entry %llu", (long long)seq,
                       (unsigned long long)h.seq);
    struct digest hash = record_hash(leaf);
    merkle_append(&x->tree, &hash);
    if (!edge_append(&x->edge, &hash, keep_tile, x, e) ||
        !entry_index_of(&index, h.kind, body, e) || !keep_entry(x, &h, &index, e) ||
        !keep_intent(x, &h, &index, e))
        return false;
    note_answer(x, h.seq, &index);
    return check_signed(x, e);
}

static bool walk(struct reindex *x, struct err *e)
{
    sqlite3_stmt *st = sql_prepare(x->db, "SELECT seq, leaf FROM record ORDER BY seq", e);
    int step = SQLITE_DONE;
    bool ok = st != NULL;
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = keep_leaf(x, sqlite3_column_int64(st, 0), sql_blob(st, 1), e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(x->db, "reading entries", e);
    sqlite3_finalize(st);
    return ok &&
           (x->tree.size >= x->signed_head.size ||
            err_set(e, ERR_INTEGRITY,
                    "the newest checkpoint covers %llu entries and the log holds %llu",
                    (unsigned long long)x->signed_head.size, (unsigned long long)x->tree.size));
}

/* ---- the whole ---- */

static bool read_signed(struct reindex *x, struct err *e)
{
    struct note note;
    sqlite3_stmt *st =
        sql_prepare(x->db, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1", e);
    if (!st)
        return false;
    int step = sqlite3_step(st);
    bool ok = step == SQLITE_DONE || step == SQLITE_ROW || sql_fail(x->db, "reading heads", e);
    if (step == SQLITE_ROW) {
        struct span bytes = arena_span(x->arena, sql_blob(st, 0));
        ok = note_parse(&note, bytes, x->arena, e) &&
             checkpoint_parse(&x->signed_head, note.text, e);
    }
    sqlite3_finalize(st);
    return ok;
}

static bool replace_intents(struct reindex *x, struct err *e)
{
    int64_t wrong = 0;
    static const char count[] =
        "SELECT (SELECT count(*) FROM (SELECT seq FROM open_intent EXCEPT SELECT seq FROM "
        "temp.intent)) + (SELECT count(*) FROM (SELECT seq FROM temp.intent EXCEPT SELECT seq "
        "FROM open_intent))";
    bool ok = sql_int(x->db, count, &wrong, e);
    x->out->wrong_intents = (uint64_t)wrong;
    return ok &&
           (wrong == 0 || sql_exec(x->db,
                                   "DELETE FROM open_intent;"
                                   "INSERT INTO open_intent (seq) SELECT seq FROM temp.intent",
                                   e));
}

/* Rows that are missing and rows that stand for no answer: all are made anew. */
static bool replace_answers(struct reindex *x, struct err *e)
{
    int64_t rows = 0;
    if (!sql_int(x->db, "SELECT count(*) FROM response", &rows, e))
        return false;
    uint64_t wrong = x->answers - x->indexed + (uint64_t)rows - x->indexed;
    x->out->wrong_entries += wrong;
    return wrong == 0 || (sql_exec(x->db, "DELETE FROM response", e) && responses_fill(x->db, e));
}

static bool rebuild(struct reindex *x, struct err *e)
{
    if (!sql_exec(x->db, "CREATE TEMP TABLE intent (seq INTEGER PRIMARY KEY)", e) ||
        !prepare(x, e) || !sql_exec(x->db, "BEGIN IMMEDIATE; REINDEX", e))
        return false;
    bool ok = read_signed(x, e) && walk(x, e) && delete_strays(x, e) && replace_intents(x, e) &&
              replace_answers(x, e);
    return sql_exec(x->db, ok ? "COMMIT" : "ROLLBACK", ok ? e : NULL) && ok;
}

bool log_reindex(const char *folder, struct log_reindexed *out, struct err *e)
{
    struct reindex x = {.out = out};
    struct log *l = log_alone(folder, NULL, e);
    if (!l)
        return false;
    *out = (struct log_reindexed){.entries = 0};
    edge_start(&x.edge);
    merkle_start(&x.tree);
    x.arena = arena_new(4 << 20);
    bool ok = (x.arena || err_set(e, ERR_MEMORY, "out of memory for reindexing")) &&
              sql_open(&x.db, l->path[PATH_DB], SQL_OWN, e) && rebuild(&x, e);
    finalize(&x);
    sql_close(x.db);
    arena_free(x.arena);
    log_release(l);
    return ok;
}
