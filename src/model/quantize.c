/*
 * One GGUF model as another of fewer (or more) bits: values are decoded to F32
 * and rounded by the reference rules, a few thousand blocks at a time.
 */
#include "model/write.h"

#include <stdlib.h>

enum { BATCH = 1 << 16 }; /* elements; a multiple of every block */

/* llama.h, enum llama_ftype. */
static const struct {
    enum dtype type;
    uint32_t ftype;
} file_types[] = {
    {DTYPE_F32, 0},  {DTYPE_F16, 1},  {DTYPE_Q4_0, 2}, {DTYPE_Q4_1, 3},
    {DTYPE_Q8_0, 7}, {DTYPE_Q5_0, 8}, {DTYPE_Q5_1, 9}, {DTYPE_BF16, 32},
};

static bool judge(const struct model *m, enum dtype to, struct err *e)
{
    if (!dtype_encodes(to))
        return err_set(e, ERR_UNSUPPORTED, "models are not written as %s", dtype_name(to));
    if (m->verdict.incomplete)
        return err_at(e, ERR_LIMIT, m->path, ERR_NO_OFFSET,
                      "could not be read whole; assay inspect says why");
    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].format != FORMAT_GGUF || m->files[i].big_endian)
            return err_at(e, ERR_UNSUPPORTED, m->files[i].path, ERR_NO_OFFSET,
                          "only little-endian GGUF is quantised; convert the model first");
    for (size_t i = 0; i < m->tensor_count; i++)
        if (m->tensors[i].dtype == DTYPE_NONE || m->tensors[i].rank == 0)
            return err_at(e, ERR_UNSUPPORTED, m->path, m->tensors[i].entry.offset,
                          "a tensor is of a type or shape that is not known");
    return m->tensor_count > 0 || err_at(e, ERR_FORMAT, m->path, ERR_NO_OFFSET, "holds no tensors");
}

static enum dtype target(const struct tensor *t, enum dtype to)
{
    if (dtypes[t->dtype].kind == DTYPE_INTEGER)
        return t->dtype; /* indices stay what they are */
    if (t->rank < 2)
        return DTYPE_F32;
    return t->shape[t->rank - 1] % dtypes[to].block == 0 ? to : DTYPE_F16;
}

/* Keys of a split set's parts, and the alignment of the old file, are not the new file's. */
static bool is_layout(struct span key)
{
    return span_starts(key, "split.") || span_is(key, "general.alignment");
}

static bool copy_pairs(struct metadata_list *out, const struct model *m, enum dtype to)
{
    for (size_t i = 0; i < m->metadata_count; i++) {
        char *key = arena_str(out->arena, m->metadata[i].key);
        if (!key)
            return false;
        if (!is_layout(m->metadata[i].key))
            metadata_set(out, key, &m->metadata[i].value);
    }
    for (size_t i = 0; i < sizeof file_types / sizeof *file_types; i++)
        if (file_types[i].type == to)
            metadata_set_u32(out, "general.file_type", file_types[i].ftype);
    if (dtypes[to].kind == DTYPE_BLOCK)
        metadata_set_u32(out, "general.quantization_version", 2);
    return !out->failed;
}

struct job {
    struct model *m;
    struct model_writer *w;
    uint8_t *in, *out;
    float *values;
    struct progress progress;
    uint64_t done, total;
};

static bool convert(struct job *j, const struct tensor *t, enum dtype to, struct err *e)
{
    const struct dtype_info *from = &dtypes[t->dtype], *into = &dtypes[to];
    uint64_t at = t->data.offset;
    for (uint64_t done = 0; done < t->elements;) {
        uint64_t left = t->elements - done;
        size_t n = left < BATCH ? (size_t)left : BATCH;
        size_t bytes = n / from->block * from->bytes;
        if (!source_read(j->m->files[t->data.file].source, j->in, at, bytes, e))
            return false;
        const void *put = j->in;
        size_t size = bytes;
        if (to != t->dtype) {
            dtype_decode(t->dtype, j->in, n / from->block, false, j->values);
            dtype_encode(to, j->values, n / into->block, j->out);
            put = j->out;
            size = n / into->block * into->bytes;
        }
        if (!model_writer_put(j->w, put, size, e))
            return false;
        at += bytes;
        done += n;
        j->done += bytes;
        if (j->progress.report &&
            !j->progress.report(j->progress.arg, "writing", j->done, j->total))
            return err_set(e, ERR_INTERRUPTED, "interrupted; no file was written");
    }
    return true;
}

static bool convert_all(struct job *j, const struct write_tensor *tensors, struct err *e)
{
    struct model *m = j->m;
    j->in = malloc((size_t)BATCH * 8);
    j->out = malloc((size_t)BATCH * 8);
    j->values = malloc((size_t)BATCH * sizeof *j->values);
    bool ok = (j->in && j->out && j->values) || err_set(e, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < m->tensor_count; i++)
        j->total += m->tensors[i].data.length;
    for (size_t i = 0; ok && i < m->tensor_count; i++)
        ok = convert(j, &m->tensors[i], tensors[i].dtype, e);
    for (size_t i = 0; ok && i < m->file_count; i++)
        ok = source_unchanged(m->files[i].source, e);
    free(j->in);
    free(j->out);
    free(j->values);
    return ok;
}

bool model_quantize(struct model *m, enum dtype to, const char *path, const struct progress *p,
                    struct err *e)
{
    struct metadata_list pairs;
    struct job j = {.m = m};
    if (p)
        j.progress = *p;
    if (!judge(m, to, e))
        return false;
    struct write_tensor *tensors = arena_array(m->arena, m->tensor_count, sizeof *tensors);
    metadata_init(&pairs, m->arena);
    if (!tensors || !copy_pairs(&pairs, m, to))
        return err_set(e, ERR_MEMORY, "out of memory for a model's header");
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        tensors[i] = (struct write_tensor){t->name, target(t, to), t->rank, {0}};
        for (uint32_t d = 0; d < t->rank; d++)
            tensors[i].shape[d] = t->shape[d];
    }
    if (!gguf_begin(&j.w, path, &pairs, tensors, m->tensor_count, e))
        return false;
    if (!convert_all(&j, tensors, e)) {
        model_writer_abort(j.w);
        return false;
    }
    return model_writer_finish(j.w, e);
}
