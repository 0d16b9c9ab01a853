/*
 * Forward, loss and backward of one micro-batch. The head and its loss go by
 * HEAD_ROWS positions at a time, so that logits of a large vocabulary never
 * stand in memory for the whole batch.
 */
#include "train/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assay/numerics.h"

/* ---- memory ---- */

/* Sizes of the buffers in the order in which `lay_out` gives them places. */
static size_t lay_out(struct activations *a, const struct network *n, float *memory)
{
    const struct shape *s = &n->shape;
    size_t q = s->heads * s->head, kv = s->kv_heads * s->head, r = a->rows, at = 0;
    size_t wide = q > s->width ? q : s->width, rank = n->adapter_rank;
#define PLACE(field, floats)                                                                       \
    do {                                                                                           \
        if (memory)                                                                                \
            (field) = memory + at;                                                                 \
        at += ((floats) + 15) / 16 * 16;                                                           \
    } while (0)
    for (size_t i = 0; i < s->layers; i++) {
        struct kept *l = &a->layers[i];
        PLACE(l->x, r * s->width);
        PLACE(l->middle, r * s->width);
        PLACE(l->q, r * q);
        PLACE(l->k, r * kv);
        PLACE(l->v, r * kv);
        PLACE(l->o, r * q);
        PLACE(l->gate, r * s->ffn);
        PLACE(l->up, r * s->ffn);
    }
    PLACE(a->x, r * s->width);
    PLACE(a->wide1, r * wide);
    PLACE(a->wide2, r * wide);
    PLACE(a->wide3, r * wide);
    PLACE(a->ffn, r * s->ffn);
    PLACE(a->dffn, r * s->ffn);
    PLACE(a->dq, r * q);
    PLACE(a->dk, r * kv);
    PLACE(a->dv, r * kv);
    PLACE(a->small1, r * rank);
    PLACE(a->small2, r * rank);
    PLACE(a->logits, HEAD_ROWS * s->vocabulary);
    PLACE(a->scores, (size_t)a->workers * 2 * ATTENTION_ROWS * s->context);
#undef PLACE
    return at;
}

bool activations_new(struct activations **out, const struct network *n, size_t rows,
                     unsigned workers, struct err *e)
{
    struct activations *a = calloc(1, sizeof *a);
    *out = a;
    if (a) {
        a->rows = rows;
        a->workers = workers;
        a->layers = calloc(n->shape.layers, sizeof *a->layers);
        a->losses = calloc(HEAD_ROWS, sizeof *a->losses);
        if (a->layers)
            a->memory = malloc(lay_out(a, n, NULL) * sizeof(float));
    }
    if (a && a->memory && a->losses) {
        lay_out(a, n, a->memory);
        return true;
    }
    activations_free(a);
    *out = NULL;
    return err_set(e, ERR_MEMORY, "out of memory for micro-batches of %zu positions", rows);
}

void activations_free(struct activations *a)
{
    if (!a)
        return;
    free(a->layers);
    free(a->losses);
    free(a->memory);
    free(a);
}

/* ---- forward ---- */

static void embed(const struct pass *p)
{
    size_t width = p->n->shape.width;
    float *x = p->n->shape.layers ? p->a->layers[0].x : p->a->x;
    for (size_t r = 0; r < p->rows; r++)
        memcpy(x + r * width, p->n->embedding + (size_t)p->b->tokens[r] * width, width * sizeof *x);
}

struct two {
    float *a;
    const float *b, *c;
    size_t width;
};

static void add_some(void *arg, size_t from, size_t to)
{
    const struct two *t = arg;
    numerics_add(t->a + from * t->width, t->b + from * t->width, (to - from) * t->width);
}

static void add_rows(const struct pass *p, float *a, const float *b)
{
    struct two t = {a, b, NULL, p->n->shape.width};
    pass_rows(p, add_some, &t);
}

static void silu_some(void *arg, size_t from, size_t to)
{
    const struct two *t = arg;
    size_t at = from * t->width, n = (to - from) * t->width;
    memcpy(t->a + at, t->b + at, n * sizeof *t->a);
    numerics_silu_mul(t->a + at, t->c + at, n);
}

