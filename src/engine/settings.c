/*
 * A model's numbers. inspect has read most of them from either container; here
 * are those that only a forward pass needs, and the refusals: a setting that
 * this engine does not compute is named, never ignored.
 */
#include "engine/settings.h"

#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/numerics.h"

/* Where further settings stand: GGUF metadata under the architecture's name, or config.json. */
struct declared {
    struct model *m;
    const char *prefix;
    struct json config;
};

static bool number(const struct declared *s, const char *gguf, const char *hf, double *out)
{
    char key[128];
    if (s->prefix == NULL) {
        struct json v = hf != NULL ? json_get(s->config, hf) : JSON_NOTHING;
        return json_double(v, out);
    }
    struct buf b;
    buf_init(&b, sizeof key);
    buf_printf(&b, "%s.%s", s->prefix, gguf != NULL ? gguf : "-");
    bool found = buf_ok(&b) && metadata_double(s->m, buf_cstr(&b), out);
    uint64_t whole;
    if (!found && buf_ok(&b) && metadata_u64(s->m, buf_cstr(&b), &whole)) {
        *out = (double)whole;
        found = true;
    }
    buf_free(&b);
    return found;
}

static double number_or(const struct declared *s, const char *gguf, const char *hf,
                        double otherwise)
{
    double v;
    return number(s, gguf, hf, &v) ? v : otherwise;
}

/* rope_scaling, or rope_parameters of newer configurations. */
static struct json scaling_of(const struct declared *s)
{
    struct json v = json_get(s->config, "rope_scaling");
    return json_type(v) == JSON_OBJECT ? v : json_get(s->config, "rope_parameters");
}

static double scaling_number(const struct declared *s, const char *gguf, const char *hf,
                             double otherwise)
{
    double v;
    if (s->prefix != NULL)
        return number_or(s, gguf, NULL, otherwise);
    return json_double(json_get(scaling_of(s), hf), &v) ? v : otherwise;
}

static bool count(uint32_t *out, uint64_t v, uint64_t most, const char *what, struct err *e)
{
    if (v == 0)
        return err_set(e, ERR_FORMAT, "the model does not say its %s", what);
    if (v > most)
        return err_set(e, ERR_UNSUPPORTED, "%s %llu: this engine goes up to %llu", what,
                       (unsigned long long)v, (unsigned long long)most);
    *out = (uint32_t)v;
    return true;
}

/* inspect believes the tensors where they show a number; a model that says another one is not whole,
 * or not the model that it says it is. */
static bool as_declared(const struct settings *c, const struct declared *s, struct err *e)
{
    const struct {
        const char *gguf, *hf, *what;
        uint32_t have;
    } all[] = {{"block_count", "num_hidden_layers", "number of layers", c->layers},
               {"embedding_length", "hidden_size", "width", c->width},
               {"feed_forward_length", "intermediate_size", "feed-forward width", c->ffn}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        double said;
        if (number(s, all[i].gguf, all[i].hf, &said) && said != (double)all[i].have)
            return err_set(e, ERR_FORMAT, "%s: the model declares %.17g, and its tensors show %u",
                           all[i].what, said, all[i].have);
    }
    return true;
}

static bool dimensions(struct settings *c, const struct facts *f, struct err *e)
{
    const struct architecture *a = &f->architecture;
    bool ok =
        count(&c->layers, a->layers, 4096, "number of layers", e) &&
        count(&c->width, a->width, 1 << 20, "width", e) &&
        count(&c->ffn, a->ffn, 1 << 22, "feed-forward width", e) &&
        count(&c->heads, a->heads, 4096, "number of attention heads", e) &&
        count(&c->kv_heads, a->kv_heads ? a->kv_heads : a->heads, 4096, "number of KV heads", e) &&
        count(&c->head, a->head_size ? a->head_size : c->width / c->heads, 4096, "head size", e) &&
        count(&c->vocabulary, a->vocabulary, 1 << 22, "vocabulary", e) &&
        count(&c->trained_context, a->context, UINT32_MAX, "context length", e);
    if (!ok)
        return false;
    if (c->heads % c->kv_heads != 0)
        return err_set(e, ERR_FORMAT, "%u attention heads do not share %u KV heads evenly",
                       c->heads, c->kv_heads);
    c->tied = a->tied_known && a->tied;
    return true;
}

