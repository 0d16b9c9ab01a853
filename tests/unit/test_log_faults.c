/* Every failing call, every place to crash: what was acknowledged is there afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log/store.h"
#include "support/fault_vfs.h"
#include "support/logs.h"

enum { ACKS_MAX = 64, SECTOR = 512, SUBSETS = 1000 };

/* What the log has promised, and when. */
struct ack {
    struct log_receipt receipt;
    size_t ops; /* calls recorded when it was acknowledged */
    uint8_t note[512];
    size_t note_n; /* the head of that moment */
};

static struct folder place;
static struct ack acks[ACKS_MAX];
static size_t ack_count;

static const char *const files[] = {"log.db", "head", "keyring", "operator.key", "log.key"};

static int setup(void **state)
{
    (void)state;
    fault_vfs_install();
    fault_vfs_pass();
    ack_count = 0;
    return folder_make(&place) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fault_vfs_pass();
    fault_vfs_forget();
    folder_remove(&place);
    return 0;
}

/* ---- the work that is disturbed ---- */

static bool append_one(struct log *l, unsigned i)
{
    struct log_content content = {span_str("prompt"), span_str(logs_config)};
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(logs_config)};
    if (i % 2) {
        entry.subject = span_str(i % 4 == 1 ? "alice" : "bob");
        entry.content = &content;
        entry.content_count = 1;
    }
    struct ack *a = &acks[ack_count];
    struct buf note;
    if (!log_append(l, &entry, &a->receipt, NULL))
        return false;
    buf_init(&note, sizeof a->note);
    uint64_t size = 0;
    assert_true(head_note(l, &note, &size, NULL));
    memcpy(a->note, note.p, note.n);
    a->note_n = note.n;
    a->ops = fault_vfs_count();
    ack_count++;
    buf_free(&note);
    return true;
}

static bool copy_all_back(struct log *l, void *arg, struct err *e)
{
    bool pending;
    (void)arg;
    return store_truncate(l, &pending, e);
}

/* Every promise is kept: the leaf is there and, up to the head, proved. */
static bool kept(size_t promised)
{
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(4 << 20);
    struct buf receipt;
    buf_init(&receipt, 1 << 20);
    bool ok = log_reader_open(&r, place.path, &e);
    for (size_t i = 0; ok && i < promised; i++) {
        struct span leaf;
        ok = log_reader_leaf(r, acks[i].receipt.seq, a, &leaf, &e);
        struct digest hash = ok ? record_hash(leaf) : (struct digest){{0}};
        ok = ok && digest_eq(&hash, &acks[i].receipt.leaf_hash);
    }
    if (ok && promised)
        ok = log_reader_receipt(r, acks[promised - 1].receipt.seq, &receipt, &e);
    if (!ok)
        print_error("after %zu promises: %s\n", promised, e.text);
    log_reader_close(r);
    buf_free(&receipt);
    arena_free(a);
    return ok;
}

/* ---- a call that fails ---- */

static void restore_files(const char *suffix)
{
    char from[32];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(from, sizeof from, "%s%s", files[i], suffix);
        logs_copy(&place, from, files[i]);
    }
    unlink(folder_path(&place, "log.db-wal"));
    unlink(folder_path(&place, "log.db-shm"));
}

static void save_files(const char *suffix)
{
    char to[32];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(to, sizeof to, "%s%s", files[i], suffix);
        logs_copy(&place, files[i], to);
    }
}

/* False when the failure did not come about any more. */
static bool disturbed(uint64_t n, int result)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    restore_files(".good");
    ack_count = 0;
    fault_vfs_fail(n, result);
    if (log_open(&l, place.path, NULL, &e)) {
        for (unsigned i = 0; i < 3 && append_one(l, i); i++)
            ;
        if (ack_count == 3 && log_run(l, copy_all_back, NULL, NULL))
            (void)append_one(l, 3);
        log_close(l);
    } else {
        assert_int_not_equal(e.code, ERR_NONE);
    }
    bool fired = fault_vfs_fired();
    fault_vfs_pass();
    log_close(logs_open(&place)); /* nothing else is needed */
    assert_true(kept(ack_count));
    assert_true(fired || ack_count == 4);
    return fired;
}

