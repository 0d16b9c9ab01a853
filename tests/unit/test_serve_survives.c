/*
 * Upstreams that fail in every way, clients that leave or dawdle, disks that fill: what the
 * client gets, and what the log says of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assay/base/clock.h"
#include "support/serving.h"
#include "support/stub_upstream.h"

enum {
    LONG_FIELD = 600 << 10,
    PATIENCE = 20000 /* milliseconds for what comes at once unless the machine is loaded */
};

static struct folder place;
static struct stub_upstream *stub;
static struct serving server;
static char yaml[4096];

/* Only upstreams that never answer have little time: others may be slow on a loaded machine. */
static const char config[] =
    "upstreams:\n"
    "  - {name: stub, url: http://127.0.0.1:%u/v1}\n"
    "  - {name: hasty, url: http://127.0.0.1:%u/v1, first_byte_ms: 300, idle_ms: 300}\n"
    "  - {name: patient, url: http://127.0.0.1:%u/v1, retries: 1}\n"
    "  - {name: named, url: http://localhost:%u/v1, retries: 1}\n"
    "  - {name: named-alone, url: http://localhost:%u/v1}\n"
    "  - {name: dead, url: http://127.0.0.1:1/v1, break_after: 1, break_ms: 60000}\n"
    "models:\n"
    "  - {name: twice, backends: [{upstream: patient, model: '503'}]}\n"
    "  - name: fallback\n"
    "    backends: [{upstream: dead, model: x}, {upstream: stub, model: ok, priority: 1}]\n"
    "  - {name: stall, backends: [{upstream: hasty}]}\n"
    "  - {name: stall-head, backends: [{upstream: hasty}]}\n"
    "  - {name: stall-body, backends: [{upstream: hasty}]}\n"
    "  - {name: gone, backends: [{upstream: dead, model: x}]}\n"
    "  - {name: kept, backends: [{upstream: patient, model: once}]}\n"
    "  - {name: kept-named, backends: [{upstream: named, model: once}]}\n"
    "  - {name: named-once, backends: [{upstream: named-alone, model: once}]}\n"
    "  - {name: '*', backends: [{upstream: stub}]}\n"
    "%s";

static void write_config(const char *more)
{
    unsigned at = stub_port(stub);
    snprintf(yaml, sizeof yaml, config, at, at, at, at, at, more);
}

static void start(const char *more)
{
    write_config(more);
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

static void restart(const char *more)
{
    assert_true(serving_stop(&server));
    start(more);
}

static unsigned post(const char *model, bool stream, struct buf *answer)
{
    char body[256];
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[]%s}", model,
             stream ? ",\"stream\":true" : "");
    client_post(server.port, "/v1/chat/completions", "", body, answer);
    return answer_status(answer);
}

/* Ask, and expect this status for the client and this outcome in the log. */
static struct told expect(const char *model, bool stream, unsigned status, const char *outcome)
{
    struct buf answer;
    struct told t;
    unsigned got = post(model, stream, &answer);
    told_wait(&t, &place);
    if (got != status || strcmp(t.outcome, outcome) != 0 || t.status != status)
        fail_msg("%s: %u %s (%llu)", model, got, t.outcome, (unsigned long long)t.status);
    buf_free(&answer);
    return t;
}

/* What was released of the newest call is what the client got, and the log has it. */
static void log_has_the_answer(const struct buf *body, bool prefix)
{
    struct told t;
    struct buf said;
    told_wait(&t, &place);
    assert_true(serving_stop(&server));
    buf_init(&said, 64 << 20);
    told_content(&place, t.intent, "response", &said);
    assert_true(prefix ? said.n >= body->n : said.n == body->n);
    if (body->n)
        assert_memory_equal(said.p, body->p, body->n);
    assert_true(t.released >= body->n && t.released <= said.n);
    buf_free(&said);
    start("");
}

/* ---- upstreams ---- */

static void upstream_that_never_answers_is_a_timeout(void **state)
{
    (void)state;
    expect("stall", false, 504, "timeout");
    expect("stall", true, 504, "timeout");
}

static void upstream_that_stalls_in_its_head_is_a_timeout(void **state)
{
    (void)state;
    expect("stall-head", false, 504, "timeout");
}

static void upstream_that_stalls_in_its_body_is_a_timeout(void **state)
{
    (void)state;
    expect("stall-body", false, 504, "timeout");
}

static void upstream_that_resets_is_an_abort(void **state)
{
    (void)state;
    struct told t = expect("reset", false, 502, "upstream_abort");
    assert_int_equal(t.released, 0);
}

