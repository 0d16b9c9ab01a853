/*
 * GGUF tensor infos and the data section (docs/gguf.md, gguf_tensor_info_t and
 * tensor_data). Sizes are computed once, checked for overflow, and compared
 * with offsets, with each other and with the end of the file.
 */
#include "model/gguf.h"

#include <inttypes.h>
#include <stdlib.h>

#include "assay/base/text.h"

enum { SHOWN = 128, READ_GAP = 4096 };

/* Where the infos read so far put the next tensor: the padded sum of sizes. */
struct layout {
    uint64_t next;
    bool known;    /* false after a tensor whose size is unknown */
    bool in_order; /* every offset so far was the expected one */
    bool unsized;  /* some tensor's size is unknown */
};

/* One info as stored. */
struct info {
    struct span name;
    uint32_t rank, type;
    uint64_t ne[MODEL_MAX_RANK], offset, at, length;
    bool shaped; /* rank, dimensions and their product are usable */
    uint64_t elements, bytes;
    bool sized;
};

static const char *shown_name(char out[SHOWN], const struct info *t)
{
    return text_shown(out, SHOWN, t->name);
}

static uint64_t padded(uint64_t n, uint32_t alignment)
{
    uint64_t rest = n % alignment, sum;
    if (rest == 0)
        return n;
    return size_add(&sum, n, alignment - rest) ? sum : UINT64_MAX;
}

/* ---- one info ---- */

static bool read_info(struct gguf *g, struct info *t)
{
    *t = (struct info){.at = cursor_at(&g->c), .shaped = true};
    t->name = gguf_string(g, "a tensor's name");
    t->rank = cursor_u32(&g->c);
    uint64_t rank = cursor_count(&g->c, t->rank, 8);
    for (uint64_t i = 0; i < rank && i < MODEL_MAX_RANK; i++)
        t->ne[i] = cursor_u64(&g->c);
    if (rank > MODEL_MAX_RANK)
        cursor_skip(&g->c, (rank - MODEL_MAX_RANK) * 8);
    t->type = cursor_u32(&g->c);
    t->offset = cursor_u64(&g->c);
    t->length = cursor_at(&g->c) - t->at;
    return cursor_ok(&g->c);
}

static void check_name(struct gguf *g, const struct info *t)
{
    char shown[SHOWN];
    if (t->name.n >= GGUF_MAX_NAME)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_NAME_LONG,
                   "the name has %zu bytes, loaders take at most %d: \"%s\"", t->name.n,
                   GGUF_MAX_NAME - 1, shown_name(shown, t));
    if (t->name.n == 0)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_NAME_EMPTY,
                   "the name of this tensor is empty");
    gguf_text(g, t->name, t->at + 8, "a tensor's name");
}

/* The product of the dimensions must stay below 2^63, as each of them. */
static void check_shape(struct gguf *g, struct info *t)
{
    char shown[SHOWN];
    if (t->rank > GGUF_MAX_RANK)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_RANK,
                   "\"%s\" has %" PRIu32 " dimensions, expected at most %d", shown_name(shown, t),
                   t->rank, GGUF_MAX_RANK);
    if (t->rank > MODEL_MAX_RANK) {
        t->shaped = false;
        return;
    }
    bool zero = false;
    for (uint32_t i = 0; i < t->rank; i++) {
        zero = zero || t->ne[i] == 0;
        if (t->ne[i] <= INT64_MAX)
            continue;
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_SHAPE,
                   "dimension %" PRIu32 " of \"%s\" is %" PRIu64 ", expected below 2^63", i,
                   shown_name(shown, t), t->ne[i]);
        t->shaped = false;
    }
    t->elements = t->shaped && !zero;
    for (uint32_t i = 0; i < t->rank && t->elements; i++) {
        if (size_mul(&t->elements, t->elements, t->ne[i]) && t->elements < INT64_MAX)
            continue;
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_OVERFLOW,
                   "the dimensions of \"%s\" multiply to 2^63 elements or more",
                   shown_name(shown, t));
        t->shaped = false;
        t->elements = 0;
    }
}

/* Numbers that once were types (ggml.h). */
static const char *removed_type(uint32_t type)
{
    static const struct {
        uint32_t type;
        const char *name;
    } removed[] = {{4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
                   {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}};
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++)
        if (removed[i].type == type)
            return removed[i].name;
    return NULL;
}

