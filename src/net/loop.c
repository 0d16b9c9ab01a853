/* libevent's base and events in the words of loop.h. */
#include "net/loop.h"

#include <stdlib.h>
#include <time.h>

struct loop_event {
    struct event *event;
    loop_call *call;
    void *arg;
};

bool loop_new(struct loop **out, struct err *e)
{
    struct loop *l = calloc(1, sizeof *l);
    struct event_config *c = event_config_new();
    *out = NULL;
    if (l && c) {
        /* EPOLLRDHUP needs epoll; nobody else's thread touches the base. */
        event_config_require_features(c, EV_FEATURE_EARLY_CLOSE);
        event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
        l->base = event_base_new_with_config(c);
    }
    event_config_free(c);
    if (!l || !l->base) {
        free(l);
        return err_set(e, ERR_MEMORY, "cannot make an event loop on epoll");
    }
    *out = l;
    return true;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    event_base_free(l->base);
    free(l);
}

bool loop_run(struct loop *l, struct err *e)
{
    return event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0 ||
           err_errno(e, NULL, "the event loop cannot wait");
}

void loop_stop(struct loop *l)
{
    event_base_loopbreak(l->base);
}

uint64_t loop_now_ms(const struct loop *l)
{
    struct timespec t;
    (void)l;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void fire(evutil_socket_t fd, short what, void *arg)
{
    struct loop_event *t = arg;
    (void)fd, (void)what;
    t->call(t->arg);
}

static struct loop_event *make(struct loop *l, evutil_socket_t fd, short what, unsigned ms,
                               loop_call *call, void *arg)
{
    struct loop_event *t = calloc(1, sizeof *t);
    struct timeval after = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};
    if (!t)
        return NULL;
    t->call = call;
    t->arg = arg;
    t->event = event_new(l->base, fd, what, fire, t);
    bool at_once = (what & EV_PERSIST) != 0;
    if (!t->event || (at_once && event_add(t->event, ms ? &after : NULL) != 0)) {
        loop_event_free(t);
        return NULL;
    }
    return t;
}

struct loop_event *loop_readable(struct loop *l, int fd, loop_call *call, void *arg)
{
    return make(l, fd, EV_READ | EV_PERSIST, 0, call, arg);
}

struct loop_event *loop_signal(struct loop *l, int signal, loop_call *call, void *arg)
{
    return make(l, signal, EV_SIGNAL | EV_PERSIST, 0, call, arg);
}

struct loop_event *loop_every(struct loop *l, unsigned ms, loop_call *call, void *arg)
{
    return make(l, -1, EV_PERSIST, ms, call, arg);
}

struct loop_event *loop_timer(struct loop *l, loop_call *call, void *arg)
{
    return make(l, -1, 0, 0, call, arg);
}

void loop_timer_start(struct loop_event *t, unsigned ms)
{
    struct timeval after = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};
    event_add(t->event, &after);
}

void loop_timer_now(struct loop_event *t)
{
    event_active(t->event, EV_TIMEOUT, 0);
}

void loop_event_free(struct loop_event *t)
{
    if (!t)
        return;
    if (t->event)
        event_free(t->event);
    free(t);
}
