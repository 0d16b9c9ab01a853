/*
 * The head file: the newest signed checkpoint, outside the database, so that a
 * database that was rolled back or lost its WAL is noticed when it is opened.
 * A thread of its own signs and writes it, for neither a signature nor a file's two syncs
 * belong between a caller and its acknowledgement. It is never ahead: only what is
 * committed is signed, and whoever asks for a newer head has it signed at once.
 */
#include "log/store.h"

#include <errno.h>
#include <time.h>

#include "assay/base/file.h"

/* What a copied note is of. */
struct head_at {
    uint64_t size, version;
};

void head_set(struct log *l, const struct merkle *tree)
{
    struct head *h = &l->head;
    struct digest root = merkle_root(tree);
    pthread_mutex_lock(&h->lock);
    h->size = tree->size;
    h->root = root;
    h->version++;
    if (h->waiting)
        pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static bool sign(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    struct checkpoint c = {.origin = l->origin, .size = h->size, .root = h->root};
    struct buf text;
    buf_init(&text, LOG_NOTE_MAX);
    checkpoint_put(&text, &c);
    buf_clear(&h->note);
    buf_put_span(&h->note, buf_span(&text));
    buf_put_u8(&h->note, '\n');
    pthread_rwlock_rdlock(&l->keys);
    bool ok = buf_ok(&text) && note_sign(&h->note, buf_span(&text), &l->name, l->key, e);
    pthread_rwlock_unlock(&l->keys);
    buf_free(&text);
    if (!ok || !buf_ok(&h->note))
        return err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    h->signed_version = h->version;
    return true;
}

static bool copy_note(struct log *l, struct buf *note, struct head_at *at, struct err *e)
{
    struct head *h = &l->head;
    pthread_mutex_lock(&h->lock);
    bool ok = h->signed_version == h->version || sign(l, e);
    if (ok)
        buf_put_span(note, buf_span(&h->note));
    *at = (struct head_at){h->size, h->version};
    pthread_mutex_unlock(&h->lock);
    return ok && (buf_ok(note) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint"));
}

bool head_note(struct log *l, struct buf *note, uint64_t *size, struct err *e)
{
    struct head_at at;
    bool ok = copy_note(l, note, &at, e);
    *size = at.size;
    return ok;
}

bool head_write(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    struct buf note;
    struct head_at at;
    buf_init(&note, LOG_NOTE_MAX);
    bool ok =
        copy_note(l, &note, &at, e) &&
        (at.version == h->written || file_replace(l->path[PATH_HEAD], buf_span(&note), false, e));
    if (ok)
        h->written = at.version;
    buf_free(&note);
    return ok;
}

/* Returns false when it is time to end. */
static bool wait_for_change(struct head *h)
{
    pthread_mutex_lock(&h->lock);
    h->waiting = true;
    while (h->version == h->written && !h->stopping)
        pthread_cond_wait(&h->changed, &h->lock);
    h->waiting = false; /* what comes next is seen after the pause: no need to wake us for it */
    bool go_on = !h->stopping;
    pthread_mutex_unlock(&h->lock);
    return go_on;
}

static void pause_unless_stopping(struct head *h)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + LOG_HEAD_EVERY_NS;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    pthread_mutex_lock(&h->lock);
    while (!h->stopping && pthread_cond_timedwait(&h->changed, &h->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&h->lock);
}

static void *keeper(void *arg)
{
    struct log *l = arg;
    struct err e = ERR_INIT;
    while (wait_for_change(&l->head)) {
        /* Without the head a rollback could not be noticed: nothing more is accepted, but for
         * what ends calls when the disk is full. */
        errno = 0;
        bool written = head_write(l, &e);
        bool full = !written && (errno == ENOSPC || errno == EDQUOT);
        atomic_store(&l->head.full, full);
        if (!written && !full) {
            queue_fail(&l->queue, &e);
            break;
        }
        err_clear(&e);
        pause_unless_stopping(&l->head);
    }
    return NULL;
}

bool head_open(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    if (pthread_create(&h->thread, NULL, keeper, l) != 0)
        return err_set(e, ERR_MEMORY, "no thread for the head file");
    h->running = true;
    return true;
}

void head_close(struct log *l)
{
    struct head *h = &l->head;
    if (!h->running)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    h->running = false;
}
