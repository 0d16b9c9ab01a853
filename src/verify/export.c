/*
 * An exported log (C2SP tlog-tiles): every leaf of the entry bundles goes
 * through the verifier, and every hash of every tile is computed again from
 * them. One tile a level is in memory, so the size of the log does not matter.
 */
#include "assay/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/tile.h"
#include "verify/verify.h"

enum { LEVELS = 8, BUNDLE = TILE_HASHES * (RECORD_MAX + 2), PATH = 4096, NOTE_ARENA = 4 << 20 };

/* The tile that is being filled at each level. */
struct walk {
    const char *folder;
    struct verifier *v;
    uint64_t size; /* as the checkpoint says */
    struct digest hash[LEVELS][TILE_HASHES];
    unsigned width[LEVELS];
    uint64_t number[LEVELS];
};

static bool read_file(struct span *out, const char *folder, const char *name, size_t max,
                      struct arena *a, struct err *e)
{
    char path[PATH];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, ERR_USAGE, "the folder's name is too long");
    struct err inner = ERR_INIT;
    if (file_read(out, path, max, false, a, &inner))
        return true;
    /* Not a file, or longer than what the tree can have there. */
    enum err_code code = inner.code == ERR_CONFIG ? ERR_INTEGRITY : inner.code;
    return err_at(e, code, name, ERR_NO_OFFSET, "%s", inner.text);
}

/* The tile at a level that has just become full, or that the tree ends with. */
static bool compare_tile(const struct walk *x, unsigned level, struct err *e)
{
    char name[TILE_PATH];
    struct span bytes;
    struct tile t = {.level = level, .number = x->number[level], .width = x->width[level]};
    struct arena *a = arena_new(4 * TILE_FULL);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a tile");
    tile_path(name, &t);
    struct span wanted = {x->hash[level][0].b, (size_t)t.width * DIGEST_SIZE};
    bool ok = read_file(&bytes, x->folder, name, TILE_FULL, a, e);
    if (ok && !span_eq(bytes, wanted))
        ok = err_at(e, ERR_INTEGRITY, name, ERR_NO_OFFSET,
                    "the tile does not hold the hashes of the entries");
    arena_free(a);
    return ok;
}

static struct digest tile_root(const struct digest hash[TILE_HASHES])
{
    struct digest h[TILE_HASHES];
    memcpy(h, hash, sizeof h);
    for (size_t n = TILE_HASHES; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            h[i] = merkle_node(&h[2 * i], &h[2 * i + 1]);
    return h[0];
}

/* A full tile is one hash of the level above. */
static bool append_hash(struct walk *x, struct digest hash, struct err *e)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        x->hash[level][x->width[level]++] = hash;
        if (x->width[level] < TILE_HASHES)
            return true;
        if (!compare_tile(x, level, e))
            return false;
        hash = tile_root(x->hash[level]);
        x->width[level] = 0;
        x->number[level]++;
    }
    return err_set(e, ERR_LIMIT, "the log is too large");
}

/* uint16 length, big-endian, then the entry; as many as the tile is wide. */
static bool read_bundle(struct walk *x, struct span bytes, unsigned width, struct err *e)
{
    struct cursor c = cursor_over(bytes);
    c.big_endian = true;
    for (unsigned i = 0; i < width; i++) {
        struct span leaf = cursor_take(&c, cursor_u16(&c));
        if (!cursor_ok(&c))
            return err_at(e, ERR_INTEGRITY, NULL, c.fault_at, "cut short: %s", c.fault);
        if (!verifier_leaf(x->v, leaf, e) || !append_hash(x, record_hash(leaf), e))
            return false;
    }
    return cursor_left(&c) == 0 ||
           err_set(e, ERR_INTEGRITY, "bytes stand behind the last of %u entries", width);
}

static bool walk_bundles(struct walk *x, struct err *e)
{
    for (uint64_t n = 0; n * TILE_HASHES < x->size; n++) {
        char name[TILE_PATH];
        struct span bytes;
        struct err inner = ERR_INIT;
        struct tile t = {.entries = true, .number = n, .width = tile_width(0, n, x->size)};
        struct arena *a = arena_new(2 * (size_t)BUNDLE);
        if (!a)
            return err_set(e, ERR_MEMORY, "out of memory for entries");
        tile_path(name, &t);
        bool ok = read_file(&bytes, x->folder, name, BUNDLE, a, &inner) &&
                  read_bundle(x, bytes, t.width, &inner);
        arena_free(a);
        if (!ok)
            return err_at(e, inner.code, inner.file[0] ? inner.file : name, inner.offset, "%s",
                          inner.text);
    }
    for (unsigned level = 0; level < LEVELS; level++)
        if (x->width[level] && !compare_tile(x, level, e))
            return false;
    return true;
}

static bool read_checkpoint(struct span *note, uint64_t *size, const char *folder, struct arena *a,
                            struct err *e)
{
    struct note n;
    struct checkpoint c;
    if (!read_file(note, folder, "checkpoint", NOTE_MAX_BYTES, a, e) ||
        !note_parse(&n, *note, a, e) || !checkpoint_parse(&c, n.text, e))
        return false;
    *size = c.size;
    return true;
}

/* The folder's own claim of a size bounds nothing: a missing bundle ends the walk. */
bool verify_export(struct verified *out, const char *folder, const struct trust *t, struct arena *a,
                   struct err *e)
{
    struct span note;
    *out = (struct verified){.pinned = false};
    struct walk *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(e, ERR_MEMORY, "out of memory for an export");
    x->folder = folder;
    bool ok = verifier_new(&x->v, t, e) && read_checkpoint(&note, &x->size, folder, a, e) &&
              walk_bundles(x, e) && verifier_finish(x->v, note, out, a, e);
    verifier_free(x->v);
    free(x);
    return ok;
}
