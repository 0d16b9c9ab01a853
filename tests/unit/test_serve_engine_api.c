/* The APIs that the bundled engine speaks: what each parameter does, and that the call replays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/asking.h"

/* Tokens 3 and 4 are what a model that calls tools would write; a bias has them chosen. */
#define CALL "<tool_call>{\"name\":\"weather\",\"arguments\":{\"city\":\"Orrin\"}}</tool_call>"
#define BIAS_CALLS "\"logit_bias\":{\"3\":100},\"max_tokens\":3"
#define BIAS_CALL "\"logit_bias\":{\"3\":100},\"max_tokens\":1"
#define BIAS_TEXT "\"logit_bias\":{\"4\":100},\"max_tokens\":1"
#define TOOLS                                                                                      \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":"         \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}]"
#define CHAT "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],"

static int setup(void **state)
{
    static const struct family_change change = {
        .template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls "
                    "%}<tool_call>{{ c.function.name }}/{{ c.function.arguments.city }}{% endfor "
                    "%}{% endfor %}{% if tools %}[{{ tools[0].function.name }}]{% endif %}",
        .words = {CALL, "plain "},
        .characters = "{}[]:,\"0truefalsn\\"};
    (void)state;
    return asking_start(&change) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return asking_stop() ? 0 : -1;
}

/* ---- several answers ---- */

static void several_answers_are_each_what_their_seed_gives_alone_and_replay(void **state)
{
    (void)state;
    struct json two = ask("/v1/chat/completions", CHAT "\"n\":2,\"seed\":7,\"max_tokens\":6}");
    uint64_t tokens = number_at(json_path(two, "usage", "completion_tokens", NULL));
    assert_int_equal(replayed(), tokens);
    for (unsigned i = 0; i < 2; i++) {
        char body[256];
        snprintf(body, sizeof body, CHAT "\"seed\":%u,\"max_tokens\":6}", 7 + i);
        struct json choice = json_at(json_get(two, "choices"), i);
        struct json one = choice_of(ask("/v1/chat/completions", body));
        assert_int_equal(number_at(json_get(choice, "index")), i);
        assert_true(span_eq(text_at(json_path(choice, "message", "content", NULL)),
                            text_at(json_path(one, "message", "content", NULL))));
    }
}

static void streamed_answers_interleave_by_their_index(void **state)
{
    (void)state;
    struct json e[EVENTS];
    struct buf said[2];
    unsigned ended[2] = {0, 0};
    size_t n = events_of(post("/v1/chat/completions", 200,
                              CHAT "\"n\":2,\"seed\":7,\"max_tokens\":6,\"stream\":true,"
                                   "\"stream_options\":{\"include_usage\":true}}"),
                         e);
    for (int i = 0; i < 2; i++)
        buf_init(&said[i], 1 << 16);
    for (size_t i = 0; i + 1 < n; i++) {
        struct json c = choice_of(e[i]);
        struct span text = SPAN_EMPTY;
        uint64_t k = number_at(json_get(c, "index"));
        assert_true(k < 2);
        (void)json_string(json_path(c, "delta", "content", NULL), &text);
        buf_put_span(&said[k], text);
        ended[k] += json_type(json_get(c, "finish_reason")) == JSON_STRING;
    }
    assert_int_equal(json_count(json_get(e[n - 1], "choices")), 0);
    assert_int_equal(number_at(json_path(e[n - 1], "usage", "completion_tokens", NULL)), 12);
    struct json whole = ask("/v1/chat/completions", CHAT "\"n\":2,\"seed\":7,\"max_tokens\":6}");
    for (unsigned i = 0; i < 2; i++) {
        struct json choice = json_at(json_get(whole, "choices"), i);
        assert_int_equal(ended[i], 1);
        assert_true(
            span_eq(buf_span(&said[i]), text_at(json_path(choice, "message", "content", NULL))));
        buf_free(&said[i]);
    }
}

static void several_prompts_are_answered_in_their_order_and_replay(void **state)
{
    (void)state;
    struct json root =
        ask("/v1/completions", "{\"model\":\"tiny\",\"prompt\":[\"a3\",[5,6,7]],\"n\":2,\"seed\":3,"
                               "\"max_tokens\":4,\"return_token_ids\":true}");
    struct json choices = json_get(root, "choices");
    assert_int_equal(json_count(choices), 4);
    for (unsigned i = 0; i < 4; i++) {
        struct json c = json_at(choices, i);
        assert_int_equal(number_at(json_get(c, "index")), i);
        assert_int_equal(json_count(json_get(c, "token_ids")), 4);
        if (i >= 2)
            assert_int_equal(number_at(json_at(json_get(c, "prompt_token_ids"), 2)), 7);
    }
    assert_int_equal(replayed(), 16);
}

