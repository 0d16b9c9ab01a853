/*
 * The other half of LOG.sock: a log that somebody else owns. Requests queue
 * and go one after the other, each answered when its record is durable.
 */
#include "log/socket.h"

#include <stdlib.h>
#include <unistd.h>

#include "log/store.h"

struct request {
    struct request *next;
    struct buf frame;
    log_done *done;
    void *arg;
};

struct client {
    struct socket_end owner; /* of the log, whose folder it borrows, and its event */
    int event;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct request *first, **last;
    size_t bytes;
    bool running, stopping;
    struct err failure;
};

static void request_free(struct request *r)
{
    if (r && r->frame.p)
        seal_wipe(r->frame.p, r->frame.cap);
    if (r)
        buf_free(&r->frame);
    free(r);
}

static bool ask(struct client *c, const struct request *r, struct log_receipt *out)
{
    struct buf answer;
    struct span result;
    buf_init(&answer, SOCKET_FRAME_MAX);
    bool ok = socket_call(&c->owner, buf_span(&r->frame), &answer, &result, &out->error);
    if (ok) {
        struct cursor at = cursor_over(result);
        out->seq = cursor_u64(&at);
        struct span hash = cursor_take(&at, DIGEST_SIZE);
        ok = cursor_check(&at, &out->error);
        for (size_t i = 0; ok && i < DIGEST_SIZE; i++)
            out->leaf_hash.b[i] = hash.p[i];
    }
    out->ok = ok;
    buf_free(&answer);
    return ok;
}

static struct request *take(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->first && !c->stopping)
        pthread_cond_wait(&c->filled, &c->lock);
    struct request *r = c->first;
    if (r) {
        c->first = r->next;
        c->bytes -= r->frame.n;
        if (!c->first)
            c->last = &c->first;
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

static void fail_client(struct client *c, const struct err *why)
{
    pthread_mutex_lock(&c->lock);
    if (c->failure.code == ERR_NONE)
        c->failure = *why;
    pthread_mutex_unlock(&c->lock);
}

static void *work(void *arg)
{
    struct client *c = arg;
    struct request *r;
    while ((r = take(c))) {
        struct log_receipt receipt = {.error = ERR_INIT};
        uint64_t one = 1;
        if (c->failure.code != ERR_NONE)
            receipt.error = c->failure;
        else if (!ask(c, r, &receipt) && receipt.error.code == ERR_IO)
            fail_client(c, &receipt.error);
        if (r->done)
            r->done(r->arg, &receipt);
        request_free(r);
        if (write(c->event, &one, sizeof one) != sizeof one)
            continue; /* the counter is full and therefore readable */
    }
    return NULL;
}

bool client_open(struct client **out, const char *folder, int event, struct err *e)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(e, ERR_MEMORY, "out of memory for the log");
    c->last = &c->first;
    c->event = event;
    bool ok = socket_connect(&c->owner, folder, SOCKET_WAIT_S, e) &&
              pthread_mutex_init(&c->lock, NULL) == 0 && pthread_cond_init(&c->filled, NULL) == 0 &&
              pthread_create(&c->thread, NULL, work, c) == 0;
    if (!ok) {
        err_set(e, ERR_MEMORY, "no thread for the log");
        socket_close(&c->owner);
        free(c);
        return false;
    }
    *out = c;
    return true;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->filled);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->filled);
    socket_close(&c->owner);
    free(c);
}

bool client_pressed(struct client *c)
{
    pthread_mutex_lock(&c->lock);
    bool pressed = c->bytes / 2 > LOG_QUEUE_BYTES;
    pthread_mutex_unlock(&c->lock);
    return pressed;
}

static bool put(struct client *c, struct request *r, bool owed, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    bool ok = c->failure.code == ERR_NONE || err_set(e, c->failure.code, "%s", c->failure.text);
    if (ok && !owed && c->bytes + r->frame.n > LOG_QUEUE_BYTES)
        ok = err_set(e, ERR_LIMIT, "the log's queue is full: try again later");
    if (ok) {
        *c->last = r;
        c->last = &r->next;
        c->bytes += r->frame.n;
        pthread_cond_signal(&c->filled);
    }
    pthread_mutex_unlock(&c->lock);
    return ok;
}

bool client_submit(struct client *c, const struct log_entry *entry, log_done *done, void *arg,
                   struct err *e)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_MEMORY, "out of memory for a record");
    r->done = done;
    r->arg = arg;
    buf_init(&r->frame, SOCKET_FRAME_MAX);
    buf_put_u8(&r->frame, SOCKET_APPEND);
    socket_put_entry(&r->frame, entry);
    if (buf_ok(&r->frame) ? put(c, r, entry->owed, e)
                          : err_set(e, ERR_LIMIT, "an entry is larger than the log takes"))
        return true;
    request_free(r);
    return false;
}
