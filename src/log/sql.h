/* SQLite as this module uses it: connections that trust nothing, and errors in words. */
#ifndef LOG_SQL_H
#define LOG_SQL_H

#include <sqlite3.h>

#include "assay/base/bytes.h"

enum {
    LOG_APPLICATION = 0x41535359, /* "ASSY", the database's application_id */
    LOG_SCHEMA = 4, /* its user_version: record.sql and derived.sql are 1, NNN_*.sql make NNN */
    SQL_LENGTH_MAX = 80 << 20 /* no row or value is larger */
};

/* The database's last error as an err; returns false. */
bool sql_fail(sqlite3 *db, const char *what, struct err *e);
/* Several statements without results. */
bool sql_exec(sqlite3 *db, const char *text, struct err *e) ASSAY_MUST_CHECK;
/* NULL on failure; the caller finalizes. */
sqlite3_stmt *sql_prepare(sqlite3 *db, const char *text, struct err *e);
/* Step a statement that returns no row, and reset it. */
bool sql_run(sqlite3 *db, sqlite3_stmt *st, const char *what, struct err *e) ASSAY_MUST_CHECK;
/* The same once, for a text with one parameter or two. */
bool sql_run_with(sqlite3 *db, const char *text, int64_t first, int64_t second,
                  struct err *e) ASSAY_MUST_CHECK;
/* One integer of a statement without parameters. */
bool sql_int(sqlite3 *db, const char *text, int64_t *out, struct err *e) ASSAY_MUST_CHECK;
bool sql_int_with(sqlite3 *db, const char *text, int64_t first, int64_t second, int64_t *out,
                  struct err *e) ASSAY_MUST_CHECK;
void sql_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n); /* borrowed */
struct span sql_blob(sqlite3_stmt *st, int at);                        /* until the next step */

/* ---- connections ---- */

enum sql_mode { SQL_CREATE, SQL_OWN, SQL_READ };

/*
 * Open log.db. SQL_CREATE writes the schema. The others first compare
 * application_id, user_version and every line of sqlite_schema with what this
 * build would write, and refuse anything else by name before any query.
 */
bool sql_open(sqlite3 **out, const char *path, enum sql_mode mode, struct err *e) ASSAY_MUST_CHECK;
void sql_close(sqlite3 *db); /* NULL is harmless */

#endif