static void every_failing_call(int result, bool first_version)
{
    uint64_t n = 1;
    logs_make(&place);
    if (first_version)
        logs_first_version(&place);
    save_files(".good");
    while (disturbed(n, result))
        n++;
    assert_true(n > 20); /* something was disturbed */
}

static void no_failing_write_or_sync_costs_a_promise(void **state)
{
    (void)state;
    every_failing_call(SQLITE_IOERR_WRITE, false);
}

static void no_full_disk_at_any_call_costs_a_promise(void **state)
{
    (void)state;
    every_failing_call(SQLITE_FULL, false);
}

static void no_failing_call_of_a_slice_costs_a_promise(void **state)
{
    (void)state;
    copy_back_limits(2, 20);
    every_failing_call(SQLITE_IOERR_WRITE, false);
    copy_back_limits(LOG_SLICE_PAGES, LOG_WAL_PAGES);
}

static void no_failing_call_leaves_half_a_migration(void **state)
{
    (void)state;
    every_failing_call(SQLITE_IOERR_WRITE, true);
}

/* ---- a crash between two calls ---- */

static int files_fd[2];

static void apply(const struct fault_op *op, size_t n)
{
    if (op->file == FAULT_OTHER)
        return;
    int fd = files_fd[op->file];
    if (op->call == FAULT_WRITE)
        assert_int_equal(pwrite(fd, op->bytes, n, (off_t)op->offset), n);
    else if (op->call != FAULT_SYNC)
        assert_int_equal(ftruncate(fd, (off_t)op->offset), 0);
}

