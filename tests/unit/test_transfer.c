/*
 * Requests to other servers, over both ways: 127.0.0.1 is reached by a socket of ours, localhost
 * by libcurl. What both must do is one table; where libcurl is kinder (to chunks), the table says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "assay/http.h"
#include "assay/transfer.h"
#include "net/connections.h"
#include "support/canned_server.h"

struct told {
    struct loop *loop;
    struct transfers *all;
    struct transfer *t;
    struct buf head, body;
    struct transfer_result result;
    unsigned heads, ends;
    bool stop_at_head, no_more;
    bool twice; /* the same is asked again as soon as the first is over */
    struct canned_server *server;
    char url[96];
    struct transfer_request request;
};

static const struct transfer_calls calls;

static void on_head(void *arg, unsigned status, struct span lines)
{
    struct told *x = arg;
    x->heads++;
    assert_true(status >= 200);
    buf_put_span(&x->head, lines);
    if (x->stop_at_head) {
        transfer_cancel(x->t);
        loop_stop(x->loop);
    }
}

static bool on_data(void *arg, struct span bytes)
{
    struct told *x = arg;
    buf_put_span(&x->body, bytes);
    return !x->no_more;
}

static void on_done(void *arg, const struct transfer_result *r)
{
    struct told *x = arg;
    struct err e = ERR_INIT;
    x->ends++;
    x->result = *r;
    if (!x->twice) {
        loop_stop(x->loop);
        return;
    }
    x->twice = false;
    usleep(50000); /* until the other side has closed what we would use again */
    if (!transfer_start(&x->t, x->all, &x->request, &calls, x, &e))
        fail_msg("%s", e.text);
}

static const struct transfer_calls calls = {on_head, on_data, on_done};

static void give_up(void *arg)
{
    (void)arg;
    fail_msg("nothing happened for twenty seconds");
}

enum way { OURS, LIBCURL };

static const char *const fields[] = {"X-A: b",  "X-Empty;", "Accept: */*", "Content-Type: a/b",
                                     "Expect:", NULL};

/* A server of these answers, one a connection, and a request that is to go to it. */
static void set_up(struct told *x, enum way way, const struct canned *answers, size_t count)
{
    static const char *const hosts[] = {[OURS] = "127.0.0.1", [LIBCURL] = "localhost"};
    struct err e = ERR_INIT;
    memset(x, 0, sizeof *x);
    buf_init(&x->head, 1 << 20);
    buf_init(&x->body, 1 << 24);
    x->server = canned_start(answers, count);
    snprintf(x->url, sizeof x->url, "http://%s%s/v1/x", hosts[way],
             strrchr(canned_url(x->server), ':'));
    x->request = (struct transfer_request){.url = x->url,
                                           .post = true,
                                           .fields = fields,
                                           .body = span_str("{\"a\":1}"),
                                           .connect_ms = 2000,
                                           .first_byte_ms = 3000,
                                           .idle_ms = 3000};
    assert_true(loop_new(&x->loop, &e) && transfers_open(&x->all, x->loop, &e));
}

static void take_down(struct told *x)
{
    if (x->server)
        canned_stop(x->server);
    transfers_close(x->all);
    loop_free(x->loop);
    buf_free(&x->head);
    buf_free(&x->body);
}

static void run(struct told *x, const struct transfer_calls *with)
{
    struct err e = ERR_INIT;
    struct loop_event *patience = loop_timer(x->loop, give_up, NULL);
    loop_timer_start(patience, 20000);
    assert_true(transfer_start(&x->t, x->all, &x->request, with, x, &e));
    assert_int_equal(x->ends, 0); /* nothing is told from within the start */
    assert_true(loop_run(x->loop, &e));
    loop_event_free(patience);
}

/* The caller takes it down. */
static void ask(struct told *x, enum way way, const char *answer)
{
    struct canned one = {.answer = span_str(answer)};
    set_up(x, way, &one, 1);
    run(x, &calls);
    canned_stop(x->server);
    x->server = NULL;
    assert_int_equal(x->ends, 1);
}

/* ---- answers ---- */

#define OK "HTTP/1.1 200 OK\r\n"

