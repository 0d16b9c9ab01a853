/*
 * Products of quantised matrices: the stored rows' code against the decoded
 * values, and every kernel against it by memcmp, over types, shapes, batches,
 * instruction sets, threads and ways to cut the rows.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/matrix.h"
#include "assay/numerics.h"
#include "assay/team.h"

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static const enum dtype types[] = {DTYPE_F32,  DTYPE_F16,    DTYPE_BF16,  DTYPE_Q4_0, DTYPE_Q4_1,
                                   DTYPE_Q5_0, DTYPE_Q5_1,   DTYPE_Q8_0,  DTYPE_Q4_K, DTYPE_Q5_K,
                                   DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS};
enum { TYPES = sizeof types / sizeof *types };

/* Where a type's binary16 scales stand, so that random blocks decode to moderate numbers. */
static void tame_scales(enum dtype t, uint8_t *block)
{
    size_t at = t == DTYPE_Q6_K ? 208 : 0;
    bool two = t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q4_K || t == DTYPE_Q5_K;
    for (size_t i = 0; i < (two ? 2 : 1); i++) {
        uint16_t h = numerics_half(((float)(random_bits() & 1023) - 400.0f) / 30000.0f);
        store_u16le(block + at + 2 * i, h);
    }
}

/* Random rows, 64-byte aligned. Caller frees. */
static uint8_t *random_rows(enum dtype t, size_t rows, size_t cols)
{
    size_t blocks = rows * (cols / dtypes[t].block), n = blocks * dtypes[t].bytes;
    uint8_t *p = aligned_alloc(64, (n + 63) / 64 * 64);
    assert_non_null(p);
    for (size_t b = 0; b < blocks; b++) {
        uint8_t *block = p + b * dtypes[t].bytes;
        for (size_t i = 0; i < dtypes[t].bytes; i++)
            block[i] = (uint8_t)(random_bits() >> 32);
        float f = ((float)(random_bits() & 0xffff) - 32768.0f) / 100000.0f;
        if (t == DTYPE_F32)
            memcpy(block, &f, sizeof f);
        else if (t == DTYPE_F16 || t == DTYPE_BF16)
            store_u16le(block, t == DTYPE_F16 ? numerics_half(f) : numerics_bfloat(f));
        else
            tame_scales(t, block);
    }
    return p;
}

static float *random_floats(size_t n)
{
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = ((float)(random_bits() & 0xffff) - 32768.0f) / 9000.0f;
    return x;
}

static struct matrix packed(const struct matrix *raw)
{
    struct matrix w = *raw;
    size_t n = w.rows * w.row_bytes, edge = w.rows / MATRIX_GROUP * MATRIX_GROUP;
    uint8_t *p = aligned_alloc(64, (n + 63) / 64 * 64);
    assert_non_null(p);
    for (size_t r = 0; r < edge; r += MATRIX_GROUP)
        matrix_pack(p + r * w.row_bytes, raw->data + r * w.row_bytes, w.type, w.cols);
    memcpy(p + edge * w.row_bytes, raw->data + edge * w.row_bytes, (w.rows - edge) * w.row_bytes);
    w.packed = true;
    w.data = p;
    return w;
}

struct bench {
    struct matrix raw, packed;
    float *x, *want, *got;
    uint8_t *ready; /* activations */
    size_t ready_size, batch;
};

static struct bench set_up(enum dtype t, size_t rows, size_t cols, size_t batch)
{
    struct bench b = {.batch = batch};
    enum activation kind = matrix_activation(t);
    size_t row_bytes = cols / dtypes[t].block * dtypes[t].bytes;
    b.raw = (struct matrix){t, false, rows, cols, row_bytes, random_rows(t, rows, cols)};
    b.packed = matrix_packs(t) ? packed(&b.raw) : b.raw;
    b.x = random_floats(batch * cols);
    b.want = random_floats(batch * rows);
    b.got = random_floats(batch * rows);
    b.ready_size = activation_size(kind, cols);
    b.ready = malloc(batch * b.ready_size);
    assert_non_null(b.ready);
    for (size_t m = 0; m < batch; m++)
        activation_make(b.ready + m * b.ready_size, kind, b.x + m * cols, cols);
    return b;
}

