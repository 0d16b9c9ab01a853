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
    const uint64_t *entries; /* all of the call's, once opened */
    size_t entry_count;
    struct arena *arena;
    struct json parameters;
    const struct engine_form *form; /* NULL: the answers were free */
    uint32_t *tokens_in, *tokens_out;
    size_t count_in, count_out;
    struct span digests, logits;
    /* its answers: one, unless the parameters say otherwise */
    struct recorded_part {
        const uint32_t *prompt;
        size_t prompt_count;
        size_t first, count; /* of tokens_out */
        uint32_t choice;     /* of its prompt: added to the seed */
    } * parts;
    size_t part_count;
    bool embed; /* vectors instead of answers: a digest each */
};

/* Leaves of the call alone; no content is opened. Caller frees out->arena, also on failure. */
bool recorded_find(struct recorded *out, struct log_reader *r, uint64_t seq,
                   struct err *e) ASSAY_MUST_CHECK;
/* Its sealed content: parameters, token ids, digests, logits. */
bool recorded_open(struct recorded *c, struct log *l, struct log_reader *r,
                   struct err *e) ASSAY_MUST_CHECK;
/* The engine request of an answer that the parameters describe; borrowed from the arena. */
bool recorded_request(const struct recorded *c, const struct recorded_part *part,
                      struct engine_request *out, struct err *e) ASSAY_MUST_CHECK;

/* What stands for a vector in `digests`. */
struct digest embedding_digest(const struct engine_result *r);

#endif
