/* A VFS that fails, or remembers. */
#include "support/fault_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct shim {
    sqlite3_file base;
    enum fault_file kind;
    sqlite3_file *real; /* behind this struct */
};

enum { OPS_MAX = 100000, PART = 4096 };

static sqlite3_vfs *below;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t calls, fail_at;
static int fail_with;
static bool recording;
static struct fault_op ops[OPS_MAX];
static size_t count;

/* A long write as several: a disk may keep any part of it. */
static void write_down(enum fault_file file, enum fault_call call, uint64_t offset, const void *p,
                       size_t n)
{
    do {
        size_t part = n < PART ? n : PART;
        if (count == OPS_MAX)
            return;
        struct fault_op *op = &ops[count++];
        *op = (struct fault_op){file, call, offset, part, p ? malloc(part) : NULL};
        if (op->bytes)
            memcpy(op->bytes, p, part);
        offset += part;
        p = p ? (const uint8_t *)p + part : NULL;
        n -= part;
    } while (n);
}

/* SQLITE_OK, or the failure that is due. */
static int note(enum fault_file file, enum fault_call call, uint64_t offset, const void *p,
                size_t n)
{
    int result = SQLITE_OK;
    pthread_mutex_lock(&lock);
    calls++;
    if (fail_at && calls >= fail_at)
        result = fail_with;
    if (recording)
        write_down(file, call, offset, p, n);
    pthread_mutex_unlock(&lock);
    return result;
}

static struct shim *shim_of(sqlite3_file *f)
{
    return (struct shim *)(void *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return shim_of(f)->real;
}

static int x_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int result = note(shim_of(f)->kind, FAULT_WRITE, (uint64_t)at, p, (size_t)n);
    return result ? result : real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int result = note(shim_of(f)->kind, FAULT_TRUNCATE, (uint64_t)size, NULL, 0);
    return result ? result : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
    int result = note(shim_of(f)->kind, FAULT_SYNC, 0, NULL, 0);
    (void)flags;
    return result;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int x_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int x_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int x_reserved(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int x_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

/* No promise about torn writes: the log must stand without it. */
static int x_character(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, p);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int x_shm_unmap(sqlite3_file *f, int erase)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), erase);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_character,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct shim *s = shim_of(f);
    (void)v;
    s->base.pMethods = NULL;
    s->real = (sqlite3_file *)(void *)(s + 1);
    s->kind = flags & SQLITE_OPEN_MAIN_DB ? FAULT_DB
              : flags & SQLITE_OPEN_WAL   ? FAULT_WAL
                                          : FAULT_OTHER;
    int result = below->xOpen(below, name, s->real, flags, out);
    if (result == SQLITE_OK)
        s->base.pMethods = &methods;
    return result;
}

static int x_delete(sqlite3_vfs *v, const char *name, int sync)
{
    size_t n = strlen(name);
    bool wal = n > 4 && strcmp(name + n - 4, "-wal") == 0;
    int result = note(wal ? FAULT_WAL : FAULT_OTHER, FAULT_DELETE, 0, NULL, 0);
    (void)v;
    return result ? result : below->xDelete(below, name, sync);
}

void fault_vfs_install(void)
{
    static sqlite3_vfs vfs;
    if (below)
        return;
    below = sqlite3_vfs_find(NULL);
    vfs = *below;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct shim) + below->szOsFile;
    vfs.xOpen = x_open;
    vfs.xDelete = x_delete;
    sqlite3_vfs_register(&vfs, 1);
}

static void set(uint64_t at, int with, bool record)
{
    pthread_mutex_lock(&lock);
    calls = 0;
    fail_at = at;
    fail_with = with;
    recording = record;
    pthread_mutex_unlock(&lock);
}

void fault_vfs_fail(uint64_t n, int result)
{
    set(n, result, false);
}

bool fault_vfs_fired(void)
{
    return fail_at && calls >= fail_at;
}

void fault_vfs_record(void)
{
    set(0, 0, true);
}

void fault_vfs_pass(void)
{
    set(0, 0, false);
}

size_t fault_vfs_count(void)
{
    pthread_mutex_lock(&lock);
    size_t n = count;
    pthread_mutex_unlock(&lock);
    return n;
}

const struct fault_op *fault_vfs_ops(void)
{
    return ops;
}

void fault_vfs_forget(void)
{
    for (size_t i = 0; i < count; i++)
        free(ops[i].bytes);
    count = 0;
}
