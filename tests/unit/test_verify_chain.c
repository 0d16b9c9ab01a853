/* A whole log leaf by leaf: every change to its history is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "assay/verify.h"
#include "support/paper_log.h"

enum { LEAVES = 40, NOTE = 1 << 16 };

static struct paper_log paper;
static struct trust trusted;

static int setup(void **state)
{
    (void)state;
    paper_start(&paper);
    paper_fill(&paper, LEAVES);
    trusted = (struct trust){.log_keys = &paper.name, .log_key_count = 1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    paper_free(&paper);
    return 0;
}

/* Feeds `n` leaves and finishes against the checkpoint of `size` leaves of `signer`. */
static enum err_code run(const struct span *leaf, size_t n, const struct paper_log *signer,
                         uint64_t size, const struct trust *t, struct verified *out)
{
    struct arena *a = arena_new(1 << 20);
    struct err e = ERR_INIT;
    struct verifier *v = NULL;
    struct verified shown;
    struct buf note;
    bool ok = true;
    buf_init(&note, NOTE);
    paper_checkpoint(signer, size, 0, &note);
    assert_true(verifier_new(&v, t, NULL));
    for (size_t i = 0; ok && i < n; i++)
        ok = verifier_leaf(v, leaf[i], &e);
    ok = ok && verifier_finish(v, buf_span(&note), &shown, a, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    if (ok && out) {
        *out = shown;
        out->checkpoint.origin = SPAN_EMPTY; /* lay in the note */
        out->key.name = SPAN_EMPTY;
    }
    verifier_free(v);
    buf_free(&note);
    arena_free(a);
    return e.code;
}

static void whole_log_verifies_and_is_counted(void **state)
{
    (void)state;
    struct verified v;
    assert_int_equal(run(paper.leaf, LEAVES, &paper, LEAVES, &trusted, &v), ERR_NONE);
    assert_int_equal(v.leaves, LEAVES);
    assert_true(v.pinned && v.signed_by_log);
    assert_int_equal(v.open_intents, 0);
    assert_int_equal(v.stray_outcomes, 0);
    assert_int_equal(run(paper.leaf, LEAVES - 1, &paper, LEAVES - 1, &trusted, &v), ERR_NONE);
    assert_int_equal(v.open_intents, 1);
    struct trust none = {.required = 0};
    assert_int_equal(run(paper.leaf, LEAVES, &paper, LEAVES, &none, &v), ERR_NONE);
    assert_true(v.signed_by_log);
    assert_false(v.pinned);
}

static void every_size_verifies(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LEAVES; n++)
        assert_int_equal(run(paper.leaf, n, &paper, n, &trusted, NULL), ERR_NONE);
    assert_int_equal(run(paper.leaf, 0, &paper, 0, &trusted, NULL), ERR_INTEGRITY);
}

/* ---- tampering: the note is the honest log's ---- */

static void tampered(const struct span *leaf, size_t n)
{
    assert_int_equal(run(leaf, n, &paper, LEAVES, &trusted, NULL), ERR_INTEGRITY);
}

static void edited_leaf_is_found(void **state)
{
    (void)state;
    struct span copy[LEAVES];
    for (size_t i = 0; i < LEAVES; i++) {
        uint8_t changed[RECORD_MAX];
        memcpy(copy, paper.leaf, sizeof copy);
        memcpy(changed, copy[i].p, copy[i].n);
        copy[i].p = changed;
        for (size_t at = i % 7; at < copy[i].n; at += 7) {
            changed[at] ^= 1;
            tampered(copy, LEAVES);
            changed[at] ^= 1;
        }
    }
}

/* What stays canonical and plausible is caught by the root alone. */
static void plausible_edit_is_found_by_the_root(void **state)
{
    (void)state;
    struct span copy[LEAVES];
    uint8_t changed[RECORD_MAX];
    memcpy(copy, paper.leaf, sizeof copy);
    memcpy(changed, copy[7].p, copy[7].n);
    uint8_t *digit = memmem(changed, copy[7].n, "412", 3);
    assert_non_null(digit);
    *digit = '5';
    copy[7].p = changed;
    tampered(copy, LEAVES);
}

