/* Private to src/log: the index of answers, which finds calls by `response_id`. */
#ifndef LOG_CALLS_H
#define LOG_CALLS_H

#include "log/sql.h"

enum { RESPONSE_SCHEMA = 3 }; /* the schema that has it */

#define RESPONSE_INSERT "INSERT INTO response (id) VALUES (?1)"

/* What the index knows an identifier by. */
uint32_t response_hash(struct span id);
/* Its row for the answer of the outcome `seq`. */
int64_t response_row(uint64_t seq, uint32_t hash);
/* Fill the empty index from the leaves, within a transaction. */
bool responses_fill(sqlite3 *db, struct err *e) ASSAY_MUST_CHECK;

#endif
