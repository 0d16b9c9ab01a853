/* Calls in the forms of the families, that must be made or that the model chooses to make, from the template
 * to the answer: through the running server, and computed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/asking.h"

#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"n\":{\"enum\":[1,12]},\"s\":{\"type\":\"string\","     \
    "\"maxLength\":3}},\"required\":[\"n\",\"s\"],\"additionalProperties\":false}"
#define TOOL(name)                                                                                 \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name                                        \
    "\",\"strict\":true,\"parameters\":" SCHEMA "}}"
#define TEMPLATE(marks)                                                                            \
    "{% for m in messages %}{{ m.content }}{% endfor %}{% if tools %}a5{% endif %}"                \
    "{% if false %}" marks "{% endif %}"

/* Tokens 3 to 5 begin a call in the way of the model. */
static const struct family_change hermes = {.template = TEMPLATE("<tool_call>"),
                                            .words = {"<tool_call>", "a<tool_call>\n",
                                                      "<tool_call>{"},
                                            .control = true,
                                            .characters = ASKING_CHARACTERS},
                                  llama = {.template = TEMPLATE("<|python_tag|>"),
                                           .words = {"<|python_tag|>", "{\"name\": \"f\"",
                                                     "{\"name\":\"g\",\""},
                                           .control = true,
                                           .characters = ASKING_CHARACTERS},
                                  list = {.template = TEMPLATE("[TOOL_CALLS]"),
                                          .words = {"[TOOL_CALLS]", "[TOOL_CALLS] [",
                                                    "a[TOOL_CALLS]"},
                                          .control = true,
                                          .characters = ASKING_CHARACTERS},
                                  bare = {.template = TEMPLATE("[TOOL_CALLS]"),
                                          .words = {"[TOOL_CALLS]", "[TOOL_CALLS]f[", "[ARGS]"},
                                          .control = true,
                                          .characters = ASKING_CHARACTERS};

static const char *begins; /* a bias by which an answer begins with a call, or nearly */

static int start(const struct family_change *change)
{
    begins = change == &bare ? ",\"3\":30,\"4\":30" : ",\"3\":30,\"4\":30,\"5\":30";
    return asking_start(change) ? 0 : -1;
}

static int setup_hermes(void **state)
{
    (void)state;
    return start(&hermes);
}

static int setup_llama(void **state)
{
    (void)state;
    return start(&llama);
}

static int setup_list(void **state)
{
    (void)state;
    return start(&list);
}

static int setup_bare(void **state)
{
    (void)state;
    return start(&bare);
}

static int teardown(void **state)
{
    (void)state;
    return asking_stop() ? 0 : -1;
}

static struct json asked(const char *bias, const char *more)
{
    char body[2048];
    snprintf(body, sizeof body,
             "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],\"n\":16,"
             "\"max_tokens\":120,\"logit_bias\":{\"10\":-100,\"11\":-100%s},\"tools\":[" TOOL(
                 "f") "," TOOL("g") "]%s}",
             bias, more);
    return ask("/v1/chat/completions", body);
}

/* How many calls there are, each of which is as its tool says. */
static size_t calls_of(struct json root)
{
    size_t calls = 0;
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct json all = json_path(c, "message", "tool_calls", NULL);
        for (struct json k = json_first(all); json_type(k); k = json_next(k), calls++) {
            struct span name = text_at(json_path(k, "function", "name", NULL));
            struct json arguments = parse(text_at(json_path(k, "function", "arguments", NULL)));
            uint64_t n = number_at(json_get(arguments, "n"));
            assert_true(span_is(name, "f") || span_is(name, "g"));
            assert_int_equal(json_count(arguments), 2);
            assert_true(n == 1 || n == 12);
            (void)text_at(json_get(arguments, "s"));
        }
    }
    return calls;
}

static void calls_of_the_models_choice_hold_and_replay(void **state)
{
    (void)state;
    struct json root = asked(begins, ",\"parallel_tool_calls\":false");
    assert_true(calls_of(root) > 8);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

static void calls_that_must_be_made_are_and_replay(void **state)
{
    (void)state;
    struct json root = asked("", ",\"tool_choice\":\"required\",\"parallel_tool_calls\":false");
    assert_int_equal(calls_of(root), 16);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

/* As many as the model makes, one at least; the last may be cut by the answer's length. */
static void several_calls_that_must_be_made_are_and_replay(void **state)
{
    (void)state;
    unsigned several = 0, cut = 0;
    struct json root = asked("", ",\"tool_choice\":\"required\"");
    assert_true(calls_of(root) > 16);
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        size_t n = json_count(json_path(c, "message", "tool_calls", NULL));
        struct json content = json_path(c, "message", "content", NULL);
        bool whole = span_is(text_at(json_get(c, "finish_reason")), "tool_calls");
        assert_true(n > 0);
        assert_int_equal(whole, json_type(content) == JSON_NULL);
        several += n > 1;
        cut += !whole;
    }
    assert_true(several > 3 && cut < 16);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, asking_fresh, asking_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_of_the_models_choice_hold_and_replay),
        TEST(calls_that_must_be_made_are_and_replay),
        TEST(several_calls_that_must_be_made_are_and_replay),
    };
    int failed = cmocka_run_group_tests_name("hermes", tests, setup_hermes, teardown);
    failed += cmocka_run_group_tests_name("llama", tests, setup_llama, teardown);
    failed += cmocka_run_group_tests_name("mistral, a list", tests, setup_list, teardown);
    return failed + cmocka_run_group_tests_name("mistral, bare", tests, setup_bare, teardown);
}