static void deleted_inserted_duplicated_and_cut_leaves_are_found(void **state)
{
    (void)state;
    struct span copy[LEAVES + 1];
    for (size_t i = 0; i < LEAVES; i++) {
        memcpy(copy, paper.leaf, i * sizeof *copy);
        memcpy(copy + i, paper.leaf + i + 1, (LEAVES - i - 1) * sizeof *copy);
        tampered(copy, LEAVES - 1);
        memcpy(copy + i + 1, paper.leaf + i, (LEAVES - i) * sizeof *copy);
        copy[i] = paper.leaf[i];
        tampered(copy, LEAVES + 1);
        copy[i] = paper.leaf[(i + 11) % LEAVES];
        tampered(copy, LEAVES + 1);
        tampered(paper.leaf, i);
    }
}

static void reordered_leaves_are_found(void **state)
{
    (void)state;
    struct span copy[LEAVES];
    for (size_t i = 0; i < LEAVES; i++)
        for (size_t j = i + 1; j < LEAVES; j++) {
            memcpy(copy, paper.leaf, sizeof copy);
            copy[i] = paper.leaf[j];
            copy[j] = paper.leaf[i];
            tampered(copy, LEAVES);
        }
}

static void fork_and_unsigned_tail_are_found(void **state)
{
    (void)state;
    struct paper_log other;
    paper_start(&other); /* the same key tells another story */
    paper_fill(&other, 20);
    paper_append(&other, RECORD_STOP, "{\"reason\":\"signal\",\"software\":\"paper 1\"}");
    paper_fill(&other, LEAVES);
    assert_int_equal(run(other.leaf, LEAVES, &other, LEAVES, &trusted, NULL), ERR_NONE);
    tampered(other.leaf, LEAVES);
    assert_int_equal(run(paper.leaf, LEAVES, &paper, LEAVES - 1, &trusted, NULL), ERR_INTEGRITY);
    paper_free(&other);
}

static void older_checkpoint_finds_rollback_and_fork(void **state)
{
    (void)state;
    struct paper_log other;
    struct buf note;
    struct arena *a = arena_new(1 << 20);
    paper_start(&other);
    paper_fill(&other, 20);
    paper_append(&other, RECORD_STOP, "{\"reason\":\"signal\",\"software\":\"paper 1\"}");
    paper_fill(&other, LEAVES + 1);
    static const struct {
        uint64_t size;
        enum err_code code;
    } cases[] = {{0, ERR_NONE},       {1, ERR_NONE},       {20, ERR_NONE},
                 {21, ERR_INTEGRITY}, {40, ERR_INTEGRITY}, {41, ERR_INTEGRITY}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct verifier *v = NULL;
        struct verified shown;
        struct err e = ERR_INIT;
        buf_init(&note, NOTE);
        paper_checkpoint(&other, cases[i].size, 0, &note);
        assert_true(verifier_new(&v, &trusted, NULL));
        bool ok =
            verifier_expect(v, buf_span(&note), &e) && verifier_expect(v, buf_span(&note), &e);
        for (size_t n = 0; ok && n < LEAVES; n++)
            ok = verifier_leaf(v, paper.leaf[n], &e);
        buf_clear(&note);
        paper_checkpoint(&paper, LEAVES, 0, &note);
        ok = ok && verifier_finish(v, buf_span(&note), &shown, a, &e);
        assert_int_equal(e.code, cases[i].code);
        assert_int_equal(ok, cases[i].code == ERR_NONE);
        if (ok)
            assert_int_equal(shown.checkpoints, cases[i].size ? 2 : 0);
        verifier_free(v);
        buf_free(&note);
    }
    paper_free(&other);
    arena_free(a);
}

static void all_older_checkpoints_are_compared_in_any_order(void **state)
{
    (void)state;
    struct verifier *v = NULL;
    struct verified shown;
    struct arena *a = arena_new(1 << 20);
    struct err e = ERR_INIT;
    assert_true(verifier_new(&v, &trusted, NULL));
    for (uint64_t i = 0; i <= LEAVES; i++) {
        struct buf note;
        buf_init(&note, NOTE);
        paper_checkpoint(&paper, i * 17 % (LEAVES + 1), 0, &note);
        assert_true(verifier_expect(v, buf_span(&note), &e));
        buf_free(&note);
    }
    for (size_t n = 0; n < LEAVES; n++)
        assert_true(verifier_leaf(v, paper.leaf[n], &e));
    struct buf note;
    buf_init(&note, NOTE);
    paper_checkpoint(&paper, 3, 0, &note);
    assert_false(verifier_expect(v, buf_span(&note), &e)); /* those leaves are gone */
    assert_int_equal(e.code, ERR_USAGE);
    buf_clear(&note);
    paper_checkpoint(&paper, LEAVES, 0, &note);
    err_clear(&e);
    assert_true(verifier_finish(v, buf_span(&note), &shown, a, &e));
    assert_int_equal(shown.checkpoints, LEAVES);
    verifier_free(v);
    buf_free(&note);
    arena_free(a);
}

