/* Databases, keys and heads that are not what this build wrote: refused, by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log/tiles.h"
#include "support/logs.h"

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

/* A log of a few entries, closed. */
static void made(void)
{
    logs_make(&place);
    struct log *l = logs_open(&place);
    for (int i = 0; i < 20; i++)
        logs_append(l);
    log_close(l);
}

/* Neither owner nor reader takes it, and both say why. */
static void refused(enum err_code code, const char *words)
{
    struct log *l = NULL;
    struct log_reader *r = NULL;
    struct err e = ERR_INIT, e2 = ERR_INIT;
    assert_false(log_open(&l, place.path, NULL, &e));
    assert_false(log_reader_open(&r, place.path, &e2));
    if (e.code != code || e2.code != code || !strstr(e.text, words) || !strstr(e2.text, words))
        fail_msg("\"%s\" and \"%s\" instead of \"%s\"", e.text, e2.text, words);
}

/* The owner does not take it. */
static void not_opened(enum err_code code, const char *words)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    assert_false(log_open(&l, place.path, NULL, &e));
    if (e.code != code || !strstr(e.text, words))
        fail_msg("%s: \"%s\" instead of \"%s\"", e.file, e.text, words);
}

/* ---- databases ---- */

static void a_foreign_database_is_refused(void **state)
{
    (void)state;
    logs_sql(&place, "CREATE TABLE photos (id INTEGER PRIMARY KEY, title TEXT)");
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    assert_false(log_reader_open(&r, place.path, &e));
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.text, "not one of an audit log"));
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    made();
    char text[8192];
    memset(text, 'x', sizeof text);
    folder_put(&place, "log.db", (struct span){(const uint8_t *)text, sizeof text});
    refused(ERR_FORMAT, "not an SQLite database");
}

static void a_newer_version_is_named(void **state)
{
    (void)state;
    made();
    logs_sql(&place, "PRAGMA user_version = 5");
    refused(ERR_UNSUPPORTED, "newer Assay");
}

/* One that was not made in one transaction, or whose file is half of one and half another. */
static void a_half_finished_migration_is_refused(void **state)
{
    (void)state;
    made();
    logs_copy(&place, "log.db", "good.db");
    logs_sql(&place, "PRAGMA user_version = 1");
    refused(ERR_INTEGRITY, "index \"cosignature_size\" does not belong there");
    logs_copy(&place, "good.db", "log.db");
    logs_sql(&place, "DROP INDEX cosignature_size");
    refused(ERR_INTEGRITY, "index \"cosignature_size\" is missing");
    logs_copy(&place, "good.db", "log.db");
    logs_sql(&place, "DROP TABLE response");
    refused(ERR_INTEGRITY, "table \"response\" is missing");
    logs_copy(&place, "good.db", "log.db");
    logs_sql(&place, "PRAGMA user_version = 2");
    refused(ERR_INTEGRITY, "index \"entry_kind\" has another text");
    logs_copy(&place, "good.db", "log.db");
    logs_sql(&place, "PRAGMA user_version = 0");
    refused(ERR_INTEGRITY, "schema 0 never existed");
    logs_copy(&place, "good.db", "log.db");
    log_close(logs_open(&place));
}

static void a_log_of_the_first_version_is_read_and_brought_up(void **state)
{
    (void)state;
    made();
    logs_first_version(&place);
    struct log_reader *r = logs_reader(&place);
    uint64_t size = log_reader_size(r);
    log_reader_close(r);
    assert_int_equal(logs_sql_int(&place, "PRAGMA user_version"), 1); /* by whom owns it alone */
    struct log *l = logs_open(&place);
    logs_append(l);
    log_close(l);
    assert_int_equal(logs_sql_int(&place, "PRAGMA user_version"), LOG_SCHEMA);
    r = logs_reader(&place);
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(log_reader_size(r), size + 3); /* start, one entry, stop */
    for (uint64_t i = 0; i < size + 3; i++)
        assert_true(log_reader_receipt(r, i, &b, NULL));
    buf_free(&b);
    log_reader_close(r);
}

