/* The HTTP client against prepared answers on 127.0.0.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/clock.h"
#include "assay/net.h"
#include "support/canned_server.h"

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                            "Content-Length: 5\r\n\r\nhello";

/* One request to a server with one answer. */
static bool ask(const char *text, struct net_request q, struct net_response *r, struct err *e)
{
    const struct canned a = {.answer = span_str(text)};
    struct canned_server *s = canned_start(&a, 1);
    q.url = canned_url(s);
    bool ok = net_fetch(r, &q, e);
    canned_stop(s);
    return ok;
}

static void check_text(const struct err *e, enum err_code code, const char *part)
{
    if (!strstr(e->text, part))
        fail_msg("\"%s\" does not say \"%s\"", e->text, part);
    assert_int_equal(e->code, code);
}

static void gets_status_type_and_body(void **state)
{
    (void)state;
    struct net_response r;
    assert_true(ask(hello, (struct net_request){0}, &r, NULL));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.content_type, "text/plain");
    assert_true(span_is(buf_span(&r.body), "hello"));
    net_response_free(&r);
}

static void posts_bytes_as_they_are(void **state)
{
    (void)state;
    static const char body[] = "a\0b\n";
    const struct canned a = {.answer = span_str("HTTP/1.1 404 Not Found\r\n"
                                                "Content-Length: 2\r\n\r\nno")};
    struct canned_server *s = canned_start(&a, 1);
    struct net_response r;
    struct net_request q = {.url = canned_url(s),
                            .post = true,
                            .body = {(const uint8_t *)body, 4},
                            .content_type = "text/x.test"};
    assert_true(net_fetch(&r, &q, NULL));
    assert_int_equal(r.status, 404);
    assert_string_equal(r.content_type, "");
    assert_true(span_is(buf_span(&r.body), "no"));
    struct span sent = canned_request(s, 0);
    assert_true(span_starts(sent, "POST / HTTP/1.1\r\n"));
    assert_non_null(memmem(sent.p, sent.n, "\r\nContent-Type: text/x.test\r\n", 29));
    assert_null(memmem(sent.p, sent.n, "Expect", 6));
    assert_null(memmem(sent.p, sent.n, "Cookie", 6));
    assert_memory_equal(sent.p + sent.n - 4, body, 4);
    net_response_free(&r);
    canned_stop(s);
}

static void posts_an_empty_body(void **state)
{
    (void)state;
    struct net_response r;
    assert_true(ask(hello, (struct net_request){.post = true}, &r, NULL));
    assert_int_equal(r.status, 200);
    net_response_free(&r);
}

static void refuses_an_answer_beyond_the_limit(void **state)
{
    (void)state;
    struct net_response r;
    struct err e = ERR_INIT;
    assert_false(ask(hello, (struct net_request){.answer_max = 4}, &r, &e));
    check_text(&e, ERR_LIMIT, "larger than 4 bytes");
    assert_non_null(strstr(e.text, "http://127.0.0.1:"));
    net_response_free(&r);
    assert_true(ask(hello, (struct net_request){.answer_max = 5}, &r, NULL));
    net_response_free(&r);
}

static void refuses_an_answer_without_end(void **state)
{
    (void)state;
    static char block[65536] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    memset(block + strlen(block), 'x', sizeof block - strlen(block));
    const struct canned a = {{(const uint8_t *)block, sizeof block}, 0, 1000000};
    struct canned_server *s = canned_start(&a, 1);
    struct net_response r;
    struct err e = ERR_INIT;
    assert_false(net_fetch(&r, &(struct net_request){.url = canned_url(s)}, &e));
    check_text(&e, ERR_LIMIT, "larger than 1048576 bytes");
    assert_true(r.body.n <= NET_ANSWER_MAX);
    net_response_free(&r);
    canned_stop(s);
}

static void refuses_header_fields_without_end(void **state)
{
    (void)state;
    static const char line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    struct buf b;
    struct err e = ERR_INIT;
    struct net_response r;
    buf_init(&b, 1 << 20);
    buf_put_str(&b, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 4000; i++)
        buf_put_str(&b, line);
    assert_false(ask(buf_cstr(&b), (struct net_request){0}, &r, &e));
    check_text(&e, ERR_LIMIT, "header fields exceed");
    net_response_free(&r);
    buf_free(&b);
}

