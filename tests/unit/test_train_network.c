/*
 * The network against itself in double precision: gradients of every tensor
 * by central differences, with and without an adapter; the same bits on every
 * instruction set, number of threads and cut into micro-batches.
 */
#include "train/network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assay/numerics.h"
#include "train/random.h"

enum { SEQUENCES = 3, LENGTH = 9, ROWS = SEQUENCES * LENGTH, WIDTH = 12, VOCABULARY = 19 };

static const struct shape tiny = {.layers = 2,
                                  .width = WIDTH,
                                  .ffn = 20,
                                  .heads = 4,
                                  .kv_heads = 2,
                                  .head = 4,
                                  .vocabulary = VOCABULARY,
                                  .context = 16,
                                  .eps = 1e-5f,
                                  .rope_base = 100,
                                  .tied = true};

static uint32_t tokens[ROWS], targets[ROWS];
static uint8_t counts[ROWS];
static struct arena *arena;
static struct team *team;

static int begin(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROWS; i++) {
        tokens[i] = (uint32_t)(random_bits(7, RANDOM_ORDER, 0, i) % VOCABULARY);
        targets[i] = (uint32_t)(random_bits(7, RANDOM_ORDER, 1, i) % VOCABULARY);
        counts[i] = random_bits(7, RANDOM_ORDER, 2, i) % 4 != 0;
    }
    arena = arena_new(64 << 20);
    team = team_new(3);
    return arena && team ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    team_free(team);
    arena_free(arena);
    return 0;
}

static struct network *fresh(const struct shape *s, const struct adapter_plan *plan)
{
    struct network *n;
    struct err e = ERR_INIT;
    assert_true(network_new(&n, s, plan, arena, &e));
    network_begin(n, 11);
    for (size_t i = 0; i < n->count; i++) /* norms and b away from where they begin, too */
        random_normal(n->parameters[i].w, n->parameters[i].rows * n->parameters[i].columns, 5,
                      RANDOM_WEIGHTS, i, 0.3f);
    return n;
}

/* The whole step in micro-batches of `at_once` sequences. */
static double step(struct network *n, size_t at_once, float weight)
{
    struct activations *a;
    struct err e = ERR_INIT;
    double loss = 0;
    size_t bad;
    assert_true(activations_new(&a, n, at_once * LENGTH, team_threads(team), &e));
    network_clear(n);
    for (size_t s = 0; s < SEQUENCES; s += at_once) {
        struct batch b = {at_once, LENGTH, tokens + s * LENGTH, targets + s * LENGTH,
                          counts + s * LENGTH};
        assert_true(network_run(n, a, &b, weight, &loss, &bad, team));
    }
    network_gather(n);
    activations_free(a);
    return loss;
}

/* ---- the same in double, written from the definition ---- */

struct wide_state {
    double x[ROWS][WIDTH], y[ROWS][WIDTH], q[ROWS][16], k[ROWS][8], v[ROWS][8], o[ROWS][16];
    double gate[ROWS][20], up[ROWS][20];
};

/* One element of one tensor stands elsewhere. */
static const float *moved_at;
static double moved_to;

static double value(const float *w)
{
    return w == moved_at ? moved_to : (double)*w;
}

static void wide_linear(const struct matrix *m, const double *x, double *y)
{
    double t[8] = {0};
    for (size_t i = 0; m->adapter && i < m->adapter->rank; i++)
        for (size_t j = 0; j < m->columns; j++)
            t[i] += value(&m->adapter->a[i * m->columns + j]) * x[j];
    for (size_t i = 0; i < m->rows; i++) {
        y[i] = 0;
        for (size_t j = 0; j < m->columns; j++)
            y[i] += value(&m->w[i * m->columns + j]) * x[j];
        for (size_t j = 0; m->adapter && j < m->adapter->rank; j++)
            y[i] +=
                (double)m->adapter->scale * value(&m->adapter->b[i * m->adapter->rank + j]) * t[j];
    }
}

static void wide_norm(const struct shape *s, const double *x, const float *w, double *y)
{
    double squares = 0;
    for (size_t i = 0; i < s->width; i++)
        squares += x[i] * x[i];
    for (size_t i = 0; i < s->width; i++)
        y[i] = x[i] / sqrt(squares / (double)s->width + (double)s->eps) * value(&w[i]);
}