static void upstream_that_closes_early_is_an_abort(void **state)
{
    (void)state;
    expect("early", false, 502, "upstream_abort");
    expect("early", true, 502, "upstream_abort");
}

static void upstream_that_says_no_http_is_an_abort(void **state)
{
    (void)state;
    struct told t = expect("garbage", false, 502, "upstream_abort");
    assert_string_equal(t.error, "garbage");
}

static void upstream_with_a_body_shorter_than_its_length_is_an_abort(void **state)
{
    (void)state;
    struct told t = expect("short", false, 502, "upstream_abort");
    assert_int_equal(t.released, 0);
}

static void upstream_that_is_not_there_is_an_abort(void **state)
{
    (void)state;
    struct told t = expect("gone", false, 502, "upstream_abort");
    assert_string_equal(t.error, "connect");
}

static void upstream_errors_are_passed_on(void **state)
{
    (void)state;
    expect("500", false, 500, "error");
    expect("400", false, 400, "error");
    expect("429", true, 429, "error");
}

static void upstream_is_asked_again_before_the_first_byte_alone(void **state)
{
    (void)state;
    unsigned before = stub_requests(stub);
    struct told t = expect("twice", false, 503, "error");
    assert_int_equal(t.attempts, 2);
    assert_int_equal(stub_requests(stub), before + 2);
    before = stub_requests(stub);
    t = expect("short", false, 502, "upstream_abort");
    assert_int_equal(stub_requests(stub), before + 1);
}

/* Whichever way it is reached: libcurl would send it again by itself. */
static void request_over_a_connection_that_was_closed_is_an_attempt(void **state)
{
    static const char *const models[] = {"kept", "kept-named"};
    struct buf text;
    (void)state;
    restart(""); /* no connection is kept */
    unsigned before = stub_requests(stub);
    for (size_t i = 0; i < 2; i++) {
        struct told t = expect(models[i], false, 200, "complete");
        assert_int_equal(t.attempts, 1);
        t = expect(models[i], false, 200, "complete");
        assert_int_equal(t.attempts, 2);
    }
    assert_int_equal(stub_requests(stub), before + 6);
    client_ask(server.port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &text);
    assert_true(has(&text, "\naudit_upstream_attempts_total 6\n"));
    assert_true(has(&text, "\naudit_upstream_stale_total 2\n"));
    buf_free(&text);
}

static void without_retries_nothing_is_sent_twice(void **state)
{
    static const char *const models[] = {"once", "named-once"};
    (void)state;
    restart("");
    unsigned before = stub_requests(stub);
    for (size_t i = 0; i < 2; i++) {
        expect(models[i], false, 200, "complete");
        struct told t = expect(models[i], false, 502, "upstream_abort");
        assert_int_equal(t.attempts, 1);
        assert_string_equal(t.error, "cut");
        assert_int_equal(stub_requests(stub), before + 2 * (i + 1));
    }
}

static void next_upstream_is_asked_and_then_first_of_all(void **state)
{
    (void)state;
    restart("");
    struct told t = expect("fallback", false, 200, "complete");
    assert_int_equal(t.attempts, 2);
    assert_int_equal(t.window_count, 1); /* what the second one was sent */
    t = expect("fallback", false, 200, "complete");
    assert_int_equal(t.attempts, 1); /* the first one's circuit is open */
}

static void stream_that_is_cut_leaves_a_prefix(void **state)
{
    (void)state;
    struct buf answer, body;
    struct told t;
    assert_int_equal(post("cut", true, &answer), 200);
    answer_body(&answer, &body);
    assert_false(has(&answer, "0\r\n\r\n"));
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "upstream_abort");
    log_has_the_answer(&body, true);
    buf_free(&answer);
    buf_free(&body);
}

static void stream_without_end_is_told_from_one_with(void **state)
{
    (void)state;
    struct told t = expect("noend", true, 200, "upstream_abort");
    assert_string_equal(t.error, "stream_without_end");
}

static void ten_megabytes_arrive_and_are_recorded_whole(void **state)
{
    (void)state;
    struct buf answer, body;
    assert_int_equal(post("big", false, &answer), 200);
    answer_body(&answer, &body);
    assert_true(body.n > 10 << 20);
    log_has_the_answer(&body, false);
    buf_free(&answer);
    buf_free(&body);
}

static void answer_beyond_the_limit_is_not_cut_but_refused(void **state)
{
    (void)state;
    restart("limits: {answer: 1 MiB}\n");
    struct told t = expect("big", false, 502, "error");
    assert_string_equal(t.error, "answer_too_large");
    restart("");
}

