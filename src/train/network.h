/*
 * A llama-family network with its gradients, in F32. Weights stand as Hugging
 * Face stores them (rotary pairs in halves), so that a weight has one name
 * and one place in training, in checkpoints and in model.safetensors.
 *
 * Every sum of a step is one chain in the order of the rows (sequence by
 * sequence, position by position): neither threads nor the way that a step is
 * cut into micro-batches can change a bit.
 */
#ifndef TRAIN_NETWORK_H
#define TRAIN_NETWORK_H

#include "assay/base/arena.h"
#include "assay/team.h"

enum { LAYER_MATRICES = 7, NAME_ROOM = 96 };

struct shape {
    size_t layers, width, ffn, heads, kv_heads, head, vocabulary, context;
    float eps;
    double rope_base;
    bool tied;
};

enum matrix_role { MATRIX_Q, MATRIX_K, MATRIX_V, MATRIX_O, MATRIX_GATE, MATRIX_UP, MATRIX_DOWN };

/* The last parts of their names: "self_attn.q_proj". */
extern const char *const matrix_names[LAYER_MATRICES];

/* w + scale * b a, with a of rank x columns and b of rows x rank. */
struct adapter_pair {
    float *a, *b, *ga, *gb;
    size_t rank;
    float scale;
};

struct matrix {
    float *w, *g; /* rows x columns; g NULL: frozen */
    size_t rows, columns;
    struct adapter_pair *adapter; /* NULL: none */
};

struct layer {
    float *norm1, *norm1_g, *norm2, *norm2_g;
    struct matrix m[LAYER_MATRICES];
};

/* One tensor. What is trained has its place in the run's four blocks. */
struct parameter {
    char name[NAME_ROOM];
    size_t rank; /* 1 or 2 */
    size_t rows, columns;
    float *w, *g;
    bool trained, decays;
};

struct network {
    struct shape shape;
    float *embedding, *embedding_g;
    float *lookup_g; /* of a tied embedding as the first layer's input, apart from the head's */
    struct layer *layers;
    float *norm, *norm_g;
    struct matrix head;           /* the embedding when tied */
    struct parameter *parameters; /* of the model, then of the adapter, in order */
    size_t count, base_count, adapter_rank;
    float *frozen;        /* block of what is not trained */
    float *w, *g, *m, *v; /* blocks of what is: weights, gradients, moments */
    size_t trained;       /* floats of each */
    float *rope;          /* cos and sin: context x head/2 pairs of them */
};

struct adapter_plan {
    size_t rank; /* 0: no adapter, everything is trained */
    float alpha;
    bool target[LAYER_MATRICES];
};

/* Zeroed weights; norms too. All of it is the arena's. */
bool network_new(struct network **out, const struct shape *s, const struct adapter_plan *p,
                 struct arena *a, struct err *e) ASSAY_MUST_CHECK;
/* Fresh weights: norms 1, matrices normal with deviation sqrt(2 / (5 width)) (Nguyen and Salazar,
 * 2019), those that end a residual branch by 1 / sqrt(2 layers) less; the adapter's a even, its
 * b 0. */
void network_begin(struct network *n, uint64_t seed);
void network_begin_adapter(struct network *n, uint64_t seed);
/* A step: gradients to zero, any number of micro-batches, then what was kept apart is added. */
void network_clear(struct network *n);
void network_gather(struct network *n);
struct parameter *network_parameter(const struct network *n, const char *name); /* NULL: none */

/* ---- one micro-batch ---- */

struct batch {
    size_t sequences, length;
    const uint32_t *tokens;  /* sequences x length */
    const uint32_t *targets; /* the token after each */
    const uint8_t *counts;   /* 1: its prediction counts in the loss */
};

struct activations;

/* Room for micro-batches of up to `rows` positions, for a team of `workers`. */
bool activations_new(struct activations **out, const struct network *n, size_t rows,
                     unsigned workers, struct err *e) ASSAY_MUST_CHECK;
void activations_free(struct activations *a);

/*
 * The forward pass; adds the negative log-likelihoods of counted positions to *loss in
 * their order. With `weight` > 0, gradients of weight * loss are added as well. False when
 * a loss is not finite: *bad is the first such position.
 */
bool network_run(struct network *n, struct activations *a, const struct batch *b, float weight,
                 double *loss, size_t *bad, struct team *team) ASSAY_MUST_CHECK;
/* Logits of the last micro-batch's row, for tests and samples: valid after network_logits. */
const float *network_logits(struct network *n, struct activations *a, size_t row,
                            struct team *team);

#endif
