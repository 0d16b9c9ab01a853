/*
 * Statistics of every tensor: chunks of a fixed number of elements in parallel,
 * folded in their order, so that the result is the same on any number of
 * threads. Batches keep the partial results few, whatever the model's size.
 */
#include "inspect/scan.h"

#include <stdlib.h>

enum {
    BATCH = 4096,            /* chunks between two merges */
    WIDEST = STATS_CHUNK * 8 /* bytes of a chunk of the widest type */
};

struct stats_job {
    const struct scan_range *range;
    uint64_t offset;
    size_t blocks;
};

struct batch {
    struct scan_state *state;
    struct stats_job *jobs; /* BATCH */
    struct stats *results;  /* BATCH */
    struct err *errors;     /* BATCH would be large: one a worker */
    uint32_t *error_file;
    uint8_t **scratch; /* one a worker */
    size_t count;
};

static void run_job(void *arg, size_t i, unsigned worker)
{
    struct batch *b = arg;
    struct scan_state *s = b->state;
    const struct stats_job *job = &b->jobs[i];
    enum dtype t = job->range->dtype;
    uint32_t file = job->range->file;
    size_t bytes = job->blocks * dtypes[t].bytes;
    struct err e = ERR_INIT;
    stats_init(&b->results[i]);
    if (scan_stopped(s))
        return;
    if (!b->scratch[worker])
        b->scratch[worker] = malloc(WIDEST);
    if (!b->scratch[worker]) {
        atomic_store(&s->no_memory, true);
        return;
    }
    if (scan_read(s, file, b->scratch[worker], job->offset, bytes, &e))
        stats_chunk(&b->results[i], t, b->scratch[worker], job->blocks,
                    s->model->files[file].big_endian);
    else if (b->errors[worker].code == ERR_NONE) {
        b->errors[worker] = e;
        b->error_file[worker] = file;
    }
    scan_advance(s, bytes);
}

/* Errors of this batch to their files; the lowest offset of a file is kept. */
static void collect_errors(struct batch *b)
{
    for (unsigned w = 0; w < pool_threads(b->state->pool); w++) {
        struct err *e = &b->errors[w];
        if (e->code == ERR_NONE)
            continue;
        struct err *own = &b->state->files[b->error_file[w]].err;
        if (own->code == ERR_NONE || e->offset < own->offset)
            *own = *e;
        *e = (struct err)ERR_INIT;
    }
}

static void run_batch(struct batch *b)
{
    pool_run(b->state->pool, b->count, run_job, b);
    for (size_t i = 0; i < b->count; i++)
        stats_merge(&b->state->out->stats[b->jobs[i].range->tensor], &b->results[i]);
    collect_errors(b);
    b->count = 0;
}

/* Types this build does not know and sizes that do not fit have no statistics. */
static bool countable(const struct scan_state *s, const struct scan_range *r)
{
    uint64_t bytes;
    return r->dtype < DTYPE_COUNT && (r->stats == RANGE_STREAM || r->stats == RANGE_EXTRA) &&
           dtype_size(r->dtype, s->model->tensors[r->tensor].elements, &bytes) &&
           bytes == r->length;
}

static void add_range(struct batch *b, const struct scan_range *r)
{
    const struct dtype_info *t = &dtypes[r->dtype];
    uint64_t blocks = r->length / t->bytes;
    for (uint64_t at = 0; at < blocks && !scan_stopped(b->state);) {
        uint64_t n = STATS_CHUNK / t->block;
        if (n > blocks - at)
            n = blocks - at;
        if (b->state->files[r->file].err.code != ERR_NONE)
            return;
        b->jobs[b->count++] = (struct stats_job){r, r->offset + at * t->bytes, (size_t)n};
        at += n;
        if (b->count == BATCH)
            run_batch(b);
    }
}

static void copy_twins(struct scan_state *s)
{
    for (size_t i = 1; i < s->range_count; i++)
        if (s->ranges[i].stats == RANGE_SAME)
            s->out->stats[s->ranges[i].tensor] = s->out->stats[s->ranges[i - 1].tensor];
}

void scan_statistics(struct scan_state *s)
{
    unsigned workers = pool_threads(s->pool);
    struct batch b = {.state = s};
    b.jobs = calloc(BATCH, sizeof *b.jobs);
    b.results = calloc(BATCH, sizeof *b.results);
    b.errors = calloc(workers, sizeof *b.errors);
    b.error_file = calloc(workers, sizeof *b.error_file);
    b.scratch = calloc(workers, sizeof *b.scratch);
    if (!b.jobs || !b.results || !b.errors || !b.error_file || !b.scratch) {
        atomic_store(&s->no_memory, true);
        goto out;
    }
    for (unsigned w = 0; w < workers; w++)
        b.errors[w] = (struct err)ERR_INIT;
    for (size_t i = 0; i < s->range_count; i++)
        if (countable(s, &s->ranges[i]))
            add_range(&b, &s->ranges[i]);
    run_batch(&b);
    copy_twins(s);
out:
    for (unsigned w = 0; b.scratch && w < workers; w++)
        free(b.scratch[w]);
    free(b.scratch);
    free(b.error_file);
    free(b.errors);
    free(b.results);
    free(b.jobs);
}
