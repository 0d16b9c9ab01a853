/* Connections that are kept between two requests: the newest is used again, the oldest closed. */
#include "net/connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assay/base/text.h"

enum { WAITING_MOST = 2048, IDLE_MOST_MS = 60000 };

/* ---- addresses ---- */

static bool read_port(uint16_t *out, struct span s)
{
    uint64_t port = 80;
    if (s.n && (s.p[0] != ':' || !text_u64(span_sub(s, 1, s.n), &port)))
        return false;
    *out = htons((uint16_t)port);
    return port > 0 && port <= UINT16_MAX;
}

bool address_read(union address *out, struct span host)
{
    char text[INET6_ADDRSTRLEN];
    bool v6 = span_starts(host, "[");
    const uint8_t *end = host.n ? memchr(host.p, v6 ? ']' : ':', host.n) : NULL;
    size_t from = v6 ? 1 : 0, to = end ? (size_t)(end - host.p) : host.n;
    struct span port = span_sub(host, to + from, host.n);
    memset(out, 0, sizeof *out);
    if ((v6 && !end) || to - from >= sizeof text)
        return false;
    memcpy(text, host.p + from, to - from);
    text[to - from] = '\0';
    out->any.sa_family = v6 ? AF_INET6 : AF_INET;
    return v6 ? inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1 &&
                    read_port(&out->v6.sin6_port, port)
              : inet_pton(AF_INET, text, &out->v4.sin_addr) == 1 &&
                    read_port(&out->v4.sin_port, port);
}

/* ---- connections ---- */

static void leave_waiting(struct connection *c)
{
    struct connections *all = c->all;
    *(c->newer ? &c->newer->older : &all->newest) = c->older;
    *(c->older ? &c->older->newer : &all->oldest) = c->newer;
    c->older = c->newer = NULL;
    all->waiting--;
}

static void destroy(struct connection *c)
{
    if (c->readable)
        event_free(c->readable);
    if (c->writable)
        event_free(c->writable);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

void connection_close(struct connection *c)
{
    if (!c->on)
        leave_waiting(c);
    destroy(c);
}

void connections_close(struct connections *all)
{
    for (struct connection *older, *c = all->newest; c; c = older) {
        older = c->older;
        destroy(c);
    }
    all->newest = all->oldest = NULL;
    all->waiting = 0;
}

void connection_let_wait(struct connection *c)
{
    struct connections *all = c->all;
    struct connection *oldest = all->oldest;
    uint64_t now = loop_now_ms(all->loop);
    if (oldest && (all->waiting == WAITING_MOST || now - oldest->idle_ms > IDLE_MOST_MS))
        connection_close(oldest);
    event_add(c->readable, NULL); /* its last answer may have been paused */
    c->on = NULL;
    c->idle_ms = now;
    c->older = all->newest;
    *(all->newest ? &all->newest->newer : &all->oldest) = c;
    all->newest = c;
    all->waiting++;
}

/* Neither closed by the other side, which the loop may be about to tell, nor with octets that nobody
 * asked for. */
static bool stands(const struct connection *c)
{
    uint8_t octet;
    return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

struct connection *connection_waiting(struct connections *all, const union address *to)
{
    for (struct connection *older, *c = all->newest; c; c = older) {
        older = c->older;
        if (memcmp(&c->to, to, sizeof *to) != 0)
            continue;
        leave_waiting(c);
        if (stands(c))
            return c;
        destroy(c);
    }
    return NULL;
}

static bool watch(struct connection *c)
{
    struct event_base *base = c->all->loop->base;
    c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, c->all->readable, c);
    c->writable = event_new(base, c->fd, EV_WRITE, c->all->writable, c);
    return c->readable && c->writable && event_add(c->writable, NULL) == 0;
}

struct connection *connection_open(struct connections *all, const union address *to)
{
    static const int on = 1;
    int family = to->any.sa_family;
    struct connection *c = malloc(sizeof *c);
    if (!c)
        return NULL;
    *c = (struct connection){.all = all, .to = *to};
    c->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || !watch(c)) {
        destroy(c);
        return NULL;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socklen_t size = family == AF_INET6 ? sizeof to->v6 : sizeof to->v4;
    if (connect(c->fd, &to->any, size) != 0 && errno != EINPROGRESS) {
        c->error = errno; /* told from the loop, as all is */
        event_active(c->writable, EV_WRITE, 0);
    }
    return c;
}
