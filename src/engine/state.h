/*
 * Private to src/engine: an engine's state. What the submitting threads touch
 * is behind the lock; slots, batch and buffers belong to the engine's thread.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "assay/engine.h"
#include "assay/template.h"
#include "engine/forward.h"
#include "engine/sample.h"
#include "engine/text.h"

/* Rows whose logits are computed together: the output matrix is read once for them. HEADS_ROOM
 * floats hold their logits, of a large vocabulary's the fewest rows. */
enum { HEADS_LEAST = 16, HEADS_MOST = 64, HEADS_ROOM = 4 << 20 };

/* A request that was accepted; everything it borrows from is its own copy. */
struct request {
    struct request *next; /* in the queue */
    uint64_t id;
    struct engine_request r;
    uint32_t *tokens; /* prompt, then the answer as it grows; `room` of them */
    uint32_t count, room;
    uint32_t prompt, most; /* tokens of the prompt; most that the answer may have */
    struct answer_text text;
    struct form_state *form; /* NULL: the answer is free */
    atomic_bool cancelled;
    bool ended;
    enum engine_finish finish;
    uint32_t answered; /* tokens reported */
    uint32_t cached;
    double *sum;                        /* embeddings */
    uint64_t submitted, started, first; /* clock_monotonic */
};

/* One sequence's cache, and which tokens stand in it. */
struct slot {
    struct kv cache;
    uint32_t *tokens; /* context of them */
    uint32_t computed;
    struct request *request; /* NULL: free */
    uint64_t used;           /* step number, for the oldest first */
};

struct engine {
    struct engine_info info;
    struct model *model;
    struct facts facts;
    struct settings config;
    struct weights weights;
    struct team *team;
    struct forward forward;
    struct sampler sampler;
    struct form_octet_set alphabet; /* octets that are tokens of their own */
    struct tokenizer *tokenizer;
    struct template *template; /* NULL: no_template says why */
    struct err no_template;
    enum engine_tools tools;
    float *hidden, *logits; /* `heads` rows */
    uint32_t heads;
    struct sha256 *sha;
    struct slot *slots;
    uint32_t *slot_tokens; /* of all slots */
    uint32_t slot_count, batch;
    struct row *rows;
    struct slot **row_slot;
    uint64_t steps;
    struct err broken; /* set once: the engine serves nothing further */

    pthread_mutex_t lock;
    pthread_cond_t work;
    struct request *waiting, **waiting_end;
    uint64_t next_id;
    bool interrupted;
    struct engine_now now;
};

/* chat.c: the model's default template, or why there is none. */
void chat_load(struct engine *g);

/* step.c: the callbacks of a request that ends, and its memory. */
void request_end(struct engine *g, struct request *q, enum engine_finish finish,
                 const struct err *error);
void request_free(struct request *q);

#endif
