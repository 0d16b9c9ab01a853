/*
 * The report as JSON: claims with the salts that open their commitments, the
 * evidence they name, the clauses, and the signed statement. Each claim stands on
 * a line of its own, byte for byte as it was hashed. An edition shows the claims
 * that go to its recipient, and of the others the commitments.
 */
#include "report/put.h"
#include "report/render.h"

#include <inttypes.h>
#include <string.h>

#include "report/activity.h"

bool claim_visible(const struct report *r, const struct claim *c)
{
    if (r->in->edition == FOR_ALL)
        return true;
    for (size_t i = 0; i < r->clause_count; i++) {
        const struct clause *q = &r->clauses[i];
        if (!(q->requirement->recipients & r->in->edition))
            continue;
        for (size_t n = 0; n < q->count; n++)
            if (q->claims[n] == c)
                return true;
    }
    return false;
}

static bool names(const char *const *ids, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

bool evidence_visible(const struct report *r, const struct claim_evidence *v)
{
    for (size_t i = 0; i < r->claims.count; i++) {
        const struct claim *c = r->claims.claim[i];
        if ((names(c->evidence, c->evidence_count, v->id) ||
             names(c->counter, c->counter_count, v->id)) &&
            claim_visible(r, c))
            return true;
    }
    return false;
}

const char *edition_name(unsigned edition)
{
    return edition == FOR_AIO   ? "AIO"
           : edition == FOR_NCA ? "NCA"
           : edition == FOR_DP  ? "DP"
                                : "full";
}

static void put_period(struct json_writer *w, const struct report *r)
{
    char since[32], until[32];
    if (r->in->since == 0 && r->in->until == UINT64_MAX)
        return;
    jw_key(w, "period");
    jw_object(w);
    put_str(w, "since", clock_text(since, r->in->since));
    put_str(w, "until", clock_text(until, r->in->until));
    jw_end_object(w);
}

/* What the report is about, when it is about one subject or one finding. */
static void put_focus(struct json_writer *w, const struct report *r)
{
    const struct report_input *in = r->in;
    if (!in->subjects && !in->finding)
        return;
    jw_key(w, "focus");
    jw_object(w);
    put_str(w, "finding", in->finding);
    if (in->subjects) {
        jw_key(w, "subjects");
        jw_array(w);
        for (size_t i = 0; i < in->subject_count; i++) {
            char hex[SEAL_ID_HEX + 1];
            jw_str(w, seal_id_hex(hex, &in->subjects[i]));
        }
        jw_end_array(w);
    }
    jw_end_object(w);
}

static void put_model(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    if (!m)
        return;
    jw_key(w, "model");
    jw_object(w);
    put_str(w, "path", m->shown);
    put_span(w, "name", m->facts->name);
    if (m->identity->has_manifest_root)
        put_hex(w, "manifest_root", &m->identity->manifest_root);
    if (m->identity->has_tensor_root)
        put_hex(w, "tensor_root", &m->identity->tensor_root);
    jw_key(w, "complete");
    jw_bool(w, m->complete);
    jw_end_object(w);
}

/* What witnesses cosigned, the keys of those that are known, and that the head extends it. */
static void put_anchor(struct json_writer *w, const struct report *r)
{
    const struct trust *t = r->in->trust;
    struct buf text;
    if (!r->anchor.n)
        return;
    put_span(w, "anchor", r->anchor);
    jw_key(w, "consistency");
    jw_array(w);
    buf_init(&text, 4096);
    for (size_t i = 0; i < r->extends.count; i++) {
        buf_clear(&text);
        base64_put(&text, (struct span){r->extends.hash[i].b, DIGEST_SIZE});
        jw_string(w, buf_span(&text));
    }
    jw_end_array(w);
    jw_key(w, "witnesses");
    jw_array(w);
    for (size_t i = 0; r->witness_held && i < t->witness_count; i++) {
        buf_clear(&text);
        note_key_put(&text, &t->witnesses[i]);
        if (r->witness_held[i])
            jw_string(w, buf_span(&text));
    }
    jw_end_array(w);
    w->failed |= !buf_ok(&text);
    buf_free(&text);
}

static void put_log(struct json_writer *w, const struct report *r)
{
    if (!r->has_log)
        return;
    jw_key(w, "log");
    jw_object(w);
    put_span(w, "origin", r->head.origin);
    jw_key(w, "size");
    jw_u64(w, r->head.size);
    put_hex(w, "root", &r->head.root);
    put_span(w, "key", r->log_key);
    put_span(w, "checkpoint", r->checkpoint);
    put_anchor(w, r);
    jw_end_object(w);
}

static void put_clause(struct json_writer *w, const struct report *r, const struct clause *c)
{
    const struct requirement *q = c->requirement;
    jw_object(w);
    put_str(w, "id", q->id);
    put_str(w, "part", q->part);
    put_str(w, "title", q->title);
    put_str(w, "from", q->from);
    put_str(w, "until", q->until);
    put_str(w, "note", q->note);
    put_str(w, "status", claim_status_name(c->status));
    put_str(w, "reason", c->reason);
    jw_key(w, "claims");
    jw_array(w);
    for (size_t i = 0; i < c->count; i++)
        if (claim_visible(r, c->claims[i]))
            jw_str(w, c->claims[i]->id);
    jw_end_array(w);
    jw_end_object(w);
}

static void put_frameworks(struct json_writer *w, const struct report *r)
{
    jw_key(w, "frameworks");
    jw_array(w);
    for (size_t i = 0; i < r->in->framework_count; i++) {
        const struct framework *f = &r->in->frameworks[i];
        jw_object(w);
        put_str(w, "id", f->id);
        put_str(w, "title", f->title);
        put_str(w, "version", f->version);
        put_str(w, "source", f->source);
        put_str(w, "dated", f->dated);
        put_str(w, "note", f->note);
        put_hex(w, "sha256", &f->digest);
        jw_key(w, "requirements");
        jw_array(w);
        for (size_t n = 0; n < r->clause_count; n++)
            if (r->clauses[n].framework == f &&
                (r->clauses[n].requirement->recipients & r->in->edition))
                put_clause(w, r, &r->clauses[n]);
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_counts(struct json_writer *w, const char *key, const size_t *counts)
{
    jw_key(w, key);
    jw_object(w);
    for (int i = 0; i < CLAIM_STATUSES; i++) {
        jw_key(w, claim_status_name((enum claim_status)i));
        jw_u64(w, counts[i]);
    }
    jw_end_object(w);
}

static void put_hex_bytes(struct buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", p[i]);
}

/* One line each, so that the bytes that were hashed can be seen. */
static void put_claims(struct buf *out, const struct report *r)
{
    uint8_t salt[SEAL_SALT];
    buf_put_str(out, ",\n\"claims\":[");
    for (size_t i = 0; i < r->claims.count; i++) {
        buf_put_str(out, i ? ",\n" : "\n");
        if (claim_visible(r, r->claims.claim[i])) {
            claim_salt(salt, &r->secret, i);
            buf_put_str(out, "{\"salt\":\"");
            put_hex_bytes(out, salt, sizeof salt);
            buf_put_str(out, "\",\"claim\":");
            buf_put_span(out, r->claims.claim[i]->text);
            buf_put_str(out, "}");
        } else {
            buf_put_str(out, "{\"commitment\":\"");
            put_hex_bytes(out, r->commitments[i].b, DIGEST_SIZE);
            buf_put_str(out, "\"}");
        }
    }
    buf_put_str(out, "\n]");
}

static void put_evidence(struct buf *out, const struct report *r)
{
    bool first = true;
    buf_put_str(out, ",\n\"evidence\":{");
    for (size_t i = 0; i < r->claims.evidence_count; i++) {
        const struct claim_evidence *v = r->claims.evidence[i];
        if (!evidence_visible(r, v))
            continue;
        buf_printf(out, "%s\n\"%s\":", first ? "" : ",", v->id);
        buf_put_span(out, v->text);
        first = false;
    }
    buf_put_str(out, "\n}");
}

bool render_json(struct buf *out, const struct report *r, struct err *e)
{
    struct buf head;
    struct json_writer w;
    buf_init(&head, REPORT_MAX);
    jw_init(&w, json_sink_buf, &head, true);
    jw_object(&w);
    put_str(&w, "schema", "assay.report/1");
    put_str(&w, "version", ASSAY_VERSION);
    put_str(&w, "edition", edition_name(r->in->edition));
    put_str(&w, "as_of", r->in->as_of);
    put_period(&w, r);
    put_focus(&w, r);
    put_model(&w, r);
    put_log(&w, r);
    put_hex(&w, "claims_root", &r->root);
    put_counts(&w, "counts", r->counts);
    put_counts(&w, "clauses", r->clauses_by);
    put_frameworks(&w, r);
    jw_end_object(&w);
    bool ok = buf_ok(&head) && !w.failed && head.n > 2;
    if (ok) { /* what follows stands as it was hashed and signed: the object is closed by hand */
        buf_put(out, head.p, head.n - 2);
        put_claims(out, r);
        put_evidence(out, r);
        buf_put_str(out, r->envelope.n ? ",\n\"signed\":" : ",\n\"statement\":");
        buf_put_span(out, r->envelope.n ? r->envelope : r->statement);
        buf_put_str(out, "\n}\n");
    }
    buf_free(&head);
    return (ok && buf_ok(out)) ||
           err_set(e, ERR_LIMIT, "the report is larger than there is room for");
}
