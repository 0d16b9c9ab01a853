/*
 * ggml's IQ types: weights are rows of a code book with separate signs, or
 * entries of a fixed list of 16. Layouts are the structures block_iq2_xxs to
 * block_iq4_xs of ggml-common.h, formulas those of ggml-quants.c, evaluated in
 * float in the order written there.
 */
#include <pthread.h>

#include "dtype/decode.h"
#include "dtype/iq_grids.h"

static const int8_t two_bit[4] = {8, 25, 43, 0};
static const int8_t ternary[4] = {-1, 0, 1, 0};
static const int8_t wide_steps[16] = {4, 12, 20, 28, 36, 44, 52, 62};
static const int8_t odd_steps[16] = {1, 3, 5, 7, 9, 11, 13, 15};
static const int8_t nonlinear[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};

static int8_t iq2_xxs_grid[256][8], iq2_xs_grid[512][8], iq2_s_grid[1024][8], iq1_grid[2048][8];
static int8_t iq3_xxs_grid[256][4], iq3_s_grid[512][4];
static float iq_signs[256][8];

static void expand8(int8_t (*grid)[8], const uint16_t *codes, int n, const int8_t *values)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 8; j++)
            grid[i][j] = values[codes[i] >> (2 * j) & 3];
    }
}

static void expand4(int8_t (*grid)[4], const uint16_t *codes, int n, const int8_t *values)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 4; j++)
            grid[i][j] = values[codes[i] >> (4 * j) & 15];
    }
}

static void expand_all(void)
{
    expand8(iq2_xxs_grid, iq2_xxs_codes, 256, two_bit);
    expand8(iq2_xs_grid, iq2_xs_codes, 512, two_bit);
    expand8(iq2_s_grid, iq2_s_codes, 1024, two_bit);
    expand8(iq1_grid, iq1_codes, 2048, ternary);
    expand4(iq3_xxs_grid, iq3_xxs_codes, 256, wide_steps);
    expand4(iq3_s_grid, iq3_s_codes, 512, odd_steps);
    for (int i = 0; i < 256; i++) {
        for (int j = 0; j < 8; j++)
            iq_signs[i][j] = (i >> j & 1) != 0 ? -1.0f : 1.0f;
    }
}

static pthread_once_t expanded = PTHREAD_ONCE_INIT;

