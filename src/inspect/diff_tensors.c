/*
 * Compares the elements of paired tensors: bytes first, then dequantised
 * values, in fixed chunks that any number of threads may take. A chunk's sums
 * are merged in the order of the chunks, so the result is the same whatever
 * the machine; memory is a few buffers a thread whatever the model.
 */
#include "inspect/diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/pool.h"
#include "assay/base/text.h"

enum {
    WIDEST = 16, /* bytes of an element */
    RAW_BYTES = DIFF_CHUNK * WIDEST,
    LANES = 8,
    /* A transposed side is read in runs down its columns, the other in runs
     * along its rows: a tile keeps both long. Columns fill whole blocks. */
    TILE_ROWS = 512,
    TILE_COLS = 256,
    REPORT_NS = 100000000
};

struct scratch {
    float *a, *b, *tmp, *bounds_a, *bounds_b;
    uint8_t *raw_a, *raw_b;
};

/* The part of the shared frame that one unit of work covers. */
struct tile {
    uint64_t row, col;
    size_t rows, cols;
};

struct unit {
    struct pair *pair;
    uint64_t chunk;
    struct sums sums;
    bool differs, failed;
    const struct view *failed_view;
    struct err err;
};

struct phase {
    const char *what;
    uint64_t (*chunks)(const struct pair *p);
    void (*run)(struct unit *u, struct scratch *s);
    void (*merge)(struct pair *p, const struct unit *u);
};

struct work {
    struct pairs *pairs;
    const struct phase *phase;
    struct pool *pool;
    struct scratch *scratch;
    struct unit *units;
    size_t count;
    const struct diff_options *opt;
    uint64_t done, total, reported;
};

