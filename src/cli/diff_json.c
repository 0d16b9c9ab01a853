/* diff --json: schema/diff.schema.json, the same facts as the text. */
#include "cli/diff_view.h"
#include "cli/json_out.h"

static void put_side(struct json_writer *w, const char *key, const struct model *m)
{
    size_t findings = 0;
    for (size_t i = 0; i < m->verdict.count; i++)
        findings += m->verdict.findings[i].count;
    jw_key(w, key);
    jw_object(w);
    jo_str(w, "path", m->path);
    jo_u64(w, "tensors", m->tensor_count);
    jo_u64(w, "findings", findings);
    jo_bool(w, "complete", !m->verdict.incomplete);
    jw_end_object(w);
}

static void put_tensor_side(struct json_writer *w, const char *key, const struct tensor *t)
{
    jw_key(w, key);
    if (!t) {
        jw_null(w);
        return;
    }
    jw_object(w);
    jo_tensor(w, t);
    jw_end_object(w);
}

static void put_measure(struct json_writer *w, const char *key, double v, bool measured)
{
    jw_key(w, key);
    measured ? jw_double(w, v) : jw_null(w);
}

static void put_tensors(struct json_writer *w, const struct diff *d, bool all)
{
    jw_key(w, "tensors");
    jw_array(w);
    for (size_t i = 0; i < d->tensor_count; i++) {
        const struct tensor_diff *x = &d->tensors[i];
        if (x->change == TENSOR_SAME && !all)
            continue;
        jw_object(w);
        jo_str(w, "change", tensor_change_name(x->change));
        jo_bool(w, "mapped", x->mapped);
        jo_bool(w, "bytes_equal", x->exact);
        jo_bool(w, "unread", x->unread);
        bool measured = diff_measured(x) && !x->unread;
        put_measure(w, "distance", x->distance, measured);
        put_measure(w, "cosine", x->cosine, measured);
        put_measure(w, "changed", x->changed, measured);
        jo_u64(w, "not_finite", x->not_finite);
        put_tensor_side(w, "a", x->a);
        put_tensor_side(w, "b", x->b);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void put_entries(struct json_writer *w, const struct diff *d)
{
    jw_key(w, "differences");
    jw_array(w);
    for (size_t i = 0; i < d->entry_count; i++) {
        jw_object(w);
        jo_str(w, "where", d->entries[i].where);
        jo_str(w, "what", d->entries[i].what);
        jo_str(w, "a", d->entries[i].a);
        jo_str(w, "b", d->entries[i].b);
        jw_end_object(w);
    }
    jw_end_array(w);
    jo_u64(w, "differences_more", d->entries_more);
}

static void put_diff(struct json_writer *w, const struct diff *d, const struct diff_args *args)
{
    static const char *const keys[] = {"same",     "changed", "retyped",
                                       "reshaped", "added",   "removed"};
    bool measured =
        d->counts[TENSOR_SAME] + d->counts[TENSOR_CHANGED] + d->counts[TENSOR_RETYPED] > 0;
    jo_str(w, "relation", relation_name(d->relation));
    if (d->relation == REL_QUANTISED)
        jo_bool(w, "reversed", d->reversed);
    jo_str(w, "because", d->because);
    put_measure(w, "distance", d->distance, measured);
    put_measure(w, "cosine", d->cosine, measured);
    put_measure(w, "changed", d->changed, measured);
    jw_key(w, "counts");
    jw_object(w);
    for (size_t i = 0; i <= TENSOR_REMOVED; i++)
        jo_u64(w, keys[i], d->counts[i]);
    jo_u64(w, "unread", d->unread);
    jw_end_object(w);
    put_entries(w, d);
    if (args->tensors || args->all)
        put_tensors(w, d, args->all);
}

void diff_json(struct out *o, const struct comparison *c, const struct diff_args *args)
{
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.diff/1");
    jo_bool(&w, "complete", c->complete);
    jo_bool(&w, "interrupted", c->interrupted);
    put_side(&w, "a", c->a);
    put_side(&w, "b", c->b);
    if (c->has_diff)
        put_diff(&w, &c->diff, args);
    else
        jo_str(&w, "relation", NULL);
    jo_finish(&w, o);
}
