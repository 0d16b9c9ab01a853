/*
 * Messages that others could read otherwise than this server does, and what clients and the log are
 * told instead: bodies that an upstream would decode, keys in other letters, answers to HEAD, and
 * answers of upstreams that are coded, redirections, errors or nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/canned_server.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    stub = stub_start();
    serving_start(&server, &place, NULL, stub_port(stub));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bool ok = serving_stop(&server);
    stub_stop(stub);
    folder_remove(&place);
    return ok ? 0 : -1;
}

#define GOOD "{\"model\":\"ok\",\"messages\":[]}"

/* ---- requests ---- */

static void head_is_answered_without_a_body(void **state)
{
    (void)state;
    static const char *const paths[] = {"/health", "/v1/models", "/v1/chat/completions", "/none"};
    static const unsigned statuses[] = {200, 200, 405, 404};
    for (size_t i = 0; i < 4; i++) {
        char text[256];
        struct buf answer;
        buf_init(&answer, 1 << 20);
        snprintf(text, sizeof text,
                 "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                 paths[i]);
        client_ask(server.port, text, &answer);
        assert_int_equal(answer_status(&answer), statuses[i]);
        assert_true(has(&answer, "Content-Length: "));
        /* Behind the first blank line the next answer begins. */
        assert_true(has(&answer, "\r\n\r\nHTTP/1.1 200 OK\r\n"));
        buf_free(&answer);
    }
}

static void other_methods_are_told_which_there_is(void **state)
{
    (void)state;
    struct buf answer;
    char allow[64];
    client_ask(server.port, "PUT /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               &answer);
    assert_int_equal(answer_status(&answer), 405);
    answer_field(&answer, "Allow", allow, sizeof allow);
    assert_string_equal(allow, "GET, HEAD");
    buf_free(&answer);
    client_ask(server.port, "OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               &answer);
    assert_int_equal(answer_status(&answer), 405);
    answer_field(&answer, "Allow", allow, sizeof allow);
    assert_string_equal(allow, "POST");
    buf_free(&answer);
}

static unsigned post(const char *fields, const char *body, const char *wanted)
{
    struct buf answer;
    char text[512];
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s"
             "Content-Length: %zu\r\n\r\n%s",
             fields, strlen(body), body);
    client_ask(server.port, text, &answer);
    unsigned status = answer_status(&answer);
    if (!has(&answer, wanted))
        fail_msg("%s%s: %u without %s", fields, body, status, wanted);
    buf_free(&answer);
    return status;
}

static void bodies_that_an_upstream_would_decode_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Content-Encoding: gzip\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: deflate\r\n",
        "Content-Encoding: identity, br\r\n",
        "Content-Type: application/json; charset=utf-7\r\n",
        "Content-Type: application/json;Charset=\"UTF-16\"; a=b\r\n",
        "Content-Type: application/json; charset=utf-8; charset=utf-7\r\n"};
    static const char *const good[] = {
        "Content-Encoding: identity\r\n", "Content-Type: application/json; charset=utf-8\r\n",
        "Content-Type: application/json; charset=\"UTF-8\"\r\n", "Content-Type: text/plain\r\n"};
    unsigned requests = stub_requests(stub);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(post(bad[i], GOOD, "unsupported_media_type"), 415);
    assert_int_equal(stub_requests(stub), requests);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(post(good[i], GOOD, "Assay-Entry"), 200);
}

static void keys_in_other_letters_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"model\":\"ok\",\"Model\":\"secret\",\"messages\":[]}",
                                      "{\"model\":\"ok\",\"messages\":[],\"STREAM\":true}",
                                      "{\"model\":\"ok\",\"messages\":[],\"\xc5\xbftream\":true}",
                                      "{\"model\":\"ok\",\"messages\":[],\"\\u017Ftream\":true}",
                                      "{\"model\":\"ok\",\"messages\":[],\"top_\xe2\x84\xaa\":1}",
                                      "{\"model\":\"ok\",\"messages\":[],\"Messages\":[]}",
                                      "{\"model\":\"ok\",\"messages\":[],\"max_Tokens\":1}",
                                      "{\"model\":\"ok\",\"messages\":[],\"User\":\"x\"}",
                                      "{\"model\":\"ok\",\"messages\":[],\"new\":1,\"New\":2}"};
    unsigned requests = stub_requests(stub);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(post("", bad[i], "ambiguous_parameter"), 400);
    assert_int_equal(stub_requests(stub), requests);
    assert_int_equal(
        post("", "{\"model\":\"ok\",\"messages\":[],\"New\":1,\"chatId\":\"\xc5\xbf\"}", "Entry"),
        200);
}

