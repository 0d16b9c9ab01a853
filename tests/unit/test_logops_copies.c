/* Backup, restore, reindex: what is copied is what was signed, and what is derived can go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log/store.h"
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

static void damage(const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;
    assert_int_equal(sqlite3_open(folder_path(&place, "log.db"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

/* A log of 600 entries, closed. */
static void fill(void)
{
    struct log *l = sealed_open(&place);
    for (int i = 0; i < 600; i++)
        sealed_append(l, i % 2 ? "anna" : "ben", "asked");
    log_close(l);
}

/* ---- reindex ---- */

static void reindex_finds_nothing_wrong_in_a_whole_log(void **state)
{
    (void)state;
    struct log_reindexed done;
    fill();
    good(log_reindex(place.path, &done, &e));
    assert_int_equal(done.entries, 603);
    assert_int_equal(done.tiles, 2);
    assert_int_equal(done.wrong_entries + done.wrong_tiles + done.wrong_intents, 0);
}

static void reindex_mends_what_is_derived(void **state)
{
    (void)state;
    struct log_reindexed done;
    fill();
    struct digest root = sealed_root(&place, 603);
    damage("UPDATE tile SET hashes = zeroblob(8192) WHERE id = 1;"
           "INSERT INTO tile VALUES (99, x'00', x'00'), (-1, x'00', x'00');"
           "DELETE FROM entry WHERE seq = 17; UPDATE entry SET kind = 3 WHERE seq = 20;"
           "INSERT INTO entry VALUES (9999, 1, 1, NULL, NULL, NULL);"
           "INSERT INTO open_intent VALUES (5)");
    good(log_reindex(place.path, &done, &e));
    assert_int_equal(done.wrong_tiles, 3);
    assert_int_equal(done.wrong_entries, 3);
    assert_int_equal(done.wrong_intents, 1);
    good(log_reindex(place.path, &done, &e));
    assert_int_equal(done.wrong_entries + done.wrong_tiles + done.wrong_intents, 0);
    struct digest after = sealed_root(&place, 603);
    assert_true(digest_eq(&root, &after));
    struct log *l = sealed_open(&place);
    assert_int_equal(sealed_append(l, "anna", "again"), 604);
    log_close(l);
}

