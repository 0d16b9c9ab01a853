/*
 * SPDX 3.0.1, profiles AI and Dataset. The AI profile's members that only its
 * prose makes mandatory are always written; what nobody stated says NOASSERTION.
 */
#include <stdio.h>
#include <string.h>

#include "report/put.h"
#include "report/render.h"

#define BASE "https://assay.invalid/spdx/"

struct spdx {
    struct json_writer *w;
    const struct report *r;
    char prefix[128]; /* of this document's ids */
};

static void put_id(struct spdx *s, const char *key, const char *name)
{
    put_fmt(s->w, key, "%s%s", s->prefix, name);
}

static void put_id_item(struct spdx *s, const char *fmt, size_t n)
{
    char name[64], id[256];
    snprintf(name, sizeof name, "%s%zu", fmt, n);
    snprintf(id, sizeof id, "%s%s", s->prefix, name);
    jw_str(s->w, id);
}

static void open_element(struct spdx *s, const char *type, const char *id)
{
    jw_object(s->w);
    put_str(s->w, "type", type);
    put_id(s, "spdxId", id);
    put_str(s->w, "creationInfo", "_:creation");
}

static void put_hashes(struct spdx *s, const struct digest *d)
{
    put_list(s->w, "verifiedUsing");
    jw_object(s->w);
    put_str(s->w, "type", "Hash");
    put_str(s->w, "algorithm", "sha256");
    put_hex(s->w, "hashValue", d);
    jw_end_object(s->w);
    jw_end_array(s->w);
}

static void put_head(struct spdx *s)
{
    struct json_writer *w = s->w;
    jw_object(w);
    put_str(w, "type", "CreationInfo");
    put_str(w, "@id", "_:creation");
    put_str(w, "specVersion", "3.0.1");
    put_str(w, "created", s->r->in->as_of);
    put_list(w, "createdBy");
    jw_str(w, BASE "assay-user");
    jw_end_array(w);
    put_list(w, "createdUsing");
    jw_str(w, BASE "assay");
    jw_end_array(w);
    jw_end_object(w);
    jw_object(w);
    put_str(w, "type", "Organization");
    put_str(w, "spdxId", BASE "assay-user");
    put_str(w, "creationInfo", "_:creation");
    const char *provider = report_value(s->r, "human.provider-name");
    put_str(w, "name", provider ? provider : "NOASSERTION");
    jw_end_object(w);
    jw_object(w);
    put_str(w, "type", "Tool");
    put_str(w, "spdxId", BASE "assay");
    put_str(w, "creationInfo", "_:creation");
    put_str(w, "name", "assay " ASSAY_VERSION);
    jw_end_object(w);
}

static void put_document(struct spdx *s)
{
    static const char *const profiles[] = {"core", "software", "ai", "dataset", "simpleLicensing"};
    struct json_writer *w = s->w;
    open_element(s, "SpdxDocument", "document");
    put_list(w, "profileConformance");
    for (size_t i = 0; i < 5; i++)
        jw_str(w, profiles[i]);
    jw_end_array(w);
    put_list(w, "rootElement");
    put_id_item(s, "bom", 0);
    jw_end_array(w);
    jw_end_object(w);
    open_element(s, "software_Sbom", "bom0");
    put_list(w, "software_sbomType");
    jw_str(w, "analyzed");
    jw_end_array(w);
    put_list(w, "rootElement");
    put_id_item(s, "model", 0);
    jw_end_array(w);
    put_list(w, "element");
    put_id_item(s, "model", 0);
    for (size_t i = 0; i < s->r->in->dataset_count; i++)
        put_id_item(s, "dataset", i);
    jw_end_array(w);
    jw_end_object(w);
}

/* YYYY-MM-DD as SPDX wants times; the report's own when nobody said it. */
static void put_time(struct spdx *s, const char *key, const char *day)
{
    if (day && strlen(day) >= 10 && date_ok((struct span){(const uint8_t *)day, 10}))
        put_fmt(s->w, key, "%.10sT00:00:00Z", day);
    else
        put_str(s->w, key, s->r->in->as_of);
}

static void put_entry(struct spdx *s, const char *key, const char *value)
{
    if (!value)
        return;
    jw_object(s->w);
    put_str(s->w, "type", "DictionaryEntry");
    put_str(s->w, "key", key);
    put_str(s->w, "value", value);
    jw_end_object(s->w);
}

