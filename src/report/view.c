/*
 * Builds the view: cover, then sections in the order of reading. Contradictions
 * come first, then figures, then each framework clause by clause, then what no
 * requirement asked for.
 */
#include "report/view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "report/activity.h"
#include "report/render.h"

enum { SHOWN = 4000 };

const char *view_label(enum claim_status s)
{
    return s == CLAIM_NOT_APPLICABLE ? "not applicable" : claim_status_name(s);
}

void view_span(struct json_writer *w, const char *key, struct span s)
{
    struct buf b;
    buf_init(&b, CLAIM_MAX_TEXT * 4);
    text_show(&b, s, SHOWN);
    jw_key(w, key);
    jw_string(w, buf_span(&b));
    w->failed |= !buf_ok(&b);
    buf_free(&b);
}

void view_str(struct json_writer *w, const char *key, const char *s)
{
    view_span(w, key, span_str(s));
}

void view_printf(struct json_writer *w, const char *key, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    view_str(w, key, text);
}

static void view_flag(struct json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

/* ---- claims ---- */

static void put_sources(struct json_writer *w, const struct claim *c)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, "sources");
    jw_array(w);
    for (size_t i = 0; i < c->source_count; i++) {
        const struct claim_source *s = &c->sources[i];
        jw_object(w);
        view_str(w, "path", s->path);
        view_str(w, "place", s->place);
        view_str(w, "says", s->says);
        view_str(w, "sha256", s->has_digest ? digest_hex(hex, &s->digest) : "");
        jw_end_object(w);
    }
    jw_end_array(w);
}

static const struct claim_evidence *evidence_of(const struct report *r, const char *id)
{
    for (size_t i = 0; i < r->claims.evidence_count; i++)
        if (strcmp(r->claims.evidence[i]->id, id) == 0)
            return r->claims.evidence[i];
    return NULL;
}

static void put_evidence(struct json_writer *w, const struct report *r, const char *key,
                         const char *const *ids, size_t count)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        const struct claim_evidence *v = evidence_of(r, ids[i]);
        if (!v)
            continue;
        jw_object(w);
        view_str(w, "id", v->id);
        view_str(w, "words", evidence_words(v, r->arena));
        jw_end_object(w);
    }
    jw_end_array(w);
}

static bool is_hex(const char *s)
{
    struct digest d;
    return s && digest_from_hex(&d, span_str(s));
}

void view_claim(struct json_writer *w, const struct report *r, const struct claim *c)
{
    jw_object(w);
    view_flag(w, "mono", is_hex(c->value));
    view_str(w, "id", c->id);
    view_str(w, "title", c->title);
    view_str(w, "status", claim_status_name(c->status));
    view_str(w, "label", view_label(c->status));
    view_str(w, "value", c->value);
    view_str(w, "unit", c->unit);
    view_str(w, "observed", c->observed);
    view_str(w, "reason", c->reason);
    view_str(w, "rule", c->rule);
    view_str(w, "expires", c->expires);
    view_str(w, "covers", c->covers);
    view_flag(w, "how", c->rule || c->source_count || c->evidence_count || c->counter_count);
    put_sources(w, c);
    put_evidence(w, r, "evidence", c->evidence, c->evidence_count);
    put_evidence(w, r, "counter", c->counter, c->counter_count);
    jw_end_object(w);
}

/* ---- sections ---- */

static void open_section(struct json_writer *w, const char *anchor, const char *title,
                         const char *intro, const char *source, const char *note)
{
    jw_object(w);
    view_str(w, "anchor", anchor);
    view_str(w, "title", title);
    view_str(w, "intro", intro);
    view_str(w, "source", source);
    view_str(w, "note", note);
}

/* A clause without a head: the claims alone. */
static void open_plain(struct json_writer *w, const char *anchor)
{
    view_flag(w, "has_parts", false);
    jw_key(w, "parts");
    jw_array(w);
    jw_object(w);
    view_str(w, "part", "");
    jw_key(w, "clauses");
    jw_array(w);
    jw_object(w);
    view_printf(w, "anchor", "%s-claims", anchor);
    static const char *const empty[] = {"number", "title", "status", "label", "reason", "note"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++)
        view_str(w, empty[i], "");
    jw_key(w, "claims");
    jw_array(w);
}