static bool scaling(struct settings *c, const struct declared *s, const struct facts *f,
                    struct err *e)
{
    const struct rope *r = &f->architecture.rope;
    struct span kind = r->scaling;
    c->factor = r->factor != 0 ? r->factor
                : kind.n == 0  ? 1.0
                               : scaling_number(s, "rope.scaling.factor", "factor", 1.0);
    /* Phi 3 says so without a kind of scaling. */
    double original = number_or(s, "rope.scaling.original_context_length",
                                "original_max_position_embeddings", 0.0);
    c->original_context = c->trained_context;
    if (original >= 1.0 && original <= (double)UINT32_MAX)
        c->original_context = (uint32_t)original;
    if (r->original_context != 0)
        c->original_context = (uint32_t)r->original_context;
    c->attention_factor = scaling_number(s, "rope.scaling.attn_factor", "attention_factor", 1.0);
    if (kind.n == 0 || span_is(kind, "none") || span_is(kind, "default"))
        c->scaling = ROPE_PLAIN;
    else if (span_is(kind, "linear"))
        c->scaling = ROPE_LINEAR;
    else if (span_is(kind, "yarn"))
        c->scaling = ROPE_YARN;
    else if (span_is(kind, "llama3"))
        c->scaling = ROPE_LLAMA3;
    else if (span_is(kind, "longrope") || span_is(kind, "su"))
        c->scaling = ROPE_LONG;
    else {
        char shown[64];
        return err_set(e, ERR_UNSUPPORTED, "RoPE scaling \"%s\" is not one this engine computes",
                       text_shown(shown, sizeof shown, kind));
    }
    if (c->scaling == ROPE_YARN) {
        c->beta_fast = scaling_number(s, "rope.scaling.yarn_beta_fast", "beta_fast", 32.0);
        c->beta_slow = scaling_number(s, "rope.scaling.yarn_beta_slow", "beta_slow", 1.0);
        c->attention_factor =
            scaling_number(s, "-", "attention_factor", 0.1 * numerics_log_double(c->factor) + 1.0);
    }
    c->low_freq = scaling_number(s, "-", "low_freq_factor", 1.0);
    c->high_freq = scaling_number(s, "-", "high_freq_factor", 4.0);
    return true;
}

static bool rope(struct settings *c, const struct declared *s, const struct facts *f, struct err *e)
{
    const struct rope *r = &f->architecture.rope;
    if (has(c, ROPE_NONE))
        return true;
    c->rope_dims = (uint32_t)(r->dimensions ? r->dimensions : c->head);
    double said = r->base;
    bool declared = said != 0 || number(s, "rope.freq_base", "rope_theta", &said);
    c->rope_base = declared ? said : 10000.0;
    c->rope_base_local = number_or(s, "rope.freq_base_swa", "rope_local_base_freq",
                                   has(c, WINDOW_MOST) ? 10000.0 : c->rope_base);
    if (!scaling(c, s, f, e))
        return false;
    if (number(s, "rope.dimension_count", NULL, &said) && said == 0)
        c->rope_dims = 0;
    if (c->rope_dims == 0 || c->rope_dims > c->head || c->rope_dims % 2 != 0)
        return err_set(e, ERR_FORMAT, "RoPE over %u of %u dimensions of a head is impossible",
                       c->rope_dims, c->head);
    if (!isfinite(c->rope_base) || c->rope_base <= 1.0 || !isfinite(c->rope_base_local) ||
        c->rope_base_local <= 1.0)
        return err_set(e, ERR_FORMAT, "RoPE base %g is impossible: it must be above 1",
                       c->rope_base);
    if (!isfinite(c->factor) || c->factor < 1.0 || !isfinite(c->attention_factor) ||
        c->attention_factor <= 0.0)
        return err_set(e, ERR_FORMAT, "RoPE scaling by %g (attention factor %g) is impossible",
                       c->factor, c->attention_factor);
    if (c->scaling == ROPE_LLAMA3 && !(c->low_freq > 0 && c->high_freq > c->low_freq))
        return err_set(e, ERR_FORMAT, "RoPE frequency factors %g and %g are impossible",
                       c->low_freq, c->high_freq);
    return true;
}

/* llama.cpp knows the 27B models of gemma 2 and 3 by their layers. */
static bool is_27b(const struct settings *c)
{
    return (has(c, WINDOW_EVEN) && c->layers == 46) || (has(c, WINDOW_MOST) && c->layers == 62);
}

