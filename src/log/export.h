/*
 * Private to src/log: the export of a log to a folder of tiles, over any
 * source, so that it is tested without a database.
 */
#ifndef LOG_EXPORT_H
#define LOG_EXPORT_H

#include "assay/log.h"

typedef bool export_visit(void *arg, uint64_t seq, struct span leaf);

struct export_source {
    struct span checkpoint; /* the signed note; its size is exported */
    struct hash_reader hashes;
    /* Leaves from `seq` in order until visit returns false. */
    bool (*walk)(void *arg, uint64_t seq, export_visit *visit, void *visit_arg, struct err *e);
    void *arg;
};

bool export_tiles(const struct export_source *from, const char *folder, const struct progress *p,
                  struct log_exported *out, struct err *e) ASSAY_MUST_CHECK;

#endif
