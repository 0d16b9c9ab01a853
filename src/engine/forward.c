/*
 * The forward pass, one for all families: what a family leaves out is absent
 * from its weights, what it does otherwise is a trait. Each step is a function
 * of single rows, run over all rows of the batch.
 */
#include "engine/forward.h"

#include <string.h>

#include "assay/numerics.h"
#include "engine/adapter.h"

/* ---- memory --------------------------------------------------------------- */

static size_t qkv_size(const struct settings *c)
{
    return ((size_t)c->heads + 2 * (size_t)c->kv_heads) * c->head;
}

static size_t ffn_size(const struct settings *c)
{
    return (has(c, NO_GATE) ? 1 : 2) * (size_t)c->ffn;
}

static size_t widest_input(const struct settings *c)
{
    size_t n = c->width > c->ffn ? c->width : c->ffn, query = (size_t)c->heads * c->head;
    return n > query ? n : query;
}

/* Ranks of all adapters of the matrix that has most. */
static size_t widest_rank(const struct forward *f)
{
    size_t most = 0;
    for (uint32_t l = 0; l < f->c->layers; l++) {
        for (int s = 0; s < W_COUNT; s++) {
            size_t n = 0;
            for (const struct adapted *a = f->w->layers[l].w[s].adapted; a != NULL; a = a->next)
                n += a->a.rows;
            most = n > most ? n : most;
        }
    }
    return most;
}

static size_t scores_of(const struct settings *c)
{
    return (size_t)(c->heads / c->kv_heads) * c->context;
}

uint64_t forward_size(const struct settings *c, unsigned threads, uint32_t most)
{
    uint64_t row = 2 * (uint64_t)c->width + qkv_size(c) + (uint64_t)c->heads * c->head +
                   ffn_size(c) + 3 * widest_input(c) + 2 * (uint64_t)c->rope_dims;
    return (row * most + (uint64_t)threads * scores_of(c)) * sizeof(float);
}

static float *floats(struct forward *f, uint64_t rows, uint64_t cols)
{
    uint64_t n = 0;
    return size_mul(&n, rows, cols) ? arena_array(f->arena, n + 1, sizeof(float)) : NULL;
}

bool forward_new(struct forward *f, const struct settings *c, const struct weights *w,
                 struct team *team, uint32_t most, struct err *e)
{
    *f = (struct forward){.c = c, .w = w, .team = team, .most = most};
    f->arena = arena_new(SIZE_MAX / 2);
    if (f->arena == NULL)
        return err_set(e, ERR_MEMORY, "no memory");
    f->scores_size = scores_of(c);
    f->x = floats(f, most, c->width);
    f->y = floats(f, most, c->width);
    f->qkv = floats(f, most, qkv_size(c));
    f->att = floats(f, most, (uint64_t)c->heads * c->head);
    f->ffn = floats(f, most, ffn_size(c));
    f->scores = floats(f, team_threads(team), f->scores_size);
    size_t rank = widest_rank(f);
    f->high_size = rank ? qkv_size(c) + ffn_size(c) + c->width : 0;
    f->low = floats(f, most, rank);
    f->high = floats(f, most, f->high_size);
    bool ok = f->x && f->y && f->qkv && f->att && f->ffn && f->scores && f->low && f->high;
    for (int k = ACTIVATION_32; ok && k < ACTIVATION_KINDS; k++) {
        f->ready_size[k] = activation_size((enum activation)k, widest_input(c) + 255);
        f->ready[k] = arena_array(f->arena, most, f->ready_size[k]);
        ok = f->ready[k] != NULL;
    }
    if (!ok) {
        forward_free(f);
        return err_set(e, ERR_MEMORY, "no memory for %u rows of activations", most);
    }
    if (!rope_new(f, e)) {
        forward_free(f);
        return false;
    }
    return true;
}

void forward_free(struct forward *f)
{
    arena_free(f->arena);
    *f = (struct forward){0};
}

/* ---- steps ---------------------------------------------------------------- */

struct pass {
    struct forward *f;
    const struct row *rows;
    uint32_t n;
    const struct scale *norm;
    float *to;
};

/* A job for each row; a few rows are not worth waking anyone. */
static void each_row(struct pass *p, void (*job)(void *arg, uint32_t r, unsigned worker))
{
    if (p->n > 4) {
        team_run(p->f->team, p->n, job, p);
        return;
    }
    for (uint32_t r = 0; r < p->n; r++)
        job(p, r, 0);
}

static void normalise(const struct settings *c, const struct scale *s, const float *x, float *y)
{
    if (has(c, NORM_LAYER))
        numerics_layer_norm(y, x, s->w, s->b, c->width, c->eps);
    else
        numerics_rms_norm(y, x, s->w, c->width, c->eps);
}

static void embed(void *arg, uint32_t r, unsigned worker)
{
    const struct pass *p = arg;
    const struct settings *c = p->f->c;
    float *x = p->f->x + (size_t)r * c->width;
    (void)worker;
    matrix_row(x, &p->f->w->embedding.m, p->rows[r].token);
    if (c->embed_scale != 1.0f)
        numerics_scale(x, c->embed_scale, c->width);
    if (p->f->w->positions != NULL)
        numerics_add(x, p->f->w->positions + (size_t)p->rows[r].position * c->width, c->width);
}

