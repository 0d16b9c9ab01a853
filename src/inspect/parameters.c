/*
 * Exact parameter counts and sizes. Counts come from the tensors that are
 * there; where a packed layout hides how many weights it holds, the counts are
 * unknown and a finding says why.
 */
#include "inspect/architecture.h"

#include "inspect/dims.h"

struct tally {
    uint64_t total, embedding, experts, buffers, stored, bytes;
    bool overflow, unknown;
    size_t first_unknown;
};

static void add(struct tally *t, uint64_t *sum, uint64_t n)
{
    if (!size_add(sum, *sum, n))
        t->overflow = true;
}

/* Weights in a tensor; false when the packing does not say. */
static bool weights_in(const struct study *s, const struct tensor *t, const struct place *p,
                       uint64_t *n)
{
    uint64_t bits;
    *n = t->elements;
    if (p->part == PART_AUX)
        *n = 0;
    if (p->part != PART_PACKED || t->dtype == DTYPE_NONE)
        return true;
    /* qweight packs 32/bits weights a word (3 bits: 32 in three words). */
    if (!s->pack_bits || dtypes[t->dtype].kind != DTYPE_INTEGER ||
        !size_mul(&bits, t->elements, 8u * dtypes[t->dtype].bytes) || bits % s->pack_bits)
        return false;
    *n = bits / s->pack_bits;
    return true;
}

static bool is_expert(uint8_t role)
{
    return role == ROLE_EXPERT_GATE || role == ROLE_EXPERT_UP || role == ROLE_EXPERT_GATE_UP ||
           role == ROLE_EXPERT_DOWN;
}

static void count_tensor(const struct study *s, size_t i, struct tally *y)
{
    const struct tensor *t = &s->m->tensors[i];
    const struct place *p = &s->places[i];
    struct dtype_use *use = t->dtype == DTYPE_NONE ? NULL : &s->out->types[t->dtype];
    uint64_t n;
    if (!p->counted)
        return;
    add(y, &y->bytes, t->data.length);
    if (use) {
        use->tensors++;
        add(y, &use->elements, t->elements);
        add(y, &use->bytes, t->data.length);
    }
    if (!weights_in(s, t, p, &n)) {
        if (!y->unknown)
            y->first_unknown = i;
        y->unknown = true;
        return;
    }
    add(y, &y->stored, n);
    if (p->role == ROLE_BUFFER) {
        add(y, &y->buffers, n);
        return;
    }
    if (p->role == ROLE_OUTPUT && s->tied_claim == TIED_YES && s->embedding)
        return; /* stored twice, counted once */
    add(y, &y->total, n);
    if (p->role == ROLE_TOKEN_EMBEDDING || p->role == ROLE_POSITION_EMBEDDING ||
        p->role == ROLE_OUTPUT)
        add(y, &y->embedding, n);
    if (is_expert(p->role) &&
        (p->part == PART_WEIGHT || p->part == PART_BIAS || p->part == PART_PACKED))
        add(y, &y->experts, n);
}

static void fill(struct parameters *out, const struct tally *y, const struct architecture *a)
{
    out->total = y->total;
    out->active = y->total;
    out->embedding = y->embedding;
    out->non_embedding = y->total - y->embedding;
    out->buffers = y->buffers;
    if (!y->experts)
        return;
    out->active = 0; /* unknown unless every expert is the same size */
    if (a->experts && a->experts_active && a->experts_active <= a->experts &&
        y->experts % a->experts == 0)
        out->active = y->total - y->experts / a->experts * (a->experts - a->experts_active);
}

/* Keys and values of every layer in F16 for 1,000 tokens. */
static uint64_t kv_bytes(const struct study *s)
{
    enum { TOKENS = 1000, F16_BYTES = 2 };
    uint64_t bytes = 0, layers = s->a->layers;
    const struct claim *kv = &s->claims[FACT_KV_HEADS];
    uint64_t rows = kv->each ? kv->each_count : 0;
    if (!layers || !s->a->heads)
        return 0;
    for (uint64_t l = 0; l < layers && l <= rows; l++) {
        uint64_t k, v, n;
        if (!dim_value(s, DIM_K, l, &k) || !dim_value(s, DIM_V, l, &v)) {
            k = 0; /* a layer without attention */
            v = 0;
            if (!rows)
                return 0;
        }
        if (!size_add(&n, k, v) || !size_mul(&n, n, TOKENS * F16_BYTES) ||
            (l == rows && !size_mul(&n, n, layers - rows)) || !size_add(&bytes, bytes, n))
            return 0;
    }
    return bytes;
}

