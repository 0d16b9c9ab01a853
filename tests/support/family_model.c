/* Tiny models that compute: see family_model.h. */
#include "support/family_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/numerics.h"
#include "support/tiny_family.h"

const char *const family_names[] = {"llama",   "qwen2", "qwen3", "gemma3", "gemma2", "smollm3",
                                    "granite", "olmo2", "phi3",  "gpt2",   NULL};

static uint64_t state;

/* Between -1 and 1. */
static float random_float(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return ((float)(state >> 40) - 8388608.0f) / 8388608.0f;
}

static void extra_numbers(struct gguf_writer *w, const char *arch, const char *family, float base,
                          unsigned *count)
{
    static const struct {
        const char *family, *key;
        float value;
        bool whole;
    } keys[] = {
        {"gpt2", "attention.layer_norm_epsilon", 1e-5f, false},
        {"gemma2", "attention.sliding_window", FAMILY_WINDOW, true},
        {"gemma3", "attention.sliding_window", FAMILY_WINDOW, true},
        {"gemma2", "attn_logit_softcapping", 50, false},
        {"gemma2", "final_logit_softcapping", 30, false},
        {"granite", "embedding_scale", 3, false},
        {"granite", "residual_scale", 0.7f, false},
        {"granite", "attention.scale", 0.2f, false},
        {"granite", "logit_scale", 2, false},
    };
    char key[96];
    *count = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(keys[i].family, family) != 0)
            continue;
        (void)snprintf(key, sizeof key, "%s.%s", arch, keys[i].key);
        if (keys[i].whole)
            gw_kv_u32(w, key, (uint32_t)keys[i].value);
        else
            gw_kv_f32(w, key, keys[i].value);
        ++*count;
    }
    if (strcmp(family, "gpt2") == 0)
        return;
    (void)snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    gw_kv_f32(w, key, 1e-5f);
    (void)snprintf(key, sizeof key, "%s.rope.dimension_count", arch);
    gw_kv_u32(w, key, 16);
    (void)snprintf(key, sizeof key, "%s.rope.freq_base", arch);
    gw_kv_f32(w, key, base);
    *count += 3;
}

static const char *word_of(const struct family_change *c, unsigned i, char text[16])
{
    size_t k = i - 3, n = sizeof c->words / sizeof *c->words;
    if (i >= 3 && k < n && c->words[k] != NULL)
        return c->words[k];
    k = i - FAMILY_CHARACTERS;
    if (i >= FAMILY_CHARACTERS && c->characters != NULL && k < strlen(c->characters)) {
        (void)snprintf(text, 16, "%c", c->characters[k]);
        return text;
    }
    (void)snprintf(text, 16, i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>");
    if (i >= 3)
        (void)snprintf(text, 16, "%c%u", i < 200 ? 'a' : 'b', i); /* no bytes: each is whole text */
    return text;
}

static void vocabulary(struct gguf_writer *w, const struct family_change *c)
{
    char text[16];
    gw_kv_string(w, "tokenizer.ggml.model", "llama");
    gw_kv_array(w, "tokenizer.ggml.tokens", VALUE_STRING, FAMILY_WORDS);
    for (unsigned i = 0; i < FAMILY_WORDS; i++)
        gw_string(w, word_of(c, i, text));
    gw_kv_array(w, "tokenizer.ggml.scores", VALUE_F32, FAMILY_WORDS);
    for (unsigned i = 0; i < FAMILY_WORDS; i++)
        gw_f32(w, 0.0f);
    gw_kv_array(w, "tokenizer.ggml.token_type", VALUE_I32, FAMILY_WORDS);
    for (unsigned i = 0; i < FAMILY_WORDS; i++)
        gw_u32(w, i == 0 ? 2 : i < 3 || (i == 3 && c->control) ? 3 : 1);
    gw_kv_u32(w, "tokenizer.ggml.bos_token_id", 1);
    gw_kv_u32(w, "tokenizer.ggml.eos_token_id", 2);
}
enum { VOCABULARY_KEYS = 6 };

static enum dtype type_of(const struct tensor *x, const struct family_change *c)
{
    return x->rank == 2 && x->shape[1] % 32 == 0 ? c->type : DTYPE_F32;
}

static bool is(const struct tensor *x, const char *name)
{
    return name != NULL && span_is(x->name, name);
}

static uint64_t bytes_of(const struct tensor *x, const struct family_change *c)
{
    uint64_t n = 0;
    enum dtype t = type_of(x, c);
    uint64_t elements = x->elements - (is(x, c->shrink) ? x->elements / x->shape[0] : 0);
    return dtype_size(t, elements, &n) ? n : 0;
}

/* 32 floats of the row as Q8_0. */
static void put_q8_0(struct gguf_writer *w, const float *x)
{
    float most = 0;
    for (int i = 0; i < 32; i++)
        most = fmaxf(most, fabsf(x[i]));
    uint16_t d = numerics_half(most / 127.0f);
    gw_u16(w, d);
    for (int i = 0; i < 32; i++) {
        float q = most > 0 ? x[i] * 127.0f / most : 0;
        gw_u8(w, (uint8_t)(int8_t)lrintf(q));
    }
}

static void put_tensor(struct gguf_writer *w, const struct tensor *x, const struct family_change *c)
{
    enum dtype t = type_of(x, c);
    uint64_t n = bytes_of(x, c) / dtypes[t].bytes * dtypes[t].block;
    bool norm =
        x->rank == 1 && x->name.n > 6 && memcmp(x->name.p + x->name.n - 6, "weight", 6) == 0;
    float block[32], size = x->rank == 2 ? 2.0f / sqrtf((float)x->shape[1]) : 0.1f;
    for (uint64_t i = 0; i < n; i++) {
        float f = random_float() * size + (norm ? 1.0f : 0.0f);
        f = i == 0 && is(x, c->poison) ? NAN : f;
        block[i % 32] = f;
        if (t == DTYPE_F32)
            gw_f32(w, f);
        else if (t == DTYPE_F16 || t == DTYPE_BF16)
            gw_u16(w, t == DTYPE_F16 ? numerics_half(f) : numerics_bfloat(f));
        else if (i % 32 == 31)
            put_q8_0(w, block);
    }
    gw_pad(w, 32);
}

static void put_tensors(struct gguf_writer *w, const struct tiny *t, const struct family_change *c)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < t->tensor_count; i++) {
        const struct tensor *x = &t->tensors[i];
        uint64_t ne[MODEL_MAX_RANK] = {0};
        if (is(x, c->drop))
            continue;
        for (uint32_t d = 0; d < x->rank; d++)
            ne[d] = x->shape[x->rank - 1 - d];
        ne[x->rank - 1] -= is(x, c->shrink);
        gw_info(w, (const char *)x->name.p, x->rank, ne, (uint32_t)dtypes[type_of(x, c)].gguf,
                offset);
        offset += (bytes_of(x, c) + 31) / 32 * 32;
    }
    gw_pad(w, 32);
    for (size_t i = 0; i < t->tensor_count; i++) {
        if (!is(&t->tensors[i], c->drop))
            put_tensor(w, &t->tensors[i], c);
    }
}

