/*
 * An SQLite VFS over the default one, for the owner's connection. SQLite writes a transaction
 * to the WAL in two calls a page, and the calls take longer than the sync; here they are
 * gathered and written together, at the latest before the sync that makes them count.
 * Nothing else changes: whatever looks at the file finds there what was written.
 */
#include "log/wal_vfs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_MAX = 1 << 18, WRITE_MAX = 1 << 16, WAL_HEADER = 32, FRAME = 24 + 4096 };

struct wal {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    uint8_t *p;         /* GATHER_MAX bytes, of which n belong to the file from `at` on */
    int n;
    sqlite3_int64 at;
    bool clean; /* synced, and nothing was written since */
};

static struct wal *wal_of(sqlite3_file *f)
{
    return (struct wal *)(void *)f;
}

static const sqlite3_io_methods *methods_of(struct wal *w)
{
    return w->real->pMethods;
}

/*
 * What cannot be written is forgotten: SQLite is told, and the transaction with it is over. In
 * pieces, for SQLite's own VFS takes 128 KiB for no bytes at all.
 */
static int flush(struct wal *w)
{
    int result = SQLITE_OK, done = 0;
    w->clean = w->clean && w->n == 0;
    while (result == SQLITE_OK && done < w->n) {
        int part = w->n - done < WRITE_MAX ? w->n - done : WRITE_MAX;
        result = methods_of(w)->xWrite(w->real, w->p + done, part, w->at + done);
        done += part;
    }
    w->n = 0;
    return result;
}

/*
 * On disks that may tear what was there before, SQLite syncs in the middle of a copy of the last
 * frame; the rest of it counts as soon as it is written, for no sync follows.
 */
static bool begins_frame(sqlite3_int64 at)
{
    return at == 0 || (at - WAL_HEADER) % FRAME == 0;
}

static int wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct wal *w = wal_of(f);
    if (w->n && (at != w->at + w->n || n > GATHER_MAX - w->n)) {
        int result = flush(w);
        if (result != SQLITE_OK)
            return result;
    }
    if (n > GATHER_MAX || (w->n == 0 && !begins_frame(at))) {
        w->clean = false;
        return methods_of(w)->xWrite(w->real, p, n, at);
    }
    if (w->n == 0)
        w->at = at;
    memcpy(w->p + w->n, p, (size_t)n);
    w->n += n;
    return SQLITE_OK;
}

static int wal_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    struct wal *w = wal_of(f);
    int result = flush(w);
    return result ? result : methods_of(w)->xRead(w->real, p, n, at);
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct wal *w = wal_of(f);
    int result = flush(w);
    w->clean = false;
    return result ? result : methods_of(w)->xTruncate(w->real, size);
}

/* Before it copies the WAL back SQLite syncs what every commit has synced. */
static int wal_sync(sqlite3_file *f, int flags)
{
    struct wal *w = wal_of(f);
    int result = flush(w);
    if (result == SQLITE_OK && !w->clean)
        result = methods_of(w)->xSync(w->real, flags);
    w->clean = result == SQLITE_OK;
    return result;
}

static int wal_size(sqlite3_file *f, sqlite3_int64 *size)
{
    struct wal *w = wal_of(f);
    int result = flush(w);
    return result ? result : methods_of(w)->xFileSize(w->real, size);
}

static int wal_close(sqlite3_file *f)
{
    struct wal *w = wal_of(f);
    int written = flush(w), closed = methods_of(w)->xClose(w->real);
    free(w->p);
    w->p = NULL;
    return written ? written : closed;
}

/* ---- what has nothing to do with bytes ---- */

static int wal_lock(sqlite3_file *f, int level)
{
    return methods_of(wal_of(f))->xLock(wal_of(f)->real, level);
}

static int wal_unlock(sqlite3_file *f, int level)
{
    return methods_of(wal_of(f))->xUnlock(wal_of(f)->real, level);
}

static int wal_reserved(sqlite3_file *f, int *out)
{
    return methods_of(wal_of(f))->xCheckReservedLock(wal_of(f)->real, out);
}

static int wal_control(sqlite3_file *f, int op, void *arg)
{
    return methods_of(wal_of(f))->xFileControl(wal_of(f)->real, op, arg);
}

static int wal_sector(sqlite3_file *f)
{
    return methods_of(wal_of(f))->xSectorSize(wal_of(f)->real);
}

static int wal_character(sqlite3_file *f)
{
    return methods_of(wal_of(f))->xDeviceCharacteristics(wal_of(f)->real);
}

static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_reserved,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector,
    .xDeviceCharacteristics = wal_character,
};

/* ---- the VFS ---- */

/* Files but the WAL are the default VFS's own. */
static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    sqlite3_vfs *below = v->pAppData;
    struct wal *w = wal_of(f);
    if (!(flags & SQLITE_OPEN_WAL))
        return below->xOpen(below, name, f, flags, out);
    *w = (struct wal){.real = (sqlite3_file *)(void *)(w + 1), .p = malloc(GATHER_MAX)};
    if (!w->p)
        return SQLITE_NOMEM;
    int result = below->xOpen(below, name, w->real, flags, out);
    if (result == SQLITE_OK)
        w->base.pMethods = &wal_methods;
    else
        free(w->p);
    return result;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xDelete(below, name, sync);
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xAccess(below, name, flags, out);
}

static int vfs_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xFullPathname(below, name, n, out);
}

static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xRandomness(below, n, out);
}

static int vfs_sleep(sqlite3_vfs *v, int us)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xSleep(below, us);
}

static int vfs_time(sqlite3_vfs *v, double *out)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xCurrentTime(below, out);
}

static int vfs_error(sqlite3_vfs *v, int n, char *out)
{
    sqlite3_vfs *below = v->pAppData;
    return below->xGetLastError(below, n, out);
}

const char *wal_vfs(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static sqlite3_vfs vfs = {
        .iVersion = 1,
        .zName = "assay-wal",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_error,
    };
    pthread_mutex_lock(&lock);
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    if (below && below != vfs.pAppData) {
        vfs.pAppData = below;
        vfs.szOsFile = (int)sizeof(struct wal) + below->szOsFile;
        vfs.mxPathname = below->mxPathname;
        sqlite3_vfs_register(&vfs, 0);
    }
    const char *name = sqlite3_vfs_find(vfs.zName) ? vfs.zName : NULL;
    pthread_mutex_unlock(&lock);
    return name;
}
