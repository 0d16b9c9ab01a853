/*
 * The sockets that libcurl works on, and how the loop watches them for it: it says which
 * descriptors and which time it waits for, and is told when they come.
 */
#include "net/curl_side.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A socket that we opened for libcurl. It stays watched between two requests, since telling the
 * kernel twice for each of them costs more than a needless wake now and then. Sockets that
 * libcurl opened itself it also closes behind our back: of them no event is kept.
 */
struct watched {
    struct event *event; /* NULL: was never watched */
    short kind;
    bool wanted, added, ours;
};

static struct watched *watched_of(struct curl_side *side, curl_socket_t fd)
{
    size_t at = (size_t)fd, cap = side->socket_cap ? side->socket_cap : 64;
    if (fd < 0)
        return NULL;
    while (cap <= at)
        cap *= 2;
    if (cap > side->socket_cap) {
        struct watched *more = realloc(side->sockets, cap * sizeof *more);
        if (!more)
            return NULL;
        memset(more + side->socket_cap, 0, (cap - side->socket_cap) * sizeof *more);
        side->sockets = more;
        side->socket_cap = cap;
    }
    return &side->sockets[at];
}

static void forget_socket(struct watched *w)
{
    if (w->event)
        event_free(w->event);
    *w = (struct watched){.event = NULL};
}

static void ready(evutil_socket_t fd, short what, void *arg)
{
    struct curl_side *side = arg;
    struct watched *w = watched_of(side, fd);
    if (w && w->event && !w->wanted) { /* closed by the other side while nothing was asked of it */
        event_del(w->event);
        w->added = false;
        return;
    }
    curl_side_act(side->all, fd,
                  (what & EV_READ ? CURL_CSELECT_IN : 0) |
                      (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static bool watch(struct curl_side *side, struct watched *w, curl_socket_t fd, short kind)
{
    if (w->event && w->kind != kind) {
        event_free(w->event);
        w->event = NULL;
    }
    if (!w->event) {
        w->added = false;
        w->event = event_new(side->all->loop->base, fd, kind, ready, side);
    }
    w->kind = kind;
    w->wanted = true;
    w->added = w->event && (w->added || event_add(w->event, NULL) == 0);
    return w->added;
}

int curl_watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
    struct curl_side *side = arg;
    struct watched *w = watched_of(side, fd);
    (void)easy, (void)own;
    if (!w)
        return -1;
    if (what != CURL_POLL_REMOVE) {
        short kind = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                             (what & CURL_POLL_OUT ? EV_WRITE : 0));
        return watch(side, w, fd, kind) ? 0 : -1;
    }
    w->wanted = false;
    if (!w->ours || (w->kind & EV_WRITE)) { /* what can be written to would wake us at once */
        bool ours = w->ours;
        forget_socket(w);
        w->ours = ours;
    }
    return 0;
}

curl_socket_t curl_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    curl_socket_t fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    struct watched *w = watched_of(arg, fd);
    (void)purpose;
    if (w) {
        forget_socket(w);
        w->ours = true;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int curl_close_socket(void *arg, curl_socket_t fd)
{
    struct watched *w = watched_of(arg, fd);
    if (w)
        forget_socket(w);
    return close(fd);
}

int curl_watch_time(CURLM *multi, long ms, void *arg)
{
    struct transfers *all = arg;
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    (void)multi;
    if (ms < 0)
        return event_del(all->curl->timer);
    return event_add(all->curl->timer, &after);
}

void curl_sockets_free(struct curl_side *side)
{
    for (size_t i = 0; i < side->socket_cap; i++)
        forget_socket(&side->sockets[i]);
    free(side->sockets);
}
