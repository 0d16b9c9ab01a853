/* Answers that are held to a schema, and calls of tools that must be made: through the running
 * server, at random, and computed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/asking.h"

/* Tokens 10 and 11, which are white space, are not drawn where they need not be. */
#define NO_SPACE "\"logit_bias\":{\"10\":-100,\"11\":-100}"
#define CHAT                                                                                       \
    "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}]," NO_SPACE ","
#define CHAT_MARKS(bias)                                                                           \
    "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],\"logit_bias\":{"   \
    "\"10\":-100,\"11\":-100,\"3\":" bias ",\"4\":" bias ",\"5\":" bias "},"
#define SCHEMA                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"},\"n\":{\"enum\":[1,12]},"  \
    "\"s\":{\"type\":\"string\",\"maxLength\":4}},\"required\":[\"ok\",\"n\",\"s\"],"              \
    "\"additionalProperties\":false}"
#define OK                                                                                         \
    "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}},\"required\":[\"ok\"]}"
#define PATTERN                                                                                    \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"\\\\bx\"}}}"
#define FUNCTION(name, schema)                                                                     \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":" schema "}}"
#define STRICT(name, schema)                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name                                        \
    "\",\"strict\":true,\"parameters\":" schema "}}"
#define STRICT_TOOLS "\"tools\":[" STRICT("f", SCHEMA) "," FUNCTION("g", PATTERN) "]"
#define TOOLS "\"tools\":[" FUNCTION("f", OK) "," FUNCTION("g", "{\"properties\":{}}") "]"

static int setup(void **state)
{
    static const struct family_change change = {
        .template = "{% for m in messages %}{{ m.content }}{% endfor %}{% if tools %}a5{% endif %}"
                    "{% if false %}<tool_call>{% endif %}",
        .words = {"<tool_call>", "y<tool_call>?", "z<tool_call>{\""},
        .control = true,
        .characters = ASKING_CHARACTERS};
    (void)state;
    return asking_start(&change) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return asking_stop() ? 0 : -1;
}

/* Whether a text is what SCHEMA says. */
static void is_held(struct span text)
{
    struct json v = parse(text);
    bool ok;
    uint64_t n = number_at(json_get(v, "n"));
    assert_int_equal(json_count(v), 3);
    assert_true(json_bool(json_get(v, "ok"), &ok));
    assert_true(n == 1 || n == 12);
    (void)text_at(json_get(v, "s"));
}

