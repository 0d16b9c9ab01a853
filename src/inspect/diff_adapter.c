/*
 * Is one of the two a low-rank adapter for the other? Its tensors come in pairs: A [rank, in]
 * and B [out, rank]; it fits when the weight it names exists in the base as [out, in].
 * The base that the adapter itself names is quoted, never believed.
 */
#include "inspect/diff.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

struct lora {
    size_t tensors, pairs, fitting;
    uint64_t rank_least, rank_most;
};

static size_t count_lora(const struct model *m)
{
    size_t n = 0;
    struct span stem;
    for (size_t i = 0; i < m->tensor_count; i++)
        n += name_lora(m->tensors[i].name, &stem) != 0;
    return n;
}

static bool is_adapter(const struct model *m)
{
    return m->tensor_count > 0 && count_lora(m) * 2 >= m->tensor_count;
}

/* A's weights under their names and, from Hugging Face, under their GGUF names. */
static bool index_base(struct map *names, const struct model *a, struct arena *arena)
{
    struct candidate c[NAME_CANDIDATES];
    uint32_t previous;
    if (!map_init(names, arena, 2 * a->tensor_count))
        return false;
    for (size_t i = 0; i < a->tensor_count; i++) {
        struct span name = a->tensors[i].name;
        if (!map_put(names, name, (uint32_t)i, &previous))
            return false;
        if (diff_container(a) == FORMAT_GGUF || name_candidates(c, name) == 0 || c[0].has_expert)
            continue;
        char *copy = arena_str(arena, span_str(c[0].name));
        if (!copy || !map_put(names, span_str(copy), (uint32_t)i, &previous))
            return false;
    }
    return true;
}

/* The weight that a pair's stem names: as is, without PEFT's wrapper, by the table. */
static const struct tensor *target(const struct map *names, const struct model *a, struct span stem)
{
    static const char wrapper[] = "base_model.model.";
    struct candidate c[NAME_CANDIDATES];
    char text[NAME_MAX];
    uint32_t i = map_get(names, stem);
    if (i != MAP_NONE)
        return &a->tensors[i];
    struct span bare =
        span_starts(stem, wrapper) ? span_sub(stem, sizeof wrapper - 1, stem.n) : stem;
    if (bare.n + sizeof ".weight" > sizeof text)
        return NULL;
    snprintf(text, sizeof text, "%.*s.weight", (int)bare.n, (const char *)bare.p);
    i = map_get(names, span_str(text));
    if (i == MAP_NONE && name_candidates(c, span_str(text)) > 0)
        i = map_get(names, span_str(c[0].name));
    return i == MAP_NONE ? NULL : &a->tensors[i];
}

static bool fits(const struct tensor *w, uint64_t out, uint64_t in)
{
    return w && w->rank == 2 &&
           ((w->shape[0] == out && w->shape[1] == in) || (w->shape[0] == in && w->shape[1] == out));
}

static bool take_lora(struct lora *l, const struct model *a, const struct model *b,
                      struct arena *arena)
{
    struct map base, halves;
    struct span stem;
    uint32_t previous;
    if (!index_base(&base, a, arena) || !map_init(&halves, arena, b->tensor_count))
        return false;
    for (size_t i = 0; i < b->tensor_count; i++) {
        char side = name_lora(b->tensors[i].name, &stem);
        l->tensors += side != 0;
        if (side == 'A' && !map_put(&halves, stem, (uint32_t)i, &previous))
            return false;
    }
    for (size_t i = 0; i < b->tensor_count; i++) {
        const struct tensor *tb = &b->tensors[i];
        uint32_t k = name_lora(tb->name, &stem) == 'B' ? map_get(&halves, stem) : MAP_NONE;
        if (k == MAP_NONE)
            continue;
        const struct tensor *ta = &b->tensors[k];
        l->pairs++;
        if (ta->rank != 2 || tb->rank != 2 || ta->shape[0] != tb->shape[1])
            continue;
        uint64_t rank = ta->shape[0];
        l->rank_least = l->rank_least == 0 || rank < l->rank_least ? rank : l->rank_least;
        l->rank_most = rank > l->rank_most ? rank : l->rank_most;
        l->fitting += fits(target(&base, a, stem), tb->shape[0], ta->shape[1]);
    }
    return true;
}

static void put_named_base(struct buf *text, const struct model *b)
{
    struct span name;
    char shown[128];
    struct json config = b->documents[DOC_ADAPTER_CONFIG].root;
    if (json_string(json_get(config, "base_model_name_or_path"), &name) ||
        metadata_string(b, "general.base_model.0.name", &name))
        buf_printf(text, "; it names %s as its base", text_shown(shown, sizeof shown, name));
}

bool diff_adapter(bool *applies, struct diff *out, enum relation *r, struct buf *text,
                  const struct model *a, const struct model *b, struct arena *arena)
{
    struct lora l = {0};
    bool of_a = is_adapter(a), of_b = is_adapter(b);
    *applies = of_a != of_b && a->tensor_count > 0 && b->tensor_count > 0;
    if (!*applies)
        return true;
    const struct model *base = of_a ? b : a, *adapter = of_a ? a : b;
    if (!take_lora(&l, base, adapter, arena))
        return false;
    *r = l.pairs > 0 && l.fitting == l.pairs ? REL_ADAPTER : REL_UNRELATED;
    out->reversed = of_a && *r == REL_ADAPTER;
    buf_printf(text, "%s holds %zu low-rank pairs", of_a ? "A" : "B", l.pairs);
    if (l.rank_most)
        buf_printf(text, " of rank %llu", (unsigned long long)l.rank_least);
    if (l.rank_most != l.rank_least)
        buf_printf(text, " to %llu", (unsigned long long)l.rank_most);
    buf_printf(text, ", %zu of which fit a weight of %s by name and shape", l.fitting,
               of_a ? "B" : "A");
    put_named_base(text, adapter);
    return true;
}
