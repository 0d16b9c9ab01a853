/* Two queues and an eventfd: to the threads, and back to the loop. */
#include "serve/errands.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { THREADS_MAX = 8 };

struct errands {
    pthread_t thread[THREADS_MAX];
    unsigned threads;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct errand *first, **last; /* to be done */
    struct errand *done, **done_last;
    bool stopping;
    /* the loop's */
    size_t count, most;
    struct loop_event *ready;
    int fd;
};

static void *run(void *arg)
{
    struct errands *x = arg;
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&x->lock);
    while (!x->stopping) {
        struct errand *j = x->first;
        if (!j) {
            (void)pthread_cond_wait(&x->filled, &x->lock);
            continue;
        }
        x->first = j->next;
        if (!x->first)
            x->last = &x->first;
        (void)pthread_mutex_unlock(&x->lock);
        j->work(j);
        (void)pthread_mutex_lock(&x->lock);
        j->next = NULL;
        *x->done_last = j;
        x->done_last = &j->next;
        if (write(x->fd, &one, sizeof one) != sizeof one)
            x->stopping = true; /* an eventfd that cannot count: it does not happen */
    }
    (void)pthread_mutex_unlock(&x->lock);
    return NULL;
}

static struct errand *take_done(struct errands *x)
{
    (void)pthread_mutex_lock(&x->lock);
    struct errand *j = x->done;
    x->done = NULL;
    x->done_last = &x->done;
    (void)pthread_mutex_unlock(&x->lock);
    return j;
}

static void tell(struct errands *x, struct errand *j, bool over)
{
    for (struct errand *next; j; j = next) {
        next = j->next;
        x->count--;
        j->told(j, over);
    }
}

static void on_ready(void *arg)
{
    struct errands *x = arg;
    uint64_t n;
    if (read(x->fd, &n, sizeof n) == sizeof n)
        tell(x, take_done(x), false);
}

bool errands_open(struct errands **out, struct loop *l, unsigned threads, size_t most,
                  struct err *e)
{
    struct errands *x = *out = calloc(1, sizeof *x);
    if (!x)
        return err_set(e, ERR_MEMORY, "out of memory for a thread");
    x->last = &x->first;
    x->done_last = &x->done;
    x->most = most;
    (void)pthread_mutex_init(&x->lock, NULL);
    (void)pthread_cond_init(&x->filled, NULL);
    x->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    x->ready = x->fd >= 0 ? loop_readable(l, x->fd, on_ready, x) : NULL;
    while (x->ready && x->threads < threads && x->threads < THREADS_MAX &&
           pthread_create(&x->thread[x->threads], NULL, run, x) == 0)
        x->threads++;
    return (x->ready && x->threads == threads) ||
           err_set(e, ERR_MEMORY, "cannot start a thread of the server");
}

bool errands_add(struct errands *x, struct errand *what)
{
    if (x->count >= x->most)
        return false;
    x->count++;
    what->next = NULL;
    (void)pthread_mutex_lock(&x->lock);
    *x->last = what;
    x->last = &what->next;
    (void)pthread_cond_signal(&x->filled);
    (void)pthread_mutex_unlock(&x->lock);
    return true;
}

void errands_close(struct errands *x)
{
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->stopping = true;
    (void)pthread_cond_broadcast(&x->filled);
    (void)pthread_mutex_unlock(&x->lock);
    for (unsigned i = 0; i < x->threads; i++)
        (void)pthread_join(x->thread[i], NULL);
    tell(x, x->done, true);
    tell(x, x->first, true);
    loop_event_free(x->ready);
    if (x->fd >= 0)
        (void)close(x->fd);
    (void)pthread_cond_destroy(&x->filled);
    (void)pthread_mutex_destroy(&x->lock);
    free(x);
}