/* ---- keys ---- */

static void rotation_hands_trust_on(void **state)
{
    (void)state;
    struct paper_log l;
    struct verified v;
    paper_start(&l);
    paper_fill(&l, 10);
    paper_rotate(&l);
    paper_fill(&l, 20);
    struct note_key keys[] = {l.old_name, l.name};
    for (size_t i = 0; i < 2; i++) { /* whoever knows one of both keys */
        struct trust t = {.log_keys = &keys[i], .log_key_count = 1};
        assert_int_equal(run(l.leaf, 20, &l, 20, &t, &v), ERR_NONE);
        assert_true(v.pinned);
        assert_int_equal(v.rotations, 1);
    }
    l.rotated_at = 100; /* the old key signs what the new one should */
    struct trust t = {.log_keys = keys, .log_key_count = 2};
    assert_int_equal(run(l.leaf, 20, &l, 20, &t, NULL), ERR_INTEGRITY);
    l.rotated_at = 11;
    t.log_keys = paper.witness_name;
    t.log_key_count = 1;
    assert_int_equal(run(l.leaf, 20, &l, 20, &t, NULL), ERR_INTEGRITY);
    paper_free(&l);
}

/* A body with one digit of `member` changed. */
static const char *spoilt(struct arena *a, struct span leaf, const char *member)
{
    const uint8_t *from = memmem(leaf.p, leaf.n, "\"record\":{", 10);
    const uint8_t *to = memmem(leaf.p, leaf.n, "},\"seq\"", 7);
    assert_true(from && to);
    char *body = arena_str(a, (struct span){from + 9, (size_t)(to - from) - 8});
    char *at = strstr(body, member);
    assert_non_null(at);
    at += strlen(member) + 6;
    *at = *at == '1' ? '2' : '1';
    return body;
}

static void rotation_needs_both_signatures(void **state)
{
    (void)state;
    static const char *const members[] = {"signature_new", "signature_old"};
    for (size_t i = 0; i < 2; i++) {
        struct paper_log l;
        paper_start(&l);
        paper_fill(&l, 10);
        paper_rotate(&l);
        struct span honest = l.leaf[--l.count];
        paper_append(&l, RECORD_KEY, spoilt(l.a, honest, members[i]));
        struct trust t = {.log_keys = &l.old_name, .log_key_count = 1};
        assert_int_equal(run(l.leaf, 11, &l, 11, &t, NULL), ERR_INTEGRITY);
        l.leaf[10] = honest;
        assert_int_equal(run(l.leaf, 11, &l, 11, &t, NULL), ERR_NONE);
        paper_free(&l);
    }
}

/* ---- what a log says of itself ---- */

static enum err_code with(enum record_kind kind, const char *body, size_t more)
{
    struct paper_log l;
    paper_start(&l);
    paper_fill(&l, 4);
    paper_append(&l, kind, body);
    paper_fill(&l, l.count + more);
    enum err_code code = run(l.leaf, l.count, &l, l.count, &trusted, NULL);
    paper_free(&l);
    return code;
}

