/* Small helpers over SQLite's C interface, and its result codes in our words. */
#include "log/sql.h"

#include <string.h>

struct verdict_of {
    int result;
    enum err_code code;
    const char *text;
};

static const struct verdict_of verdicts[] = {
    {SQLITE_FULL, ERR_IO, "the disk is full: free space, then open the log again"},
    {SQLITE_READONLY, ERR_IO, "the file system or the database is read-only"},
    {SQLITE_IOERR, ERR_IO, "the disk reported an error: check it, then open the log again"},
    {SQLITE_CANTOPEN, ERR_IO,
     "the database cannot be opened: check path and permissions; where nothing may be written "
     "beside it, copy the folder to where it may"},
    {SQLITE_PERM, ERR_IO, "permission denied"},
    {SQLITE_BUSY, ERR_IO, "another process writes the database without owning the log"},
    {SQLITE_NOMEM, ERR_MEMORY, "out of memory"},
    {SQLITE_NOTADB, ERR_FORMAT, "not an SQLite database"},
    {SQLITE_CORRUPT, ERR_INTEGRITY,
     "the database is damaged, or without its WAL: look for log.db-wal, or restore a backup"},
    {SQLITE_CONSTRAINT, ERR_INTEGRITY, "an entry of this number exists already"},
    {SQLITE_TOOBIG, ERR_INTEGRITY, "a value is larger than a log ever holds"},
};

bool sql_fail(sqlite3 *db, const char *what, struct err *e)
{
    int result = sqlite3_errcode(db);
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (verdicts[i].result == (result & 0xff))
            return err_set(e, verdicts[i].code, "%s: %s (%s)", what, verdicts[i].text,
                           sqlite3_errmsg(db));
    return err_set(e, ERR_IO, "%s: %s", what, sqlite3_errmsg(db));
}

bool sql_exec(sqlite3 *db, const char *text, struct err *e)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK ||
           sql_fail(db, "the log's database", e);
}

sqlite3_stmt *sql_prepare(sqlite3 *db, const char *text, struct err *e)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
        sql_fail(db, "preparing a query", e);
    return st;
}

bool sql_run(sqlite3 *db, sqlite3_stmt *st, const char *what, struct err *e)
{
    bool ok = sqlite3_step(st) == SQLITE_DONE || sql_fail(db, what, e);
    sqlite3_reset(st);
    return ok;
}

/* With as many of the two as the text has parameters. */
static sqlite3_stmt *prepare_with(sqlite3 *db, const char *text, int64_t first, int64_t second,
                                  struct err *e)
{
    sqlite3_stmt *st = sql_prepare(db, text, e);
    if (st && sqlite3_bind_parameter_count(st) > 0)
        sqlite3_bind_int64(st, 1, first);
    if (st && sqlite3_bind_parameter_count(st) > 1)
        sqlite3_bind_int64(st, 2, second);
    return st;
}

bool sql_run_with(sqlite3 *db, const char *text, int64_t first, int64_t second, struct err *e)
{
    sqlite3_stmt *st = prepare_with(db, text, first, second, e);
    bool ok = st && sql_run(db, st, "changing the log", e);
    sqlite3_finalize(st);
    return ok;
}

bool sql_int_with(sqlite3 *db, const char *text, int64_t first, int64_t second, int64_t *out,
                  struct err *e)
{
    sqlite3_stmt *st = prepare_with(db, text, first, second, e);
    bool ok = st && (sqlite3_step(st) == SQLITE_ROW || sql_fail(db, "reading the database", e));
    if (ok)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return ok;
}

bool sql_int(sqlite3 *db, const char *text, int64_t *out, struct err *e)
{
    return sql_int_with(db, text, 0, 0, out, e);
}

void sql_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
    sqlite3_bind_blob64(st, at, n ? p : "", n, SQLITE_STATIC);
}

struct span sql_blob(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);
    return (struct span){p, p ? (size_t)sqlite3_column_bytes(st, at) : 0};
}
