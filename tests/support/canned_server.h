/* An HTTP server on 127.0.0.1 that gives prepared answers, one a connection, in order. */
#ifndef TESTS_CANNED_SERVER_H
#define TESTS_CANNED_SERVER_H

#include "assay/base/bytes.h"

struct canned {
    struct span answer; /* sent as it is; may be no HTTP at all */
    unsigned delay_ms;  /* before it is sent; cut short by canned_stop */
    unsigned repeat;    /* sent so many times more, while the client listens */
};

struct canned_server;

/* The answers are borrowed until canned_stop. Ends the test program when there is no port. */
struct canned_server *canned_start(const struct canned *answers, size_t count);
/* "http://127.0.0.1:PORT"; borrowed until canned_stop. */
const char *canned_url(const struct canned_server *s);
/* Wait until all answers are given or nobody came for five seconds. Request `i` as it came. */
struct span canned_request(struct canned_server *s, size_t i);
void canned_stop(struct canned_server *s);

#endif
