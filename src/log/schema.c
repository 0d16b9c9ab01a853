/*
 * Opening log.db. A database is data from outside until its schema is, line
 * by line, the one that this build writes: a view, trigger, further table or
 * changed column would make SQLite run what somebody else wrote.
 */
#include "log/sql.h"

#include <string.h>

#include "assay/base/embed.h"
#include "assay/base/text.h"

static const char list_schema[] =
    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name";

static const char read_pragmas[] = "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;";

static const char own_pragmas[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
    "PRAGMA secure_delete=ON; PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=ON;";

static bool run_schema(sqlite3 *db, struct err *e)
{
    static const char *const names[] = {"schema/record.sql", "schema/derived.sql"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < embedded_count; k++)
            if (strcmp(embedded[k].name, names[i]) == 0 &&
                !sql_exec(db, (const char *)embedded[k].bytes.p, e))
                return false;
    return true;
}

static bool create(sqlite3 *db, struct err *e)
{
    char text[128];
    sqlite3_snprintf(sizeof text, text, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                     LOG_APPLICATION, LOG_SCHEMA);
    return sql_exec(db, "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE;", e) &&
           sql_exec(db, own_pragmas, e) && sql_exec(db, "BEGIN IMMEDIATE", e) &&
           run_schema(db, e) && sql_exec(db, text, e) && sql_exec(db, "COMMIT", e);
}

/* ---- comparing ---- */

static bool refuse(sqlite3_stmt *st, const char *how, struct err *e)
{
    char type[32], name[96];
    text_shown(type, sizeof type, sql_blob(st, 0));
    text_shown(name, sizeof name, sql_blob(st, 1));
    return err_set(e, ERR_INTEGRITY,
                   "the database's schema is not a log's: %s \"%s\" %s; nothing was read from it",
                   type, name, how);
}

/* Both lists are in the order of type, name and table. */
static int order(sqlite3_stmt *a, sqlite3_stmt *b)
{
    int way = 0;
    for (int i = 0; way == 0 && i < 3; i++)
        way = span_cmp(sql_blob(a, i), sql_blob(b, i));
    return way;
}

static bool compare(sqlite3 *db, sqlite3_stmt *ours, sqlite3_stmt *theirs, struct err *e)
{
    for (;;) {
        int a = sqlite3_step(ours), b = sqlite3_step(theirs);
        if (b != SQLITE_ROW && b != SQLITE_DONE)
            return sql_fail(db, "reading the schema", e);
        if (a != SQLITE_ROW && a != SQLITE_DONE)
            return err_set(e, ERR_MEMORY, "out of memory for the schema");
        if (a == SQLITE_DONE && b == SQLITE_DONE)
            return true;
        int way = a == SQLITE_DONE ? 1 : b == SQLITE_DONE ? -1 : order(ours, theirs);
        if (way != 0)
            return way < 0 ? refuse(ours, "is missing", e)
                           : refuse(theirs, "does not belong there", e);
        if (!span_eq(sql_blob(ours, 3), sql_blob(theirs, 3)))
            return refuse(theirs, "has another text", e);
    }
}

static bool check_schema(sqlite3 *db, struct err *e)
{
    sqlite3 *model = NULL;
    sqlite3_stmt *ours = NULL, *theirs = NULL;
    bool ok = sqlite3_open(":memory:", &model) == SQLITE_OK && run_schema(model, e);
    ok = ok && (ours = sql_prepare(model, list_schema, e)) &&
         (theirs = sql_prepare(db, list_schema, e)) && compare(db, ours, theirs, e);
    sqlite3_finalize(ours);
    sqlite3_finalize(theirs);
    sqlite3_close(model);
    return ok || err_set(e, ERR_MEMORY, "out of memory for the schema");
}

static bool check_version(sqlite3 *db, struct err *e)
{
    int64_t application = 0, version = 0;
    if (!sql_int(db, "PRAGMA application_id", &application, e) ||
        !sql_int(db, "PRAGMA user_version", &version, e))
        return false;
    if (application != LOG_APPLICATION)
        return err_set(e, ERR_FORMAT, "an SQLite database, but not one of an audit log");
    if (version > LOG_SCHEMA)
        return err_set(e, ERR_UNSUPPORTED,
                       "written by a newer Assay (schema %lld, this one knows %d): update Assay",
                       (long long)version, LOG_SCHEMA);
    if (version < LOG_SCHEMA)
        return err_set(e, ERR_INTEGRITY, "schema %lld never existed", (long long)version);
    return true;
}

/* ---- connections ---- */

static bool harden(sqlite3 *db, struct err *e)
{
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, SQL_LENGTH_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 64);
    bool ok = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
              sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
              sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL) == SQLITE_OK &&
              sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL) == SQLITE_OK;
    return (ok || err_set(e, ERR_UNSUPPORTED, "this SQLite cannot be made defensive")) &&
           sql_exec(db, read_pragmas, e);
}

/* A foreign database stays as it is: it is judged before WAL mode is asked of it. */
static bool prepare(sqlite3 *db, enum sql_mode mode, struct err *e)
{
    if (!harden(db, e))
        return false;
    if (mode == SQL_CREATE)
        return create(db, e);
    if (!check_version(db, e) || !check_schema(db, e))
        return false;
    return mode == SQL_READ || sql_exec(db, own_pragmas, e);
}

bool sql_open(sqlite3 **out, const char *path, enum sql_mode mode, struct err *e)
{
    static const int flags[] = {
        [SQL_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [SQL_OWN] = SQLITE_OPEN_READWRITE,
        [SQL_READ] = SQLITE_OPEN_READONLY,
    };
    sqlite3 *db = NULL;
    int open = flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
    bool ok = sqlite3_open_v2(path, &db, open, NULL) == SQLITE_OK;
    if (!ok)
        (void)(db ? sql_fail(db, "opening", e) : err_set(e, ERR_MEMORY, "out of memory"));
    if (ok) {
        sqlite3_extended_result_codes(db, 1);
        if (mode == SQL_READ) /* only the owner may checkpoint (reference: WAL-reset bug) */
            sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_busy_timeout(db, 1000);
        ok = prepare(db, mode, e);
    }
    if (!ok) {
        err_in_file(e, path);
        sql_close(db);
        return false;
    }
    *out = db;
    return true;
}

void sql_close(sqlite3 *db)
{
    sqlite3_close_v2(db);
}
