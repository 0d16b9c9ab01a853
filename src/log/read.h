/* Private to src/log: a reader and what it has open. */
#ifndef LOG_READ_H
#define LOG_READ_H

#include "assay/log.h"
#include "log/tiles.h"

struct log_reader {
    char *folder;
    sqlite3 *db;
    sqlite3_stmt *leaf, *walk;
    uint64_t size; /* entries when it was opened: what comes later is not read */
    struct edge edge;
    struct tiles tiles;
    bool edge_loaded;
    struct buf note; /* the newest signed checkpoint that covers no more than `size` */
};

/*
 * The kept checkpoint that covers entry `seq` and that most witnesses cosigned, the newest of
 * those; with their lines. *note stays empty when there is none. cosign.c
 */
bool cosigned_for(struct log_reader *r, uint64_t seq, struct buf *note,
                  struct err *e) ASSAY_MUST_CHECK;

#endif
