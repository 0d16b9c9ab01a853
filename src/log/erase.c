/*
 * Erasure: destroy keys so that nothing stored opens what they sealed, and say so only when no byte
 * of them is left. What is concerned is found and held against legal holds here; erase_rows.c is
 * the transaction, erase_finish.c what can be done again after a crash.
 */
#include "log/erase.h"

#include <stdlib.h>
#include <string.h>

enum { ERASE_ARENA = 1 << 30 };

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

/* ---- its keys ---- */

/* With both locks held: nobody seals, and nobody opens what is sealed. */
static bool destroy(struct log *l, struct erasure *x, struct err *e)
{
    pthread_rwlock_wrlock(&l->keys);
    bool ok = keyring_advance(l->keyring, e);
    x->now = keyring_epoch(l->keyring);
    if (ok)
        erase_passed(1);
    ok = ok && erase_rows(l, x, e);
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
    struct erasure x = {.result = r,
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
