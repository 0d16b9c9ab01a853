/*
 * The usage of streams: asked of an upstream for clients that did not ask, kept from them, and
 * reported in the log, which has what each side said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/call/usage.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;
static char yaml[2048];

static const char config[] =
    "%s"
    "upstreams:\n"
    "  - {name: asked, url: http://127.0.0.1:%u/v1, include_usage: true}\n"
    "  - {name: plain, url: http://127.0.0.1:%u/v1}\n"
    "models:\n"
    "  - {name: unasked, backends: [{upstream: plain, model: stream-3}]}\n"
    "  - {name: a longer name of it, backends: [{upstream: asked, model: stream-3}]}\n"
    "  - {name: '*', backends: [{upstream: asked}]}\n";

static void start(const char *more)
{
    snprintf(yaml, sizeof yaml, config, more, stub_port(stub), stub_port(stub));
    serving_start(&server, &place, yaml, 0);
}

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    stub = stub_start();
    start("");
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

/* What was said in a call: by the client, to the upstream, by the upstream, and to the client. */
struct views {
    struct buf body, request, upstream_request, upstream_response, response, seen;
    struct told told;
};

static void call(struct views *v, const char *request, const char *more)
{
    struct buf answer;
    client_post(server.port, "/v1/chat/completions", "", request, &answer);
    assert_int_equal(answer_status(&answer), 200);
    answer_body(&answer, &v->body);
    buf_free(&answer);
    told_wait(&v->told, &place);
    assert_string_equal(v->told.outcome, "complete");
    assert_true(serving_stop(&server));
    struct buf *all[] = {&v->request, &v->upstream_request, &v->upstream_response, &v->response};
    static const char *const names[] = {"request", "upstream_request", "upstream_response",
                                        "response"};
    for (size_t i = 0; i < 4; i++) {
        buf_init(all[i], 1 << 20);
        told_content(&place, v->told.intent, names[i], all[i]);
    }
    buf_init(&v->seen, 1 << 20);
    stub_last(stub, &v->seen);
    start(more);
    assert_string_equal(buf_cstr(&v->request), request);
    assert_int_equal(v->response.n, v->body.n);
    assert_memory_equal(v->response.p, v->body.p, v->body.n);
    assert_int_equal(v->told.released, v->body.n);
}

static void views_free(struct views *v)
{
    buf_free(&v->body);
    buf_free(&v->request);
    buf_free(&v->upstream_request);
    buf_free(&v->upstream_response);
    buf_free(&v->response);
    buf_free(&v->seen);
}

static void expect_kept_back(const char *request, const char *forwarded, const char *more)
{
    struct views v;
    call(&v, request, more);
    assert_false(has(&v.body, "usage"));
    assert_true(has(&v.body, "w\xC3\xB6rd2 ") && has(&v.body, "data: [DONE]\n\n"));
    assert_string_equal(buf_cstr(&v.upstream_request), forwarded);
    assert_true(has(&v.seen, forwarded)); /* the upstream got what the log says */
    assert_true(has(&v.upstream_response, "\"choices\":[],\"usage\":{\"prompt_tokens\":21,"));
    assert_true(has(&v.upstream_response, "data: [DONE]\n\n"));
    assert_false(v.told.relayed || v.told.estimated);
    assert_int_equal(v.told.tokens_in, 21);
    assert_int_equal(v.told.tokens_out, 8);
    views_free(&v);
}

static void usage_is_asked_for_reported_and_kept_from_the_client(void **state)
{
    (void)state;
    expect_kept_back("{\"model\":\"stream-3\",\"messages\":[],\"stream\":true}",
                     "{\"model\":\"stream-3\",\"messages\":[],\"stream\":true,"
                     "\"stream_options\":{\"include_usage\":true}}",
                     "");
    expect_kept_back("{\"stream_options\":{\"include_usage\":false,\"x\":1},\"model\":\"a longer "
                     "name of it\",\"messages\":[],\"stream\":true}",
                     "{\"stream_options\":{\"include_usage\":true,\"x\":1},\"model\":\"stream-3\","
                     "\"messages\":[],\"stream\":true}",
                     "");
}

