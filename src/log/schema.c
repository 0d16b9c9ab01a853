/*
 * Opening log.db. A database is data from outside until its schema is, line
 * by line, the one that this build writes: a view, trigger, further table or
 * changed column would make SQLite run what somebody else wrote.
 */
#include "log/sql.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/base/embed.h"
#include "assay/base/text.h"
#include "log/calls.h"
#include "log/wal_vfs.h"

static const char list_schema[] =
    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name";

static const char read_pragmas[] = "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;";

static const char own_pragmas[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
    "PRAGMA secure_delete=ON; PRAGMA foreign_keys=OFF; PRAGMA recursive_triggers=ON;";

/* The first two make version 1; each NNN_*.sql what NNN - 1 becomes NNN by. */
static bool is_of_version(const char *name, int version)
{
    char prefix[32];
    if (version == 1)
        return strcmp(name, "schema/record.sql") == 0 || strcmp(name, "schema/derived.sql") == 0;
    sqlite3_snprintf(sizeof prefix, prefix, "schema/%03d_", version);
    return span_starts(span_str(name), prefix);
}

static bool run_version(sqlite3 *db, int version, struct err *e)
{
    for (size_t i = embedded_count; i-- > 0;) /* record.sql stands behind derived.sql */
        if (is_of_version(embedded[i].name, version) &&
            !sql_exec(db, (const char *)embedded[i].bytes.p, e))
            return false;
    return true;
}

static bool run_schema(sqlite3 *db, int version, struct err *e)
{
    for (int v = 1; v <= version; v++)
        if (!run_version(db, v, e))
            return false;
    return true;
}

static bool set_version(sqlite3 *db, int version, struct err *e)
{
    char text[64];
    sqlite3_snprintf(sizeof text, text, "PRAGMA user_version=%d", version);
    return sql_exec(db, text, e);
}

static bool create(sqlite3 *db, struct err *e)
{
    char text[64];
    sqlite3_snprintf(sizeof text, text, "PRAGMA application_id=%d", LOG_APPLICATION);
    return sql_exec(db, "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE;", e) &&
           sql_exec(db, own_pragmas, e) && sql_exec(db, "BEGIN IMMEDIATE", e) &&
           run_schema(db, LOG_SCHEMA, e) && sql_exec(db, text, e) &&
           set_version(db, LOG_SCHEMA, e) && sql_exec(db, "COMMIT", e);
}

/* What a version has that its text alone cannot make of the one before. */
static bool fill_version(sqlite3 *db, int version, struct err *e)
{
    return version != RESPONSE_SCHEMA || responses_fill(db, e);
}

/* Each step with its number in one transaction: it is done, or it never began. */
static bool migrate(sqlite3 *db, int version, struct err *e)
{
    for (; version < LOG_SCHEMA; version++) {
        bool ok = sql_exec(db, "BEGIN IMMEDIATE", e) && run_version(db, version + 1, e) &&
                  fill_version(db, version + 1, e) && set_version(db, version + 1, e) &&
                  sql_exec(db, "COMMIT", e);
        if (!ok && !sqlite3_get_autocommit(db) && !sql_exec(db, "ROLLBACK", NULL))
            return false;
        if (!ok)
            return false;
    }
    return true;
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

static bool check_schema(sqlite3 *db, int version, struct err *e)
{
    sqlite3 *model = NULL;
    sqlite3_stmt *ours = NULL, *theirs = NULL;
    bool ok = sqlite3_open(":memory:", &model) == SQLITE_OK && run_schema(model, version, e);
    ok = ok && (ours = sql_prepare(model, list_schema, e)) &&
         (theirs = sql_prepare(db, list_schema, e)) && compare(db, ours, theirs, e);
    sqlite3_finalize(ours);
    sqlite3_finalize(theirs);
    sqlite3_close(model);
    return ok || err_set(e, ERR_MEMORY, "out of memory for the schema");
}

static bool check_version(sqlite3 *db, int *out, struct err *e)
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
    if (version < 1)
        return err_set(e, ERR_INTEGRITY, "schema %lld never existed", (long long)version);
    *out = (int)version;
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

/*
 * A foreign database stays as it is: it is judged before WAL mode is asked of it. One of an
 * earlier version is read as it is, and brought up by its owner.
 */
static bool prepare(sqlite3 *db, enum sql_mode mode, struct err *e)
{
    int version = 0;
    if (!harden(db, e))
        return false;
    if (mode == SQL_CREATE)
        return create(db, e);
    if (!check_version(db, &version, e) || !check_schema(db, version, e))
        return false;
    if (mode == SQL_READ)
        return true;
    if (!sql_exec(db, own_pragmas, e))
        return false;
    return version == LOG_SCHEMA || (migrate(db, version, e) && check_schema(db, LOG_SCHEMA, e));
}

/*
 * The path with its folder's links resolved. SQLITE_OPEN_NOFOLLOW refuses a link anywhere in
 * a path; the database itself may be none, and which folder was meant is for the caller to say.
 * The caller frees it; NULL: as it stands.
 */
static char *in_real_folder(const char *path)
{
    char *real = NULL, *out = NULL, *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) {
        *slash = '\0';
        real = realpath(slash == folder ? "/" : folder, NULL);
    }
    if (real && asprintf(&out, "%s/%s", real, slash + 1) < 0)
        out = NULL;
    free(real);
    free(folder);
    return out;
}

/* SQLite has the same words for a path that leads nowhere as for one that may not be opened. */
static bool cannot_open(sqlite3 *db, const char *path, struct err *e)
{
    if (!db)
        return err_set(e, ERR_MEMORY, "out of memory");
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(e, ERR_IO,
                       "no log is there: name the folder of one, or make it with assay log init");
    return sql_fail(db, "opening", e);
}

/* Nobody asks how much memory SQLite has, and counting it is a lock for every allocation. Refused
 * where SQLite is at work already, and then it counts. */
static void count_no_memory(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool sql_open(sqlite3 **out, const char *path, enum sql_mode mode, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const int flags[] = {
        [SQL_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [SQL_OWN] = SQLITE_OPEN_READWRITE,
        [SQL_READ] = SQLITE_OPEN_READONLY,
    };
    sqlite3 *db = NULL;
    (void)pthread_once(&once, count_no_memory);
    int open = flags[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE;
    char *real = in_real_folder(path);
    bool ok = sqlite3_open_v2(real ? real : path, &db, open, mode == SQL_OWN ? wal_vfs() : NULL) ==
              SQLITE_OK;
    if (!ok)
        (void)cannot_open(db, real ? real : path, e);
    free(real);
    if (ok) {
        sqlite3_extended_result_codes(db, 1);
        if (mode == SQL_READ) /* only the owner may: has_wal_reset_bug, recover.c */
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