/* The folder as it was before the recording, with the head of the moment `ops`. */
static size_t begin_replay(size_t at)
{
    size_t promised = 0;
    restore_files(".good");
    while (promised < ack_count && acks[promised].ops <= at)
        promised++;
    if (promised)
        folder_put(&place, "head",
                   (struct span){acks[promised - 1].note, acks[promised - 1].note_n});
    files_fd[FAULT_DB] = open(folder_path(&place, "log.db"), O_RDWR | O_CLOEXEC);
    files_fd[FAULT_WAL] =
        open(folder_path(&place, "log.db-wal"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(files_fd[0] >= 0 && files_fd[1] >= 0);
    return promised;
}

static void end_replay(void)
{
    close(files_fd[0]);
    close(files_fd[1]);
}

/* Calls before `at`; the one at `at` only with its first or last `torn` bytes. */
static void crash_at(size_t at, size_t torn, bool tail)
{
    const struct fault_op *ops = fault_vfs_ops();
    size_t promised = begin_replay(at);
    for (size_t i = 0; i < at; i++)
        apply(&ops[i], ops[i].n);
    if (torn) {
        struct fault_op part = ops[at];
        size_t skip = tail ? part.n - torn : 0;
        part.bytes += skip;
        part.offset += skip;
        apply(&part, torn);
    }
    end_replay();
    assert_true(kept(promised));
}

/* What was not synced when the machine stopped may be there or not, each write by itself. */
static void crash_with_some(size_t at, unsigned seed)
{
    const struct fault_op *ops = fault_vfs_ops();
    size_t synced[3] = {0, 0, 0};
    for (size_t i = 0; i < at; i++)
        if (ops[i].call == FAULT_SYNC)
            synced[ops[i].file] = i;
    size_t promised = begin_replay(at);
    for (size_t i = 0; i < at; i++) {
        seed = seed * 1103515245u + 12345u;
        bool lost = i > synced[ops[i].file] && ops[i].call == FAULT_WRITE && (seed >> 16 & 1);
        if (!lost)
            apply(&ops[i], ops[i].n);
    }
    end_replay();
    assert_true(kept(promised));
}

/* Appends, a WAL that is copied back and begun again, more appends; nothing is closed. */
static struct log *recorded(void)
{
    logs_make(&place);
    save_files(".good");
    fault_vfs_record();
    struct log *l = logs_open(&place);
    for (unsigned i = 0; i < 5; i++)
        assert_true(append_one(l, i));
    assert_true(log_run(l, copy_all_back, NULL, NULL));
    for (unsigned i = 5; i < 9; i++)
        assert_true(append_one(l, i));
    fault_vfs_pass();
    return l;
}

static size_t began_anew(void)
{
    size_t n = 0;
    for (size_t i = 0; i < fault_vfs_count(); i++) {
        const struct fault_op *op = &fault_vfs_ops()[i];
        n += op->file == FAULT_WAL && op->call == FAULT_WRITE && op->offset == 0;
    }
    return n;
}

/* Many slices, some while the keeper syncs what came before, and a WAL that begins anew by itself. */
static void recorded_in_slices(void)
{
    logs_make(&place);
    save_files(".good");
    copy_back_limits(12, 60);
    fault_vfs_record();
    struct log *l = logs_open(&place);
    for (unsigned i = 0; i < ACKS_MAX || began_anew() < 2; i++) {
        assert_true(i < 4096);
        ack_count = ack_count < ACKS_MAX ? ack_count : ACKS_MAX - 1;
        assert_true(append_one(l, i));
    }
    fault_vfs_pass();
    log_close(l);
    copy_back_limits(LOG_SLICE_PAGES, LOG_WAL_PAGES);
}

static void no_crash_between_slices_costs_a_promise(void **state)
{
    (void)state;
    recorded_in_slices();
    size_t n = fault_vfs_count(), in_database = 0;
    for (size_t at = 0; at <= n; at++) {
        const struct fault_op *op = &fault_vfs_ops()[at];
        bool copied = at < n && op->file == FAULT_DB && op->call == FAULT_WRITE;
        in_database += copied;
        if (copied)
            crash_at(at, SECTOR, at % 2);
        if (copied || at % 5 == 0)
            crash_at(at, 0, false);
    }
    assert_true(in_database > 20);
    for (unsigned seed = 1; seed <= SUBSETS / 2; seed++)
        crash_with_some((seed * 7919u) % (n + 1), seed);
}

static void no_crash_between_calls_or_within_one_costs_a_promise(void **state)
{
    (void)state;
    log_close(recorded());
    size_t n = fault_vfs_count();
    assert_true(n > 50);
    for (size_t at = 0; at <= n; at++) {
        crash_at(at, 0, false);
        const struct fault_op *op = &fault_vfs_ops()[at];
        for (size_t torn = SECTOR; at < n && op->call == FAULT_WRITE && torn < op->n;
             torn += SECTOR) {
            crash_at(at, torn, false);
            crash_at(at, torn, true);
        }
    }
}

static void no_lost_set_of_unsynced_writes_costs_a_promise(void **state)
{
    (void)state;
    log_close(recorded());
    size_t n = fault_vfs_count();
    for (unsigned seed = 1; seed <= SUBSETS; seed++)
        crash_with_some((seed * 7919u) % (n + 1), seed);
}

static void an_owner_opens_after_a_crash_at_any_call(void **state)
{
    (void)state;
    log_close(recorded());
    for (size_t at = 0; at <= fault_vfs_count(); at += 5) {
        crash_at(at, 0, false);
        log_close(logs_open(&place));
    }
}

/* In each of its writes, and in the middle of one: the log opens, of one version or the other. */
static void no_crash_leaves_half_a_migration(void **state)
{
    (void)state;
    logs_make(&place);
    logs_first_version(&place);
    save_files(".good");
    fault_vfs_record();
    struct log *l = logs_open(&place);
    fault_vfs_pass();
    log_close(l);
    size_t n = fault_vfs_count();
    assert_true(n > 10);
    for (size_t at = 0; at <= n; at++) {
        crash_at(at, 0, false);
        log_close(logs_open(&place));
        assert_int_equal(logs_sql_int(&place, "PRAGMA user_version"), LOG_SCHEMA);
        if (at == n || fault_vfs_ops()[at].call != FAULT_WRITE)
            continue;
        crash_at(at, fault_vfs_ops()[at].n / 2, at % 2);
        log_close(logs_open(&place));
        assert_int_equal(logs_sql_int(&place, "PRAGMA user_version"), LOG_SCHEMA);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_failing_write_or_sync_costs_a_promise),
        TEST(no_full_disk_at_any_call_costs_a_promise),
        TEST(no_failing_call_of_a_slice_costs_a_promise),
        TEST(no_failing_call_leaves_half_a_migration),
        TEST(no_crash_leaves_half_a_migration),
        TEST(no_crash_between_calls_or_within_one_costs_a_promise),
        TEST(no_lost_set_of_unsynced_writes_costs_a_promise),
        TEST(no_crash_between_slices_costs_a_promise),
        TEST(an_owner_opens_after_a_crash_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
