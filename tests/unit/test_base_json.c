/* The strict JSON reader and the streaming writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "assay/base/json.h"
#include "support/prefixes.h"

enum { ARENA = 64 << 20 };

static bool parses(struct span text, unsigned flags, struct err *e)
{
    struct arena *a = arena_new(ARENA);
    struct json root;
    struct err own = ERR_INIT;
    bool ok = json_parse(&root, text, flags, a, &own);
    assert_true(ok || own.code != ERR_NONE);
    assert_true(ok || own.offset <= text.n);
    if (e)
        *e = own;
    arena_free(a);
    return ok;
}

static void json_reads_what_the_grammar_allows(void **state)
{
    (void)state;
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct json root;
    uint64_t u;
    int64_t i;
    double d;
    struct span s;
    bool b;
    const char *text = " {\"a\" : [1, -2, 2.5e1, \"x\\u0041\\ud83d\\ude00\"], \"b\\n\":{}, "
                       "\"c\":[true,null]} ";
    assert_true(json_parse(&root, span_str(text), JSON_STRICT, a, &e));
    assert_int_equal(json_type(root), JSON_OBJECT);
    assert_int_equal(json_count(root), 3);
    assert_int_equal(json_offset(root), 1);
    assert_int_equal(json_end(root), strlen(text) - 1);
    struct json list = json_get(root, "a");
    assert_true(json_u64(json_at(list, 0), &u) && u == 1);
    assert_true(json_i64(json_at(list, 1), &i) && i == -2);
    assert_false(json_u64(json_at(list, 1), &u));
    assert_true(json_double(json_at(list, 2), &d) && d == 25.0);
    assert_true(json_string(json_at(list, 3), &s) && span_is(s, "xA\xF0\x9F\x98\x80"));
    assert_true(span_is(json_text(json_at(list, 2)), "2.5e1"));
    assert_int_equal(json_type(json_at(list, 4)), JSON_MISSING);
    assert_int_equal(json_type(json_get(root, "b\n")), JSON_OBJECT);
    assert_int_equal(json_count(json_get(root, "b\n")), 0);
    assert_int_equal(json_type(json_get(root, "B\n")), JSON_MISSING);
    assert_true(json_bool(json_at(json_get(root, "c"), 0), &b) && b);
    struct json m = json_next(json_first(root));
    assert_true(span_is(json_key(m), "b\n"));
    assert_int_equal(text[json_key_offset(m)], '"');
    assert_int_equal(json_type(json_next(json_next(m))), JSON_MISSING);
    assert_int_equal(json_type(json_path(root, "a", "b", NULL)), JSON_MISSING);
    assert_int_equal(json_type(json_at(json_path(root, "c", NULL), 1)), JSON_NULL);
    assert_int_equal(json_key(json_at(list, 0)).n, 0); /* an item has no key */
    arena_free(a);
}

static void json_nothing_is_harmless(void **state)
{
    (void)state;
    struct json no = JSON_NOTHING;
    uint64_t u;
    int64_t i;
    double d;
    bool b;
    struct span s;
    size_t n;
    assert_int_equal(json_type(no), JSON_MISSING);
    assert_string_equal(json_type_name(json_type(no)), "nothing");
    assert_int_equal(json_offset(no) + json_end(no) + json_count(no) + json_key_offset(no), 0);
    assert_int_equal(json_type(json_get(no, "a")), JSON_MISSING);
    assert_int_equal(json_type(json_path(no, "a", "b", NULL)), JSON_MISSING);
    assert_int_equal(json_type(json_first(no)), JSON_MISSING);
    assert_int_equal(json_type(json_next(no)), JSON_MISSING);
    assert_int_equal(json_type(json_at(no, 0)), JSON_MISSING);
    assert_int_equal(json_key(no).n + json_text(no).n, 0);
    assert_false(json_u64(no, &u) || json_i64(no, &i) || json_double(no, &d) || json_bool(no, &b) ||
                 json_string(no, &s) || json_duplicate(no, &n, &s));
}

/* ---- accept and refuse ---- */

#define TEXT(s)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

