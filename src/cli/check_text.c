/* check for people: one screen, what fails first, then what was waived, then the rest in a line each. */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/check_view.h"
#include "cli/inspect_view.h"
#include "cli/show.h"

enum { NOTED_RULES = 10 };

struct chosen {
    const struct check *c;
    enum judgement judgement;
};

static bool is_chosen(const void *arg, size_t index)
{
    const struct chosen *x = arg;
    return x->c->items[index].judgement == x->judgement;
}

/* Index after the findings of the rule at `first`; *count: how many were so judged. */
static size_t rule_end(const struct check *c, size_t first, enum judgement j, uint64_t *count)
{
    size_t i = first;
    for (*count = 0; i < c->count && c->items[i].finding->rule == c->items[first].finding->rule;
         i++)
        if (c->items[i].judgement == j)
            *count += c->items[i].finding->count;
    return i;
}

static void put_full(struct out *o, const struct check *c, enum judgement j, bool all,
                     const char *heading)
{
    struct chosen x = {c, j};
    uint64_t count;
    if (!c->totals[j])
        return;
    out_heading(o, heading);
    for (size_t i = 0, end; i < c->count; i = end) {
        end = rule_end(c, i, j, &count);
        if (count)
            findings_rule(o, c->in->model, i, all, is_chosen, &x);
    }
}

static void put_waiver(struct out *o, const char *label, const struct waiver *w)
{
    char id[SHOW_SIZE], reason[SHOW_SIZE], by[SHOW_SIZE], rule[SHOW_SIZE], until[16];
    out_field(o, label, "%s for %s: %s (approved by %s, until %s)", show_text(id, w->id, 40),
              show_text(rule, w->rule, 60), show_text(reason, w->reason, 200),
              show_text(by, w->approver, 60), policy_date_text(until, w->expires));
}

/* Each use once, with its rule. */
static void put_waivers(struct out *o, const struct check *c, enum judgement j, const char *heading)
{
    char label[32];
    uint64_t count;
    if (!c->totals[j])
        return;
    out_heading(o, heading);
    for (size_t i = 0, end; i < c->count; i = end) {
        end = rule_end(c, i, j, &count);
        for (size_t k = i; count && k < end; k++)
            if (c->items[k].judgement == j) {
                snprintf(label, sizeof label, "%" PRIu64 "x", count);
                put_waiver(o, label, c->items[k].waiver);
                break;
            }
    }
}

static void put_short(struct out *o, const struct check *c, enum judgement j, bool all,
                      const char *heading)
{
    uint64_t count;
    size_t shown = 0, more = 0;
    if (!c->totals[j])
        return;
    if (all) {
        put_full(o, c, j, all, heading);
        return;
    }
    out_heading(o, heading);
    for (size_t i = 0, end; i < c->count; i = end) {
        end = rule_end(c, i, j, &count);
        if (count && shown++ < NOTED_RULES)
            findings_head(o, &rules[c->items[i].finding->rule]);
        else if (count)
            more++;
    }
    if (more)
        out_printf(o, "  and %zu more rules (--all lists every finding)\n", more);
}

/* ---- the head ---- */

static void put_result(struct out *o, const struct checked *c)
{
    static const struct {
        enum style style;
        const char *word;
    } words[] = {[CHECK_PASS] = {STYLE_GOOD, "PASSED"},
                 [CHECK_FAIL] = {STYLE_BAD, "FAILED"},
                 [CHECK_INCOMPLETE] = {STYLE_BAD, "INCOMPLETE"},
                 [CHECK_EXPIRED] = {STYLE_BAD, "WAIVER EXPIRED"}};
    char path[SHOW_SIZE];
    enum check_result r = check_result(&c->check);
    out_printf(o, "\n%s: ", show_text(path, span_str(c->s.model->path), SHOW_NAME));
    out_style(o, words[r].style, words[r].word);
    if (r != CHECK_FAIL && c->check.totals[JUDGED_FAILS])
        out_style(o, STYLE_BAD, " and FAILED");
    out_put(o, "\n");
}