static void activate(const struct pass *p, const struct kept *l)
{
    struct two t = {p->a->ffn, l->gate, l->up, p->n->shape.ffn};
    pass_rows(p, silu_some, &t);
}

static void layer_forward(const struct pass *p, const struct layer *w, struct kept *l, float *out)
{
    const struct shape *s = &p->n->shape;
    struct activations *a = p->a;
    pass_norm(p, l->x, w->norm1, a->wide1);
    pass_linear(p, &w->m[MATRIX_Q], a->wide1, l->q);
    pass_linear(p, &w->m[MATRIX_K], a->wide1, l->k);
    pass_linear(p, &w->m[MATRIX_V], a->wide1, l->v);
    pass_rotate(p, l->q, s->heads, false);
    pass_rotate(p, l->k, s->kv_heads, false);
    pass_attention(p, l);
    pass_linear(p, &w->m[MATRIX_O], l->o, l->middle);
    add_rows(p, l->middle, l->x);
    pass_norm(p, l->middle, w->norm2, a->wide1);
    pass_linear(p, &w->m[MATRIX_GATE], a->wide1, l->gate);
    pass_linear(p, &w->m[MATRIX_UP], a->wide1, l->up);
    activate(p, l);
    pass_linear(p, &w->m[MATRIX_DOWN], a->ffn, out);
    add_rows(p, out, l->middle);
}

static void forward(const struct pass *p)
{
    const struct network *n = p->n;
    embed(p);
    for (size_t i = 0; i < n->shape.layers; i++) {
        float *out = i + 1 < n->shape.layers ? p->a->layers[i + 1].x : p->a->x;
        layer_forward(p, &n->layers[i], &p->a->layers[i], out);
    }
    pass_norm(p, p->a->x, n->norm, p->a->wide1);
}

/* ---- the head and its loss ---- */

struct loss_job {
    const struct pass *p;
    size_t first;
    float weight;
};

/* The loss of each row; with a weight, its logits become their gradients. */
static void loss_some(void *arg, size_t from, size_t to)
{
    const struct loss_job *j = arg;
    size_t vocabulary = j->p->n->shape.vocabulary;
    for (size_t i = from; i < to; i++) {
        size_t r = j->first + i, target = j->p->b->targets[r];
        float *z = j->p->a->logits + i * vocabulary, sum;
        if (!j->p->b->counts[r]) {
            j->p->a->losses[i] = 0;
            memset(z, 0, vocabulary * sizeof *z);
            continue;
        }
        float wanted = z[target], most = numerics_softmax(z, vocabulary, &sum);
        j->p->a->losses[i] = (double)(numerics_log(sum) - (wanted - most));
        numerics_scale(z, j->weight, vocabulary);
        z[target] -= j->weight;
    }
}

/* Rows first.. of the normed output (wide1): loss, and gradients into wide2. */
static bool head_rows(const struct pass *p, size_t first, float weight, double *loss, size_t *bad)
{
    size_t width = p->n->shape.width;
    struct pass some = *p;
    struct loss_job j = {p, first, weight};
    some.rows = p->rows - first < HEAD_ROWS ? p->rows - first : HEAD_ROWS;
    pass_linear(&some, &p->n->head, p->a->wide1 + first * width, p->a->logits);
    pass_rows(&some, loss_some, &j);
    for (size_t i = 0; i < some.rows; i++) {
        if (!isfinite(p->a->losses[i])) {
            *bad = first + i;
            return false;
        }
        *loss += p->a->losses[i];
    }
    if (weight > 0) {
        struct matrix head = p->n->head;
        head.g = p->n->shape.tied ? p->n->embedding_g : head.g;
        pass_linear_back(&some, &head, p->a->wide1 + first * width, p->a->logits,
                         p->a->wide2 + first * width, false);
    }
    return true;
}

