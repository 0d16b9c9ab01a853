/*
 * Adapters (LoRA and the like): PEFT's adapter_config.json with lora_A/lora_B
 * tensors, or GGUF with general.type "adapter" (llama.cpp, convert_lora_to_gguf).
 * They have no model of their own, so the model's checks do not apply.
 */
#include "inspect/architecture.h"

static bool take_targets(struct study *s, struct json v)
{
    struct adapter *a = &s->a->adapter;
    struct span one;
    size_t n = json_type(v) == JSON_ARRAY ? json_count(v) : 1;
    a->targets = arena_array(s->m->arena, n + 1, sizeof *a->targets);
    if (!a->targets)
        return false;
    if (json_string(v, &one))
        a->targets[a->target_count++] = one;
    for (struct json i = json_first(v); json_type(v) == JSON_ARRAY && json_type(i);
         i = json_next(i))
        if (json_string(i, &a->targets[a->target_count]))
            a->target_count++;
    return true;
}

static void check_rank(struct study *s, struct json config, uint64_t rank)
{
    struct json r = json_get(config, "r");
    uint64_t said = s->a->adapter.rank;
    if (!rank || !said || rank == said || json_count(json_get(config, "rank_pattern")))
        return;
    struct origin o = {s->m->documents[DOC_ADAPTER_CONFIG].file, json_offset(r),
                       json_end(r) - json_offset(r)};
    verdict_add(&s->m->verdict, RULE_ARCH_ADAPTER, o,
                "r says rank %llu, but the largest lora_A has %llu rows", (unsigned long long)said,
                (unsigned long long)rank);
}

bool study_adapter(struct study *s)
{
    struct model *m = s->m;
    struct adapter *a = &s->a->adapter;
    struct json config = m->documents[DOC_ADAPTER_CONFIG].root;
    const struct metadata *type = study_key(s, "adapter.type");
    const struct metadata *alpha = study_key(s, "adapter.lora.alpha");
    uint64_t lora = 0, counted = 0, rank = 0;
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct place *p = &s->places[i];
        counted += p->counted;
        if (!p->counted || (p->part != PART_LORA_A && p->part != PART_LORA_B))
            continue;
        lora++;
        if (p->part == PART_LORA_A && m->tensors[i].rank == 2 && m->tensors[i].shape[0] > rank)
            rank = m->tensors[i].shape[0];
    }
    bool has_config = json_type(config) == JSON_OBJECT;
    if (lora > counted / 2 || (has_config && json_type(s->config_root) != JSON_OBJECT))
        s->a->is_adapter = true;
    if (!s->a->is_adapter)
        return true;
    (void)json_string(json_get(config, "peft_type"), &a->type);
    (void)json_double(json_get(config, "lora_alpha"), &a->alpha);
    (void)json_u64(json_get(config, "r"), &a->rank);
    if (type && type->value.type == VALUE_STRING)
        a->type = type->value.string;
    if (alpha)
        (void)value_double(&alpha->value, &a->alpha);
    check_rank(s, config, rank);
    if (rank)
        a->rank = rank;
    return take_targets(s, json_get(config, "target_modules"));
}
