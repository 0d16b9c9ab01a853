/*
 * Programs of torch.export: weights where the configuration says, and graphs
 * whose expressions and targets are judged before a loader evaluates them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/documents.h"
#include "support/prefixes.h"
#include "support/zip_writer.h"

static const float numbers[6] = {1, 2, 3, 4, 5, 6};

static struct zip_writer w;
static struct model *m;

static int begin(void **state)
{
    (void)state;
    zw_init(&w);
    zw_add(&w, "p/archive_format", span_str("pt2"), false, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    zw_free(&w);
    model_free(m);
    m = NULL;
    return 0;
}

static void finish(void)
{
    struct err e = ERR_INIT;
    zw_finish(&w);
    if (!model_read_memory(&m, "p.pt2", buf_span(&w.out), &e))
        fail_msg("%s", e.text);
}

static void add_weights(const char *entry)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"config\":{\"l.weight\":{%s}}}", entry);
    zw_add(&w, "p/data/weights/weight_0", (struct span){(const uint8_t *)numbers, sizeof numbers},
           false, NULL);
    zw_add(&w, "p/data/weights/model_weights_config.json", span_str(text), false, NULL);
    finish();
}

#define ENTRY(dtype, sizes, strides, offset, layout, pickled)                                      \
    "\"path_name\":\"weight_0\",\"use_pickle\":" pickled ",\"tensor_meta\":{\"dtype\":" dtype      \
    ",\"sizes\":[" sizes "],\"strides\":[" strides "],\"storage_offset\":{\"as_int\":" offset      \
    "},\"layout\":" layout "}"
#define SIZES "{\"as_int\":2},{\"as_int\":3}"
#define ROWS "{\"as_int\":3},{\"as_int\":1}"

static void weights_are_listed_where_they_stand(void **state)
{
    (void)state;
    add_weights(ENTRY("7", SIZES, ROWS, "0", "7", "false"));
    assert_false(m->verdict.incomplete);
    assert_int_equal(m->files[0].format, FORMAT_PYTORCH);
    assert_int_equal(m->tensor_count, 1);
    const struct tensor *t = &m->tensors[0];
    assert_true(span_is(t->name, "l.weight"));
    assert_int_equal(t->dtype, DTYPE_F32);
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->elements, 6);
    assert_int_equal(t->data.length, sizeof numbers);
    assert_memory_equal(w.out.p + t->data.offset, numbers, sizeof numbers);
    assert_false(m->unlisted);
}

static void what_is_no_plain_array_is_said_to_be_unlisted(void **state)
{
    static const char *const entries[] = {
        ENTRY("0", SIZES, ROWS, "0", "7", "false"),
        ENTRY("7", SIZES, "{\"as_int\":1},{\"as_int\":2}", "0", "7", "false"),
        ENTRY("7", SIZES, ROWS, "1", "7", "false"),
        ENTRY("7", SIZES, ROWS, "0", "1", "false"),
        ENTRY("7", SIZES, ROWS, "0", "7", "true"),
        ENTRY("7", "{\"as_expr\":1},{\"as_int\":3}", ROWS, "0", "7", "false"),
        ENTRY("7", SIZES, "{\"as_int\":1}", "0", "7", "false"),
        "\"path_name\":\"weight_9\"",
        "",
    };
    (void)state;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        end(NULL);
        begin(NULL);
        add_weights(entries[i]);
        assert_int_equal(m->tensor_count, 0);
        if (!m->unlisted || findings_of(m, RULE_TORCH_UNLISTED) != 1)
            fail_msg("%s: not said", entries[i]);
    }
}

static void a_tensor_beyond_its_member_is_incomplete(void **state)
{
    (void)state;
    add_weights(ENTRY("8", SIZES, ROWS, "0", "7", "false"));
    assert_int_equal(m->tensor_count, 0);
    assert_int_equal(findings_of(m, RULE_TORCH_TENSOR), 1);
    assert_true(m->verdict.incomplete);
}

static uint32_t judged(const char *key, const char *value)
{
    char text[512];
    end(NULL);
    begin(NULL);
    snprintf(text, sizeof text, "{\"a\":[{\"%s\":%s%s%s}]}", key, *value == '[' ? "" : "\"", value,
             *value == '[' ? "" : "\"");
    zw_add(&w, "p/models/model.json", span_str(text), false, NULL);
    finish();
    return findings_of(m, RULE_TORCH_EXPORT);
}

static void what_python_would_evaluate_is_named(void **state)
{
    static const char *const expressions[] = {
        "exec('x')",     "__import__('os')", "Symbol('s').__class__",   "Integer(1).func",
        "(lambda: 1)()", "open('x')",        "Symbol('a'); Integer(1)", "os.system('x')"};
    static const char *const targets[] = {"torch.os.system",
                                          "torch.serialization.os.system",
                                          "_operator.methodcaller",
                                          "_operator.x.y",
                                          "math.a.b",
                                          "torch.load",
                                          "torch.ops.load_library",
                                          "torch.ops.aten.__class__.x",
                                          "#x:y",
                                          "torch.hub"};
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        if (judged("expr_str", expressions[i]) != 1)
            fail_msg("%s passes", expressions[i]);
    assert_int_equal(judged("guards_code", "[\"1 == 1\",\"eval(x)\"]"), 1);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (judged("target", targets[i]) != 1)
            fail_msg("%s passes", targets[i]);
}

static void what_exporters_write_is_left_alone(void **state)
{
    static const char *const expressions[] = {
        "Mul(Integer(2), Symbol('s77', positive=True, integer=True))",
        "s0",
        "-1 + 2*s0",
        "Max(1, s0)",
        "FloorDiv(u0, 2)",
        "TruncToInt(1.5*ToFloat(s0))",
        "Eq(Mod(s0, 8), 0)",
        "StrictGreaterThan(Symbol('s77'), Integer(4))",
        "1.0e-5*s0"};
    static const char *const targets[] = {"torch.ops.aten.sum.default",
                                          "torch.ops.higher_order.cond",
                                          "torch.ops.quantized_decomposed.choose.tensor",
                                          "_operator.gt",
                                          "math.floor",
                                          "torch.sym_max",
                                          "torch._sym_sqrt",
                                          "l.weight",
                                          "x"};
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        if (judged("expr_str", expressions[i]))
            fail_msg("%s is refused", expressions[i]);
    assert_int_equal(judged("guards_code", "[\"((-1) + L['x'].size()[0]) != 1\"]"), 0);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (judged("target", targets[i]))
            fail_msg("%s is refused", targets[i]);
}

static void every_prefix_is_read_within_its_bytes(void **state)
{
    size_t complete;
    (void)state;
    add_weights(ENTRY("7", SIZES, ROWS, "0", "7", "false"));
    assert_true(prefixes_read("p.pt2", buf_span(&w.out), &complete));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(weights_are_listed_where_they_stand),
        TEST(what_is_no_plain_array_is_said_to_be_unlisted),
        TEST(a_tensor_beyond_its_member_is_incomplete),
        TEST(what_python_would_evaluate_is_named),
        TEST(what_exporters_write_is_left_alone),
        TEST(every_prefix_is_read_within_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
