/* Private to src/serve: other servers that answer calls, and in which order they are asked. */
#ifndef SERVE_UPSTREAM_H
#define SERVE_UPSTREAM_H

#include "serve/config/settings.h"

struct call;
struct service;

/* An upstream's health. */
struct circuit {
    unsigned failures;      /* in a row */
    uint64_t open_until_ms; /* 0: closed */
    int64_t turn;           /* of the weighted round */
};

/* The targets of a model in the order of trying. */
void pick_targets(struct call *c, const struct model_config *m);
void pick_report(struct service *s, size_t upstream, bool worked);
const struct upstream_config *call_upstream(const struct call *c);
/* The field that shows `shown` as the key of an upstream; NULL: out of memory. */
const char *upstream_credential(struct arena *a, const struct upstream_config *u,
                                struct span shown);
/* The head of what the client gets, made of the upstream's; decides whether it is a stream. */
void upstream_answer_head(struct call *c, unsigned status, struct span lines);

#endif
