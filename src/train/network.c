/* The tables of a network: which tensors there are, where they stand, how they begin. */
#include "train/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/numerics.h"
#include "train/random.h"

const char *const matrix_names[LAYER_MATRICES] = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

/* Parameters are listed twice: first to count floats, then to give them places. */
struct builder {
    struct network *n;
    const struct adapter_plan *plan;
    bool place;
    size_t count, trained, frozen;
};

static struct parameter *add(struct builder *b, const char *name, size_t rank, size_t rows,
                             size_t columns, bool trained)
{
    size_t floats = rows * columns, at = trained ? b->trained : b->frozen;
    struct parameter *p = b->place ? &b->n->parameters[b->count] : NULL;
    b->count++;
    *(trained ? &b->trained : &b->frozen) += floats;
    if (!p)
        return NULL;
    *p = (struct parameter){
        .rank = rank, .rows = rows, .columns = columns, .trained = trained, .decays = rank > 1};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->w = (trained ? b->n->w : b->n->frozen) + at;
    p->g = trained ? b->n->g + at : NULL;
    return p;
}

static void add_vector(struct builder *b, const char *name, size_t n, float **w, float **g)
{
    struct parameter *p = add(b, name, 1, 1, n, b->plan->rank == 0);
    if (p) {
        *w = p->w;
        *g = p->g;
    }
}

static void add_matrix(struct builder *b, const char *name, struct matrix *m)
{
    struct parameter *p = add(b, name, 2, m->rows, m->columns, b->plan->rank == 0);
    if (p) {
        m->w = p->w;
        m->g = p->g;
    }
}

static void size_matrices(const struct shape *s, struct layer *l)
{
    size_t q = s->heads * s->head, kv = s->kv_heads * s->head;
    const size_t sizes[LAYER_MATRICES][2] = {
        {q, s->width},      {kv, s->width},     {kv, s->width},    {s->width, q},
        {s->ffn, s->width}, {s->ffn, s->width}, {s->width, s->ffn}};
    for (size_t i = 0; i < LAYER_MATRICES; i++) {
        l->m[i].rows = sizes[i][0];
        l->m[i].columns = sizes[i][1];
    }
}

static void add_layer(struct builder *b, size_t i)
{
    struct layer *l = &b->n->layers[i];
    char name[NAME_ROOM];
    size_matrices(&b->n->shape, l);
    snprintf(name, sizeof name, "model.layers.%zu.input_layernorm.weight", i);
    add_vector(b, name, b->n->shape.width, &l->norm1, &l->norm1_g);
    for (size_t k = 0; k < LAYER_MATRICES; k++) {
        if (k == MATRIX_GATE) {
            snprintf(name, sizeof name, "model.layers.%zu.post_attention_layernorm.weight", i);
            add_vector(b, name, b->n->shape.width, &l->norm2, &l->norm2_g);
        }
        snprintf(name, sizeof name, "model.layers.%zu.%s.weight", i, matrix_names[k]);
        add_matrix(b, name, &l->m[k]);
    }
}

/* PEFT's names; its files leave out the adapter's own ("default"). */
static void add_adapter(struct builder *b, size_t i, size_t k)
{
    struct matrix *m = &b->n->layers[i].m[k];
    size_t rank = b->plan->rank;
    char name[NAME_ROOM];
    snprintf(name, sizeof name, "base_model.model.model.layers.%zu.%s.lora_A.weight", i,
             matrix_names[k]);
    struct parameter *pa = add(b, name, 2, rank, m->columns, true);
    snprintf(name, sizeof name, "base_model.model.model.layers.%zu.%s.lora_B.weight", i,
             matrix_names[k]);
    struct parameter *pb = add(b, name, 2, m->rows, rank, true);
    if (pa && pb)
        *m->adapter =
            (struct adapter_pair){pa->w, pb->w, pa->g, pb->g, rank, b->plan->alpha / (float)rank};
}

static void add_all(struct builder *b)
{
    struct network *n = b->n;
    struct matrix table = {.rows = n->shape.vocabulary, .columns = n->shape.width};
    b->count = b->trained = b->frozen = 0;
    add_matrix(b, "model.embed_tokens.weight", &table);
    n->embedding = table.w;
    n->embedding_g = table.g;
    for (size_t i = 0; i < n->shape.layers; i++)
        add_layer(b, i);
    add_vector(b, "model.norm.weight", n->shape.width, &n->norm, &n->norm_g);
    n->head = table;
    if (!n->shape.tied)
        add_matrix(b, "lm_head.weight", &n->head);
    n->base_count = b->count;
    for (size_t i = 0; b->plan->rank && i < n->shape.layers; i++)
        for (size_t k = 0; k < LAYER_MATRICES; k++)
            if (b->plan->target[k])
                add_adapter(b, i, k);
}

