/*
 * LOG.sock, spoken between processes of one user on one machine: frames of
 * u32le length and payload. A request is u8 operation and its arguments; an
 * answer u8 error code, then the result or the error's text. Not a format that
 * outlives the processes: both ends are the same program.
 */
#ifndef LOG_SOCKET_H
#define LOG_SOCKET_H

#include "assay/log.h"

enum {
    SOCKET_FRAME_MAX = 68 << 20,
    SOCKET_CLIENTS = 64,
    SOCKET_WAIT_S = 30 /* an answer comes within this */
};

enum socket_op { SOCKET_APPEND = 1, SOCKET_CHECKPOINT = 2, SOCKET_COSIGNED = 3 };

/* One operation of the owner: arguments in, result out. */
struct server_op {
    uint8_t code;
    bool (*run)(struct log *l, struct cursor *arguments, struct buf *result, struct err *e);
};

/* A connected socket to the owner of the log in `folder`, or -1. */
int socket_connect(const char *folder, struct err *e);
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
/* Send a request, wait for its answer; the result is what follows the code. */
bool socket_call(int fd, struct span request, struct buf *answer, struct span *result,
                 struct err *e) ASSAY_MUST_CHECK;

#endif
