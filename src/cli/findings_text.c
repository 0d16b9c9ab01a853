/*
 * Findings for people: by severity, one heading a rule, a few places each with
 * file and offset, then what to do. The verdict is sorted when it comes here.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/inspect_view.h"
#include "cli/show.h"

enum { PLACES = 3, RULES = 12, SEVERITY_COLUMN = 10, INDENT = 2 + SEVERITY_COLUMN };

static enum style severity_style(enum severity s)
{
    static const enum style styles[SEV_COUNT] = {[SEV_INFO] = STYLE_DIM,
                                                 [SEV_LOW] = STYLE_PLAIN,
                                                 [SEV_MEDIUM] = STYLE_WARN,
                                                 [SEV_HIGH] = STYLE_BAD,
                                                 [SEV_CRITICAL] = STYLE_BAD};
    return styles[s];
}

static void put_place(struct out *o, const struct model *m, const struct finding *f)
{
    char file[SHOW_SIZE], line[SHOW_SIZE + 1100];
    const char *name = origin_file(m, f->origin);
    size_t n = 0;
    if (name)
        n = (size_t)snprintf(line, sizeof line, "%s@%" PRIu64 ": ",
                             show_text(file, span_str(name), 100), f->origin.offset);
    n += (size_t)snprintf(line + n, sizeof line - n, "%s", f->detail);
    if (f->count > 1 && n < sizeof line)
        snprintf(line + n, sizeof line - n, " (and %" PRIu32 " more)", f->count - 1);
    out_wrapped(o, INDENT, line);
}

void findings_head(struct out *o, const struct rule *r)
{
    char line[SHOW_SIZE];
    out_put(o, "  ");
    out_style(o, severity_style(r->severity), severity_name(r->severity));
    out_printf(o, "%*s", (int)(SEVERITY_COLUMN - strlen(severity_name(r->severity))), "");
    snprintf(line, sizeof line, "%s [%s]", r->title, r->id);
    out_wrapped_at(o, INDENT, line);
}

size_t findings_rule(struct out *o, const struct model *m, size_t first, bool all,
                     findings_filter *keep, const void *arg)
{
    const struct verdict *v = &m->verdict;
    const struct rule *r = &rules[v->findings[first].rule];
    char line[SHOW_SIZE];
    size_t i = first, shown = 0;
    uint64_t hidden = 0;
    findings_head(o, r);
    for (; i < v->count && v->findings[i].rule == v->findings[first].rule; i++) {
        const struct finding *f = &v->findings[i];
        if (keep && !keep(arg, i))
            continue;
        if (all || shown++ < PLACES)
            put_place(o, m, f);
        else
            hidden += f->count;
    }
    if (hidden)
        out_printf(o, "%*sand %" PRIu64 " more places (--all lists them)\n", INDENT, "", hidden);
    snprintf(line, sizeof line, "\xe2\x86\x92 %s", r->remedy);
    out_wrapped(o, INDENT, line);
    return i - first;
}

static void put_summary(struct out *o, const struct verdict *v)
{
    char line[128];
    size_t n = 0;
    for (int s = SEV_CRITICAL; s >= SEV_INFO; s--) {
        size_t count = verdict_count(v, (enum severity)s);
        if (count)
            n += (size_t)snprintf(line + n, sizeof line - n, "%s%zu %s",
                                  n ? ", " : "Findings: ", count, severity_name((enum severity)s));
    }
    out_heading(o, line);
}

void findings_text(struct out *o, const struct model *m, bool all)
{
    const struct verdict *v = &m->verdict;
    size_t shown = 0;
    if (v->count == 0) {
        out_heading(o, "Findings: none");
        return;
    }
    put_summary(o, v);
    for (size_t i = 0; i < v->count; shown++) {
        if (!all && shown == RULES) {
            out_printf(o, "  and %zu more findings (--all lists them)\n", v->count - i);
            return;
        }
        i += findings_rule(o, m, i, all, NULL, NULL);
    }
}
