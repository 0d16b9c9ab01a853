/*
 * The HTTP client: one request, one bounded answer. Only http and https, the
 * server's certificate is always checked, redirects are followed only when
 * asked for, and nothing (cookies, credentials, connections) is kept between
 * two requests. Safe to call from several threads.
 */
#ifndef ASSAY_NET_H
#define ASSAY_NET_H

#include "assay/base/bytes.h"

enum {
    NET_URL_MAX = 2048,
    NET_TIMEOUT_MS = 10000,       /* whole exchange, unless the request says otherwise */
    NET_CONNECT_MS = 5000,        /* of which to connect, at most */
    NET_HEADERS_MAX = 64 * 1024,  /* bytes of an answer's header fields */
    NET_ANSWER_MAX = 1024 * 1024, /* bytes of an answer, unless the request says otherwise */
    NET_REDIRECTS_MAX = 5
};

struct net_request {
    const char *url;
    bool post;                /* POST of `body`; otherwise GET */
    struct span body;         /* borrowed */
    const char *content_type; /* of the body; NULL: application/octet-stream */
    size_t answer_max;        /* 0: NET_ANSWER_MAX */
    unsigned timeout_ms;      /* 0: NET_TIMEOUT_MS */
    bool follow;              /* redirects, never from https to http */
    const char *ca_file;      /* PEM of the authorities to trust; NULL: the system's */
};

struct net_response {
    unsigned status;
    char content_type[128]; /* as sent, shown safely; empty when there was none */
    struct buf body;        /* whole, of any status */
};

/*
 * True when a whole answer arrived, whatever its status. Otherwise the error
 * names the URL and what to do: ERR_USAGE a URL that is not accepted, ERR_LIMIT
 * an answer that is too large, ERR_INTEGRITY a certificate that does not hold, ERR_IO the
 * rest. `out` is always left so that net_response_free is right.
 */
bool net_fetch(struct net_response *out, const struct net_request *request,
               struct err *e) ASSAY_MUST_CHECK;
void net_response_free(struct net_response *r);

#endif
