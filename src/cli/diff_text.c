/* diff for people: what B is to A, counts, the tensors that moved most, differences. */
#include "cli/diff_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/show.h"

#define DOT "\x01\xc2\xb7 " /* NO_BREAK before it: no line begins with one */

enum { MOST_CHANGED = 10, ENTRIES = 20, VALUE = 60 };

struct span diff_name(const struct tensor_diff *d)
{
    return d->b ? d->b->name : d->a->name;
}

bool diff_measured(const struct tensor_diff *d)
{
    return d->change == TENSOR_SAME || d->change == TENSOR_CHANGED || d->change == TENSOR_RETYPED;
}

static const char *sentence(enum relation r, bool reversed)
{
    switch (r) {
    case REL_IDENTICAL:
        return "B is identical to A";
    case REL_REPACKED:
        return "B is A re-packed";
    case REL_QUANTISED:
        return reversed ? "A is B quantised" : "B is A quantised";
    case REL_FINE_TUNED:
        return "B is A fine-tuned";
    case REL_ADAPTER:
        return reversed ? "A is an adapter for B" : "B is an adapter for A";
    case REL_SAME_ARCHITECTURE:
        return "B has A's architecture and other weights";
    case REL_UNRELATED:
        return "B is unrelated to A";
    case REL_UNDECIDED:
        return "what B is to A cannot be said";
    }
    return relation_name(r);
}

static void put_relation(struct out *o, const struct comparison *c)
{
    char line[1024];
    const char *because = c->diff.because ? c->diff.because : "";
    if (!c->complete)
        out_style(o, STYLE_BAD, "INCOMPLETE: as far as was read, ");
    out_style(o, STYLE_BOLD, sentence(c->diff.relation, c->diff.reversed));
    out_put(o, "\n");
    snprintf(line, sizeof line, "%s", because);
    if (line[0])
        out_wrapped(o, 2, line);
    out_put(o, "\n");
}

static void put_model(struct out *o, const char *label, const struct model *m)
{
    char path[SHOW_SIZE], faults[64];
    show_text(path, span_str(m->path), 300);
    size_t findings = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        findings += m->verdict.findings[i].count;
    snprintf(faults, sizeof faults, DOT "%zu finding%s in reading", findings,
             findings == 1 ? "" : "s");
    out_field(o, label, "%s (%zu tensor%s%s)", path, m->tensor_count,
              m->tensor_count == 1 ? "" : "s", findings ? faults : "");
}

static void put_counts(struct out *o, const struct diff *d)
{
    char line[512], share[SHOW_SIZE];
    size_t n = 0;
    for (int i = 0; i <= TENSOR_REMOVED; i++)
        if (d->counts[i])
            n += (size_t)snprintf(line + n, sizeof line - n, "%s%zu %s", n ? DOT : "", d->counts[i],
                                  tensor_change_name((enum tensor_change)i));
    if (d->unread)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%zu unread", n ? DOT : "", d->unread);
    out_field(o, "tensors", "%s", n ? line : "none");
    size_t measured =
        d->counts[TENSOR_SAME] + d->counts[TENSOR_CHANGED] + d->counts[TENSOR_RETYPED];
    if (measured)
        out_field(o, "together", "distance %.4g" DOT "cosine %.6f" DOT "%s of elements differ",
                  d->distance, d->cosine, show_share(share, d->changed));
}

static void put_numbers(struct table *t, const struct tensor_diff *d)
{
    char share[SHOW_SIZE];
    if (diff_measured(d) && !d->unread) {
        table_cell(t, "%.4g", d->distance);
        table_cell(t, "%.6f", d->cosine);
        table_cell(t, "%s", show_share(share, d->changed));
        return;
    }
    for (int i = 0; i < 3; i++)
        table_cell(t, "%s", d->unread ? "unread" : "-");
}

static void put_types(struct table *t, const struct tensor_diff *d)
{
    if (d->a && d->b && d->a->dtype != d->b->dtype)
        table_cell(t, "%s \xe2\x86\x92 %s", dtype_name(d->a->dtype), dtype_name(d->b->dtype));
    else
        table_cell(t, "%s", dtype_name(d->b ? d->b->dtype : d->a->dtype));
}

static void most_row(struct table *t, const struct tensor_diff *d)
{
    char name[SHOW_SIZE];
    table_cell(t, "%s", show_text(name, diff_name(d), SHOW_NAME));
    put_types(t, d);
    put_numbers(t, d);
}

static void full_row(struct table *t, const struct tensor_diff *d)
{
    char name[SHOW_SIZE], a[SHOW_SIZE], b[SHOW_SIZE];
    table_cell(t, "%s", show_text(name, diff_name(d), SHOW_NAME));
    table_cell(t, "%s", tensor_change_name(d->change));
    put_types(t, d);
    put_numbers(t, d);
    if (d->change == TENSOR_RESHAPED)
        table_cell(t, "%s \xe2\x86\x92 %s", show_shape(a, d->a), show_shape(b, d->b));
    else if (d->mapped && d->a)
        table_cell(t, "in A %s", show_text(name, d->a->name, SHOW_NAME));
    else
        table_cell(t, "%s", "");
}

