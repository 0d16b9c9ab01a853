/* A call's entries: their order, their content, and what happens when the log refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "assay/exchange.h"
#include "exchange/book.h"
#include "support/logs.h"

static struct folder place;
static struct log *audit;
static struct exchange_book *book;

static int setup(void **state)
{
    struct err e = ERR_INIT;
    (void)state;
    if (!folder_make(&place))
        return -1;
    logs_make(&place);
    audit = logs_open(&place);
    return exchange_book_open(&book, audit, &e) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    exchange_book_close(book);
    log_close(audit);
    folder_remove(&place);
    return 0;
}

static const struct exchange_call chat = {.api = EXCHANGE_CHAT,
                                          .route = EXCHANGE_UPSTREAM,
                                          .durability = EXCHANGE_EACH,
                                          .stream = true,
                                          .relayed = true,
                                          .model = {.name = {(const uint8_t *)"tiny", 4}},
                                          .upstream = {.name = {(const uint8_t *)"local", 5}},
                                          .subject = {(const uint8_t *)"alice", 5}};

static struct exchange *begin(const struct log_content *content, size_t count)
{
    struct exchange *x = NULL;
    struct err e = ERR_INIT;
    if (!exchange_begin(&x, book, &chat, content, count, NULL, NULL, &e) ||
        !exchange_wait(x, NULL, &e))
        fail_msg("%s", e.text);
    return x;
}

static struct log_receipt end(struct exchange *x, const struct log_content *content, size_t count)
{
    static const struct span stop = {(const uint8_t *)"stop", 4};
    struct exchange_outcome o = {.result = EXCHANGE_COMPLETE,
                                 .attempts = 1,
                                 .status = 200,
                                 .released = 7,
                                 .finish = &stop,
                                 .finish_count = 1,
                                 .tokens = {.known = true, .input = 3, .output = 4}};
    struct log_receipt r;
    struct err e = ERR_INIT;
    if (!exchange_end(x, &o, content, count, NULL, NULL, &e) || !exchange_wait(x, &r, &e))
        fail_msg("%s", e.text);
    return r;
}

static void leaf(uint64_t seq, struct record *out, struct arena *a)
{
    struct log_reader *r = logs_reader(&place);
    struct span bytes;
    struct err e = ERR_INIT;
    if (!log_reader_leaf(r, seq, a, &bytes, &e) || !record_decode(out, bytes, a, &e))
        fail_msg("%s", e.text);
    log_reader_close(r);
}

static void exchange_writes_what_reads_back(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct record intent, outcome;
    struct exchange_digests room;
    struct exchange_call c;
    struct exchange_outcome o;
    struct err e = ERR_INIT;
    uint64_t named = 0;
    struct log_content request = {span_str("request"), span_str("{}")};
    struct exchange *x = begin(&request, 1);
    assert_int_equal(exchange_book_open_calls(book), 1);
    struct log_receipt r = end(x, NULL, 0);
    assert_int_equal(exchange_book_open_calls(book), 0);
    leaf(exchange_intent(x), &intent, a);
    leaf(r.seq, &outcome, a);
    assert_int_equal(intent.field_count, 1);
    assert_true(intent.head.has_subject && outcome.head.has_subject);
    assert_true(exchange_read_call(&c, &room, &intent, &e));
    assert_true(c.api == EXCHANGE_CHAT && c.route == EXCHANGE_UPSTREAM && c.stream && c.relayed);
    assert_int_equal(c.durability, EXCHANGE_EACH);
    assert_true(span_is(c.model.name, "tiny") && span_is(c.upstream.name, "local"));
    assert_true(exchange_read_outcome(&o, &room, &named, &outcome, &e));
    assert_int_equal(named, exchange_intent(x));
    assert_true(o.result == EXCHANGE_COMPLETE && o.attempts == 1 && o.status == 200);
    assert_true(o.released == 7 && o.tokens.known && o.tokens.output == 4);
    assert_false(exchange_read_call(&c, &room, &outcome, &e));
    exchange_free(x);
    arena_free(a);
}

static void exchange_windows_are_numbered_between_intent_and_outcome(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct record r;
    struct err e = ERR_INIT;
    struct log_content part = {span_str("response"), span_str("data: 1\n\n")};
    struct exchange *x = begin(NULL, 0);
    for (uint64_t i = 0; i < 3; i++)
        assert_true(exchange_window(x, &part, 1, 9 * i, NULL, NULL, &e));
    struct log_receipt last = end(x, NULL, 0);
    assert_int_equal(last.seq, exchange_intent(x) + 4);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t n = 99;
        leaf(exchange_intent(x) + 1 + i, &r, a);
        assert_int_equal(r.head.kind, RECORD_CALL_WINDOW);
        assert_true(json_u64(json_get(r.body, "number"), &n) && n == i);
        assert_true(json_u64(json_get(r.body, "released_bytes"), &n) && n == 9 * i);
        assert_true(json_u64(json_get(r.body, "intent"), &n) && n == exchange_intent(x));
    }
    leaf(last.seq, &r, a);
    uint64_t windows = 0;
    assert_true(json_u64(json_get(r.body, "windows"), &windows) && windows == 3);
    exchange_free(x);
    arena_free(a);
}

/* What one entry holds of a field, appended. */
static void open_field(uint64_t seq, const char *field, struct buf *out)
{
    struct log_disclosure what = {
        seq, span_str(field), span_str("test"), {span_str("test"), span_str("test")}};
    struct arena *a = arena_new(64 << 20);
    struct buf bundle;
    struct json root;
    struct span content;
    struct err e = ERR_INIT;
    uint64_t at;
    buf_init(&bundle, 64 << 20);
    if (!log_disclose(audit, &what, &at, &bundle, &e) ||
        !json_parse(&root, buf_span(&bundle), JSON_STRICT, a, &e))
        fail_msg("%s", e.text);
    assert_true(json_string(json_get(json_at(json_get(root, "fields"), 0), "content"), &content));
    buf_put_span(out, content);
    buf_free(&bundle);
    arena_free(a);
}

