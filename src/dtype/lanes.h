/*
 * Private to src/dtype: running statistics of one chunk in 16 lanes. Element
 * i of a chunk belongs to lane i % 16, every lane adds in file order, and the
 * lanes are added in one fixed tree: no vector width can change a bit.
 */
#ifndef ASSAY_DTYPE_LANES_H
#define ASSAY_DTYPE_LANES_H

#include "dtype/decode.h"

enum { LANES = 16 };

struct lanes {
    double sum[LANES], squares[LANES];
    double min[LANES], max[LANES];
    uint64_t zeros, nan, inf;
};

/* Adds n elements; only the last call for a chunk may have n % LANES != 0. */
typedef void lanes_fn(struct lanes *l, const float *v, size_t n);

void lanes_plain(struct lanes *l, const float *v, size_t n);
#if DTYPE_X86
void lanes_avx2(struct lanes *l, const float *v, size_t n);
void lanes_avx512(struct lanes *l, const float *v, size_t n);
#endif
void lanes_wide(struct lanes *l, const double *v, size_t n);

#endif
