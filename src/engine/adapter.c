/*
 * LoRA adapters, as PEFT folders and GGUF files write them. Every tensor must
 * find its matrix and its other half; one that does not is refused by name,
 * because an adapter applied in part is another model.
 */
#include "engine/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

/* Where GGUF and PEFT name the matrices of a layer. */
static const struct {
    enum weight_slot slot;
    const char *gguf, *hf;
} names[] = {
    {W_Q, "attn_q", "self_attn.q_proj"},      {W_K, "attn_k", "self_attn.k_proj"},
    {W_V, "attn_v", "self_attn.v_proj"},      {W_QKV, "attn_qkv", "self_attn.qkv_proj"},
    {W_O, "attn_output", "self_attn.o_proj"}, {W_GATE, "ffn_gate", "mlp.gate_proj"},
    {W_UP, "ffn_up", "mlp.up_proj"},          {W_GATE_UP, "ffn_up", "mlp.gate_up_proj"},
    {W_DOWN, "ffn_down", "mlp.down_proj"},
};

struct reading {
    struct weights *w;
    const struct settings *c;
    struct model *m;
    struct facts facts;
    struct digest *digests;
    bool *taken;
    bool gguf, root; /* root: alpha / sqrt(rank) */
    double scale;
    size_t pairs;
    struct err *e;
};

static bool refuse(const struct reading *r, const struct tensor *t, const char *why)
{
    char shown[128];
    return err_at(r->e, ERR_UNSUPPORTED, r->m->files[t->entry.file].name, t->entry.offset,
                  "adapter tensor \"%s\" %s", text_shown(shown, sizeof shown, t->name), why);
}

static const struct tensor *half_of(const struct reading *r, uint32_t layer, size_t name, bool b)
{
    static const char *const prefixes[] = {"base_model.model.model.", "base_model.model.", "model.",
                                           ""};
    char want[160];
    if (r->gguf) {
        (void)snprintf(want, sizeof want, "blk.%u.%s.weight.lora_%c", layer, names[name].gguf,
                       b ? 'b' : 'a');
        return model_tensor(r->m, span_str(want));
    }
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        (void)snprintf(want, sizeof want, "%slayers.%u.%s.lora_%c.weight", prefixes[p], layer,
                       names[name].hf, b ? 'B' : 'A');
        const struct tensor *t = model_tensor(r->m, span_str(want));
        if (t != NULL)
            return t;
    }
    return NULL;
}

/* A tensor's bytes into memory of their own, digested; all its numbers finite. */
static bool read_half(struct reading *r, const struct tensor *t, struct matrix *out)
{
    size_t i = (size_t)(t - r->m->tensors);
    uint64_t bytes = 0;
    if (t->rank != 2 || (t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16))
        return refuse(r, t, "is no matrix of F32, F16 or BF16");
    if (!dtype_size(t->dtype, t->elements, &bytes) || bytes != t->data.length)
        return refuse(r, t, "is not whole");
    uint8_t *p = arena_array(r->w->arena, bytes, 1);
    if (p == NULL)
        return err_set(r->e, ERR_MEMORY, "no memory for the adapter");
    if (!source_read(r->m->files[t->data.file].source, p, t->data.offset, (size_t)bytes, r->e))
        return false;
    if (!matrix_finite(t->dtype, p, (size_t)t->elements))
        return refuse(r, t, "holds weights that are not finite numbers");
    r->digests[i] = sha256_of((struct span){p, (size_t)bytes});
    r->taken[i] = true;
    *out = (struct matrix){.type = t->dtype,
                           .rows = (size_t)t->shape[0],
                           .cols = (size_t)t->shape[1],
                           .row_bytes = (size_t)t->shape[1] * dtypes[t->dtype].bytes,
                           .data = p};
    return true;
}

/* Rows of q and k stand in other orders in GGUF and Hugging Face where rotations pair neighbours. */
static bool reorder(struct reading *r, struct matrix *b, bool to_gguf)
{
    size_t head = r->c->head, half = head / 2;
    uint8_t *p = arena_array(r->w->arena, b->rows, b->row_bytes);
    if (p == NULL)
        return err_set(r->e, ERR_MEMORY, "no memory for the adapter");
    for (size_t row = 0; row < b->rows; row++) {
        size_t h = row / head * head, i = row % head;
        size_t pairs = h + (i % half) * 2 + i / half; /* where GGUF has HF's row i of a head */
        size_t from = to_gguf ? row : pairs, to = to_gguf ? pairs : row;
        memcpy(p + to * b->row_bytes, b->data + from * b->row_bytes, b->row_bytes);
    }
    b->data = p;
    return true;
}

