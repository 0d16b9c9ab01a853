/*
 * Whatever leaves goes through let_go, and let_go is reached from three places: a window that
 * became durable, an outcome that became durable, and, with durability `end`, octets
 * before the terminal event of a stream whose intent is durable.
 */
#include "serve/call/gate.h"

#include <string.h>

#include "serve/call/call.h"
#include "serve/service.h"

enum {
    NO_CONTENT = 204,
    NOT_MODIFIED = 304,
    HEAD_MAX = 32768,
    TOGETHER = 65536,
    OVERHEAD = 512,
    FIELDS = 4
};

void gate_init(struct gate *g, struct call *c, size_t limit)
{
    memset(g, 0, sizeof *g);
    g->call = c;
    g->limit = limit;
    g->terminal_at = UINT64_MAX;
    buf_init(&g->head, HEAD_MAX);
    buf_init(&g->pending, limit);
    buf_init(&g->flight, limit);
    buf_init(&g->held, limit);
    buf_init(&g->given, limit);
}

void gate_close(struct gate *g)
{
    exchange_free(g->exchange);
    g->exchange = NULL;
    g->busy = true; /* nothing is written any more */
}

void gate_free(struct gate *g)
{
    buf_free(&g->head);
    buf_free(&g->pending);
    buf_free(&g->flight);
    buf_free(&g->held);
    buf_free(&g->given);
}

/* ---- the intent ---- */

static void entry_is(struct gate *g, const struct log_receipt *r)
{
    g->seq = r->seq;
    g->leaf = r->leaf_hash;
}

static void advance(struct gate *g);

/* A disk that is full takes what the intent reserved for, which is an outcome without content: the call
 * ends where it is durable. Whatever else the log does not take, it takes no more. */
static void not_taken(struct gate *g, const struct err *why)
{
    struct call *c = g->call;
    if (why->code != ERR_LIMIT || g->lost || !exchange_is_open(g->exchange)) {
        call_log_failed(c, why);
        return;
    }
    g->lost = true;
    g->busy = false;
    buf_clear(&g->pending);
    buf_clear(&g->flight);
    buf_clear(&g->held);
    buf_clear(&g->given);
    if (!g->ending) {
        call_give_up(c, EXCHANGE_ERROR, CALL_LOG_FULL);
        return;
    }
    c->result = g->outcome.result = EXCHANGE_ERROR;
    c->error = CALL_LOG_FULL;
    g->outcome.error = span_str(CALL_LOG_FULL);
    g->whole = false;
    advance(g);
}

static void intent_done(void *arg, const struct log_receipt *r)
{
    struct gate *g = arg;
    if (!r->ok) {
        not_taken(g, &r->error);
        return;
    }
    entry_is(g, r);
    call_intent_durable(g->call);
}

bool gate_intent(struct gate *g, struct exchange_book *b, const struct exchange_call *what,
                 const struct log_content *content, size_t count, struct err *e)
{
    g->durability = what->durability;
    return exchange_begin(&g->exchange, b, what, content, count, intent_done, g, e);
}

static void attempt_done(void *arg, const struct log_receipt *r)
{
    struct gate *g = arg;
    if (r->ok)
        call_attempt_durable(g->call);
    else
        not_taken(g, &r->error);
}

void gate_attempt(struct gate *g, const struct log_content *content, size_t count)
{
    struct err e = ERR_INIT;
    if (!exchange_window(g->exchange, content, count, 0, attempt_done, g, &e))
        call_log_failed(g->call, &e);
}

/* ---- letting go ---- */

/* Our own fields say where the call is in the log; they are no part of what is recorded. */
static void put_head(struct gate *g, struct buf *out, uint64_t length)
{
    char hex[DIGEST_HEX + 1];
    buf_put_span(out, buf_span(&g->head));
    buf_printf(out, "Assay-Entry: %llu\r\nAssay-Leaf: %s\r\n", (unsigned long long)g->seq,
               digest_hex(hex, &g->leaf));
    if (g->stream && g->chunked)
        buf_put_str(out, "Transfer-Encoding: chunked\r\n");
    else if (g->stream)
        buf_put_str(out, "Connection: close\r\n");
    else if (g->call->status != NO_CONTENT && g->call->status != NOT_MODIFIED) /* RFC 9110, 8.6 */
        buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)length);
    buf_put_str(out, HTTP_CRLF);
    g->head_left = true;
}

