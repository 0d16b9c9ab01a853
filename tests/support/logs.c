/* Logs under test. */
#include "support/logs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <sqlite3.h>

const char logs_config[] = "{\"changes\":[{\"name\":\"a\",\"value\":\"b\"}],\"software\":\"test\"}";

static void demand(bool ok, const struct err *e)
{
    if (!ok)
        fail_msg("%s: %s", e->file, e->text);
}

void logs_make(const struct folder *f)
{
    struct err e = ERR_INIT;
    demand(log_init(f->path, span_str("example.org/audit"), NULL, &e), &e);
}

struct log *logs_open(const struct folder *f)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    demand(log_open(&l, f->path, NULL, &e), &e);
    return l;
}

struct log_reader *logs_reader(const struct folder *f)
{
    struct log_reader *r = NULL;
    struct err e = ERR_INIT;
    demand(log_reader_open(&r, f->path, &e), &e);
    return r;
}

struct log_receipt logs_append(struct log *l)
{
    struct log_receipt r = {.ok = false};
    struct err e = ERR_INIT;
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = span_str(logs_config)};
    demand(log_append(l, &entry, &r, &e), &e);
    return r;
}

static sqlite3 *database(const struct folder *f)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(folder_path(f, "log.db"), &db), SQLITE_OK);
    return db;
}

void logs_sql(const struct folder *f, const char *text)
{
    sqlite3 *db = database(f);
    char *error = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
    sqlite3_close(db);
}

int64_t logs_sql_int(const struct folder *f, const char *text)
{
    sqlite3 *db = database(f);
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return v;
}

void logs_copy(const struct folder *f, const char *from, const char *to)
{
    static uint8_t bytes[4 << 20];
    FILE *in = fopen(folder_path(f, from), "rbe");
    size_t n = in ? fread(bytes, 1, sizeof bytes, in) : 0;
    assert_non_null(in);
    fclose(in);
    FILE *out = fopen(folder_path(f, to), "wbe");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

void logs_skip_under_tsan(void)
{
#ifdef __SANITIZE_THREAD__
    skip();
#endif
}

void logs_first_version(const struct folder *f)
{
    logs_sql(f, "DROP INDEX cosignature_size; DROP TABLE response; DROP INDEX entry_kind;"
                "CREATE INDEX entry_kind ON entry (kind);"
                "CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL;"
                "CREATE INDEX entry_model ON entry (model) WHERE model IS NOT NULL;"
                "CREATE INDEX entry_outcome ON entry (outcome) WHERE outcome IS NOT NULL;"
                "PRAGMA user_version = 1");
}