static void put_model(struct out *o, const struct checked *c)
{
    const struct subject *s = &c->s;
    char name[SHOW_SIZE], count[32], size[32], line[SHOW_SIZE * 2] = "";
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->model->file_count; i++)
        bytes += s->model->files[i].size;
    if (s->has_facts && s->facts.architecture.family)
        snprintf(line, sizeof line, "%s · ", s->facts.architecture.family);
    if (s->has_facts && s->facts.architecture.parameters.total)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s parameters · ",
                 text_count(count, sizeof count, s->facts.architecture.parameters.total));
    snprintf(line + strlen(line), sizeof line - strlen(line), "%zu file%s · %s",
             s->model->file_count, s->model->file_count == 1 ? "" : "s",
             text_bytes(size, sizeof size, bytes));
    if (s->has_facts && s->facts.name.n)
        out_field(o, "model", "%s · %s", show_text(name, s->facts.name, 60), line);
    else
        out_field(o, "model", "%s", line);
}

static void put_policy(struct out *o, const struct policy *p)
{
    char name[SHOW_SIZE], file[SHOW_SIZE], hex[DIGEST_HEX + 1];
    if (!p->file) {
        out_field(o, "policy", "the default: findings of severity high and critical fail");
        return;
    }
    out_field(o, "policy", "%s (%s, sha256 %.12s…)", show_text(name, p->name, 60),
              show_text(file, span_str(p->file), 60), digest_hex(hex, &p->digest));
}

static void put_counts(struct out *o, const struct check *c)
{
    static const char *const words[JUDGEMENTS] = {"fail", "fail: their waiver ran out", "waived",
                                                  "known from the baseline", "noted"};
    char line[256] = "";
    for (int j = 0; j < JUDGEMENTS; j++)
        if (c->totals[j])
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s%zu %s",
                     line[0] ? " · " : "", c->totals[j], words[j]);
    out_field(o, "findings", "%s", line[0] ? line : "none");
}

static void put_read(struct out *o, const struct checked *c)
{
    const struct scan *s = &c->s.scan;
    char a[32], b[32];
    if (!c->check.complete)
        out_field_styled(o, STYLE_BAD, "read",
                         "NOT EVERYTHING: a part that was not read is never clean");
    else
        out_field(o, "read", "everything: %s, %s unexplained%s",
                  text_bytes(a, sizeof a, s->coverage.size),
                  text_bytes(b, sizeof b, s->coverage.unexplained),
                  s->from_cache ? " · digests from the cache" : "");
}

static void put_unused(struct out *o, const struct check *c)
{
    for (size_t i = 0; i < c->unused_count; i++)
        put_waiver(o, i ? "" : "unused", c->unused[i]);
    if (c->other_waivers)
        out_field(o, "waivers", "%zu for other digests", c->other_waivers);
}

void check_text(struct out *o, const struct checked *c, const struct check_args *args)
{
    struct digest subject;
    char hex[DIGEST_HEX + 1];
    const struct check *k = &c->check;
    put_result(o, c);
    put_model(o, c);
    if (check_subject(k->in->identity, &subject))
        out_field(o, "subject", "%s", digest_hex(hex, &subject));
    put_policy(o, k->in->policy);
    put_counts(o, k);
    put_read(o, c);
    put_unused(o, k);
    put_full(o, k, JUDGED_FAILS, args->all, "Fails");
    put_full(o, k, JUDGED_EXPIRED, args->all, "Fails, for the waiver ran out");
    put_waivers(o, k, JUDGED_EXPIRED, "Expired waivers");
    put_waivers(o, k, JUDGED_WAIVED, "Waived");
    put_short(o, k, JUDGED_KNOWN, args->all, "Known from the baseline");
    put_short(o, k, JUDGED_NOTED, args->all, "Noted");
}

/* ---- GitHub Actions ---- */

/* Workflow commands: % and line ends are escaped, in properties : and , too. */
static void put_escaped(FILE *f, const char *s, bool property)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
            fprintf(f, "%%%02X", c);
        else
            fputc(c, f);
    }
}

void check_annotate(FILE *f, const struct check *c)
{
    const struct model *m = c->in->model;
    for (size_t i = 0; i < c->count; i++) {
        const struct judged *j = &c->items[i];
        const struct finding *x = j->finding;
        const struct rule *r = &rules[x->rule];
        if (j->judgement != JUDGED_FAILS && j->judgement != JUDGED_EXPIRED)
            continue;
        fputs("::error ", f);
        if (x->origin.file < m->file_count) {
            fputs("file=", f);
            put_escaped(f, m->files[x->origin.file].path, true);
            fprintf(f, ",line=%zu,", check_line(m, x->origin));
        }
        fprintf(f, "title=%s::", r->id);
        put_escaped(f, r->title, false);
        fputs(": ", f);
        put_escaped(f, x->detail, false);
        fputs("%0A", f);
        put_escaped(f, r->remedy, false);
        fputc('\n', f);
    }
}
