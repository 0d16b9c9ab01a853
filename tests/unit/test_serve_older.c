/* What older clients ask the bundled engine for: the prompt given back with its likelihoods, the best of
 * several completions, and functions, which are tools by another name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "support/asking.h"

#define CALL "<tool_call>{\"name\":\"weather\",\"arguments\":{\"city\":\"Orrin\"}}</tool_call>"
#define CHAT "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],"
#define FUNCTIONS                                                                                  \
    "\"functions\":[{\"name\":\"weather\",\"parameters\":{\"type\":\"object\",\"properties\":{"    \
    "\"city\":{\"type\":\"string\",\"maxLength\":8}},\"required\":[\"city\"]}}]"
#define ONE_CALL "\"temperature\":0,\"logit_bias\":{\"3\":100},\"max_tokens\":3"
#define NO_SPACE "\"logit_bias\":{\"10\":-100,\"11\":-100}"

static int setup(void **state)
{
    static const struct family_change change = {
        .template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls "
                    "%}<tool_call>{{ c.function.name }}/{{ c.function.arguments.city }}{% endfor "
                    "%}{% endfor %}{% if tools %}a5{% endif %}",
        .words = {CALL},
        .characters = ASKING_CHARACTERS};
    (void)state;
    return asking_start(&change) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return asking_stop() ? 0 : -1;
}

/* ---- echo ---- */

static void put_ids(struct buf *out, struct json ids)
{
    for (struct json v = json_first(ids); json_type(v); v = json_next(v))
        buf_printf(out, "%s%llu", out->n ? "," : "", (unsigned long long)number_at(v));
}

/* What a model wrote is as likely when it is read again as part of the prompt. */
static void prompt_given_back_has_the_likelihoods_that_an_answer_had(void **state)
{
    (void)state;
    char body[1024];
    struct buf ids;
    struct json root =
        ask("/v1/completions", "{\"model\":\"tiny\",\"prompt\":\"a3b40a7\",\"max_tokens\":5,"
                               "\"logprobs\":2,\"return_token_ids\":true}");
    struct json c = choice_of(root), written = json_path(c, "logprobs", "token_logprobs", NULL);
    buf_init(&ids, 4096);
    put_ids(&ids, json_get(c, "prompt_token_ids"));
    size_t prompt = json_count(json_get(c, "prompt_token_ids"));
    put_ids(&ids, json_get(c, "token_ids"));
    snprintf(body, sizeof body,
             "{\"model\":\"tiny\",\"prompt\":[%s],\"max_tokens\":0,\"echo\":true,\"logprobs\":2}",
             buf_cstr(&ids));
    struct json again = choice_of(ask("/v1/completions", body));
    struct json read = json_path(again, "logprobs", "token_logprobs", NULL);
    assert_int_equal(json_count(read), prompt + 5);
    assert_int_equal(json_type(json_at(read, 0)), JSON_NULL);
    assert_int_equal(json_type(json_at(json_path(again, "logprobs", "top_logprobs", NULL), 0)),
                     JSON_NULL);
    for (size_t i = 0; i < 5; i++) {
        struct span a = json_text(json_at(written, i)), b = json_text(json_at(read, prompt + i));
        assert_true(span_eq(a, b));
        a = json_text(json_at(json_path(c, "logprobs", "top_logprobs", NULL), i));
        b = json_text(json_at(json_path(again, "logprobs", "top_logprobs", NULL), prompt + i));
        assert_true(span_eq(a, b));
    }
    struct json tokens = json_path(again, "logprobs", "tokens", NULL);
    assert_int_equal(json_count(tokens), prompt + 5);
    for (size_t i = 1; i < prompt + 5; i++) { /* also where two others are likelier */
        struct json top = json_at(json_path(again, "logprobs", "top_logprobs", NULL), i);
        assert_int_equal(json_type(json_get_span(top, text_at(json_at(tokens, i)))), JSON_NUMBER);
    }
    is_text(json_get(again, "finish_reason"), "length");
    buf_free(&ids);
}

