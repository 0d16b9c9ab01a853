/*
 * Copying the WAL back into the database, between two batches. To do it whole takes a sync of the
 * database, for which callers would wait. So it is done in slices, each up to where a reader of our
 * own holds on: for those SQLite syncs nothing and cannot begin the WAL anew, whose pages stay the
 * truth, and the keeper syncs the database beside the commits. When the WAL is long and little is
 * left to sync, it is copied whole, and SQLite begins it anew. All of it waits until nobody does,
 * but not for long.
 */
#include "log/store.h"

#include <sys/statvfs.h>

static atomic_uint_fast64_t slice_pages = LOG_SLICE_PAGES, most_pages = LOG_WAL_PAGES;

void copy_back_limits(uint64_t slice, uint64_t most)
{
    atomic_store(&slice_pages, slice);
    atomic_store(&most_pages, most);
}

/* ---- the reader ---- */

/* Opened by the first log that needs it; a log without one copies its WAL whole. */
static bool have_reader(struct log *l)
{
    struct copying *c = &l->store.copying;
    if (c->reader || c->tried)
        return c->reader;
    c->tried = true;
    bool ok =
        sql_open(&c->reader, l->path[PATH_DB], SQL_READ, NULL) &&
        (c->look = sql_prepare(c->reader, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL)) &&
        sqlite3_file_control(c->reader, "main", SQLITE_FCNTL_FILE_POINTER, &c->file) == SQLITE_OK;
    if (!ok)
        copy_back_close(&l->store);
    return ok;
}

/* A query that is not reset holds what it saw. */
static bool hold(struct log *l)
{
    struct copying *c = &l->store.copying;
    c->held = have_reader(l) && sqlite3_step(c->look) == SQLITE_ROW;
    c->held_end = l->store.wal_end;
    return c->held;
}

static void let_go(struct copying *c)
{
    sqlite3_reset(c->look);
    c->held = false;
}

void copy_back_close(struct store *s)
{
    struct copying *c = &s->copying;
    sqlite3_finalize(c->look);
    sql_close(c->reader);
    c->look = NULL;
    c->reader = NULL;
    c->held = false;
}

/* ---- copying ---- */

/*
 * Somebody else's reader that holds pages only postpones it. So does a full disk: what is in
 * the WAL is durable there, and space was set aside for what must follow.
 */
static bool copy(struct store *s, uint64_t end, uint64_t now, struct err *e)
{
    int result = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (result == SQLITE_FULL) {
        s->copy_at_us = now + LOG_FULL_EVERY_US;
        return true;
    }
    s->wal_copied = end; /* or less, when readers hold pages */
    return result == SQLITE_OK || result == SQLITE_BUSY || sql_fail(s->db, "copying the WAL", e);
}

/* Where little is free the WAL stays short: its blocks are the database's to grow by. */
static uint64_t longest(const struct log *l)
{
    enum { FREE_SHARE = 8, PAGE = 4096 };
    struct statvfs v;
    uint64_t most = atomic_load(&most_pages);
    if (statvfs(l->path[PATH_DB], &v) != 0)
        return most;
    uint64_t share = (uint64_t)v.f_bavail * v.f_frsize / PAGE / FREE_SHARE;
    return share < most ? share : most;
}

/* When a batch follows the one that is held: all of the WAL SQLite would sync itself. */
static bool copy_slice(struct log *l, uint64_t now, struct err *e)
{
    struct store *s = &l->store;
    if (s->wal_end == s->copying.held_end)
        return true;
    bool ok = copy(s, s->copying.held_end, now, e);
    let_go(&s->copying);
    if (ok)
        keeper_sync(l);
    return ok;
}

/* So much is to be copied that it is time, though somebody may wait. */
static bool is_time(struct log *l)
{
    const struct store *s = &l->store;
    uint64_t slice = atomic_load(&slice_pages), pages = s->wal_end - s->wal_copied;
    return pages >= 2 * slice || ((pages >= slice || s->copying.held) && queue_empty(&l->queue));
}

bool copy_back(struct log *l, struct err *e)
{
    struct store *s = &l->store;
    if (!is_time(l))
        return true;
    uint64_t now = l->clock.boot(l->clock.arg);
    if (s->copying.held)
        return copy_slice(l, now, e);
    if (now < s->copy_at_us)
        return true;
    uint64_t most = longest(l);
    bool whole = s->wal_end >= (atomic_load(&s->copying.unsynced) ? 2 * most : most);
    return (!whole && hold(l)) || copy(s, s->wal_end, now, e);
}

bool copy_back_sync(struct log *l, struct err *e)
{
    struct copying *c = &l->store.copying;
    int result = c->file->pMethods->xSync(c->file, SQLITE_SYNC_NORMAL);
    atomic_store(&c->unsynced, false);
    return result == SQLITE_OK ||
           err_at(e, ERR_IO, l->path[PATH_DB], ERR_NO_OFFSET,
                  "syncing: the disk reported an error: check it, then open the log again");
}

bool store_truncate(struct log *l, bool *pending, struct err *e)
{
    int pages = 0, copied = 0;
    if (l->store.copying.held)
        let_go(&l->store.copying);
    int result =
        sqlite3_wal_checkpoint_v2(l->store.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &pages, &copied);
    *pending = result == SQLITE_BUSY;
    if (result == SQLITE_OK)
        reserve_again(l); /* the file is empty, its blocks are free */
    return *pending || result == SQLITE_OK || sql_fail(l->store.db, "emptying the WAL", e);
}
