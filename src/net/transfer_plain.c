/*
 * HTTP/1.1 over a socket of ours, to an address that is written as a number: a model's server on
 * the same machine or network, which is most of them, and for which libcurl takes a quarter
 * of all the time of a call. Answers are read as strictly as requests are. Whatever needs TLS
 * or a name server goes over libcurl.
 */
#include "net/transfers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "assay/http.h"
#include "net/connections.h"

enum { ROOM = 32768, REQUEST_HEAD_MAX = 1 << 26 };

struct plain {
    struct transfer t;
    union address to;
    struct connection *c;
    bool again;      /* the connection served another request before */
    struct buf head; /* of the request */
    struct span body;
    size_t sent; /* octets of both */
    struct http_incoming in;
};

struct plain_side {
    struct connections connections;
    struct plain *spare;
    size_t spare_count;
    struct buf decoded;
    uint8_t room[ROOM];
};

/* ---- where to ---- */

struct place {
    union address to;
    struct span host; /* as the URL has it */
    const char *path;
};

static bool read_url(struct place *out, const char *url)
{
    static const char scheme[] = "http://";
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *host = url + sizeof scheme - 1;
    out->path = host + strcspn(host, "/?#");
    out->host = (struct span){(const uint8_t *)host, (size_t)(out->path - host)};
    return *out->path == '/' && address_read(&out->to, out->host);
}

bool plain_reaches(const struct transfer_request *r)
{
    struct place ignored;
    return read_url(&ignored, r->url);
}

/* ---- how one ends ---- */

static void give_back(struct plain *p, bool keep)
{
    struct connection *c = p->c;
    p->c = NULL;
    if (c && keep)
        connection_let_wait(c);
    else if (c)
        connection_close(c);
}

/* A server may close a connection that waits just when it is asked something. */
static void fail(struct plain *p, enum transfer_end end, const char *why)
{
    p->t.result.stale = p->again && end == TRANSFER_CUT && !p->t.result.sent;
    give_back(p, false);
    transfer_finish(&p->t, end, why);
}

/* The connection is good for another request unless something is left of this one, or after it. */
static void whole(struct plain *p, bool stray)
{
    bool all_sent = p->sent == p->head.n + p->body.n;
    give_back(p, p->in.answer.keep_alive && all_sent && !stray);
    transfer_finish(&p->t, TRANSFER_OK, transfer_end_name(TRANSFER_OK));
}

/* ---- what goes out ---- */

static struct iovec part_of(struct span s)
{
    struct iovec v = {.iov_len = s.n};
    memcpy(&v.iov_base, &s.p, sizeof s.p); /* which has no const */
    return v;
}

/* What is wrong with the connection shows when it is read: an answer may have come before. */
static void send_on(struct plain *p)
{
    struct span head = span_sub(buf_span(&p->head), p->sent, p->head.n);
    struct span body = span_sub(p->body, p->sent - (p->head.n - head.n), p->body.n);
    struct iovec parts[] = {part_of(head), part_of(body)};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (head.n + body.n == 0)
        return;
    ssize_t n = sendmsg(p->c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        event_active(p->c->readable, EV_READ, 0);
        return;
    }
    p->sent += n > 0 ? (size_t)n : 0;
    p->t.last_ms = loop_now_ms(p->t.all->loop);
    if (p->sent < p->head.n + p->body.n)
        event_add(p->c->writable, NULL);
}

/* A connection stands, or there is none. */
static void connected(struct plain *p)
{
    struct connection *c = p->c;
    int error = c->error;
    socklen_t n = sizeof error;
    if (!error)
        (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (!error && event_add(c->readable, NULL) != 0)
        error = ENOMEM;
    if (error)
        fail(p, TRANSFER_CONNECT, strerror(error));
    else
        p->t.connecting = false;
}

static void writable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    struct plain *p = c->on;
    (void)fd, (void)what;
    if (!p)
        return;
    struct transfers *all = p->t.all;
    if (p->t.connecting)
        connected(p);
    if (!p->t.connecting)
        send_on(p);
    transfers_settle(all);
}

static bool begin(struct plain *p, bool fresh)
{
    struct connections *all = &p->t.all->plain->connections;
    p->c = fresh ? NULL : connection_waiting(all, &p->to);
    p->again = p->c != NULL;
    p->t.connecting = !p->again;
    p->sent = 0;
    if (!p->c)
        p->c = connection_open(all, &p->to);
    if (!p->c)
        return false;
    p->c->on = p;
    if (p->again)
        send_on(p);
    return true;
}

/* ---- what comes in ---- */

static bool hand_over(struct plain *p, enum http_step step, struct span out)
{
    struct transfer *t = &p->t;
    if (step == HTTP_STEP_DATA)
        return t->calls.data(t->arg, out);
    t->result.status = p->in.answer.status;
    t->calls.head(t->arg, t->result.status, out);
    return true;
}

