/*
 * JUnit XML as the strict schema of Ant's reports wants it: one suite for the
 * model, one case for "everything was read", and one a rule that found
 * something. No clock and no host name, so the same verdict gives the same
 * bytes; the timestamp is the day that the check was made for.
 */
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/check.h"

/* XML 1.0 section 2.2 has no other control characters, even as references. */
static bool is_xml(uint32_t c)
{
    return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c <= 0xD7FF) ||
           (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

static void put_xml(struct buf *out, struct span s)
{
    for (size_t at = 0; at < s.n;) {
        uint32_t c = utf8_next(s, &at);
        if (c == '<')
            buf_put_str(out, "&lt;");
        else if (c == '>')
            buf_put_str(out, "&gt;");
        else if (c == '&')
            buf_put_str(out, "&amp;");
        else if (c == '"')
            buf_put_str(out, "&quot;");
        else if (c == 9 || c == 10 || c == 13)
            buf_printf(out, "&#%u;", (unsigned)c);
        else
            utf8_put(out, is_xml(c) ? c : 0xFFFD);
    }
}

static void attribute(struct buf *out, const char *name, struct span value)
{
    buf_printf(out, " %s=\"", name);
    put_xml(out, value);
    buf_put_u8(out, '"');
}

static void property(struct buf *out, const char *name, const char *value)
{
    buf_put_str(out, "   <property");
    attribute(out, "name", span_str(name));
    attribute(out, "value", span_str(value));
    buf_put_str(out, "/>\n");
}

/* Findings of one rule stand together: [first, end). */
struct group {
    size_t first, end;
    bool fails;
    const struct waiver *waiver;
};

static bool next_group(struct group *g, const struct check *c)
{
    size_t i = g->end;
    if (i == c->count)
        return false;
    *g = (struct group){.first = i};
    for (; i < c->count && c->items[i].finding->rule == c->items[g->first].finding->rule; i++) {
        const struct judged *j = &c->items[i];
        g->fails = g->fails || j->judgement == JUDGED_FAILS || j->judgement == JUDGED_EXPIRED;
        if (j->judgement == JUDGED_WAIVED)
            g->waiver = j->waiver;
    }
    g->end = i;
    return true;
}

static void put_places(struct buf *out, const struct check *c, const struct group *g)
{
    const struct model *m = c->in->model;
    for (size_t i = g->first; i < g->end; i++) {
        const struct judged *j = &c->items[i];
        const struct finding *f = j->finding;
        if (f->origin.file < m->file_count) {
            put_xml(out, span_str(m->files[f->origin.file].name));
            buf_printf(out, "@%llu: ", (unsigned long long)f->origin.offset);
        }
        put_xml(out, span_str(f->detail));
        if (f->count > 1)
            buf_printf(out, " (and %u more)", f->count - 1);
        buf_printf(out, " [%s]\n", judgement_name(j->judgement));
    }
}

static void begin_case(struct buf *out, const char *name)
{
    buf_put_str(out, "  <testcase classname=\"assay.check\"");
    attribute(out, "name", span_str(name));
    buf_put_str(out, " time=\"0\"");
}

static void put_group(struct buf *out, const struct check *c, const struct group *g)
{
    const struct rule *r = &rules[c->items[g->first].finding->rule];
    begin_case(out, r->id);
    if (g->fails) {
        buf_put_str(out, ">\n   <failure");
        attribute(out, "type", span_str(severity_name(r->severity)));
        attribute(out, "message", span_str(r->title));
        buf_put_str(out, ">");
        put_places(out, c, g);
        put_xml(out, span_str(r->remedy));
        buf_put_str(out, "</failure>\n  </testcase>\n");
    } else if (g->waiver) {
        buf_put_str(out, ">\n   <skipped");
        attribute(out, "message", g->waiver->reason);
        buf_put_str(out, "/>\n  </testcase>\n");
    } else {
        buf_put_str(out, "/>\n");
    }
}

static void put_complete(struct buf *out, const struct check *c)
{
    begin_case(out, "everything was read");
    if (c->complete)
        buf_put_str(out, "/>\n");
    else
        buf_put_str(out,
                    ">\n   <error type=\"incomplete\" message=\"not everything could be read\">"
                    "The findings say what was not; a part that was not read is never "
                    "clean.</error>\n  </testcase>\n");
}

static void put_head(struct buf *out, const struct check *c)
{
    struct group g = {0};
    unsigned tests = 1, failures = 0;
    char day[16];
    while (next_group(&g, c)) {
        tests++;
        failures += g.fails;
    }
    buf_put_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n <testsuite "
                     "package=\"assay\" id=\"0\"");
    attribute(out, "name", check_name(c->in->model->path));
    buf_printf(out,
               " tests=\"%u\" failures=\"%u\" errors=\"%d\" time=\"0\" timestamp=\"%sT00:00:00\" "
               "hostname=\"localhost\">\n",
               tests, failures, c->complete ? 0 : 1, policy_date_text(day, c->in->today));
}

static void put_properties(struct buf *out, const struct check *c)
{
    struct digest subject;
    char hex[DIGEST_HEX + 1], name[200];
    buf_put_str(out, "  <properties>\n");
    property(out, "assay.version", ASSAY_VERSION);
    property(out, "assay.result", check_result_name(check_result(c)));
    property(out, "policy", text_shown(name, sizeof name, c->in->policy->name));
    if (check_subject(c->in->identity, &subject))
        property(out, "model.sha256", digest_hex(hex, &subject));
    buf_put_str(out, "  </properties>\n");
}

bool check_junit(struct buf *out, const struct check *c, struct err *e)
{
    struct group g = {0};
    put_head(out, c);
    put_properties(out, c);
    put_complete(out, c);
    while (next_group(&g, c))
        put_group(out, c, &g);
    buf_put_str(out, "  <system-out/>\n  <system-err/>\n </testsuite>\n</testsuites>\n");
    return buf_ok(out) || err_set(e, ERR_MEMORY, "out of memory for JUnit XML");
}
