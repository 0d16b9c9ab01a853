/*
 * Weights are read once, through the descriptor that the model was parsed
 * from, into memory of the engine's own: the bytes that are digested are the
 * bytes that are packed and computed with. No file stays mapped, so nobody can
 * change or shorten a file under a computation.
 */
#include "engine/weights.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "assay/base/text.h"
#include "assay/digest.h"
#include "assay/numerics.h"
#include "engine/parts.h"

enum { CHUNK = 1 << 20, ALIGN = 64, HUGE_PAGE = 2 << 20 };

struct worker {
    uint8_t *buffer; /* CHUNK and one group of the widest rows */
    struct sha256 *sha;
    struct weights_times spent;
};

/* The largest tensors first, so that all threads end together. */
struct turn {
    uint64_t bytes;
    uint32_t item;
};

struct load {
    struct model *m;
    struct items items;
    struct turn *turns;
    struct digest *digests;
    struct worker *workers;
    uint8_t *buffers;   /* of all workers */
    struct err *errors; /* one per item */
    uint8_t *end;       /* of the mapping that the matrices lie in */
    uint64_t buffer_size;
    const struct progress *progress;
    uint64_t total, last_report;
    atomic_uint_fast64_t done;
    atomic_bool stop;
};

/* ---- one tensor ----------------------------------------------------------- */

static void hash(struct worker *w, const void *p, size_t n)
{
    uint64_t start = clock_monotonic();
    sha256_update(w->sha, p, n);
    w->spent.digest_us += (clock_monotonic() - start) / 1000;
}

/* The pages of p..p+n-1. They would come at the first touch too; so what that takes is known. */
static void take_pages(const struct load *l, struct worker *w, uint8_t *p, size_t n)
{
    uint64_t start = clock_monotonic();
    uint8_t *from = p - (uintptr_t)p % HUGE_PAGE;
    size_t size = (size_t)(p + n - from);
    size += (HUGE_PAGE - size % HUGE_PAGE) % HUGE_PAGE;
    if (size > (size_t)(l->end - from))
        size = (size_t)(l->end - from);
#ifdef MADV_POPULATE_WRITE
    (void)madvise(from, size, MADV_POPULATE_WRITE);
#endif
    w->spent.memory_us += (clock_monotonic() - start) / 1000;
}

static bool not_finite(const struct load *l, const struct tensor *t, struct err *e)
{
    char shown[96];
    return err_at(e, ERR_FORMAT, l->m->files[t->data.file].name, t->data.offset,
                  "tensor \"%s\" holds weights that are not finite numbers: nothing that such a "
                  "model computes has a meaning",
                  text_shown(shown, sizeof shown, t->name));
}

static bool read_piece(struct load *l, struct worker *w, const struct tensor *t, void *to,
                       uint64_t at, size_t n, struct err *e)
{
    const struct model_file *f = &l->m->files[t->data.file];
    if (atomic_load(&l->stop))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (!source_read(f->source, to, t->data.offset + at, n, e))
        return false;
    hash(w, to, n);
    atomic_fetch_add(&l->done, n);
    return true;
}

/* The caller's thread tells how far it is. */
static void tell(struct load *l, unsigned worker)
{
    uint64_t now = clock_monotonic();
    if (worker != 0 || l->progress->report == NULL || now - l->last_report < 100000000u)
        return;
    l->last_report = now;
    if (!l->progress->report(l->progress->arg, "loading", atomic_load(&l->done), l->total))
        atomic_store(&l->stop, true);
}