static void exchange_content_beyond_a_piece_is_in_windows_and_never_cut(void **state)
{
    (void)state;
    enum { BIG = 2 * EXCHANGE_PIECE + 17 };
    uint8_t *big = malloc(BIG);
    struct buf got;
    assert_non_null(big);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)('a' + i % 23);
    struct log_content request = {span_str("request"), {big, BIG}};
    struct log_content both[] = {{span_str("response"), {big, BIG}},
                                 {span_str("response_header"), span_str("x: y\r\n")}};
    struct exchange *x = begin(&request, 1);
    struct log_receipt last = end(x, both, 2);
    uint64_t first = exchange_intent(x);
    assert_int_equal(exchange_windows(x), 4);
    assert_int_equal(last.seq, first + 5);
    buf_init(&got, 2 * BIG);
    for (uint64_t i = 0; i < 3; i++)
        open_field(first + i, "request", &got);
    assert_int_equal(got.n, BIG);
    assert_memory_equal(got.p, big, BIG);
    buf_clear(&got);
    for (uint64_t i = 3; i < 6; i++)
        open_field(first + i, "response", &got);
    assert_int_equal(got.n, BIG);
    assert_memory_equal(got.p, big, BIG);
    buf_clear(&got);
    open_field(first + 3, "response_header", &got);
    assert_int_equal(got.n, 6);
    buf_free(&got);
    exchange_free(x);
    free(big);
}

struct seen {
    pthread_t thread;
    unsigned calls;
    bool ok;
};

static void see(void *arg, const struct log_receipt *r)
{
    struct seen *s = arg;
    s->thread = pthread_self();
    s->calls++;
    s->ok = r->ok;
}

static void exchange_callbacks_run_in_the_thread_that_drives_the_book(void **state)
{
    (void)state;
    struct seen s = {.calls = 0};
    struct exchange *x = NULL;
    struct err e = ERR_INIT;
    assert_true(exchange_begin(&x, book, &chat, NULL, 0, see, &s, &e));
    assert_int_equal(exchange_book_pending(book), 1);
    assert_false(exchange_is_open(x));
    assert_true(exchange_wait(x, NULL, &e));
    assert_true(s.calls == 1 && s.ok && pthread_equal(s.thread, pthread_self()));
    assert_true(exchange_is_open(x));
    end(x, NULL, 0);
    exchange_free(x);
}

static void exchange_freed_early_calls_nobody_back(void **state)
{
    (void)state;
    struct seen s = {.calls = 0};
    struct exchange *x = begin(NULL, 0);
    struct err e = ERR_INIT;
    struct exchange_outcome o = {.result = EXCHANGE_SHUTDOWN};
    assert_true(exchange_end(x, &o, NULL, 0, see, &s, &e));
    exchange_free(x);
    exchange_book_close(book);
    assert_int_equal(s.calls, 0);
    assert_true(exchange_book_open(&book, audit, &e));
}

static void free_it(void *arg, const struct log_receipt *r)
{
    struct exchange **x = arg;
    assert_true(r->ok);
    exchange_free(*x);
    *x = NULL;
}

static void exchange_may_be_freed_by_its_callback(void **state)
{
    (void)state;
    struct exchange *x = begin(NULL, 0);
    struct exchange_outcome o = {.result = EXCHANGE_COMPLETE};
    struct err e = ERR_INIT;
    assert_true(exchange_end(x, &o, NULL, 0, free_it, &x, &e));
    exchange_book_close(book);
    assert_null(x);
    assert_true(exchange_book_open(&book, audit, &e));
}

static void exchange_ends_once_and_has_no_windows_afterwards(void **state)
{
    (void)state;
    struct exchange_outcome o = {.result = EXCHANGE_COMPLETE};
    struct err e = ERR_INIT;
    struct exchange *x = begin(NULL, 0);
    end(x, NULL, 0);
    assert_false(exchange_end(x, &o, NULL, 0, NULL, NULL, &e));
    err_clear(&e);
    assert_false(exchange_window(x, NULL, 0, 0, NULL, NULL, &e));
    exchange_free(x);
}

