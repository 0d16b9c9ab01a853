/*
 * Documents that speak of the model, held against the model, its card and each
 * other: bills of materials in CycloneDX and SPDX 3 (33 of the catalogue),
 * evaluation results as the Hugging Face Hub keeps them (29), and disclosures,
 * whose system prompt is held against the published one (31). Each is known by
 * what it holds, never by its name.
 */
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "assay/verify.h"
#include "assay/yaml.h"
#include "report/documents.h"
#include "report/scores.h"

enum { SHOWN = 300, RESULTS = 100 };

static struct span text_of(struct json v, const char *key)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(v, key), &s) ? s : SPAN_EMPTY;
}

struct claim *document_claim(struct making *k, const struct given_document *d, const char *property,
                             const char *place, const char *value)
{
    struct claim *c = value ? make_claim(k, property, CLAIM_DECLARED, NULL) : NULL;
    if (!c)
        return NULL;
    c->value = value;
    claim_says(k->s, c,
               &(struct claim_source){
                   .path = d->name, .place = place, .has_digest = true, .digest = d->digest});
    claim_prove(k->s, c, d->evidence);
    return c;
}

/* ---- evaluation results ---- */

static bool is_results(struct json root)
{
    struct json first = json_first(root);
    return json_type(root) == JSON_ARRAY && json_type(json_get(first, "dataset")) == JSON_OBJECT &&
           json_type(json_get(first, "value"));
}

static void take_results(struct making *k, const struct given_document *d, const struct yaml *y)
{
    size_t n = 0;
    for (struct json r = json_first(y->root); json_type(r) && n < RESULTS; r = json_next(r), n++) {
        struct json data = json_get(r, "dataset"), value = json_get(r, "value");
        struct span id = text_of(data, "id"), task = text_of(data, "task_id");
        struct span metric = text_of(r, "metric");
        if (json_type(value) != JSON_NUMBER || !id.n)
            continue;
        struct claim *c =
            document_claim(k, d, "model.evaluation", make_text(k, "line %zu", yaml_line(y, r)),
                           make_text(k, "%s on %s%s%s", make_shown(k, json_text(value), 60),
                                     make_shown(k, id, 120), task.n ? ", task " : "",
                                     task.n ? make_shown(k, task, 80) : ""));
        score_add(k, metric, id, json_text(value), c);
        if (c && !text_of(data, "revision").n)
            c->reason = "which revision of the data set was used is not said";
    }
}

/* ---- a disclosure: the system prompt of a call ---- */

static bool is_disclosure(struct json root)
{
    struct span bundle = text_of(root, "bundle");
    return span_is(bundle, "assay/disclosure/v1") || span_is(bundle, "assay/receipt/v1");
}

/* Text of a message: a string, or a list of parts with texts. */
static void put_content(struct buf *out, struct json content)
{
    struct span s;
    if (json_string(content, &s))
        buf_put_span(out, s);
    for (struct json part = json_first(content);
         json_type(content) == JSON_ARRAY && json_type(part); part = json_next(part))
        buf_put_span(out, text_of(part, "text"));
}

/* The instructions of a request: system or developer messages, `system`, `instructions`. */
static void put_system(struct buf *out, struct json request)
{
    put_content(out, json_get(request, "system"));
    put_content(out, json_get(request, "instructions"));
    struct json messages = json_get(request, "messages");
    for (struct json m = json_first(messages); json_type(messages) == JSON_ARRAY && json_type(m);
         m = json_next(m)) {
        struct span role = text_of(m, "role");
        if (span_is(role, "system") || span_is(role, "developer"))
            put_content(out, json_get(m, "content"));
    }
}

/* The published prompt in the same form: its own digest, or that of its text. */
static struct digest published(const struct claim *said)
{
    struct span s = span_str(said->value);
    struct digest d;
    if (span_starts(s, "sha256:"))
        s = span_sub(s, 7, s.n - 7);
    return digest_from_hex(&d, s) ? d : sha256_of(s);
}

/* Is the disclosed entry the one that stands at its place in the report's log? */
static bool in_log(struct making *k, const struct verified *v)
{
    struct span leaf;
    return k->reader && v->index < k->r->head.size &&
           log_reader_leaf(k->reader, v->index, k->a, &leaf, NULL) && span_eq(leaf, v->record.leaf);
}

