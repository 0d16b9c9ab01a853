/*
 * The transaction of an erasure: keys and content of what is erased are deleted, the key of every
 * surviving subject is wrapped under a new epoch, and of one entry's subject the other records by a
 * new key. The leaf to come is noted with it, since it is true from then on.
 */
#include "log/erase.h"

#include <stdio.h>
#include <string.h>

enum { ERASE_RANGES = 1000, ERASE_PSEUDONYMS = 500 };

/* ---- what goes ---- */

static bool delete_entries(sqlite3 *db, const struct erasure *x, struct err *e)
{
    for (size_t i = 0; i < x->entry_count; i++) {
        int64_t from = (int64_t)(x->entries[i] * LOG_PLACES);
        if (!sql_run_with(db, "DELETE FROM content_key WHERE seq = ?1", (int64_t)x->entries[i], 0,
                          e) ||
            !sql_run_with(db, "DELETE FROM content WHERE id >= ?1 AND id < ?2", from,
                          from + LOG_PLACES, e))
            return false;
    }
    return true;
}

static bool delete_rows(sqlite3 *db, const struct erasure *x, struct err *e)
{
    for (size_t i = 0; !x->entry && i < x->rows.count; i++)
        if (!sql_run_with(db, "DELETE FROM subject WHERE id = ?1", x->rows.id[i], 0, e))
            return false;
    return true;
}

/* ---- what survives ---- */

static bool rewrap(struct seal_wrapped *w, const struct seal_key *from, const struct seal_key *to,
                   struct err *e)
{
    struct seal_key key;
    bool ok = seal_key_unwrap(&key, from, w, e) && seal_key_wrap(w, to, &key, e);
    seal_wipe(&key, sizeof key);
    return ok;
}

/* The other records of the erased entry's subject get its new key. */
static bool rewrap_records(sqlite3 *db, const struct erasure *x, const struct seal_key *old,
                           struct err *e)
{
    sqlite3_stmt *next = sql_prepare(
        db, "SELECT seq, key FROM content_key WHERE subject = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",
        e);
    sqlite3_stmt *put = sql_prepare(db, "UPDATE content_key SET key = ?2 WHERE seq = ?1", e);
    int64_t seq = -1;
    int step = SQLITE_DONE;
    bool ok = next && put;
    while (ok) {
        struct seal_wrapped w;
        sqlite3_bind_int64(next, 1, x->row);
        sqlite3_bind_int64(next, 2, seq);
        step = sqlite3_step(next);
        struct span key = step == SQLITE_ROW ? sql_blob(next, 1) : SPAN_EMPTY;
        if (step != SQLITE_ROW)
            break;
        seq = sqlite3_column_int64(next, 0);
        ok = key.n == SEAL_WRAPPED || err_set(e, ERR_INTEGRITY, "a stored key is damaged");
        if (ok)
            memcpy(w.b, key.p, SEAL_WRAPPED);
        sqlite3_reset(next);
        ok = ok && rewrap(&w, old, &x->fresh, e);
        sqlite3_bind_int64(put, 1, seq);
        sql_bind_blob(put, 2, w.b, SEAL_WRAPPED);
        ok = ok && sql_run(db, put, "erasing", e);
    }
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(db, "reading keys", e);
    sqlite3_finalize(next);
    sqlite3_finalize(put);
    return ok;
}

static bool put_row(struct log *l, sqlite3_stmt *put, const struct subject_row *row,
                    const struct seal_key *key, uint64_t now, struct err *e)
{
    struct seal_key epoch_key;
    struct seal_wrapped wrapped;
    struct digest lookup;
    struct sealed_field f = {.name = span_str("subject")};
    struct buf name;
    buf_init(&name, 4 * LOG_SUBJECT_MAX);
    bool ok = keyring_key(l->keyring, now, &epoch_key, e) &&
              seal_key_wrap(&wrapped, &epoch_key, key, e) &&
              seal_encrypt(&name, &f, key, l->origin, &row->pseudonym, row->name, e);
    if (ok) {
        subject_lookup(&lookup, &epoch_key, row->name);
        sqlite3_bind_int64(put, 1, row->id);
        sqlite3_bind_int64(put, 2, (int64_t)now);
        sql_bind_blob(put, 3, lookup.b, DIGEST_SIZE);
        sql_bind_blob(put, 4, wrapped.b, SEAL_WRAPPED);
        sql_bind_blob(put, 5, f.commitment.b, DIGEST_SIZE);
        sql_bind_blob(put, 6, name.p, name.n);
        ok = sql_run(l->store.db, put, "erasing", e);
    }
    seal_wipe(&epoch_key, sizeof epoch_key);
    buf_free(&name);
    return ok;
}

