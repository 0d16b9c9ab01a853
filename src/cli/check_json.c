/* check --json: schema/check.schema.json. Facts, findings and judgements in one object, for OPA
 * and the like, and as the baseline of later checks. */
#include "assay/base/text.h"
#include "cli/check_view.h"
#include "cli/json_out.h"

static void put_policy(struct json_writer *w, const struct policy *p)
{
    jw_key(w, "policy");
    jw_object(w);
    jo_span(w, "name", p->name);
    jo_str(w, "file", p->file);
    jo_digest(w, "sha256", &p->digest, p->file != NULL);
    jw_end_object(w);
}

static void put_files(struct json_writer *w, const struct subject *s)
{
    const struct model *m = s->model;
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        bool hashed = s->scan.file_ok && s->scan.file_ok[i];
        jw_object(w);
        jo_str(w, "name", f->name);
        jo_str(w, "format", f->format == FORMAT_UNKNOWN ? NULL : format_name(f->format));
        jo_u64(w, "size", f->size);
        jo_bool(w, "complete", !f->incomplete && f->source);
        jo_digest(w, "sha256", hashed ? &s->scan.file[i] : NULL, hashed);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_types(struct json_writer *w, const struct facts *f)
{
    jw_key(w, "types");
    jw_object(w);
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (f->types[t].tensors)
            jo_u64(w, dtypes[t].name, f->types[t].elements);
    jw_end_object(w);
}

static void put_card(struct json_writer *w, const struct model *m)
{
    const struct card *c = &m->card;
    jw_key(w, "card");
    if (!m->has_card) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jo_span(w, "license", c->license);
    jo_span(w, "license_name", c->license_name);
    jo_span(w, "license_link", c->license_link);
    jo_span(w, "library_name", c->library);
    jo_span(w, "pipeline_tag", c->pipeline);
    jo_span(w, "base_model_relation", c->base_model_relation);
    jo_spans(w, "base_model", c->base_models, c->base_model_count);
    jo_spans(w, "datasets", c->datasets, c->dataset_count);
    jo_spans(w, "language", c->languages, c->language_count);
    jo_spans(w, "tags", c->tags, c->tag_count);
    jw_end_object(w);
}

/* What is known of the model. */
static void put_model(struct json_writer *w, const struct subject *s)
{
    const struct identity *d = &s->identity;
    bool known = s->has_identity;
    jw_key(w, "model");
    jw_object(w);
    jo_digest(w, "manifest_root", &d->manifest_root, known && d->has_manifest_root);
    jo_digest(w, "tensor_root", &d->tensor_root, known && d->has_tensor_root);
    jo_digest(w, "architecture", &d->architecture, known && d->has_architecture);
    jo_digest(w, "tokenizer", &d->tokenizer, known && d->has_tokenizer);
    jo_digest(w, "chat_template", &d->chat_template, known && d->has_template);
    if (s->has_facts) {
        const struct architecture *a = &s->facts.architecture;
        jo_span(w, "name", s->facts.name);
        jo_str(w, "family", a->family);
        jo_span(w, "declared", a->declared);
        jo_bool(w, "adapter", a->is_adapter);
        jo_known(w, "parameters", a->parameters.total);
        jo_known(w, "context", a->context);
        put_types(w, &s->facts);
        jo_licences(w, s->model, &s->facts);
        jo_spans(w, "base_models", s->facts.base_models, s->facts.base_model_count);
        jo_spans(w, "datasets", s->facts.datasets, s->facts.dataset_count);
        jo_spans(w, "languages", s->facts.languages, s->facts.language_count);
    }
    put_card(w, s->model);
    put_files(w, s);
    jw_end_object(w);
}

static void put_against(struct json_writer *w, const struct model *m, struct origin o)
{
    jw_key(w, "against");
    if (o.file >= m->file_count) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jo_origin(w, m, o);
    jw_end_object(w);
}

static void put_finding(struct json_writer *w, const struct model *m, const struct judged *j)
{
    const struct finding *f = j->finding;
    jw_object(w);
    jo_finding(w, m, f);
    jo_str(w, "judgement", judgement_name(j->judgement));
    jw_key(w, "waiver");
    j->waiver ? jw_string(w, j->waiver->id) : jw_null(w);
    put_against(w, m, f->against);
    const struct contradiction *c = contradiction_of(f->rule);
    jw_key(w, "contradiction");
    c ? jo_number(w, c->number) : jw_null(w);
    jo_digest(w, "fingerprint", &j->fingerprint, true);
    jw_end_object(w);
}

static void put_waiver(struct json_writer *w, const struct waiver *x, const char *state)
{
    jw_object(w);
    jo_span(w, "id", x->id);
    jo_str(w, "state", state);
    jo_span(w, "rule", x->rule);
    jo_digest(w, "subject", &x->subject, true);
    jo_span(w, "reason", x->reason);
    jo_span(w, "approver", x->approver);
    jo_span(w, "created", x->created_text);
    jo_span(w, "expires", x->expires_text);
    jw_end_object(w);
}

/* Those that were used, in the policy's order, then those that had nothing to waive. */
static void put_waivers(struct json_writer *w, const struct check *c)
{
    const struct policy *p = c->in->policy;
    jw_key(w, "waivers");
    jw_array(w);
    for (size_t i = 0; i < p->waiver_count; i++)
        for (size_t k = 0; k < c->count; k++)
            if (c->items[k].waiver == &p->waivers[i]) {
                put_waiver(w, &p->waivers[i],
                           c->items[k].judgement == JUDGED_WAIVED ? "used" : "expired");
                break;
            }
    for (size_t i = 0; i < c->unused_count; i++)
        put_waiver(w, c->unused[i], "unused");
    jw_end_array(w);
}

void check_json(struct out *o, const struct checked *c)
{
    const struct check *k = &c->check;
    struct digest subject;
    struct json_writer w;
    char day[16];
    jo_start(&w, o, true);
    jo_head(&w, "assay.check/1");
    jo_str(&w, "path", c->s.model->path);
    jo_str(&w, "result", check_result_name(check_result(k)));
    jo_u64(&w, "exit_status", (uint64_t)c->status);
    jo_bool(&w, "complete", k->complete);
    jo_str(&w, "as_of", policy_date_text(day, k->in->today));
    jo_digest(&w, "subject", &subject, check_subject(k->in->identity, &subject));
    put_policy(&w, k->in->policy);
    jw_key(&w, "totals");
    jw_object(&w);
    for (int j = 0; j < JUDGEMENTS; j++)
        jo_u64(&w, judgement_name((enum judgement)j), k->totals[j]);
    jw_end_object(&w);
    put_model(&w, &c->s);
    jw_key(&w, "findings");
    jw_array(&w);
    for (size_t i = 0; i < k->count; i++)
        put_finding(&w, c->s.model, &k->items[i]);
    jw_end_array(&w);
    put_waivers(&w, k);
    jo_finish(&w, o);
}
