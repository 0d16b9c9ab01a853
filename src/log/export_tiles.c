/*
 * C2SP tlog-tiles as files. Tiles are written first and synced at once, the
 * checkpoint that needs them last, so that a reader of the folder never meets
 * a checkpoint without its tiles. What a published checkpoint covers is never rewritten.
 */
#include "log/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/file.h"
#include "assay/sign.h"
#include "assay/tile.h"

enum {
    FOLDER_MAX = 3072,               /* bytes of the folder's name */
    PATH_MAX_HERE = FOLDER_MAX + 96, /* and of a file in it */
    ENTRY_MAX = 65535,               /* "big-endian uint16 length-prefixed" */
    BUNDLE_MAX = TILE_HASHES * (2 + ENTRY_MAX),
    REPORT_NS = 100000000
};

struct run {
    const struct export_source *from;
    const char *folder;
    const struct progress *progress;
    uint64_t size;     /* entries of the checkpoint to write */
    uint64_t previous; /* entries the folder's checkpoint covers */
    struct log_exported *counts;
    struct buf bytes; /* of the file in hand */
    uint64_t reported;
    char path[PATH_MAX_HERE];
};

/* ---- files ---- */

/* Make every folder above `path` that is below the run's folder. */
static bool make_folders(struct run *r, struct err *e)
{
    for (char *slash = r->path + strlen(r->folder); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool ok = mkdir(r->path, 0777) == 0 || errno == EEXIST ||
                  err_errno(e, r->path, "the folder cannot be created");
        *slash = '/';
        if (!ok)
            return false;
    }
    return true;
}

/* As a whole, by rename; with `sync`, the bytes are on the disk before they have the name. */
static bool write_file(struct run *r, struct span bytes, bool sync, struct err *e)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    char temporary[PATH_MAX_HERE + 4];
    snprintf(temporary, sizeof temporary, "%s.new", r->path);
    int fd = open(temporary, flags, 0666);
    if (fd < 0 && errno == ENOENT && make_folders(r, e))
        fd = open(temporary, flags, 0666);
    if (fd < 0 && errno == EEXIST && unlink(temporary) == 0) /* left over by an interrupted run */
        fd = open(temporary, flags, 0666);
    if (fd < 0)
        return err_errno(e, temporary, "cannot be created");
    bool ok = file_write(fd, bytes) && (!sync || fsync(fd) == 0);
    ok = close(fd) == 0 && ok;
    ok = (ok && rename(temporary, r->path) == 0) || err_errno(e, r->path, "cannot be written");
    if (!ok)
        unlink(temporary);
    return ok;
}

