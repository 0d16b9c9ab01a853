/*
 * The table of tensors: names in GGUF and in Hugging Face's folders, shapes,
 * and which families have them. A tensor that stands in no row is refused,
 * because leaving it out would compute another model.
 */
#include "engine/parts.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum dim { NONE, WIDTH, QUERY, KEYS, QKV, FFN, FFN2, WORDS, PLACES, HEAD, HALF_ROTATED };

enum where { GLOBAL_MATRIX, GLOBAL_VECTOR, LAYER_MATRIX, LAYER_NORM };

enum { OPTIONAL = 1, BIAS_OPTIONAL = 2, NORM_BIAS = 4 };

struct part {
    enum where where;
    uint32_t place; /* slot or norm of a layer; offset in struct weights */
    const char *gguf, *hf, *gpt2;
    enum dim rows, cols; /* cols NONE: a vector */
    unsigned need, unless;
    unsigned flags;
};

#define G(member) ((uint32_t)offsetof(struct weights, member))

static const struct part parts[] = {
    {GLOBAL_MATRIX, G(embedding), "token_embd", "model.embed_tokens", "wte", WORDS, WIDTH, 0, 0, 0},
    {GLOBAL_MATRIX, G(output), "output", "lm_head", "lm_head", WORDS, WIDTH, 0, 0, OPTIONAL},
    {GLOBAL_VECTOR, G(positions), "position_embd", NULL, "wpe", PLACES, WIDTH, ROPE_NONE, 0, 0},
    {GLOBAL_VECTOR, G(final.w), "output_norm", "model.norm", "ln_f", WIDTH, NONE, 0, 0, NORM_BIAS},
    {GLOBAL_VECTOR, G(rope_factors), "rope_freqs", NULL, NULL, HALF_ROTATED, NONE, 0, 0, OPTIONAL},
    {GLOBAL_VECTOR, G(rope_long), "rope_factors_long", NULL, NULL, HALF_ROTATED, NONE, FACTORS, 0,
     OPTIONAL},
    {GLOBAL_VECTOR, G(rope_short), "rope_factors_short", NULL, NULL, HALF_ROTATED, NONE, FACTORS, 0,
     OPTIONAL},
    {LAYER_NORM, N_ATTN, "attn_norm", "input_layernorm", "ln_1", WIDTH, NONE, NORM_BEFORE, 0, 0},
    {LAYER_MATRIX, W_Q, "attn_q", "self_attn.q_proj", NULL, QUERY, WIDTH, 0, FUSED_QKV,
     BIAS_OPTIONAL},
    {LAYER_MATRIX, W_K, "attn_k", "self_attn.k_proj", NULL, KEYS, WIDTH, 0, FUSED_QKV,
     BIAS_OPTIONAL},
    {LAYER_MATRIX, W_V, "attn_v", "self_attn.v_proj", NULL, KEYS, WIDTH, 0, FUSED_QKV,
     BIAS_OPTIONAL},
    {LAYER_MATRIX, W_QKV, "attn_qkv", "self_attn.qkv_proj", "attn.c_attn", QKV, WIDTH, FUSED_QKV, 0,
     BIAS_OPTIONAL},
    {LAYER_NORM, N_Q, "attn_q_norm", "self_attn.q_norm", NULL, HEAD, NONE, QK_NORM_HEAD, 0, 0},
    {LAYER_NORM, N_K, "attn_k_norm", "self_attn.k_norm", NULL, HEAD, NONE, QK_NORM_HEAD, 0, 0},
    {LAYER_NORM, N_Q, "attn_q_norm", "self_attn.q_norm", NULL, QUERY, NONE, QK_NORM_WHOLE, 0, 0},
    {LAYER_NORM, N_K, "attn_k_norm", "self_attn.k_norm", NULL, KEYS, NONE, QK_NORM_WHOLE, 0, 0},
    {LAYER_MATRIX, W_O, "attn_output", "self_attn.o_proj", "attn.c_proj", WIDTH, QUERY, 0, 0,
     BIAS_OPTIONAL},
    {LAYER_NORM, N_POST_ATTN, "post_attention_norm", "post_attention_layernorm", NULL, WIDTH, NONE,
     NORM_AFTER, 0, 0},
    {LAYER_NORM, N_FFN, "ffn_norm", "post_attention_layernorm", "ln_2", WIDTH, NONE, NORM_BEFORE,
     NORM_AFTER, 0},
    {LAYER_NORM, N_FFN, "ffn_norm", "pre_feedforward_layernorm", NULL, WIDTH, NONE,
     NORM_BEFORE | NORM_AFTER, 0, 0},
    {LAYER_MATRIX, W_GATE, "ffn_gate", "mlp.gate_proj", NULL, FFN, WIDTH, 0,
     FUSED_GATE_UP | NO_GATE, BIAS_OPTIONAL},
    {LAYER_MATRIX, W_UP, "ffn_up", "mlp.up_proj", "mlp.c_fc", FFN, WIDTH, 0, FUSED_GATE_UP,
     BIAS_OPTIONAL},
    {LAYER_MATRIX, W_GATE_UP, "ffn_up", "mlp.gate_up_proj", NULL, FFN2, WIDTH, FUSED_GATE_UP, 0,
     BIAS_OPTIONAL},
    {LAYER_MATRIX, W_DOWN, "ffn_down", "mlp.down_proj", "mlp.c_proj", WIDTH, FFN, 0, 0,
     BIAS_OPTIONAL},
    {LAYER_NORM, N_POST_FFN, "post_ffw_norm", "post_feedforward_layernorm", NULL, WIDTH, NONE,
     NORM_AFTER, 0, 0},
};

