/*
 * Attention, one query at a time: scores by the 16-lane dot product, softmax
 * over the positions in order, values added position by position. Threads
 * share out rows and heads, never a sum.
 */
#include "engine/forward.h"

#include <string.h>
#include <sys/mman.h>

#include "assay/numerics.h"

static uint64_t head_bytes(const struct settings *f)
{
    return (uint64_t)f->context * f->head * sizeof(uint16_t);
}

uint64_t kv_size(const struct settings *f, uint32_t positions)
{
    return 2 * (uint64_t)f->layers * f->kv_heads * positions * f->head * sizeof(uint16_t);
}

bool kv_new(struct kv *c, const struct settings *f, struct err *e)
{
    c->bytes = (uint64_t)f->layers * f->kv_heads * head_bytes(f);
    void *p = mmap(NULL, (size_t)(2 * c->bytes), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return err_set(e, ERR_MEMORY, "the system gives no %llu MiB for keys and values",
                       (unsigned long long)(2 * c->bytes >> 20));
    c->k = p;
    c->v = c->k + c->bytes / sizeof *c->k;
    return true;
}

void kv_free(struct kv *c)
{
    if (c->k != NULL)
        (void)munmap(c->k, (size_t)(2 * c->bytes));
    *c = (struct kv){0};
}

static size_t head_offset(const struct settings *f, uint32_t layer, uint32_t kv)
{
    return ((size_t)layer * f->kv_heads + kv) * f->context * f->head;
}

void kv_copy(struct kv *to, const struct kv *from, const struct settings *f, uint32_t n)
{
    size_t bytes = (size_t)n * f->head * sizeof(uint16_t);
    for (uint32_t l = 0; l < f->layers; l++) {
        for (uint32_t h = 0; h < f->kv_heads; h++) {
            size_t at = head_offset(f, l, h);
            memcpy(to->k + at, from->k + at, bytes);
            memcpy(to->v + at, from->v + at, bytes);
        }
    }
}

struct look {
    struct forward *f;
    const struct row *rows;
    uint32_t layer;
};

/* q and k of one row: norms and rotation; then k and v go to the cache. */
static void prepare(void *arg, uint32_t r, unsigned worker)
{
    const struct look *k = arg;
    struct forward *f = k->f;
    const struct settings *c = f->c;
    const struct layer *l = &f->w->layers[k->layer];
    size_t query = (size_t)c->heads * c->head, keys = (size_t)c->kv_heads * c->head;
    float *q = f->qkv + r * (query + 2 * keys), *key = q + query, *value = key + keys;
    (void)worker;
    if (has(c, QK_NORM_WHOLE)) {
        numerics_rms_norm(q, q, l->n[N_Q].w, query, c->eps);
        numerics_rms_norm(key, key, l->n[N_K].w, keys, c->eps);
    }
    for (uint32_t h = 0; has(c, QK_NORM_HEAD) && h < c->heads; h++)
        numerics_rms_norm(q + h * c->head, q + h * c->head, l->n[N_Q].w, c->head, c->eps);
    for (uint32_t h = 0; has(c, QK_NORM_HEAD) && h < c->kv_heads; h++)
        numerics_rms_norm(key + h * c->head, key + h * c->head, l->n[N_K].w, c->head, c->eps);
    if (turns(c, k->layer)) {
        bool windowed = has_window(c, k->layer);
        rope_turn(f, q, c->heads, r, windowed);
        rope_turn(f, key, c->kv_heads, r, windowed);
    }
    for (uint32_t h = 0; h < c->kv_heads; h++) {
        size_t at = head_offset(c, k->layer, h) + (size_t)k->rows[r].position * c->head;
        numerics_to_half(k->rows[r].cache->k + at, key + h * c->head, c->head);
        numerics_to_half(k->rows[r].cache->v + at, value + h * c->head, c->head);
    }
}

/* The query heads of one KV head of one row. */
static void look(void *arg, uint32_t i, unsigned worker)
{
    const struct look *k = arg;
    struct forward *f = k->f;
    const struct settings *c = f->c;
    uint32_t r = i / c->kv_heads, kv = i % c->kv_heads, group = c->heads / c->kv_heads;
    uint32_t to = k->rows[r].position + 1, from = 0;
    if (has_window(c, k->layer) && to > c->window)
        from = to - c->window;
    size_t n = to - from, row = ((size_t)c->heads + 2 * (size_t)c->kv_heads) * c->head;
    size_t at = head_offset(c, k->layer, kv) + (size_t)from * c->head;
    float *scores = f->scores + worker * f->scores_size;
    struct dense d = {.type = DTYPE_F16,
                      .w = k->rows[r].cache->k + at,
                      .k = c->head,
                      .x = f->qkv + r * row + (size_t)kv * group * c->head,
                      .x_stride = c->head,
                      .batch = group,
                      .y = scores,
                      .y_stride = c->context};
    numerics_dense(&d, 0, n);
    for (uint32_t g = 0; g < group; g++) {
        float *s = scores + (size_t)g * c->context, sum;
        numerics_scale(s, c->attention_scale, n);
        if (c->attention_cap > 0)
            numerics_softcap(s, c->attention_cap, n);
        (void)numerics_softmax(s, n, &sum);
    }
    struct mix m = {.y = f->att + ((size_t)r * c->heads + (size_t)kv * group) * c->head,
                    .y_stride = c->head,
                    .weight = scores,
                    .weight_stride = c->context,
                    .heads = group,
                    .v = k->rows[r].cache->v + at,
                    .size = c->head,
                    .n = n};
    numerics_mix(&m);
}

void attention(struct forward *f, const struct row *rows, uint32_t n, uint32_t layer)
{
    struct look k = {f, rows, layer};
    if (n == 1)
        prepare(&k, 0, 0);
    else
        team_run(f->team, n, prepare, &k);
    team_run(f->team, n * f->c->kv_heads, look, &k);
}