static void close_plain(struct json_writer *w)
{
    jw_end_array(w);
    jw_end_object(w);
    jw_end_array(w);
    jw_end_object(w);
    jw_end_array(w);
    jw_end_object(w);
}

static void contradictions(struct json_writer *w, const struct report *r)
{
    if (r->counts[CLAIM_CONTRADICTED] == 0)
        return;
    open_section(w, "contradictions", "Contradictions",
                 "Statements that cannot both be true, or that the bytes refute. They come first, "
                 "because they decide whether the rest can be relied on.",
                 "", "");
    open_plain(w, "contradictions");
    for (size_t i = 0; i < r->claims.count; i++)
        if (r->claims.claim[i]->status == CLAIM_CONTRADICTED &&
            claim_visible(r, r->claims.claim[i]))
            view_claim(w, r, r->claims.claim[i]);
    close_plain(w);
}

static void figures(struct json_writer *w, const struct report *r)
{
    if (!view_has_charts(r))
        return;
    open_section(w, "figures", "Figures", "Drawn from what the claims below count.", "", "");
    view_flag(w, "has_parts", false);
    view_charts(w, r);
    jw_end_object(w);
}

static void rest(struct json_writer *w, const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->claims.count; i++)
        n += r->claims.claim[i]->requirement_count == 0 && claim_visible(r, r->claims.claim[i]);
    if (n == 0)
        return;
    open_section(w, "rest", "What else was found", "Claims that no requirement above asks for.", "",
                 "");
    open_plain(w, "rest");
    for (size_t i = 0; i < r->claims.count; i++)
        if (r->claims.claim[i]->requirement_count == 0 && claim_visible(r, r->claims.claim[i]))
            view_claim(w, r, r->claims.claim[i]);
    close_plain(w);
}

static void put_clause(struct json_writer *w, const struct report *r, const struct clause *c,
                       size_t number)
{
    const struct requirement *q = c->requirement;
    jw_object(w);
    view_printf(w, "anchor", "c-%zu", number);
    view_str(w, "number", q->id);
    view_str(w, "title", q->title);
    view_str(w, "status", claim_status_name(c->status));
    view_str(w, "label", view_label(c->status));
    view_str(w, "reason", c->reason);
    view_str(w, "note", q->note);
    jw_key(w, "claims");
    jw_array(w);
    for (size_t i = 0; i < c->count; i++)
        if (claim_visible(r, c->claims[i]))
            view_claim(w, r, c->claims[i]);
    jw_end_array(w);
    jw_end_object(w);
}

static bool in_edition(const struct report *r, const struct clause *c)
{
    return (c->requirement->recipients & r->in->edition) != 0;
}