static void tear_down(struct bench *b)
{
    if (b->packed.data != b->raw.data)
        free((void *)(uintptr_t)b->packed.data);
    free((void *)(uintptr_t)b->raw.data);
    free(b->x), free(b->want), free(b->got), free(b->ready);
}

static void multiply(const struct bench *b, const struct matrix *w, float *y, size_t n0, size_t n1)
{
    struct product p = {w, b->ready, b->ready_size, b->batch, y, w->rows};
    matrix_product(&p, n0, n1);
}

static void products_are_those_of_the_decoded_values(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < TYPES; i++) {
        struct bench b = set_up(types[i], 40, 512, 3);
        float row[512];
        numerics_limit(NUMERICS_SCALAR);
        multiply(&b, &b.raw, b.got, 0, 40);
        double worst = 0, size = 0;
        for (size_t n = 0; n < 40; n++) {
            matrix_row(row, &b.raw, n);
            for (size_t m = 0; m < 3; m++) {
                double want = 0;
                for (size_t k = 0; k < 512; k++)
                    want += (double)row[k] * (double)b.x[m * 512 + k];
                double error = want - (double)b.got[m * 40 + n];
                worst += error * error;
                size += want * want;
            }
        }
        assert_true(size > 0 && sqrt(worst / size) < 0.02);
        numerics_limit(NUMERICS_AVX512);
        tear_down(&b);
    }
}

static size_t compare(enum dtype t, size_t rows, size_t cols, size_t batch)
{
    size_t compared = 0;
    struct bench b = set_up(t, rows, cols, batch);
    numerics_limit(NUMERICS_SCALAR);
    multiply(&b, &b.raw, b.want, 0, rows);
    for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++) {
        numerics_limit((enum numerics_isa)isa);
        for (int form = 0; form < 2; form++) {
            const struct matrix *w = form ? &b.packed : &b.raw;
            size_t middle = rows / 2 / MATRIX_GROUP * MATRIX_GROUP;
            memset(b.got, 0x55, batch * rows * sizeof *b.got);
            multiply(&b, w, b.got, middle, rows);
            multiply(&b, w, b.got, 0, middle);
            if (memcmp(b.want, b.got, batch * rows * sizeof *b.got) != 0)
                fail_msg("%s, %zu x %zu, batch %zu, %s, form %d", dtype_name(t), rows, cols, batch,
                         numerics_isa_name((enum numerics_isa)isa), form);
            compared++;
        }
    }
    numerics_limit(NUMERICS_AVX512);
    tear_down(&b);
    return compared;
}

static void every_kernel_gives_the_bits_of_the_scalar_code(void **unused)
{
    (void)unused;
    static const size_t rows[] = {32, 64, 71, 5, 96};
    static const size_t cols[] = {256, 512, 1280};
    /* Every tile that a kernel has, and every number of rows that one leaves over. */
    static const size_t batches[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 17, 22};
    size_t compared = 0;
    for (size_t t = 0; t < TYPES; t++) {
        for (size_t r = 0; r < 5; r++) {
            for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
                compared += compare(types[t], rows[r], cols[(r + batches[b]) % 3], batches[b]);
        }
        if (dtypes[types[t]].block <= 32)
            compared += compare(types[t], 64, 96, 9);
    }
    print_message("%zu comparisons\n", compared);
    assert_true(compared > 2000);
}

