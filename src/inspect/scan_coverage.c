/*
 * Every byte of every file accounted for: parsed, a tensor's, padding, or
 * unexplained. Unexplained bytes of a parsed file are where something could
 * hide, so each such run is a finding.
 */
#include "inspect/scan.h"

struct gaps {
    struct scan_state *state;
    uint32_t file;
    uint64_t from; /* where `window` begins in the file */
    size_t n;
    uint8_t window[SCAN_PADDING];
};

/* Bytes [at, at+n) of the file, n <= SCAN_PADDING; neighbouring gaps share a read. */
static const uint8_t *gap_bytes(struct gaps *g, uint64_t at, size_t n)
{
    struct scan_file *f = &g->state->files[g->file];
    uint64_t size = g->state->model->files[g->file].size;
    if (at >= g->from && at + n <= g->from + g->n)
        return g->window + (at - g->from);
    g->from = at;
    g->n = size - at < SCAN_PADDING ? (size_t)(size - at) : SCAN_PADDING;
    struct err e = ERR_INIT;
    if (scan_read(g->state, g->file, g->window, at, g->n, &e))
        return g->window;
    g->n = 0;
    if (f->err.code == ERR_NONE)
        f->err = e;
    return NULL;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* Alignment explains a gap shorter than itself that ends where the next thing begins. The end
 * of a file that was not read whole ends nothing. */
static bool aligned_gap(const struct model_file *f, uint64_t from, uint64_t to)
{
    uint64_t alignment = f->alignment ? f->alignment : 1;
    uint64_t base = from >= f->data ? f->data : 0;
    if (to - from >= alignment || to - from > SCAN_PADDING)
        return false;
    return (to - base) % alignment == 0 || to == f->data || (to == f->size && !f->incomplete);
}

static bool has_layout(enum format f)
{
    return f == FORMAT_GGUF || f == FORMAT_SAFETENSORS;
}

static void note_gap(struct gaps *g, uint64_t from, uint64_t to)
{
    struct model *m = g->state->model;
    const struct model_file *f = &m->files[g->file];
    struct coverage *c = &g->state->out->coverage;
    struct origin o = {g->file, from, to - from};
    unsigned long long n = to - from;
    if (from == to)
        return;
    /* Weights beside the model: their reader judged them, their tensors are in no list. */
    if (f->walked) {
        c->parsed += n;
        return;
    }
    if (!has_layout(f->format) || f->beside) {
        c->unexplained += n;
        return;
    }
    bool padding = aligned_gap(f, from, to);
    const uint8_t *p = padding ? gap_bytes(g, from, (size_t)n) : NULL;
    if (p && all_zero(p, (size_t)n)) {
        c->padding += n;
        return;
    }
    c->unexplained += n;
    if (p)
        verdict_add(&m->verdict, RULE_COVERAGE_PADDING, o,
                    "%llu bytes of alignment padding that are not all zero", n);
    else
        verdict_add(&m->verdict, RULE_COVERAGE_UNEXPLAINED, o,
                    "%llu bytes that belong to neither the header nor a tensor", n);
}

static void cover_file(struct gaps *g)
{
    const struct model_file *f = &g->state->model->files[g->file];
    const struct scan_file *sf = &g->state->files[g->file];
    struct coverage *c = &g->state->out->coverage;
    uint64_t at = f->parsed < f->size ? f->parsed : f->size;
    c->size += f->size;
    c->parsed += at;
    if (g->state->out->file_ok[g->file])
        c->hashed += f->size;
    if (!f->source) { /* not opened: nothing is known of its bytes */
        c->unexplained += f->size - at;
        return;
    }
    for (size_t i = 0; i < sf->range_count; i++) {
        const struct scan_range *r = &sf->ranges[i];
        uint64_t end = r->offset + r->length;
        if (end <= at)
            continue;
        if (r->offset > at) {
            note_gap(g, at, r->offset);
            at = r->offset;
        }
        c->tensors += end - at;
        at = end;
    }
    note_gap(g, at, f->size);
}

void scan_coverage(struct scan_state *s)
{
    struct gaps *g = arena_alloc(s->model->arena, sizeof *g);
    if (!g) {
        atomic_store(&s->no_memory, true);
        return;
    }
    for (size_t i = 0; i < s->model->file_count; i++) {
        g->state = s;
        g->file = (uint32_t)i;
        g->n = 0;
        cover_file(g);
    }
}
