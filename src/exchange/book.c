/*
 * Between the log's commit thread and the thread that drives exchanges: a list
 * behind a lock held for a few instructions, and an eventfd.
 */
#include "exchange/book.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* In the commit thread. Only the first ticket of a list wakes the other side. */
static void settle(void *arg, const struct log_receipt *r)
{
    struct ticket *t = arg;
    struct exchange_book *b = t->book;
    const uint64_t one = 1;
    t->receipt = *r;
    pthread_mutex_lock(&b->lock);
    bool was_empty = b->first == NULL;
    t->next = NULL;
    *b->last = t;
    b->last = &t->next;
    pthread_mutex_unlock(&b->lock);
    if (was_empty && write(b->fd, &one, sizeof one) != sizeof one)
        return; /* the counter is full: it is readable anyway */
}

bool book_submit(struct exchange_book *b, const struct log_entry *entry, const struct ticket *t,
                 struct err *e)
{
    struct ticket *copy = malloc(sizeof *copy);
    if (!copy)
        return err_set(e, ERR_MEMORY, "out of memory for a record");
    *copy = *t;
    copy->book = b;
    b->pending++;
    if (log_submit(b->log, entry, settle, copy, e))
        return true;
    b->pending--;
    free(copy);
    return false;
}

bool exchange_book_open(struct exchange_book **out, struct log *l, struct err *e)
{
    struct exchange_book *b = calloc(1, sizeof *b);
    *out = NULL;
    if (!b)
        return err_set(e, ERR_MEMORY, "out of memory for a book");
    b->log = l;
    b->last = &b->first;
    b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->fd < 0 || pthread_mutex_init(&b->lock, NULL) != 0) {
        if (b->fd >= 0)
            close(b->fd);
        free(b);
        return err_errno(e, NULL, "cannot make an eventfd");
    }
    *out = b;
    return true;
}

int exchange_book_fd(const struct exchange_book *b)
{
    return b->fd;
}

size_t exchange_book_open_calls(const struct exchange_book *b)
{
    return b->open;
}

size_t exchange_book_pending(const struct exchange_book *b)
{
    return b->pending;
}

size_t exchange_book_run(struct exchange_book *b)
{
    uint64_t count;
    size_t n = 0;
    if (read(b->fd, &count, sizeof count) < 0)
        count = 0; /* nothing was counted: the list decides */
    pthread_mutex_lock(&b->lock);
    struct ticket *t = b->first;
    b->first = NULL;
    b->last = &b->first;
    pthread_mutex_unlock(&b->lock);
    for (struct ticket *next; t; t = next, n++) {
        next = t->next;
        b->pending--;
        t->settled(t->exchange, t);
        free(t);
    }
    return n;
}

void exchange_book_close(struct exchange_book *b)
{
    if (!b)
        return;
    while (b->pending) {
        struct pollfd p = {.fd = b->fd, .events = POLLIN};
        if (poll(&p, 1, -1) > 0)
            exchange_book_run(b);
    }
    close(b->fd);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
