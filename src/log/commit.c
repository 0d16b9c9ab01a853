/*
 * The commit thread: takes what is queued, has it written as a batch, then tells the callers. Any
 * failure of the database stops the log: what was not acknowledged may or may not be there after
 * opening it again, what was acknowledged is.
 */
#include "log/ops.h"

#include <sched.h>
#include <unistd.h>

static void acknowledge(struct log *l, struct item *items, const struct err *failure)
{
    uint64_t count = 0;
    size_t waiting = 0;
    for (struct item *i = items; i; i = i->next, count++) {
        if (failure) {
            i->receipt.ok = false;
            i->receipt.error = *failure;
        }
        if (i->waiter) {
            i->waiter->receipt = i->receipt;
            l->store.waiters[waiting++] = i->waiter;
        } else if (i->done) {
            i->done(i->arg, &i->receipt);
        }
    }
    l->store.batch = count;
    waiters_wake(l->store.waiters, waiting);
    if (count && write(l->event, &count, sizeof count) != sizeof count)
        count = 0; /* the counter is full: whoever polls will see it readable anyway */
    for (struct item *next; items; items = next) {
        next = items->next;
        item_free(l, items);
    }
}

static void stop_for(struct log *l, const struct err *why)
{
    queue_fail(&l->queue, why);
}

static void commit_items(struct log *l, struct item *items)
{
    struct err e = ERR_INIT;
    bool ok = !queue_failed(&l->queue, &e) && store_commit(l, items, &e);
    if (!ok)
        stop_for(l, &e);
    acknowledge(l, items, ok ? NULL : &e);
    err_clear(&e);
}

/* Callbacks run in the commit thread and may submit: they must not wait for it. */
static _Thread_local bool in_commit_thread;

void store_seal_begin(struct log *l)
{
    if (!in_commit_thread)
        pthread_rwlock_rdlock(&l->sealing);
}

void store_seal_end(struct log *l)
{
    if (!in_commit_thread)
        pthread_rwlock_unlock(&l->sealing);
}

bool store_exclude(struct log *l, struct err *e)
{
    struct item *items;
    pthread_rwlock_wrlock(&l->sealing);
    while ((items = queue_cut(&l->queue)))
        commit_items(l, items);
    if (!queue_failed(&l->queue, e))
        return true;
    pthread_rwlock_unlock(&l->sealing);
    return false;
}

void store_admit(struct log *l)
{
    pthread_rwlock_unlock(&l->sealing);
}

static void run_job(struct log *l, struct job *job)
{
    bool ok = !queue_failed(&l->queue, job->e) && job->run(l, job->arg, job->e);
    pthread_mutex_lock(&l->queue.lock);
    job->ok = ok;
    job->finished = true;
    pthread_cond_broadcast(&l->queue.finished);
    pthread_mutex_unlock(&l->queue.lock);
}

/*
 * Where callers are many and cores are few, who was just told goes on first, and what comes of
 * it joins the next batch: a sync, its pages and its tree are for twice as many records.
 * Somebody who calls alone waits for nobody, and a core that is free costs nothing.
 */
static void let_callers_go_on(const struct store *s)
{
    if (s->batch >= LOG_CROWD)
        (void)sched_yield();
}

/* After acknowledgements, and when those who got them have gone on. */
static void keep_wal_short(struct log *l)
{
    struct err e = ERR_INIT;
    if (!queue_failed(&l->queue, NULL) && !copy_back(l, &e))
        stop_for(l, &e);
}

void *commit_thread(void *arg)
{
    struct log *l = arg;
    struct item *items;
    struct job *job;
    in_commit_thread = true;
    while (queue_take(&l->queue, &items, &job)) {
        if (items)
            commit_items(l, items);
        else
            run_job(l, job);
        erase_retry(l);
        let_callers_go_on(&l->store);
        keep_wal_short(l);
    }
    return NULL;
}
