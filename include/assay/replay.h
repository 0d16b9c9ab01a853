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

#include "assay/engine.h"
#include "assay/exchange.h"

/* ---- what is sealed ------------------------------------------------------- */

enum { TAPE_INTENT = 3, TAPE_OUTCOME = 4 }; /* fields at most */

struct tape {
    struct buf parameters, tokens_in; /* of the intent */
    struct buf text, tokens_out, digests, logits;
};

/* The request as it will be submitted to `g`; `prompt` (may be empty) is what the model reads, as
 * text. False when out of memory. */
bool tape_start(struct tape *t, const struct engine *g, const struct engine_request *r,
                struct err *e) ASSAY_MUST_CHECK;
/* Every token that the engine gives, in its callback. */
void tape_token(struct tape *t, const struct engine_token *token);
/* The rest of the text, from the result. */
void tape_end(struct tape *t, const struct engine_result *r);
/* Fields for exchange_begin and exchange_end; borrowed from the tape. Returns how many. */
size_t tape_intent(const struct tape *t, struct span prompt, struct log_content out[TAPE_INTENT]);
size_t tape_outcome(const struct tape *t, struct log_content out[TAPE_OUTCOME]);
bool tape_ok(const struct tape *t); /* false: out of memory, nothing may be recorded from it */
void tape_free(struct tape *t);     /* zero-initialised is harmless */

/* What an intent says of the engine's model; borrowed from the engine and from `room`. */
struct tape_model {
    char numerics[16];
    struct digest adapters[ENGINE_MAX_ADAPTERS];
};
struct exchange_model tape_identity(const struct engine *g, struct span name,
                                    struct tape_model *room);
/* The leaf's `sampling` object of a request, appended. */
void tape_sampling(struct buf *out, const struct engine_request *r);

/* ---- executing it again --------------------------------------------------- */

enum replay_verdict { REPLAY_MATCH, REPLAY_MISMATCH, REPLAY_IMPOSSIBLE };

struct replay {
    enum replay_verdict verdict;
    uint64_t outcome, intent;  /* entries */
    uint64_t prompt, compared; /* tokens */
    char reason[512];          /* of IMPOSSIBLE */
    /* Of MISMATCH: the first token that differs, from 0. */
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
 * cannot be read or written, the engine is broken. `g` must be idle.
 */
bool replay_run(struct replay *out, struct log *l, struct log_reader *r, uint64_t seq,
                struct engine *g, struct err *e) ASSAY_MUST_CHECK;
/* How the call's model was loaded: what engine_load must be given for a replay to be possible. */
bool replay_context(uint32_t *context, struct log *l, struct log_reader *r, uint64_t seq,
                    struct err *e) ASSAY_MUST_CHECK;
/* The outcomes of the engine's calls, in order; *out lies in `a`. */
bool replay_list(uint64_t **out, size_t *count, struct log_reader *r, struct arena *a,
                 struct err *e) ASSAY_MUST_CHECK;

#endif
