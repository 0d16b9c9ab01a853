/*
 * What wakes the loop: entries that became durable, a second that went by, signals. A first SIGTERM
 * lets the calls in flight finish for a while, a second one does not.
 */
#include <signal.h>
#include <sys/statvfs.h>

#include "serve/call/call.h"
#include "serve/front/refused.h"
#include "serve/service.h"

enum { SECOND_MS = 1000, LEAVING_MS = 20 };

/* ---- the log ---- */

static void on_durable(void *arg)
{
    struct service *s = arg;
    size_t n = exchange_book_run(s->book);
    s->metrics.batches += n > 0;
    s->metrics.rows += n;
    if (!s->held_back || exchange_book_pressed(s->book))
        return;
    s->held_back = false;
    for (struct call *next, *c = s->calls; c; c = next) {
        next = c->next;
        gate_go_on(&c->gate);
    }
}

/* What this turn of the loop wants written goes to the log together. */
static void push_soon(void *arg)
{
    struct service *s = arg;
    loop_timer_now(s->push);
}

static void on_push(void *arg)
{
    struct service *s = arg;
    exchange_book_push(s->book);
}

/* ---- time ---- */

void service_look_at_disk(struct service *s)
{
    struct statvfs v;
    bool full = statvfs(s->folder, &v) == 0 &&
                (uint64_t)v.f_bavail * v.f_frsize < s->settings->limits.reserve;
    if (full != s->disk_full)
        service_say(s, full ? "disk_full" : "disk_free", "\"reserve\":%llu",
                    (unsigned long long)s->settings->limits.reserve);
    s->disk_full = full;
}

static void on_grave(void *arg)
{
    call_bury(arg);
}

static void on_second(void *arg)
{
    struct service *s = arg;
    refused_write(s);
    service_look_at_disk(s);
}

/* ---- signals ---- */

/* A call is over when its answer was handed out, which over TLS or to a slow client is before it
 * has left: the server stays until it has, or the time for it is over. */
static void on_leaving(void *arg)
{
    struct service *s = arg;
    bool busy = listener_busy(s->server) || (s->admin && listener_busy(s->admin));
    if (s->call_count == 0 && (s->hurried || !busy))
        loop_stop(s->loop);
    else
        loop_timer_start(s->leaving, LEAVING_MS);
}

void service_call_over(struct service *s)
{
    if (s->draining && s->call_count == 0)
        loop_timer_now(s->leaving);
}

static void on_drain_over(void *arg)
{
    struct service *s = arg;
    s->hurried = s->drained;
    s->drained = true;
    for (struct call *next, *c = s->calls; c; c = next) {
        next = c->next;
        call_shut_down(c);
    }
    loop_timer_start(s->drain_timer, SECOND_MS); /* whose intents were on their way */
}

static void on_term(void *arg)
{
    struct service *s = arg;
    if (s->draining) { /* asked twice: now */
        on_drain_over(s);
        return;
    }
    s->draining = true;
    service_say(s, "draining", "\"calls\":%zu", s->call_count);
    listener_drain(s->server);
    if (s->admin)
        listener_drain(s->admin);
    loop_timer_start(s->drain_timer, (unsigned)s->settings->limits.drain_ms);
    loop_timer_now(s->leaving);
}

static void on_hup(void *arg)
{
    service_reload(arg);
}

/* ---- all of it ---- */

bool service_watch(struct service *s, struct err *e)
{
    struct loop *l = s->loop;
    s->durable = loop_readable(l, exchange_book_fd(s->book), on_durable, s);
    s->second = loop_every(l, SECOND_MS, on_second, s);
    s->on_term = loop_signal(l, SIGTERM, on_term, s);
    s->on_int = loop_signal(l, SIGINT, on_term, s);
    s->on_hup = loop_signal(l, SIGHUP, on_hup, s);
    s->drain_timer = loop_timer(l, on_drain_over, s);
    s->grave = loop_timer(l, on_grave, s);
    s->push = loop_timer(l, on_push, s);
    s->leaving = loop_timer(l, on_leaving, s);
    if (s->push)
        exchange_book_together(s->book, push_soon, s);
    return (s->push && s->grave && s->durable && s->second && s->on_term && s->on_int &&
            s->on_hup && s->drain_timer && s->leaving) ||
           err_set(e, ERR_MEMORY, "out of memory");
}

void service_unwatch(struct service *s)
{
    loop_event_free(s->durable);
    loop_event_free(s->second);
    loop_event_free(s->on_term);
    loop_event_free(s->on_int);
    loop_event_free(s->on_hup);
    loop_event_free(s->drain_timer);
    loop_event_free(s->leaving);
    loop_event_free(s->grave);
    if (s->book)
        exchange_book_together(s->book, NULL, NULL);
    loop_event_free(s->push);
}
