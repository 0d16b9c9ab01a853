/* Logs under test: made, opened, appended to; every failure ends the test with its text. */
#ifndef SUPPORT_LOGS_H
#define SUPPORT_LOGS_H

#include "assay/log.h"
#include "support/folder.h"

/* A body that the kind config accepts. */
extern const char logs_config[];

void logs_make(const struct folder *f);
struct log *logs_open(const struct folder *f);
struct log_reader *logs_reader(const struct folder *f);
/* Append a config record. */
struct log_receipt logs_append(struct log *l);
/* Run SQL on the database, outside the log. */
void logs_sql(const struct folder *f, const char *text);
/* One integer from the database. */
int64_t logs_sql_int(const struct folder *f, const char *text);
/* Make of its database what the first version of the schema was. */
void logs_first_version(const struct folder *f);
/* Copy one file of the folder over another. */
void logs_copy(const struct folder *f, const char *from, const char *to);

/* The thread sanitizer follows no threads of a forked process. */
void logs_skip_under_tsan(void);

#endif
