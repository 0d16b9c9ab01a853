/*
 * SARIF 2.1.0 (OASIS). The full log lists every finding with its judgement;
 * the other variant holds only what fails, each with a line, because code
 * scanning services show every result as an alert whatever its kind, and drop
 * results without a region.
 */
#include <stdio.h>
#include <string.h>

#include "check/check.h"

struct sarif {
    struct json_writer w;
    const struct check *c;
    const struct sarif_options *o;
    int index[RULE_COUNT]; /* of a rule in the driver's list; -1: not there */
};

static bool is_shown(const struct sarif *s, const struct judged *j)
{
    return !s->o->failing_only || j->judgement == JUDGED_FAILS || j->judgement == JUDGED_EXPIRED;
}

static const char *level_of(enum severity s)
{
    return s >= SEV_HIGH ? "error" : s == SEV_MEDIUM ? "warning" : "note";
}

static void member(struct json_writer *w, const char *key, const char *value)
{
    jw_key(w, key);
    jw_str(w, value);
}

static void message(struct json_writer *w, const char *key, const char *text)
{
    jw_key(w, key);
    jw_object(w);
    member(w, "text", text);
    jw_end_object(w);
}

static void put_rule(struct sarif *s, const struct rule *r)
{
    static const char *const scores[SEV_COUNT] = {"0.0", "2.0", "5.0", "8.0", "9.5"};
    struct json_writer *w = &s->w;
    jw_object(w);
    member(w, "id", r->id);
    message(w, "shortDescription", r->title);
    message(w, "help", r->remedy);
    jw_key(w, "defaultConfiguration");
    jw_object(w);
    member(w, "level", level_of(r->severity));
    jw_end_object(w);
    jw_key(w, "properties");
    jw_object(w);
    member(w, "severity", severity_name(r->severity));
    member(w, "breaks", breaks_name(r->breaks));
    if (r->severity >= SEV_MEDIUM)
        member(w, "security-severity", scores[r->severity]);
    jw_end_object(w);
    jw_end_object(w);
}

static void put_driver(struct sarif *s)
{
    struct json_writer *w = &s->w;
    int next = 0;
    bool used[RULE_COUNT] = {false};
    for (size_t i = 0; i < s->c->count; i++)
        if (is_shown(s, &s->c->items[i]))
            used[s->c->items[i].finding->rule] = true;
    jw_key(w, "tool");
    jw_object(w);
    jw_key(w, "driver");
    jw_object(w);
    member(w, "name", "Assay");
    member(w, "version", ASSAY_VERSION);
    jw_key(w, "rules");
    jw_array(w);
    for (size_t r = 0; r < RULE_COUNT; r++) {
        s->index[r] = used[r] ? next++ : -1;
        if (used[r])
            put_rule(s, &rules[r]);
    }
    jw_end_array(w);
    jw_end_object(w);
    jw_end_object(w);
}

static void put_invocation(struct sarif *s)
{
    struct json_writer *w = &s->w;
    jw_key(w, "invocations");
    jw_array(w);
    jw_object(w);
    jw_key(w, "executionSuccessful");
    jw_bool(w, s->c->complete);
    jw_key(w, "exitCode");
    jw_i64(w, s->o->exit_status);
    if (!s->c->complete) {
        jw_key(w, "toolExecutionNotifications");
        jw_array(w);
        jw_object(w);
        member(w, "level", "error");
        message(w, "message", "not everything could be read: this result is incomplete");
        jw_end_object(w);
        jw_end_array(w);
    }
    jw_end_object(w);
    jw_end_array(w);
}

/* The path as it was given, so that it is found below the repository's root; of a path from
 * the machine's root, the name below the model. Percent-encoded (RFC 3986 section 2.3). */
static void put_uri(struct json_writer *w, const struct model_file *f)
{
    static const char plain[] = "-._~/";
    const char *p = f->path && f->path[0] != '/' ? f->path : f->name;
    struct buf uri;
    while (p[0] == '.' && p[1] == '/')
        p += 2;
    buf_init(&uri, 1 << 16);
    for (; *p; p++) {
        uint8_t c = (uint8_t)*p;
        bool safe = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                    strchr(plain, c) != NULL;
        if (safe)
            buf_put_u8(&uri, c);
        else
            buf_printf(&uri, "%%%02X", c);
    }
    jw_key(w, "uri");
    jw_string(w, buf_span(&uri));
    w->failed = w->failed || !buf_ok(&uri);
    buf_free(&uri);
}

