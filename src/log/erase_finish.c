/*
 * The end of an erasure: the old epochs go from the keyring, the WAL is emptied, and the leaf
 * replaces the note that the transaction left. All of it can be done again, after a crash, when a
 * reader let go of the WAL, or when somebody asks.
 */
#include "log/ops.h"

void (*erase_step)(int step);

void erase_passed(int step)
{
    if (erase_step)
        erase_step(step);
}

struct leaf_search {
    uint64_t epoch, seq;
    bool found;
};

static bool same_epoch(void *arg, uint64_t seq, struct json body, struct err *e)
{
    struct leaf_search *s = arg;
    uint64_t epoch = 0;
    (void)e;
    if (json_u64(json_get(body, "epoch_now"), &epoch) && epoch == s->epoch) {
        s->found = true;
        s->seq = seq;
    }
    return true;
}

bool erase_leaf(struct log *l, uint64_t epoch, bool *found, uint64_t *seq, struct err *e)
{
    struct leaf_search s = {.epoch = epoch};
    bool ok = op_each(l->store.db, RECORD_ERASURE, same_epoch, &s, e);
    *found = s.found;
    *seq = s.seq;
    return ok;
}

static bool put_leaf(struct log *l, uint64_t epoch, struct span body, struct err *e)
{
    struct log_receipt r;
    bool found = false;
    uint64_t seq = 0;
    if (!erase_leaf(l, epoch, &found, &seq, e) ||
        (!found && !op_write(l, RECORD_ERASURE, SPAN_EMPTY, body, &r, e)))
        return false;
    erase_passed(5);
    return sql_run_with(l->store.db, "DELETE FROM erasure WHERE epoch = ?1", (int64_t)epoch, 0, e);
}

static bool put_leaves(struct log *l, struct err *e)
{
    int64_t epoch = 0;
    for (;;) {
        struct span body = SPAN_EMPTY;
        struct arena *a = arena_new(4 * RECORD_MAX);
        sqlite3_stmt *st =
            sql_prepare(l->store.db, "SELECT epoch, body FROM erasure ORDER BY epoch LIMIT 1", e);
        int step = a && st ? sqlite3_step(st) : SQLITE_ERROR;
        if (step == SQLITE_ROW) {
            epoch = sqlite3_column_int64(st, 0);
            body = arena_span(a, sql_blob(st, 1));
        } else if (step != SQLITE_DONE) {
            err_set(e, ERR_IO, "pending erasures cannot be read");
        }
        sqlite3_finalize(st);
        bool ok = step == SQLITE_ROW && put_leaf(l, (uint64_t)epoch, body, e);
        arena_free(a);
        if (!ok)
            return step == SQLITE_DONE;
    }
}

bool erase_finish(struct log *l, uint64_t *left, struct err *e)
{
    bool pending = false;
    int64_t count = 0, newest = 0;
    *left = 0;
    if (!sql_int(l->store.db, "SELECT count(*) FROM erasure", &count, e))
        return false;
    if (count == 0)
        return true;
    if (!sql_int(l->store.db, "SELECT max(epoch) FROM erasure", &newest, e))
        return false;
    pthread_rwlock_wrlock(&l->keys);
    bool ok = keyring_destroy_before(l->keyring, (uint64_t)newest, e);
    pthread_rwlock_unlock(&l->keys);
    if (!ok || !store_truncate(l, &pending, e))
        return false;
    *left = pending ? (uint64_t)count : 0;
    l->store.erasing = pending;
    if (pending)
        return true;
    erase_passed(4);
    return put_leaves(l, e);
}

bool erase_recover(struct log *l, struct err *e)
{
    uint64_t left;
    return erase_finish(l, &left, e);
}

void erase_retry(struct log *l)
{
    struct err e = ERR_INIT;
    uint64_t left, now = l->clock.boot(l->clock.arg);
    if (!l->store.erasing || now - l->store.erase_tried_us < LOG_KEPT_EVERY_US)
        return;
    l->store.erase_tried_us = now;
    sqlite3_busy_timeout(l->store.db, 0); /* callers wait: a reader only postpones it again */
    if (!erase_finish(l, &left, &e))
        queue_fail(&l->queue, &e);
    sqlite3_busy_timeout(l->store.db, 1000);
}

/* ---- the doors ---- */

static bool resume_job(struct log *l, void *arg, struct err *e)
{
    return erase_finish(l, arg, e);
}

bool erase_resume_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    (void)a;
    return log_run(l, resume_job, &r->n[0], e);
}

bool log_erase_resume(struct log *l, uint64_t *left, struct err *e)
{
    struct op_args a = {.n = {0}};
    struct op_result r;
    bool ok = op_do(l, OP_ERASE_RESUME, &a, &r, e);
    buf_free(&r.bytes);
    *left = ok ? r.n[0] : 0;
    return ok;
}
