/* The strict JSON reader and the streaming writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assay/base/json.h"

static void json_reads_what_the_grammar_allows(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct err e = ERR_INIT;
    struct json root;
    uint64_t u;
    int64_t i;
    double d;
    struct span s;
    bool b;
    assert_true(json_parse(&root,
                           span_str(" {\"a\" : [1, -2, 2.5e1, \"x\\u0041\\ud83d\\ude00\"], "
                                    "\"b\\n\":{}, \"c\":[true,null]} "),
                           JSON_STRICT, a, &e));
    assert_int_equal(json_type(root), JSON_OBJECT);
    assert_int_equal(json_count(root), 3);
    struct json list = json_get(root, "a");
    assert_true(json_u64(json_at(list, 0), &u) && u == 1);
    assert_true(json_i64(json_at(list, 1), &i) && i == -2);
    assert_false(json_u64(json_at(list, 1), &u));
    assert_true(json_double(json_at(list, 2), &d) && d == 25.0);
    assert_true(json_string(json_at(list, 3), &s) && span_is(s, "xA\xF0\x9F\x98\x80"));
    assert_int_equal(json_type(json_at(list, 4)), JSON_MISSING);
    assert_int_equal(json_type(json_get(root, "b\n")), JSON_OBJECT);
    assert_int_equal(json_count(json_get(root, "b\n")), 0);
    assert_true(json_bool(json_at(json_get(root, "c"), 0), &b) && b);
    struct json m = json_next(json_first(root));
    assert_true(span_is(json_key(m), "b\n"));
    assert_int_equal(json_type(json_next(json_next(m))), JSON_MISSING);
    assert_int_equal(json_type(json_path(root, "a", "b", NULL)), JSON_MISSING);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reads_what_the_grammar_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