/* The client's head and the upstream's stand in one field, which is larger than a piece then. */
static void heads_as_long_as_is_configured_are_recorded_whole(void **state)
{
    (void)state;
    struct buf field, answer, heads;
    struct told t;
    restart("limits: {head: 1 MiB}\n");
    buf_init(&field, LONG_FIELD + 64);
    buf_put_str(&field, "X-Long: ");
    for (size_t i = 0; i < LONG_FIELD; i++)
        buf_put_u8(&field, 'a');
    buf_put_str(&field, "\r\n");
    client_post(server.port, "/v1/chat/completions", buf_cstr(&field),
                "{\"model\":\"ok\",\"messages\":[]}", &answer);
    assert_int_equal(answer_status(&answer), 200);
    told_wait(&t, &place);
    assert_true(serving_stop(&server));
    buf_init(&heads, 4 * LONG_FIELD);
    told_content(&place, t.intent, "request_headers", &heads);
    assert_true(heads.n > 2 * LONG_FIELD);
    start("");
    buf_free(&field);
    buf_free(&answer);
    buf_free(&heads);
}

/* ---- shapes ---- */

static void every_api_is_recorded_under_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *api;
    } shapes[] = {
        {"/v1/completions", "{\"model\":\"ok\",\"prompt\":\"a\"}", "completions"},
        {"/v1/responses", "{\"model\":\"ok\",\"input\":\"a\"}", "responses"},
        {"/v1/responses", "{\"model\":\"responses\",\"input\":\"a\",\"stream\":true}", "responses"},
        {"/v1/embeddings", "{\"model\":\"ok\",\"input\":[\"a\"]}", "embeddings"},
        {"/v1/messages", "{\"model\":\"ok\",\"messages\":[],\"max_tokens\":5}", "messages"},
        {"/v1/messages",
         "{\"model\":\"messages\",\"messages\":[],\"max_tokens\":5,\"stream\":true}", "messages"}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct buf answer;
        struct told t;
        client_post(server.port, shapes[i].path, "", shapes[i].body, &answer);
        assert_int_equal(answer_status(&answer), 200);
        told_wait(&t, &place);
        assert_string_equal(t.api, shapes[i].api);
        assert_string_equal(t.outcome, "complete");
        buf_free(&answer);
    }
}

static void durability_end_holds_back_the_terminal_event_alone(void **state)
{
    (void)state;
    struct buf answer, body;
    restart("durability: end\n");
    assert_int_equal(post("stream-5", true, &answer), 200);
    answer_body(&answer, &body);
    assert_true(has(&body, "w\xC3\xB6rd4 ") && has(&body, "data: [DONE]\n\n"));
    log_has_the_answer(&body, false);
    buf_free(&answer);
    buf_free(&body);
}

static void connection_is_used_again(void **state)
{
    (void)state;
    static const char ask[] = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                              "Content-Length: 28\r\n\r\n{\"model\":\"ok\",\"messages\":[]}";
    struct buf answer;
    buf_init(&answer, 1 << 20);
    int fd = client_connect(server.port);
    for (int i = 0; i < 5; i++) {
        buf_clear(&answer);
        client_send(fd, ask);
        client_read(fd, &answer, "\"usage\"", PATIENCE);
        assert_int_equal(answer_status(&answer), 200);
    }
    close(fd);
    buf_free(&answer);
}

static void old_client_gets_a_stream_until_the_connection_ends(void **state)
{
    (void)state;
    struct buf answer;
    client_ask(server.port,
               "POST /v1/chat/completions HTTP/1.0\r\nContent-Length: 48\r\n\r\n"
               "{\"model\":\"stream-2\",\"messages\":[],\"stream\":true}",
               &answer);
    assert_int_equal(answer_status(&answer), 200);
    assert_false(has(&answer, "chunked"));
    assert_true(has(&answer, "data: [DONE]\n\n"));
    buf_free(&answer);
}

/* ---- clients ---- */

static void client_that_leaves_a_stream_has_its_prefix_on_record(void **state)
{
    (void)state;
    struct told t;
    struct buf answer, body;
    buf_init(&answer, 1 << 20);
    int fd = client_begin_chat(server.port, "slow-100-20", true);
    client_read(fd, &answer, "rd3 ", PATIENCE);
    close(fd);
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "client_abort");
    answer_body(&answer, &body);
    log_has_the_answer(&body, true);
    buf_free(&answer);
    buf_free(&body);
}

