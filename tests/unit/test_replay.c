/* Replay: what was given is reproduced, what was not is found, and both are entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "assay/replay.h"
#include "support/family_model.h"
#include "support/logs.h"

static struct folder place, models;
static struct log *audit;
static struct exchange_book *book;
static struct engine *engine;

static struct engine *load(const char *family)
{
    char path[4096];
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options o = {.threads = 1};
    (void)snprintf(path, sizeof path, "%s/%s.gguf", models.path, family);
    if (access(path, R_OK) != 0 && !family_write(path, family, NULL))
        fail_msg("cannot write %s", path);
    if (!engine_load(&g, path, &o, &e))
        fail_msg("%s", e.text);
    return g;
}

static int setup(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    if (!folder_make(&place) || !folder_make(&models))
        return -1;
    logs_make(&place);
    audit = logs_open(&place);
    engine = load("llama");
    return exchange_book_open(&book, audit, &e) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    exchange_book_close(book);
    log_close(audit);
    engine_free(engine);
    folder_remove(&place);
    folder_remove(&models);
    return 0;
}

struct flow {
    struct tape tape;
    struct engine_result result;
    uint32_t lie_at; /* position whose token and digest are not what was computed; 0: none */
};

static bool on_token(void *arg, const struct engine_token *t)
{
    struct flow *f = arg;
    struct engine_token told = *t;
    if (f->lie_at != 0 && t->index == f->lie_at)
        told.digest.b[5] ^= 1;
    tape_token(&f->tape, &told);
    return true;
}

static void on_done(void *arg, const struct engine_result *r)
{
    struct flow *f = arg;
    f->result = *r;
    tape_end(&f->tape, r);
}

/* One logged call; returns the entry of its outcome. */
static uint64_t logged_call(uint32_t lie_at, float temperature)
{
    static const uint32_t ids[] = {1, 40, 50, 60, 70};
    struct flow f = {.lie_at = lie_at};
    struct engine_request r = {.tokens = ids,
                               .count = 5,
                               .max_tokens = 12,
                               .sampling = engine_greedy(),
                               .ignore_end = true,
                               .token = on_token,
                               .done = on_done,
                               .arg = &f};
    struct log_content content[TAPE_OUTCOME];
    struct tape_model room;
    struct exchange *x = NULL;
    struct log_receipt receipt;
    struct err e = ERR_INIT;
    uint64_t id;
    bool work = true;
    r.sampling.temperature = temperature;
    r.sampling.seed = 11;
    assert_true(tape_start(&f.tape, engine, &r, NULL, &e));
    struct exchange_call call = {.api = EXCHANGE_RUN,
                                 .route = EXCHANGE_ENGINE,
                                 .durability = EXCHANGE_END,
                                 .stream = true,
                                 .model = tape_identity(engine, span_str("tiny"), &room)};
    size_t n = tape_intent(&f.tape, SPAN_EMPTY, content);
    assert_true(exchange_begin(&x, book, &call, content, n, NULL, NULL, &e));
    assert_true(exchange_wait(x, NULL, &e));
    assert_true(engine_submit(engine, &r, &id, &e));
    while (work)
        assert_true(engine_step(engine, &work, &e));
    struct exchange_outcome o = {.result = EXCHANGE_COMPLETE, .attempts = 1};
    n = tape_outcome(&f.tape, content);
    assert_true(exchange_end(x, &o, content, n, NULL, NULL, &e));
    assert_true(exchange_wait(x, &receipt, &e));
    exchange_free(x);
    tape_free(&f.tape);
    return receipt.seq;
}

static struct replay again(uint64_t seq, struct engine *g)
{
    struct replay out;
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(&place);
    if (!replay_run(&out, audit, r, seq, g, &e))
        fail_msg("%s", e.text);
    log_reader_close(r);
    return out;
}

static void what_was_given_is_reproduced(void **state)
{
    (void)state;
    uint64_t greedy = logged_call(0, 0), drawn = logged_call(0, 1.1f);
    struct engine *fresh = load("llama");
    struct replay a = again(greedy, fresh), b = again(drawn, fresh);
    assert_int_equal(a.verdict, REPLAY_MATCH);
    assert_int_equal(b.verdict, REPLAY_MATCH);
    assert_int_equal(a.compared, 12);
    assert_true(a.receipt.ok && b.receipt.seq > a.receipt.seq);
    struct replay c = again(a.intent, fresh); /* the intent names the same call */
    assert_int_equal(c.outcome, greedy);
    engine_free(fresh);
}

static void the_first_position_that_differs_is_named(void **state)
{
    (void)state;
    struct replay r = again(logged_call(7, 0.8f), engine);
    assert_int_equal(r.verdict, REPLAY_MISMATCH);
    assert_int_equal(r.first, 7);
    assert_int_equal(r.compared, 7);
}

static void other_weights_cannot_pass(void **state)
{
    (void)state;
    struct engine *other = load("qwen2");
    struct replay r = again(logged_call(0, 0), other);
    assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
    assert_non_null(strstr(r.reason, "weights"));
    engine_free(other);
}

static void erased_content_cannot_be_replayed(void **state)
{
    (void)state;
    struct log_erased erased;
    struct log_order order = {span_str("test"), span_str("test")};
    struct err e = ERR_INIT;
    uint64_t seq = logged_call(0, 0);
    if (!log_erase_entry(audit, seq, &order, &erased, NULL, &e))
        fail_msg("%s", e.text);
    struct replay r = again(seq, engine);
    assert_int_equal(r.verdict, REPLAY_IMPOSSIBLE);
    assert_non_null(strstr(r.reason, "erased"));
}

static void what_is_no_call_is_refused(void **state)
{
    (void)state;
    struct replay out;
    struct err e = ERR_INIT;
    struct log_reader *r = logs_reader(&place);
    assert_false(replay_run(&out, audit, r, 0, engine, &e));
    assert_non_null(strstr(e.text, "genesis"));
    log_reader_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_is_reproduced),
        cmocka_unit_test(the_first_position_that_differs_is_named),
        cmocka_unit_test(other_weights_cannot_pass),
        cmocka_unit_test(erased_content_cannot_be_replayed),
        cmocka_unit_test(what_is_no_call_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