static void note_type(struct gguf *g, const struct info *t)
{
    char shown[SHOWN];
    const char *removed = removed_type(t->type);
    if (removed)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_TYPE,
                   "\"%s\" has type %" PRIu32 " (%s), which was removed: convert the original "
                   "model again",
                   shown_name(shown, t), t->type, removed);
    else
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_TYPE,
                   "\"%s\" has type %" PRIu32 ", which no known type has: its size is unknown",
                   shown_name(shown, t), t->type);
    model_incomplete(g->m, g->file);
}

static void check_size(struct gguf *g, struct info *t, enum dtype dtype)
{
    char shown[SHOWN];
    if (dtype == DTYPE_NONE) {
        note_type(g, t);
        return;
    }
    uint64_t row = t->rank > 0 && t->rank <= MODEL_MAX_RANK ? t->ne[0] : 1;
    uint64_t block = dtypes[dtype].block;
    if (!t->shaped)
        return;
    if (row % block != 0) {
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_BLOCK,
                   "\"%s\" has rows of %" PRIu64 " elements, expected a multiple of %" PRIu64
                   " for %s",
                   shown_name(shown, t), row, block, dtype_name(dtype));
        return;
    }
    t->sized = dtype_size(dtype, t->elements, &t->bytes) && t->bytes <= INT64_MAX;
    if (!t->sized)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_OVERFLOW,
                   "the size of \"%s\", %" PRIu64 " elements of %s, has no place in 63 bits",
                   shown_name(shown, t), t->elements, dtype_name(dtype));
}

/* gguf.cpp: "offset exactly equals running padded sum". */
static void check_offset(struct gguf *g, const struct info *t, struct layout *l)
{
    char shown[SHOWN];
    bool expected = l->known && t->offset == l->next;
    if (t->offset % g->alignment != 0)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_OFFSET_ALIGN,
                   "\"%s\" begins at data offset %" PRIu64 ", expected a multiple of %" PRIu32,
                   shown_name(shown, t), t->offset, g->alignment);
    else if (l->known && !expected)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_OFFSET,
                   "\"%s\" begins at data offset %" PRIu64 ", expected %" PRIu64
                   " after the tensors before it",
                   shown_name(shown, t), t->offset, l->next);
    l->in_order = l->in_order && expected;
    l->unsized = l->unsized || !t->sized;
    l->known = t->sized && size_add(&l->next, t->offset, t->bytes);
    if (l->known)
        l->next = padded(l->next, g->alignment);
    if (t->sized && (!l->known || l->next > INT64_MAX)) {
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_OVERFLOW,
                   "the sizes up to \"%s\" add up to 2^63 bytes or more", shown_name(shown, t));
        l->known = false;
    }
}

static bool check_duplicate(struct gguf *g, const struct info *t)
{
    char shown[SHOWN];
    uint32_t here = (uint32_t)(g->m->tensor_count - 1), previous;
    bool ok = model_index_tensor(g->m, &previous);
    if (ok && previous != MAP_NONE && previous < g->first_tensor)
        ok = map_put(&g->foreign, t->name, here, &previous);
    if (ok && previous != MAP_NONE && previous != here)
        model_note(g->m, g->file, t->at, t->length, RULE_GGUF_NAME_DUPLICATE,
                   "\"%s\" is declared at offset %" PRIu64 " already", shown_name(shown, t),
                   g->m->tensors[previous].entry.offset);
    return ok;
}

/* data.offset is relative until the data section's place is known. */
static bool keep(struct gguf *g, const struct info *t, enum dtype dtype)
{
    struct tensor *out = model_add_tensor(g->m);
    if (!out)
        return false;
    *out = (struct tensor){.name = t->name,
                           .dtype = dtype,
                           .rank = t->shaped ? t->rank : 0,
                           .elements = t->elements,
                           .entry = {g->file, t->at, t->length},
                           .data = {g->file, t->offset, t->sized ? t->bytes : 0}};
    for (uint32_t i = 0; i < out->rank; i++)
        out->shape[i] = t->ne[out->rank - 1 - i];
    return check_duplicate(g, t);
}