static void every_change_of_the_schema_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"CREATE TABLE extra (x)", "table \"extra\" does not belong there"},
        {"CREATE TABLE zz (x)", "table \"zz\" does not belong there"},
        {"CREATE VIEW v AS SELECT * FROM record", "view \"v\" does not belong there"},
        {"CREATE VIEW w AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
         "SELECT i FROM n",
         "view \"w\" does not belong there"},
        {"CREATE TRIGGER t BEFORE INSERT ON record BEGIN SELECT 1; END",
         "trigger \"t\" does not belong there"},
        {"CREATE UNIQUE INDEX u ON record (leaf)", "index \"u\" does not belong there"},
        {"DROP INDEX entry_kind", "index \"entry_kind\" is missing"},
        {"DROP TABLE cosignature", "index \"cosignature_size\" is missing"},
        {"ALTER TABLE record ADD COLUMN more TEXT", "table \"record\" has another text"},
        {"DROP TABLE record; CREATE VIEW record AS SELECT seq, x'7b7d' AS leaf FROM entry",
         "record"},
    };
    made();
    logs_copy(&place, "log.db", "good.db");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        logs_copy(&place, "good.db", "log.db");
        logs_sql(&place, cases[i].sql);
        refused(ERR_INTEGRITY, cases[i].words);
    }
    logs_copy(&place, "good.db", "log.db");
    log_close(logs_open(&place));
}

static void a_schema_that_does_not_parse_is_refused(void **state)
{
    (void)state;
    made();
    logs_sql(&place, "PRAGMA writable_schema = ON;"
                     "UPDATE sqlite_schema SET sql = 'CREATE TABLE record(' WHERE name = 'record'");
    refused(ERR_INTEGRITY, "");
}

static void an_oversized_leaf_is_not_copied(void **state)
{
    (void)state;
    made();
    logs_sql(&place, "UPDATE record SET leaf = zeroblob(70000) WHERE seq = 3");
    struct log_reader *r = logs_reader(&place);
    struct arena *a = arena_new(1 << 20);
    struct span leaf;
    struct err e = ERR_INIT;
    assert_false(log_reader_leaf(r, 3, a, &leaf, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_non_null(strstr(e.text, "entry 3"));
    arena_free(a);
    log_reader_close(r);
}

/* ---- history ---- */

static bool nothing(void *arg, uint64_t seq, struct span leaf)
{
    (void)arg, (void)seq, (void)leaf;
    return true;
}

static void a_missing_entry_is_named(void **state)
{
    (void)state;
    made();
    logs_sql(&place, "DELETE FROM record WHERE seq = 7");
    not_opened(ERR_INTEGRITY, "entry 7 is missing");
    struct log_reader *r = logs_reader(&place);
    struct err e = ERR_INIT;
    assert_false(log_reader_walk(r, 0, nothing, NULL, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    assert_non_null(strstr(e.text, "entry 7 is missing"));
    log_reader_close(r);
}

static void a_changed_entry_gets_no_receipt_and_no_owner(void **state)
{
    (void)state;
    made();
    logs_sql(&place, "UPDATE record SET leaf = x'7b7d' WHERE seq = 5");
    not_opened(ERR_INTEGRITY, "history was changed");
    struct log_reader *r = logs_reader(&place);
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 1 << 20);
    assert_false(log_reader_receipt(r, 4, &b, &e));
    assert_int_equal(e.code, ERR_INTEGRITY);
    buf_free(&b);
    log_reader_close(r);
}

static void a_rolled_back_database_is_noticed_by_the_head(void **state)
{
    (void)state;
    made();
    logs_copy(&place, "log.db", "old.db");
    struct log *l = logs_open(&place);
    logs_append(l);
    log_close(l);
    logs_copy(&place, "old.db", "log.db");
    not_opened(ERR_INTEGRITY, "rolled back");
}

static void a_deleted_wal_is_noticed_by_the_head(void **state)
{
    (void)state;
    made();
    struct log *l = logs_open(&place);
    logs_append(l);
    logs_copy(&place, "log.db", "without.db"); /* as if its WAL had been lost with a crash */
    log_close(l);
    logs_copy(&place, "without.db", "log.db");
    not_opened(ERR_INTEGRITY, "WAL");
}

static void a_damaged_tile_is_an_error_and_no_proof(void **state)
{
    (void)state;
    logs_make(&place);
    struct log *l = logs_open(&place);
    for (int i = 0; i < 300; i++)
        logs_append(l);
    log_close(l);
    logs_sql(&place, "UPDATE tile SET hashes = zeroblob(8192)");
    struct log_reader *r = logs_reader(&place);
    struct buf b;
    struct err e = ERR_INIT;
    buf_init(&b, 1 << 20);
    assert_false(log_reader_receipt(r, 4, &b, &e));
    assert_non_null(strstr(e.text, "reindex"));
    err_clear(&e);
    log_reader_close(r);
    logs_sql(&place, "DELETE FROM tile");
    r = logs_reader(&place);
    assert_false(log_reader_receipt(r, 299, &b, &e));
    buf_free(&b);
    log_reader_close(r);
    not_opened(ERR_INTEGRITY, "reindex");
}

/* ---- damaged pages ---- */

static void flip(const char *name, uint64_t offset, uint8_t bits)
{
    FILE *f = fopen(folder_path(&place, name), "r+be");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)offset, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, (long)offset, SEEK_SET), 0);
    fputc(c ^ bits, f);
    fclose(f);
}