static void put_artifacts(struct sarif *s)
{
    const struct model *m = s->c->in->model;
    const struct scan *scan = s->c->in->scan;
    struct json_writer *w = &s->w;
    char hex[DIGEST_HEX + 1];
    jw_key(w, "artifacts");
    jw_array(w);
    for (size_t i = 0; i < m->file_count; i++) {
        jw_object(w);
        jw_key(w, "location");
        jw_object(w);
        put_uri(w, &m->files[i]);
        jw_end_object(w);
        jw_key(w, "length");
        jw_u64(w, m->files[i].size);
        if (scan && scan->file_ok && scan->file_ok[i]) {
            jw_key(w, "hashes");
            jw_object(w);
            member(w, "sha-256", digest_hex(hex, &scan->file[i]));
            jw_end_object(w);
        }
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_region(struct sarif *s, struct origin o)
{
    struct json_writer *w = &s->w;
    const struct model_file *f = &s->c->in->model->files[o.file];
    bool text = check_is_text(f);
    jw_key(w, "region");
    jw_object(w);
    if (text || s->o->failing_only) {
        jw_key(w, "startLine");
        jw_u64(w, check_line(s->c->in->model, o));
    }
    if (!s->o->failing_only) {
        jw_key(w, "byteOffset");
        jw_u64(w, o.offset);
        if (o.length) {
            jw_key(w, "byteLength");
            jw_u64(w, o.length);
        }
    }
    jw_end_object(w);
}

static void put_location(struct sarif *s, struct origin o)
{
    const struct model *m = s->c->in->model;
    struct json_writer *w = &s->w;
    jw_object(w);
    jw_key(w, "physicalLocation");
    jw_object(w);
    jw_key(w, "artifactLocation");
    jw_object(w);
    put_uri(w, &m->files[o.file]);
    jw_key(w, "index");
    jw_u64(w, o.file);
    jw_end_object(w);
    put_region(s, o);
    jw_end_object(w);
    jw_end_object(w);
}

/* A finding about the whole model stands at its first file where a place must be. */
static void put_locations(struct sarif *s, const struct finding *f)
{
    const struct model *m = s->c->in->model;
    struct origin o = f->origin;
    if (o.file >= m->file_count && (!s->o->failing_only || m->file_count == 0))
        return;
    if (o.file >= m->file_count)
        o = (struct origin){0, 0, 0};
    jw_key(&s->w, "locations");
    jw_array(&s->w);
    put_location(s, o);
    jw_end_array(&s->w);
}

static void put_related(struct sarif *s, const struct finding *f)
{
    if (f->against.file >= s->c->in->model->file_count || s->o->failing_only)
        return;
    jw_key(&s->w, "relatedLocations");
    jw_array(&s->w);
    put_location(s, f->against);
    jw_end_array(&s->w);
}

static void put_suppression(struct json_writer *w, const struct waiver *x)
{
    char text[1200];
    snprintf(text, sizeof text, "%.*s: %.*s (approved by %.*s, expires %.*s)", (int)x->id.n,
             (const char *)x->id.p, (int)(x->reason.n < 600 ? x->reason.n : 600),
             (const char *)x->reason.p, (int)(x->approver.n < 200 ? x->approver.n : 200),
             (const char *)x->approver.p, (int)x->expires_text.n, (const char *)x->expires_text.p);
    jw_key(w, "suppressions");
    jw_array(w);
    jw_object(w);
    member(w, "kind", "external");
    member(w, "status", "accepted");
    member(w, "justification", text);
    jw_end_object(w);
    jw_end_array(w);
}

static void put_result(struct sarif *s, const struct judged *j)
{
    struct json_writer *w = &s->w;
    const struct finding *f = j->finding;
    const struct rule *r = &rules[f->rule];
    char hex[DIGEST_HEX + 1], text[1200];
    bool noted = j->judgement == JUDGED_NOTED;
    jw_object(w);
    member(w, "ruleId", r->id);
    jw_key(w, "ruleIndex");
    jw_i64(w, s->index[f->rule]);
    member(w, "kind", !noted ? "fail" : r->severity == SEV_INFO ? "informational" : "review");
    member(w, "level", noted ? "none" : level_of(r->severity));
    snprintf(text, sizeof text, "%s: %s", r->title, f->detail);
    message(w, "message", text);
    put_locations(s, f);
    put_related(s, f);
    jw_key(w, "partialFingerprints");
    jw_object(w);
    member(w, "assayFinding/v1", digest_hex(hex, &j->fingerprint));
    jw_end_object(w);
    if (s->c->in->baseline)
        member(w, "baselineState", j->judgement == JUDGED_KNOWN ? "unchanged" : "new");
    if (j->judgement == JUDGED_WAIVED)
        put_suppression(w, j->waiver);
    jw_key(w, "occurrenceCount");
    jw_u64(w, f->count);
    jw_key(w, "properties");
    jw_object(w);
    member(w, "judgement", judgement_name(j->judgement));
    jw_end_object(w);
    jw_end_object(w);
}

static void put_run(struct sarif *s)
{
    struct json_writer *w = &s->w;
    jw_object(w);
    put_driver(s);
    put_invocation(s);
    put_artifacts(s);
    jw_key(w, "results");
    jw_array(w);
    for (size_t i = 0; i < s->c->count; i++)
        if (is_shown(s, &s->c->items[i]))
            put_result(s, &s->c->items[i]);
    jw_end_array(w);
    member(w, "columnKind", "unicodeCodePoints");
    jw_end_object(w);
}

bool check_sarif(struct buf *out, const struct check *c, const struct sarif_options *o,
                 struct err *e)
{
    struct sarif s = {.c = c, .o = o};
    jw_init(&s.w, json_sink_buf, out, true);
    jw_object(&s.w);
    member(&s.w, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    member(&s.w, "version", "2.1.0");
    jw_key(&s.w, "runs");
    jw_array(&s.w);
    put_run(&s);
    jw_end_array(&s.w);
    jw_end_object(&s.w);
    buf_put_u8(out, '\n');
    return (!s.w.failed && buf_ok(out)) || err_set(e, ERR_MEMORY, "out of memory for SARIF");
}

size_t check_line(const struct model *m, struct origin o)
{
    size_t line = 1;
    const struct model_file *f = o.file < m->file_count ? &m->files[o.file] : NULL;
    bool text = f && check_is_text(f);
    if (!text || !f->source || o.offset > f->size || f->size > MODEL_MAX_DOCUMENT)
        return line;
    struct cursor c = source_cursor(f->source, MODEL_MAX_DOCUMENT);
    struct span before = cursor_take(&c, o.offset);
    for (size_t i = 0; i < before.n; i++)
        line += before.p[i] == '\n';
    return line;
}
