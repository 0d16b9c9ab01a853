/*
 * The worker pool: threads sleep between runs and take jobs by number. The
 * caller is worker 0, so a pool of one thread has none of its own.
 */
#include "assay/base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "assay/base/cpu.h"

enum { POOL_MAX = 256 };

struct worker {
    struct pool *pool;
    unsigned number;
    pthread_t thread;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    unsigned threads; /* the caller's included */
    unsigned busy;    /* workers still in this run */
    uint64_t run;     /* number of the current run */
    bool stop;
    size_t n;
    atomic_size_t next;
    void (*job)(void *arg, size_t i, unsigned worker);
    void *arg;
    struct worker workers[POOL_MAX];
};

static void take_jobs(struct pool *p, unsigned worker)
{
    for (;;) {
        size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->n)
            return;
        p->job(p->arg, i, worker);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->run == seen)
            pthread_cond_wait(&p->start, &p->lock);
        if (p->stop)
            break;
        seen = p->run;
        pthread_mutex_unlock(&p->lock);
        take_jobs(p, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0)
            pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* A thread that cannot be had is done without. */
struct pool *pool_new(unsigned threads)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    if (threads == 0)
        threads = cpu_cores();
    if (threads > POOL_MAX)
        threads = POOL_MAX;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    p->threads = 1;
    while (p->threads < threads) {
        struct worker *w = &p->workers[p->threads];
        *w = (struct worker){.pool = p, .number = p->threads};
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
        p->threads++;
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i < p->threads; i++)
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->start);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

unsigned pool_threads(const struct pool *p)
{
    return p->threads;
}

void pool_run(struct pool *p, size_t n, void (*job)(void *arg, size_t i, unsigned worker),
              void *arg)
{
    pthread_mutex_lock(&p->lock);
    p->n = n;
    p->job = job;
    p->arg = arg;
    atomic_store(&p->next, 0);
    p->busy = p->threads - 1;
    p->run++;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    take_jobs(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
