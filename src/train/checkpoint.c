/*
 * Checkpoints: one safetensors file with weights and both moments, and in its
 * metadata what they belong to. It is made beside its place and renamed, so that
 * an interrupted write leaves the one before.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "train/run.h"

enum { PARTS = 3, CHECKPOINT_DIGITS = 8 };

static const char *const part_names[PARTS] = {"weights", "first", "second"};

static float *part_of(const struct network *n, const struct parameter *p, size_t part)
{
    float *const blocks[PARTS] = {n->w, n->m, n->v};
    return blocks[part] + (p->w - n->w);
}

static const char *tensor_name(struct arena *a, const struct parameter *p, size_t part)
{
    return arena_printf(a, "%s.%s", part_names[part], p->name);
}

/* ---- writing ---- */

static void set_digest(struct metadata_list *l, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    metadata_set_str(l, key, span_str(digest_hex(hex, d)));
}

static void set_number(struct metadata_list *l, const char *key, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    metadata_set_str(l, key, span_str(text));
}

static bool fill_header(struct train *t, struct arena *a, struct metadata_list *pairs,
                        struct write_tensor *tensors, size_t *count, struct err *e)
{
    const struct network *n = t->network;
    struct digest root;
    if (!train_root(t, &root, e))
        return false;
    metadata_init(pairs, a);
    set_digest(pairs, "config", &t->config_digest);
    set_digest(pairs, "data", &t->data_digest);
    if (t->base.has_root)
        set_digest(pairs, "base", &t->base.tensor_root);
    metadata_set_str(pairs, "format", span_str("assay.checkpoint/1"));
    metadata_set_str(pairs, "run", span_str(t->run_id));
    set_number(pairs, "step", t->step);
    set_number(pairs, "tokens", t->tokens);
    set_digest(pairs, "weights_root", &root);
    *count = 0;
    for (size_t part = 0; part < PARTS; part++)
        for (size_t i = 0; i < n->count; i++) {
            const struct parameter *p = &n->parameters[i];
            const char *name = p->trained ? tensor_name(a, p, part) : NULL;
            if (!p->trained)
                continue;
            if (!name)
                return err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
            tensors[(*count)++] =
                (struct write_tensor){span_str(name),
                                      DTYPE_F32,
                                      (uint32_t)p->rank,
                                      {p->rank == 1 ? p->columns : p->rows, p->columns}};
        }
    return true;
}

static bool put_tensors(const struct network *n, struct model_writer *w, struct err *e)
{
    for (size_t part = 0; part < PARTS; part++)
        for (size_t i = 0; i < n->count; i++) {
            const struct parameter *p = &n->parameters[i];
            size_t bytes = p->rows * p->columns * sizeof(float);
            if (p->trained && !model_writer_put(w, part_of(n, p, part), bytes, e))
                return false;
        }
    return true;
}

static bool digest_of_file(const char *path, struct digest *out, struct err *e)
{
    enum { PIECE = 1 << 20 };
    bool ok;
    struct source *s = NULL;
    struct sha256 *sha = sha256_new();
    uint8_t *piece = malloc(PIECE);
    ok = sha && piece && source_open(&s, path, e);
    if (ok)
        sha256_start(sha);
    for (uint64_t at = 0; ok && at < source_size(s);) {
        uint64_t left = source_size(s) - at;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        ok = source_read(s, piece, at, n, e);
        sha256_update(sha, piece, n);
        at += n;
    }
    if (ok)
        sha256_finish(sha, out);
    sha256_free(sha);
    source_close(s);
    free(piece);
    return ok || err_set(e, ERR_MEMORY, "out of memory for a checkpoint's digest");
}

bool train_checkpoint(struct train *t, struct digest *digest, struct err *e)
{
    struct metadata_list pairs;
    struct model_writer *w = NULL;
    struct arena *a = arena_new(64 << 20);
    struct write_tensor *tensors =
        a ? arena_array(a, t->network->count * PARTS, sizeof *tensors) : NULL;
    const char *path = a ? arena_printf(a, "%s/checkpoint-%0*" PRIu64 ".safetensors",
                                        t->options.output, CHECKPOINT_DIGITS, t->step)
                         : NULL;
    size_t count;
    bool ok = (tensors && path) || err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    ok = ok && fill_header(t, a, &pairs, tensors, &count, e) &&
         safetensors_begin(&w, path, &pairs, tensors, count, e);
    if (ok && !put_tensors(t->network, w, e)) {
        model_writer_abort(w);
        ok = false;
    } else if (ok)
        ok = model_writer_finish(w, e) && digest_of_file(path, digest, e);
    arena_free(a);
    return ok;
}

