/*
 * The table of element types that products are defined for: what their
 * activations are, how their blocks interleave, and the kernel for packed rows
 * on each instruction set. A type without a kernel is computed as it is stored.
 */
#include "numerics/blocks.h"

enum { UNITS = 16, BLOCK_BYTES = 256, HALF = MATRIX_GROUP / 2 };

struct kind {
    bool defined;
    enum activation activation;
    struct unit units[UNITS]; /* cover a block; ends at size 0 */
    product_fn *packed[NUMERICS_ISAS];
};

#if NUMERICS_X86
#define KERNELS(avx2, avx512)                                                                      \
    {                                                                                              \
        NULL, avx2, avx512                                                                         \
    }
#else
#define KERNELS(avx2, avx512)                                                                      \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif

static const struct kind kinds[DTYPE_COUNT] = {
    [DTYPE_F32] = {true, ACTIVATION_FLOAT, {{0, 0, 0}}, {0}},
    [DTYPE_F16] = {true, ACTIVATION_FLOAT, {{0, 0, 0}}, {0}},
    [DTYPE_BF16] = {true, ACTIVATION_FLOAT, {{0, 0, 0}}, {0}},
    [DTYPE_Q4_0] = {true, ACTIVATION_32, {{0, 2, 1}, {2, 4, 4}}, KERNELS(q4_0_avx2, q4_0_avx512)},
    [DTYPE_Q8_0] = {true, ACTIVATION_32, {{0, 2, 1}, {2, 4, 8}}, KERNELS(q8_0_avx2, q8_0_avx512)},
    [DTYPE_Q4_1] = {true, ACTIVATION_32, {{0, 2, 2}, {4, 4, 4}}, KERNELS(q4_1_avx2, q4_1_avx512)},
    [DTYPE_Q5_0] = {true, ACTIVATION_32, {{0, 2, 1}, {2, 4, 5}}, KERNELS(q5_0_avx2, q5_0_avx512)},
    [DTYPE_Q5_1] = {true, ACTIVATION_32, {{0, 2, 2}, {4, 4, 5}}, KERNELS(q5_1_avx2, q5_1_avx512)},
    [DTYPE_IQ4_NL] = {true,
                      ACTIVATION_32,
                      {{0, 2, 1}, {2, 4, 4}},
                      KERNELS(iq4_nl_avx2, iq4_nl_avx512)},
    [DTYPE_Q4_K] = {true, ACTIVATION_256, {{0, 2, 2}, {4, 4, 35}}, KERNELS(q4_k_avx2, q4_k_avx512)},
    [DTYPE_Q5_K] = {true, ACTIVATION_256, {{0, 2, 2}, {4, 4, 43}}, KERNELS(q5_k_avx2, q5_k_avx512)},
    [DTYPE_Q6_K] = {true,
                    ACTIVATION_256,
                    {{208, 2, 1},
                     {192, 2, 8},
                     {128, 4, 4},
                     {0, 4, 4},
                     {32, 4, 4},
                     {144, 4, 4},
                     {16, 4, 4},
                     {48, 4, 4},
                     {160, 4, 4},
                     {64, 4, 4},
                     {96, 4, 4},
                     {176, 4, 4},
                     {80, 4, 4},
                     {112, 4, 4}},
                    KERNELS(q6_k_avx2, q6_k_avx512)},
    [DTYPE_IQ4_XS] = {true,
                      ACTIVATION_256,
                      {{0, 2, 2}, {4, 4, 33}},
                      KERNELS(iq4_xs_avx2, iq4_xs_avx512)},
};

bool matrix_supports(enum dtype t)
{
    return (unsigned)t < DTYPE_COUNT && kinds[t].defined;
}

bool matrix_packs(enum dtype t)
{
    return kinds[t].packed[numerics_isa()] != NULL;
}

enum activation matrix_activation(enum dtype t)
{
    return kinds[t].activation;
}

/*
 * Block b of 32 rows becomes 32 blocks' worth of bytes: of each 16-bit unit
 * that of row 0, of row 1 and so on; then all 32-bit units of rows 0..15 in the
 * same way, then those of rows 16..31. So a product reads a block from its first
 * line to its last, which is the one order that memory is fast in.
 */
struct place {
    size_t half; /* from row 0 to row 16 */
    size_t next; /* from a unit to the one behind it */
};

static struct place place_of(enum dtype t, const struct unit *of)
{
    size_t words = 0;
    for (const struct unit *u = kinds[t].units; u->size != 0; u++)
        words += u->size == 4 ? u->count : 0;
    if (of->size == 2)
        return (struct place){2 * HALF, 2 * MATRIX_GROUP};
    return (struct place){words * 4 * HALF, 4 * HALF};
}

