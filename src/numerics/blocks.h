/*
 * Private to src/numerics: activations in bytes, and the kernels of quantised
 * matrices. The integers inside a block are exact in any order; what is
 * defined is each block's float steps, and that blocks come in ascending order.
 */
#ifndef ASSAY_NUMERICS_BLOCKS_H
#define ASSAY_NUMERICS_BLOCKS_H

#include "assay/matrix.h"
#include "numerics/lane.h"

/* 32 activations: x is about d * q. Weights that were stored without their sign begin with a
 * multiple of `less`, ready to be loaded into every lane. */
struct act32 {
    float d;      /* rounded to binary16 */
    int32_t less; /* -8 times the sum of q */
    int8_t q[32];
};

ALWAYS_INLINE int32_t act32_sum(const struct act32 *x)
{
    return -x->less / 8;
}

/* 256 activations. */
struct act256 {
    float d;
    int16_t sums[16]; /* of q, 16 at a time */
    int8_t q[256];
};

/* acc after `blocks` more blocks of a row as it is stored. */
typedef float raw_row_fn(float acc, const uint8_t *w, const void *x, size_t blocks);
raw_row_fn *raw_row(enum dtype t);

/* Outputs n0..n1-1; both are rows of p->w. */
typedef void product_fn(const struct product *p, size_t n0, size_t n1);
product_fn raw_product;

/* Kernels over packed groups: n0 and n1 are multiples of 32. */
#if NUMERICS_X86
product_fn q4_0_avx2, q4_1_avx2, q5_0_avx2, q5_1_avx2, q8_0_avx2, iq4_nl_avx2;
product_fn q4_k_avx2, q5_k_avx2, q6_k_avx2, iq4_xs_avx2;
product_fn q4_0_avx512, q4_1_avx512, q5_0_avx512, q5_1_avx512, q8_0_avx512, iq4_nl_avx512;
product_fn q4_k_avx512, q5_k_avx512, q6_k_avx512, iq4_xs_avx512;
#endif

/* The code book of IQ4_NL and IQ4_XS (kvalues_iq4nl of ggml-common.h). */
extern const int8_t iq4_values[16];

/* Bytes `offset`.. of a block that stay together when rows are interleaved. */
struct unit {
    uint16_t offset, size, count; /* `count` of them, one after another */
};

ALWAYS_INLINE uint16_t read16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE uint32_t read32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE float half_at(const uint8_t *p)
{
    return lane_from_half(read16(p));
}

/* Eight 6-bit scales and minima in 12 bytes (get_scale_min_k4 of ggml-quants.c). */
ALWAYS_INLINE void k_scales(const uint8_t *p, uint8_t *scale, uint8_t *minimum)
{
    for (int s = 0; s < 4; s++) {
        scale[s] = p[s] & 63;
        minimum[s] = p[s + 4] & 63;
        scale[s + 4] = (uint8_t)((p[s + 8] & 15) | p[s] >> 6 << 4);
        minimum[s + 4] = (uint8_t)(p[s + 8] >> 4 | p[s + 4] >> 6 << 4);
    }
}

#endif