/* ---- reading ---- */

static bool refuse(const char *path, struct err *e, const char *what)
{
    return err_at(e, ERR_INTEGRITY, path, ERR_NO_OFFSET, "%s", what);
}

static bool holds_digest(const struct model *m, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    struct span s;
    return metadata_string(m, key, &s) && span_is(s, digest_hex(hex, d));
}

static bool number_of(const struct model *m, const char *key, uint64_t *out)
{
    struct span s;
    return metadata_string(m, key, &s) && text_u64(s, out);
}

static bool belongs(const struct train *t, const struct model *m, const char *path, struct err *e)
{
    struct span format;
    if (m->verdict.incomplete || !metadata_string(m, "format", &format) ||
        !span_is(format, "assay.checkpoint/1"))
        return refuse(
            path, e,
            "is not a whole checkpoint of assay train; remove it, and --resume goes on from "
            "the one before");
    if (!holds_digest(m, "data", &t->data_digest))
        return refuse(path, e,
                      "is a checkpoint of other data: the data sets' digests differ; train anew in "
                      "another folder");
    if (!holds_digest(m, "config", &t->config_digest))
        return refuse(path, e,
                      "is a checkpoint of another configuration; train anew in another folder");
    if (t->base.has_root && !holds_digest(m, "base", &t->base.tensor_root))
        return refuse(path, e, "is a checkpoint of another base model");
    struct span run;
    if (!metadata_string(m, "run", &run) || !span_is(run, t->run_id))
        return refuse(path, e, "is a checkpoint of another run: the base's chat template differs");
    return true;
}

static bool read_part(const struct train *t, const struct model *m, const struct parameter *p,
                      size_t part, struct arena *a, struct err *e)
{
    const char *name = tensor_name(a, p, part);
    const struct tensor *x = name ? model_tensor(m, span_str(name)) : NULL;
    size_t bytes = p->rows * p->columns * sizeof(float);
    if (!x || x->dtype != DTYPE_F32 || x->data.length != bytes)
        return refuse(m->path, e, "lacks a tensor of this run, or has it in another size");
    return source_read(m->files[0].source, part_of(t->network, p, part), x->data.offset, bytes, e);
}

static bool read_parts(struct train *t, const struct model *m, struct err *e)
{
    struct arena *a = arena_new(64 << 20);
    bool ok = a || err_set(e, ERR_MEMORY, "out of memory for a checkpoint");
    for (size_t part = 0; part < PARTS; part++)
        for (size_t i = 0; ok && i < t->network->count; i++)
            if (t->network->parameters[i].trained)
                ok = read_part(t, m, &t->network->parameters[i], part, a, e);
    arena_free(a);
    return ok;
}

bool train_restore(struct train *t, const char *path, struct err *e)
{
    struct model *m = NULL;
    struct digest root;
    if (!model_read(&m, path, NULL, e))
        return false;
    bool ok = belongs(t, m, path, e) && read_parts(t, m, e) && train_root(t, &root, e);
    if (ok && (!holds_digest(m, "weights_root", &root) || !number_of(m, "step", &t->step) ||
               !number_of(m, "tokens", &t->tokens) || t->step > t->config.steps.steps))
        ok = refuse(
            path, e,
            "its weights are not those that it was written with; remove it, and --resume goes "
            "on from the one before");
    model_free(m);
    return ok;
}

bool checkpoint_newest(const struct train *t, char **path, struct err *e)
{
    DIR *d = opendir(t->options.output);
    struct dirent *x;
    uint64_t best = 0, step;
    bool found = false;
    *path = NULL;
    while (d && (x = readdir(d)) != NULL) {
        struct span s = span_str(x->d_name);
        if (!span_starts(s, "checkpoint-") || !span_ends(s, ".safetensors") ||
            !text_u64(span_sub(s, 11, s.n - 11 - 12), &step))
            continue;
        best = !found || step > best ? step : best;
        found = true;
    }
    if (d)
        closedir(d);
    if (!found)
        return true;
    *path = arena_printf(t->arena, "%s/checkpoint-%0*" PRIu64 ".safetensors", t->options.output,
                         CHECKPOINT_DIGITS, best);
    return *path || err_set(e, ERR_MEMORY, "out of memory");
}
