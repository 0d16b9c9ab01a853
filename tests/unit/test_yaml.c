/*
 * Strict YAML: what the core schema says a word is, what is refused and where,
 * and configurations read against tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "assay/config.h"

static struct arena *arena;
static struct err e;
static struct yaml y;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(256 << 20);
    err_clear(&e);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static bool parse(const char *text)
{
    err_clear(&e);
    return yaml_parse(&y, span_str(text), "f.yaml", arena, &e);
}

static void expect_json(const char *text, const char *json)
{
    if (!parse(text))
        fail_msg("%s: %s", text, e.text);
    struct span s = json_text(y.root);
    if (!span_is(s, json))
        fail_msg("%s\ngives    %.*s\nexpected %s", text, (int)s.n, (const char *)s.p, json);
}

static void expect_refused(const char *text, const char *words)
{
    if (parse(text))
        fail_msg("accepted: %s", text);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.file, "f.yaml");
    if (!strstr(e.text, words))
        fail_msg("%s\nsays     %s\nexpected %s", text, e.text, words);
}

static void yaml_types_words_by_the_core_schema_alone(void **state)
{
    (void)state;
    expect_json("[null, Null, NULL, ~, ]", "[null,null,null,null]");
    expect_json("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
    expect_json("[yes, no, on, off, y, n, tRUE]",
                "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"tRUE\"]");
    expect_json("[0, -1, +2, 12345678901234567890123]", "[0,-1,2,12345678901234567890123]");
    expect_json("[1.50, .5, 5., 1e3, -2.5E-3, +1.0]", "[1.50,0.5,5.0,1e3,-2.5e-3,1.0]");
    expect_json("[1_000, 1:30, 2026-01-02, 0b1, 1e, ., +]",
                "[\"1_000\",\"1:30\",\"2026-01-02\",\"0b1\",\"1e\",\".\",\"+\"]");
    expect_json("['1', \"true\", 'null']", "[\"1\",\"true\",\"null\"]");
    expect_json("a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}");
}

static void yaml_gives_the_tree_that_json_gives(void **state)
{
    (void)state;
    const char *json = "{\"a\":[1,{\"b\":null}],\"c\":{\"d\":\"e\\\"f\"}}";
    expect_json(json, json);
    expect_json("a:\n- 1\n- b:\nc:\n  d: e\"f\n", json);
    expect_json("", "null");
    expect_json("# nothing\n", "null");
    expect_json("\xEF\xBB\xBF"
                "a: 1\nb: 2\n",
                "{\"a\":1,\"b\":2}");
    expect_json("{}", "{}");
    expect_json("[]", "[]");
    expect_json("1: a\ntrue: b\n", "{\"1\":\"a\",\"true\":\"b\"}");
}

static void yaml_refuses_what_readers_disagree_about(void **state)
{
    (void)state;
    expect_refused("a: &x 1\n", "line 1, column 4: anchors");
    expect_refused("a: 1\nb: *x\n", "line 2, column 4: anchors");
    expect_refused("a: !!str 1\n", "line 1, column 4: tags");
    expect_refused("!t {a: 1}\n", "tags");
    expect_refused("%TAG ! tag:x,2000:\n---\na: 1\n", "tags");
    expect_refused("a: 1\nb: 2\na: 3\n",
                   "line 3, column 1: the key 'a' stands in this mapping already, at line 1");
    expect_refused("1: x\n'1': y\n", "stands in this mapping already");
    expect_refused("a: 1\n---\nb: 2\n", "line 2, column 1: a second document");
    expect_refused("? [a]\n: b\n", "a key must be a text");
    expect_refused("~: b\n", "a key is empty");
    expect_refused("<<: b\n", "merge keys");
    expect_refused("a: 010\n", "begins with a zero");
    expect_refused("a: -00.5\n", "begins with a zero");
    expect_refused("a: 0o17\n", "octal");
    expect_refused("a: 0x1F\n", "hexadecimal");
    expect_refused("a: .inf\n", "infinity");
    expect_refused("a: [1\n", "line 2");
    expect_refused("a: \xff\n", "byte 0xff");
}

static void yaml_allows_one_key_in_two_mappings(void **state)
{
    (void)state;
    expect_json("a: {k: 1}\nb: {k: 2}\nk: 3\n", "{\"a\":{\"k\":1},\"b\":{\"k\":2},\"k\":3}");
}

static void yaml_stops_at_its_limits(void **state)
{
    (void)state;
    char deep[2 * YAML_MAX_DEPTH + 4];
    memset(deep, '[', YAML_MAX_DEPTH);
    memset(deep + YAML_MAX_DEPTH, ']', YAML_MAX_DEPTH);
    deep[2 * YAML_MAX_DEPTH] = '\0';
    assert_true(parse(deep));
    memset(deep, '[', YAML_MAX_DEPTH + 1);
    expect_refused(deep, "too deep");

    struct buf many;
    buf_init(&many, 8 << 20);
    for (size_t i = 0; i <= YAML_MAX_NODES; i++)
        buf_put_str(&many, "- 1\n");
    expect_refused(buf_cstr(&many), "more values than are read");
    while (many.n <= YAML_MAX_TEXT)
        buf_put_str(&many, "- 1\n");
    expect_refused(buf_cstr(&many), "longer than");
    buf_free(&many);
}

static void yaml_knows_the_line_of_every_node(void **state)
{
    (void)state;
    assert_true(parse("a: 1\n\nb:\n  - x\n  - y: \"q\\\"\"\n    z:\n      - 2\n"));
    struct json b = json_get(y.root, "b");
    assert_int_equal(yaml_line(&y, y.root), 1);
    assert_int_equal(yaml_line(&y, json_get(y.root, "a")), 1);
    assert_int_equal(yaml_key_line(&y, b), 3);
    assert_int_equal(yaml_line(&y, json_at(b, 0)), 4);
    assert_int_equal(yaml_key_line(&y, json_get(json_at(b, 1), "z")), 6);
    assert_int_equal(yaml_line(&y, json_at(json_get(json_at(b, 1), "z"), 0)), 7);
    assert_int_equal(yaml_line(&y, JSON_NOTHING), 0);
}

struct inner {
    struct span name;
    int mode;
    size_t line;
};

struct outer {
    struct span title, ratio;
    uint64_t count, size;
    bool on;
    struct config_texts tags;
    struct inner one;
    struct config_objects many;
    struct json rest;
};

static const char *const modes[] = {"strict", "lenient", NULL};

static const struct config_field inner_fields[] = {
    {.name = "name",
     .type = CONFIG_TEXT,
     .at = offsetof(struct inner, name),
     .required = true,
     .min = 1,
     .line = CONFIG_LINE(struct inner, line)},
    {.name = "mode", .type = CONFIG_WORD, .at = offsetof(struct inner, mode), .words = modes},
    {.name = NULL}};

static const struct config_field outer_fields[] = {
    {.name = "title", .type = CONFIG_TEXT, .at = offsetof(struct outer, title), .max = 10},
    {.name = "ratio", .type = CONFIG_DECIMAL, .at = offsetof(struct outer, ratio)},
    {.name = "count",
     .type = CONFIG_INTEGER,
     .at = offsetof(struct outer, count),
     .min = 1,
     .max = 9},
    {.name = "size", .type = CONFIG_BYTES, .at = offsetof(struct outer, size)},
    {.name = "on", .type = CONFIG_BOOL, .at = offsetof(struct outer, on)},
    {.name = "tags", .type = CONFIG_TEXTS, .at = offsetof(struct outer, tags), .max = 2},
    {.name = "one",
     .type = CONFIG_OBJECT,
     .at = offsetof(struct outer, one),
     .fields = inner_fields},
    {.name = "many",
     .type = CONFIG_OBJECTS,
     .at = offsetof(struct outer, many),
     .fields = inner_fields,
     .size = sizeof(struct inner)},
    {.name = "rest", .type = CONFIG_ANY, .at = offsetof(struct outer, rest)},
    {.name = NULL}};

static void config_fills_a_struct_and_leaves_presets(void **state)
{
    (void)state;
    struct outer o = {.count = 5};
    assert_true(parse("title: T\nratio: 0.10\nsize: 2 MiB\non: true\ntags: [a, b]\n"
                      "one: {name: n, mode: lenient}\nmany:\n- name: x\n- name: y\nrest: [1]\n"));
    assert_true(config_read(&o, &y, y.root, outer_fields, arena, &e));
    assert_true(span_is(o.title, "T") && span_is(o.ratio, "0.10"));
    assert_int_equal(o.count, 5);
    assert_int_equal(o.size, 2 << 20);
    assert_true(o.on);
    assert_int_equal(o.tags.count, 2);
    assert_true(span_is(o.tags.items[1], "b"));
    assert_int_equal(o.one.mode, 1);
    assert_int_equal(o.many.count, 2);
    const struct inner *many = o.many.items;
    assert_true(span_is(many[1].name, "y"));
    assert_int_equal(many[1].line, 9);
    assert_int_equal(json_count(o.rest), 1);
}

static void expect_error(const char *text, const char *words)
{
    struct outer o = {0};
    if (!parse(text))
        fail_msg("%s: %s", text, e.text);
    assert_false(config_read(&o, &y, y.root, outer_fields, arena, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.file, "f.yaml");
    if (!strstr(e.text, words))
        fail_msg("%s\nsays     %s\nexpected %s", text, e.text, words);
}

static void config_names_the_line_and_what_was_meant(void **state)
{
    (void)state;
    expect_error("\ntitel: x\n", "unknown key 'titel' at line 2; did you mean 'title'?");
    expect_error("zzzzzzzz: x\n", "unknown key 'zzzzzzzz' at line 1");
    expect_error("one:\n  name: x\n  moed: strict\n",
                 "unknown key 'moed' at line 3; did you mean 'mode'?");
    expect_error("one:\n  name: x\n  mode: strickt\n", "did you mean 'strict'?) at line 3");
    expect_error("one:\n  name: x\n  mode: qqqqqqqq\n", "there are: strict, lenient at line 3");
    expect_error("one: {mode: strict}\n", "the key 'name' is missing in the mapping at line 1");
    expect_error("on: yes\n", "'on': expected true or false, found the text 'yes' at line 1");
    expect_error("count: 10\n", "expected 1 to 9, found 10");
    expect_error("count: 1.5\n", "expected a whole number, found 1.5");
    expect_error("title: 12\n", "expected a text");
    expect_error("title: 12345678901\n", "expected a text");
    expect_error("title: abcdefghijk\n", "0 to 10 bytes of text");
    expect_error("size: 7 QiB\n", "expected a size");
    expect_error("size: 99999999999 TiB\n", "expected a size");
    expect_error("tags: [a, 1]\n", "expected a text");
    expect_error("tags: [a, b, c]\n", "0 to 2 texts");
    expect_error("many: {}\n", "expected a list of mappings, found a mapping");
    expect_error("many: [1]\n", "'many': expected a mapping of keys to values, found 1");
    expect_error("- 1\n", "expected a mapping of keys to values, found a list at line 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(yaml_types_words_by_the_core_schema_alone, begin, end),
        cmocka_unit_test_setup_teardown(yaml_gives_the_tree_that_json_gives, begin, end),
        cmocka_unit_test_setup_teardown(yaml_refuses_what_readers_disagree_about, begin, end),
        cmocka_unit_test_setup_teardown(yaml_allows_one_key_in_two_mappings, begin, end),
        cmocka_unit_test_setup_teardown(yaml_stops_at_its_limits, begin, end),
        cmocka_unit_test_setup_teardown(yaml_knows_the_line_of_every_node, begin, end),
        cmocka_unit_test_setup_teardown(config_fills_a_struct_and_leaves_presets, begin, end),
        cmocka_unit_test_setup_teardown(config_names_the_line_and_what_was_meant, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
