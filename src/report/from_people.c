/*
 * Claims that a person signs for: YAML in a DSSE envelope whose key the caller
 * knows. A key that is unknown, a signature that does not hold and a statement
 * that expired are each named, and what the file says is kept as declared.
 */
#include <string.h>

#include "assay/base/text.h"
#include "assay/config.h"
#include "assay/dsse.h"
#include "report/making.h"

#define ATTESTATION_TYPE "application/vnd.assay.attestation+yaml"

struct statement {
    struct span property, value, expires, basis;
    size_t line;
};

struct attestation {
    struct span by, role, dated, expires, subject;
    struct config_objects statements;
};

#define IN(member) offsetof(struct statement, member)
static const struct config_field statement_fields[] = {
    {.name = "property",
     .at = IN(property),
     .required = true,
     .min = 1,
     .max = 100,
     .line = CONFIG_LINE(struct statement, line)},
    {.name = "value", .at = IN(value), .required = true, .min = 1, .max = 4000},
    {.name = "expires", .at = IN(expires), .max = 10},
    {.name = "basis", .at = IN(basis), .max = 1000},
    {.name = NULL},
};
#undef IN
#define IN(member) offsetof(struct attestation, member)
static const struct config_field attestation_fields[] = {
    {.name = "by", .at = IN(by), .required = true, .min = 1, .max = 200},
    {.name = "role", .at = IN(role), .max = 200},
    {.name = "dated", .at = IN(dated), .required = true, .min = 10, .max = 10},
    {.name = "expires", .at = IN(expires), .max = 10},
    {.name = "subject", .at = IN(subject), .max = 200},
    {.name = "statements",
     .type = CONFIG_OBJECTS,
     .at = IN(statements),
     .required = true,
     .min = 1,
     .max = 500,
     .fields = statement_fields,
     .size = sizeof(struct statement)},
    {.name = NULL},
};
#undef IN

struct person {
    const char *file;
    struct span envelope;
    size_t bytes;         /* of the YAML */
    bool known;           /* the signature holds, and the caller knows the key */
    const char *key;      /* its name */
    const char *trouble;  /* why it does not count */
    struct digest digest; /* of the YAML */
    struct attestation a;
};

/* Whose signature is it? A known key that signed, or nobody. */
static void judge_signature(struct making *k, struct person *p, const struct dsse *d)
{
    const struct trust *t = k->in->trust;
    for (size_t i = 0; t && i < t->log_key_count && !p->known; i++) {
        struct pkey *key = NULL;
        if (pkey_from_ed25519(&key, &t->log_keys[i].key, NULL) && dsse_verify(d, key)) {
            p->known = true;
            p->key = make_shown(k, t->log_keys[i].name, 120);
        }
        pkey_free(key);
    }
    if (!p->known)
        p->trouble = d->count ? make_text(k, "signed by a key that was not given as known (%s)",
                                          make_shown(k, d->signatures[0].keyid, 120))
                              : "not signed";
}

static bool open_envelope(struct making *k, struct person *p, struct span bytes, struct span *yaml,
                          struct err *e)
{
    struct json root;
    struct dsse d;
    if (bytes.n == 0 || bytes.p[0] != '{') { /* plain YAML: nobody signed it */
        *yaml = bytes;
        p->trouble = "not signed (assay attest signs it)";
        return true;
    }
    if (!json_parse(&root, bytes, JSON_STRICT, k->a, e) || !dsse_read(&d, root, k->a, e))
        return false;
    if (!span_is(d.type, ATTESTATION_TYPE))
        return err_set(e, ERR_FORMAT, "the envelope holds another type than " ATTESTATION_TYPE);
    *yaml = d.payload;
    p->envelope = bytes;
    judge_signature(k, p, &d);
    return true;
}