struct chain {
    struct merkle tree;
};

static bool add_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct chain *c = arg;
    struct digest hash = record_hash(leaf);
    (void)seq;
    merkle_append(&c->tree, &hash);
    return true;
}

/* Whatever a damaged database still tells is what the head signs, or it is refused. */
static bool honest(const struct digest *root, uint64_t size)
{
    struct log_reader *r = NULL;
    struct chain c;
    struct buf b;
    struct err e = ERR_INIT;
    merkle_start(&c.tree);
    if (!log_reader_open(&r, place.path, &e))
        return e.code != ERR_NONE;
    bool walked = log_reader_walk(r, 0, add_leaf, &c, &e);
    struct digest now = merkle_root(&c.tree);
    bool same = c.tree.size == size && digest_eq(&now, root);
    buf_init(&b, 1 << 20);
    bool proved = true;
    for (uint64_t i = 0; proved && i < size; i += 5)
        proved = log_reader_receipt(r, i, &b, NULL);
    buf_free(&b);
    log_reader_close(r);
    return !walked || same || !proved;
}

static void no_flipped_bit_makes_a_damaged_log_pass(void **state)
{
    (void)state;
    struct chain c;
    made();
    merkle_start(&c.tree);
    struct log_reader *r = logs_reader(&place);
    assert_true(log_reader_walk(r, 0, add_leaf, &c, NULL));
    struct digest root = merkle_root(&c.tree);
    uint64_t size = log_reader_size(r);
    log_reader_close(r);
    uint64_t pages = (uint64_t)logs_sql_int(&place, "PRAGMA page_count");
    assert_true(pages > 10);
    logs_copy(&place, "log.db", "good.db");
    unsigned seed = 7;
    for (uint64_t i = 0; i < pages * 8; i++) {
        seed = seed * 1103515245u + 12345u;
        logs_copy(&place, "good.db", "log.db");
        flip("log.db", i / 8 * 4096 + (seed >> 8) % 4096, (uint8_t)(1u << (seed >> 28 & 7)));
        assert_true(honest(&root, size));
    }
}

/* ---- where nothing may be written ---- */

static int open_read_only(void)
{
    struct log *l = NULL;
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(place.path, place.path, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, place.path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        return 77;
    if (log_open(&l, place.path, NULL, &e) || e.code != ERR_IO || !strstr(e.text, "ead-only"))
        return 1;
    err_clear(&e);
    if (log_reader_open(&r, place.path, &e)) {
        log_reader_close(r);
        return 0;
    }
    return e.code == ERR_IO && strstr(e.text, "copy the folder") ? 0 : 2;
}

static void a_read_only_file_system_is_said(void **state)
{
    (void)state;
    int status = -1;
    made();
    pid_t child = fork();
    if (child == 0)
        _exit(open_read_only());
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* mounting is not allowed here */
    assert_int_equal(status, 0);
}

/* ---- keys ---- */

static void a_missing_or_unreadable_key_is_said(void **state)
{
    (void)state;
    static const char *const names[] = {"log.key", "operator.key", "keyring", "head"};
    made();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[128], to[128];
        snprintf(from, sizeof from, "%s/%s", place.path, names[i]);
        snprintf(to, sizeof to, "%s/away", place.path);
        assert_int_equal(rename(from, to), 0);
        not_opened(ERR_IO, "No such file");
        assert_int_equal(rename(to, from), 0);
    }
    assert_int_equal(chmod(folder_path(&place, "log.key"), 0644), 0);
    not_opened(ERR_CONFIG, "others may read");
    assert_int_equal(chmod(folder_path(&place, "log.key"), 0600), 0);
    log_close(logs_open(&place));
}