static void chats_are_held_to_their_schema_and_replay(void **state)
{
    (void)state;
    unsigned ended = 0;
    struct json root =
        ask("/v1/chat/completions",
            CHAT "\"n\":6,\"response_format\":{\"type\":\"json_schema\","
                 "\"json_schema\":{\"name\":\"x\",\"strict\":true,\"schema\":" SCHEMA "}}}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        if (!span_is(text_at(json_get(c, "finish_reason")), "stop"))
            continue;
        is_held(text_at(json_path(c, "message", "content", NULL)));
        ended++;
    }
    assert_true(ended > 3);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

static void responses_are_held_to_their_schema_and_the_log_has_it(void **state)
{
    (void)state;
    struct buf parameters;
    struct told t;
    struct json root =
        ask("/v1/responses", "{\"model\":\"tiny\",\"input\":\"a3\"," NO_SPACE
                             ",\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"x\","
                             "\"schema\":" SCHEMA "}}}");
    is_held(text_at(
        json_get(json_at(json_get(json_at(json_get(root, "output"), 0), "content"), 0), "text")));
    (void)replayed();
    told_read(&t, &asking_place);
    buf_init(&parameters, 1 << 16);
    asking_content(t.intent, "parameters", &parameters);
    assert_non_null(strstr(buf_cstr(&parameters), "\"form\":[{\"schema\":" SCHEMA "}]"));
    buf_free(&parameters);
}

/* ---- calls that must be made ---- */

static void call_is(struct json function, const char *name)
{
    struct json arguments = parse(text_at(json_get(function, "arguments")));
    bool ok, f = span_is(text_at(json_get(function, "name")), "f");
    if (name)
        is_text(json_get(function, "name"), name);
    assert_int_equal(json_count(arguments), f ? 1 : 0);
    if (f)
        assert_true(json_bool(json_get(arguments, "ok"), &ok));
}

static void required_call_is_made_and_replays(void **state)
{
    (void)state;
    bool seen[2] = {false, false};
    struct json root =
        ask("/v1/chat/completions", CHAT TOOLS ",\"n\":3,\"seed\":1,\"parallel_tool_calls\":false,"
                                               "\"tool_choice\":\"required\"}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct json calls = json_path(c, "message", "tool_calls", NULL);
        struct json function = json_get(json_at(calls, 0), "function");
        is_text(json_get(c, "finish_reason"), "tool_calls");
        assert_int_equal(json_count(calls), 1);
        call_is(function, NULL);
        seen[span_is(text_at(json_get(function, "name")), "g")] = true;
    }
    assert_true(seen[0] && seen[1]);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

/* Where nobody asks for one alone, an answer is as many calls as the model makes of it. */
static void required_calls_are_as_many_as_the_model_makes_in_every_api(void **state)
{
    (void)state;
    size_t calls = 0, blocks = 0, items = 0;
    struct json root =
        ask("/v1/chat/completions", CHAT TOOLS ",\"n\":8,\"max_tokens\":150,\"tool_choice\":"
                                               "\"required\"}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct json list = json_path(c, "message", "tool_calls", NULL);
        assert_true(json_count(list) > 0);
        for (struct json k = json_first(list); json_type(k); k = json_next(k), calls++)
            call_is(json_get(k, "function"), NULL);
    }
    assert_true(calls > 8);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
    for (unsigned seed = 0; seed < 6; seed++) {
        char body[1024];
        snprintf(
            body, sizeof body,
            "{\"model\":\"tiny\",\"input\":\"a3\",\"max_output_tokens\":150,\"seed\":%u," NO_SPACE
            ",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":" OK
            "}],\"tool_choice\":\"required\"}",
            seed);
        struct json list = json_get(ask("/v1/responses", body), "output");
        for (struct json k = json_first(list); json_type(k); k = json_next(k))
            if (span_is(text_at(json_get(k, "type")), "function_call")) {
                call_is(k, "f");
                items++;
            }
        snprintf(
            body, sizeof body,
            "{\"model\":\"tiny\",\"max_tokens\":150,\"seed\":%u," NO_SPACE
            ",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],\"tools\":[{\"name\":\"f\","
            "\"input_schema\":" OK "}],\"tool_choice\":{\"type\":\"any\"}}",
            seed);
        root = ask("/v1/messages", body);
        list = json_get(root, "content");
        for (struct json k = json_first(list); json_type(k); k = json_next(k))
            blocks += span_is(text_at(json_get(k, "type")), "tool_use");
    }
    (void)replayed();
    assert_true(items > 6 && blocks > 6);
}

static void named_function_is_called_in_every_api(void **state)
{
    (void)state;
    struct json root =
        ask("/v1/chat/completions", CHAT TOOLS ",\"tool_choice\":{\"type\":\"function\","
                                               "\"function\":{\"name\":\"g\"}}}");
    struct json m = json_get(choice_of(root), "message");
    call_is(json_get(json_at(json_get(m, "tool_calls"), 0), "function"), "g");
    root = ask("/v1/responses",
               "{\"model\":\"tiny\",\"input\":\"a3\"," NO_SPACE
               ",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":" OK "}],"
               "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}}");
    call_is(json_at(json_get(root, "output"), 0), "f");
    (void)replayed();
    static const char *const choices[] = {"{\"type\":\"any\",\"disable_parallel_tool_use\":true}",
                                          "{\"type\":\"tool\",\"name\":\"f\"}"};
    for (size_t i = 0; i < 2; i++) {
        char body[1024];
        snprintf(
            body, sizeof body,
            "{\"model\":\"tiny\",\"max_tokens\":100," NO_SPACE
            ",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],\"tools\":[{\"name\":\"f\","
            "\"input_schema\":" OK "}],\"tool_choice\":%s}",
            choices[i]);
        root = ask("/v1/messages", body);
        struct json block = json_at(json_get(root, "content"), 0);
        bool ok;
        is_text(json_get(root, "stop_reason"), "tool_use");
        is_text(json_get(block, "name"), "f");
        assert_true(json_bool(json_path(block, "input", "ok", NULL), &ok));
    }
}

