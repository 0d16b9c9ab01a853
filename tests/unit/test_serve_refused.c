/*
 * Requests that must become no calls, sent to the running server: smugglers', broken ones,
 * strangers'. Nothing of them reaches the upstream, and the log counts them.
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
#include <sys/socket.h>
#include <unistd.h>

#include "support/serving.h"
#include "support/stub_upstream.h"

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;
static char alice[128], bob[128], root[128];

/* Three keys and short limits, so that tests are. */
static const char config[] = "upstreams:\n"
                             "  - {name: stub, url: http://127.0.0.1:%u/v1}\n"
                             "models:\n"
                             "  - {name: ok, backends: [{upstream: stub}]}\n"
                             "  - {name: stream-3, backends: [{upstream: stub}]}\n"
                             "  - {name: alias, backends: [{upstream: stub, model: ok}]}\n"
                             "  - {name: early, backends: [{upstream: stub}]}\n"
                             "limits: {body: 64 KiB, head: 4 KiB, head_ms: 700, body_ms: 700}\n"
                             "keys:\n%s";

static int setup(void **state)
{
    static char yaml[8192];
    struct buf keys;
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    stub = stub_start();
    buf_init(&keys, 4096);
    serving_key("alice", "", &keys, alice, sizeof alice);
    serving_key("bob", "    models: [stream-3]\n    requests_per_minute: 3\n", &keys, bob,
                sizeof bob);
    serving_key("root", "    admin: true\n", &keys, root, sizeof root);
    snprintf(yaml, sizeof yaml, config, stub_port(stub), buf_cstr(&keys));
    serving_start(&server, &place, yaml, 0);
    buf_free(&keys);
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

/* Whatever was asked since, nothing reached the upstream and no call began. */
struct before {
    unsigned requests, intents;
};

static struct before look(void)
{
    struct told t;
    told_read(&t, &place);
    return (struct before){stub_requests(stub), t.intents};
}

static void nothing_since(const struct before *b)
{
    struct told t;
    told_read(&t, &place);
    assert_int_equal(stub_requests(stub), b->requests);
    assert_int_equal(t.intents, b->intents);
}

#define CHAT "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
#define GOOD "{\"model\":\"ok\",\"messages\":[]}"

/* ---- smugglers ---- */

static void smugglers_reach_nobody(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *text;
    } bad[] = {
        {400, "Content-Length: 29\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "Content-Length: 29\r\nContent-Length: 29\r\n\r\n" GOOD},
        {400, "Content-Length: 29, 29\r\n\r\n" GOOD},
        {400, "Content-Length: +29\r\n\r\n" GOOD},
        {400, "Content-Length: -29\r\n\r\n" GOOD},
        {501, "Transfer-Encoding: xchunked\r\n\r\n1d\r\n" GOOD "\r\n0\r\n\r\n"},
        {501, "Transfer-Encoding: gzip, chunked\r\n\r\n1d\r\n" GOOD "\r\n0\r\n\r\n"},
        {400, "Content-Length: 29\nX: y\r\n\r\n" GOOD},
        {400, "Content-Length: 29\r\nX: y\rZ: a\r\n\r\n" GOOD},
        {400, "Content-Length: 29\r\nX: y\r\n z\r\n\r\n" GOOD},
        {400, "Content-Length : 29\r\n\r\n" GOOD},
        {400, "Transfer-Encoding : chunked\r\n\r\n1d\r\n" GOOD "\r\n0\r\n\r\n"},
        {400, "Transfer-Encoding: chunked\r\n\r\n1d;x=y\r\n" GOOD "\r\n0\r\n\r\n"},
        {400, "Transfer-Encoding: chunked\r\n\r\n0x1d\r\n" GOOD "\r\n0\r\n\r\n"},
        {400, "Transfer-Encoding: chunked\r\n\r\n1d\n" GOOD "\r\n0\r\n\r\n"},
        {400, "Transfer-Encoding: chunked\r\n\r\n1d\r\n" GOOD "XX0\r\n\r\n"},
        {400, "Transfer-Encoding: chunked\r\n\r\n1d\r\n" GOOD "\r\n0\r\nX: y\r\n\r\n"},
        {400, "Host: b\r\nContent-Length: 29\r\n\r\n" GOOD},
        {400, "Content-Length: 29\r\n\r\n" GOOD "GET /v1/models HTTP/1.1\r\n\r\n"},
        {400, "Content-Length: 29\r\nAuthorization: Bearer x\r\n\r\n" GOOD},
    };
    struct before b = look();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024];
        struct buf answer;
        snprintf(text, sizeof text, CHAT "%s%s", alice, bad[i].text);
        client_ask(server.port, text, &answer);
        if (answer_status(&answer) != bad[i].status)
            fail_msg("%s: %u", bad[i].text, answer_status(&answer));
        assert_true(has(&answer, "\"error\":{") && has(&answer, "Connection: close\r\n"));
        buf_free(&answer);
    }
    nothing_since(&b);
}