static void contradictions_in_the_log_are_found(void **state)
{
    (void)state;
    static const char key[] = "example.org/paper+00000000+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3"
                              "B1Ea";
    struct arena *a = arena_new(1 << 20);
    const char *genesis =
        arena_printf(a, "{\"key\":\"%s\",\"origin\":\"" PAPER_ORIGIN "\",\"software\":\"x\"}", key);
    const char *start = arena_printf(a,
                                     "{\"key\":\"%s\",\"software\":\"x\",\"sqlite\":\"x\",\"sync\":"
                                     "{\"p50_us\":1,\"p99_us\":2,\"samples\":3},\"wal_reset_bug\":"
                                     "false}",
                                     key);
    assert_int_equal(with(RECORD_GENESIS, genesis, 0), ERR_INTEGRITY);
    assert_int_equal(with(RECORD_START, start, 0), ERR_INTEGRITY);
    const char *closed = "{\"reason\":\"seal-off\",\"software\":\"x\"}";
    assert_int_equal(with(RECORD_STOP, closed, 0), ERR_NONE);
    assert_int_equal(with(RECORD_STOP, closed, 1), ERR_INTEGRITY);
    const char *stopped = "{\"reason\":\"shutdown\",\"software\":\"x\"}";
    assert_int_equal(with(RECORD_STOP, stopped, 1), ERR_NONE);
    struct paper_log l;
    paper_start(&l); /* no genesis */
    paper_append(&l, RECORD_STOP, stopped);
    assert_int_equal(run(l.leaf, 1, &l, 1, &trusted, NULL), ERR_INTEGRITY);
    paper_free(&l);
    struct trust elsewhere = trusted;
    elsewhere.origin = span_str("example.org/elsewhere");
    assert_int_equal(run(paper.leaf, LEAVES, &paper, LEAVES, &elsewhere, NULL), ERR_INTEGRITY);
    arena_free(a);
}

static void outcomes_are_matched_with_their_intents(void **state)
{
    (void)state;
    struct paper_log l;
    struct verified v;
    paper_start(&l);
    paper_fill(&l, 4);
    for (int i = 0; i < 3; i++) /* 3 is an outcome; 2 is closed; 99 is not there */
        paper_append(&l, RECORD_CALL_OUTCOME,
                     arena_printf(l.a,
                                  "{\"attempts\":1,\"durability\":\"answer\",\"error\":"
                                  "\"\\\"intent\\\":7\",\"intent\":%d,\"outcome\":\"crash\","
                                  "\"released_bytes\":0}",
                                  i == 2 ? 99 : i + 2));
    assert_int_equal(run(l.leaf, l.count, &l, l.count, &trusted, &v), ERR_NONE);
    assert_int_equal(v.stray_outcomes, 3);
    assert_int_equal(v.open_intents, 0);
    paper_free(&l);
}

static void an_outcome_commits_to_the_windows_before_it(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct paper_log l;
        struct verified v;
        char hex[DIGEST_HEX + 1];
        paper_start(&l);
        paper_fill(&l, 2);
        paper_append(&l, RECORD_CALL_INTENT,
                     "{\"api\":\"run\",\"durability\":\"window\",\"model\":{\"name\":\"m\"},"
                     "\"route\":\"engine\",\"stream\":true}");
        struct digest chain = record_hash(l.leaf[2]);
        for (int i = 0; i < 3; i++) {
            paper_append(&l, RECORD_CALL_WINDOW,
                         arena_printf(l.a, "{\"intent\":2,\"number\":%d,\"released_bytes\":0}", i));
            struct digest hash = record_hash(l.leaf[l.count - 1]);
            if (!wrong || i != 1)
                record_prefix_add(&chain, &hash);
        }
        paper_append(&l, RECORD_CALL_OUTCOME,
                     arena_printf(l.a,
                                  "{\"durability\":\"window\",\"intent\":2,"
                                  "\"outcome\":\"crash\",\"prefix\":{\"bytes\":0,\"chain\":"
                                  "\"%s\"},\"released_bytes\":0,\"windows\":3}",
                                  digest_hex(hex, &chain)));
        assert_int_equal(run(l.leaf, l.count, &l, l.count, &trusted, &v),
                         wrong ? ERR_INTEGRITY : ERR_NONE);
        paper_free(&l);
    }
}