static const char *prove_attestation(struct making *k, const struct person *p)
{
    struct buf text, b;
    struct json_writer w;
    char hex[DIGEST_HEX + 1];
    if (!p->envelope.n)
        return prove_bytes(k, p->file, p->bytes, &p->digest);
    buf_init(&text, EVIDENCE_MAX_TEXT);
    buf_init(&b, EVIDENCE_MAX_TEXT);
    base64_put(&b, p->envelope);
    jw_init(&w, json_sink_buf, &text, false);
    jw_object(&w);
    jw_key(&w, "envelope");
    jw_string(&w, buf_span(&b));
    jw_key(&w, "path");
    jw_str(&w, p->file);
    jw_key(&w, "sha256");
    jw_str(&w, digest_hex(hex, &p->digest));
    jw_key(&w, "type");
    jw_str(&w, "attestation");
    jw_end_object(&w);
    const char *id = buf_ok(&text) && buf_ok(&b)
                         ? claims_evidence(k->s, EVIDENCE_ATTESTATION, buf_span(&text))
                         : NULL;
    buf_free(&text);
    buf_free(&b);
    return id;
}

/* As text, so that days compare as strings do. */
static bool past(struct making *k, struct span day)
{
    char now[11] = "";
    memcpy(now, k->in->as_of, strlen(k->in->as_of) < 10 ? strlen(k->in->as_of) : 10);
    return day.n == 10 && memcmp(day.p, now, 10) < 0;
}

static void state(struct making *k, const struct person *p, const struct statement *s)
{
    const struct property *known = property_find(s->property);
    const char *property = known ? known->id : make_shown(k, s->property, 100);
    struct span expires = s->expires.n ? s->expires : p->a.expires;
    struct claim *c =
        make_claim(k, property, p->known ? CLAIM_ATTESTED : CLAIM_DECLARED,
                   p->known ? "a person signs for it; nothing here can recompute it" : NULL);
    if (!c)
        return;
    c->value = make_shown(k, s->value, 4000);
    c->reason = p->trouble;
    if (expires.n)
        c->expires = make_shown(k, expires, 10);
    if (past(k, expires)) {
        c->status = CLAIM_STALE;
        c->reason = make_text(k, "expired on %s", c->expires);
    }
    const struct training_run *t = k->in->training;
    if (t && t->finished && strlen(t->finished) >= 10 &&
        memcmp(t->finished, p->a.dated.p, 10) > 0 && c->status != CLAIM_STALE) {
        c->status = CLAIM_STALE;
        c->reason = make_text(k,
                              "number 33 of the catalogue: dated %s, before the weights were "
                              "finished on %.10s",
                              make_shown(k, p->a.dated, 10), t->finished);
    }
    struct claim_source source = {
        .path = p->file,
        .place = make_text(k, "line %zu", s->line),
        .says =
            make_text(k, "%s%s%s, %s%s%s", make_shown(k, p->a.by, 200), p->a.role.n ? ", " : "",
                      p->a.role.n ? make_shown(k, p->a.role, 200) : "",
                      make_shown(k, p->a.dated, 10), p->key ? ", key " : "", p->key ? p->key : ""),
        .has_digest = true,
        .digest = p->digest,
    };
    claim_says(k->s, c, &source);
    claim_prove(k->s, c, prove_attestation(k, p));
}

static bool read_one(struct making *k, struct person *p, struct span bytes, struct err *e)
{
    struct yaml y;
    struct span text;
    if (!open_envelope(k, p, bytes, &text, e) || !yaml_parse(&y, text, p->file, k->a, e) ||
        !config_read(&p->a, &y, y.root, attestation_fields, k->a, e))
        return false;
    p->digest = sha256_of(text);
    p->bytes = text.n;
    const struct statement *items = p->a.statements.items;
    for (size_t i = 0; i < p->a.statements.count; i++) {
        if (!property_find(items[i].property) && !span_starts(items[i].property, "human."))
            return config_error(&y, items[i].line, e,
                                "no property is called so; what a person says begins with human.");
        state(k, p, &items[i]);
    }
    return true;
}

/* A file that cannot be read is a claim of its own, so that the rest is still reported. */
void claims_from_attestations(struct making *k)
{
    for (size_t i = 0; i < k->in->attestation_count; i++) {
        const struct report_attestation *f = &k->in->attestations[i];
        const char *slash = strrchr(f->path, '/');
        struct person p = {.file = make_shown(k, span_str(slash ? slash + 1 : f->path), 120)};
        struct err e = ERR_INIT;
        if (read_one(k, &p, f->bytes, &e))
            continue;
        struct claim *c =
            make_missing(k, "human.attestation",
                         make_text(k, "%s: %s", p.file, make_shown(k, span_str(e.text), 400)));
        if (c)
            c->title = "A statement that could not be read";
    }
}
