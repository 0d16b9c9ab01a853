/*
 * Making, opening and closing a log, and the two calls that append to it.
 */
#include "log/ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "assay/base/file.h"

static const char *const default_paths[PATHS] = {
    [PATH_DB] = "log.db", [PATH_HEAD] = "head",   [PATH_KEYRING] = "keyring",
    [PATH_LOCK] = "lock", [PATH_KEY] = "log.key", [PATH_OPERATOR] = "operator.key",
};

/* ---- clocks ---- */

static uint64_t wall_now(void *arg)
{
    (void)arg;
    return clock_wall();
}

static uint64_t boot_now(void *arg)
{
    struct timespec t = {0, 0};
    (void)arg;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static const struct log_clock real_clock = {wall_now, boot_now, NULL};

/* The kernel's identifier of this boot says which machine it is: hashed with the origin. */
static bool set_boot_id(struct log *l, struct err *e)
{
    static const char domain[] = "assay/boot/v1";
    char id[64];
    struct buf b;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    size_t n = f ? fread(id, 1, sizeof id, f) : 0;
    if (f)
        fclose(f);
    if (n == 0)
        return err_set(e, ERR_IO, "/proc/sys/kernel/random/boot_id cannot be read");
    buf_init(&b, 1 << 17);
    buf_put(&b, domain, sizeof domain);
    buf_put_u64be(&b, l->origin.n);
    buf_put_span(&b, l->origin);
    buf_put(&b, id, n);
    struct digest d = sha256_of(buf_span(&b));
    bool ok = buf_ok(&b) || err_set(e, ERR_MEMORY, "out of memory for the log");
    buf_free(&b);
    memcpy(l->boot_id, d.b, sizeof l->boot_id);
    return ok;
}

/* ---- the parts ---- */

static bool set_paths(struct log *l, const char *folder, const struct log_paths *p)
{
    const char *own[PATHS] = {
        [PATH_KEY] = p ? p->key : NULL, [PATH_OPERATOR] = p ? p->operator_key : NULL};
    l->folder = strdup(folder);
    bool ok = l->folder != NULL;
    for (int i = 0; ok && i < PATHS; i++) {
        int n = own[i] ? asprintf(&l->path[i], "%s", own[i])
                       : asprintf(&l->path[i], "%s/%s", folder, default_paths[i]);
        if (n < 0)
            l->path[i] = NULL;
        ok = n >= 0;
    }
    return ok;
}

static bool init_locks(struct log *l, struct err *e)
{
    pthread_condattr_t monotonic;
    pthread_rwlockattr_t writers_first; /* an erasure must not wait for a pause of the callers */
    bool ok = pthread_condattr_init(&monotonic) == 0 &&
              pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_rwlock_init(&l->keys, NULL) == 0 &&
              pthread_rwlockattr_init(&writers_first) == 0 &&
              pthread_rwlockattr_setkind_np(&writers_first,
                                            PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0 &&
              pthread_rwlock_init(&l->sealing, &writers_first) == 0 &&
              pthread_mutex_init(&l->subjects.lock, NULL) == 0 &&
              pthread_mutex_init(&l->head.lock, NULL) == 0 &&
              pthread_mutex_init(&l->server.lock, NULL) == 0 &&
              pthread_cond_init(&l->head.changed, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    return (ok || err_set(e, ERR_MEMORY, "out of memory for the log")) && queue_open(&l->queue, e);
}

static struct log *allocate(const char *folder, const struct log_paths *p,
                            const struct log_clock *clock, struct err *e)
{
    struct log *l = calloc(1, sizeof *l);
    bool ok = l != NULL;
    if (ok) {
        l->lock = l->event = l->server.listener = l->server.wake = -1;
        l->clock = clock ? *clock : real_clock;
        buf_init(&l->head.note, LOG_NOTE_MAX);
        ok = set_paths(l, folder, p) && (l->names = arena_new(1 << 20)) != NULL;
    }
    if (!ok)
        err_set(e, ERR_MEMORY, "out of memory for the log");
    else if (init_locks(l, e))
        return l;
    log_close(l);
    return NULL;
}

/* Every part may be missing: a log that could not be opened ends here too. */
void log_release(struct log *l)
{
    server_close(l);
    client_close(l->client);
    keeper_close(l);
    subjects_close(l);
    store_close(l);
    keyring_close(l->keyring);
    sign_key_free(l->key);
    buf_free(&l->head.note);
    if (l->event >= 0)
        close(l->event);
    if (l->lock >= 0)
        close(l->lock);
    queue_close(&l->queue);
    arena_free(l->names);
    for (int i = 0; i < PATHS; i++)
        free(l->path[i]);
    free(l->folder);
    free(l);
}

bool log_load_keys(struct log *l, struct err *e)
{
    if (!keyring_open(&l->keyring, l->path[PATH_KEYRING], l->path[PATH_OPERATOR], e) ||
        !sign_key_load(&l->key, l->path[PATH_KEY], e))
        return false;
    struct sign_public public = sign_key_public(l->key);
    l->origin = arena_span(l->names, keyring_origin(l->keyring));
    return note_key_make(&l->name, l->origin, NOTE_ED25519, &public, e) && set_boot_id(l, e);
}

/* ---- making a log ---- */

static bool make_files(struct log *l, struct span origin, struct err *e)
{
    struct sign_key *key = NULL;
    sqlite3 *db = NULL;
    if (mkdir(l->folder, 0700) != 0 && errno != EEXIST)
        return err_errno(e, l->folder, "the log's folder cannot be made");
    if (access(l->path[PATH_DB], F_OK) == 0)
        return err_at(e, ERR_USAGE, l->path[PATH_DB], ERR_NO_OFFSET, "there is a log already");
    bool ok = sign_key_create(&key, l->path[PATH_KEY], e) &&
              keyring_create(l->path[PATH_KEYRING], l->path[PATH_OPERATOR], origin, e) &&
              sql_open(&db, l->path[PATH_DB], SQL_CREATE, e);
    sign_key_free(key);
    sql_close(db);
    return ok;
}

static bool make(const char *folder, struct span origin, const struct log_paths *p,
                 const struct predecessor *before, struct err *e)
{
    struct note_key probe;
    struct sign_public nobody = {{0}};
    bool taken = false;
    if (!note_key_make(&probe, origin, NOTE_ED25519, &nobody, e))
        return false;
    struct log *l = allocate(folder, p, NULL, e);
    if (!l)
        return false;
    l->predecessor = *before;
    mode_t mask = umask(077);
    bool ok = make_files(l, origin, e);
    umask(mask);
    ok = ok && owner_lock(l, &taken, e) &&
         (taken || err_set(e, ERR_USAGE, "another process is making this log")) &&
         log_load_keys(l, e) && store_open(l, e) && append_genesis(l, e) && store_keep(l, e) &&
         head_write(l, e);
    log_release(l);
    return ok;
}

struct log *log_alone(const char *folder, const struct log_paths *p, struct err *e)
{
    bool taken = false;
    struct log *l = allocate(folder, p, NULL, e);
    if (!l)
        return NULL;
    bool ok = owner_lock(l, &taken, e) &&
              (taken || err_at(e, ERR_USAGE, folder, ERR_NO_OFFSET,
                               "another process owns the log: stop it first"));
    if (ok)
        return l;
    log_release(l);
    return NULL;
}

bool log_init(const char *folder, struct span origin, const struct log_paths *p, struct err *e)
{
    const struct predecessor none = {SPAN_EMPTY, SPAN_EMPTY};
    return make(folder, origin, p, &none, e);
}

bool log_init_after(const char *folder, struct span origin, const struct log_paths *p,
                    const char *predecessor, struct err *e)
{
    struct predecessor before;
    struct arena *a = arena_new(4 << 20);
    bool ok = (a || err_set(e, ERR_MEMORY, "out of memory for the log")) &&
              predecessor_read(predecessor, &before, a, e) && make(folder, origin, p, &before, e);
    arena_free(a);
    return ok;
}

/* ---- opening and closing ---- */

static bool start_threads(struct log *l, struct err *e)
{
    if (!keeper_open(l, e))
        return false;
    if (pthread_create(&l->committer, NULL, commit_thread, l) != 0)
        return err_set(e, ERR_MEMORY, "no thread for the log");
    l->committing = true;
    return server_open(l, e);
}

static bool check_not_sealed(struct log *l, struct err *e)
{
    bool sealed = false;
    return sealed_off(l->store.db, l->store.tree.size, &sealed, e) &&
           (!sealed || err_at(e, ERR_USAGE, l->folder, ERR_NO_OFFSET,
                              "the log was sealed off: it is read as it is, and continued by a "
                              "successor (assay log init --after)"));
}

static bool own(struct log *l, struct err *e)
{
    l->owner = true;
    return log_load_keys(l, e) && store_open(l, e) && check_not_sealed(l, e) &&
           rotate_recover(l, e) && subjects_open(l, e) && recover(l, &l->crashed, e) &&
           append_start(l, l->crashed, e) && erase_recover(l, e) && head_write(l, e) &&
           start_threads(l, e);
}

/* A folder that nobody owned yet and that lacks keys is a copy of a log: no lock is left in it. (One
 * that is there stays: whoever removes it may remove another owner's.) */
static bool may_own(struct log *l, struct err *e)
{
    if (access(l->path[PATH_LOCK], F_OK) == 0)
        return true;
    bool ok = log_load_keys(l, e);
    keyring_close(l->keyring);
    sign_key_free(l->key);
    l->keyring = NULL;
    l->key = NULL;
    return ok;
}

/* An owner that is starting has the lock and no socket yet; one that is ending, the reverse. */
static bool own_or_ask(struct log *l, struct err *e)
{
    uint64_t start = clock_monotonic();
    struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    for (;;) {
        struct err why = ERR_INIT;
        bool taken = false;
        if (!owner_lock(l, &taken, e))
            return false;
        if (taken)
            return own(l, e);
        if (client_open(&l->client, l->folder, l->event, &why))
            return true;
        if (clock_monotonic() - start > LOG_OWNER_WAIT_NS)
            return err_at(e, why.code, why.file[0] ? why.file : NULL, ERR_NO_OFFSET,
                          "another process owns the log: %s", why.text);
        nanosleep(&pause, NULL);
    }
}

bool log_open_with(struct log **out, const char *folder, const struct log_paths *p,
                   const struct log_clock *clock, struct err *e)
{
    struct stat st;
    struct log *l = allocate(folder, p, clock, e);
    if (!l)
        return false;
    bool ok = stat(l->path[PATH_DB], &st) == 0 ||
              err_errno(e, l->path[PATH_DB], "there is no log here (assay log init makes one)");
    l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ok = ok && (l->event >= 0 || err_errno(e, NULL, "no eventfd"));
    ok = ok && may_own(l, e) && own_or_ask(l, e);
    if (!ok) {
        log_close(l);
        return false;
    }
    *out = l;
    return true;
}

bool log_open(struct log **out, const char *folder, const struct log_paths *p, struct err *e)
{
    return log_open_with(out, folder, p, NULL, e);
}

/* The last leaf, the last checkpoint and the last head; a stopped log gets none. */
static void finish(struct log *l)
{
    struct err e = ERR_INIT;
    server_close(l);
    queue_stop(&l->queue);
    pthread_join(l->committer, NULL);
    keeper_close(l);
    atomic_store(&l->head.full, false); /* it is tried once more */
    bool ended = l->store.sealed || (!queue_failed(&l->queue, &e) && erase_recover(l, &e) &&
                                     append_stop(l, &e) && store_keep(l, &e));
    bool whole = head_write(l, &e) && ended;
    (void)whole; /* nobody waits for it: the next start says what was missing */
}

void log_close(struct log *l)
{
    if (!l)
        return;
    if (l->committing)
        finish(l);
    log_release(l);
}

uint64_t log_crashed(const struct log *l)
{
    return l->crashed;
}

bool log_is_owner(const struct log *l)
{
    return l->owner;
}

int log_eventfd(struct log *l)
{
    return l->event;
}

/* ---- appending ---- */

static bool submit(struct log *l, const struct log_entry *entry, struct waiter *waiter,
                   log_done *done, void *arg, struct err *e)
{
    struct item *i = NULL;
    store_seal_begin(l);
    bool ok = !queue_failed(&l->queue, e) && item_new(l, entry, &i, e);
    if (ok) {
        i->waiter = waiter;
        i->done = done;
        i->arg = arg;
        i->owed = entry->owed;
        ok = queue_put(&l->queue, i, entry->more, e);
        if (!ok)
            item_free(l, i);
    }
    store_seal_end(l);
    return ok;
}

bool log_submit(struct log *l, const struct log_entry *entry, log_done *done, void *arg,
                struct err *e)
{
    return l->client ? client_submit(l->client, entry, done, arg, e)
                     : submit(l, entry, NULL, done, arg, e);
}

static void answered(void *arg, const struct log_receipt *r)
{
    struct waiter *w = arg;
    w->receipt = *r;
    waiters_wake(&w, 1);
}

bool log_pressed(struct log *l)
{
    return l->client ? client_pressed(l->client) : queue_pressed(&l->queue);
}

void log_push(struct log *l)
{
    if (!l->client)
        queue_push(&l->queue);
}

bool log_append(struct log *l, const struct log_entry *entry, struct log_receipt *out,
                struct err *e)
{
    struct waiter w;
    waiter_start(&w);
    if (l->client ? !client_submit(l->client, entry, answered, &w, e)
                  : !submit(l, entry, &w, NULL, NULL, e))
        return false;
    waiter_wait(&w);
    *out = w.receipt;
    const struct err *why = &out->error;
    return out->ok ||
           err_at(e, why->code, why->file[0] ? why->file : NULL, ERR_NO_OFFSET, "%s", why->text);
}
