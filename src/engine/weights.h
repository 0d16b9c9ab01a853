/*
 * Private to src/engine: the weights in memory, as the kernels want them, and
 * the digests of the bytes that they were made of.
 */
#ifndef ENGINE_WEIGHTS_H
#define ENGINE_WEIGHTS_H

#include "assay/base/clock.h"
#include "assay/matrix.h"
#include "assay/team.h"
#include "engine/settings.h"

/* The matrices and vectors of a layer; not every family has all. */
enum weight_slot { W_Q, W_K, W_V, W_QKV, W_O, W_GATE, W_UP, W_GATE_UP, W_DOWN, W_COUNT };
enum norm { N_ATTN, N_Q, N_K, N_POST_ATTN, N_FFN, N_POST_FFN, N_COUNT };

struct adapted; /* adapter.h */

struct weight {
    struct matrix m;         /* rows 0: the family has none */
    const float *bias;       /* NULL: none */
    struct adapted *adapted; /* what adapters add, in their order; NULL: nothing */
};

struct scale { /* a norm */
    const float *w, *b;
};

struct layer {
    struct weight w[W_COUNT];
    struct scale n[N_COUNT];
};

struct weights {
    struct layer *layers;
    struct weight embedding, output; /* output is the embedding when tied */
    struct scale final;
    const float *positions;    /* gpt2: context x width */
    const float *rope_factors; /* rope_dims / 2; NULL: none */
    const float *rope_long, *rope_short;
    uint64_t bytes;
    /* Private. */
    struct arena *arena;
    uint8_t *block; /* all matrices; one mapping */
    uint64_t block_size;
};

struct weights_options {
    struct team *team;
    struct progress progress;
    uint64_t memory; /* what may be used for the weights */
};

/* What of loading went into hashing, and into having the system give out memory; over all threads. */
struct weights_times {
    uint64_t digest_us, memory_us;
};

/* Digests of all tensors, in the model's order, go to `digests`. */
bool weights_load(struct weights *w, struct model *m, struct settings *c,
                  const struct weights_options *o, struct digest *digests,
                  struct weights_times *spent, struct err *e) ASSAY_MUST_CHECK;
void weights_free(struct weights *w);
/* The identity of a model of whose tensors these are the digests, by inspect's own rules. */
bool weights_identity(struct identity *out, struct model *m, const struct facts *f,
                      struct digest *tensors, struct err *e) ASSAY_MUST_CHECK;

#endif