/* ---- what is told of tokens ---- */

static void log_probabilities_are_the_models_own(void **state)
{
    (void)state;
    double top, chosen;
    struct json root =
        ask("/v1/chat/completions", CHAT "\"temperature\":0,\"max_tokens\":3,\"logprobs\":true,"
                                         "\"top_logprobs\":5,\"return_token_ids\":true}");
    struct json list = json_path(choice_of(root), "logprobs", "content", NULL);
    assert_int_equal(json_count(list), 3);
    assert_int_equal(json_count(json_get(choice_of(root), "token_ids")), 3);
    assert_true(json_count(json_get(root, "prompt_token_ids")) > 1);
    for (struct json t = json_first(list); json_type(t); t = json_next(t)) {
        struct json most = json_at(json_get(t, "top_logprobs"), 0);
        assert_int_equal(json_count(json_get(t, "top_logprobs")), 5);
        assert_true(json_double(json_get(most, "logprob"), &top));
        assert_true(json_double(json_get(t, "logprob"), &chosen));
        assert_true(chosen == top && chosen < 0);
        assert_true(span_eq(text_at(json_get(t, "token")), text_at(json_get(most, "token"))));
        assert_int_equal(json_count(json_get(t, "bytes")), text_at(json_get(t, "token")).n);
    }
    root = ask("/v1/completions", "{\"model\":\"tiny\",\"prompt\":\"a3\",\"temperature\":0,"
                                  "\"max_tokens\":3,\"logprobs\":2}");
    list = json_get(choice_of(root), "logprobs");
    assert_int_equal(json_count(json_get(list, "tokens")), 3);
    assert_int_equal(json_count(json_get(list, "token_logprobs")), 3);
    assert_int_equal(json_count(json_at(json_get(list, "top_logprobs"), 1)), 2);
    assert_int_equal(number_at(json_at(json_get(list, "text_offset"), 0)), 0);
}

static void streamed_log_probabilities_come_with_their_tokens(void **state)
{
    (void)state;
    struct json e[EVENTS];
    size_t tokens = 0, ids = 0,
           n = events_of(post("/v1/chat/completions", 200,
                              CHAT "\"max_tokens\":4,\"logprobs\":true,\"return_token_ids\":true,"
                                   "\"stream\":true}"),
                         e);
    for (size_t i = 0; i < n; i++) {
        tokens += json_count(json_path(choice_of(e[i]), "logprobs", "content", NULL));
        ids += json_count(json_get(choice_of(e[i]), "token_ids"));
    }
    assert_int_equal(tokens, 4);
    assert_int_equal(ids, 4);
    assert_true(json_count(json_get(e[0], "prompt_token_ids")) > 1);
}

static void bias_has_a_token_chosen_and_replays(void **state)
{
    (void)state;
    struct json root =
        ask("/v1/completions", "{\"model\":\"tiny\",\"prompt\":\"a3\",\"temperature\":0,"
                               "\"logit_bias\":{\"9\":100},\"max_tokens\":3,"
                               "\"return_token_ids\":true}");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(number_at(json_at(json_get(choice_of(root), "token_ids"), i)), 9);
    assert_int_equal(replayed(), 3);
}

/* ---- tools ---- */

static void call_of_a_tool_is_told_as_one(void **state)
{
    (void)state;
    struct json root = ask("/v1/chat/completions", CHAT TOOLS "," BIAS_CALL "}");
    struct json c = choice_of(root), call = json_at(json_path(c, "message", "tool_calls", NULL), 0);
    is_text(json_get(c, "finish_reason"), "tool_calls");
    assert_int_equal(json_type(json_path(c, "message", "content", NULL)), JSON_NULL);
    is_text(json_get(call, "type"), "function");
    is_text(json_path(call, "function", "name", NULL), "weather");
    is_text(json_path(call, "function", "arguments", NULL), "{\"city\":\"Orrin\"}");
    assert_int_equal(text_at(json_get(call, "id")).n, 9);
    assert_int_equal(replayed(), 1);
}

