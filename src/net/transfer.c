/*
 * libcurl's multi interface on the loop: it says which descriptors and which time it waits
 * for, and is told when they come. Transfers are kept for reuse with handles that are set up
 * but for what differs from request to request. A cancelled transfer is only marked while
 * libcurl is in a callback, and removed afterwards.
 */
#include "assay/transfer.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/tls.h"

enum { CONNECTIONS_KEPT = 2048, RECEIVE_BUFFER = 8192, SPARE_MOST = 256, WATCH_MS = 500 };

struct transfer {
    struct transfer *next, *previous;
    struct transfers *all;
    CURL *easy;
    bool in_multi;
    bool post;     /* what the handle is set up for: otherwise it is set up anew */
    char *ca_file; /* and this; NULL: the system's */
    char *url;     /* that it has now */
    struct curl_slist *fields;
    size_t fields_cap;
    struct transfer_calls calls;
    void *arg;
    struct buf head;
    bool head_given, cancelled, paused, pausing;
    unsigned first_byte_ms, idle_ms;
    uint64_t last_ms; /* of the start, or of the last byte */
    enum transfer_end late;
    struct transfer_result result;
    char words[CURL_ERROR_SIZE];
};

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

struct transfers {
    struct loop *loop;
    CURLM *multi;
    struct event *timer; /* of libcurl, which stops it as it likes */
    struct event *turn;  /* ours: something is to be done after what the loop has in hand */
    struct loop_event *watch;
    struct transfer *first, *dead;
    struct transfer *spare;
    size_t spare_count;
    struct watched *sockets; /* by descriptor */
    size_t socket_cap;
    unsigned depth; /* within libcurl, or a walk over the transfers */
    bool resuming;
};

const char *transfer_end_name(enum transfer_end end)
{
    static const char *const names[] = {"ok",           "connect", "tls",     "first_byte_timeout",
                                        "idle_timeout", "cut",     "garbage", "refused",
                                        "other"};
    return names[end];
}

/* ---- the end of a transfer ---- */

static void unlink_transfer(struct transfer *t)
{
    if (t->previous)
        t->previous->next = t->next;
    else
        t->all->first = t->next;
    if (t->next)
        t->next->previous = t->previous;
}

/* libcurl looks at neither body nor fields any more. */
static void take_out(struct transfer *t)
{
    if (t->in_multi)
        curl_multi_remove_handle(t->all->multi, t->easy);
    t->in_multi = false;
}

static void free_transfer(struct transfer *t)
{
    take_out(t);
    curl_easy_cleanup(t->easy);
    buf_free(&t->head);
    free(t->fields);
    free(t->ca_file);
    free(t->url);
    free(t);
}

static void keep_transfer(struct transfer *t)
{
    if (t->all->spare_count == SPARE_MOST) {
        free_transfer(t);
        return;
    }
    t->next = t->all->spare;
    t->all->spare = t;
    t->all->spare_count++;
}

/* Never from within libcurl. Its memory goes when nobody up the stack looks at it any more. */
static void drop(struct transfer *t)
{
    t->cancelled = true;
    take_out(t);
    unlink_transfer(t);
    t->next = t->all->dead;
    t->all->dead = t;
    event_active(t->all->turn, EV_TIMEOUT, 0);
}

