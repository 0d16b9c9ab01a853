/*
 * The thread that does beside the commits what must not stand between a caller and its
 * acknowledgement: it signs and writes the head file when that is due, and syncs the database
 * when a slice of the WAL was copied into it.
 */
#include "log/store.h"

#include <errno.h>
#include <time.h>

#include "assay/base/text.h"

/* What is to be done now. */
struct due {
    bool head, sync;
};

static void wait_until(struct head *h, uint64_t ns)
{
    struct timespec until = {.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
    pthread_cond_timedwait(&h->changed, &h->lock, &until);
}

/* Returns false when it is time to end. A head that changes while it is not due wakes nobody. */
static bool wait_for_work(struct head *h, struct due *d)
{
    pthread_mutex_lock(&h->lock);
    for (;;) {
        bool changed = h->version != h->written;
        *d = (struct due){.head = changed && clock_monotonic() >= h->due_ns, .sync = h->sync};
        if (h->stopping || d->head || d->sync)
            break;
        h->waiting = !changed;
        if (changed)
            wait_until(h, h->due_ns);
        else
            pthread_cond_wait(&h->changed, &h->lock);
    }
    h->waiting = h->sync = false;
    bool go_on = !h->stopping;
    pthread_mutex_unlock(&h->lock);
    return go_on;
}

/* Without the head a rollback could not be noticed: nothing more is accepted, but for what ends
 * calls when the disk is full. */
static bool keep_head(struct log *l, struct err *e)
{
    errno = 0;
    bool written = head_write(l, e);
    bool full = !written && (errno == ENOSPC || errno == EDQUOT);
    atomic_store(&l->head.full, full);
    l->head.due_ns = clock_monotonic() + LOG_HEAD_EVERY_NS;
    if (full)
        err_clear(e);
    return written || full;
}

static void *keeper(void *arg)
{
    struct log *l = arg;
    struct err e = ERR_INIT;
    struct due due;
    while (wait_for_work(&l->head, &due)) {
        if ((due.sync && !copy_back_sync(l, &e)) || (due.head && !keep_head(l, &e))) {
            queue_fail(&l->queue, &e);
            break;
        }
    }
    return NULL;
}

void keeper_sync(struct log *l)
{
    struct head *h = &l->head;
    if (!h->running)
        return;
    atomic_store(&l->store.copying.unsynced, true);
    pthread_mutex_lock(&h->lock);
    h->sync = true;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

bool keeper_open(struct log *l, struct err *e)
{
    struct head *h = &l->head;
    if (pthread_create(&h->thread, NULL, keeper, l) != 0)
        return err_set(e, ERR_MEMORY, "no thread for the head file");
    h->running = true;
    return true;
}

void keeper_close(struct log *l)
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
