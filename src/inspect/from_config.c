/*
 * Claims of a Hugging Face config.json: the keys of transformers'
 * configuration classes, older spellings behind newer ones. Where a key is
 * absent the class's default stands, as it does for whoever loads the model.
 */
#include "inspect/architecture.h"

#include <string.h>

enum { SPELLINGS = 3 };

static const struct config_key {
    enum fact fact;
    const char *keys[SPELLINGS];
} keys[] = {
    {FACT_LAYERS, {"num_hidden_layers", "n_layer"}},
    {FACT_WIDTH, {"hidden_size", "n_embd"}},
    {FACT_FFN, {"intermediate_size", "n_inner"}},
    {FACT_HEADS, {"num_attention_heads", "n_head"}},
    {FACT_KV_HEADS, {"num_key_value_heads"}},
    {FACT_HEAD_SIZE, {"head_dim"}},
    {FACT_VALUE_SIZE, {"v_head_dim"}},
    {FACT_EXPERTS, {"num_local_experts", "num_experts", "n_routed_experts"}},
    {FACT_EXPERTS_ACTIVE, {"num_experts_per_tok", "experts_per_token"}},
    {FACT_EXPERT_FFN, {"moe_intermediate_size"}},
    {FACT_SHARED_EXPERTS, {"n_shared_experts"}},
    {FACT_VOCABULARY, {"vocab_size"}},
    {FACT_CONTEXT, {"max_position_embeddings", "n_positions", "n_ctx"}},
    {FACT_WINDOW, {"sliding_window"}},
    {FACT_ORIGINAL_CONTEXT, {"original_max_position_embeddings"}},
};

static struct origin where(const struct study *s, struct json v)
{
    uint64_t at = json_offset(v);
    return (struct origin){s->m->documents[DOC_CONFIG].file, at, json_end(v) - at};
}

static void bad_value(struct study *s, struct json v, const char *key, const char *expected)
{
    char text[ARCH_MAX_NAME];
    verdict_add(&s->m->verdict, RULE_ARCH_KEY, where(s, v), "%s is %s; expected %s", key,
                shown(text, json_text(v)), expected);
}

static bool take_array(struct study *s, struct json v, const char *key, struct claim *c)
{
    uint64_t n = json_count(v) < ARCH_MAX_LAYERS ? json_count(v) : ARCH_MAX_LAYERS;
    if (n && !(c->each = arena_array(s->m->arena, n, sizeof *c->each)))
        return false;
    for (struct json i = json_first(v); json_type(i) && c->each_count < n; i = json_next(i)) {
        uint64_t u;
        if (!json_u64(i, &u)) {
            bad_value(s, v, key, "whole numbers of at least 0");
            *c = (struct claim){0};
            return true;
        }
        c->each[c->each_count++] = u;
        if (u > c->value)
            c->value = u;
    }
    c->known = c->each_count > 0;
    return true;
}

static bool take(struct study *s, const struct config_key *k)
{
    for (size_t i = 0; i < SPELLINGS && k->keys[i]; i++) {
        struct json v = json_get(s->config, k->keys[i]);
        enum json_type t = json_type(v);
        if (t == JSON_MISSING || t == JSON_NULL)
            continue;
        struct claim c = {.origin = where(s, v), .key = k->keys[i]};
        if (t == JSON_ARRAY) {
            if (!take_array(s, v, k->keys[i], &c))
                return false;
        } else if (json_u64(v, &c.value)) {
            c.known = true;
        } else {
            bad_value(s, v, k->keys[i], "a whole number of at least 0");
        }
        if (c.known)
            s->claims[k->fact] = c;
        return true;
    }
    return true;
}

/* Whoever wraps a text model takes it for this one when it does not say. */
static const char *text_model_of(const struct config_class *wrapper)
{
    static const struct {
        const char *wrapper, *text;
    } texts[] = {{"mistral3", "mistral"}, {"gemma3", "gemma3_text"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].wrapper, wrapper->model_type) == 0)
            return texts[i].text;
    return "";
}

/* "Mistral3ForConditionalGeneration" wraps a text model and keeps its config inside. */
static void find_class(struct study *s)
{
    struct span type = SPAN_EMPTY, inner = SPAN_EMPTY, first = SPAN_EMPTY;
    const struct config_class *outer;
    struct json text = json_get(s->config_root, "text_config");
    (void)json_string(json_get(s->config_root, "model_type"), &type);
    (void)json_string(json_at(json_get(s->config_root, "architectures"), 0), &first);
    outer = type.n ? config_class_of(type) : config_class_of_architecture(first);
    s->a->declared = type.n ? type : first;
    s->config = s->config_root;
    s->class = s->wrapper = outer;
    if (json_type(text) == JSON_OBJECT) {
        s->config = text;
        if (!json_string(json_get(text, "model_type"), &inner) && outer)
            inner = span_str(text_model_of(outer));
        if (outer && config_class_of(inner))
            s->class = config_class_of(inner);
    }
    if (outer)
        s->family = family_by_name(outer->family);
}

/* Classes that scale RoPE where the config says nothing of it. */
static void default_scaling(struct study *s)
{
    static const struct {
        const char *model_type, *type;
        double factor;
        uint64_t original;
    } scalings[] = {{"ministral3", "yarn", 16, 16384}, {"gpt_oss", "yarn", 32, 4096}};
    struct rope *r = &s->a->rope;
    for (size_t i = 0; s->class && i < sizeof scalings / sizeof scalings[0]; i++) {
        if (strcmp(scalings[i].model_type, s->class->model_type) != 0)
            continue;
        r->scaling = span_str(scalings[i].type);
        r->factor = scalings[i].factor;
        r->original_context = scalings[i].original;
    }
}

