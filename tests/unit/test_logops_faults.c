/*
 * Erasure, rotation and restoring on a disk that fails at the n-th call, for every n: done, or
 * not begun, or finished when the log is opened again; and a log that opens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/verify.h"
#include "log/ops.h"
#include "support/fault_vfs.h"
#include "support/logs.h"
#include "support/sealed_log.h"

enum { ANNA = 2, BERT = 3, ENTRIES = 6, LEAST = 6 };

static struct folder good, place;
static struct note_key first_key; /* with which the log began */

static const char *const files[] = {"log.db", "head", "keyring", "operator.key", "log.key"};

static void copy_files(const struct folder *from, const struct folder *to)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct span bytes;
        struct arena *a = arena_new(16 << 20);
        assert_true(file_read(&bytes, folder_path(from, files[i]), 8 << 20, false, a, NULL));
        assert_true(folder_put(to, files[i], bytes));
        assert_int_equal(chmod(folder_path(to, files[i]), 0600), 0);
        arena_free(a);
    }
}

static int setup(void **state)
{
    struct sign_key *key = NULL;
    (void)state;
    fault_vfs_install();
    fault_vfs_pass();
    if (!folder_make(&good))
        return -1;
    sealed_make(&good);
    struct log *l = sealed_open(&good);
    assert_int_equal(sealed_append(l, "anna", "anna's secret"), ANNA);
    assert_int_equal(sealed_append(l, "bert", "bert's secret"), BERT);
    log_close(l);
    assert_true(sign_key_load(&key, folder_path(&good, "log.key"), NULL));
    struct sign_public public = sign_key_public(key);
    assert_true(
        note_key_make(&first_key, span_str("example.org/audit"), NOTE_ED25519, &public, NULL));
    sign_key_free(key);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fault_vfs_pass();
    folder_remove(&good);
    return 0;
}

/* ---- what holds after any failure ---- */

struct feed {
    struct verifier *v;
    struct err e;
    bool ok;
};

static bool feed_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct feed *f = arg;
    (void)seq;
    f->ok = verifier_leaf(f->v, leaf, &f->e);
    return f->ok;
}

/* The whole log, by the key that it began with. */
static struct verified verified_whole(void)
{
    const struct trust t = {.log_keys = &first_key, .log_key_count = 1};
    struct feed f = {.e = ERR_INIT, .ok = true};
    struct verified v;
    struct buf note;
    struct arena *a = arena_new(4 << 20);
    struct log_reader *r = logs_reader(&place);
    buf_init(&note, 1 << 16);
    assert_true(log_reader_checkpoint(r, &note, NULL) && verifier_new(&f.v, &t, NULL));
    bool ok = log_reader_walk(r, 0, feed_leaf, &f, &f.e) && f.ok &&
              verifier_finish(f.v, buf_span(&note), &v, a, &f.e);
    if (!ok)
        fail_msg("%s", f.e.text);
    verifier_free(f.v);
    buf_free(&note);
    arena_free(a);
    log_reader_close(r);
    return v;
}

static bool opens(uint64_t seq)
{
    struct buf out;
    struct log *l = sealed_open(&place);
    buf_init(&out, 1 << 20);
    bool ok = sealed_disclose(l, seq, "prompt", &out) == ERR_NONE;
    buf_free(&out);
    log_close(l);
    return ok;
}

/* ---- operations ---- */

static bool erase(struct log *l, bool *done, struct err *e)
{
    struct log_erased out;
    bool ok = log_erase_subject(l, span_str("anna"), &sealed_order, &out, NULL, e);
    *done = ok && !out.pending;
    return ok;
}

static void erased_or_not(bool done)
{
    bool there = opens(ANNA);
    assert_true(opens(BERT));
    int64_t leaves = sealed_number(&place, "SELECT count(*) FROM entry WHERE kind = 11");
    assert_int_equal(RECORD_ERASURE, 11);
    assert_int_equal(leaves, !there);
    assert_true(!done || !there);
    assert_int_equal(sealed_number(&place, "SELECT count(*) FROM erasure"), 0);
}

static bool rotate(struct log *l, bool *done, struct err *e)
{
    struct buf vkey;
    buf_init(&vkey, 4096);
    *done = log_rotate_key(l, NULL, span_str("test"), &vkey, e);
    buf_free(&vkey);
    return *done;
}

static void rotated_or_not(bool done)
{
    struct verified v = verified_whole();
    assert_true(v.rotations <= 1 && (!done || v.rotations == 1));
    assert_true(access(folder_path(&place, "log.key.next"), F_OK) != 0);
    assert_true(opens(ANNA));
}

/* False when the failure did not come about any more. */
static bool disturbed(uint64_t n, int result, bool (*run)(struct log *, bool *, struct err *),
                      void (*check)(bool))
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    bool done = false;
    assert_true(folder_make(&place));
    copy_files(&good, &place);
    l = logs_open(&place);
    fault_vfs_fail(n, result);
    bool ok = run(l, &done, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    bool fired = fault_vfs_fired();
    log_close(l); /* its disk fails still */
    fault_vfs_pass();
    log_close(logs_open(&place)); /* nothing else is needed */
    check(done);
    (void)verified_whole();
    folder_remove(&place);
    assert_true(fired || ok);
    return fired;
}

static void every_call(bool (*run)(struct log *, bool *, struct err *), void (*check)(bool))
{
    uint64_t n = 1;
    while (disturbed(n, n % 3 ? SQLITE_IOERR_WRITE : SQLITE_FULL, run, check))
        n++;
    assert_true(n > LEAST);
}

static void an_erasure_on_a_failing_disk_is_finished_or_not_begun(void **state)
{
    (void)state;
    every_call(erase, erased_or_not);
}

static void a_rotation_on_a_failing_disk_is_finished_or_not_begun(void **state)
{
    (void)state;
    every_call(rotate, rotated_or_not);
}

/* ---- restoring ---- */

static bool restore_to(const struct folder *to, struct err *e)
{
    struct log_restored out;
    return log_restore(good.path, to->path, NULL, &sealed_order, &out, e);
}

static bool disturbed_restore(uint64_t n, int result)
{
    struct err e = ERR_INIT;
    assert_true(folder_make(&place));
    copy_files(&good, &place);
    assert_int_equal(unlink(folder_path(&place, "log.db")), 0);
    fault_vfs_fail(n, result);
    bool ok = restore_to(&place, &e);
    bool fired = fault_vfs_fired();
    fault_vfs_pass();
    assert_int_equal(ok, e.code == ERR_NONE);
    if (!ok) { /* nothing half-made has the log's name: it can be done again */
        assert_true(access(folder_path(&place, "log.db"), F_OK) != 0);
        err_clear(&e);
        if (!restore_to(&place, &e))
            fail_msg("again: %s", e.text);
    }
    assert_true(opens(ANNA) && opens(BERT));
    assert_int_equal(verified_whole().restores, 1);
    folder_remove(&place);
    assert_true(fired || ok);
    return fired;
}

static void restoring_to_a_failing_disk_leaves_nothing_or_a_log(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (disturbed_restore(n, n % 3 ? SQLITE_IOERR_WRITE : SQLITE_FULL))
        n++;
    assert_true(n > LEAST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_erasure_on_a_failing_disk_is_finished_or_not_begun),
        TEST(a_rotation_on_a_failing_disk_is_finished_or_not_begun),
        TEST(restoring_to_a_failing_disk_leaves_nothing_or_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