/* A model that would go on and on: with its first call the answer ends. */
static void answer_that_may_have_one_call_ends_with_it(void **state)
{
    (void)state;
    struct json e[EVENTS];
    size_t calls = 0;
    struct json root = ask("/v1/chat/completions", CHAT TOOLS "," BIAS_CALLS "}");
    assert_int_equal(json_count(json_path(choice_of(root), "message", "tool_calls", NULL)), 3);
    root = ask("/v1/chat/completions", CHAT TOOLS "," BIAS_CALLS ",\"parallel_tool_calls\":false}");
    struct json c = choice_of(root);
    assert_int_equal(json_count(json_path(c, "message", "tool_calls", NULL)), 1);
    is_text(json_get(c, "finish_reason"), "tool_calls");
    assert_int_equal(number_at(json_path(root, "usage", "completion_tokens", NULL)), 1);
    assert_int_equal(replayed(), 1);
    size_t n =
        events_of(post("/v1/chat/completions", 200,
                       CHAT TOOLS "," BIAS_CALLS ",\"parallel_tool_calls\":false,\"stream\":true}"),
                  e);
    for (size_t i = 0; i < n; i++)
        calls += json_count(json_path(choice_of(e[i]), "delta", "tool_calls", NULL));
    assert_int_equal(calls, 1);
    is_text(json_get(choice_of(e[n - 1]), "finish_reason"), "tool_calls");
}

static void streamed_call_of_a_tool_is_never_shown_as_text(void **state)
{
    (void)state;
    struct json e[EVENTS], call = JSON_NOTHING;
    struct span stream =
        post("/v1/chat/completions", 200, CHAT TOOLS "," BIAS_CALL ",\"stream\":true}");
    size_t n = events_of(stream, e);
    assert_null(strstr((const char *)stream.p, "tool_call>"));
    for (size_t i = 0; i < n; i++) {
        struct json calls = json_path(choice_of(e[i]), "delta", "tool_calls", NULL);
        if (json_count(calls))
            call = json_at(calls, 0);
    }
    assert_int_equal(number_at(json_get(call, "index")), 0);
    is_text(json_path(call, "function", "name", NULL), "weather");
    is_text(json_get(choice_of(e[n - 1]), "finish_reason"), "tool_calls");
}

static void text_beside_tools_stays_text(void **state)
{
    (void)state;
    struct json e[EVENTS];
    struct buf said;
    struct json c = choice_of(ask("/v1/chat/completions", CHAT TOOLS "," BIAS_TEXT "}"));
    is_text(json_path(c, "message", "content", NULL), "plain ");
    is_text(json_get(c, "finish_reason"), "length");
    assert_int_equal(json_type(json_path(c, "message", "tool_calls", NULL)), JSON_MISSING);
    size_t n = events_of(
        post("/v1/chat/completions", 200, CHAT TOOLS "," BIAS_TEXT ",\"stream\":true}"), e);
    buf_init(&said, 1 << 16);
    for (size_t i = 0; i < n; i++) {
        struct span text = SPAN_EMPTY;
        (void)json_string(json_path(choice_of(e[i]), "delta", "content", NULL), &text);
        buf_put_span(&said, text);
    }
    assert_true(span_is(buf_span(&said), "plain "));
    buf_free(&said);
}

static void templates_get_tools_calls_and_results(void **state)
{
    (void)state;
    struct json root = ask(
        "/apply-template",
        "{" TOOLS ",\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"x\"},{\"type\":\"text\",\"text\":\"y\"}]},{\"role\":\"assistant\",\"content\":\"\","
        "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"weather\","
        "\"arguments\":\"{\\\"city\\\":\\\"Orrin\\\"}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
        "\"1\",\"content\":\"mist\"}]}");
    is_text(json_get(root, "prompt"),
            "<system>x\ny<assistant><tool_call>weather/Orrin<tool>mist[weather]");
}

/* ---- JSON ---- */