static void transfer_coding_in_an_old_request_reaches_nobody(void **state)
{
    (void)state;
    struct before b = look();
    struct buf answer;
    client_ask(server.port,
               "POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
               "1d\r\n" GOOD "\r\n0\r\n\r\n",
               &answer);
    assert_int_equal(answer_status(&answer), 400);
    buf_free(&answer);
    nothing_since(&b);
}

static void head_with_a_nul_or_without_end_is_answered_at_once(void **state)
{
    (void)state;
    struct buf answer;
    buf_init(&answer, 65536);
    int fd = client_connect(server.port);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\nX: a\0b\r\n", 25), 25);
    client_read(fd, &answer, "\"error\"", 400);
    assert_int_equal(answer_status(&answer), 400);
    close(fd);
    buf_clear(&answer);
    fd = client_connect(server.port);
    client_send(fd, "GET /health HTTP/1.1\nHost: a\n\n");
    client_read(fd, &answer, "\"error\"", 400);
    assert_int_equal(answer_status(&answer), 400);
    close(fd);
    buf_free(&answer);
}

/* ---- bodies ---- */

/* Waits until the log has counted so many more refusals. */
static void refused_since(const struct told *before, uint64_t count)
{
    struct told t;
    for (int i = 0; i < 500; i++) {
        told_read(&t, &place);
        if (t.refused_count - before->refused_count >= count)
            break;
        usleep(10000);
    }
    assert_int_equal(t.refused_count - before->refused_count, count);
}

static void broken_bodies_are_told_counted_and_not_forwarded(void **state)
{
    struct told counted;
    (void)state;
    usleep(1100000); /* what others were refused is written */
    told_read(&counted, &place);
    static char deep[2000];
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "{\"model\":\"ok\",\"messages\":[]",
                                      "{\"model\":\"ok\",\"messages\":[]}x",
                                      "{\"model\":\"ok\",\"model\":\"ok\",\"messages\":[]}",
                                      "{\"model\":\"ok\",\"messages\":[\"\xFF\"]}",
                                      "{\"model\":\"ok\",\"messages\":[\"\\ud800\"]}",
                                      "{\"model\":\"ok\",\"messages\":{}}",
                                      "{\"model\":\"ok\"}",
                                      "{\"model\":1,\"messages\":[]}",
                                      "{\"model\":\"\",\"messages\":[]}",
                                      "{\"messages\":[]}",
                                      "{\"model\":\"ok\",\"messages\":[],\"stream\":\"yes\"}",
                                      "{\"model\":\"ok\",\"messages\":[],\"n\":\"2\"}",
                                      "{\"model\":\"ok\",\"messages\":[],\"temperature\":[]}",
                                      "{\"model\":\"ok\",\"messages\":[],\"tools\":{}}",
                                      "{\"model\":\"ok\",\"messages\":[],\"x\":01}",
                                      deep};
    struct before b = look();
    size_t n = (size_t)snprintf(deep, sizeof deep, "{\"model\":\"ok\",\"messages\":");
    memset(deep + n, '[', 500);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf answer;
        client_post(server.port, "/v1/chat/completions", alice, bad[i], &answer);
        if (answer_status(&answer) != 400 || !has(&answer, "\"type\":\"invalid_request_error\""))
            fail_msg("%s: %.*s", bad[i], (int)answer.n, (const char *)answer.p);
        buf_free(&answer);
    }
    nothing_since(&b);
    refused_since(&counted, sizeof bad / sizeof *bad);
}