static float *block(struct arena *a, size_t floats)
{
    return arena_array(a, floats ? floats : 1, sizeof(float));
}

/* Angles in double: position * base^(-2 i / head). */
static void fill_rope(struct network *n)
{
    size_t half = n->shape.head / 2;
    for (size_t t = 0; t < n->shape.context; t++)
        for (size_t i = 0; i < half; i++) {
            double power = -2.0 * (double)i / (double)n->shape.head;
            double angle = (double)t * numerics_pow_double(n->shape.rope_base, power);
            float *at = n->rope + 2 * (t * half + i);
            at[0] = (float)numerics_cos_double(angle);
            at[1] = (float)numerics_sin_double(angle);
        }
}

/* Of a tied and trained embedding; none otherwise. */
static size_t lookup_floats(const struct network *n)
{
    bool apart = n->shape.tied && n->adapter_rank == 0;
    return apart ? n->shape.vocabulary * n->shape.width : 0;
}

static bool give_places(struct builder *b, struct arena *a)
{
    struct network *n = b->n;
    const struct shape *s = &n->shape;
    n->layers = arena_array(a, s->layers, sizeof *n->layers);
    if (!n->layers)
        return false;
    add_all(b);
    for (size_t i = 0; b->plan->rank && i < s->layers; i++)
        for (size_t k = 0; k < LAYER_MATRICES; k++)
            if (b->plan->target[k] &&
                !(n->layers[i].m[k].adapter = arena_alloc(a, sizeof(struct adapter_pair))))
                return false;
    n->count = b->count;
    n->trained = b->trained;
    n->adapter_rank = b->plan->rank;
    n->parameters = arena_array(a, b->count, sizeof *n->parameters);
    n->w = block(a, n->trained);
    n->g = block(a, n->trained);
    n->m = block(a, n->trained);
    n->v = block(a, n->trained);
    n->frozen = block(a, b->frozen);
    n->rope = block(a, s->context * s->head);
    n->lookup_g = block(a, lookup_floats(n));
    if (!n->parameters || !n->w || !n->g || !n->m || !n->v || !n->frozen || !n->rope ||
        !n->lookup_g)
        return false;
    b->place = true;
    add_all(b);
    return true;
}

bool network_new(struct network **out, const struct shape *s, const struct adapter_plan *p,
                 struct arena *a, struct err *e)
{
    struct network *n = arena_alloc(a, sizeof *n);
    struct builder b = {.n = n, .plan = p};
    *out = NULL;
    if (!n)
        return err_set(e, ERR_MEMORY, "out of memory for the network");
    n->shape = *s;
    if (!give_places(&b, a))
        return err_set(e, ERR_MEMORY, "out of memory for the network's weights");
    fill_rope(n);
    *out = n;
    return true;
}

static bool ends_branch(const char *name)
{
    return strstr(name, "o_proj.") || strstr(name, "down_proj.");
}

void network_begin(struct network *n, uint64_t seed)
{
    float deviation = sqrtf(2 / (5 * (float)n->shape.width));
    float less = 1 / sqrtf(2 * (float)n->shape.layers);
    for (size_t i = 0; i < n->base_count; i++) {
        struct parameter *p = &n->parameters[i];
        size_t floats = p->rows * p->columns;
        for (size_t j = 0; p->rank == 1 && j < floats; j++)
            p->w[j] = 1;
        if (p->rank > 1)
            random_normal(p->w, floats, seed, RANDOM_WEIGHTS, i,
                          ends_branch(p->name) ? deviation * less : deviation);
    }
}

/* As PEFT: a by Kaiming's even rule with sqrt(5), which is 1 / sqrt(columns); b is 0. */
void network_begin_adapter(struct network *n, uint64_t seed)
{
    for (size_t i = n->base_count; i < n->count; i++) {
        struct parameter *p = &n->parameters[i];
        if (strstr(p->name, "lora_A"))
            random_even(p->w, p->rows * p->columns, seed, RANDOM_ADAPTER, i,
                        1 / sqrtf((float)p->columns));
    }
}

void network_clear(struct network *n)
{
    memset(n->g, 0, n->trained * sizeof *n->g);
    memset(n->lookup_g, 0, lookup_floats(n) * sizeof *n->lookup_g);
}

void network_gather(struct network *n)
{
    if (lookup_floats(n))
        numerics_add(n->embedding_g, n->lookup_g, lookup_floats(n));
}

struct parameter *network_parameter(const struct network *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->parameters[i].name, name) == 0)
            return &n->parameters[i];
    return NULL;
}
