/*
 * Requests over libcurl's multi interface on the loop (its sockets: curl_sockets.c). Handles are
 * kept for reuse, set up but for what differs from request to request. A cancelled transfer is only
 * marked while libcurl is in a callback.
 */
#include "net/curl_side.h"

#include <stdlib.h>
#include <string.h>

#include "assay/http.h"
#include "net/tls.h"

enum { CONNECTIONS_KEPT = 2048, SWITCHING = 101 };

/* ---- the end of a transfer ---- */

/* libcurl looks at neither body nor fields any more. */
static void stop(struct transfer *t)
{
    struct fetch *f = (struct fetch *)t;
    if (f->in_multi)
        curl_multi_remove_handle(t->all->curl->multi, f->easy);
    f->in_multi = false;
}

static void free_fetch(struct fetch *f)
{
    curl_easy_cleanup(f->easy);
    buf_free(&f->head);
    free(f->fields);
    free(f->ca_file);
    free(f->url);
    free(f);
}

static void keep(struct transfer *t)
{
    struct curl_side *side = t->all->curl;
    struct fetch *f = (struct fetch *)t;
    if (side->spare_count == TRANSFER_SPARE_MOST) {
        free_fetch(f);
        return;
    }
    t->next = side->spare ? &side->spare->t : NULL;
    side->spare = f;
    side->spare_count++;
}

static enum transfer_end end_of(CURLcode code)
{
    static const struct {
        CURLcode code;
        enum transfer_end end;
    } ends[] = {
        {CURLE_OK, TRANSFER_OK},
        {CURLE_COULDNT_RESOLVE_HOST, TRANSFER_CONNECT},
        {CURLE_COULDNT_CONNECT, TRANSFER_CONNECT},
        {CURLE_OPERATION_TIMEDOUT, TRANSFER_CONNECT},
        {CURLE_SSL_CONNECT_ERROR, TRANSFER_TLS},
        {CURLE_PEER_FAILED_VERIFICATION, TRANSFER_TLS},
        {CURLE_SSL_CACERT_BADFILE, TRANSFER_TLS},
        {CURLE_GOT_NOTHING, TRANSFER_CUT},
        {CURLE_PARTIAL_FILE, TRANSFER_CUT},
        {CURLE_RECV_ERROR, TRANSFER_CUT},
        {CURLE_SEND_ERROR, TRANSFER_CUT},
        {CURLE_HTTP2, TRANSFER_CUT},
        {CURLE_HTTP2_STREAM, TRANSFER_CUT},
        {CURLE_UNSUPPORTED_PROTOCOL, TRANSFER_GARBAGE},
        {CURLE_WEIRD_SERVER_REPLY, TRANSFER_GARBAGE},
        {CURLE_BAD_CONTENT_ENCODING, TRANSFER_GARBAGE},
        {CURLE_WRITE_ERROR, TRANSFER_REFUSED},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i].code == code)
            return ends[i].end;
    return TRANSFER_OTHER;
}

/* libcurl may call it well when no whole head came. */
static void finish(struct fetch *f, CURLcode code)
{
    if (f->stale)
        transfer_finish(&f->t, TRANSFER_CUT, "a kept connection was closed before the answer");
    else if (f->unsound.code)
        transfer_finish(&f->t, TRANSFER_GARBAGE, f->unsound.text);
    else if (code == CURLE_OK && !f->head_given)
        transfer_finish(&f->t, TRANSFER_CUT, "the connection was closed before the end");
    else
        transfer_finish(&f->t, end_of(code), f->words[0] ? f->words : curl_easy_strerror(code));
}

static void reap(struct transfers *all)
{
    CURLMsg *m;
    int left;
    if (all->depth)
        return;
    while ((m = curl_multi_info_read(all->curl->multi, &left))) {
        char *p = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        struct fetch *f = (struct fetch *)(void *)p;
        if (f->t.cancelled)
            continue;
        f->t.result.stale = f->stale;
        finish(f, code);
    }
    transfers_settle(all);
}

/* ---- what libcurl hands over ---- */

/* NULL: there is no TLS. */
static const SSL *tls_of(struct fetch *f)
{
    struct curl_tlssessioninfo *info = NULL;
    bool ours = curl_easy_getinfo(f->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info &&
                info->backend == CURLSSLBACKEND_OPENSSL;
    return ours ? (const SSL *)info->internals : NULL;
}

/*
 * A head that libcurl would read in one of several ways is none, as by the other way. With HTTP/2 it
 * is made of frames, which have no second reading.
 */
static bool is_sound(struct fetch *f, const SSL *ssl, struct span last)
{
    struct http_answer a;
    size_t from = 0, length = 0;
    if (ssl && tls_speaks_h2(ssl))
        return true;
    size_t n = f->head.n;
    buf_put_span(&f->head, last);
    bool whole = buf_ok(&f->head) &&
                 http_head_find(buf_span(&f->head), &from, &length) == HTTP_HEAD_WHOLE &&
                 length == f->head.n;
    bool sound = whole ? http_answer_read(&a, buf_span(&f->head), &f->unsound)
                       : err_set(&f->unsound, ERR_FORMAT,
                                 "a line of the answer's head does not end in CR LF");
    f->head.n = n;
    return sound;
}

/* The head is over: true when it is one, and the one that counts. */
static bool give_head(struct fetch *f, struct span last)
{
    struct transfer *t = &f->t;
    const SSL *ssl = tls_of(f);
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != SWITCHING) /* an interim answer */
        return true;
    if (!is_sound(f, ssl, last))
        return false;
    f->head_given = true;
    t->result.status = (unsigned)status;
    t->result.has_certificate = ssl && tls_peer_digest(ssl, t->result.certificate);
    t->calls.head(t->arg, t->result.status, buf_span(&f->head));
    return !t->cancelled;
}

