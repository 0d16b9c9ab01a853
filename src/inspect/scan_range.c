/* Tensors as ranges of files, sorted, and how each one's bytes are come by. */
#include "inspect/scan.h"

#include <stdlib.h>

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_place(const void *pa, const void *pb)
{
    const struct scan_range *a = pa, *b = pb;
    if (a->file != b->file)
        return ORDER(a->file, b->file);
    if (a->offset != b->offset)
        return ORDER(a->offset, b->offset);
    if (a->length != b->length)
        return ORDER(a->length, b->length);
    if (a->dtype != b->dtype)
        return ORDER((int)a->dtype, (int)b->dtype);
    return ORDER(a->tensor, b->tensor);
}

/* A tensor whose bytes exist: parsers keep others too, with a finding. */
static bool is_there(const struct model *m, const struct tensor *t)
{
    if (t->data.file >= m->file_count || !m->files[t->data.file].source)
        return false;
    uint64_t size = m->files[t->data.file].size;
    return t->data.offset <= size && t->data.length <= size - t->data.offset;
}

/* RANGE_EXTRA while the budget lasts. */
static enum range_role extra(uint64_t length, uint64_t *budget)
{
    if (length > *budget)
        return RANGE_SKIP;
    *budget -= length;
    return RANGE_EXTRA;
}

static void give_roles(struct scan_file *f, uint64_t size)
{
    uint64_t end = 0, digest_budget = size, stats_budget = size;
    for (size_t i = 0; i < f->range_count; i++) {
        struct scan_range *r = &f->ranges[i];
        const struct scan_range *last = i ? r - 1 : NULL;
        bool same = last && last->offset == r->offset && last->length == r->length;
        if (r->offset >= end) {
            r->digest = r->stats = RANGE_STREAM;
            end = r->offset + r->length;
            continue;
        }
        /* What could not be read cannot be copied from either. */
        r->digest = !same                        ? extra(r->length, &digest_budget)
                    : last->digest == RANGE_SKIP ? RANGE_SKIP
                                                 : RANGE_SAME;
        r->stats = !same || last->dtype != r->dtype ? extra(r->length, &stats_budget)
                   : last->stats == RANGE_SKIP      ? RANGE_SKIP
                                                    : RANGE_SAME;
    }
}

bool scan_ranges(struct scan_state *s)
{
    struct model *m = s->model;
    s->ranges = arena_array(m->arena, m->tensor_count, sizeof *s->ranges);
    if (!s->ranges)
        return false;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        if (is_there(m, t))
            s->ranges[s->range_count++] = (struct scan_range){.offset = t->data.offset,
                                                              .length = t->data.length,
                                                              .tensor = (uint32_t)i,
                                                              .file = t->data.file,
                                                              .dtype = t->dtype};
    }
    if (s->range_count)
        qsort(s->ranges, s->range_count, sizeof *s->ranges, by_place);
    for (size_t from = 0, to; from < s->range_count; from = to) {
        struct scan_file *f = &s->files[s->ranges[from].file];
        for (to = from; to < s->range_count && s->ranges[to].file == s->ranges[from].file;)
            to++;
        f->ranges = &s->ranges[from];
        f->range_count = to - from;
        give_roles(f, m->files[s->ranges[from].file].size);
    }
    return true;
}