#define GRID_LOOP(NAME, one, suffix, target)                                                       \
    BLOCK_LOOP(NAME, one, _blocks##suffix, target)                                                 \
    static void one##suffix(const uint8_t *restrict src, size_t blocks, float *restrict dst)       \
    {                                                                                              \
        pthread_once(&expanded, expand_all);                                                       \
        one##_blocks##suffix(src, blocks, dst);                                                    \
    }
#define GRIDS(NAME, one, ...) DECODER(GRID_LOOP, NAME, one, __VA_ARGS__)

/* Seven stored signs; the eighth makes the number of minus signs even. */
ALWAYS_INLINE unsigned even_signs(unsigned seven)
{
    return seven | (unsigned)__builtin_parity(seven) << 7;
}

ALWAYS_INLINE unsigned bits_at(unsigned packed, int shift, unsigned mask)
{
    return packed >> shift & mask;
}

ALWAYS_INLINE void row8(float *restrict y, float scale, const int8_t *grid, unsigned signs)
{
    const float *s = iq_signs[signs];
    for (int j = 0; j < 8; j++)
        y[j] = scale * (float)grid[j] * s[j];
}

/* Two rows of four under one byte of signs. */
ALWAYS_INLINE void row44(float *restrict y, float scale, const int8_t *a, const int8_t *b,
                         unsigned signs)
{
    const float *s = iq_signs[signs];
    for (int j = 0; j < 4; j++) {
        y[j] = scale * (float)a[j] * s[j];
        y[j + 4] = scale * (float)b[j] * s[j + 4];
    }
}

/* d f16, qs[32] u16: per 32 weights four row numbers, four times 7 signs, 4 bits of scale. */
ALWAYS_INLINE float iq2_xxs(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    for (int g = 0; g < 8; g++) {
        const uint8_t *rows = p + 2 + 8 * g;
        uint32_t word = le32(rows + 4);
        float scale = d * (0.5f + (float)(word >> 28)) * 0.25f;
        for (int l = 0; l < 4; l++)
            row8(y + 32 * g + 8 * l, scale, iq2_xxs_grid[rows[l]],
                 even_signs(word >> (7 * l) & 127));
    }
    return d;
}
GRIDS(IQ2_XXS, iq2_xxs, {0, 2, 33})

/* d f16, qs[32] u16 (9 bits row, 7 signs), scales[8] (4 bits per 16 weights). */
ALWAYS_INLINE float iq2_xs(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    for (int r = 0; r < 32; r++) {
        unsigned q = le16(p + 2 + 2 * r);
        unsigned nibble = bits_at(p[66 + r / 4], r / 2 % 2 * 4, 15);
        float scale = d * (0.5f + (float)nibble) * 0.25f;
        row8(y + 8 * r, scale, iq2_xs_grid[q & 511], even_signs(q >> 9));
    }
    return d;
}
GRIDS(IQ2_XS, iq2_xs, {0, 2, 33})

/* d f16, qs[32], signs[32], qh[8] (2 more bits a row), scales[8] (4 bits per 16 weights). */
ALWAYS_INLINE float iq2_s(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2, *signs = p + 34, *qh = p + 66, *scales = p + 74;
    for (int r = 0; r < 32; r++) {
        unsigned row = qs[r] | bits_at(qh[r / 4], r % 4 * 2, 3) << 8;
        unsigned nibble = bits_at(scales[r / 4], r / 2 % 2 * 4, 15);
        float scale = d * (0.5f + (float)nibble) * 0.25f;
        row8(y + 8 * r, scale, iq2_s_grid[row], signs[r]);
    }
    return d;
}
GRIDS(IQ2_S, iq2_s, {0, 2, 1})

/* d f16, qs[64] rows of four, then per 32 weights a word: four times 7 signs, 4 bits of scale. */
ALWAYS_INLINE float iq3_xxs(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    for (int g = 0; g < 8; g++) {
        const uint8_t *rows = p + 2 + 8 * g;
        uint32_t word = le32(p + 66 + 4 * g);
        float scale = d * (0.5f + (float)(word >> 28)) * 0.5f;
        for (int l = 0; l < 4; l++)
            row44(y + 32 * g + 8 * l, scale, iq3_xxs_grid[rows[2 * l]],
                  iq3_xxs_grid[rows[2 * l + 1]], even_signs(word >> (7 * l) & 127));
    }
    return d;
}
GRIDS(IQ3_XXS, iq3_xxs, {0, 2, 1})

/* d f16, qs[64], qh[8] (a ninth bit a row), signs[32], scales[4] (4 bits per 32 weights). */
ALWAYS_INLINE float iq3_s(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2, *qh = p + 66, *signs = p + 74, *scales = p + 106;
    for (int r = 0; r < 32; r++) {
        int g = r / 4, bit = r % 4 * 2;
        float scale = d * (float)(1 + 2 * (scales[g / 2] >> (g % 2 * 4) & 15));
        unsigned a = qs[2 * r] | bits_at(qh[g], bit, 1) << 8;
        unsigned b = qs[2 * r + 1] | bits_at(qh[g], bit + 1, 1) << 8;
        row44(y + 8 * r, scale, iq3_s_grid[a], iq3_s_grid[b], signs[r]);
    }
    return d;
}
GRIDS(IQ3_S, iq3_s, {0, 2, 1})

/* By a bit of the block: looked up, for a branch on random bits is slow. */
static const float deltas[2] = {0.125f, -0.125f};

ALWAYS_INLINE void row_shifted(float *restrict y, float scale, const int8_t *grid, float delta)
{
    for (int j = 0; j < 8; j++)
        y[j] = scale * ((float)grid[j] + delta);
}

/* d f16, qs[32], qh[8] u16: four times 3 more bits a row, 3 bits of scale, the shift's sign. */
ALWAYS_INLINE float iq1_s(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2;
    for (int g = 0; g < 8; g++) {
        unsigned qh = le16(p + 34 + 2 * g);
        float scale = d * (float)(2 * (qh >> 12 & 7) + 1);
        float delta = deltas[qh >> 15];
        for (int l = 0; l < 4; l++) {
            unsigned row = qs[4 * g + l] | (qh >> (3 * l) & 7) << 8;
            row_shifted(y + 32 * g + 8 * l, scale, iq1_grid[row], delta);
        }
    }
    return d;
}
GRIDS(IQ1_S, iq1_s, {0, 2, 1}, {34, 2, 8})

/*
 * qs[32], qh[16] (a nibble a row: 3 more bits, the shift's sign), scales[8] read as four
 * 16-bit words: four times 3 bits of scale, and a nibble of the f16 d, lowest nibble first.
 */
ALWAYS_INLINE float iq1_m(const uint8_t *restrict p, float *restrict y)
{
    const uint8_t *qs = p, *qh = p + 32, *scales = p + 48;
    unsigned half = 0;
    for (int i = 0; i < 4; i++)
        half |= (unsigned)(le16(scales + 2 * i) >> 12) << (4 * i);
    float d = float_of_half((uint16_t)half);
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)(2 * bits_at(le16(scales + g / 4 * 2), g % 4 * 3, 7) + 1);
        for (int l = 0; l < 2; l++) {
            unsigned nibble = bits_at(qh[g], 4 * l, 15);
            float delta = deltas[nibble >> 3];
            const int8_t *grid = iq1_grid[qs[2 * g + l] | (nibble & 7) << 8];
            row_shifted(y + 16 * g + 8 * l, scale, grid, delta);
        }
    }
    return d;
}
GRIDS(IQ1_M, iq1_m, {0, 0, 0})

/* d f16, qs[16]: low nibbles are weights 0-15, high ones 16-31. */
ALWAYS_INLINE float iq4_nl(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    const uint8_t *qs = p + 2;
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)nonlinear[qs[j] & 15];
        y[j + 16] = d * (float)nonlinear[qs[j] >> 4];
    }
    return d;
}
BLOCKS(IQ4_NL, iq4_nl, {0, 2, 1})

/* d f16, scales_h u16, scales_l[4], qs[128]: eight IQ4_NL blocks with 6-bit scales less 32. */
ALWAYS_INLINE float iq4_xs(const uint8_t *restrict p, float *restrict y)
{
    float d = half_at(p);
    unsigned high = le16(p + 2);
    for (int g = 0; g < 8; g++) {
        int low = p[4 + g / 2] >> (g % 2 * 4) & 15;
        float scale = d * (float)((low | (int)(high >> (2 * g) & 3) << 4) - 32);
        const uint8_t *qs = p + 8 + 16 * g;
        for (int j = 0; j < 16; j++) {
            y[32 * g + j] = scale * (float)nonlinear[qs[j] & 15];
            y[32 * g + j + 16] = scale * (float)nonlinear[qs[j] >> 4];
        }
    }
    return d;
}
BLOCKS(IQ4_XS, iq4_xs, {0, 2, 2})
