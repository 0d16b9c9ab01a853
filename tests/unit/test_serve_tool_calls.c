/* Calls of tools in what models write: the families' forms, cut anywhere, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "serve/engine/tool_calls.h"

static struct arena *arena;
static struct json tools;
static struct tool_calls calls;

static int setup(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    arena = arena_new(64 << 20);
    return arena && json_parse(&tools,
                               span_str("[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},"
                                        "{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]"),
                               JSON_STRICT, arena, &e)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static size_t read(enum engine_tools form, const char *text)
{
    const struct tool_calls_form as = {form, tools, false, false};
    assert_true(tool_calls_read(&calls, &as, span_str(text), arena));
    return calls.count;
}

static void call_is(size_t i, const char *name, const char *arguments)
{
    assert_true(i < calls.count);
    assert_true(span_is(calls.call[i].name, name));
    assert_true(span_is(calls.call[i].arguments, arguments));
}

static void hermes_calls_are_read_with_the_text_before_them(void **state)
{
    (void)state;
    assert_int_equal(read(ENGINE_TOOLS_HERMES,
                          "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n"
                          "</tool_call>\n<tool_call>{\"name\":\"h\",\"arguments\":{}}</tool_call>"),
                     2);
    call_is(0, "f", "{\"a\": 1}");
    call_is(1, "h", "{}");
    assert_true(span_is(calls.content, "I look."));
    assert_int_equal(read(ENGINE_TOOLS_HERMES, "<tool_call>{\"name\":\"f\",\"arguments\":\"{}\"}"),
                     1);
    call_is(0, "f", "{}");
    assert_int_equal(calls.content.n, 0);
}

static void mistral_calls_are_read_in_both_forms(void **state)
{
    (void)state;
    assert_int_equal(read(ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS] [{\"name\":\"f\",\"arguments\":{}},"
                                                "{\"name\":\"g\",\"arguments\":{\"b\":2}}]"),
                     2);
    call_is(1, "g", "{\"b\":2}");
    assert_int_equal(
        read(ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS]f[ARGS]{\"a\":1}[TOOL_CALLS]g{\"b\":2}"), 2);
    call_is(0, "f", "{\"a\":1}");
    call_is(1, "g", "{\"b\":2}");
}

static void llama_calls_are_read_when_they_name_an_offered_tool(void **state)
{
    (void)state;
    assert_int_equal(read(ENGINE_TOOLS_LLAMA, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}"), 1);
    call_is(0, "f", "{\"a\": 1}");
    assert_int_equal(read(ENGINE_TOOLS_LLAMA, "<|python_tag|>{\"name\":\"f\",\"parameters\":{}}; "
                                              "{\"name\":\"g\",\"parameters\":{}}"),
                     2);
    assert_int_equal(read(ENGINE_TOOLS_LLAMA, "{\"name\": \"other\", \"parameters\": {}}"), 0);
    assert_true(span_starts(calls.content, "{\"name\""));
}

static void what_does_not_hold_stays_text(void **state)
{
    (void)state;
    static const struct {
        enum engine_tools form;
        const char *text;
    } cases[] = {
        {ENGINE_TOOLS_HERMES, "plain"},
        {ENGINE_TOOLS_HERMES, "<tool_call>{\"name\":\"f\",\"arguments\":{}"},
        {ENGINE_TOOLS_HERMES, "<tool_call>{\"arguments\":{}}</tool_call>"},
        {ENGINE_TOOLS_HERMES, "<tool_call>{\"name\":\"f\",\"arguments\":[1]}</tool_call>"},
        {ENGINE_TOOLS_HERMES, "<tool_call>{\"name\":\"f\",\"name\":\"g\"}</tool_call>"},
        {ENGINE_TOOLS_HERMES, "<tool_call>f</tool_call>"},
        {ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS]f[ARGS]"},
        {ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS][{\"name\":\"f\"}] and more"},
        {ENGINE_TOOLS_LLAMA, "{\"a\":1} text"},
        {ENGINE_TOOLS_NONE, "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read(cases[i].form, cases[i].text), 0);
        assert_true(span_is(calls.content, cases[i].text));
    }
}

/* Octet by octet: none before it is whole, and then what the whole text has first. */
static void first_call_is_there_once_it_is_whole(void **state)
{
    (void)state;
    static const struct {
        enum engine_tools form;
        const char *text;
        size_t whole; /* octets */
    } cases[] = {
        {ENGINE_TOOLS_HERMES,
         "I see <tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call><tool_call>{}", 44},
        {ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS] [{\"name\":\"f\",\"arguments\":{}},{\"name\":\"g\"}]",
         41},
        {ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS]f[ARGS]{\"a\":1}[TOOL_CALLS]g{}", 26},
        {ENGINE_TOOLS_LLAMA, "<|python_tag|>{\"name\":\"f\",\"parameters\":{}};{", 42},
        {ENGINE_TOOLS_LLAMA, "{\"name\":\"other\",\"parameters\":{}}", SIZE_MAX},
        {ENGINE_TOOLS_HERMES, "{\"name\":\"f\",\"arguments\":{}}", SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span text = span_str(cases[i].text);
        const struct tool_calls_form as = {cases[i].form, tools, false, false};
        for (size_t n = 0; n <= text.n; n++) {
            bool found = tool_calls_first(&calls, &as, span_sub(text, 0, n), arena);
            if (found != (n >= cases[i].whole))
                fail_msg("%s: %zu", cases[i].text, n);
            assert_true(!found || (calls.count == 1 && span_is(calls.call[0].name, "f")));
        }
    }
}

/* Llama's have no mark: where a form holds them, what does not begin as it says was not held. */
static void llama_calls_that_no_form_held_are_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"{\"name\": \"f\", \"parameters\": {\"a\":1}}", 1},
        {"<|python_tag|>{\"name\":\"f\",\"parameters\":{}}; {\"name\": \"g\", \"parameters\":{}}",
         2},
        {"{ \"name\": \"f\", \"parameters\": {}}", 0},
        {"{\"name\" : \"f\", \"parameters\": {}}", 0},
        {"{\"name\": \"\\u0066\", \"parameters\": {}}", 0},
        {"{\"parameters\": {}, \"name\": \"f\"}", 0},
        {"{\"name\": \"other\", \"parameters\": {}}", 0}};
    const struct tool_calls_form as = {ENGINE_TOOLS_LLAMA, tools, true, false};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(tool_calls_read(&calls, &as, span_str(cases[i].text), arena));
        if (calls.count != cases[i].count)
            fail_msg("%s: %zu calls", cases[i].text, calls.count);
    }
}