/* The one place where octets of an answer reach a connection. `last`: nothing follows. */
static void let_go(struct gate *g, struct span octets, bool last)
{
    struct conn *c = g->call->conn;
    struct buf out;
    bool framed = g->stream && g->chunked;
    if (!c)
        return;
    buf_init(&out, HEAD_MAX + TOGETHER + OVERHEAD);
    (void)buf_room(&out, g->head.n + OVERHEAD + (octets.n <= TOGETHER ? octets.n : 0));
    if (!g->head_left)
        put_head(g, &out, octets.n);
    if (framed && octets.n)
        http_put_chunk(&out, octets.n);
    bool together = octets.n <= TOGETHER;
    if (together)
        buf_put_span(&out, octets);
    if (!together) {
        conn_put(c, buf_span(&out));
        conn_put(c, octets);
        buf_clear(&out);
    }
    if (framed && octets.n)
        buf_put_str(&out, HTTP_CRLF);
    if (framed && last)
        buf_put_str(&out, HTTP_LAST_CHUNK);
    conn_put(c, buf_span(&out));
    buf_free(&out);
    g->released += octets.n;
}

/* ---- what is written ---- */

static void add(struct call *c, struct log_content *content, size_t *n, const char *field,
                const struct buf *data)
{
    if (data->n == 0)
        return;
    content[(*n)++] = (struct log_content){span_str(field), buf_span(data)};
    c->sealed += data->n;
}

/* The upstream's head and then the client's, each with the empty line that ends it; or the one
 * that there is. An answer of our own has a head that says nothing of a model. */
static void add_heads(struct gate *g, struct log_content *content, size_t *n)
{
    struct call *c = g->call;
    bool theirs = c->upstream_head.n != 0, to_client = c->own_reply.n == 0 && g->head.n != 0;
    if (theirs && to_client) {
        buf_put_str(&c->upstream_head, HTTP_CRLF);
        buf_put_span(&c->upstream_head, buf_span(&g->head));
        buf_put_str(&c->upstream_head, HTTP_CRLF);
        add(c, content, n, "response_headers", &c->upstream_head);
    } else {
        add(c, content, n, "upstream_response_header", &c->upstream_head);
        if (to_client)
            add(c, content, n, "response_header", &g->head);
    }
}

/* What came and is not written yet. Where the client gets an answer of our own instead of it,
 * both stand there, each under its name. */
static bool fill(struct gate *g, struct log_content content[FIELDS], size_t *n, struct err *e)
{
    struct call *c = g->call;
    bool ours = c->own_reply.n != 0;
    *n = 0;
    if (!(ours && g->apart))
        add(c, content, n, ours ? "upstream_response" : "response", &g->pending);
    add(c, content, n, "upstream_response", &g->given);
    add(c, content, n, "response", &c->own_reply);
    if (!g->head_logged)
        add_heads(g, content, n);
    g->head_logged = true;
    return buf_ok(&c->upstream_head) || err_set(e, ERR_MEMORY, "out of memory for an answer");
}

static void window_done(void *arg, const struct log_receipt *r)
{
    struct gate *g = arg;
    if (!r->ok) {
        not_taken(g, &r->error);
        return;
    }
    g->busy = false;
    if (g->durability != EXCHANGE_END)
        let_go(g, buf_span(&g->flight), false);
    buf_clear(&g->flight);
    call_released(g->call);
    advance(g);
}

