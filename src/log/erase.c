/*
 * Erasure: destroy keys so that nothing stored opens what they sealed, and say so only
 * when no byte of them is left. One transaction deletes the keys, wraps what survives
 * under a new epoch and notes the erasure; erase_finish.c does the rest
 * (reference: log.md section 3).
 */
#include "log/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERASE_ARENA = 1 << 30, ERASE_RANGES = 1000, ERASE_PSEUDONYMS = 500 };

struct erasure {
    const struct op_args *args;
    struct op_result *result;
    bool entry;       /* one entry, not a subject */
    uint64_t seq;     /* that entry */
    struct span name; /* the subject */
    struct log_order order;
    struct arena *arena;
    struct subject_rows rows; /* all rows of the subject */
    int64_t row;              /* the entry's */
    struct seal_key fresh;    /* the new key of that row */
    uint64_t *entries;        /* whose content is erased, ascending */
    size_t entry_count, entry_cap;
    uint64_t keys, now;
};

/* ---- what is concerned ---- */

static bool add_entry(struct erasure *x, uint64_t seq, struct err *e)
{
    uint64_t *all = arena_grow(x->arena, x->entries, x->entry_count, &x->entry_cap, sizeof *all);
    if (!all)
        return err_set(e, ERR_MEMORY, "out of memory for an erasure");
    x->entries = all;
    all[x->entry_count++] = seq;
    return true;
}

static bool entries_of(struct log *l, struct erasure *x, int64_t row, struct err *e)
{
    sqlite3_stmt *st =
        sql_prepare(l->store.db, "SELECT seq FROM content_key WHERE subject = ?1", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, row);
    int step = SQLITE_DONE;
    bool ok = true;
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = add_entry(x, (uint64_t)sqlite3_column_int64(st, 0), e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(l->store.db, "reading keys", e);
    sqlite3_finalize(st);
    return ok;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool find_subject(struct log *l, struct erasure *x, struct err *e)
{
    if (!subject_rows_of(l, x->name, &x->rows, x->arena, e))
        return false;
    if (x->rows.count == 0)
        return err_set(e, ERR_USAGE, "the log holds nothing that concerns this subject");
    for (size_t i = 0; i < x->rows.count; i++)
        if (!entries_of(l, x, x->rows.id[i], e))
            return false;
    if (x->entry_count)
        qsort(x->entries, x->entry_count, sizeof *x->entries, by_number);
    x->keys = x->rows.count + x->entry_count;
    return true;
}

static bool find_entry(struct log *l, struct erasure *x, struct err *e)
{
    struct seal_wrapped wrapped;
    struct subject_row row;
    bool ok = content_key_of(l->store.db, x->seq, &x->row, &wrapped, e) &&
              subject_row_open(l, x->row, &row, x->arena, e) &&
              subject_rows_of(l, row.name, &x->rows, x->arena, e) && add_entry(x, x->seq, e) &&
              seal_random(x->fresh.b, SEAL_KEY, e);
    x->keys = 2; /* the entry's, and the subject's that wrapped it */
    seal_wipe(&row, sizeof row);
    return ok;
}

static bool check_holds(struct log *l, struct erasure *x, struct err *e)
{
    struct hold_target t = {x->rows.pseudonym, x->rows.count, x->entries, x->entry_count};
    struct seal_id hold;
    bool held = false;
    return hold_covers(l->store.db, &t, &held, &hold, e) &&
           (!held || hold_blocked(l, &hold, &t, &x->order, e));
}

/* ---- one transaction ---- */

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

static bool change(struct log *l, struct erasure *x, struct err *e)
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

/* With both locks held: nobody seals, and nobody opens what is sealed. */
static bool destroy(struct log *l, struct erasure *x, struct err *e)
{
    pthread_rwlock_wrlock(&l->keys);
    bool ok = keyring_advance(l->keyring, e);
    x->now = keyring_epoch(l->keyring);
    if (ok)
        erase_passed(1);
    ok = ok && change(l, x, e);
    if (ok)
        erase_passed(2);
    ok = ok && keyring_destroy_before(l->keyring, x->now, e);
    if (ok)
        erase_passed(3);
    subjects_forget(l);
    pthread_rwlock_unlock(&l->keys);
    return ok;
}

/* ---- the doors ---- */

static bool find_and_check(struct log *l, struct erasure *x, struct err *e)
{
    return (x->entry ? find_entry(l, x, e) : find_subject(l, x, e)) && check_holds(l, x, e);
}

static bool erase_job(struct log *l, void *arg, struct err *e)
{
    struct erasure *x = arg;
    uint64_t left = 0, pages = 0, seq = 0;
    bool found = false;
    if (!store_exclude(l, e))
        return false;
    bool ok =
        find_and_check(l, x, e) &&
        erasure_pages(l->store.db, x->entries, x->entry_count, x->entry ? x->row : 0, &pages, e) &&
        reserve_order(l, pages, e) && destroy(l, x, e);
    store_admit(l);
    if (!ok || !erase_finish(l, &left, e))
        return false;
    if (left == 0 && !erase_leaf(l, x->now, &found, &seq, e))
        return false;
    uint64_t n[OP_NUMBERS] = {left != 0, seq, x->now - 1, x->now, x->keys, x->entry_count};
    memcpy(x->result->n, n, sizeof n);
    return true;
}

bool erase_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    struct erasure x = {.args = a,
                        .result = r,
                        .entry = a->n[0] != 0,
                        .seq = a->n[1],
                        .name = a->s[0],
                        .order = {a->s[1], a->s[2]}};
    if (!order_ok(&x.order, e))
        return false;
    if (!x.entry && x.name.n == 0)
        return err_set(e, ERR_USAGE, "an erasure needs the subject's name");
    x.arena = arena_new(ERASE_ARENA);
    bool ok = x.arena ? log_run(l, erase_job, &x, e)
                      : err_set(e, ERR_MEMORY, "out of memory for an erasure");
    seal_wipe(&x.fresh, sizeof x.fresh);
    if (x.arena)
        arena_wipe(x.arena);
    arena_free(x.arena);
    return ok;
}

static bool erase(struct log *l, const struct op_args *a, struct log_erased *out,
                  struct buf *certificate, struct err *e)
{
    struct op_result r;
    bool ok = op_do(l, OP_ERASE, a, &r, e);
    buf_free(&r.bytes);
    if (!ok)
        return false;
    *out = (struct log_erased){.pending = r.n[0] != 0,
                               .seq = r.n[1],
                               .epoch = r.n[2],
                               .epoch_now = r.n[3],
                               .keys = r.n[4],
                               .entries = r.n[5]};
    return out->pending || !certificate || log_erase_certificate(l, out->seq, certificate, e);
}

bool log_erase_subject(struct log *l, struct span subject, const struct log_order *o,
                       struct log_erased *out, struct buf *certificate, struct err *e)
{
    struct op_args a = {.n = {0}, .s = {subject, o->by, o->basis}};
    return erase(l, &a, out, certificate, e);
}

bool log_erase_entry(struct log *l, uint64_t seq, const struct log_order *o, struct log_erased *out,
                     struct buf *certificate, struct err *e)
{
    struct op_args a = {.n = {1, seq}, .s = {SPAN_EMPTY, o->by, o->basis}};
    return erase(l, &a, out, certificate, e);
}