static void bury(struct transfers *all)
{
    struct transfer *t = all->dead;
    all->dead = NULL;
    for (struct transfer *next; t; t = next) {
        next = t->next;
        keep_transfer(t);
    }
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

static void finish(struct transfer *t, CURLcode code)
{
    struct transfer_result *r = &t->result;
    r->end = t->late != TRANSFER_OK ? t->late : end_of(code);
    snprintf(r->why, sizeof r->why, "%s",
             t->late != TRANSFER_OK ? transfer_end_name(t->late)
             : t->words[0]          ? t->words
                                    : curl_easy_strerror(code));
    t->calls.done(t->arg, r);
    drop(t);
}

/* What is over, or was given up in the meantime. */
static void reap(struct transfers *all)
{
    CURLMsg *m;
    int left;
    if (all->depth)
        return;
    while ((m = curl_multi_info_read(all->multi, &left))) {
        char *p = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
        struct transfer *t = (struct transfer *)(void *)p;
        if (!t->cancelled)
            finish(t, code);
    }
    for (struct transfer *next, *t = all->first; t; t = next) {
        next = t->next;
        if (t->cancelled)
            drop(t);
    }
    bury(all);
}

/* ---- what libcurl hands over ---- */

static void take_certificate(struct transfer *t)
{
    struct curl_tlssessioninfo *info = NULL;
    if (curl_easy_getinfo(t->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info &&
        info->backend == CURLSSLBACKEND_OPENSSL && info->internals)
        t->result.has_certificate =
            tls_peer_digest((const SSL *)info->internals, t->result.certificate);
}

static size_t take_head(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct span line = {(const uint8_t *)p, size * n};
    if (t->cancelled)
        return 0;
    t->last_ms = loop_now_ms(t->all->loop);
    t->result.sent = true;
    if (span_starts(line, "HTTP/")) { /* an interim answer came before */
        buf_clear(&t->head);
        t->head_given = false;
    }
    if (line.n <= 2 && !t->head_given) {
        long status = 0;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200) {
            t->head_given = true;
            t->result.status = (unsigned)status;
            take_certificate(t);
            t->calls.head(t->arg, t->result.status, buf_span(&t->head));
        }
        return t->cancelled ? 0 : size * n;
    }
    if (!t->head_given) /* trailers are not passed on */
        buf_put_span(&t->head, line);
    return buf_ok(&t->head) ? size * n : 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct span bytes = {(const uint8_t *)p, size * n};
    if (t->cancelled)
        return 0;
    if (t->pausing) {
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    t->last_ms = loop_now_ms(t->all->loop);
    return t->calls.data(t->arg, bytes) && !t->cancelled ? size * n : 0;
}

/* ---- the loop ---- */

static void act(struct transfers *all, curl_socket_t fd, int what)
{
    int running;
    all->depth++;
    curl_multi_socket_action(all->multi, fd, what, &running);
    all->depth--;
    reap(all);
}

static void resume(struct transfers *all)
{
    all->resuming = false;
    all->depth++;
    for (struct transfer *t = all->first; t; t = t->next) {
        if (!t->paused || t->pausing || t->cancelled)
            continue;
        t->paused = false;
        t->last_ms = loop_now_ms(all->loop);
        curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
    all->depth--;
}

static void due(evutil_socket_t fd, short what, void *arg)
{
    struct transfers *all = arg;
    (void)fd, (void)what;
    if (all->resuming)
        resume(all);
    act(all, CURL_SOCKET_TIMEOUT, 0);
}

static struct watched *watched_of(struct transfers *all, curl_socket_t fd)
{
    size_t at = (size_t)fd, cap = all->socket_cap ? all->socket_cap : 64;
    if (fd < 0)
        return NULL;
    while (cap <= at)
        cap *= 2;
    if (cap > all->socket_cap) {
        struct watched *more = realloc(all->sockets, cap * sizeof *more);
        if (!more)
            return NULL;
        memset(more + all->socket_cap, 0, (cap - all->socket_cap) * sizeof *more);
        all->sockets = more;
        all->socket_cap = cap;
    }
    return &all->sockets[at];
}

static void forget_socket(struct watched *w)
{
    if (w->event)
        event_free(w->event);
    *w = (struct watched){.event = NULL};
}

static void ready(evutil_socket_t fd, short what, void *arg)
{
    struct transfers *all = arg;
    struct watched *w = watched_of(all, fd);
    if (w && w->event && !w->wanted) { /* closed by the other side while nothing was asked of it */
        event_del(w->event);
        w->added = false;
        return;
    }
    act(all, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static bool watch(struct transfers *all, struct watched *w, curl_socket_t fd, short kind)
{
    if (w->event && w->kind != kind) {
        event_free(w->event);
        w->event = NULL;
    }
    if (!w->event) {
        w->added = false;
        w->event = event_new(all->loop->base, fd, kind, ready, all);
    }
    w->kind = kind;
    w->wanted = true;
    w->added = w->event && (w->added || event_add(w->event, NULL) == 0);
    return w->added;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
    struct transfers *all = arg;
    struct watched *w = watched_of(all, fd);
    (void)easy, (void)own;
    if (!w)
        return -1;
    if (what != CURL_POLL_REMOVE) {
        short kind = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                             (what & CURL_POLL_OUT ? EV_WRITE : 0));
        return watch(all, w, fd, kind) ? 0 : -1;
    }
    w->wanted = false;
    if (!w->ours || (w->kind & EV_WRITE)) { /* what can be written to would wake us at once */
        bool ours = w->ours;
        forget_socket(w);
        w->ours = ours;
    }
    return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
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

static int close_socket(void *arg, curl_socket_t fd)
{
    struct watched *w = watched_of(arg, fd);
    if (w)
        forget_socket(w);
    return close(fd);
}

static int watch_time(CURLM *multi, long ms, void *arg)
{
    struct transfers *all = arg;
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    (void)multi;
    if (ms < 0)
        return event_del(all->timer);
    return event_add(all->timer, &after);
}

/* The two limits that libcurl has no option for. */
static void look_for_late(void *arg)
{
    struct transfers *all = arg;
    uint64_t now = loop_now_ms(all->loop);
    all->depth++;
    for (struct transfer *next, *t = all->first; t; t = next) {
        unsigned limit = t->result.sent ? t->idle_ms : t->first_byte_ms;
        next = t->next;
        if (t->paused || t->cancelled || !limit || now - t->last_ms < limit)
            continue;
        t->late = t->result.sent ? TRANSFER_IDLE : TRANSFER_FIRST_BYTE;
        finish(t, CURLE_OPERATION_TIMEDOUT);
    }
    all->depth--;
    reap(all);
}

bool transfers_open(struct transfers **out, struct loop *l, struct err *e)
{
    struct transfers *all = calloc(1, sizeof *all);
    *out = NULL;
    if (!all || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(all);
        return err_set(e, ERR_MEMORY, "the HTTP client cannot start");
    }
    all->loop = l;
    all->multi = curl_multi_init();
    all->timer = event_new(l->base, -1, 0, due, all);
    all->turn = event_new(l->base, -1, 0, due, all);
    all->watch = loop_every(l, WATCH_MS, look_for_late, all);
    if (!all->multi || !all->timer || !all->turn || !all->watch) {
        transfers_close(all);
        return err_set(e, ERR_MEMORY, "out of memory for the HTTP client");
    }
    curl_multi_setopt(all->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(all->multi, CURLMOPT_SOCKETDATA, all);
    curl_multi_setopt(all->multi, CURLMOPT_TIMERFUNCTION, watch_time);
    curl_multi_setopt(all->multi, CURLMOPT_TIMERDATA, all);
    curl_multi_setopt(all->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    *out = all;
    return true;
}

void transfers_close(struct transfers *all)
{
    if (!all)
        return;
    for (struct transfer *next, *t = all->first; t; t = next) {
        next = t->next;
        free_transfer(t);
    }
    bury(all);
    for (struct transfer *next, *t = all->spare; t; t = next) {
        next = t->next;
        free_transfer(t);
    }
    curl_multi_cleanup(all->multi);
    for (size_t i = 0; i < all->socket_cap; i++)
        forget_socket(&all->sockets[i]);
    free(all->sockets);
    if (all->timer)
        event_free(all->timer);
    if (all->turn)
        event_free(all->turn);
    loop_event_free(all->watch);
    free(all);
}

/* ---- one transfer ---- */

/* False: the handle cannot be used. */
#define SET(option, value) (ok = ok && curl_easy_setopt(c, option, value) == CURLE_OK)

/* What is the same for all requests of this kind to servers judged by this file. */
static bool set_up(struct transfer *t, const struct transfer_request *r)
{
    CURL *c = t->easy;
    bool ok = true;
    free(t->url);
    free(t->ca_file);
    t->url = NULL;
    t->ca_file = r->ca_file ? strdup(r->ca_file) : NULL;
    t->post = r->post;
    curl_easy_reset(c);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_PRIVATE, (char *)t);
    SET(CURLOPT_HEADERFUNCTION, take_head);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_ERRORBUFFER, t->words);
    SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t->all);
    SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, t->all);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (r->ca_file)
        SET(CURLOPT_CAINFO, r->ca_file);
    if (r->post)
        SET(CURLOPT_POST, 1L);
    return ok && (!r->ca_file || t->ca_file);
}

static bool set_request(struct transfer *t, const struct transfer_request *r)
{
    CURL *c = t->easy;
    bool ok = true;
    if (!t->url || strcmp(t->url, r->url) != 0) {
        free(t->url);
        t->url = strdup(r->url);
        ok = t->url != NULL;
        SET(CURLOPT_URL, r->url);
    }
    SET(CURLOPT_HTTPHEADER, t->fields);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    if (r->post) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        SET(CURLOPT_POSTFIELDS, r->body.n ? (const char *)r->body.p : "");
    }
    return ok;
}
#undef SET

static bool is_set_up(const struct transfer *t, const struct transfer_request *r)
{
    bool same_ca =
        t->ca_file && r->ca_file ? strcmp(t->ca_file, r->ca_file) == 0 : t->ca_file == r->ca_file;
    return t->url && t->post == r->post && same_ca;
}

/* A list over the caller's lines: libcurl only reads it. */
static bool list_fields(struct transfer *t, const char *const *fields)
{
    size_t n = 0;
    while (fields[n])
        n++;
    if (n > t->fields_cap) {
        struct curl_slist *more = realloc(t->fields, n * sizeof *more);
        if (!more)
            return false;
        t->fields = more;
        t->fields_cap = n;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&t->fields[i].data, &fields[i], sizeof fields[i]); /* which has no const */
        t->fields[i].next = i + 1 < n ? &t->fields[i + 1] : NULL;
    }
    return true;
}

static struct transfer *take_spare(struct transfers *all)
{
    struct transfer *t = all->spare;
    if (!t) {
        t = calloc(1, sizeof *t);
        if (t)
            buf_init(&t->head, TRANSFER_HEAD_MAX);
        return t;
    }
    all->spare = t->next;
    all->spare_count--;
    struct transfer fresh = {.easy = t->easy,
                             .post = t->post,
                             .ca_file = t->ca_file,
                             .url = t->url,
                             .fields = t->fields,
                             .fields_cap = t->fields_cap,
                             .head = t->head};
    *t = fresh;
    buf_clear(&t->head);
    return t;
}

bool transfer_start(struct transfer **out, struct transfers *all, const struct transfer_request *r,
                    const struct transfer_calls *calls, void *arg, struct err *e)
{
    struct transfer *t = take_spare(all);
    *out = NULL;
    if (!t)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    t->all = all;
    t->calls = *calls;
    t->arg = arg;
    t->first_byte_ms = r->first_byte_ms;
    t->idle_ms = r->idle_ms;
    t->last_ms = loop_now_ms(all->loop);
    if (!t->easy)
        t->easy = curl_easy_init();
    bool ok = t->easy && list_fields(t, r->fields) && (is_set_up(t, r) || set_up(t, r)) &&
              set_request(t, r) && curl_multi_add_handle(all->multi, t->easy) == CURLM_OK;
    if (!ok) {
        free_transfer(t);
        return err_set(e, ERR_MEMORY, "out of memory for a request, or its URL is none");
    }
    t->in_multi = true;
    t->next = all->first;
    if (t->next)
        t->next->previous = t;
    all->first = t;
    *out = t;
    return true;
}

void transfer_cancel(struct transfer *t)
{
    t->cancelled = true;
    if (!t->all->depth)
        drop(t);
}

/* Going on calls data() from within libcurl, so it waits for the next turn of the loop. */
void transfer_pause(struct transfer *t, bool pause)
{
    t->pausing = pause;
    if (pause || !t->paused)
        return;
    t->all->resuming = true;
    event_active(t->all->turn, EV_TIMEOUT, 0);
}
