/* inspect --json: schema/inspect.schema.json, the same facts as the text. */
#include <string.h>

#include "assay/base/text.h"
#include "cli/inspect_view.h"
#include "cli/json_out.h"

enum { ARRAY_SHOWN = 16, STRING_SHOWN = 65536 };

static void put_files(struct json_writer *w, const struct subject *s)
{
    const struct model *m = s->model;
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        bool hashed = s->scan.file && s->scan.file_ok && s->scan.file_ok[i];
        jw_object(w);
        jo_str(w, "name", f->name);
        jo_str(w, "format", f->format == FORMAT_UNKNOWN ? NULL : format_name(f->format));
        jo_known(w, "format_version", f->version);
        jo_known(w, "alignment", f->alignment);
        jo_bool(w, "big_endian", f->big_endian);
        jo_u64(w, "size", f->size);
        jo_u64(w, "parsed", f->parsed);
        jo_known(w, "data_offset", f->data);
        jo_bool(w, "link_outside", f->link_outside);
        jo_bool(w, "beside", f->beside);
        jo_bool(w, "complete", !f->incomplete && f->source);
        jo_digest(w, "sha256", hashed ? &s->scan.file[i] : NULL, hashed);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_rope(struct json_writer *w, const struct rope *r)
{
    jw_key(w, "rope");
    if (!(r->base > 0) && !r->dimensions && !r->scaling.n) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jw_key(w, "base");
    r->base > 0 ? jw_double(w, r->base) : jw_null(w);
    jo_known(w, "dimensions", r->dimensions);
    jo_span(w, "scaling", r->scaling);
    jw_key(w, "factor");
    r->factor > 0 ? jw_double(w, r->factor) : jw_null(w);
    jo_known(w, "original_context", r->original_context);
    jw_end_object(w);
}

static void put_adapter(struct json_writer *w, const struct architecture *a)
{
    jw_key(w, "adapter");
    if (!a->is_adapter) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jo_span(w, "type", a->adapter.type);
    jo_known(w, "rank", a->adapter.rank);
    jw_key(w, "alpha");
    a->adapter.alpha > 0 ? jw_double(w, a->adapter.alpha) : jw_null(w);
    jo_spans(w, "targets", a->adapter.targets, a->adapter.target_count);
    jw_end_object(w);
}

static void put_architecture(struct json_writer *w, const struct architecture *a)
{
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"layers", a->layers},
        {"width", a->width},
        {"ffn", a->ffn},
        {"heads", a->heads},
        {"kv_heads", a->kv_heads},
        {"head_size", a->head_size},
        {"experts", a->experts},
        {"experts_active", a->experts_active},
        {"expert_ffn", a->expert_ffn},
        {"shared_experts", a->shared_experts},
        {"vocabulary", a->vocabulary},
        {"context", a->context},
        {"window", a->window},
    };
    jw_key(w, "architecture");
    jw_object(w);
    jo_str(w, "family", a->family);
    jo_span(w, "declared", a->declared);
    put_adapter(w, a);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        jo_known(w, numbers[i].key, numbers[i].value);
    put_rope(w, &a->rope);
    jw_key(w, "tied_embeddings");
    a->tied_known ? jw_bool(w, a->tied) : jw_null(w);
    jw_end_object(w);
    jw_key(w, "parameters");
    jw_object(w);
    jo_known(w, "total", a->parameters.total);
    jo_known(w, "active", a->parameters.active);
    jo_u64(w, "embedding", a->parameters.embedding);
    jo_u64(w, "non_embedding", a->parameters.non_embedding);
    jo_u64(w, "buffers", a->parameters.buffers);
    jw_end_object(w);
    jw_key(w, "memory");
    jw_object(w);
    jo_u64(w, "weight_bytes", a->weight_bytes);
    jo_double(w, "bits_per_weight", a->bits_per_weight);
    jo_known(w, "kv_bytes_per_1000_tokens", a->kv_bytes_per_1000);
    jw_end_object(w);
}

