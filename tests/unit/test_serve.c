/* Calls through the running server, and what the log says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "assay/base/text.h"
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

static void post(const char *model, bool stream, struct buf *answer)
{
    char body[256];
    snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[]%s}", model,
             stream ? ",\"stream\":true" : "");
    client_post(server.port, "/v1/chat/completions", "", body, answer);
}

/* The scenario's end in the log. */
static void expect(const char *outcome, unsigned status)
{
    struct told t;
    told_wait(&t, &place);
    assert_string_equal(t.outcome, outcome);
    assert_int_equal(t.status, status);
}

/* ---- answers ---- */

static void answer_names_the_entry_and_leaf_that_the_log_has(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    char entry[32], leaf[80], hex[DIGEST_HEX + 1];
    uint64_t seq = 0;
    struct span bytes;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    post("ok", false, &answer);
    assert_int_equal(answer_status(&answer), 200);
    answer_field(&answer, "Assay-Entry", entry, sizeof entry);
    answer_field(&answer, "Assay-Leaf", leaf, sizeof leaf);
    assert_true(text_u64(span_str(entry), &seq));
    expect("complete", 200);
    told_read(&t, &place);
    assert_int_equal(seq, t.outcome_seq);
    struct log_reader *r = logs_reader(&place);
    assert_true(log_reader_leaf(r, seq, a, &bytes, &e));
    struct digest d = record_hash(bytes);
    assert_string_equal(leaf, digest_hex(hex, &d));
    log_reader_close(r);
    arena_free(a);
    buf_free(&answer);
}

/* The value of a metric; false: it is absent. */
static bool told_metric(const char *metric, uint64_t *value)
{
    char name[64];
    struct buf answer;
    client_ask(server.port, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               &answer);
    snprintf(name, sizeof name, "\n%s ", metric);
    const char *at = strstr(buf_cstr(&answer), name);
    if (at) {
        at += strlen(name);
        assert_true(text_u64((struct span){(const uint8_t *)at, strcspn(at, "\n")}, value));
    }
    buf_free(&answer);
    return at;
}

static uint64_t told_tree_size(void)
{
    uint64_t size = 0;
    assert_true(told_metric("audit_tree_size", &size));
    return size;
}

/* A witness cosigns the newest checkpoint at this time, and the running server's log keeps it. */
static void cosign(uint64_t seconds)
{
    static const uint8_t secret[32] = {9};
    struct arena *a = arena_new(1 << 20);
    struct sign_key *witness;
    struct note_key key;
    struct note n;
    struct buf note, line;
    struct log *l;
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(&place);
    buf_init(&note, 1 << 16);
    buf_init(&line, 1 << 16);
    assert_true(sign_key_from_seed(&witness, secret, NULL));
    struct sign_public public = sign_key_public(witness);
    assert_true(
        note_key_make(&key, span_str("witness.example/w"), NOTE_COSIGNATURE, &public, NULL));
    assert_true(log_reader_checkpoint(r, &note, NULL) && note_parse(&n, buf_span(&note), a, NULL) &&
                note_cosign(&line, n.text, &key, witness, seconds, NULL));
    if (!log_open(&l, place.path, NULL, &e) ||
        !log_keep_cosignatures(l, buf_span(&note), buf_span(&line), &e))
        fail_msg("%s", e.text);
    log_close(l);
    log_reader_close(r);
    sign_key_free(witness);
    buf_free(&note);
    buf_free(&line);
    arena_free(a);
}

static void metrics_tell_how_old_the_newest_cosignature_is(void **state)
{
    (void)state;
    static const char name[] = "audit_last_witness_age_seconds";
    uint64_t age = 0;
    assert_false(told_metric(name, &age));
    cosign((uint64_t)time(NULL) - 1000);
    assert_true(told_metric(name, &age));
    assert_true(age >= 1000 && age < 1300);
    cosign((uint64_t)time(NULL) - 10);
    assert_true(told_metric(name, &age));
    assert_true(age >= 10 && age < 300);
}

static void metrics_tell_the_size_of_the_log(void **state)
{
    (void)state;
    struct buf answer;
    struct told t;
    uint64_t before = told_tree_size();
    assert_true(before > 0); /* the server's own beginning is an entry */
    post("ok", false, &answer);
    expect("complete", 200);
    told_read(&t, &place);
    assert_int_equal(told_tree_size(), t.outcome_seq + 1);
    assert_true(t.outcome_seq >= before);
    buf_free(&answer);
}

