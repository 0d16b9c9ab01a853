/*
 * Weight matrices of every element type that the engine computes with, and
 * their products with rows of activations, to the bits of docs/numerics.md.
 *
 * A matrix is held as its container stores it, row after row of blocks, or
 * packed: groups of 32 rows whose fields are interleaved, so that one vector
 * load serves sixteen outputs. Packing is a permutation of the bytes and
 * changes no result.
 */
#ifndef ASSAY_MATRIX_H
#define ASSAY_MATRIX_H

#include "assay/dtype.h"

enum { MATRIX_GROUP = 32 }; /* rows of a packed group */

struct matrix {
    enum dtype type;
    bool packed;         /* the whole groups of 32 rows are; what is left over never is */
    size_t rows, cols;   /* outputs, inputs */
    size_t row_bytes;    /* of one row as stored */
    const uint8_t *data; /* rows * row_bytes, borrowed; 64-byte aligned when packed */
};

/* Types that products are defined for; `cols` fills whole blocks. */
bool matrix_supports(enum dtype t);
/* Whether products of this type are faster packed on this machine. */
bool matrix_packs(enum dtype t);
/* One group: 32 rows as stored, to the same number of bytes packed. */
void matrix_pack(uint8_t *group, const uint8_t *rows, enum dtype t, size_t cols);
/* No element of these blocks, as stored, is NaN or infinite; of a supported type. */
bool matrix_finite(enum dtype t, const uint8_t *stored, size_t blocks);
/* Row `row` as floats (dtype_decode). */
void matrix_row(float *y, const struct matrix *w, size_t row);

/*
 * Activations are made ready once for all matrices of a kind: floats as they
 * are, or signed bytes with one scale for 32 or 256 of them, row by row,
 * whatever else is in the batch. Sizes are per row.
 */
enum activation { ACTIVATION_FLOAT, ACTIVATION_32, ACTIVATION_256, ACTIVATION_KINDS };
enum activation matrix_activation(enum dtype t);
size_t activation_size(enum activation kind, size_t cols);
void activation_make(void *out, enum activation kind, const float *x, size_t cols);

/* y[m * y_stride + n] = row n of w times row m of x, for n in n0..n1-1 (n0 a multiple of 32)
 * and m in 0..batch-1. x holds activations of the matrix's kind, x_size bytes apart. */
struct product {
    const struct matrix *w;
    const void *x;
    size_t x_size, batch;
    float *y;
    size_t y_stride;
};
void matrix_product(const struct product *p, size_t n0, size_t n1);

#endif