/* ---- answers ---- */

static char answer_text[8192];

/* One call to an upstream that answers so; what the client got. */
static void relay(const char *upstream_answer, bool stream, struct buf *answer, struct told *t)
{
    const struct canned one = {.answer = span_str(upstream_answer)};
    struct canned_server *upstream = canned_start(&one, 1);
    struct serving before = server;
    struct folder other;
    assert_true(folder_make(&other));
    logs_make(&other);
    serving_start(&server, &other, NULL,
                  (unsigned)strtoul(strrchr(canned_url(upstream), ':') + 1, NULL, 10));
    client_post(server.port, "/v1/chat/completions", "",
                stream ? "{\"model\":\"m\",\"messages\":[],\"stream\":true}"
                       : "{\"model\":\"m\",\"messages\":[]}",
                answer);
    told_wait(t, &other);
    assert_true(serving_stop(&server));
    canned_stop(upstream);
    folder_remove(&other);
    server = before;
}

static const char *with(const char *head, const char *body)
{
    snprintf(answer_text, sizeof answer_text, "HTTP/1.1 %sContent-Length: %zu\r\n\r\n%s", head,
             strlen(body), body);
    return answer_text;
}

#define DELTA "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"

static void coded_answer_is_told_to_be_coded(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    char coding[32];
    for (int stream = 0; stream < 2; stream++) {
        relay(with(stream
                       ? "200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
                       : "200 OK\r\nContent-Encoding: gzip\r\n",
                   "\x1f\x8bnot really"),
              stream, &answer, &t);
        answer_field(&answer, "Content-Encoding", coding, sizeof coding);
        assert_string_equal(coding, "gzip");
        assert_true(has(&answer, "\x1f\x8bnot really"));
        assert_string_equal(t.outcome, "complete");
        buf_free(&answer);
    }
}

static void type_of_a_stream_may_be_in_any_letters(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    relay(with("200 OK\r\nContent-Type: Text/Event-Stream;charset=utf-8\r\n",
               DELTA "data: [DONE]\n\n"),
          true, &answer, &t);
    assert_true(has(&answer, "Transfer-Encoding: chunked\r\n"));
    assert_string_equal(t.outcome, "complete");
    assert_true(t.windows >= 1);
    buf_free(&answer);
}

static void error_event_that_ends_a_stream_is_an_error(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    relay(with("200 OK\r\nContent-Type: text/event-stream\r\n",
               DELTA "data: {\"error\":{\"message\":\"no memory\"}}\n\n"),
          true, &answer, &t);
    assert_string_equal(t.outcome, "error");
    assert_string_equal(t.error, "upstream_error_event");
    buf_free(&answer);
}

static void redirection_is_an_error_and_not_followed(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    relay(with("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\n", "elsewhere"), false,
          &answer, &t);
    assert_int_equal(answer_status(&answer), 307);
    assert_false(has(&answer, "Location"));
    assert_string_equal(t.outcome, "error");
    assert_int_equal(t.attempts, 1);
    buf_free(&answer);
}

static void answer_without_content_has_no_length(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    relay("HTTP/1.1 204 No Content\r\n\r\n", false, &answer, &t);
    assert_int_equal(answer_status(&answer), 204);
    assert_false(has(&answer, "Content-Length"));
    assert_string_equal(t.outcome, "complete");
    buf_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_answered_without_a_body),
        cmocka_unit_test(other_methods_are_told_which_there_is),
        cmocka_unit_test(bodies_that_an_upstream_would_decode_are_refused),
        cmocka_unit_test(keys_in_other_letters_are_refused),
        cmocka_unit_test(coded_answer_is_told_to_be_coded),
        cmocka_unit_test(type_of_a_stream_may_be_in_any_letters),
        cmocka_unit_test(error_event_that_ends_a_stream_is_an_error),
        cmocka_unit_test(redirection_is_an_error_and_not_followed),
        cmocka_unit_test(answer_without_content_has_no_length),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