static void put_metadata(struct gguf_writer *w, const struct tiny *t, const struct family_change *c)
{
    for (size_t i = 0; i < t->metadata_count; i++) {
        const struct metadata *k = &t->metadata[i];
        const char *key = (const char *)k->key.p;
        if (strstr(key, "freq_base") != NULL)
            continue;
        if (k->value.type == VALUE_STRING)
            gw_kv_string(w, key, (const char *)k->value.string.p);
        else if (k->value.type == VALUE_F32)
            gw_kv_f32(w, key, (float)k->value.f);
        else if (c->layers != 0 && strstr(key, ".block_count") != NULL)
            gw_kv_u32(w, key, c->layers);
        else
            gw_kv_u32(w, key, (uint32_t)k->value.u);
    }
}

bool family_write(const char *path, const char *family, const struct family_change *change)
{
    static const struct family_change none;
    struct tiny_dims d = tiny_default_dims(family);
    struct arena *a = arena_new(16 << 20);
    struct gguf_writer w, body;
    struct tiny t;
    const struct family_change *c = change != NULL ? change : &none;
    d.layers = 6;
    d.width = 64;
    d.ffn = 96;
    d.head_size = 16;
    d.heads = 4;
    d.vocabulary = FAMILY_WORDS;
    d.context = FAMILY_CONTEXT;
    state = 88172645463325252u;
    if (a == NULL || !tiny_build(&t, a, family, &d, FORMAT_GGUF))
        return false;
    unsigned extra = 0;
    bool rope = strcmp(family, "gpt2") != 0;
    gw_init(&body);
    put_metadata(&body, &t, c);
    extra_numbers(&body, tiny_name(family), family, c->rope_base != 0 ? c->rope_base : 10000.0f,
                  &extra);
    vocabulary(&body, c);
    if (c->template != NULL)
        gw_kv_string(&body, "tokenizer.chat_template", c->template);
    gw_init(&w);
    gw_header(&w, t.tensor_count - (c->drop != NULL),
              t.metadata_count - rope + extra + VOCABULARY_KEYS + (c->template != NULL));
    struct span s = gw_span(&body);
    buf_put_span(&w.out, s);
    put_tensors(&w, &t, c);
    bool ok = buf_ok(&w.out) && gw_save(&w, path);
    gw_free(&w);
    gw_free(&body);
    arena_free(a);
    return ok;
}
