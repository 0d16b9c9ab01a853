/*
 * The upstream half: requests to other servers on the loop. What is plain http to an address that
 * is a number (127.0.0.1, [::1]) goes over a socket of ours and is read strictly; everything else
 * over libcurl's multi interface, with whatever HTTP version and TLS it negotiates.
 * Certificates are always checked, redirects never followed, nothing is decompressed, no
 * credentials or cookies kept; connections are kept and reused. A request is sent once: one that
 * met a connection which the server was just closing ends so, and whether it is sent again is
 * the caller's decision. What arrives is handed over as it arrives.
 */
#ifndef ASSAY_TRANSFER_H
#define ASSAY_TRANSFER_H

#include "assay/base/bytes.h"
#include "assay/loop.h"

enum {
    TRANSFER_CERTIFICATE = 32,    /* bytes of a certificate's SHA-256 */
    TRANSFER_HEAD_MAX = 64 * 1024 /* bytes of an answer's header fields */
};

struct transfers;
struct transfer;

struct transfer_request {
    const char *url; /* http or https */
    bool post;
    bool fresh; /* over a new connection, none that was kept */
    /* "Name: value" lines, NULL-ended ("Name;" is sent without a value, "Name:" not at all);
     * nothing else is sent but Host and the length. Borrowed until the end, or until the loop
     * has gone on after transfer_cancel, as the body is. */
    const char *const *fields;
    struct span body;
    const char *ca_file;                         /* PEM; NULL: the system's */
    unsigned connect_ms, first_byte_ms, idle_ms; /* 0: none */
};

enum transfer_end {
    TRANSFER_OK,
    TRANSFER_CONNECT,    /* nobody there */
    TRANSFER_TLS,        /* its certificate does not hold, or no common TLS */
    TRANSFER_FIRST_BYTE, /* too slow to begin */
    TRANSFER_IDLE,       /* began and stalled */
    TRANSFER_CUT,        /* ended before its end */
    TRANSFER_GARBAGE,    /* no HTTP */
    TRANSFER_REFUSED,    /* data() said no more */
    TRANSFER_OTHER
};

struct transfer_result {
    enum transfer_end end;
    unsigned status; /* 0: no head came */
    bool sent;       /* some byte of the answer came */
    bool stale;      /* TRANSFER_CUT: the connection was kept from before and closed without a byte;
                      * the server is there, and may have read the request or not */
    char why[256];
    bool has_certificate;
    uint8_t certificate[TRANSFER_CERTIFICATE]; /* SHA-256 (DER) of what the server showed */
};

/* Called in the loop's thread, never from within transfer_start. */
struct transfer_calls {
    /* Status line and fields as they came, up to the blank line. */
    void (*head)(void *arg, unsigned status, struct span lines);
    bool (*data)(void *arg, struct span bytes);
    /* The last call; the transfer is gone when it returns. */
    void (*done)(void *arg, const struct transfer_result *r);
};

bool transfers_open(struct transfers **out, struct loop *l, struct err *e) ASSAY_MUST_CHECK;
void transfers_close(struct transfers *t); /* without calls; NULL is harmless */

bool transfer_start(struct transfer **out, struct transfers *t, const struct transfer_request *r,
                    const struct transfer_calls *calls, void *arg, struct err *e) ASSAY_MUST_CHECK;
/* No call follows. */
void transfer_cancel(struct transfer *t);
/* Stop reading, so that the other side is slowed down, and go on. What has been read already may
 * still be handed over. */
void transfer_pause(struct transfer *t, bool pause);
const char *transfer_end_name(enum transfer_end end);

#endif