static const struct span accepted[] = {
    TEXT("0"),
    TEXT("-0"),
    TEXT(" \t\r\n1 \t\r\n"),
    TEXT("123456789012345678901234567890"),
    TEXT("1e400"),
    TEXT("-1.5E-10"),
    TEXT("0.0e+00"),
    TEXT("\"\""),
    TEXT("\"\\u0000\""),
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    TEXT("\"\\uD834\\uDd1e\""),
    TEXT("\"\\uFFFE\\uffff\""),
    TEXT("\"\x7F\""),
    TEXT(
        "\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""),
    TEXT("\"\xE2\x80\xA8\""),
    TEXT("null"),
    TEXT("true"),
    TEXT("false"),
    TEXT("[]"),
    TEXT("{}"),
    TEXT("[[],{},[{}]]"),
    TEXT("{\"\":0}"),
    TEXT("{\"a\":1,\"A\":2,\"a\\u0000\":3}"),
    TEXT("[1,\n2 , 3]"),
};

static const struct span refused[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("\xEF\xBB\xBF{}"),
    TEXT("\0"),
    TEXT("{}\0"),
    TEXT("nul"),
    TEXT("nulL"),
    TEXT("True"),
    TEXT("NaN"),
    TEXT("Infinity"),
    TEXT("-"),
    TEXT("+1"),
    TEXT("-a"),
    TEXT("01"),
    TEXT("-01"),
    TEXT("00"),
    TEXT("1."),
    TEXT(".5"),
    TEXT("1.e5"),
    TEXT("1e"),
    TEXT("1e+"),
    TEXT("0x10"),
    TEXT("1 2"),
    TEXT("1,"),
    TEXT("["),
    TEXT("]"),
    TEXT("[1"),
    TEXT("[1,"),
    TEXT("[1,]"),
    TEXT("[,1]"),
    TEXT("[1,,2]"),
    TEXT("[1 2]"),
    TEXT("[1}"),
    TEXT("{"),
    TEXT("{]"),
    TEXT("{1:2}"),
    TEXT("{\"a\"}"),
    TEXT("{\"a\":}"),
    TEXT("{\"a\":1,}"),
    TEXT("{\"a\" 1}"),
    TEXT("{\"a\":1 \"b\":2}"),
    TEXT("{,}"),
    TEXT("{'a':1}"),
    TEXT("{a:1}"),
    TEXT("[1]//x"),
    TEXT("/**/1"),
    TEXT("\""),
    TEXT("\"a"),
    TEXT("\"\\\""),
    TEXT("\"\\x41\""),
    TEXT("\"\\u12\""),
    TEXT("\"\\u12g4\""),
    TEXT("\"\\u"),
    TEXT("\"\\\0\""),
    TEXT("\"\n\""),
    TEXT("\"\x1F\""),
    TEXT("\"a\0b\""),
    TEXT("\"\\ud800\""),
    TEXT("\"\\udc00\""),
    TEXT("\"\\ud800\\u0041\""),
    TEXT("\"\\ud800\\ud800\""),
    TEXT("\"\\ud800x\""),
    TEXT("\"\\udc00\\ud800\""),
    TEXT("\"\x80\""),
    TEXT("\"\xC0\x80\""),
    TEXT("\"\xC1\xBF\""),
    TEXT("\"\xC3\""),
    TEXT("\"\xC3(\""),
    TEXT("\"\xE0\x9F\xBF\""),
    TEXT("\"\xED\xA0\x80\""),
    TEXT("\"\xF0\x8F\xBF\xBF\""),
    TEXT("\"\xF4\x90\x80\x80\""),
    TEXT("\"\xF5\x80\x80\x80\""),
    TEXT("\"\xFF\""),
    TEXT("\xA0"
         "1"),
    TEXT("\f1"),
    TEXT("\v1"),
    TEXT("{\"a\":1,\"a\":2}"),
    TEXT("{\"a\":1,\"\\u0061\":2}"),
    TEXT("[{\"b\":{\"x\":1,\"y\":2,\"x\":3}}]"),
};

static void json_accepts_every_right_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        if (!parses(accepted[i], JSON_STRICT, NULL))
            fail_msg("refused: %s", (const char *)accepted[i].p);
}

static void json_refuses_every_wrong_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (parses(refused[i], JSON_STRICT, NULL))
            fail_msg("accepted: %s", (const char *)refused[i].p);
}

