/*
 * Merges in a lineage: verified where the merged tensors, computed again from all
 * parents, are the model's own within rounding. What was drawn at random, and what
 * no configuration tells, stays declared, with what the tensors say to it.
 */
#include <math.h>
#include <string.h>

#include "provenance/lineage.h"

/* Of the elements outside the bound of rounding, above which a configuration did not make a model. */
static const double OUTSIDE_MOST = 0.001;
/* Of the elements to the bit, in results of 16 bits: the arithmetic followed here gave 98 % and more of
 * mergekit's own; parameters that are off by what rounding hides give clearly fewer. */
static const double EXACT_LEAST = 0.95;
/* Between the share of deltas that DARE kept and the declared one, and how many must be told for it. */
static const double DENSITY_MOST = 0.1;
enum { TOLD_LEAST = 1000 };
/* Of the way to a parent, below which it gave nothing: what rounding moves stays below a hundredth. */
static const double MERGE_LEAST = 0.02;

const char lineage_merge[] = "merge";

/* ---- computing again ---- */

static size_t parents(const struct lineage *l, size_t to, size_t out[2])
{
    size_t n = 0;
    for (size_t i = 0; i < l->edge_count; i++)
        if (l->edges[i].to == to && strcmp(l->edges[i].relation, lineage_merge) == 0) {
            if (n < 2)
                out[n] = l->edges[i].from;
            n++;
        }
    return n;
}

/* Two parents and no configuration: somewhere on the line between them. */
static void plan_line(struct making *k, size_t to)
{
    static const struct merge_slice line = {
        .in = {{.model = 0}, {.model = 1}}, .count = 2, .base = 0, .layers = UINT64_MAX};
    struct merge_plan *p = &k->plan;
    size_t two[2];
    p->unclear = "no configuration says how it was merged";
    if (parents(k->l, to, two) != 2)
        return;
    p->slices = arena_alloc(k->a, sizeof line);
    if (!p->slices)
        return;
    *p->slices = line;
    p->slice_count = 1;
    p->method = MERGE_LINE;
    p->unclear = NULL;
    p->model_count = 2;
    for (size_t i = 0; i < 2; i++)
        p->models[i] = k->l->nodes[two[i]].name;
}

/* The ancestor that a plan calls so. */
static const struct lineage_base *called(const struct making *k, const char *name)
{
    for (size_t i = 0; i < k->base_count; i++)
        if (lineage_same_name(k->bases[i].name, name))
            return &k->bases[i];
    return NULL;
}

static bool compute(struct making *k, size_t to)
{
    const struct lineage_base *m = lineage_at_hand(k, to), *at_hand[MERGE_MODELS];
    if (k->computed == to + 1)
        return true;
    k->computed = to + 1;
    if (!merge_plan_read(&k->plan, m->model, m->facts->architecture.layers, k->a, k->e))
        return false;
    if (!k->plan.file || k->plan.trouble)
        plan_line(k, to);
    for (size_t i = 0; i < k->plan.model_count; i++)
        at_hand[i] = called(k, k->plan.models[i]);
    return merge_check(&k->result, &k->plan, m, at_hand, k->options, k->a, k->e);
}

/* ---- words ---- */

static const char *amount(struct making *k, uint64_t part, uint64_t all)
{
    if (part == all)
        return arena_printf(k->a, "all %llu", (unsigned long long)all);
    double hundredths = all ? floor(10000 * (double)part / (double)all) : 0;
    return arena_printf(k->a, "%llu of %llu (%.2f %%)", (unsigned long long)part,
                        (unsigned long long)all, hundredths / 100);
}

/* "slerp of mergekit_config.yml", or the line. */
static const char *of_what(struct making *k, size_t model)
{
    if (k->plan.method != MERGE_LINE)
        return arena_printf(k->a, "%s by %s", k->plan.method_name, k->plan.file);
    double least = model ? k->result.least : 1 - k->result.most;
    double most = model ? k->result.most : 1 - k->result.least;
    if (most - least < 0.005)
        return arena_printf(k->a, "a linear merge, %.1f %% of it", 50 * (least + most));
    return arena_printf(k->a, "a linear merge, %.1f to %.1f %% of it", 100 * least, 100 * most);
}

static const char *drawn(struct making *k, size_t model)
{
    const struct merge_result *r = &k->result;
    if (!merge_is_random(k->plan.method) || !r->told[model])
        return "";
    return arena_printf(
        k->a, "; of its deltas %.1f %% were kept where that can be told, declared %.1f %%",
        100 * (double)r->kept[model] / (double)r->told[model], 100 * r->density[model]);
}

/* DARE kept another share of the deltas than it was told to. */
static bool other_density(const struct making *k, size_t model)
{
    const struct merge_result *r = &k->result;
    double kept = r->told[model] ? (double)r->kept[model] / (double)r->told[model] : 0;
    return merge_is_random(k->plan.method) && r->told[model] >= TOLD_LEAST &&
           fabs(kept - r->density[model]) > DENSITY_MOST;
}

