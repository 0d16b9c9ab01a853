/*
 * The owner's half of LOG.sock: every other command of this user appends
 * through it. A thread accepts, a thread per client serves.
 */
#include "log/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log/ops.h"
#include "log/store.h"

enum { PLACE_MS = 10 };

struct session {
    struct session *next;
    struct log *log;
    pthread_t thread;
    int fd;
    /* under the server's lock */
    uint64_t idle; /* since which turn; 0: a request is served */
    bool given_up, ended;
};

/* ---- operations ---- */

static bool op_append(struct log *l, struct cursor *c, struct buf *result, struct err *e)
{
    struct log_entry entry;
    struct log_receipt receipt;
    struct arena *a = arena_new(1 << 20);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for an entry");
    ok = ok && socket_get_entry(&entry, c, a, e) && log_append(l, &entry, &receipt, e);
    arena_free(a);
    if (!ok)
        return false;
    buf_put_u64le(result, receipt.seq);
    buf_put(result, receipt.leaf_hash.b, DIGEST_SIZE);
    return true;
}

static bool op_checkpoint(struct log *l, struct cursor *c, struct buf *result, struct err *e)
{
    uint64_t size;
    (void)c;
    return head_note(l, result, &size, e);
}

static const struct server_op ops[] = {
    {SOCKET_APPEND, op_append},
    {SOCKET_CHECKPOINT, op_checkpoint},
    {SOCKET_COSIGNED, cosign_serve},
};

static bool run_op(struct log *l, struct span request, struct buf *result, struct err *e)
{
    struct cursor c = cursor_over(request);
    uint8_t code = cursor_u8(&c);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i].code == code)
            return ops[i].run(l, &c, result, e);
    if (op_known(code))
        return op_serve(l, code, &c, result, e);
    return err_set(e, ERR_UNSUPPORTED,
                   "the log's owner does not know operation %u: it is another version", code);
}

static void answer(struct log *l, struct span request, struct buf *out)
{
    struct err e = ERR_INIT;
    buf_clear(out);
    buf_put_u8(out, ERR_NONE);
    if (run_op(l, request, out, &e) && buf_ok(out))
        return;
    buf_clear(out);
    buf_put_u8(out, (uint8_t)(e.code == ERR_NONE ? ERR_MEMORY : e.code));
    buf_put_str(out, e.text);
}

/* ---- sessions ---- */

/* Idle from now on; the longest gives way where places are short. */
static void rest(struct session *s)
{
    pthread_mutex_lock(&s->log->server.lock);
    s->idle = ++s->log->server.turns;
    pthread_mutex_unlock(&s->log->server.lock);
}

/* Whether a request may be read: one that began to come is served, unless the place was given away. */
static bool begin(struct session *s, bool *given_up)
{
    bool comes = socket_wait(s->fd);
    pthread_mutex_lock(&s->log->server.lock);
    *given_up = s->given_up;
    s->idle = 0;
    pthread_mutex_unlock(&s->log->server.lock);
    return comes && !*given_up;
}

static void *serve(void *arg)
{
    struct session *s = arg;
    struct buf in, out;
    struct err e = ERR_INIT;
    bool closed = false, given_up = false;
    buf_init(&in, SOCKET_FRAME_MAX);
    buf_init(&out, SOCKET_FRAME_MAX);
    while (begin(s, &given_up) && socket_receive(s->fd, &in, &closed, &e)) {
        answer(s->log, buf_span(&in), &out);
        if (!socket_send(s->fd, buf_span(&out), &e))
            break;
        if (in.p)
            seal_wipe(in.p, in.n); /* content in clear */
        rest(s);
    }
    if (given_up)
        socket_give_up(s->fd);
    if (in.p)
        seal_wipe(in.p, in.cap);
    buf_free(&in);
    buf_free(&out);
    shutdown(s->fd, SHUT_RDWR);
    pthread_mutex_lock(&s->log->server.lock);
    s->ended = true;
    pthread_mutex_unlock(&s->log->server.lock);
    return NULL;
}

/* Join what has ended, or everything; returns how many are left. */
static size_t reap(struct server *v, bool all)
{
    struct session **at = &v->sessions;
    size_t left = 0;
    while (*at) {
        struct session *s = *at;
        pthread_mutex_lock(&v->lock);
        bool ended = s->ended;
        pthread_mutex_unlock(&v->lock);
        if (!ended && !all) {
            at = &s->next;
            left++;
            continue;
        }
        shutdown(s->fd, SHUT_RD); /* the answer under way is still sent */
        pthread_join(s->thread, NULL);
        close(s->fd);
        *at = s->next;
        free(s);
    }
    return left;
}

/* The one that was idle longest gives up its place; false: none is idle. */
static bool give_way(struct server *v)
{
    struct session *longest = NULL;
    pthread_mutex_lock(&v->lock);
    for (struct session *s = v->sessions; s; s = s->next)
        if (s->idle && !s->ended && (!longest || s->idle < longest->idle))
            longest = s;
    if (longest)
        longest->given_up = true;
    pthread_mutex_unlock(&v->lock);
    if (!longest)
        return false;
    shutdown(longest->fd, SHUT_RD); /* it wakes */
    pthread_join(longest->thread, NULL);
    struct session **at = &v->sessions;
    while (*at != longest)
        at = &(*at)->next;
    *at = longest->next;
    close(longest->fd);
    free(longest);
    return true;
}

/* Where all places are taken by requests that are served, the next one waits; false: until the end. */
static bool find_place(struct server *v)
{
    struct pollfd wake = {.fd = v->wake, .events = POLLIN};
    while (reap(v, false) >= SOCKET_CLIENTS && !give_way(v))
        if (poll(&wake, 1, PLACE_MS) > 0)
            return false;
    return true;
}

static void admit(struct log *l, int fd)
{
    struct server *v = &l->server;
    struct session *s = socket_peer_ok(fd, NULL) && find_place(v) ? calloc(1, sizeof *s) : NULL;
    if (s) {
        *s = (struct session){.next = v->sessions, .log = l, .fd = fd};
        rest(s);
        socket_bound(fd, SOCKET_WAIT_S);
        if (pthread_create(&s->thread, NULL, serve, s) == 0) {
            v->sessions = s;
            return;
        }
    }
    free(s);
    close(fd);
}

static void *accept_clients(void *arg)
{
    struct log *l = arg;
    struct pollfd on[] = {{.fd = l->server.listener, .events = POLLIN},
                          {.fd = l->server.wake, .events = POLLIN}};
    for (;;) {
        if (poll(on, 2, -1) < 0 && errno != EINTR)
            break;
        if (on[1].revents)
            break;
        int fd = on[0].revents ? accept4(l->server.listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            admit(l, fd);
    }
    return NULL;
}

bool server_open(struct log *l, struct err *e)
{
    struct server *v = &l->server;
    v->listener = socket_listen(l->folder, e);
    if (v->listener < 0)
        return false;
    v->wake = eventfd(0, EFD_CLOEXEC);
    if (v->wake < 0 || pthread_create(&v->thread, NULL, accept_clients, l) != 0)
        return err_set(e, ERR_MEMORY, "no thread for LOG.sock");
    v->running = true;
    return true;
}

void server_close(struct log *l)
{
    struct server *v = &l->server;
    if (v->running) {
        eventfd_write(v->wake, 1);
        pthread_join(v->thread, NULL);
        reap(v, true);
        v->running = false;
    }
    if (v->listener >= 0)
        close(v->listener);
    if (v->wake >= 0)
        close(v->wake);
    v->listener = v->wake = -1;
}