/* Everything that came while the last window was on its way. */
static void write_window(struct gate *g)
{
    struct log_content content[FIELDS];
    struct err e = ERR_INIT;
    size_t n;
    g->busy = true;
    g->waits = false;
    if (!fill(g, content, &n, &e) ||
        !exchange_window(g->exchange, content, n, g->released, window_done, g, &e)) {
        call_log_failed(g->call, &e);
        return;
    }
    struct buf empty = g->flight;
    g->flight = g->pending;
    g->pending = empty;
    buf_clear(&g->given);
}

static void outcome_done(void *arg, const struct log_receipt *r)
{
    struct gate *g = arg;
    bool stream_end = g->durability == EXCHANGE_END && g->stream;
    if (!r->ok) {
        not_taken(g, &r->error);
        return;
    }
    if (!g->head_left)
        entry_is(g, r);
    if (g->whole)
        let_go(g, buf_span(stream_end ? &g->held : &g->pending), true);
    call_finished(g->call, r);
}

static void write_outcome(struct gate *g)
{
    struct log_content content[FIELDS + BACKEND_FIELDS];
    struct err e = ERR_INIT;
    g->outcome.status = call_status(g->call);
    g->outcome.relayed =
        g->call->own_reply.n == 0 && !g->apart && g->call->backend->route == EXCHANGE_UPSTREAM;
    g->outcome.released = g->whole ? g->seen : gate_released(g);
    size_t n = 0, more = 0;
    g->busy = true;
    bool ok = g->lost || fill(g, content, &n, &e);
    if (!g->lost)
        more = g->call->backend->sealed(g->call, content + n);
    for (size_t i = n; i < n + more; i++)
        g->call->sealed += content[i].data.n;
    if (!ok || !exchange_end(g->exchange, &g->outcome, content, n + more, outcome_done, g, &e))
        call_log_failed(g->call, &e);
}

/* It comes in as the queue gets shorter. */
static void hold_back(struct gate *g)
{
    struct service *s = g->call->service;
    s->metrics.held_back += !g->waits;
    g->waits = s->held_back = true;
}

static void advance(struct gate *g)
{
    if (g->busy)
        return;
    if (g->ending)
        write_outcome(g);
    else if (g->stream && g->pending.n && exchange_book_pressed(g->call->service->book))
        hold_back(g);
    else if (g->stream && g->pending.n)
        write_window(g);
}

void gate_go_on(struct gate *g)
{
    if (g->exchange)
        advance(g);
}

/* ---- what comes ---- */

/* Durability `end`: all before the terminal event leaves at once. */
static void pass(struct gate *g, struct span octets)
{
    uint64_t begin = g->seen - octets.n;
    size_t free = octets.n;
    if (g->terminal_at < g->seen)
        free = g->terminal_at > begin ? (size_t)(g->terminal_at - begin) : 0;
    buf_put_span(&g->held, span_sub(octets, free, octets.n));
    if (free)
        let_go(g, span_sub(octets, 0, free), false);
}

bool gate_add(struct gate *g, struct span octets)
{
    if (g->lost)
        return true;
    g->seen += octets.n;
    buf_put_span(&g->pending, octets);
    if (!buf_ok(&g->pending))
        return false;
    if (g->stream && g->durability == EXCHANGE_END)
        pass(g, octets);
    if (g->stream)
        advance(g);
    return true;
}

bool gate_add_apart(struct gate *g, struct span octets)
{
    if (g->lost)
        return true;
    buf_put_span(&g->given, octets);
    return buf_ok(&g->given);
}

void gate_end(struct gate *g, const struct exchange_outcome *o, bool whole)
{
    g->outcome = *o;
    g->whole = whole;
    g->ending = true;
    advance(g);
}

uint64_t gate_released(const struct gate *g)
{
    uint64_t sent = g->call->conn ? conn_sent(g->call->conn) : g->sent_before_leaving;
    return g->released < sent ? g->released : sent;
}

size_t gate_waiting(const struct gate *g)
{
    return g->pending.n + g->flight.n + g->held.n +
           (g->call->conn ? conn_waiting(g->call->conn) : 0);
}
