/*
 * What it costs a call to be on record, and how fast it is computed again: for
 * assay bench. All of it is one process with one copy of the weights, in rounds
 * that alternate, because two processes seldom get equally fast memory.
 */
#ifndef ASSAY_CLI_BENCH_RECORD_H
#define ASSAY_CLI_BENCH_RECORD_H

#include "cli/run_session.h"

enum { BENCH_ROUNDS_MAX = 64 };

/* Medians of the rounds; a ratio is taken within each round before. */
struct bench_record {
    unsigned rounds;
    struct bench_lap {
        double decode;    /* tokens/s */
        double call;      /* us, from before the intent to behind the outcome */
        double processor; /* us of a token: user and system, all threads */
    } recorded, bare;
    double decode_ratio, call_ratio;
    double replay, replay_ratio; /* us; how many times as fast as the call was */
};

/*
 * `rounds` of a call on record and a bare one of the same length, whichever was second being first
 * in the next round; each call is replayed after every second round, when its keys and values are
 * gone. Of a prompt that begins otherwise every time only `request`'s length is used.
 */
bool bench_record(struct bench_record *out, struct session *s, const struct engine_request *request,
                  unsigned rounds, struct err *e) ASSAY_MUST_CHECK;

/* What was made up for round `round` as a prompt of n tokens. */
void bench_prompt(uint32_t *ids, size_t n, uint64_t round, const struct engine *g);

#endif
