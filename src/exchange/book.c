/*
 * Between the log's commit thread and the thread that drives exchanges: a list
 * behind a lock held for a few instructions, and the log's eventfd, which is written once
 * for all records of a batch.
 */
#include "exchange/book.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* What went wrong is most of a receipt, and mostly nothing did. */
void book_take(struct log_receipt *to, const struct log_receipt *r)
{
    to->ok = r->ok;
    to->seq = r->seq;
    to->leaf_hash = r->leaf_hash;
    if (r->ok)
        err_clear(&to->error);
    else
        to->error = r->error;
}

/* In the commit thread, which writes to the log's eventfd when all of its batch are told. */
static void settle(void *arg, const struct log_receipt *r)
{
    struct ticket *t = arg;
    struct exchange_book *b = t->book;
    book_take(&t->receipt, r);
    pthread_mutex_lock(&b->lock);
    t->next = NULL;
    *b->last = t;
    b->last = &t->next;
    pthread_mutex_unlock(&b->lock);
}

bool book_submit(struct exchange_book *b, struct log_entry *entry, const struct ticket *t,
                 struct err *e)
{
    struct ticket *copy = malloc(sizeof *copy);
    if (!copy)
        return err_set(e, ERR_MEMORY, "out of memory for a record");
    *copy = *t;
    copy->book = b;
    b->pending++;
    entry->more = b->soon != NULL;
    if (!log_submit(b->log, entry, settle, copy, e)) {
        b->pending--;
        free(copy);
        return false;
    }
    if (b->soon && !b->unpushed)
        b->soon(b->soon_arg);
    b->unpushed = b->soon != NULL;
    return true;
}

void exchange_book_together(struct exchange_book *b, void (*soon)(void *arg), void *arg)
{
    exchange_book_push(b);
    b->soon = soon;
    b->soon_arg = arg;
}

bool exchange_book_pressed(const struct exchange_book *b)
{
    return log_pressed(b->log);
}

void exchange_book_push(struct exchange_book *b)
{
    if (b->unpushed)
        log_push(b->log);
    b->unpushed = false;
}

bool exchange_book_open(struct exchange_book **out, struct log *l, struct err *e)
{
    struct exchange_book *b = calloc(1, sizeof *b);
    *out = NULL;
    if (!b)
        return err_set(e, ERR_MEMORY, "out of memory for a book");
    b->log = l;
    b->last = &b->first;
    b->fd = log_eventfd(l);
    if (pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return err_set(e, ERR_MEMORY, "out of memory for a book");
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
    exchange_book_push(b);
    while (b->pending) {
        struct pollfd p = {.fd = b->fd, .events = POLLIN};
        if (poll(&p, 1, -1) > 0)
            exchange_book_run(b);
    }
    pthread_mutex_destroy(&b->lock);
    free(b);
}
