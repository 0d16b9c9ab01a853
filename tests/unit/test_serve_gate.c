/*
 * Nothing goes around the gate: every route, with whatever header and however it ends, is on record
 * with the octets that its client got, and where the log takes nothing, nothing is asked or leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;

static void start(const char *more)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "upstreams: [{name: stub, url: http://127.0.0.1:%u/v1}]\n"
             "models: [{name: '*', backends: [{upstream: stub}]}]\n%s",
             stub_port(stub), more);
    serving_start(&server, &place, yaml, 0);
}

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    stub = stub_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stub_stop(stub);
    folder_remove(&place);
    return 0;
}

/* What each API must have, and how its models answer: whole, as a stream, with an error, not at all. */
static const struct {
    const char *path, *members, *stream;
} routes[] = {{"/v1/chat/completions", "\"messages\":[]", "stream-2"},
              {"/v1/completions", "\"prompt\":\"a\"", "stream-2"},
              {"/v1/responses", "\"input\":\"a\"", "responses"},
              {"/v1/embeddings", "\"input\":\"a\"", NULL},
              {"/v1/messages", "\"messages\":[],\"max_tokens\":5", "messages"}};
static const char *const endings[] = {"ok", "400", "500", "early", "garbage", "short"};
static const char *const stream_endings[] = {NULL, "cut", "noend", "429"};

/* What somebody might hope to switch recording off with, and what means something to caches. */
static const char *const headers[] = {"",
                                      "Cache-Control: no-store\r\n",
                                      "X-No-Log: 1\r\n",
                                      "cf-aig-collect-log: false\r\n",
                                      "Helicone-Omit-Request: true\r\n",
                                      "X-Assay-Log: off\r\n",
                                      "Assay-Entry: 1\r\nAssay-Leaf: 00\r\n",
                                      "Connection: close, X-Request-Id\r\n",
                                      "Prefer: respond-async\r\n",
                                      "Range: bytes=0-0\r\n",
                                      "If-None-Match: *\r\n",
                                      "Expect: 100-continue\r\n",
                                      "X-HTTP-Method-Override: GET\r\n",
                                      "Accept: text/event-stream\r\n",
                                      "Accept-Encoding: gzip\r\n"};

enum { CALLS = 128 };
static struct gotten {
    uint64_t intent;
    struct buf body;
} gotten[CALLS];
static size_t calls;

static unsigned post(size_t route, const char *model, bool stream, const char *fields,
                     struct buf *body)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char request[256];
    struct buf answer;
    snprintf(request, sizeof request, "{\"model\":\"%s\",%s%s}", model, routes[route].members,
             stream ? ",\"stream\":true" : "");
    client_post(server.port, routes[route].path, fields, request, &answer);
    if (span_starts(buf_span(&answer), go_on)) {
        answer.n -= sizeof go_on - 1;
        memmove(answer.p, answer.p + sizeof go_on - 1, answer.n);
    }
    answer_body(&answer, body);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

/* One more call is on record, whole. */
static void call(size_t route, const char *model, bool stream, const char *fields)
{
    struct told t;
    assert_true(calls < CALLS);
    (void)post(route, model, stream, fields, &gotten[calls].body);
    told_wait(&t, &place);
    if (t.intents != calls + 1 || t.outcomes != calls + 1)
        fail_msg("%s of %s with %s: call %zu, and %u intents, %u outcomes", model,
                 routes[route].path, fields, calls + 1, t.intents, t.outcomes);
    gotten[calls++].intent = t.intent;
}

/* A client that is cut off has at most what is on record. */
static void is_on_record(const struct gotten *g)
{
    struct buf said;
    buf_init(&said, 1 << 20);
    told_content(&place, g->intent, "response", &said);
    if (said.n < g->body.n || (g->body.n && memcmp(said.p, g->body.p, g->body.n) != 0))
        fail_msg("call %zu: '%.*s' and not '%.*s'", (size_t)(g - gotten), (int)said.n,
                 (const char *)said.p, (int)g->body.n, (const char *)g->body.p);
    buf_free(&said);
}

static void every_route_header_and_ending_is_on_record(void **state)
{
    (void)state;
    start("");
    for (size_t r = 0; r < COUNT(routes); r++) {
        for (size_t h = 0; h < (r == 0 ? COUNT(headers) : 3); h++)
            call(r, h % 2 && routes[r].stream ? routes[r].stream : "ok", h % 2 && routes[r].stream,
                 headers[h]);
        for (size_t i = 0; i < COUNT(endings); i++)
            call(r, endings[i], false, "");
        for (size_t i = 0; routes[r].stream && i < COUNT(stream_endings); i++)
            call(r, stream_endings[i] ? stream_endings[i] : routes[r].stream, true, "");
    }
    assert_true(serving_stop(&server));
    for (size_t i = 0; i < calls; i++) {
        is_on_record(&gotten[i]);
        buf_free(&gotten[i].body);
    }
}

static void nothing_is_asked_and_nothing_leaves_where_the_log_takes_nothing(void **state)
{
    (void)state;
    struct told before, after;
    start("limits: {reserve: 1000000 GB}\n");
    unsigned asked = stub_requests(stub);
    told_read(&before, &place);
    for (size_t r = 0; r < COUNT(routes); r++)
        for (int stream = 0; stream < 2; stream++) {
            struct buf body;
            assert_int_equal(post(r, "ok", stream, "", &body), 503);
            assert_non_null(strstr(buf_cstr(&body), "code\":\"log_disk_full\""));
            buf_free(&body);
        }
    told_read(&after, &place);
    assert_int_equal(stub_requests(stub), asked);
    assert_int_equal(after.intents, before.intents);
    assert_true(serving_stop(&server));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_header_and_ending_is_on_record),
        cmocka_unit_test(nothing_is_asked_and_nothing_leaves_where_the_log_takes_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
