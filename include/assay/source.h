/*
 * One open of one file: headers are parsed and bytes hashed through the same
 * descriptor, and fstat afterwards says whether the file stood still.
 *
 * Only regular files open (a FIFO, device or directory is refused without
 * blocking). Headers are read on demand into a window whose address never
 * moves: address space is reserved, memory is used as bytes are touched. The
 * file itself is never mapped, so a file that shrinks while it is read gives
 * an error and no signal.
 */
#ifndef ASSAY_SOURCE_H
#define ASSAY_SOURCE_H

#include "assay/base/bytes.h"

struct source;

/* What identifies one state of one file; the digest cache's key. */
struct source_stamp {
    uint64_t device, inode, size;
    int64_t mtime_ns, ctime_ns;
};

bool source_open(struct source **out, const char *path, struct err *e) ASSAY_MUST_CHECK;
/* A source over memory, for tests and fuzzing; bytes are borrowed. */
bool source_memory(struct source **out, const char *name, struct span bytes,
                   struct err *e) ASSAY_MUST_CHECK;
void source_close(struct source *s); /* NULL is harmless; ends every span read through it */

uint64_t source_size(const struct source *s);
const char *source_path(const struct source *s);
struct source_stamp source_stamp(const struct source *s);

/* A cursor over the file from its start. Spans taken through it are borrowed
 * until source_close. At most `limit` bytes are ever brought into memory: a
 * read beyond faults with ERR_LIMIT. Cursors of one source share the window. */
struct cursor source_cursor(struct source *s, uint64_t limit);
/* Bytes of the window brought into memory so far. */
uint64_t source_window(const struct source *s);
/* The error behind a cursor's failed fill, if the system refused a read. */
bool source_check(const struct source *s, struct err *e) ASSAY_MUST_CHECK;

/* Exactly n bytes at offset into buf, or false (short files are ERR_CHANGED). Thread-safe. */
bool source_read(const struct source *s, void *buf, uint64_t offset, size_t n,
                 struct err *e) ASSAY_MUST_CHECK;
/* fstat again: ERR_CHANGED when size, mtime or ctime differ from the open. */
bool source_unchanged(const struct source *s, struct err *e) ASSAY_MUST_CHECK;

#endif