static void exchange_refuses_more_open_calls_than_there_is_room_for_outcomes(void **state)
{
    (void)state;
    struct exchange *x = NULL;
    struct err e = ERR_INIT;
    book->open = EXCHANGE_OPEN_MAX;
    assert_false(exchange_begin(&x, book, &chat, NULL, 0, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_null(x);
    book->open = 0;
}

static void exchange_of_a_log_that_takes_nothing_is_refused(void **state)
{
    (void)state;
    struct exchange *x = NULL;
    struct err e = ERR_INIT;
    struct buf note;
    buf_init(&note, 1 << 16);
    assert_true(log_seal_off(audit, &note, &e));
    bool queued = exchange_begin(&x, book, &chat, NULL, 0, NULL, NULL, &e);
    assert_false(queued && exchange_wait(x, NULL, &e));
    assert_false(x && exchange_is_open(x));
    exchange_free(x);
    buf_free(&note);
}

struct stall {
    sem_t entered, leave;
};

static void hold_the_commit_thread(void *arg, const struct log_receipt *r)
{
    struct stall *s = arg;
    (void)r;
    sem_post(&s->entered);
    sem_wait(&s->leave);
}

static unsigned fill(const struct log_entry *entry)
{
    struct err e = ERR_INIT;
    unsigned n = 0;
    while (log_submit(audit, entry, NULL, NULL, &e))
        n++;
    assert_int_equal(e.code, ERR_LIMIT);
    return n;
}

/* A disk that stalls: whoever comes anew is refused, what open calls owe is taken. */
static void open_call_is_finished_while_the_queue_is_full(void **state)
{
    (void)state;
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(logs_config)};
    struct stall s;
    struct log_receipt r;
    struct err e = ERR_INIT;
    struct exchange *x = begin(NULL, 0), *late = NULL;
    struct exchange_outcome o = {.result = EXCHANGE_COMPLETE, .attempts = 1, .status = 200};
    struct log_content piece = {span_str("response"), span_str("word")};
    sem_init(&s.entered, 0, 0);
    sem_init(&s.leave, 0, 0);
    assert_true(log_submit(audit, &entry, hold_the_commit_thread, &s, &e));
    sem_wait(&s.entered);
    unsigned taken = fill(&entry);
    assert_false(exchange_begin(&late, book, &chat, NULL, 0, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(exchange_book_pressed(book));
    unsigned windows = 0;
    err_clear(&e);
    while (exchange_window(x, &piece, 1, 0, NULL, NULL, &e))
        windows++;
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(exchange_book_pressed(book) && windows == taken);
    err_clear(&e);
    assert_true(exchange_end(x, &o, &piece, 1, NULL, NULL, &e));
    sem_post(&s.leave);
    assert_true(exchange_wait(x, &r, &e) && r.ok);
    assert_false(exchange_book_pressed(book));
    assert_int_equal(logs_sql_int(&place, "SELECT count(*) FROM open_intent"), 0);
    exchange_free(x);
}

static void sampling_has_numbers_as_they_were_written(void **state)
{
    (void)state;
    static const char request[] =
        "{\"temperature\":0.10,\"top_p\":1e-2,\"seed\":18446744073709551615,\"n\":2,"
        "\"max_tokens\":5,\"max_completion_tokens\":7,\"top_k\":-1,\"stop\":\"x\",\"min_p\":\"1\"}";
    struct arena *a = arena_new(1 << 16);
    struct json root;
    struct err e = ERR_INIT;
    struct buf out;
    buf_init(&out, 4096);
    assert_true(json_parse(&root, span_str(request), JSON_STRICT, a, &e));
    exchange_sampling(&out, root);
    assert_string_equal(buf_cstr(&out),
                        "{\"max_tokens\":7,\"n\":2,\"seed\":\"18446744073709551615\","
                        "\"temperature\":\"0.10\",\"top_p\":\"1e-2\"}");
    buf_free(&out);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange_writes_what_reads_back),
        cmocka_unit_test(exchange_windows_are_numbered_between_intent_and_outcome),
        cmocka_unit_test(exchange_content_beyond_a_piece_is_in_windows_and_never_cut),
        cmocka_unit_test(exchange_callbacks_run_in_the_thread_that_drives_the_book),
        cmocka_unit_test(exchange_freed_early_calls_nobody_back),
        cmocka_unit_test(exchange_may_be_freed_by_its_callback),
        cmocka_unit_test(exchange_ends_once_and_has_no_windows_afterwards),
        cmocka_unit_test(exchange_refuses_more_open_calls_than_there_is_room_for_outcomes),
        cmocka_unit_test(open_call_is_finished_while_the_queue_is_full),
        cmocka_unit_test(sampling_has_numbers_as_they_were_written),
        cmocka_unit_test(exchange_of_a_log_that_takes_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
