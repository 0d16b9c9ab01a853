/*
 * SARIF 2.1.0: a result for each claim of each clause; frameworks are taxonomies.
 * verified is a pass, declared a review, contradicted a failure, missing open.
 */
#include <string.h>

#include "report/put.h"
#include "report/render.h"

static const char *kind_of(enum claim_status s)
{
    switch (s) {
    case CLAIM_VERIFIED:
    case CLAIM_ATTESTED:
        return "pass";
    case CLAIM_CONTRADICTED:
        return "fail";
    case CLAIM_MISSING:
        return "open";
    case CLAIM_NOT_APPLICABLE:
        return "notApplicable";
    case CLAIM_DECLARED:
    case CLAIM_STALE:
    case CLAIM_STATUSES:
        break;
    }
    return "review";
}

static void put_text(struct json_writer *w, const char *key, const char *s)
{
    put_open(w, key);
    put_str(w, "text", s);
    jw_end_object(w);
}

static void put_rules(struct json_writer *w)
{
    put_list(w, "rules");
    for (size_t i = 0; i < property_count; i++) {
        jw_object(w);
        put_str(w, "id", properties[i].id);
        put_text(w, "shortDescription", properties[i].title);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_taxonomies(struct json_writer *w, const struct report *r)
{
    put_list(w, "taxonomies");
    for (size_t i = 0; i < r->in->framework_count; i++) {
        const struct framework *f = &r->in->frameworks[i];
        jw_object(w);
        put_str(w, "name", f->id);
        put_str(w, "version", f->version);
        put_text(w, "shortDescription", f->title);
        put_list(w, "taxa");
        for (size_t n = 0; n < f->count; n++) {
            jw_object(w);
            put_str(w, "id", f->requirements[n].id);
            put_text(w, "shortDescription", f->requirements[n].title);
            jw_end_object(w);
        }
        jw_end_array(w);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* "framework:id" */
static void put_taxon(struct json_writer *w, const char *requirement)
{
    const char *colon = strchr(requirement, ':');
    if (!colon)
        return;
    jw_object(w);
    put_str(w, "id", colon + 1);
    put_open(w, "toolComponent");
    put_span(w, "name", (struct span){(const uint8_t *)requirement, (size_t)(colon - requirement)});
    jw_end_object(w);
    jw_end_object(w);
}

static bool safe_uri(const char *path)
{
    return path && path[0] && path[0] != '/' && !strstr(path, "..") && !strchr(path, ' ') &&
           !strchr(path, ':') && !strchr(path, '%') && !strchr(path, '<') && !strchr(path, '\\') &&
           !strchr(path, '"');
}

static void put_location(struct json_writer *w, const struct claim *c)
{
    const char *path = c->source_count && safe_uri(c->sources[0].path) ? c->sources[0].path : NULL;
    size_t line = 0;
    if (!path)
        return;
    const char *place = c->sources[0].place;
    if (place && strncmp(place, "line ", 5) == 0)
        for (const char *d = place + 5; *d >= '0' && *d <= '9' && line < 1000000; d++)
            line = line * 10 + (size_t)(*d - '0');
    put_list(w, "locations");
    jw_object(w);
    put_open(w, "physicalLocation");
    put_open(w, "artifactLocation");
    put_str(w, "uri", path);
    jw_end_object(w);
    put_open(w, "region");
    jw_key(w, "startLine");
    jw_u64(w, line ? line : 1);
    jw_end_object(w);
    jw_end_object(w);
    jw_end_object(w);
    jw_end_array(w);
}

static void put_result(struct json_writer *w, const struct claim *c)
{
    const struct property *p = property_find(span_str(c->property));
    jw_object(w);
    put_str(w, "ruleId", c->property);
    if (p) {
        jw_key(w, "ruleIndex");
        jw_u64(w, (uint64_t)(p - properties));
    }
    put_str(w, "kind", kind_of(c->status));
    put_str(w, "level", c->status == CLAIM_CONTRADICTED ? "error" : "none");
    put_open(w, "message");
    put_fmt(w, "text", "%s%s%.900s%s%.900s%s%.500s", c->title, c->value ? ": " : "",
            c->value ? c->value : "", c->observed ? "; found instead: " : "",
            c->observed ? c->observed : "", c->reason ? "; " : "", c->reason ? c->reason : "");
    jw_end_object(w);
    put_location(w, c);
    put_open(w, "partialFingerprints");
    put_str(w, "claim/v1", c->id);
    jw_end_object(w);
    put_list(w, "taxa");
    for (size_t i = 0; i < c->requirement_count; i++)
        put_taxon(w, c->requirements[i]);
    jw_end_array(w);
    if (c->waiver) {
        put_list(w, "suppressions");
        jw_object(w);
        put_str(w, "kind", "external");
        put_str(w, "justification", c->waiver);
        jw_end_object(w);
        jw_end_array(w);
    }
    put_open(w, "properties");
    put_str(w, "claimStatus", claim_status_name(c->status));
    jw_end_object(w);
    jw_end_object(w);
}

bool render_sarif(struct buf *out, const struct report *r, struct err *e)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    put_str(&w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    put_str(&w, "version", "2.1.0");
    put_list(&w, "runs");
    jw_object(&w);
    put_open(&w, "tool");
    put_open(&w, "driver");
    put_str(&w, "name", "assay");
    put_str(&w, "version", ASSAY_VERSION);
    put_rules(&w);
    jw_end_object(&w);
    jw_end_object(&w);
    put_taxonomies(&w, r);
    put_list(&w, "results");
    for (size_t i = 0; i < r->claims.count; i++)
        if (claim_visible(r, r->claims.claim[i]))
            put_result(&w, r->claims.claim[i]);
    jw_end_array(&w);
    jw_end_object(&w);
    jw_end_array(&w);
    jw_end_object(&w);
    return put_done(&w, out, e);
}
