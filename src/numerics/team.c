/*
 * The team: one ticket counter gives out the jobs of a run. Its upper half is
 * the run's number, so a thread that comes late cannot take a job of a run
 * that is over: its compare-and-swap fails.
 */
#include "assay/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assay/base/cpu.h"
#include "assay/numerics.h"

enum { SPINS = 2000, CROWDED = 64 };

struct helper {
    struct team *team;
    unsigned number;
    unsigned crowded; /* runs in a row that it began on another worker's core */
    pthread_t thread;
};

struct team {
    /* Each on its own cache line: taken, finished and rung are written by different threads. */
    _Alignas(64) atomic_uint_fast64_t ticket; /* run << 32 | next job */
    _Alignas(64) atomic_uint finished;        /* jobs of this run that have returned */
    _Alignas(64) atomic_uint bell;            /* the run's number: what sleepers wait on */
    atomic_uint sleepers;
    atomic_bool waiting; /* the caller sleeps until the last job has returned */
    atomic_bool stop;
    /* The run; read before a ticket is taken, valid when that succeeds. */
    _Alignas(64) atomic_uint n;
    _Atomic(void (*)(void *, uint32_t, unsigned)) job;
    _Atomic(void *) arg;
    unsigned threads;
    bool apart;                             /* there is a core for each */
    _Alignas(64) atomic_int core[TEAM_MAX]; /* of each worker, at its last run */
    struct helper helpers[TEAM_MAX];
};

static void pause_once(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Both tolerate spurious returns; every caller looks at the word again. */
static void sleep_on(atomic_uint *word, unsigned seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void wake(atomic_uint *word, int most)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

static void take_jobs(struct team *t, unsigned worker)
{
    uint_fast64_t ticket = atomic_load(&t->ticket);
    for (;;) {
        unsigned n = atomic_load_explicit(&t->n, memory_order_acquire);
        void (*job)(void *, uint32_t, unsigned) = atomic_load(&t->job);
        void *arg = atomic_load(&t->arg);
        uint32_t i = (uint32_t)ticket;
        if (i >= n)
            return;
        if (!atomic_compare_exchange_weak(&t->ticket, &ticket, ticket + 1))
            continue; /* ticket was loaded anew */
        job(arg, i, worker);
        if (atomic_fetch_add(&t->finished, 1) + 1 == n && atomic_load(&t->waiting))
            wake(&t->finished, 1);
        ticket = atomic_load(&t->ticket);
    }
}

/* Returns when the bell has rung since `seen`: soon by spinning, else asleep. */
static unsigned await_bell(struct team *t, unsigned seen)
{
    unsigned now;
    for (int i = 0; i < SPINS; i++) {
        now = atomic_load_explicit(&t->bell, memory_order_acquire);
        if (now != seen)
            return now;
        pause_once();
    }
    atomic_fetch_add(&t->sleepers, 1);
    while ((now = atomic_load(&t->bell)) == seen)
        sleep_on(&t->bell, seen);
    atomic_fetch_sub(&t->sleepers, 1);
    return now;
}

static int note_core(struct team *t, unsigned worker)
{
    int here = cpu_here();
    if (atomic_load_explicit(&t->core[worker], memory_order_relaxed) != here)
        atomic_store_explicit(&t->core[worker], here, memory_order_relaxed);
    return here;
}

/*
 * Runs are short and those who wait for one soon sleep, so a scheduler may take two threads that
 * never run for long for good neighbours on one core, and did for seconds while another core had
 * next to nothing to do: half the speed. A helper that finds itself there again and again moves.
 */
static void keep_apart(struct team *t, struct helper *h)
{
    int taken[TEAM_MAX], here = note_core(t, h->number);
    bool crowded = false;
    for (unsigned i = 0; i < h->number; i++) {
        taken[i] = atomic_load_explicit(&t->core[i], memory_order_relaxed);
        crowded = crowded || taken[i] == here;
    }
    h->crowded = crowded ? h->crowded + 1 : 0;
    if (h->crowded < CROWDED)
        return;
    h->crowded = 0;
    (void)cpu_leave(taken, h->number);
    (void)note_core(t, h->number);
}

static void *help(void *arg)
{
    struct helper *h = arg;
    struct team *t = h->team;
    unsigned seen = 0;
    numerics_thread();
    for (;;) {
        seen = await_bell(t, seen);
        if (atomic_load(&t->stop))
            return NULL;
        if (t->apart)
            keep_apart(t, h);
        take_jobs(t, h->number);
    }
}

/* A thread that cannot be had is done without. */
struct team *team_new(unsigned threads)
{
    struct team *t = aligned_alloc(_Alignof(struct team), sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct team){.threads = 1};
    if (threads == 0)
        threads = cpu_cores();
    if (threads > TEAM_MAX)
        threads = TEAM_MAX;
    t->apart = threads <= cpu_cores();
    for (unsigned i = 0; i < threads; i++)
        atomic_init(&t->core[i], -1);
    while (t->threads < threads) {
        struct helper *h = &t->helpers[t->threads];
        *h = (struct helper){.team = t, .number = t->threads};
        if (pthread_create(&h->thread, NULL, help, h) != 0)
            break;
        t->threads++;
    }
    return t;
}

void team_free(struct team *t)
{
    if (t == NULL)
        return;
    atomic_store(&t->stop, true);
    atomic_fetch_add(&t->bell, 1);
    wake(&t->bell, TEAM_MAX);
    for (unsigned i = 1; i < t->threads; i++)
        pthread_join(t->helpers[i].thread, NULL);
    free(t);
}

unsigned team_threads(const struct team *t)
{
    return t->threads;
}

/* Spin while the last jobs end, then sleep: the core may be what they need. */
static void await_end(struct team *t, unsigned n)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&t->finished, memory_order_acquire) == n)
            return;
        pause_once();
    }
    atomic_store(&t->waiting, true);
    unsigned done;
    while ((done = atomic_load(&t->finished)) != n)
        sleep_on(&t->finished, done);
    atomic_store(&t->waiting, false);
}

void team_run(struct team *t, uint32_t n, void (*job)(void *arg, uint32_t i, unsigned worker),
              void *arg)
{
    if (t->threads == 1 || n <= 1) {
        for (uint32_t i = 0; i < n; i++)
            job(arg, i, 0);
        return;
    }
    if (t->apart)
        (void)note_core(t, 0);
    uint_fast64_t run = (atomic_load(&t->ticket) >> 32) + 1;
    atomic_store(&t->finished, 0);
    /* Nothing can be taken while these change: the old run's tickets are all gone, and
     * n = 0 keeps a late thread from taking one of it under the new n. */
    atomic_store(&t->n, 0);
    atomic_store(&t->job, job);
    atomic_store(&t->arg, arg);
    atomic_store(&t->ticket, run << 32);
    atomic_store(&t->n, n);
    atomic_fetch_add(&t->bell, 1);
    if (atomic_load(&t->sleepers) > 0)
        wake(&t->bell, TEAM_MAX);
    take_jobs(t, 0);
    await_end(t, n);
}
