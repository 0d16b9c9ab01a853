/*
 * Claims of a GGUF file: keys under the architecture's own prefix
 * (docs/gguf.md, "LLM"; llama.cpp, src/llama-arch.cpp). Numbers may be arrays
 * with one entry a layer.
 */
#include "inspect/architecture.h"

#include <stdio.h>
#include <string.h>

static const struct gguf_key {
    enum fact fact;
    const char *key;
} keys[] = {
    {FACT_LAYERS, "block_count"},
    {FACT_WIDTH, "embedding_length"},
    {FACT_FFN, "feed_forward_length"},
    {FACT_HEADS, "attention.head_count"},
    {FACT_KV_HEADS, "attention.head_count_kv"},
    {FACT_HEAD_SIZE, "attention.key_length"},
    {FACT_VALUE_SIZE, "attention.value_length"},
    {FACT_EXPERTS, "expert_count"},
    {FACT_EXPERTS_ACTIVE, "expert_used_count"},
    {FACT_EXPERT_FFN, "expert_feed_forward_length"},
    {FACT_SHARED_EXPERTS, "expert_shared_count"},
    {FACT_VOCABULARY, "vocab_size"},
    {FACT_CONTEXT, "context_length"},
    {FACT_WINDOW, "attention.sliding_window"},
    {FACT_ROPE_DIMENSIONS, "rope.dimension_count"},
    {FACT_ORIGINAL_CONTEXT, "rope.scaling.original_context_length"},
};

enum { KEY_SIZE = 192 };

/* "llama.block_count"; NULL when the architecture's name is no name. */
static const struct metadata *find(const struct study *s, const char *suffix)
{
    char key[KEY_SIZE];
    struct span a = s->a->declared;
    if (!a.n || a.n > KEY_SIZE / 2)
        return NULL;
    snprintf(key, sizeof key, "%.*s.%s", (int)a.n, (const char *)a.p, suffix);
    return study_key(s, key);
}

static void bad_value(struct study *s, const struct metadata *k, const char *expected)
{
    char name[ARCH_MAX_NAME];
    verdict_add(&s->m->verdict, RULE_ARCH_KEY, k->origin, "%s is a %s; expected %s",
                shown(name, k->key), value_type_name(k->value.type), expected);
}

static bool take_array(struct study *s, const struct metadata *k, struct claim *c)
{
    uint64_t n = k->value.count < ARCH_MAX_LAYERS ? k->value.count : ARCH_MAX_LAYERS;
    struct value_iter it = value_items(&k->value);
    struct value item;
    if (n)
        c->each = arena_array(s->m->arena, n, sizeof *c->each);
    if (n && !c->each)
        return false;
    while (c->each_count < n && value_next(&it, &item)) {
        uint64_t v;
        if (!value_u64(&item, &v)) {
            bad_value(s, k, "whole numbers");
            *c = (struct claim){0};
            return true;
        }
        c->each[c->each_count++] = v;
        if (v > c->value)
            c->value = v;
    }
    c->known = c->each_count > 0;
    return true;
}

static bool take(struct study *s, enum fact f, const struct metadata *k)
{
    struct claim c = {.origin = k->origin, .key = arena_str(s->m->arena, k->key)};
    if (!c.key)
        return false;
    if (k->value.type == VALUE_ARRAY) {
        if (!take_array(s, k, &c))
            return false;
    } else if (value_u64(&k->value, &c.value)) {
        c.known = true;
    } else {
        bad_value(s, k, "a whole number of at least 0");
    }
    if (c.known)
        s->claims[f] = c;
    return true;
}

static void take_rope(struct study *s)
{
    struct rope *r = &s->a->rope;
    const struct metadata *base = find(s, "rope.freq_base"), *type = find(s, "rope.scaling.type");
    const struct metadata *factor = find(s, "rope.scaling.factor");
    if (!factor)
        factor = find(s, "rope.scale_linear"); /* before rope.scaling.* */
    if (base && !value_double(&base->value, &r->base))
        bad_value(s, base, "a number");
    if (factor && !value_double(&factor->value, &r->factor))
        bad_value(s, factor, "a number");
    if (type && type->value.type == VALUE_STRING && !span_is(type->value.string, "none"))
        r->scaling = type->value.string;
}

/* Sizes that llama.cpp refuses to load without. */
static void require_keys(struct study *s)
{
    static const enum fact needed[] = {FACT_LAYERS, FACT_WIDTH, FACT_FFN, FACT_HEADS, FACT_CONTEXT};
    char name[ARCH_MAX_NAME];
    if (!s->family || s->a->is_adapter || !s->m->tensor_count)
        return;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        const struct claim *c = &s->claims[needed[i]];
        bool moe = needed[i] == FACT_FFN && s->claims[FACT_EXPERT_FFN].known;
        if (c->known && c->value)
            continue;
        for (size_t k = 0; !moe && k < sizeof keys / sizeof keys[0]; k++)
            if (keys[k].fact == needed[i])
                verdict_add(&s->m->verdict, RULE_ARCH_KEY,
                            c->known ? c->origin : (struct origin){s->lead, 0, 0},
                            "%s.%s is %s; a %s model cannot be built without it",
                            shown(name, s->a->declared), keys[k].key, c->known ? "0" : "absent",
                            s->family->name);
    }
}

bool study_gguf(struct study *s)
{
    const struct metadata *arch = study_key(s, "general.architecture");
    const struct metadata *type = study_key(s, "general.type");
    const struct metadata *tokens = study_key(s, "tokenizer.ggml.tokens");
    if (arch && arch->value.type == VALUE_STRING)
        s->a->declared = arch->value.string;
    s->family = family_of_gguf(s->a->declared);
    if (type && type->value.type == VALUE_STRING && span_is(type->value.string, "adapter"))
        s->a->is_adapter = true;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct metadata *k = find(s, keys[i].key);
        if (k && !take(s, keys[i].fact, k))
            return false;
    }
    if (tokens && tokens->value.type == VALUE_ARRAY)
        s->tokens = tokens->value.count;
    take_rope(s);
    require_keys(s);
    return true;
}
