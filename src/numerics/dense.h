/*
 * Private to src/numerics: the products of F32, F16 and BF16 matrices for one
 * instruction set each. All take whole rows n0..n1-1 and every row of x.
 */
#ifndef ASSAY_NUMERICS_DENSE_H
#define ASSAY_NUMERICS_DENSE_H

#include "numerics/lane.h"

enum { DENSE_LONG = 512 }; /* elements of a row that is worth reading alone */

typedef void dense_fn(const struct dense *d, size_t n0, size_t n1);

void dense_scalar(const struct dense *d, size_t n0, size_t n1);
#if NUMERICS_X86
void dense_avx2(const struct dense *d, size_t n0, size_t n1);
void dense_avx512(const struct dense *d, size_t n0, size_t n1);
#endif

ALWAYS_INLINE size_t dense_bytes(enum dtype t)
{
    return t == DTYPE_F32 ? 4 : 2;
}

/* Element i of a row of w, which need not be aligned. */
ALWAYS_INLINE float dense_element(enum dtype t, const uint8_t *row, size_t i)
{
    uint32_t wide;
    uint16_t narrow;
    if (t == DTYPE_F32) {
        memcpy(&wide, row + 4 * i, sizeof wide);
        return float_of(wide);
    }
    memcpy(&narrow, row + 2 * i, sizeof narrow);
    return t == DTYPE_F16 ? lane_from_half(narrow) : lane_from_bfloat(narrow);
}

/* Adds the last elements, i..k-1, to the lanes they belong to, and the lanes up. */
ALWAYS_INLINE float dense_finish(enum dtype t, float *lanes, const uint8_t *row, const float *x,
                                 size_t i, size_t k)
{
    for (size_t j = 0; i + j < k; j++)
        lanes[j] = fmaf(dense_element(t, row, i + j), x[i + j], lanes[j]);
    return lanes_tree(lanes);
}

#endif
