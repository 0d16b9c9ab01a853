/*
 * A merged model held against its plan: for every tensor the inputs that the plan
 * names are looked up, layer by layer, and what they give is compared. Tensors
 * are independent, so they are computed on all cores.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/pool.h"
#include "assay/source.h"
#include "provenance/merge.h"

enum { NAME_MOST = 256, DIGITS = 9 };

struct task {
    struct merge_recipe recipe;
    struct merge_outcome outcome;
    size_t model[MERGE_INPUTS]; /* of the plan */
    bool failed;
};

struct checking {
    const struct merge_plan *p;
    const struct lineage_base *m;
    const struct lineage_base *const *at_hand;
    struct map names[MERGE_MODELS];
    struct task *tasks;
    size_t count, done; /* done: those of earlier waves */
    bool bad; /* a parameter that must be there is not, or is of a form that is not followed */
    struct merge_scratch **scratch;
    const struct diff_options *options;
    struct merge_result *out;
    struct arena *a;
    struct err *e;
};

/* ---- names ---- */

/* The number of a layer in a name: "model.layers.12.mlp..."; where it stands. */
static bool layer_of(struct span name, size_t *at, size_t *n, uint64_t *layer)
{
    static const char *const before[] = {".layers.", ".h.", "layers.", "h.", "blk."};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        size_t length = strlen(before[i]);
        const uint8_t *found = i < 2 ? memmem(name.p, name.n, before[i], length)
                               : span_starts(name, before[i]) ? name.p
                                                              : NULL;
        if (!found)
            continue;
        *at = (size_t)(found - name.p) + length;
        *layer = 0;
        for (*n = 0;
             *at + *n < name.n && *n < DIGITS && name.p[*at + *n] >= '0' && name.p[*at + *n] <= '9';
             (*n)++)
            *layer = *layer * 10 + name.p[*at + *n] - '0';
        return *n > 0;
    }
    return false;
}

static const struct tensor *find(const struct checking *k, size_t model, struct span name)
{
    uint32_t i = map_get(&k->names[model], name);
    return i == MAP_NONE ? NULL : &k->at_hand[model]->model->tensors[i];
}

static const struct tensor *find_layer(const struct checking *k, size_t model, struct span name,
                                       uint64_t layer)
{
    char own[NAME_MOST];
    size_t at, n;
    uint64_t was;
    if (!layer_of(name, &at, &n, &was))
        return find(k, model, name);
    int length =
        snprintf(own, sizeof own, "%.*s%llu%.*s", (int)at, (const char *)name.p,
                 (unsigned long long)layer, (int)(name.n - at - n), (const char *)name.p + at + n);
    return name.n < NAME_MOST && length > 0 && length < NAME_MOST ? find(k, model, span_str(own))
                                                                  : NULL;
}

/* The slice that makes a tensor: by its layer; the first for what goes before the layers, the last
 * for what follows them. */
static const struct merge_slice *slice_of(const struct merge_plan *p, struct span name,
                                          uint64_t *offset, double *t)
{
    size_t at, n;
    uint64_t layer;
    *offset = 0;
    *t = 0;
    if (!layer_of(name, &at, &n, &layer)) {
        bool first = memmem(name.p, name.n, "embed", 5) || memmem(name.p, name.n, "wte", 3) ||
                     memmem(name.p, name.n, "wpe", 3);
        return &p->slices[first ? 0 : p->slice_count - 1];
    }
    for (size_t i = 0; i < p->slice_count; i++) {
        const struct merge_slice *s = &p->slices[i];
        if (layer < s->layers) {
            *offset = layer;
            *t = s->layers > 1 ? (double)layer / (double)(s->layers - 1) : 1;
            return s;
        }
        layer -= s->layers;
    }
    return NULL;
}

/* ---- recipes ---- */

static bool plain(const struct model *m, const struct tensor *t)
{
    uint64_t bytes, end;
    if ((t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16) ||
        t->data.file >= m->file_count)
        return false;
    const struct source *s = m->files[t->data.file].source;
    return s && dtype_size(t->dtype, t->elements, &bytes) && bytes == t->data.length &&
           size_add(&end, t->data.offset, bytes) && end <= source_size(s);
}

