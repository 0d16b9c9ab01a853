/*
 * Frames over LOG.sock. The socket is reached through the folder's descriptor,
 * for a socket's own path may have 107 bytes only.
 */
#include "log/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TRIES = 8 }; /* connections that are given up one after the other */

static const char name[] = "LOG.sock";

static int folder_address(const char *folder, struct sockaddr_un *to, struct err *e)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        err_errno(e, folder, "the log's folder cannot be opened");
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(to->sun_path, sizeof to->sun_path, "/proc/self/fd/%d/%s", fd, name);
    return fd;
}

static int new_socket(struct err *e)
{
    struct timeval wait = {.tv_sec = SOCKET_WAIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err_errno(e, NULL, "no socket");
    else
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    return fd;
}

void socket_bound(int fd, unsigned seconds)
{
    struct timeval wait = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
}

bool socket_connect(struct socket_end *s, const char *folder, unsigned wait_s, struct err *e)
{
    struct sockaddr_un to;
    int at = folder_address(folder, &to, e);
    *s = (struct socket_end){folder, wait_s, at < 0 ? -1 : new_socket(e)};
    bool ok = s->fd >= 0;
    if (ok && connect(s->fd, (const struct sockaddr *)(const void *)&to, sizeof to) != 0)
        ok = err_errno(e, folder, "the owner of the log does not answer on LOG.sock");
    ok = ok && socket_peer_ok(s->fd, e);
    if (ok)
        socket_bound(s->fd, wait_s);
    if (at >= 0)
        close(at);
    if (!ok)
        socket_close(s);
    return ok;
}

void socket_close(struct socket_end *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

int socket_listen(const char *folder, struct err *e)
{
    struct sockaddr_un to;
    int at = folder_address(folder, &to, e);
    int fd = at < 0 ? -1 : new_socket(e);
    bool ok = fd >= 0;
    if (ok) {
        unlinkat(at, name, 0); /* of an owner that was killed: we hold its lock */
        ok = bind(fd, (const struct sockaddr *)(const void *)&to, sizeof to) == 0 &&
             fchmodat(at, name, 0600, 0) == 0 && listen(fd, SOCKET_CLIENTS) == 0;
        if (!ok)
            err_errno(e, folder, "LOG.sock cannot be made");
    }
    if (at >= 0)
        close(at);
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

bool socket_peer_ok(int fd, struct err *e)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t n = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid())
        return true;
    return err_set(e, ERR_CONFIG, "the other end of LOG.sock runs under another user");
}

/* ---- frames ---- */

static bool send_all(int fd, struct span s, struct err *e)
{
    while (s.n) {
        ssize_t put = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return err_errno(e, name, "the other end cannot be written to");
        s = span_sub(s, (size_t)put, s.n);
    }
    return true;
}

bool socket_send(int fd, struct span payload, struct err *e)
{
    uint8_t length[4];
    if (payload.n > SOCKET_FRAME_MAX)
        return err_set(e, ERR_LIMIT, "a message to the log's owner is larger than %d bytes",
                       SOCKET_FRAME_MAX);
    store_u32le(length, (uint32_t)payload.n);
    return send_all(fd, (struct span){length, sizeof length}, e) && send_all(fd, payload, e);
}

/* Up to n bytes; fewer only at the end. */
static bool receive(int fd, struct buf *out, size_t n, struct err *e)
{
    uint8_t block[65536];
    size_t left = n;
    while (left) {
        ssize_t got = recv(fd, block, left < sizeof block ? left : sizeof block, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, name, "the other end cannot be read");
        if (got == 0)
            return err_set(e, ERR_IO, "the other end of LOG.sock went away");
        buf_put(out, block, (size_t)got);
        left -= (size_t)got;
    }
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a message");
}

bool socket_receive(int fd, struct buf *payload, bool *closed, struct err *e)
{
    buf_clear(payload);
    bool ok = receive(fd, payload, 4, e);
    *closed = !ok && payload->n == 0;
    if (!ok)
        return false;
    uint32_t n = load_u32le(payload->p);
    if (n > SOCKET_FRAME_MAX)
        return err_set(e, ERR_LIMIT, "a message over LOG.sock is larger than %d bytes",
                       SOCKET_FRAME_MAX);
    buf_clear(payload);
    return receive(fd, payload, n, e);
}

static bool is_readable(int fd, int ms)
{
    struct pollfd on = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&on, 1, ms);
    while (n < 0 && errno == EINTR);
    return n > 0 && (on.revents & POLLIN);
}