static void wide_rotate(const struct shape *s, double *x, size_t heads, size_t position)
{
    for (size_t h = 0; h < heads; h++, x += s->head)
        for (size_t i = 0; i < s->head / 2; i++) {
            double angle = (double)position * pow(s->rope_base, -2.0 * (double)i / (double)s->head);
            double a = x[i], b = x[i + s->head / 2];
            x[i] = a * cos(angle) - b * sin(angle);
            x[i + s->head / 2] = a * sin(angle) + b * cos(angle);
        }
}

static void wide_attention(const struct shape *s, struct wide_state *w, size_t row, size_t head)
{
    size_t first = row / LENGTH * LENGTH, kv = head / (s->heads / s->kv_heads);
    double p[LENGTH], sum = 0;
    for (size_t t = first; t <= row; t++) {
        double score = 0;
        for (size_t i = 0; i < s->head; i++)
            score += w->q[row][head * s->head + i] * w->k[t][kv * s->head + i];
        p[t - first] = exp(score / sqrt((double)s->head));
        sum += p[t - first];
    }
    for (size_t i = 0; i < s->head; i++) {
        w->o[row][head * s->head + i] = 0;
        for (size_t t = first; t <= row; t++)
            w->o[row][head * s->head + i] += p[t - first] / sum * w->v[t][kv * s->head + i];
    }
}

static void wide_layer(const struct network *n, const struct layer *l, struct wide_state *w)
{
    const struct shape *s = &n->shape;
    double h[WIDTH], out[WIDTH], act[20];
    for (size_t r = 0; r < ROWS; r++) {
        wide_norm(s, w->x[r], l->norm1, h);
        wide_linear(&l->m[MATRIX_Q], h, w->q[r]);
        wide_linear(&l->m[MATRIX_K], h, w->k[r]);
        wide_linear(&l->m[MATRIX_V], h, w->v[r]);
        wide_rotate(s, w->q[r], s->heads, r % LENGTH);
        wide_rotate(s, w->k[r], s->kv_heads, r % LENGTH);
    }
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t head = 0; head < s->heads; head++)
            wide_attention(s, w, r, head);
        wide_linear(&l->m[MATRIX_O], w->o[r], out);
        for (size_t i = 0; i < s->width; i++)
            w->x[r][i] += out[i];
        wide_norm(s, w->x[r], l->norm2, h);
        wide_linear(&l->m[MATRIX_GATE], h, w->gate[r]);
        wide_linear(&l->m[MATRIX_UP], h, w->up[r]);
        for (size_t i = 0; i < s->ffn; i++)
            act[i] = w->gate[r][i] / (1 + exp(-w->gate[r][i])) * w->up[r][i];
        wide_linear(&l->m[MATRIX_DOWN], act, out);
        for (size_t i = 0; i < s->width; i++)
            w->x[r][i] += out[i];
    }
}

static double wide_loss(const struct network *n)
{
    static struct wide_state w;
    double loss = 0, h[WIDTH], z[VOCABULARY];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < n->shape.width; i++)
            w.x[r][i] = value(&n->embedding[tokens[r] * n->shape.width + i]);
    for (size_t i = 0; i < n->shape.layers; i++)
        wide_layer(n, &n->layers[i], &w);
    for (size_t r = 0; r < ROWS; r++) {
        double sum = 0;
        wide_norm(&n->shape, w.x[r], n->norm, h);
        wide_linear(&n->head, h, z);
        for (size_t i = 0; i < n->shape.vocabulary; i++)
            sum += exp(z[i]);
        loss += counts[r] ? log(sum) - z[targets[r]] : 0;
    }
    return loss;
}

static double by_difference(const struct network *n, const float *w)
{
    const double h = 1e-5;
    moved_at = w;
    moved_to = (double)*w + h;
    double above = wide_loss(n);
    moved_to = (double)*w - h;
    double below = wide_loss(n);
    moved_at = NULL;
    return (above - below) / (2 * h);
}

/* |seen - expected| over |expected|, of a whole tensor. */
static double distance(const struct network *n, const struct parameter *p)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < p->rows * p->columns; i++) {
        double expected = by_difference(n, p->w + i), d = (double)p->g[i] - expected;
        difference += d * d;
        norm += expected * expected;
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}

