/*
 * A batch in one transaction: each item is numbered, encoded and hashed, and its rows are written;
 * what the tree is then is said once the transaction is durable.
 */
#include "log/ops.h"

#include <stdlib.h>
#include <string.h>

#include "log/calls.h"

static const char insert_entry[] = "INSERT INTO entry (seq, kind, time, subject, model, outcome) "
                                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

static const char insert_subject[] =
    "INSERT INTO subject (id, born, epoch, lookup, pseudonym, key, commitment, name) "
    "VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)";

static const char *const statements[STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_RECORD] = "INSERT INTO record (seq, leaf) VALUES (?1, ?2)",
    [ST_ENTRY] = insert_entry,
    [ST_INTENT] = "INSERT INTO open_intent (seq) VALUES (?1)",
    [ST_OUTCOME] = "DELETE FROM open_intent WHERE seq = ?1",
    [ST_RESPONSE] = RESPONSE_INSERT,
    [ST_SUBJECT] = insert_subject,
    [ST_CONTENT_KEY] = "INSERT INTO content_key (seq, subject, key) VALUES (?1, ?2, ?3)",
    [ST_CONTENT] = "INSERT INTO content (id, ciphertext) VALUES (?1, ?2)",
    [ST_TILE] = "INSERT INTO tile (id, root, hashes) VALUES (?1, ?2, ?3)",
    [ST_CHECKPOINT] = "INSERT OR IGNORE INTO checkpoint (size, note) VALUES (?1, ?2)",
};

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store *s = arg;
    (void)db, (void)name;
    s->wal_end = (uint64_t)pages;
    if (s->wal_end < s->wal_copied) /* the WAL began anew */
        s->wal_copied = 0;
    return SQLITE_OK;
}

bool store_open(struct log *l, struct err *e)
{
    struct store *s = &l->store;
    int64_t size = 0, newest = 0;
    buf_init(&s->leaf, RECORD_MAX);
    buf_init(&s->note, LOG_NOTE_MAX);
    s->waiters = calloc(LOG_BATCH_MAX, sizeof *s->waiters);
    if (!s->waiters)
        return err_set(e, ERR_MEMORY, "out of memory for the log");
    if (!sql_open(&s->db, l->path[PATH_DB], SQL_OWN, e))
        return false;
    sqlite3_wal_hook(s->db, on_commit, s);
    for (int i = 0; i < STATEMENTS; i++)
        if (!(s->st[i] = sql_prepare(s->db, statements[i], e)))
            return false;
    if (!sql_int(s->db, "SELECT coalesce(max(seq) + 1, 0) FROM record", &size, e) ||
        !sql_int(s->db,
                 "SELECT coalesce(max(time), 0) FROM "
                 "(SELECT time FROM entry ORDER BY seq DESC LIMIT 1000)",
                 &newest, e) ||
        !edge_load(&s->edge, s->db, (uint64_t)size, e))
        return false;
    s->newest_us = (uint64_t)newest;
    edge_frontier(&s->edge, &s->tree);
    return true;
}

void store_close(struct log *l)
{
    struct store *s = &l->store;
    copy_back_close(s);
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(s->st[i]);
        s->st[i] = NULL;
    }
    sql_close(s->db);
    free(s->waiters);
    reserve_free(&s->reserve);
    s->db = NULL;
    s->waiters = NULL;
    buf_free(&s->leaf);
    buf_free(&s->note);
}

/* ---- one record ---- */

static bool run(struct store *s, enum statement st, struct err *e)
{
    return sql_run(s->db, s->st[st], "writing the log", e);
}

static bool put_tile(void *arg, int64_t id, const struct digest *root, const struct digest *hashes,
                     struct err *e)
{
    struct store *s = arg;
    sqlite3_bind_int64(s->st[ST_TILE], 1, id);
    sql_bind_blob(s->st[ST_TILE], 2, root->b, DIGEST_SIZE);
    sql_bind_blob(s->st[ST_TILE], 3, hashes, TILE_BYTES);
    return run(s, ST_TILE, e);
}

