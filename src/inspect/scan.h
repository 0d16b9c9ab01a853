/*
 * Private to the scan: what its parts share.
 *
 * A range is a tensor's bytes. Ranges are sorted by file and place, and each
 * gets a role, so that tensors which overlap cost a bounded number of reads:
 * most are met in the file's one pass, twins copy, the rest is read again
 * within a budget.
 */
#ifndef INSPECT_SCAN_H
#define INSPECT_SCAN_H

#include <pthread.h>
#include <stdatomic.h>

#include "assay/base/pool.h"
#include "assay/inspect.h"

enum {
    SCAN_CHUNK = 256 << 10, /* bytes of one read */
    SCAN_RING = 8,          /* chunks in flight of one file */
    SCAN_WORKERS = 8,       /* files at a time, so that buffers stay few */
    SCAN_PADDING = 64 << 10 /* longest gap that alignment explains */
};

enum range_role {
    RANGE_STREAM, /* met in order in the pass over the file */
    RANGE_SAME,   /* the same bytes as the range before */
    RANGE_EXTRA,  /* overlaps: read on its own */
    RANGE_SKIP    /* overlaps beyond the budget: not read */
};

struct scan_range {
    uint64_t offset, length;
    uint32_t tensor, file;
    enum dtype dtype;
    enum range_role digest, stats;
};

struct scan_file {
    struct scan_range *ranges;
    size_t range_count;
    struct err err; /* why reading ended early */
    bool cached;    /* digests are from the cache */
};

struct scan_state {
    struct model *model;
    const struct scan_options *opt;
    struct scan *out;
    struct scan_range *ranges;
    size_t range_count;
    struct scan_file *files;
    struct pool *pool;
    /* progress; the lock is held while reporting */
    pthread_mutex_t lock;
    uint64_t total, reported_at;
    const char *what;
    atomic_uint_fast64_t done, bytes_read;
    atomic_bool stop, no_memory;
};

/* scan.c: count work that was done; false when the caller asked to stop. */
bool scan_advance(struct scan_state *s, uint64_t bytes);
bool scan_read(struct scan_state *s, uint32_t file, void *buf, uint64_t offset, size_t n,
               struct err *e) ASSAY_MUST_CHECK;
bool scan_stopped(const struct scan_state *s);

/* scan_range.c; false when out of memory. */
bool scan_ranges(struct scan_state *s) ASSAY_MUST_CHECK;
/* scan_digest.c: digests of every file that is not `cached`. */
void scan_digests(struct scan_state *s);
/* scan_stats.c */
void scan_statistics(struct scan_state *s);
/* scan_coverage.c */
void scan_coverage(struct scan_state *s);

/* cache.c: the digest cache in the file `path`, and when its entries hold. */
struct cache;
struct cache *cache_load(const char *path); /* never NULL unless out of memory */
void cache_free(struct cache *c);
/* Digests of a file and its tensors, if all of them stand there. */
bool cache_find(struct cache *c, struct source_stamp stamp, const struct scan_range *ranges,
                size_t count, struct digest *file, struct digest *tensors);
/* Remember them; `now` is the wall clock in microseconds. Too young a file is
 * left out: it could change again without its times changing. */
void cache_keep(struct cache *c, struct source_stamp stamp, const struct scan_range *ranges,
                size_t count, const struct digest *file, const struct digest *tensors,
                uint64_t now);
/* Write it back if it changed. A cache that cannot be written is no error. */
bool cache_save(struct cache *c, const char *path);

#endif
