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

enum { CONNECTIONS_KEPT = 2048, RECEIVE_BUFFER = 8192, SWITCHING = 101 };

struct fetch {
    struct transfer t;
    CURL *easy;
    bool in_multi;
    bool post;     /* what the handle is set up for: otherwise it is set up anew */
    char *ca_file; /* and this; NULL: the system's */
    char *url;     /* that it has now */
    struct curl_slist *fields;
    size_t fields_cap;
    struct buf head;
    bool head_given, held; /* held: libcurl has octets for us until it may go on */
    bool asked, stale;     /* the request went out; it would have gone out twice */
    struct err unsound;    /* why its head is none */
    char words[CURL_ERROR_SIZE];
};

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

static size_t take_head(char *p, size_t size, size_t n, void *arg)
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

static size_t take_body(char *p, size_t size, size_t n, void *arg)
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
static int may_go_out(void *arg, char *to, char *from, int to_port, int from_port)
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

/* False: the handle cannot be used. */
#define SET(option, value) (ok = ok && curl_easy_setopt(c, option, value) == CURLE_OK)

/* What is the same for all requests of this kind to servers judged by this file. */
static bool set_up(struct fetch *f, const struct transfer_request *r)
{
    CURL *c = f->easy;
    bool ok = true;
    free(f->url);
    free(f->ca_file);
    f->url = NULL;
    f->ca_file = r->ca_file ? strdup(r->ca_file) : NULL;
    f->post = r->post;
    curl_easy_reset(c);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_PRIVATE, (char *)f);
    SET(CURLOPT_HEADERFUNCTION, take_head);
    SET(CURLOPT_HEADERDATA, f);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, f);
    SET(CURLOPT_ERRORBUFFER, f->words);
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, curl_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, f->t.all->curl);
    SET(CURLOPT_CLOSESOCKETFUNCTION, curl_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, f->t.all->curl);
    SET(CURLOPT_PREREQFUNCTION, may_go_out);
    SET(CURLOPT_PREREQDATA, f);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (r->ca_file)
        SET(CURLOPT_CAINFO, r->ca_file);
    if (r->post)
        SET(CURLOPT_POST, 1L);
    return ok && (!r->ca_file || f->ca_file);
}

static bool set_request(struct fetch *f, const struct transfer_request *r)
{
    CURL *c = f->easy;
    bool ok = true;
    if (!f->url || strcmp(f->url, r->url) != 0) {
        free(f->url);
        f->url = strdup(r->url);
        ok = f->url != NULL;
        SET(CURLOPT_URL, r->url);
    }
    SET(CURLOPT_HTTPHEADER, f->fields);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    SET(CURLOPT_FRESH_CONNECT, r->fresh ? 1L : 0L);
    if (r->post) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        SET(CURLOPT_POSTFIELDS, r->body.n ? (const char *)r->body.p : "");
    }
    return ok;
}

#undef SET

static bool is_set_up(const struct fetch *f, const struct transfer_request *r)
{
    bool same_ca =
        f->ca_file && r->ca_file ? strcmp(f->ca_file, r->ca_file) == 0 : f->ca_file == r->ca_file;
    return f->url && f->post == r->post && same_ca;
}

/* A list over the caller's lines: libcurl only reads it. */
static bool list_fields(struct fetch *f, const char *const *fields)
{
    size_t n = 0;
    while (fields[n])
        n++;
    if (n > f->fields_cap) {
        struct curl_slist *more = realloc(f->fields, n * sizeof *more);
        if (!more)
            return false;
        f->fields = more;
        f->fields_cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&f->fields[i].data, &fields[i], sizeof fields[i]); /* which has no const */
        f->fields[i].next = i + 1 < n ? &f->fields[i + 1] : NULL;
    }
    return true;
}

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
    f->in_multi = f->easy && list_fields(f, r->fields) && (is_set_up(f, r) || set_up(f, r)) &&
                  set_request(f, r) &&
                  curl_multi_add_handle(t->all->curl->multi, f->easy) == CURLM_OK;
    return f->in_multi;
}

const struct transport curl_transport = {open_side,     close_side, take, start,
                                         pause_reading, stop,       keep};
