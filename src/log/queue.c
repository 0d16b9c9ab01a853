/*
 * The queue between callers and the commit thread. There is no timer: a batch
 * is whatever queued while the last one was synced, which beats every waiting
 * window that was measured.
 */
#include "log/store.h"

static atomic_size_t most_records = LOG_QUEUE_MAX;

void queue_limit(size_t records)
{
    atomic_store(&most_records, records);
}

bool queue_open(struct queue *q, struct err *e)
{
    q->last = &q->first;
    err_clear(&q->failure);
    return (pthread_mutex_init(&q->lock, NULL) == 0 && pthread_cond_init(&q->filled, NULL) == 0 &&
            pthread_cond_init(&q->finished, NULL) == 0) ||
           err_set(e, ERR_MEMORY, "out of memory for the queue");
}

void queue_close(struct queue *q)
{
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->filled);
    pthread_cond_destroy(&q->finished);
}

static bool refuse(const struct err *why, struct err *e)
{
    return err_at(e, why->code, why->file[0] ? why->file : NULL, ERR_NO_OFFSET, "%s", why->text);
}

/* Whether anything may be queued; under the lock. */
static bool accepts(const struct queue *q, struct err *e)
{
    if (q->failure.code != ERR_NONE)
        return refuse(&q->failure, e);
    return !q->stopping || err_set(e, ERR_IO, "the log is being closed");
}

/* Once, however many items come before it runs; under the lock. */
static void wake(struct queue *q)
{
    if (q->asleep)
        pthread_cond_signal(&q->filled);
    q->asleep = false;
}

void queue_push(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    if (q->first)
        wake(q);
    pthread_mutex_unlock(&q->lock);
}

/* Items that open calls owe come on top of what is accepted of others. */
bool queue_pressed(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool pressed = q->count / 2 >= atomic_load(&most_records) || q->bytes / 2 > LOG_QUEUE_BYTES;
    pthread_mutex_unlock(&q->lock);
    return pressed;
}

bool queue_put(struct queue *q, struct item *i, bool more, struct err *e)
{
    pthread_mutex_lock(&q->lock);
    bool ok = accepts(q, e);
    bool full = q->count >= atomic_load(&most_records) || q->bytes + i->bytes > LOG_QUEUE_BYTES;
    if (ok && full && !i->owed)
        ok = err_set(e, ERR_LIMIT, "the log's queue is full (%zu records): try again later",
                     q->count);
    if (ok) {
        i->next = NULL;
        *q->last = i;
        q->last = &i->next;
        q->count++;
        q->bytes += i->bytes;
        if (!more)
            wake(q);
    }
    pthread_mutex_unlock(&q->lock);
    return ok;
}

/* The first items up to a batch; the rest stays. */
static struct item *cut(struct queue *q)
{
    struct item *first = q->first, **at = &q->first;
    for (size_t n = 0; *at && n < LOG_BATCH_MAX; n++) {
        q->count--;
        q->bytes -= (*at)->bytes;
        at = &(*at)->next;
    }
    struct item *rest = *at;
    *at = NULL;
    q->first = rest;
    if (!rest)
        q->last = &q->first;
    return first;
}

bool queue_empty(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool empty = !q->first;
    pthread_mutex_unlock(&q->lock);
    return empty;
}

struct item *queue_cut(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct item *items = q->first ? cut(q) : NULL;
    pthread_mutex_unlock(&q->lock);
    return items;
}

/* A job first: under load there are always items. */
bool queue_take(struct queue *q, struct item **items, struct job **job)
{
    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->jobs && !q->stopping) {
        q->asleep = true;
        pthread_cond_wait(&q->filled, &q->lock);
    }
    q->asleep = false;
    *job = q->jobs;
    *items = *job || !q->first ? NULL : cut(q);
    if (*job)
        q->jobs = (*job)->next;
    pthread_mutex_unlock(&q->lock);
    return *items || *job;
}

void queue_stop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->lock);
}

void queue_fail(struct queue *q, const struct err *why)
{
    pthread_mutex_lock(&q->lock);
    if (q->failure.code == ERR_NONE)
        q->failure = *why;
    pthread_mutex_unlock(&q->lock);
}

bool queue_failed(struct queue *q, struct err *e)
{
    pthread_mutex_lock(&q->lock);
    bool failed = q->failure.code != ERR_NONE;
    if (failed)
        refuse(&q->failure, e);
    pthread_mutex_unlock(&q->lock);
    return failed;
}

bool log_run(struct log *l, store_job *run, void *arg, struct err *e)
{
    struct queue *q = &l->queue;
    struct job job = {.run = run, .arg = arg, .e = e};
    pthread_mutex_lock(&q->lock);
    bool ok = accepts(q, e);
    if (ok) {
        struct job **at = &q->jobs;
        while (*at)
            at = &(*at)->next;
        *at = &job;
        pthread_cond_signal(&q->filled);
        while (!job.finished)
            pthread_cond_wait(&q->finished, &q->lock);
        ok = job.ok;
    }
    pthread_mutex_unlock(&q->lock);
    return ok;
}
