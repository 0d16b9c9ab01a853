/*
 * One pass over the bytes of a model: digests, statistics, coverage. This file
 * orders the work, keeps count of it and turns what went wrong into findings,
 * in the order of the files whatever the threads did.
 */
#include "inspect/scan.h"

#include "assay/base/text.h"

enum { PROGRESS_EVERY = 100000000 }; /* nanoseconds */

bool scan_stopped(const struct scan_state *s)
{
    return atomic_load(&s->stop) || atomic_load(&s->no_memory);
}

static void report(struct scan_state *s, bool last)
{
    const struct progress *p = &s->opt->progress;
    uint64_t now = clock_monotonic();
    if (!last && now - s->reported_at < PROGRESS_EVERY)
        return;
    s->reported_at = now;
    if (!p->report(p->arg, s->what, atomic_load(&s->done), s->total))
        atomic_store(&s->stop, true);
}

bool scan_advance(struct scan_state *s, uint64_t bytes)
{
    atomic_fetch_add(&s->done, bytes);
    if (s->opt->progress.report && pthread_mutex_trylock(&s->lock) == 0) {
        report(s, false);
        pthread_mutex_unlock(&s->lock);
    }
    return !scan_stopped(s);
}

bool scan_read(struct scan_state *s, uint32_t file, void *buf, uint64_t offset, size_t n,
               struct err *e)
{
    atomic_fetch_add(&s->bytes_read, n);
    return source_read(s->model->files[file].source, buf, offset, n, e);
}

static bool allocate(struct scan_state *s)
{
    struct model *m = s->model;
    struct scan *out = s->out;
    out->tensor_ok = arena_array(m->arena, m->tensor_count, sizeof *out->tensor_ok);
    out->file_ok = arena_array(m->arena, m->file_count, sizeof *out->file_ok);
    s->files = arena_array(m->arena, m->file_count, sizeof *s->files);
    if (!out->tensor_ok || !out->file_ok || !s->files)
        return false;
    for (size_t i = 0; i < m->file_count; i++)
        s->files[i].err = (struct err)ERR_INIT;
    if (s->opt->digests) {
        out->tensor = arena_array(m->arena, m->tensor_count, sizeof *out->tensor);
        out->file = arena_array(m->arena, m->file_count, sizeof *out->file);
        if (!out->tensor || !out->file)
            return false;
    }
    if (s->opt->statistics) {
        out->stats = arena_array(m->arena, m->tensor_count, sizeof *out->stats);
        if (!out->stats)
            return false;
        for (size_t i = 0; i < m->tensor_count; i++)
            stats_init(&out->stats[i]);
    }
    return scan_ranges(s);
}

static void use_cache(struct scan_state *s, struct cache *c)
{
    const struct model *m = s->model;
    struct scan *out = s->out;
    for (size_t i = 0; c && i < m->file_count; i++) {
        struct scan_file *f = &s->files[i];
        const struct source *source = m->files[i].source;
        if (!source || !cache_find(c, source_stamp(source), f->ranges, f->range_count,
                                   &out->file[i], out->tensor))
            continue;
        f->cached = out->file_ok[i] = out->from_cache = true;
        for (size_t r = 0; r < f->range_count; r++)
            out->tensor_ok[f->ranges[r].tensor] = true;
    }
}

static bool all_ok(const struct scan_state *s, size_t file)
{
    const struct scan_file *f = &s->files[file];
    bool ok = s->out->file_ok[file] && f->err.code == ERR_NONE;
    for (size_t r = 0; ok && r < f->range_count; r++)
        ok = s->out->tensor_ok[f->ranges[r].tensor];
    return ok;
}

static void fill_cache(struct scan_state *s, struct cache *c)
{
    const struct model *m = s->model;
    uint64_t now = clock_wall();
    for (size_t i = 0; c && i < m->file_count; i++) {
        struct scan_file *f = &s->files[i];
        if (m->files[i].source && !f->cached && all_ok(s, i))
            cache_keep(c, source_stamp(m->files[i].source), f->ranges, f->range_count,
                       &s->out->file[i], s->out->tensor, now);
    }
    if (c)
        cache_save(c, s->opt->cache);
}