/* A chunk of any type has room. */
#define DTYPE(name, block, bytes, gguf, safetensors, kind)                                         \
    _Static_assert((bytes) <= WIDEST * (block), #name " is wider than the buffers");
#include "assay/dtypes.def"
#undef DTYPE

/* ---- reading ---- */

static const struct model_file *file_of(const struct view *v)
{
    return &v->model->files[v->t->data.file];
}

/*
 * MXFP4 of transformers: 16 bytes a block, element 2i in the low half of byte i
 * and 2i+1 in the high one, exponents in another tensor. ggml: the exponent
 * first, then elements i and i+16 in byte i.
 */
static bool read_mxfp4(const struct view *v, uint64_t first, size_t n, float *dst, uint8_t *raw,
                       struct err *e)
{
    enum { BLOCK = 32, HALF = 16, STORED = 17 };
    size_t blocks = n / BLOCK;
    uint8_t *packed = raw + blocks * STORED, *scales = packed + blocks * HALF;
    struct source *source = file_of(v)->source;
    if (!source_read(source, packed, v->t->data.offset + first / BLOCK * HALF, blocks * HALF, e) ||
        !source_read(source, scales, v->scales->data.offset + first / BLOCK, blocks, e))
        return false;
    for (size_t b = 0; b < blocks; b++) {
        const uint8_t *in = packed + b * HALF;
        uint8_t *out = raw + b * STORED;
        *out++ = scales[b];
        for (size_t i = 0; i < HALF; i++) {
            unsigned shift = i % 2 * 4;
            unsigned low = in[i / 2] >> shift & 0xF, high = in[i / 2 + HALF / 2] >> shift & 0xF;
            out[i] = (uint8_t)(low | high << 4);
        }
    }
    dtype_decode(DTYPE_MXFP4, raw, blocks, false, dst);
    return true;
}

static bool read_run(const struct view *v, uint64_t first, size_t n, float *dst, uint8_t *raw,
                     struct err *e)
{
    if (v->scales)
        return read_mxfp4(v, first, n, dst, raw, e);
    const struct dtype_info *d = &dtypes[v->t->dtype];
    const struct model_file *f = file_of(v);
    size_t blocks = n / d->block;
    uint64_t at = v->t->data.offset + first / d->block * d->bytes;
    if (!source_read(f->source, raw, at, blocks * d->bytes, e))
        return false;
    if (v->bounds) {
        dtype_bounds(v->t->dtype, raw, blocks, f->big_endian, dst);
        return true;
    }
    dtype_decode(v->t->dtype, raw, blocks, f->big_endian, dst);
    if (v->add != 0)
        for (size_t i = 0; i < n; i++)
            dst[i] += v->add;
    return true;
}

/*
 * Converters for interleaved RoPE split each head's rows into two halves and
 * interleave them: row 2i+j of a head was row j*(head/2)+i.
 */
static uint64_t unpermuted(uint64_t row, uint64_t head)
{
    uint64_t within = row % head;
    return row - within + within % 2 * (head / 2) + within / 2;
}

/* Number of a row's first element. */
static uint64_t row_start(const struct view *v, uint64_t row)
{
    uint64_t group = v->group ? row / v->group : 0;
    return v->base + group * v->group_step + (row - group * v->group) * v->row_step;
}

static bool read_rows(const struct view *v, const struct tile *t, float *dst, uint8_t *raw,
                      struct err *e)
{
    for (size_t r = 0; r < t->rows; r++) {
        uint64_t row = v->head ? unpermuted(t->row + r, v->head) : t->row + r;
        if (!read_run(v, row_start(v, row) + t->col, t->cols, dst + r * t->cols, raw, e))
            return false;
    }
    return true;
}

/* Whole heads of whole rows: one read, then rows are put in place. */
static bool read_heads(const struct view *v, const struct tile *t, float *dst, struct scratch *s,
                       uint8_t *raw, struct err *e)
{
    if (!read_run(v, v->base + t->row * v->row_step, t->rows * t->cols, s->tmp, raw, e))
        return false;
    for (size_t r = 0; r < t->rows; r++) {
        size_t from = (size_t)(unpermuted(t->row + r, v->head) - t->row);
        memcpy(dst + r * t->cols, s->tmp + from * t->cols, t->cols * sizeof *dst);
    }
    return true;
}

/* Part of a column, from a group of rows to the next; rows may stand apart. */
static bool read_column(const struct view *v, const struct tile *t, size_t c, float *column,
                        uint8_t *raw, struct err *e)
{
    for (size_t done = 0; done < t->rows;) {
        uint64_t row = t->row + done, left = t->rows - done;
        if (v->group && left > v->group - row % v->group)
            left = v->group - row % v->group;
        size_t step = (size_t)v->row_step, n = (size_t)left;
        uint64_t first = row_start(v, row) + (t->col + c) * v->col_step;
        if (!read_run(v, first, (n - 1) * step + 1, column + done, raw, e))
            return false;
        for (size_t i = 1; step > 1 && i < n; i++)
            column[done + i] = column[done + i * step];
        done += n;
    }
    return true;
}

static bool read_transposed(const struct view *v, const struct tile *t, float *dst,
                            struct scratch *s, uint8_t *raw, struct err *e)
{
    bool plain = !v->group && v->row_step == 1;
    bool whole = plain && v->col_step == t->rows; /* columns follow one another without a gap */
    if (whole && !read_run(v, v->base + t->col * v->col_step, t->rows * t->cols, s->tmp, raw, e))
        return false;
    for (size_t c = 0; c < t->cols; c++) {
        float *column = whole ? s->tmp + c * t->rows : s->tmp;
        if (!whole && !read_column(v, t, c, column, raw, e))
            return false;
        for (size_t r = 0; r < t->rows; r++)
            dst[r * t->cols + c] = column[r];
    }
    return true;
}

static bool read_tile(const struct view *v, const struct pair *p, const struct tile *t, float *dst,
                      struct scratch *s, uint8_t *raw, struct err *e)
{
    bool full_rows = t->cols == p->cols && v->row_step == p->cols && !v->group;
    if (v->col_step != 1)
        return read_transposed(v, t, dst, s, raw, e);
    if (v->head && full_rows && t->row % v->head == 0 && t->rows % v->head == 0)
        return read_heads(v, t, dst, s, raw, e);
    if (!v->head && (full_rows || t->rows == 1))
        return read_run(v, row_start(v, t->row) + t->col, t->rows * t->cols, dst, raw, e);
    return read_rows(v, t, dst, raw, e);
}

/* ---- cutting ---- */

static bool is_transposed(const struct pair *p)
{
    return p->a.col_step != 1 || p->b.col_step != 1;
}

/* At most `most` and never 0: something to divide by even where there is nothing to cut. */
static uint64_t clip(uint64_t n, uint64_t most)
{
    uint64_t least = n < most ? n : most;
    return least > 0 ? least : 1;
}

static uint64_t tile_cols(const struct pair *p)
{
    return clip(p->cols, is_transposed(p) ? TILE_COLS : DIFF_CHUNK);
}

static uint64_t tile_rows(const struct pair *p)
{
    uint64_t most = is_transposed(p) ? TILE_ROWS : DIFF_CHUNK / tile_cols(p);
    uint64_t head = p->a.head > p->b.head ? p->a.head : p->b.head;
    if (head && most > head)
        most -= most % head;
    return clip(p->rows, most);
}

/* Tiles side by side. */
static uint64_t tiles_across(const struct pair *p)
{
    uint64_t cols = tile_cols(p);
    return clip(p->cols / cols + (p->cols % cols != 0), UINT64_MAX);
}

static uint64_t value_chunks(const struct pair *p)
{
    if (!p->d.a || !p->d.b || p->d.exact || p->d.unread || p->bytes_only || p->elements == 0 ||
        p->d.change == TENSOR_RESHAPED)
        return 0;
    return tiles_across(p) * ((p->rows - 1) / tile_rows(p) + 1);
}

static struct tile tile_of(const struct pair *p, uint64_t chunk)
{
    uint64_t cols = tile_cols(p), rows = tile_rows(p), across = tiles_across(p);
    struct tile t = {chunk / across * rows, chunk % across * cols, 0, 0};
    t.rows = (size_t)(p->rows - t.row < rows ? p->rows - t.row : rows);
    t.cols = (size_t)(p->cols - t.col < cols ? p->cols - t.col : cols);
    return t;
}

/* ---- values ---- */

static bool same_bits(float x, float y)
{
    uint32_t a, b;
    memcpy(&a, &x, sizeof a);
    memcpy(&b, &y, sizeof b);
    return a == b;
}

/* Lanes are part of the definition: eight interleaved sums, added in order. */
static void add_values(struct sums *s, const float *a, const float *b, size_t n)
{
    double aa[LANES] = {0}, bb[LANES] = {0}, ab[LANES] = {0}, dd[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i], y = (double)b[i];
        size_t k = i % LANES;
        if (!isfinite(a[i]) || !isfinite(b[i])) {
            s->not_finite++;
            s->changed += !same_bits(a[i], b[i]);
            continue;
        }
        aa[k] += x * x;
        bb[k] += y * y;
        ab[k] += x * y;
        dd[k] += (y - x) * (y - x);
        s->changed += a[i] != b[i];
    }
    for (size_t k = 0; k < LANES; k++) {
        s->aa += aa[k];
        s->bb += bb[k];
        s->ab += ab[k];
        s->dd += dd[k];
    }
}

