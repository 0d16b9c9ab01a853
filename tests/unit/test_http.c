/* Requests, chunks and events as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "assay/http.h"
#include "assay/sse.h"

static struct http_request request;

static bool reads(const char *text, unsigned *status)
{
    struct err e = ERR_INIT;
    return http_request_read(&request, span_str(text), status, &e);
}

static void refused_with(const char *text, unsigned wanted)
{
    unsigned status = 0;
    if (reads(text, &status))
        fail_msg("accepted: %s", text);
    if (status != wanted)
        fail_msg("%u instead of %u for: %s", status, wanted, text);
}

#define OK_HEAD "POST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\n"

static void request_is_read_in_its_parts(void **state)
{
    (void)state;
    unsigned status = 0;
    assert_true(reads(
        OK_HEAD "Content-Length: 12\r\nX-A: \t b c \r\nConnection: keep-alive\r\n\r\n", &status));
    assert_true(span_is(request.method, "POST") && span_is(request.path, "/v1/x"));
    assert_true(span_is(request.query, "y=1") && request.minor == 1);
    assert_true(request.has_length && request.length == 12 && request.keep_alive);
    assert_true(span_is(http_field_find(&request, "x-a")->value, "b c"));
    assert_true(reads("GET / HTTP/1.0\r\n\r\n", &status) && !request.keep_alive);
    assert_true(reads(OK_HEAD "Transfer-Encoding: Chunked\r\n\r\n", &status) && request.chunked);
    assert_true(reads(OK_HEAD "Connection: foo, Close\r\n\r\n", &status) && !request.keep_alive);
    assert_true(reads(OK_HEAD "Expect: 100-continue\r\n\r\n", &status) && request.expect_continue);
}

static void smugglers_requests_are_refused(void **state)
{
    (void)state;
    refused_with(OK_HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: 1, 1\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: +1\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: -1\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: 0x1\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: 1 2\r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: \r\n\r\n", 400);
    refused_with(OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n", 400);
    refused_with(OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    refused_with(OK_HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n", 501);
    refused_with(OK_HEAD "Transfer-Encoding: identity\r\n\r\n", 501);
    refused_with(OK_HEAD "Transfer-Encoding: xchunked\r\n\r\n", 501);
    refused_with(OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused_with("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused_with("POST / HTTP/1.1\r\n\r\n", 400);
    refused_with(OK_HEAD "Host: b\r\n\r\n", 400);
    refused_with("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
    refused_with("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
    refused_with(OK_HEAD "X-A : b\r\n\r\n", 400);
    refused_with(OK_HEAD "X-A: b\r\n c\r\n\r\n", 400);
    refused_with(OK_HEAD " X-A: b\r\n\r\n", 400);
    refused_with(OK_HEAD ": b\r\n\r\n", 400);
    refused_with(OK_HEAD "X-A\r\n\r\n", 400);
    refused_with(OK_HEAD "X(A): b\r\n\r\n", 400);
    refused_with(OK_HEAD "X-A: b\x01\r\n\r\n", 400);
    refused_with(OK_HEAD "X-A: b\nX-B: c\r\n\r\n", 400);
    refused_with(OK_HEAD "X-A: b\rX-B: c\r\n\r\n", 400);
    refused_with("GET / HTTP/1.1\nHost: a\n\n", 400);
    refused_with("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
    refused_with("GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    refused_with("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505);
    refused_with("GET / http/1.1\r\nHost: a\r\n\r\n", 400);
    refused_with("GET /\r\nHost: a\r\n\r\n", 400);
    refused_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
    refused_with(OK_HEAD "Authorization: a\r\nAuthorization: b\r\n\r\n", 400);
    refused_with(OK_HEAD "Expect: 200-ok\r\n\r\n", 417);
}

static void head_is_found_wherever_it_is_cut(void **state)
{
    (void)state;
    static const char text[] = OK_HEAD "X: y\r\n\r\nbody";
    size_t whole = sizeof text - 1 - 4, from = 0, length = 0;
    for (size_t n = 0; n < sizeof text; n++) {
        enum http_head_state s =
            http_head_find((struct span){(const uint8_t *)text, n}, &from, &length);
        assert_int_equal(s, n < whole ? HTTP_HEAD_PART : HTTP_HEAD_WHOLE);
    }
    assert_int_equal(length, whole);
    from = 0;
    assert_int_equal(http_head_find((struct span){(const uint8_t *)"GET\0", 4}, &from, &length),
                     HTTP_HEAD_BAD);
    from = 0;
    assert_int_equal(http_head_find(span_str("GET / HTTP/1.1\n"), &from, &length), HTTP_HEAD_BAD);
}

static bool chunks(const char *text, size_t step, struct buf *out)
{
    struct http_chunks c = {0};
    struct span all = span_str(text);
    struct err e = ERR_INIT;
    size_t used;
    buf_clear(out);
    for (size_t at = 0; at < all.n && !c.done; at += used) {
        if (!http_chunks_feed(&c, span_sub(all, at, step), &used, out, &e))
            return false;
        if (used == 0)
            return false;
    }
    return c.done;
}

static void chunks_are_joined_wherever_they_are_cut(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1024);
    for (size_t step = 1; step < 40; step++) {
        assert_true(chunks("5\r\nhello\r\n00a\r\n, world!!!\r\n0\r\n\r\n", step, &out));
        assert_string_equal(buf_cstr(&out), "hello, world!!!");
    }
    buf_free(&out);
}

static void smugglers_chunks_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"5;x=y\r\nhello\r\n0\r\n\r\n",
                                      "5 \r\nhello\r\n0\r\n\r\n",
                                      " 5\r\nhello\r\n0\r\n\r\n",
                                      "5\nhello\r\n0\r\n\r\n",
                                      "5\r\nhello\n0\r\n\r\n",
                                      "5\r\nhelloX\r\n0\r\n\r\n",
                                      "0x5\r\nhello\r\n0\r\n\r\n",
                                      "+5\r\nhello\r\n0\r\n\r\n",
                                      "-5\r\nhello\r\n0\r\n\r\n",
                                      "\r\nhello\r\n0\r\n\r\n",
                                      "g\r\nhello\r\n0\r\n\r\n",
                                      "5\r\nhello\r\n0\r\nX: y\r\n\r\n",
                                      "5\rXhello\r\n0\r\n\r\n",
                                      "000000005\r\nhello\r\n0\r\n\r\n",
                                      "ffffffffff\r\n"};
    struct buf out;
    buf_init(&out, 1024);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (chunks(bad[i], 1000, &out))
            fail_msg("accepted: %s", bad[i]);
    buf_free(&out);
    buf_init(&out, 4);
    assert_false(chunks("5\r\nhello\r\n0\r\n\r\n", 1000, &out));
    buf_free(&out);
}

static void fields_of_answers_hold_no_line_ends(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1024);
    assert_false(http_put_field(&out, "X", span_str("a\r\nY: b")));
    assert_int_equal(out.n, 0);
    assert_true(http_put_field(&out, "X", span_str("a b")));
    assert_string_equal(buf_cstr(&out), "X: a b\r\n");
    buf_free(&out);
}

/* ---- events ---- */

