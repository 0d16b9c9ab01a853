/* GGUF version 3, little-endian (docs/gguf.md): header, pairs, infos, padding. */
#include "model/write.h"

#include <string.h>

static void put_string(struct buf *b, struct span s)
{
    buf_put_u64le(b, s.n);
    buf_put_span(b, s);
}

static uint32_t bits_of(double v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint64_t wide_bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* False for what only a big-endian file or another program's mistake can bring here. */
static bool put_value(struct buf *b, const struct value *v)
{
    buf_put_u32le(b, (uint32_t)v->type);
    switch (v->type) {
    case VALUE_U8:
    case VALUE_I8:
    case VALUE_BOOL:
        buf_put_u8(b, (uint8_t)v->u);
        return true;
    case VALUE_U16:
    case VALUE_I16:
        buf_put_u16le(b, (uint16_t)v->u);
        return true;
    case VALUE_U32:
    case VALUE_I32:
        buf_put_u32le(b, (uint32_t)v->u);
        return true;
    case VALUE_U64:
    case VALUE_I64:
        buf_put_u64le(b, v->u);
        return true;
    case VALUE_F32:
        buf_put_u32le(b, bits_of(v->f));
        return true;
    case VALUE_F64:
        buf_put_u64le(b, wide_bits_of(v->f));
        return true;
    case VALUE_STRING:
        put_string(b, v->string);
        return true;
    case VALUE_ARRAY:
        buf_put_u32le(b, (uint32_t)v->element);
        buf_put_u64le(b, v->count);
        buf_put_span(b, v->items);
        return !v->big_endian;
    case VALUE_TYPES:
        break;
    }
    return false;
}

static bool put_info(struct model_writer *w, const struct write_tensor *t, size_t i, struct err *e)
{
    struct buf *b = &w->header;
    if (dtypes[t->dtype].gguf < 0)
        return err_at(e, ERR_UNSUPPORTED, w->path, ERR_NO_OFFSET,
                      "GGUF has no element type %s; convert to one it has", dtype_name(t->dtype));
    if (t->rank > 4 || t->name.n == 0 || t->name.n >= 64)
        return err_at(e, ERR_UNSUPPORTED, w->path, ERR_NO_OFFSET,
                      "GGUF holds tensors of at most 4 dimensions under names of 1 to 63 bytes");
    put_string(b, t->name);
    buf_put_u32le(b, t->rank);
    for (uint32_t d = t->rank; d > 0; d--)
        buf_put_u64le(b, t->shape[d - 1]);
    buf_put_u32le(b, (uint32_t)dtypes[t->dtype].gguf);
    buf_put_u64le(b, writer_offset(w, i));
    return true;
}

static bool put_header(struct model_writer *w, const struct metadata_list *pairs,
                       const struct write_tensor *tensors, struct err *e)
{
    struct buf *b = &w->header;
    bool ok = true;
    buf_put_str(b, "GGUF");
    buf_put_u32le(b, 3);
    buf_put_u64le(b, w->count);
    buf_put_u64le(b, pairs->count);
    for (size_t i = 0; ok && i < pairs->count; i++) {
        put_string(b, pairs->items[i].key);
        ok = put_value(b, &pairs->items[i].value) ||
             err_at(e, ERR_UNSUPPORTED, w->path, ERR_NO_OFFSET,
                    "the value of \"%.*s\" is big-endian or of no known type",
                    (int)pairs->items[i].key.n, (const char *)pairs->items[i].key.p);
    }
    for (size_t i = 0; ok && i < w->count; i++)
        ok = put_info(w, &tensors[i], i, e);
    while (b->n % GGUF_ALIGNMENT && buf_ok(b))
        buf_put_u8(b, 0);
    return ok;
}

/* A writer whose header is made. */
static bool prepare(struct model_writer **out, const char *path, const struct metadata_list *pairs,
                    const struct write_tensor *tensors, size_t count, struct err *e)
{
    *out = NULL;
    if (pairs->failed)
        return err_set(e, ERR_MEMORY, "out of memory for a model's metadata");
    for (size_t i = 0; i < pairs->count; i++)
        if (span_is(pairs->items[i].key, "general.alignment"))
            return err_at(e, ERR_USAGE, path, ERR_NO_OFFSET,
                          "general.alignment is the writer's: it is %d", GGUF_ALIGNMENT);
    if (!writer_new(out, path, tensors, count, GGUF_ALIGNMENT, e))
        return false;
    if (put_header(*out, pairs, tensors, e))
        return true;
    model_writer_abort(*out);
    *out = NULL;
    return false;
}

bool gguf_begin(struct model_writer **out, const char *path, const struct metadata_list *pairs,
                const struct write_tensor *tensors, size_t count, struct err *e)
{
    return prepare(out, path, pairs, tensors, count, e) && writer_open(out, e);
}

bool gguf_bytes(struct buf *out, const struct metadata_list *pairs, struct err *e)
{
    static const struct write_tensor none = {{NULL, 0}, DTYPE_F32, 0, {0}};
    struct model_writer *w;
    if (!prepare(&w, "metadata", pairs, &none, 0, e))
        return false;
    buf_put_span(out, buf_span(&w->header));
    bool ok = (buf_ok(&w->header) && buf_ok(out)) ||
              err_set(e, ERR_MEMORY, "out of memory for a model's metadata");
    model_writer_abort(w);
    return ok;
}