static void another_signing_key_is_not_taken(void **state)
{
    (void)state;
    struct sign_key *key = NULL;
    made();
    unlink(folder_path(&place, "log.key"));
    assert_true(sign_key_create(&key, folder_path(&place, "log.key"), NULL));
    sign_key_free(key);
    not_opened(ERR_CONFIG, "signing key");
}

/* ---- tiles ---- */

struct kept {
    int64_t id[8];
    struct digest root[8];
    unsigned count;
};

static bool keep(void *arg, int64_t id, const struct digest *root, const struct digest *hashes,
                 struct err *e)
{
    struct kept *k = arg;
    (void)hashes, (void)e;
    k->id[k->count] = id;
    k->root[k->count++] = *root;
    return true;
}

static void the_edge_and_the_frontier_agree_at_every_size(void **state)
{
    (void)state;
    static struct edge edge;
    struct kept kept = {.count = 0};
    struct merkle tree, from_edge;
    edge_start(&edge);
    merkle_start(&tree);
    for (unsigned i = 0; i < 1100; i++) {
        struct digest leaf = merkle_leaf((struct span){(const uint8_t *)&i, sizeof i});
        assert_true(edge_append(&edge, &leaf, keep, &kept, NULL));
        merkle_append(&tree, &leaf);
        edge_frontier(&edge, &from_edge);
        struct digest a = merkle_root(&tree), b = merkle_root(&from_edge);
        assert_true(digest_eq(&a, &b));
    }
    assert_int_equal(kept.count, 4);
    assert_int_equal(kept.id[3], tile_id(0, 3));
    assert_true(digest_eq(&kept.root[3], &edge.hash[1][3]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* What a copy of a log is: nothing is left in it by whoever cannot own it. */
static void folder_without_its_keys_gets_no_lock(void **state)
{
    (void)state;
    static const char *const keys[] = {"operator.key", "log.key", "keyring"};
    char path[512], kept[512], lock[512];
    made();
    snprintf(lock, sizeof lock, "%s/lock", place.path);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(path, sizeof path, "%s/%s", place.path, keys[i]);
        snprintf(kept, sizeof kept, "%s/kept", place.path);
        assert_int_equal(rename(path, kept), 0);
        assert_int_equal(unlink(lock), 0);
        not_opened(ERR_IO, "cannot be opened");
        assert_int_equal(access(lock, F_OK), -1);
        assert_int_equal(rename(kept, path), 0);
        log_close(logs_open(&place));
        assert_int_equal(access(lock, F_OK), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_foreign_database_is_refused),
        TEST(what_is_no_database_is_refused),
        TEST(a_newer_version_is_named),
        TEST(a_half_finished_migration_is_refused),
        TEST(a_log_of_the_first_version_is_read_and_brought_up),
        TEST(every_change_of_the_schema_is_refused),
        TEST(a_schema_that_does_not_parse_is_refused),
        TEST(an_oversized_leaf_is_not_copied),
        TEST(a_missing_entry_is_named),
        TEST(a_changed_entry_gets_no_receipt_and_no_owner),
        TEST(a_rolled_back_database_is_noticed_by_the_head),
        TEST(a_deleted_wal_is_noticed_by_the_head),
        TEST(a_damaged_tile_is_an_error_and_no_proof),
        TEST(no_flipped_bit_makes_a_damaged_log_pass),
        TEST(a_read_only_file_system_is_said),
        TEST(a_missing_or_unreadable_key_is_said),
        TEST(another_signing_key_is_not_taken),
        TEST(folder_without_its_keys_gets_no_lock),
        TEST(the_edge_and_the_frontier_agree_at_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
