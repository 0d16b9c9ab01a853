/*
 * What B is to A: pairs the tensors, compares their values, collects what
 * differs outside them, and names one relation. Every step has its own file;
 * this one only puts them in order.
 */
#include "inspect/diff.h"

static bool list_tensors(struct diff *out, const struct pairs *p, struct arena *arena)
{
    out->tensors = arena_array(arena, p->n + 1, sizeof *out->tensors);
    if (!out->tensors)
        return false;
    for (size_t i = 0; i < p->n; i++) {
        out->tensors[i] = p->v[i].d;
        if (p->v[i].d.unread)
            out->unread++;
        else
            out->counts[p->v[i].d.change]++;
    }
    out->tensor_count = p->n;
    return true;
}

static bool list_entries(struct diff *out, struct model *a, struct model *b, struct arena *arena)
{
    struct entries x = {.arena = arena};
    if (!diff_documents(&x, a, b) || !diff_tokenizers(&x, a, b) || x.failed)
        return false;
    out->entries = x.v;
    out->entry_count = x.n;
    out->entries_more = x.more;
    return true;
}

bool inspect_diff(struct diff *out, struct model *a, struct model *b, struct arena *arena,
                  const struct diff_options *opt, struct err *e)
{
    struct pairs pairs = {0};
    *out = (struct diff){0};
    if (!diff_pair(&pairs, a, b, arena, e) || !diff_compare(&pairs, opt, e))
        return false;
    if (!list_tensors(out, &pairs, arena) || !list_entries(out, a, b, arena))
        return err_set(e, ERR_MEMORY, "out of memory while listing differences");
    return diff_relation(out, &pairs, a, b, arena, e);
}

const char *tensor_change_name(enum tensor_change c)
{
    static const char *const names[] = {
        "same", "changed", "re-typed", "reshaped", "added", "removed",
    };
    return (size_t)c < sizeof names / sizeof names[0] ? names[c] : "?";
}
