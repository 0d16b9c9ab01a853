/* Private to src/net: a listener and its connections. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "net/loop.h"
#include "net/tls.h"

/* Octets of a body that may wait to be read, and as many that an idle connection keeps room for. */
enum { CONN_READ_AT_ONCE = 16384 };

enum conn_state {
    CONN_HEAD,    /* reads a head */
    CONN_BODY,    /* reads a body */
    CONN_SERVING, /* somebody works on an answer */
    CONN_FLUSH,   /* the answer is whole; it goes out */
    CONN_LINGER   /* nothing more is said; what the client still sends is passed over */
};

struct conn {
    struct conn *next, *previous;
    struct listener *server;
    struct bufferevent *bev;
    struct event *closed; /* EPOLLRDHUP */
    enum conn_state state;
    bool keep;
    bool dead;           /* closed, and freed when nobody up the stack looks at it any more */
    bool pumping, again; /* reading what has come, and more of it is to be read */
    bool unread;         /* reading is off: more came than was asked for */
    bool body_read;
    size_t scanned;       /* of the head */
    uint64_t deadline_ms; /* 0: none */
    uint64_t written;     /* of this answer */
    uint64_t taken;       /* of it by the client, when that was last looked at */
    struct buf head, body;
    struct http_request *request;
    struct http_chunks chunks;
    void *user;
};

struct listener {
    struct loop *loop;
    struct evconnlistener *listener;
    SSL_CTX *tls;
    struct listener_limits limits;
    struct listener_calls calls;
    struct loop_event *sweep;
    struct conn *first; /* newest first */
    struct conn *dead;  /* to be freed by `grave` in the next turn of the loop */
    struct event *grave;
    size_t count;
    unsigned port;
    bool paused, draining;
};

/* Take a connected socket; closes it on failure. */
void conn_accept(struct listener *s, int fd);
/* Close it: no call follows. Its memory stays until the loop turns. */
void conn_free(struct conn *c);
void conn_bury(struct listener *s);
/* Take what its listener allows of a head and a body. */
void conn_limit(struct conn *c);
/* What is due at `now`. */
void conn_sweep(struct conn *c, uint64_t now);
/* Nothing was asked on it yet, or it waits for the next request. */
bool conn_idle(const struct conn *c);
/* A request is served, or its answer goes out. */
bool conn_busy(const struct conn *c);
/* Whatever it does next has to happen within `ms`; 0: whenever. */
void conn_due_in(struct conn *c, unsigned ms);
/* The client is no more. Whoever serves it is told. */
void conn_lost(struct conn *c);

/* ---- conn_read.c ---- */

/* It waits for a request. */
void conn_fresh(struct conn *c);
/* Read what has come. A request that is answered at once is followed by the next without a deeper
 * stack. */
void conn_pump(struct conn *c);
/* What came is no request: whoever answers is told the status and why. */
void conn_malformed(struct conn *c, unsigned status, const char *why);

#endif
