/*
 * Listening. One sweep a second looks at every connection's deadline, which costs less
 * than a timer each; a full house gives up its oldest idle guest before it
 * stops to accept.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_MS = 500, BACKLOG = 1024 };

static void pause_accepting(struct listener *s, bool pause)
{
    if (s->paused == pause || !s->listener || s->draining)
        return;
    s->paused = pause;
    if (pause)
        evconnlistener_disable(s->listener);
    else
        evconnlistener_enable(s->listener);
}

/* The list is newest first. */
static struct conn *oldest_idle(const struct listener *s)
{
    struct conn *found = NULL;
    for (struct conn *c = s->first; c; c = c->next)
        if (conn_idle(c))
            found = c;
    return found;
}

/* A full house still opens while somebody idle can be given up. */
static void look_for_room(struct listener *s)
{
    pause_accepting(s, s->count >= s->limits.connections && !oldest_idle(s));
}

static void sweep(void *arg)
{
    struct listener *s = arg;
    uint64_t now = loop_now_ms(s->loop);
    for (struct conn *next, *c = s->first; c; c = next) {
        next = c->next;
        conn_sweep(c, now);
    }
    look_for_room(s);
}

static void bury(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    conn_bury(arg);
}

static void accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int n,
                     void *arg)
{
    struct listener *s = arg;
    const int on = 1;
    (void)l, (void)a, (void)n;
    if (s->count >= s->limits.connections) {
        struct conn *guest = oldest_idle(s);
        if (!guest) {
            close(fd);
            pause_accepting(s, true);
            return;
        }
        conn_free(guest);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn_accept(s, fd);
}

/* Out of descriptors: the sweep tries again. */
static void accept_failed(struct evconnlistener *l, void *arg)
{
    (void)l;
    pause_accepting(arg, true);
}

static bool address_of(struct sockaddr_storage *out, socklen_t *n, const char *address,
                       unsigned port, struct err *e)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *n = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *n = sizeof *v6;
        return true;
    }
    return err_set(e, ERR_CONFIG, "%s is no numeric address to listen on", address);
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    memset(&a, 0, sizeof a);
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&a)->sin_port
                                        : ((struct sockaddr_in6 *)(void *)&a)->sin6_port);
}

static bool listen_on(struct listener *s, const char *address, unsigned port, struct err *e)
{
    struct sockaddr_storage a;
    socklen_t n = 0;
    if (!address_of(&a, &n, address, port, e))
        return false;
    s->listener =
        evconnlistener_new_bind(s->loop->base, accepted, s,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                BACKLOG, (struct sockaddr *)&a, (int)n);
    if (!s->listener)
        return err_set(e, ERR_IO, "cannot listen on %s port %u: %s", address, port,
                       strerror(errno));
    evconnlistener_set_error_cb(s->listener, accept_failed);
    s->port = port_of(evconnlistener_get_fd(s->listener));
    return true;
}

bool listener_open(struct listener **out, struct loop *l, const char *address, unsigned port,
                   const struct listener_tls *tls, const struct listener_limits *limits,
                   const struct listener_calls *calls, struct err *e)
{
    struct listener *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return err_set(e, ERR_MEMORY, "out of memory for a listener");
    s->loop = l;
    s->limits = *limits;
    s->calls = *calls;
    bool ok = (!tls || !tls->certificate || tls_server(&s->tls, tls, e)) &&
              listen_on(s, address, port, e);
    if (ok) {
        s->sweep = loop_every(l, SWEEP_MS, sweep, s);
        s->grave = event_new(l->base, -1, 0, bury, s);
        ok = (s->sweep && s->grave) || err_set(e, ERR_MEMORY, "out of memory for a listener");
    }
    if (!ok) {
        listener_close(s);
        return false;
    }
    *out = s;
    return true;
}

bool listener_reload(struct listener *s, const struct listener_tls *tls,
                     const struct listener_limits *limits, struct err *e)
{
    SSL_CTX *fresh = NULL;
    if (s->tls && tls->certificate && !tls_server(&fresh, tls, e))
        return false;
    if (fresh) {
        SSL_CTX_free(s->tls); /* connections hold it as long as they need it */
        s->tls = fresh;
    }
    s->limits = *limits;
    for (struct conn *c = s->first; c; c = c->next)
        conn_limit(c);
    look_for_room(s);
    return true;
}

bool listener_tls_holds(const struct listener_tls *tls, struct err *e)
{
    SSL_CTX *c = NULL;
    bool ok = tls_server(&c, tls, e);
    SSL_CTX_free(c);
    return ok;
}

unsigned listener_port(const struct listener *s)
{
    return s->port;
}

void listener_drain(struct listener *s)
{
    s->draining = true;
    if (s->listener)
        evconnlistener_free(s->listener);
    s->listener = NULL;
    for (struct conn *next, *c = s->first; c; c = next) {
        next = c->next;
        if (conn_idle(c))
            conn_free(c);
    }
}

bool listener_busy(const struct listener *s)
{
    for (const struct conn *c = s->first; c; c = c->next)
        if (conn_busy(c))
            return true;
    return false;
}

void listener_close(struct listener *s)
{
    if (!s)
        return;
    for (struct conn *next, *c = s->first; c; c = next) {
        next = c->next;
        conn_free(c);
    }
    conn_bury(s);
    if (s->grave)
        event_free(s->grave);
    if (s->listener)
        evconnlistener_free(s->listener);
    loop_event_free(s->sweep);
    SSL_CTX_free(s->tls);
    free(s);
}
