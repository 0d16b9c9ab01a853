/*
 * Architecture: chooses the weights that speak for the model, reads what
 * metadata or config declare, and checks both against each other. Where they
 * disagree the tensors are believed and a finding says so.
 */
#include "inspect/architecture.h"

#include "inspect/dims.h"

static uint64_t prefer(uint64_t proven, uint64_t claimed)
{
    return proven ? proven : claimed;
}

/* Layers: as the names show when they have no gap, else as claimed. */
static uint64_t layers(const struct study *s)
{
    const struct claim *c = &s->claims[FACT_LAYERS];
    bool gap = s->found_layers > s->have_count;
    uint64_t present = 0;
    for (uint64_t l = 0; l < s->have_count && l < s->found_layers; l++)
        present += s->have[l] != 0;
    gap = gap || present != s->found_layers;
    if (s->found_layers && !gap && (s->complete || !c->known))
        return s->found_layers;
    return c->known && (!gap || c->value < s->have_count) ? c->value : present;
}

/* A default that only a known class or llama.cpp's loader applies. */
static uint64_t known(const struct study *s, enum fact f)
{
    if (s->claims[f].known)
        return s->claims[f].value;
    if (s->format == FORMAT_SAFETENSORS && !s->class)
        return 0;
    return declared(s, f, 0);
}

static void settle_sizes(struct study *s)
{
    struct architecture *a = s->a;
    const struct claim *c = s->claims;
    a->layers = layers(s);
    a->width = prefer(s->proven[FACT_WIDTH], c[FACT_WIDTH].value);
    a->heads = c[FACT_HEADS].value;
    a->kv_heads = known(s, FACT_KV_HEADS);
    a->head_size = known(s, FACT_HEAD_SIZE);
    a->ffn = c[FACT_FFN].each ? c[FACT_FFN].value : prefer(s->proven[FACT_FFN], known(s, FACT_FFN));
    a->experts = prefer(s->proven[FACT_EXPERTS], c[FACT_EXPERTS].value);
    if (a->experts) {
        a->experts_active = c[FACT_EXPERTS_ACTIVE].value;
        a->expert_ffn = prefer(s->proven[FACT_EXPERT_FFN], known(s, FACT_EXPERT_FFN));
        a->shared_experts = c[FACT_SHARED_EXPERTS].value;
    }
    a->vocabulary = prefer(s->proven[FACT_VOCABULARY], c[FACT_VOCABULARY].value);
    if (!a->vocabulary)
        a->vocabulary = s->tokens;
    a->context = c[FACT_CONTEXT].value;
    a->window = c[FACT_WINDOW].value;
}

static void settle_rope(struct study *s)
{
    struct rope *r = &s->a->rope;
    if (s->claims[FACT_ROPE_DIMENSIONS].known)
        r->dimensions = s->claims[FACT_ROPE_DIMENSIONS].value;
    if (!r->dimensions && r->base > 0 && s->family)
        r->dimensions = s->a->head_size;
    if (!r->original_context && r->scaling.n)
        r->original_context = s->claims[FACT_ORIGINAL_CONTEXT].value;
}

/* GGUF: an absent output.weight means shared. A folder says it, and whoever
 * loads it follows the config whatever is stored. */
static void settle_tied(struct study *s)
{
    struct architecture *a = s->a;
    if (a->is_adapter)
        return;
    if (s->tied_claim == TIED_YES || (s->tied_claim == TIED_NO && !s->embedding)) {
        a->tied_known = true;
        a->tied = s->tied_claim == TIED_YES;
    } else if (s->embedding && (s->output || (s->complete && s->tied_claim == TIED_UNKNOWN))) {
        a->tied_known = true;
        a->tied = !s->output;
    }
}

bool inspect_architecture(struct facts *out, struct model *m)
{
    struct study *s = arena_alloc(m->arena, sizeof *s);
    if (!s)
        return false;
    out->architecture = (struct architecture){0};
    s->m = m;
    s->out = out;
    s->a = &out->architecture;
    if (!study_choose(s) || !(s->format == FORMAT_GGUF ? study_gguf(s) : study_config(s)))
        return false;
    s->complete = !m->unlisted; /* tensor data that is cut off says nothing of the shape */
    if (!study_tensors(s) || !study_adapter(s))
        return false;
    s->a->family = s->family ? s->family->name : NULL;
    settle_sizes(s);
    settle_rope(s);
    settle_tied(s);
    if (!s->a->is_adapter && !study_check(s))
        return false;
    study_count(s);
    return !m->verdict.lost;
}
