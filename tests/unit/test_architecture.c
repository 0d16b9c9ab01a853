/*
 * Architecture from metadata, config, tensor names and shapes: every family
 * in both containers, exact counts, and every contradiction found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assay/inspect.h"

static void facts_of_an_empty_model_are_unknown(void **state)
{
    (void)state;
    struct model *m = NULL;
    struct facts f;
    struct err e = ERR_INIT;
    assert_true(model_read_memory(&m, "empty", SPAN_EMPTY, &e));
    assert_true(inspect_facts(&f, m, &e));
    assert_null(f.architecture.family);
    assert_int_equal(f.architecture.layers, 0);
    assert_int_equal(f.architecture.parameters.total, 0);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_of_an_empty_model_are_unknown),
    };
    return cmocka_run_group_tests_name("architecture", tests, NULL, NULL);
}
