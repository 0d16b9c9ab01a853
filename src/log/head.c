/*
 * The head file: the newest signed checkpoint, outside the database, so that a
 * database that was rolled back or lost its WAL is noticed when it is opened.
 * A thread of its own writes it, for a file's two syncs do not belong between
 * a caller and its acknowledgement. It is never ahead: only what is committed
 * was signed.
 */
#include "log/store.h"

#include <time.h>

#include "assay/base/file.h"

void head_set(struct log *l, struct span note)
{
    struct head *h = &l->head;
    pthread_mutex_lock(&h->lock);
    buf_clear(&h->note);
    buf_put_span(&h->note, note);
    h->version++;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

void head_get(struct log *l, struct buf *note)
{
    pthread_mutex_lock(&l->head.lock);
    buf_put_span(note, buf_span(&l->head.note));
    pthread_mutex_unlock(&l->head.lock);
}

bool head_write(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    struct buf note;
    buf_init(&note, LOG_NOTE_MAX);
    pthread_mutex_lock(&h->lock);
    uint64_t version = h->version;
    buf_put_span(&note, buf_span(&h->note));
    pthread_mutex_unlock(&h->lock);
    bool ok = note.n == 0 || version == h->written ||
              (buf_ok(&note) && file_replace(l->path[PATH_HEAD], buf_span(&note), false, e));
    if (ok)
        h->written = version;
    buf_free(&note);
    return ok;
}

/* Returns false when it is time to end. */
static bool wait_for_change(struct head *h)
{
    pthread_mutex_lock(&h->lock);
    while (h->version == h->written && !h->stopping)
        pthread_cond_wait(&h->changed, &h->lock);
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
        if (!head_write(l, &e)) {
            /* Without the head a rollback could not be noticed: nothing more is accepted. */
            queue_fail(&l->queue, &e);
            break;
        }
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