static bool put_subject(struct store *s, struct subject *who, struct err *e)
{
    sqlite3_stmt *st = s->st[ST_SUBJECT];
    if (!who || who->stored)
        return true;
    sqlite3_bind_int64(st, 1, who->id);
    sqlite3_bind_int64(st, 2, (int64_t)who->born);
    sql_bind_blob(st, 3, who->lookup.b, DIGEST_SIZE);
    sql_bind_blob(st, 4, who->pseudonym.b, SEAL_ID);
    sql_bind_blob(st, 5, who->wrapped.b, SEAL_WRAPPED);
    sql_bind_blob(st, 6, who->commitment.b, DIGEST_SIZE);
    sql_bind_blob(st, 7, who->name.p, who->name.n);
    if (!run(s, ST_SUBJECT, e))
        return false;
    who->stored = true;
    return true;
}

static bool put_content(struct store *s, const struct item *i, uint64_t seq, struct err *e)
{
    if (i->field_count == 0)
        return true;
    sqlite3_bind_int64(s->st[ST_CONTENT_KEY], 1, (int64_t)seq);
    sqlite3_bind_int64(s->st[ST_CONTENT_KEY], 2, i->subject->id);
    sql_bind_blob(s->st[ST_CONTENT_KEY], 3, i->key.b, SEAL_WRAPPED);
    if (!run(s, ST_CONTENT_KEY, e))
        return false;
    size_t at = 0;
    for (size_t k = 0; k < i->field_count; at += (size_t)i->fields[k].size, k++) {
        sqlite3_bind_int64(s->st[ST_CONTENT], 1, (int64_t)(seq * LOG_PLACES + k));
        sql_bind_blob(s->st[ST_CONTENT], 2, i->content.p + at, (size_t)i->fields[k].size);
        if (!run(s, ST_CONTENT, e))
            return false;
    }
    return true;
}

