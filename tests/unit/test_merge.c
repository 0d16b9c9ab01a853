/* What mergekit was told, resolved as mergekit does; what it cannot mean is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "provenance/merge.h"
#include "support/folder.h"

static struct arena *arena;
static struct folder place;
static struct model *model;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(16 << 20);
    return arena && folder_make(&place) && folder_put(&place, "config.json", span_str("{}")) ? 0
                                                                                             : -1;
}

static int teardown(void **state)
{
    (void)state;
    model_free(model);
    model = NULL;
    arena_free(arena);
    folder_remove(&place);
    return 0;
}

static struct merge_plan plan_of(const char *yaml)
{
    struct merge_plan p;
    struct err e = ERR_INIT;
    assert_true(folder_put(&place, "mergekit_config.yml", span_str(yaml)));
    model_free(model);
    if (!model_read(&model, folder_path(&place, "."), NULL, &e) ||
        !merge_plan_read(&p, model, 4, arena, &e))
        fail_msg("%s", e.text);
    return p;
}

static double value(const struct merge_plan *p, const char *name, const char *tensor, double t)
{
    double v = NAN;
    const struct merge_slice *s = &p->slices[0];
    return merge_parameter(&v, p, s, &s->in[0], name, span_str(tensor), t) == MERGE_GIVEN ? v : NAN;
}

static void parameters_are_taken_from_the_nearest_scope(void **state)
{
    (void)state;
    struct merge_plan p = plan_of("merge_method: ties\nbase_model: b\nmodels:\n"
                                  "  - {model: a, parameters: {weight: 0.25}}\n"
                                  "parameters: {weight: 1, density: 0.5, normalize: false}\n");
    assert_null(p.unclear);
    assert_int_equal(p.slice_count, 1);
    assert_int_equal(p.slices[0].count, 2);
    assert_int_equal(p.slices[0].base, 1);
    assert_true(value(&p, "weight", "x", 0) == 0.25);
    assert_true(value(&p, "density", "x", 0) == 0.5);
    assert_true(value(&p, "normalize", "x", 0) == 0);
    assert_true(isnan(value(&p, "lambda", "x", 0)));
}

static void lists_span_the_layers_and_conditions_choose_by_name(void **state)
{
    (void)state;
    struct merge_plan p = plan_of(
        "merge_method: slerp\nbase_model: a\nslices:\n"
        "  - sources:\n      - {model: a, layer_range: [2, 6]}\n"
        "      - {model: b, layer_range: [0, 4]}\n"
        "parameters:\n  t: [{filter: mlp, value: [0, 1, 0]}, {filter: '*', value: 0.125}]\n");
    assert_null(p.unclear);
    assert_int_equal(p.slices[0].layers, 4);
    assert_int_equal(p.slices[0].in[0].from, 2);
    assert_true(value(&p, "t", "model.layers.0.mlp.up", 0) == 0);
    assert_true(value(&p, "t", "model.layers.0.mlp.up", 0.25) == 0.5);
    assert_true(value(&p, "t", "model.layers.0.mlp.up", 1) == 0);
    assert_true(value(&p, "t", "model.norm", 0.5) == 0.125);
}

static void what_cannot_be_meant_is_said(void **state)
{
    static const char *const unclear[] = {
        "merge_method: ties\nmodels: 7\n",
        "merge_method: ties\nslices: [{sources: [{model: a, layer_range: [3, 1]}]}]\n",
        "merge_method: ties\nslices: [{sources: [{layer_range: [0, 1]}]}]\n",
        "merge_method: slerp\nslices: [{sources: [{model: a, layer_range: [0, 1]}, {model: b, "
        "layer_range: [0, 2]}]}]\n",
        "merge_method: linear\nmodels: [{model: a+lora}]\n",
        "merge_method: linear\nmodels: [{model: {model: {path: a}, lora: {path: l}}}]\n",
        "merge_method: linear\ndtype: int8\nmodels: [{model: a}]\n",
        "merge_method: breadcrumbs\nmodels: [{model: a}]\n",
        "models: [{model: a}]\n",
        "merge_method: linear\nmodels: [{model: a}, {model: b}, {model: c}, {model: d}, {model: "
        "e}, "
        "{model: f}, {model: g}, {model: h}, {model: i}]\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof unclear / sizeof unclear[0]; i++)
        if (!plan_of(unclear[i]).unclear)
            fail_msg("taken for clear: %s", unclear[i]);
    assert_non_null(plan_of("models: [\n").trouble);
    assert_null(plan_of("merge_method: linear\nmodels: [{model: a}]\n").unclear);
}

static void values_round_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    assert_true(merge_round(DTYPE_BF16, 1.00390625) == 1);
    assert_true(merge_round(DTYPE_BF16, 1.01171875) == 1.015625);
    assert_true(merge_round(DTYPE_F16, 1.00048828125) == 1);
    assert_true(merge_round(DTYPE_F32, 1 + 0x1p-24) == 1);
    assert_true(isinf(merge_round(DTYPE_BF16, INFINITY)));
    assert_true(isnan(merge_round(DTYPE_BF16, NAN)));
}

/* base + kept deltas of the majority's sign: three elements by hand. */
static void ties_takes_the_sign_of_the_sum(void **state)
{
    (void)state;
    struct tensor stored = {.dtype = DTYPE_F32};
    struct merge_recipe r = {.method = MERGE_TIES,
                             .count = 3,
                             .base = 2,
                             .merged = &stored,
                             .cast = DTYPE_F32,
                             .work = DTYPE_F32,
                             .lambda = 1,
                             .normalize = true,
                             .in = {{.weight = 1, .density = 1}, {.weight = 1, .density = 1}}};
    struct merge_whole w = {.threshold = {0.25, 0.25}, .factor = {1, 1, 1}};
    struct merge_element x = {.merged = 3, .x = {2, -1, 1}};
    assert_true(merge_element(&r, &w, &x, 0).agrees); /* +2 wins over -1 */
    x.merged = 1.5;
    assert_false(merge_element(&r, &w, &x, 0).agrees); /* their mean */
    x = (struct merge_element){.merged = 1, .x = {0.125, -0.125, 1}};
    assert_true(merge_element(&r, &w, &x, 0).agrees); /* both below the threshold */
    x = (struct merge_element){.merged = 1.25, .x = {0.25, 0, 1}};
    assert_true(merge_element(&r, &w, &x, 0).agrees);
    assert_false(merge_element(&r, &w, &x, 1).agrees); /* without the first nothing explains it */
    w.torn[0] = true;
    x.merged = 1;
    assert_true(merge_element(&r, &w, &x, 0).agrees); /* at the edge: either */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parameters_are_taken_from_the_nearest_scope, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lists_span_the_layers_and_conditions_choose_by_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_meant_is_said, setup, teardown),
        cmocka_unit_test(values_round_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(ties_takes_the_sign_of_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
