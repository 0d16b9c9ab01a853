/* The client's half of tlog-witness against prepared answers; cosignatures made with known keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/witness.h"
#include "support/canned_server.h"

enum { SIZE = 70, COSIGNED_AT = 1700000000 };

static struct digest leaves[SIZE];
static struct sign_key *log_key, *witness_key, *other_key;
static struct note_key log_name, witness_name, other_name;
static struct buf text, note; /* the checkpoint of SIZE, unsigned and signed */

/* RFC 9162 section 2.1.1, by recursion. */
static struct digest tree_hash(size_t from, size_t n)
{
    if (n == 1)
        return leaves[from];
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    struct digest left = tree_hash(from, k), right = tree_hash(from + k, n - k);
    return merkle_node(&left, &right);
}

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    (void)arg;
    (void)e;
    assert_true((index + 1) << level <= SIZE);
    *out = tree_hash(index << level, (size_t)1 << level);
    return true;
}

static const struct hash_reader tree = {read_hash, NULL};

static void make_key(struct sign_key **k, struct note_key *name, uint8_t seed,
                     const char *text_name, enum note_type type)
{
    uint8_t bytes[32] = {seed};
    assert_true(sign_key_from_seed(k, bytes, NULL));
    struct sign_public p = sign_key_public(*k);
    assert_true(note_key_make(name, span_str(text_name), type, &p, NULL));
}

