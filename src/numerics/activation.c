/*
 * Activations as signed bytes. The largest magnitude of a block maps to 127,
 * every other value to the nearest integer, halves to even; a block's result
 * depends on its own values alone.
 */
#include "numerics/blocks.h"

/* The nearest integer by adding 1.5 * 2^23; |x| <= 127. */
ALWAYS_INLINE int32_t nearest(float x)
{
    return (int32_t)(bits_of(x + 12582912.0f) - bits_of(12582912.0f));
}

ALWAYS_INLINE float magnitude(const float *x, int n)
{
    uint32_t most = 0;
    for (int j = 0; j < n; j++) {
        uint32_t b = bits_of(x[j]) & 0x7fffffffu;
        most = b > most ? b : most;
    }
    return float_of(most);
}

ALWAYS_INLINE void bytes_of(int8_t *q, const float *x, int n, float most)
{
    float inverse = most > 0.0f ? 127.0f / most : 0.0f;
    for (int j = 0; j < n; j++)
        q[j] = (int8_t)nearest(x[j] * inverse);
}

ALWAYS_INLINE void make32_body(struct act32 *out, const float *x, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, out++, x += 32) {
        float most = magnitude(x, 32);
        int32_t sum = 0;
        out->d = lane_from_half(lane_half(most / 127.0f));
        bytes_of(out->q, x, 32, most);
        for (int j = 0; j < 32; j++)
            sum += out->q[j];
        out->less = -8 * sum;
    }
}
VARIANTS(void, , make32, (struct act32 * out, const float *x, size_t blocks), (out, x, blocks))

ALWAYS_INLINE void make256_body(struct act256 *out, const float *x, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, out++, x += 256) {
        float most = magnitude(x, 256);
        out->d = most / 127.0f;
        bytes_of(out->q, x, 256, most);
        for (int s = 0; s < 16; s++) {
            int32_t sum = 0;
            for (int j = 0; j < 16; j++)
                sum += out->q[16 * s + j];
            out->sums[s] = (int16_t)sum;
        }
    }
}
VARIANTS(void, , make256, (struct act256 * out, const float *x, size_t blocks), (out, x, blocks))

size_t activation_size(enum activation kind, size_t cols)
{
    if (kind == ACTIVATION_32)
        return cols / 32 * sizeof(struct act32);
    if (kind == ACTIVATION_256)
        return cols / 256 * sizeof(struct act256);
    return cols * sizeof(float);
}

void activation_make(void *out, enum activation kind, const float *x, size_t cols)
{
    enum numerics_isa isa = numerics_isa();
    if (kind == ACTIVATION_32)
        make32_of[isa](out, x, cols / 32);
    else if (kind == ACTIVATION_256)
        make256_of[isa](out, x, cols / 256);
    else
        memcpy(out, x, cols * sizeof *x);
}
