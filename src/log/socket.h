/*
 * LOG.sock, spoken between processes of one user on one machine: frames of
 * u32le length and payload. A request is u8 operation and its arguments; an
 * answer u8 error code, then the result or the error's text. Where others wait for
 * a place, the connection that was idle longest is given up: a frame says so, before
 * which no request of it was read. Not a format that outlives the processes: both
 * ends are the same program.
 */
#ifndef LOG_SOCKET_H
#define LOG_SOCKET_H

#include "assay/log.h"

enum {
    SOCKET_FRAME_MAX = 68 << 20,
    SOCKET_CLIENTS = 64,
    SOCKET_WAIT_S = 30,    /* an answer comes within this, and a request once it is begun */
    SOCKET_GIVEN_UP = 0xff /* instead of an error code */
};

enum socket_op { SOCKET_APPEND = 1, SOCKET_CHECKPOINT = 2, SOCKET_COSIGNED = 3 };

/* One operation of the owner: arguments in, result out. */
struct server_op {
    uint8_t code;
    bool (*run)(struct log *l, struct cursor *arguments, struct buf *result, struct err *e);
};

/* One who asks the owner of the log in `folder`, which is borrowed. */
struct socket_end {
    const char *folder;
    unsigned wait_s; /* for an answer */
    int fd;          /* -1: not connected */
};
bool socket_connect(struct socket_end *s, const char *folder, unsigned wait_s,
                    struct err *e) ASSAY_MUST_CHECK;
void socket_close(struct socket_end *s); /* where it is connected */
/* Bound to folder/LOG.sock, whatever was there before; only for the holder of the lock. */
int socket_listen(const char *folder, struct err *e);
/* The other end runs under our user. */
bool socket_peer_ok(int fd, struct err *e) ASSAY_MUST_CHECK;
bool socket_send(int fd, struct span payload, struct err *e) ASSAY_MUST_CHECK;
/* *closed: the other end has gone between two frames. */
bool socket_receive(int fd, struct buf *payload, bool *closed, struct err *e) ASSAY_MUST_CHECK;

void socket_put_entry(struct buf *out, const struct log_entry *entry);
/* Borrowed from the cursor's bytes and the arena. */
bool socket_get_entry(struct log_entry *out, struct cursor *c, struct arena *a,
                      struct err *e) ASSAY_MUST_CHECK;
/* Send a request, over a new connection where this one was given up, and wait for its answer; the result
 * is what follows the code. */
bool socket_call(struct socket_end *s, struct span request, struct buf *answer, struct span *result,
                 struct err *e) ASSAY_MUST_CHECK;
/* Nothing that is received is waited for longer. */
void socket_bound(int fd, unsigned seconds);
/* Wait until a request begins to come, for as long as it takes; false: nothing will. */
bool socket_wait(int fd);
/* Say that the connection is given up; no request that comes is read. */
void socket_give_up(int fd);

#endif