const float *network_logits(struct network *n, struct activations *a, size_t row, struct team *team)
{
    struct batch none = {.length = 1};
    struct pass p = {n, a, &none, team, 1};
    pass_linear(&p, &n->head, a->wide1 + row * n->shape.width, a->logits);
    return a->logits;
}

/* ---- backward ---- */

static void silu_back_some(void *arg, size_t from, size_t to)
{
    const struct kept *l = ((const struct kept *const *)arg)[0];
    const struct pass *p = ((const struct pass *const *)arg)[1];
    size_t ffn = p->n->shape.ffn, at = from * ffn;
    numerics_silu_gradient(l->gate + at, l->up + at, p->a->dffn + at, (to - from) * ffn);
}

/* wide2: gradient of the layer's output, which also goes past the ffn; becomes that of its
 * middle. */
static void ffn_back(const struct pass *p, const struct layer *w, struct kept *l)
{
    struct activations *a = p->a;
    const void *both[2] = {l, p};
    activate(p, l); /* into ffn, the input of down */
    pass_linear_back(p, &w->m[MATRIX_DOWN], a->ffn, a->wide2, a->dffn, false);
    pass_rows(p, silu_back_some, both);
    pass_norm(p, l->middle, w->norm2, a->wide1);
    pass_linear_back(p, &w->m[MATRIX_GATE], a->wide1, l->gate, a->wide3, false);
    pass_linear_back(p, &w->m[MATRIX_UP], a->wide1, l->up, a->wide3, true);
    pass_norm_back(p, l->middle, w->norm2, w->norm2_g, a->wide3, a->wide2);
}

static void attention_half_back(const struct pass *p, const struct layer *w, struct kept *l)
{
    struct activations *a = p->a;
    pass_linear_back(p, &w->m[MATRIX_O], l->o, a->wide2, a->wide3, false);
    pass_attention_back(p, l, a->wide3);
    pass_rotate(p, a->dq, p->n->shape.heads, true);
    pass_rotate(p, a->dk, p->n->shape.kv_heads, true);
    pass_norm(p, l->x, w->norm1, a->wide1);
    pass_linear_back(p, &w->m[MATRIX_Q], a->wide1, a->dq, a->wide3, false);
    pass_linear_back(p, &w->m[MATRIX_K], a->wide1, a->dk, a->wide3, true);
    pass_linear_back(p, &w->m[MATRIX_V], a->wide1, a->dv, a->wide3, true);
    pass_norm_back(p, l->x, w->norm1, w->norm1_g, a->wide3, a->wide2);
}

static void embed_back(const struct pass *p)
{
    size_t width = p->n->shape.width;
    float *g = p->n->shape.tied ? p->n->lookup_g : p->n->embedding_g;
    for (size_t r = 0; p->n->embedding_g && r < p->rows; r++)
        numerics_add(g + (size_t)p->b->tokens[r] * width, p->a->wide2 + r * width, width);
}

static void backward(const struct pass *p)
{
    const struct network *n = p->n;
    struct activations *a = p->a;
    /* wide2 holds the gradient of the normed output. */
    memcpy(a->wide3, a->wide2, p->rows * n->shape.width * sizeof(float));
    memset(a->wide2, 0, p->rows * n->shape.width * sizeof(float));
    pass_norm_back(p, a->x, n->norm, n->norm_g, a->wide3, a->wide2);
    for (size_t i = n->shape.layers; i > 0; i--) {
        ffn_back(p, &n->layers[i - 1], &a->layers[i - 1]);
        attention_half_back(p, &n->layers[i - 1], &a->layers[i - 1]);
    }
    embed_back(p);
}

bool network_run(struct network *n, struct activations *a, const struct batch *b, float weight,
                 double *loss, size_t *bad, struct team *team)
{
    struct pass p = {n, a, b, team, b->sequences * b->length};
    forward(&p);
    for (size_t first = 0; first < p.rows; first += HEAD_ROWS)
        if (!head_rows(&p, first, weight, loss, bad))
            return false;
    if (weight > 0)
        backward(&p);
    return true;
}