static void prompt_stands_before_its_answer(void **state)
{
    (void)state;
    static const char ask_it[] = "{\"model\":\"tiny\",\"prompt\":[\"a3b40\",\"a7\"],\"n\":2,"
                                 "\"max_tokens\":3,%s\"return_token_ids\":true}";
    char body[512];
    struct json plain, both;
    snprintf(body, sizeof body, ask_it, "");
    plain = json_get(ask("/v1/completions", body), "choices");
    snprintf(body, sizeof body, ask_it, "\"echo\":true,\"logprobs\":0,");
    both = json_get(ask("/v1/completions", body), "choices");
    for (size_t i = 0; i < 4; i++) {
        const char *prompt = i < 2 ? "a3b40" : "a7";
        struct span text = text_at(json_get(json_at(both, i), "text"));
        struct json logprobs = json_get(json_at(both, i), "logprobs");
        size_t n = json_count(json_get(json_at(both, i), "prompt_token_ids"));
        assert_true(span_starts(text, prompt));
        assert_true(span_eq(span_sub(text, strlen(prompt), text.n),
                            text_at(json_get(json_at(plain, i), "text"))));
        assert_int_equal(json_count(json_get(logprobs, "tokens")), n + 3);
        assert_int_equal(number_at(json_at(json_get(logprobs, "text_offset"), n)), strlen(prompt));
    }
    assert_int_equal(replayed(), 12);
}

static void streamed_prompt_comes_first(void **state)
{
    (void)state;
    struct json e[EVENTS];
    struct json whole = choice_of(ask("/v1/completions",
                                      "{\"model\":\"tiny\",\"prompt\":\"a3b40\",\"max_tokens\":3,"
                                      "\"echo\":true,\"logprobs\":1}"));
    size_t n = events_of(post("/v1/completions", 200,
                              "{\"model\":\"tiny\",\"prompt\":\"a3b40\",\"max_tokens\":3,"
                              "\"echo\":true,\"logprobs\":1,\"stream\":true}"),
                         e);
    struct buf text;
    size_t tokens = 0;
    buf_init(&text, 1 << 16);
    is_text(json_get(choice_of(e[0]), "text"), "a3b40");
    for (size_t i = 0; i < n; i++) {
        buf_put_span(&text, text_at(json_get(choice_of(e[i]), "text")));
        tokens += json_count(json_path(choice_of(e[i]), "logprobs", "tokens", NULL));
    }
    assert_true(span_eq(buf_span(&text), text_at(json_get(whole, "text"))));
    assert_int_equal(tokens, json_count(json_path(whole, "logprobs", "tokens", NULL)));
    buf_free(&text);
    n = events_of(post("/v1/completions", 200,
                       "{\"model\":\"tiny\",\"prompt\":\"a3\",\"max_tokens\":0,\"echo\":true,"
                       "\"stream\":true}"),
                  e);
    assert_int_equal(n, 2);
    is_text(json_get(choice_of(e[0]), "text"), "a3");
    is_text(json_get(choice_of(e[1]), "finish_reason"), "length");
}

/* ---- the best of several ---- */

static double mean_of(struct json choice)
{
    double sum = 0, one;
    struct json list = json_path(choice, "logprobs", "token_logprobs", NULL);
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        assert_true(json_double(v, &one));
        sum += one;
    }
    return sum / (double)json_count(list);
}

static void best_are_the_likeliest_of_all_and_all_are_recorded(void **state)
{
    (void)state;
    struct json all = json_get(ask("/v1/completions",
                                   "{\"model\":\"tiny\",\"prompt\":\"a3\",\"max_tokens\":4,\"n\":6,"
                                   "\"logprobs\":0}"),
                               "choices");
    struct json root =
        ask("/v1/completions", "{\"model\":\"tiny\",\"prompt\":\"a3\",\"max_tokens\":4,\"n\":2,"
                               "\"best_of\":6,\"logprobs\":0}");
    struct json given = json_get(root, "choices");
    assert_int_equal(json_count(given), 2);
    for (size_t k = 0; k < 2; k++) {
        struct json g = json_at(given, k);
        size_t likelier = 0;
        bool found = false;
        assert_int_equal(number_at(json_get(g, "index")), k);
        for (size_t i = 0; i < 6; i++) {
            likelier += mean_of(json_at(all, i)) > mean_of(g);
            found = found || span_eq(text_at(json_get(json_at(all, i), "text")),
                                     text_at(json_get(g, "text")));
        }
        assert_true(found);
        assert_int_equal(likelier, k);
    }
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
}

