/*
 * Finds for every tensor of one model its counterpart in the other: by name
 * within a container, by the name table across containers. What a converter
 * did to the numbers becomes part of the two views, so that the comparison
 * sees the same element at the same row and column on both sides.
 */
#include "inspect/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 128 };

#define HEAD_UNKNOWN UINT64_MAX

/* Both models, told apart by container. */
struct sides {
    struct model *hf, *gguf;
    bool gguf_is_b;
    struct span arch; /* of the GGUF file */
    bool permutes, shifts;
    enum name_layout layout; /* of experts in one tensor */
    struct map gguf_names, hf_names;
    uint64_t *used; /* pieces that found each GGUF tensor */
    struct arena *arena;
    struct pairs *out;
};

enum format diff_container(const struct model *m)
{
    if (m->tensor_count == 0)
        return FORMAT_UNKNOWN;
    uint32_t file = m->tensors[0].data.file;
    return file < m->file_count ? m->files[file].format : FORMAT_UNKNOWN;
}

/* ---- shapes and places ---- */

static uint32_t leading_ones(const struct tensor *t)
{
    uint32_t n = 0;
    while (n + 1 < t->rank && t->shape[n] == 1)
        n++;
    return n;
}

bool diff_same_shape(const struct tensor *a, const struct tensor *b)
{
    uint32_t i = leading_ones(a), j = leading_ones(b);
    if (a->rank - i != b->rank - j)
        return a->rank + b->rank <= 1 && a->elements == b->elements; /* a scalar, or one of it */
    for (; i < a->rank; i++, j++)
        if (a->shape[i] != b->shape[j])
            return false;
    return true;
}

enum dtype view_dtype(const struct view *v)
{
    return v->scales ? DTYPE_MXFP4 : v->t->dtype;
}

/* Are the bytes where the header says, and as many as type and shape need? */
static bool tensor_located(const struct view *v, const struct tensor *t)
{
    uint64_t end, elements = 1, bytes;
    if (t->data.file >= v->model->file_count)
        return false;
    const struct model_file *f = &v->model->files[t->data.file];
    if (!f->source || !size_add(&end, t->data.offset, t->data.length) ||
        end > source_size(f->source))
        return false;
    if (t->dtype == DTYPE_NONE)
        return true;
    for (uint32_t i = 0; i < t->rank; i++)
        if (!size_mul(&elements, elements, t->shape[i]))
            return false;
    return elements == t->elements && dtype_size(t->dtype, elements, &bytes) &&
           bytes == t->data.length;
}

static bool located(const struct view *v)
{
    return tensor_located(v, v->t) && (!v->scales || tensor_located(v, v->scales));
}

static bool fills_blocks(const struct view *v, uint64_t cols)
{
    uint64_t block = dtypes[view_dtype(v)].block;
    return v->base % block == 0 && (v->col_step == 1 ? cols % block == 0 : block == 1);
}

static bool is_linear(const struct view *v, uint64_t cols)
{
    return v->col_step == 1 && v->row_step == cols && v->head == 0 && v->group == 0;
}

/* Both sides in one run: a single row, whose length alone must fill blocks. */
static void settle(struct pair *p)
{
    p->elements = p->rows * p->cols;
    if (!located(&p->a) || !located(&p->b)) {
        p->d.unread = true;
        return;
    }
    if (is_linear(&p->a, p->cols) && is_linear(&p->b, p->cols)) {
        p->cols = p->a.row_step = p->b.row_step = p->elements;
        p->rows = 1;
    }
    p->bytes_only = p->a.t->dtype == DTYPE_NONE || p->b.t->dtype == DTYPE_NONE;
    if (!p->bytes_only && (!fills_blocks(&p->a, p->cols) || !fills_blocks(&p->b, p->cols)))
        p->d.unread = true;
}

static struct view whole(struct model *m, const struct tensor *t)
{
    return (struct view){.model = m, .t = t, .row_step = t->elements, .col_step = 1};
}

