/*
 * Stored subjects, found by name and opened: a subject has a row for each epoch in which
 * it was met, and every operation on a person concerns all of them.
 */
#include "log/ops.h"
#include "log/read.h"

#include <string.h>

enum { PAGE_BYTES = 4096, ROW_PAGES = 6 }; /* of a row: tables and indexes, each twice at most */

static bool add_row(struct subject_rows *r, int64_t id, struct span pseudonym, struct arena *a,
                    struct err *e)
{
    int64_t *ids = arena_grow(a, r->id, r->count, &r->cap_id, sizeof *ids);
    struct seal_id *names = arena_grow(a, r->pseudonym, r->count, &r->cap_pseudonym, sizeof *names);
    if (!ids || !names)
        return err_set(e, ERR_MEMORY, "out of memory for subjects");
    r->id = ids;
    r->pseudonym = names;
    if (pseudonym.n != SEAL_ID)
        return err_set(e, ERR_INTEGRITY, "a stored subject is damaged");
    ids[r->count] = id;
    memcpy(names[r->count++].b, pseudonym.p, SEAL_ID);
    return true;
}

bool epoch_alive(const struct keyring *k, uint64_t epoch)
{
    struct seal_key key;
    bool alive = keyring_key(k, epoch, &key, NULL);
    seal_wipe(&key, sizeof key);
    return alive;
}

/* Where the names of subjects can be looked up: a database and its keyring. */
struct register_of {
    sqlite3 *db;
    const struct keyring *keyring;
};

