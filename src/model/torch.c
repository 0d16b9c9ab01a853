/*
 * From what a checkpoint's pickle built to named tensors with places in the
 * file. Names are the keys on the way from the root, joined by dots; what
 * modules keep their parts in (_parameters, _modules, _buffers) is left out,
 * so that a module has the names of its state dictionary.
 */
#include "model/torch.h"

#include <string.h>

#include "assay/base/text.h"

enum { WALK_DEPTH = 64, WALK_STEPS = 4 << 20, NAME_MOST = 1024, SHOWN = 128, TIMES = 16 };

struct walk {
    struct pickle *p;
    const struct torch_place *place;
    char name[NAME_MOST];
    uint64_t steps, listed;
    bool full, no_memory;
};

uint64_t torch_element(const struct pickle_storage *s)
{
    uint64_t bytes = 0;
    return s->dtype != DTYPE_NONE && dtype_size(s->dtype, 1, &bytes) ? bytes : 0;
}

/* ---- one tensor ---- */

static const char *show(const struct walk *w, char out[SHOWN])
{
    return text_shown(out, SHOWN, span_str(w->name));
}

static bool refuse(struct walk *w, const struct pickle_tensor *t, const char *why)
{
    char shown[SHOWN];
    content_note(&w->p->c, RULE_TORCH_TENSOR, t->at, 0, "tensor \"%s\": %s", show(w, shown), why);
    content_incomplete(&w->p->c);
    return true;
}

/* Elements, and how far the strides reach: from the first to one past the last. */
static bool measure(const struct pickle_tensor *t, uint64_t *elements, uint64_t *extent, bool *rows)
{
    uint64_t step = 1, reach = 0, part;
    *elements = 1;
    *rows = true;
    for (uint32_t i = t->rank; i-- > 0;) {
        *rows = *rows && (t->shape[i] == 1 || t->stride[i] == step);
        if (!size_mul(&step, step, t->shape[i]) || !size_mul(elements, *elements, t->shape[i]))
            return false;
        if (t->shape[i] &&
            (!size_mul(&part, t->shape[i] - 1, t->stride[i]) || !size_add(&reach, reach, part)))
            return false;
    }
    *extent = *elements ? reach + 1 : 0;
    *rows = *rows || *elements == 0;
    return true;
}

static void note_order(struct walk *w, const struct pickle_tensor *t, uint64_t elements,
                       uint64_t extent)
{
    char shown[SHOWN];
    if (elements == extent)
        content_note(&w->p->c, RULE_TENSOR_ORDER, t->at, 0,
                     "tensor \"%s\" lies in another order than its shape says; its digest is over "
                     "the bytes as they lie",
                     show(w, shown));
    else
        content_note(&w->p->c, RULE_TENSOR_VIEW, t->at, 0,
                     "tensor \"%s\" has %llu elements and lies over %llu; its digest is over the "
                     "latter",
                     show(w, shown), (unsigned long long)elements, (unsigned long long)extent);
}

static bool add_tensor(struct walk *w, uint64_t index)
{
    struct pickle *p = w->p;
    const struct pickle_tensor *t = &p->tensors[index];
    const struct pickle_storage *s = &p->storages[t->storage];
    const struct torch_place *at = &w->place[t->storage];
    uint64_t elements, extent, bytes, skip, end;
    bool rows;
    enum dtype dtype = t->dtype != DTYPE_NONE ? t->dtype : s->dtype;
    struct pickle_storage as = {.dtype = dtype};
    uint64_t width = torch_element(&as);
    if (!width)
        return refuse(w, t, "its type of elements is not known");
    if (!at->known)
        return refuse(w, t, "its storage is not in the file, or is compressed there");
    if (!measure(t, &elements, &extent, &rows) || !size_mul(&bytes, extent, width) ||
        !size_mul(&skip, t->offset, width) || !size_add(&end, skip, bytes) || end > at->bytes)
        return refuse(w, t, "it reaches beyond the end of its storage");
    if (!rows)
        note_order(w, t, elements, extent);
    struct tensor *out = model_add_tensor(p->c.m);
    char *name = arena_str(p->c.m->arena, span_str(w->name));
    if (!out || !name)
        return false;
    *out = (struct tensor){.name = span_str(name),
                           .dtype = dtype,
                           .rank = t->rank,
                           .elements = elements,
                           .entry = {p->c.file, input_origin(&p->c.in, t->at), 1},
                           .data = {p->c.file, at->offset + skip, bytes}};
    memcpy(out->shape, t->shape, sizeof out->shape);
    return true;
}