static struct pair *add(struct pairs *out, struct arena *arena)
{
    struct pair *v = arena_grow(arena, out->v, out->n, &out->cap, sizeof *v);
    if (!v)
        return NULL;
    out->v = v;
    v[out->n] = (struct pair){0};
    return &v[out->n++];
}

static bool add_lonely(struct pairs *out, struct arena *arena, const struct tensor *a,
                       const struct tensor *b, bool explained)
{
    struct pair *p = add(out, arena);
    if (!p)
        return false;
    p->d.a = a;
    p->d.b = b;
    p->d.change = a ? TENSOR_REMOVED : TENSOR_ADDED;
    p->explained = explained;
    return true;
}

/* ---- one container ---- */

static bool index_names(struct map *names, const struct model *m, struct arena *arena)
{
    uint32_t previous;
    if (!map_init(names, arena, m->tensor_count))
        return false;
    for (size_t i = 0; i < m->tensor_count; i++)
        if (!map_put(names, m->tensors[i].name, (uint32_t)i, &previous))
            return false;
    return true;
}

static bool add_plain(struct pairs *out, struct arena *arena, struct model *a,
                      const struct tensor *ta, struct model *b, const struct tensor *tb)
{
    struct pair *p = add(out, arena);
    if (!p)
        return false;
    p->d.a = ta;
    p->d.b = tb;
    p->a = whole(a, ta);
    p->b = whole(b, tb);
    p->rows = 1;
    p->cols = ta->elements;
    p->d.change = diff_same_shape(ta, tb) ? TENSOR_CHANGED : TENSOR_RESHAPED;
    if (p->d.change == TENSOR_CHANGED)
        settle(p);
    return true;
}

static bool pair_by_name(struct pairs *out, struct model *a, struct model *b, struct arena *arena)
{
    struct map names;
    bool *used = arena_array(arena, b->tensor_count + 1, sizeof *used);
    if (!used || !index_names(&names, b, arena))
        return false;
    for (size_t i = 0; i < a->tensor_count; i++) {
        uint32_t j = map_get(&names, a->tensors[i].name);
        bool fresh = j != MAP_NONE && !used[j];
        if (fresh)
            used[j] = true;
        if (!(fresh ? add_plain(out, arena, a, &a->tensors[i], b, &b->tensors[j])
                    : add_lonely(out, arena, &a->tensors[i], NULL, false)))
            return false;
    }
    for (size_t j = 0; j < b->tensor_count; j++)
        if (!used[j] && !add_lonely(out, arena, NULL, &b->tensors[j], false))
            return false;
    return true;
}

/* ---- two containers ---- */

/* <arch>.attention.head_count(_kv), a number or one per layer; else config.json. */
static uint64_t head_count(const struct sides *s, const struct candidate *c)
{
    bool kv = c->rule == NAME_HEADS_K;
    char key[KEY_MAX];
    uint64_t n = 0;
    snprintf(key, sizeof key, "%.*s.attention.head_count%s", (int)(s->arch.n < 64 ? s->arch.n : 64),
             (const char *)s->arch.p, kv ? "_kv" : "");
    if (metadata_u64(s->gguf, key, &n))
        return n;
    const struct metadata *m = model_metadata(s->gguf, key);
    if (m && m->value.type == VALUE_ARRAY && c->layer < m->value.count) {
        struct value_iter it = value_items(&m->value);
        struct value item;
        for (uint64_t i = 0; value_next(&it, &item); i++)
            if (i == c->layer)
                return value_u64(&item, &n) ? n : 0;
    }
    struct json root = s->hf->documents[DOC_CONFIG].root;
    if (kv && json_u64(json_get(root, "num_key_value_heads"), &n))
        return n;
    return json_u64(json_get(root, "num_attention_heads"), &n) ? n : 0;
}

/* Rows of one head when the converter permuted them; 0 when it did not;
 * HEAD_UNKNOWN when it did and nothing says how many heads there are. */
