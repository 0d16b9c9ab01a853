/*
 * Products and rows for training: every instruction set, thread count and
 * layout against the definition, bit for bit; gradients against differences.
 */
#include "assay/numerics.h"
#include "assay/team.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t state_of = 88172645463325252u;

static float random_float(void)
{
    state_of ^= state_of << 13;
    state_of ^= state_of >> 7;
    state_of ^= state_of << 17;
    return (float)(int32_t)(uint32_t)state_of * 0x1p-31f;
}

static float *numbers(size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = random_float();
    return p;
}

static void definition(const struct chain *c)
{
    for (size_t i = 0; i < c->m; i++)
        for (size_t j = 0; j < c->n; j++) {
            float acc = c->add ? c->c[i * c->c_row + j] : 0;
            for (size_t p = 0; p < c->k; p++)
                acc = fmaf(c->a[i * c->a_row + p * c->a_column],
                           c->b[p * c->b_row + j * c->b_column], acc);
            c->c[i * c->c_row + j] = acc;
        }
}

/* `layout`: bit 0 transposes a, bit 1 b, bit 2 adds. */
static void one_shape(size_t m, size_t n, size_t k, unsigned layout, struct team *team)
{
    float *a = numbers(m * k), *b = numbers(k * n), *begun = numbers(m * (n + 3));
    size_t bytes = m * (n + 3) * sizeof(float);
    float *expected = malloc(bytes + 1), *seen = malloc(bytes + 1);
    struct chain c = {.a = a, .b = b, .m = m, .n = n, .k = k, .c_row = n + 3};
    c.a_row = layout & 1 ? 1 : k;
    c.a_column = layout & 1 ? m : 1;
    c.b_row = layout & 2 ? 1 : n;
    c.b_column = layout & 2 ? k : 1;
    c.add = (layout & 4) != 0;
    memcpy(expected, begun, bytes);
    c.c = expected;
    definition(&c);
    for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++)
        for (int alone = 0; alone < 2; alone++) {
            numerics_limit((enum numerics_isa)isa);
            memcpy(seen, begun, bytes);
            c.c = seen;
            numerics_chain(&c, alone ? NULL : team);
            assert_memory_equal(seen, expected, bytes);
        }
    numerics_limit(NUMERICS_AVX512);
    free(a);
    free(b);
    free(begun);
    free(expected);
    free(seen);
}

static void every_shape_and_layout_is_the_chain_of_the_definition(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},     {12, 32, 7},    {13, 33, 300}, {5, 200, 17},
                                       {100, 8, 64},  {97, 129, 257}, {3, 3, 0},     {48, 130, 520},
                                       {300, 9, 270}, {250, 6, 20}};
    struct team *team = team_new(3);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (unsigned layout = 0; layout < 8; layout++)
            one_shape(shapes[s][0], shapes[s][1], shapes[s][2], layout, team);
    team_free(team);
}

enum { ROW = 37 };

static void rows_for_training_have_the_bits_of_the_scalar_ones(void **state)
{
    (void)state;
    float *x = numbers(ROW), *w = numbers(ROW), *d = numbers(ROW), *base = numbers(4 * ROW);
    float first[4 * ROW], seen[4 * ROW];
    struct adamw a = {1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.1f, 0.05f, 0.7f};
    for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++) {
        numerics_limit((enum numerics_isa)isa);
        memcpy(seen, base, sizeof seen);
        for (size_t i = 2 * ROW; i < 3 * ROW; i++)
            seen[i] = fabsf(seen[i]);
        numerics_adamw(seen, seen + ROW, seen + 2 * (size_t)ROW, d, ROW, &a);
        numerics_rms_norm_gradient(seen + 3 * (size_t)ROW, x, w, d, ROW, 1e-5f);
        numerics_silu_gradient(seen, seen + ROW, d, ROW);
        if (isa == NUMERICS_SCALAR)
            memcpy(first, seen, sizeof first);
        assert_memory_equal(seen, first, sizeof first);
    }
    numerics_limit(NUMERICS_AVX512);
    free(x);
    free(w);
    free(d);
    free(base);
}

static double silu(double g)
{
    return g / (1 + exp(-g));
}

static void silu_gradient_is_that_of_differences(void **state)
{
    (void)state;
    for (int t = 0; t < 200; t++) {
        float g = 6 * random_float(), u = random_float(), d = random_float();
        float dg = g, du = u;
        numerics_silu_gradient(&dg, &du, &d, 1);
        double h = 1e-5;
        double by_g = (silu((double)g + h) - silu((double)g - h)) / (2 * h) * (double)u * (double)d;
        assert_true(fabs((double)dg - by_g) < 1e-6);
        assert_true(fabs((double)du - silu((double)g) * (double)d) < 1e-6);
    }
}

static double norm_loss(const double *x, const float *w, const float *d)
{
    double squares = 0, loss = 0;
    for (int i = 0; i < ROW; i++)
        squares += x[i] * x[i];
    double r = 1 / sqrt(squares / ROW + 1e-5);
    for (int i = 0; i < ROW; i++)
        loss += x[i] * r * (double)w[i] * (double)d[i];
    return loss;
}

static void norm_gradient_is_that_of_differences(void **state)
{
    (void)state;
    float *x = numbers(ROW), *w = numbers(ROW), *d = numbers(ROW), dx[ROW] = {0};
    double wide[ROW];
    numerics_rms_norm_gradient(dx, x, w, d, ROW, 1e-5f);
    for (int i = 0; i < ROW; i++)
        wide[i] = (double)x[i];
    for (int i = 0; i < ROW; i++) {
        double h = 1e-6;
        wide[i] = (double)x[i] + h;
        double above = norm_loss(wide, w, d);
        wide[i] = (double)x[i] - h;
        double below = norm_loss(wide, w, d);
        wide[i] = (double)x[i];
        assert_true(fabs((double)dx[i] - (above - below) / (2 * h)) < 1e-5);
    }
    free(x);
    free(w);
    free(d);
}

static void adamw_moves_as_its_paper_says(void **state)
{
    (void)state;
    struct adamw a = {0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.1f, 0.01f, 0.5f};
    float w = 2, m = 0, v = 0, g = 3;
    numerics_adamw(&w, &m, &v, &g, 1, &a);
    /* The first step goes by the rate, whatever the gradient; decay goes besides. */
    assert_true(fabsf(w - (2 - 0.01f * (1 + 0.1f * 2))) < 1e-6f);
    assert_true(fabsf(m - 0.15f) < 1e-7f);
    assert_true(fabsf(v - 0.0225f) < 1e-7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_and_layout_is_the_chain_of_the_definition),
        cmocka_unit_test(rows_for_training_have_the_bits_of_the_scalar_ones),
        cmocka_unit_test(silu_gradient_is_that_of_differences),
        cmocka_unit_test(norm_gradient_is_that_of_differences),
        cmocka_unit_test(adamw_moves_as_its_paper_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
