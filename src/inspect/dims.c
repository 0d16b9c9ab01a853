/*
 * Sizes that follow from claims: head size from width and heads, rows of a
 * projection from heads and head size. One table says what each dimension is.
 */
#include "inspect/dims.h"

#include <stdio.h>

/* first * second (of `count` terms, for fused tensors); NONE: no factor. */
enum { NONE = FACT_COUNT };

static const struct dim_info {
    uint8_t first, second, times;
} infos[DIM_COUNT] = {
    [DIM_ANY] = {NONE, NONE, 0},
    [DIM_WIDTH] = {FACT_WIDTH, NONE, 1},
    [DIM_Q] = {FACT_HEADS, FACT_HEAD_SIZE, 1},
    [DIM_K] = {FACT_KV_HEADS, FACT_HEAD_SIZE, 1},
    [DIM_V] = {FACT_KV_HEADS, FACT_VALUE_SIZE, 1},
    [DIM_O] = {FACT_HEADS, FACT_VALUE_SIZE, 1},
    [DIM_QKV] = {FACT_HEADS, FACT_HEAD_SIZE, 1}, /* and keys and values: dim_value */
    [DIM_FFN] = {FACT_FFN, NONE, 1},
    [DIM_FFN2] = {FACT_FFN, NONE, 2},
    [DIM_EXPERTS] = {FACT_EXPERTS, NONE, 1},
    [DIM_EXPERT_FFN] = {FACT_EXPERT_FFN, NONE, 1},
    [DIM_EXPERT_FFN2] = {FACT_EXPERT_FFN, NONE, 2},
    [DIM_VOCABULARY] = {FACT_VOCABULARY, NONE, 1},
    [DIM_POSITIONS] = {FACT_CONTEXT, NONE, 1},
    [DIM_HEADS] = {FACT_HEADS, NONE, 1},
    [DIM_Q_NORM] = {FACT_HEAD_SIZE, NONE, 1},
    [DIM_K_NORM] = {FACT_HEAD_SIZE, NONE, 1},
};

uint64_t claim_at(const struct claim *c, uint64_t layer)
{
    if (c->each && layer < c->each_count)
        return c->each[layer];
    return c->value;
}

static uint64_t derived(const struct study *s, enum fact f, uint64_t layer)
{
    uint64_t width = claim_at(&s->claims[FACT_WIDTH], layer);
    if (f == FACT_KV_HEADS)
        return declared(s, FACT_HEADS, layer);
    if (f == FACT_VALUE_SIZE)
        return declared(s, FACT_HEAD_SIZE, layer);
    if (f == FACT_EXPERT_FFN)
        return declared(s, FACT_FFN, layer);
    if (f == FACT_HEAD_SIZE) {
        uint64_t heads = s->claims[FACT_HEADS].value;
        return heads ? width / heads : 0;
    }
    if (f == FACT_FFN && s->family && !(s->family->ffn & ROLE_BIT(ROLE_GATE)) && s->family->ffn &&
        width <= UINT64_MAX / 4)
        return 4 * width; /* gpt2: n_inner absent */
    return 0;
}

uint64_t declared(const struct study *s, enum fact f, uint64_t layer)
{
    const struct claim *c = &s->claims[f];
    return c->known ? claim_at(c, layer) : derived(s, f, layer);
}

static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t v;
    return size_mul(&v, a, b) ? v : UINT64_MAX;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    uint64_t v;
    return size_add(&v, a, b) ? v : UINT64_MAX;
}

bool dim_value(const struct study *s, enum dim d, uint64_t layer, uint64_t *out)
{
    const struct dim_info *i = &infos[d];
    uint64_t v;
    if (s->family && (s->family->traits & TRAIT_QK_NORM_WHOLE)) {
        if (d == DIM_Q_NORM)
            return dim_value(s, DIM_Q, layer, out);
        if (d == DIM_K_NORM)
            return dim_value(s, DIM_K, layer, out);
    }
    if (i->first == NONE || !(v = declared(s, (enum fact)i->first, layer)))
        return false;
    if (i->second != NONE) {
        uint64_t size = declared(s, (enum fact)i->second, layer);
        if (!size)
            return false;
        v = product(v, size);
    }
    v = product(v, i->times);
    if (d == DIM_QKV) {
        uint64_t k, value;
        if (!dim_value(s, DIM_K, layer, &k) || !dim_value(s, DIM_V, layer, &value))
            return false;
        v = sum(v, sum(k, value));
    }
    *out = v;
    return true;
}

const struct claim *dim_claim(const struct study *s, enum dim d)
{
    const struct dim_info *i = &infos[d];
    if (i->first == NONE)
        return NULL;
    if (s->claims[i->first].known && !s->claims[i->first].defaulted)
        return &s->claims[i->first];
    if (i->second != NONE && s->claims[i->second].known)
        return &s->claims[i->second];
    return s->claims[i->first].known     ? &s->claims[i->first]
           : s->claims[FACT_WIDTH].known ? &s->claims[FACT_WIDTH]
                                         : NULL;
}

const char *dim_words(const struct study *s, enum dim d, uint64_t layer, char *out, size_t size)
{
    const struct dim_info *i = &infos[d];
    const uint8_t facts[2] = {i->first, i->second};
    size_t n = 0;
    out[0] = '\0';
    for (size_t f = 0; f < 2; f++) {
        const struct claim *c = facts[f] == NONE ? NULL : &s->claims[facts[f]];
        char key[ARCH_MAX_NAME];
        if (!c || !c->known || n >= size)
            continue;
        int wrote = snprintf(out + n, size - n, "%s%s = %llu", n ? " x " : "",
                             shown(key, span_str(c->key)), (unsigned long long)claim_at(c, layer));
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    if (!n)
        snprintf(out, size, "what is declared");
    return out;
}

static void swap(uint8_t *a, uint8_t *b)
{
    uint8_t t = *a;
    *a = *b;
    *b = t;
}

uint32_t dims_of(const struct study *s, const struct place *p, uint32_t rank, uint8_t out[3])
{
    const struct role_info *r = &roles[p->role];
    bool hf = s->format == FORMAT_SAFETENSORS;
    unsigned traits = s->family ? s->family->traits : 0;
    uint32_t n = r->rank, from = 0;
    if (n == 3 && p->expert != NO_INDEX)
        from = 1;
    for (uint32_t i = from; i < n; i++)
        out[i - from] = r->dims[i];
    n -= from;
    if (p->part == PART_BIAS)
        return n > 1 ? n - 1 : n;
    if (n == 3 && hf && (traits & TRAIT_EXPERTS_IN_OUT))
        swap(&out[1], &out[2]);
    if (n == 2 && hf && (traits & TRAIT_CONV1D) && p->role >= ROLE_LAYER)
        swap(&out[0], &out[1]);
    (void)rank;
    return n;
}