static void client_that_takes_its_time_loses_nothing(void **state)
{
    (void)state;
    struct buf answer, body;
    buf_init(&answer, 64 << 20);
    int fd = client_begin_chat(server.port, "stream-20000", true);
    for (int i = 0; i < 5; i++) {
        char one;
        usleep(50000);
        assert_int_equal(read(fd, &one, 1), 1);
        buf_put_u8(&answer, (uint8_t)one);
    }
    client_read(fd, &answer, "\r\n0\r\n\r\n", PATIENCE);
    close(fd);
    answer_body(&answer, &body);
    assert_true(has(&body, "rd19999 ") && has(&body, "[DONE]"));
    log_has_the_answer(&body, false);
    buf_free(&answer);
    buf_free(&body);
}

/* Connected, and not closed by the server. */
static bool is_held(int fd)
{
    char octet;
    return fd >= 0 && recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* So many connections that say nothing, and a call beside them; how many of them are missing then. */
static int call_beside(int many, const char *limits)
{
    int missing = 0;
    enum { MOST = 10000, OTHERS = 200 };
    static int fd[MOST];
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
    r.rlim_cur = r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
    if (r.rlim_max < (rlim_t)many + OTHERS)
        many = (int)r.rlim_max - OTHERS;
    restart(limits);
    for (int i = 0; i < many; i++)
        fd[i] = client_connect(server.port);
    expect("ok", false, 200, "complete");
    for (int i = 0; i < many; i++) {
        missing += !is_held(fd[i]);
        if (fd[i] >= 0)
            close(fd[i]);
    }
    restart("");
    return missing;
}

static void connections_beyond_the_limit_keep_nobody_out(void **state)
{
    (void)state;
    assert_true(call_beside(1500, "limits: {connections: 200}\n") > 0);
}

static void ten_thousand_connections_are_held(void **state)
{
    (void)state;
    assert_int_equal(call_beside(10000, "limits: {connections: 11000, head_ms: 600000}\n"), 0);
}

/* ---- the log ---- */

static void nothing_leaves_when_the_disk_is_nearly_full(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    unsigned requests = stub_requests(stub);
    restart("limits: {reserve: 900 TiB}\n");
    told_read(&t, &place);
    unsigned intents = t.intents;
    assert_int_equal(post("ok", false, &answer), 503);
    assert_true(has(&answer, "log_disk_full") && has(&answer, "Retry-After"));
    buf_free(&answer);
    told_read(&t, &place);
    assert_int_equal(t.intents, intents);
    assert_int_equal(stub_requests(stub), requests);
    restart("");
}

static void log_that_fails_in_mid_stream_ends_the_stream(void **state)
{
    (void)state;
    struct buf answer, body, said;
    struct told t;
    assert_true(serving_stop(&server));
    folder_remove(&place);
    assert_true(folder_make(&place));
    logs_make(&place);
    serving_file_limit = 600000;
    start("");
    buf_init(&answer, 64 << 20);
    int fd = client_begin_chat(server.port, "slow-3000-1", true);
    client_read(fd, &answer, "\r\n0\r\n\r\n", PATIENCE);
    close(fd);
    assert_false(has(&answer, "[DONE]"));
    assert_int_equal(answer_status(&answer), 200);
    serving_says(&server, "\"event\":\"log_failed\",\"code\":\"io\",\"why\":\"");
    answer_body(&answer, &body);
    buf_free(&answer);
    assert_int_equal(post("ok", false, &answer), 503);
    assert_true(has(&answer, "log_unavailable"));
    unsigned requests = stub_requests(stub);
    buf_free(&answer);
    assert_int_equal(post("ok", false, &answer), 503);
    assert_int_equal(stub_requests(stub), requests);
    serving_kill(&server);
    serving_file_limit = 0;
    start("");
    told_wait(&t, &place);
    assert_string_equal(t.outcome, "crash");
    assert_true(serving_stop(&server));
    buf_init(&said, 64 << 20);
    told_content(&place, t.intent, "response", &said);
    assert_true(body.n > 0 && said.n >= body.n);
    assert_memory_equal(said.p, body.p, body.n);
    buf_free(&answer);
    buf_free(&body);
    buf_free(&said);
    start("");
}

/* ---- operation ---- */

static void calls_in_flight_finish_before_the_server_ends(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    buf_init(&answer, 1 << 20);
    int fd = client_begin_chat(server.port, "slow-10-40", true);
    client_read(fd, &answer, "rd1 ", PATIENCE);
    kill(server.pid, SIGTERM);
    int other = 0;
    for (int i = 0; i < PATIENCE / 10 && (other = client_connect(server.port)) != -1; i++) {
        close(other);
        usleep(10000);
    }
    assert_int_equal(other, -1);
    client_read(fd, &answer, "\r\n0\r\n\r\n", PATIENCE);
    close(fd);
    assert_true(has(&answer, "[DONE]"));
    assert_true(serving_stop(&server));
    told_read(&t, &place);
    assert_string_equal(t.outcome, "complete");
    buf_free(&answer);
    start("");
}

static void calls_that_do_not_finish_in_time_are_shut_down_on_record(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    restart("limits: {drain_ms: 200}\n");
    buf_init(&answer, 1 << 20);
    unsigned requests = stub_requests(stub);
    int fd = client_begin_chat(server.port, "slow-1000-10", false);
    for (int i = 0; i < PATIENCE && stub_requests(stub) == requests; i++)
        usleep(1000);
    kill(server.pid, SIGTERM);
    client_read(fd, &answer, "\"error\"", PATIENCE);
    assert_int_equal(answer_status(&answer), 503);
    close(fd);
    assert_true(serving_stop(&server));
    told_read(&t, &place);
    assert_string_equal(t.outcome, "shutdown");
    buf_free(&answer);
    start("");
}

static unsigned config_entries(void)
{
    return (unsigned)logs_sql_int(&place, "SELECT count(*) FROM entry WHERE kind = 12");
}

static void reload_is_an_entry_and_a_wrong_one_changes_nothing(void **state)
{
    (void)state;
    unsigned before = config_entries();
    serving_reload(&server, &place, "upstreams: wrong\n");
    serving_says(&server, "\"event\":\"reload_refused\",\"code\":\"config\",\"why\":\"");
    assert_int_equal(config_entries(), before);
    expect("ok", false, 200, "complete");
    write_config("enrolled_only: false\n");
    serving_reload(&server, &place, yaml);
    serving_says(&server, "\"event\":\"reloaded\"");
    assert_int_equal(config_entries(), before + 1);
    expect("ok", false, 200, "complete");
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstream_that_never_answers_is_a_timeout),
        cmocka_unit_test(upstream_that_stalls_in_its_head_is_a_timeout),
        cmocka_unit_test(upstream_that_stalls_in_its_body_is_a_timeout),
        cmocka_unit_test(upstream_that_resets_is_an_abort),
        cmocka_unit_test(upstream_that_closes_early_is_an_abort),
        cmocka_unit_test(upstream_that_says_no_http_is_an_abort),
        cmocka_unit_test(upstream_with_a_body_shorter_than_its_length_is_an_abort),
        cmocka_unit_test(upstream_that_is_not_there_is_an_abort),
        cmocka_unit_test(upstream_errors_are_passed_on),
        cmocka_unit_test(upstream_is_asked_again_before_the_first_byte_alone),
        cmocka_unit_test(request_over_a_connection_that_was_closed_is_an_attempt),
        cmocka_unit_test(without_retries_nothing_is_sent_twice),
        cmocka_unit_test(next_upstream_is_asked_and_then_first_of_all),
        cmocka_unit_test(stream_that_is_cut_leaves_a_prefix),
        cmocka_unit_test(stream_without_end_is_told_from_one_with),
        cmocka_unit_test(ten_megabytes_arrive_and_are_recorded_whole),
        cmocka_unit_test(answer_beyond_the_limit_is_not_cut_but_refused),
        cmocka_unit_test(heads_as_long_as_is_configured_are_recorded_whole),
        cmocka_unit_test(every_api_is_recorded_under_its_name),
        cmocka_unit_test(durability_end_holds_back_the_terminal_event_alone),
        cmocka_unit_test(connection_is_used_again),
        cmocka_unit_test(old_client_gets_a_stream_until_the_connection_ends),
        cmocka_unit_test(client_that_leaves_a_stream_has_its_prefix_on_record),
        cmocka_unit_test(client_that_takes_its_time_loses_nothing),
        cmocka_unit_test(connections_beyond_the_limit_keep_nobody_out),
        cmocka_unit_test(ten_thousand_connections_are_held),
        cmocka_unit_test(nothing_leaves_when_the_disk_is_nearly_full),
        cmocka_unit_test(calls_in_flight_finish_before_the_server_ends),
        cmocka_unit_test(calls_that_do_not_finish_in_time_are_shut_down_on_record),
        cmocka_unit_test(reload_is_an_entry_and_a_wrong_one_changes_nothing),
        cmocka_unit_test(log_that_fails_in_mid_stream_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
