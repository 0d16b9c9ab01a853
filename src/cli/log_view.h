/*
 * Entries of a log for people and programs. Everything in a leaf came from
 * outside: it passes text_show on its way to a terminal.
 */
#ifndef ASSAY_CLI_LOG_VIEW_H
#define ASSAY_CLI_LOG_VIEW_H

#include "assay/log.h"
#include "cli/output.h"
#include "cli/show.h"

enum { SHOW_TIME = 32 };

/* Decode an entry that stands at `seq`; errors name it. */
bool entry_decode(struct record *out, uint64_t seq, struct span leaf, struct arena *a,
                  struct err *e) ASSAY_MUST_CHECK;
/* "2026-11-23 22:40:01.123456Z" */
const char *show_time(char out[SHOW_TIME], uint64_t wall_us);
/* What an entry is about in a few words: "llama tiny, GGUF"; may be empty. */
const char *show_gist(char out[SHOW_SIZE], const struct record *r);
/* An entry in full. */
void entry_text(struct out *o, const struct record *r, const struct digest *hash);
/* One object (schema/log-entry.schema.json), alone or on one line among others. */
void entry_json(struct out *o, const struct record *r, const struct digest *hash, bool pretty);
/* A row of: entry, time, kind, what. */
void entry_table_start(struct table *t);
void entry_table_row(struct table *t, const struct record *r);

/* A log that cannot be read is said before hours of hashing, not after. */
bool log_is_there(const char *folder, struct err *e) ASSAY_MUST_CHECK;

#endif
