/*
 * CycloneDX 1.7 ML-BOM with attestations: the model and its files, the claims
 * with evidence and counter-evidence, and the frameworks as standards whose
 * requirements the attestations map to.
 */
#include <stdio.h>
#include <string.h>

#include "report/put.h"
#include "report/render.h"

static void put_hash(struct json_writer *w, const struct digest *d)
{
    put_list(w, "hashes");
    jw_object(w);
    put_str(w, "alg", "SHA-256");
    put_hex(w, "content", d);
    jw_end_object(w);
    jw_end_array(w);
}

static void put_property(struct json_writer *w, const char *name, const char *value)
{
    if (!value)
        return;
    jw_object(w);
    put_str(w, "name", name);
    put_str(w, "value", value);
    jw_end_object(w);
}

static void put_licence(struct json_writer *w, const struct report *r)
{
    const char *spdx = report_spdx(r), *named = report_value(r, "model.licence");
    if (!spdx && !named)
        return;
    put_list(w, "licenses");
    jw_object(w);
    put_open(w, "license");
    put_str(w, spdx ? "id" : "name", spdx ? spdx : named);
    put_str(w, "acknowledgement", "declared");
    jw_end_object(w);
    jw_end_object(w);
    jw_end_array(w);
}

static void put_model_files(struct json_writer *w, const struct report_model *m)
{
    put_list(w, "components");
    for (size_t i = 0; i < m->model->file_count && m->scan->file_ok; i++) {
        if (!m->scan->file_ok[i])
            continue;
        jw_object(w);
        put_str(w, "type", "file");
        put_fmt(w, "bom-ref", "file-%zu", i);
        put_str(w, "name", m->model->files[i].name);
        put_hash(w, &m->scan->file[i]);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_ancestors(struct json_writer *w, const struct report *r)
{
    const struct facts *f = r->in->model->facts;
    if (f->base_model_count == 0)
        return;
    put_open(w, "pedigree");
    put_list(w, "ancestors");
    for (size_t i = 0; i < f->base_model_count; i++) {
        jw_object(w);
        put_str(w, "type", "machine-learning-model");
        put_span(w, "name", f->base_models[i]);
        jw_end_object(w);
    }
    jw_end_array(w);
    const char *lineage = report_value(r, "model.lineage");
    put_str(w, "notes", lineage ? lineage : "declared; the tensors were not compared");
    jw_end_object(w);
}

static void put_card(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    put_open(w, "modelCard");
    put_open(w, "modelParameters");
    put_str(w, "task", report_value(r, "model.task"));
    put_str(w, "architectureFamily", m->facts->architecture.family);
    put_span(w, "modelArchitecture", m->facts->architecture.declared);
    put_list(w, "datasets");
    for (size_t i = 0; i < r->in->dataset_count; i++) {
        jw_object(w);
        put_fmt(w, "ref", "dataset-%zu", i);
        jw_end_object(w);
    }
    jw_end_array(w);
    static const char *const ends[] = {"inputs", "outputs"};
    for (size_t i = 0; i < 2; i++) {
        put_list(w, ends[i]);
        jw_object(w);
        put_str(w, "format", "text");
        jw_end_object(w);
        jw_end_array(w);
    }
    jw_end_object(w);
    put_list(w, "properties");
    put_property(w, "cdx:ai-ml:model:parameter:count", report_value(r, "model.parameters"));
    put_property(w, "cdx:ai-ml:model:parameter:max_context_length",
                 report_value(r, "model.context"));
    put_property(w, "assay:tensor-root", report_value(r, "model.digest.tensors"));
    put_property(w, "assay:manifest-root", report_value(r, "model.digest.manifest"));
    put_property(w, "assay:architecture", report_value(r, "model.architecture.digest"));
    jw_end_array(w);
    jw_end_object(w);
}

static void put_component(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    put_open(w, "component");
    put_str(w, "type", m ? "machine-learning-model" : "data");
    put_str(w, "bom-ref", "model");
    put_span(w, "name", report_name(r));
    if (m) {
        char hex[DIGEST_HEX + 1];
        const char *version = report_value(r, "model.version");
        if (!version && m->identity->has_manifest_root)
            version = digest_hex(hex, &m->identity->manifest_root);
        put_str(w, "version", version);
        put_licence(w, r);
        put_ancestors(w, r);
        put_model_files(w, m);
        put_card(w, r);
    }
    jw_end_object(w);
}

static void put_metadata(struct json_writer *w, const struct report *r)
{
    put_open(w, "metadata");
    put_str(w, "timestamp", r->in->as_of);
    put_open(w, "tools");
    put_list(w, "components");
    jw_object(w);
    put_str(w, "type", "application");
    put_str(w, "bom-ref", "assay");
    put_str(w, "name", "assay");
    put_str(w, "version", ASSAY_VERSION);
    jw_end_object(w);
    jw_end_array(w);
    jw_end_object(w);
    put_component(w, r);
    jw_end_object(w);
}

static void put_datasets(struct json_writer *w, const struct report *r)
{
    put_list(w, "components");
    for (size_t i = 0; i < r->in->dataset_count; i++) {
        const struct dataset *d = &r->in->datasets[i];
        const char *name = d->card.name ? d->card.name : d->name;
        jw_object(w);
        put_str(w, "type", "data");
        put_fmt(w, "bom-ref", "dataset-%zu", i);
        put_str(w, "name", name);
        put_str(w, "version", d->card.version);
        put_list(w, "data");
        jw_object(w);
        put_str(w, "type", "dataset");
        put_str(w, "name", name);
        if (d->card.url) {
            put_open(w, "contents");
            put_str(w, "url", d->card.url);
            jw_end_object(w);
        }
        jw_end_object(w);
        jw_end_array(w);
        put_list(w, "properties");
        char hex[DIGEST_HEX + 1];
        put_property(w, "assay:manifest-root", digest_hex(hex, &d->manifest_root));
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_standards(struct json_writer *w, const struct report *r)
{
    put_open(w, "definitions");
    put_list(w, "standards");
    for (size_t i = 0; i < r->in->framework_count; i++) {
        const struct framework *f = &r->in->frameworks[i];
        jw_object(w);
        put_fmt(w, "bom-ref", "standard-%zu", i);
        put_str(w, "name", f->title);
        put_str(w, "version", f->version);
        put_str(w, "description", f->note);
        put_str(w, "owner", f->source);
        put_list(w, "requirements");
        for (size_t n = 0; n < r->clause_count; n++) {
            const struct clause *c = &r->clauses[n];
            if (c->framework != f)
                continue;
            jw_object(w);
            put_fmt(w, "bom-ref", "requirement-%zu", n);
            put_str(w, "identifier", c->requirement->id);
            put_str(w, "title", c->requirement->title);
            jw_end_object(w);
        }
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

static bool usable(const struct report *r, const struct claim *c)
{
    return claim_visible(r, c) && c->status != CLAIM_MISSING && c->status != CLAIM_NOT_APPLICABLE;
}

static void put_refs(struct json_writer *w, const char *key, const char *const *ids, size_t count)
{
    if (count == 0)
        return;
    put_list(w, key);
    for (size_t i = 0; i < count; i++) {
        char ref[80];
        snprintf(ref, sizeof ref, "evidence-%s", ids[i]);
        jw_str(w, ref);
    }
    jw_end_array(w);
}

static void put_claims(struct json_writer *w, const struct report *r)
{
    put_list(w, "claims");
    for (size_t i = 0; i < r->claims.count; i++) {
        const struct claim *c = r->claims.claim[i];
        if (!usable(r, c))
            continue;
        jw_object(w);
        put_fmt(w, "bom-ref", "claim-%s", c->id);
        put_str(w, "target", "target");
        put_fmt(w, "predicate", "%s%s%.1500s", c->title, c->value ? ": " : "",
                c->value ? c->value : "");
        put_str(w, "reasoning", c->rule);
        put_refs(w, "evidence", c->evidence, c->evidence_count);
        put_refs(w, "counterEvidence", c->counter, c->counter_count);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_evidence(struct json_writer *w, const struct report *r)
{
    put_list(w, "evidence");
    for (size_t i = 0; i < r->claims.evidence_count; i++) {
        const struct claim_evidence *v = r->claims.evidence[i];
        if (!evidence_visible(r, v))
            continue;
        jw_object(w);
        put_fmt(w, "bom-ref", "evidence-%s", v->id);
        put_str(w, "description", evidence_type_name(v->type));
        put_str(w, "created", r->in->as_of);
        put_list(w, "data");
        jw_object(w);
        put_str(w, "name", evidence_type_name(v->type));
        put_open(w, "contents");
        put_open(w, "attachment");
        put_str(w, "contentType", "application/json");
        put_span(w, "content", v->text);
        jw_end_object(w);
        jw_end_object(w);
        jw_end_object(w);
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* Conformance is 0 or 1 by status, never a share: nothing is averaged. */
static void put_map(struct json_writer *w, const struct report *r, size_t number)
{
    const struct clause *c = &r->clauses[number];
    bool good = c->status == CLAIM_VERIFIED || c->status == CLAIM_ATTESTED;
    jw_object(w);
    put_fmt(w, "requirement", "requirement-%zu", number);
    for (int against = 0; against < 2; against++) {
        put_list(w, against ? "counterClaims" : "claims");
        for (size_t i = 0; i < c->count; i++) {
            char ref[300];
            if (!usable(r, c->claims[i]) ||
                (c->claims[i]->status == CLAIM_CONTRADICTED) != (against == 1))
                continue;
            snprintf(ref, sizeof ref, "claim-%s", c->claims[i]->id);
            jw_str(w, ref);
        }
        jw_end_array(w);
    }
    put_open(w, "conformance");
    jw_key(w, "score");
    jw_u64(w, good);
    put_str(w, "rationale", claim_status_name(c->status));
    jw_end_object(w);
    jw_end_object(w);
}

static void put_declarations(struct json_writer *w, const struct report *r)
{
    put_open(w, "declarations");
    put_list(w, "assessors");
    jw_object(w);
    put_str(w, "bom-ref", "assessor");
    jw_key(w, "thirdParty");
    jw_bool(w, false);
    put_open(w, "organization");
    put_str(w, "name", "assay " ASSAY_VERSION " (automated)");
    jw_end_object(w);
    jw_end_object(w);
    jw_end_array(w);
    put_open(w, "targets");
    put_list(w, "components");
    jw_object(w);
    put_str(w, "type", "machine-learning-model");
    put_str(w, "bom-ref", "target");
    put_span(w, "name", report_name(r));
    jw_end_object(w);
    jw_end_array(w);
    jw_end_object(w);
    put_claims(w, r);
    put_evidence(w, r);
    put_list(w, "attestations");
    for (size_t i = 0; i < r->in->framework_count; i++) {
        jw_object(w);
        put_str(w, "summary", r->in->frameworks[i].title);
        put_str(w, "assessor", "assessor");
        put_list(w, "map");
        for (size_t n = 0; n < r->clause_count; n++)
            if (r->clauses[n].framework == &r->in->frameworks[i] && !r->clauses[n].reason)
                put_map(w, r, n);
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_end_object(w);
}

bool render_cyclonedx(struct buf *out, const struct report *r, struct err *e)
{
    struct json_writer w;
    char uuid[48];
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    put_str(&w, "$schema", "http://cyclonedx.org/schema/bom-1.7.schema.json");
    put_str(&w, "bomFormat", "CycloneDX");
    put_str(&w, "specVersion", "1.7");
    put_str(&w, "serialNumber", put_uuid(uuid, &r->root));
    jw_key(&w, "version");
    jw_u64(&w, 1);
    put_metadata(&w, r);
    put_datasets(&w, r);
    put_standards(&w, r);
    put_declarations(&w, r);
    jw_end_object(&w);
    return put_done(&w, out, e);
}