static void put_types(struct json_writer *w, const struct facts *f)
{
    jw_key(w, "types");
    jw_array(w);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!f->types[t].tensors)
            continue;
        jw_object(w);
        jo_str(w, "type", dtypes[t].name);
        jo_u64(w, "tensors", f->types[t].tensors);
        jo_u64(w, "elements", f->types[t].elements);
        jo_u64(w, "bytes", f->types[t].bytes);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_tokenizer(struct json_writer *w, const struct tokenizer_facts *t)
{
    jw_key(w, "tokenizer");
    jw_object(w);
    jo_str(w, "kind", t->kind);
    jo_span(w, "pre_tokenizer", t->pre);
    jo_known(w, "size", t->size);
    jo_u64(w, "merges", t->merges);
    jo_u64(w, "added", t->added);
    jw_key(w, "special");
    jw_array(w);
    for (size_t i = 0; i < t->special_count; i++) {
        jw_object(w);
        jo_str(w, "role", t->special[i].role);
        jw_key(w, "id");
        t->special[i].has_id ? jo_number(w, t->special[i].id) : jw_null(w);
        jo_span(w, "text", t->special[i].text);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

static void put_templates(struct json_writer *w, const struct model *m)
{
    jw_key(w, "chat_templates");
    jw_array(w);
    for (size_t i = 0; i < m->template_count; i++) {
        const struct text *t = &m->templates[i];
        struct digest d = sha256_of(t->bytes);
        jw_object(w);
        jo_span(w, "name", t->name);
        jo_str(w, "kind", template_kind(t->bytes));
        jo_u64(w, "bytes", t->bytes.n);
        jo_digest(w, "sha256", &d, true);
        jo_origin(w, m, t->origin);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_provenance(struct json_writer *w, const struct model *m, const struct facts *f)
{
    jo_licences(w, m, f);
    jo_spans(w, "base_models", f->base_models, f->base_model_count);
    jo_spans(w, "datasets", f->datasets, f->dataset_count);
    jo_spans(w, "languages", f->languages, f->language_count);
}

static void put_identity(struct json_writer *w, const struct identity *i)
{
    jw_key(w, "identity");
    jw_object(w);
    jo_digest(w, "tensor_root", &i->tensor_root, i->has_tensor_root);
    jo_digest(w, "manifest_root", &i->manifest_root, i->has_manifest_root);
    jo_digest(w, "architecture", &i->architecture, i->has_architecture);
    jo_digest(w, "tokenizer", &i->tokenizer, i->has_tokenizer);
    jo_digest(w, "chat_template", &i->chat_template, i->has_template);
    jw_end_object(w);
}

static void put_coverage(struct json_writer *w, const struct scan *s)
{
    jw_key(w, "coverage");
    jw_object(w);
    jo_u64(w, "size", s->coverage.size);
    jo_u64(w, "parsed", s->coverage.parsed);
    jo_u64(w, "tensors", s->coverage.tensors);
    jo_u64(w, "padding", s->coverage.padding);
    jo_u64(w, "unexplained", s->coverage.unexplained);
    jo_u64(w, "hashed", s->coverage.hashed);
    jo_bool(w, "from_cache", s->from_cache);
    jw_end_object(w);
}

static void put_findings(struct json_writer *w, const struct model *m)
{
    const struct verdict *v = &m->verdict;
    jw_key(w, "findings");
    jw_array(w);
    for (size_t i = 0; i < v->count; i++) {
        jw_object(w);
        jo_finding(w, m, &v->findings[i]);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_stats(struct json_writer *w, const struct stats *v)
{
    bool finite = v->count > v->nan + v->inf;
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"min", v->min}, {"max", v->max}, {"mean", stats_mean(v)}, {"rms", stats_rms(v)}};
    jw_key(w, "statistics");
    jw_object(w);
    jo_u64(w, "count", v->count);
    for (size_t i = 0; i < 4; i++) {
        jw_key(w, numbers[i].key);
        finite ? jw_double(w, numbers[i].value) : jw_null(w);
    }
    jo_u64(w, "zeros", v->zeros);
    jo_u64(w, "nan", v->nan);
    jo_u64(w, "inf", v->inf);
    jw_end_object(w);
}

static void put_tensors(struct json_writer *w, const struct subject *s)
{
    const struct model *m = s->model;
    jw_key(w, "tensors");
    jw_array(w);
    for (size_t i = 0; i < m->tensor_count; i++) {
        const struct tensor *t = &m->tensors[i];
        bool hashed = s->scan.tensor && s->scan.tensor_ok && s->scan.tensor_ok[i];
        jw_object(w);
        jo_tensor(w, t);
        jo_u64(w, "elements", t->elements);
        jo_origin(w, m, t->data);
        jo_digest(w, "sha256", hashed ? &s->scan.tensor[i] : NULL, hashed);
        if (s->scan.stats)
            put_stats(w, &s->scan.stats[i]);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* ---- metadata ---- */

static void put_scalar(struct json_writer *w, const struct value *v)
{
    uint64_t u;
    double d;
    if (v->type == VALUE_STRING) {
        struct span s = v->string;
        if (s.n > STRING_SHOWN) /* cut before a character, not inside one */
            for (s.n = STRING_SHOWN; s.n && (s.p[s.n] & 0xC0) == 0x80;)
                s.n--;
        jw_string(w, s);
    } else if (v->type == VALUE_BOOL)
        jw_bool(w, v->u != 0);
    else if (value_u64(v, &u))
        jo_number(w, u);
    else if (value_double(v, &d) && (v->type == VALUE_F32 || v->type == VALUE_F64))
        jw_double(w, d);
    else if (v->type == VALUE_ARRAY)
        jw_null(w);
    else
        jo_signed(w, v->i);
}

static bool put_array(struct json_writer *w, const struct value *v)
{
    struct value_iter it = value_items(v);
    struct value item;
    uint64_t n = 0;
    jw_array(w);
    while (n < ARRAY_SHOWN && value_next(&it, &item)) {
        put_scalar(w, &item);
        n++;
    }
    jw_end_array(w);
    return n < v->count;
}

static void put_metadata(struct json_writer *w, const struct model *m)
{
    jw_key(w, "metadata");
    jw_array(w);
    for (size_t i = 0; i < m->metadata_count; i++) {
        const struct metadata *p = &m->metadata[i];
        const struct value *v = &p->value;
        bool array = v->type == VALUE_ARRAY;
        bool shortened = v->type == VALUE_STRING && v->string.n > STRING_SHOWN;
        jw_object(w);
        jw_key(w, "key");
        jw_string(w, p->key);
        jo_str(w, "type", value_type_name(v->type));
        jo_str(w, "element", array ? value_type_name(v->element) : NULL);
        jw_key(w, "items");
        array ? jo_number(w, v->count) : jw_null(w);
        jw_key(w, "value");
        if (array)
            shortened = put_array(w, v);
        else
            put_scalar(w, v);
        jo_bool(w, "shortened", shortened);
        jo_origin(w, m, p->origin);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* A step that failed leaves null where its facts would stand. */
static void nulls(struct json_writer *w, const char *const *keys)
{
    for (; *keys; keys++)
        jo_str(w, *keys, NULL);
}

static void put_facts(struct json_writer *w, const struct subject *s)
{
    static const char *const keys[] = {"name",     "architecture", "parameters", "memory",
                                       "types",    "tokenizer",    "licences",   "base_models",
                                       "datasets", "languages",    NULL};
    if (!s->has_facts) {
        nulls(w, keys);
        return;
    }
    jo_span(w, "name", s->facts.name);
    put_architecture(w, &s->facts.architecture);
    put_types(w, &s->facts);
    put_tokenizer(w, &s->facts.tokenizer);
    put_provenance(w, s->model, &s->facts);
}

void inspect_json(struct out *o, const struct subject *s, const struct inspect_args *args,
                  bool pretty)
{
    struct json_writer w;
    jo_start(&w, o, pretty);
    jo_head(&w, "assay.inspect/1");
    jo_str(&w, "path", s->model->path);
    jo_bool(&w, "complete", s->complete);
    jo_bool(&w, "strict", s->strict);
    jo_bool(&w, "lenient", s->lenient);
    jo_bool(&w, "interrupted", s->interrupted);
    jo_bool(&w, "recognised", s->recognised);
    put_files(&w, s);
    put_facts(&w, s);
    put_templates(&w, s->model);
    if (s->has_identity)
        put_identity(&w, &s->identity);
    else
        jo_str(&w, "identity", NULL);
    if (s->has_coverage)
        put_coverage(&w, &s->scan);
    else
        jo_str(&w, "coverage", NULL);
    put_findings(&w, s->model);
    jo_u64(&w, "tensor_count", s->model->tensor_count);
    if (args->tensors || args->stats)
        put_tensors(&w, s);
    jo_u64(&w, "metadata_count", s->model->metadata_count);
    if (args->metadata)
        put_metadata(&w, s->model);
    jo_finish(&w, o);
}