/* Rows as they are, or group by group into their packed order. */
static bool load_matrix(struct load *l, unsigned worker, const struct item *item, struct err *e)
{
    const struct tensor *t = &l->m->tensors[item->tensor];
    struct matrix *m = item->matrix;
    struct worker *w = &l->workers[worker];
    uint8_t *to = item->bytes;
    size_t edge = m->packed ? m->rows / MATRIX_GROUP * MATRIX_GROUP : 0;
    size_t step = (size_t)CHUNK / m->row_bytes / MATRIX_GROUP * MATRIX_GROUP;
    size_t blocks = m->cols / dtypes[m->type].block;
    step = step ? step : MATRIX_GROUP;
    for (size_t row = 0; row < m->rows;) {
        size_t end = row < edge ? edge : m->rows, n = end - row < step ? end - row : step;
        uint8_t *place = to + row * m->row_bytes;
        uint8_t *into = row < edge ? w->buffer : place;
        take_pages(l, w, place, n * m->row_bytes);
        if (!read_piece(l, w, t, into, row * m->row_bytes, n * m->row_bytes, e))
            return false;
        if (matrix_supports(m->type) && !matrix_finite(m->type, into, n * blocks))
            return not_finite(l, t, e);
        for (size_t r = 0; row < edge && r < n; r += MATRIX_GROUP)
            matrix_pack(place + r * m->row_bytes, into + r * m->row_bytes, m->type, m->cols);
        row += n;
        tell(l, worker);
    }
    return true;
}

/* gpt2's matrices as Hugging Face stores them: input first. Plain elements only. */
static bool load_transposed(struct load *l, unsigned worker, const struct item *item, struct err *e)
{
    const struct tensor *t = &l->m->tensors[item->tensor];
    struct matrix *m = item->matrix;
    size_t size = dtypes[m->type].bytes, bytes = m->rows * m->row_bytes;
    uint8_t *to = item->bytes;
    uint8_t *whole = malloc(bytes);
    if (whole == NULL)
        return err_set(e, ERR_MEMORY, "no memory to turn a matrix of %zu bytes", bytes);
    bool ok = read_piece(l, &l->workers[worker], t, whole, 0, bytes, e);
    if (ok && !matrix_finite(m->type, whole, m->rows * m->cols))
        ok = not_finite(l, t, e);
    for (size_t c = 0; ok && c < m->cols; c++) {
        for (size_t r = 0; r < m->rows; r++)
            memcpy(to + (r * m->cols + c) * size, whole + (c * m->rows + r) * size, size);
    }
    free(whole);
    return ok;
}