static void check_gradients(struct network *n)
{
    double loss = step(n, SEQUENCES, 1);
    assert_true(fabs(loss - wide_loss(n)) < 1e-5 * loss);
    for (size_t i = 0; i < n->count; i++) {
        const struct parameter *p = &n->parameters[i];
        double d = p->trained ? distance(n, p) : 0;
        if (d >= 1e-5)
            print_error("%s: %g\n", p->name, d);
        assert_true(d < 1e-5);
    }
}

static void gradients_of_every_tensor_are_those_of_differences(void **state)
{
    (void)state;
    struct network *n = fresh(&tiny, &(struct adapter_plan){.rank = 0});
    check_gradients(n);
}

static void an_own_head_and_one_head_of_keys_work_too(void **state)
{
    (void)state;
    struct shape s = tiny;
    s.tied = false;
    s.heads = 2;
    s.kv_heads = 1;
    struct network *n = fresh(&s, &(struct adapter_plan){.rank = 0});
    check_gradients(n);
}

static void an_adapter_has_gradients_and_what_is_frozen_none(void **state)
{
    (void)state;
    struct adapter_plan plan = {
        .rank = 3, .alpha = 6, .target = {true, true, true, true, true, true, true}};
    struct network *n = fresh(&tiny, &plan);
    check_gradients(n);
    for (size_t i = 0; i < n->base_count; i++)
        assert_null(n->parameters[i].g);
}

static void a_step_has_the_same_bits_however_it_is_computed(void **state)
{
    (void)state;
    struct network *n = fresh(&tiny, &(struct adapter_plan){.rank = 0});
    size_t bytes = n->trained * sizeof *n->g;
    float *first = malloc(bytes);
    double loss = step(n, SEQUENCES, 0.125f);
    memcpy(first, n->g, bytes);
    for (int isa = NUMERICS_SCALAR; isa < NUMERICS_ISAS; isa++) {
        numerics_limit((enum numerics_isa)isa);
        for (unsigned threads = 1; threads < 5; threads++) {
            team_free(team);
            team = team_new(threads);
            assert_true(step(n, threads % 2 ? 1 : SEQUENCES, 0.125f) == loss);
            assert_memory_equal(n->g, first, bytes);
        }
    }
    numerics_limit(NUMERICS_AVX512);
    free(first);
}

static void what_does_not_count_changes_nothing(void **state)
{
    (void)state;
    struct network *n = fresh(&tiny, &(struct adapter_plan){.rank = 0});
    size_t bytes = n->trained * sizeof *n->g, last = ROWS - 1;
    float *first = malloc(bytes);
    uint8_t was = counts[last];
    counts[last] = 0; /* nothing comes after it that could see its token */
    step(n, SEQUENCES, 1);
    memcpy(first, n->g, bytes);
    targets[last] = (targets[last] + 1) % VOCABULARY;
    tokens[last] = (tokens[last] + 1) % VOCABULARY;
    step(n, SEQUENCES, 1);
    assert_memory_equal(n->g, first, bytes);
    counts[last] = was;
    free(first);
}

static void a_loss_that_is_not_finite_is_found_where_it_is(void **state)
{
    (void)state;
    struct network *n = fresh(&tiny, &(struct adapter_plan){.rank = 0});
    struct activations *a;
    struct err e = ERR_INIT;
    struct batch b = {SEQUENCES, LENGTH, tokens, targets, counts};
    double loss = 0;
    size_t bad = 0, first = 0;
    while (!counts[first] || tokens[first] == tokens[0])
        first++;
    assert_true(activations_new(&a, n, ROWS, team_threads(team), &e));
    n->norm[0] = NAN;
    assert_false(network_run(n, a, &b, 1, &loss, &bad, team));
    assert_true(counts[bad]);
    activations_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_every_tensor_are_those_of_differences),
        cmocka_unit_test(an_own_head_and_one_head_of_keys_work_too),
        cmocka_unit_test(an_adapter_has_gradients_and_what_is_frozen_none),
        cmocka_unit_test(a_step_has_the_same_bits_however_it_is_computed),
        cmocka_unit_test(what_does_not_count_changes_nothing),
        cmocka_unit_test(a_loss_that_is_not_finite_is_found_where_it_is),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