static int setup(void **state)
{
    (void)state;
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    for (size_t i = 0; i < SIZE; i++)
        leaves[i] = merkle_leaf((struct span){(const uint8_t *)&i, sizeof i});
    make_key(&log_key, &log_name, 1, "example.org/log", NOTE_ED25519);
    make_key(&witness_key, &witness_name, 2, "witness.example/w1", NOTE_COSIGNATURE);
    make_key(&other_key, &other_name, 3, "witness.example/w2", NOTE_COSIGNATURE);
    struct checkpoint c = {span_str("example.org/log"), SIZE, tree_hash(0, SIZE)};
    buf_init(&text, 4096);
    checkpoint_put(&text, &c);
    buf_init(&note, 4096);
    buf_put_span(&note, buf_span(&text));
    buf_put_u8(&note, '\n');
    assert_true(note_sign(&note, buf_span(&text), &log_name, log_key, NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sign_key_free(log_key);
    sign_key_free(witness_key);
    sign_key_free(other_key);
    buf_free(&text);
    buf_free(&note);
    return 0;
}

/* ---- answers ---- */

static void put_answer(struct buf *out, unsigned status, const char *type, struct span body)
{
    buf_init(out, 1 << 20);
    buf_printf(out, "HTTP/1.1 %u Status\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
               type, body.n);
    buf_put_span(out, body);
}

static void put_cosignature(struct buf *out, struct span over, const struct note_key *name,
                            const struct sign_key *k)
{
    assert_true(note_cosign(out, over, name, k, COSIGNED_AT, NULL));
}

/* An exchange of several answers; the requests as they came, in order. */
struct run {
    struct canned answers[4];
    struct buf held[4];
    size_t count;
    unsigned timeout_ms;
    uint64_t old_size;
    struct witness_answer got;
    struct err e;
    struct buf requests[4];
};

static void expect_answer(struct run *r, unsigned status, const char *type, struct span body)
{
    put_answer(&r->held[r->count], status, type, body);
    r->answers[r->count].answer = buf_span(&r->held[r->count]);
    r->count++;
}

static bool go(struct run *r)
{
    struct canned_server *s = canned_start(r->answers, r->count);
    char url[128];
    snprintf(url, sizeof url, "%s/prefix/", canned_url(s));
    struct witness w = {.url = url, .key = &witness_name, .timeout_ms = r->timeout_ms};
    err_clear(&r->e);
    bool ok = witness_cosign(&r->got, &w, r->old_size, buf_span(&note), &tree, &r->e);
    assert_true(ok == (r->got.outcome == WITNESS_COSIGNED));
    assert_true(ok == (r->e.code == ERR_NONE));
    if (!ok && r->got.outcome != WITNESS_NOT_ASKED)
        assert_non_null(strstr(r->e.text, "http://127.0.0.1:"));
    for (size_t i = 0; i < r->count; i++) {
        buf_init(&r->requests[i], 1 << 20);
        if (r->timeout_ms == 0 && r->got.outcome != WITNESS_NOT_ASKED)
            buf_put_span(&r->requests[i], canned_request(s, i));
    }
    canned_stop(s);
    return ok;
}

static void end(struct run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        buf_free(&r->held[i]);
        buf_free(&r->requests[i]);
    }
    witness_answer_free(&r->got);
}

/* A single answer gives this outcome and error. */
static void check_outcome(unsigned status, const char *type, struct span body, uint64_t old_size,
                          enum witness_outcome outcome, enum err_code code)
{
    struct run r = {.old_size = old_size};
    expect_answer(&r, status, type, body);
    bool ok = go(&r);
    if (r.got.outcome != outcome || (!ok && r.e.code != code))
        fail_msg("status %u: %s, %s: %s", status, witness_outcome_name(r.got.outcome),
                 err_name(r.e.code), r.e.text);
    if (!ok)
        assert_int_equal(r.got.lines.n, 0);
    assert_int_equal(r.got.status, status);
    end(&r);
}

/* The body of request `i`. */
static struct span sent_body(const struct run *r, size_t i)
{
    struct span s = buf_span(&r->requests[i]);
    const uint8_t *at = memmem(s.p, s.n, "\r\n\r\n", 4);
    assert_non_null(at);
    size_t from = (size_t)(at - s.p) + 4;
    return span_sub(s, from, s.n - from);
}

/* ---- tests ---- */

static void accepts_a_cosignature_that_verifies(void **state)
{
    (void)state;
    struct run r = {.old_size = 0};
    struct buf body;
    buf_init(&body, 4096);
    put_cosignature(&body, buf_span(&text), &witness_name, witness_key);
    expect_answer(&r, 200, "text/plain", buf_span(&body));
    assert_true(go(&r));
    assert_true(span_eq(buf_span(&r.got.lines), buf_span(&body)));
    assert_int_equal(r.got.time, COSIGNED_AT);
    /* "old 0", no proof, an empty line, the note. */
    struct span sent = sent_body(&r, 0);
    assert_true(span_starts(sent, "old 0\n\nexample.org/log\n70\n"));
    assert_true(span_starts(buf_span(&r.requests[0]), "POST /prefix/add-checkpoint HTTP/1.1\r\n"));
    assert_true(span_eq(span_sub(sent, 7, sent.n), buf_span(&note)));
    end(&r);
    buf_free(&body);
}

static void ignores_lines_of_unknown_keys(void **state)
{
    (void)state;
    struct run r = {.old_size = SIZE};
    struct buf body, own;
    buf_init(&own, 4096);
    put_cosignature(&own, buf_span(&text), &witness_name, witness_key);
    buf_init(&body, 4096);
    put_cosignature(&body, buf_span(&text), &other_name, other_key);
    buf_put_span(&body, buf_span(&own));
    expect_answer(&r, 200, "text/plain", buf_span(&body));
    assert_true(go(&r));
    assert_true(span_eq(buf_span(&r.got.lines), buf_span(&own)));
    end(&r);
    buf_free(&body);
    buf_free(&own);
}

/* The proof lines of a request hold between the two trees. */
static void check_proof(struct span sent, size_t old_size)
{
    struct proof p = {.count = 0};
    struct arena *a = arena_new(65536);
    char first[32];
    snprintf(first, sizeof first, "old %zu\n", old_size);
    assert_true(span_starts(sent, first));
    sent = span_sub(sent, strlen(first), sent.n);
    while (!span_starts(sent, "\n")) {
        const uint8_t *lf = memchr(sent.p, '\n', sent.n);
        struct span raw;
        assert_non_null(lf);
        size_t n = (size_t)(lf - sent.p);
        assert_true(base64_decode(span_sub(sent, 0, n), a, &raw) && raw.n == DIGEST_SIZE);
        memcpy(p.hash[p.count++].b, raw.p, DIGEST_SIZE);
        sent = span_sub(sent, n + 1, sent.n);
    }
    struct digest old_root = tree_hash(0, old_size), root = tree_hash(0, SIZE);
    assert_true(proof_consistency_ok(old_size, &old_root, SIZE, &root, &p));
    arena_free(a);
}

static void repeats_once_from_the_size_the_witness_holds(void **state)
{
    (void)state;
    for (size_t held = 1; held < SIZE; held += 11) {
        struct run r = {.old_size = held > 30 ? 3 : 0};
        char size[16];
        snprintf(size, sizeof size, "%zu\n", held);
        struct buf body;
        buf_init(&body, 4096);
        put_cosignature(&body, buf_span(&text), &witness_name, witness_key);
        expect_answer(&r, 409, "text/x.tlog.size", span_str(size));
        expect_answer(&r, 200, "text/plain", buf_span(&body));
        assert_true(go(&r));
        check_proof(sent_body(&r, 1), held);
        end(&r);
        buf_free(&body);
    }
}

static void repeats_with_the_same_size_or_none(void **state)
{
    (void)state;
    const char *const held[] = {"70\n", "0\n"};
    for (size_t i = 0; i < 2; i++) {
        struct run r = {.old_size = 9};
        struct buf body;
        char first[32];
        buf_init(&body, 4096);
        put_cosignature(&body, buf_span(&text), &witness_name, witness_key);
        expect_answer(&r, 409, "text/x.tlog.size", span_str(held[i]));
        expect_answer(&r, 200, "text/plain", buf_span(&body));
        assert_true(go(&r));
        snprintf(first, sizeof first, "old %s\nexample.org/log\n", held[i]);
        assert_true(span_starts(sent_body(&r, 1), first));
        end(&r);
        buf_free(&body);
    }
}

static void repeats_no_second_time(void **state)
{
    (void)state;
    struct run r = {.old_size = 0};
    expect_answer(&r, 409, "text/x.tlog.size", span_str("5\n"));
    expect_answer(&r, 409, "text/x.tlog.size", span_str("6\n"));
    assert_false(go(&r));
    assert_int_equal(r.got.outcome, WITNESS_CONFLICT);
    assert_int_equal(r.got.size, 6);
    assert_int_equal(r.e.code, ERR_IO);
    end(&r);
}

static void says_when_the_witness_is_ahead(void **state)
{
    (void)state;
    struct run r = {.old_size = 5};
    expect_answer(&r, 409, "text/x.tlog.size", span_str("71\n"));
    assert_false(go(&r));
    assert_int_equal(r.got.outcome, WITNESS_AHEAD);
    assert_int_equal(r.got.size, 71);
    assert_int_equal(r.e.code, ERR_INTEGRITY);
    assert_non_null(strstr(r.e.text, "rolled back"));
    end(&r);
}

static void knows_a_rollback_without_asking(void **state)
{
    (void)state;
    struct run r = {.old_size = SIZE + 1};
    assert_false(go(&r));
    assert_int_equal(r.got.outcome, WITNESS_AHEAD);
    assert_int_equal(r.e.code, ERR_INTEGRITY);
    end(&r);
}

static void says_when_the_witness_holds_another_root(void **state)
{
    (void)state;
    check_outcome(409, "text/x.tlog.size", span_str("70\n"), SIZE, WITNESS_FORKED, ERR_INTEGRITY);
    check_outcome(409, "text/plain", SPAN_EMPTY, SIZE, WITNESS_FORKED, ERR_INTEGRITY);
}

static void gives_each_refusal_its_name(void **state)
{
    (void)state;
    const struct {
        unsigned status;
        enum witness_outcome outcome;
        enum err_code code;
    } cases[] = {
        {400, WITNESS_MALFORMED, ERR_FORMAT}, {403, WITNESS_UNTRUSTED, ERR_CONFIG},
        {404, WITNESS_UNKNOWN, ERR_CONFIG},   {422, WITNESS_FORKED, ERR_INTEGRITY},
        {429, WITNESS_BUSY, ERR_IO},          {500, WITNESS_BUSY, ERR_IO},
        {503, WITNESS_BUSY, ERR_IO},          {301, WITNESS_INVALID, ERR_FORMAT},
        {204, WITNESS_INVALID, ERR_FORMAT},   {418, WITNESS_INVALID, ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_outcome(cases[i].status, "text/plain",
                      cases[i].status == 204 ? SPAN_EMPTY : span_str("why\n"), 7, cases[i].outcome,
                      cases[i].code);
}

static void refuses_a_conflict_without_a_size(void **state)
{
    (void)state;
    const char *const bodies[] = {"",     "\n",    "5",     "05\n",
                                  "-5\n", "5\n\n", "5\r\n", "x\n",
                                  "+5\n", " 5\n",  "0x5\n", "99999999999999999999\n"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        check_outcome(409, "text/x.tlog.size", span_str(bodies[i]), 7, WITNESS_INVALID, ERR_FORMAT);
    check_outcome(409, "text/plain", span_str("5\n"), 7, WITNESS_INVALID, ERR_FORMAT);
    check_outcome(409, "text/x.tlog.sizes", span_str("5\n"), 7, WITNESS_INVALID, ERR_FORMAT);
    /* It cannot hold the very size that it refuses. */
    check_outcome(409, "text/x.tlog.size", span_str("7\n"), 7, WITNESS_INVALID, ERR_FORMAT);
}

static void refuses_a_cosignature_that_is_none(void **state)
{
    (void)state;
    struct buf good, line;
    struct sign_public wrong = sign_key_public(other_key);
    struct note_key forged = witness_name;
    buf_init(&good, 4096);
    put_cosignature(&good, buf_span(&text), &witness_name, witness_key);
    /* By another key; by another key in the witness's name; over another text. */
    buf_init(&line, 4096);
    put_cosignature(&line, buf_span(&text), &other_name, other_key);
    check_outcome(200, "text/plain", buf_span(&line), 0, WITNESS_INVALID, ERR_INTEGRITY);
    buf_clear(&line);
    forged.key = wrong;
    put_cosignature(&line, buf_span(&text), &forged, other_key);
    check_outcome(200, "text/plain", buf_span(&line), 0, WITNESS_INVALID, ERR_INTEGRITY);
    buf_clear(&line);
    put_cosignature(&line, span_str("example.org/log\n69\nAAAA\n"), &witness_name, witness_key);
    check_outcome(200, "text/plain", buf_span(&line), 0, WITNESS_INVALID, ERR_INTEGRITY);
    /* A true line does not excuse a false one in the same name. */
    buf_put_span(&line, buf_span(&good));
    check_outcome(200, "text/plain", buf_span(&line), 0, WITNESS_INVALID, ERR_INTEGRITY);
    /* Time is signed, and there must be one. */
    buf_clear(&line);
    assert_true(note_cosign(&line, buf_span(&text), &witness_name, witness_key, 0, NULL));
    check_outcome(200, "text/plain", buf_span(&line), 0, WITNESS_INVALID, ERR_INTEGRITY);
    buf_free(&line);
    buf_free(&good);
}

static void refuses_garbage_for_a_cosignature(void **state)
{
    (void)state;
    struct buf good, body;
    buf_init(&good, 4096);
    put_cosignature(&good, buf_span(&text), &witness_name, witness_key);
    const char *const bodies[] = {"",
                                  "\n",
                                  "\n\n",
                                  "<html></html>\n",
                                  "\xE2\x80\x94 x\n",
                                  "\xFF\xFE\n",
                                  "\xE2\x80\x94 witness.example/w1 AAAA\n"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        check_outcome(200, "text/plain", span_str(bodies[i]), 0, WITNESS_INVALID, ERR_INTEGRITY);
    /* A whole note, or an empty line before the lines, is not a list of lines. */
    buf_init(&body, 8192);
    buf_put_str(&body, "\n");
    buf_put_span(&body, buf_span(&good));
    check_outcome(200, "text/plain", buf_span(&body), 0, WITNESS_INVALID, ERR_INTEGRITY);
    buf_clear(&body);
    buf_put_span(&body, buf_span(&note));
    buf_put_span(&body, buf_span(&good));
    check_outcome(200, "text/plain", buf_span(&body), 0, WITNESS_INVALID, ERR_INTEGRITY);
    /* Signed by the witness, and over more than the checkpoint. */
    struct buf more;
    buf_init(&more, 4096);
    buf_put_span(&more, buf_span(&text));
    buf_put_str(&more, "\nmore\n");
    buf_clear(&body);
    buf_put_str(&body, "more\n\n");
    put_cosignature(&body, buf_span(&more), &witness_name, witness_key);
    check_outcome(200, "text/plain", buf_span(&body), 0, WITNESS_INVALID, ERR_INTEGRITY);
    buf_free(&more);
    /* Every prefix. */
    for (size_t n = 0; n < good.n; n++)
        check_outcome(200, "text/plain", span_sub(buf_span(&good), 0, n), 0, WITNESS_INVALID,
                      ERR_INTEGRITY);
    buf_free(&body);
    buf_free(&good);
}

static void refuses_an_answer_that_is_too_large(void **state)
{
    (void)state;
    struct run r = {.old_size = 0};
    struct buf body;
    buf_init(&body, 1 << 20);
    while (body.n <= WITNESS_ANSWER_MAX)
        put_cosignature(&body, buf_span(&text), &witness_name, witness_key);
    expect_answer(&r, 200, "text/plain", buf_span(&body));
    assert_false(go(&r));
    assert_int_equal(r.got.outcome, WITNESS_INVALID);
    assert_int_equal(r.e.code, ERR_LIMIT);
    end(&r);
    buf_free(&body);
}

static void waits_no_longer_than_it_may(void **state)
{
    (void)state;
    struct run r = {.timeout_ms = 150};
    expect_answer(&r, 200, "text/plain", SPAN_EMPTY);
    r.answers[0].delay_ms = 4000;
    assert_false(go(&r));
    assert_int_equal(r.got.outcome, WITNESS_UNREACHED);
    assert_int_equal(r.e.code, ERR_IO);
    end(&r);
}

static bool false_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    bool ok = read_hash(arg, level, index, out, e);
    out->b[0] ^= level == 1;
    return ok;
}

static void shows_no_checkpoint_that_the_tree_does_not_bear_out(void **state)
{
    (void)state;
    const struct hash_reader broken = {false_hash, NULL};
    struct witness w = {.url = "http://127.0.0.1:1", .key = &witness_name};
    struct witness_answer a;
    struct err e = ERR_INIT;
    assert_false(witness_cosign(&a, &w, 0, buf_span(&note), &broken, &e));
    assert_int_equal(a.outcome, WITNESS_NOT_ASKED);
    assert_int_equal(e.code, ERR_INTEGRITY);
    witness_answer_free(&a);
}

static void refuses_a_wrong_request_before_sending(void **state)
{
    (void)state;
    const struct proof none = {.count = 0}, long_proof = {.count = PROOF_MAX};
    struct witness w = {.url = "http://127.0.0.1:1", .key = &log_name};
    struct witness_answer a;
    struct err e = ERR_INIT;
    assert_false(witness_submit(&a, &w, 0, &none, buf_span(&note), &e));
    assert_int_equal(e.code, ERR_CONFIG); /* not a cosigner's key */
    witness_answer_free(&a);
    w.key = &witness_name;
    err_clear(&e);
    assert_false(witness_submit(&a, &w, 1, &long_proof, buf_span(&note), &e));
    assert_int_equal(e.code, ERR_LIMIT); /* 64 proof lines */
    witness_answer_free(&a);
    err_clear(&e);
    assert_false(witness_submit(&a, &w, 0, &none, buf_span(&text), &e));
    assert_int_equal(e.code, ERR_FORMAT); /* not signed */
    assert_int_equal(a.outcome, WITNESS_NOT_ASKED);
    witness_answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_a_cosignature_that_verifies),
        cmocka_unit_test(ignores_lines_of_unknown_keys),
        cmocka_unit_test(repeats_once_from_the_size_the_witness_holds),
        cmocka_unit_test(repeats_with_the_same_size_or_none),
        cmocka_unit_test(repeats_no_second_time),
        cmocka_unit_test(says_when_the_witness_is_ahead),
        cmocka_unit_test(knows_a_rollback_without_asking),
        cmocka_unit_test(says_when_the_witness_holds_another_root),
        cmocka_unit_test(gives_each_refusal_its_name),
        cmocka_unit_test(refuses_a_conflict_without_a_size),
        cmocka_unit_test(refuses_a_cosignature_that_is_none),
        cmocka_unit_test(refuses_garbage_for_a_cosignature),
        cmocka_unit_test(refuses_an_answer_that_is_too_large),
        cmocka_unit_test(waits_no_longer_than_it_may),
        cmocka_unit_test(shows_no_checkpoint_that_the_tree_does_not_bear_out),
        cmocka_unit_test(refuses_a_wrong_request_before_sending),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