static void answers_held_to_json_are_json_and_replay(void **state)
{
    (void)state;
    unsigned ended = 0;
    struct json root = ask("/v1/chat/completions",
                           CHAT "\"n\":24,\"seed\":5,\"max_tokens\":60,\"logit_bias\":{\"11\":2,"
                                "\"16\":3},\"response_format\":{\"type\":\"json_object\"}}");
    for (struct json c = json_first(json_get(root, "choices")); json_type(c); c = json_next(c)) {
        struct span text = text_at(json_path(c, "message", "content", NULL));
        if (!span_is(text_at(json_get(c, "finish_reason")), "stop"))
            continue;
        assert_int_equal(json_type(parse(text)), JSON_OBJECT);
        ended++;
    }
    assert_true(ended > 0);
    assert_int_equal(replayed(), number_at(json_path(root, "usage", "completion_tokens", NULL)));
    root = ask("/v1/responses", "{\"model\":\"tiny\",\"input\":\"a30\",\"logit_bias\":{\"11\":100},"
                                "\"text\":{\"format\":{\"type\":\"json_object\"}}}");
    is_text(json_get(json_at(json_get(json_at(json_get(root, "output"), 0), "content"), 0), "text"),
            "{}");
    is_text(json_get(root, "status"), "completed");
}

/* ---- embeddings ---- */

static void embeddings_have_length_one_in_both_encodings_and_replay(void **state)
{
    (void)state;
    struct json root = ask("/v1/embeddings", "{\"model\":\"tiny\",\"input\":[\"a3 a4\",[5,6]]}");
    struct json vector = json_get(json_at(json_get(root, "data"), 1), "embedding");
    double length = 0, x;
    float first = 0;
    assert_int_equal(json_count(json_get(root, "data")), 2);
    assert_int_equal(json_count(vector), 64);
    assert_true(json_double(json_at(vector, 0), &x));
    first = (float)x;
    for (struct json v = json_first(vector); json_type(v); v = json_next(v)) {
        assert_true(json_double(v, &x));
        length += x * x;
    }
    assert_true(fabs(length - 1) < 1e-5);
    assert_int_equal(number_at(json_path(root, "usage", "prompt_tokens", NULL)),
                     number_at(json_path(root, "usage", "total_tokens", NULL)));
    assert_int_equal(replayed(), 2);
    root = ask("/v1/embeddings", "{\"model\":\"tiny\",\"input\":[5,6],\"dimensions\":64,"
                                 "\"encoding_format\":\"base64\"}");
    struct span bytes, text = text_at(json_get(json_at(json_get(root, "data"), 0), "embedding"));
    assert_true(base64_decode(text, asking_arena, &bytes));
    assert_int_equal(bytes.n, 64 * 4);
    assert_memory_equal(bytes.p, &first, sizeof first);
}

/* ---- responses ---- */

static void response_has_items_and_replays(void **state)
{
    (void)state;
    struct json root =
        ask("/v1/responses", "{\"model\":\"tiny\",\"input\":\"a3\",\"instructions\":\"b201\","
                             "\"max_output_tokens\":5,\"seed\":2}");
    struct json item = json_at(json_get(root, "output"), 0);
    is_text(json_get(root, "object"), "response");
    is_text(json_get(root, "status"), "incomplete");
    is_text(json_path(root, "incomplete_details", "reason", NULL), "max_output_tokens");
    is_text(json_get(item, "type"), "message");
    is_text(json_get(json_at(json_get(item, "content"), 0), "type"), "output_text");
    assert_int_equal(number_at(json_path(root, "usage", "output_tokens", NULL)), 5);
    assert_int_equal(replayed(), 5);
}

static void response_is_streamed_as_numbered_events(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "response.created",           "response.in_progress",
        "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done",
        "response.incomplete"};
    struct json e[EVENTS];
    size_t k = 0,
           n = events_of(post("/v1/responses", 200,
                              "{\"model\":\"tiny\",\"input\":[{\"role\":\"user\",\"content\":"
                              "[{\"type\":\"input_text\",\"text\":\"a3\"}]}],"
                              "\"max_output_tokens\":5,\"stream\":true}"),
                         e);
    for (size_t i = 0; i < n; i++) {
        struct span type = text_at(json_get(e[i], "type"));
        assert_int_equal(number_at(json_get(e[i], "sequence_number")), i);
        if (i > 0 && span_is(type, "response.output_text.delta") && !span_is(type, wanted[k]))
            continue; /* another of them */
        if (!span_is(type, wanted[k]))
            fail_msg("%.*s and not %s", (int)type.n, (const char *)type.p, wanted[k]);
        k++;
    }
    assert_int_equal(k, sizeof wanted / sizeof *wanted);
    assert_true(replayed() > 0);
}

