/*
 * The digest cache: what was hashed before and has not changed since.
 *
 * One file, little-endian: magic, entries (stamp, file digest, tensors), and
 * the SHA-256 of all before it, so that damage of any kind reads as an empty
 * cache. Entries are kept newest first and the oldest fall out at CACHE_MAX.
 */
#include "inspect/scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CACHE_MAX = 16 << 20, /* bytes of the file */
    CACHE_YOUNG = 2,      /* seconds within which a change may leave no trace in the times */
    MAGIC_SIZE = 16,
    ENTRY_SIZE = 5 * 8 + DIGEST_SIZE + 4,
    TENSOR_SIZE = 2 * 8 + DIGEST_SIZE
};

static const char magic[MAGIC_SIZE] = "assay digests 1\n";

struct entry {
    struct source_stamp stamp;
    struct span bytes; /* the whole entry */
    bool used;         /* found in this run: goes to the front */
    bool dropped;      /* an older state of a file that was hashed anew */
};

struct cache {
    struct buf file;  /* as read; entries point into it */
    struct buf fresh; /* entries of this run */
    struct entry *entries;
    struct entry **by_inode; /* sorted, so that many files cost no walk each */
    size_t count;
    bool changed;
};

/* Ours alone: somebody else who can write it could make digests up. */
static bool read_private(struct buf *out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
              (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 && st.st_size <= CACHE_MAX;
    uint8_t chunk[16384];
    ssize_t n = 0;
    while (ok && (n = read(fd, chunk, sizeof chunk)) > 0)
        buf_put(out, chunk, (size_t)n);
    if (fd >= 0)
        close(fd);
    return ok && n == 0 && buf_ok(out);
}

static struct source_stamp read_stamp(struct cursor *c)
{
    struct source_stamp s;
    s.device = cursor_u64(c);
    s.inode = cursor_u64(c);
    s.size = cursor_u64(c);
    s.mtime_ns = (int64_t)cursor_u64(c);
    s.ctime_ns = (int64_t)cursor_u64(c);
    return s;
}

static void parse(struct cache *k)
{
    struct span all = buf_span(&k->file);
    if (all.n < MAGIC_SIZE + DIGEST_SIZE || memcmp(all.p, magic, MAGIC_SIZE) != 0)
        return;
    struct digest seen = sha256_of(span_sub(all, 0, all.n - DIGEST_SIZE));
    if (memcmp(seen.b, all.p + all.n - DIGEST_SIZE, DIGEST_SIZE) != 0)
        return;
    struct cursor c = cursor_over(span_sub(all, 0, all.n - DIGEST_SIZE));
    cursor_skip(&c, MAGIC_SIZE);
    k->entries = calloc(cursor_left(&c) / ENTRY_SIZE + 1, sizeof *k->entries);
    while (k->entries && cursor_left(&c)) {
        size_t from = c.pos;
        struct entry *entry = &k->entries[k->count];
        entry->stamp = read_stamp(&c);
        cursor_skip(&c, DIGEST_SIZE);
        uint64_t tensors = cursor_count(&c, cursor_u32(&c), TENSOR_SIZE);
        cursor_skip(&c, tensors * TENSOR_SIZE);
        if (!cursor_ok(&c))
            break;
        entry->bytes = span_sub(all, from, c.pos - from);
        k->count++;
    }
}

static int inode_order(const struct source_stamp *a, const struct source_stamp *b)
{
    if (a->inode != b->inode)
        return a->inode < b->inode ? -1 : 1;
    return (a->device > b->device) - (a->device < b->device);
}

static int by_inode(const void *pa, const void *pb)
{
    const struct entry *const *a = pa, *const *b = pb;
    int order = inode_order(&(*a)->stamp, &(*b)->stamp);
    return order ? order : (*a > *b) - (*a < *b);
}

static void sort_entries(struct cache *k)
{
    k->by_inode = calloc(k->count + 1, sizeof(struct entry *));
    if (!k->by_inode)
        k->count = 0;
    for (size_t i = 0; i < k->count; i++)
        k->by_inode[i] = &k->entries[i];
    if (k->count)
        qsort(k->by_inode, k->count, sizeof(struct entry *), by_inode);
}

/* First entry in by_inode that is not before the file's. */
static size_t find_inode(const struct cache *k, const struct source_stamp *stamp)
{
    size_t low = 0, high = k->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (inode_order(&k->by_inode[mid]->stamp, stamp) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct cache *cache_load(const char *path)
{
    struct cache *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    buf_init(&k->file, CACHE_MAX);
    buf_init(&k->fresh, CACHE_MAX);
    if (read_private(&k->file, path))
        parse(k);
    sort_entries(k);
    return k;
}

void cache_free(struct cache *k)
{
    if (!k)
        return;
    buf_free(&k->file);
    buf_free(&k->fresh);
    free(k->by_inode);
    free(k->entries);
    free(k);
}

static bool same_stamp(const struct source_stamp *a, const struct source_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static struct digest read_digest(struct cursor *c)
{
    struct digest d = {{0}};
    struct span s = cursor_take(c, DIGEST_SIZE);
    if (s.n == DIGEST_SIZE)
        memcpy(d.b, s.p, DIGEST_SIZE);
    return d;
}

/* Tensors stand in the order of the ranges, so one walk compares and one copies. */
static bool take_entry(const struct entry *entry, const struct scan_range *ranges, size_t count,
                       struct digest *file, struct digest *tensors)
{
    for (int copy = 0; copy < 2; copy++) {
        struct cursor c = cursor_over(entry->bytes);
        read_stamp(&c);
        struct digest d = read_digest(&c);
        if (cursor_u32(&c) != count)
            return false;
        for (size_t i = 0; i < count; i++) {
            uint64_t offset = cursor_u64(&c);
            uint64_t length = cursor_u64(&c);
            struct digest tensor = read_digest(&c);
            if (offset != ranges[i].offset || length != ranges[i].length)
                return false;
            if (copy)
                tensors[ranges[i].tensor] = tensor;
        }
        if (copy)
            *file = d;
    }
    return true;
}

bool cache_find(struct cache *k, struct source_stamp stamp, const struct scan_range *ranges,
                size_t count, struct digest *file, struct digest *tensors)
{
    for (size_t i = find_inode(k, &stamp); i < k->count; i++) {
        struct entry *entry = k->by_inode[i];
        if (inode_order(&entry->stamp, &stamp) != 0)
            break;
        if (!same_stamp(&entry->stamp, &stamp) || !take_entry(entry, ranges, count, file, tensors))
            continue;
        entry->used = true;
        return true;
    }
    return false;
}

static void drop_older(struct cache *k, const struct source_stamp *stamp)
{
    for (size_t i = find_inode(k, stamp);
         i < k->count && inode_order(&k->by_inode[i]->stamp, stamp) == 0; i++)
        k->by_inode[i]->dropped = true;
}

void cache_keep(struct cache *k, struct source_stamp stamp, const struct scan_range *ranges,
                size_t count, const struct digest *file, const struct digest *tensors, uint64_t now)
{
    int64_t seconds = (int64_t)(now / 1000000);
    int64_t latest = stamp.mtime_ns > stamp.ctime_ns ? stamp.mtime_ns : stamp.ctime_ns;
    size_t size = ENTRY_SIZE + count * TENSOR_SIZE, room = CACHE_MAX - MAGIC_SIZE - DIGEST_SIZE;
    if (latest / 1000000000 > seconds - CACHE_YOUNG || count > room / TENSOR_SIZE ||
        size > room - k->fresh.n)
        return;
    drop_older(k, &stamp);
    struct buf *b = &k->fresh;
    buf_put_u64le(b, stamp.device);
    buf_put_u64le(b, stamp.inode);
    buf_put_u64le(b, stamp.size);
    buf_put_u64le(b, (uint64_t)stamp.mtime_ns);
    buf_put_u64le(b, (uint64_t)stamp.ctime_ns);
    buf_put(b, file->b, DIGEST_SIZE);
    buf_put_u32le(b, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_u64le(b, ranges[i].offset);
        buf_put_u64le(b, ranges[i].length);
        buf_put(b, tensors[ranges[i].tensor].b, DIGEST_SIZE);
    }
    k->changed = true;
}

static void compose(struct buf *out, const struct cache *k)
{
    buf_put(out, magic, MAGIC_SIZE);
    buf_put_span(out, buf_span(&k->fresh));
    for (int used = 1; used >= 0; used--)
        for (size_t i = 0; i < k->count; i++) {
            const struct entry *entry = &k->entries[i];
            if (!entry->dropped && entry->used == (used == 1) &&
                entry->bytes.n <= CACHE_MAX - DIGEST_SIZE - out->n)
                buf_put_span(out, entry->bytes);
        }
    struct digest d = sha256_of(buf_span(out));
    buf_put(out, d.b, DIGEST_SIZE);
}

static bool write_all(int fd, struct span s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n <= 0)
            return false;
        s = span_sub(s, (size_t)n, s.n);
    }
    return true;
}

bool cache_save(struct cache *k, const char *path)
{
    struct buf out, name;
    if (!k->changed)
        return true;
    buf_init(&out, CACHE_MAX);
    buf_init(&name, 4096);
    compose(&out, k);
    buf_printf(&name, "%s.XXXXXX", path);
    bool ok = buf_ok(&out) && buf_ok(&name);
    buf_cstr(&name);
    char *temporary = (char *)name.p;
    int fd = ok ? mkostemp(temporary, O_CLOEXEC) : -1; /* made with mode 0600 */
    if (fd >= 0) {
        ok = write_all(fd, buf_span(&out));
        ok = close(fd) == 0 && ok;
        ok = ok && rename(temporary, path) == 0;
        if (!ok)
            unlink(temporary);
    }
    buf_free(&out);
    buf_free(&name);
    return ok && fd >= 0;
}
