/*
 * One client's connection: how it begins and ends, what goes out on it, and noticing that the
 * client left. While a request is served nothing more is read (conn_read.c), but EPOLLRDHUP is
 * watched, so that an abort is seen within a turn of the loop.
 */
#include "net/listener.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { LINGER_MS = 1000 };

/* ---- lifetime ---- */

void conn_free(struct conn *c)
{
    struct listener *s = c->server;
    if (c->dead)
        return;
    c->dead = true;
    if (c->previous)
        c->previous->next = c->next;
    else
        s->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    s->count--;
    if (c->closed)
        event_del(c->closed);
    bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    c->next = s->dead;
    s->dead = c;
    if (s->grave)
        event_active(s->grave, EV_TIMEOUT, 0);
}

void conn_bury(struct listener *s)
{
    struct conn *c = s->dead;
    s->dead = NULL;
    for (struct conn *next; c; c = next) {
        next = c->next;
        if (c->closed)
            event_free(c->closed);
        bufferevent_free(c->bev);
        buf_free(&c->head);
        buf_free(&c->body);
        free(c->request);
        free(c);
    }
}

void conn_due_in(struct conn *c, unsigned ms)
{
    c->deadline_ms = ms ? loop_now_ms(c->server->loop) + ms : 0;
}

void conn_lost(struct conn *c)
{
    bool told = c->state == CONN_SERVING || c->state == CONN_FLUSH || c->state == CONN_BODY;
    if (c->dead)
        return;
    if (told)
        c->server->calls.gone(c->server->calls.arg, c);
    conn_free(c);
}

bool conn_busy(const struct conn *c)
{
    return c->state == CONN_SERVING || c->state == CONN_FLUSH;
}

bool conn_idle(const struct conn *c)
{
    return c->state == CONN_HEAD && !c->dead &&
           evbuffer_get_length(bufferevent_get_input(c->bev)) == 0;
}

static void readable(struct bufferevent *bev, void *arg)
{
    (void)bev;
    conn_pump(arg);
}

/* ---- what goes out ---- */

