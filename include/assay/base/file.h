/*
 * Small private files, written so that they are there after a crash: keys,
 * keyrings, caches, heads. Folders are synced because a new name is durable
 * only when its folder is.
 */
#ifndef ASSAY_BASE_FILE_H
#define ASSAY_BASE_FILE_H

#include "assay/base/arena.h"

/* A whole regular file of at most `max` bytes, copied to `a`. With `secret`,
 * a file that others than its owner may read is refused (ERR_CONFIG). */
bool file_read(struct span *out, const char *path, size_t max, bool secret, struct arena *a,
               struct err *e) ASSAY_MUST_CHECK;
/* Create (O_EXCL, 0600), write, sync file and folder; removed again on failure. */
bool file_create(const char *path, struct span bytes, struct err *e) ASSAY_MUST_CHECK;
/*
 * Replace, or create, as a whole: PATH.new, fsync, rename, fsync of the
 * folder. With `erase`, the old file's bytes are overwritten afterwards, as
 * far as the file system writes in place.
 */
bool file_replace(const char *path, struct span bytes, bool erase, struct err *e) ASSAY_MUST_CHECK;

/* All of `s` to an open descriptor, whatever is interrupted; false with errno set. */
bool file_write(int fd, struct span s) ASSAY_MUST_CHECK;

#endif