static void json_points_at_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t offset;
    } cases[] = {{"[1, x]", 4}, {"{\"a\":1,}", 7},       {"[\"ab\n\"]", 4},
                 {"[01]", 2},   {"[\"\\ud800\"]", 2},    {"1 x", 2},
                 {"[\"abc", 1}, {"{\"a\":1,\"a\":2}", 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e;
        assert_false(parses(span_str(cases[i].text), JSON_STRICT, &e));
        assert_int_equal(e.code, ERR_FORMAT);
        assert_int_equal(e.offset, cases[i].offset);
    }
}

static void json_bounds_depth_without_recursion(void **state)
{
    (void)state;
    struct buf b;
    struct err e;
    buf_init(&b, 1 << 22);
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        buf_clear(&b);
        for (int i = 0; i < depth; i++)
            buf_put_str(&b, i % 2 ? "{\"a\":" : "[");
        if (depth % 2 == 0)
            buf_put_str(&b, "1");
        for (int i = depth; i-- > 0;)
            buf_put_str(&b, i % 2 ? "}" : "]");
        assert_int_equal(parses(buf_span(&b), JSON_STRICT, &e), depth == JSON_MAX_DEPTH);
    }
    assert_int_equal(e.code, ERR_LIMIT);
    buf_clear(&b);
    for (int i = 0; i < 1000000; i++)
        buf_put_u8(&b, '[');
    assert_false(parses(buf_span(&b), JSON_STRICT, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_free(&b);
}

static void json_prefix_says_where_the_value_ended(void **state)
{
    (void)state;
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct json root;
    assert_true(json_parse(&root, span_str(" {\"a\":[1]} trailing"), JSON_PREFIX, a, &e));
    assert_int_equal(json_end(root), 10);
    assert_true(json_parse(&root, span_str("12x"), JSON_PREFIX, a, &e));
    assert_int_equal(json_end(root), 2);
    arena_free(a);
}

static void json_notes_duplicates_and_gives_the_last(void **state)
{
    (void)state;
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct json root;
    struct span key;
    size_t at;
    uint64_t v;
    struct span text =
        span_str("{\"a\":{\"x\":1,\"x\":2},\"b\":1,\"a\":3,\"b\":{\"y\":0,\"y\":9}}");
    assert_true(json_parse(&root, text, JSON_KEEP_DUPLICATES, a, &e));
    assert_true(json_duplicate(root, &at, &key));
    assert_int_equal(at, 12); /* the first in the text, not the first object to close */
    assert_true(span_is(key, "x"));
    assert_true(json_u64(json_get(root, "a"), &v) && v == 3);
    assert_true(json_u64(json_path(root, "b", "y", NULL), &v) && v == 9);
    assert_true(json_parse(&root, span_str("{\"a\":1}"), JSON_KEEP_DUPLICATES, a, &e));
    assert_false(json_duplicate(root, &at, &key));
    arena_free(a);
}

static void json_finds_members_of_objects_of_every_size(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 70; n++) {
        struct arena *a = arena_new(ARENA);
        struct err e = ERR_INIT;
        struct json root;
        struct buf b;
        char key[16];
        uint64_t v;
        buf_init(&b, 1 << 20);
        buf_put_str(&b, "{");
        for (uint32_t i = 0; i < n; i++)
            buf_printf(&b, "%s\"k\\u00%02x\":%u", i ? "," : "", 0x30 + i + (i > 63 ? 0x10u : 0), i);
        buf_put_str(&b, "}");
        bool ok = json_parse(&root, buf_span(&b), JSON_STRICT, a, &e);
        assert_true(ok);
        assert_int_equal(json_count(root), n);
        for (uint32_t i = 0; i < n && i < 64; i++) {
            snprintf(key, sizeof key, "k%c", (char)(0x30 + i));
            assert_true(json_u64(json_get(root, key), &v) && v == i);
        }
        assert_int_equal(json_type(json_get(root, "none")), JSON_MISSING);
        buf_free(&b);
        arena_free(a);
    }
}

/* A duplicate at any place of an object of any size is found. */
static void json_finds_a_duplicate_anywhere(void **state)
{
    (void)state;
    for (int n = 2; n < 40; n++)
        for (int twin = 0; twin < n - 1; twin++) {
            struct buf b;
            buf_init(&b, 1 << 16);
            for (int i = 0; i < n; i++)
                buf_printf(&b, "%c\"%d\":0", i ? ',' : '{', i == n - 1 ? twin : i);
            buf_put_str(&b, "}");
            assert_false(parses(buf_span(&b), JSON_STRICT, NULL));
            buf_free(&b);
        }
}

