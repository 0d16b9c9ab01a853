/* Checkpoints, receipts and disclosures: what is accepted, and that nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "assay/verify.h"
#include "support/paper_log.h"
#include "support/prefixes.h"

enum { LEAVES = 11, INDEX = 5, NOTE = 8 << 20 };

static struct paper_log paper;
static struct paper_sealed sealed;
static struct buf receipt, bundle, checkpoint;

static int setup(void **state)
{
    (void)state;
    buf_init(&receipt, NOTE);
    buf_init(&bundle, NOTE);
    buf_init(&checkpoint, NOTE);
    paper_start(&paper);
    paper_fill(&paper, LEAVES - 1);
    paper_seal(&paper, span_str("What is the capital of France?"), &sealed);
    paper_checkpoint(&paper, LEAVES, 2, &checkpoint);
    paper_receipt(&paper, INDEX, LEAVES, 2, &receipt);
    paper_bundle(&paper, &sealed, LEAVES, &bundle);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&receipt);
    buf_free(&bundle);
    buf_free(&checkpoint);
    paper_free(&paper);
    return 0;
}

static struct trust trust_paper(void)
{
    return (struct trust){.log_keys = &paper.name,
                          .log_key_count = 1,
                          .witnesses = paper.witness_name,
                          .witness_count = PAPER_WITNESSES};
}

typedef bool verify_one(struct verified *, struct span, const struct trust *, struct arena *,
                        struct err *);

/* The code with which it was refused; ERR_NONE when it was accepted. */
static enum err_code verdict(verify_one *f, struct span bytes, const struct trust *t)
{
    struct arena *a = arena_new(64 << 20);
    struct err e = ERR_INIT;
    struct verified v;
    bool ok = f(&v, bytes, t, a, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    arena_free(a);
    return e.code;
}

static void assert_refused(verify_one *f, struct span bytes, const struct trust *t)
{
    enum err_code code = verdict(f, bytes, t);
    if (code != ERR_INTEGRITY && code != ERR_FORMAT && code != ERR_LIMIT && code != ERR_UNSUPPORTED)
        fail_msg("verdict %s on: %.*s", err_name(code), (int)bytes.n, (const char *)bytes.p);
}

/* `bytes` with the first `old` replaced; freed by the caller. */
static struct buf replaced(struct span bytes, const char *old, const char *new)
{
    struct buf b;
    const uint8_t *at = memmem(bytes.p, bytes.n, old, strlen(old));
    assert_non_null(at);
    size_t from = (size_t)(at - bytes.p);
    buf_init(&b, 64 << 20);
    buf_put_span(&b, span_sub(bytes, 0, from));
    buf_put_str(&b, new);
    buf_put_span(&b, span_sub(bytes, from + strlen(old), bytes.n));
    assert_true(buf_ok(&b));
    return b;
}

static void assert_replaced(verify_one *f, struct span bytes, const char *old, const char *new,
                            enum err_code expected)
{
    struct trust t = trust_paper();
    struct buf b = replaced(bytes, old, new);
    enum err_code code = verdict(f, buf_span(&b), &t);
    if (code != expected)
        fail_msg("%s -> %s gave %s", old, new, err_name(code));
    buf_free(&b);
}

static void receipt_shows_leaf_checkpoint_and_witnesses(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct trust t = trust_paper();
    struct verified v;
    t.required = 2;
    assert_true(verify_receipt(&v, buf_span(&receipt), &t, a, NULL));
    assert_int_equal(v.index, INDEX);
    assert_int_equal(v.checkpoint.size, LEAVES);
    assert_true(span_is(v.checkpoint.origin, PAPER_ORIGIN));
    assert_true(v.pinned && v.signed_by_log);
    assert_int_equal(v.cosignatures, 2);
    assert_int_equal(v.newest_cosignature, PAPER_WITNESSED);
    assert_int_equal(v.record.head.kind, RECORD_CALL_OUTCOME);
    assert_true(span_eq(v.record.leaf, paper.leaf[INDEX]));
    t.required = 3;
    assert_false(verify_receipt(&v, buf_span(&receipt), &t, a, NULL));
    arena_free(a);
}

static void every_entry_of_every_size_verifies(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    for (uint64_t size = 1; size <= LEAVES; size++)
        for (uint64_t i = 0; i < size; i++) {
            struct buf b;
            buf_init(&b, NOTE);
            paper_receipt(&paper, i, size, 0, &b);
            assert_int_equal(verdict(verify_receipt, buf_span(&b), &t), ERR_NONE);
            buf_free(&b);
        }
}

static void without_a_key_the_receipt_is_not_pinned(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct trust none = {.required = 0};
    struct verified v;
    assert_true(verify_receipt(&v, buf_span(&receipt), &none, a, NULL));
    assert_false(v.pinned);
    assert_false(v.signed_by_log);
    arena_free(a);
}

static void altered_bits_are_refused(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    t.required = 2;
    struct buf *all[] = {&checkpoint, &receipt, &bundle};
    verify_one *by[] = {verify_checkpoint, verify_receipt, verify_bundle};
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(verdict(by[k], buf_span(all[k]), &t), ERR_NONE);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < all[k]->n; i++)
            for (int bit = 0; bit < 8; bit += k == 2 ? 5 : 1) {
                /* White space between the bundle's members means nothing. */
                uint8_t before = all[k]->p[i];
                all[k]->p[i] ^= (uint8_t)(1 << bit);
                bool blank = k == 2 && strchr(" \n\t\r", before) && strchr(" \n\t\r", all[k]->p[i]);
                if (!blank)
                    assert_refused(by[k], buf_span(all[k]), &t);
                all[k]->p[i] = before;
            }
}