static void stream_that_is_cut_anywhere_loses_its_usage_alone(void **state)
{
    (void)state;
    expect_kept_back("{\"model\":\"split\",\"messages\":[],\"stream\":true}",
                     "{\"model\":\"split\",\"messages\":[],\"stream\":true,"
                     "\"stream_options\":{\"include_usage\":true}}",
                     "durability: end\n");
    expect_kept_back("{\"model\":\"split\",\"messages\":[],\"stream\":true}",
                     "{\"model\":\"split\",\"messages\":[],\"stream\":true,"
                     "\"stream_options\":{\"include_usage\":true}}",
                     "");
}

static void client_that_asks_gets_it_and_nothing_is_rewritten(void **state)
{
    (void)state;
    struct views v;
    call(&v,
         "{\"model\":\"stream-3\",\"messages\":[],\"stream\":true,"
         "\"stream_options\":{\"include_usage\":true}}",
         "");
    assert_true(has(&v.body, "\"usage\":{\"prompt_tokens\":21,"));
    assert_true(v.upstream_request.n == 0 && v.upstream_response.n == 0 && v.told.relayed);
    assert_false(v.told.estimated);
    views_free(&v);
}

static void upstream_that_is_not_said_to_is_not_asked(void **state)
{
    (void)state;
    struct views v;
    call(&v, "{\"model\":\"unasked\",\"messages\":[],\"stream\":true}", "");
    assert_false(has(&v.seen, "stream_options"));
    assert_true(v.told.relayed && v.told.estimated && v.upstream_response.n == 0);
    views_free(&v);
}

static void answer_that_is_no_stream_is_relayed(void **state)
{
    (void)state;
    struct views v;
    call(&v, "{\"model\":\"ok\",\"messages\":[]}", "");
    assert_true(v.told.relayed && v.upstream_request.n == 0 && v.upstream_response.n == 0);
    views_free(&v);
}

/* ---- the log's queue is full ---- */

enum { STREAM_MAX = 4 << 20, PATIENCE_MS = 20000 };

static unsigned long held_back(void)
{
    static const char name[] = "\naudit_windows_held_back_total ";
    struct buf answer;
    client_ask(server.port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               &answer);
    const char *at = strstr(buf_cstr(&answer), name);
    assert_non_null(at);
    unsigned long n = strtoul(at + sizeof name - 1, NULL, 10);
    buf_free(&answer);
    return n;
}

