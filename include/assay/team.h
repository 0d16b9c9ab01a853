/*
 * Threads for kernels: thousands of short runs a second, each cut into jobs
 * that whoever is free takes.
 *
 * A thread without work spins for about 2,000 pauses and then sleeps in the
 * kernel, so a team on a busy machine yields instead of burning its share. A
 * run ends when its jobs are done, not when every thread has shown up: a
 * thread that the system does not schedule holds up nothing it has not begun.
 */
#ifndef ASSAY_TEAM_H
#define ASSAY_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct team;

enum { TEAM_MAX = 64 };

/* 0 threads: one per core that this process may use. NULL when out of memory. */
struct team *team_new(unsigned threads);
void team_free(struct team *t); /* NULL is harmless */
unsigned team_threads(const struct team *t);

/*
 * Calls job(arg, i, worker) for i in 0..n-1 and returns when all have
 * returned; the caller is worker 0. One run at a time: a team belongs to the
 * thread that uses it.
 */
void team_run(struct team *t, uint32_t n, void (*job)(void *arg, uint32_t i, unsigned worker),
              void *arg);

#endif
