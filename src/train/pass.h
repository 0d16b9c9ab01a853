/*
 * Private to the passes: where a micro-batch's activations stand. `rows` are
 * sequences x length positions; buffers are row by row.
 */
#ifndef TRAIN_PASS_H
#define TRAIN_PASS_H

#include "train/network.h"

/* What the backward pass needs of a layer; the rest it computes again. */
struct kept {
    float *x, *middle;    /* input of the layer, and of its second half */
    float *q, *k, *v, *o; /* rotated q and k; o: what attention gave */
    float *gate, *up;
};

struct activations {
    size_t rows; /* room */
    struct kept *layers;
    float *x;                     /* output of the last layer */
    float *wide1, *wide2, *wide3; /* rows x width, or heads x head where that is more */
    float *ffn, *dffn;            /* rows x ffn */
    float *dq, *dk, *dv;          /* gradients */
    float *small1, *small2;       /* rows x adapter rank */
    float *logits;                /* HEAD_ROWS x vocabulary */
    double *losses;               /* HEAD_ROWS */
    float *scores;                /* team_threads x 2 x BLOCK x context */
    float *memory;                /* all of the above */
    unsigned workers;
};

enum { ATTENTION_ROWS = 64, HEAD_ROWS = 256, ROWS_A_JOB = 16 };

struct pass {
    struct network *n;
    struct activations *a;
    const struct batch *b;
    struct team *team;
    size_t rows;
};

/* fn(arg, from, to, worker) over all rows, a few at a time, by the team. */
typedef void rows_fn(void *arg, size_t from, size_t to);
void pass_rows(const struct pass *p, rows_fn *fn, void *arg);

/* y = x m^T, the adapter's part included. */
void pass_linear(const struct pass *p, const struct matrix *m, const float *x, float *y);
/*
 * Gradients of linear: those of m are added to m's; that of x goes to dx, or with `add` is
 * added there. dx NULL: not wanted.
 */
void pass_linear_back(const struct pass *p, const struct matrix *m, const float *x, const float *dy,
                      float *dx, bool add);

void pass_norm(const struct pass *p, const float *x, const float *w, float *y);
/* Adds to dx and, when wg is not NULL, to wg. dy is overwritten. */
void pass_norm_back(const struct pass *p, const float *x, const float *w, float *wg, float *dy,
                    float *dx);

/* Rotates q and k rows in place; back: the inverse, for gradients. */
void pass_rotate(const struct pass *p, float *x, size_t heads, bool back);
/* o from q, k, v of a layer; then dq, dk, dv from do. */
void pass_attention(const struct pass *p, const struct kept *l);
void pass_attention_back(const struct pass *p, const struct kept *l, const float *d);

#endif
