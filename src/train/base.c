/*
 * The model that is fine-tuned: a llama of any element type, GGUF or a Hugging
 * Face folder. Its weights are decoded to F32 once and stay frozen.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/inspect.h"
#include "train/names.h"
#include "train/run.h"

enum {
    BASE_MAX_LAYERS = 1024,
    BASE_MAX_WIDTH = 1 << 18,
    BASE_MAX_HEADS = 1024,
    BASE_MAX_VOCABULARY = 1 << 21
};
enum { RAW_MAX = 1 << 19 }; /* bytes at a time; a row of more is decoded in pieces */

static bool refuse(const struct train *t, struct err *e, const char *what)
{
    return err_at(e, ERR_UNSUPPORTED, t->base.model->path, ERR_NO_OFFSET,
                  "%s; models of the llama family without biases, experts or scaled positions can "
                  "be fine-tuned",
                  what);
}

static bool is_gguf(const struct model *m)
{
    return model_tensor(m, span_str("token_embd.weight")) != NULL;
}

static bool eps_of(const struct model *m, float *out)
{
    double v = 0;
    bool known = metadata_double(m, "llama.attention.layer_norm_rms_epsilon", &v) ||
                 json_double(json_get(m->documents[DOC_CONFIG].root, "rms_norm_eps"), &v);
    *out = (float)v;
    return known;
}

/* Before anything is counted or allocated by what the file says of itself. */
static bool within(const struct architecture *a)
{
    return a->layers <= BASE_MAX_LAYERS && a->width <= BASE_MAX_WIDTH && a->ffn <= BASE_MAX_WIDTH &&
           a->heads <= BASE_MAX_HEADS && a->kv_heads <= BASE_MAX_HEADS &&
           a->head_size <= BASE_MAX_WIDTH && a->vocabulary <= BASE_MAX_VOCABULARY;
}

static bool judge(const struct train *t, const struct architecture *a, struct err *e)
{
    const struct model *m = t->base.model;
    if (m->verdict.incomplete)
        return err_at(e, ERR_LIMIT, m->path, ERR_NO_OFFSET,
                      "could not be read whole; assay inspect says why");
    if (!a->family || strcmp(a->family, "llama") != 0)
        return refuse(t, e, "is not of the llama family");
    if (a->experts || a->rope.scaling.n || a->is_adapter)
        return refuse(t, e, "has experts or scaled positions, or is an adapter itself");
    if (!a->layers || !a->width || !a->ffn || !a->heads || !a->kv_heads || !a->head_size ||
        !a->vocabulary || !a->tied_known || a->head_size % 2 || a->heads % a->kv_heads ||
        !(a->rope.base > 0) || (a->rope.dimensions && a->rope.dimensions != a->head_size))
        return refuse(t, e, "does not say what its shape is");
    if (!within(a))
        return refuse(t, e, "says that it is larger than any that is trained here");
    return true;
}

static bool take_root(struct train *t, struct facts *facts, struct err *e)
{
    struct scan scan;
    struct identity id;
    struct scan_options o = {.digests = true, .threads = t->options.threads};
    if (!inspect_scan(&scan, t->base.model, &o, e) ||
        !inspect_identity(&id, t->base.model, facts, &scan, e))
        return false;
    t->base.tensor_root = id.tensor_root;
    t->base.has_root = id.has_tensor_root;
    return id.has_tensor_root || refuse(t, e, "has no tensor root");
}

bool base_open(struct train *t, struct shape *out, struct err *e)
{
    struct facts facts;
    const char *path = train_config_path(&t->config, t->config.base, t->arena);
    if (!path)
        return err_set(e, ERR_MEMORY, "out of memory for the base model");
    if (!model_read(&t->base.model, path, NULL, e) || !inspect_facts(&facts, t->base.model, e) ||
        !judge(t, &facts.architecture, e) || !take_root(t, &facts, e))
        return false;
    const struct architecture *a = &facts.architecture;
    *out = (struct shape){(size_t)a->layers,
                          (size_t)a->width,
                          (size_t)a->ffn,
                          (size_t)a->heads,
                          (size_t)a->kv_heads,
                          (size_t)a->head_size,
                          (size_t)a->vocabulary,
                          (size_t)t->config.steps.context,
                          0,
                          a->rope.base,
                          a->tied};
    t->base.name = arena_str(t->arena, facts.name.n ? facts.name : span_str(path));
    if (!eps_of(t->base.model, &out->eps))
        return refuse(t, e, "does not say its norms' epsilon");
    if (a->context && t->config.steps.context > a->context)
        return refuse(t, e, "has a shorter context than training.context asks for");
    return true;
}