/* The file in hand stands there already, byte for byte. */
static bool is_there(const struct run *r)
{
    uint8_t block[4096];
    struct stat st;
    size_t at = 0;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool same =
        fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == r->bytes.n;
    while (same && at < r->bytes.n) {
        ssize_t n = read(fd, block, sizeof block);
        same =
            n > 0 && (size_t)n <= r->bytes.n - at && memcmp(block, r->bytes.p + at, (size_t)n) == 0;
        at += same ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return same;
}

/* ---- tiles ---- */

static void set_path(struct run *r, const struct tile *t)
{
    char name[TILE_PATH];
    snprintf(r->path, sizeof r->path, "%s/%s", r->folder, tile_path(name, t));
}

/*
 * Full, published before, and there: not even read. A hash tile has one size; a bundle's is
 * not known here.
 */
static bool is_settled(const struct run *r, const struct tile *t)
{
    struct stat st;
    return t->width == TILE_HASHES && tile_width(t->level, t->number, r->previous) == TILE_HASHES &&
           lstat(r->path, &st) == 0 && S_ISREG(st.st_mode) &&
           (t->entries ? st.st_size > 0 : st.st_size == TILE_FULL);
}

/* The file in hand, unless it is there already. */
static bool put_file(struct run *r, struct err *e)
{
    bool there = is_there(r);
    r->counts->kept += there;
    r->counts->written += !there;
    return there || write_file(r, buf_span(&r->bytes), false, e);
}

static bool export_level(struct run *r, unsigned level, struct err *e)
{
    struct tile t = {.level = level};
    for (; (t.width = tile_width(level, t.number, r->size)) != 0; t.number++) {
        set_path(r, &t);
        if (is_settled(r, &t)) {
            r->counts->kept++;
            continue;
        }
        buf_clear(&r->bytes);
        if (!tile_put(&r->bytes, &t, &r->from->hashes, e) || !put_file(r, e))
            return false;
    }
    return true;
}

/* ---- entries ---- */

static bool tell(struct run *r, uint64_t done, struct err *e)
{
    uint64_t now = clock_monotonic();
    if (!r->progress || (done < r->size && now - r->reported < REPORT_NS))
        return true;
    r->reported = now;
    return r->progress->report(r->progress->arg, "exporting", done, r->size) ||
           err_set(e, ERR_INTERRUPTED, "stopped; the folder's checkpoint is still the old one");
}

struct bundles {
    struct run *run;
    uint64_t next; /* entry that comes next */
    struct err *e;
    bool ok;
};

/* It must be the leaf whose hash the tree holds. */
static bool entry_ok(const struct bundles *b, uint64_t seq, struct span leaf)
{
    const struct hash_reader *h = &b->run->from->hashes;
    struct digest hash = merkle_leaf(leaf), held;
    if (seq != b->next)
        return err_set(b->e, ERR_INTEGRITY, "entry %llu is missing; nothing was published",
                       (unsigned long long)b->next);
    if (leaf.n > ENTRY_MAX)
        return err_set(b->e, ERR_INTEGRITY, "entry %llu has %zu bytes; at most %d are possible",
                       (unsigned long long)seq, leaf.n, ENTRY_MAX);
    return h->read(h->arg, 0, seq, &held, b->e) &&
           (digest_eq(&hash, &held) ||
            err_set(b->e, ERR_INTEGRITY,
                    "entry %llu was changed: it does not have the hash that the tree holds; run: "
                    "assay log verify",
                    (unsigned long long)seq));
}

static bool end_bundle(struct bundles *b)
{
    struct run *r = b->run;
    struct tile t = {.entries = true, .number = (b->next - 1) / TILE_HASHES};
    t.width = tile_width(0, t.number, r->size);
    set_path(r, &t);
    bool ok = (buf_ok(&r->bytes) || err_set(b->e, ERR_MEMORY, "out of memory for entries")) &&
              put_file(r, b->e) && tell(r, b->next, b->e);
    buf_clear(&r->bytes);
    return ok;
}

static bool add_entry(void *arg, uint64_t seq, struct span leaf)
{
    struct bundles *b = arg;
    struct buf *bytes = &b->run->bytes;
    b->ok = entry_ok(b, seq, leaf);
    if (!b->ok)
        return false;
    buf_put_u8(bytes, (uint8_t)(leaf.n >> 8));
    buf_put_u8(bytes, (uint8_t)leaf.n);
    buf_put_span(bytes, leaf);
    b->next++;
    if (b->next % TILE_HASHES == 0 || b->next == b->run->size)
        b->ok = end_bundle(b);
    return b->ok && b->next < b->run->size;
}

/* One walk from the first bundle that is not settled to the end. */
static bool export_entries(struct run *r, struct err *e)
{
    struct tile t = {.entries = true};
    for (; (t.width = tile_width(0, t.number, r->size)) != 0; t.number++) {
        set_path(r, &t);
        if (!is_settled(r, &t))
            break;
    }
    r->counts->kept += t.number;
    buf_clear(&r->bytes);
    struct bundles b = {r, t.number * TILE_HASHES, e, true};
    if (t.width == 0)
        return true;
    if (!r->from->walk(r->from->arg, b.next, add_entry, &b, e) || !b.ok)
        return false;
    return b.next == r->size ||
           err_set(e, ERR_INTEGRITY, "entry %llu is missing; nothing was published",
                   (unsigned long long)b.next);
}

/* "MAY delete any partial tile once the corresponding full tile is ... available". */
static void drop_partials(struct run *r, struct tile t)
{
    bool full = tile_width(t.level, t.number, r->size) == TILE_HASHES;
    for (t.width = 1; full && t.width < TILE_HASHES; t.width++) {
        set_path(r, &t);
        unlink(r->path);
    }
    if (full) {
        *strrchr(r->path, '/') = '\0';
        rmdir(r->path);
    }
}

/* Only the last tile of each level was partial in the old tree. */
static void drop_old_partials(struct run *r)
{
    for (unsigned level = 0; tile_hashes(level, r->previous); level++) {
        uint64_t number = tile_hashes(level, r->previous) / TILE_HASHES;
        drop_partials(r, (struct tile){.level = level, .number = number});
        if (level == 0)
            drop_partials(r, (struct tile){.entries = true, .number = number});
    }
}

/* ---- checkpoints ---- */

static bool root_ok(const struct run *r, const struct checkpoint *c, const char *what,
                    struct err *e)
{
    struct digest root;
    if (!proof_root(&root, c->size, &r->from->hashes, e))
        return false;
    return digest_eq(&root, &c->root) ||
           err_at(e, ERR_INTEGRITY, r->folder, ERR_NO_OFFSET, "%s", what);
}

/* The checkpoint that the folder already publishes must be an ancestor of ours. */
static bool extends_old(struct run *r, const struct checkpoint *ours, struct arena *a,
                        struct err *e)
{
    struct stat st;
    struct span bytes;
    struct note n;
    struct checkpoint old;
    snprintf(r->path, sizeof r->path, "%s/log.db", r->folder);
    if (lstat(r->path, &st) == 0)
        return err_at(
            e, ERR_CONFIG, r->folder, ERR_NO_OFFSET,
            "a log lies there, and what is published must not lie beside its keys; choose "
            "another folder");
    snprintf(r->path, sizeof r->path, "%s/checkpoint", r->folder);
    if (lstat(r->path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return errno == ENOENT || err_errno(e, r->folder, "is not a folder");
    if (!file_read(&bytes, r->path, NOTE_MAX_BYTES, false, a, e))
        return false;
    if (!note_parse(&n, bytes, a, e) || !checkpoint_parse(&old, n.text, e)) {
        err_in_file(e, r->path);
        return false;
    }
    if (!span_eq(old.origin, ours->origin))
        return err_at(e, ERR_CONFIG, r->path, ERR_NO_OFFSET,
                      "the folder holds the export of another log; choose another folder");
    if (old.size > ours->size)
        return err_at(e, ERR_INTEGRITY, r->path, ERR_NO_OFFSET,
                      "the folder publishes %llu entries and the log has %llu: the log was rolled "
                      "back, or is another copy",
                      (unsigned long long)old.size, (unsigned long long)ours->size);
    r->previous = old.size;
    return root_ok(r, &old,
                   "the folder publishes another history than the log's: keep both and find out "
                   "which is true",
                   e);
}

/* The folder's file system with all tiles, or the folder's own names only. */
static bool sync_folder(const struct run *r, int (*sync)(int), struct err *e)
{
    int fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && sync(fd) == 0) || err_errno(e, r->folder, "cannot be synced");
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Tiles on the disk, then the checkpoint under its name, then the name on the disk. */
static bool publish(struct run *r, struct err *e)
{
    snprintf(r->path, sizeof r->path, "%s/checkpoint", r->folder);
    buf_clear(&r->bytes);
    buf_put_span(&r->bytes, r->from->checkpoint);
    if (r->counts->written == 0 && is_there(r))
        return true;
    if (r->size == 0 && !make_folders(r, e))
        return false;
    return sync_folder(r, syncfs, e) && write_file(r, r->from->checkpoint, true, e) &&
           sync_folder(r, fsync, e);
}

static bool export_all(struct run *r, const struct checkpoint *ours, struct arena *a, struct err *e)
{
    if (!extends_old(r, ours, a, e) ||
        !root_ok(r, ours,
                 "the log's tree does not have the root of its checkpoint; run: assay log "
                 "verify",
                 e))
        return false;
    for (unsigned level = 0; tile_hashes(level, r->size); level++)
        if (!export_level(r, level, e))
            return false;
    if (!export_entries(r, e) || !publish(r, e))
        return false;
    drop_old_partials(r);
    return true;
}

bool export_tiles(const struct export_source *from, const char *folder, const struct progress *p,
                  struct log_exported *out, struct err *e)
{
    struct note n;
    struct checkpoint ours;
    struct run r = {.from = from, .folder = folder, .progress = p, .counts = out};
    size_t length = strlen(folder);
    *out = (struct log_exported){0};
    if (length == 0 || length > FOLDER_MAX)
        return err_set(e, ERR_USAGE, "a folder's name has 1 to %d bytes", FOLDER_MAX);
    struct arena *a = arena_new(8 * (size_t)NOTE_MAX_BYTES);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for an export");
    buf_init(&r.bytes, BUNDLE_MAX);
    bool ok = note_parse(&n, from->checkpoint, a, e) && checkpoint_parse(&ours, n.text, e);
    if (ok) {
        r.size = ours.size;
        ok = export_all(&r, &ours, a, e);
        out->size = ours.size;
        out->previous = r.previous;
    }
    buf_free(&r.bytes);
    arena_free(a);
    return ok;
}
