/*
 * Restoring a backup: the log goes on from it with a leaf that says so, in a new epoch. All
 * of that happens to a copy beside the log's name; the last step gives it the name.
 */
#include "log/ops.h"
#include "log/read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"

enum { RESTORE_ARENA = 64 << 20, KEYRING_MAX = 16 << 20 };

struct restore {
    const char *backup;
    const struct log_order *order;
    struct log_restored *out;
    struct arena *arena;
    char *from, *head, *keyring; /* in the backup */
    char *copy;                  /* log.db until it is done */
    struct buf checkpoint;       /* newest of the backup */
    bool known;
    uint64_t known_size;
};

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* A WAL that was left behind would be replayed into the restored database. */
static bool nothing_there(struct log *l, struct restore *x, struct err *e)
{
    const char *wal = arena_printf(x->arena, "%s-wal", l->path[PATH_DB]);
    if (!wal)
        return err_set(e, ERR_MEMORY, "out of memory for a path");
    if (exists(l->path[PATH_DB]))
        return err_at(e, ERR_USAGE, l->path[PATH_DB], ERR_NO_OFFSET,
                      "there is a log: move log.db, log.db-wal and log.db-shm away first");
    return !exists(wal) || err_at(e, ERR_USAGE, wal, ERR_NO_OFFSET,
                                  "left over from another log.db: move it away first");
}

static bool bring_keyring(struct log *l, struct restore *x, struct err *e)
{
    struct span bytes;
    if (exists(l->path[PATH_KEYRING]))
        return true; /* the newer one: what was erased since the backup stays erased */
    if (!exists(x->keyring))
        return err_at(e, ERR_CONFIG, l->path[PATH_KEYRING], ERR_NO_OFFSET,
                      "neither here nor in the backup is a keyring; without it the log cannot "
                      "go on");
    return file_read(&bytes, x->keyring, KEYRING_MAX, true, x->arena, e) &&
           file_create(l->path[PATH_KEYRING], bytes, e);
}

/* With its WAL, which would be replayed into the next copy of that name. */
static void remove_copy(const char *copy)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char *path = NULL;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (asprintf(&path, "%s%s", copy, suffixes[i]) < 0)
            continue;
        unlink(path);
        free(path);
    }
}

/* What was known of the log before it was lost. */
static void read_known(struct log *l, struct restore *x)
{
    struct span bytes;
    struct note note;
    struct checkpoint c;
    x->known = exists(l->path[PATH_HEAD]) &&
               file_read(&bytes, l->path[PATH_HEAD], LOG_NOTE_MAX, false, x->arena, NULL) &&
               note_parse(&note, bytes, x->arena, NULL) && checkpoint_parse(&c, note.text, NULL);
    x->known_size = x->known ? c.size : 0;
}

static bool read_backup(struct restore *x, struct err *e)
{
    struct log_reader *r = NULL;
    if (!log_reader_open(&r, x->backup, e))
        return false;
    bool ok = log_reader_checkpoint(r, &x->checkpoint, e);
    x->out->entries = r->size;
    log_reader_close(r);
    return ok;
}

/* ---- the leaf ---- */

static bool append_restore(struct log *l, struct restore *x, struct err *e)
{
    struct op_body b;
    struct log_receipt r = {.seq = 0};
    if (!keyring_advance(l->keyring, e))
        return false;
    body_start(&b);
    body_text(&b, "by", x->order->by);
    body_text(&b, "checkpoint", buf_span(&x->checkpoint));
    body_number(&b, "epoch", keyring_epoch(l->keyring));
    if (x->known)
        body_number(&b, "known_size", x->known_size);
    body_text(&b, "reason", x->order->basis);
    bool ok = body_end(&b, e) && op_write(l, RECORD_RESTORE, SPAN_EMPTY, buf_span(&b.text), &r, e);
    body_free(&b);
    x->out->seq = r.seq;
    x->out->epoch = keyring_epoch(l->keyring);
    return ok;
}

