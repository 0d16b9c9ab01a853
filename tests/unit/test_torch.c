/*
 * Checkpoints of PyTorch give the tensors that safetensors gives: the same
 * names, bytes and places, from either form, and nothing that is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/prefixes.h"
#include "support/torch_writer.h"
#include "support/zip_writer.h"

static const uint8_t floats[24] = {1, 2, 3, 4, 5, 6, 7, 8}, halves[8] = {9, 8, 7, 6, 5, 4, 3, 2};

static const struct torch_item plain[] = {
    {"w.weight", "FloatStorage", {floats, 24}, 6, 0, 2, {2, 3}, {3, 1}},
    {"w.bias", "HalfStorage", {halves, 8}, 4, 1, 1, {3}, {1}},
    {"w.tied", "HalfStorage", {NULL, 0}, 4, 0, 1, {4}, {1}},
};

static struct model *read_form(enum torch_form form, const struct torch_item *items, size_t n,
                               const char *outer, struct buf *b)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    buf_init(b, 1 << 20);
    torch_write(b, form, items, n, outer);
    if (!model_read_memory(&m, "x.pt", buf_span(b), &e))
        fail_msg("%s", e.text);
    return m;
}

static size_t count(const struct model *m, enum rule_id rule)
{
    size_t n = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        n += m->verdict.findings[i].rule == rule;
    return n;
}

static bool has(const struct model *m, enum rule_id rule)
{
    return count(m, rule) > 0;
}

static void torch_lists_tensors_where_they_stand(void **state)
{
    (void)state;
    for (enum torch_form form = TORCH_ZIP; form <= TORCH_LEGACY; form++) {
        struct buf b;
        struct model *m = read_form(form, plain, 3, NULL, &b);
        assert_int_equal(m->files[0].format, FORMAT_PYTORCH);
        assert_false(m->verdict.incomplete);
        assert_int_equal(verdict_worst(&m->verdict), SEV_INFO);
        assert_int_equal(m->tensor_count, 3);
        const struct tensor *w = model_tensor(m, span_str("w.weight"));
        assert_int_equal(w->dtype, DTYPE_F32);
        assert_int_equal(w->rank, 2);
        assert_int_equal(w->shape[0], 2);
        assert_memory_equal(b.p + w->data.offset, floats, 24);
        const struct tensor *bias = model_tensor(m, span_str("w.bias"));
        assert_int_equal(bias->data.length, 6);
        assert_memory_equal(b.p + bias->data.offset, halves + 2, 6);
        assert_int_equal(model_tensor(m, span_str("w.tied"))->data.length, 8);
        model_free(m);
        buf_free(&b);
    }
}

static void torch_names_tensors_by_the_way_to_them(void **state)
{
    struct buf b;
    (void)state;
    struct model *m = read_form(TORCH_ZIP, plain, 1, "state_dict", &b);
    assert_non_null(model_tensor(m, span_str("state_dict.w.weight")));
    model_free(m);
    buf_free(&b);
}

static void torch_refuses_what_is_beyond_a_storage(void **state)
{
    static const struct torch_item beyond[] = {
        {"a", "FloatStorage", {floats, 24}, 6, 1, 1, {6}, {1}},
        {"b", "FloatStorage", {floats, 24}, 6, 0, 2, {2, 3}, {UINT32_MAX, UINT32_MAX}},
        {"c", "FloatStorage", {floats, 24}, 6, (uint64_t)1 << 39, 1, {6}, {1}},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf b;
        struct model *m = read_form(TORCH_ZIP, &beyond[i], 1, NULL, &b);
        assert_true(has(m, RULE_TORCH_TENSOR));
        assert_true(m->verdict.incomplete);
        assert_int_equal(m->tensor_count, 0);
        model_free(m);
        buf_free(&b);
    }
}

static void torch_says_when_bytes_lie_otherwise(void **state)
{
    static const struct torch_item turned = {"a", "FloatStorage", {floats, 24}, 6, 0,
                                             2,   {3, 2},         {1, 3}};
    static const struct torch_item wide = {"a", "FloatStorage", {floats, 24}, 6, 0,
                                           2,   {5, 6},         {0, 1}};
    struct buf b;
    (void)state;
    struct model *m = read_form(TORCH_ZIP, &turned, 1, NULL, &b);
    assert_true(has(m, RULE_TENSOR_ORDER));
    assert_false(m->verdict.incomplete);
    model_free(m);
    buf_free(&b);
    m = read_form(TORCH_ZIP, &wide, 1, NULL, &b);
    assert_true(has(m, RULE_TENSOR_VIEW));
    assert_int_equal(m->tensors[0].elements, 30);
    assert_int_equal(m->tensors[0].data.length, 24);
    model_free(m);
    buf_free(&b);
}

static void torch_lists_the_integers_of_quantised_tensors_and_forms_no_root(void **state)
{
    static const struct torch_item quantised[] = {
        {"a", "QInt8Storage", {halves, 8}, 8, 0, 1, {8}, {1}},
        {"b", "QInt8Storage", {NULL, 0}, 8, 0, 1, {8}, {1}},
    };
    (void)state;
    for (enum torch_form form = TORCH_ZIP; form <= TORCH_LEGACY; form++) {
        struct buf b;
        struct model *m = read_form(form, quantised, 2, NULL, &b);
        assert_int_equal(count(m, RULE_TORCH_PARTS), 1);
        assert_false(has(m, RULE_PICKLE_USE));
        assert_true(m->unlisted && !m->verdict.incomplete);
        assert_int_equal(m->tensor_count, 2);
        assert_int_equal(m->tensors[0].dtype, DTYPE_I8);
        model_free(m);
        buf_free(&b);
    }
}

static void torch_says_which_forms_are_listed_by_their_parts(void **state)
{
    static const char *const built[] = {
        "ctorch._utils\n_rebuild_sparse_tensor\n(ctorch\nsparse_coo\n(tt",
        "ctorch._utils\n_rebuild_nested_tensor\n(NNNNt",
        "ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n(t(tI00\nt",
    };
    (void)state;
    for (size_t i = 0; i < sizeof built / sizeof *built; i++) {
        struct zip_writer w;
        struct model *m = NULL;
        struct err e = ERR_INIT;
        char pickle[200];
        int n = snprintf(pickle, sizeof pickle, "}S'w'\n%sRs.", built[i]);
        zw_init(&w);
        zw_add(&w, "archive/data.pkl", (struct span){(uint8_t *)pickle, (size_t)n}, false, NULL);
        zw_finish(&w);
        assert_true(model_read_memory(&m, "x.pt", buf_span(&w.out), &e));
        assert_int_equal(m->files[0].format, FORMAT_PYTORCH);
        assert_int_equal(count(m, RULE_TORCH_PARTS), 1);
        assert_int_equal(verdict_worst(&m->verdict), SEV_INFO);
        assert_true(!m->unlisted && !m->verdict.incomplete);
        model_free(m);
        zw_free(&w);
    }
}

static void torch_says_that_tensors_within_an_archive_are_not_listed(void **state)
{
    (void)state;
    for (enum torch_form form = TORCH_ZIP; form <= TORCH_LEGACY; form++) {
        struct zip_writer w;
        struct model *m = NULL;
        struct err e = ERR_INIT;
        struct buf b;
        buf_init(&b, 1 << 20);
        torch_write(&b, form, plain, 3, NULL);
        zw_init(&w);
        zw_add(&w, "inner.pt", buf_span(&b), false, NULL);
        zw_finish(&w);
        assert_true(model_read_memory(&m, "x.zip", buf_span(&w.out), &e));
        assert_int_equal(m->tensor_count, 0);
        assert_int_equal(count(m, RULE_TORCH_UNLISTED), 1);
        assert_true(m->unlisted && !m->verdict.incomplete);
        model_free(m);
        zw_free(&w);
        buf_free(&b);
    }
}

static void torch_legacy_notices_missing_storages(void **state)
{
    struct buf b;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    (void)state;
    buf_init(&b, 1 << 20);
    torch_write(&b, TORCH_LEGACY, plain, 3, NULL);
    b.n -= 3;
    assert_true(model_read_memory(&m, "x.pt", buf_span(&b), &e));
    assert_true(has(m, RULE_PICKLE_TRAILING));
    assert_true(m->verdict.incomplete);
    model_free(m);
    buf_free(&b);
}

static void torch_prefixes_are_never_complete(void **state)
{
    (void)state;
    for (enum torch_form form = TORCH_ZIP; form <= TORCH_LEGACY; form++) {
        struct buf b;
        size_t complete;
        model_free(read_form(form, plain, 3, NULL, &b));
        assert_true(prefixes_read("x.pt", buf_span(&b), &complete));
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torch_lists_tensors_where_they_stand),
        cmocka_unit_test(torch_names_tensors_by_the_way_to_them),
        cmocka_unit_test(torch_refuses_what_is_beyond_a_storage),
        cmocka_unit_test(torch_says_when_bytes_lie_otherwise),
        cmocka_unit_test(torch_lists_the_integers_of_quantised_tensors_and_forms_no_root),
        cmocka_unit_test(torch_says_which_forms_are_listed_by_their_parts),
        cmocka_unit_test(torch_says_that_tensors_within_an_archive_are_not_listed),
        cmocka_unit_test(torch_legacy_notices_missing_storages),
        cmocka_unit_test(torch_prefixes_are_never_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
