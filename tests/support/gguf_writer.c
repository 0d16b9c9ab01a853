/* Writes GGUF, right or wrong (docs/gguf.md). */
#include "support/gguf_writer.h"

#include <stdio.h>
#include <string.h>

void gw_init(struct gguf_writer *w)
{
    *w = (struct gguf_writer){.version = 3};
    buf_init(&w->out, (size_t)1 << 30);
}

void gw_free(struct gguf_writer *w)
{
    buf_free(&w->out);
}

struct span gw_span(const struct gguf_writer *w)
{
    return buf_span(&w->out);
}

bool gw_save(const struct gguf_writer *w, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    bool ok = buf_ok(&w->out) && fwrite(w->out.p, 1, w->out.n, f) == w->out.n;
    return fclose(f) == 0 && ok;
}

void gw_u8(struct gguf_writer *w, uint8_t v)
{
    buf_put_u8(&w->out, v);
}

void gw_u16(struct gguf_writer *w, uint16_t v)
{
    buf_put_u16le(&w->out, w->big_endian ? __builtin_bswap16(v) : v);
}

void gw_u32(struct gguf_writer *w, uint32_t v)
{
    buf_put_u32le(&w->out, w->big_endian ? __builtin_bswap32(v) : v);
}

void gw_u64(struct gguf_writer *w, uint64_t v)
{
    buf_put_u64le(&w->out, w->big_endian ? __builtin_bswap64(v) : v);
}

void gw_f32(struct gguf_writer *w, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    gw_u32(w, bits);
}

void gw_f64(struct gguf_writer *w, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    gw_u64(w, bits);
}

void gw_count(struct gguf_writer *w, uint64_t n)
{
    if (w->version == 1)
        gw_u32(w, (uint32_t)n);
    else
        gw_u64(w, n);
}

void gw_bytes(struct gguf_writer *w, const void *p, size_t n)
{
    gw_count(w, n);
    buf_put(&w->out, p, n);
}

void gw_string(struct gguf_writer *w, const char *s)
{
    gw_bytes(w, s, strlen(s));
}

void gw_zeros(struct gguf_writer *w, size_t n)
{
    static const uint8_t zeros[256];
    for (; n > 0; n -= n < sizeof zeros ? n : sizeof zeros)
        buf_put(&w->out, zeros, n < sizeof zeros ? n : sizeof zeros);
}

void gw_header(struct gguf_writer *w, uint64_t tensors, uint64_t pairs)
{
    buf_put(&w->out, "GGUF", 4);
    gw_u32(w, w->version);
    gw_count(w, tensors);
    gw_count(w, pairs);
}

void gw_key(struct gguf_writer *w, const char *key, uint32_t type)
{
    gw_string(w, key);
    gw_u32(w, type);
}

void gw_kv_u8(struct gguf_writer *w, const char *key, uint8_t v)
{
    gw_key(w, key, VALUE_U8);
    gw_u8(w, v);
}

void gw_kv_u16(struct gguf_writer *w, const char *key, uint16_t v)
{
    gw_key(w, key, VALUE_U16);
    gw_u16(w, v);
}

void gw_kv_u32(struct gguf_writer *w, const char *key, uint32_t v)
{
    gw_key(w, key, VALUE_U32);
    gw_u32(w, v);
}

void gw_kv_i32(struct gguf_writer *w, const char *key, int32_t v)
{
    gw_key(w, key, VALUE_I32);
    gw_u32(w, (uint32_t)v);
}

void gw_kv_u64(struct gguf_writer *w, const char *key, uint64_t v)
{
    gw_key(w, key, VALUE_U64);
    gw_u64(w, v);
}

void gw_kv_f32(struct gguf_writer *w, const char *key, float v)
{
    gw_key(w, key, VALUE_F32);
    gw_f32(w, v);
}

void gw_kv_bool(struct gguf_writer *w, const char *key, uint8_t v)
{
    gw_key(w, key, VALUE_BOOL);
    gw_u8(w, v);
}

void gw_kv_string(struct gguf_writer *w, const char *key, const char *v)
{
    gw_key(w, key, VALUE_STRING);
    gw_string(w, v);
}

void gw_kv_array(struct gguf_writer *w, const char *key, uint32_t element, uint64_t count)
{
    gw_key(w, key, VALUE_ARRAY);
    gw_u32(w, element);
    gw_count(w, count);
}

void gw_kv_strings(struct gguf_writer *w, const char *key, const char *const *v, size_t n)
{
    gw_kv_array(w, key, VALUE_STRING, n);
    for (size_t i = 0; i < n; i++)
        gw_string(w, v[i]);
}

void gw_kv_f32s(struct gguf_writer *w, const char *key, const float *v, size_t n)
{
    gw_kv_array(w, key, VALUE_F32, n);
    for (size_t i = 0; i < n; i++)
        gw_f32(w, v[i]);
}

void gw_kv_i32s(struct gguf_writer *w, const char *key, const int32_t *v, size_t n)
{
    gw_kv_array(w, key, VALUE_I32, n);
    for (size_t i = 0; i < n; i++)
        gw_u32(w, (uint32_t)v[i]);
}

void gw_info(struct gguf_writer *w, const char *name, uint32_t rank, const uint64_t *ne,
             uint32_t type, uint64_t offset)
{
    gw_string(w, name);
    gw_u32(w, rank);
    for (uint32_t i = 0; i < rank; i++)
        gw_count(w, ne[i]);
    gw_u32(w, type);
    gw_u64(w, offset);
}

void gw_pad(struct gguf_writer *w, size_t alignment)
{
    gw_zeros(w, (alignment - w->out.n % alignment) % alignment);
}

uint64_t gw_tensor_bytes(const struct gw_tensor *t)
{
    uint64_t elements = 1, bytes = 0;
    for (size_t i = 0; i < 4 && t->ne[i]; i++)
        elements *= t->ne[i];
    return dtype_size(t->type, elements, &bytes) ? bytes : 0;
}

void gw_tensors(struct gguf_writer *w, const struct gw_tensor *t, size_t n, size_t alignment,
                uint32_t seed)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t rank = 0;
        while (rank < 4 && t[i].ne[rank])
            rank++;
        gw_info(w, t[i].name, rank, t[i].ne, (uint32_t)dtypes[t[i].type].gguf, offset);
        uint64_t bytes = gw_tensor_bytes(&t[i]);
        offset += (bytes + alignment - 1) / alignment * alignment;
    }
    gw_pad(w, alignment);
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = gw_tensor_bytes(&t[i]);
        for (uint64_t b = 0; b < bytes; b++) {
            seed = seed * 1664525u + 1013904223u;
            buf_put_u8(&w->out, (uint8_t)(seed >> 24));
        }
        gw_pad(w, alignment);
    }
}
