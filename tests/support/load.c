/* Answers are told from each other by their Content-Length; streams end with the last chunk. */
#include "support/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assay/base/clock.h"

enum { BLOCK = 65536, SAMPLES = 1 << 21, HEAD_ROOM = 4096, TAIL = 8 };

struct client {
    int fd;
    bool busy, done;
    uint64_t due_ns, free_ns; /* free: since when it waits for its next request */
    char head[HEAD_ROOM];
    size_t head_n;
    size_t left; /* of the body */
    bool in_body;
    char tail[TAIL + 1];
    size_t events;
};

static uint64_t now_ns(void)
{
    return clock_monotonic();
}

static void fail(const char *what)
{
    perror(what);
    abort();
}

static void connect_to(struct client *c, unsigned port, int epoll)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0)
        fail("load: connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        fail("load: epoll");
}

static void ask(struct client *c, const char *request, size_t n, uint64_t due)
{
    c->busy = true;
    c->due_ns = due;
    c->head_n = 0;
    c->in_body = false;
    if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        fail("load: send");
}

/* True when the answer is whole; *ok: and its status is 200. */
static bool take(struct client *c, const char *p, size_t n, bool *ok)
{
    if (!c->in_body) {
        size_t room = HEAD_ROOM - 1 - c->head_n, part = n < room ? n : room;
        memcpy(c->head + c->head_n, p, part);
        c->head_n += part;
        c->head[c->head_n] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        const char *length = strstr(c->head, "Content-Length: ");
        if (!end)
            return false;
        size_t head = (size_t)(end - c->head) + 4;
        c->in_body = true;
        c->left = length ? strtoul(length + 16, NULL, 10) : 0;
        *ok = strncmp(c->head + 9, "200", 3) == 0;
        n -= head - (c->head_n - part);
    }
    c->left -= n < c->left ? n : c->left;
    return c->left == 0;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sleeps until something came or the next request is due: whoever spins here would keep the
 * upstream, which shares the core, from answering. */
static int wait_for(int epoll, struct epoll_event *ready, int most, bool due, double ns)
{
    struct timespec until = {0, 100000000};
    if (due)
        until = (struct timespec){(time_t)(ns / 1e9), ns > 0 ? (long)fmod(ns, 1e9) : 0};
    return epoll_pwait2(epoll, ready, most, &until, NULL);
}

void load_run(const struct load *l, struct load_result *out)
{
    static float sample[SAMPLES], late[SAMPLES];
    struct client *clients = calloc(l->connections, sizeof *clients);
    struct epoll_event ready[256];
    char block[BLOCK];
    size_t n = strlen(l->request), count = 0, asked = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    double gap = l->rate > 0 ? 1e9 / l->rate : 0;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < l->connections; i++)
        connect_to(&clients[i], l->port, epoll);
    uint64_t start = now_ns(), end = start + (uint64_t)(l->seconds * 1e9);
    double due = (double)start;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    for (unsigned i = 0; l->rate <= 0 && i < l->connections; i++)
        ask(&clients[i], l->request, n, now_ns());
    for (uint64_t now = start; now < end; now = now_ns()) {
        for (unsigned i = 0; l->rate > 0 && due <= (double)now && i < l->connections; i++)
            if (!clients[i].busy) {
                uint64_t could =
                    clients[i].free_ns > (uint64_t)due ? clients[i].free_ns : (uint64_t)due;
                if (asked < SAMPLES)
                    late[asked++] = (float)(now - could) / 1e6f;
                ask(&clients[i], l->request, n, (uint64_t)due);
                due += gap;
            }
        bool idle = false; /* somebody can ask when it is time */
        for (unsigned i = 0; i < l->connections; i++)
            idle = idle || !clients[i].busy;
        int r = wait_for(epoll, ready, 256, l->rate > 0 && idle, due - (double)now_ns());
        for (int i = 0; i < r; i++) {
            struct client *c = ready[i].data.ptr;
            ssize_t got = recv(c->fd, block, BLOCK, 0);
            bool ok = true;
            if (got <= 0)
                fail("load: the server closed a connection");
            if (!take(c, block, (size_t)got, &ok))
                continue;
            uint64_t at = now_ns();
            out->failures += strncmp(c->head + 9, "200", 3) != 0;
            if (count < SAMPLES)
                sample[count++] = (float)(at - c->due_ns) / 1e6f;
            c->busy = false;
            c->free_ns = at;
            if (l->rate <= 0)
                ask(c, l->request, n, at);
        }
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    qsort(sample, count, sizeof *sample, by_size);
    out->answers = count;
    out->rate = (double)count / seconds;
    out->p50_ms = count ? (double)sample[count / 2] : 0;
    out->p99_ms = count ? (double)sample[count - 1 - count / 100] : 0;
    qsort(late, asked, sizeof *late, by_size);
    out->late_p99_ms = asked ? (double)late[asked - 1 - asked / 100] : 0;
    for (unsigned i = 0; i < l->connections; i++)
        close(clients[i].fd);
    close(epoll);
    free(clients);
}

/* ---- streams ---- */

/* Events begin with "data: "; one that is cut by a read is found in what is kept of it. */
static void count_events(struct client *c, const char *p, size_t n)
{
    char joined[BLOCK + TAIL + 1];
    size_t kept = strlen(c->tail);
    memcpy(joined, c->tail, kept);
    memcpy(joined + kept, p, n);
    n += kept;
    joined[n] = '\0';
    for (const char *at = joined; (at = strstr(at, "data: {")); at += 7)
        c->events++;
    c->done = c->done || strstr(joined, "\r\n0\r\n\r\n") != NULL;
    size_t keep = n < 6 ? n : 6;
    memcpy(c->tail, joined + n - keep, keep);
    c->tail[keep] = '\0';
}

void load_streams(const struct load *l, struct streams_result *out, void (*halfway)(void *arg),
                  void *arg)
{
    struct client *clients = calloc(l->connections, sizeof *clients);
    struct epoll_event ready[256];
    static char block[BLOCK];
    size_t n = strlen(l->request), open = l->connections;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t start = now_ns(), half = start + (uint64_t)(l->seconds * 5e8);
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < l->connections; i++) {
        connect_to(&clients[i], l->port, epoll);
        ask(&clients[i], l->request, n, now_ns());
    }
    while (open && now_ns() - start < (uint64_t)(l->seconds * 4e9)) {
        if (halfway && now_ns() > half) {
            halfway(arg);
            halfway = NULL;
        }
        int r = epoll_wait(epoll, ready, 256, 50);
        for (int i = 0; i < r; i++) {
            struct client *c = ready[i].data.ptr;
            ssize_t got = recv(c->fd, block, BLOCK - 1, 0);
            if (got > 0)
                count_events(c, block, (size_t)got);
            if (got > 0 && !c->done)
                continue;
            out->failures += !c->done;
            close(c->fd);
            open--;
        }
    }
    out->seconds = (double)(now_ns() - start) / 1e9;
    for (unsigned i = 0; i < l->connections; i++) {
        out->whole += clients[i].done;
        out->events += clients[i].events;
    }
    close(epoll);
    free(clients);
}
