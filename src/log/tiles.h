/*
 * The tree as it is stored: full tiles of 256 hashes in the database (C2SP
 * tlog-tiles), the right edge in memory, rebuilt from at most 255 hashes a level.
 */
#ifndef LOG_TILES_H
#define LOG_TILES_H

#include "assay/proof.h"
#include "log/sql.h"

enum { TILE_WIDTH = 256, TILE_BYTES = TILE_WIDTH * DIGEST_SIZE, TILE_LEVELS = 7 };

/* Hashes of the tile that is not full yet, per level; level i counts 256^i leaves a hash. */
struct edge {
    uint64_t size;
    unsigned count[TILE_LEVELS];
    struct digest hash[TILE_LEVELS][TILE_WIDTH];
};

int64_t tile_id(unsigned level, uint64_t number);

/* A tile became full. */
typedef bool tile_store(void *arg, int64_t id, const struct digest *root,
                        const struct digest *hashes, struct err *e);

void edge_start(struct edge *t);
bool edge_append(struct edge *t, const struct digest *leaf, tile_store *store, void *arg,
                 struct err *e) ASSAY_MUST_CHECK;
/* The edge of a tree of `size` leaves: leaves and tiles are read from `db`. */
bool edge_load(struct edge *t, sqlite3 *db, uint64_t size, struct err *e) ASSAY_MUST_CHECK;
/* The frontier that merkle_append continues from. */
void edge_frontier(const struct edge *t, struct merkle *m);

/* Reads hashes of complete subtrees; for struct hash_reader. */
struct tiles {
    sqlite3 *db;
    sqlite3_stmt *read;
    struct edge *edge; /* borrowed */
    int64_t cached[TILE_LEVELS];
    struct digest (*cache)[TILE_WIDTH]; /* one tile a level */
};

bool tiles_open(struct tiles *t, sqlite3 *db, struct edge *edge, struct err *e) ASSAY_MUST_CHECK;
void tiles_close(struct tiles *t);
bool tiles_hash(void *tiles, unsigned level, uint64_t index, struct digest *out, struct err *e);

#endif