/* Tensors that hold constants of the program that wrote them. */
static const char *const constants[] = {"rotary_emb.inv_freq", "attn.bias", "attn.masked_bias"};

struct search {
    const struct model *m;
    struct settings *c;
    struct weights *w;
    struct items *items;
    bool *taken; /* by tensor */
    struct err *e;
};

static uint64_t dim_of(const struct settings *c, enum dim d)
{
    const uint64_t query = (uint64_t)c->heads * c->head, keys = (uint64_t)c->kv_heads * c->head;
    switch (d) {
    case NONE:
        return 0;
    case WIDTH:
        return c->width;
    case QUERY:
        return query;
    case KEYS:
        return keys;
    case QKV:
        return query + 2 * keys;
    case FFN:
        return c->ffn;
    case FFN2:
        return 2 * (uint64_t)c->ffn;
    case WORDS:
        return c->vocabulary;
    case PLACES:
        return c->trained_context;
    case HEAD:
        return c->head;
    case HALF_ROTATED:
        return c->rope_dims / 2;
    }
    return 0;
}

static const struct tensor *named(const struct search *s, const struct part *p, uint32_t layer,
                                  const char *ending, char name[128])
{
    static const char *const prefixes[] = {"", "transformer."};
    bool in_layer = p->where >= LAYER_MATRIX;
    bool gpt2 = has(s->c, TRANSPOSED);
    const char *base = s->c->gguf ? p->gguf : gpt2 ? p->gpt2 : p->hf;
    const char *group = s->c->gguf ? "blk" : gpt2 ? "h" : "model.layers";
    name[0] = '\0';
    for (size_t i = 0; base != NULL && i < (gpt2 && !s->c->gguf ? 2 : 1); i++) {
        if (in_layer)
            (void)snprintf(name, 128, "%s%s.%u.%s.%s", prefixes[i], group, layer, base, ending);
        else
            (void)snprintf(name, 128, "%s%s.%s", prefixes[i], base, ending);
        const struct tensor *t = model_tensor(s->m, span_str(name));
        if (t != NULL)
            return t;
    }
    return NULL;
}