static bool keep_row(struct log *l, const struct erasure *x, int64_t id, sqlite3_stmt *put,
                     struct err *e)
{
    struct subject_row row;
    struct arena *a = arena_new(1 << 20);
    bool again = x->entry && id == x->row;
    bool ok = a ? subject_row_open(l, id, &row, a, e)
                : err_set(e, ERR_MEMORY, "out of memory for a subject");
    ok = ok && (!again || rewrap_records(l->store.db, x, &row.key, e)) &&
         put_row(l, put, &row, again ? &x->fresh : &row.key, x->now, e);
    seal_wipe(&row, sizeof row);
    if (a)
        arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool keep_survivors(struct log *l, const struct erasure *x, struct err *e)
{
    sqlite3 *db = l->store.db;
    sqlite3_stmt *next =
        sql_prepare(db, "SELECT id, epoch FROM subject WHERE id > ?1 ORDER BY id LIMIT 1", e);
    sqlite3_stmt *put = sql_prepare(db,
                                    "UPDATE subject SET epoch = ?2, lookup = ?3, key = ?4, "
                                    "commitment = ?5, name = ?6 WHERE id = ?1",
                                    e);
    int64_t id = INT64_MIN;
    int step = SQLITE_DONE;
    bool ok = next && put;
    while (ok) {
        sqlite3_bind_int64(next, 1, id);
        step = sqlite3_step(next);
        if (step != SQLITE_ROW)
            break;
        id = sqlite3_column_int64(next, 0);
        uint64_t epoch = (uint64_t)sqlite3_column_int64(next, 1);
        sqlite3_reset(next);
        ok = !epoch_alive(l->keyring, epoch) || keep_row(l, x, id, put, e);
    }
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(db, "reading subjects", e);
    sqlite3_finalize(next);
    sqlite3_finalize(put);
    return ok;
}

/* ---- the leaf to come ---- */

static void put_ranges(struct op_body *b, const struct erasure *x)
{
    size_t ranges = x->entry_count ? 1 : 0;
    for (size_t i = 1; i < x->entry_count; i++)
        ranges += x->entries[i] != x->entries[i - 1] + 1;
    if (ranges == 0 || ranges > ERASE_RANGES)
        return; /* entry_count stands there in any case */
    jw_key(&b->w, "entries");
    jw_array(&b->w);
    for (size_t i = 0, first = 0; i < x->entry_count; i++) {
        if (i + 1 < x->entry_count && x->entries[i + 1] == x->entries[i] + 1)
            continue;
        jw_object(&b->w);
        body_number(b, "from", x->entries[first]);
        body_number(b, "to", x->entries[i] + 1);
        jw_end_object(&b->w);
        first = i + 1;
    }
    jw_end_array(&b->w);
}

static void put_unreachable(struct op_body *b, uint64_t now)
{
    char text[128];
    snprintf(text, sizeof text,
             "copies of the database together with copies of the keyring from before epoch %llu",
             (unsigned long long)now);
    jw_key(&b->w, "unreachable");
    jw_array(&b->w);
    jw_str(&b->w, text);
    jw_str(&b->w, "what was disclosed, answered or copied out of the log before");
    jw_str(&b->w, "earlier blocks of storage that does not write in place");
    jw_end_array(&b->w);
}

/* The members of the leaf to come, kept with the transaction that makes them true. */
static bool note_erasure(struct log *l, const struct erasure *x, struct err *e)
{
    struct op_body b;
    sqlite3_stmt *st =
        sql_prepare(l->store.db, "INSERT INTO erasure (epoch, body) VALUES (?1, ?2)", e);
    body_start(&b);
    body_order(&b, &x->order);
    put_ranges(&b, x);
    body_number(&b, "entry_count", x->entry_count);
    body_number(&b, "epoch", x->now - 1);
    body_number(&b, "epoch_now", x->now);
    body_number(&b, "keys", x->keys);
    body_text(&b, "scope", span_str(x->entry ? "entry" : "subject"));
    if (!x->entry && x->rows.count <= ERASE_PSEUDONYMS)
        body_ids(&b, "subjects", x->rows.pseudonym, x->rows.count);
    put_unreachable(&b, x->now);
    bool ok = st && body_end(&b, e);
    if (ok) {
        sqlite3_bind_int64(st, 1, (int64_t)x->now);
        sql_bind_blob(st, 2, b.text.p, b.text.n);
        ok = sql_run(l->store.db, st, "noting an erasure", e);
    }
    sqlite3_finalize(st);
    body_free(&b);
    return ok;
}

/* ---- all of it ---- */

bool erase_rows(struct log *l, struct erasure *x, struct err *e)
{
    sqlite3 *db = l->store.db;
    /* SQLite's statement journals would hold old keys in a file of their own. */
    if (!sql_exec(db, "PRAGMA temp_store=MEMORY; BEGIN IMMEDIATE", e))
        return false;
    bool ok = delete_entries(db, x, e) && delete_rows(db, x, e) && keep_survivors(l, x, e) &&
              note_erasure(l, x, e) && sql_exec(db, "COMMIT", e);
    if (!ok && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}
