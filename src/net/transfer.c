/*
 * The life of a request to another server, whatever its transport: how it begins, how long it may
 * take, and how it ends. Memory of one that is over stays until nobody up the stack can look at it.
 */
#include "net/transfers.h"

#include <stdio.h>
#include <stdlib.h>

enum { WATCH_MS = 500 };

static const struct transport *const transports[] = {&curl_transport, &plain_transport};

const char *transfer_end_name(enum transfer_end end)
{
    static const char *const names[] = {"ok",           "connect", "tls",     "first_byte_timeout",
                                        "idle_timeout", "cut",     "garbage", "refused",
                                        "other"};
    return names[end];
}

/* ---- the end ---- */

static void unlink_transfer(struct transfer *t)
{
    if (t->previous)
        t->previous->next = t->next;
    else
        t->all->first = t->next;
    if (t->next)
        t->next->previous = t->previous;
}

/* Never from within libcurl. */
static void drop(struct transfer *t)
{
    t->cancelled = true;
    t->transport->stop(t);
    unlink_transfer(t);
    t->next = t->all->dead;
    t->all->dead = t;
}

static void bury(struct transfers *all)
{
    struct transfer *t = all->dead;
    all->dead = NULL;
    for (struct transfer *next; t; t = next) {
        next = t->next;
        t->transport->keep(t);
    }
}

void transfer_finish(struct transfer *t, enum transfer_end end, const char *why)
{
    t->result.end = end;
    snprintf(t->result.why, sizeof t->result.why, "%s", why);
    t->calls.done(t->arg, &t->result);
    drop(t);
}

void transfers_settle(struct transfers *all)
{
    if (all->depth)
        return;
    for (struct transfer *next, *t = all->marked ? all->first : NULL; t; t = next) {
        next = t->next;
        if (t->cancelled)
            drop(t);
    }
    all->marked = 0;
    bury(all);
}

void transfer_cancel(struct transfer *t)
{
    struct transfers *all = t->all;
    t->cancelled = true;
    if (all->depth)
        all->marked++;
    else
        drop(t);
    event_active(all->turn, EV_TIMEOUT, 0);
}

/* ---- limits ---- */

/* The limit that holds now, and what going beyond it is. */
static unsigned limit_of(const struct transfer *t, enum transfer_end *late)
{
    *late = t->connecting ? TRANSFER_CONNECT : t->result.sent ? TRANSFER_IDLE : TRANSFER_FIRST_BYTE;
    return t->connecting ? t->connect_ms : t->result.sent ? t->idle_ms : t->first_byte_ms;
}

static void look_for_late(void *arg)
{
    struct transfers *all = arg;
    uint64_t now = loop_now_ms(all->loop);
    enum transfer_end late;
    all->depth++;
    for (struct transfer *next, *t = all->first; t; t = next) {
        unsigned limit = limit_of(t, &late);
        next = t->next;
        if (!t->pausing && !t->cancelled && limit && now - t->last_ms >= limit)
            transfer_finish(t, late, transfer_end_name(late));
    }
    all->depth--;
    transfers_settle(all);
}

/* ---- all of them ---- */

static void turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    transfers_settle(arg);
}

bool transfers_open(struct transfers **out, struct loop *l, struct err *e)
{
    struct transfers *all = calloc(1, sizeof *all);
    *out = NULL;
    if (!all)
        return err_set(e, ERR_MEMORY, "out of memory for the HTTP client");
    all->loop = l;
    all->turn = event_new(l->base, -1, 0, turn, all);
    all->watch = loop_every(l, WATCH_MS, look_for_late, all);
    bool ok = all->turn && all->watch;
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++)
        ok = ok && transports[i]->open(all);
    if (!ok) {
        transfers_close(all);
        return err_set(e, ERR_MEMORY, "the HTTP client cannot start");
    }
    *out = all;
    return true;
}

void transfers_close(struct transfers *all)
{
    if (!all)
        return;
    while (all->first)
        drop(all->first);
    bury(all);
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++)
        transports[i]->close(all);
    if (all->turn)
        event_free(all->turn);
    loop_event_free(all->watch);
    free(all);
}

/* ---- one ---- */

bool transfer_start(struct transfer **out, struct transfers *all, const struct transfer_request *r,
                    const struct transfer_calls *calls, void *arg, struct err *e)
{
    const struct transport *transport = plain_reaches(r) ? &plain_transport : &curl_transport;
    struct transfer *t = transport->take(all);
    *out = NULL;
    if (!t)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    t->all = all;
    t->transport = transport;
    t->calls = *calls;
    t->arg = arg;
    t->connect_ms = r->connect_ms;
    t->first_byte_ms = r->first_byte_ms;
    t->idle_ms = r->idle_ms;
    t->last_ms = loop_now_ms(all->loop);
    if (!transport->start(t, r)) {
        transport->stop(t);
        transport->keep(t);
        return err_set(e, ERR_MEMORY, "out of memory for a request, or its URL is none");
    }
    t->next = all->first;
    if (t->next)
        t->next->previous = t;
    all->first = t;
    *out = t;
    return true;
}

void transfer_pause(struct transfer *t, bool pause)
{
    if (t->pausing == pause || t->cancelled)
        return;
    t->pausing = pause;
    t->last_ms = loop_now_ms(t->all->loop);
    t->transport->pause(t);
}