static bool shape_is(const struct search *s, const struct tensor *t, uint64_t rows, uint64_t cols)
{
    bool ok = cols == 0 ? t->rank == 1 && t->shape[0] == rows
                        : t->rank == 2 && t->shape[0] == rows && t->shape[1] == cols;
    if (ok)
        return true;
    char shown[96];
    return err_at(s->e, ERR_FORMAT, s->m->files[t->entry.file].name, t->entry.offset,
                  "tensor \"%s\" is %llu x %llu (rank %u); the model's numbers demand %llu x %llu",
                  text_shown(shown, sizeof shown, t->name), (unsigned long long)t->shape[0],
                  (unsigned long long)(t->rank > 1 ? t->shape[1] : 1), t->rank,
                  (unsigned long long)rows, (unsigned long long)(cols ? cols : 1));
}

static bool type_is_known(const struct search *s, const struct tensor *t, bool product)
{
    char shown[96];
    if (t->dtype == DTYPE_NONE || (product && !matrix_supports(t->dtype)))
        return err_at(s->e, ERR_UNSUPPORTED, s->m->files[t->entry.file].name, t->entry.offset,
                      "tensor \"%s\" is %s: products of this element type are not computed",
                      text_shown(shown, sizeof shown, t->name), dtype_name(t->dtype));
    return true;
}

static struct item *take(struct search *s, const struct tensor *t)
{
    size_t i = (size_t)(t - s->m->tensors);
    s->taken[i] = true;
    s->items->all[i] = (struct item){.tensor = (uint32_t)i};
    return &s->items->all[i];
}

static bool take_matrix(struct search *s, const struct part *p, const struct tensor *t,
                        struct weight *w)
{
    uint64_t rows = dim_of(s->c, p->rows), cols = dim_of(s->c, p->cols);
    bool turned = has(s->c, TRANSPOSED) && !s->c->gguf && p->where == LAYER_MATRIX;
    if (!type_is_known(s, t, p->place != G(embedding)) ||
        !shape_is(s, t, turned ? cols : rows, turned ? rows : cols))
        return false;
    struct item *item = take(s, t);
    w->m = (struct matrix){.type = t->dtype, .rows = (size_t)rows, .cols = (size_t)cols};
    w->m.row_bytes = (size_t)cols / dtypes[t->dtype].block * dtypes[t->dtype].bytes;
    item->matrix = &w->m;
    item->transposed = turned;
    item->packed = true;
    return true;
}

static bool take_vector(struct search *s, const struct part *p, const struct tensor *t,
                        const float **out, bool norm)
{
    if (!type_is_known(s, t, false) ||
        !shape_is(s, t, dim_of(s->c, p->rows), dim_of(s->c, p->cols)))
        return false;
    struct item *item = take(s, t);
    item->vector = out;
    item->plus_one = norm && has(s->c, NORM_PLUS_ONE) && !s->c->gguf;
    return true;
}

static bool missing(const struct search *s, const char *name)
{
    return err_set(s->e, ERR_FORMAT, "tensor \"%s\" is missing: a %s model cannot run without it",
                   name, s->c->family->name);
}

static bool bias_is_due(const struct search *s, const struct part *p)
{
    return has(s->c, BIAS_ALL) ||
           (has(s->c, BIAS_QKV) && p->place <= W_V && p->where == LAYER_MATRIX);
}

/* A matrix's or a norm's ".bias". */
static bool find_bias(struct search *s, const struct part *p, uint32_t layer, const float **out)
{
    char name[128];
    struct part flat = *p;
    flat.cols = NONE;
    const struct tensor *t = named(s, p, layer, "bias", name);
    if (t == NULL)
        return !bias_is_due(s, p) || missing(s, name);
    return take_vector(s, &flat, t, out, false);
}