static void stream_arrives_whole_and_in_windows(void **state)
{
    (void)state;
    struct buf answer, body;
    struct told t;
    post("slow-4-150", true, &answer); /* a busy machine may bring some of them together */
    answer_body(&answer, &body);
    assert_true(has(&body, "w\xC3\xB6rd0 ") && has(&body, "w\xC3\xB6rd3 "));
    assert_true(has(&body, "data: [DONE]\n\n"));
    expect("complete", 200);
    told_read(&t, &place);
    assert_true(t.window_count >= 2);
    assert_int_equal(t.released, body.n);
    buf_free(&answer);
    buf_free(&body);
}

static void stream_cut_at_every_byte_arrives_whole(void **state)
{
    (void)state;
    struct buf answer, body;
    post("split", true, &answer);
    answer_body(&answer, &body);
    assert_true(has(&body, "w\xC3\xB6rd2 ") && has(&body, "data: [DONE]\n\n"));
    expect("complete", 200);
    buf_free(&answer);
    buf_free(&body);
}

static void log_has_both_sides_octet_for_octet(void **state)
{
    (void)state;
    static const char request[] = "{\"model\":\"slow-3-20\",\"messages\":[],\"stream\":true,"
                                  "\"unknown\":{\"kept\":[1.50,\"\xC3\xA9\"]}}";
    struct buf answer, body, said, head, seen;
    struct told t;
    client_post(server.port, "/v1/chat/completions",
                "Authorization: Bearer secret-of-the-client\r\nX-Custom: yes\r\n"
                "Cookie: a=b\r\nKeep-Alive: 5\r\n",
                request, &answer);
    answer_body(&answer, &body);
    expect("complete", 200);
    told_read(&t, &place);
    assert_true(serving_stop(&server));
    buf_init(&said, 1 << 20);
    told_content(&place, t.intent, "request", &said);
    assert_string_equal(buf_cstr(&said), request);
    buf_clear(&said);
    told_content(&place, t.intent, "response", &said);
    assert_int_equal(said.n, body.n);
    assert_memory_equal(said.p, body.p, body.n);
    buf_clear(&said);
    told_content(&place, t.intent, "request_headers", &said);
    assert_true(has(&said, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"));
    assert_true(has(&said, "\r\nAuthorization: hmac-sha256:"));
    assert_false(has(&said, "secret-of-the-client"));
    const char *second = strstr(buf_cstr(&said), "\r\n\r\n") + 4; /* the upstream's head */
    /* The upstream got what the log says, and nothing that was the client's alone. */
    buf_init(&seen, 1 << 20);
    buf_init(&head, 1 << 20);
    stub_last(stub, &seen);
    buf_put_str(&head, second);
    buf_put_str(&head, request);
    assert_string_equal(buf_cstr(&seen), buf_cstr(&head));
    assert_true(has(&seen, "\r\nX-Custom: yes\r\n"));
    assert_false(has(&seen, "secret-of-the-client") || has(&seen, "Cookie") ||
                 has(&seen, "Keep-Alive"));
    buf_clear(&head);
    told_content(&place, t.intent, "response_headers", &head);
    assert_true(span_starts(buf_span(&head), "HTTP/1.1 200 OK\r\n"));
    second =
        strstr(buf_cstr(&head), "\r\n\r\n") + 4; /* what the client got but for our own fields */
    assert_true(strncmp(buf_cstr(&answer), second, strlen(second) - 2) == 0);
    assert_true(has(&head, "Cache-Control: no-cache\r\n") && !strstr(second, "Cache-Control"));
    serving_start(&server, &place, NULL, stub_port(stub));
    buf_free(&answer);
    buf_free(&body);
    buf_free(&said);
    buf_free(&head);
    buf_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_names_the_entry_and_leaf_that_the_log_has),
        cmocka_unit_test(metrics_tell_the_size_of_the_log),
        cmocka_unit_test(metrics_tell_how_old_the_newest_cosignature_is),
        cmocka_unit_test(stream_arrives_whole_and_in_windows),
        cmocka_unit_test(stream_cut_at_every_byte_arrives_whole),
        cmocka_unit_test(log_has_both_sides_octet_for_octet),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