static bool same_shape(const struct tensor *a, const struct tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

struct place {
    const struct merge_plan *p;
    const struct merge_slice *s;
    struct span tensor;
    double t;
    bool bad;
};

static double parameter(struct place *at, const struct merge_source *of, const char *name,
                        struct span tensor, double otherwise, bool must)
{
    double v = otherwise;
    enum merge_value found = merge_parameter(&v, at->p, at->s, of, name, tensor, at->t);
    at->bad |= found == MERGE_BAD || (must && found == MERGE_ABSENT);
    return found == MERGE_GIVEN ? v : otherwise;
}

static void take_parameters(struct place *at, struct merge_recipe *r, size_t i)
{
    const struct merge_source *of = &at->s->in[i];
    struct merge_input *in = &r->in[i];
    enum merge_method m = r->method;
    bool base = merge_takes_deltas(m) && i == r->base;
    bool weighs = m == MERGE_LINEAR || (merge_takes_deltas(m) && m != MERGE_MODEL_STOCK);
    struct span name = in->tensor->name;
    in->density = in->scale = 1;
    if (weighs && !base)
        in->weight = parameter(at, of, "weight", name, 0, true);
    if ((m == MERGE_TIES || merge_is_random(m)) && !base)
        in->density = parameter(at, of, "density", name, 1, false);
    if (m == MERGE_PASSTHROUGH)
        in->scale = parameter(at, of, "scale", name, 1, false);
}

static void take_shared(struct place *at, struct merge_recipe *r)
{
    enum merge_method m = r->method;
    r->t = m == MERGE_SLERP ? parameter(at, NULL, "t", at->tensor, 0, true) : 0;
    r->lambda = parameter(at, NULL, "lambda", at->tensor, 1, false);
    r->normalize = parameter(at, NULL, "normalize", at->tensor,
                             m == MERGE_LINEAR || m == MERGE_TIES, false) != 0;
    r->rescale = parameter(at, NULL, "rescale", at->tensor, merge_is_random(m), false) != 0;
    at->bad |=
        m == MERGE_MODEL_STOCK && parameter(at, NULL, "filter_wise", at->tensor, 0, false) != 0;
}

static bool fits_method(const struct merge_recipe *r)
{
    bool based = r->base < r->count;
    switch (r->method) {
    case MERGE_SLERP:
    case MERGE_LINE:
        return based && r->count == 2;
    case MERGE_MODEL_STOCK:
        return based && r->count >= 3;
    case MERGE_PASSTHROUGH:
        return r->count == 1;
    case MERGE_LINEAR:
        return r->count > 0;
    case MERGE_TASK_ARITHMETIC:
    case MERGE_TIES:
        return based;
    case MERGE_DARE_LINEAR:
    case MERGE_DARE_TIES:
        return based && r->count <= 6; /* every element is explained by one of 2^5 choices */
    case MERGE_OTHER:
        break;
    }
    return false;
}

static bool in_singles(enum merge_method m)
{
    return m == MERGE_LINEAR || m == MERGE_SLERP || m == MERGE_LINE;
}

/* False: the plan does not make this tensor from what is at hand. */
static bool make_task(struct checking *k, struct task *x, const struct tensor *t)
{
    const struct merge_plan *p = k->p;
    uint64_t offset;
    struct place at = {.p = p, .tensor = t->name};
    struct merge_recipe *r = &x->recipe;
    at.s = slice_of(p, t->name, &offset, &at.t);
    *x = (struct task){.recipe = {.method = p->method, .model = k->m->model, .merged = t}};
    if (!at.s || !plain(k->m->model, t))
        return false;
    r->count = at.s->count;
    r->base = at.s->base;
    if (!fits_method(r))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        struct merge_input *in = &r->in[i];
        x->model[i] = at.s->in[i].model;
        in->model = k->at_hand[x->model[i]]->model;
        in->tensor = find_layer(k, x->model[i], t->name, at.s->in[i].from + offset);
        if (!in->tensor || !plain(in->model, in->tensor) || !same_shape(in->tensor, t))
            return false;
        take_parameters(&at, r, i);
    }
    take_shared(&at, r);
    if (at.bad)
        k->bad = true;
    r->cast =
        p->work != DTYPE_NONE ? p->work : r->in[r->base < r->count ? r->base : 0].tensor->dtype;
    r->work = in_singles(r->method) ? DTYPE_F32 : r->cast;
    return !at.bad;
}

/* ---- all tensors ---- */

static void run(void *arg, size_t i, unsigned worker)
{
    struct checking *k = arg;
    struct task *x = &k->tasks[k->done + i];
    struct err e = ERR_INIT;
    x->failed = !merge_recompute(&x->outcome, &x->recipe, k->scratch[worker], &e);
    if (x->failed || x->recipe.method != MERGE_LINEAR || x->recipe.cast == DTYPE_F32 ||
        x->outcome.agree == x->outcome.elements)
        return;
    struct merge_outcome first = x->outcome;
    x->recipe.work = x->recipe.cast;
    x->failed = !merge_recompute(&x->outcome, &x->recipe, k->scratch[worker], &e);
    if (!x->failed && x->outcome.agree < first.agree)
        x->outcome = first;
}

static bool holds_vocabulary(struct span name)
{
    return memmem(name.p, name.n, "embed", 5) || memmem(name.p, name.n, "lm_head", 7) ||
           memmem(name.p, name.n, "wte", 3);
}