/* Whatever is called may cancel the transfer. */
static void take(struct plain *p, struct span bytes)
{
    struct buf *decoded = &p->t.all->plain->decoded;
    struct span out;
    struct err e = ERR_INIT;
    enum http_step step;
    while (!p->t.cancelled &&
           (step = http_incoming_next(&p->in, &bytes, decoded, &out, &e)) != HTTP_STEP_MORE) {
        if (step == HTTP_STEP_OVER)
            whole(p, bytes.n > 0);
        else if (step == HTTP_STEP_BAD)
            fail(p, TRANSFER_GARBAGE, e.text);
        else if (!hand_over(p, step, out) && !p->t.cancelled)
            fail(p, TRANSFER_REFUSED, transfer_end_name(TRANSFER_REFUSED));
    }
}

static void ended(struct plain *p, int error)
{
    if (!error && http_incoming_ends(&p->in))
        whole(p, true);
    else
        fail(p, TRANSFER_CUT, error ? strerror(error) : "the connection was closed before the end");
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    struct plain *p = c->on;
    (void)what;
    if (!p) { /* closed, or octets that nobody asked for */
        connection_close(c);
        return;
    }
    struct transfers *all = p->t.all;
    ssize_t n = recv(fd, all->plain->room, ROOM, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    p->t.last_ms = loop_now_ms(all->loop);
    p->t.result.sent = p->t.result.sent || n > 0;
    if (n > 0)
        take(p, (struct span){all->plain->room, (size_t)n});
    else
        ended(p, n < 0 ? errno : 0);
    transfers_settle(all);
}

/* ---- the transport ---- */

/* As record_head of serve/upstream.c writes it: what is sent is what is recorded. */
static bool write_head(struct plain *p, const struct transfer_request *r, const struct place *at)
{
    struct buf *out = &p->head;
    buf_put_str(out, r->post ? "POST " : "GET ");
    buf_put_str(out, at->path);
    buf_put_str(out, " HTTP/1.1\r\nHost: ");
    buf_put_span(out, at->host);
    buf_put_str(out, HTTP_CRLF);
    for (const char *const *line = r->fields; *line; line++) {
        struct span l = span_str(*line);
        const uint8_t *colon = memchr(l.p, ':', l.n);
        bool empty = !colon && span_ends(l, ";");
        if (!empty && (!colon || colon == l.p + l.n - 1)) /* "Name:": not to be sent */
            continue;
        buf_put(out, l.p, empty ? l.n - 1 : l.n);
        buf_put_str(out, empty ? ":\r\n" : HTTP_CRLF);
    }
    if (r->post)
        buf_printf(out, "Content-Length: %zu\r\n", r->body.n);
    buf_put_str(out, HTTP_CRLF);
    return buf_ok(out);
}

static bool start(struct transfer *t, const struct transfer_request *r)
{
    struct plain *p = (struct plain *)t;
    struct place at;
    if (!read_url(&at, r->url))
        return false;
    p->to = at.to;
    p->body = r->post ? r->body : SPAN_EMPTY;
    return write_head(p, r, &at) && begin(p, r->fresh);
}

static void pause_reading(struct transfer *t)
{
    struct connection *c = ((struct plain *)t)->c;
    if (!c || t->connecting)
        return;
    if (t->pausing)
        event_del(c->readable);
    else
        event_add(c->readable, NULL);
}

static void stop(struct transfer *t)
{
    give_back((struct plain *)t, false);
}

static struct transfer *take_plain(struct transfers *all)
{
    struct plain *p = all->plain->spare;
    if (p) {
        all->plain->spare = (struct plain *)p->t.next;
        all->plain->spare_count--;
        buf_clear(&p->head);
        http_incoming_clear(&p->in);
        *p = (struct plain){.head = p->head, .in = p->in};
    } else if ((p = calloc(1, sizeof *p))) {
        buf_init(&p->head, REQUEST_HEAD_MAX);
        http_incoming_init(&p->in, TRANSFER_HEAD_MAX);
    }
    return p ? &p->t : NULL;
}

static void free_plain(struct plain *p)
{
    buf_free(&p->head);
    http_incoming_free(&p->in);
    free(p);
}

static void keep(struct transfer *t)
{
    struct plain_side *side = t->all->plain;
    struct plain *p = (struct plain *)t;
    if (side->spare_count == TRANSFER_SPARE_MOST || p->head.cap > ROOM) {
        free_plain(p);
        return;
    }
    t->next = side->spare ? &side->spare->t : NULL;
    side->spare = p;
    side->spare_count++;
}

static bool open_side(struct transfers *all)
{
    struct plain_side *side = calloc(1, sizeof *side);
    all->plain = side;
    if (!side)
        return false;
    side->connections =
        (struct connections){.loop = all->loop, .readable = readable, .writable = writable};
    buf_init(&side->decoded, ROOM);
    return true;
}

static void close_side(struct transfers *all)
{
    struct plain_side *side = all->plain;
    if (!side)
        return;
    connections_close(&side->connections);
    for (struct plain *next, *p = side->spare; p; p = next) {
        next = (struct plain *)p->t.next;
        free_plain(p);
    }
    buf_free(&side->decoded);
    free(side);
}

const struct transport plain_transport = {open_side,     close_side, take_plain, start,
                                          pause_reading, stop,       keep};