/* One that stops coming, and those that end: of a length, in chunks, with the connection. */
static void body_that_is_shorter_than_its_length_is_told_counted_and_not_forwarded(void **state)
{
    static const char *const cut[] = {"Content-Length: 500\r\n\r\n" GOOD,
                                      "Content-Length: 500\r\n\r\n" GOOD,
                                      "Transfer-Encoding: chunked\r\n\r\n1c\r\n" GOOD "\r\n",
                                      "Content-Length: 2\r\n\r\n", "Content-Len"};
    enum { CUT = sizeof cut / sizeof *cut };
    struct told counted;
    struct before b = look();
    struct buf answer;
    char text[512];
    (void)state;
    usleep(1100000); /* what others were refused is written */
    told_read(&counted, &place);
    buf_init(&answer, 65536);
    for (int i = 0; i < CUT; i++) {
        snprintf(text, sizeof text, CHAT "%s%s", alice, cut[i]);
        buf_clear(&answer);
        int fd = client_connect(server.port);
        client_send(fd, text);
        if (i > 0)
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        client_read(fd, &answer, "\"error\"", 3000);
        assert_int_equal(answer_status(&answer), 400);
        assert_true(has(&answer, "\"type\":\"invalid_request_error\""));
        close(fd);
    }
    snprintf(text, sizeof text, CHAT "%sContent-Length: 500\r\n\r\n" GOOD, alice);
    int fd = client_connect(server.port);
    client_send(fd, text);
    close(fd);
    refused_since(&counted, CUT + 1);
    nothing_since(&b);
    buf_free(&answer);
}

static void what_is_too_large_is_refused_before_it_is_read(void **state)
{
    (void)state;
    struct before b = look();
    static char text[8192];
    struct buf answer;
    snprintf(text, sizeof text, CHAT "%sContent-Length: 70000\r\n\r\n", alice);
    client_ask(server.port, text, &answer);
    assert_int_equal(answer_status(&answer), 413);
    buf_free(&answer);
    int n = snprintf(text, sizeof text, CHAT "X: ");
    memset(text + n, 'a', 5000);
    client_ask(server.port, text, &answer);
    assert_int_equal(answer_status(&answer), 431);
    buf_free(&answer);
    nothing_since(&b);
}

/* ---- strangers and limits ---- */

static unsigned ask(const char *path, const char *key, const char *body)
{
    struct buf answer;
    client_post(server.port, path, key, body, &answer);
    unsigned status = answer_status(&answer);
    buf_free(&answer);
    return status;
}

static void strangers_reach_nobody(void **state)
{
    (void)state;
    struct before b = look();
    assert_int_equal(ask("/v1/chat/completions", "", GOOD), 401);
    assert_int_equal(ask("/v1/chat/completions", "Authorization: Bearer nonsense\r\n", GOOD), 401);
    assert_int_equal(ask("/v1/chat/completions", "Authorization: Basic YTpi\r\n", GOOD), 401);
    assert_int_equal(client_get(server.port, "/v1/models", ""), 401);
    assert_int_equal(client_get(server.port, "/metrics", ""), 401);
    assert_int_equal(client_get(server.port, "/metrics", alice), 403);
    assert_int_equal(client_get(server.port, "/metrics", root), 200);
    assert_int_equal(client_get(server.port, "/health", ""), 200);
    nothing_since(&b);
}

static void only_what_is_on_the_list_is_served(void **state)
{
    (void)state;
    struct before b = look();
    assert_int_equal(ask("/v1/files", alice, GOOD), 404);
    assert_int_equal(ask("/v1/chat/completions/", alice, GOOD), 404);
    assert_int_equal(ask("/v1//chat/completions", alice, GOOD), 404);
    assert_int_equal(ask("/v1/chat/../chat/completions", alice, GOOD), 404);
    assert_int_equal(ask("/v1/chat%2fcompletions", alice, GOOD), 404);
    assert_int_equal(ask("/V1/chat/completions", alice, GOOD), 404);
    assert_int_equal(client_get(server.port, "/v1/chat/completions", alice), 405);
    assert_int_equal(ask("/v1/chat/completions", alice, "{\"model\":\"other\",\"messages\":[]}"),
                     404);
    nothing_since(&b);
}