/* y = norm(x), or x where the family has no norm here. */
static void before(void *arg, uint32_t r, unsigned worker)
{
    const struct pass *p = arg;
    size_t at = (size_t)r * p->f->c->width;
    (void)worker;
    if (p->norm->w != NULL)
        normalise(p->f->c, p->norm, p->f->x + at, p->f->y + at);
    else
        memcpy(p->f->y + at, p->f->x + at, p->f->c->width * sizeof(float));
}

/* x += scale * norm(y). */
static void after(void *arg, uint32_t r, unsigned worker)
{
    const struct pass *p = arg;
    const struct settings *c = p->f->c;
    float *x = p->f->x + (size_t)r * c->width, *y = p->f->y + (size_t)r * c->width;
    (void)worker;
    if (p->norm->w != NULL)
        normalise(c, p->norm, y, y);
    if (c->residual_scale != 1.0f)
        numerics_scale(y, c->residual_scale, c->width);
    numerics_add(x, y, c->width);
}

static void activate(void *arg, uint32_t r, unsigned worker)
{
    const struct pass *p = arg;
    const struct settings *c = p->f->c;
    float *gate = p->f->ffn + (size_t)r * ffn_size(c), *up = gate + c->ffn;
    (void)worker;
    if (has(c, NO_GATE))
        numerics_gelu(gate, c->ffn);
    else if (has(c, GELU))
        numerics_gelu_mul(gate, up, c->ffn);
    else
        numerics_silu_mul(gate, up, c->ffn);
}

static void attend(struct pass *p, uint32_t index)
{
    struct forward *f = p->f;
    const struct settings *c = f->c;
    const struct layer *l = &f->w->layers[index];
    size_t stride = qkv_size(c), query = (size_t)c->heads * c->head;
    p->norm = &l->n[N_ATTN];
    each_row(p, before);
    if (has(c, FUSED_QKV)) {
        const struct target all = {&l->w[W_QKV], f->qkv, stride};
        linear(f, f->y, c->width, p->n, &all, 1);
    } else {
        const struct target three[] = {
            {&l->w[W_Q], f->qkv, stride},
            {&l->w[W_K], f->qkv + query, stride},
            {&l->w[W_V], f->qkv + query + (size_t)c->kv_heads * c->head, stride}};
        linear(f, f->y, c->width, p->n, three, 3);
    }
    attention(f, p->rows, p->n, index);
    const struct target out = {&l->w[W_O], f->y, c->width};
    linear(f, f->att, query, p->n, &out, 1);
    p->norm = &l->n[N_POST_ATTN];
    each_row(p, after);
}

static void feed_forward(struct pass *p, uint32_t index)
{
    struct forward *f = p->f;
    const struct settings *c = f->c;
    const struct layer *l = &f->w->layers[index];
    size_t stride = ffn_size(c);
    p->norm = &l->n[N_FFN];
    each_row(p, before);
    if (has(c, FUSED_GATE_UP) || has(c, NO_GATE)) {
        const struct weight *w = &l->w[has(c, NO_GATE) ? W_UP : W_GATE_UP];
        const struct target one = {w, f->ffn, stride};
        linear(f, f->y, c->width, p->n, &one, 1);
    } else {
        const struct target two[] = {{&l->w[W_GATE], f->ffn, stride},
                                     {&l->w[W_UP], f->ffn + c->ffn, stride}};
        linear(f, f->y, c->width, p->n, two, 2);
    }
    each_row(p, activate);
    const struct target down = {&l->w[W_DOWN], f->y, c->width};
    linear(f, f->ffn, stride, p->n, &down, 1);
    p->norm = &l->n[N_POST_FFN];
    each_row(p, after);
}

void forward_rows(struct forward *f, const struct row *rows, uint32_t n)
{
    struct pass p = {.f = f, .rows = rows, .n = n};
    each_row(&p, embed);
    rope_angles(f, rows, n);
    for (uint32_t l = 0; l < f->c->layers; l++) {
        attend(&p, l);
        feed_forward(&p, l);
    }
}

void forward_final(const struct forward *f, uint32_t i, float *out)
{
    normalise(f->c, &f->w->final, f->x + (size_t)i * f->c->width, out);
}

void forward_logits(struct forward *f, const float *hidden, uint32_t n, float *logits)
{
    const struct settings *c = f->c;
    const struct target head = {&f->w->output, logits, c->vocabulary};
    linear(f, hidden, c->width, n, &head, 1);
    for (uint32_t r = 0; r < n; r++) {
        float *row = logits + (size_t)r * c->vocabulary;
        if (c->logit_scale != 1.0f)
            numerics_scale(row, c->logit_scale, c->vocabulary);
        if (c->final_cap > 0)
            numerics_softcap(row, c->final_cap, c->vocabulary);
    }
}