/* Held against the heads of the backup, then continued; a sealed-off log only comes back. */
static bool continue_log(struct log *l, struct restore *x, struct err *e)
{
    bool sealed = false;
    uint64_t crashed = 0;
    if (!log_load_keys(l, e) || !store_open(l, e) || !rotate_recover(l, e) ||
        !sealed_off(l->store.db, l->store.tree.size, &sealed, e))
        return false;
    x->out->sealed = sealed;
    if (sealed)
        return recover_check(l, e);
    return recover_check(l, e) && append_restore(l, x, e) && recover(l, &crashed, e) &&
           store_keep(l, e);
}

/* Swap a path of the log for the time of a step. */
static void swap(char **a, char **b)
{
    char *c = *a;
    *a = *b;
    *b = c;
}

static bool write_head(struct log *l, struct restore *x, struct err *e)
{
    return x->out->sealed ? file_replace(l->path[PATH_HEAD], buf_span(&x->checkpoint), false, e)
                          : head_write(l, e);
}

static bool give_name(struct log *l, const struct restore *x, struct err *e)
{
    int folder = open(l->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (folder >= 0 && rename(x->copy, l->path[PATH_DB]) == 0 && fsync(folder) == 0) ||
              err_errno(e, l->path[PATH_DB], "the restored log cannot get its name");
    if (folder >= 0)
        close(folder);
    return ok;
}

static bool restore(struct log *l, struct restore *x, struct err *e)
{
    if (!nothing_there(l, x, e) || !read_backup(x, e) || !bring_keyring(l, x, e))
        return false;
    read_known(l, x);
    x->out->lost =
        x->known && x->known_size > x->out->entries ? x->known_size - x->out->entries : 0;
    remove_copy(x->copy); /* of a restore that was cut */
    if (!backup_database(x->from, x->copy, e))
        return false;
    swap(&l->path[PATH_DB], &x->copy);
    swap(&l->path[PATH_HEAD], &x->head);
    /* Only the database gets the log's name: its WAL must be in it, and to close it reports nothing. */
    bool pending = false, ok = continue_log(l, x, e) && store_truncate(l, &pending, e);
    ok = ok && (!pending || err_set(e, ERR_IO, "the restored copy is being read by somebody"));
    store_close(l);
    swap(&l->path[PATH_DB], &x->copy);
    swap(&l->path[PATH_HEAD], &x->head);
    ok = ok && write_head(l, x, e);
    ok = ok && give_name(l, x, e);
    if (!ok)
        remove_copy(x->copy);
    return ok;
}

bool log_restore(const char *backup, const char *folder, const struct log_paths *p,
                 const struct log_order *o, struct log_restored *out, struct err *e)
{
    struct restore x = {.backup = backup, .order = o, .out = out};
    *out = (struct log_restored){.entries = 0};
    if (!order_ok(o, e))
        return false;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return err_errno(e, folder, "the log's folder cannot be made");
    struct log *l = log_alone(folder, p, e);
    if (!l)
        return false;
    buf_init(&x.checkpoint, LOG_NOTE_MAX);
    x.arena = arena_new(RESTORE_ARENA);
    bool ok = x.arena && asprintf(&x.from, "%s/log.db", backup) >= 0 &&
              asprintf(&x.head, "%s/head", backup) >= 0 &&
              asprintf(&x.keyring, "%s/keyring", backup) >= 0 &&
              asprintf(&x.copy, "%s.restore", l->path[PATH_DB]) >= 0;
    ok = ok ? restore(l, &x, e) : err_set(e, ERR_MEMORY, "out of memory for restoring");
    free(x.from);
    free(x.head);
    free(x.keyring);
    free(x.copy);
    buf_free(&x.checkpoint);
    if (x.arena)
        arena_wipe(x.arena);
    arena_free(x.arena);
    log_release(l);
    return ok;
}
