/*
 * Private to src/serve: a stream's usage, asked of an upstream for a client that did not ask.
 * The request gets the option, and the event that answers it does not reach the client;
 * both views are recorded, and the tokens are reported instead of estimated.
 */
#ifndef SERVE_USAGE_H
#define SERVE_USAGE_H

#include "assay/base/json.h"
#include "serve/call/facts.h"

/* Octets of a text that are replaced. */
struct edit {
    size_t at, end;
    struct span with; /* empty: there is no edit */
};

/* The edit by which a stream's request asks for its usage; none where it does so itself or cannot. */
struct edit usage_edit(struct json root, enum exchange_api api);

/* What the client gets of a stream. */
struct usage_filter {
    bool on;
    struct buf held;     /* from the beginning of the event that is not whole yet */
    struct buf passing;  /* what goes on to the client */
    uint64_t from;       /* where `held` begins in the upstream's stream */
    uint64_t before_end; /* octets that were left out before the terminal event */
    bool after_return;   /* what was left out ended in CR: a LF belongs to it */
    struct facts *facts;
};

/* Take the events that carry the usage alone out of what `f` reads from now on. */
void usage_filter_begin(struct usage_filter *u, struct facts *f, size_t limit);
void usage_filter_free(struct usage_filter *u);
/* The facts read these octets; *out: what the client gets now, borrowed until the next call. False:
 * an event is larger than the limit. */
bool usage_filter_feed(struct usage_filter *u, struct span bytes,
                       struct span *out) ASSAY_MUST_CHECK;
/* The same of what was held, now that nothing follows. */
bool usage_filter_end(struct usage_filter *u, struct span *out) ASSAY_MUST_CHECK;
/* Where the terminal event begins in what the client gets; UINT64_MAX: it has not come. */
uint64_t usage_filter_terminal(const struct usage_filter *u);

#endif
