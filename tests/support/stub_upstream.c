/* One thread on epoll; answers are written as they are, good or bad. */
#include "support/stub_upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assay/base/clock.h"

enum { OUT_MAX = 32 << 20, IN_MAX = 64 << 20, BIG = 10 << 20, WIDE = 1 << 20, TICK_MS = 5 };

struct peer {
    struct peer *next, *previous;
    int fd;
    struct buf in, out;
    size_t at; /* of out: written so far */
    unsigned events, interval;
    uint64_t next_ms;
    unsigned number; /* of the next event */
    unsigned asked;  /* on this connection */
    size_t step;     /* bytes written at once; 0: as many as fit */
    bool streaming, close_after, deaf, reset;
    bool usage; /* include_usage was asked for */
};

struct stub_upstream {
    pthread_t thread;
    pthread_mutex_t lock;
    struct buf last;
    atomic_uint requests, aborts;
    atomic_bool stop;
    int listener, epoll;
    unsigned port;
    bool recording;
    struct peer *first;
};

static const char completion[] =
    "{\"id\":\"chatcmpl-8f14e45fceea167a5a36dedd4bea2543\",\"object\":\"chat.completion\","
    "\"created\":1795471200,\"model\":\"stub-1\",\"system_fingerprint\":\"fp_44709d6fcb\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The capital of "
    "France is Paris. It lies on the Seine, in the north of the country, and has been its capital, "
    "with interruptions, since the tenth century.\",\"refusal\":null},\"logprobs\":null,"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":32,"
    "\"total_tokens\":46,\"prompt_tokens_details\":{\"cached_tokens\":3}}}";

static uint64_t now_ms(void)
{
    return clock_monotonic() / 1000000;
}

static void drop(struct stub_upstream *s, struct peer *p)
{
    struct linger at_once = {1, 0};
    if (p->reset)
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, p->fd, NULL);
    close(p->fd);
    if (p->previous)
        p->previous->next = p->next;
    else
        s->first = p->next;
    if (p->next)
        p->next->previous = p->previous;
    buf_free(&p->in);
    buf_free(&p->out);
    free(p);
}

/* ---- answers ---- */

static void put_head(struct peer *p, unsigned status, const char *type, size_t length)
{
    buf_printf(&p->out,
               "HTTP/1.1 %u Stub\r\nContent-Type: %s\r\nX-Request-Id: req-1\r\n"
               "Content-Length: %zu\r\n\r\n",
               status, type, length);
}

static void put_json(struct peer *p, unsigned status, const char *json)
{
    put_head(p, status, "application/json", strlen(json));
    buf_put_str(&p->out, json);
}

static void put_chunk(struct peer *p, const char *text)
{
    buf_printf(&p->out, "%zx\r\n%s\r\n", strlen(text), text);
}

