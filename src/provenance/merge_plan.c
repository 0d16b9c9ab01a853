/*
 * What mergekit was told. Its configuration names models, slices of layers and
 * parameters that may differ by tensor and change from the first layer to the
 * last; this resolves them as mergekit does, and says what it does not follow.
 */
#include <string.h>

#include "assay/base/text.h"
#include "assay/source.h"
#include "assay/yaml.h"
#include "provenance/merge.h"

enum { SHOWN = 200, CONFIG_MAX = 1 << 20, CONFIG_DEPTH = 6, CONDITIONS = 256 };

bool merge_is_random(enum merge_method m)
{
    return m == MERGE_DARE_LINEAR || m == MERGE_DARE_TIES;
}

/* ---- models ---- */

struct reading {
    struct merge_plan *p;
    struct arena *a;
    struct err *e;
};

/* "org/model+lora" is the model with an adapter on it. */
static struct span model_name(struct json v, bool *adapted)
{
    struct span name = SPAN_EMPTY;
    struct json lora = JSON_NOTHING;
    if (json_type(v) == JSON_OBJECT) {
        lora = json_get(v, "lora");
        v = json_type(json_get(v, "model")) == JSON_OBJECT ? json_get(json_get(v, "model"), "path")
                                                           : json_get(v, "path");
    }
    if (!json_string(v, &name) || !name.n)
        return SPAN_EMPTY;
    const uint8_t *plus = memchr(name.p, '+', name.n);
    *adapted = plus || json_type(lora) > JSON_NULL;
    if (plus && plus > name.p)
        name.n = (size_t)(plus - name.p);
    return name;
}

/* Its number in the plan, `model_count` where it is none. */
static bool add_model(struct reading *k, struct json v, size_t *number)
{
    char text[SHOWN + 8];
    bool adapted = false;
    struct span name = model_name(v, &adapted);
    *number = k->p->model_count;
    if (!name.n)
        return true;
    const char *shown = arena_str(k->a, span_str(text_shown(text, sizeof text, name)));
    if (!shown)
        return err_set(k->e, ERR_MEMORY, "out of memory for a lineage");
    if (adapted)
        k->p->unclear = "an adapter is put on one of the models first";
    for (size_t i = 0; i < k->p->model_count; i++)
        if (strcmp(k->p->models[i], shown) == 0) {
            *number = i;
            return true;
        }
    if (k->p->model_count < MERGE_MODELS)
        k->p->models[k->p->model_count++] = shown;
    return true;
}

/* `model` and `base_model` wherever they stand: models, slices, modules, experts. */
static bool gather(struct reading *k, struct json v, unsigned depth)
{
    static const char *const names[] = {"base_model", "model", "source_model"};
    size_t number;
    if (depth > CONFIG_DEPTH || (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY))
        return true;
    for (size_t i = 0; json_type(v) == JSON_OBJECT && i < 3; i++)
        if (json_type(json_get(v, names[i])) > JSON_NULL &&
            !add_model(k, json_get(v, names[i]), &number))
            return false;
    for (struct json i = json_first(v); json_type(i); i = json_next(i))
        if (!gather(k, i, depth + 1))
            return false;
    return true;
}

/* ---- slices ---- */

static bool add_source(struct reading *k, struct merge_slice *s, struct json v, uint64_t layers)
{
    struct json range = json_get(v, "layer_range");
    struct merge_source *in = &s->in[s->count];
    if (s->count == MERGE_INPUTS) {
        k->p->unclear = "a tensor is made of more than eight";
        return true;
    }
    *in = (struct merge_source){.to = layers, .parameters = json_get(v, "parameters")};
    if (!add_model(k, json_get(v, "model"), &in->model))
        return false;
    if (json_type(range) == JSON_ARRAY &&
        (!json_u64(json_at(range, 0), &in->from) || !json_u64(json_at(range, 1), &in->to) ||
         in->from > in->to))
        k->p->unclear = "a layer_range is not two numbers in order";
    if (in->model >= k->p->model_count)
        k->p->unclear = "a source names no model";
    else
        s->count++;
    return true;
}