static uint64_t permuted_head(const struct sides *s, const struct candidate *c, uint64_t rows)
{
    if (!s->permutes || (c->rule != NAME_HEADS_Q && c->rule != NAME_HEADS_K))
        return 0;
    uint64_t heads = head_count(s, c);
    if (heads == 0 && c->rule == NAME_HEADS_K) { /* without grouping, keys have as many */
        struct candidate q = *c;
        q.rule = NAME_HEADS_Q;
        heads = head_count(s, &q);
    }
    if (heads == 0 || rows % heads != 0 || rows / heads % 2 != 0)
        return HEAD_UNKNOWN;
    return rows / heads;
}

/* Rows and columns of a tensor's last two dimensions; a vector is a column. */
static void frame(const struct tensor *t, uint64_t *rows, uint64_t *cols)
{
    uint32_t ones = leading_ones(t), rank = t->rank - ones;
    *cols = rank >= 2 ? t->shape[t->rank - 1] : 1;
    *rows = *cols ? t->elements / *cols : 0;
}

/* Shape as the numbers mean it: [out, in], MXFP4 by its elements. False: it has none. */
static bool meant_shape(uint64_t out[MODEL_MAX_RANK], uint32_t *rank, const struct tensor *h,
                        const struct candidate *c)
{
    enum { PER_BLOCK = 32, BLOCK_BYTES = 16 };
    *rank = h->rank;
    memcpy(out, h->shape, sizeof h->shape[0] * h->rank);
    if (c->blocks) {
        bool fits = h->rank >= 3 && h->shape[h->rank - 1] == BLOCK_BYTES;
        *rank = fits ? h->rank - 1 : 0;
        return fits && size_mul(&out[*rank - 1], out[*rank - 1], PER_BLOCK);
    }
    if (c->rule == NAME_TRANSPOSE && h->rank >= 2) {
        out[h->rank - 1] = h->shape[h->rank - 2];
        out[h->rank - 2] = h->shape[h->rank - 1];
    }
    return true;
}

/* Is `shape` that of g, dimension `twice` (rank: none) holding two of them? */
static bool is_shape_of(const uint64_t *shape, uint32_t rank, const struct tensor *g,
                        uint32_t twice)
{
    if (rank != g->rank)
        return false;
    for (uint32_t i = 0; i < rank; i++)
        if (i == twice ? shape[i] / 2 != g->shape[i] || shape[i] % 2 : shape[i] != g->shape[i])
            return false;
    return true;
}

/* Where the rows of one of two interwoven or joined tensors stand, expert by expert. */
static bool lay_out_part(struct pair *p, struct view *hf, const struct tensor *g,
                         const struct candidate *c)
{
    bool woven = c->part == PART_EVEN || c->part == PART_ODD;
    uint64_t second = c->part == PART_SECOND_HALF || c->part == PART_ODD;
    uint64_t shape[MODEL_MAX_RANK];
    uint32_t rank, out = g->rank - (c->bias ? 1 : 2);
    if (g->rank < 2 || !meant_shape(shape, &rank, hf->t, c) || !is_shape_of(shape, rank, g, out))
        return false;
    uint64_t n = g->shape[out], cols = c->bias ? 1 : g->shape[g->rank - 1];
    bool turned = c->rule == NAME_TRANSPOSE;
    uint64_t row = turned ? 1 : cols; /* elements from one output to the next */
    p->cols = cols;
    p->rows = cols ? g->elements / cols : 0;
    hf->col_step = turned ? 2 * n : 1;
    hf->row_step = woven ? 2 * row : row;
    hf->base = second * (woven ? row : n * row);
    if (c->bias && woven)
        hf->col_step = 2; /* never taken: there is one column, read downwards in long runs */
    if (turned || !woven) {
        hf->group = n;
        hf->group_step = 2 * n * cols;
    }
    return true;
}

