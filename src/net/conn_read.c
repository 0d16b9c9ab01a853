/*
 * What comes in on a client's connection: heads and bodies, one request at a time. Messages that
 * are none are told as such, and while a request is served nothing more is read.
 */
#include "net/listener.h"

#include <event2/buffer.h>
#include <stdlib.h>

enum { BEGINNING = 256 };

void conn_fresh(struct conn *c)
{
    c->state = CONN_HEAD;
    c->scanned = 0;
    c->written = c->taken = 0;
    c->user = NULL;
    c->body_read = false;
    buf_clear(&c->head);
    if (c->body.cap > CONN_READ_AT_ONCE) { /* idle connections keep no large buffers */
        buf_free(&c->body);
        buf_init(&c->body, c->server->limits.body);
    }
    buf_clear(&c->body);
    c->chunks = (struct http_chunks){0};
}

/* How a head began that is none, for whoever answers. */
static void keep_beginning(struct conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in);
    if (n > BEGINNING)
        n = BEGINNING;
    if (c->head.n == 0 && n)
        buf_put(&c->head, evbuffer_pullup(in, (ssize_t)n), n);
}

void conn_malformed(struct conn *c, unsigned status, const char *why)
{
    keep_beginning(c);
    c->state = CONN_SERVING;
    c->deadline_ms = 0;
    c->server->calls.malformed(c->server->calls.arg, c, status, why);
}

static void serve(struct conn *c)
{
    struct listener *s = c->server;
    bool extra = evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;
    if (extra && (c->request->has_length || c->request->chunked)) {
        conn_malformed(c, 400, "bytes follow the body that are not part of it");
        return;
    }
    c->state = CONN_SERVING;
    c->deadline_ms = 0;
    c->body_read = true;
    s->calls.request(s->calls.arg, c, c->request, buf_span(&c->body));
}

static void begin_body(struct conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct http_request *r = c->request;
    struct listener *s = c->server;
    if (r->has_length && r->length > s->limits.body) {
        conn_malformed(c, 413, "the body is longer than is accepted");
        return;
    }
    if (!s->calls.head(s->calls.arg, c, r))
        return;
    if (!r->chunked && r->length == 0) {
        serve(c);
        return;
    }
    c->state = CONN_BODY;
    conn_due_in(c, s->limits.body_ms);
    if (r->expect_continue)
        bufferevent_write(c->bev, go_on, sizeof go_on - 1);
}

/* True: go on with what has come. */
static bool read_head(struct conn *c, struct evbuffer *in)
{
    struct listener *s = c->server;
    size_t n = evbuffer_get_length(in), length = 0;
    if (n > s->limits.head)
        n = s->limits.head;
    struct span seen = {evbuffer_pullup(in, (ssize_t)n), n};
    unsigned status = 0;
    struct err e = ERR_INIT;
    if (c->scanned == 0 && n)
        conn_due_in(c, s->limits.head_ms);
    enum http_head_state found = http_head_find(seen, &c->scanned, &length);
    if (found == HTTP_HEAD_PART && n == s->limits.head)
        conn_malformed(c, 431, "the head is longer than is accepted");
    else if (found == HTTP_HEAD_BAD)
        conn_malformed(c, 400, "a line of the head does not end in CR LF, or it holds a NUL");
    if (found != HTTP_HEAD_WHOLE)
        return false;
    buf_put(&c->head, seen.p, length);
    evbuffer_drain(in, length);
    if (!c->request)
        c->request = malloc(sizeof *c->request);
    if (!c->request || !buf_ok(&c->head)) {
        conn_free(c);
        return false;
    }
    if (!http_request_read(c->request, buf_span(&c->head), &status, &e)) {
        conn_malformed(c, status, e.text);
        return false;
    }
    begin_body(c);
    return !c->dead && c->state == CONN_BODY;
}

static bool take_chunked(struct conn *c, struct evbuffer *in)
{
    size_t n = evbuffer_get_length(in), used = 0;
    struct span seen = {evbuffer_pullup(in, -1), n};
    struct err e = ERR_INIT;
    if (n && !http_chunks_feed(&c->chunks, seen, &used, &c->body, &e)) {
        conn_malformed(c, e.code == ERR_LIMIT ? 413 : 400, e.text);
        return false;
    }
    evbuffer_drain(in, used);
    return c->chunks.done;
}

static bool take_plain(struct conn *c, struct evbuffer *in)
{
    uint64_t left = c->request->length - c->body.n;
    size_t n = evbuffer_get_length(in);
    if (n > left)
        n = (size_t)left;
    if (n)
        buf_put(&c->body, evbuffer_pullup(in, (ssize_t)n), n);
    evbuffer_drain(in, n);
    if (!buf_ok(&c->body)) {
        conn_malformed(c, 413, "the body is longer than is accepted");
        return false;
    }
    return c->body.n == c->request->length;
}

static void read_on(struct conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    if (c->state == CONN_SERVING || c->state == CONN_FLUSH) {
        c->unread = evbuffer_get_length(in) > 0; /* one request at a time */
        if (c->unread)
            bufferevent_disable(c->bev, EV_READ);
        return;
    }
    if (c->state == CONN_LINGER) {
        evbuffer_drain(in, evbuffer_get_length(in));
        return;
    }
    if (c->state == CONN_HEAD && evbuffer_get_length(in) && !read_head(c, in))
        return;
    if (c->state != CONN_BODY)
        return;
    if (c->request->chunked ? take_chunked(c, in) : take_plain(c, in))
        serve(c);
}

void conn_pump(struct conn *c)
{
    if (c->pumping) {
        c->again = true;
        return;
    }
    c->pumping = true;
    do {
        c->again = false;
        read_on(c);
    } while (c->again && !c->dead);
    c->pumping = false;
}