/* The largest integers there are: no kernel may saturate. */
static void extremes_do_not_saturate(void **unused)
{
    (void)unused;
    for (size_t t = 3; t < TYPES; t++) {
        struct bench b = set_up(types[t], 32, 256, 9);
        uint8_t *w = (uint8_t *)(uintptr_t)b.raw.data;
        static const uint8_t fills[] = {0x80, 0xff, 0x7f, 0x00, 0x81};
        for (size_t f = 0; f < sizeof fills; f++) {
            memset(w, fills[f], 32 * b.raw.row_bytes);
            for (size_t i = 0; i < 32 * b.raw.row_bytes / dtypes[types[t]].bytes; i++)
                tame_scales(types[t], w + i * dtypes[types[t]].bytes);
            for (size_t i = 0; i < 9 * 256; i++)
                b.x[i] = i / 256 % 3 == 0 ? 1.0f : i / 256 % 3 == 1 ? -1.0f : i % 2 ? 1.0f : -1.0f;
            for (size_t m = 0; m < 9; m++)
                activation_make(b.ready + m * b.ready_size, matrix_activation(types[t]),
                                b.x + m * 256, 256);
            struct matrix p = matrix_packs(types[t]) ? packed(&b.raw) : b.raw;
            numerics_limit(NUMERICS_SCALAR);
            multiply(&b, &b.raw, b.want, 0, 32);
            for (int isa = NUMERICS_AVX2; isa < NUMERICS_ISAS; isa++) {
                numerics_limit((enum numerics_isa)isa);
                multiply(&b, &p, b.got, 0, 32);
                assert_memory_equal(b.want, b.got, 9 * 32 * sizeof *b.got);
            }
            numerics_limit(NUMERICS_AVX512);
            if (p.data != b.raw.data)
                free((void *)(uintptr_t)p.data);
        }
        tear_down(&b);
    }
}

static void activations_have_the_same_bits_on_every_instruction_set(void **unused)
{
    (void)unused;
    float *x = random_floats(2048);
    memset(x, 0, 64 * sizeof *x);
    x[70] = 1e-30f, x[300] = 3e4f, x[600] = -1e-42f;
    for (int kind = 0; kind < ACTIVATION_KINDS; kind++) {
        size_t n = activation_size((enum activation)kind, 2048);
        uint8_t *want = malloc(n), *got = malloc(n);
        assert_non_null(want);
        assert_non_null(got);
        numerics_limit(NUMERICS_SCALAR);
        activation_make(want, (enum activation)kind, x, 2048);
        for (int isa = NUMERICS_AVX2; isa < NUMERICS_ISAS; isa++) {
            numerics_limit((enum numerics_isa)isa);
            activation_make(got, (enum activation)kind, x, 2048);
            assert_memory_equal(want, got, n);
        }
        free(want), free(got);
    }
    numerics_limit(NUMERICS_AVX512);
    free(x);
}

static void a_packed_row_is_the_row(void **unused)
{
    (void)unused;
    for (size_t t = 0; t < TYPES; t++) {
        struct bench b = set_up(types[t], 71, 512, 1);
        float a[512], c[512];
        for (size_t n = 0; n < 71; n++) {
            matrix_row(a, &b.raw, n);
            matrix_row(c, &b.packed, n);
            assert_memory_equal(a, c, sizeof a);
        }
        tear_down(&b);
    }
}

struct cut {
    const struct bench *b;
    float *y;
};

static void one_group(void *arg, uint32_t i, unsigned worker)
{
    const struct cut *c = arg;
    (void)worker;
    multiply(c->b, &c->b->packed, c->y, (size_t)i * 32, (size_t)i * 32 + 32);
}

static void threads_change_no_bit(void **unused)
{
    (void)unused;
    struct bench b = set_up(DTYPE_Q4_0, 320, 256, 5);
    multiply(&b, &b.raw, b.want, 0, 320);
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct team *team = team_new(threads);
        assert_non_null(team);
        for (int run = 0; run < 50; run++) {
            struct cut c = {&b, b.got};
            memset(b.got, 0x55, 5 * 320 * sizeof *b.got);
            team_run(team, 10, one_group, &c);
            assert_memory_equal(b.want, b.got, 5 * 320 * sizeof *b.got);
        }
        team_free(team);
    }
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_the_decoded_values),
        cmocka_unit_test(every_kernel_gives_the_bits_of_the_scalar_code),
        cmocka_unit_test(extremes_do_not_saturate),
        cmocka_unit_test(activations_have_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(a_packed_row_is_the_row),
        cmocka_unit_test(threads_change_no_bit),
    };
    numerics_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