static bool read_tensor(struct gguf *g, struct layout *l)
{
    struct info t;
    if (!read_info(g, &t))
        return false;
    enum dtype dtype = dtype_from_gguf(t.type);
    check_name(g, &t);
    check_shape(g, &t);
    check_size(g, &t, dtype);
    check_offset(g, &t, l);
    if (!keep(g, &t, dtype)) {
        g->no_memory = true;
        return false;
    }
    g->m->files[g->file].parsed = g->c.pos;
    return true;
}

/* ---- the data section ---- */

/* Bytes [start, end) of one tensor. */
struct extent {
    uint64_t start, end;
    size_t tensor;
};

static int by_start(const void *pa, const void *pb)
{
    const struct extent *a = pa, *b = pb;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return a->tensor < b->tensor ? -1 : a->tensor > b->tensor;
}

/* Data offsets become absolute; what reaches beyond the file is said. */
static void place(struct gguf *g, uint64_t data, uint64_t size)
{
    char shown[SHOWN];
    for (size_t i = g->first_tensor; i < g->m->tensor_count; i++) {
        struct tensor *t = &g->m->tensors[i];
        uint64_t start, end;
        if (!size_add(&start, data, t->data.offset) || !size_add(&end, start, t->data.length)) {
            start = size; /* offset and length never wrap */
            end = UINT64_MAX;
            t->data.length = 0;
        }
        t->data.offset = start;
        if (end <= size)
            continue;
        model_note(g->m, g->file, t->entry.offset, t->entry.length, RULE_GGUF_DATA,
                   "the data of \"%s\" would end at offset %" PRIu64 ", and the file ends at "
                   "%" PRIu64,
                   text_shown(shown, sizeof shown, t->name), end, size);
        model_cut(g->m, g->file);
    }
}

/* Extents in the order of the data; NULL when out of memory. */
static struct extent *extents(struct gguf *g, const struct layout *l, size_t n)
{
    struct extent *x = arena_array(g->scratch, n, sizeof *x);
    if (!x)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const struct tensor *t = &g->m->tensors[g->first_tensor + i];
        x[i] =
            (struct extent){t->data.offset, t->data.offset + t->data.length, g->first_tensor + i};
    }
    if (!l->in_order)
        qsort(x, n, sizeof *x, by_start);
    return x;
}

/* A tensor of unknown size has what lies before the next one. */
static void stretch_unsized(struct gguf *g, struct extent *x, size_t n, uint64_t size)
{
    uint64_t next = size;
    for (size_t i = n; i-- > 0;) {
        struct tensor *t = &g->m->tensors[x[i].tensor];
        bool unknown = t->data.length == 0 && (t->dtype == DTYPE_NONE || t->elements > 0);
        if (unknown && next > x[i].start) {
            x[i].end = next;
            t->data.length = next - x[i].start;
        }
        if (x[i].start < next)
            next = x[i].start;
    }
}

/* The bytes of gaps, read a block at a time: gaps of small tensors lie close. */
struct gaps {
    uint8_t block[READ_GAP];
    uint64_t start;
    size_t n;
};

static const uint8_t *gap_bytes(struct gguf *g, struct gaps *b, uint64_t at, uint64_t size)
{
    if (at < b->start || at >= b->start + b->n) {
        struct err why = ERR_INIT;
        b->start = at;
        b->n = size - at < READ_GAP ? (size_t)(size - at) : READ_GAP;
        if (!source_read(g->m->files[g->file].source, b->block, at, b->n, &why)) {
            model_note(g->m, g->file, at, 0,
                       why.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO,
                       "reading padding: %s", why.text);
            model_incomplete(g->m, g->file);
            b->n = 0;
            return NULL;
        }
    }
    return b->block + (at - b->start);
}

/* [from, to) is padding: all zeros. */
static void check_padding(struct gguf *g, struct gaps *b, uint64_t from, uint64_t to, uint64_t size)
{
    for (uint64_t at = from; at < to && at < size; at++) {
        const uint8_t *p = gap_bytes(g, b, at, size);
        if (!p)
            return;
        if (*p == 0)
            continue;
        model_note(g->m, g->file, at, to - at, RULE_GGUF_PADDING,
                   "the padding from %" PRIu64 " to %" PRIu64 " holds 0x%02x, expected zeros", from,
                   to, *p);
        return;
    }
}

