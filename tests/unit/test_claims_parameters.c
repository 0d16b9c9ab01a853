/*
 * Contradictions 1 and 2 (parameters) for mixtures of experts: what names such
 * as "8x7B" and "30B-A3B" say, against experts and sums of the tensors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "support/documents.h"

/* Experts, used by each token, parameters and those that a token uses, in thousands. */
struct mixture {
    uint64_t experts, used, total, active;
};

static const struct mixture mixtral = {8, 2, 46702793, 12879925},
                            qwen = {128, 8, 30532123, 3352945}, dense = {0, 0, 7241732, 7241732};

static struct tensor tensor;

/* Findings of one rule for a model of that name. */
static uint32_t found(const struct mixture *x, const char *name, enum rule_id rule)
{
    struct err e = ERR_INIT;
    struct model *m = text_model("README.md", span_str("# A\n"));
    struct facts facts = {.name = span_str(name)};
    struct architecture *a = &facts.architecture;
    assert_non_null(m);
    a->experts = x->experts;
    a->experts_active = x->used;
    a->parameters.total = x->total * 1000;
    a->parameters.active = x->active * 1000;
    m->tensors = &tensor;
    m->tensor_count = 1;
    struct check_input in = {.model = m, .facts = &facts, .complete = true};
    assert_true(check_claims_parameters(&in, &e));
    uint32_t n = findings_of(m, rule);
    m->tensors = NULL;
    m->tensor_count = 0;
    model_free(m);
    return n;
}

static void names_that_are_true_are_left_alone(void **state)
{
    static const struct {
        const struct mixture *model;
        const char *name;
    } cases[] = {{&mixtral, "Mixtral 8x7B Instruct"},
                 {&mixtral, "mixtral-8x7b"},
                 {&mixtral, "Mixtral 46.7B"},
                 {&mixtral, "Mixtral-46.7B-A12.9B"},
                 {&qwen, "Qwen3-30B-A3B"},
                 {&qwen, "Qwen3 30.5B"},
                 {&dense, "Mistral 7.2B"},
                 {&dense, "A13"},
                 {&mixtral, "Mixtral"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (found(cases[i].model, cases[i].name, RULE_CLAIM_PARAMETERS))
            fail_msg("%s is contradicted", cases[i].name);
}

static void another_number_of_experts_contradicts(void **state)
{
    (void)state;
    assert_int_equal(found(&mixtral, "Mixtral 4x7B", RULE_CLAIM_PARAMETERS), 1);
    assert_int_equal(found(&mixtral, "Mixtral 16x7B", RULE_CLAIM_PARAMETERS), 1);
    assert_int_equal(found(&dense, "Mistral 8x7B", RULE_CLAIM_PARAMETERS), 1);
}

static void another_size_of_each_contradicts(void **state)
{
    (void)state;
    assert_int_equal(found(&mixtral, "Mixtral 8x3B", RULE_CLAIM_PARAMETERS), 1);
    assert_int_equal(found(&mixtral, "Mixtral 8x22B", RULE_CLAIM_PARAMETERS), 1);
}

static void total_and_active_are_judged_apart(void **state)
{
    (void)state;
    assert_int_equal(found(&qwen, "Qwen3-30B-A7B", RULE_CLAIM_PARAMETERS), 1);
    assert_int_equal(found(&qwen, "Qwen3-60B-A3B", RULE_CLAIM_PARAMETERS), 1);
    assert_int_equal(found(&qwen, "Qwen3-60B-A7B", RULE_CLAIM_PARAMETERS), 2);
}

static void active_parameters_say_nothing_where_all_are_used(void **state)
{
    (void)state;
    assert_int_equal(found(&dense, "Model-7.2B-A3B", RULE_CLAIM_PARAMETERS), 0);
}

static void one_figure_is_for_review(void **state)
{
    (void)state;
    assert_int_equal(found(&dense, "Mistral 7B", RULE_CLAIM_FIGURES), 1);
    assert_int_equal(found(&dense, "Mistral 7.2B", RULE_CLAIM_FIGURES), 0);
    assert_int_equal(found(&mixtral, "Mixtral 8x7B", RULE_CLAIM_FIGURES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_true_are_left_alone),
        cmocka_unit_test(another_number_of_experts_contradicts),
        cmocka_unit_test(another_size_of_each_contradicts),
        cmocka_unit_test(total_and_active_are_judged_apart),
        cmocka_unit_test(active_parameters_say_nothing_where_all_are_used),
        cmocka_unit_test(one_figure_is_for_review),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