/* Types that a float cannot hold exactly: which elements differ is asked of
 * the bytes where both sides have the same type and order. */
static bool count_by_bytes(const struct pair *p)
{
    const struct dtype_info *d = &dtypes[p->a.t->dtype];
    return p->a.t->dtype == p->b.t->dtype && d->block == 1 && p->rows == 1 && p->a.add == 0 &&
           p->b.add == 0 && file_of(&p->a)->big_endian == file_of(&p->b)->big_endian &&
           (d->bytes == 8 || (d->bytes == 4 && d->kind == DTYPE_INTEGER));
}

static uint64_t elements_differing(const uint8_t *a, const uint8_t *b, size_t n, size_t size)
{
    uint64_t differ = 0;
    for (size_t i = 0; i < n; i++)
        differ += memcmp(a + i * size, b + i * size, size) != 0;
    return differ;
}

/* NULL: the side is not quantised, or could not be read again. */
static const float *read_bounds(struct unit *u, const struct view *v, const struct tile *t,
                                float *dst, struct scratch *s, uint8_t *raw)
{
    struct view bounds = *v;
    bounds.bounds = true;
    if (!dtype_bounds_known(v->t->dtype))
        return NULL;
    u->failed_view = v;
    u->failed |= !read_tile(&bounds, u->pair, t, dst, s, raw, &u->err);
    return dst;
}

/* What is given to the bit lies within every bound. */
static void judge_rounding(struct unit *u, const struct tile *t, struct scratch *s)
{
    size_t n = t->rows * t->cols;
    diff_count_given(&u->sums, u->pair, s->a, s->b, s->tmp, s->raw_a, n);
    u->sums.bounded += n;
    if (u->sums.given == n)
        return;
    const float *a = read_bounds(u, &u->pair->a, t, s->bounds_a, s, s->raw_a);
    const float *b = read_bounds(u, &u->pair->b, t, s->bounds_b, s, s->raw_b);
    if (!u->failed)
        diff_count_outside(&u->sums, u->pair, s->a, s->b, a, b, n);
}

