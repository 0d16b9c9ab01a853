/*
 * Products of plain matrices: the specification, and the choice of the code
 * that equals it on this processor. A row of weights is 16 lanes wide by
 * definition, so one 512-bit register, two of 256 bits and sixteen floats hold
 * the same numbers after the same steps.
 */
#include "numerics/dense.h"

void dense_scalar(const struct dense *d, size_t n0, size_t n1)
{
    size_t size = d->k * dense_bytes(d->type);
    for (size_t n = n0; n < n1; n++) {
        const uint8_t *row = (const uint8_t *)d->w + n * size;
        for (size_t m = 0; m < d->batch; m++) {
            const float *x = d->x + m * d->x_stride;
            float lanes[LANES] = {0};
            size_t i = 0;
            for (; i + LANES <= d->k; i += LANES) {
                for (size_t j = 0; j < LANES; j++)
                    lanes[j] = fmaf(dense_element(d->type, row, i + j), x[i + j], lanes[j]);
            }
            d->y[m * d->y_stride + n] = dense_finish(d->type, lanes, row, x, i, d->k);
        }
    }
}

void numerics_dense(const struct dense *d, size_t n0, size_t n1)
{
#if NUMERICS_X86
    static dense_fn *const run[NUMERICS_ISAS] = {dense_scalar, dense_avx2, dense_avx512};
    run[numerics_isa()](d, n0, n1);
#else
    dense_scalar(d, n0, n1);
#endif
}

/* In squares of 16 x 16, so that both sides stay within a few cache lines. */
void numerics_transpose(float *y, const float *x, size_t rows, size_t cols)
{
    for (size_t r0 = 0; r0 < rows; r0 += 16) {
        size_t r1 = r0 + 16 < rows ? r0 + 16 : rows;
        for (size_t c = 0; c < cols; c++) {
            for (size_t r = r0; r < r1; r++)
                y[c * rows + r] = x[r * cols + c];
        }
    }
}