static void response_that_calls_a_tool_has_the_call_as_an_item(void **state)
{
    (void)state;
    static const char ask_for[] =
        "{\"model\":\"tiny\",\"input\":[{\"role\":\"user\",\"content\":\"a3\"},{\"type\":"
        "\"function_call\",\"call_id\":\"1\",\"name\":\"weather\",\"arguments\":\"{}\"},{\"type\":"
        "\"function_call_output\",\"call_id\":\"1\",\"output\":\"mist\"}],\"tools\":[{\"type\":"
        "\"function\",\"name\":\"weather\",\"parameters\":{}}],\"logit_bias\":{\"3\":100},"
        "\"max_output_tokens\":1";
    char body[1024];
    struct json e[EVENTS];
    snprintf(body, sizeof body, "%s}", ask_for);
    struct json item = json_at(json_get(ask("/v1/responses", body), "output"), 0);
    is_text(json_get(item, "type"), "function_call");
    is_text(json_get(item, "name"), "weather");
    is_text(json_get(item, "arguments"), "{\"city\":\"Orrin\"}");
    snprintf(body, sizeof body, "%s,\"stream\":true}", ask_for);
    size_t done = 0, n = events_of(post("/v1/responses", 200, body), e);
    for (size_t i = 0; i < n; i++)
        done += span_is(text_at(json_get(e[i], "type")), "response.function_call_arguments.done");
    assert_int_equal(done, 1);
}

/* ---- messages ---- */

#define MESSAGES                                                                                   \
    "{\"model\":\"tiny\",\"system\":\"b201\",\"messages\":[{\"role\":\"user\",\"content\":[{"      \
    "\"type\":"                                                                                    \
    "\"text\",\"text\":\"a30\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","    \
    "\"id\":"                                                                                      \
    "\"1\",\"name\":\"weather\",\"input\":{\"city\":\"Orrin\"}}]},{\"role\":\"user\",\"content\":" \
    "[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":\"a31\"}]}],"

static void message_is_answered_in_blocks_and_replays(void **state)
{
    (void)state;
    struct json root = ask("/v1/messages", MESSAGES "\"max_tokens\":4,\"seed\":3}");
    is_text(json_get(root, "type"), "message");
    is_text(json_get(json_at(json_get(root, "content"), 0), "type"), "text");
    is_text(json_get(root, "stop_reason"), "max_tokens");
    assert_int_equal(number_at(json_path(root, "usage", "output_tokens", NULL)), 4);
    assert_int_equal(replayed(), 4);
    root = ask("/v1/messages", MESSAGES "\"max_tokens\":1,\"logit_bias\":{\"3\":100},\"tools\":[{"
                                        "\"name\":\"weather\",\"input_schema\":{}}]}");
    struct json use = json_at(json_get(root, "content"), 0);
    is_text(json_get(root, "stop_reason"), "tool_use");
    is_text(json_get(use, "type"), "tool_use");
    is_text(json_path(use, "input", "city", NULL), "Orrin");
}

static void message_is_streamed_block_by_block(void **state)
{
    (void)state;
    static const char *const texts[] = {"message_start",       "content_block_start",
                                        "content_block_delta", "content_block_stop",
                                        "message_delta",       "message_stop"};
    struct json e[EVENTS];
    for (int tools = 0; tools < 2; tools++) {
        size_t k = 0,
               n = events_of(post("/v1/messages", 200,
                                  tools ? MESSAGES
                                      "\"max_tokens\":1,\"logit_bias\":{\"3\":100},\"tools\":"
                                      "[{\"name\":\"weather\",\"input_schema\":{}}],"
                                      "\"stream\":true}"
                                        : MESSAGES "\"max_tokens\":4,\"seed\":3,\"stream\":true}"),
                             e);
        for (size_t i = 0; i < n; i++) {
            struct span type = text_at(json_get(e[i], "type"));
            if (i && span_is(type, "content_block_delta") && !span_is(type, texts[k]))
                continue; /* another of them */
            if (!span_is(type, texts[k]))
                fail_msg("%.*s and not %s", (int)type.n, (const char *)type.p, texts[k]);
            k++;
        }
        assert_int_equal(k, sizeof texts / sizeof *texts);
        is_text(json_path(e[n - 2], "delta", "stop_reason", NULL),
                tools ? "tool_use" : "max_tokens");
    }
}