static void refuses_what_is_no_whole_http_answer(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "",
        "garbage\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct net_response r;
        struct err e = ERR_INIT;
        if (ask(answers[i], (struct net_request){0}, &r, &e))
            fail_msg("accepted: %s", answers[i]);
        check_text(&e, ERR_IO, "http://127.0.0.1:");
        net_response_free(&r);
    }
}

static void gives_up_in_time(void **state)
{
    (void)state;
    const struct canned a = {span_str(hello), 4000, 0};
    struct canned_server *s = canned_start(&a, 1);
    struct net_response r;
    struct err e = ERR_INIT;
    struct net_request q = {.url = canned_url(s), .timeout_ms = 150};
    uint64_t before = clock_monotonic();
    assert_false(net_fetch(&r, &q, &e));
    assert_true(clock_monotonic() - before < UINT64_C(3000000000));
    check_text(&e, ERR_IO, "in time");
    net_response_free(&r);
    canned_stop(s);
}

static void tells_that_nobody_listens(void **state)
{
    (void)state;
    struct canned_server *s = canned_start(NULL, 0);
    char url[64];
    snprintf(url, sizeof url, "%s/x", canned_url(s));
    canned_stop(s);
    struct net_response r;
    struct err e = ERR_INIT;
    assert_false(net_fetch(&r, &(struct net_request){.url = url}, &e));
    check_text(&e, ERR_IO, "no connection");
    net_response_free(&r);
}

static void follows_redirects_only_when_asked(void **state)
{
    (void)state;
    const struct canned target = {.answer = span_str(hello)};
    for (int follow = 0; follow < 2; follow++) {
        struct canned_server *to = canned_start(&target, 1);
        char text[256];
        snprintf(text, sizeof text,
                 "HTTP/1.1 302 Found\r\nLocation: %s/there\r\nContent-Length: 0\r\n\r\n",
                 canned_url(to));
        struct net_response r;
        assert_true(ask(text, (struct net_request){.follow = follow}, &r, NULL));
        assert_int_equal(r.status, follow ? 200 : 302);
        assert_true(span_is(buf_span(&r.body), follow ? "hello" : ""));
        net_response_free(&r);
        canned_stop(to);
    }
}

static void follows_no_redirect_to_another_scheme(void **state)
{
    (void)state;
    struct net_response r;
    struct err e = ERR_INIT;
    assert_false(ask("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                     "Content-Length: 0\r\n\r\n",
                     (struct net_request){.follow = true}, &r, &e));
    check_text(&e, ERR_IO, "not http or https");
    net_response_free(&r);
}

static void refuses_urls_before_any_connection(void **state)
{
    (void)state;
    static char endless[NET_URL_MAX + 2];
    memset(endless, 'a', sizeof endless - 1);
    const char *const urls[] = {
        "",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "127.0.0.1/",
        "http://",
        "http://a b/",
        "http://u:secret@127.0.0.1/",
        "not a url",
        endless,
        NULL,
        "http://127.0.0.1/\r\nX: y",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct net_response r;
        struct err e = ERR_INIT;
        if (net_fetch(&r, &(struct net_request){.url = urls[i]}, &e))
            fail_msg("accepted: %s", urls[i]);
        assert_int_equal(e.code, ERR_USAGE);
        assert_null(strstr(e.text, "secret"));
        net_response_free(&r);
    }
}

static void no_plain_server_speaks_https(void **state)
{
    (void)state;
    const struct canned a = {.answer = span_str(hello)};
    struct canned_server *s = canned_start(&a, 1);
    char url[64];
    snprintf(url, sizeof url, "https%s", canned_url(s) + 4);
    struct net_response r;
    struct err e = ERR_INIT;
    assert_false(net_fetch(&r, &(struct net_request){.url = url, .timeout_ms = 500}, &e));
    assert_non_null(strstr(e.text, url));
    net_response_free(&r);
    canned_stop(s);
}

int main(void)
{
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets_status_type_and_body),
        cmocka_unit_test(posts_bytes_as_they_are),
        cmocka_unit_test(posts_an_empty_body),
        cmocka_unit_test(refuses_an_answer_beyond_the_limit),
        cmocka_unit_test(refuses_an_answer_without_end),
        cmocka_unit_test(refuses_header_fields_without_end),
        cmocka_unit_test(refuses_what_is_no_whole_http_answer),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(tells_that_nobody_listens),
        cmocka_unit_test(follows_redirects_only_when_asked),
        cmocka_unit_test(follows_no_redirect_to_another_scheme),
        cmocka_unit_test(refuses_urls_before_any_connection),
        cmocka_unit_test(no_plain_server_speaks_https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