/* One unit of all rows; `size` is a constant where this is called. */
ALWAYS_INLINE void interleave(uint8_t *to, size_t half, const uint8_t *from, size_t row_bytes,
                              size_t size)
{
    for (size_t r = 0; r < MATRIX_GROUP; r++)
        memcpy(to + r / HALF * half + r % HALF * size, from + r * row_bytes, size);
}

void matrix_pack(uint8_t *group, const uint8_t *rows, enum dtype t, size_t cols)
{
    size_t bytes = dtypes[t].bytes, blocks = cols / dtypes[t].block, row_bytes = blocks * bytes;
    for (const struct unit *u = kinds[t].units; u->size != 0; u++) {
        struct place at = place_of(t, u);
        for (size_t b = 0; b < blocks; b++) {
            uint8_t *to = group + b * bytes * MATRIX_GROUP;
            const uint8_t *from = rows + b * bytes + u->offset;
            for (size_t i = 0; i < u->count; i++, to += at.next, from += u->size) {
                if (u->size == 2)
                    interleave(to, at.half, from, row_bytes, 2);
                else
                    interleave(to, at.half, from, row_bytes, 4);
            }
        }
        group += at.next * u->count;
    }
}

/* Block b of one row of a packed group, put together again. */
static void unpack_block(uint8_t *block, const uint8_t *group, enum dtype t, size_t b, size_t row)
{
    const uint8_t *p = group + b * dtypes[t].bytes * MATRIX_GROUP;
    for (const struct unit *u = kinds[t].units; u->size != 0; u++) {
        struct place at = place_of(t, u);
        const uint8_t *from = p + row / HALF * at.half + row % HALF * u->size;
        for (size_t i = 0; i < u->count; i++)
            memcpy(block + u->offset + i * u->size, from + i * at.next, u->size);
        p += at.next * u->count;
    }
}

static size_t packed_rows(const struct matrix *w)
{
    return w->packed ? w->rows / MATRIX_GROUP * MATRIX_GROUP : 0;
}

void matrix_row(float *y, const struct matrix *w, size_t row)
{
    size_t blocks = w->cols / dtypes[w->type].block;
    if (row >= packed_rows(w)) {
        dtype_decode(w->type, w->data + row * w->row_bytes, blocks, false, y);
        return;
    }
    const uint8_t *group = w->data + row / MATRIX_GROUP * MATRIX_GROUP * w->row_bytes;
    for (size_t b = 0; b < blocks; b++) {
        uint8_t block[BLOCK_BYTES];
        unpack_block(block, group, w->type, b, row % MATRIX_GROUP);
        dtype_decode(w->type, block, 1, false, y + b * dtypes[w->type].block);
    }
}

/* Packed rows without a kernel (a test asked for scalar code after packing): a row at a time. */
static void unpacked_product(const struct product *p, size_t n0, size_t n1)
{
    const struct matrix *w = p->w;
    raw_row_fn *row = raw_row(w->type);
    size_t block = dtypes[w->type].block;
    size_t step = activation_size(kinds[w->type].activation, block);
    for (size_t n = n0; n < n1; n++) {
        const uint8_t *group = w->data + n / MATRIX_GROUP * MATRIX_GROUP * w->row_bytes;
        for (size_t b = 0; b < w->cols / block; b++) {
            uint8_t one[BLOCK_BYTES];
            unpack_block(one, group, w->type, b, n % MATRIX_GROUP);
            for (size_t m = 0; m < p->batch; m++) {
                float *y = p->y + m * p->y_stride + n;
                *y = row(b ? *y : 0.0f, one, (const uint8_t *)p->x + m * p->x_size + b * step, 1);
            }
        }
    }
}

static void plain_product(const struct product *p, size_t n0, size_t n1)
{
    struct dense d = {.type = p->w->type,
                      .w = p->w->data,
                      .k = p->w->cols,
                      .x = p->x,
                      .x_stride = p->x_size / sizeof(float),
                      .batch = p->batch,
                      .y = p->y,
                      .y_stride = p->y_stride};
    numerics_dense(&d, n0, n1);
}

void matrix_product(const struct product *p, size_t n0, size_t n1)
{
    size_t edge = packed_rows(p->w);
    if (kinds[p->w->type].activation == ACTIVATION_FLOAT) {
        plain_product(p, n0, n1);
        return;
    }
    if (n0 < edge) {
        product_fn *kernel = kinds[p->w->type].packed[numerics_isa()];
        size_t end = n1 < edge ? n1 : edge;
        (kernel != NULL ? kernel : unpacked_product)(p, n0, end);
    }
    if (n1 > edge)
        raw_product(p, n0 > edge ? n0 : edge, n1);
}