/* ---- weights ---- */

/* `n` elements from element `at` on; both fill blocks. */
static bool decode(const struct model *m, const struct tensor *x, uint64_t at, size_t n, float *out,
                   uint8_t *raw, struct err *e)
{
    const struct dtype_info *d = &dtypes[x->dtype];
    const struct model_file *f = &m->files[x->data.file];
    size_t bytes = n / d->block * d->bytes;
    if (!source_read(f->source, raw, x->data.offset + at / d->block * d->bytes, bytes, e))
        return false;
    dtype_decode(x->dtype, raw, n / d->block, f->big_endian, out);
    return true;
}

static bool load_rows(const struct train *t, const struct tensor *x, struct parameter *p,
                      size_t head, uint8_t *raw, struct err *e)
{
    size_t most = (size_t)RAW_MAX / dtypes[x->dtype].bytes * dtypes[x->dtype].block; /* elements */
    for (size_t row = 0; row < p->rows; row++) {
        size_t from = head ? names_gguf_row(row, head) : row;
        for (size_t at = 0; at < p->columns; at += most) {
            size_t n = p->columns - at < most ? p->columns - at : most;
            if (!decode(t->base.model, x, (uint64_t)from * p->columns + at, n,
                        p->w + row * p->columns + at, raw, e))
                return false;
        }
    }
    return true;
}

/* Real numbers, in blocks or alone. */
static bool is_weight(enum dtype t)
{
    return t != DTYPE_NONE && t != DTYPE_C64 && t != DTYPE_C128 && dtypes[t].kind != DTYPE_INTEGER;
}

static bool load_parameter(struct train *t, struct parameter *p, bool *used, uint8_t *raw,
                           struct err *e)
{
    char name[NAME_ROOM];
    bool gguf = is_gguf(t->base.model);
    size_t floats = p->rows * p->columns, head = 0;
    if (gguf && !names_gguf(name, p->name))
        return refuse(t, e, "lacks a tensor");
    const struct tensor *x = model_tensor(t->base.model, span_str(gguf ? name : p->name));
    if (!x || x->elements != floats || !is_weight(x->dtype) ||
        p->columns % dtypes[x->dtype].block || x->rank != p->rank ||
        x->data.length != floats / dtypes[x->dtype].block * dtypes[x->dtype].bytes)
        return err_at(e, ERR_FORMAT, t->base.model->path, x ? x->entry.offset : ERR_NO_OFFSET,
                      "lacks the tensor \"%s\" of real numbers, or has it in another shape",
                      gguf ? name : p->name);
    if (gguf && names_heads(&t->network->shape, p->name))
        head = t->network->shape.head;
    used[x - t->base.model->tensors] = true;
    return load_rows(t, x, p, head, raw, e);
}

/* Tables that follow from the configuration, and a head that the embedding serves as. */
static bool is_derived(const struct train *t, struct span name)
{
    return span_ends(name, ".rotary_emb.inv_freq") ||
           (t->network->shape.tied &&
            (span_is(name, "lm_head.weight") || span_is(name, "output.weight")));
}

/* A tensor that the network has no place for (a bias, say) would be left out in silence. */
static bool nothing_left(const struct train *t, const bool *used, struct err *e)
{
    const struct model *m = t->base.model;
    char shown[160];
    for (size_t i = 0; i < m->tensor_count; i++)
        if (!used[i] && !is_derived(t, m->tensors[i].name))
            return refuse(t, e,
                          arena_printf(t->arena, "has the tensor \"%s\", which has no place here",
                                       text_shown(shown, sizeof shown, m->tensors[i].name)));
    return true;
}

bool base_load(struct train *t, struct err *e)
{
    uint8_t *raw = malloc(RAW_MAX);
    bool *used = arena_array(t->arena, t->base.model->tensor_count, sizeof *used);
    bool ok = (raw && used) || err_set(e, ERR_MEMORY, "out of memory for the base model's weights");
    for (size_t i = 0; ok && i < t->network->base_count; i++)
        ok = load_parameter(t, &t->network->parameters[i], used, raw, e);
    free(raw);
    ok = ok && nothing_left(t, used, e);
    for (size_t i = 0; ok && i < t->base.model->file_count; i++)
        if (t->base.model->files[i].source)
            ok = source_unchanged(t->base.model->files[i].source, e);
    return ok;
}