/* Only digests are shown: a disclosure was made to one recipient, and a report goes further. */
static void compare_prompt(struct making *k, const struct given_document *d,
                           const struct verified *v, struct span text)
{
    char hex[DIGEST_HEX + 1];
    const struct claim *said = made_before(k, "human.system-prompt", NULL);
    struct digest used = sha256_of(text);
    struct claim *c = document_claim(
        k, d, "calls.system-prompt", make_text(k, "entry %llu", (unsigned long long)v->index),
        text.n ? make_text(k, "sha256 %s, %zu bytes", digest_hex(hex, &used), text.n) : "none");
    if (!c)
        return;
    c->rule = "the disclosed request is what the log's entry commits to; its instructions are "
              "hashed";
    const char *leaf = in_log(k, v) ? prove_leaf(k, v->index) : NULL;
    if (leaf) {
        c->status = CLAIM_VERIFIED;
        claim_prove(k->s, c, leaf);
    } else
        c->reason = "the log of this report does not hold that entry";
    struct digest want = said ? published(said) : used;
    if (said && !digest_eq(&want, &used)) {
        struct claim *x =
            make_opposed(k, 31, "A call had another system prompt than the published one", said, c);
        if (x)
            x->value = make_text(k, "sha256 %s", digest_hex(hex, &want));
    }
}

static void take_disclosure(struct making *k, const struct given_document *d, struct span bytes)
{
    struct verified v = {.field_count = 0};
    struct trust nobody = {.origin = SPAN_EMPTY};
    struct err e = ERR_INIT;
    struct json request;
    /* Whose signature it bears is no matter: in_log compares the entry with the log's own. */
    if (!verify_bundle(&v, bytes, &nobody, k->a, &e)) {
        document_trouble(k, d, e.text);
        return;
    }
    for (size_t i = 0; i < v.field_count; i++) {
        struct buf text;
        if (!span_is(v.fields[i].field, "request") && !span_is(v.fields[i].field, "parameters"))
            continue;
        if (!json_parse(&request, v.fields[i].content, JSON_KEEP_DUPLICATES, k->a, NULL))
            continue;
        buf_init(&text, CLAIM_MAX_TEXT * 16);
        put_system(&text, request);
        if (buf_ok(&text))
            compare_prompt(k, d, &v, buf_span(&text));
        buf_free(&text);
        return;
    }
    document_trouble(k, d, "it opens no request, so it shows no system prompt");
}

/* ---- which is it ---- */

void document_trouble(struct making *k, const struct given_document *d, const char *why)
{
    struct claim *c = make_missing(
        k, "model.document", make_text(k, "%s: %s", d->name, make_shown(k, span_str(why), SHOWN)));
    if (c)
        c->title = "A document that could not be used";
}

static bool take_json(struct making *k, const struct given_document *d, struct span bytes,
                      struct err *e)
{
    struct json root;
    if (!json_parse(&root, bytes, JSON_STRICT, k->a, e))
        return false;
    if (span_is(text_of(root, "bomFormat"), "CycloneDX"))
        take_cyclonedx(k, d, root);
    else if (json_type(json_get(root, "@graph")) == JSON_ARRAY)
        take_spdx(k, d, root);
    else if (is_disclosure(root))
        take_disclosure(k, d, bytes);
    else
        return err_set(e, ERR_FORMAT,
                       "neither CycloneDX, SPDX 3 nor a disclosure, by what it holds");
    return true;
}

static bool take(struct making *k, const struct given_document *d, struct span bytes, struct err *e)
{
    struct yaml y;
    size_t at = 0;
    while (at < bytes.n && (bytes.p[at] == ' ' || bytes.p[at] == '\n' || bytes.p[at] == '\r'))
        at++;
    if (at < bytes.n && bytes.p[at] == '{')
        return take_json(k, d, bytes, e);
    if (!yaml_parse(&y, bytes, d->name, k->a, e))
        return false;
    if (!is_results(y.root))
        return err_set(e, ERR_FORMAT, "no list of evaluation results (dataset and value)");
    take_results(k, d, &y);
    return true;
}

/* One that cannot be read is a claim of its own, and the rest is still reported. */
void claims_from_documents(struct making *k)
{
    for (size_t i = 0; i < k->in->document_count; i++) {
        const struct report_document *f = &k->in->documents[i];
        const char *slash = strrchr(f->path, '/');
        struct err e = ERR_INIT;
        struct given_document d = {
            .name = make_shown(k, span_str(slash ? slash + 1 : f->path), 120),
            .digest = sha256_of(f->bytes),
        };
        d.evidence = prove_bytes(k, d.name, f->bytes.n, &d.digest);
        if (!take(k, &d, f->bytes, &e))
            document_trouble(k, &d, e.text);
    }
}