static void reindex_never_makes_changed_leaves_right(void **state)
{
    (void)state;
    struct log_reindexed done;
    fill();
    damage("UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"boot_us\":', "
           "'\"boot_us\":1') AS BLOB) WHERE seq = 40; DELETE FROM entry WHERE seq = 41");
    assert_false(log_reindex(place.path, &done, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_int_equal(sealed_number(&place, "SELECT count(*) FROM entry WHERE seq = 41"), 0);
    err_clear(&e);
    damage("DELETE FROM record WHERE seq > 500");
    assert_false(log_reindex(place.path, &done, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
}

static void reindex_waits_for_no_owner(void **state)
{
    (void)state;
    struct log_reindexed done;
    struct log *l = sealed_open(&place);
    assert_false(log_reindex(place.path, &done, &e));
    assert_int_equal(e.code, ERR_USAGE);
    log_close(l);
}

/* ---- backup and restore ---- */

static atomic_bool stop;

static void *append_always(void *log)
{
    while (!stop)
        sealed_append(log, "anna", "while it is copied");
    return NULL;
}

static void a_backup_is_whole_while_the_log_is_written(void **state)
{
    (void)state;
    struct log_backed_up done;
    char name[16];
    pthread_t writer;
    struct log *l = sealed_open(&place);
    stop = false;
    assert_int_equal(pthread_create(&writer, NULL, append_always, l), 0);
    uint64_t before = 0;
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "copy%d", i);
        good(log_backup(place.path, folder_path(&other, name), false, &done, &e));
        assert_false(done.keyring);
        assert_true(done.entries >= before);
        before = done.entries;
        assert_int_not_equal(access(folder_path(&other, "copy0/keyring"), F_OK), 0);
        assert_int_not_equal(access(folder_path(&other, "copy0/log.key"), F_OK), 0);
    }
    stop = true;
    pthread_join(writer, NULL);
    log_close(l);
    assert_false(log_backup(place.path, folder_path(&other, "copy0"), false, &done, &e));
}

static void lose_the_database(void)
{
    assert_int_equal(unlink(folder_path(&place, "log.db")), 0);
    unlink(folder_path(&place, "log.db-wal"));
    unlink(folder_path(&place, "log.db-shm"));
}

static void a_restored_log_goes_on_in_a_new_epoch(void **state)
{
    (void)state;
    struct log_backed_up copy;
    struct log_restored done;
    struct log *l = sealed_open(&place);
    uint64_t anna = sealed_append(l, "anna", "before the backup");
    good(log_backup(place.path, folder_path(&other, "copy"), false, &copy, &e));
    for (int i = 0; i < 10; i++)
        sealed_append(l, "ben", "lost");
    log_close(l);
    assert_false(
        log_restore(folder_path(&other, "copy"), place.path, NULL, &sealed_order, &done, &e));
    assert_int_equal(e.code, ERR_USAGE);
    err_clear(&e);
    lose_the_database();
    good(log_restore(folder_path(&other, "copy"), place.path, NULL, &sealed_order, &done, &e));
    assert_int_equal(done.entries, copy.entries);
    assert_int_equal(done.lost, 11);
    assert_int_equal(done.seq, copy.entries);
    assert_int_equal(done.epoch, 2);
    l = sealed_open(&place);
    assert_int_equal(sealed_disclose(l, anna, "prompt", &out), ERR_NONE);
    assert_true(sealed_append(l, "anna", "after") > done.seq);
    log_close(l);
}

static void what_was_erased_since_the_backup_stays_erased(void **state)
{
    (void)state;
    struct log_backed_up copy;
    struct log_restored done;
    struct log_erased erased;
    struct log *l = sealed_open(&place);
    uint64_t anna = sealed_append(l, "anna", "a");
    good(log_backup(place.path, folder_path(&other, "copy"), true, &copy, &e));
    assert_true(copy.keyring);
    good(log_erase_subject(l, span_str("anna"), &sealed_order, &erased, NULL, &e));
    log_close(l);
    lose_the_database();
    good(log_restore(folder_path(&other, "copy"), place.path, NULL, &sealed_order, &done, &e));
    l = sealed_open(&place);
    assert_int_equal(sealed_disclose(l, anna, "prompt", &out), ERR_INTEGRITY);
    sealed_append(l, "ben", "a new start");
    good(log_erase_subject(l, span_str("ben"), &sealed_order, &erased, NULL, &e));
    log_close(l);
}

static void a_log_is_restored_elsewhere_with_its_keys(void **state)
{
    (void)state;
    struct log_backed_up copy;
    struct log_restored done;
    char key[128], operator_key[128];
    snprintf(key, sizeof key, "%s", folder_path(&place, "log.key"));
    snprintf(operator_key, sizeof operator_key, "%s", folder_path(&place, "operator.key"));
    struct log_paths paths = {key, operator_key};
    struct log *l = sealed_open(&place);
    uint64_t anna = sealed_append(l, "anna", "a");
    good(log_backup(place.path, folder_path(&other, "copy"), true, &copy, &e));
    log_close(l);
    good(log_restore(folder_path(&other, "copy"), folder_path(&other, "new"), &paths, &sealed_order,
                     &done, &e));
    assert_int_equal(done.lost, 0);
    good(log_open(&l, folder_path(&other, "new"), &paths, &e));
    assert_int_equal(sealed_disclose(l, anna, "prompt", &out), ERR_NONE);
    log_close(l);
}

static void a_changed_backup_is_not_restored(void **state)
{
    (void)state;
    struct log_backed_up copy;
    struct log_restored done;
    fill();
    good(log_backup(place.path, folder_path(&other, "copy"), false, &copy, &e));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(folder_path(&other, "copy/log.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM record WHERE seq > 500", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    lose_the_database();
    assert_false(
        log_restore(folder_path(&other, "copy"), place.path, NULL, &sealed_order, &done, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_int_not_equal(access(folder_path(&place, "log.db"), F_OK), 0);
    assert_int_not_equal(access(folder_path(&place, "log.db.restore"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reindex_finds_nothing_wrong_in_a_whole_log, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reindex_mends_what_is_derived, setup, teardown),
        cmocka_unit_test_setup_teardown(reindex_never_makes_changed_leaves_right, setup, teardown),
        cmocka_unit_test_setup_teardown(reindex_waits_for_no_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(a_backup_is_whole_while_the_log_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_restored_log_goes_on_in_a_new_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_erased_since_the_backup_stays_erased, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_log_is_restored_elsewhere_with_its_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_backup_is_not_restored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
