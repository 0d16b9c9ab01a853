/*
 * Private to src/net: what requests to other servers share (transfer.c), and the transports that
 * they go over: libcurl (transfer_curl.c), or a socket of ours where there is neither TLS nor a
 * name to be looked up (transfer_plain.c).
 */
#ifndef NET_TRANSFERS_H
#define NET_TRANSFERS_H

#include "assay/transfer.h"
#include "net/loop.h"

enum { TRANSFER_SPARE_MOST = 256 };

struct transport;

/* A transport's own transfer begins with this. */
struct transfer {
    struct transfer *next, *previous;
    struct transfers *all;
    const struct transport *transport;
    struct transfer_calls calls;
    void *arg;
    bool connecting; /* as far as the transport can tell */
    bool cancelled, pausing;
    unsigned connect_ms, first_byte_ms, idle_ms;
    uint64_t last_ms; /* of the start, the connection or the last byte */
    struct transfer_result result;
};

struct transport {
    bool (*open)(struct transfers *all);
    void (*close)(struct transfers *all);
    /* A transfer of this transport, set to zero but for what is worth keeping; NULL: no memory. */
    struct transfer *(*take)(struct transfers *all);
    bool (*start)(struct transfer *t, const struct transfer_request *r);
    void (*pause)(struct transfer *t); /* or go on: t->pausing says which */
    void (*stop)(struct transfer *t);  /* nothing is called or looked at any more */
    void (*keep)(struct transfer *t);  /* its memory, for the next one */
};

extern const struct transport curl_transport, plain_transport;

/* Whether the plain one can do it. */
bool plain_reaches(const struct transfer_request *r);

struct transfers {
    struct loop *loop;
    struct curl_side *curl;
    struct plain_side *plain;
    struct event *turn; /* something is to be done after what the loop has in hand */
    struct loop_event *watch;
    struct transfer *first, *dead;
    unsigned depth; /* within libcurl, or a walk over the transfers: nothing is taken out now */
    size_t marked;  /* cancelled meanwhile */
};

/* The last call to its owner. Whoever calls this calls transfers_settle before it returns to the
 * loop; until then the memory stays. */
void transfer_finish(struct transfer *t, enum transfer_end end, const char *why);
/* Take out what was cancelled at a bad time, and keep the memory of what is over. */
void transfers_settle(struct transfers *all);

#endif