static bool add_pair(struct reading *r, uint32_t layer, size_t name, const struct tensor *a,
                     const struct tensor *b)
{
    struct weight *w = &r->w->layers[layer].w[names[name].slot];
    struct adapted *new = arena_alloc(r->w->arena, sizeof *new);
    if (new == NULL)
        return err_set(r->e, ERR_MEMORY, "no memory for the adapter");
    if (!read_half(r, a, &new->a) || !read_half(r, b, &new->b))
        return false;
    size_t rank = new->a.rows;
    if (new->a.cols != w->m.cols || new->b.rows != w->m.rows || new->b.cols != rank || rank == 0 ||
        rank > ADAPTER_MAX_RANK)
        return refuse(r, b, "does not fit the model's matrix");
    bool turned = names[name].slot == W_Q || names[name].slot == W_K;
    if (turned && has(r->c, ROPE_PAIRS) && r->gguf != r->c->gguf &&
        !reorder(r, &new->b, r->c->gguf))
        return false;
    double alpha = r->facts.architecture.adapter.alpha;
    alpha = alpha > 0 ? alpha : (double)rank;
    new->scale = (float)(r->scale * alpha / (r->root ? sqrt((double)rank) : (double)rank));
    struct adapted **end = &w->adapted; /* after those given before */
    while (*end != NULL)
        end = &(*end)->next;
    *end = new;
    r->pairs++;
    return true;
}

static bool add_all(struct reading *r)
{
    for (uint32_t l = 0; l < r->c->layers; l++) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (r->w->layers[l].w[names[i].slot].m.rows == 0)
                continue;
            const struct tensor *a = half_of(r, l, i, false), *b = half_of(r, l, i, true);
            const struct tensor *one = a != NULL ? a : b;
            if (one == NULL)
                continue;
            if (a == NULL || b == NULL)
                return refuse(r, one, "has no other half");
            if (!add_pair(r, l, i, a, b))
                return false;
        }
    }
    for (size_t i = 0; i < r->m->tensor_count; i++) {
        if (!r->taken[i])
            return refuse(r, &r->m->tensors[i], "has no place in this model");
    }
    return r->pairs > 0 || err_set(r->e, ERR_FORMAT, "the adapter holds no tensors");
}

static bool read_adapter(struct reading *r, const char *path)
{
    if (!model_read(&r->m, path, NULL, r->e))
        return false;
    if (r->m->tensor_count == 0 || r->m->verdict.incomplete)
        return err_set(r->e, ERR_FORMAT, "the adapter could not be read whole");
    if (!inspect_facts(&r->facts, r->m, r->e))
        return false;
    const struct tensor *first = &r->m->tensors[0];
    struct json config = r->m->documents[DOC_ADAPTER_CONFIG].root;
    r->gguf = r->m->files[first->data.file].format == FORMAT_GGUF;
    (void)json_bool(json_get(config, "use_rslora"), &r->root);
    r->digests = arena_array(r->m->arena, r->m->tensor_count, sizeof *r->digests);
    r->taken = arena_array(r->m->arena, r->m->tensor_count, sizeof *r->taken);
    return (r->digests != NULL && r->taken != NULL) ||
           err_set(r->e, ERR_MEMORY, "no memory for the adapter");
}

bool adapter_load(struct weights *w, const struct settings *c, const struct engine_adapter *from,
                  struct engine_applied *applied, struct err *e)
{
    struct reading r = {.w = w, .c = c, .scale = from->scale, .e = e};
    struct identity id = {0};
    if (!isfinite(from->scale))
        return err_set(e, ERR_USAGE, "an adapter's scale must be a number");
    bool ok = read_adapter(&r, from->path) && add_all(&r) &&
              weights_identity(&id, r.m, &r.facts, r.digests, e);
    *applied = (struct engine_applied){id.tensor_root, from->scale};
    if (!ok)
        err_in_file(e, from->path);
    model_free(r.m);
    return ok;
}