static void put_heads(struct table *t, const char *const *heads)
{
    for (; *heads; heads++)
        table_cell(t, "%s", *heads);
}

static int by_distance(const void *pa, const void *pb)
{
    const struct tensor_diff *a = *(const struct tensor_diff *const *)pa;
    const struct tensor_diff *b = *(const struct tensor_diff *const *)pb;
    if (a->distance > b->distance || a->distance < b->distance)
        return a->distance > b->distance ? -1 : 1;
    return span_cmp(diff_name(a), diff_name(b));
}

static void put_most_changed(struct out *o, const struct diff *d)
{
    static const char *const heads[] = {"tensor", "type", "distance", "cosine", "changed", NULL};
    const struct tensor_diff **moved = calloc(d->tensor_count + 1, sizeof *moved);
    struct table t;
    size_t n = 0;
    if (!moved)
        return;
    for (size_t i = 0; i < d->tensor_count; i++)
        if (diff_measured(&d->tensors[i]) && d->tensors[i].distance > 0)
            moved[n++] = &d->tensors[i];
    qsort(moved, n, sizeof(const struct tensor_diff *), by_distance);
    if (n) {
        out_heading(o, "Most changed");
        table_init(&t, "llrrr", true);
        put_heads(&t, heads);
        for (size_t i = 0; i < n && i < MOST_CHANGED; i++)
            most_row(&t, moved[i]);
        table_print(&t, o, 2);
        table_free(&t);
        if (n > MOST_CHANGED)
            out_printf(o, "  and %zu more (--tensors lists them)\n", n - MOST_CHANGED);
    }
    free(moved);
}

static void put_tensors(struct out *o, const struct diff *d, bool all)
{
    static const char *const heads[] = {"tensor", "change",  "type", "distance",
                                        "cosine", "changed", "",     NULL};
    struct table t;
    out_heading(o, "Tensors");
    table_init(&t, "lllrrrl", true);
    put_heads(&t, heads);
    for (size_t i = 0; i < d->tensor_count; i++)
        if (all || d->tensors[i].change != TENSOR_SAME)
            full_row(&t, &d->tensors[i]);
    table_print(&t, o, 2);
    table_free(&t);
}

/* Tensors that stand on one side only, or whose shape changed. */
static void put_unmatched(struct out *o, const struct diff *d)
{
    char name[SHOW_SIZE], shape[SHOW_SIZE];
    size_t shown = 0, hidden = 0;
    for (size_t i = 0; i < d->tensor_count; i++) {
        const struct tensor_diff *x = &d->tensors[i];
        if (diff_measured(x))
            continue;
        if (shown == 0)
            out_heading(o, "Added, removed, reshaped");
        if (shown == MOST_CHANGED) {
            hidden++;
            continue;
        }
        shown++;
        const struct tensor *t = x->b ? x->b : x->a;
        out_printf(o, "  %-9s %s  %s  %s\n", tensor_change_name(x->change),
                   show_text(name, diff_name(x), SHOW_NAME), dtype_name(t->dtype),
                   show_shape(shape, t));
    }
    if (hidden)
        out_printf(o, "  and %zu more (--tensors lists them)\n", hidden);
}

static void put_entries(struct out *o, const struct diff *d, bool all)
{
    char a[SHOW_SIZE], b[SHOW_SIZE], what[SHOW_SIZE], line[2048], heading[64];
    snprintf(heading, sizeof heading, "Differences: %zu", d->entry_count + d->entries_more);
    out_heading(o, d->entry_count ? heading : "Differences: none besides the tensors");
    for (size_t i = 0; i < d->entry_count && (all || i < ENTRIES); i++) {
        const struct diff_entry *x = &d->entries[i];
        out_printf(o, "  %s: ", x->where);
        size_t at = strlen(x->where) + 4;
        snprintf(line, sizeof line, "%s: %s \xe2\x86\x92 %s",
                 show_text(what, span_str(x->what), 80),
                 x->a ? show_text(a, span_str(x->a), all ? 400 : VALUE) : "absent",
                 x->b ? show_text(b, span_str(x->b), all ? 400 : VALUE) : "absent");
        out_wrapped_at(o, (unsigned)at, line);
    }
    if (!all && d->entry_count > ENTRIES)
        out_printf(o, "  and %zu more (--all lists them)\n",
                   d->entry_count + d->entries_more - ENTRIES);
    else if (d->entries_more)
        out_printf(o, "  and %zu more that were not kept\n", d->entries_more);
}

void diff_text(struct out *o, const struct comparison *c, const struct diff_args *args)
{
    if (c->has_diff)
        put_relation(o, c);
    else
        out_style(o, STYLE_BAD, "INCOMPLETE: the comparison was not finished\n\n");
    put_model(o, "A", c->a);
    put_model(o, "B", c->b);
    if (!c->has_diff)
        return;
    put_counts(o, &c->diff);
    if (args->tensors || args->all)
        put_tensors(o, &c->diff, args->all);
    else {
        put_most_changed(o, &c->diff);
        put_unmatched(o, &c->diff);
    }
    put_entries(o, &c->diff, args->all);
}