static unsigned ask_ok(void)
{
    struct buf answer;
    client_post(server.port, "/v1/chat/completions", "", "{\"model\":\"ok\",\"messages\":[]}",
                &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

/* The newest call's two views: what the client got, and that with its usage. */
static void views_are(const struct buf *body, uint64_t intent)
{
    struct buf said;
    buf_init(&said, STREAM_MAX);
    told_content(&place, intent, "response", &said);
    assert_int_equal(body->n, said.n);
    assert_memory_equal(body->p, said.p, said.n);
    buf_clear(&said);
    told_content(&place, intent, "upstream_response", &said);
    assert_true(has(&said, "w\xC3\xB6rd2499 ") && has(&said, "\"choices\":[],\"usage\":"));
    buf_free(&said);
}

/* While the queue is full nothing leaves, and more than may wait pauses the upstream; then it
 * goes on from where it was. */
static void stream_that_waited_for_the_queue_goes_on_and_loses_nothing(void **state)
{
    (void)state;
    static const char body[] = "{\"model\":\"slow-2500-1\",\"messages\":[],\"stream\":true}";
    char text[512];
    struct buf answer, got;
    struct told t;
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
             sizeof body - 1, body);
    buf_init(&answer, STREAM_MAX);
    int fd = client_connect(server.port);
    client_send(fd, text);
    client_read(fd, &answer, "rd0 ", PATIENCE_MS);
    kill(server.pid, SIGUSR1);
    for (int i = 0; i < 2000 && held_back() == 0; i++)
        usleep(5000);
    assert_int_equal(held_back(), 1);
    assert_int_equal(ask_ok(), 503);
    told_read(&t, &place);
    usleep(1600000); /* events of more than may wait */
    client_read(fd, &answer, NULL, 100);
    size_t before = answer.n;
    client_read(fd, &answer, NULL, 200);
    assert_int_equal(answer.n, before);
    kill(server.pid, SIGUSR2);
    while (ask_ok() != 200) /* which makes the queue move */
        usleep(10000);
    client_read(fd, &answer, "\r\n0\r\n\r\n", PATIENCE_MS);
    close(fd);
    answer_body(&answer, &got);
    assert_true(has(&got, "w\xC3\xB6rd2499 ") && has(&got, "data: [DONE]\n\n"));
    assert_true(serving_stop(&server));
    views_are(&got, t.intent);
    start("");
    buf_free(&answer);
    buf_free(&got);
}

/* An event is judged by its end, so it must fit as a whole; both views of what came before stay. */
static void stream_with_an_event_beyond_the_limit_is_ended_on_record(void **state)
{
    (void)state;
    struct buf answer, body, theirs, ours;
    struct told t;
    assert_true(serving_stop(&server));
    start("limits: {answer: 64 KiB}\n");
    client_post(server.port, "/v1/chat/completions", "",
                "{\"model\":\"wide\",\"messages\":[],\"stream\":true}", &answer);
    assert_int_equal(answer_status(&answer), 200);
    assert_false(has(&answer, "[DONE]") || has(&answer, "\r\n0\r\n\r\n"));
    answer_body(&answer, &body);
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "error");
    assert_string_equal(t.error, "answer_too_large");
    assert_int_equal(t.released, body.n);
    assert_true(has(&body, "w\xC3\xB6rd0 ") && body.n < 1024);
    assert_true(serving_stop(&server));
    buf_init(&theirs, 1 << 20);
    buf_init(&ours, 1 << 20);
    told_content(&place, t.intent, "upstream_response", &theirs);
    told_content(&place, t.intent, "response", &ours);
    assert_true(ours.n == body.n && theirs.n >= ours.n && theirs.n <= 128 << 10);
    assert_memory_equal(ours.p, body.p, body.n);
    assert_memory_equal(theirs.p, ours.p, ours.n);
    start("");
    buf_free(&answer);
    buf_free(&body);
    buf_free(&theirs);
    buf_free(&ours);
}

/* ---- by itself ---- */

static void option_goes_where_it_stands_or_would_stand(void **state)
{
    (void)state;
    static const struct {
        const char *request, *wanted; /* NULL: as it is */
    } cases[] = {
        {"{\"a\":1}", "{\"a\":1,\"stream_options\":{\"include_usage\":true}}"},
        {" {\"a\":1 } ", " {\"a\":1 ,\"stream_options\":{\"include_usage\":true}} "},
        {"{\"stream_options\":null,\"a\":1}",
         "{\"stream_options\":{\"include_usage\":true},\"a\":1}"},
        {"{\"stream_options\":{}}", "{\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\":{\"x\":[1]}}",
         "{\"stream_options\":{\"x\":[1],\"include_usage\":true}}"},
        {"{\"stream_options\":{\"include_usage\":null}}",
         "{\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\":{\"include_usage\":true}}", NULL},
        {"{\"stream_options\":{\"include_usage\":\"yes\"}}", NULL}, /* the upstream's to refuse */
        {"{\"stream_options\":[]}", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json root;
        struct buf out;
        struct arena *a = arena_new(1 << 20);
        struct span text = span_str(cases[i].request);
        assert_true(json_parse(&root, text, JSON_STRICT, a, NULL));
        struct edit e = usage_edit(root, EXCHANGE_CHAT);
        buf_init(&out, 4096);
        buf_put_span(&out, span_sub(text, 0, e.with.n ? e.at : text.n));
        buf_put_span(&out, e.with);
        buf_put_span(&out, e.with.n ? span_sub(text, e.end, text.n) : SPAN_EMPTY);
        assert_string_equal(buf_cstr(&out), cases[i].wanted ? cases[i].wanted : cases[i].request);
        assert_int_equal(usage_edit(root, EXCHANGE_RESPONSES).with.n, 0);
        buf_free(&out);
        arena_free(a);
    }
}

#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}"
#define WORDS "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":null}"

static void filter(const char *stream, size_t cut, const char *wanted, size_t terminal)
{
    struct facts f;
    struct usage_filter u = {.on = false};
    struct span text = span_str(stream), part;
    struct buf out;
    facts_init(&f, EXCHANGE_CHAT, 0);
    usage_filter_begin(&u, &f, 1 << 16);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < text.n; i += cut) {
        assert_true(usage_filter_feed(&u, span_sub(text, i, cut), &part));
        buf_put_span(&out, part);
    }
    assert_true(usage_filter_end(&u, &part));
    buf_put_span(&out, part);
    assert_string_equal(buf_cstr(&out), wanted);
    assert_int_equal(usage_filter_terminal(&u), terminal);
    usage_filter_free(&u);
    facts_free(&f);
    buf_free(&out);
}

