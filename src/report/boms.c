/*
 * Bills of materials against the model: name, version, licence, the digests of
 * files, and the day (33 of the catalogue). CycloneDX and SPDX 3 are read into
 * one form, and every statement becomes a claim, so that a third document is
 * held against the first two as well.
 */
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "report/documents.h"

enum { SHOWN = 200, FILES = 1000 };

struct bom {
    const char *kind; /* "CycloneDX 1.7" */
    struct span name, version, licence, created;
};

static struct span text_of(struct json v, const char *key)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(v, key), &s) ? s : SPAN_EMPTY;
}

/* ---- against the rest ---- */

static bool alike(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

/* What the document says of a property, and what was said before: the card, or another document. */
static void hold(struct making *k, const struct given_document *d, const char *property,
                 const char *title, struct span value)
{
    if (!value.n || span_is(value, "NOASSERTION"))
        return;
    const struct claim *before = made_before(k, property, NULL);
    struct claim *c = document_claim(k, d, property, "of the model", make_shown(k, value, SHOWN));
    if (c && before && !alike(before->value, c->value))
        make_opposed(k, 33, title, c, before);
}

static uint32_t file_of(const struct report_model *m, struct span name)
{
    for (uint32_t i = 0; i < m->model->file_count; i++)
        if (span_eq(span_str(m->model->files[i].name), name))
            return m->scan->file_ok && m->scan->file_ok[i] ? i : ORIGIN_NO_FILE;
    return ORIGIN_NO_FILE;
}

/* A file's digest as the document has it, and as it is. */
static void hold_file(struct making *k, const struct given_document *d, struct span name,
                      struct span hex)
{
    const struct report_model *m = k->in->model;
    uint32_t file = m ? file_of(m, name) : ORIGIN_NO_FILE;
    struct digest said;
    char own[DIGEST_HEX + 1];
    if (file == ORIGIN_NO_FILE || !digest_from_hex(&said, hex) ||
        digest_eq(&said, &m->scan->file[file]))
        return;
    const char *shown = make_shown(k, name, 120);
    struct claim *c =
        make_contradiction(k, 33, "A document names another digest of a file",
                           make_text(k, "%s: sha256 %.*s", shown, (int)hex.n, (const char *)hex.p),
                           make_text(k, "sha256 %s", digest_hex(own, &m->scan->file[file])));
    if (!c)
        return;
    c->about = "model.digest.file";
    claim_says(k->s, c,
               &(struct claim_source){
                   .path = d->name, .place = shown, .has_digest = true, .digest = d->digest});
    claim_prove(k->s, c, d->evidence);
    claim_refute(k->s, c, prove_file(k, m, file));
}

/* Older than the weights, where a training run says when they were finished. */
static void hold_date(struct making *k, const struct given_document *d, const struct claim *own,
                      struct span created)
{
    const struct training_run *t = k->in->training;
    if (!t || !t->finished || strlen(t->finished) < 10 || created.n < 10 ||
        memcmp(created.p, t->finished, 10) >= 0)
        return;
    struct claim *c =
        make_contradiction(k, 33, "A document is older than the weights that it describes",
                           make_text(k, "made on %.10s", (const char *)created.p),
                           make_text(k, "the weights were finished on %.10s", t->finished));
    if (!c)
        return;
    claim_says(k->s, c, &own->sources[0]);
    training_stands(k, t, c, true);
    claim_prove(k->s, c, d->evidence);
}

static void hold_all(struct making *k, const struct given_document *d, const struct bom *b)
{
    struct claim *own = document_claim(
        k, d, "model.document", "the document",
        b->created.n ? make_text(k, "%s of %s", b->kind, make_shown(k, b->created, 30)) : b->kind);
    if (!own)
        return;
    hold_date(k, d, own, b->created);
    hold(k, d, "model.name", "Documents name the model differently", b->name);
    hold(k, d, "model.version", "Documents name different versions of the model", b->version);
    hold(k, d, "model.licence", "Documents name different licences of the model", b->licence);
}

/* ---- CycloneDX ---- */

static bool is_model(struct json component)
{
    return span_is(text_of(component, "type"), "machine-learning-model");
}

static struct json cyclonedx_model(struct json root)
{
    struct json c = json_get(json_get(root, "metadata"), "component");
    if (is_model(c))
        return c;
    for (c = json_first(json_get(root, "components")); json_type(c); c = json_next(c))
        if (is_model(c))
            return c;
    return JSON_NOTHING;
}

static struct span cyclonedx_licence(struct json component)
{
    struct json first = json_first(json_get(component, "licenses"));
    struct json licence = json_get(first, "license");
    struct span s = text_of(first, "expression");
    if (!s.n)
        s = text_of(licence, "id");
    return s.n ? s : text_of(licence, "name");
}

static void cyclonedx_files(struct making *k, const struct given_document *d, struct json list)
{
    size_t n = 0;
    for (struct json c = json_first(list);
         json_type(list) == JSON_ARRAY && json_type(c) && n < FILES; c = json_next(c), n++)
        for (struct json h = json_first(json_get(c, "hashes")); json_type(h); h = json_next(h))
            if (span_is(text_of(h, "alg"), "SHA-256"))
                hold_file(k, d, text_of(c, "name"), text_of(h, "content"));
}

void take_cyclonedx(struct making *k, const struct given_document *d, struct json root)
{
    struct json model = cyclonedx_model(root);
    struct bom b = {
        .kind = make_text(k, "CycloneDX %s", make_shown(k, text_of(root, "specVersion"), 20)),
        .name = text_of(model, "name"),
        .version = text_of(model, "version"),
        .licence = cyclonedx_licence(model),
        .created = text_of(json_get(root, "metadata"), "timestamp"),
    };
    if (!json_type(model)) {
        document_trouble(k, d, "it lists no component of type machine-learning-model");
        return;
    }
    hold_all(k, d, &b);
    cyclonedx_files(k, d, json_get(model, "components"));
    cyclonedx_files(k, d, json_get(root, "components"));
}

/* ---- SPDX 3 ---- */

static struct json by_id(struct json graph, struct span id)
{
    for (struct json v = json_first(graph); json_type(v); v = json_next(v))
        if (id.n && (span_eq(text_of(v, "spdxId"), id) || span_eq(text_of(v, "@id"), id)))
            return v;
    return JSON_NOTHING;
}

static struct json of_type(struct json graph, const char *type)
{
    for (struct json v = json_first(graph); json_type(v); v = json_next(v))
        if (span_is(text_of(v, "type"), type))
            return v;
    return JSON_NOTHING;
}

/* The expression that a relationship declares for the model. */
static struct span spdx_licence(struct json graph, struct span model)
{
    for (struct json v = json_first(graph); json_type(v); v = json_next(v)) {
        struct span to;
        if (!span_is(text_of(v, "relationshipType"), "hasDeclaredLicense") ||
            !span_eq(text_of(v, "from"), model))
            continue;
        if (json_string(json_first(json_get(v, "to")), &to))
            return text_of(by_id(graph, to), "simplelicensing_licenseExpression");
    }
    return SPAN_EMPTY;
}

static void spdx_files(struct making *k, const struct given_document *d, struct json graph)
{
    size_t n = 0;
    for (struct json v = json_first(graph); json_type(v) && n < FILES; v = json_next(v)) {
        if (!span_is(text_of(v, "type"), "software_File"))
            continue;
        n++;
        for (struct json h = json_first(json_get(v, "verifiedUsing")); json_type(h);
             h = json_next(h))
            if (span_is(text_of(h, "algorithm"), "sha256"))
                hold_file(k, d, text_of(v, "name"), text_of(h, "hashValue"));
    }
}

void take_spdx(struct making *k, const struct given_document *d, struct json root)
{
    struct json graph = json_get(root, "@graph"), model = of_type(graph, "ai_AIPackage");
    struct json info = of_type(graph, "CreationInfo");
    struct bom b = {
        .kind = make_text(k, "SPDX %s", make_shown(k, text_of(info, "specVersion"), 20)),
        .name = text_of(model, "name"),
        .version = text_of(model, "software_packageVersion"),
        .licence = spdx_licence(graph, text_of(model, "spdxId")),
        .created = text_of(info, "created"),
    };
    if (!json_type(model)) {
        document_trouble(k, d, "it holds no ai_AIPackage");
        return;
    }
    hold_all(k, d, &b);
    spdx_files(k, d, graph);
}
