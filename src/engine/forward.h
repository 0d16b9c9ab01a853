/*
 * Private to src/engine: the forward pass over a batch of rows. A row is one
 * token at one position of one sequence; rows of one sequence stand in
 * ascending positions, and what a row gives depends on nothing else in the batch.
 */
#ifndef ENGINE_FORWARD_H
#define ENGINE_FORWARD_H

#include "engine/weights.h"

/* Keys and values of one sequence: [layer][kv head][position][dimension], binary16. */
struct kv {
    uint16_t *k, *v;
    uint64_t bytes; /* of each; address space, memory where positions were used */
};

bool kv_new(struct kv *c, const struct settings *f, struct err *e) ASSAY_MUST_CHECK;
void kv_free(struct kv *c);
/* The first n positions of another sequence. */
void kv_copy(struct kv *to, const struct kv *from, const struct settings *f, uint32_t n);
/* Bytes that `positions` of one sequence use. */
uint64_t kv_size(const struct settings *f, uint32_t positions);

struct row {
    uint32_t token, position;
    struct kv *cache;
};

struct forward {
    const struct settings *c;
    const struct weights *w;
    struct team *team;
    uint32_t most; /* rows at once */
    /* Row-major, `most` rows each. */
    float *x, *y, *qkv, *att, *ffn;
    uint8_t *ready[3]; /* activations by kind */
    size_t ready_size[3];
    float *turn[2];  /* cos and sin of each row: [row][rope_dims], global and windowed layers */
    double *step[2]; /* angle per position of each pair */
    float turn_scale;
    float *scores; /* per worker: heads of a group x context */
    size_t scores_size;
    float *low, *high; /* adapters: rows x all ranks, rows x outputs */
    size_t high_size;
    uint64_t bytes;
    struct arena *arena;
};

bool forward_new(struct forward *f, const struct settings *c, const struct weights *w,
                 struct team *team, uint32_t most, struct err *e) ASSAY_MUST_CHECK;
void forward_free(struct forward *f);
/* Bytes that forward_new will ask for. */
uint64_t forward_size(const struct settings *c, unsigned threads, uint32_t most);

/* f->x holds the rows' hidden states after the last layer, before the final norm. */
void forward_rows(struct forward *f, const struct row *rows, uint32_t n);
/* out (width floats) = the final hidden state of row i. */
void forward_final(const struct forward *f, uint32_t i, float *out);
/* logits[i][vocabulary] of n final hidden states. */
void forward_logits(struct forward *f, const float *hidden, uint32_t n, float *logits);

/* y = W x + bias (+ adapters) for n rows of x; several matrices over the same x. */
struct target {
    const struct weight *w;
    float *y;
    size_t y_stride;
};
void linear(struct forward *f, const float *x, size_t x_stride, uint32_t n,
            const struct target *targets, unsigned count);

/* rope.c */
bool rope_new(struct forward *f, struct err *e) ASSAY_MUST_CHECK;
void rope_angles(struct forward *f, const struct row *rows, uint32_t n);
/* Rotate `heads` heads of one row. */
void rope_turn(const struct forward *f, float *x, uint32_t heads, uint32_t row, bool windowed);

/* attention.c: q, k and v of all rows stand in f->qkv; the result goes to f->att. */
void attention(struct forward *f, const struct row *rows, uint32_t n, uint32_t layer);

#endif
