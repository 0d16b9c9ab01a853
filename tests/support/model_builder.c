/*
 * See model_builder.h. The quantisers are the plainest ones: nearest value
 * under the block's own scale.
 */
#include "support/model_builder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/gguf_writer.h"

enum { BLOCK = 32, MAX_BYTES = 64 << 20, ALIGNMENT = 32 };

void builder_init(struct builder *b)
{
    memset(b, 0, sizeof *b);
    buf_init(&b->pairs, MAX_BYTES);
    buf_init(&b->out, MAX_BYTES);
}

void builder_free(struct builder *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->t[i].values);
    buf_free(&b->pairs);
    buf_free(&b->out);
}

struct built_tensor *builder_add3(struct builder *b, const char *name, enum dtype type, uint64_t n,
                                  uint64_t rows, uint64_t cols)
{
    if (b->n == BUILDER_TENSORS)
        abort();
    struct built_tensor *t = &b->t[b->n++];
    uint64_t shape[4] = {0}, k = 0;
    if (n)
        shape[k++] = n;
    if (rows)
        shape[k++] = rows;
    shape[k] = cols;
    snprintf(t->name, sizeof t->name, "%s", name);
    memcpy(t->shape, shape, sizeof shape);
    t->type = type;
    t->elements = (n ? n : 1) * (rows ? rows : 1) * cols;
    t->values = calloc(t->elements, sizeof *t->values);
    if (!t->values)
        abort();
    return t;
}

struct built_tensor *builder_add(struct builder *b, const char *name, enum dtype type,
                                 uint64_t rows, uint64_t cols)
{
    return builder_add3(b, name, type, 0, rows, cols);
}

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
}

void built_random(struct built_tensor *t, uint32_t seed, float deviation)
{
    uint64_t state = seed * 2654435761u + 1;
    uniform(&state);
    for (uint64_t i = 0; i < t->elements; i++) {
        double u = uniform(&state), v = uniform(&state);
        t->values[i] = (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v)) * deviation;
    }
}

/* ---- encoding ---- */

static uint32_t bits_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static void put_bf16(struct buf *out, float v)
{
    uint32_t u = bits_of(v);
    buf_put_u16le(out, (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16));
}

/* Normal numbers only, rounded up in magnitude where it matters not. */
static uint16_t to_f16(float v)
{
    uint32_t u = bits_of(v), sign = u >> 16 & 0x8000;
    int32_t e = (int32_t)(u >> 23 & 0xff) - 127 + 15;
    if (e <= 0)
        return (uint16_t)sign;
    return (uint16_t)(sign + (((uint32_t)e << 10 | (u >> 13 & 0x3ff)) + (u >> 12 & 1)));
}

static float largest(const float *v)
{
    float most = 0;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(v[i]) > fabsf(most))
            most = v[i];
    return most;
}

static void put_q8_0(struct buf *out, const float *v)
{
    float d = fabsf(largest(v)) / 127;
    buf_put_u16le(out, to_f16(d));
    for (int i = 0; i < BLOCK; i++)
        buf_put_u8(out, (uint8_t)(int8_t)(d > 0 ? lrintf(v[i] / d) : 0));
}

static uint8_t nibble(float v, float d)
{
    long q = d != 0 ? lrintf(v / d) + 8 : 8;
    return (uint8_t)(q < 0 ? 0 : q > 15 ? 15 : q);
}

static void put_q4_0(struct buf *out, const float *v)
{
    float d = largest(v) / -8;
    buf_put_u16le(out, to_f16(d));
    for (int i = 0; i < BLOCK / 2; i++)
        buf_put_u8(out, (uint8_t)(nibble(v[i], d) | nibble(v[i + BLOCK / 2], d) << 4));
}

static void put_values(struct buf *out, const struct built_tensor *t)
{
    for (uint64_t i = 0; i < t->elements;) {
        if (t->type == DTYPE_Q8_0)
            put_q8_0(out, t->values + i);
        else if (t->type == DTYPE_Q4_0)
            put_q4_0(out, t->values + i);
        else if (t->type == DTYPE_BF16)
            put_bf16(out, t->values[i]);
        else if (t->type == DTYPE_F16)
            buf_put_u16le(out, to_f16(t->values[i]));
        else if (t->type == DTYPE_U8)
            buf_put_u8(out, (uint8_t)t->values[i]);
        else
            buf_put_u32le(out, bits_of(t->values[i]));
        i += dtypes[t->type].block;
    }
}

static uint64_t bytes_of(const struct built_tensor *t)
{
    uint64_t n = 0;
    return dtype_size(t->type, t->elements, &n) ? n : 0;
}

struct span builder_safetensors(struct builder *b)
{
    struct buf head;
    uint64_t at = 0;
    buf_init(&head, MAX_BYTES);
    buf_put_str(&head, "{");
    for (size_t i = 0; i < b->n; i++) {
        const struct built_tensor *t = &b->t[i];
        buf_printf(&head, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", t->name,
                   dtypes[t->type].safetensors);
        for (int k = 0; k < 4 && t->shape[k]; k++)
            buf_printf(&head, "%s%llu", k ? "," : "", (unsigned long long)t->shape[k]);
        buf_printf(&head, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                   (unsigned long long)(at + bytes_of(t)));
        at += bytes_of(t);
    }
    buf_put_str(&head, "}");
    while (head.n % 8)
        buf_put_u8(&head, ' ');
    buf_clear(&b->out);
    buf_put_u64le(&b->out, head.n);
    buf_put_span(&b->out, buf_span(&head));
    for (size_t i = 0; i < b->n; i++)
        put_values(&b->out, &b->t[i]);
    buf_free(&head);
    return buf_span(&b->out);
}

/* ---- GGUF ---- */

static void keep_pair(struct builder *b, struct gguf_writer *w)
{
    buf_put_span(&b->pairs, gw_span(w));
    b->pair_count++;
    gw_free(w);
}

void builder_string(struct builder *b, const char *key, const char *value)
{
    struct gguf_writer w;
    gw_init(&w);
    gw_kv_string(&w, key, value);
    keep_pair(b, &w);
}

void builder_u32(struct builder *b, const char *key, uint32_t value)
{
    struct gguf_writer w;
    gw_init(&w);
    gw_kv_u32(&w, key, value);
    keep_pair(b, &w);
}

void builder_strings(struct builder *b, const char *key, const char *const *v, size_t n)
{
    struct gguf_writer w;
    gw_init(&w);
    gw_kv_strings(&w, key, v, n);
    keep_pair(b, &w);
}

struct span builder_gguf(struct builder *b)
{
    struct gguf_writer w;
    uint64_t at = 0;
    gw_init(&w);
    gw_header(&w, b->n, b->pair_count);
    buf_put_span(&w.out, buf_span(&b->pairs));
    for (size_t i = 0; i < b->n; i++) {
        const struct built_tensor *t = &b->t[i];
        uint64_t ne[4] = {0};
        uint32_t rank = 0;
        while (rank < 4 && t->shape[rank])
            rank++;
        for (uint32_t k = 0; k < rank; k++)
            ne[k] = t->shape[rank - 1 - k];
        gw_info(&w, t->name, rank, ne, (uint32_t)dtypes[t->type].gguf, at);
        at += (bytes_of(t) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    gw_pad(&w, ALIGNMENT);
    for (size_t i = 0; i < b->n; i++) {
        put_values(&w.out, &b->t[i]);
        gw_pad(&w, ALIGNMENT);
    }
    buf_clear(&b->out);
    buf_put_span(&b->out, gw_span(&w));
    gw_free(&w);
    return buf_span(&b->out);
}
