/* Calls found by the identifier of their answer: kept, rebuilt, brought up, and never believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cli/log_filter.h"
#include "support/logs.h"

enum { CALLS = 9, FOUND = 16 };

static struct folder place;

static int setup(void **state)
{
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

/* ---- calls as a server makes them ---- */

static uint64_t append(struct log *l, enum record_kind kind, const char *body)
{
    struct err e = ERR_INIT;
    struct log_receipt r = {.seq = 0};
    const struct log_entry entry = {.kind = kind, .body = span_str(body)};
    if (!log_append(l, &entry, &r, &e))
        fail_msg("%s", e.text);
    return r.seq;
}

static uint64_t begin(struct log *l)
{
    return append(l, RECORD_CALL_INTENT,
                  "{\"api\":\"chat_completions\",\"durability\":\"window\",\"model\":{\"name\":"
                  "\"m\"},\"route\":\"engine\",\"stream\":true}");
}

static uint64_t window(struct log *l, uint64_t intent, unsigned number)
{
    char body[128];
    snprintf(body, sizeof body, "{\"intent\":%llu,\"number\":%u,\"released_bytes\":0}",
             (unsigned long long)intent, number);
    return append(l, RECORD_CALL_WINDOW, body);
}

/* `id` as JSON text; NULL: the answer had none. */
static uint64_t end(struct log *l, uint64_t intent, const char *id)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"attempts\":1,\"durability\":\"window\",\"intent\":%llu,\"outcome\":\"complete\","
             "\"released_bytes\":0%s%s%s}",
             (unsigned long long)intent, id ? ",\"response_id\":\"" : "", id ? id : "",
             id ? "\"" : "");
    return append(l, RECORD_CALL_OUTCOME, body);
}

/* Calls 0 to CALLS - 1 with answers `id-N`, their windows among each other. */
static void make_calls(struct log *l, struct log_call *call)
{
    char id[32];
    for (unsigned i = 0; i < CALLS; i++)
        call[i].intent = begin(l);
    for (unsigned w = 0; w < 3; w++)
        for (unsigned i = 0; i < CALLS; i++)
            window(l, call[i].intent, w);
    for (unsigned i = 0; i < CALLS; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        call[i].outcome = end(l, call[i].intent, id);
    }
}

/* ---- asking ---- */

struct found {
    struct log_call at[FOUND];
    size_t count, wanted;
};

static bool note(void *arg, const struct log_call *call)
{
    struct found *f = arg;
    assert_true(f->count < FOUND);
    f->at[f->count++] = *call;
    return f->count < f->wanted;
}

static struct found calls_of(const char *id)
{
    struct found f = {.wanted = FOUND};
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(&place);
    if (!log_reader_calls(r, span_str(id), note, &f, &e))
        fail_msg("%s", e.text);
    log_reader_close(r);
    return f;
}

static void is_found(const char *id, const struct log_call *call)
{
    struct found f = calls_of(id);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.at[0].intent, call->intent);
    assert_int_equal(f.at[0].outcome, call->outcome);
}

static void all_are_found(const struct log_call *call)
{
    char id[32];
    for (unsigned i = 0; i < CALLS; i++) {
        snprintf(id, sizeof id, "id-%u", i);
        is_found(id, &call[i]);
    }
}

/* ---- claims ---- */

static void a_call_is_found_by_its_answer(void **state)
{
    (void)state;
    struct log_call call[CALLS], bare;
    struct log *l = logs_open(&place);
    make_calls(l, call);
    bare.intent = begin(l);
    bare.outcome = end(l, bare.intent, NULL);
    all_are_found(call); /* beside the owner */
    log_close(l);
    all_are_found(call);
    assert_int_equal(calls_of("id-").count, 0);
    assert_int_equal(calls_of("").count, 0);
    l = logs_open(&place); /* and after a restart */
    all_are_found(call);
    log_close(l);
}

static void its_entries_are_listed_in_order(void **state)
{
    (void)state;
    struct log_call call[CALLS];
    struct log *l = logs_open(&place);
    make_calls(l, call);
    log_close(l);
    struct err e = ERR_INIT;
    struct arena *a = arena_new(1 << 20);
    struct log_reader *r = logs_reader(&place);
    for (unsigned i = 0; i < CALLS; i++) {
        const uint64_t *seq = NULL;
        size_t count = 0;
        assert_true(log_reader_call(r, &call[i], &seq, &count, a, &e));
        assert_int_equal(count, 5);
        assert_int_equal(seq[0], call[i].intent);
        for (unsigned w = 0; w < 3; w++)
            assert_int_equal(seq[1 + w], call[0].intent + (w + 1) * CALLS + i);
        assert_int_equal(seq[4], call[i].outcome);
    }
    log_reader_close(r);
    arena_free(a);
}

