/*
 * A Merkle tree as static files (C2SP tlog-tiles): which tiles a tree of a
 * given size has, what they are called and what stands in them. Pure; the log's export
 * writes them and a verifier can read them.
 */
#ifndef ASSAY_TILE_H
#define ASSAY_TILE_H

#include "assay/proof.h"

enum {
    TILE_HASHES = 256, /* hashes of a full tile, entries of a full bundle */
    TILE_FULL = TILE_HASHES * DIGEST_SIZE,
    TILE_HEIGHT = 8, /* levels of the tree in one tile */
    TILE_PATH = 64   /* room for any path and its NUL */
};

struct tile {
    bool entries;    /* an entry bundle, which stands beside the tile of level 0 */
    unsigned level;  /* hash i is the root of 256^level leaves */
    uint64_t number; /* counted within the level */
    unsigned width;  /* 1 to 256; below 256 the tile is partial */
};

/* Hashes of a level in a tree of `size` leaves; 0 above the top. */
uint64_t tile_hashes(unsigned level, uint64_t size);
/* Width of a tile in a tree of `size` leaves; 0 when the tree does not have it. */
unsigned tile_width(unsigned level, uint64_t number, uint64_t size);
/* "tile/0/x001/x234/067", "tile/entries/000.p/17". Returns out. */
const char *tile_path(char out[TILE_PATH], const struct tile *t);
/* Append the hashes of a tile to `out`. */
bool tile_put(struct buf *out, const struct tile *t, const struct hash_reader *r,
              struct err *e) ASSAY_MUST_CHECK;

#endif