/* Many calls open at once, closed from the oldest: memory stays what it is. */
static void intents_beyond_the_list_are_said_to_be_so(void **state)
{
    (void)state;
    enum { OPEN = 70000, CLOSE = 40000 };
    struct paper_log l;
    struct verified v;
    paper_start(&l);
    paper_fill(&l, 2);
    for (int i = 0; i < OPEN; i++)
        paper_append(&l, RECORD_CALL_INTENT,
                     "{\"api\":\"run\",\"durability\":\"answer\",\"model\":{\"name\":\"m\"},"
                     "\"route\":\"engine\",\"stream\":false}");
    assert_int_equal(run(l.leaf, l.count, &l, l.count, &trusted, &v), ERR_NONE);
    assert_int_equal(v.open_intents, OPEN);
    assert_true(v.intents_overflowed);
    l.count = 2 + CLOSE;
    for (int i = 0; i < CLOSE; i++)
        paper_append(&l, RECORD_CALL_OUTCOME,
                     arena_printf(l.a,
                                  "{\"attempts\":1,\"durability\":\"answer\",\"intent\":%d,"
                                  "\"outcome\":\"crash\",\"released_bytes\":0}",
                                  i + 2));
    for (int i = 0; i < CLOSE; i++) /* the list has to be swept for these */
        paper_append(&l, RECORD_CALL_INTENT,
                     "{\"api\":\"run\",\"durability\":\"answer\",\"model\":{\"name\":\"m\"},"
                     "\"route\":\"engine\",\"stream\":false}");
    assert_int_equal(run(l.leaf, l.count, &l, l.count, &trusted, &v), ERR_NONE);
    assert_int_equal(v.open_intents, CLOSE);
    assert_int_equal(v.stray_outcomes, 0);
    assert_false(v.intents_overflowed);
    paper_free(&l);
}

/* The same log, had a newer program written one more member. */
static void leaf_of_a_newer_program_is_no_tampering(void **state)
{
    (void)state;
    struct paper_log l;
    paper_start(&l);
    paper_fill(&l, 10);
    const char *leaf = (const char *)arena_str(l.a, l.leaf[6]);
    const char *at = strstr(leaf, "\"route\"");
    assert_non_null(at);
    l.leaf[6] = span_str(arena_printf(l.a, "%.*s\"quantum\":1,%s", (int)(at - leaf), leaf, at));
    assert_int_equal(run(l.leaf, 10, &l, 10, &trusted, NULL), ERR_UNSUPPORTED);
    assert_int_equal(run(l.leaf, 9, &l, 10, &trusted, NULL), ERR_INTEGRITY);
    l.leaf[7] = l.leaf[5];
    assert_int_equal(run(l.leaf, 10, &paper, 10, &trusted, NULL), ERR_INTEGRITY);
    paper_free(&l);
}

static void a_failed_verifier_stays_failed(void **state)
{
    (void)state;
    struct verifier *v = NULL;
    struct verified shown;
    struct buf note;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    buf_init(&note, NOTE);
    paper_checkpoint(&paper, 1, 0, &note);
    assert_true(verifier_new(&v, &trusted, NULL));
    assert_true(verifier_leaf(v, paper.leaf[0], &e));
    assert_false(verifier_leaf(v, paper.leaf[2], &e));
    assert_non_null(strstr(e.text, "entry 1: it says it is entry 2"));
    err_clear(&e);
    assert_false(verifier_leaf(v, paper.leaf[1], &e));
    assert_false(verifier_finish(v, buf_span(&note), &shown, a, &e));
    verifier_free(v);
    buf_free(&note);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_log_verifies_and_is_counted),
        cmocka_unit_test(every_size_verifies),
        cmocka_unit_test(edited_leaf_is_found),
        cmocka_unit_test(plausible_edit_is_found_by_the_root),
        cmocka_unit_test(deleted_inserted_duplicated_and_cut_leaves_are_found),
        cmocka_unit_test(reordered_leaves_are_found),
        cmocka_unit_test(fork_and_unsigned_tail_are_found),
        cmocka_unit_test(older_checkpoint_finds_rollback_and_fork),
        cmocka_unit_test(all_older_checkpoints_are_compared_in_any_order),
        cmocka_unit_test(rotation_hands_trust_on),
        cmocka_unit_test(rotation_needs_both_signatures),
        cmocka_unit_test(contradictions_in_the_log_are_found),
        cmocka_unit_test(outcomes_are_matched_with_their_intents),
        cmocka_unit_test(an_outcome_commits_to_the_windows_before_it),
        cmocka_unit_test(intents_beyond_the_list_are_said_to_be_so),
        cmocka_unit_test(leaf_of_a_newer_program_is_no_tampering),
        cmocka_unit_test(a_failed_verifier_stays_failed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