static void run_values(struct unit *u, struct scratch *s)
{
    const struct pair *p = u->pair;
    struct tile t = tile_of(p, u->chunk);
    u->failed_view = &p->a;
    if (!read_tile(&p->a, p, &t, s->a, s, s->raw_a, &u->err)) {
        u->failed = true;
        return;
    }
    u->failed_view = &p->b;
    if (!read_tile(&p->b, p, &t, s->b, s, s->raw_b, &u->err)) {
        u->failed = true;
        return;
    }
    add_values(&u->sums, s->a, s->b, t.rows * t.cols);
    if (count_by_bytes(p))
        u->sums.changed =
            elements_differing(s->raw_a, s->raw_b, t.cols, dtypes[p->a.t->dtype].bytes);
    if (diff_is_bounded(p))
        judge_rounding(u, &t, s);
}

static void merge_values(struct pair *p, const struct unit *u)
{
    p->sums.aa += u->sums.aa;
    p->sums.bb += u->sums.bb;
    p->sums.ab += u->sums.ab;
    p->sums.dd += u->sums.dd;
    p->sums.changed += u->sums.changed;
    p->sums.not_finite += u->sums.not_finite;
    p->sums.bounded += u->sums.bounded;
    p->sums.outside += u->sums.outside;
    p->sums.tried += u->sums.tried;
    p->sums.given += u->sums.given;
}

/* ---- bytes ---- */

/* Same type, same place for every element, same byte order: bytes decide. */
static bool bytes_comparable(const struct pair *p)
{
    return p->d.a && p->d.b && !p->d.unread && p->d.change != TENSOR_RESHAPED &&
           p->a.t->dtype == p->b.t->dtype && p->rows <= 1 && p->a.add == p->b.add &&
           p->a.base == 0 && p->b.base == 0 && p->a.t->data.length == p->b.t->data.length &&
           file_of(&p->a)->big_endian == file_of(&p->b)->big_endian;
}

static uint64_t byte_chunks(const struct pair *p)
{
    uint64_t n = bytes_comparable(p) ? p->a.t->data.length : 0;
    return n / RAW_BYTES + (n % RAW_BYTES != 0);
}

static bool read_bytes(const struct view *v, uint64_t at, size_t n, uint8_t *raw, struct unit *u)
{
    u->failed_view = v;
    u->failed = !source_read(file_of(v)->source, raw, v->t->data.offset + at, n, &u->err);
    return !u->failed;
}

static void run_bytes(struct unit *u, struct scratch *s)
{
    struct pair *p = u->pair;
    if (!p->d.exact) /* an earlier wave found a difference */
        return;
    uint64_t at = u->chunk * RAW_BYTES, left = p->a.t->data.length - at;
    size_t n = (size_t)(left < RAW_BYTES ? left : RAW_BYTES);
    if (read_bytes(&p->a, at, n, s->raw_a, u) && read_bytes(&p->b, at, n, s->raw_b, u))
        u->differs = memcmp(s->raw_a, s->raw_b, n) != 0;
}

static void merge_bytes(struct pair *p, const struct unit *u)
{
    if (u->differs)
        p->d.exact = false;
}

/* ---- waves ---- */

static void run_unit(void *arg, size_t i, unsigned worker)
{
    struct work *w = arg;
    w->phase->run(&w->units[i], &w->scratch[worker]);
}

static void note_failure(const struct unit *u)
{
    const struct view *v = u->failed_view;
    char name[128];
    enum rule_id rule = u->err.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO;
    verdict_add(&v->model->verdict, rule, v->t->data,
                "tensor %s could not be read to compare it: %s",
                text_shown(name, sizeof name, v->t->name), u->err.text);
    v->model->verdict.incomplete = true;
}

static bool report(struct work *w, bool last, struct err *e)
{
    const struct progress *p = &w->opt->progress;
    uint64_t now = clock_monotonic();
    if (!p->report || (!last && now - w->reported < REPORT_NS))
        return true;
    w->reported = now;
    if (!p->report(p->arg, w->phase->what, w->done, w->total))
        return err_set(e, ERR_INTERRUPTED, "the comparison was stopped before its end");
    return true;
}

static bool flush(struct work *w, struct err *e)
{
    pool_run(w->pool, w->count, run_unit, w);
    for (size_t i = 0; i < w->count; i++) {
        struct unit *u = &w->units[i];
        if (u->failed && !u->pair->d.unread) {
            note_failure(u);
            u->pair->d.unread = true;
            u->pair->d.exact = false;
        }
        w->phase->merge(u->pair, u);
    }
    w->done += w->count;
    w->count = 0;
    return report(w, false, e);
}