bool socket_wait(int fd)
{
    return is_readable(fd, -1);
}

void socket_give_up(int fd)
{
    static const uint8_t frame[] = {1, 0, 0, 0, SOCKET_GIVEN_UP};
    (void)!send(fd, frame, sizeof frame, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_RDWR);
}

/* One try. A request that could not be sent may have met a connection that was given up before. */
static bool exchange(int fd, struct span request, struct buf *answer, bool *given_up, struct err *e)
{
    struct err why = ERR_INIT;
    bool closed, sent = socket_send(fd, request, &why);
    if (!sent && !is_readable(fd, 0))
        return err_set(e, why.code, "%s", why.text);
    if (!socket_receive(fd, answer, &closed, e))
        return false;
    *given_up = answer->n == 1 && answer->p[0] == SOCKET_GIVEN_UP;
    return *given_up || sent || err_set(e, why.code, "%s", why.text);
}

bool socket_call(struct socket_end *s, struct span request, struct buf *answer, struct span *result,
                 struct err *e)
{
    bool given_up = true;
    for (int i = 0; given_up && i < TRIES; i++) {
        given_up = false;
        if (!exchange(s->fd, request, answer, &given_up, e))
            return false;
        if (!given_up)
            break;
        socket_close(s);
        if (!socket_connect(s, s->folder, s->wait_s, e))
            return false;
    }
    if (given_up)
        return err_set(e, ERR_IO, "the log's owner has no place for another connection");
    struct cursor c = cursor_over(buf_span(answer));
    uint8_t code = cursor_u8(&c);
    *result = cursor_take(&c, cursor_left(&c));
    if (!cursor_ok(&c) || code >= ERR_CODES)
        return err_set(e, ERR_FORMAT, "the log's owner answers what is no answer");
    return code == ERR_NONE ||
           err_set(e, (enum err_code)code, "%.*s", (int)result->n, (const char *)result->p);
}

/* ---- entries ---- */

static void put_span(struct buf *out, struct span s)
{
    buf_put_u32le(out, (uint32_t)s.n);
    buf_put_span(out, s);
}

static struct span get_span(struct cursor *c)
{
    uint32_t n = cursor_u32(c);
    return cursor_take(c, n);
}

void socket_put_entry(struct buf *out, const struct log_entry *entry)
{
    buf_put_u8(out, (uint8_t)entry->kind);
    put_span(out, entry->body);
    put_span(out, entry->subject);
    buf_put_u64le(out, entry->reserve);
    buf_put_u32le(out, (uint32_t)entry->content_count);
    for (size_t i = 0; i < entry->content_count; i++) {
        put_span(out, entry->content[i].field);
        put_span(out, entry->content[i].data);
    }
}

bool socket_get_entry(struct log_entry *out, struct cursor *c, struct arena *a, struct err *e)
{
    *out = (struct log_entry){.kind = (enum record_kind)cursor_u8(c)};
    out->body = get_span(c);
    out->subject = get_span(c);
    out->reserve = cursor_u64(c);
    uint64_t count = cursor_count(c, cursor_u32(c), 8);
    struct log_content *content = count ? arena_array(a, count, sizeof *content) : NULL;
    if (count && !content)
        return err_set(e, ERR_MEMORY, "out of memory for an entry");
    for (uint64_t i = 0; i < count; i++) {
        content[i].field = get_span(c);
        content[i].data = get_span(c);
    }
    out->content = content;
    out->content_count = (size_t)count;
    return cursor_check(c, e);
}