struct seen {
    struct buf text;
    uint64_t begin;
};

static void see(void *arg, const struct sse_event *e)
{
    struct seen *s = arg;
    buf_put_u8(&s->text, '[');
    buf_put_span(&s->text, e->event);
    buf_put_u8(&s->text, '|');
    buf_put_span(&s->text, e->data);
    buf_put_u8(&s->text, ']');
    s->begin = e->begin;
}

static void events_are_read_wherever_they_are_cut(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "data: a\n\n: keep-alive\n\nevent: x\ndata:b\ndata: c\nid: 7\n\ndata: [DONE]\n\n",
        "data: a\r\n\r\n: keep-alive\r\n\r\nevent: x\r\ndata:b\r\ndata: c\r\n\r\ndata: "
        "[DONE]\r\n\r\n",
        "data: a\r\r: keep-alive\r\revent: x\rdata:b\rdata: c\r\rdata: [DONE]"};
    for (size_t t = 0; t < 3; t++) {
        struct span all = span_str(texts[t]);
        for (size_t step = 1; step <= all.n; step++) {
            struct seen s = {.begin = 0};
            struct sse sse;
            buf_init(&s.text, 1024);
            sse_init(&sse);
            for (size_t at = 0; at < all.n; at += step)
                sse_feed(&sse, span_sub(all, at, step), see, &s);
            sse_end(&sse, see, &s);
            assert_string_equal(buf_cstr(&s.text), "[|a][x|b\nc][|[DONE]]");
            assert_int_equal(s.begin, strstr(texts[t], "data: [DONE]") - texts[t]);
            sse_free(&sse);
            buf_free(&s.text);
        }
    }
}

static void event_that_is_too_large_is_passed_over_and_counted(void **state)
{
    (void)state;
    static uint8_t block[65536];
    struct seen s = {.begin = 0};
    struct sse sse;
    buf_init(&s.text, 1024);
    sse_init(&sse);
    memset(block, 'x', sizeof block);
    sse_feed(&sse, span_str("data: "), see, &s);
    for (size_t n = 0; n <= SSE_EVENT_MAX; n += sizeof block)
        sse_feed(&sse, (struct span){block, sizeof block}, see, &s);
    sse_feed(&sse, span_str("\n\ndata: b\n\n"), see, &s);
    assert_string_equal(buf_cstr(&s.text), "[|b]");
    assert_int_equal(sse.overflows, 1);
    sse_free(&sse);
    buf_free(&s.text);
}

