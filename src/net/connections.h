/*
 * Private to src/net: connections of ours to other servers, at addresses that are written as
 * numbers. One that has served its request waits for the next one to the same place.
 */
#ifndef NET_CONNECTIONS_H
#define NET_CONNECTIONS_H

#include <netinet/in.h>

#include "assay/base/bytes.h"
#include "net/loop.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", as URLs of http have it; false: anything else. */
bool address_read(union address *out, struct span host);

struct connection {
    struct connection *older, *newer; /* while it waits for its next request */
    struct connections *all;
    void *on; /* what it is used for; NULL: it waits */
    union address to;
    int fd;
    int error; /* of connecting, where that failed at once: 0 or an errno */
    struct event *readable, *writable;
    uint64_t idle_ms; /* since when it waits */
};

struct connections {
    struct loop *loop;
    struct connection *newest, *oldest; /* of those that wait */
    size_t waiting;
    /* Called with the connection, whether it waits or not. */
    void (*readable)(evutil_socket_t fd, short what, void *connection);
    void (*writable)(evutil_socket_t fd, short what, void *connection);
};

/* One that waits, the last used first; NULL: none. It is the caller's now. */
struct connection *connection_waiting(struct connections *all, const union address *to);
/* A new one, which becomes writable when it stands or has failed (SO_ERROR, or `error`).
 * Reading is for whoever finds it standing to begin. NULL: no memory or no descriptor. */
struct connection *connection_open(struct connections *all, const union address *to);
void connection_let_wait(struct connection *c);
void connection_close(struct connection *c);
void connections_close(struct connections *all); /* those that wait */

#endif
