/*
 * Private to src/numerics: one tile of a chained product for one instruction
 * set. Both operands are packed: for each p, `rows` elements of a stand
 * together, and `columns` of b; a tile's sums stay in registers for all of k.
 */
#ifndef ASSAY_NUMERICS_CHAIN_H
#define ASSAY_NUMERICS_CHAIN_H

#include "numerics/lane.h"

enum { CHAIN_MAX_ROWS = 12, CHAIN_MAX_COLUMNS = 32 };

/* c (whole tile, c_row apart) holds where the chains stand, before and after. */
typedef void chain_tile_fn(const float *a, const float *b, size_t k, float *c, size_t c_row);

struct chain_kernel {
    size_t rows, columns;
    chain_tile_fn *tile;
};

extern const struct chain_kernel chain_scalar;
#if NUMERICS_X86
extern const struct chain_kernel chain_avx2, chain_avx512;
#endif

#endif