static void begin_stream(struct peer *p)
{
    buf_put_str(&p->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                         "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void put_event(struct peer *p)
{
    char text[512];
    snprintf(text, sizeof text,
             "data: {\"id\":\"chatcmpl-stream\",\"object\":\"chat.completion.chunk\","
             "\"created\":1795471200,\"model\":\"stub-1\",\"choices\":[{\"index\":0,\"delta\":{"
             "\"content\":\"w\xC3\xB6rd%u \"},\"finish_reason\":null}]}\n\n",
             p->number++);
    put_chunk(p, text);
}

static void end_stream(struct peer *p)
{
    put_chunk(p, "data: {\"id\":\"chatcmpl-stream\",\"object\":\"chat.completion.chunk\","
                 "\"model\":\"stub-1\",\"choices\":[{\"index\":0,\"delta\":{},"
                 "\"finish_reason\":\"stop\"}]}\n\n");
    if (p->usage)
        put_chunk(p, "data: {\"id\":\"chatcmpl-stream\",\"object\":\"chat.completion.chunk\","
                     "\"model\":\"stub-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":21,"
                     "\"completion_tokens\":8,\"total_tokens\":29}}\n\n");
    put_chunk(p, "data: [DONE]\n\n");
    buf_put_str(&p->out, "0\r\n\r\n");
    p->streaming = false;
}

static void whole_stream(struct peer *p, unsigned events)
{
    begin_stream(p);
    for (unsigned i = 0; i < events; i++)
        put_event(p);
    end_stream(p);
}

/* One event that is larger than what limits allow. */
static void wide_stream(struct peer *p)
{
    static const char begin[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
                      end[] = "\"}}]}\n\n";
    begin_stream(p);
    put_event(p);
    buf_printf(&p->out, "%zx\r\n%s", sizeof begin - 1 + WIDE + sizeof end - 1, begin);
    for (size_t i = 0; i < WIDE; i++)
        buf_put_u8(&p->out, 'a');
    buf_printf(&p->out, "%s\r\n", end);
    end_stream(p);
}

static void responses_stream(struct peer *p)
{
    begin_stream(p);
    put_chunk(p, "event: response.created\ndata: {\"type\":\"response.created\","
                 "\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":\"response\","
                 "\"status\":\"in_progress\",\"model\":\"stub-1\",\"output\":[]}}\n\n");
    put_chunk(p,
              "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
              "\"sequence_number\":1,\"item_id\":\"msg_1\",\"output_index\":0,"
              "\"content_index\":0,\"delta\":\"Paris.\",\"logprobs\":[]}\n\n");
    put_chunk(p, "event: response.completed\ndata: {\"type\":\"response.completed\","
                 "\"sequence_number\":2,\"response\":{\"id\":\"resp_1\",\"object\":\"response\","
                 "\"status\":\"completed\",\"model\":\"stub-1\",\"output\":[],\"usage\":{"
                 "\"input_tokens\":9,\"output_tokens\":2,\"total_tokens\":11}}}\n\n");
    buf_put_str(&p->out, "0\r\n\r\n");
}

static void messages_stream(struct peer *p)
{
    begin_stream(p);
    put_chunk(p, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
                 "\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":"
                 "\"stub-1\",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
                 "\"input_tokens\":11,\"output_tokens\":1}}}\n\n");
    put_chunk(p, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                 "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
    put_chunk(p, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                 "\"delta\":{\"type\":\"text_delta\",\"text\":\"Paris.\"}}\n\n");
    put_chunk(p,
              "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
    put_chunk(p, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
                 "\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{"
                 "\"output_tokens\":5}}\n\n");
    put_chunk(p, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    buf_put_str(&p->out, "0\r\n\r\n");
}

static void put_big(struct peer *p)
{
    static const char begin[] = "{\"id\":\"chatcmpl-big\",\"model\":\"stub-1\",\"x\":\"",
                      end[] = "\"}";
    put_head(p, 200, "application/json", sizeof begin - 1 + BIG + sizeof end - 1);
    buf_put_str(&p->out, begin);
    for (size_t i = 0; i < BIG; i++)
        buf_put_u8(&p->out, (uint8_t)('a' + i % 26));
    buf_put_str(&p->out, end);
}

static void put_messages(struct peer *p)
{
    put_json(p, 200,
             "{\"id\":\"msg_2\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"stub-1\","
             "\"content\":[{\"type\":\"text\",\"text\":\"Paris.\"}],\"stop_reason\":\"end_turn\","
             "\"stop_sequence\":null,\"usage\":{\"input_tokens\":11,\"output_tokens\":5}}");
}

static void put_responses(struct peer *p)
{
    put_json(
        p, 200,
        "{\"id\":\"resp_2\",\"object\":\"response\",\"created_at\":1795471200,\"status\":"
        "\"completed\",\"model\":\"stub-1\",\"output\":[{\"type\":\"message\",\"id\":\"msg_1\","
        "\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"output_text\",\"text\":\"Paris.\",\"annotations\":[]}]}],\"parallel_tool_calls\":"
        "true,\"tool_choice\":\"auto\",\"tools\":[],\"usage\":{\"input_tokens\":9,"
        "\"output_tokens\":2,\"total_tokens\":11}}");
}

/* ---- what the model's name asks for ---- */

static bool path_has(const struct peer *p, const char *what)
{
    const void *end = memchr(p->in.p, '\r', p->in.n);
    return end && memmem(p->in.p, (size_t)((const uint8_t *)end - p->in.p), what, strlen(what));
}

static void model_of(const struct peer *p, char *out, size_t size)
{
    static const char key[] = "\"model\":";
    const uint8_t *at = memmem(p->in.p, p->in.n, key, sizeof key - 1), *end = p->in.p + p->in.n;
    size_t n = 0;
    out[0] = '\0';
    if (!at)
        return;
    at += sizeof key - 1;
    while (at < end && *at != '"')
        at++;
    for (at++; at < end && *at != '"' && n < size - 1; at++)
        out[n++] = (char)*at;
    out[n] = '\0';
}

static void good(struct peer *p)
{
    if (path_has(p, "GET ") && path_has(p, "/models"))
        put_json(p, 200,
                 "{\"object\":\"list\",\"data\":[{\"id\":\"stub-1\",\"object\":\"model\"},"
                 "{\"id\":\"stub-2\",\"object\":\"model\"}]}");
    else if (path_has(p, "/messages"))
        put_messages(p);
    else if (path_has(p, "/responses"))
        put_responses(p);
    else if (path_has(p, "/embeddings"))
        put_json(p, 200,
                 "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
                 "\"embedding\":[0.25,-0.5]}],\"model\":\"stub-1\",\"usage\":{\"prompt_tokens\":2,"
                 "\"total_tokens\":2}}");
    else if (path_has(p, "/completions") && !path_has(p, "/chat/"))
        put_json(p, 200,
                 "{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1795471200,"
                 "\"model\":\"stub-1\",\"choices\":[{\"text\":\" Paris.\",\"index\":0,"
                 "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
                 "\"completion_tokens\":2,\"total_tokens\":7}}");
    else
        put_json(p, 200, completion);
}

static bool bad_connection(struct peer *p, const char *model)
{
    if (strcmp(model, "reset") == 0)
        p->reset = p->close_after = true;
    else if (strcmp(model, "early") == 0 || (strcmp(model, "once") == 0 && p->asked > 1))
        p->close_after = true;
    else if (strcmp(model, "stall") == 0)
        p->deaf = true;
    else
        return false;
    return true;
}

static bool bad_answer(struct peer *p, const char *model)
{
    unsigned status = (unsigned)strtoul(model, NULL, 10);
    if (strcmp(model, "garbage") == 0)
        buf_put_str(&p->out, "\x16\x03\x01 this is no HTTP at all\r\n\r\n");
    else if (strcmp(model, "short") == 0)
        buf_put_str(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":\"x\",");
    else if (strcmp(model, "stall-head") == 0)
        buf_put_str(&p->out, "HTTP/1.1 200 OK\r\nContent-Len");
    else if (strcmp(model, "stall-body") == 0)
        buf_put_str(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":\"x\",");
    else if (status >= 400)
        put_json(p, status, "{\"error\":{\"message\":\"stub\",\"type\":\"server_error\"}}");
    else
        return false;
    p->close_after = strcmp(model, "garbage") == 0 || strcmp(model, "short") == 0;
    p->deaf = strncmp(model, "stall", 5) == 0;
    return true;
}

static bool streams(struct peer *p, const char *model)
{
    char *rest;
    if (strncmp(model, "stream-", 7) == 0) {
        whole_stream(p, (unsigned)strtoul(model + 7, NULL, 10));
    } else if (strncmp(model, "slow-", 5) == 0) {
        begin_stream(p);
        p->events = (unsigned)strtoul(model + 5, &rest, 10);
        p->interval = *rest ? (unsigned)strtoul(rest + 1, NULL, 10) : 50;
        p->next_ms = now_ms();
        p->streaming = true;
    } else if (strcmp(model, "split") == 0) {
        whole_stream(p, 3);
        p->step = 1;
    } else if (strcmp(model, "noend") == 0) {
        begin_stream(p);
        put_event(p);
        buf_put_str(&p->out, "0\r\n\r\n");
    } else if (strcmp(model, "cut") == 0) {
        begin_stream(p);
        put_event(p);
        put_event(p);
        p->close_after = true;
    } else if (strcmp(model, "wide") == 0) {
        wide_stream(p);
    } else if (strcmp(model, "responses") == 0) {
        responses_stream(p);
    } else if (strcmp(model, "messages") == 0) {
        messages_stream(p);
    } else {
        return false;
    }
    return true;
}

static void answer(struct stub_upstream *s, struct peer *p, size_t n)
{
    static const char asks[] = "\"include_usage\":true";
    char model[64];
    model_of(p, model, sizeof model);
    p->usage = memmem(p->in.p, n, asks, sizeof asks - 1) != NULL;
    if (s->recording) {
        pthread_mutex_lock(&s->lock);
        buf_clear(&s->last);
        buf_put(&s->last, p->in.p, n);
        pthread_mutex_unlock(&s->lock);
    }
    atomic_fetch_add(&s->requests, 1);
    p->number = 0;
    p->step = 0;
    p->asked++;
    if (bad_connection(p, model) || bad_answer(p, model) || streams(p, model))
        return;
    if (strcmp(model, "big") == 0)
        put_big(p);
    else
        good(p);
}

/* ---- the loop ---- */

/* Length of the whole request at the beginning of `in`; 0: more is needed. */
static size_t whole(const struct buf *in)
{
    static const char name[] = "ontent-Length: ";
    const uint8_t *end = memmem(in->p, in->n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - in->p) + 4;
    const uint8_t *length = memmem(in->p, head, name, sizeof name - 1);
    size_t n = head;
    if (length)
        n += strtoul((const char *)length + sizeof name - 1, NULL, 10);
    return in->n >= n ? n : 0;
}

/* False: the peer is gone. */
static bool flush(struct stub_upstream *s, struct peer *p)
{
    while (p->at < p->out.n) {
        size_t n = p->out.n - p->at;
        if (p->step && n > p->step)
            n = p->step;
        ssize_t done = send(p->fd, p->out.p + p->at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno == EAGAIN)
            return true;
        if (done < 0) {
            atomic_fetch_add(&s->aborts, 1);
            drop(s, p);
            return false;
        }
        p->at += (size_t)done;
    }
    buf_clear(&p->out);
    p->at = 0;
    if (p->close_after) {
        drop(s, p);
        return false;
    }
    return true;
}

static void take(struct stub_upstream *s, struct peer *p)
{
    static uint8_t block[65536];
    ssize_t n = recv(p->fd, block, sizeof block, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (p->streaming || p->deaf || p->at < p->out.n)
            atomic_fetch_add(&s->aborts, 1);
        drop(s, p);
        return;
    }
    buf_put(&p->in, block, (size_t)n);
    for (size_t length; !p->deaf && !p->streaming && (length = whole(&p->in));) {
        answer(s, p, length);
        memmove(p->in.p, p->in.p + length, p->in.n - length);
        p->in.n -= length;
        if (!flush(s, p))
            return;
    }
}

static void tick(struct stub_upstream *s)
{
    uint64_t now = now_ms();
    for (struct peer *next, *p = s->first; p; p = next) {
        next = p->next;
        while (p->streaming && p->next_ms <= now) {
            if (p->events == 0) {
                end_stream(p);
                break;
            }
            p->events--;
            put_event(p);
            p->next_ms += p->interval;
        }
        if (p->out.n)
            flush(s, p);
    }
}

static void accept_all(struct stub_upstream *s)
{
    int fd, on = 1;
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *p = calloc(1, sizeof *p);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
        if (!p)
            abort();
        p->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        buf_init(&p->in, IN_MAX);
        buf_init(&p->out, OUT_MAX);
        p->next = s->first;
        if (p->next)
            p->next->previous = p;
        s->first = p;
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

static void *serve(void *arg)
{
    struct stub_upstream *s = arg;
    struct epoll_event ready[256];
    uint64_t ticked = now_ms();
    while (!atomic_load(&s->stop)) {
        int n = epoll_wait(s->epoll, ready, 256, TICK_MS);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr)
                take(s, ready[i].data.ptr);
            else
                accept_all(s);
        }
        if (now_ms() - ticked >= TICK_MS) {
            tick(s);
            ticked = now_ms();
        }
    }
    return NULL;
}

static struct stub_upstream *make(unsigned port)
{
    struct stub_upstream *s = calloc(1, sizeof *s);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    socklen_t n = sizeof a;
    struct epoll_event e = {.events = EPOLLIN};
    int on = 1;
    if (!s)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    buf_init(&s->last, IN_MAX);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s->listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(s->listener, 4096) != 0) {
        perror("stub_upstream");
        abort();
    }
    getsockname(s->listener, (struct sockaddr *)&a, &n);
    s->port = ntohs(a.sin_port);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e);
    return s;
}

struct stub_upstream *stub_start(void)
{
    struct stub_upstream *s = make(0);
    s->recording = true;
    if (pthread_create(&s->thread, NULL, serve, s) != 0)
        abort();
    return s;
}

void stub_serve(unsigned port)
{
    serve(make(port));
}

void stub_stop(struct stub_upstream *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    while (s->first)
        drop(s, s->first);
    close(s->listener);
    close(s->epoll);
    pthread_mutex_destroy(&s->lock);
    buf_free(&s->last);
    free(s);
}

unsigned stub_port(const struct stub_upstream *s)
{
    return s->port;
}

unsigned stub_requests(struct stub_upstream *s)
{
    return atomic_load(&s->requests);
}

unsigned stub_aborts(struct stub_upstream *s)
{
    return atomic_load(&s->aborts);
}

void stub_last(struct stub_upstream *s, struct buf *out)
{
    pthread_mutex_lock(&s->lock);
    buf_put_span(out, buf_span(&s->last));
    pthread_mutex_unlock(&s->lock);
}
