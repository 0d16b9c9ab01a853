/*
 * How far a value in a quantised block may lie from the one that was rounded to
 * it. Blocks of the uniform types have steps: what one quant more adds, read off by
 * decoding the block with its quants set to the lowest, the next and the highest.
 */
#include "dtype/decode.h"

/* Where the quants stand in a block, and the bytes for all lowest, one more, all highest. */
struct quants {
    enum dtype type;
    struct {
        uint16_t offset, length;
        uint8_t low, next, high;
    } part[2]; /* ends at length 0 */
};

static const struct quants table[] = {
    {DTYPE_Q4_0, {{2, 16, 0, 0x11, 0xff}}},
    {DTYPE_Q4_1, {{4, 16, 0, 0x11, 0xff}}},
    {DTYPE_Q5_0, {{2, 4, 0, 0, 0xff}, {6, 16, 0, 0x11, 0xff}}},
    {DTYPE_Q5_1, {{4, 4, 0, 0, 0xff}, {8, 16, 0, 0x11, 0xff}}},
    {DTYPE_Q8_0, {{2, 32, 0x80, 0x81, 0x7f}}},
    {DTYPE_Q2_K, {{16, 64, 0, 0x55, 0xff}}},
    {DTYPE_Q3_K, {{0, 32, 0, 0, 0xff}, {32, 64, 0, 0x55, 0xff}}},
    {DTYPE_Q4_K, {{16, 128, 0, 0x11, 0xff}}},
    {DTYPE_Q5_K, {{16, 32, 0, 0, 0xff}, {48, 128, 0, 0x11, 0xff}}},
    {DTYPE_Q6_K, {{0, 128, 0, 0x11, 0xff}, {128, 64, 0, 0, 0xff}}},
};

enum {
    BATCH = 1024,
    BATCH_BYTES = BATCH / 32 * 40
}; /* elements at a time, and their widest bytes */

static const struct quants *quants_of(enum dtype t)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].type == t)
            return &table[i];
    return NULL;
}

bool dtype_bounds_known(enum dtype t)
{
    return quants_of(t) != NULL;
}

enum setting { LOWEST, NEXT, HIGHEST };

static void decode_with(const struct quants *q, const uint8_t *src, size_t blocks, bool big_endian,
                        enum setting which, float *dst)
{
    uint8_t bytes[BATCH_BYTES];
    size_t size = dtypes[q->type].bytes;
    memcpy(bytes, src, blocks * size);
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < 2 && q->part[i].length; i++) {
            uint8_t with = which == LOWEST ? q->part[i].low
                           : which == NEXT ? q->part[i].next
                                           : q->part[i].high;
            memset(bytes + b * size + q->part[i].offset, with, q->part[i].length);
        }
    dtype_decode(q->type, bytes, blocks, big_endian, dst);
}

/* A value at either end of its block's range may have lain beyond it: a whole step. The scale was
 * rounded to 16 bits after the quants were chosen. */
static void batch_bounds(const struct quants *q, const uint8_t *src, size_t blocks, bool big_endian,
                         float *dst)
{
    float value[BATCH], low[BATCH], next[BATCH], high[BATCH];
    decode_with(q, src, blocks, big_endian, LOWEST, low);
    decode_with(q, src, blocks, big_endian, NEXT, next);
    decode_with(q, src, blocks, big_endian, HIGHEST, high);
    dtype_decode(q->type, src, blocks, big_endian, value);
    for (size_t i = 0; i < blocks * dtypes[q->type].block; i++) {
        bool end = value[i] == low[i] || value[i] == high[i];
        dst[i] = fabsf(next[i] - low[i]) * (end ? 1.0f : 0.5f) +
                 (fabsf(value[i]) + fabsf(low[i])) * 0x1p-11f;
    }
}

void dtype_bounds(enum dtype t, const uint8_t *src, size_t blocks, bool big_endian, float *dst)
{
    const struct quants *q = quants_of(t);
    size_t most = q ? (size_t)BATCH / dtypes[t].block : 0;
    for (size_t i = 0; q && i < blocks; i += most) {
        size_t n = blocks - i < most ? blocks - i : most;
        batch_bounds(q, src + i * dtypes[t].bytes, n, big_endian, dst + i * dtypes[t].block);
    }
}
