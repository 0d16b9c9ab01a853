/*
 * The signed statement alone, Croissant for the data sets, and a model card whose
 * front matter says what the report found and whose text quotes what the card
 * said, so that reading it gives the same claims again.
 */
#include <stdio.h>
#include <string.h>

#include "assay/model_write.h"
#include "report/page.h"
#include "report/put.h"
#include "report/render.h"

bool render_intoto(struct buf *out, const struct report *r, struct err *e)
{
    buf_put_span(out, r->envelope.n ? r->envelope : r->statement);
    buf_put_str(out, "\n");
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the statement is larger than there is room for");
}

/* ---- Croissant ---- */

static void put_context(struct json_writer *w)
{
    static const char *const names[][2] = {
        {"@language", "en"},
        {"@vocab", "https://schema.org/"},
        {"citeAs", "cr:citeAs"},
        {"conformsTo", "dct:conformsTo"},
        {"cr", "http://mlcommons.org/croissant/"},
        {"dct", "http://purl.org/dc/terms/"},
        {"md5", "cr:md5"},
        {"prov", "http://www.w3.org/ns/prov#"},
        {"rai", "http://mlcommons.org/croissant/RAI/"},
        {"sc", "https://schema.org/"},
    };
    put_open(w, "@context");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_str(w, names[i][0], names[i][1]);
    jw_end_object(w);
}