/* All sources have as many layers; the base is one of them, or is added. */
static bool settle_slice(struct reading *k, struct merge_slice *s, struct json base, bool add)
{
    size_t number;
    if (!add_model(k, base, &number))
        return false;
    s->base = s->count;
    for (size_t i = 0; i < s->count; i++) {
        if (s->in[i].model == number)
            s->base = i;
        if (s->in[i].to - s->in[i].from != s->in[0].to - s->in[0].from)
            k->p->unclear = "the sources of a slice have different numbers of layers";
    }
    if (add && s->base == s->count && number < k->p->model_count && s->count < MERGE_INPUTS)
        s->in[s->count++] = (struct merge_source){.model = number, .to = s->in[0].to};
    s->layers = s->count ? s->in[0].to - s->in[0].from : 0;
    return true;
}

static bool add_slices(struct reading *k, struct json root, uint64_t layers)
{
    struct json models = json_get(root, "models"), slices = json_get(root, "slices");
    bool whole = json_type(models) == JSON_ARRAY;
    size_t most = whole ? 1 : json_count(slices);
    if ((!whole && json_type(slices) != JSON_ARRAY) || most == 0 || most > MERGE_SLICES) {
        k->p->unclear = "it has neither models nor slices that are followed here";
        return true;
    }
    k->p->slices = arena_array(k->a, most, sizeof *k->p->slices);
    if (!k->p->slices)
        return err_set(k->e, ERR_MEMORY, "out of memory for a lineage");
    struct json slice = whole ? root : json_first(slices);
    for (size_t i = 0; i < most; i++, slice = whole ? slice : json_next(slice)) {
        struct merge_slice *s = &k->p->slices[i];
        struct json base = json_get(slice, "base_model");
        *s = (struct merge_slice){.parameters =
                                      whole ? JSON_NOTHING : json_get(slice, "parameters")};
        for (struct json v = json_first(whole ? models : json_get(slice, "sources")); json_type(v);
             v = json_next(v))
            if (!add_source(k, s, v, layers))
                return false;
        if (json_type(base) <= JSON_NULL)
            base = json_get(root, "base_model");
        if (!settle_slice(k, s, base, whole))
            return false;
    }
    k->p->slice_count = most;
    return true;
}

/* ---- the whole ---- */

static enum dtype element_type(struct json v)
{
    static const struct {
        const char *name;
        enum dtype type;
    } types[] = {{"float32", DTYPE_F32}, {"float16", DTYPE_F16}, {"bfloat16", DTYPE_BF16}};
    struct span name;
    if (json_string(v, &name))
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            if (span_is(name, types[i].name))
                return types[i].type;
    return DTYPE_NONE;
}

static void take_method(struct merge_plan *p, struct json root, struct arena *a)
{
    static const struct {
        const char *name;
        enum merge_method method;
    } methods[] = {{"linear", MERGE_LINEAR},
                   {"slerp", MERGE_SLERP},
                   {"task_arithmetic", MERGE_TASK_ARITHMETIC},
                   {"ties", MERGE_TIES},
                   {"dare_linear", MERGE_DARE_LINEAR},
                   {"dare_ties", MERGE_DARE_TIES},
                   {"model_stock", MERGE_MODEL_STOCK},
                   {"passthrough", MERGE_PASSTHROUGH}};
    char text[SHOWN + 8];
    struct span name = SPAN_EMPTY;
    if (!json_string(json_get(root, "merge_method"), &name))
        return;
    p->method_name = arena_str(a, span_str(text_shown(text, sizeof text, name)));
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (span_is(name, methods[i].name))
            p->method = methods[i].method;
}

static bool take_plan(struct reading *k, struct json root, uint64_t layers)
{
    struct merge_plan *p = k->p;
    struct json type = json_get(root, "dtype");
    take_method(p, root, k->a);
    p->parameters = json_get(root, "parameters");
    p->work = element_type(type);
    p->vocabulary = json_type(json_get(root, "tokenizer")) > JSON_NULL ||
                    json_type(json_get(root, "tokenizer_source")) > JSON_NULL;
    if (!gather(k, root, 0))
        return false;
    if (json_type(type) > JSON_NULL && p->work == DTYPE_NONE)
        p->unclear = "its dtype is none of float32, float16 and bfloat16";
    else if (p->method == MERGE_OTHER)
        p->unclear = "its method is not computed here";
    return p->unclear || add_slices(k, root, layers);
}

