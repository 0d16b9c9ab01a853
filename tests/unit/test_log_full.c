/* A disk that becomes full: nothing is lost, calls that were accepted end, and it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log/store.h"
#include "support/full_disk.h"
#include "support/logs.h"

enum { NOT_HERE = 77, CALLS = 12, ANSWER = 16384 };

static struct folder place;

static int setup(void **state)
{
    (void)state;
    return folder_make(&place) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

/* ---- a small file system of its own, in a child ---- */

/* A step of the child that must hold; its line says which did not. */
#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #what, e.text);                        \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static bool intent(struct log *l, uint64_t reserve, struct log_receipt *r, struct err *e)
{
    const struct log_entry entry = {
        .kind = RECORD_CALL_INTENT,
        .body = span_str("{\"api\":\"chat_completions\",\"durability\":\"answer\",\"model\":{"
                         "\"name\":\"m\"},\"route\":\"engine\",\"stream\":false}"),
        .reserve = reserve};
    return log_append(l, &entry, r, e);
}

static bool outcome(struct log *l, uint64_t of, size_t answer, struct err *e)
{
    static const uint8_t text[4 * ANSWER];
    char body[256];
    struct log_receipt r;
    struct log_content content = {span_str("answer"), {text, answer}};
    snprintf(body, sizeof body,
             "{\"attempts\":1,\"durability\":\"answer\",\"intent\":%llu,\"outcome\":\"complete\","
             "\"released_bytes\":9}",
             (unsigned long long)of);
    const struct log_entry entry = {.kind = RECORD_CALL_OUTCOME,
                                    .body = span_str(body),
                                    .subject = span_str("alice"),
                                    .content = &content,
                                    .content_count = 1};
    return log_append(l, &entry, &r, e);
}

/* Whether anything that nobody reserved space for is taken. */
static bool others(struct log *l, struct err *e)
{
    const struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(logs_config)};
    struct log_receipt r;
    err_clear(e);
    return log_append(l, &entry, &r, e);
}

/* The disk, and what blocks the log has beyond its promises. */
static bool use_up(struct log *l, uint64_t *taken, struct err *e)
{
    full_disk_fill(&place);
    for (*taken = 0; others(l, e); ++*taken)
        continue;
    bool said = e->code == ERR_LIMIT && strstr(e->text, "disk is full");
    err_clear(e);
    return said;
}

static bool whole(uint64_t *entries, struct err *e)
{
    struct log_reader *r = NULL;
    struct buf b;
    buf_init(&b, 1 << 20);
    bool ok = log_reader_open(&r, place.path, e);
    for (uint64_t i = 0; ok && i < log_reader_size(r); i++) {
        buf_clear(&b);
        ok = log_reader_receipt(r, i, &b, e);
    }
    *entries = ok ? log_reader_size(r) : 0;
    log_reader_close(r);
    buf_free(&b);
    return ok;
}

static int run(int (*child)(void), const char *size)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(full_disk_small(&place, size) ? child() : NOT_HERE);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void in_child(int (*child)(void), const char *size)
{
    logs_skip_under_tsan();
    int status = run(child, size);
    if (status == NOT_HERE)
        skip(); /* mounting is not allowed here */
    assert_int_equal(status, 0);
}

/* ---- claims ---- */

static int calls_on_a_full_disk(void)
{
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_receipt r[CALLS], late;
    uint64_t entries = 0, taken = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    for (int i = 0; i < CALLS; i++)
        CHECK(intent(l, ANSWER, &r[i], &e));
    CHECK(use_up(l, &taken, &e));
    CHECK(!intent(l, ANSWER, &late, &e) && e.code == ERR_LIMIT && strstr(e.text, "disk is full"));
    err_clear(&e);
    for (int i = 0; i < CALLS; i++)
        CHECK(outcome(l, r[i].seq, ANSWER, &e)); /* one a commit: the dearest way */
    CHECK(unlink(folder_path(&place, "filler")) == 0);
    for (int i = 0; i < 50 && !others(l, &e); i++)
        usleep(20 * 1000); /* the head file is tried again by itself */
    CHECK(others(l, &e));
    log_close(l);
    CHECK(whole(&entries, &e));
    CHECK(entries >= 2 + taken + 2 * CALLS + 2 + 1); /* genesis, start, stop; what came after */
    CHECK(log_open(&l, place.path, NULL, &e));
    log_close(l);
    return 0;
}

static void calls_that_were_accepted_end_on_a_full_disk(void **state)
{
    (void)state;
    in_child(calls_on_a_full_disk, "size=6m");
}

static int more_than_promised(void)
{
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_receipt r;
    uint64_t taken = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    CHECK(intent(l, 1000, &r, &e));
    CHECK(use_up(l, &taken, &e));
    CHECK(!outcome(l, r.seq, 3 * ANSWER, &e) && e.code == ERR_LIMIT);
    err_clear(&e);
    CHECK(outcome(l, r.seq, 1000, &e)); /* said again within what was promised */
    log_close(l);
    return 0;
}