/* ---- numbers ---- */

static struct json parse_one(struct arena *a, const char *text)
{
    struct json v = JSON_NOTHING;
    struct err e = ERR_INIT;
    assert_true(json_parse(&v, span_str(text), JSON_STRICT, a, &e));
    return v;
}

static void json_integers_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_u, is_i;
        uint64_t u;
        int64_t i;
    } cases[] = {{"0", true, true, 0, 0},
                 {"9007199254740993", true, true, 9007199254740993u, 9007199254740993},
                 {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
                 {"9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0},
                 {"18446744073709551615", true, false, UINT64_MAX, 0},
                 {"18446744073709551616", false, false, 0, 0},
                 {"100000000000000000000000", false, false, 0, 0},
                 {"-1", false, true, 0, -1},
                 {"-0", false, true, 0, 0},
                 {"-9223372036854775808", false, true, 0, INT64_MIN},
                 {"-9223372036854775809", false, false, 0, 0},
                 {"1.0", false, false, 0, 0},
                 {"1e2", false, false, 0, 0},
                 {"\"1\"", false, false, 0, 0},
                 {"true", false, false, 0, 0}};
    struct arena *a = arena_new(ARENA);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        uint64_t u = 77;
        int64_t i = 77;
        struct json v = parse_one(a, cases[k].text);
        assert_int_equal(json_u64(v, &u), cases[k].is_u);
        assert_int_equal(json_i64(v, &i), cases[k].is_i);
        assert_true(u == (cases[k].is_u ? cases[k].u : 77));
        assert_true(i == (cases[k].is_i ? cases[k].i : 77));
    }
    arena_free(a);
}

static void json_doubles_are_nearest_and_finite(void **state)
{
    (void)state;
    struct arena *a = arena_new(ARENA);
    char zeros[1000] = "0.";
    double d = 7;
    assert_true(json_double(parse_one(a, "0.1"), &d) && d == 0.1);
    assert_true(json_double(parse_one(a, "-0"), &d) && d == 0 && signbit(d));
    assert_true(json_double(parse_one(a, "5e-324"), &d) && d == 5e-324);
    assert_true(json_double(parse_one(a, "1e-999"), &d) && d == 0);
    memset(zeros + 2, '0', 900);
    memcpy(zeros + 902, "1e901", 6);
    assert_true(json_double(parse_one(a, zeros), &d) && d == 1);
    d = 7;
    assert_false(json_double(parse_one(a, "1e400"), &d));
    assert_false(json_double(parse_one(a, "-1e400"), &d));
    assert_true(d == 7);
    arena_free(a);
}

/* ---- every prefix, every failing allocation ---- */

static const char sample[] =
    "{\"a\":[1,-2.5e-3,true,false,null,\"\\ud83d\\ude00\\n\xC3\xA9\"],\"b\":{"
    "\"k0\":0,\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,"
    "\"k8\":8,\"k9\":9,\"ka\":10,\"kb\":11,\"kc\":12,\"kd\":13,\"ke\":14,"
    "\"kf\":15,\"k\\u0067\":16},\"c\":[[],{}]}";

static void prefix_is_refused(struct span prefix, void *arg)
{
    size_t *accepted_count = arg;
    *accepted_count += parses(prefix, JSON_STRICT, NULL);
}

static void json_refuses_every_prefix_against_a_guard_page(void **state)
{
    (void)state;
    size_t count = 0;
    assert_true(prefixes_each(span_str(sample), SIZE_MAX, 0, prefix_is_refused, &count));
    assert_int_equal(count, 1); /* the whole */
}

static void json_survives_every_failing_allocation(void **state)
{
    (void)state;
    bool ok = false;
    for (uint64_t n = 1; !ok; n++) {
        struct arena *a = arena_new(ARENA);
        struct err e = ERR_INIT;
        struct json root;
        arena_fail_after(n);
        ok = json_parse(&root, span_str(sample), JSON_STRICT, a, &e);
        assert_true(ok || e.code == ERR_MEMORY);
        assert_true(n < 50);
        arena_fail_after(0);
        arena_free(a);
    }
}