static void bind_name(sqlite3_stmt *st, int at, struct span s)
{
    if (s.n)
        sqlite3_bind_text64(st, at, (const char *)s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(st, at);
}

static bool put_entry(struct store *s, const struct item *i, const struct record_head *h,
                      struct err *e)
{
    sqlite3_stmt *st = s->st[ST_ENTRY];
    sqlite3_bind_int64(st, 1, (int64_t)h->seq);
    sqlite3_bind_int64(st, 2, (int64_t)i->kind);
    sqlite3_bind_int64(st, 3, (int64_t)h->wall_us);
    if (h->has_subject)
        sql_bind_blob(st, 4, h->subject, SEAL_ID);
    else
        sqlite3_bind_null(st, 4);
    bind_name(st, 5, i->index.model);
    bind_name(st, 6, i->index.outcome);
    return run(s, ST_ENTRY, e);
}

/* Calls that are open, and answers by their identifiers. */
static bool put_call(struct store *s, const struct item *i, uint64_t seq, struct err *e)
{
    if (i->kind == RECORD_CALL_INTENT) {
        sqlite3_bind_int64(s->st[ST_INTENT], 1, (int64_t)seq);
        return run(s, ST_INTENT, e);
    }
    if (!i->index.has_intent)
        return true;
    sqlite3_bind_int64(s->st[ST_OUTCOME], 1, (int64_t)i->index.intent);
    if (!run(s, ST_OUTCOME, e))
        return false;
    if (!i->index.has_response)
        return true;
    sqlite3_bind_int64(s->st[ST_RESPONSE], 1, response_row(seq, i->index.response));
    return run(s, ST_RESPONSE, e);
}

static void fill_head(const struct log *l, const struct item *i, struct record_head *h)
{
    *h = (struct record_head){
        .kind = i->kind,
        .seq = l->store.tree.size,
        .wall_us = l->clock.wall(l->clock.arg),
        .boot_us = l->clock.boot(l->clock.arg),
        .has_subject = i->named,
    };
    memcpy(h->id, i->id.b, sizeof h->id);
    memcpy(h->boot_id, l->boot_id, sizeof h->boot_id);
    if (i->named)
        memcpy(h->subject, i->subject->pseudonym.b, sizeof h->subject);
}

/* Signing times that run backwards would be a lie; small steps of NTP are recorded as they are. */
static bool clock_ok(const struct store *s, uint64_t now, struct err *e)
{
    if (now + LOG_CLOCK_BACK_US >= s->newest_us)
        return true;
    return err_set(
        e, ERR_CONFIG,
        "the clock stands %llu s before the newest entry: set the machine's clock right, or, "
        "when it is, rebuild the index with assay log reindex",
        (unsigned long long)((s->newest_us - now) / 1000000));
}

/* What the item itself gets wrong is told to its caller alone and takes no number. */
static bool encode(struct log *l, struct item *i, struct record_head *h)
{
    struct store *s = &l->store;
    struct err *e = &i->receipt.error;
    fill_head(l, i, h);
    buf_clear(&s->leaf);
    return clock_ok(s, h->wall_us, e) &&
           record_encode(&s->leaf, h, i->body, i->fields, i->field_count, e);
}

/* When the batch is durable: what open calls were promised. */
static void settle(struct store *s, const struct item *items)
{
    for (const struct item *i = items; i; i = i->next) {
        if (i->receipt.ok && i->kind == RECORD_CALL_INTENT)
            reserve_keep(&s->reserve, i->receipt.seq, reserve_wanted(i));
        else if (i->receipt.ok && i->index.has_intent)
            reserve_release(&s->reserve, i->index.intent);
    }
}

static bool write_item(struct log *l, struct item *i, struct err *e)
{
    struct store *s = &l->store;
    struct record_head h;
    i->receipt.ok = false;
    if (i->refused || !encode(l, i, &h))
        return true;
    struct digest hash = record_hash(buf_span(&s->leaf));
    sqlite3_bind_int64(s->st[ST_RECORD], 1, (int64_t)h.seq);
    sql_bind_blob(s->st[ST_RECORD], 2, s->leaf.p, s->leaf.n);
    if (!run(s, ST_RECORD, e) || !put_subject(s, i->subject, e) || !put_content(s, i, h.seq, e) ||
        !put_entry(s, i, &h, e) || !put_call(s, i, h.seq, e) ||
        !edge_append(&s->edge, &hash, put_tile, s, e))
        return false;
    merkle_append(&s->tree, &hash);
    if (h.wall_us > s->newest_us)
        s->newest_us = h.wall_us;
    i->receipt.ok = true;
    i->receipt.seq = h.seq;
    i->receipt.leaf_hash = hash;
    return true;
}

/* ---- a batch ---- */

bool store_keep(struct log *l, struct err *e)
{
    struct store *s = &l->store;
    uint64_t size = 0;
    buf_clear(&s->note);
    if (!head_note(l, &s->note, &size, e))
        return false;
    if (s->note.n == 0)
        return true; /* nothing is committed yet */
    sqlite3_bind_int64(s->st[ST_CHECKPOINT], 1, (int64_t)size);
    sql_bind_blob(s->st[ST_CHECKPOINT], 2, s->note.p, s->note.n);
    return run(s, ST_CHECKPOINT, e);
}

/* Older heads are for consistency proofs: one a second is enough of them. */
static bool keep_sometimes(struct log *l, struct err *e)
{
    struct store *s = &l->store;
    uint64_t now = l->clock.boot(l->clock.arg);
    if (now - s->kept_us < LOG_KEPT_EVERY_US)
        return true;
    s->kept_us = now;
    return store_keep(l, e);
}

bool store_commit(struct log *l, struct item *items, struct err *e)
{
    struct store *s = &l->store;
    for (struct item *i = items; i; i = i->next)
        err_clear(&i->receipt.error);
    bool room = reserve_batch(l, items); /* without it nothing is written but items */
    bool ok = run(s, ST_BEGIN, e);
    for (struct item *i = items; ok && i; i = i->next)
        ok = write_item(l, i, e);
    ok = ok && (!room || keep_sometimes(l, e)) && run(s, ST_COMMIT, e);
    if (ok) {
        settle(s, items);
        head_set(l, &s->tree);
    } else if (!sqlite3_get_autocommit(s->db)) {
        (void)run(s, ST_ROLLBACK, NULL);
    }
    return ok;
}

/* ---- one entry ---- */

bool store_append(struct log *l, const struct log_entry *entry, struct log_receipt *out,
                  struct err *e)
{
    struct item *i = NULL;
    if (!item_new(l, entry, &i, e))
        return false;
    bool ok = store_commit(l, i, e);
    *out = i->receipt;
    if (ok && !out->ok) {
        ok = false;
        err_at(e, out->error.code, NULL, ERR_NO_OFFSET, "%s", out->error.text);
    }
    item_free(l, i);
    return ok;
}
