/*
 * What tensor names and shapes prove: which roles each layer has, how many
 * layers there are, and the sizes that shapes state by themselves.
 */
#include "inspect/architecture.h"

/* The family decides what a name means where two families use it differently. */
static enum role settled(const struct study *s, enum role role)
{
    if (!s->family)
        return role;
    if (role == ROLE_POST_ATTN_NORM && !(s->family->layer & ROLE_BIT(role)))
        return ROLE_FFN_NORM;
    if (role == ROLE_UP && s->format == FORMAT_GGUF && (s->family->traits & TRAIT_FUSED_UP))
        return ROLE_GATE_UP;
    return role;
}

static bool place_all(struct study *s)
{
    struct model *m = s->m;
    struct role_map names;
    struct map seen;
    if (!role_map_init(&names, m->arena) || !map_init(&seen, m->arena, m->tensor_count))
        return false;
    s->places = arena_array(m->arena, m->tensor_count + 1, sizeof *s->places);
    if (!s->places)
        return false;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        struct place *p = &s->places[i];
        uint32_t previous = MAP_NONE;
        *p = role_of(&names, t->name);
        p->role = (uint8_t)settled(s, (enum role)p->role);
        if (s->bnb4 && p->part == PART_WEIGHT && t->dtype == DTYPE_U8)
            p->part = PART_PACKED;
        if (t->entry.file >= m->file_count || !s->chosen[t->entry.file] || i >= MAP_NONE)
            continue;
        if (!map_put(&seen, t->name, (uint32_t)i, &previous))
            return false;
        p->counted = previous == MAP_NONE;
    }
    return true;
}

static bool is_weight(const struct place *p)
{
    return p->counted && (p->part == PART_WEIGHT || p->part == PART_PACKED);
}

/* Layer numbers at or above the number of tensors cannot be without a gap:
 * they raise found_layers and have no row. */
static bool mark_layers(struct study *s)
{
    struct model *m = s->m;
    s->have_count = m->tensor_count;
    s->have = arena_array(m->arena, s->have_count + 1, sizeof *s->have);
    s->have_bias = arena_array(m->arena, s->have_count + 1, sizeof *s->have_bias);
    if (!s->have || !s->have_bias)
        return false;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct place *p = &s->places[i];
        if (!p->counted || p->role == ROLE_UNKNOWN || p->part > PART_PACKED)
            continue;
        uint64_t bit = ROLE_BIT(p->role);
        if (p->layer == NO_INDEX) {
            s->global_have |= is_weight(p) ? bit : 0;
            continue;
        }
        if (p->role < ROLE_LAYER)
            continue;
        if (p->layer >= s->found_layers)
            s->found_layers = (uint64_t)p->layer + 1;
        if (p->layer < s->have_count)
            *(is_weight(p) ? &s->have[p->layer] : &s->have_bias[p->layer]) |= bit;
    }
    return true;
}

static void prove(struct study *s, enum fact f, uint64_t value)
{
    if (!s->proven[f])
        s->proven[f] = value;
}

/* Sizes that a shape gives without knowing any other. */
static void prove_from(struct study *s, const struct tensor *t, const struct place *p)
{
    bool in_out = s->format == FORMAT_SAFETENSORS && s->family &&
                  (s->family->traits & TRAIT_CONV1D) && p->role >= ROLE_LAYER;
    bool fused_in_out =
        s->format == FORMAT_SAFETENSORS && s->family && (s->family->traits & TRAIT_EXPERTS_IN_OUT);
    if (p->part == PART_PACKED || t->rank < 2)
        return;
    uint64_t rows = t->shape[in_out ? 1 : 0], columns = t->shape[in_out ? 0 : 1];
    uint64_t inner = t->rank == 3 ? t->shape[fused_in_out ? 2 : 1] : rows;
    if (p->role == ROLE_TOKEN_EMBEDDING) {
        prove(s, FACT_VOCABULARY, rows);
        prove(s, FACT_WIDTH, columns);
    } else if (p->role == ROLE_UP) {
        prove(s, FACT_FFN, rows);
    } else if (p->role == ROLE_GATE_UP) {
        prove(s, FACT_FFN, rows / 2);
    } else if (p->role == ROLE_EXPERT_UP) {
        prove(s, FACT_EXPERT_FFN, inner);
    } else if (p->role == ROLE_EXPERT_GATE_UP) {
        prove(s, FACT_EXPERT_FFN, inner / 2);
    } else if (p->role == ROLE_ROUTER) {
        prove(s, FACT_EXPERTS, rows);
    }
}

bool study_tensors(struct study *s)
{
    struct model *m = s->m;
    if (!place_all(s) || !mark_layers(s))
        return false;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct place *p = &s->places[i];
        if (!is_weight(p))
            continue;
        prove_from(s, &m->tensors[i], p);
        if (p->role == ROLE_TOKEN_EMBEDDING && !s->embedding)
            s->embedding = &m->tensors[i];
        if (p->role == ROLE_OUTPUT && !s->output)
            s->output = &m->tensors[i];
    }
    return true;
}