static const struct good {
    const char *answer, *body;
    unsigned status;
} goods[] = {
    {OK "Content-Length: 5\r\n\r\nhello", "hello", 200},
    {OK "Content-Length: 0\r\n\r\n", "", 200},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
     "abc0123456789", 200},
    {OK "Connection: close\r\n\r\nuntil it closes", "until it closes", 200},
    {"HTTP/1.0 200 OK\r\n\r\nold", "old", 200},
    {"HTTP/1.1 204 No Content\r\n\r\n", "", 204},
    {"HTTP/1.1 500\r\nContent-Length: 2\r\n\r\nno", "no", 500},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" OK
     "Content-Length: 1\r\n\r\nx",
     "x", 200},
    {OK "Content-Length: 1\r\nX-B: \xc3\xa9\r\n\r\nx", "x", 200},
};

static void whole_answers_come_whole_by_both_ways(void **state)
{
    struct told x;
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++)
        for (int way = OURS; way <= LIBCURL; way++) {
            ask(&x, (enum way)way, goods[i].answer);
            if (x.result.end != TRANSFER_OK || x.result.status != goods[i].status || x.heads != 1 ||
                !span_is(buf_span(&x.body), goods[i].body))
                fail_msg("answer %zu, way %d: %s (%s), status %u, %u heads, \"%s\"", i, way,
                         transfer_end_name(x.result.end), x.result.why, x.result.status, x.heads,
                         buf_cstr(&x.body));
            take_down(&x);
        }
}

static const struct {
    const char *answer;
    enum transfer_end end;
    bool libcurl_takes_it;
} bads[] = {
    {"SSH-2.0-x\r\n", TRANSFER_GARBAGE, false},
    {"HTTP/0.9 200 OK\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {"HTTP/1.1 2000 OK\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {"HTTP/1.1 099 OK\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", TRANSFER_GARBAGE,
     false},
    {OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", TRANSFER_GARBAGE, false},
    {OK "Content-Length: 18446744073709551616\r\n\r\nx", TRANSFER_GARBAGE, false},
    {"HTTP/2 200 OK\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Content-Length: +1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Content-Length: 1, 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Content-Length: -1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Transfer-Encoding: gzip\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", TRANSFER_GARBAGE, false},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     TRANSFER_GARBAGE, false},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", TRANSFER_GARBAGE, false},
    {OK "X-A : b\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "X-A: b\r\n c\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "X-A: b\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "X-A: b\x01\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "no colon\r\nContent-Length: 1\r\n\r\nx", TRANSFER_GARBAGE, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n", TRANSFER_GARBAGE, true},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: a\r\n\r\n", TRANSFER_GARBAGE, true},
    {OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", TRANSFER_GARBAGE, true},
    {OK "Content-Length: 9\r\n\r\nshort", TRANSFER_CUT, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nab", TRANSFER_CUT, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", TRANSFER_CUT, false},
    {OK "X-A: b\r\n", TRANSFER_CUT, false},
    {OK "Content-Le", TRANSFER_CUT, false},
    {"", TRANSFER_CUT, false},
};

static void answers_with_two_readings_are_none(void **state)
{
    struct told x;
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        ask(&x, OURS, bads[i].answer);
        if (x.result.end != bads[i].end || x.result.why[0] == '\0')
            fail_msg("answer %zu: %s (%s)", i, transfer_end_name(x.result.end), x.result.why);
        take_down(&x);
        ask(&x, LIBCURL, bads[i].answer);
        if (!bads[i].libcurl_takes_it && x.result.end != bads[i].end)
            fail_msg("answer %zu by libcurl: %s (%s)", i, transfer_end_name(x.result.end),
                     x.result.why);
        take_down(&x);
    }
}

static void head_is_handed_over_as_it_came(void **state)
{
    struct told x;
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        ask(&x, (enum way)way, OK "X-A:  b \r\nContent-Length: 1\r\n\r\nx");
        assert_string_equal(buf_cstr(&x.head), OK "X-A:  b \r\nContent-Length: 1\r\n");
        take_down(&x);
    }
}

/* ---- requests ---- */