/* All agree, and some of them need this parent. */
static void say_computed(struct making *k, struct lineage_edge *e, size_t model)
{
    const struct merge_result *r = &k->result;
    bool random = merge_is_random(k->plan.method), needed = r->needed[model] > 0;
    const char *agree = amount(k, r->agree, r->elements);
    const char *type = dtype_name(r->type), *what = of_what(k, model);
    double outside = (double)(r->elements - r->agree) / (double)r->elements;
    if (outside > OUTSIDE_MOST) {
        e->status = EDGE_CONTRADICTED;
        e->because = arena_printf(
            k->a,
            "%s does not give these tensors: computed again, %s elements agree within the "
            "rounding of %s, in %zu of %zu tensors all",
            what, agree, type, (size_t)r->whole, (size_t)r->tensors);
        return;
    }
    bool exact = random || r->type == DTYPE_F32 || k->plan.method == MERGE_LINE ||
                 (double)r->exact >= EXACT_LEAST * (double)r->elements;
    e->status =
        outside > 0 || random || r->apart || !needed || !exact ? EDGE_DECLARED : EDGE_VERIFIED;
    if (other_density(k, model))
        e->status = EDGE_CONTRADICTED;
    e->because = arena_printf(
        k->a, "%s, %s: %s elements of %zu tensors agree within the rounding of %s%s%s%s%s", what,
        random ? "which draws at random and cannot be computed again, is bounded"
               : "computed again",
        agree, (size_t)r->tensors, type,
        random
            ? " with the base plus some of the deltas"
            : arena_printf(k->a, ", %s to the bit%s", amount(k, r->exact, r->elements),
                           exact ? "" : ", which other parameters near these would give as well"),
        needed ? arena_printf(k->a, "; %s need it", amount(k, r->needed[model], r->elements))
               : "; but none needs it, the others alone give the same",
        drawn(k, model),
        r->apart ? arena_printf(k->a, "; %zu of its tensors it does not make", r->apart) : "");
}

static size_t of_plan(const struct making *k, const char *name)
{
    size_t i = 0;
    while (i < k->plan.model_count && !lineage_same_name(k->plan.models[i], name))
        i++;
    return i;
}

/* ---- without a computation that agrees ---- */

/* By name, as the second of the two compared has it. */
static const struct tensor_diff *named(const struct diff *d, const struct tensor *t)
{
    for (size_t i = 0; t && i < d->tensor_count; i++)
        if (d->tensors[i].b && span_eq(d->tensors[i].b->name, t->name))
            return &d->tensors[i];
    return NULL;
}

/* Of the way from `other` to `parent`, over the tensors in which they differ; NAN: nothing is known.
 * With x = |M - P|, y = |M - O|, z = |P - O|: M projected on the line from O to P. */
static bool share_of(double *out, const struct lineage_base *parent,
                     const struct lineage_base *other, const struct lineage_base *model,
                     struct making *k)
{
    struct diff with_parent, with_other, apart;
    double weight = 0, sum = 0;
    if (!inspect_diff(&with_parent, model->model, parent->model, k->a, k->options, k->e) ||
        !inspect_diff(&with_other, model->model, other->model, k->a, k->options, k->e) ||
        !inspect_diff(&apart, parent->model, other->model, k->a, k->options, k->e))
        return false;
    for (size_t i = 0; i < apart.tensor_count; i++) {
        const struct tensor_diff *z = &apart.tensors[i];
        const struct tensor_diff *x = named(&with_parent, z->a), *y = named(&with_other, z->b);
        if (!x || !y || !isfinite(x->distance) || !isfinite(y->distance) ||
            !isfinite(z->distance) || !(z->distance > 0))
            continue;
        double n = (double)z->a->elements, zz = z->distance * z->distance;
        sum += n * (y->distance * y->distance - x->distance * x->distance + zz) / (2 * zz);
        weight += n;
    }
    *out = weight > 0 ? sum / weight : NAN;
    return true;
}

static bool nothing_of_it(struct making *k, struct lineage_edge *e, const struct diff *d)
{
    const struct lineage_base *to = lineage_at_hand(k, e->to), *from = lineage_at_hand(k, e->from);
    for (size_t i = 0; i < k->l->edge_count && e->status != EDGE_CONTRADICTED; i++) {
        const struct lineage_edge *x = &k->l->edges[i];
        const struct lineage_base *other = lineage_at_hand(k, x->from);
        double share;
        if (x == e || x->to != e->to || strcmp(x->relation, lineage_merge) != 0 || !other)
            continue;
        if (!share_of(&share, from, other, to, k))
            return false;
        if (!(share < MERGE_LEAST))
            continue;
        e->status = EDGE_CONTRADICTED;
        e->because =
            arena_printf(k->a,
                         "nothing of it is in them: the tensors lie %.0f %% of the way "
                         "from %s to it; %s",
                         share > 0 ? 100 * share : 0, k->l->nodes[x->from].name, d->because);
    }
    return true;
}

/* What is refuted is contradicted; the rest stays declared. */
static bool judge_relation(struct making *k, struct lineage_edge *e, const char *why)
{
    struct diff d;
    size_t two[2];
    if (!lineage_judge(k, e, &d))
        return false;
    if (e->status != EDGE_VERIFIED)
        return true;
    bool alone = !k->plan.file && parents(k->l, e->to, two) < 2;
    e->status = alone ? EDGE_CONTRADICTED : EDGE_DECLARED;
    e->because =
        arena_printf(k->a, "%s: %s",
                     alone ? "a merge has two parents or more, and one is named" : why, d.because);
    return alone || nothing_of_it(k, e, &d);
}

bool lineage_judge_merge(struct making *k, struct lineage_edge *e)
{
    if (!compute(k, e->to))
        return false;
    const struct merge_result *r = &k->result;
    size_t model = of_plan(k, k->l->nodes[e->from].name);
    bool line = k->plan.method == MERGE_LINE;
    if (r->why)
        return judge_relation(k, e, arena_printf(k->a, "not computed again, %s", r->why));
    if (model == k->plan.model_count)
        return judge_relation(k, e, "the configuration does not name it");
    if (line && r->agree < r->elements)
        return judge_relation(k, e,
                              "no linear merge of the two, and no configuration says which other");
    say_computed(k, e, model);
    return e->because || err_set(k->e, ERR_MEMORY, "out of memory for a lineage");
}
