/*
 * Waking those who wait for their records. A commit acknowledges dozens of callers at
 * once; were each woken by the commit thread, the waking would take longer than the sync.
 * So the waiters of a batch are a binary tree: the commit thread wakes its root, and who
 * wakes up wakes two more before going on.
 */
#include "log/store.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wake(atomic_uint *done)
{
    syscall(SYS_futex, done, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void waiter_start(struct waiter *w)
{
    *w = (struct waiter){.done = 0};
}

/* The next two may be gone already, having seen that they are done: their addresses are
 * given to the kernel and not followed, and a waiter that wakes for nothing looks again. */
void waiter_wait(struct waiter *w)
{
    while (!atomic_load_explicit(&w->done, memory_order_acquire))
        syscall(SYS_futex, &w->done, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    for (int i = 0; i < 2; i++)
        if (w->next[i])
            wake(w->next[i]);
}

/* Each is told whom it wakes before any may go. */
void waiters_wake(struct waiter **w, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        for (size_t k = 0; k < 2; k++)
            w[i]->next[k] = 2 * i + 1 + k < count ? &w[2 * i + 1 + k]->done : NULL;
    }
    atomic_uint *root = count ? &w[0]->done : NULL;
    for (size_t i = 0; i < count; i++)
        atomic_store_explicit(&w[i]->done, 1, memory_order_release);
    if (root)
        wake(root);
}