/* ---- the way there ---- */

static bool is_inner(struct span s)
{
    return span_is(s, "_parameters") || span_is(s, "_modules") || span_is(s, "_buffers");
}

/* Append a key to the name; returns the length before. */
static size_t enter(struct walk *w, pv key, uint64_t index, bool instance)
{
    uint8_t text[NAME_MOST];
    size_t n = 0, before = strlen(w->name);
    struct buf b;
    if (pv_kind(key) == PV_NONE)
        return before;
    buf_init(&b, NAME_MOST);
    if (before)
        buf_put_u8(&b, '.');
    if (pv_kind(key) == PV_STR && pickle_text(w->p, key, text, sizeof text, &n)) {
        if (instance && is_inner((struct span){text, n}))
            buf_clear(&b);
        else
            buf_put(&b, text, n);
    } else {
        buf_printf(&b, "%llu", (unsigned long long)index);
    }
    if (buf_ok(&b) && before + b.n < NAME_MOST && !memchr(b.p ? b.p : text, 0, b.n)) {
        if (b.n && b.p)
            memcpy(w->name + before, b.p, b.n);
        w->name[before + b.n] = 0;
    } else {
        w->full = true;
    }
    buf_free(&b);
    return before;
}

static bool visit(struct walk *w, pv v, unsigned depth, bool instance)
{
    if (w->full || depth > WALK_DEPTH || ++w->steps > WALK_STEPS) {
        w->full = true;
        return true;
    }
    if (pv_kind(v) == PV_TENSOR) {
        /* Shared containers are met by each of their names, but not without end. */
        w->full = w->listed++ > TIMES * w->p->tensor_count + TIMES;
        return w->full || add_tensor(w, pv_at(v));
    }
    const struct pickle_node *n = pickle_node(w->p, v);
    uint64_t index = 0;
    for (const struct pickle_link *l = n ? n->first : NULL; l; l = l->next) {
        bool inner = pv_kind(l->key) == PV_NONE
                         ? pv_kind(v) == PV_INST && pv_kind(l->value) == PV_DICT
                         : false;
        bool counted = pv_kind(l->key) == PV_INT && pv_at(l->key) == PV_AT_MAX;
        uint64_t number = counted || pv_kind(l->key) != PV_INT ? index : pv_at(l->key);
        size_t before = enter(w, l->key, number, instance);
        if (!visit(w, l->value, depth + 1, inner))
            return false;
        w->name[before] = 0;
        index++;
    }
    return true;
}

/* Tensors there have no range of a file of the model, or a name that may be taken. */
static bool is_within(struct pickle *p, const struct content *c)
{
    bool within = c->depth || c->in.derived;
    if (within && p->tensor_count && !c->inputs) {
        content_note(&p->c, RULE_TORCH_UNLISTED, p->tensors[0].at, 0,
                     "tensors of a checkpoint within another file are not listed: %zu",
                     p->tensor_count);
        content_unlisted(&p->c);
    }
    return within;
}

bool torch_list(struct pickle *p, const struct content *c, const struct torch_place *place)
{
    if (is_within(p, c))
        return true;
    struct walk *w = arena_alloc(p->a, sizeof *w);
    if (!w)
        return false;
    w->p = p;
    w->place = place;
    bool ok = visit(w, p->result, 0, false);
    if (w->full)
        content_limit(&p->c, 0, "tensors are nested deeper or named longer than is followed");
    return ok;
}