/* ---- how much would be read ---- */

static void tokens_are_counted_as_an_answer_counts_them(void **state)
{
    (void)state;
#define MESSAGE                                                                                    \
    "\"model\":\"tiny\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a3a40\"}]"
#define INPUT "\"model\":\"tiny\",\"max_output_tokens\":1,\"input\":\"a3a40\""
    static const char *const paths[][3] = {{"/v1/messages", "/v1/messages/count_tokens", MESSAGE},
                                           {"/v1/responses", "/v1/responses/input_tokens", INPUT}};
    struct told before, after;
    for (size_t i = 0; i < 2; i++) {
        const char *body = arena_printf(asking_arena, "{%s}", paths[i][2]);
        struct json usage = json_get(ask(paths[i][0], body), "usage");
        told_read(&before, &asking_place);
        struct json counted = ask(paths[i][1], body);
        told_read(&after, &asking_place);
        assert_int_equal(number_at(json_get(counted, "input_tokens")),
                         number_at(json_get(usage, "input_tokens")));
        assert_int_equal(before.intents, after.intents);
        is_refused_for(paths[i][1], arena_printf(asking_arena, "{\"n\":1,%s}", paths[i][2]), "n");
    }
}

/* ---- functions ---- */

static void function_is_called_as_it_was_offered(void **state)
{
    (void)state;
    struct json e[EVENTS], call = JSON_NOTHING;
    struct json c = choice_of(ask("/v1/chat/completions", CHAT FUNCTIONS "," ONE_CALL "}"));
    is_text(json_get(c, "finish_reason"), "function_call");
    is_text(json_path(c, "message", "function_call", "name", NULL), "weather");
    is_text(json_path(c, "message", "function_call", "arguments", NULL), "{\"city\":\"Orrin\"}");
    assert_int_equal(json_type(json_path(c, "message", "tool_calls", NULL)), JSON_MISSING);
    assert_int_equal(replayed(), 1);
    size_t n = events_of(
        post("/v1/chat/completions", 200, CHAT FUNCTIONS "," ONE_CALL ",\"stream\":true}"), e);
    for (size_t i = 0; i < n; i++)
        if (json_count(json_path(choice_of(e[i]), "delta", "function_call", NULL)))
            call = json_path(choice_of(e[i]), "delta", "function_call", NULL);
    is_text(json_get(call, "name"), "weather");
    is_text(json_get(choice_of(e[n - 1]), "finish_reason"), "function_call");
}

static void function_that_is_named_must_be_called(void **state)
{
    (void)state;
    struct json root = ask("/v1/chat/completions", CHAT FUNCTIONS
                           "," NO_SPACE ",\"function_call\":{\"name\":\"weather\"}}");
    struct json call = json_path(choice_of(root), "message", "function_call", NULL);
    is_text(json_get(call, "name"), "weather");
    assert_true(text_at(json_get(parse(text_at(json_get(call, "arguments"))), "city")).n <= 32);
    struct json c = choice_of(
        ask("/v1/chat/completions", CHAT FUNCTIONS "," ONE_CALL ",\"function_call\":\"none\"}"));
    is_text(json_get(c, "finish_reason"), "length");
    is_refused_for("/v1/chat/completions",
                   CHAT FUNCTIONS ",\"function_call\":{\"name\":\"other\"}}", "function_call");
}

static void functions_and_their_results_become_messages_of_tools(void **state)
{
    (void)state;
    struct json root =
        ask("/apply-template",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"function_call\":{\"name\":"
            "\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Orrin\\\"}\"}},{\"role\":\"function\","
            "\"name\":\"weather\",\"content\":\"mist\"}]}");
    is_text(json_get(root, "prompt"), "<assistant><tool_call>weather/Orrin<tool>mist");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, asking_fresh, asking_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(prompt_given_back_has_the_likelihoods_that_an_answer_had),
        TEST(prompt_stands_before_its_answer),
        TEST(streamed_prompt_comes_first),
        TEST(best_are_the_likeliest_of_all_and_all_are_recorded),
        TEST(tokens_are_counted_as_an_answer_counts_them),
        TEST(function_is_called_as_it_was_offered),
        TEST(function_that_is_named_must_be_called),
        TEST(functions_and_their_results_become_messages_of_tools),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
