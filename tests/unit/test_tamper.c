/*
 * The tampering matrix: one log, many ways to change it, and who notices. A line of the
 * table says who must; whatever else happens, a changed history is noticed by somebody.
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

#include "log/tiles.h"
#include "support/logs.h"
#include "support/tamper.h"

enum { PAGE = 4096, ROUNDS = 3 };

static struct tamper made;
static struct folder place; /* the copy that is changed */
static uint64_t at[2];      /* two places in the older half of the history, at[0] < at[1] */
static uint32_t seed = 20;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % below;
}

static int setup(void **state)
{
    (void)state;
    tamper_make(&made);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tamper_free(&made);
    return 0;
}

/* ---- hands ---- */

static sqlite3 *database(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(folder_path(&place, "log.db"), &db), SQLITE_OK);
    return db;
}

/* ?1 and ?2 are the places, ?3 the number of entries, ?4 the entry with sealed content. */
static void run_sql(const char *text)
{
    sqlite3 *db = database();
    while (*text) {
        sqlite3_stmt *st = NULL;
        if (sqlite3_prepare_v2(db, text, -1, &st, &text) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
        const int64_t values[] = {(int64_t)at[0], (int64_t)at[1], (int64_t)made.size[STATE_CLOSED],
                                  (int64_t)made.sealed};
        for (int i = 0; i < sqlite3_bind_parameter_count(st); i++)
            sqlite3_bind_int64(st, i + 1, values[i]);
        int step = sqlite3_step(st);
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            fail_msg("%s", sqlite3_errmsg(db));
        sqlite3_finalize(st);
    }
    sqlite3_close(db);
}

static uint64_t file_size(const char *name)
{
    struct stat st;
    assert_int_equal(stat(folder_path(&place, name), &st), 0);
    return (uint64_t)st.st_size;
}

static void put_at(const char *name, uint64_t offset, const void *bytes, size_t n)
{
    FILE *f = fopen(folder_path(&place, name), "r+be");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void get_at(const char *name, uint64_t offset, void *bytes, size_t n)
{
    FILE *f = fopen(folder_path(&place, name), "rbe");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)offset, SEEK_SET), 0);
    assert_int_equal(fread(bytes, 1, n, f), n);
    fclose(f);
}

static void flip(const char *name, uint64_t offset)
{
    uint8_t b;
    get_at(name, offset, &b, 1);
    b ^= (uint8_t)(1u << chance(8));
    put_at(name, offset, &b, 1);
}

static void take(enum state from, const char *name)
{
    unlink(folder_path(&place, name));
    tamper_copy(&made.state[from], &place, name);
}

static uint32_t pages(void)
{
    return (uint32_t)(file_size("log.db") / PAGE);
}

/* ---- what SQL alone does not do ---- */