/* The share of a head that is rotated stands beside the base since transformers 5. */
static void take_rotated_share(struct study *s, struct json p)
{
    const struct claim *c = s->claims;
    uint64_t head = c[FACT_HEAD_SIZE].value;
    double share;
    if (!c[FACT_HEAD_SIZE].known && c[FACT_HEADS].value)
        head = c[FACT_WIDTH].value / c[FACT_HEADS].value;
    if (!json_double(json_get(p, "partial_rotary_factor"), &share) &&
        !json_double(json_get(s->config, "partial_rotary_factor"), &share))
        return;
    if (share > 0 && share <= 1)
        s->a->rope.dimensions = (uint64_t)((double)(head & 0xFFFFFFFF) * share);
}

/* rope_parameters (transformers 5) may hold one object per kind of attention. */
static void take_rope(struct study *s)
{
    struct rope *r = &s->a->rope;
    struct json p = json_get(s->config, "rope_parameters"), v;
    struct json full = json_get(p, "full_attention");
    if (json_type(full) == JSON_OBJECT)
        p = full;
    if (json_type(p) != JSON_OBJECT)
        p = json_get(s->config, "rope_scaling");
    if (!json_double(json_get(p, "rope_theta"), &r->base) &&
        !json_double(json_get(s->config, "rope_theta"), &r->base) && s->class)
        r->base = s->class->rope_base;
    take_rotated_share(s, p);
    if (json_type(p) != JSON_OBJECT) {
        default_scaling(s);
        return;
    }
    v = json_get(p, "rope_type");
    if (!json_string(json_type(v) == JSON_STRING ? v : json_get(p, "type"), &r->scaling) ||
        span_is(r->scaling, "default"))
        r->scaling = SPAN_EMPTY;
    if (r->scaling.n)
        (void)json_double(json_get(p, "factor"), &r->factor);
    (void)json_u64(json_get(p, "original_max_position_embeddings"), &r->original_context);
}

static void take_tied(struct study *s)
{
    bool tied;
    struct json v = json_get(s->config, "tie_word_embeddings");
    if (json_type(v) == JSON_MISSING)
        v = json_get(s->config_root, "tie_word_embeddings");
    if (json_bool(v, &tied)) {
        s->tied_claim = tied ? TIED_YES : TIED_NO;
        s->tied_origin = where(s, v);
    } else if (s->wrapper) {
        s->tied_claim = s->wrapper->tied;
    }
}

/* How many bits a packed weight has: the places where quantisers say so. */
static void take_quantisation(struct study *s)
{
    struct json q = json_get(s->config_root, "quantization_config"), group;
    uint64_t bits = 0;
    struct span method = SPAN_EMPTY;
    bool four = false;
    if (json_type(q) != JSON_OBJECT)
        q = json_get(s->config, "quantization_config");
    (void)json_string(json_get(q, "quant_method"), &method);
    if (!json_u64(json_get(q, "bits"), &bits))
        (void)json_u64(json_get(q, "w_bit"), &bits);
    group = json_get(q, "config_groups"); /* compressed-tensors: all groups alike, or unknown */
    for (struct json g = json_first(group); json_type(g); g = json_next(g)) {
        uint64_t n = 0;
        (void)json_u64(json_get(json_get(g, "weights"), "num_bits"), &n);
        bits = bits == 0 || bits == n ? n : UINT64_MAX;
    }
    if (span_is(method, "mxfp4"))
        bits = 4;
    s->bnb4 = json_bool(json_get(q, "load_in_4bit"), &four) && four;
    s->pack_bits = bits && bits <= 8 ? (uint32_t)bits : 0;
}

/*
 * An explicit null is a value for these three: no window, as many key-value
 * heads as heads, heads of width / heads. Any other null means the default.
 */
static bool null_is_a_value(const struct study *s, size_t fact)
{
    static const struct {
        enum fact fact;
        const char *key;
    } nulls[] = {{FACT_WINDOW, "sliding_window"},
                 {FACT_KV_HEADS, "num_key_value_heads"},
                 {FACT_HEAD_SIZE, "head_dim"}};
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        if (nulls[i].fact == fact)
            return json_type(json_get(s->config, nulls[i].key)) == JSON_NULL;
    return false;
}

static void take_defaults(struct study *s)
{
    for (size_t f = 0; s->class && f < FACT_COUNT; f++) {
        struct claim *c = &s->claims[f];
        if (c->known || !s->class->defaults[f] || null_is_a_value(s, f))
            continue;
        *c = (struct claim){.known = true, .defaulted = true, .value = s->class->defaults[f]};
        c->origin = (struct origin){s->m->documents[DOC_CONFIG].file, 0, 0};
        c->key = "the default";
    }
}

static void window_opt_in(struct study *s)
{
    bool used = false;
    if (!s->class || !s->class->window_opt_in)
        return;
    if (!json_bool(json_get(s->config, "use_sliding_window"), &used) || !used)
        s->claims[FACT_WINDOW] = (struct claim){0};
}

bool study_config(struct study *s)
{
    const struct document *d = &s->m->documents[DOC_CONFIG];
    if (json_type(d->root) != JSON_OBJECT)
        return true;
    s->config_root = d->root;
    find_class(s);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!take(s, &keys[i]))
            return false;
    take_rope(s);
    take_tied(s);
    take_quantisation(s);
    take_defaults(s);
    window_opt_in(s);
    return true;
}
