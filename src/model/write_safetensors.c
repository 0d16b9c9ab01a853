/* safetensors: length, JSON header padded with spaces to 8 bytes, data without holes. */
#include "model/write.h"

static bool put_pairs(struct json_writer *j, const char *path, const struct metadata_list *pairs,
                      struct err *e)
{
    if (pairs->count == 0)
        return true;
    jw_key(j, "__metadata__");
    jw_object(j);
    for (size_t i = 0; i < pairs->count; i++) {
        const struct metadata *d = &pairs->items[i];
        if (d->value.type != VALUE_STRING)
            return err_at(e, ERR_UNSUPPORTED, path, ERR_NO_OFFSET,
                          "safetensors holds texts only, and \"%.*s\" is none", (int)d->key.n,
                          (const char *)d->key.p);
        jw_key(j, (const char *)d->key.p);
        jw_string(j, d->value.string);
    }
    jw_end_object(j);
    return true;
}

static bool put_entry(struct json_writer *j, const struct model_writer *w,
                      const struct write_tensor *t, size_t i, struct arena *a, struct err *e)
{
    char *name = arena_str(a, t->name);
    const char *type = dtypes[t->dtype].safetensors;
    if (!name)
        return err_set(e, ERR_MEMORY, "out of memory for a model's header");
    if (!type)
        return err_at(e, ERR_UNSUPPORTED, w->path, ERR_NO_OFFSET,
                      "safetensors has no element type %s; write GGUF, or convert to F16",
                      dtype_name(t->dtype));
    jw_key(j, name);
    jw_object(j);
    jw_key(j, "dtype");
    jw_str(j, type);
    jw_key(j, "shape");
    jw_array(j);
    for (uint32_t d = 0; d < t->rank; d++)
        jw_u64(j, t->shape[d]);
    jw_end_array(j);
    jw_key(j, "data_offsets");
    jw_array(j);
    jw_u64(j, writer_offset(w, i));
    jw_u64(j, w->ends[i]);
    jw_end_array(j);
    jw_end_object(j);
    return true;
}

static bool put_header(struct model_writer *w, const struct metadata_list *pairs,
                       const struct write_tensor *tensors, struct err *e)
{
    struct arena *a = arena_new(WRITE_MAX_HEADER);
    struct json_writer j;
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a model's header");
    buf_put_u64le(&w->header, 0);
    jw_init(&j, json_sink_buf, &w->header, false);
    jw_object(&j);
    ok = ok && put_pairs(&j, w->path, pairs, e);
    for (size_t i = 0; ok && i < w->count; i++)
        ok = put_entry(&j, w, &tensors[i], i, a, e);
    arena_free(a);
    if (!ok)
        return false;
    jw_end_object(&j);
    while (w->header.n % 8 && buf_ok(&w->header))
        buf_put_u8(&w->header, ' ');
    if (!buf_ok(&w->header) || w->header.n - 8 > MODEL_MAX_SAFETENSORS)
        return err_at(e, ERR_LIMIT, w->path, ERR_NO_OFFSET,
                      "the header would take more than %d bytes", MODEL_MAX_SAFETENSORS);
    store_u64le(w->header.p, w->header.n - 8);
    return true;
}

bool safetensors_begin(struct model_writer **out, const char *path,
                       const struct metadata_list *pairs, const struct write_tensor *tensors,
                       size_t count, struct err *e)
{
    *out = NULL;
    if (pairs->failed)
        return err_set(e, ERR_MEMORY, "out of memory for a model's metadata");
    if (!writer_new(out, path, tensors, count, 1, e))
        return false;
    if (!put_header(*out, pairs, tensors, e)) {
        model_writer_abort(*out);
        *out = NULL;
        return false;
    }
    return writer_open(out, e);
}
