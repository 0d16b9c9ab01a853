/*
 * A worker pool of the machine's cores: run n independent jobs, wait for all.
 *
 * Jobs are numbered and taken in order, so results that are stored by number
 * do not depend on the number of threads.
 */
#ifndef ASSAY_BASE_POOL_H
#define ASSAY_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool;

/* 0 threads: one per core that this process may use (sched_getaffinity). */
struct pool *pool_new(unsigned threads);
void pool_free(struct pool *p);
unsigned pool_threads(const struct pool *p);
/* Call job(arg, i, worker) for i in 0..n-1 and return when all have returned;
 * worker is 0..pool_threads-1, for scratch memory. The caller's thread works too. */
void pool_run(struct pool *p, size_t n, void (*job)(void *arg, size_t i, unsigned worker),
              void *arg);

#endif