static bool find_part(struct search *s, const struct part *p, uint32_t layer)
{
    char name[128];
    struct layer *l = &s->w->layers[layer];
    uint8_t *global = (uint8_t *)s->w + p->place;
    const struct tensor *t = named(s, p, layer, "weight", name);
    if (t == NULL)
        return (p->flags & OPTIONAL) || missing(s, name);
    if (p->where == LAYER_MATRIX)
        return take_matrix(s, p, t, &l->w[p->place]) &&
               find_bias(s, p, layer, &l->w[p->place].bias);
    if (p->where == LAYER_NORM)
        return take_vector(s, p, t, &l->n[p->place].w, true) &&
               (!has(s->c, NORM_LAYER) || find_bias(s, p, layer, &l->n[p->place].b));
    if (p->where == GLOBAL_MATRIX)
        return take_matrix(s, p, t, (struct weight *)(void *)global);
    bool final = p->place == G(final.w);
    return take_vector(s, p, t, (const float **)(void *)global, final) &&
           (!final || !has(s->c, NORM_LAYER) || find_bias(s, p, 0, &s->w->final.b));
}

/* The embedding has as many rows as there are ids, whatever a tokenizer or a config says. */
static void count_words(struct search *s)
{
    char name[128];
    const struct tensor *t = named(s, &parts[0], 0, "weight", name);
    if (t != NULL && t->rank == 2 && t->shape[0] > 0 && t->shape[0] <= 1 << 22)
        s->c->vocabulary = (uint32_t)t->shape[0];
}

static bool all_known(struct search *s)
{
    char shown[96];
    for (size_t i = 0; i < s->m->tensor_count; i++) {
        const struct tensor *t = &s->m->tensors[i];
        bool constant = false;
        for (size_t k = 0; k < sizeof constants / sizeof *constants; k++) {
            size_t n = strlen(constants[k]);
            constant |= t->name.n > n && memcmp(t->name.p + t->name.n - n, constants[k], n) == 0;
        }
        if (s->taken[i])
            continue;
        if (!constant)
            return err_at(s->e, ERR_UNSUPPORTED, s->m->files[t->entry.file].name, t->entry.offset,
                          "tensor \"%s\" has no place in a %s model as this engine computes it",
                          text_shown(shown, sizeof shown, t->name), s->c->family->name);
        (void)take(s, t);
    }
    return true;
}

static bool find_all(struct search *s)
{
    count_words(s);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct part *p = &parts[i];
        if (!has(s->c, p->need) && p->need != 0)
            continue;
        if ((s->c->family->traits & p->need) != p->need || has(s->c, p->unless))
            continue;
        uint32_t layers = p->where >= LAYER_MATRIX ? s->c->layers : 1;
        for (uint32_t l = 0; l < layers; l++) {
            if (!find_part(s, p, l))
                return false;
        }
    }
    return all_known(s);
}

bool parts_find(struct items *out, struct weights *w, const struct model *m, struct settings *c,
                struct err *e)
{
    struct search s = {m, c, w, out, NULL, e};
    out->count = m->tensor_count;
    out->all = arena_array(w->arena, m->tensor_count, sizeof *out->all);
    s.taken = arena_array(w->arena, m->tensor_count, sizeof *s.taken);
    w->layers = arena_array(w->arena, c->layers, sizeof *w->layers);
    if (out->all == NULL || s.taken == NULL || w->layers == NULL)
        return err_set(e, ERR_MEMORY, "no memory for the tables of a model of %u layers",
                       c->layers);
    if (!find_all(&s))
        return false;
    /* Phi 3's files name no scaling: that there are factors for long contexts says it. */
    for (size_t i = 0; i < out->count && c->scaling == ROPE_PLAIN; i++) {
        if (out->all[i].vector == &w->rope_long)
            c->scaling = ROPE_LONG;
    }
    if (c->tied || w->output.m.rows == 0) {
        /* A stored copy of the shared matrix is digested and not kept. */
        for (size_t i = 0; i < out->count; i++) {
            if (out->all[i].matrix == &w->output.m)
                out->all[i].matrix = NULL;
        }
        w->output.m.rows = 0;
        c->tied = true;
        if (!matrix_supports(w->embedding.m.type))
            return err_set(e, ERR_UNSUPPORTED,
                           "the output head is %s: products of this element type are not computed",
                           dtype_name(w->embedding.m.type));
    } else {
        for (size_t i = 0; i < out->count; i++)
            out->all[i].packed &= out->all[i].matrix != &w->embedding.m;
    }
    return true;
}