/* ---- against cJSON ---- */

static void expect_same(struct json v, const cJSON *c)
{
    struct span s;
    double d;
    switch (json_type(v)) {
    case JSON_NULL:
        assert_true(cJSON_IsNull(c));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        assert_int_equal(json_type(v) == JSON_TRUE, cJSON_IsTrue(c));
        break;
    case JSON_NUMBER:
        assert_true(cJSON_IsNumber(c));
        if (json_double(v, &d))
            assert_true(d == c->valuedouble);
        break;
    case JSON_STRING:
        assert_true(cJSON_IsString(c) && json_string(v, &s));
        assert_true(memchr(s.p, 0, s.n) || span_is(s, c->valuestring)); /* it stops at NUL */
        break;
    case JSON_ARRAY:
    case JSON_OBJECT: {
        assert_int_equal(json_type(v) == JSON_OBJECT, cJSON_IsObject(c));
        const cJSON *child = c->child;
        for (struct json m = json_first(v); json_type(m); m = json_next(m)) {
            assert_non_null(child);
            if (json_type(v) == JSON_OBJECT && !memchr(json_key(m).p, 0, json_key(m).n))
                assert_true(span_is(json_key(m), child->string));
            expect_same(m, child);
            child = child->next;
        }
        assert_null(child);
        break;
    }
    case JSON_MISSING:
    default:
        fail();
    }
}

static bool compare(struct span text)
{
    struct arena *a = arena_new(ARENA);
    struct err e = ERR_INIT;
    struct json root;
    bool ok = json_parse(&root, text, JSON_KEEP_DUPLICATES, a, &e);
    if (ok) {
        cJSON *c = cJSON_ParseWithLength((const char *)text.p, text.n);
        if (memchr(text.p, 0, text.n) == NULL && strstr((const char *)text.p, "u0000") == NULL) {
            assert_non_null(c);
            expect_same(root, c);
        }
        cJSON_Delete(c);
    }
    arena_free(a);
    return ok;
}

/* Whatever we accept, the other parser reads with the same shape. */
static void json_agrees_with_another_parser(void **state)
{
    (void)state;
    static const char pool[] = "{}[]\",:\\u0123eE+-.truefalsn \n\xC3\xA9";
    char text[sizeof sample];
    uint32_t x = 12345;
    int accepted_count = 0;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        compare(accepted[i]);
    assert_true(compare(span_str(sample)));
    for (int round = 0; round < 60000; round++) {
        memcpy(text, sample, sizeof sample);
        for (int k = 0; k < 1 + round % 3; k++) {
            x = x * 1664525u + 1013904223u;
            text[(x >> 8) % (sizeof sample - 1)] = pool[(x >> 20) % (sizeof pool - 1)];
        }
        accepted_count += compare(span_str(text));
    }
    assert_true(accepted_count > 1000);
}

/* ---- size and time ---- */

static void json_reads_a_large_vocabulary_at_once(void **state)
{
    (void)state;
    struct buf b;
    struct arena *a = arena_new(256 << 20);
    struct err e = ERR_INIT;
    struct json root;
    uint64_t v;
    buf_init(&b, 64 << 20);
    buf_put_str(&b, "{\"vocab\":{");
    for (int i = 0; i < 150000; i++)
        buf_printf(&b, "%s\n      \"\xC4\xA0token%d\": %d", i ? "," : "", i, i);
    buf_put_str(&b, "},\"merges\":[");
    for (int i = 0; i < 150000; i++)
        buf_printf(&b, "%s\n      \"\xC4\xA0to ken%d\"", i ? "," : "", i);
    buf_put_str(&b, "]}");
    clock_t start = clock();
    assert_true(json_parse(&root, buf_span(&b), JSON_STRICT, a, &e));
    assert_true((clock() - start) / CLOCKS_PER_SEC <
                2); /* quadratic would be minutes; 0.03 s is usual */
    assert_int_equal(json_count(json_get(root, "merges")), 150000);
    assert_true(json_u64(json_path(root, "vocab", "\xC4\xA0token149999", NULL), &v));
    assert_int_equal(v, 149999);
    assert_true(arena_used(a) < 4 * b.n);
    buf_free(&b);
    arena_free(a);
}

/* ---- writer ---- */

