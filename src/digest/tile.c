/* C2SP tlog-tiles: names, widths and hashes of tiles. */
#include "assay/tile.h"

#include <stdio.h>

uint64_t tile_hashes(unsigned level, uint64_t size)
{
    return level < 64 / TILE_HEIGHT ? size >> (level * TILE_HEIGHT) : 0;
}

unsigned tile_width(unsigned level, uint64_t number, uint64_t size)
{
    uint64_t hashes = tile_hashes(level, size);
    if (number >= hashes / TILE_HASHES + (hashes % TILE_HASHES != 0))
        return 0;
    uint64_t left = hashes - number * TILE_HASHES;
    return left < TILE_HASHES ? (unsigned)left : TILE_HASHES;
}

/* "Merkle Tree": three digits an element, all but the last begin with an x. */
static size_t put_number(char *out, size_t size, uint64_t number)
{
    unsigned group[7];
    unsigned n = 0;
    size_t at = 0;
    do {
        group[n++] = (unsigned)(number % 1000);
        number /= 1000;
    } while (number);
    while (n--)
        at += (size_t)snprintf(out + at, size - at, n ? "x%03u/" : "%03u", group[n]);
    return at;
}

const char *tile_path(char out[TILE_PATH], const struct tile *t)
{
    size_t at = t->entries ? (size_t)snprintf(out, TILE_PATH, "tile/entries/")
                           : (size_t)snprintf(out, TILE_PATH, "tile/%u/", t->level);
    at += put_number(out + at, TILE_PATH - at, t->number);
    if (t->width < TILE_HASHES)
        snprintf(out + at, TILE_PATH - at, ".p/%u", t->width);
    return out;
}

bool tile_put(struct buf *out, const struct tile *t, const struct hash_reader *r, struct err *e)
{
    for (unsigned i = 0; i < t->width; i++) {
        struct digest d;
        if (!r->read(r->arg, t->level * TILE_HEIGHT, t->number * TILE_HASHES + i, &d, e))
            return false;
        buf_put(out, d.b, DIGEST_SIZE);
    }
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for a tile");
}