static bool rows_of_epoch(const struct register_of *g, uint64_t epoch, struct span name,
                          sqlite3_stmt *st, struct subject_rows *out, struct arena *a,
                          struct err *e)
{
    struct seal_key key;
    struct digest lookup;
    if (!epoch_alive(g->keyring, epoch))
        return true; /* of a restored backup: erased since, it names nobody */
    if (!keyring_key(g->keyring, epoch, &key, e))
        return false;
    subject_lookup(&lookup, &key, name);
    seal_wipe(&key, sizeof key);
    bool ok = true;
    sql_bind_blob(st, 1, lookup.b, DIGEST_SIZE);
    sqlite3_bind_int64(st, 2, (int64_t)epoch);
    int step = SQLITE_DONE;
    while (ok && (step = sqlite3_step(st)) == SQLITE_ROW)
        ok = add_row(out, sqlite3_column_int64(st, 0), sql_blob(st, 1), a, e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(g->db, "reading subjects", e);
    sqlite3_reset(st);
    return ok;
}

static bool rows_of(const struct register_of *g, struct span name, struct subject_rows *out,
                    struct arena *a, struct err *e)
{
    *out = (struct subject_rows){.count = 0};
    sqlite3_stmt *epochs = sql_prepare(g->db, "SELECT DISTINCT epoch FROM subject", e);
    sqlite3_stmt *rows = sql_prepare(
        g->db, "SELECT id, pseudonym FROM subject WHERE lookup = ?1 AND epoch = ?2 ORDER BY id", e);
    bool ok = epochs && rows;
    int step = SQLITE_DONE;
    while (ok && (step = sqlite3_step(epochs)) == SQLITE_ROW)
        ok = rows_of_epoch(g, (uint64_t)sqlite3_column_int64(epochs, 0), name, rows, out, a, e);
    if (ok && step != SQLITE_DONE)
        ok = sql_fail(g->db, "reading subjects", e);
    sqlite3_finalize(epochs);
    sqlite3_finalize(rows);
    return ok;
}

bool subject_rows_of(struct log *l, struct span name, struct subject_rows *out, struct arena *a,
                     struct err *e)
{
    const struct register_of here = {l->store.db, l->keyring};
    return rows_of(&here, name, out, a, e);
}

bool log_reader_subject(struct log_reader *r, const struct log_paths *p, struct span name,
                        struct log_subject *out, struct arena *a, struct err *e)
{
    struct keyring *keyring = NULL;
    struct subject_rows rows = {.count = 0};
    const char *own = arena_printf(a, "%s/operator.key", r->folder);
    const char *path = arena_printf(a, "%s/keyring", r->folder);
    bool ok = (own && path) || err_set(e, ERR_MEMORY, "out of memory for a subject");
    ok = ok && keyring_open(&keyring, path, p && p->operator_key ? p->operator_key : own, e);
    if (ok) {
        const struct register_of there = {r->db, keyring};
        ok = rows_of(&there, name, &rows, a, e);
    }
    keyring_close(keyring);
    *out = (struct log_subject){rows.pseudonym, rows.count};
    return ok;
}

static bool open_name(struct log *l, sqlite3_stmt *st, struct subject_row *row, struct arena *a,
                      struct err *e)
{
    struct sealed_field f = {.name = span_str("subject")};
    uint8_t r[SEAL_SALT];
    struct span commitment = sql_blob(st, 3), ciphertext = sql_blob(st, 4);
    if (commitment.n != DIGEST_SIZE)
        return err_set(e, ERR_INTEGRITY, "a stored subject is damaged");
    memcpy(f.commitment.b, commitment.p, DIGEST_SIZE);
    f.ciphertext = sha256_of(ciphertext);
    f.size = ciphertext.n;
    struct seal_key field_key;
    seal_field_key(&field_key, &row->key, f.name);
    bool ok =
        seal_open(&row->name, r, &f, &field_key, l->origin, &row->pseudonym, ciphertext, a, e);
    seal_wipe(&field_key, sizeof field_key);
    return ok;
}

static bool open_row(struct log *l, sqlite3_stmt *st, struct subject_row *row, struct arena *a,
                     struct err *e)
{
    struct seal_key epoch_key;
    struct seal_wrapped wrapped;
    struct span pseudonym = sql_blob(st, 1), key = sql_blob(st, 2);
    row->epoch = (uint64_t)sqlite3_column_int64(st, 0);
    if (pseudonym.n != SEAL_ID || key.n != SEAL_WRAPPED)
        return err_set(e, ERR_INTEGRITY, "a stored subject is damaged");
    memcpy(row->pseudonym.b, pseudonym.p, SEAL_ID);
    memcpy(wrapped.b, key.p, SEAL_WRAPPED);
    bool ok = keyring_key(l->keyring, row->epoch, &epoch_key, e) &&
              seal_key_unwrap(&row->key, &epoch_key, &wrapped, e) && open_name(l, st, row, a, e);
    seal_wipe(&epoch_key, sizeof epoch_key);
    return ok;
}

bool subject_row_open(struct log *l, int64_t id, struct subject_row *out, struct arena *a,
                      struct err *e)
{
    sqlite3_stmt *st =
        sql_prepare(l->store.db,
                    "SELECT epoch, pseudonym, key, commitment, name FROM subject WHERE id = ?1", e);
    if (!st)
        return false;
    *out = (struct subject_row){.id = id};
    sqlite3_bind_int64(st, 1, id);
    int step = sqlite3_step(st);
    bool ok =
        step == SQLITE_ROW || step == SQLITE_DONE || sql_fail(l->store.db, "reading subjects", e);
    if (ok && step == SQLITE_DONE)
        ok = err_set(e, ERR_INTEGRITY, "the subject of an entry's content is missing");
    ok = ok && open_row(l, st, out, a, e);
    sqlite3_finalize(st);
    return ok;
}

/* The leaf says whether there ever was content. */
static bool no_key(sqlite3 *db, uint64_t seq, struct err *e)
{
    struct record r;
    struct arena *a = arena_new(4 << 20);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for an entry");
    if (ok && op_leaf(db, seq, &r, a, e)) {
        if (r.field_count)
            err_set(e, ERR_INTEGRITY, "the content of entry %llu was erased",
                    (unsigned long long)seq);
        else
            err_set(e, ERR_USAGE, "entry %llu has no sealed content", (unsigned long long)seq);
    }
    arena_free(a);
    return false;
}

bool content_key_of(sqlite3 *db, uint64_t seq, int64_t *subject, struct seal_wrapped *key,
                    struct err *e)
{
    sqlite3_stmt *st = sql_prepare(db, "SELECT subject, key FROM content_key WHERE seq = ?1", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)seq);
    int step = sqlite3_step(st);
    bool ok = step == SQLITE_ROW || step == SQLITE_DONE || sql_fail(db, "reading keys", e);
    if (step == SQLITE_ROW) {
        struct span k = sql_blob(st, 1);
        *subject = sqlite3_column_int64(st, 0);
        ok = k.n == SEAL_WRAPPED || err_set(e, ERR_INTEGRITY, "a stored key is damaged");
        if (ok)
            memcpy(key->b, k.p, SEAL_WRAPPED);
    }
    sqlite3_finalize(st);
    return ok && (step == SQLITE_ROW || no_key(db, seq, e));
}

/* ---- how much an erasure changes ---- */

static bool content_bytes(sqlite3 *db, uint64_t seq, int64_t *out, struct err *e)
{
    int64_t from = (int64_t)(seq * LOG_PLACES);
    return sql_int_with(db,
                        "SELECT coalesce(sum(length(ciphertext)), 0) FROM content WHERE id >= ?1 "
                        "AND id < ?2",
                        from, from + LOG_PLACES, out, e);
}

bool erasure_pages(sqlite3 *db, const uint64_t *entries, size_t count, int64_t anew, uint64_t *out,
                   struct err *e)
{
    static const char keys[] = "SELECT count(*) FROM content_key WHERE subject = ?1 AND ?2";
    int64_t subjects = 0, others = 0, bytes = 0;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        if (!content_bytes(db, entries[i], &bytes, e))
            return false;
        *out += (uint64_t)bytes / PAGE_BYTES;
    }
    if (!sql_int(db, "SELECT count(*) FROM subject", &subjects, e) ||
        !sql_int_with(db, keys, anew, anew != 0, &others, e))
        return false;
    *out += ROW_PAGES * (count + (uint64_t)subjects + (uint64_t)others);
    return true;
}
