/*
 * The numerics: values against libm, and every instruction set against the
 * scalar code by memcmp, over lengths that do and do not fill the lanes.
 */
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/cpu.h"
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

static float random_float(void)
{
    return ((float)(random_bits() & 0xffffff) - 8388608.0f) / 2000000.0f;
}

static float *random_floats(size_t n)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = random_float();
    return x;
}

static double worst(float (*ours)(float), double (*exact)(double), float from, float to)
{
    double most = 0;
    for (int i = 0; i <= 20000; i++) {
        float x = from + (to - from) * (float)i / 20000.0f;
        double want = exact((double)x), got = (double)ours(x);
        double error = fabs(got - want) / (fabs(want) > 1e-37 ? fabs(want) : 1e-37);
        most = error > most ? error : most;
    }
    return most;
}

static void functions_are_what_their_names_say(void **unused)
{
    (void)unused;
    assert_true(worst(numerics_exp, exp, -80.0f, 88.0f) < 2e-7);
    assert_true(worst(numerics_tanh, tanh, -12.0f, 12.0f) < 3e-7);
    assert_true(worst(numerics_log, log, 1e-6f, 0.9f) < 1e-7);
    assert_true(worst(numerics_log, log, 1.1f, 1e6f) < 1e-7);
    for (int i = -4000; i < 4000; i++) {
        double x = (double)i * 123.456789;
        assert_true(fabs(numerics_sin_double(x) - sin(x)) < 3e-16);
        assert_true(fabs(numerics_cos_double(x) - cos(x)) < 3e-16);
        double y = (double)i * 0.17;
        assert_true(fabs(numerics_exp_double(y) / exp(y) - 1.0) < 4e-16);
        double z = fabs(x) + 1e-3;
        assert_true(fabs(numerics_log_double(z) - log(z)) <= 3e-16 * fabs(log(z)) + 1e-17);
    }
    assert_true(fabs(numerics_pow_double(10000.0, -0.75) / 1e-3 - 1.0) < 1e-14);
}

static void functions_end_well(void **unused)
{
    (void)unused;
    assert_true(isinf(numerics_exp(89.0f)) && isinf(numerics_exp(1e30f)));
    assert_true(numerics_exp(-104.0f) == 0.0f && numerics_exp(-1e30f) == 0.0f);
    assert_true(numerics_exp(-100.0f) > 0.0f); /* a subnormal is not flushed */
    assert_true(numerics_exp(0.0f) == 1.0f);
    assert_true(isnan(numerics_exp(NAN)) && isnan(numerics_tanh(NAN)));
    assert_true(numerics_tanh(50.0f) == 1.0f && numerics_tanh(-50.0f) == -1.0f);
    assert_true(isinf(numerics_log(0.0f)) && isnan(numerics_log(-1.0f)));
    assert_true(isinf(numerics_exp_double(800.0)) && numerics_exp_double(-800.0) == 0.0);
}

static void every_half_survives_and_rounding_is_to_even(void **unused)
{
    (void)unused;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = numerics_from_half((uint16_t)h), b = numerics_from_bfloat((uint16_t)h);
        if (!isnan(f))
            assert_int_equal(numerics_half(f), h);
        else
            assert_true((numerics_half(f) & 0x7e00) == 0x7e00);
        if (!isnan(b))
            assert_int_equal(numerics_bfloat(b), h);
    }
    assert_int_equal(numerics_half(1.0f + 0x1p-11f), 0x3c00); /* half way: to even */
    assert_int_equal(numerics_half(1.0f + 0x1.8p-10f), 0x3c02);
    assert_int_equal(numerics_half(65519.9f), 0x7bff);
    assert_int_equal(numerics_half(65520.0f), 0x7c00);
    assert_int_equal(numerics_half(0x1p-25f), 0x0000);
    assert_int_equal(numerics_half(0x1.8p-25f), 0x0001);
    assert_int_equal(numerics_bfloat(1.0f + 0x1p-8f), 0x3f80);
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
__attribute__((target("avx2,f16c"))) static void halves_by_the_processor(const float *x,
                                                                         uint16_t *h)
{
    typedef float v8 __attribute__((vector_size(32)));
    v8 v;
    memcpy(&v, x, sizeof v);
    __auto_type r = __builtin_ia32_vcvtps2ph256(v, 0);
    memcpy(h, &r, 16);
}