/* Each matrix of the stack is turned. */
static bool lay_out_turned(struct pair *p, struct view *hf, const struct tensor *g,
                           const struct candidate *c)
{
    uint64_t shape[MODEL_MAX_RANK];
    uint32_t rank;
    if (g->rank < 2 || !meant_shape(shape, &rank, hf->t, c) || !is_shape_of(shape, rank, g, rank))
        return false;
    frame(g, &p->rows, &p->cols);
    hf->row_step = 1;
    hf->col_step = g->shape[g->rank - 2];
    if (g->rank > 2) {
        hf->group = hf->col_step;
        hf->group_step = hf->col_step * p->cols;
    }
    return true;
}

/* The shared frame is the piece as it stands in the GGUF file. False: shapes differ. */
static bool lay_out(struct pair *p, struct view *hf, struct view *gguf, const struct candidate *c)
{
    const struct tensor *h = hf->t, *g = gguf->t;
    frame(h, &p->rows, &p->cols);
    if (c->part != PART_WHOLE)
        return lay_out_part(p, hf, g, c);
    if (c->rule == NAME_TRANSPOSE)
        return lay_out_turned(p, hf, g, c);
    if (c->blocks) {
        uint64_t shape[MODEL_MAX_RANK];
        uint32_t rank;
        frame(g, &p->rows, &p->cols);
        hf->row_step = p->cols;
        return meant_shape(shape, &rank, h, c) && is_shape_of(shape, rank, g, rank);
    }
    hf->row_step = p->cols;
    if (!c->has_expert)
        return diff_same_shape(h, g);
    bool fits = g->rank == 3 && h->rank == 2 && c->expert < g->shape[0] &&
                g->shape[1] == h->shape[0] && g->shape[2] == h->shape[1];
    gguf->base = fits ? c->expert * h->elements : 0;
    return fits;
}

/* "…_blocks" has its exponents in "…_scales", one byte for 32 elements. */
static bool find_scales(const struct sides *s, struct view *hf)
{
    enum { PER_SCALE = 16, STEM = 7 }; /* bytes of a block; "_blocks" */
    char name[NAME_MAX];
    struct span stem = span_sub(hf->t->name, 0, hf->t->name.n - STEM);
    int n = snprintf(name, sizeof name, "%.*s_scales", (int)(stem.n < NAME_MAX ? stem.n : NAME_MAX),
                     (const char *)stem.p);
    uint32_t i = n < NAME_MAX ? map_get(&s->hf_names, span_str(name)) : MAP_NONE;
    if (i == MAP_NONE)
        return false;
    hf->scales = &s->hf->tensors[i];
    return hf->t->dtype == DTYPE_U8 && hf->scales->dtype == DTYPE_U8 &&
           hf->t->elements / PER_SCALE == hf->scales->elements && hf->t->elements % PER_SCALE == 0;
}

static bool add_mapped(struct sides *s, const struct tensor *h, const struct tensor *g,
                       const struct candidate *c)
{
    struct pair *p = add(s->out, s->arena);
    if (!p)
        return false;
    struct view hf = whole(s->hf, h), gguf = whole(s->gguf, g);
    bool scaled = !c->blocks || find_scales(s, &hf), fits = lay_out(p, &hf, &gguf, c);
    gguf.row_step = p->cols;
    hf.head = permuted_head(s, c, p->rows);
    if (s->shifts && c->rule == NAME_NORM && span_ends(h->name, "norm.weight"))
        hf.add = 1;
    p->a = s->gguf_is_b ? hf : gguf;
    p->b = s->gguf_is_b ? gguf : hf;
    p->d.a = p->a.t;
    p->d.b = p->b.t;
    p->d.mapped = true;
    p->d.change = fits ? TENSOR_CHANGED : TENSOR_RESHAPED;
    if (fits)
        settle(p);
    p->d.unread |= hf.head == HEAD_UNKNOWN || !scaled;
    return true;
}

