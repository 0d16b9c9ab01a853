/*
 * Backups: a copy of the database as it was at one moment, made while the log is written,
 * with the head that it must live up to. Keys stay where they are unless the keyring is
 * asked for: a copy of it undoes erasures, so the result says that it was made.
 */
#include "log/ops.h"
#include "log/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"

enum { BACKUP_TRIES = 3, BACKUP_BUSY_MS = 10, BACKUP_BUSY_MAX = 3000, KEYRING_MAX = 16 << 20 };

static char *path_in(const char *folder, const char *name, struct err *e)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) >= 0)
        return path;
    err_set(e, ERR_MEMORY, "out of memory for a path");
    return NULL;
}

/* ---- the database ---- */

/* One step over all pages: one snapshot, whatever is appended meanwhile. */
static bool copy_pages(sqlite3 *from, sqlite3 *to, struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int step = SQLITE_ERROR;
    for (int waited = 0; b && waited < BACKUP_BUSY_MAX; waited += BACKUP_BUSY_MS) {
        step = sqlite3_backup_step(b, -1);
        if (step != SQLITE_BUSY && step != SQLITE_LOCKED)
            break;
        sqlite3_sleep(BACKUP_BUSY_MS);
    }
    int end = b ? sqlite3_backup_finish(b) : SQLITE_ERROR;
    return (step == SQLITE_DONE && end == SQLITE_OK) || sql_fail(to, "copying the database", e);
}

bool backup_database(const char *from, const char *to, struct err *e)
{
    sqlite3 *source = NULL, *copy = NULL;
    int fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, to, "the copy cannot be created");
    close(fd);
    bool ok = sql_open(&source, from, SQL_READ, e);
    if (ok && sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        ok = sql_fail(copy, "opening the copy", e);
    ok = ok && copy_pages(source, copy, e);
    sql_close(source);
    if (sqlite3_close(copy) != SQLITE_OK)
        ok = err_set(e, ERR_IO, "the copy cannot be closed");
    if (!ok)
        unlink(to);
    return ok;
}

/* ---- what goes with it ---- */

struct backup {
    const char *folder, *to;
    bool with_keyring;
    struct arena *arena;
    struct span head, keyring;
};

static bool read_file(struct backup *b, const char *name, size_t max, bool secret, struct span *out,
                      struct err *e)
{
    char *path = path_in(b->folder, name, e);
    bool ok = path && file_read(out, path, max, secret, b->arena, e);
    free(path);
    return ok;
}

static bool write_file(const struct backup *b, const char *name, struct span bytes, struct err *e)
{
    char *path = path_in(b->to, name, e);
    bool ok = path && file_replace(path, bytes, false, e);
    free(path);
    return ok;
}

/* The head is read first: the copy must cover it. A keyring that changed meanwhile would not
 * fit the database, so both are copied again. */
static bool copy_once(struct backup *b, bool *fits, struct err *e)
{
    struct span after = SPAN_EMPTY;
    char *from = path_in(b->folder, "log.db", e), *to = path_in(b->to, "log.db", e);
    bool ok = from && to && read_file(b, "head", LOG_NOTE_MAX, false, &b->head, e) &&
              (!b->with_keyring || read_file(b, "keyring", KEYRING_MAX, true, &b->keyring, e)) &&
              backup_database(from, to, e) &&
              (!b->with_keyring || read_file(b, "keyring", KEYRING_MAX, true, &after, e));
    *fits = span_eq(after, b->keyring);
    if (ok && !*fits)
        unlink(to);
    free(from);
    free(to);
    return ok;
}

static bool copy_all(struct backup *b, struct err *e)
{
    bool fits = false;
    for (int i = 0; i < BACKUP_TRIES && !fits; i++)
        if (!copy_once(b, &fits, e))
            return false;
    if (!fits)
        return err_set(e, ERR_CHANGED, "the keyring changes again and again: try later");
    return write_file(b, "head", b->head, e) &&
           (!b->with_keyring || write_file(b, "keyring", b->keyring, e));
}

/* The copy's own tree against the head that was signed before it was made. */
static bool check_copy(struct backup *b, struct log_backed_up *out, struct err *e)
{
    struct log_reader *r = NULL;
    struct note note;
    struct checkpoint c;
    struct digest root;
    if (!log_reader_open(&r, b->to, e))
        return false;
    struct hash_reader hashes = log_reader_hashes(r);
    bool ok = note_parse(&note, b->head, b->arena, e) && checkpoint_parse(&c, note.text, e);
    if (ok && c.size > r->size)
        ok = err_set(e, ERR_INTEGRITY, "the database holds less than its head has signed");
    ok = ok && proof_root(&root, c.size, &hashes, e) &&
         (digest_eq(&root, &c.root) ||
          err_set(e, ERR_INTEGRITY, "the copy is not what the head has signed"));
    out->entries = r->size;
    log_reader_close(r);
    return ok;
}

bool log_backup(const char *folder, const char *to, bool keyring, struct log_backed_up *out,
                struct err *e)
{
    struct backup b = {.folder = folder, .to = to, .with_keyring = keyring};
    struct log_reader *source = NULL;
    *out = (struct log_backed_up){.keyring = keyring};
    if (!log_reader_open(&source, folder, e)) /* is one */
        return false;
    log_reader_close(source);
    if (mkdir(to, 0700) != 0)
        return err_errno(e, to, "the backup's folder cannot be made");
    b.arena = arena_new((size_t)8 * KEYRING_MAX);
    bool ok = (b.arena || err_set(e, ERR_MEMORY, "out of memory for a backup")) &&
              copy_all(&b, e) && check_copy(&b, out, e);
    if (b.arena)
        arena_wipe(b.arena);
    arena_free(b.arena);
    if (!ok)
        (void)rmdir(to); /* when nothing was copied, so that the same command may be tried again */
    return ok;
}