static void halves_are_the_processors(void **unused)
{
    (void)unused;
    if (numerics_isa() == NUMERICS_SCALAR)
        return;
    for (int i = 0; i < 200000; i++) {
        float x[8];
        uint16_t h[8];
        for (int j = 0; j < 8; j++) {
            uint32_t b = (uint32_t)random_bits();
            b = i % 2 ? b : (b & 0x8fffffffu) | 0x38000000u;
            memcpy(&x[j], &b, sizeof b);
        }
        halves_by_the_processor(x, h);
        for (int j = 0; j < 8; j++)
            assert_int_equal(numerics_half(x[j]), h[j]);
    }
}
#else
static void halves_are_the_processors(void **unused)
{
    (void)unused;
}
#endif

/* Every row function once on the same input; n floats of output each. */
enum { FUNCTIONS = 15 };

static void run_all(float *out, const float *x, const float *y, size_t n)
{
    float sum = 0;
    float *o = out;
    for (int f = 0; f < FUNCTIONS - 2; f++)
        memcpy(out + (size_t)f * n, x, n * sizeof *x);
    numerics_add(o, y, n), o += n;
    numerics_mul(o, y, n), o += n;
    numerics_scale(o, 1.7f, n), o += n;
    numerics_axpy(o, 0.3f, y, n), o += n;
    numerics_exp_row(o, x, n), o += n;
    numerics_tanh_row(o, x, n), o += n;
    numerics_softcap(o, 3.0f, n), o += n;
    numerics_silu_mul(o, y, n), o += n;
    numerics_gelu_mul(o, y, n), o += n;
    numerics_gelu(o, n), o += n;
    numerics_rms_norm(o, x, y, n, 1e-5f), o += n;
    numerics_layer_norm(o, x, y, x, n, 1e-5f), o += n;
    (void)numerics_softmax(o, n, &sum), o += n;
    uint16_t *half = malloc(2 * n);
    assert_non_null(half);
    numerics_to_half(half, x, n);
    numerics_to_float(o, DTYPE_F16, half, n), o += n;
    numerics_to_bfloat(half, x, n);
    numerics_to_float(o, DTYPE_BF16, half, n), o += n;
    free(half);
    o[0] = numerics_sum(x, n);
    o[1] = numerics_sum_squares(x, n);
    o[2] = numerics_dot(x, y, n);
    o[3] = numerics_max(x, n);
    o[4] = sum;
}

static void rows_have_the_same_bits_on_every_instruction_set(void **unused)
{
    (void)unused;
    size_t compared = 0;
    for (size_t n = 1; n < 300; n += n < 70 ? 1 : 37) {
        size_t size = FUNCTIONS * n + 5;
        float *x = random_floats(n), *y = random_floats(n);
        float *want = random_floats(size), *got = random_floats(size);
        numerics_limit(NUMERICS_SCALAR);
        run_all(want, x, y, n);
        for (int isa = NUMERICS_AVX2; isa < NUMERICS_ISAS; isa++) {
            numerics_limit((enum numerics_isa)isa);
            run_all(got, x, y, n);
            assert_memory_equal(want, got, size * sizeof *want);
            compared++;
        }
        free(x), free(y), free(want), free(got);
    }
    numerics_limit(NUMERICS_AVX512);
    assert_true(compared > 100);
}

static void dense_case(enum dtype t, size_t n, size_t k, size_t batch)
{
    size_t size = dtypes[t].bytes;
    float *w = random_floats(n * k), *x = random_floats(batch * k);
    uint8_t *stored = malloc(n * k * size + 1), *odd = stored + 1; /* unaligned */
    float *want = random_floats(n * batch), *got = random_floats(n * batch);
    assert_non_null(stored);
    uint16_t *half = malloc(n * k * 2 + 2);
    assert_non_null(half);
    if (t == DTYPE_F16)
        numerics_to_half(half, w, n * k);
    else
        numerics_to_bfloat(half, w, n * k);
    memcpy(odd, t == DTYPE_F32 ? (const void *)w : (const void *)half, n * k * size);
    struct dense d = {t, odd, k, x, k, batch, want, n};
    numerics_limit(NUMERICS_SCALAR);
    numerics_dense(&d, 0, n);
    if (t == DTYPE_F32)
        assert_true(want[n * batch - 1] == numerics_dot(w + (n - 1) * k, x + (batch - 1) * k, k));
    for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++) {
        numerics_limit((enum numerics_isa)isa);
        memset(got, 0x55, n * batch * sizeof *got);
        d.y = got;
        numerics_dense(&d, 0, n / 3);
        numerics_dense(&d, n / 3, n);
        assert_memory_equal(want, got, n * batch * sizeof *got);
    }
    numerics_limit(NUMERICS_AVX512);
    free(w), free(x), free(stored), free(want), free(got), free(half);
}

