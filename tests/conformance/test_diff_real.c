/*
 * The comparison on real data: one trained model in five element types, every
 * pair of them. Distances are held against bounds around the measured ones, so
 * that a wrong decoder, a wrong merge or a wrong threshold shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "assay/inspect.h"

enum { KINDS = 5 };

/* Distance from the F32 file; measured, and allowed to move by a tenth. */
static const struct {
    const char *name;
    double distance;
} kinds[KINDS] = {
    {"f32", 0}, {"f16", 2.03e-4}, {"q8_0", 4.78e-3}, {"q4_0", 6.98e-2}, {"q4_k_m", 3.44e-2},
};

static struct model *read_kind(int i)
{
    const char *folder = getenv("CONFORMANCE");
    char path[4096];
    struct model *m = NULL;
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/models/stories260K-%s.gguf",
             folder ? folder : "../shared/conformance", kinds[i].name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        print_message("skipped: %s is not there\n", path);
        return NULL;
    }
    fclose(f);
    if (!model_read(&m, path, NULL, &e))
        fail_msg("%s: %s", path, e.text);
    return m;
}

static void check_pair(int i, int j, const struct diff *d)
{
    double di = kinds[i].distance, dj = kinds[j].distance,
           expected = i == j ? 0 : sqrt(di * di + dj * dj);
    enum relation r = i == j ? REL_IDENTICAL : REL_QUANTISED;
    if (d->relation != r)
        fail_msg("%s, %s: %s, %s", kinds[i].name, kinds[j].name, relation_name(d->relation),
                 d->because);
    if (!(fabs(d->distance - expected) <= 0.1 * expected))
        fail_msg("%s, %s: distance %g, expected %g", kinds[i].name, kinds[j].name, d->distance,
                 expected);
    assert_int_equal(d->reversed, i != j && kinds[i].distance > kinds[j].distance);
    assert_int_equal(d->tensor_count, 47);
    assert_int_equal(d->counts[TENSOR_CHANGED], 0);
    assert_int_equal(d->counts[TENSOR_ADDED] + d->counts[TENSOR_REMOVED], 0);
}

static void every_pair_of_types_is_quantised_at_the_measured_distance(void **state)
{
    struct model *m[KINDS] = {NULL};
    bool all = true;
    (void)state;
    for (int i = 0; i < KINDS; i++)
        all &= (m[i] = read_kind(i)) != NULL;
    for (int k = 0; all && k < KINDS * KINDS; k++) {
        struct arena *arena = arena_new(64 << 20);
        struct diff_options opt = {.threads = 2};
        struct diff d;
        struct err e = ERR_INIT;
        assert_non_null(arena);
        if (!inspect_diff(&d, m[k / KINDS], m[k % KINDS], arena, &opt, &e))
            fail_msg("%s", e.text);
        check_pair(k / KINDS, k % KINDS, &d);
        arena_free(arena);
    }
    for (int i = 0; i < KINDS; i++)
        model_free(m[i]);
    if (!all)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_types_is_quantised_at_the_measured_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