size_t curl_take_head(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    struct transfer *t = &f->t;
    struct span line = {(const uint8_t *)p, size * n};
    if (t->cancelled)
        return 0;
    t->last_ms = loop_now_ms(t->all->loop);
    t->result.sent = true;
    if (span_starts(line, "HTTP/")) { /* an interim answer came before */
        buf_clear(&f->head);
        f->head_given = false;
    }
    if (line.n <= 2 && !f->head_given)
        return give_head(f, line) ? size * n : 0;
    if (!f->head_given) /* trailers are not passed on */
        buf_put_span(&f->head, line);
    return buf_ok(&f->head) ? size * n : 0;
}

size_t curl_take_body(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    struct transfer *t = &f->t;
    struct span bytes = {(const uint8_t *)p, size * n};
    if (t->cancelled)
        return 0;
    if (t->pausing) {
        f->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    t->last_ms = loop_now_ms(t->all->loop);
    return t->calls.data(t->arg, bytes) && !t->cancelled ? size * n : 0;
}

/* Before each request: libcurl would send one anew when a kept connection closes without an octet. */
int curl_may_go_out(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct fetch *f = arg;
    (void)to, (void)from, (void)to_port, (void)from_port;
    f->stale = f->asked;
    f->asked = true;
    return f->stale ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* ---- the loop ---- */

void curl_side_act(struct transfers *all, curl_socket_t fd, int what)
{
    int running;
    all->depth++;
    curl_multi_socket_action(all->curl->multi, fd, what, &running);
    all->depth--;
    reap(all);
}

static void due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    curl_side_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void go_on(evutil_socket_t fd, short what, void *arg)
{
    struct transfers *all = arg;
    (void)fd, (void)what;
    all->depth++;
    for (struct transfer *t = all->first; t; t = t->next) {
        struct fetch *f = t->transport == &curl_transport ? (struct fetch *)t : NULL;
        if (!f || !f->held || t->pausing || t->cancelled)
            continue;
        f->held = false;
        curl_easy_pause(f->easy, CURLPAUSE_CONT);
    }
    all->depth--;
    curl_side_act(all, CURL_SOCKET_TIMEOUT, 0);
}

/* Going on calls data() from within libcurl, so it waits for the next turn of the loop. */
static void pause_reading(struct transfer *t)
{
    if (!t->pausing && ((struct fetch *)t)->held)
        event_active(t->all->curl->resume, EV_TIMEOUT, 0);
}

static bool open_side(struct transfers *all)
{
    struct curl_side *side = calloc(1, sizeof *side);
    struct event_base *base = all->loop->base;
    all->curl = side;
    if (!side || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    side->all = all;
    side->multi = curl_multi_init();
    side->timer = event_new(base, -1, 0, due, all);
    side->resume = event_new(base, -1, 0, go_on, all);
    if (!side->multi || !side->timer || !side->resume)
        return false;
    curl_multi_setopt(side->multi, CURLMOPT_SOCKETFUNCTION, curl_watch_socket);
    curl_multi_setopt(side->multi, CURLMOPT_SOCKETDATA, side);
    curl_multi_setopt(side->multi, CURLMOPT_TIMERFUNCTION, curl_watch_time);
    curl_multi_setopt(side->multi, CURLMOPT_TIMERDATA, all);
    curl_multi_setopt(side->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return true;
}

static void close_side(struct transfers *all)
{
    struct curl_side *side = all->curl;
    if (!side)
        return;
    for (struct fetch *next, *f = side->spare; f; f = next) {
        next = (struct fetch *)f->t.next;
        free_fetch(f);
    }
    curl_multi_cleanup(side->multi);
    curl_sockets_free(side);
    if (side->timer)
        event_free(side->timer);
    if (side->resume)
        event_free(side->resume);
    free(side);
}

/* ---- one transfer ---- */

static struct transfer *take(struct transfers *all)
{
    struct curl_side *side = all->curl;
    struct fetch *f = side->spare;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (f)
            buf_init(&f->head, TRANSFER_HEAD_MAX);
        return f ? &f->t : NULL;
    }
    side->spare = (struct fetch *)f->t.next;
    side->spare_count--;
    struct fetch fresh = {.easy = f->easy,
                          .post = f->post,
                          .ca_file = f->ca_file,
                          .url = f->url,
                          .fields = f->fields,
                          .fields_cap = f->fields_cap,
                          .head = f->head};
    *f = fresh;
    buf_clear(&f->head);
    return &f->t;
}

static bool start(struct transfer *t, const struct transfer_request *r)
{
    struct fetch *f = (struct fetch *)t;
    if (!f->easy)
        f->easy = curl_easy_init();
    f->in_multi = f->easy && curl_request(f, r) &&
                  curl_multi_add_handle(t->all->curl->multi, f->easy) == CURLM_OK;
    return f->in_multi;
}

const struct transport curl_transport = {open_side,     close_side, take, start,
                                         pause_reading, stop,       keep};