static void only_the_event_of_the_usage_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *wanted;
    } cases[] = {
        {WORDS "\n\n" USAGE "\n\ndata: [DONE]\n\n", WORDS "\n\ndata: [DONE]\n\n"},
        {WORDS "\r\n\r\n" USAGE "\r\n\r\ndata: [DONE]\r\n\r\n",
         WORDS "\r\n\r\ndata: [DONE]\r\n\r\n"},
        {WORDS "\r\r" USAGE "\r\rdata: [DONE]\r\r", WORDS "\r\rdata: [DONE]\r\r"},
        {": ping\n\n" USAGE "\n\n" USAGE "\n\n: pong\n\ndata: [DONE]\n\n",
         ": ping\n\n: pong\n\ndata: [DONE]\n\n"},
        {"data: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n",
         "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n"},
        {"data: [DONE]\n\n" USAGE "\n\n: more", "data: [DONE]\n\n: more"},
        {"data: [DONE]\n\n" USAGE, "data: [DONE]\n\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *done = strstr(cases[i].wanted, "data: [DONE]");
        for (size_t cut = 1; cut < strlen(cases[i].stream) + 1; cut++)
            filter(cases[i].stream, cut, cases[i].wanted, (size_t)(done - cases[i].wanted));
    }
}

static void event_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct facts f;
    struct usage_filter u = {.on = false};
    struct span part;
    static uint8_t line[128];
    memset(line, 'a', sizeof line);
    facts_init(&f, EXCHANGE_CHAT, 0);
    usage_filter_begin(&u, &f, 200);
    assert_true(usage_filter_feed(&u, (struct span){line, sizeof line}, &part));
    assert_int_equal(part.n, 0);
    assert_false(usage_filter_feed(&u, (struct span){line, sizeof line}, &part));
    usage_filter_free(&u);
    facts_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_is_asked_for_reported_and_kept_from_the_client),
        cmocka_unit_test(stream_that_is_cut_anywhere_loses_its_usage_alone),
        cmocka_unit_test(client_that_asks_gets_it_and_nothing_is_rewritten),
        cmocka_unit_test(upstream_that_is_not_said_to_is_not_asked),
        cmocka_unit_test(answer_that_is_no_stream_is_relayed),
        cmocka_unit_test(stream_that_waited_for_the_queue_goes_on_and_loses_nothing),
        cmocka_unit_test(stream_with_an_event_beyond_the_limit_is_ended_on_record),
        cmocka_unit_test(option_goes_where_it_stands_or_would_stand),
        cmocka_unit_test(only_the_event_of_the_usage_is_left_out),
        cmocka_unit_test(event_beyond_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