void study_count(struct study *s)
{
    struct tally y = {0};
    struct architecture *a = s->a;
    char name[ARCH_MAX_NAME];
    for (size_t i = 0; i < s->m->tensor_count; i++)
        count_tensor(s, i, &y);
    a->kv_bytes_per_1000 = a->is_adapter ? 0 : kv_bytes(s);
    if (y.overflow)
        return;
    a->weight_bytes = y.bytes;
    if (y.unknown) {
        const struct tensor *t = &s->m->tensors[y.first_unknown];
        verdict_add(&s->m->verdict, RULE_ARCH_PACKED, t->entry,
                    "%s packs several weights into one element, and nothing says how many; "
                    "parameter counts are unknown",
                    shown(name, t->name));
        return;
    }
    fill(&a->parameters, &y, a);
    if (y.stored)
        a->bits_per_weight = 8.0 * (double)y.bytes / (double)y.stored;
}

/* ---- from the architecture alone ---- */

static bool grow(uint64_t *sum, uint64_t rows, uint64_t columns, uint64_t times)
{
    uint64_t v;
    return size_mul(&v, rows, columns) && size_mul(&v, v, times) && size_add(sum, *sum, v);
}

static uint64_t role_bits(uint64_t mask, size_t r)
{
    return (mask >> r) & 1;
}

bool parameters_expected(struct parameters *out, const struct architecture *a)
{
    struct study s = {.family = a->family ? family_by_name(a->family) : NULL};
    const uint64_t values[FACT_COUNT] = {[FACT_LAYERS] = a->layers,
                                         [FACT_WIDTH] = a->width,
                                         [FACT_FFN] = a->ffn,
                                         [FACT_HEADS] = a->heads,
                                         [FACT_KV_HEADS] = a->kv_heads,
                                         [FACT_HEAD_SIZE] = a->head_size,
                                         [FACT_EXPERTS] = a->experts,
                                         [FACT_EXPERT_FFN] = a->expert_ffn,
                                         [FACT_VOCABULARY] = a->vocabulary,
                                         [FACT_CONTEXT] = a->context};
    struct tally y = {0};
    *out = (struct parameters){0};
    if (!s.family || !a->layers || !a->tied_known)
        return false;
    for (size_t f = 0; f < FACT_COUNT; f++)
        s.claims[f] = (struct claim){.known = values[f] != 0, .value = values[f]};
    bool moe = s.family->moe && a->experts;
    uint64_t need = s.family->layer | (moe ? s.family->moe : s.family->ffn) | s.family->global |
                    ROLE_BIT(ROLE_TOKEN_EMBEDDING) | ROLE_BIT(ROLE_FINAL_NORM) |
                    (a->tied ? 0 : ROLE_BIT(ROLE_OUTPUT));
    for (size_t r = 0; r < ROLE_COUNT; r++) {
        uint64_t d[3] = {1, 1, 1}, n = 0;
        uint64_t times = r >= ROLE_LAYER ? a->layers : 1;
        if (!role_bits(need, r))
            continue;
        for (size_t i = 0; i < roles[r].rank; i++)
            if (!dim_value(&s, (enum dim)roles[r].dims[i], 0, &d[i]))
                return false;
        if (!size_mul(&d[0], d[0], roles[r].rank == 3 ? d[1] : 1) ||
            !grow(&n, d[0], roles[r].rank == 3 ? d[2] : d[1], times) ||
            (role_bits(s.family->bias, r) && !grow(&n, d[0], 1, times)))
            return false;
        add(&y, &y.total, n);
        if (r == ROLE_TOKEN_EMBEDDING || r == ROLE_POSITION_EMBEDDING || r == ROLE_OUTPUT)
            add(&y, &y.embedding, n);
        if (is_expert((uint8_t)r))
            add(&y, &y.experts, n);
    }
    if (y.overflow)
        return false;
    fill(out, &y, a);
    return true;
}
