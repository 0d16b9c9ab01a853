/*
 * Tiles: level i, number n holds the hashes of 256 complete subtrees of 256^i
 * leaves each. A partial tile is never written: rewriting it with each commit
 * halves the rate, and it is at most 255 hashes.
 */
#include "log/tiles.h"

#include <stdlib.h>
#include <string.h>

static const char incomplete[] =
    "the stored tree is incomplete: rebuild it with `assay log reindex`";

int64_t tile_id(unsigned level, uint64_t number)
{
    return (int64_t)((uint64_t)level << 56 | number);
}

/* Root of 2^height hashes. */
static struct digest fold(const struct digest *hashes, unsigned height)
{
    struct digest h[TILE_WIDTH];
    size_t n = (size_t)1 << height;
    memcpy(h, hashes, n * sizeof *h);
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            h[i] = merkle_node(&h[2 * i], &h[2 * i + 1]);
    return h[0];
}

/* ---- the right edge ---- */

void edge_start(struct edge *t)
{
    t->size = 0;
    memset(t->count, 0, sizeof t->count);
}

bool edge_append(struct edge *t, const struct digest *leaf, tile_store *store, void *arg,
                 struct err *e)
{
    struct digest d = *leaf;
    t->size++;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        t->hash[level][t->count[level]++] = d;
        if (t->count[level] < TILE_WIDTH)
            return true;
        d = fold(t->hash[level], 8);
        t->count[level] = 0;
        uint64_t number = (t->size >> (8 * (level + 1))) - 1;
        if (!store(arg, tile_id(level, number), &d, t->hash[level], e))
            return false;
    }
    return err_set(e, ERR_LIMIT, "the log is full");
}

static bool load_leaves(struct edge *t, sqlite3 *db, struct err *e)
{
    uint64_t from = t->size & ~(uint64_t)(TILE_WIDTH - 1);
    sqlite3_stmt *st = sql_prepare(
        db, "SELECT seq, leaf FROM record WHERE seq >= ?1 AND seq < ?2 ORDER BY seq", e);
    if (!st)
        return false;
    sqlite3_bind_int64(st, 1, (int64_t)from);
    sqlite3_bind_int64(st, 2, (int64_t)t->size);
    int step;
    unsigned n = 0;
    while ((step = sqlite3_step(st)) == SQLITE_ROW && n < TILE_WIDTH &&
           (uint64_t)sqlite3_column_int64(st, 0) == from + n)
        t->hash[0][n++] = merkle_leaf(sql_blob(st, 1));
    bool ok = step == SQLITE_DONE || step == SQLITE_ROW || sql_fail(db, "reading leaves", e);
    sqlite3_finalize(st);
    t->count[0] = n;
    uint64_t found = from + n;
    return ok &&
           (found == t->size || err_set(e, ERR_INTEGRITY, "entry %llu is missing from the log",
                                        (unsigned long long)found));
}

static bool load_level(struct edge *t, unsigned level, sqlite3_stmt *st, struct err *e)
{
    uint64_t end = t->size >> (8 * level), from = end & ~(uint64_t)(TILE_WIDTH - 1);
    sqlite3_bind_int64(st, 1, tile_id(level - 1, from));
    sqlite3_bind_int64(st, 2, tile_id(level - 1, end));
    unsigned n = 0;
    while (sqlite3_step(st) == SQLITE_ROW && n < TILE_WIDTH) {
        struct span root = sql_blob(st, 1);
        if (sqlite3_column_int64(st, 0) != tile_id(level - 1, from + n) || root.n != DIGEST_SIZE)
            break;
        memcpy(t->hash[level][n++].b, root.p, DIGEST_SIZE);
    }
    sqlite3_reset(st);
    t->count[level] = n;
    return from + n == end || err_set(e, ERR_INTEGRITY, "%s", incomplete);
}

bool edge_load(struct edge *t, sqlite3 *db, uint64_t size, struct err *e)
{
    edge_start(t);
    t->size = size;
    if (!load_leaves(t, db, e))
        return false;
    sqlite3_stmt *st =
        sql_prepare(db, "SELECT id, root FROM tile WHERE id >= ?1 AND id < ?2 ORDER BY id", e);
    bool ok = st != NULL;
    for (unsigned level = 1; ok && level < TILE_LEVELS; level++)
        ok = load_level(t, level, st, e);
    sqlite3_finalize(st);
    return ok;
}

void edge_frontier(const struct edge *t, struct merkle *m)
{
    m->size = t->size;
    for (unsigned bit = 0; bit < 8 * TILE_LEVELS; bit++) {
        unsigned count = t->count[bit / 8], height = bit % 8;
        if (count >> height & 1)
            m->frontier[bit] =
                fold(t->hash[bit / 8] + (count >> (height + 1) << (height + 1)), height);
    }
}

/* ---- hashes of complete subtrees ---- */

bool tiles_open(struct tiles *t, sqlite3 *db, struct edge *edge, struct err *e)
{
    *t = (struct tiles){.db = db, .edge = edge};
    for (unsigned i = 0; i < TILE_LEVELS; i++)
        t->cached[i] = -1;
    t->cache = calloc(TILE_LEVELS, sizeof *t->cache);
    if (!t->cache)
        return err_set(e, ERR_MEMORY, "out of memory for tiles");
    t->read = sql_prepare(db, "SELECT hashes FROM tile WHERE id = ?1", e);
    return t->read != NULL;
}

void tiles_close(struct tiles *t)
{
    sqlite3_finalize(t->read);
    free(t->cache);
    *t = (struct tiles){.db = NULL};
}

static const struct digest *full_tile(struct tiles *t, unsigned level, uint64_t number,
                                      struct err *e)
{
    int64_t id = tile_id(level, number);
    if (t->cached[level] == id)
        return t->cache[level];
    sqlite3_bind_int64(t->read, 1, id);
    int step = sqlite3_step(t->read);
    struct span hashes = step == SQLITE_ROW ? sql_blob(t->read, 0) : SPAN_EMPTY;
    bool ok = hashes.n == TILE_BYTES;
    if (ok) {
        memcpy(t->cache[level], hashes.p, TILE_BYTES);
        t->cached[level] = id;
    } else if (step != SQLITE_ROW && step != SQLITE_DONE) {
        sql_fail(t->db, "reading a tile", e);
    } else {
        err_set(e, ERR_INTEGRITY, "%s", incomplete);
    }
    sqlite3_reset(t->read);
    return ok ? t->cache[level] : NULL;
}

bool tiles_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    struct tiles *t = arg;
    unsigned row = level / 8, height = level % 8;
    if (row >= TILE_LEVELS || index >= t->edge->size >> level)
        return err_set(e, ERR_USAGE, "no complete subtree of that level and number");
    uint64_t at = index << height, number = at / TILE_WIDTH;
    const struct digest *tile = t->edge->hash[row];
    if (number < t->edge->size >> (8 * (row + 1)))
        tile = full_tile(t, row, number, e);
    if (!tile)
        return false;
    *out = fold(tile + at % TILE_WIDTH, height);
    return true;
}
