/*
 * Private to src/exchange. A ticket stands for one record on its way: the log's
 * commit thread fills it in and puts it on the book's list, the thread that drives
 * the book takes it off and acts on it. Nothing else is shared between the two.
 */
#ifndef EXCHANGE_BOOK_H
#define EXCHANGE_BOOK_H

#include <pthread.h>

#include "assay/exchange.h"

struct ticket;
typedef void ticket_settled(struct exchange *x, struct ticket *t);

struct ticket {
    struct ticket *next;
    struct exchange_book *book;
    struct exchange *exchange;
    ticket_settled *settled;
    exchange_done *done;
    void *arg;
    struct log_receipt receipt;
};

struct exchange_book {
    struct log *log;
    int fd; /* the log's */
    void (*soon)(void *arg);
    void *soon_arg;
    bool unpushed;        /* the commit thread was not woken for what was submitted last */
    pthread_mutex_t lock; /* around `first` and `last` */
    struct ticket *first, **last;
    size_t pending, open;
};

/* An outcome that waits for windows on their way: one that is refused must not be told of. */
struct owed {
    struct ticket ticket;
    struct buf body, names, content;
    struct log_index index;
    struct log_content piece[EXCHANGE_FIELDS];
    size_t count;
};

struct exchange {
    struct exchange_book *book;
    enum exchange_durability durability;
    struct span subject; /* a copy */
    bool opened, ended, freed;
    uint64_t intent, windows;
    uint64_t kept; /* windows that are durable, up to the first that is not */
    size_t on_way; /* windows */
    struct owed *owed;
    struct err failure; /* of the first record that was not written */
    size_t tickets;     /* that will still name this exchange */
    struct log_receipt last;
    bool last_known, lost; /* lost: a window could not be queued or written */
    /* The intent's content beyond its first pieces, until `begun` is called. */
    struct log_content rest[EXCHANGE_FIELDS];
    size_t rest_count;
    exchange_done *begun;
    void *begun_arg;
};

void book_take(struct log_receipt *to, const struct log_receipt *r);
/* Hand a record to the log; `t` is copied. */
bool book_submit(struct exchange_book *b, struct log_entry *entry, const struct ticket *t,
                 struct err *e) ASSAY_MUST_CHECK;

#endif
