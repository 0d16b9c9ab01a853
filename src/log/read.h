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

#endif
