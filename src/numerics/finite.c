/*
 * Whether stored weights are numbers. Plain elements are looked at one by one;
 * of a block only its scales can fail to be finite.
 */
#include "numerics/blocks.h"

/* Where the binary16 scales of a block stand. */
struct scales {
    uint16_t at, count;
};

static struct scales scales_of(enum dtype t)
{
    if (t == DTYPE_Q6_K)
        return (struct scales){208, 1};
    bool two = t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q4_K || t == DTYPE_Q5_K;
    return (struct scales){0, two ? 2 : 1};
}

/* Elements whose exponent is all ones are infinite or NaN. */
ALWAYS_INLINE bool narrow_body(const uint8_t *p, size_t n, uint32_t exponent)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, p + 2 * i, sizeof v);
        bad |= (v & exponent) == exponent;
    }
    return bad == 0;
}
VARIANTS(bool, return, narrow, (const uint8_t *p, size_t n, uint32_t exponent), (p, n, exponent))

ALWAYS_INLINE bool wide_body(const uint8_t *p, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= (read32(p + 4 * i) & 0x7f800000u) == 0x7f800000u;
    return bad == 0;
}
VARIANTS(bool, return, wide, (const uint8_t *p, size_t n), (p, n))

bool matrix_finite(enum dtype t, const uint8_t *p, size_t blocks)
{
    enum numerics_isa isa = numerics_isa();
    if (t == DTYPE_F32)
        return wide_of[isa](p, blocks);
    if (t == DTYPE_F16 || t == DTYPE_BF16)
        return narrow_of[isa](p, blocks, t == DTYPE_F16 ? 0x7c00u : 0x7f80u);
    struct scales s = scales_of(t);
    bool bad = false;
    for (size_t b = 0; b < blocks; b++, p += dtypes[t].bytes) {
        for (uint32_t i = 0; i < s.count; i++)
            bad |= (read16(p + s.at + 2 * i) & 0x7c00u) == 0x7c00u;
    }
    return !bad;
}