static void an_outcome_beyond_its_promise_is_refused_and_can_be_said_shorter(void **state)
{
    (void)state;
    in_child(more_than_promised, "size=4m");
}

static int no_space_for_a_promise(void)
{
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_receipt r;
    uint64_t entries = 0, after = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    CHECK(!intent(l, 32 << 20, &r, &e) && e.code == ERR_LIMIT); /* the disk is smaller */
    err_clear(&e);
    CHECK(intent(l, 1000, &r, &e));
    full_disk_fill(&place);
    CHECK(outcome(l, r.seq, 1000, &e));
    log_close(l); /* no space for its last leaf */
    CHECK(whole(&entries, &e));
    full_disk_fill(&place); /* what closing may have given back */
    CHECK(!log_open(&l, place.path, NULL, &e) && e.code == ERR_IO && strstr(e.text, "space"));
    err_clear(&e);
    CHECK(unlink(folder_path(&place, "filler")) == 0);
    CHECK(log_open(&l, place.path, NULL, &e));
    log_close(l);
    CHECK(whole(&after, &e) && after > entries);
    return 0;
}

static void a_log_on_a_full_disk_is_closed_read_and_opened_again(void **state)
{
    (void)state;
    in_child(no_space_for_a_promise, "size=4m");
}

/* Enough appends that the WAL would be copied back: the database cannot grow, the WAL has room. */
static int a_wal_that_cannot_be_copied_back(void)
{
    struct err e = ERR_INIT;
    struct log *l = NULL;
    static struct log_receipt r[400];
    uint64_t entries = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    for (int i = 0; i < 200; i++)
        CHECK(intent(l, 4 * ANSWER, &r[i], &e));
    full_disk_fill(&place);
    for (int i = 0; i < 200; i++)
        CHECK(outcome(l, r[i].seq, 4 * ANSWER, &e));
    CHECK(l->store.wal_end > LOG_SLICE_PAGES && l->store.copy_at_us > 0);
    CHECK(unlink(folder_path(&place, "filler")) == 0);
    log_close(l);
    CHECK(whole(&entries, &e) && entries == 2 + 400 + 1);
    return 0;
}

static void a_wal_that_cannot_be_copied_back_keeps_what_it_has(void **state)
{
    (void)state;
    in_child(a_wal_that_cannot_be_copied_back, "size=80m");
}

/* Of a small disk the WAL, which keeps its blocks, must not take what the database needs. */
static int a_small_disk(void)
{
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct stat wal;
    uint64_t longest = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    while (others(l, &e))
        if (stat(folder_path(&place, "log.db-wal"), &wal) == 0 && (uint64_t)wal.st_size > longest)
            longest = (uint64_t)wal.st_size;
    CHECK(e.code == ERR_LIMIT && longest > 1 << 20 && longest < 6 << 20);
    err_clear(&e);
    log_close(l);
    return 0;
}

static void the_wal_stays_short_where_little_is_free(void **state)
{
    (void)state;
    in_child(a_small_disk, "size=24m");
}

static uint64_t minutes; /* that the clock of the machine is ahead by */

static uint64_t later(void *arg)
{
    (void)arg;
    return clock_wall() + 60000000 * minutes++;
}

static int64_t kept_heads(struct log *l)
{
    int64_t n = -1;
    return sql_int(l->store.db, "SELECT count(*) FROM checkpoint", &n, NULL) ? n : -1;
}

/* However long it lasts, nothing is written but outcomes: heads would be kept each second. */
static int long_after(void)
{
    const struct log_clock clock = {later, later, NULL};
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_receipt r[CALLS];
    uint64_t taken = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open_with(&l, place.path, NULL, &clock, &e));
    for (int i = 0; i < CALLS; i++)
        CHECK(intent(l, 4 * ANSWER, &r[i], &e));
    CHECK(use_up(l, &taken, &e));
    uint64_t end = l->store.wal_end;
    int64_t heads = kept_heads(l);
    for (int i = 0; i < 1000; i++)
        CHECK(!others(l, &e) && e.code == ERR_LIMIT);
    err_clear(&e);
    CHECK(l->store.wal_end == end);
    for (int i = 0; i < CALLS; i++)
        CHECK(outcome(l, r[i].seq, 4 * ANSWER, &e));
    CHECK(heads > 0 && kept_heads(l) == heads);
    log_close(l);
    return 0;
}

static void a_promise_lasts_as_long_as_the_disk_is_full(void **state)
{
    (void)state;
    in_child(long_after, "size=10m");
}