static void writer_writes_what_the_reader_reads(void **state)
{
    (void)state;
    struct buf b;
    struct json_writer w;
    static const uint8_t hostile[] = "q\"b\\s/\b\f\n\r\t\x01\x7F\0z\xFFy\xC3\xA9\xED\xA0\x80";
    buf_init(&b, 1 << 16);
    jw_init(&w, json_sink_buf, &b, false);
    jw_object(&w);
    jw_key(&w, "s");
    jw_string(&w, (struct span){hostile, sizeof hostile - 1});
    jw_key(&w, "n");
    jw_array(&w);
    jw_u64(&w, UINT64_MAX);
    jw_i64(&w, INT64_MIN);
    jw_double(&w, 0.1);
    jw_double(&w, NAN);
    jw_double(&w, -INFINITY);
    jw_bool(&w, true);
    jw_null(&w);
    jw_str(&w, NULL);
    jw_raw(&w, span_str("[1]"));
    jw_end_array(&w);
    jw_key(&w, "e");
    jw_object(&w);
    jw_end_object(&w);
    jw_end_object(&w);
    assert_false(w.failed);
    assert_string_equal(
        buf_cstr(&b),
        "{\"s\":\"q\\\"b\\\\s/\\b\\f\\n\\r\\t\\u0001\\u007f\\u0000z\xEF\xBF\xBDy\xC3\xA9"
        "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\",\"n\":[18446744073709551615,"
        "-9223372036854775808,0.1,\"NaN\",\"-Infinity\",true,null,null,[1]],\"e\":{}}");
    assert_true(parses(buf_span(&b), JSON_STRICT, NULL));
    buf_free(&b);
}

static void writer_indents_by_two(void **state)
{
    (void)state;
    struct buf b;
    struct json_writer w;
    buf_init(&b, 1 << 16);
    jw_init(&w, json_sink_buf, &b, true);
    jw_object(&w);
    jw_key(&w, "a");
    jw_array(&w);
    jw_u64(&w, 1);
    jw_u64(&w, 2);
    jw_end_array(&w);
    jw_key(&w, "b");
    jw_array(&w);
    jw_end_array(&w);
    jw_end_object(&w);
    assert_string_equal(buf_cstr(&b), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}");
    buf_free(&b);
}

static void writer_keeps_a_sink_error_and_bounds_depth(void **state)
{
    (void)state;
    struct buf b;
    struct json_writer w;
    buf_init(&b, 5);
    jw_init(&w, json_sink_buf, &b, false);
    jw_str(&w, "longer than five");
    assert_true(w.failed);
    buf_free(&b);
    buf_init(&b, 1 << 16);
    for (int depth = 63; depth <= 64; depth++) {
        buf_clear(&b);
        jw_init(&w, json_sink_buf, &b, false);
        for (int i = 0; i < depth; i++)
            jw_array(&w);
        for (int i = 0; i < depth; i++)
            jw_end_array(&w);
        assert_int_equal(w.failed, depth == 64);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reads_what_the_grammar_allows),
        cmocka_unit_test(json_nothing_is_harmless),
        cmocka_unit_test(json_accepts_every_right_text),
        cmocka_unit_test(json_refuses_every_wrong_text),
        cmocka_unit_test(json_points_at_what_is_wrong),
        cmocka_unit_test(json_bounds_depth_without_recursion),
        cmocka_unit_test(json_prefix_says_where_the_value_ended),
        cmocka_unit_test(json_notes_duplicates_and_gives_the_last),
        cmocka_unit_test(json_finds_members_of_objects_of_every_size),
        cmocka_unit_test(json_finds_a_duplicate_anywhere),
        cmocka_unit_test(json_integers_are_exact_or_refused),
        cmocka_unit_test(json_doubles_are_nearest_and_finite),
        cmocka_unit_test(json_refuses_every_prefix_against_a_guard_page),
        cmocka_unit_test(json_survives_every_failing_allocation),
        cmocka_unit_test(json_agrees_with_another_parser),
        cmocka_unit_test(json_reads_a_large_vocabulary_at_once),
        cmocka_unit_test(writer_writes_what_the_reader_reads),
        cmocka_unit_test(writer_indents_by_two),
        cmocka_unit_test(writer_keeps_a_sink_error_and_bounds_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
