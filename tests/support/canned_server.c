/* One thread, blocking sockets, five seconds of patience. */
#include "support/canned_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWERS_MAX = 8, REQUEST_MAX = 1 << 20, PATIENCE_MS = 5000 };

struct canned_server {
    const struct canned *answers;
    size_t count;
    struct buf requests[ANSWERS_MAX];
    pthread_t thread;
    bool joined;
    int listener, stop;
    char url[64];
};

static void demand(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

/* False when the server is stopped or nothing happens in time. */
static bool wait_for(const struct canned_server *s, int fd, int ms)
{
    struct pollfd p[2] = {{s->stop, POLLIN, 0}, {fd, POLLIN, 0}};
    return poll(p, fd < 0 ? 1 : 2, ms) > 0 && !p[0].revents;
}

/* The header fields and as many bytes as Content-Length says. */
static bool whole(struct buf *b)
{
    const char *text = buf_cstr(b), *end = strstr(text, "\r\n\r\n");
    if (!end)
        return false;
    const char *length = strstr(text, "Content-Length: ");
    size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return b->n >= (size_t)(end - text) + 4 + body;
}

static void answer(struct canned_server *s, int fd, size_t i)
{
    char block[4096];
    const struct canned *a = &s->answers[i];
    while (!whole(&s->requests[i]) && wait_for(s, fd, PATIENCE_MS)) {
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n <= 0)
            return;
        buf_put(&s->requests[i], block, (size_t)n);
    }
    if (a->delay_ms)
        wait_for(s, -1, (int)a->delay_ms);
    bool ok = true;
    for (unsigned k = 0; ok && k <= a->repeat; k++)
        ok = send(fd, a->answer.p, a->answer.n, MSG_NOSIGNAL) == (ssize_t)a->answer.n;
}

static void *serve(void *arg)
{
    struct canned_server *s = arg;
    for (size_t i = 0; i < s->count && wait_for(s, s->listener, PATIENCE_MS); i++) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            break;
        answer(s, fd, i);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

struct canned_server *canned_start(const struct canned *answers, size_t count)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    struct canned_server *s = calloc(1, sizeof *s);
    demand(s && count <= ANSWERS_MAX, "canned server");
    s->answers = answers;
    s->count = count;
    for (size_t i = 0; i < count; i++)
        buf_init(&s->requests[i], REQUEST_MAX);
    s->stop = eventfd(0, EFD_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    demand(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&at, size) == 0 &&
               listen(s->listener, ANSWERS_MAX) == 0 &&
               getsockname(s->listener, (struct sockaddr *)&at, &size) == 0,
           "canned server: listen");
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(at.sin_port));
    demand(pthread_create(&s->thread, NULL, serve, s) == 0, "canned server: thread");
    return s;
}

const char *canned_url(const struct canned_server *s)
{
    return s->url;
}

static void join(struct canned_server *s)
{
    if (!s->joined)
        pthread_join(s->thread, NULL);
    s->joined = true;
}

struct span canned_request(struct canned_server *s, size_t i)
{
    join(s);
    return buf_span(&s->requests[i]);
}

void canned_stop(struct canned_server *s)
{
    uint64_t one = 1;
    demand(write(s->stop, &one, sizeof one) == sizeof one, "canned server: stop");
    join(s);
    for (size_t i = 0; i < s->count; i++)
        buf_free(&s->requests[i]);
    close(s->listener);
    close(s->stop);
    free(s);
}