static void websocket_is_refused_so_that_clients_use_post(void **state)
{
    (void)state;
    struct buf answer;
    char text[512];
    snprintf(
        text, sizeof text,
        "GET /v1/responses HTTP/1.1\r\nHost: a\r\n%sConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        alice);
    client_ask(server.port, text, &answer);
    assert_int_equal(answer_status(&answer), 426);
    assert_true(has(&answer, "Connection: close\r\n"));
    buf_free(&answer);
}

static void key_is_held_to_its_models_and_budget(void **state)
{
    (void)state;
    unsigned limited = 0;
    assert_int_equal(ask("/v1/chat/completions", bob, GOOD), 403);
    for (int i = 0; i < 6; i++)
        limited += ask("/v1/chat/completions", bob,
                       "{\"model\":\"stream-3\",\"messages\":[],\"stream\":true}") == 429;
    assert_int_equal(limited, 3);
}

static void alias_is_rewritten_where_it_stands_and_both_bodies_are_on_record(void **state)
{
    (void)state;
    static const char body[] = "{\"x\":\"alias\", \"model\" : \"alias\",\"messages\":[1.0]}";
    static const char wanted[] = "{\"x\":\"alias\", \"model\" : \"ok\",\"messages\":[1.0]}";
    struct told t;
    struct buf seen;
    assert_int_equal(ask("/v1/chat/completions", alice, body), 200);
    told_wait(&t, &place);
    buf_init(&seen, 65536);
    stub_last(stub, &seen);
    assert_true(has(&seen, wanted) && !has(&seen, "assay-"));
    buf_free(&seen);
}

#define MESSAGE_OF(model) "{\"model\":\"" model "\",\"max_tokens\":5,\"messages\":[]}"

/* Whatever it is that is wrong, and however little of the request was read. */
static void anthropics_routes_have_anthropics_errors(void **state)
{
    (void)state;
    static char long_head[5000], long_body[70000];
    memset(long_head, 'a', sizeof long_head - 1);
    memset(long_body, 'a', sizeof long_body - 1);
    const struct {
        unsigned status;
        const char *type, *path, *key, *body;
    } cases[] = {{400, "invalid_request_error", "", alice, "{\"model\":\"ok\""},
                 {400, "invalid_request_error", "", alice, "{\"model\":\"ok\",\"messages\":[]}"},
                 {400, "invalid_request_error", " X", alice, MESSAGE_OF("ok")},
                 {400, "invalid_request_error", "", "X : y\r\n", MESSAGE_OF("ok")},
                 {400, "invalid_request_error", "", "X: y\n", MESSAGE_OF("ok")},
                 {401, "authentication_error", "", "X-Api-Key: nonsense\r\n", MESSAGE_OF("ok")},
                 {401, "authentication_error", "?beta=true", "", MESSAGE_OF("ok")},
                 {403, "permission_error", "", bob, MESSAGE_OF("ok")},
                 {404, "not_found_error", "", alice, MESSAGE_OF("other")},
                 {404, "not_found_error", "/batches", alice, "{}"},
                 {413, "request_too_large", "", alice, long_body},
                 {429, "rate_limit_error", "", bob, MESSAGE_OF("stream-3")},
                 {431, "invalid_request_error", "?", long_head, ""},
                 {501, "api_error", "/count_tokens", alice, MESSAGE_OF("ok")},
                 {502, "api_error", "", alice, MESSAGE_OF("early")}};
    for (int i = 0; i < 4; i++) /* the budget of bob is used up, if it is not yet */
        (void)ask("/v1/messages", bob, MESSAGE_OF("stream-3"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[64], begins[128];
        struct buf answer, body;
        snprintf(path, sizeof path, "/v1/messages%s", cases[i].path);
        snprintf(begins, sizeof begins,
                 "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"", cases[i].type);
        client_post(server.port, path, cases[i].key, cases[i].body, &answer);
        answer_body(&answer, &body);
        if (answer_status(&answer) != cases[i].status || !span_starts(buf_span(&body), begins))
            fail_msg("%u %s: %.*s", cases[i].status, path, (int)answer.n, (const char *)answer.p);
        buf_free(&answer);
        buf_free(&body);
    }
}

/* A name that only begins so is none of its routes. */
static void other_routes_have_openais_errors(void **state)
{
    (void)state;
    static const char *const paths[] = {"/v1/messagesx", "/v1/files", "/v1/message"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct buf answer;
        client_post(server.port, paths[i], alice, GOOD, &answer);
        assert_int_equal(answer_status(&answer), 404);
        assert_true(has(&answer, "\r\n\r\n{\"error\":{\"message\":"));
        buf_free(&answer);
    }
}

static void receipt_is_for_the_key_that_called(void **state)
{
    (void)state;
    struct told t;
    char path[64];
    assert_int_equal(ask("/v1/chat/completions", alice, GOOD), 200);
    told_wait(&t, &place);
    snprintf(path, sizeof path, "/v1/receipts/%llu", (unsigned long long)t.intent);
    assert_int_equal(client_get(server.port, path, alice), 200);
    assert_int_equal(client_get(server.port, path, bob), 404);
    assert_int_equal(client_get(server.port, path, ""), 401);
    assert_int_equal(client_get(server.port, "/v1/receipts/0", alice), 404);
    assert_int_equal(client_get(server.port, "/v1/receipts/99999999", alice), 404);
    assert_int_equal(client_get(server.port, "/v1/receipts/nonsense", alice), 404);
}

/* Clients escape what they put into a path, more of it than they must. */
static void receipt_is_found_by_an_escaped_name(void **state)
{
    (void)state;
    struct told t;
    struct buf answer, body, escaped;
    client_post(server.port, "/v1/chat/completions", alice, GOOD, &answer);
    told_wait(&t, &place);
    answer_body(&answer, &body);
    static const char key[] = "\"id\":\"";
    const char *id = strstr(buf_cstr(&body), key);
    assert_non_null(id);
    buf_init(&escaped, 4096);
    buf_put_str(&escaped, "/v1/receipts/");
    for (id += sizeof key - 1; *id != '"'; id++)
        buf_printf(&escaped, "%%%02x", (unsigned)(unsigned char)*id);
    assert_int_equal(client_get(server.port, buf_cstr(&escaped), alice), 200);
    buf_put_str(&escaped, "%00");
    assert_int_equal(client_get(server.port, buf_cstr(&escaped), alice), 404);
    buf_free(&answer);
    buf_free(&body);
    buf_free(&escaped);
}

static void replay_of_an_upstreams_call_is_impossible_on_record(void **state)
{
    (void)state;
    struct told t;
    struct buf answer;
    char path[64];
    assert_int_equal(ask("/v1/chat/completions", alice, GOOD), 200);
    told_wait(&t, &place);
    snprintf(path, sizeof path, "/v1/replay/%llu", (unsigned long long)t.intent);
    client_post(server.port, path, alice, "", &answer);
    assert_int_equal(answer_status(&answer), 403);
    buf_free(&answer);
    client_post(server.port, path, root, "", &answer);
    assert_int_equal(answer_status(&answer), 200);
    assert_true(has(&answer, "\"result\":\"impossible\"") && has(&answer, "\"entry\":"));
    buf_free(&answer);
}

static void flood_of_strangers_is_a_leaf_a_second(void **state)
{
    (void)state;
    enum { FLOOD = 300 };
    struct told before, after;
    usleep(1200000);
    told_read(&before, &place);
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(client_get(server.port, "/v1/models", ""), 401);
    usleep(1200000);
    told_read(&after, &place);
    assert_int_equal(after.refused_count - before.refused_count, FLOOD);
    assert_true(after.refused - before.refused <= 6);
    assert_int_equal(after.intents, before.intents);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smugglers_reach_nobody),
        cmocka_unit_test(transfer_coding_in_an_old_request_reaches_nobody),
        cmocka_unit_test(head_with_a_nul_or_without_end_is_answered_at_once),
        cmocka_unit_test(broken_bodies_are_told_counted_and_not_forwarded),
        cmocka_unit_test(body_that_is_shorter_than_its_length_is_told_counted_and_not_forwarded),
        cmocka_unit_test(what_is_too_large_is_refused_before_it_is_read),
        cmocka_unit_test(strangers_reach_nobody),
        cmocka_unit_test(only_what_is_on_the_list_is_served),
        cmocka_unit_test(websocket_is_refused_so_that_clients_use_post),
        cmocka_unit_test(key_is_held_to_its_models_and_budget),
        cmocka_unit_test(alias_is_rewritten_where_it_stands_and_both_bodies_are_on_record),
        cmocka_unit_test(anthropics_routes_have_anthropics_errors),
        cmocka_unit_test(other_routes_have_openais_errors),
        cmocka_unit_test(receipt_is_for_the_key_that_called),
        cmocka_unit_test(receipt_is_found_by_an_escaped_name),
        cmocka_unit_test(replay_of_an_upstreams_call_is_impossible_on_record),
        cmocka_unit_test(flood_of_strangers_is_a_leaf_a_second),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