static void products_have_the_same_bits_on_every_instruction_set(void **unused)
{
    (void)unused;
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    static const size_t ks[] = {1, 15, 16, 17, 64, 172, 256};
    for (size_t t = 0; t < 3; t++) {
        for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
            for (size_t batch = 1; batch <= 14; batch += batch < 8 ? 1 : 3)
                dense_case(types[t], 13, ks[k], batch);
        }
    }
}

static void mix_case(size_t heads, size_t size, size_t n)
{
    float *weight = random_floats(heads * n), *wide = random_floats(n * size);
    float *want = random_floats(heads * size), *got = random_floats(heads * size);
    uint16_t *v = malloc(n * size * sizeof *v);
    assert_non_null(v);
    numerics_to_half(v, wide, n * size);
    struct mix m = {.weight = weight,
                    .weight_stride = n,
                    .heads = heads,
                    .v = v,
                    .y_stride = size,
                    .size = size,
                    .n = n};
    for (size_t h = 0; h < heads; h++) { /* the definition */
        for (size_t d = 0; d < size; d++) {
            float acc = 0.0f;
            for (size_t p = 0; p < n; p++)
                acc = fmaf(weight[h * n + p], numerics_from_half(v[p * size + d]), acc);
            want[h * size + d] = acc;
        }
    }
    for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++) {
        numerics_limit((enum numerics_isa)isa);
        memset(got, 0x55, heads * size * sizeof *got);
        m.y = got;
        numerics_mix(&m);
        assert_memory_equal(want, got, heads * size * sizeof *got);
    }
    numerics_limit(NUMERICS_AVX512);
    free(weight), free(wide), free(want), free(got), free(v);
}

static void heads_that_share_values_have_the_bits_of_one_alone(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {1, 16, 20, 64, 80, 128};
    for (size_t heads = 1; heads <= 9; heads++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t n = 1; n <= 40; n += 13)
                mix_case(heads, sizes[s], n);
        }
    }
}

static void transpose_moves_every_element(void **unused)
{
    (void)unused;
    float *x = random_floats(37 * 21), *y = random_floats(37 * 21);
    numerics_transpose(y, x, 37, 21);
    for (size_t r = 0; r < 37; r++) {
        for (size_t c = 0; c < 21; c++)
            assert_true(y[c * 37 + r] == x[r * 21 + c]);
    }
    free(x), free(y);
}

struct tally {
    unsigned char seen[1000];
    unsigned workers;
};

static void mark(void *arg, uint32_t i, unsigned worker)
{
    struct tally *t = arg;
    t->seen[i]++;
    assert_true(worker < t->workers);
}

static void a_team_does_every_job_once(void **unused)
{
    (void)unused;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct team *team = team_new(threads);
        assert_non_null(team);
        struct tally t = {.workers = team_threads(team)};
        for (uint32_t run = 0; run < 3000; run++) {
            uint32_t n = run % 40;
            memset(t.seen, 0, sizeof t.seen);
            team_run(team, n, mark, &t);
            for (uint32_t i = 0; i < 40; i++)
                assert_int_equal(t.seen[i], i < n);
        }
        team_free(team);
    }
    team_free(NULL);
}

static void a_thread_leaves_its_core_and_may_come_back(void **unused)
{
    (void)unused;
    cpu_set_t before, after;
    int every[CPU_SETSIZE], here = cpu_here();
    unsigned n = 0;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET((size_t)i, &before))
            every[n++] = i;
    }
    assert_false(cpu_leave(every, n));
    /* It may be put back at once, though not time after time. */
    for (int i = 0; n > 1 && i < 1000 && cpu_here() == here; i++)
        assert_true(cpu_leave(&here, 1));
    assert_true(n == 1 || cpu_here() != here);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_what_their_names_say),
        cmocka_unit_test(functions_end_well),
        cmocka_unit_test(every_half_survives_and_rounding_is_to_even),
        cmocka_unit_test(halves_are_the_processors),
        cmocka_unit_test(rows_have_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(products_have_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(heads_that_share_values_have_the_bits_of_one_alone),
        cmocka_unit_test(transpose_moves_every_element),
        cmocka_unit_test(a_team_does_every_job_once),
        cmocka_unit_test(a_thread_leaves_its_core_and_may_come_back),
    };
    numerics_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
