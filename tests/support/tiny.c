/* Weights, element encoders and vocabulary of the tiny llama. */
#include "support/tiny.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/safetensors_writer.h"

/* ---- weights ---- */

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8; /* 24 bits */
}

/* Sum of twelve uniform numbers: near enough to normal, and exact integers until the end. */
static float normal(uint32_t *state, double deviation)
{
    int64_t sum = 0;
    for (int i = 0; i < 12; i++)
        sum += next(state);
    return (float)(((double)sum / (1 << 24) - 6.0) * deviation);
}

static float to_bf16(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = (bits + 0x7FFFu + ((bits >> 16) & 1)) & 0xFFFF0000u;
    memcpy(&v, &bits, sizeof v);
    return v;
}

uint64_t tiny_elements(const struct tiny_tensor *t)
{
    return (t->rows ? t->rows : 1) * t->columns;
}

struct shape {
    const char *gguf, *hf;
    uint64_t rows, columns, heads;
};

static bool add(struct tiny *t, int layer, const struct shape *s, uint32_t *state)
{
    struct tiny_tensor *x = &t->tensors[t->count++];
    *x = (struct tiny_tensor){.rows = s->rows, .columns = s->columns, .heads = s->heads};
    if (layer < 0) {
        snprintf(x->gguf, sizeof x->gguf, "%s.weight", s->gguf);
        snprintf(x->hf, sizeof x->hf, "model.%s.weight", s->hf);
    } else {
        snprintf(x->gguf, sizeof x->gguf, "blk.%d.%s.weight", layer, s->gguf);
        snprintf(x->hf, sizeof x->hf, "model.layers.%d.%s.weight", layer, s->hf);
    }
    x->values = malloc(tiny_elements(x) * sizeof *x->values);
    if (!x->values)
        return false;
    for (uint64_t i = 0; i < tiny_elements(x); i++)
        x->values[i] = to_bf16(s->rows ? normal(state, 0.08) : 1.0f + normal(state, 0.05));
    return true;
}

bool tiny_make(struct tiny *t, uint32_t seed)
{
    static const struct shape embedding = {"token_embd", "embed_tokens", TINY_VOCABULARY,
                                           TINY_WIDTH, 0};
    static const struct shape last = {"output_norm", "norm", 0, TINY_WIDTH, 0};
    static const struct shape layers[] = {
        {"attn_norm", "input_layernorm", 0, TINY_WIDTH, 0},
        {"attn_q", "self_attn.q_proj", TINY_HEADS * TINY_HEAD, TINY_WIDTH, TINY_HEADS},
        {"attn_k", "self_attn.k_proj", TINY_KV_HEADS * TINY_HEAD, TINY_WIDTH, TINY_KV_HEADS},
        {"attn_v", "self_attn.v_proj", TINY_KV_HEADS * TINY_HEAD, TINY_WIDTH, 0},
        {"attn_output", "self_attn.o_proj", TINY_WIDTH, TINY_HEADS * TINY_HEAD, 0},
        {"ffn_norm", "post_attention_layernorm", 0, TINY_WIDTH, 0},
        {"ffn_gate", "mlp.gate_proj", TINY_FFN, TINY_WIDTH, 0},
        {"ffn_up", "mlp.up_proj", TINY_FFN, TINY_WIDTH, 0},
        {"ffn_down", "mlp.down_proj", TINY_WIDTH, TINY_FFN, 0},
    };
    uint32_t state = seed;
    *t = (struct tiny){.count = 0};
    if (!add(t, -1, &embedding, &state))
        return false;
    for (int layer = 0; layer < TINY_LAYERS; layer++)
        for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
            if (!add(t, layer, &layers[i], &state))
                return false;
    return add(t, -1, &last, &state);
}

void tiny_free(struct tiny *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->tensors[i].values);
    t->count = 0;
}

/* ---- element encoders ---- */

static uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* IEEE 754 binary16, round to nearest even; the weights never overflow it. */
static uint16_t to_f16(float v)
{
    uint16_t sign = (uint16_t)(bits_of(v) >> 16 & 0x8000u);
    double a = fabs((double)v);
    int exponent;
    if (a < 0x1p-14)
        return (uint16_t)(sign | (uint16_t)lrint(a * 0x1p24));
    (void)frexp(a, &exponent);                      /* a = m * 2^exponent, m in [0.5, 1) */
    long mantissa = lrint(ldexp(a, 11 - exponent)); /* 1024..2048 */
    return (uint16_t)(sign | (uint16_t)(((exponent + 14) << 10) + (int)mantissa - 1024));
}

static void put_f32(struct buf *out, const float *v)
{
    buf_put_u32le(out, bits_of(*v));
}

static void put_bf16(struct buf *out, const float *v)
{
    buf_put_u16le(out, (uint16_t)(bits_of(*v) >> 16));
}

static void put_f16(struct buf *out, const float *v)
{
    buf_put_u16le(out, to_f16(*v));
}

static float f16_value(uint16_t h)
{
    uint8_t bytes[2] = {(uint8_t)h, (uint8_t)(h >> 8)};
    float v;
    dtype_decode(DTYPE_F16, bytes, 1, false, &v);
    return v;
}

/* 32 elements: scale, then a signed byte each. */
static void put_q8_0(struct buf *out, const float *v)
{
    float most = 0;
    for (int i = 0; i < 32; i++)
        most = fmaxf(most, fabsf(v[i]));
    uint16_t scale = to_f16(most / 127);
    float d = f16_value(scale);
    buf_put_u16le(out, scale);
    for (int i = 0; i < 32; i++)
        buf_put_u8(out, (uint8_t)(int8_t)(d > 0 ? fmaxf(-127, fminf(127, rintf(v[i] / d))) : 0));
}