/* Octet by octet, of an answer that is calls alone: each is there once it is whole, and stays; what was
 * begun of another is text, and nothing of it is lost. */
static void calls_before_a_cut_one_stay(void **state)
{
    (void)state;
#define ONE "{\"name\": \"f\", \"arguments\": {\"a\": \"}\"}}"
#define TWO "{\"name\": \"g\", \"arguments\": {}}"
    static const struct {
        enum engine_tools form;
        const char *one, *between, *two, *end;
    } cases[] = {
        {ENGINE_TOOLS_HERMES, "<tool_call>\n" ONE, "\n</tool_call>\n", "<tool_call>\n" TWO,
         "\n</tool_call>"},
        {ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS][" ONE, ", ", TWO, "]"},
        {ENGINE_TOOLS_MISTRAL, "[TOOL_CALLS]f[ARGS]{\"a\": \"}\"}", "", "[TOOL_CALLS]g[ARGS]{}",
         ""},
        {ENGINE_TOOLS_LLAMA, ONE, "; ", TWO, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct tool_calls_form as = {cases[i].form, tools, false, true};
        struct span text = span_str(arena_printf(arena, "%s%s%s%s", cases[i].one, cases[i].between,
                                                 cases[i].two, cases[i].end));
        size_t one = strlen(cases[i].one), second = one + strlen(cases[i].between),
               two = second + strlen(cases[i].two);
        for (size_t n = 0; n <= text.n; n++) {
            struct span said = span_sub(text, 0, n);
            assert_true(tool_calls_read(&calls, &as, said, arena));
            if (calls.count != (size_t)(n >= one) + (n >= two))
                fail_msg("%s: %zu calls of %zu octets", (const char *)text.p, calls.count, n);
            bool cut = n > second && n < two;
            if (calls.cut != cut)
                fail_msg("%.*s: cut %d", (int)n, (const char *)text.p, calls.cut);
            if (n < one)
                assert_true(span_eq(calls.content, said));
            else
                assert_int_equal(calls.content.n != 0, cut);
            if (n >= two)
                assert_true(span_is(calls.call[1].name, "g"));
        }
    }
}

/* Whatever was let go stays the beginning of the content when more comes. */
static void stream_lets_go_of_nothing_that_becomes_a_call(void **state)
{
    (void)state;
    static const struct {
        enum engine_tools form;
        const char *text;
    } cases[] = {
        {ENGINE_TOOLS_HERMES, "a <b> \n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>"},
        {ENGINE_TOOLS_HERMES, "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>"},
        {ENGINE_TOOLS_MISTRAL, "[TOOL [TOOL_CALLS]f[ARGS]{}"},
        {ENGINE_TOOLS_LLAMA, " {\"name\":\"f\",\"parameters\":{}}"},
        {ENGINE_TOOLS_LLAMA, "<|python_tag|>{\"name\":\"f\",\"parameters\":{}}"},
        {ENGINE_TOOLS_LLAMA, "plain { text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span text = span_str(cases[i].text);
        (void)read(cases[i].form, cases[i].text);
        size_t shown = 0;
        for (size_t n = 0; n <= text.n; n++) {
            size_t now = tool_calls_before(cases[i].form, span_sub(text, 0, n));
            assert_true(now <= n);
            shown = now > shown ? now : shown;
        }
        assert_true(shown <= calls.content.n);
        assert_memory_equal(calls.content.p, text.p, shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hermes_calls_are_read_with_the_text_before_them),
        cmocka_unit_test(mistral_calls_are_read_in_both_forms),
        cmocka_unit_test(llama_calls_are_read_when_they_name_an_offered_tool),
        cmocka_unit_test(what_does_not_hold_stays_text),
        cmocka_unit_test(first_call_is_there_once_it_is_whole),
        cmocka_unit_test(llama_calls_that_no_form_held_are_text),
        cmocka_unit_test(calls_before_a_cut_one_stay),
        cmocka_unit_test(stream_lets_go_of_nothing_that_becomes_a_call),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