struct prefix_case {
    verify_one *by;
    size_t whole, accepted;
};

static void try_prefix(struct span prefix, void *arg)
{
    struct prefix_case *c = arg;
    struct trust t = trust_paper();
    t.required = 2;
    if (verdict(c->by, prefix, &t) != ERR_NONE)
        return;
    assert_true(prefix.n >= c->whole - 1); /* the bundle's last line end is not needed */
    c->accepted++;
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    struct buf *all[] = {&checkpoint, &receipt};
    verify_one *by[] = {verify_checkpoint, verify_receipt};
    for (size_t k = 0; k < 2; k++) {
        struct prefix_case c = {by[k], all[k]->n, 0};
        assert_true(prefixes_each(buf_span(all[k]), SIZE_MAX, 1, try_prefix, &c));
        assert_int_equal(c.accepted, 1);
    }
}

static void bundle_cut_short_is_refused(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    for (size_t n = 0; n + 1 < bundle.n; n++)
        assert_refused(verify_bundle, span_sub(buf_span(&bundle), 0, n), &t);
}

static void receipt_of_other_shape_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new;
        enum err_code code;
    } cases[] = {
        {"c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", ERR_FORMAT},
        {"extra ", "extra  ", ERR_FORMAT},
        {"extra ", "", ERR_FORMAT},
        {"extra ", "Extra ", ERR_FORMAT},
        {"extra ", "extra AAAA", ERR_INTEGRITY},
        {"index 5", "index 05", ERR_FORMAT},
        {"index 5", "index +5", ERR_FORMAT},
        {"index 5", "index ", ERR_FORMAT},
        {"index 5", "index 5 ", ERR_FORMAT},
        {"index 5", "index -1", ERR_FORMAT},
        {"index 5", "index 4", ERR_INTEGRITY},
        {"index 5", "index 11", ERR_INTEGRITY},
        {"index 5", "index 18446744073709551615", ERR_INTEGRITY},
        {"index 5", "index 18446744073709551616", ERR_FORMAT},
        {"index 5\n", "index 5\n\n", ERR_UNSUPPORTED},
        {"index 5\n", "index 5\nAAAA\n", ERR_FORMAT},
        {"index 5\n", "index 5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", ERR_INTEGRITY},
        {"index 5\n", "index 5\r\n", ERR_FORMAT},
        {"\n11\n", "\n12\n", ERR_INTEGRITY},
        {"\n11\n", "\n011\n", ERR_FORMAT},
        {"\n11\n", "\n10\n", ERR_INTEGRITY},
        {"\n\xE2\x80\x94", "extension\n\n\xE2\x80\x94", ERR_UNSUPPORTED},
        {"\n\xE2\x80\x94", "\n- ", ERR_FORMAT},
        {"=\n\n\xE2\x80\x94", "\n\n\xE2\x80\x94", ERR_FORMAT},
        {"\n\n" PAPER_ORIGIN, "\n\nexample.org/other", ERR_INTEGRITY},
        {"\xE2\x80\x94 " PAPER_ORIGIN, "\xE2\x80\x94 example.org/other", ERR_INTEGRITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_replaced(verify_receipt, buf_span(&receipt), cases[i].old, cases[i].new,
                        cases[i].code);
}

static void leaf_of_another_entry_does_not_pass(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    struct buf other, b;
    buf_init(&other, NOTE);
    paper_receipt(&paper, INDEX + 2, LEAVES, 2, &other);
    size_t index = (size_t)((uint8_t *)memmem(receipt.p, receipt.n, "\nindex", 6) - receipt.p);
    size_t theirs = (size_t)((uint8_t *)memmem(other.p, other.n, "\nindex", 6) - other.p);
    buf_init(&b, NOTE);
    buf_put_span(&b, span_sub(buf_span(&other), 0, theirs));
    buf_put_span(&b, span_sub(buf_span(&receipt), index, receipt.n));
    assert_int_equal(verdict(verify_receipt, buf_span(&b), &t), ERR_INTEGRITY);
    buf_free(&b);
    buf_free(&other);
}

static void wrong_origin_and_unknown_keys_are_refused(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    struct note_key other = paper.witness_name[0];
    t.origin = span_str("example.org/another");
    assert_int_equal(verdict(verify_checkpoint, buf_span(&checkpoint), &t), ERR_INTEGRITY);
    t.origin = span_str(PAPER_ORIGIN);
    assert_int_equal(verdict(verify_checkpoint, buf_span(&checkpoint), &t), ERR_NONE);
    t.log_keys = &other; /* another log's */
    assert_int_equal(verdict(verify_checkpoint, buf_span(&checkpoint), &t), ERR_INTEGRITY);
    struct sign_public k = sign_key_public(paper.witness[0]);
    assert_true(note_key_make(&other, span_str(PAPER_ORIGIN), NOTE_ED25519, &k, NULL));
    assert_int_equal(verdict(verify_checkpoint, buf_span(&checkpoint), &t), ERR_INTEGRITY);
    struct note_key both[] = {other, paper.name};
    t.log_keys = both;
    t.log_key_count = 2;
    assert_int_equal(verdict(verify_checkpoint, buf_span(&checkpoint), &t), ERR_NONE);
}

static void signature_lines_without_end_are_refused_quickly(void **state)
{
    (void)state;
    static const char line[] = "\xE2\x80\x94 unknown.example AAAAAAAA\n";
    struct trust t = trust_paper();
    struct buf b;
    buf_init(&b, 64 << 20);
    buf_put_span(&b, buf_span(&checkpoint));
    for (int i = 0; i < 16; i++)
        buf_put_str(&b, line);
    assert_int_equal(verdict(verify_checkpoint, buf_span(&b), &t), ERR_NONE);
    for (int i = 16; i < 1000; i++)
        buf_put_str(&b, line);
    assert_int_equal(verdict(verify_checkpoint, buf_span(&b), &t), ERR_LIMIT);
    for (int i = 1000; i < 100000; i++)
        buf_put_str(&b, line);
    assert_true(buf_ok(&b));
    assert_int_equal(verdict(verify_checkpoint, buf_span(&b), &t), ERR_LIMIT);
    buf_free(&b);
}

static void proof_hashes_without_end_are_refused(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    struct buf b;
    buf_init(&b, 64 << 20);
    buf_put_str(&b, "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n");
    for (int i = 0; i < 20000; i++)
        buf_put_str(&b, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    assert_int_equal(verdict(verify_receipt, buf_span(&b), &t), ERR_LIMIT);
    buf_free(&b);
}

/* ---- disclosures ---- */

static void disclosure_shows_what_the_leaf_commits_to(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct trust t = trust_paper();
    struct verified v;
    assert_true(verify_bundle(&v, buf_span(&bundle), &t, a, NULL));
    assert_int_equal(v.field_count, 1);
    assert_true(span_is(v.fields[0].field, "prompt"));
    assert_true(span_is(v.fields[0].content, "What is the capital of France?"));
    assert_int_equal(v.index, sealed.seq);
    arena_free(a);
}

static void disclosure_of_other_content_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new;
        enum err_code code;
    } cases[] = {
        {"France", "Norway", ERR_INTEGRITY},
        {"\"prompt\"", "\"answer\"", ERR_INTEGRITY},
        {"5a5a", "5a5b", ERR_INTEGRITY},
        {"5a5a", "5a", ERR_FORMAT},
        {"\"content\": \"What is the capital of France?\"",
         "\"content_base64\": \"V2hhdCBpcyB0aGUgY2FwaXRhbCBvZiBGcmFuY2U/\"", ERR_NONE},
        {"\"content\": \"", "\"content_base64\": \"AAAA\", \"content\": \"", ERR_FORMAT},
        {"\"content\": \"What is the capital of France?\",", "", ERR_FORMAT},
        {"\"content\": \"What is the capital of France?\"", "\"content\": 1", ERR_FORMAT},
        {"\"salt\"", "\"pepper\": 1, \"salt\"", ERR_UNSUPPORTED},
        {"\"bundle\"", "\"more\": 1, \"bundle\"", ERR_UNSUPPORTED},
        {"disclosure/v1", "disclosure/v2", ERR_FORMAT},
        {"\"receipt\": \"c2sp", "\"receipt\": \"d2sp", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_replaced(verify_bundle, buf_span(&bundle), cases[i].old, cases[i].new,
                        cases[i].code);
}

static void running_out_of_memory_is_said(void **state)
{
    (void)state;
    struct trust t = trust_paper();
    struct buf *all[] = {&checkpoint, &receipt, &bundle};
    verify_one *by[] = {verify_checkpoint, verify_receipt, verify_bundle};
    for (size_t k = 0; k < 3; k++)
        for (uint64_t n = 1; n < 200; n++) {
            struct arena *a = arena_new(64 << 20);
            struct err e = ERR_INIT;
            struct verified v;
            arena_fail_after(n);
            bool ok = by[k](&v, buf_span(all[k]), &t, a, &e);
            arena_fail_after(0);
            arena_free(a);
            assert_int_equal(ok, e.code == ERR_NONE);
            if (ok)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receipt_shows_leaf_checkpoint_and_witnesses),
        cmocka_unit_test(every_entry_of_every_size_verifies),
        cmocka_unit_test(without_a_key_the_receipt_is_not_pinned),
        cmocka_unit_test(altered_bits_are_refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(bundle_cut_short_is_refused),
        cmocka_unit_test(receipt_of_other_shape_is_refused_with_the_reason),
        cmocka_unit_test(leaf_of_another_entry_does_not_pass),
        cmocka_unit_test(wrong_origin_and_unknown_keys_are_refused),
        cmocka_unit_test(signature_lines_without_end_are_refused_quickly),
        cmocka_unit_test(proof_hashes_without_end_are_refused),
        cmocka_unit_test(disclosure_shows_what_the_leaf_commits_to),
        cmocka_unit_test(disclosure_of_other_content_is_refused),
        cmocka_unit_test(running_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