/* What reading met, and whether the file stood still, in the files' order. */
static void note_faults(struct scan_state *s)
{
    struct model *m = s->model;
    for (uint32_t i = 0; i < m->file_count; i++) {
        struct scan_file *f = &s->files[i];
        if (!m->files[i].source)
            continue;
        if (f->err.code == ERR_NONE && source_unchanged(m->files[i].source, &f->err))
            continue;
        enum rule_id rule = f->err.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO;
        uint64_t at = f->err.offset == ERR_NO_OFFSET ? 0 : f->err.offset;
        verdict_add(&m->verdict, rule, (struct origin){i, at, 0}, "%s", f->err.text);
        m->verdict.incomplete = m->files[i].incomplete = true;
    }
}

static void note_skipped(struct scan_state *s)
{
    struct model *m = s->model;
    for (size_t r = 0; r < s->range_count; r++) {
        const struct scan_range *range = &s->ranges[r];
        bool skipped = (s->opt->digests && range->digest == RANGE_SKIP) ||
                       (s->opt->statistics && range->stats == RANGE_SKIP);
        if (!skipped)
            continue;
        char name[128];
        verdict_add(&m->verdict, RULE_READ_LIMIT,
                    (struct origin){range->file, range->offset, range->length},
                    "tensor \"%s\" overlaps others, and all that overlap are together "
                    "longer than the file: its bytes were not read again",
                    text_shown(name, sizeof name, m->tensors[range->tensor].name));
        m->verdict.incomplete = m->files[range->file].incomplete = true;
    }
}

static void count_work(struct scan_state *s)
{
    const struct model *m = s->model;
    for (size_t i = 0; i < m->file_count; i++)
        if (s->opt->digests && m->files[i].source && !s->files[i].cached)
            s->total += m->files[i].size;
    for (size_t r = 0; r < s->range_count; r++) {
        if (s->opt->digests && s->ranges[r].digest == RANGE_EXTRA)
            s->total += s->ranges[r].length;
        if (s->opt->statistics && s->ranges[r].stats != RANGE_SAME)
            s->total += s->ranges[r].length;
    }
}

static void run(struct scan_state *s)
{
    struct cache *c = NULL;
    bool caching = s->opt->digests && s->opt->cache;
    if (caching) {
        c = cache_load(s->opt->cache);
        use_cache(s, c);
    }
    count_work(s);
    s->what = "digests";
    if (s->opt->digests)
        scan_digests(s);
    s->what = "statistics";
    if (s->opt->statistics && !scan_stopped(s))
        scan_statistics(s);
    if (!scan_stopped(s)) {
        note_faults(s);
        note_skipped(s);
        scan_coverage(s);
        fill_cache(s, c);
    }
    cache_free(c);
    if (s->opt->progress.report && s->total) {
        if (!scan_stopped(s))
            atomic_store(&s->done, s->total);
        report(s, true);
    }
}

bool inspect_scan(struct scan *out, struct model *m, const struct scan_options *opt, struct err *e)
{
    struct scan_state s = {.model = m, .opt = opt, .out = out};
    *out = (struct scan){0};
    pthread_mutex_init(&s.lock, NULL);
    s.pool = pool_new(opt->threads);
    if (!s.pool || !allocate(&s))
        atomic_store(&s.no_memory, true);
    else
        run(&s);
    pool_free(s.pool);
    pthread_mutex_destroy(&s.lock);
    out->bytes_read = atomic_load(&s.bytes_read);
    if (atomic_load(&s.no_memory))
        return err_set(e, ERR_MEMORY, "out of memory while reading the bytes of %s", m->path);
    if (atomic_load(&s.stop))
        return err_set(e, ERR_INTERRUPTED, "stopped while reading the bytes of %s", m->path);
    return true;
}