static const char *encoding_of(const char *name)
{
    static const char *const types[][2] = {
        {".jsonl", "application/jsonlines"},
        {".json", "application/json"},
        {".csv", "text/csv"},
        {".tsv", "text/tab-separated-values"},
        {".txt", "text/plain"},
        {".md", "text/markdown"},
        {".parquet", "application/x-parquet"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (span_ends(span_str(name), types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

static void put_distribution(struct json_writer *w, const struct dataset *d)
{
    put_list(w, "distribution");
    for (size_t i = 0; i < d->file_count; i++) {
        const struct dataset_file *f = &d->files[i];
        jw_object(w);
        put_str(w, "@type", "cr:FileObject");
        put_str(w, "@id", f->name);
        put_str(w, "name", f->name);
        put_str(w, "contentUrl", f->name);
        put_fmt(w, "contentSize", "%llu B", (unsigned long long)f->bytes);
        put_str(w, "encodingFormat", encoding_of(f->name));
        put_hex(w, "sha256", &f->digest);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_dataset(struct json_writer *w, const struct dataset *d, const struct report *r)
{
    const struct dataset_card *c = &d->card;
    put_context(w);
    put_str(w, "@type", "sc:Dataset");
    put_list(w, "conformsTo");
    jw_str(w, "http://mlcommons.org/croissant/1.1");
    jw_str(w, "http://mlcommons.org/croissant/RAI/1.0");
    jw_end_array(w);
    put_str(w, "name", c->name ? c->name : d->name);
    put_str(w, "description", c->description ? c->description : "No description was declared.");
    put_str(w, "license", c->licence ? c->licence : "NOASSERTION");
    put_str(w, "url", c->url ? c->url : "https://assay.invalid/unknown-location");
    put_open(w, "creator");
    put_str(w, "@type", "sc:Organization");
    put_str(w, "name", c->creator ? c->creator : "NOASSERTION");
    jw_end_object(w);
    if (c->published && strlen(c->published) >= 10)
        put_fmt(w, "datePublished", "%.10s", c->published);
    else
        put_fmt(w, "datePublished", "%.10s", r->in->as_of);
    put_str(w, "version", c->version ? c->version : "1.0.0");
    put_str(w, "rai:dataCollection", c->collection);
    put_str(w, "rai:dataPreprocessingProtocol", c->preprocessing);
    put_str(w, "rai:dataAnnotationProtocol", c->annotation);
    put_str(w, "rai:dataLimitations", c->limits);
    put_str(w, "rai:dataBiases", c->biases);
    put_str(w, "rai:personalSensitiveInformation", c->personal);
    put_distribution(w, d);
}

bool render_croissant(struct buf *out, const struct report *r, struct err *e)
{
    struct json_writer w;
    if (r->in->dataset_count == 0)
        return err_set(e, ERR_USAGE, "Croissant describes a data set: --datasets gives one");
    jw_init(&w, json_sink_buf, out, true);
    if (r->in->dataset_count > 1) {
        jw_array(&w);
        for (size_t i = 0; i < r->in->dataset_count; i++) {
            jw_object(&w);
            put_dataset(&w, &r->in->datasets[i], r);
            jw_end_object(&w);
        }
        jw_end_array(&w);
    } else {
        jw_object(&w);
        put_dataset(&w, &r->in->datasets[0], r);
        jw_end_object(&w);
    }
    return put_done(&w, out, e);
}

/* ---- model card ---- */

static void put_section(struct buf *out, const char *heading, const char *text)
{
    if (!text)
        return;
    buf_printf(out, "\n## %s\n\n", heading);
    page_put(out, span_str(text), PAGE_MARKDOWN);
    buf_put_str(out, "\n");
}

static void put_table(struct buf *out, const struct report *r)
{
    static const char *const rows[] = {"model.architecture",   "model.architecture.shape",
                                       "model.parameters",     "model.precision",
                                       "model.context",        "model.format",
                                       "model.digest.tensors", "model.digest.manifest",
                                       "model.licence.text"};
    buf_put_str(out, "\n## Model details\n\n| | recomputed from the files |\n|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *value = report_value(r, rows[i]);
        const struct property *p = property_find(span_str(rows[i]));
        if (!value || !p)
            continue;
        buf_printf(out, "| %s | ", p->title);
        page_put(out, span_str(value), PAGE_MARKDOWN);
        buf_put_str(out, " |\n");
    }
}

bool render_card(struct buf *out, const struct report *r, struct err *e)
{
    const struct report_model *m = r->in->model;
    if (!m)
        return err_set(e, ERR_USAGE, "a model card describes a model: --model gives one");
    const struct card *c = &m->model->card;
    const struct facts *f = m->facts;
    buf_put_str(out, "---\n");
    card_put(out, "license", c->license);
    card_put(out, "license_name", c->license_name);
    card_put(out, "license_link", c->license_link);
    card_put(out, "library_name", c->library);
    card_put(out, "pipeline_tag", c->pipeline);
    card_put_list(out, "base_model", f->base_models, f->base_model_count);
    card_put(out, "base_model_relation", c->base_model_relation);
    card_put_list(out, "datasets", f->datasets, f->dataset_count);
    card_put_list(out, "language", f->languages, f->language_count);
    card_put_list(out, "tags", c->tags, c->tag_count);
    buf_put_str(out, "---\n\n# ");
    page_put(out, report_name(r), PAGE_MARKDOWN);
    buf_put_str(out, "\n");
    put_table(out, r);
    static const char *const quoted[][2] = {
        {"Model description", "card.description"},
        {"Intended use", "card.intended-use"},
        {"Out-of-scope use", "card.out-of-scope"},
        {"Limitations", "card.limitations"},
        {"Bias and risks", "card.bias"},
        {"Training data", "card.training-data"},
        {"Training procedure", "card.training-procedure"},
        {"Evaluation", "card.evaluation"},
        {"Environmental impact", "card.energy"},
        {"How to use", "card.how-to-use"},
        {"Citation", "card.citation"},
        {"Contact", "card.contact"},
    };
    for (size_t i = 0; i < sizeof quoted / sizeof quoted[0]; i++)
        put_section(out, quoted[i][0], report_value(r, quoted[i][1]));
    buf_printf(out,
               "\nWritten by assay %s as of %s from the model's files and the card beside them.\n",
               ASSAY_VERSION, r->in->as_of);
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the card is larger than there is room for");
}