/* What an order writes has no blocks of its own: those that are left were promised. */
static int orders_on_a_full_disk(void)
{
    const struct log_order order = {span_str("dpo"), span_str("asked")};
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_receipt r;
    struct log_erased erased;
    uint64_t taken = 0;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    CHECK(intent(l, ANSWER, &r, &e));
    CHECK(outcome(l, r.seq, ANSWER, &e));
    CHECK(intent(l, 4 * ANSWER, &r, &e));
    CHECK(use_up(l, &taken, &e));
    uint64_t end = l->store.wal_end, room = l->store.reserve.room;
    CHECK(!log_erase_subject(l, span_str("alice"), &order, &erased, NULL, &e));
    CHECK(e.code == ERR_LIMIT && strstr(e.text, "disk is full"));
    err_clear(&e);
    CHECK(l->store.wal_end == end && l->store.reserve.room == room);
    CHECK(outcome(l, r.seq, 4 * ANSWER, &e));
    CHECK(unlink(folder_path(&place, "filler")) == 0);
    for (int i = 0; i < 50 && !others(l, &e); i++)
        usleep(20 * 1000);
    CHECK(log_erase_subject(l, span_str("alice"), &order, &erased, NULL, &e));
    CHECK(!erased.pending && erased.entries == 2);
    log_close(l);
    return 0;
}

static void an_order_takes_no_space_that_was_promised(void **state)
{
    (void)state;
    in_child(orders_on_a_full_disk, "size=6m");
}

/* An order that empties the WAL frees its blocks; those of open calls are had again at once. */
static int a_promise_outlives_an_erasure(void)
{
    const struct log_order order = {span_str("dpo"), span_str("asked")};
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_receipt r;
    struct log_erased erased;
    CHECK(log_init(place.path, span_str("full.example/log"), NULL, &e));
    CHECK(log_open(&l, place.path, NULL, &e));
    CHECK(intent(l, ANSWER, &r, &e));
    CHECK(outcome(l, r.seq, ANSWER, &e));
    CHECK(intent(l, 4 * ANSWER, &r, &e));
    CHECK(log_erase_subject(l, span_str("alice"), &order, &erased, NULL, &e) && !erased.pending);
    full_disk_fill(&place);
    CHECK(outcome(l, r.seq, 4 * ANSWER, &e));
    log_close(l);
    return 0;
}

static void a_promise_outlives_an_erasure_that_empties_the_wal(void **state)
{
    (void)state;
    in_child(a_promise_outlives_an_erasure, "size=6m");
}

/* ---- SQLite's locks ---- */

/*
 * Whether a process of its own sees that the index of the WAL is locked as by an open connection:
 * byte 128 is SQLite's "dead man switch". Who could lock it would take the log for
 * unowned and truncate the index.
 */
static bool index_is_locked(void)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 128, .l_len = 1};
        int fd = open(folder_path(&place, "log.db-shm"), O_RDWR | O_CLOEXEC);
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &f) == 0 ? f.l_type != F_UNLCK : 2);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void setting_space_aside_leaves_the_locks_of_sqlite(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct log_receipt r;
    logs_make(&place);
    struct log *l = logs_open(&place);
    assert_true(index_is_locked());
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t room = l->store.reserve.room;
        assert_true(intent(l, (i + 1) << 22, &r, &e));
        assert_true(l->store.reserve.room > room); /* blocks were allocated */
        assert_true(index_is_locked());
        log_reader_close(logs_reader(&place));
        assert_true(index_is_locked());
    }
    log_close(l);
    assert_false(index_is_locked());
}

/* ---- the table of promises ---- */

static void promises_are_kept_by_call(void **state)
{
    (void)state;
    struct reserve r = {.open = NULL};
    for (uint64_t i = 0; i < 5000; i++)
        reserve_keep(&r, i * 977, 10 + i % 7);
    for (uint64_t i = 0; i < 5000; i += 2)
        reserve_release(&r, i * 977);
    for (uint64_t i = 0; i < 5000; i += 2)
        reserve_release(&r, i * 977); /* twice is once */
    assert_int_equal(r.count, 2500);
    uint64_t sum = 0;
    for (uint64_t i = 1; i < 5000; i += 2)
        sum += 10 + i % 7;
    assert_int_equal(r.promised, sum);
    for (uint64_t i = 1; i < 5000; i += 2)
        reserve_release(&r, i * 977);
    assert_int_equal(r.promised, 0);
    assert_int_equal(r.count, 0);
    reserve_free(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_that_were_accepted_end_on_a_full_disk),
        TEST(an_outcome_beyond_its_promise_is_refused_and_can_be_said_shorter),
        TEST(a_log_on_a_full_disk_is_closed_read_and_opened_again),
        TEST(a_wal_that_cannot_be_copied_back_keeps_what_it_has),
        TEST(the_wal_stays_short_where_little_is_free),
        TEST(a_promise_lasts_as_long_as_the_disk_is_full),
        TEST(an_order_takes_no_space_that_was_promised),
        TEST(a_promise_outlives_an_erasure_that_empties_the_wal),
        TEST(setting_space_aside_leaves_the_locks_of_sqlite),
        TEST(promises_are_kept_by_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