bool merge_plan_read(struct merge_plan *out, const struct model *m, uint64_t layers,
                     struct arena *a, struct err *e)
{
    static const char *const names[] = {"mergekit_config.yml", "mergekit_config.yaml"};
    const struct model_file *f = NULL;
    struct err why = ERR_INIT;
    struct yaml y;
    *out = (struct merge_plan){.work = DTYPE_NONE};
    for (size_t i = 0; i < m->file_count && !f; i++)
        if (strcmp(m->files[i].name, names[0]) == 0 || strcmp(m->files[i].name, names[1]) == 0)
            f = &m->files[i];
    if (!f || !f->source || f->size > CONFIG_MAX)
        return true;
    uint8_t *text = arena_alloc(a, (size_t)f->size + 1);
    if (!text)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    out->file = f->name;
    struct reading k = {out, a, e};
    if (source_read(f->source, text, 0, (size_t)f->size, &why) &&
        yaml_parse(&y, (struct span){text, (size_t)f->size}, f->name, a, &why))
        return take_plan(&k, y.root, layers);
    out->trouble = arena_printf(a, "%s: %s", f->name, why.text);
    return out->trouble || err_set(e, ERR_MEMORY, "out of memory for a lineage");
}

/* ---- parameters ---- */

static bool number(double *out, struct json v)
{
    bool flag;
    if (json_bool(v, &flag)) {
        *out = flag;
        return true;
    }
    return json_double(v, out);
}

/* A list of numbers spans the layers of its slice, and is interpolated between. */
static enum merge_value gradient(double *out, struct json list, double t)
{
    double low, high, at = t * (double)(json_count(list) - 1);
    size_t i = (size_t)at, last = json_count(list) - 1;
    if (!number(&low, json_at(list, i)) || !number(&high, json_at(list, i < last ? i + 1 : last)))
        return MERGE_BAD;
    double rest = at - (double)i;
    *out = (1 - rest) * low + rest * high;
    return MERGE_GIVEN;
}

static enum merge_value scalar(double *out, struct json v, double t)
{
    if (number(out, v))
        return MERGE_GIVEN;
    return json_type(v) == JSON_ARRAY && json_count(v) ? gradient(out, v, t) : MERGE_BAD;
}

static enum merge_value condition(double *out, struct json c, struct span tensor, double t)
{
    struct json filter = json_get(c, "filter");
    struct span part;
    if (json_type(filter) > JSON_NULL) {
        if (!json_string(filter, &part))
            return MERGE_BAD;
        if (!span_is(part, "*") && (!part.n || !memmem(tensor.p, tensor.n, part.p, part.n)))
            return MERGE_ABSENT;
    }
    return scalar(out, json_get(c, "value"), t);
}

static enum merge_value setting(double *out, struct json v, struct span tensor, double t)
{
    size_t looked = 0;
    if (json_type(v) == JSON_OBJECT)
        return condition(out, v, tensor, t);
    if (json_type(v) != JSON_ARRAY || json_type(json_first(v)) != JSON_OBJECT)
        return scalar(out, v, t);
    for (struct json c = json_first(v); json_type(c) && looked < CONDITIONS; c = json_next(c)) {
        enum merge_value found = condition(out, c, tensor, t);
        looked++;
        if (found != MERGE_ABSENT)
            return found;
    }
    return MERGE_ABSENT;
}

enum merge_value merge_parameter(double *out, const struct merge_plan *p,
                                 const struct merge_slice *s, const struct merge_source *of,
                                 const char *name, struct span tensor, double t)
{
    const struct json scopes[] = {of ? of->parameters : JSON_NOTHING, s->parameters, p->parameters};
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        struct json v = json_get(scopes[i], name);
        enum merge_value found =
            json_type(v) > JSON_NULL ? setting(out, v, tensor, t) : MERGE_ABSENT;
        if (found != MERGE_ABSENT)
            return found;
    }
    return MERGE_ABSENT;
}