/* ---- answers ---- */

enum { HEAD_MAX = 4096 };

static enum http_step read_pieces(struct span all, size_t first, size_t piece, struct buf *text)
{
    struct http_incoming in;
    struct buf decoded;
    struct span out;
    enum http_step step = HTTP_STEP_MORE;
    buf_init(&decoded, 4096);
    buf_clear(text);
    http_incoming_init(&in, HEAD_MAX);
    for (size_t at = 0, n = first; at < all.n && step < HTTP_STEP_OVER; at += n, n = piece) {
        struct span bytes = span_sub(all, at, n);
        while ((step = http_incoming_next(&in, &bytes, &decoded, &out, NULL)) != HTTP_STEP_MORE &&
               step < HTTP_STEP_OVER)
            buf_put_span(text, out);
    }
    if (step == HTTP_STEP_MORE && http_incoming_ends(&in))
        step = HTTP_STEP_OVER;
    http_incoming_free(&in);
    buf_free(&decoded);
    return step;
}

static void answer_is_the_same_however_it_is_cut(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef"
        "\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    };
    struct buf whole, cut;
    (void)state;
    buf_init(&whole, 4096);
    buf_init(&cut, 4096);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct span all = span_str(answers[i]);
        assert_int_equal(read_pieces(all, all.n, all.n, &whole), HTTP_STEP_OVER);
        for (size_t at = 1; at < all.n; at++) {
            assert_int_equal(read_pieces(all, at, all.n, &cut), HTTP_STEP_OVER);
            assert_true(span_eq(buf_span(&whole), buf_span(&cut)));
        }
        assert_int_equal(read_pieces(all, 1, 1, &cut), HTTP_STEP_OVER);
        assert_true(span_eq(buf_span(&whole), buf_span(&cut)));
        /* And what is cut off is missed. */
        for (size_t n = 0; n < all.n && i < 3; n++)
            assert_int_equal(read_pieces(span_sub(all, 0, n), n, n, &cut), HTTP_STEP_MORE);
    }
    buf_free(&whole);
    buf_free(&cut);
}

static void answers_have_no_more_head_than_is_accepted(void **state)
{
    struct buf all, text;
    (void)state;
    buf_init(&all, 1 << 16);
    buf_init(&text, 1 << 16);
    buf_put_str(&all, "HTTP/1.1 200 OK\r\nX-A: ");
    for (int i = 0; i < 5000; i++)
        buf_put_u8(&all, 'a');
    buf_put_str(&all, "\r\n\r\n");
    assert_int_equal(read_pieces(buf_span(&all), all.n, all.n, &text), HTTP_STEP_BAD);
    assert_int_equal(read_pieces(buf_span(&all), 100, 100, &text), HTTP_STEP_BAD);
    /* As long as is accepted, it is one wherever it is cut. */
    buf_clear(&all);
    buf_put_str(&all, "HTTP/1.1 200 OK\r\nX-A: ");
    while (all.n < HEAD_MAX - 4)
        buf_put_u8(&all, 'a');
    buf_put_str(&all, "\r\n\r\nbody");
    for (size_t piece = 1; piece < 9; piece++)
        assert_int_equal(read_pieces(buf_span(&all), piece, piece, &text), HTTP_STEP_OVER);
    buf_clear(&all);
    for (int i = 0; i < 17; i++)
        buf_put_str(&all, "HTTP/1.1 102 Processing\r\n\r\n");
    assert_int_equal(read_pieces(buf_span(&all), all.n, all.n, &text), HTTP_STEP_BAD);
    buf_free(&all);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_read_in_its_parts),
        cmocka_unit_test(smugglers_requests_are_refused),
        cmocka_unit_test(head_is_found_wherever_it_is_cut),
        cmocka_unit_test(chunks_are_joined_wherever_they_are_cut),
        cmocka_unit_test(smugglers_chunks_are_refused),
        cmocka_unit_test(fields_of_answers_hold_no_line_ends),
        cmocka_unit_test(events_are_read_wherever_they_are_cut),
        cmocka_unit_test(event_that_is_too_large_is_passed_over_and_counted),
        cmocka_unit_test(answer_is_the_same_however_it_is_cut),
        cmocka_unit_test(answers_have_no_more_head_than_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
