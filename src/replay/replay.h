/*
 * Private to src/replay: a call as it was recorded, put together from its
 * entries.
 */
#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

#include "assay/replay.h"

struct recorded {
    struct exchange_call call;
    struct exchange_outcome outcome;
    struct exchange_digests room[2];
    uint64_t intent_seq, outcome_seq;
    struct arena *arena;
    struct json parameters;
    uint32_t *tokens_in, *tokens_out;
    size_t count_in, count_out;
    struct span digests, logits;
};

/* Leaves of the call alone; no content is opened. Caller frees out->arena, also on failure. */
bool recorded_find(struct recorded *out, struct log_reader *r, uint64_t seq,
                   struct err *e) ASSAY_MUST_CHECK;
/* Its sealed content: parameters, token ids, digests, logits. */
bool recorded_open(struct recorded *c, struct log *l, struct log_reader *r,
                   struct err *e) ASSAY_MUST_CHECK;
/* The engine request that the parameters describe; borrowed from the arena. */
bool recorded_request(const struct recorded *c, struct engine_request *out,
                      struct err *e) ASSAY_MUST_CHECK;

#endif
