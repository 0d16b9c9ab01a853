/* safetensors files made from text or from tables, well-formed or not. */
#include "support/safetensors_writer.h"

#include <inttypes.h>
#include <stdio.h>

enum { MOST = 1 << 30 };

void sw_init(struct safetensors_writer *w)
{
    *w = (struct safetensors_writer){.any = false};
    buf_init(&w->header, MOST);
    buf_init(&w->out, MOST);
}

void sw_free(struct safetensors_writer *w)
{
    buf_free(&w->header);
    buf_free(&w->out);
}

static void put_zeros(struct buf *b, size_t n)
{
    static const uint8_t zeros[256];
    for (; n > sizeof zeros; n -= sizeof zeros)
        buf_put(b, zeros, sizeof zeros);
    buf_put(b, zeros, n);
}

struct span sw_claim(struct safetensors_writer *w, struct span header, uint64_t claim, size_t data)
{
    buf_clear(&w->out);
    buf_put_u64le(&w->out, claim);
    buf_put_span(&w->out, header);
    put_zeros(&w->out, data);
    return buf_span(&w->out);
}

struct span sw_file(struct safetensors_writer *w, const char *header, size_t data)
{
    struct span text = span_str(header);
    return sw_claim(w, text, text.n, data);
}

void sw_member(struct safetensors_writer *w, const char *name, const char *json)
{
    buf_printf(&w->header, "%c\"%s\":%s", w->any ? ',' : '{', name, json);
    w->any = true;
}

void sw_metadata(struct safetensors_writer *w, const char *key, const char *value)
{
    char text[256];
    snprintf(text, sizeof text, "{\"%s\":\"%s\"}", key, value);
    sw_member(w, "__metadata__", text);
}

void sw_tensor(struct safetensors_writer *w, const char *name, enum dtype t, const uint64_t *shape)
{
    uint64_t elements = 1, bytes = 0;
    buf_printf(&w->header, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[", w->any ? ',' : '{', name,
               dtypes[t].safetensors);
    for (size_t i = 0; shape[i] != SW_END; i++) {
        elements *= shape[i];
        buf_printf(&w->header, "%s%" PRIu64, i ? "," : "", shape[i]);
    }
    bytes = elements * dtypes[t].bytes / dtypes[t].block;
    buf_printf(&w->header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", w->data,
               w->data + bytes);
    w->data += bytes;
    w->any = true;
}

struct span sw_finish(struct safetensors_writer *w, uint32_t seed)
{
    buf_put_str(&w->header, w->any ? "}" : "{}");
    while (w->header.n % 8)
        buf_put_u8(&w->header, ' ');
    buf_clear(&w->out);
    buf_put_u64le(&w->out, w->header.n);
    buf_put_span(&w->out, buf_span(&w->header));
    for (uint64_t i = 0; i < w->data; i++) {
        seed = seed * 1664525u + 1013904223u;
        buf_put_u8(&w->out, (uint8_t)(seed >> 24));
    }
    return buf_span(&w->out);
}

bool sw_save(struct span bytes, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    bool ok = fwrite(bytes.p, 1, bytes.n, f) == bytes.n;
    return fclose(f) == 0 && ok;
}
