/*
 * Replay: a logged call of the engine is computed again, whole, and compared
 * position by position.
 *
 * The first half is what a caller seals so that this is possible: the token
 * ids, every parameter that bears on the bits, and for each token of the answer
 * the digest of the state that chose it and its logit (a tape). The second
 * half executes it: one prefill over prompt and answer, each position drawn
 * anew from its own logits, and an entry that says what came out.
 */
#ifndef ASSAY_REPLAY_H
#define ASSAY_REPLAY_H

#include <stdatomic.h>

#include "assay/engine.h"
#include "assay/exchange.h"

/* ---- what is sealed ------------------------------------------------------- */

enum { TAPE_INTENT = 3, TAPE_OUTCOME = 5 }; /* fields at most */

struct tape {
    struct buf parameters, tokens_in; /* of the intent */
    struct buf text, tokens_out, digests, logits;
    struct buf answers; /* of a call that has several: a JSON array, its end missing */
    size_t joined;
};

/* The prompts of a call, whose tokens stand one after another, and how many answers each has:
 * answer k of a prompt is drawn with the seed + k, so that it is what it would be alone. */
struct tape_shape {
    const size_t *prompts; /* tokens of each */
    size_t prompt_count;
    uint32_t answers; /* of each prompt */
};

/* The request as it will be submitted to `g`; of several, the first, but with the tokens of all
 * prompts. `shape` NULL: one prompt, one answer. False when out of memory. */
bool tape_start(struct tape *t, const struct engine *g, const struct engine_request *r,
                const struct tape_shape *shape, struct err *e) ASSAY_MUST_CHECK;
/* Every token that the engine gives, in its callback. */
void tape_token(struct tape *t, const struct engine_token *token);
/* The rest of the text, or the embedding, from the result. */
void tape_end(struct tape *t, const struct engine_result *r);
/* Answers of a call that may have several: each on a tape of its own, appended to the call's in
 * the order of prompts and choices when all are over. */
void tape_part(struct tape *part);
void tape_join(struct tape *t, const struct tape *part, enum engine_finish finish);
/* Fields for exchange_begin and exchange_end, each asked for once; borrowed from the tape. Returns
 * how many. */
size_t tape_intent(const struct tape *t, struct span prompt, struct log_content out[TAPE_INTENT]);
size_t tape_outcome(struct tape *t, struct log_content out[TAPE_OUTCOME]);
bool tape_ok(const struct tape *t); /* false: out of memory, nothing may be recorded from it */
void tape_free(struct tape *t);     /* zero-initialised is harmless */

/* What an intent says of the engine's model; borrowed from the engine and from `room`. */
struct tape_model {
    char numerics[16];
    struct digest adapters[ENGINE_MAX_ADAPTERS];
};
struct exchange_model tape_identity(const struct engine *g, struct span name,
                                    struct tape_model *room);
/* The leaf's `sampling` object of a request, of which `answers` are asked for, appended. */
void tape_sampling(struct buf *out, const struct engine_request *r, uint32_t answers);

/* ---- executing it again --------------------------------------------------- */

enum replay_verdict { REPLAY_MATCH, REPLAY_MISMATCH, REPLAY_IMPOSSIBLE };

struct replay {
    enum replay_verdict verdict;
    uint64_t outcome, intent;  /* entries */
    uint64_t prompt, compared; /* tokens; of embeddings, vectors */
    char reason[512];          /* of IMPOSSIBLE */
    bool erased;               /* IMPOSSIBLE because its content was erased */
    /* Of MISMATCH: the first token that differs, from 0, of all answers one after another; of
     * embeddings, the first vector. */
    uint64_t first;
    uint32_t logged, drawn;         /* ids; equal when only the state differs */
    float logged_logit, logit;      /* then and now, of the logged token */
    float margin;                   /* by which the drawn token wins now */
    uint64_t prefill_us, logged_us; /* now; and what the call took then, without queueing */
    struct log_receipt receipt;     /* of the replay's own entry */
};

/*
 * Compute the call that entry `seq` (its outcome, or its intent) closed again with `g`, and append
 * what came out to the log. False when nothing could be said: the entry is no call, the log
 * cannot be read or written, the engine is broken. `g` must be idle; NULL: there is none, and the
 * replay is impossible, on record.
 */
bool replay_run(struct replay *out, struct log *l, struct log_reader *r, uint64_t seq,
                struct engine *g, struct err *e) ASSAY_MUST_CHECK;
/*
 * The same, where another thread steps `g`, which may have other work: waits for what it submits.
 * `stop` becoming true ends it early with ERR_INTERRUPTED; it records nothing then.
 */
bool replay_beside(struct replay *out, struct log *l, struct log_reader *r, uint64_t seq,
                   struct engine *g, const atomic_bool *stop, struct err *e) ASSAY_MUST_CHECK;
/* Whether `g` is what a replay of that call takes: its weights, adapters, numerics and context. */
bool replay_fits(bool *fits, struct log *l, struct log_reader *r, uint64_t seq,
                 const struct engine *g, struct err *e) ASSAY_MUST_CHECK;
/* How the call's model was loaded: what engine_load must be given for a replay to be possible. */
bool replay_context(uint32_t *context, struct log *l, struct log_reader *r, uint64_t seq,
                    struct err *e) ASSAY_MUST_CHECK;
/* The outcomes of the engine's calls, in order; *out lies in `a`. */
bool replay_list(uint64_t **out, size_t *count, struct log_reader *r, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;

#endif