static void put_model(struct spdx *s)
{
    const struct report_model *m = s->r->in->model;
    struct json_writer *w = s->w;
    char hex[DIGEST_HEX + 1];
    open_element(s, "ai_AIPackage", "model0");
    put_span(w, "name", report_name(s->r));
    put_str(w, "suppliedBy", BASE "assay-user");
    put_time(s, "releaseTime", report_value(s->r, "human.release-date"));
    const char *version = report_value(s->r, "model.version");
    put_str(w, "software_packageVersion",
            version                               ? version
            : m && m->identity->has_manifest_root ? digest_hex(hex, &m->identity->manifest_root)
                                                  : "NOASSERTION");
    put_str(w, "software_downloadLocation", BASE "unknown-location");
    put_str(w, "software_primaryPurpose", "model");
    if (m) {
        put_list(w, "ai_typeOfModel");
        jw_str(w, m->facts->architecture.family ? m->facts->architecture.family : "unknown");
        jw_end_array(w);
        put_list(w, "ai_hyperparameter");
        put_entry(s, "parameters", report_value(s->r, "model.parameters"));
        put_entry(s, "context_length", report_value(s->r, "model.context"));
        put_entry(s, "shape", report_value(s->r, "model.architecture.shape"));
        put_entry(s, "tensor_root", report_value(s->r, "model.digest.tensors"));
        jw_end_array(w);
        put_str(w, "ai_informationAboutTraining", report_value(s->r, "card.training-procedure"));
        put_str(w, "ai_informationAboutApplication", report_value(s->r, "card.intended-use"));
        put_str(w, "ai_limitation", report_value(s->r, "card.limitations"));
    }
    put_str(w, "ai_useSensitivePersonalInformation", "noAssertion");
    jw_end_object(w);
}

static void put_files(struct spdx *s)
{
    const struct report_model *m = s->r->in->model;
    for (size_t i = 0; m && m->scan->file_ok && i < m->model->file_count; i++) {
        char id[40];
        if (!m->scan->file_ok[i])
            continue;
        snprintf(id, sizeof id, "file%zu", i);
        open_element(s, "software_File", id);
        put_str(s->w, "name", m->model->files[i].name);
        put_hashes(s, &m->scan->file[i]);
        jw_end_object(s->w);
    }
}

static void put_dataset(struct spdx *s, size_t i)
{
    const struct dataset *d = &s->r->in->datasets[i];
    struct json_writer *w = s->w;
    char id[40];
    snprintf(id, sizeof id, "dataset%zu", i);
    open_element(s, "dataset_DatasetPackage", id);
    put_str(w, "name", d->card.name ? d->card.name : d->name);
    put_list(w, "originatedBy");
    jw_str(w, BASE "assay-user");
    jw_end_array(w);
    put_time(s, "builtTime", d->card.published);
    put_time(s, "releaseTime", d->card.published);
    put_str(w, "software_downloadLocation",
            d->card.url && strstr(d->card.url, "://") ? d->card.url : BASE "unknown-location");
    put_str(w, "software_primaryPurpose", "data");
    put_list(w, "dataset_datasetType");
    jw_str(w, "text");
    jw_end_array(w);
    jw_key(w, "dataset_datasetSize");
    jw_u64(w, d->bytes);
    put_str(w, "dataset_dataCollectionProcess", d->card.collection);
    if (d->card.biases) {
        put_list(w, "dataset_knownBias");
        jw_str(w, d->card.biases);
        jw_end_array(w);
    }
    put_str(w, "dataset_hasSensitivePersonalInformation", "noAssertion");
    jw_end_object(w);
}

static void put_relationship(struct spdx *s, size_t number, const char *type, const char *to,
                             size_t count)
{
    char id[40];
    snprintf(id, sizeof id, "relationship%zu", number);
    open_element(s, "Relationship", id);
    put_id(s, "from", "model0");
    put_str(s->w, "relationshipType", type);
    put_list(s->w, "to");
    for (size_t i = 0; i < count; i++)
        put_id_item(s, to, i);
    jw_end_array(s->w);
    jw_end_object(s->w);
}

static void put_relationships(struct spdx *s)
{
    const char *spdx = report_spdx(s->r);
    const struct report_model *m = s->r->in->model;
    if (s->r->in->dataset_count)
        put_relationship(s, 0, "trainedOn", "dataset", s->r->in->dataset_count);
    if (m && m->scan->file_ok && m->complete)
        put_relationship(s, 1, "hasDataFile", "file", m->model->file_count);
    if (!spdx)
        return;
    open_element(s, "simplelicensing_LicenseExpression", "licence0");
    put_str(s->w, "simplelicensing_licenseExpression", spdx);
    jw_end_object(s->w);
    put_relationship(s, 2, "hasDeclaredLicense", "licence", 1);
}

bool render_spdx(struct buf *out, const struct report *r, struct err *e)
{
    struct json_writer w;
    struct spdx s = {.w = &w, .r = r};
    char hex[DIGEST_HEX + 1];
    snprintf(s.prefix, sizeof s.prefix, BASE "%.16s/", digest_hex(hex, &r->root));
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    put_str(&w, "@context", "https://spdx.org/rdf/3.0.1/spdx-context.jsonld");
    put_list(&w, "@graph");
    put_head(&s);
    put_document(&s);
    put_model(&s);
    put_files(&s);
    for (size_t i = 0; i < r->in->dataset_count; i++)
        put_dataset(&s, i);
    put_relationships(&s);
    jw_end_array(&w);
    jw_end_object(&w);
    return put_done(&w, out, e);
}