/* ---- what is wrong ---- */

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path, *members, *param;
    } cases[] = {
        {"/v1/chat/completions", "\"messages\":[]", "messages"},
        {"/v1/chat/completions", "\"messages\":3", "messages"},
        {"/v1/chat/completions", "\"messages\":[{\"content\":\"x\"}]", "messages[0].role"},
        {"/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":3}]",
         "messages[0].content"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]",
         "messages[0].content[0]"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[[1]]}]",
         "messages[0].tool_calls"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"chat_template_kwargs\":[1]",
         "chat_template_kwargs"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{\"type\":\"function\","
         "\"function\":[1]}]",
         "tools[0]"},
        {"/v1/responses", "\"input\":\"a\",\"text\":[1]", "text"},
        {"/v1/responses", "\"input\":\"a\",\"stream\":true,\"stream_options\":[1]",
         "stream_options"},
        {"/v1/completions", "\"prompt\":\"\\u00ff\",\"tools\":[]", "tools"},
        {"/v1/completions", "\"prompt\":[[5,99999]]", "prompt[0]"},
        {"/v1/completions", "\"prompt\":[]", "prompt"},
        {"/v1/completions", "\"prompt\":\"a3\",\"n\":0", "n"},
        {"/v1/completions", "\"prompt\":\"a3\",\"n\":129", "n"},
        {"/v1/completions", "\"prompt\":\"a3\",\"echo\":1", "echo"},
        {"/v1/completions", "\"prompt\":\"a3\",\"n\":3,\"best_of\":2", "best_of"},
        {"/v1/completions", "\"prompt\":\"a3\",\"best_of\":2,\"stream\":true", "best_of"},
        {"/v1/completions", "\"prompt\":\"a3\",\"max_tokens\":0", "max_tokens"},
        {"/v1/completions", "\"prompt\":\"a3\",\"suffix\":\"x\"", "suffix"},
        {"/v1/completions", "\"prompt\":\"a3\",\"logprobs\":21", "logprobs"},
        {"/v1/completions", "\"prompt\":\"a3\",\"temperature\":2.5", "temperature"},
        {"/v1/completions", "\"prompt\":\"a3\",\"top_p\":-1", "top_p"},
        {"/v1/completions", "\"prompt\":\"a3\",\"seed\":1.5", "seed"},
        {"/v1/completions", "\"prompt\":\"a3\",\"stop\":[\"\"]", "stop"},
        {"/v1/completions", "\"prompt\":\"a3\",\"logit_bias\":{\"x\":1}", "logit_bias"},
        {"/v1/completions", "\"prompt\":\"a3\",\"logit_bias\":{\"320\":1}", "logit_bias"},
        {"/v1/completions", "\"prompt\":\"a3\",\"logit_bias\":{\"3\":101}", "logit_bias"},
        {"/v1/completions", "\"prompt\":\"a3\",\"frequency_penalty\":3", "frequency_penalty"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
         "\"top_logprobs\":2",
         "top_logprobs"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
         "\"response_format\":{\"type\":\"grammar\"}",
         "response_format"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
         "\"tools\":[{\"type\":\"web_search\"}]",
         "tools[0]"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]," TOOLS
         ",\"tool_choice\":\"always\"",
         "tool_choice"},
        {"/v1/chat/completions",
         "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]," TOOLS
         ",\"parallel_tool_calls\":\"no\"",
         "parallel_tool_calls"},
        {"/v1/responses", "\"input\":\"a3\",\"previous_response_id\":\"resp_1\"",
         "previous_response_id"},
        {"/v1/responses", "\"input\":\"a3\",\"store\":true", "store"},
        {"/v1/responses", "\"input\":[{\"type\":\"reasoning\"}]", "input[0].type"},
        {"/v1/responses", "\"instructions\":\"x\"", "input"},
        {"/v1/responses", "\"input\":\"a3\",\"text\":{\"format\":{\"type\":\"grammar\"}}",
         "text.format"},
        {"/v1/embeddings", "\"input\":\"a3\",\"dimensions\":8", "dimensions"},
        {"/v1/embeddings", "\"input\":\"a3\",\"encoding_format\":\"hex\"", "encoding_format"},
        {"/v1/embeddings", "\"input\":[\"a3\",\"\",4]", "input[2]"},
        {"/v1/messages", "\"max_tokens\":3,\"messages\":[]", "messages"},
        {"/v1/messages", "\"max_tokens\":3,\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]",
         "messages[0].role"},
        {"/v1/messages",
         "\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]",
         "messages[0].content"},
        {"/v1/messages", "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]", "max_tokens"},
        {"/v1/messages",
         "\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
         "{\"role\":\"assistant\",\"content\":\"b\"}]",
         "messages[1].role"},
        {"/v1/messages", "\"max_tokens\":3,\"messages\":[],\"stop_sequences\":\"a\"",
         "stop_sequences"},
        {"/v1/chat/completions", "\"messages\":[{\"role\":\"bot\",\"content\":\"x\"}]",
         "messages[0].role"},
        {"/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":null}]",
         "messages[0].content"},
        {"/v1/chat/completions", "\"messages\":[],\"user\":5", "user"},
        {"/v1/chat/completions", "\"messages\":[],\"metadata\":{\"a\":1}", "metadata"},
        {"/v1/chat/completions", "\"messages\":[],\"modalities\":[\"audio\"]", "modalities"},
        {"/v1/chat/completions", "\"messages\":[],\"service_tier\":\"flex\"", "service_tier"},
        {"/v1/chat/completions", "\"messages\":[],\"reasoning_effort\":\"low\"",
         "reasoning_effort"},
        {"/v1/chat/completions", "\"messages\":[],\"functions\":[]", "functions"},
        {"/v1/chat/completions", "\"messages\":[],\"functions\":[1]", "functions[0]"},
        {"/v1/chat/completions", "\"messages\":[],\"functions\":[{\"name\":\"f\"}],\"tools\":[]",
         "functions"},
        {"/v1/chat/completions", "\"messages\":[],\"function_call\":\"auto\"", "function_call"},
        {"/v1/chat/completions",
         "\"messages\":[],\"functions\":[{\"name\":\"f\"}],\"function_call\":\"required\"",
         "function_call"},
        {"/v1/chat/completions", "\"messages\":[],\"store\":true", "store"},
        {"/v1/completions", "\"prompt\":\"a3\",\"suffix\":\"x\"", "suffix"},
        {"/v1/responses", "\"input\":\"a3\",\"reasoning\":{\"effort\":\"low\"}",
         "reasoning.effort"},
        {"/v1/responses", "\"input\":\"a3\",\"include\":[\"x\"]", "include"},
        {"/v1/responses", "\"input\":\"a3\",\"conversation\":\"conv_1\"", "conversation"},
        {"/v1/messages", "\"max_tokens\":3,\"messages\":[],\"thread\":{\"type\":\"create\"}",
         "thread"},
        {"/v1/responses",
         "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"},"
         "{\"type\":\"input_image\"}]}]",
         "input[0].content[1]"},
        {"/v1/messages",
         "\"max_tokens\":3,\"thinking\":{\"type\":\"enabled\"},\"messages\":[{\"role\":\"user\","
         "\"content\":\"a\"}]",
         "thinking"},
    };
    struct told before, after;
    told_read(&before, &asking_place);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1024];
        snprintf(body, sizeof body, "{\"model\":\"tiny\",%s}", cases[i].members);
        is_refused_for(cases[i].path, body, cases[i].param);
    }
    told_read(&after, &asking_place);
    assert_int_equal(before.intents, after.intents);
}