static void both_ways_send_the_same_octets(void **state)
{
    static const struct canned once = {
        .answer = {(const uint8_t *)OK "Content-Length: 0\r\n\r\n", 38}};
    struct told x;
    char wanted[512];
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &once, 1);
        run(&x, &calls);
        snprintf(wanted, sizeof wanted,
                 "POST /v1/x HTTP/1.1\r\nHost: %.*s\r\nX-A: b\r\nX-Empty:\r\nAccept: */*\r\n"
                 "Content-Type: a/b\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                 (int)strcspn(x.url + 7, "/"), x.url + 7);
        struct span seen = canned_request(x.server, 0);
        if (!span_is(seen, wanted))
            fail_msg("way %d sent:\n%.*s\nexpected:\n%s", way, (int)seen.n, (const char *)seen.p,
                     wanted);
        take_down(&x);
    }
}

static void what_has_no_body_is_asked_by_get(void **state)
{
    static const char answer[] = OK "Content-Length: 2\r\n\r\nok";
    struct canned one = {.answer = {(const uint8_t *)answer, sizeof answer - 1}};
    struct told x;
    char wanted[256];
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &one, 1);
        x.request.post = false;
        run(&x, &calls);
        snprintf(wanted, sizeof wanted,
                 "GET /v1/x HTTP/1.1\r\nHost: %.*s\r\nX-A: b\r\nX-Empty:\r\nAccept: */*\r\n"
                 "Content-Type: a/b\r\n\r\n",
                 (int)strcspn(x.url + 7, "/"), x.url + 7);
        assert_true(span_is(canned_request(x.server, 0), wanted));
        assert_int_equal(x.result.end, TRANSFER_OK);
        take_down(&x);
    }
}

static void only_numbers_are_addresses(void **state)
{
    static const struct {
        const char *host;
        int family, port; /* 0: not for a socket of ours */
    } hosts[] = {{"127.0.0.1", AF_INET, 80},
                 {"127.0.0.1:8000", AF_INET, 8000},
                 {"[::1]", AF_INET6, 80},
                 {"[::1]:65535", AF_INET6, 65535},
                 {"", 0, 0},
                 {"localhost", 0, 0},
                 {"localhost:80", 0, 0},
                 {"127.1", 0, 0},
                 {"127.0.0.1:", 0, 0},
                 {"127.0.0.1:0", 0, 0},
                 {"127.0.0.1:65536", 0, 0},
                 {"127.0.0.1:+1", 0, 0},
                 {"127.0.0.1.example", 0, 0},
                 {"user@127.0.0.1", 0, 0},
                 {"::1", 0, 0},
                 {"[::1", 0, 0},
                 {"[::1]8000", 0, 0},
                 {"[fe80::1%eth0]", 0, 0}};
    union address a;
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        bool is = address_read(&a, span_str(hosts[i].host));
        int port = !is                          ? 0
                   : a.any.sa_family == AF_INET ? ntohs(a.v4.sin_port)
                                                : ntohs(a.v6.sin6_port);
        if (is != (hosts[i].family != 0) || (is && a.any.sa_family != hosts[i].family) ||
            port != hosts[i].port)
            fail_msg("\"%s\" was read as %s, port %d", hosts[i].host, is ? "an address" : "none",
                     port);
    }
}

/* The server has closed what was kept, which is seen before the second request is sent. */
static void a_connection_closed_while_it_waited_costs_no_answer(void **state)
{
    static const char answer[] = OK "Content-Length: 2\r\n\r\nok";
    struct canned two[] = {{.answer = {(const uint8_t *)answer, sizeof answer - 1}},
                           {.answer = {(const uint8_t *)answer, sizeof answer - 1}}};
    struct told x;
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, two, 2);
        x.twice = true;
        run(&x, &calls);
        assert_int_equal(x.ends, 2);
        assert_int_equal(x.result.end, TRANSFER_OK);
        assert_string_equal(buf_cstr(&x.body), "okok");
        take_down(&x);
    }
}

/* ---- ends ---- */

static void nobody_there_is_said_so(void **state)
{
    static const struct canned none = {.answer = {NULL, 0}};
    struct told x;
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &none, 1);
        canned_stop(x.server);
        x.server = NULL;
        run(&x, &calls);
        assert_int_equal(x.result.end, TRANSFER_CONNECT);
        assert_false(x.result.sent);
        take_down(&x);
    }
}