static void scales(struct settings *c, const struct declared *s)
{
    double base = is_27b(c) ? (double)c->width / c->heads : (double)c->head;
    base = number_or(s, "-", "query_pre_attn_scalar", base);
    c->attention_scale = (float)(1.0 / sqrt(base));
    c->embed_scale = has(c, EMBED_SQRT) ? sqrtf((float)c->width) : 1.0f;
    c->residual_scale = c->logit_scale = 1.0f;
    if (has(c, SCALES)) {
        c->attention_scale = (float)number_or(s, "attention.scale", "attention_multiplier",
                                              (double)c->attention_scale);
        c->embed_scale = (float)number_or(s, "embedding_scale", "embedding_multiplier", 1.0);
        c->residual_scale = (float)number_or(s, "residual_scale", "residual_multiplier", 1.0);
        c->logit_scale = 1.0f / (float)number_or(s, "logit_scale", "logits_scaling", 1.0);
    }
    if (has(c, SOFTCAPS)) {
        bool second = has(c, WINDOW_EVEN); /* gemma 2's defaults */
        c->attention_cap = (float)number_or(s, "attn_logit_softcapping", "attn_logit_softcapping",
                                            second ? 50.0 : 0.0);
        c->final_cap = (float)number_or(s, "final_logit_softcapping", "final_logit_softcapping",
                                        second ? 30.0 : 0.0);
    }
}

static bool window(struct settings *c, const struct declared *s, const struct facts *f,
                   struct err *e)
{
    bool used = false;
    c->window_pattern = 1;
    if (has(c, WINDOW_MOST) || has(c, WINDOW_EVEN)) {
        uint64_t w = f->architecture.window ? f->architecture.window : 4096;
        c->window_pattern =
            has(c, WINDOW_EVEN) ? 2 : (uint32_t)number_or(s, "-", "sliding_window_pattern", 6);
        return count(&c->window, w, UINT32_MAX, "window", e);
    }
    if (c->gguf) /* llama.cpp has no window for the other families */
        return true;
    struct json say = json_get(s->config, "use_sliding_window");
    if (json_bool(say, &used) && used)
        return err_set(e, ERR_UNSUPPORTED, "use_sliding_window of %s is not computed yet",
                       c->family->name);
    if (json_type(say) == JSON_MISSING && f->architecture.window != 0)
        return count(&c->window, f->architecture.window, UINT32_MAX, "window", e);
    return true;
}

static bool family(struct settings *c, const struct facts *f, struct err *e)
{
    const struct architecture *a = &f->architecture;
    char shown[96];
    if (a->is_adapter)
        return err_set(e, ERR_UNSUPPORTED,
                       "this is an adapter: name the model it belongs to, and "
                       "the adapter with --adapter");
    const char *name = a->family;
    c->family = name != NULL ? family_find(span_str(name)) : NULL;
    if (c->family == NULL)
        return err_set(e, ERR_UNSUPPORTED,
                       "models of the family \"%s\" are not computed: no forward pass is written "
                       "for it (docs/engine.md lists those that are)",
                       name != NULL ? name : text_shown(shown, sizeof shown, a->declared));
    if (a->experts > 1)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s with %llu experts is not computed: mixtures of experts are missing",
                       c->family->name, (unsigned long long)a->experts);
    return true;
}

bool settings_read(struct settings *c, struct model *m, const struct facts *f, uint32_t context,
                   struct err *e)
{
    *c = (struct settings){0};
    if (!family(c, f, e))
        return false;
    c->gguf = m->metadata_count != 0 && m->tensor_count != 0 &&
              m->files[m->tensors[0].data.file].format == FORMAT_GGUF;
    struct declared s = {m, c->gguf ? c->family->name : NULL, m->documents[DOC_CONFIG].root};
    struct json inner = json_get(s.config, "text_config");
    if (json_type(inner) == JSON_OBJECT)
        s.config = inner;
    if (!dimensions(c, f, e) || !as_declared(c, &s, e))
        return false;
    bool layer = has(c, NORM_LAYER);
    c->eps = (float)number_or(
        &s, layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
        layer ? "layer_norm_epsilon" : "rms_norm_eps", layer ? 1e-5 : 1e-6);
    if (!(c->eps >= 0) || !isfinite(c->eps))
        return err_set(e, ERR_FORMAT, "norm epsilon %g is impossible", (double)c->eps);
    if (!rope(c, &s, f, e) || !window(c, &s, f, e))
        return false;
    scales(c, &s);
    if (!(c->attention_scale > 0) || !isfinite(c->logit_scale) || !isfinite(c->embed_scale) ||
        !isfinite(c->residual_scale))
        return err_set(e, ERR_FORMAT, "a multiplier of the model is not a number");
    uint32_t most = c->trained_context;
    c->context = context != 0 ? context : most < 8192 ? most : 8192;
    if (c->context > most && c->scaling == ROPE_PLAIN && has(c, ROPE_NONE))
        return err_set(e, ERR_USAGE, "a context of %u: the model has %u learned positions",
                       c->context, most);
    return true;
}
