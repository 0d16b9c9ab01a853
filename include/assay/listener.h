/*
 * The server half: listens, takes TLS off, reads requests strictly (http.h), one at a
 * time from each connection, and hands them over whole. A client that leaves is noticed at
 * once (EPOLLRDHUP), also while its request waits for an answer.
 *
 * Bytes go out through conn_put alone and are counted: conn_sent says how many the socket
 * has taken.
 */
#ifndef ASSAY_LISTENER_H
#define ASSAY_LISTENER_H

#include "assay/http.h"
#include "assay/loop.h"

enum { LISTENER_CERTIFICATE = 32 }; /* bytes of a certificate's SHA-256 */

struct listener;
struct conn;

struct listener_tls {
    const char *certificate, *key; /* PEM files; certificate NULL: plain HTTP */
    const char *client_ca; /* PEM; clients must show a certificate of it; NULL: none asked */
};

struct listener_limits {
    size_t head, body; /* bytes */
    size_t connections;
    unsigned head_ms;  /* to send a head, once its first byte or the connection is there */
    unsigned idle_ms;  /* between two requests */
    unsigned body_ms;  /* to send a body */
    unsigned stall_ms; /* without the client taking a byte of what waits for it */
    size_t low_water;  /* bytes of output below which `drained` is called */
};

/* Called in the loop's thread. Requests and bodies are borrowed until conn_finish. */
struct listener_calls {
    /* A head is there. False: the callee has answered (conn_put, conn_finish) and the body is not read. */
    bool (*head)(void *arg, struct conn *c, const struct http_request *r);
    void (*request)(void *arg, struct conn *c, const struct http_request *r, struct span body);
    /* What came was no request: answer with this status, and `why` as words for people. What stands in
     * conn_request is of no use then. Finish without `keep`: what follows cannot be told apart. */
    void (*malformed)(void *arg, struct conn *c, unsigned status, const char *why);
    /* The client left, or took nothing for too long, before conn_finish and what followed were done. */
    void (*gone)(void *arg, struct conn *c);
    /* Fewer bytes than low_water wait to be taken, while an answer is being put. */
    void (*drained)(void *arg, struct conn *c);
    void *arg;
};

/* `address`: numeric, v4 or v6. port 0: any; listener_port says which. Limits are copied. */
bool listener_open(struct listener **out, struct loop *l, const char *address, unsigned port,
                   const struct listener_tls *tls, const struct listener_limits *limits,
                   const struct listener_calls *calls, struct err *e) ASSAY_MUST_CHECK;
/* Files read anew, and other limits; all that was before stays when the files do not hold. */
bool listener_reload(struct listener *s, const struct listener_tls *tls,
                     const struct listener_limits *limits, struct err *e) ASSAY_MUST_CHECK;
/* Whether the files hold, read as they would be to listen. */
bool listener_tls_holds(const struct listener_tls *tls, struct err *e) ASSAY_MUST_CHECK;
unsigned listener_port(const struct listener *s);
/* Accept nobody any more and close who is idle; others are closed behind their answers. */
void listener_drain(struct listener *s);
/* Whether somebody is being served, or still takes an answer. */
bool listener_busy(const struct listener *s);
/* And all its connections, without calls. NULL is harmless. */
void listener_close(struct listener *s);

/* Whoever works for the connection; borrowed, and forgotten with each new request. */
void conn_set_user(struct conn *c, void *user);
void *conn_user(const struct conn *c);
const struct http_request *conn_request(const struct conn *c);
/* The octets of the request's head; of one that is none, the first of them. */
struct span conn_head(const struct conn *c);
/* Its request's body, if it has one, was read to its end. */
bool conn_has_body(const struct conn *c);
/* The request's body becomes the caller's, who frees it. */
void conn_take_body(struct conn *c, struct buf *out);
/* SHA-256 of the client's certificate; false when there is none. */
bool conn_certificate(const struct conn *c, uint8_t out[LISTENER_CERTIFICATE]);

/* Octets of the answer, copied. When the client is found to be lost, `gone` is called from within. */
void conn_put(struct conn *c, struct span bytes);
/* Bytes of those put for this answer that the socket took. */
uint64_t conn_sent(const struct conn *c);
size_t conn_waiting(const struct conn *c); /* put and not yet taken */
/* The answer is whole. Not `keep`: close once it is out. `c` may be gone when this returns. */
void conn_finish(struct conn *c, bool keep);
/* Close now; what was not taken is lost. No call follows. */
void conn_abort(struct conn *c);

#endif