static void of_equal_identifiers_the_newest_comes_first(void **state)
{
    (void)state;
    struct log_call call[3];
    struct log *l = logs_open(&place);
    for (int i = 0; i < 3; i++) {
        call[i].intent = begin(l);
        call[i].outcome = end(l, call[i].intent, "same");
    }
    log_close(l);
    struct found f = calls_of("same");
    assert_int_equal(f.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f.at[i].outcome, call[2 - i].outcome);
    f = (struct found){.wanted = 2};
    struct log_reader *r = logs_reader(&place);
    assert_true(log_reader_calls(r, span_str("same"), note, &f, NULL));
    log_reader_close(r);
    assert_int_equal(f.count, 2);
}

static void an_identifier_may_hold_anything(void **state)
{
    (void)state;
    struct log_call call;
    struct log *l = logs_open(&place);
    call.intent = begin(l);
    call.outcome = end(l, call.intent, "a\\\"\\\\ \\u0001 \xc3\xa9");
    log_close(l);
    is_found("a\"\\ \x01 \xc3\xa9", &call);
}

static void calls_of_all_blocks_are_found(void **state)
{
    (void)state;
    enum { MANY = 4200 };
    struct log_call first, last;
    struct log *l = logs_open(&place);
    first.intent = begin(l);
    first.outcome = end(l, first.intent, "first");
    for (int i = 0; i < MANY; i++) {
        static const char body[] = "{\"changes\":[],\"software\":\"s\"}";
        const struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(body)};
        struct err e = ERR_INIT;
        while (!log_submit(l, &entry, NULL, NULL, &e))
            assert_int_equal(e.code, ERR_LIMIT);
    }
    last.intent = begin(l);
    last.outcome = end(l, last.intent, "last");
    log_close(l);
    assert_true(last.outcome >> 12 > first.outcome >> 12);
    is_found("first", &first);
    is_found("last", &last);
}

static void the_index_is_not_believed(void **state)
{
    (void)state;
    struct log_call call[CALLS];
    struct log *l = logs_open(&place);
    make_calls(l, call);
    log_close(l);
    logs_sql(&place, "UPDATE response SET id = id - 1"); /* another entry than the answer's */
    for (unsigned i = 0; i < CALLS; i++) {
        char id[32];
        snprintf(id, sizeof id, "id-%u", i);
        assert_int_equal(calls_of(id).count, 0);
    }
}

static void reindex_makes_it_anew(void **state)
{
    (void)state;
    struct log_call call[CALLS];
    struct log_reindexed done;
    struct err e = ERR_INIT;
    struct log *l = logs_open(&place);
    make_calls(l, call);
    log_close(l);
    logs_sql(&place, "DELETE FROM response WHERE id % 2; INSERT INTO response VALUES (7)");
    assert_true(log_reindex(place.path, &done, &e));
    assert_int_equal(done.wrong_entries, 1 + CALLS / 2 + (call[0].outcome % 2));
    all_are_found(call);
    assert_true(log_reindex(place.path, &done, &e));
    assert_int_equal(done.wrong_entries, 0);
}

static void a_log_of_an_earlier_version_gets_one(void **state)
{
    (void)state;
    struct log_call call[CALLS];
    struct err e = ERR_INIT;
    struct found f = {.wanted = FOUND};
    struct log *l = logs_open(&place);
    make_calls(l, call);
    log_close(l);
    logs_first_version(&place);
    struct log_reader *r = logs_reader(&place);
    assert_false(log_reader_calls(r, span_str("id-1"), note, &f, &e));
    assert_int_equal(e.code, ERR_USAGE);
    log_reader_close(r);
    log_close(logs_open(&place));
    all_are_found(call);
}

static void the_filter_finds_it_without_an_index(void **state)
{
    (void)state;
    struct log_call call[CALLS];
    struct log_filter f;
    struct err e = ERR_INIT;
    const struct filter_args args = {.response = "id-4"};
    struct log *l = logs_open(&place);
    make_calls(l, call);
    log_close(l);
    logs_sql(&place, "DELETE FROM response");
    struct arena *a = arena_new(1 << 22);
    struct log_reader *r = logs_reader(&place);
    assert_true(log_filter_set(&f, &args, &e) && log_filter_find(&f, &args, r, a, &e));
    size_t count = 0;
    for (uint64_t seq = 0; seq < log_reader_size(r); seq++) {
        struct span leaf;
        struct record record;
        bool match = false;
        assert_true(log_reader_leaf(r, seq, a, &leaf, &e) &&
                    log_filter_leaf(&f, seq, leaf, &match, &record, a, &e));
        count += match;
        assert_true(!match || seq == call[4].intent || seq == call[4].outcome ||
                    record.head.kind == RECORD_CALL_WINDOW);
    }
    assert_int_equal(count, 5);
    log_reader_close(r);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_is_found_by_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(its_entries_are_listed_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(of_equal_identifiers_the_newest_comes_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_identifier_may_hold_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_of_all_blocks_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_index_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(reindex_makes_it_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_of_an_earlier_version_gets_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_filter_finds_it_without_an_index, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