static bool load_vector(struct load *l, unsigned worker, const struct item *item, struct err *e)
{
    const struct tensor *t = &l->m->tensors[item->tensor];
    float *to = item->numbers;
    uint8_t *whole = malloc((size_t)t->data.length + 1);
    if (whole == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a vector");
    bool ok = read_piece(l, &l->workers[worker], t, whole, 0, (size_t)t->data.length, e);
    if (ok) {
        dtype_decode(t->dtype, whole, t->elements / dtypes[t->dtype].block, false, to);
        if (!matrix_finite(DTYPE_F32, (const uint8_t *)to, t->elements))
            ok = not_finite(l, t, e);
    }
    for (uint64_t i = 0; ok && item->plus_one && i < t->elements; i++)
        to[i] += 1.0f;
    free(whole);
    return ok;
}

/* What has no place is still part of the model's identity. */
static bool load_nowhere(struct load *l, unsigned worker, const struct item *item, struct err *e)
{
    const struct tensor *t = &l->m->tensors[item->tensor];
    struct worker *w = &l->workers[worker];
    for (uint64_t at = 0; at < t->data.length;) {
        uint64_t left = t->data.length - at;
        size_t n = left < CHUNK ? (size_t)left : CHUNK;
        if (!read_piece(l, w, t, w->buffer, at, n, e))
            return false;
        at += n;
    }
    return true;
}

static void load_item(void *arg, uint32_t i, unsigned worker)
{
    struct load *l = arg;
    uint32_t k = l->turns[i].item;
    const struct item *item = &l->items.all[k];
    struct err *e = &l->errors[k];
    struct worker *w = &l->workers[worker];
    sha256_start(w->sha);
    bool ok;
    if (item->matrix != NULL && item->transposed)
        ok = load_transposed(l, worker, item, e);
    else if (item->matrix != NULL)
        ok = load_matrix(l, worker, item, e);
    else if (item->vector != NULL)
        ok = load_vector(l, worker, item, e);
    else
        ok = load_nowhere(l, worker, item, e);
    sha256_finish(w->sha, &l->digests[item->tensor]);
    if (!ok)
        atomic_store(&l->stop, true);
    tell(l, worker);
}

/* ---- all of them ---------------------------------------------------------- */

static bool sizes_agree(const struct load *l, struct err *e)
{
    for (size_t i = 0; i < l->m->tensor_count; i++) {
        const struct tensor *t = &l->m->tensors[i];
        const struct model_file *f = &l->m->files[t->data.file];
        uint64_t bytes = 0, end = 0;
        bool ok = dtype_size(t->dtype, t->elements, &bytes) && bytes == t->data.length &&
                  size_add(&end, t->data.offset, bytes) && f->source != NULL && end <= f->size;
        char shown[96];
        if (!ok)
            return err_at(e, ERR_FORMAT, f->name, t->data.offset,
                          "the data of tensor \"%s\" is not whole",
                          text_shown(shown, sizeof shown, t->name));
        if (f->big_endian)
            return err_at(e, ERR_UNSUPPORTED, f->name, 0,
                          "the file is big-endian: the engine computes with little-endian ones");
    }
    return true;
}

/* One mapping for all matrices, so that huge pages pay and freeing is one call. */
static bool make_room(struct weights *w, struct load *l, uint64_t memory, struct err *e)
{
    uint64_t need = 0;
    for (size_t i = 0; i < l->items.count; i++) {
        const struct matrix *m = l->items.all[i].matrix;
        if (m != NULL)
            need += ((uint64_t)m->rows * m->row_bytes + ALIGN - 1) / ALIGN * ALIGN;
    }
    w->bytes = need;
    if (need > memory)
        return err_set(e, ERR_MEMORY, "the weights need %llu MiB and %llu MiB may be used",
                       (unsigned long long)(need >> 20), (unsigned long long)(memory >> 20));
    w->block_size = need + HUGE_PAGE;
    void *p = mmap(NULL, (size_t)w->block_size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        w->block_size = 0;
        return err_set(e, ERR_MEMORY, "the system gives no %llu MiB for the weights",
                       (unsigned long long)(need >> 20));
    }
    w->block = p;
    l->end = w->block + w->block_size;
    (void)madvise(p, (size_t)w->block_size, MADV_HUGEPAGE);
    uint8_t *at = w->block + (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    for (size_t i = 0; i < l->items.count; i++) {
        struct item *item = &l->items.all[i];
        struct matrix *m = item->matrix;
        if (m == NULL)
            continue;
        m->data = item->bytes = at;
        m->packed =
            item->packed && !item->transposed && matrix_supports(m->type) && matrix_packs(m->type);
        at += (m->rows * m->row_bytes + ALIGN - 1) / ALIGN * ALIGN;
        uint64_t group = (uint64_t)m->row_bytes * MATRIX_GROUP;
        l->buffer_size = group > l->buffer_size ? group : l->buffer_size;
    }
    return true;
}

static bool make_vectors(struct weights *w, struct load *l, struct err *e)
{
    for (size_t i = 0; i < l->items.count; i++) {
        struct item *item = &l->items.all[i];
        if (item->vector == NULL)
            continue;
        uint64_t n = l->m->tensors[item->tensor].elements;
        *item->vector = item->numbers = arena_array(w->arena, n, sizeof(float));
        if (item->numbers == NULL)
            return err_set(e, ERR_MEMORY, "no memory for the model's vectors");
        w->bytes += n * sizeof(float);
    }
    return true;
}

static bool make_workers(struct weights *w, struct load *l, unsigned threads)
{
    l->workers = arena_array(w->arena, threads, sizeof *l->workers);
    l->errors = arena_array(w->arena, l->items.count, sizeof *l->errors);
    l->buffers = malloc((size_t)l->buffer_size * threads);
    bool ok = l->workers != NULL && l->errors != NULL && l->buffers != NULL;
    for (unsigned i = 0; ok && i < threads; i++) {
        l->workers[i].sha = sha256_new();
        l->workers[i].buffer = l->buffers + i * l->buffer_size;
        ok = l->workers[i].sha != NULL;
    }
    return ok;
}

static int by_size(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static bool load_all(struct weights *w, struct load *l, const struct weights_options *o,
                     struct err *e)
{
    unsigned threads = team_threads(o->team);
    l->turns = arena_array(w->arena, l->items.count, sizeof *l->turns);
    if (!make_workers(w, l, threads) || l->turns == NULL)
        return err_set(e, ERR_MEMORY, "no memory to read the weights");
    for (size_t i = 0; i < l->items.count; i++) {
        l->errors[i] = (struct err)ERR_INIT;
        l->turns[i] = (struct turn){l->m->tensors[l->items.all[i].tensor].data.length, (uint32_t)i};
        l->total += l->turns[i].bytes;
    }
    qsort(l->turns, l->items.count, sizeof *l->turns, by_size);
    team_run(o->team, (uint32_t)l->items.count, load_item, l);
    for (size_t i = 0; i < l->items.count;
         i++) { /* the first in the file's order, whoever met it */
        if (l->errors[i].code != ERR_NONE && l->errors[i].code != ERR_INTERRUPTED) {
            *e = l->errors[i];
            return false;
        }
    }
    if (atomic_load(&l->stop))
        return err_set(e, ERR_INTERRUPTED, "interrupted while loading");
    return true;
}

bool weights_load(struct weights *w, struct model *m, struct settings *c,
                  const struct weights_options *o, struct digest *digests,
                  struct weights_times *spent, struct err *e)
{
    struct load l = {.m = m, .digests = digests, .progress = &o->progress, .buffer_size = CHUNK};
    *w = (struct weights){.arena = arena_new((size_t)1 << 32)};
    if (w->arena == NULL)
        return err_set(e, ERR_MEMORY, "no memory");
    bool ok = sizes_agree(&l, e) && parts_find(&l.items, w, m, c, e) &&
              make_room(w, &l, o->memory, e) && make_vectors(w, &l, e) && load_all(w, &l, o, e);
    for (size_t i = 0; ok && i < m->file_count; i++)
        ok = m->files[i].source == NULL || source_unchanged(m->files[i].source, e);
    for (unsigned i = 0; l.workers != NULL && i < team_threads(o->team); i++) {
        spent->digest_us += l.workers[i].spent.digest_us;
        spent->memory_us += l.workers[i].spent.memory_us;
        sha256_free(l.workers[i].sha);
    }
    free(l.buffers);
    if (w->output.m.rows == 0)
        w->output.m = w->embedding.m;
    if (!ok)
        weights_free(w);
    return ok;
}

void weights_free(struct weights *w)
{
    if (w->block != NULL)
        (void)munmap(w->block, (size_t)w->block_size);
    arena_free(w->arena);
    *w = (struct weights){0};
}

bool weights_identity(struct identity *out, struct model *m, const struct facts *f,
                      struct digest *tensors, struct err *e)
{
    struct scan s = {.tensor = tensors};
    s.file = arena_array(m->arena, m->file_count, sizeof *s.file);
    s.file_ok = arena_array(m->arena, m->file_count, sizeof *s.file_ok);
    s.tensor_ok = arena_array(m->arena, m->tensor_count, sizeof *s.tensor_ok);
    if (s.file == NULL || s.file_ok == NULL || s.tensor_ok == NULL)
        return err_set(e, ERR_MEMORY, "no memory for the model's identity");
    memset(s.tensor_ok, 1, m->tensor_count * sizeof *s.tensor_ok);
    if (!inspect_identity(out, m, f, &s, e))
        return false;
    return out->has_tensor_root || err_set(e, ERR_FORMAT, "two tensors of the model share a name");
}