static void who_answers_too_late_is_left(void **state)
{
    static const char half[] = OK "Content-Length: 9\r\n\r\nhalf";
    struct canned late = {.answer = {(const uint8_t *)half, sizeof half - 1}, .delay_ms = 4000};
    struct told x;
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &late, 1);
        x.request.first_byte_ms = 100;
        run(&x, &calls);
        assert_int_equal(x.result.end, TRANSFER_FIRST_BYTE);
        assert_false(x.result.sent);
        take_down(&x);
    }
}

static void no_call_follows_a_cancellation(void **state)
{
    static const char answer[] = OK "Content-Length: 2\r\n\r\nok";
    struct canned one = {.answer = {(const uint8_t *)answer, sizeof answer - 1}};
    struct told x;
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &one, 1);
        x.stop_at_head = true;
        run(&x, &calls);
        take_down(&x);
        assert_int_equal(x.heads, 1);
        assert_int_equal(x.ends, 0);
    }
}

static void what_is_not_taken_ends_the_transfer(void **state)
{
    static const char answer[] = OK "Content-Length: 2\r\n\r\nok";
    struct canned one = {.answer = {(const uint8_t *)answer, sizeof answer - 1}};
    struct told x;
    (void)state;
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &one, 1);
        x.no_more = true;
        run(&x, &calls);
        assert_int_equal(x.result.end, TRANSFER_REFUSED);
        take_down(&x);
    }
}

/* Nothing comes between a pause and going on, and all of it afterwards. */
static struct told *pausing;

static void look_at_the_pause(void *arg)
{
    size_t *so_far = arg;
    assert_int_equal(pausing->body.n, *so_far);
    assert_int_equal(pausing->ends, 0);
    transfer_pause(pausing->t, false);
}

static bool pause_once(void *arg, struct span bytes)
{
    struct told *x = arg;
    bool first = x->body.n == 0;
    buf_put_span(&x->body, bytes);
    if (first)
        transfer_pause(x->t, true);
    return true;
}

static size_t before_pause;

static void note_the_pause(void *arg)
{
    (void)arg;
    before_pause = pausing->body.n;
}

static void a_paused_answer_goes_on_where_it_stopped(void **state)
{
    enum { PIECE = 1 << 16, PIECES = 64 };
    static const struct transfer_calls with_pause = {on_head, pause_once, on_done};
    static char answer[] = OK "Connection: close\r\n\r\n";
    struct buf all;
    struct told x;
    (void)state;
    buf_init(&all, (size_t)PIECE * PIECES + 256);
    buf_put_str(&all, answer);
    for (size_t i = 0; i < (size_t)PIECE * PIECES; i++)
        buf_put_u8(&all, (uint8_t)(i % 251));
    struct canned one = {.answer = buf_span(&all)};
    for (int way = OURS; way <= LIBCURL; way++) {
        set_up(&x, (enum way)way, &one, 1);
        pausing = &x;
        struct loop_event *noted = loop_timer(x.loop, note_the_pause, NULL);
        struct loop_event *resumed = loop_timer(x.loop, look_at_the_pause, &before_pause);
        loop_timer_start(noted, 300);
        loop_timer_start(resumed, 600);
        run(&x, &with_pause);
        assert_true(before_pause > 0 && before_pause < (size_t)PIECE * PIECES);
        assert_int_equal(x.result.end, TRANSFER_OK);
        assert_int_equal(x.body.n, (size_t)PIECE * PIECES);
        assert_memory_equal(x.body.p, all.p + sizeof answer - 1, x.body.n);
        loop_event_free(noted);
        loop_event_free(resumed);
        take_down(&x);
    }
    buf_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers_come_whole_by_both_ways),
        cmocka_unit_test(answers_with_two_readings_are_none),
        cmocka_unit_test(head_is_handed_over_as_it_came),
        cmocka_unit_test(both_ways_send_the_same_octets),
        cmocka_unit_test(what_has_no_body_is_asked_by_get),
        cmocka_unit_test(only_numbers_are_addresses),
        cmocka_unit_test(a_connection_closed_while_it_waited_costs_no_answer),
        cmocka_unit_test(nobody_there_is_said_so),
        cmocka_unit_test(who_answers_too_late_is_left),
        cmocka_unit_test(no_call_follows_a_cancellation),
        cmocka_unit_test(what_is_not_taken_ends_the_transfer),
        cmocka_unit_test(a_paused_answer_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