/* What clients say although it is the preset, or changes nothing. */
static void what_is_odd_but_legal_is_answered(void **state)
{
    (void)state;
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"a3\"}],\"max_tokens\":1,"
    static const struct {
        const char *path, *members;
    } cases[] = {
        {"/v1/chat/completions",
         HI "\"modalities\":[\"text\"],\"service_tier\":\"default\",\"verbosity\":\"medium\","
            "\"reasoning_effort\":\"none\",\"store\":false,\"prompt_cache_retention\":\"24h\","
            "\"prediction\":{\"type\":\"content\",\"content\":\"x\"},\"metadata\":{\"a\":\"b\"}"},
        {"/v1/chat/completions",
         HI "\"stop\":[\"a\",\"b\",\"c\",\"d\"],\"logit_bias\":{\"9\":-100},"
            "\"seed\":-1,\"n\":2,\"logprobs\":true,\"top_logprobs\":20"},
        {"/v1/chat/completions",
         "\"max_completion_tokens\":1,\"max_tokens\":null,\"messages\":[{\"role\":\"developer\","
         "\"content\":\"x\"},{\"role\":\"user\",\"name\":\"bob\",\"content\":[{\"type\":\"text\","
         "\"text\":\"a3\"}]},{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"},"
         "{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]"},
        {"/v1/completions",
         "\"prompt\":\"a3\",\"echo\":false,\"suffix\":\"\",\"n\":2,\"best_of\":2,"
         "\"max_tokens\":1"},
        {"/v1/responses",
         "\"input\":\"a3\",\"max_output_tokens\":1,\"reasoning\":{\"effort\":\"none\",\"summary\":"
         "null},\"include\":["
         "\"reasoning.encrypted_content\"],\"text\":{\"verbosity\":\"medium\"},\"max_tool_calls\":"
         "3,"
         "\"previous_response_id\":null,\"service_tier\":\"default\""},
        {"/v1/messages", HI "\"service_tier\":\"standard_only\",\"metadata\":{\"user_id\":null}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1024];
        snprintf(body, sizeof body, "{\"model\":\"tiny\",%s}", cases[i].members);
        (void)post(cases[i].path, 200, body);
    }
}

