/*
 * Causal attention with grouped heads. A job is one sequence and one KV head
 * with the query heads that share it, in order; inside, queries go by blocks of
 * ATTENTION_ROWS, so that half of the square above the diagonal is never touched.
 * The backward pass computes the probabilities again instead of keeping them.
 */
#include <math.h>
#include <string.h>

#include "assay/numerics.h"
#include "train/pass.h"

struct job {
    const struct pass *p;
    const struct kept *l;
    const float *d; /* gradient of o; NULL: forward */
};

/* One block of queries of one head: rows i.. of a sequence against keys 0..keys-1. */
struct block {
    const struct shape *s;
    const float *q, *k, *v; /* of the sequence and head, rows q_row and kv_row apart */
    size_t q_row, kv_row, first, rows, keys;
    float *scores; /* rows x keys */
};

static struct block block_at(const struct job *j, size_t sequence, size_t head, size_t first,
                             float *scores)
{
    const struct shape *s = &j->p->n->shape;
    size_t length = j->p->b->length, group = s->heads / s->kv_heads;
    struct block b = {.s = s, .first = first, .scores = scores};
    b.q_row = s->heads * s->head;
    b.kv_row = s->kv_heads * s->head;
    b.rows = length - first < ATTENTION_ROWS ? length - first : ATTENTION_ROWS;
    b.keys = first + b.rows;
    b.q = j->l->q + (sequence * length + first) * b.q_row + head * s->head;
    b.k = j->l->k + sequence * length * b.kv_row + head / group * s->head;
    b.v = j->l->v + sequence * length * b.kv_row + head / group * s->head;
    return b;
}

/* softmax(q k^T / sqrt(head)), zero above the diagonal. */
static void probabilities(const struct block *b)
{
    float scale = 1.0f / sqrtf((float)b->s->head), sum;
    struct chain c = {b->q,    b->k,    b->q_row,   1,         1,       b->kv_row,
                      b->rows, b->keys, b->s->head, b->scores, b->keys, false};
    numerics_chain(&c, NULL);
    for (size_t i = 0; i < b->rows; i++) {
        float *row = b->scores + i * b->keys;
        size_t seen = b->first + i + 1;
        numerics_scale(row, scale, seen);
        numerics_softmax(row, seen, &sum);
        memset(row + seen, 0, (b->keys - seen) * sizeof *row);
    }
}

static void forward_head(const struct job *j, size_t sequence, size_t head, float *scores)
{
    size_t length = j->p->b->length;
    for (size_t first = 0; first < length; first += ATTENTION_ROWS) {
        struct block b = block_at(j, sequence, head, first, scores);
        float *o = j->l->o + (sequence * length + first) * b.q_row + head * b.s->head;
        probabilities(&b);
        struct chain c = {b.scores, b.v,       b.keys, 1, b.kv_row, 1,
                          b.rows,   b.s->head, b.keys, o, b.q_row,  false};
        numerics_chain(&c, NULL);
    }
}

/* ds = p * (dp - sum(p dp)) / sqrt(head), where sum(p dp) is do . o. */
static void score_gradient(const struct block *b, float *ds, const float *d, const float *o)
{
    float scale = 1.0f / sqrtf((float)b->s->head);
    for (size_t i = 0; i < b->rows; i++) {
        float *row = ds + i * b->keys, ones = 0;
        const float *p = b->scores + i * b->keys;
        ones = numerics_dot(d + i * b->q_row, o + i * b->q_row, b->s->head);
        for (size_t k = 0; k < b->keys; k++)
            row[k] -= ones;
        numerics_mul(row, p, b->keys);
        numerics_scale(row, scale, b->keys);
    }
}

static void backward_head(const struct job *j, size_t sequence, size_t head, float *scores)
{
    const struct activations *a = j->p->a;
    size_t length = j->p->b->length;
    float *ds = scores + ATTENTION_ROWS * j->p->n->shape.context;
    for (size_t first = 0; first < length; first += ATTENTION_ROWS) {
        struct block b = block_at(j, sequence, head, first, scores);
        size_t hd = b.s->head, at = (sequence * length + first) * b.q_row + head * hd;
        size_t kv = (size_t)(b.k - j->l->k);
        const float *d = j->d + at;
        probabilities(&b);
        struct chain dp = {d, b.v, b.q_row, 1, 1, b.kv_row, b.rows, b.keys, hd, ds, b.keys, false};
        numerics_chain(&dp, NULL);
        score_gradient(&b, ds, d, j->l->o + at);
        struct chain dq = {ds,     b.k, b.keys, 1,          b.kv_row, 1,
                           b.rows, hd,  b.keys, a->dq + at, b.q_row,  false};
        struct chain dk = {ds,     b.q, 1,      b.keys,     b.q_row,  1,
                           b.keys, hd,  b.rows, a->dk + kv, b.kv_row, true};
        struct chain dv = {b.scores, d,  1,      b.keys,     b.q_row,  1,
                           b.keys,   hd, b.rows, a->dv + kv, b.kv_row, true};
        numerics_chain(&dq, NULL);
        numerics_chain(&dk, NULL);
        numerics_chain(&dv, NULL);
    }
}

static void run(void *arg, uint32_t i, unsigned worker)
{
    const struct job *j = arg;
    const struct shape *s = &j->p->n->shape;
    size_t sequence = i / s->kv_heads, kv = i % s->kv_heads, group = s->heads / s->kv_heads;
    float *scores = j->p->a->scores + (size_t)worker * 2 * ATTENTION_ROWS * s->context;
    for (size_t h = kv * group; h < (kv + 1) * group; h++) {
        if (j->d)
            backward_head(j, sequence, h, scores);
        else
            forward_head(j, sequence, h, scores);
    }
}

void pass_attention(const struct pass *p, const struct kept *l)
{
    struct job j = {p, l, NULL};
    team_run(p->team, (uint32_t)(p->b->sequences * p->n->shape.kv_heads), run, &j);
}

void pass_attention_back(const struct pass *p, const struct kept *l, const float *d)
{
    struct job j = {p, l, d};
    size_t kv = p->rows * p->n->shape.kv_heads * p->n->shape.head;
    memset(p->a->dk, 0, kv * sizeof(float));
    memset(p->a->dv, 0, kv * sizeof(float));
    team_run(p->team, (uint32_t)(p->b->sequences * p->n->shape.kv_heads), run, &j);
}