static void streamed_call_that_must_be_made_is_no_text(void **state)
{
    (void)state;
    struct json e[EVENTS], call = JSON_NOTHING;
    struct span stream = post("/v1/chat/completions", 200,
                              CHAT TOOLS ",\"stream\":true,\"tool_choice\":\"required\"}");
    size_t n = events_of(stream, e);
    for (size_t i = 0; i < n; i++) {
        struct json delta = json_get(choice_of(e[i]), "delta");
        if (json_count(json_get(delta, "tool_calls")))
            call = json_at(json_get(delta, "tool_calls"), 0);
        else if (json_type(json_get(delta, "content")) == JSON_STRING)
            is_text(json_get(delta, "content"), "");
    }
    call_is(json_get(call, "function"), NULL);
    is_text(json_get(choice_of(e[n - 1]), "finish_reason"), "tool_calls");
}

/* The model chooses: an object of the schema, or calls, and nothing else. */
static void tools_beside_a_schema_are_called_or_not(void **state)
{
    (void)state;
    unsigned calls = 0, objects = 0;
    struct json root =
        ask("/v1/chat/completions", CHAT TOOLS ",\"n\":12,\"max_tokens\":200,\"response_format\":{"
                                               "\"type\":\"json_schema\",\"json_schema\":{"
                                               "\"name\":\"x\",\"schema\":" SCHEMA "}}}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct json list = json_path(c, "message", "tool_calls", NULL);
        for (struct json k = json_first(list); json_type(k); k = json_next(k), calls++)
            call_is(json_get(k, "function"), NULL);
        if (json_count(list) == 0 && span_is(text_at(json_get(c, "finish_reason")), "stop")) {
            is_held(text_at(json_path(c, "message", "content", NULL)));
            objects++;
        }
    }
    assert_true(calls > 0 && objects > 0);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

/* ---- calls that may be made ---- */

static void strict_call_holds(struct json function)
{
    struct json arguments = parse(text_at(json_get(function, "arguments")));
    assert_int_equal(json_type(arguments), JSON_OBJECT);
    if (span_is(text_at(json_get(function, "name")), "f"))
        is_held(json_text(arguments));
    else
        is_text(json_get(function, "name"), "g");
}

static void strict_calls_of_the_models_choice_hold_and_replay(void **state)
{
    (void)state;
    unsigned calls = 0, texts = 0, several = 0;
    struct json root =
        ask("/v1/chat/completions", CHAT_MARKS("4") STRICT_TOOLS ",\"n\":24,\"max_tokens\":150}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct json list = json_path(c, "message", "tool_calls", NULL);
        texts += json_count(list) == 0;
        several += json_count(list) > 1;
        for (struct json k = json_first(list); json_type(k); k = json_next(k), calls++)
            strict_call_holds(json_get(k, "function"));
    }
    assert_true(calls > 3 && texts > 0 && several > 0);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

static void no_more_than_one_strict_call_where_one_is_asked_for(void **state)
{
    (void)state;
    unsigned calls = 0;
    struct json root = ask("/v1/chat/completions", CHAT_MARKS("4") STRICT_TOOLS
                           ",\"n\":12,\"max_tokens\":150,\"parallel_tool_calls\":false}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct json list = json_path(c, "message", "tool_calls", NULL);
        assert_true(json_count(list) <= 1);
        if (json_count(list) == 0)
            continue;
        strict_call_holds(json_get(json_at(list, 0), "function"));
        is_text(json_get(c, "finish_reason"), "tool_calls");
        calls++;
    }
    assert_true(calls > 2);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

/* Up to where a call begins, if one does, an answer is what it is without strict tools. */
static void strict_tools_change_nothing_before_a_call(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        CHAT_MARKS("1") STRICT_TOOLS ",\"top_p\":0.9,\"n\":24,\"max_tokens\":60,"
                                     "\"return_token_ids\":true}",
        CHAT_MARKS("1") TOOLS ",\"top_p\":0.9,\"n\":24,\"max_tokens\":60,"
                              "\"return_token_ids\":true}"};
    struct json root[2];
    unsigned whole = 0, tokens = 0;
    root[0] = json_get(ask("/v1/chat/completions", bodies[0]), "choices");
    root[1] = json_get(ask("/v1/chat/completions", bodies[1]), "choices");
    for (size_t i = 0; i < 24; i++) {
        struct json a = json_first(json_get(json_at(root[0], i), "token_ids"));
        struct json b = json_first(json_get(json_at(root[1], i), "token_ids"));
        bool mark = false;
        for (; !mark && json_type(a) && json_type(b); a = json_next(a), b = json_next(b)) {
            uint64_t x = number_at(a), y = number_at(b);
            mark = y >= 3 && y <= 5; /* which may be another one, where it may not follow */
            assert_true(mark || x == y);
            tokens++;
        }
        whole += !mark;
    }
    assert_true(whole > 0 && whole < 24 && tokens > 100);
}

static void only_allowed_tools_are_called(void **state)
{
    (void)state;
    unsigned calls = 0;
    static const char *const modes[] = {"auto", "required"};
    for (size_t i = 0; i < 2; i++) {
        char body[2048];
        snprintf(body, sizeof body,
                 "%s" STRICT_TOOLS ",\"n\":8,\"max_tokens\":150,\"tool_choice\":{\"type\":"
                 "\"allowed_tools\",\"allowed_tools\":{\"mode\":\"%s\",\"tools\":[{\"type\":"
                 "\"function\",\"function\":{\"name\":\"g\"}}]}}}",
                 CHAT_MARKS("4"), modes[i]);
        struct json root = ask("/v1/chat/completions", body);
        for (struct json c = json_first(json_get(root, "choices")); json_type(c);
             c = json_next(c)) {
            struct json list = json_path(c, "message", "tool_calls", NULL);
            for (struct json k = json_first(list); json_type(k); k = json_next(k), calls++)
                is_text(json_path(k, "function", "name", NULL), "g");
        }
    }
    assert_true(calls > 3);
    struct json error = json_get(
        parse(post("/v1/responses", 400,
                   "{\"model\":\"tiny\",\"input\":\"a3\",\"tools\":[{\"type\":\"function\","
                   "\"name\":\"f\",\"parameters\":" OK "}],\"tool_choice\":{\"type\":"
                   "\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{\"type\":\"function\",\"name\":"
                   "\"h\"}]}}")),
        "error");
    is_text(json_get(error, "param"), "tool_choice.tools[0]");
}

static void parameters_have(const char *text, bool expected)
{
    struct buf parameters;
    struct told t;
    (void)replayed();
    told_read(&t, &asking_place);
    buf_init(&parameters, 1 << 16);
    asking_content(t.intent, "parameters", &parameters);
    if ((strstr(buf_cstr(&parameters), text) != NULL) != expected)
        fail_msg("%s", buf_cstr(&parameters));
    buf_free(&parameters);
}

#define RESPONSE                                                                                   \
    "{\"model\":\"tiny\",\"input\":\"a3\",\"max_output_tokens\":4,\"tools\":[{\"type\":"           \
    "\"function\",\"name\":\"f\","
#define HELD                                                                                       \
    "\"form\":{\"calls\":[{\"trigger\":\"<tool_call>\",\"begin\":\"{\\\"name\\\": \\\"f\\\", "     \
    "\\\"arguments\\\": \",\"schema\":" OK ",\"end\":\"}\\n</tool_call>\"},{\"trigger\":"          \
    "\"<tool_call>\",\"begin\":\"{\\\"name\\\":\\\"f\\\",\\\"arguments\\\":\",\"schema\":" OK      \
    ",\"end\":\"}</tool_call>\"}],\"again\":true}"

/* As with OpenAI, and as far as it can be done: what is no form here, and was not said to be strict,
 * is any object. */
static void tools_of_responses_are_strict_unless_they_say_not(void **state)
{
    (void)state;
    ask("/v1/responses", RESPONSE "\"parameters\":" OK "}]}");
    parameters_have(HELD, true);
}

static void tools_of_responses_that_are_not_strict_are_free(void **state)
{
    (void)state;
    ask("/v1/responses", RESPONSE "\"strict\":false,\"parameters\":" OK "}]}");
    parameters_have("form", false);
}

static void tools_of_responses_may_have_any_schema_unless_they_are_strict(void **state)
{
    (void)state;
    ask("/v1/responses", RESPONSE "\"parameters\":" PATTERN "}]}");
    parameters_have("form", false);
}

/* Each can be held to, and all together are too many. */
static void tools_that_need_not_be_held_are_not_where_they_are_too_many(void **state)
{
    (void)state;
    enum { TOOLS_OF_ALL = 3, MEMBERS = 6000 };
    struct buf body;
    for (int strict = 0; strict < 2; strict++) {
        buf_init(&body, 1 << 20);
        buf_put_str(&body,
                    "{\"model\":\"tiny\",\"input\":\"a3\",\"max_output_tokens\":4,\"tools\":[");
        for (int i = 0; i < TOOLS_OF_ALL; i++) {
            buf_printf(
                &body,
                "%s{\"type\":\"function\",\"name\":\"f%d\",%s\"parameters\":{\"properties\":{",
                i ? "," : "", i, strict && i == 2 ? "\"strict\":true," : "");
            for (int k = 0; k < MEMBERS; k++)
                buf_printf(&body, "%s\"m%d\":{\"type\":\"null\"}", k ? "," : "", k);
            buf_put_str(&body, "}}}");
        }
        buf_put_str(&body, "]}");
        (void)post("/v1/responses", 200, buf_cstr(&body));
        buf_free(&body);
    }
}

static void strict_tools_of_messages_are_held(void **state)
{
    (void)state;
    ask("/v1/messages", "{\"model\":\"tiny\",\"max_tokens\":4,\"messages\":[{\"role\":\"user\","
                        "\"content\":\"a3\"}],\"tools\":[{\"name\":\"f\",\"strict\":true,"
                        "\"input_schema\":" OK "}]}");
    parameters_have(HELD, true);
}

static void messages_are_held_to_their_schema(void **state)
{
    (void)state;
    struct json root = ask(
        "/v1/messages", "{\"model\":\"tiny\",\"max_tokens\":200,\"messages\":[{\"role\":\"user\","
                        "\"content\":\"a3\"}]," NO_SPACE ",\"output_config\":{\"format\":{"
                        "\"type\":\"json_schema\",\"schema\":" SCHEMA "}}}");
    is_held(text_at(json_get(json_at(json_get(root, "content"), 0), "text")));
}

/* ---- what is refused ---- */

static void what_cannot_be_held_to_is_named_by_its_place(void **state)
{
    (void)state;
#define FORMAT(schema)                                                                             \
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\","               \
    "\"schema\":" schema "}}"
    static const struct {
        const char *path, *members, *param;
    } cases[] = {
        {"/v1/chat/completions", FORMAT(PATTERN),
         "response_format.json_schema.schema#/properties/a/pattern"},
        {"/v1/chat/completions", FORMAT("{\"type\":\"array\"}"),
         "response_format.json_schema.schema#"},
        {"/v1/chat/completions", FORMAT("[]"), "response_format.json_schema.schema"},
        {"/v1/chat/completions", FORMAT("{\"properties\":{\"a\":{\"const\":\"\xc3\xa9\"}}}"),
         "response_format.json_schema.schema"},
        {"/v1/chat/completions", "\"response_format\":{\"type\":\"json_schema\"}",
         "response_format.json_schema.name"},
        {"/v1/chat/completions",
         "\"tool_choice\":\"required\",\"tools\":[" FUNCTION("f", OK) "," STRICT("g", PATTERN) "]",
         "tools[1].function.parameters#/properties/a/pattern"},
        {"/v1/chat/completions",
         TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{"
               "\"name\":\"h\"}}",
         "tool_choice"},
        {"/v1/chat/completions", TOOLS ",\"tool_choice\":{\"type\":\"allowed_tools\"}",
         "tool_choice"},
        {"/v1/chat/completions", "\"tool_choice\":\"required\"", "tool_choice"},
        {"/v1/chat/completions",
         "\"tools\":[" FUNCTION("f", OK) "," STRICT("g", PATTERN) "]," FORMAT(OK),
         "tools[1].function.parameters#/properties/a/pattern"},
        {"/v1/messages",
         "\"max_tokens\":9,\"output_config\":{\"format\":{\"type\":\"json_schema\","
         "\"schema\":" PATTERN "}}",
         "output_config.format.schema#/properties/a/pattern"},
        {"/v1/responses",
         "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"x\",\"schema\":" PATTERN "}}",
         "text.format.schema#/properties/a/pattern"},
        {"/v1/responses",
         "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":true,\"parameters\":" PATTERN
         "}]",
         "tools[0].parameters#/properties/a/pattern"},
        {"/v1/messages",
         "\"max_tokens\":9,\"tools\":[{\"name\":\"f\",\"strict\":true,\"input_schema\":" PATTERN
         "}],\"tool_choice\":{\"type\":\"any\"}",
         "tools[0].input_schema#/properties/a/pattern"}};
    struct told before, after;
    told_read(&before, &asking_place);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1024];
        snprintf(body, sizeof body, "{\"model\":\"tiny\",%s,%s}",
                 strcmp(cases[i].path, "/v1/responses") == 0
                     ? "\"input\":\"a3\""
                     : "\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}]",
                 cases[i].members);
        is_refused_for(cases[i].path, body, cases[i].param);
    }
    told_read(&after, &asking_place);
    assert_int_equal(before.intents, after.intents);
}

/* A schema is only looked at where it is held to. */
static void tools_that_need_not_be_called_may_have_any_schema(void **state)
{
    (void)state;
    ask("/v1/chat/completions", CHAT "\"max_tokens\":2,\"tools\":[" FUNCTION("f", PATTERN) "]}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, asking_fresh, asking_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chats_are_held_to_their_schema_and_replay),
        TEST(responses_are_held_to_their_schema_and_the_log_has_it),
        TEST(required_call_is_made_and_replays),
        TEST(named_function_is_called_in_every_api),
        TEST(required_calls_are_as_many_as_the_model_makes_in_every_api),
        TEST(streamed_call_that_must_be_made_is_no_text),
        TEST(tools_beside_a_schema_are_called_or_not),
        TEST(strict_calls_of_the_models_choice_hold_and_replay),
        TEST(no_more_than_one_strict_call_where_one_is_asked_for),
        TEST(strict_tools_change_nothing_before_a_call),
        TEST(only_allowed_tools_are_called),
        TEST(tools_of_responses_are_strict_unless_they_say_not),
        TEST(tools_of_responses_that_are_not_strict_are_free),
        TEST(tools_of_responses_may_have_any_schema_unless_they_are_strict),
        TEST(tools_that_need_not_be_held_are_not_where_they_are_too_many),
        TEST(strict_tools_of_messages_are_held),
        TEST(messages_are_held_to_their_schema),
        TEST(what_cannot_be_held_to_is_named_by_its_place),
        TEST(tools_that_need_not_be_called_may_have_any_schema),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
