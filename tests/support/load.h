/*
 * A load generator for servers on loopback: one thread on epoll, connections kept alive,
 * latency of each answer from when it was due.
 */
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#include <stddef.h>

struct load {
    unsigned port;
    const char *request; /* whole, with its length */
    unsigned connections;
    double seconds;
    double rate; /* answers a second that are due; 0: as many as come */
};

struct load_result {
    double rate; /* answers a second */
    double p50_ms, p99_ms;
    size_t answers, failures; /* failures: another status than 200, or cut */
    double late_p99_ms;       /* of a rate: by how much the load itself came late */
};

void load_run(const struct load *l, struct load_result *out);

struct streams_result {
    size_t whole, events, failures;
    double seconds;
};

/* `connections` streams at once, each until its last chunk; `halfway` is called while all run. */
void load_streams(const struct load *l, struct streams_result *out, void (*halfway)(void *arg),
                  void *arg);

#endif