static bool run_phase(struct work *w, const struct phase *phase, struct err *e)
{
    w->phase = phase;
    w->done = w->total = 0;
    for (size_t i = 0; i < w->pairs->n; i++)
        w->total += phase->chunks(&w->pairs->v[i]);
    for (size_t i = 0; i < w->pairs->n; i++) {
        struct pair *p = &w->pairs->v[i];
        uint64_t chunks = phase->chunks(p);
        for (uint64_t c = 0; c < chunks; c++) {
            w->units[w->count++] = (struct unit){.pair = p, .chunk = c, .err = ERR_INIT};
            if (w->count == DIFF_WAVE && !flush(w, e))
                return false;
        }
    }
    return flush(w, e) && report(w, true, e);
}

/* ---- results ---- */

static void finish_values(struct pair *p)
{
    struct tensor_diff *d = &p->d;
    const struct sums *s = &p->sums;
    double a = sqrt(s->aa), b = sqrt(s->bb);
    d->distance = s->dd == 0 ? 0 : sqrt(s->dd) / a; /* infinite when A is all zeros */
    d->cosine = a > 0 && b > 0 ? s->ab / a / b : (a == b ? 1 : 0);
    if (d->cosine > 1)
        d->cosine = 1;
    if (s->dd == 0)
        d->cosine = 1;
    d->changed = (double)s->changed / (double)p->elements;
    d->not_finite = s->not_finite;
}

static void finish(struct pair *p)
{
    struct tensor_diff *d = &p->d;
    bool pairless = !d->a || !d->b || d->change == TENSOR_RESHAPED;
    d->distance = d->cosine = d->changed = NAN;
    if (pairless)
        return;
    d->change = d->a->dtype == d->b->dtype ? TENSOR_CHANGED : TENSOR_RETYPED;
    if (d->unread)
        return;
    if (d->exact || p->elements == 0) {
        d->distance = d->changed = 0;
        d->cosine = 1;
    } else if (!p->bytes_only) {
        finish_values(p);
    }
    if (d->change == TENSOR_CHANGED && d->changed == 0)
        d->change = TENSOR_SAME;
}

static bool make_scratch(struct work *w, unsigned threads)
{
    w->scratch = calloc(threads, sizeof *w->scratch);
    for (unsigned i = 0; w->scratch && i < threads; i++) {
        struct scratch *s = &w->scratch[i];
        s->a = malloc(5 * DIFF_CHUNK * sizeof(float));
        s->raw_a = malloc(2 * (size_t)RAW_BYTES);
        if (!s->a || !s->raw_a)
            return false;
        s->b = s->a + DIFF_CHUNK;
        s->tmp = s->b + DIFF_CHUNK;
        s->bounds_a = s->tmp + DIFF_CHUNK;
        s->bounds_b = s->bounds_a + DIFF_CHUNK;
        s->raw_b = s->raw_a + RAW_BYTES;
    }
    return w->scratch != NULL;
}

static void free_scratch(struct work *w, unsigned threads)
{
    for (unsigned i = 0; w->scratch && i < threads; i++) {
        free(w->scratch[i].a);
        free(w->scratch[i].raw_a);
    }
    free(w->scratch);
}

static const struct phase by_bytes = {"comparing bytes", byte_chunks, run_bytes, merge_bytes};
static const struct phase by_values = {"comparing values", value_chunks, run_values, merge_values};

bool diff_compare(struct pairs *pairs, const struct diff_options *opt, struct err *e)
{
    bool ok = false;
    struct work w = {.pairs = pairs, .opt = opt};
    unsigned threads = 0;
    w.pool = pool_new(opt->threads);
    w.units = calloc(DIFF_WAVE, sizeof *w.units);
    if (!w.pool || !w.units) {
        err_set(e, ERR_MEMORY, "out of memory while comparing tensors");
        goto out;
    }
    threads = pool_threads(w.pool);
    if (!make_scratch(&w, threads)) {
        err_set(e, ERR_MEMORY, "out of memory while comparing tensors");
        goto out;
    }
    for (size_t i = 0; i < pairs->n; i++)
        pairs->v[i].d.exact = bytes_comparable(&pairs->v[i]);
    if (!run_phase(&w, &by_bytes, e) || !run_phase(&w, &by_values, e))
        goto out;
    for (size_t i = 0; i < pairs->n; i++)
        finish(&pairs->v[i]);
    ok = true;
out:
    free_scratch(&w, threads);
    free(w.units);
    pool_free(w.pool);
    return ok;
}
