/*
 * Merges. Three distances, tensor by tensor, say where a model lies between two:
 * a linear merge lies on the line, at its weights; what was trained on from one
 * parent alone lies beside it, and has nothing of the other.
 */
#include "provenance/lineage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/source.h"
#include "assay/yaml.h"

enum { SHOWN = 200, CONFIG_MAX = 1 << 20, CONFIG_DEPTH = 6 };

/* ---- what mergekit was told ---- */

/* "org/model+lora" is the model with an adapter on it. */
static bool add_model(struct lineage_merge *out, struct json v, struct arena *a, struct err *e)
{
    char text[SHOWN + 8];
    struct span name = SPAN_EMPTY;
    if (json_type(v) == JSON_OBJECT)
        v = json_type(json_get(v, "model")) == JSON_OBJECT ? json_get(json_get(v, "model"), "path")
                                                           : json_get(v, "path");
    if (!json_string(v, &name) || !name.n || out->count == MERGE_MODELS)
        return true;
    const uint8_t *plus = memchr(name.p, '+', name.n);
    if (plus && plus > name.p)
        name.n = (size_t)(plus - name.p);
    const char *shown = arena_str(a, span_str(text_shown(text, sizeof text, name)));
    if (!shown)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->models[i], shown) == 0)
            return true;
    out->models[out->count++] = shown;
    return true;
}

/* `model` and `base_model` wherever they stand: models, slices, modules, experts. */
static bool gather(struct lineage_merge *out, struct json v, unsigned depth, struct arena *a,
                   struct err *e)
{
    static const char *const names[] = {"base_model", "model", "source_model"};
    if (depth > CONFIG_DEPTH || (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY))
        return true;
    for (size_t i = 0; json_type(v) == JSON_OBJECT && i < 3; i++)
        if (json_type(json_get(v, names[i])) > JSON_NULL &&
            !add_model(out, json_get(v, names[i]), a, e))
            return false;
    for (struct json i = json_first(v); json_type(i); i = json_next(i))
        if (!gather(out, i, depth + 1, a, e))
            return false;
    return true;
}

bool lineage_merge_read(struct lineage_merge *out, const struct model *m, struct arena *a,
                        struct err *e)
{
    static const char *const names[] = {"mergekit_config.yml", "mergekit_config.yaml"};
    const struct model_file *f = NULL;
    struct err why = ERR_INIT;
    struct yaml y;
    *out = (struct lineage_merge){.count = 0};
    for (size_t i = 0; i < m->file_count && !f; i++)
        if (strcmp(m->files[i].name, names[0]) == 0 || strcmp(m->files[i].name, names[1]) == 0)
            f = &m->files[i];
    if (!f || !f->source || f->size > CONFIG_MAX)
        return true;
    uint8_t *text = arena_alloc(a, (size_t)f->size + 1);
    if (!text)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    if (source_read(f->source, text, 0, (size_t)f->size, &why) &&
        yaml_parse(&y, (struct span){text, (size_t)f->size}, f->name, a, &why))
        return gather(out, y.root, 0, a, e);
    out->trouble = arena_printf(a, "%s: %s", f->name, why.text);
    return out->trouble || err_set(e, ERR_MEMORY, "out of memory for a lineage");
}

/* ---- where a model lies between two ---- */

/* By the name that the second of the two compared has for it. */
static const struct tensor_diff *named(const struct diff *d, const struct tensor *t)
{
    for (size_t i = 0; t && i < d->tensor_count; i++)
        if (d->tensors[i].b && span_eq(d->tensors[i].b->name, t->name))
            return &d->tensors[i];
    return NULL;
}

/* With x = |M - P|, y = |M - O|, z = |P - O|: M projected on the line from O to P. */
static void mix(struct lineage_mixture *m, double *weight, double n, double x, double y, double z)
{
    double share = (y * y - x * x + z * z) / (2 * z * z);
    double off = y * y / (z * z) - share * share;
    m->share += n * share;
    m->beside += n * sqrt(off > 0 ? off : 0);
    *weight += n;
    m->tensors++;
}

bool lineage_mixture(struct lineage_mixture *out, const struct lineage_base *parent,
                     const struct lineage_base *other, const struct lineage_base *model,
                     struct arena *a, struct err *e)
{
    const struct diff_options o = {.threads = 0};
    struct diff with_parent, with_other, apart;
    double weight = 0;
    *out = (struct lineage_mixture){.tensors = 0};
    if (!inspect_diff(&with_parent, model->model, parent->model, a, &o, e) ||
        !inspect_diff(&with_other, model->model, other->model, a, &o, e) ||
        !inspect_diff(&apart, parent->model, other->model, a, &o, e))
        return false;
    for (size_t i = 0; i < apart.tensor_count; i++) {
        const struct tensor_diff *z = &apart.tensors[i];
        const struct tensor_diff *x = named(&with_parent, z->a), *y = named(&with_other, z->b);
        if (x && y && isfinite(x->distance) && isfinite(y->distance) && isfinite(z->distance) &&
            z->distance > 0)
            mix(out, &weight, (double)z->a->elements, x->distance, y->distance, z->distance);
    }
    if (weight > 0) {
        out->share /= weight;
        out->beside /= weight;
    }
    return true;
}
