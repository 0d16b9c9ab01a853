/* Rotation of the log's key, sealing off, successors: who signs what, through crashes too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/verify.h"
#include "log/ops.h"
#include "support/sealed_log.h"

static struct folder place, other;
static struct buf out;
static struct err e;

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 1 << 20);
    err_clear(&e);
    if (!folder_make(&place) || !folder_make(&other))
        return -1;
    sealed_make(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    erase_step = NULL;
    buf_free(&out);
    folder_remove(&place);
    folder_remove(&other);
    return 0;
}

static void good(bool ok)
{
    if (!ok)
        fail_msg("%s: %s", e.file, e.text);
}

static bool feed(void *arg, uint64_t seq, struct span leaf)
{
    (void)seq;
    good(verifier_leaf(arg, leaf, &e));
    return true;
}

/* The whole log by the verifier, which knows nothing of the database. */
static struct verified verify(const struct folder *f, struct arena *a)
{
    struct trust trust = {.origin = SPAN_EMPTY};
    struct verified v;
    struct verifier *verifier = NULL;
    struct log_reader *r = NULL;
    struct buf note;
    buf_init(&note, 1 << 16);
    good(log_reader_open(&r, f->path, &e));
    good(verifier_new(&verifier, &trust, &e));
    good(log_reader_walk(r, 0, feed, verifier, &e));
    good(log_reader_checkpoint(r, &note, &e));
    good(verifier_finish(verifier, buf_span(&note), &v, a, &e));
    verifier_free(verifier);
    log_reader_close(r);
    buf_free(&note);
    return v;
}

static void check_rotations(const struct folder *f, uint64_t rotations)
{
    struct arena *a = arena_new(8 << 20);
    struct verified v = verify(f, a);
    assert_true(v.signed_by_log);
    assert_int_equal(v.rotations, rotations);
    arena_free(a);
}

static void checkpoints_follow_the_key(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    sealed_append(l, "anna", "a");
    good(log_rotate_key(l, NULL, span_str("yearly"), &out, &e));
    assert_true(span_starts(buf_span(&out), "example.org/audit+"));
    sealed_append(l, "anna", "b");
    check_rotations(&place, 1);
    buf_clear(&out);
    good(log_rotate_key(l, NULL, SPAN_EMPTY, &out, &e));
    log_close(l);
    check_rotations(&place, 2);
    l = sealed_open(&place);
    assert_true(sealed_append(l, "ben", "c") > 5);
    log_close(l);
    assert_int_not_equal(access(folder_path(&place, "log.key.next"), F_OK), 0);
    check_rotations(&place, 2);
}

static void a_key_of_ones_own_is_taken(void **state)
{
    (void)state;
    struct sign_key *key = NULL;
    good(sign_key_create(&key, folder_path(&other, "mine.pem"), &e));
    sign_key_free(key);
    struct log *owner = sealed_open(&place), *client = sealed_open(&place);
    good(log_rotate_key(client, folder_path(&other, "mine.pem"), SPAN_EMPTY, &out, &e));
    assert_false(log_rotate_key(owner, folder_path(&other, "mine.pem"), SPAN_EMPTY, &out, &e));
    assert_int_equal(e.code, ERR_USAGE);
    err_clear(&e);
    assert_false(log_rotate_key(owner, folder_path(&other, "nothing"), SPAN_EMPTY, &out, &e));
    err_clear(&e);
    sealed_append(owner, "anna", "a");
    log_close(client);
    log_close(owner);
    check_rotations(&place, 1);
    log_close(sealed_open(&place));
}

static void die(int step)
{
    if (step == STEP_ROTATED)
        _exit(0);
}

static void a_rotation_cut_after_its_leaf_is_finished(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct log *l = NULL;
        erase_step = die;
        if (log_open(&l, place.path, NULL, &e) && log_rotate_key(l, NULL, SPAN_EMPTY, &out, &e))
            _exit(2);
        _exit(1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(access(folder_path(&place, "log.key.next"), F_OK), 0);
    struct log *l = sealed_open(&place);
    sealed_append(l, "anna", "a");
    log_close(l);
    assert_int_not_equal(access(folder_path(&place, "log.key.next"), F_OK), 0);
    check_rotations(&place, 1);
}

static void the_old_key_no_longer_opens_the_log(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct span old;
    good(file_read(&old, folder_path(&place, "log.key"), 4096, true, a, &e));
    struct log *l = sealed_open(&place);
    good(log_rotate_key(l, NULL, SPAN_EMPTY, &out, &e));
    log_close(l);
    good(file_replace(folder_path(&place, "log.key"), old, false, &e));
    l = NULL;
    assert_false(log_open(&l, place.path, NULL, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    arena_free(a);
}

static void a_sealed_off_log_ends_and_is_continued(void **state)
{
    (void)state;
    struct log *l = sealed_open(&place);
    struct log_receipt receipt;
    struct log_entry entry = {.kind = RECORD_CONFIG,
                              .body = span_str("{\"changes\":[],\"software\":\"test\"}")};
    assert_false(log_init_after(folder_path(&other, "new"), span_str("example.org/two"), NULL,
                                place.path, &e));
    assert_int_equal(e.code, ERR_USAGE);
    err_clear(&e);
    sealed_append(l, "anna", "a");
    good(log_rotate_key(l, NULL, SPAN_EMPTY, &out, &e));
    buf_clear(&out);
    good(log_seal_off(l, &out, &e));
    assert_true(span_starts(buf_span(&out), "example.org/audit\n"));
    assert_false(log_append(l, &entry, &receipt, &e));
    err_clear(&e);
    log_close(l);
    check_rotations(&place, 1);
    assert_false(log_open(&l, place.path, NULL, &e));
    assert_int_equal(e.code, ERR_USAGE);
    err_clear(&e);
    good(log_init_after(folder_path(&other, "new"), span_str("example.org/two"), NULL, place.path,
                        &e));
    struct log_reader *r = NULL;
    struct span leaf;
    struct arena *a = arena_new(1 << 20);
    good(log_reader_open(&r, folder_path(&other, "new"), &e));
    good(log_reader_leaf(r, 0, a, &leaf, &e));
    assert_non_null(
        memmem(leaf.p, leaf.n, "\"predecessor\":{\"checkpoint\":\"example.org/audit", 46));
    log_reader_close(r);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checkpoints_follow_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_of_ones_own_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rotation_cut_after_its_leaf_is_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(the_old_key_no_longer_opens_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sealed_off_log_ends_and_is_continued, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