/* Between the end of one tensor (or the infos) and the start of the next. */
static void check_gap(struct gguf *g, struct gaps *b, uint64_t from, uint64_t to, uint64_t size)
{
    if (to - from < g->alignment && to - from <= GGUF_LARGE_ALIGNMENT)
        check_padding(g, b, from, to, size);
    else
        model_note(g->m, g->file, from, to - from, RULE_GGUF_HOLE,
                   "%" PRIu64 " bytes belong to no tensor and are not padding", to - from);
}

static void note_overlap(struct gguf *g, const struct extent *a, const struct extent *b)
{
    char one[SHOWN], two[SHOWN];
    uint64_t end = a->end < b->end ? a->end : b->end;
    model_note(g->m, g->file, b->start, end - b->start, RULE_GGUF_OVERLAP,
               "\"%s\" and \"%s\" share %" PRIu64 " bytes",
               text_shown(one, sizeof one, g->m->tensors[a->tensor].name),
               text_shown(two, sizeof two, g->m->tensors[b->tensor].name), end - b->start);
}

/* Walk the data in its order; returns where the last tensor ends. */
static uint64_t check_extents(struct gguf *g, const struct extent *x, size_t n, uint64_t data,
                              uint64_t size, struct gaps *b)
{
    struct extent last = {data, data, 0};
    for (size_t i = 0; i < n && x[i].start <= size; i++) {
        if (x[i].start > last.end)
            check_gap(g, b, last.end, x[i].start, size);
        else if (x[i].start < last.end && x[i].end > x[i].start)
            note_overlap(g, &last, &x[i]);
        if (x[i].end > last.end)
            last = x[i];
    }
    return last.end;
}

/* After the last tensor: its padding, then nothing. */
static void check_tail(struct gguf *g, struct gaps *b, uint64_t end, bool tensors, uint64_t size)
{
    if (end > size)
        return;
    uint64_t to = padded(end, g->alignment);
    check_padding(g, b, end, to, size);
    if (tensors && size < to)
        model_note(g->m, g->file, size, 0, RULE_GGUF_TAIL,
                   "the file ends at %" PRIu64 ", expected padding of the last tensor up to "
                   "%" PRIu64,
                   size, to);
    if (size > to)
        model_note(g->m, g->file, to, size - to, RULE_GGUF_TRAILING,
                   "%" PRIu64 " bytes follow the end of what the file declares", size - to);
}

/* The data section, from the infos' end to the file's. False: out of memory. */
static bool check_data(struct gguf *g, const struct layout *l)
{
    struct model_file *f = &g->m->files[g->file];
    size_t n = g->m->tensor_count - g->first_tensor;
    uint64_t end = f->parsed;
    struct gaps b = {.n = 0};
    if (n > 0) {
        uint64_t data = padded(end, g->alignment);
        f->data = data;
        place(g, data, f->size);
        struct extent *x = extents(g, l, n);
        if (!x)
            return false;
        if (l->unsized)
            stretch_unsized(g, x, n, f->size);
        check_padding(g, &b, f->parsed, data, f->size);
        end = check_extents(g, x, n, data, f->size, &b);
    }
    check_tail(g, &b, end, n > 0, f->size);
    return true;
}

/* Infos that end early leave the data section's place unknown. */
static void unplace(struct gguf *g)
{
    for (size_t i = g->first_tensor; i < g->m->tensor_count; i++)
        g->m->tensors[i].data = (struct origin){g->file, 0, 0};
}

void gguf_read_tensors(struct gguf *g, bool honest)
{
    struct layout l = {.known = true, .in_order = true};
    uint64_t most = cursor_left(&g->c) / GGUF_MIN_INFO;
    g->no_memory = !model_reserve_tensors(g->m, (size_t)(g->tensors < most ? g->tensors : most));
    size_t findings = g->m->verdict.count;
    for (uint64_t i = 0; i < g->tensors && !g->no_memory; i++) {
        if (!read_tensor(g, &l) || (!honest && g->m->verdict.count > findings))
            break;
    }
    bool all = gguf_fine(g, RULE_GGUF_TRUNCATED, "reading a tensor's info") && honest;
    if (!all || g->no_memory)
        unplace(g);
    else
        g->no_memory = !check_data(g, &l);
}