static bool map_one(struct sides *s, const struct tensor *h)
{
    struct candidate c[NAME_CANDIDATES];
    size_t n = name_candidates(c, h->name), found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t j = map_get(&s->gguf_names, span_str(c[i].name));
        bool here = c[i].layout == LAYOUT_ANY || c[i].layout == s->layout;
        if (j == MAP_NONE || !here || (found && c[i].part == PART_WHOLE))
            continue;
        if (!add_mapped(s, h, &s->gguf->tensors[j], &c[i]))
            return false;
        s->used[j]++;
        found++;
    }
    if (found)
        return true;
    bool explained = name_explained(h->name, false);
    return add_lonely(s->out, s->arena, s->gguf_is_b ? h : NULL, s->gguf_is_b ? NULL : h,
                      explained);
}

/* An output head of its own in the GGUF file where the other side ties it. */
static bool map_tied_output(struct sides *s, uint32_t output)
{
    struct candidate c[NAME_CANDIDATES];
    for (size_t i = 0; i < s->hf->tensor_count; i++) {
        const struct tensor *h = &s->hf->tensors[i];
        if (name_candidates(c, h->name) == 1 && strcmp(c[0].name, "token_embd.weight") == 0) {
            s->used[output]++;
            return add_mapped(s, h, &s->gguf->tensors[output], &c[0]);
        }
    }
    return true;
}

static bool pair_by_map(struct sides *s)
{
    s->used = arena_array(s->arena, s->gguf->tensor_count + 1, sizeof *s->used);
    if (!s->used || !index_names(&s->gguf_names, s->gguf, s->arena) ||
        !index_names(&s->hf_names, s->hf, s->arena))
        return false;
    for (size_t i = 0; i < s->hf->tensor_count; i++)
        if (!map_one(s, &s->hf->tensors[i]))
            return false;
    uint32_t output = map_get(&s->gguf_names, span_str("output.weight"));
    if (output != MAP_NONE && s->used[output] == 0 && !map_tied_output(s, output))
        return false;
    for (size_t j = 0; j < s->gguf->tensor_count; j++) {
        const struct tensor *g = &s->gguf->tensors[j];
        bool stacked = s->used[j] > 1 && g->rank == 3;
        if (s->used[j] && (!stacked || s->used[j] >= g->shape[0]))
            continue;
        if (!add_lonely(s->out, s->arena, s->gguf_is_b ? NULL : g, s->gguf_is_b ? g : NULL,
                        name_explained(g->name, true)))
            return false;
    }
    return true;
}

/* ---- order ---- */

static struct span sort_name(const struct pair *p)
{
    return p->d.a ? p->d.a->name : p->d.b->name;
}

static int by_name(const void *x, const void *y)
{
    const struct pair *p = x, *q = y;
    int order = span_cmp(sort_name(p), sort_name(q));
    if (order == 0 && p->d.b && q->d.b)
        order = span_cmp(p->d.b->name, q->d.b->name);
    if (order == 0)
        order = (p->d.b != NULL) - (q->d.b != NULL);
    return order ? order : (p->d.change > q->d.change) - (p->d.change < q->d.change);
}

bool diff_pair(struct pairs *out, struct model *a, struct model *b, struct arena *arena,
               struct err *e)
{
    enum format fa = diff_container(a), fb = diff_container(b);
    bool ok, crossed = (fa == FORMAT_GGUF) != (fb == FORMAT_GGUF) && a->tensor_count > 0 &&
                       b->tensor_count > 0;
    if (crossed) {
        struct sides s = {.gguf_is_b = fb == FORMAT_GGUF, .arena = arena, .out = out};
        s.hf = s.gguf_is_b ? a : b;
        s.gguf = s.gguf_is_b ? b : a;
        if (!metadata_string(s.gguf, "general.architecture", &s.arch))
            s.arch = SPAN_EMPTY;
        s.permutes = arch_permutes(s.arch);
        s.shifts = arch_shifts_norms(s.arch);
        s.layout = arch_expert_layout(s.arch);
        ok = pair_by_map(&s);
    } else {
        ok = pair_by_name(out, a, b, arena);
    }
    if (!ok)
        return err_set(e, ERR_MEMORY, "out of memory while pairing tensors");
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, by_name);
    return true;
}