static void model_that_is_not_served_is_named(void **state)
{
    (void)state;
    struct json error = json_get(
        parse(post("/v1/completions", 404, "{\"model\":\"other\",\"prompt\":\"a\"}")), "error");
    is_text(json_get(error, "param"), "model");
    is_text(json_get(error, "code"), "model_not_found");
}

static void metrics_tell_the_engines_queue_and_tokens(void **state)
{
    (void)state;
    static const char name[] = "assay_engine_generation_tokens_total{model_name=\"tiny\"} ";
    const char *text = (const char *)get("/metrics").p;
    assert_non_null(strstr(text, "\nassay_engine_num_requests_running{model_name=\"tiny\"} 0\n"));
    assert_non_null(strstr(text, "\nassay_engine_num_requests_waiting{model_name=\"tiny\"} 0\n"));
    assert_non_null(strstr(text, "\nassay_engine_num_requests_max{model_name=\"tiny\"} 4\n"));
    const char *before = strstr(text, name);
    assert_non_null(before);
    (void)ask("/v1/completions", "{\"model\":\"tiny\",\"prompt\":[5,6,7],\"max_tokens\":2,"
                                 "\"logit_bias\":{\"9\":100}}");
    const char *after = strstr((const char *)get("/metrics").p, name);
    assert_non_null(after);
    assert_int_equal(strtoul(after + strlen(name), NULL, 10),
                     strtoul(before + strlen(name), NULL, 10) + 2);
}

static void prompt_beyond_the_context_is_refused_by_its_parameter(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_put_str(&body, "{\"model\":\"tiny\",\"prompt\":[5");
    for (int i = 1; i < FAMILY_CONTEXT; i++)
        buf_put_str(&body, ",5");
    buf_put_str(&body, "]}");
    struct json error = json_get(parse(post("/v1/completions", 400, buf_cstr(&body))), "error");
    is_text(json_get(error, "param"), "prompt");
    is_text(json_get(error, "code"), "context_length_exceeded");
    buf_free(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, asking_fresh, asking_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_answers_are_each_what_their_seed_gives_alone_and_replay),
        TEST(streamed_answers_interleave_by_their_index),
        TEST(several_prompts_are_answered_in_their_order_and_replay),
        TEST(log_probabilities_are_the_models_own),
        TEST(streamed_log_probabilities_come_with_their_tokens),
        TEST(bias_has_a_token_chosen_and_replays),
        TEST(call_of_a_tool_is_told_as_one),
        TEST(answer_that_may_have_one_call_ends_with_it),
        TEST(streamed_call_of_a_tool_is_never_shown_as_text),
        TEST(text_beside_tools_stays_text),
        TEST(templates_get_tools_calls_and_results),
        TEST(answers_held_to_json_are_json_and_replay),
        TEST(embeddings_have_length_one_in_both_encodings_and_replay),
        TEST(response_has_items_and_replays),
        TEST(response_is_streamed_as_numbered_events),
        TEST(response_that_calls_a_tool_has_the_call_as_an_item),
        TEST(message_is_answered_in_blocks_and_replays),
        TEST(message_is_streamed_block_by_block),
        TEST(what_is_wrong_is_named),
        TEST(what_is_odd_but_legal_is_answered),
        TEST(model_that_is_not_served_is_named),
        TEST(metrics_tell_the_engines_queue_and_tokens),
        TEST(prompt_beyond_the_context_is_refused_by_its_parameter),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