/* Most answers fit into the socket at once: no turn of the loop is needed for them. */
static bool send_now(struct conn *c, struct span *bytes)
{
    if (c->server->tls || conn_waiting(c))
        return true;
    ssize_t n = send(bufferevent_getfd(c->bev), bytes->p, bytes->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        *bytes = span_sub(*bytes, (size_t)n, bytes->n);
    if (bytes->n == 0)
        c->deadline_ms = 0;
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

void conn_put(struct conn *c, struct span bytes)
{
    if (c->dead || bytes.n == 0)
        return;
    if (conn_waiting(c) == 0)
        conn_due_in(c, c->server->limits.stall_ms);
    c->written += bytes.n;
    if (!send_now(c, &bytes) || (bytes.n && bufferevent_write(c->bev, bytes.p, bytes.n) != 0))
        conn_lost(c);
}

size_t conn_waiting(const struct conn *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

uint64_t conn_sent(const struct conn *c)
{
    uint64_t waiting = conn_waiting(c);
    return c->written > waiting ? c->written - waiting : 0;
}

static void linger(struct conn *c)
{
    SSL *ssl = c->server->tls ? bufferevent_openssl_get_ssl(c->bev) : NULL;
    c->state = CONN_LINGER;
    conn_due_in(c, LINGER_MS);
    if (ssl)
        SSL_shutdown(ssl);
    (void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    bufferevent_enable(c->bev, EV_READ);
}

static void answered(struct conn *c)
{
    if (!c->keep || c->server->draining) {
        linger(c);
        return;
    }
    conn_fresh(c);
    conn_due_in(c, c->server->limits.idle_ms);
    if (c->unread)
        bufferevent_enable(c->bev, EV_READ);
    c->unread = false;
    if (evbuffer_get_length(bufferevent_get_input(c->bev)))
        conn_pump(c);
}

static void writable(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;
    (void)bev;
    conn_due_in(c,
                c->state == CONN_SERVING && conn_waiting(c) == 0 ? 0 : c->server->limits.stall_ms);
    if (c->state == CONN_FLUSH && conn_waiting(c) == 0)
        answered(c);
    else if (c->state == CONN_SERVING)
        c->server->calls.drained(c->server->calls.arg, c);
}

void conn_finish(struct conn *c, bool keep)
{
    if (c->dead)
        return;
    c->state = CONN_FLUSH;
    c->keep = keep && c->request && c->request->keep_alive;
    if (conn_waiting(c) == 0)
        answered(c);
}

void conn_abort(struct conn *c)
{
    struct linger now = {1, 0};
    (void)setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    conn_free(c);
}

/* ---- events ---- */

/* Nothing follows. Whoever ended in the middle of a request may still listen to why it is none. */
static void failed(struct bufferevent *bev, short what, void *arg)
{
    struct conn *c = arg;
    (void)bev;
    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
        return;
    if ((what & BEV_EVENT_EOF) && c->state == CONN_BODY)
        conn_malformed(c, 400, "the body is shorter than its length");
    else if ((what & BEV_EVENT_EOF) && c->state == CONN_HEAD && c->scanned)
        conn_malformed(c, 400, "the head has no end");
    else
        conn_lost(c);
}

/* What came before is read first, by the bufferevent, which sees the end then. */
static void left(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd, (void)what;
    if (c->state != CONN_HEAD && c->state != CONN_BODY)
        conn_lost(c);
}

/* Whoever is slow is no one who takes nothing: what the other side has acknowledged grows. */
static void look_at_progress(struct conn *c)
{
    int queued = 0; /* in the socket */
    if (!conn_busy(c) || conn_waiting(c) == 0)
        return;
    (void)ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &queued);
    uint64_t taken = conn_sent(c) - (uint64_t)(queued > 0 ? queued : 0);
    if (taken != c->taken)
        conn_due_in(c, c->server->limits.stall_ms);
    c->taken = taken;
}

void conn_sweep(struct conn *c, uint64_t now)
{
    look_at_progress(c);
    if (c->deadline_ms == 0 || now < c->deadline_ms)
        return;
    c->deadline_ms = 0;
    /* An incomplete message, as one that ends early is (RFC 9112, 6.3): no 408, which clients send
     * again as it is. */
    if (c->state == CONN_BODY)
        conn_malformed(c, 400, "the body did not come in its whole length in time");
    else if (c->state == CONN_HEAD && c->scanned)
        conn_malformed(c, 408, "the head did not come in time");
    else
        conn_lost(c);
}

void conn_limit(struct conn *c)
{
    const struct listener_limits *l = &c->server->limits;
    c->head.max = l->head;
    c->body.max = l->body;
    bufferevent_setwatermark(c->bev, EV_READ, 0, l->head + CONN_READ_AT_ONCE);
}

static struct bufferevent *make_bev(struct listener *s, int fd)
{
    if (!s->tls)
        return bufferevent_socket_new(s->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = SSL_new(s->tls);
    if (!ssl)
        return NULL;
    struct bufferevent *b = bufferevent_openssl_socket_new(
        s->loop->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!b)
        SSL_free(ssl);
    return b;
}

void conn_accept(struct listener *s, int fd)
{
    struct conn *c = calloc(1, sizeof *c);
    struct bufferevent *b = c ? make_bev(s, fd) : NULL;
    if (!c || !b) {
        free(c);
        evutil_closesocket(fd);
        return;
    }
    c->server = s;
    c->bev = b;
    buf_init(&c->head, s->limits.head);
    buf_init(&c->body, s->limits.body);
    c->next = s->first;
    if (s->first)
        s->first->previous = c;
    s->first = c;
    s->count++;
    conn_fresh(c);
    conn_due_in(c, s->limits.head_ms);
    bufferevent_setcb(b, readable, writable, failed, c);
    bufferevent_setwatermark(b, EV_WRITE, s->limits.low_water, 0);
    conn_limit(c);
    c->closed = event_new(s->loop->base, fd, EV_CLOSED, left, c);
    if (!c->closed || event_add(c->closed, NULL) != 0 ||
        bufferevent_enable(b, EV_READ | EV_WRITE) != 0)
        conn_free(c);
}

/* ---- what is asked of it ---- */

void conn_set_user(struct conn *c, void *user)
{
    c->user = user;
}

void *conn_user(const struct conn *c)
{
    return c->user;
}

const struct http_request *conn_request(const struct conn *c)
{
    return c->request;
}

struct span conn_head(const struct conn *c)
{
    return buf_span(&c->head);
}

bool conn_has_body(const struct conn *c)
{
    return c->body_read;
}

void conn_take_body(struct conn *c, struct buf *out)
{
    *out = c->body;
    buf_init(&c->body, c->server->limits.body);
}

bool conn_certificate(const struct conn *c, uint8_t out[LISTENER_CERTIFICATE])
{
    SSL *ssl = c->server->tls ? bufferevent_openssl_get_ssl(c->bev) : NULL;
    return ssl && tls_peer_digest(ssl, out);
}