static uint8_t nibble(float v, float d)
{
    float q = d < 0 || d > 0 ? rintf(v / d) + 8 : 8;
    return (uint8_t)fmaxf(0, fminf(15, q));
}

/* 32 elements: scale, then 4 bits each, element i beside element i + 16. */
static void put_q4_0(struct buf *out, const float *v)
{
    float most = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(v[i]) > fabsf(most))
            most = v[i];
    uint16_t scale = to_f16(most / -8);
    float d = f16_value(scale);
    buf_put_u16le(out, scale);
    for (int i = 0; i < 16; i++)
        buf_put_u8(out, (uint8_t)(nibble(v[i], d) | nibble(v[i + 16], d) << 4));
}

/* Row of the HF weight that stands at `row` in GGUF: within a head, the two
 * halves are interleaved. */
static uint64_t source_row(const struct tiny_tensor *t, uint64_t row)
{
    uint64_t size = t->rows / t->heads, head = row / size, at = row % size;
    return head * size + at % 2 * (size / 2) + at / 2;
}

bool tiny_encode(struct buf *out, const struct tiny_tensor *t, enum dtype type, bool permuted)
{
    void (*put)(struct buf *, const float *) = type == DTYPE_F32    ? put_f32
                                               : type == DTYPE_BF16 ? put_bf16
                                               : type == DTYPE_F16  ? put_f16
                                               : type == DTYPE_Q8_0 ? put_q8_0
                                                                    : put_q4_0;
    uint64_t rows = t->rows ? t->rows : 1;
    for (uint64_t r = 0; r < rows; r++) {
        const float *row = t->values + (permuted && t->heads ? source_row(t, r) : r) * t->columns;
        for (uint64_t c = 0; c < t->columns; c += dtypes[type].block)
            put(out, row + c);
    }
    return buf_ok(out);
}

/* ---- vocabulary ---- */

/* Each merge joins two entries that stand before it. "_" is the space. */
static const char *const merges[TINY_MERGES][2] = {
    {"_", "t"},  {"h", "e"},  {"i", "n"}, {"r", "e"},  {"o", "n"},   {"_t", "he"},
    {"e", "r"},  {"_", "a"},  {"a", "t"}, {"_", "s"},  {"n", "d"},   {"_", "w"},
    {"_", "o"},  {"e", "n"},  {"i", "t"}, {"o", "r"},  {"e", "s"},   {"_", "f"},
    {"_", "b"},  {"a", "n"},  {"o", "u"}, {"in", "g"}, {"_a", "nd"}, {"_o", "f"},
    {"_", "in"}, {"_t", "o"}, {"_", "c"}, {"_s", "t"}, {"i", "s"},
};

static size_t put_code_point(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
}

/* GPT-2's alphabet: printable bytes are themselves, the others follow from U+0100 on. */
static uint32_t byte_letter(unsigned byte)
{
    unsigned hidden = 0;
    for (unsigned b = 0; b <= byte; b++) {
        bool visible = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte)
            return visible ? b : 256 + hidden;
        hidden += !visible;
    }
    return 0;
}

static size_t put_letters(char *out, const char *letters)
{
    size_t n = 0;
    for (; *letters; letters++)
        n += put_code_point(out + n, *letters == '_' ? byte_letter(' ') : (uint8_t)*letters);
    out[n] = '\0';
    return n;
}

bool tiny_safetensors(struct buf *out, const struct tiny *t, size_t from, size_t to,
                      uint64_t *bytes)
{
    struct safetensors_writer w;
    struct buf data;
    bool ok = true;
    sw_init(&w);
    buf_init(&data, 1 << 26);
    sw_metadata(&w, "format", "pt");
    for (size_t i = from; i < to; i++) {
        const struct tiny_tensor *x = &t->tensors[i];
        const uint64_t matrix[] = {x->rows, x->columns, SW_END}, row[] = {x->columns, SW_END};
        sw_tensor(&w, x->hf, DTYPE_BF16, x->rows ? matrix : row);
        ok = tiny_encode(&data, x, DTYPE_BF16, false) && ok;
    }
    struct span file = sw_finish(&w, 0);
    ok = ok && buf_ok(&w.out) && data.n == w.data;
    if (ok) {
        buf_put_span(out, span_sub(file, 0, file.n - data.n));
        buf_put_span(out, buf_span(&data));
    }
    *bytes += data.n;
    buf_free(&data);
    sw_free(&w);
    return ok && buf_ok(out);
}

const char *tiny_token(char out[32], unsigned id)
{
    static const char *const specials[TINY_SPECIALS] = {"<|endoftext|>", "<|im_start|>",
                                                        "<|im_end|>"};
    if (id < TINY_SPECIALS) {
        snprintf(out, 32, "%s", specials[id]);
    } else if (id < TINY_SPECIALS + 256) {
        out[put_code_point(out, byte_letter(id - TINY_SPECIALS))] = '\0';
    } else {
        const char *const *m = merges[id - TINY_SPECIALS - 256];
        size_t n = put_letters(out, m[0]);
        put_letters(out + n, m[1]);
    }
    return out;
}

const char *tiny_merge(char out[64], unsigned n)
{
    size_t at = put_letters(out, merges[n][0]);
    out[at++] = ' ';
    put_letters(out + at, merges[n][1]);
    return out;
}