/* An entry is changed and the stored tree with it, as far as it goes without the key. */
static void rewrite_with_tile(void)
{
    uint8_t hashes[TILE_BYTES];
    sqlite3_stmt *st = NULL;
    run_sql("UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"wall_us\":1', "
            "'\"wall_us\":2') AS BLOB) WHERE seq = ?1");
    sqlite3 *db = database();
    sqlite3_prepare_v2(db, "SELECT hashes FROM tile WHERE id = 0", -1, &st, NULL);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    memcpy(hashes, sqlite3_column_blob(st, 0), sizeof hashes);
    sqlite3_finalize(st);
    sqlite3_prepare_v2(db, "SELECT leaf FROM record WHERE seq = ?1", -1, &st, NULL);
    sqlite3_bind_int64(st, 1, (int64_t)at[0]);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    struct digest leaf =
        record_hash((struct span){sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0)});
    sqlite3_finalize(st);
    memcpy(hashes + at[0] * DIGEST_SIZE, leaf.b, DIGEST_SIZE);
    struct merkle tree;
    merkle_start(&tree);
    for (size_t i = 0; i < TILE_WIDTH; i++) {
        struct digest d;
        memcpy(d.b, hashes + i * DIGEST_SIZE, DIGEST_SIZE);
        merkle_append(&tree, &d);
    }
    struct digest root = merkle_root(&tree);
    sqlite3_prepare_v2(db, "UPDATE tile SET hashes = ?1, root = ?2 WHERE id = 0", -1, &st, NULL);
    sqlite3_bind_blob(st, 1, hashes, sizeof hashes, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, root.b, DIGEST_SIZE, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void delete_wal(void)
{
    unlink(folder_path(&place, "log.db-wal"));
}

static void halve_wal(void)
{
    assert_int_equal(
        truncate(folder_path(&place, "log.db-wal"), (off_t)(file_size("log.db-wal") / 2)), 0);
}

static void flip_in_wal(void)
{
    flip("log.db-wal", 32 + chance((uint32_t)file_size("log.db-wal") - 32));
}

static void older_database(void)
{
    take(STATE_OLDER, "log.db");
}

static void older_database_and_head(void)
{
    take(STATE_OLDER, "log.db");
    take(STATE_OLDER, "head");
}

static void fork_database(void)
{
    take(STATE_FORK, "log.db");
}

static void fork_database_and_head(void)
{
    take(STATE_FORK, "log.db");
    take(STATE_FORK, "head");
}

static void other_database(void)
{
    take(STATE_OTHER, "log.db");
}

static void other_everything(void)
{
    unlink(folder_path(&place, "log.db"));
    tamper_copy_all(&made.state[STATE_OTHER], &place);
}

static void other_key(void)
{
    take(STATE_OTHER, "log.key");
}

static void other_operator_key(void)
{
    take(STATE_OTHER, "operator.key");
}

static void other_keyring(void)
{
    take(STATE_OTHER, "keyring");
}

static void flip_in_keyring(void)
{
    flip("keyring", chance((uint32_t)file_size("keyring")));
}

/* The head that is signed is at most the first three lines; every bit of the file counts. */
static void flip_in_head(void)
{
    flip("head", chance((uint32_t)file_size("head")));
}

static void delete_head(void)
{
    unlink(folder_path(&place, "head"));
}

static void empty_head(void)
{
    assert_int_equal(truncate(folder_path(&place, "head"), 0), 0);
}

static void other_head(void)
{
    take(STATE_OTHER, "head");
}

static void older_head(void)
{
    take(STATE_OLDER, "head");
}

static void append_garbage(void)
{
    uint8_t garbage[PAGE] = {0};
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (uint8_t)chance(256);
    put_at("log.db", file_size("log.db"), garbage, sizeof garbage);
}

static void cut_file(void)
{
    uint64_t left = (1 + chance(pages() - 1)) * (uint64_t)PAGE;
    assert_int_equal(truncate(folder_path(&place, "log.db"), (off_t)left), 0);
}

static void zero_page(void)
{
    static const uint8_t zeros[PAGE];
    put_at("log.db", chance(pages()) * (uint64_t)PAGE, zeros, PAGE);
}

static void swap_pages(void)
{
    uint8_t x[PAGE] = {0}, y[PAGE] = {0};
    uint64_t i = 1 + chance(pages() - 1), k = 1 + chance(pages() - 1);
    get_at("log.db", i * PAGE, x, PAGE);
    get_at("log.db", k * PAGE, y, PAGE);
    put_at("log.db", i * PAGE, y, PAGE);
    put_at("log.db", k * PAGE, x, PAGE);
}

static void page_over_another(void)
{
    uint8_t x[PAGE] = {0};
    get_at("log.db", (1 + chance(pages() - 1)) * (uint64_t)PAGE, x, PAGE);
    put_at("log.db", (1 + chance(pages() - 1)) * (uint64_t)PAGE, x, PAGE);
}

/* A character in the middle of each line's base64. */
static void edit_cosignatures(void)
{
    run_sql("UPDATE cosignature SET line = CAST(substr(CAST(line AS TEXT), 1, 60) || "
            "CASE substr(CAST(line AS TEXT), 61, 1) WHEN 'A' THEN 'B' ELSE 'A' END || "
            "substr(CAST(line AS TEXT), 62) AS BLOB)");
}

/* ---- the matrix ---- */

#define SCHEMA "PRAGMA writable_schema = ON;"

enum {
    EDIT = BY_CHAIN | BY_OLDER | BY_HEAD,
    LOST = BY_RECEIPT | BY_HEAD | BY_OWNER | BY_WITNESS,
    REFUSED = BY_OPEN | BY_OWNER
};

static const struct operation {
    const char *name;
    const char *sql;
    void (*apply)(void);
    enum state state;
    unsigned must;
} operations[] = {
    {"nothing", NULL, NULL, STATE_CLOSED, 0},
    {"nothing (open WAL)", NULL, NULL, STATE_LIVE, 0},
    /* entries */
    {"edit an entry, still a record",
     "UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"wall_us\":1', '\"wall_us\":2') "
     "AS BLOB) WHERE seq = ?1",
     NULL, STATE_CLOSED, EDIT},
    {"edit an entry into another's bytes",
     "UPDATE record SET leaf = (SELECT leaf FROM record WHERE seq = ?2) WHERE seq = ?1", NULL,
     STATE_CLOSED, EDIT},
    {"edit an entry and the stored tree", NULL, rewrite_with_tile, STATE_CLOSED, EDIT},
    {"edit the newest entry",
     "UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), '\"wall_us\":1', '\"wall_us\":2') "
     "AS BLOB) WHERE seq = (SELECT max(seq) FROM record)",
     NULL, STATE_CLOSED, BY_CHAIN | BY_HEAD | BY_OWNER},
    {"empty an entry", "UPDATE record SET leaf = x'' WHERE seq = ?1", NULL, STATE_CLOSED, EDIT},
    {"blow an entry up", "UPDATE record SET leaf = zeroblob(70000) WHERE seq = ?1", NULL,
     STATE_CLOSED, EDIT},
    {"delete an entry", "DELETE FROM record WHERE seq = ?1", NULL, STATE_CLOSED, EDIT},
    {"delete an entry and close the gap",
     "DELETE FROM record WHERE seq = ?1;"
     "UPDATE record SET seq = -seq WHERE seq > (SELECT min(seq) + 0 * ?1 FROM record);"
     "UPDATE record SET seq = -seq - (-seq > ?1) WHERE seq < 0",
     NULL, STATE_CLOSED, EDIT | BY_OWNER},
    {"insert an entry",
     "UPDATE record SET seq = -seq - 1 WHERE seq >= ?1;"
     "UPDATE record SET seq = -seq WHERE seq < 0;"
     "INSERT INTO record SELECT ?1, leaf FROM record WHERE seq = 0",
     NULL, STATE_CLOSED, EDIT},
    {"duplicate an entry",
     "UPDATE record SET seq = -seq - 1 WHERE seq > ?1;"
     "UPDATE record SET seq = -seq WHERE seq < 0;"
     "INSERT INTO record SELECT seq + 1, leaf FROM record WHERE seq = ?1",
     NULL, STATE_CLOSED, EDIT},
    {"swap two entries",
     "UPDATE record SET seq = -1 WHERE seq = ?1; UPDATE record SET seq = ?1 WHERE seq = ?2;"
     "UPDATE record SET seq = ?2 + 0 * ?1 WHERE seq = -1",
     NULL, STATE_CLOSED, EDIT},
    {"reverse a run of entries",
     "UPDATE record SET seq = seq - ?1 - ?2 - 1000000 WHERE seq BETWEEN ?1 AND ?2;"
     "UPDATE record SET seq = -1000000 - seq WHERE seq < 0",
     NULL, STATE_CLOSED, EDIT},
    {"an entry with a negative number",
     "INSERT INTO record SELECT -1, leaf FROM record WHERE seq = ?1", NULL, STATE_CLOSED, BY_OPEN},
    {"append an entry, copied",
     "INSERT INTO record SELECT ?3 + 0 * ?1 + 0 * ?2, leaf FROM record WHERE seq = ?1", NULL,
     STATE_CLOSED, BY_OWNER},
    /* the end of the history */
    {"cut the tail off", "DELETE FROM record WHERE seq > ?2 + 0 * ?1", NULL, STATE_CLOSED, LOST},
    {"cut the tail off, with its checkpoints",
     "DELETE FROM record WHERE seq > ?2 + 0 * ?1; DELETE FROM checkpoint WHERE size > ?2 + 0 * ?1",
     NULL, STATE_CLOSED, LOST},
    {"roll the database back", NULL, older_database, STATE_CLOSED, LOST},
    {"roll database and head back", NULL, older_database_and_head, STATE_CLOSED,
     BY_RECEIPT | BY_WITNESS},
    /* parts of it are in the database already, which without the rest may not be readable at all */
    {"delete the WAL", NULL, delete_wal, STATE_LIVE, BY_OWNER},
    {"cut the WAL in half", NULL, halve_wal, STATE_LIVE, BY_OWNER},
    {"flip a bit in the WAL", NULL, flip_in_wal, STATE_LIVE, 0},
    /* other histories */
    {"fork: the database", NULL, fork_database, STATE_CLOSED, LOST},
    {"fork: database and head, same key", NULL, fork_database_and_head, STATE_CLOSED,
     BY_RECEIPT | BY_WITNESS},
    {"another log's database", NULL, other_database, STATE_CLOSED,
     BY_CHAIN | BY_OLDER | BY_RECEIPT | BY_HEAD | BY_OWNER | BY_WITNESS},
    {"another log's folder", NULL, other_everything, STATE_CLOSED,
     BY_CHAIN | BY_OLDER | BY_RECEIPT | BY_HEAD | BY_WITNESS},
    /* keys */
    {"another signing key", NULL, other_key, STATE_CLOSED, BY_OWNER},
    {"another operator key", NULL, other_operator_key, STATE_CLOSED, BY_OWNER},
    {"another keyring", NULL, other_keyring, STATE_CLOSED, BY_OWNER},
    {"flip a bit in the keyring", NULL, flip_in_keyring, STATE_CLOSED, BY_OWNER},
    /* checkpoints */
    {"edit the kept checkpoints",
     "UPDATE checkpoint SET note = CAST(replace(CAST(note AS TEXT), 'org/', 'com/') AS BLOB)", NULL,
     STATE_CLOSED, BY_OWNER},
    {"delete the kept checkpoints", "DELETE FROM checkpoint", NULL, STATE_CLOSED, BY_WITNESS},
    {"delete the kept cosignatures", "DELETE FROM cosignature", NULL, STATE_CLOSED, BY_WITNESS},
    {"edit the kept cosignatures", NULL, edit_cosignatures, STATE_CLOSED, BY_WITNESS},
    {"a cosignature moved to another checkpoint",
     "UPDATE cosignature SET size = (SELECT max(size) FROM checkpoint)", NULL, STATE_CLOSED,
     BY_WITNESS},
    {"flip a bit in the head file", NULL, flip_in_head, STATE_CLOSED, BY_HEAD | BY_OWNER},
    {"delete the head file", NULL, delete_head, STATE_CLOSED, BY_HEAD | BY_OWNER},
    {"empty the head file", NULL, empty_head, STATE_CLOSED, BY_HEAD | BY_OWNER},
    {"another log's head file", NULL, other_head, STATE_CLOSED, BY_HEAD | BY_OWNER},
    {"an older head file", NULL, older_head, STATE_CLOSED, 0},
    /* the stored tree and the index: caches */
    {"edit a tile", "UPDATE tile SET hashes = zeroblob(8192)", NULL, STATE_CLOSED, BY_RECEIPT},
    {"edit the root of a tile", "UPDATE tile SET root = zeroblob(32)", NULL, STATE_CLOSED,
     BY_RECEIPT | BY_OWNER},
    {"delete the tiles", "DELETE FROM tile", NULL, STATE_CLOSED, BY_RECEIPT | BY_OWNER},
    {"edit the index", "UPDATE entry SET time = time + 1, kind = 3 WHERE seq = ?1", NULL,
     STATE_CLOSED, 0},
    {"delete from the index", "DELETE FROM entry WHERE seq = ?1", NULL, STATE_CLOSED, 0},
    /* what SQLite would run */
    {"add a trigger", "CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM entry; END", NULL,
     STATE_CLOSED, REFUSED},
    {"add a view", "CREATE VIEW v AS SELECT * FROM record", NULL, STATE_CLOSED, REFUSED},
    {"add a table", "CREATE TABLE t (x)", NULL, STATE_CLOSED, REFUSED},
    {"add an index", "CREATE INDEX i ON record (leaf)", NULL, STATE_CLOSED, REFUSED},
    {"drop an index", "DROP INDEX entry_kind", NULL, STATE_CLOSED, REFUSED},
    {"the records become a view",
     "ALTER TABLE record RENAME TO r; CREATE VIEW record AS SELECT seq, leaf FROM r", NULL,
     STATE_CLOSED, REFUSED},
    {"edit the schema's text",
     SCHEMA "UPDATE sqlite_schema SET sql = replace(sql, 'hashed', 'hasher') WHERE name = 'record'",
     NULL, STATE_CLOSED, REFUSED},
    {"an index reads another tree",
     SCHEMA "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = "
            "'entry_kind') WHERE name = 'entry_model'",
     NULL, STATE_CLOSED, 0},
    {"user_version of the future", "PRAGMA user_version = 9", NULL, STATE_CLOSED, REFUSED},
    {"user_version of never", "PRAGMA user_version = 0", NULL, STATE_CLOSED, REFUSED},
    {"application_id", "PRAGMA application_id = 1", NULL, STATE_CLOSED, REFUSED},
    /* sealed content */
    {"edit a wrapped key",
     "UPDATE content_key SET key = zeroblob(40) WHERE seq = ?4 + 0 * (?1 + ?2 + ?3)", NULL,
     STATE_CLOSED, BY_CONTENT},
    {"edit a subject's wrapped key", "UPDATE subject SET key = zeroblob(40)", NULL, STATE_CLOSED,
     BY_CONTENT},
    {"edit a ciphertext",
     "UPDATE content SET ciphertext = zeroblob(length(ciphertext)) WHERE id / 256 = ?4 + 0 * (?1 + "
     "?2 + ?3)",
     NULL, STATE_CLOSED, BY_CONTENT},
    {"swap two ciphertexts of an entry",
     "UPDATE content SET id = -1 WHERE id = ?4 * 256 + 0 * (?1 + ?2 + ?3);"
     "UPDATE content SET id = id - 1 WHERE id = ?4 * 256 + 1 + 0 * (?1 + ?2 + ?3);"
     "UPDATE content SET id = ?4 * 256 + 1 + 0 * (?1 + ?2 + ?3) WHERE id = -1",
     NULL, STATE_CLOSED, BY_CONTENT},
    {"delete a ciphertext", "DELETE FROM content WHERE id / 256 = ?4 + 0 * (?1 + ?2 + ?3)", NULL,
     STATE_CLOSED, BY_CONTENT},
    /* bytes */
    {"append garbage to the file", NULL, append_garbage, STATE_CLOSED, 0},
    {"cut the file", NULL, cut_file, STATE_CLOSED, 0},
    {"zero a page", NULL, zero_page, STATE_CLOSED, 0},
    {"swap two pages", NULL, swap_pages, STATE_CLOSED, 0},
    {"write a page over another", NULL, page_over_another, STATE_CLOSED, 0},
};

static void fresh(enum state state)
{
    assert_true(folder_make(&place));
    tamper_copy_all(&made.state[state], &place);
}

static struct noticed attempt(const struct operation *o)
{
    uint32_t span = (uint32_t)made.size[STATE_OLDER] - 2;
    at[0] = 1 + chance(span - 1);
    at[1] = at[0] + 1 + chance((uint32_t)(span - at[0]));
    fresh(o->state);
    if (o->sql)
        run_sql(o->sql);
    if (o->apply)
        o->apply();
    struct noticed n = tamper_notice(&made, &place, o->state, BY_ANYBODY);
    folder_remove(&place);
    return n;
}

/* One character a detector: must, noticed in some rounds, never, could not look. */
static void print_line(const char *name, unsigned must, unsigned always, unsigned ever,
                       unsigned blind, bool same)
{
    char cells[9] = "";
    for (unsigned i = 0; i < 8; i++) {
        unsigned bit = 1u << i;
        cells[i] = must & bit     ? 'M'
                   : always & bit ? 'x'
                   : ever & bit   ? '~'
                   : blind & bit  ? '-'
                                  : '.';
    }
    print_message("%-40s", name);
    for (unsigned i = 0; i < 8; i++)
        print_message(" %6c ", cells[i]);
    print_message(" %s\n", same ? "intact" : always & BY_OPEN ? "not read" : "changed");
}

static void print_head(void)
{
    print_message("%-40s", "M must and does, x does, ~ sometimes");
    static const char *const names[] = {"open", "chain", "older",   "receipt",
                                        "head", "owner", "content", "witness"};
    for (unsigned i = 0; i < 8; i++)
        print_message(" %7s", names[i]);
    print_message("  history\n");
}

static bool judge(const struct operation *o)
{
    unsigned always = BY_ANYBODY, ever = 0, blind = 0;
    bool same = true, unseen = false;
    for (int i = 0; i < ROUNDS; i++) {
        struct noticed n = attempt(o);
        always &= n.by;
        ever |= n.by;
        blind |= n.blind;
        same = same && n.same;
        unseen = unseen || (!n.same && !n.by);
    }
    print_line(o->name, o->must & always, always, ever, blind, same);
    if (unseen)
        print_message("    the history was changed and nobody noticed\n");
    if (o->must & ~always)
        print_message("    not noticed by those who must: %02x\n", o->must & ~always);
    if (!o->sql && !o->apply && ever)
        print_message("    there was nothing to notice: %02x\n", ever);
    return !unseen && !(o->must & ~always) && (o->sql || o->apply || !ever);
}

static void every_operator_is_noticed_by_those_who_must(void **state)
{
    (void)state;
    bool ok = true;
    print_head();
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        ok = judge(&operations[i]) && ok;
    assert_true(ok);
}

static void a_bit_on_every_page_is_noticed_or_changes_no_entry(void **state)
{
    (void)state;
    unsigned noticed = 0, harmless = 0, count = 0;
    fresh(STATE_CLOSED);
    uint32_t n = pages();
    for (uint32_t i = 0; i < n; i++) {
        take(STATE_CLOSED, "log.db");
        flip("log.db", i * (uint64_t)PAGE + chance(PAGE));
        struct noticed what = tamper_notice(&made, &place, STATE_CLOSED, BY_ANYBODY & ~BY_OWNER);
        assert_true(what.by || what.same);
        noticed += what.by != 0;
        harmless += what.by == 0;
        count++;
    }
    folder_remove(&place);
    print_message("%u pages, a bit flipped on each: %u noticed, %u changed no entry\n", count,
                  noticed, harmless);
    assert_true(count > 20 && noticed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_is_noticed_by_those_who_must),
        cmocka_unit_test(a_bit_on_every_page_is_noticed_or_changes_no_entry),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