/* What could not be read, or may have the rows of another vocabulary, says nothing. */
static bool says_nothing(const struct checking *k, const struct task *x)
{
    return x->failed || (k->p->vocabulary && x->outcome.agree < x->outcome.elements &&
                         holds_vocabulary(x->recipe.merged->name));
}

static void add_outcome(struct merge_result *out, const struct task *x)
{
    const struct merge_outcome *o = &x->outcome;
    out->tensors++;
    out->whole += o->agree == o->elements;
    out->elements += o->elements;
    out->agree += o->agree;
    out->exact += o->exact;
    out->type = x->recipe.merged->dtype;
    if (x->recipe.method == MERGE_LINE && o->share == o->share) {
        out->least = o->share < out->least ? o->share : out->least;
        out->most = o->share > out->most ? o->share : out->most;
    }
    for (size_t i = 0; i < x->recipe.count; i++) {
        size_t model = x->model[i];
        out->needed[model] += o->needed[i];
        out->told[model] += o->told[i];
        out->kept[model] += o->kept[i];
        out->density[model] += (double)o->told[i] * x->recipe.in[i].density;
    }
}

/* A few tensors at a time, so that it can be stopped between them. */
static bool run_in_waves(struct checking *k, struct pool *pool)
{
    const struct progress *p = &k->options->progress;
    size_t wave = 2 * (size_t)pool_threads(pool);
    for (k->done = 0; k->done < k->count; k->done += wave) {
        size_t left = k->count - k->done;
        if (p->report && !p->report(p->arg, "computing a merge again", k->done, k->count))
            return err_set(k->e, ERR_INTERRUPTED, "stopped while a merge was computed again");
        pool_run(pool, left < wave ? left : wave, run, k);
    }
    return true;
}

static bool run_all(struct checking *k)
{
    struct pool *pool = pool_new(k->options->threads);
    unsigned threads = pool ? pool_threads(pool) : 0, made = 0;
    k->scratch = calloc(threads + 1, sizeof *k->scratch);
    while (k->scratch && made < threads && (k->scratch[made] = merge_scratch_new()))
        made++;
    bool ok = (pool && k->scratch && made == threads) ||
              err_set(k->e, ERR_MEMORY, "out of memory while a merge is computed again");
    ok = ok && run_in_waves(k, pool);
    for (size_t i = 0; ok && i < k->count; i++) {
        if (says_nothing(k, &k->tasks[i]))
            k->out->apart++;
        else
            add_outcome(k->out, &k->tasks[i]);
    }
    for (unsigned i = 0; i < made; i++)
        merge_scratch_free(k->scratch[i]);
    free(k->scratch);
    pool_free(pool);
    for (size_t i = 0; i < MERGE_MODELS; i++)
        if (k->out->told[i])
            k->out->density[i] /= (double)k->out->told[i];
    return ok;
}

static bool index_names(struct checking *k)
{
    for (size_t i = 0; i < k->p->model_count; i++) {
        const struct model *m = k->at_hand[i]->model;
        uint32_t before;
        if (!map_init(&k->names[i], k->a, m->tensor_count))
            return false;
        for (size_t t = 0; t < m->tensor_count && t < MAP_NONE; t++)
            if (!map_put(&k->names[i], m->tensors[t].name, (uint32_t)t, &before))
                return false;
    }
    return true;
}

static bool start(struct checking *k, size_t tensors)
{
    k->tasks = arena_array(k->a, tensors + 1, sizeof *k->tasks);
    return (k->tasks && index_names(k)) ||
           err_set(k->e, ERR_MEMORY, "out of memory while a merge is computed again");
}

bool merge_check(struct merge_result *out, const struct merge_plan *p, const struct lineage_base *m,
                 const struct lineage_base *const *at_hand, const struct diff_options *o,
                 struct arena *a, struct err *e)
{
    struct checking k = {
        .p = p, .m = m, .at_hand = at_hand, .options = o, .out = out, .a = a, .e = e};
    *out = (struct merge_result){.why = p->unclear, .least = INFINITY, .most = -INFINITY};
    for (size_t i = 0; i < p->model_count && !out->why; i++)
        if (!at_hand[i])
            out->why = arena_printf(a, "%s is not at hand", p->models[i]);
    if (out->why)
        return true;
    if (!start(&k, m->model->tensor_count))
        return false;
    for (size_t i = 0; i < m->model->tensor_count; i++) {
        if (make_task(&k, &k.tasks[k.count], &m->model->tensors[i]))
            k.count++;
        else
            out->apart++;
    }
    if (k.count && !run_all(&k))
        return false;
    if (out->tensors == 0)
        out->why = k.bad ? "a parameter is missing or of a form that is not followed here"
                         : "none of its tensors is one that the configuration makes";
    return true;
}