/* Clauses of one framework, opened anew where the part changes. */
static void put_parts(struct json_writer *w, const struct report *r, const struct framework *f,
                      size_t number)
{
    const char *part = NULL;
    view_flag(w, "has_parts", true);
    jw_key(w, "parts");
    jw_array(w);
    for (size_t i = 0; i < r->clause_count; i++) {
        const struct clause *c = &r->clauses[i];
        if (c->framework != f || !in_edition(r, c))
            continue;
        if (!part || strcmp(part, c->requirement->part) != 0) {
            if (part) {
                jw_end_array(w);
                jw_end_object(w);
            }
            part = c->requirement->part;
            jw_object(w);
            view_printf(w, "anchor", "p-%zu-%zu", number, i);
            view_str(w, "part", part);
            jw_key(w, "clauses");
            jw_array(w);
        }
        put_clause(w, r, c, i);
    }
    if (part) {
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void frameworks(struct json_writer *w, const struct report *r)
{
    for (size_t i = 0; i < r->in->framework_count; i++) {
        const struct framework *f = &r->in->frameworks[i];
        char anchor[24], source[1200];
        snprintf(anchor, sizeof anchor, "f-%zu", i);
        snprintf(source, sizeof source, "Version: %s. Data of %s. Source: %s.", f->version,
                 f->dated, f->source);
        open_section(w, anchor, f->title, "", source, f->note);
        put_parts(w, r, f, i);
        jw_end_object(w);
    }
}

/* ---- the cover ---- */

static void fact(struct json_writer *w, const char *label, const char *value, bool mono)
{
    if (!value || !value[0])
        return;
    jw_object(w);
    view_str(w, "label", label);
    view_str(w, "value", value);
    view_flag(w, "mono", mono);
    jw_end_object(w);
}

static void model_facts(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    char hex[DIGEST_HEX + 1], text[200];
    if (!m)
        return;
    snprintf(text, sizeof text, "%s, %zu file%s%s", m->shown, m->model->file_count,
             m->model->file_count == 1 ? "" : "s",
             m->complete ? ", read whole" : ", NOT read whole: see the findings");
    fact(w, "Model", text, false);
    if (m->identity->has_manifest_root)
        fact(w, "Manifest root", digest_hex(hex, &m->identity->manifest_root), true);
    if (m->identity->has_tensor_root)
        fact(w, "Tensor root", digest_hex(hex, &m->identity->tensor_root), true);
}

static void log_facts(struct json_writer *w, const struct report *r)
{
    char hex[DIGEST_HEX + 1], text[400], since[CLOCK_TEXT], until[CLOCK_TEXT];
    const struct activity *y = r->activity;
    if (!r->has_log)
        return;
    snprintf(text, sizeof text, "%.*s, entries 0 to %" PRIu64 ", %s to %s",
             (int)(r->head.origin.n < 200 ? r->head.origin.n : 200), (const char *)r->head.origin.p,
             r->head.size ? r->head.size - 1 : 0, clock_text(since, y->first_us),
             clock_text(until, y->last_us));
    fact(w, "Log", text, false);
    fact(w, "Log root", digest_hex(hex, &r->head.root), true);
    if (r->anchor.n)
        snprintf(text, sizeof text,
                 "a witness’s checkpoint covers the first %" PRIu64 " of %" PRIu64
                 " entries; whether its key is one to trust stands in the claim",
                 r->anchor_size, r->head.size);
    fact(w, "Anchored",
         r->anchor.n ? text : "no: self-attested, nobody but the log’s own key vouches for it",
         false);
    if (r->in->since || r->in->until != UINT64_MAX) {
        snprintf(text, sizeof text, "calls from %s until before %s",
                 clock_text(since, r->in->since), clock_text(until, r->in->until));
        fact(w, "Period", text, false);
    }
    for (size_t i = 0; r->in->subjects && i < r->in->subject_count; i++) {
        char id[SEAL_ID_HEX + 1];
        snprintf(text, sizeof text, "calls for the pseudonym %s alone",
                 seal_id_hex(id, &r->in->subjects[i]));
        fact(w, "Subject", text, false);
    }
    if (r->in->finding)
        fact(w, "Finding", r->in->finding, false);
}

/* What the report was to be held against and is not. */
static void fault_facts(struct json_writer *w, const struct report *r)
{
    for (size_t i = 0; i < r->claims.count; i++)
        if (strcmp(r->claims.claim[i]->property, "framework.file") == 0)
            fact(w, "NOT held against", r->claims.claim[i]->reason, false);
}

static void cover(struct json_writer *w, const struct report *r)
{
    char hex[DIGEST_HEX + 1];
    jw_key(w, "facts");
    jw_array(w);
    model_facts(w, r);
    log_facts(w, r);
    fault_facts(w, r);
    fact(w, "As of", r->in->as_of, false);
    fact(w, "Examined by", "assay " ASSAY_VERSION, false);
    if (r->envelope.n) {
        struct json_writer *out = w;
        jw_object(out);
        view_str(out, "label", "Signed by");
        view_span(out, "value", r->in->signer);
        view_flag(out, "mono", false);
        jw_end_object(out);
    } else
        fact(w, "Signed by", "nobody", false);
    fact(w, "Edition",
         strcmp(edition_name(r->in->edition), "full") == 0 ? "" : edition_name(r->in->edition),
         false);
    fact(w, "Claims root", digest_hex(hex, &r->root), true);
    jw_end_array(w);
}

static void counts_line(char *text, size_t size, const size_t *counts)
{
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < CLAIM_STATUSES && n < size; i++)
        if (counts[i])
            n += (size_t)snprintf(text + n, size - n, "%s%zu %s", n ? ", " : "", counts[i],
                                  view_label((enum claim_status)i));
}

/* The order of the page: what is shown first, what is missing, the rest. */
static const enum claim_status reading_order[CLAIM_STATUSES] = {
    CLAIM_CONTRADICTED, CLAIM_VERIFIED, CLAIM_ATTESTED,      CLAIM_DECLARED,
    CLAIM_STALE,        CLAIM_MISSING,  CLAIM_NOT_APPLICABLE};

static void tally(struct json_writer *w, const struct report *r)
{
    char text[300];
    size_t all = r->claims.count ? r->claims.count : 1, before = 0;
    jw_key(w, "counts");
    jw_array(w);
    for (size_t i = 0; i < CLAIM_STATUSES; i++) {
        enum claim_status s = reading_order[i];
        if (r->counts[s] == 0)
            continue;
        jw_object(w);
        view_printf(w, "n", "%zu", r->counts[s]);
        view_str(w, "status", claim_status_name(s));
        view_str(w, "label", view_label(s));
        jw_end_object(w);
    }
    jw_end_array(w);
    counts_line(text, sizeof text, r->counts);
    view_str(w, "counts_text", text);
    jw_key(w, "bar");
    jw_array(w);
    for (size_t i = 0; i < CLAIM_STATUSES; i++) {
        enum claim_status s = reading_order[i];
        size_t x = before * 1000 / all, end = (before + r->counts[s]) * 1000 / all;
        before += r->counts[s];
        if (r->counts[s] == 0)
            continue;
        jw_object(w);
        view_str(w, "status", claim_status_name(s));
        view_printf(w, "x", "%zu", x);
        view_printf(w, "w", "%zu", end - x);
        view_printf(w, "says", "%zu %s", r->counts[s], view_label(s));
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void framework_counts(struct json_writer *w, const struct report *r)
{
    jw_key(w, "framework_counts");
    jw_array(w);
    for (size_t i = 0; i < r->in->framework_count; i++) {
        size_t counts[CLAIM_STATUSES] = {0};
        char text[300];
        for (size_t n = 0; n < r->clause_count; n++)
            if (r->clauses[n].framework == &r->in->frameworks[i])
                counts[r->clauses[n].status]++;
        counts_line(text, sizeof text, counts);
        jw_object(w);
        view_str(w, "title", r->in->frameworks[i].title);
        view_str(w, "text", text);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void titles(struct json_writer *w, const struct report *r)
{
    const struct report_model *m = r->in->model;
    const struct framework *f = r->in->framework_count ? &r->in->frameworks[0] : NULL;
    struct span subject = m && m->facts->name.n ? m->facts->name
                          : m                   ? span_str(m->shown)
                                                : r->head.origin;
    view_str(w, "kicker", f && r->in->framework_count == 1 ? f->title : "Report with its proofs");
    view_span(w, "title", subject);
    view_str(w, "lede",
             m && r->has_log ? "What this model is, what was done with it, and how each statement "
                               "about that can be found out again."
             : m ? "What this model is, and how each statement about it can be found out "
                   "again."
                 : "What this log holds, and how each statement about it can be found "
                   "out again.");
    view_str(w, "software", "assay " ASSAY_VERSION);
    view_str(w, "as_of", r->in->as_of);
}

bool view_make(struct json *view, const struct report *r, struct arena *a, struct err *e)
{
    struct buf text, report;
    struct json_writer w;
    buf_init(&text, REPORT_MAX);
    buf_init(&report, REPORT_MAX);
    jw_init(&w, json_sink_buf, &text, false);
    jw_object(&w);
    titles(&w, r);
    cover(&w, r);
    tally(&w, r);
    framework_counts(&w, r);
    jw_key(&w, "sections");
    jw_array(&w);
    contradictions(&w, r);
    figures(&w, r);
    frameworks(&w, r);
    rest(&w, r);
    jw_end_array(&w);
    view_evidence_table(&w, r);
    bool ok = render_json(&report, r, e);
    jw_key(&w, "report");
    jw_string(&w, buf_span(&report));
    jw_end_object(&w);
    struct span kept = buf_ok(&text) && !w.failed ? arena_span(a, buf_span(&text)) : SPAN_EMPTY;
    buf_free(&text);
    buf_free(&report);
    return ok && (kept.p || err_set(e, ERR_LIMIT, "the page is larger than there is room for")) &&
           json_parse(view, kept, JSON_STRICT, a, e);
}
