/* Private to src/serve: counters, and how Prometheus reads them. */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include "assay/exchange.h"

struct call;
struct service;

enum refusal_reason {
    REASON_LOG,
    REASON_UNAUTHENTICATED,
    REASON_MALFORMED,
    REASON_LIMITED,
    REASON_BUDGET,
    REASONS
};

enum { HISTOGRAM_MAX = 16 };

struct histogram {
    uint64_t bucket[HISTOGRAM_MAX + 1], count;
    double sum;
};

struct metrics {
    uint64_t refused[REASONS];
    uint64_t calls[EXCHANGE_APIS][EXCHANGE_RESULTS];
    struct histogram duration, first_token, per_token, commit; /* seconds */
    struct histogram input, output;                            /* tokens */
    uint64_t tree_size;     /* of the log, as far as this server wrote it */
    uint64_t batches, rows; /* of what became durable */
    uint64_t held_back;     /* windows that waited for the log's queue */
    uint64_t asked,
        stale; /* times that an upstream was asked; stale: over a connection that it closed */
};

void metrics_call(struct metrics *m, const struct call *c);
/* Entry `seq` of the log is durable. */
void metrics_written(struct metrics *m, uint64_t seq);
/* From handing an intent to the log until it was durable. */
void metrics_commit(struct metrics *m, uint64_t us);
void metrics_text(struct service *s, struct buf *out);

#endif
