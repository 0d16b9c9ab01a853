/*
 * Lineage: what the documents claim, and what the tensors of the ancestors at
 * hand say to it. A claim about an ancestor that is not at hand stays declared;
 * one that the tensors refute is contradicted, whatever the card says.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "provenance/lineage.h"

enum { SHOWN = 200 };

const char *edge_status_name(enum edge_status s)
{
    static const char *const names[] = {"declared", "verified", "contradicted"};
    return names[s];
}

static const char *shown(struct making *k, struct span s)
{
    char text[SHOWN + 8];
    return arena_str(k->a, span_str(text_shown(text, sizeof text, s)));
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

bool lineage_same_name(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0 || strcasecmp(last_part(a), last_part(b)) == 0;
}

/* The model itself is nobody's ancestor, whatever its ancestors are called. */
static size_t find_node(const struct lineage *l, const char *name, const char *kind)
{
    for (size_t i = 1; i < l->node_count; i++)
        if (strcmp(l->nodes[i].kind, kind) == 0 && lineage_same_name(l->nodes[i].name, name))
            return i;
    return SIZE_MAX;
}

static size_t node(struct making *k, const char *name, const char *kind, const char *digest)
{
    struct lineage *l = k->l;
    size_t known = name ? find_node(l, name, kind) : SIZE_MAX;
    if (known != SIZE_MAX) {
        if (!l->nodes[known].digest)
            l->nodes[known].digest = digest;
        return known;
    }
    struct lineage_node *grown =
        name ? arena_grow(k->a, l->nodes, l->node_count, &l->node_cap, sizeof *grown) : NULL;
    if (!grown)
        return SIZE_MAX;
    l->nodes = grown;
    l->nodes[l->node_count] = (struct lineage_node){name, kind, digest};
    return l->node_count++;
}

static struct lineage_edge *find_edge(const struct lineage *l, size_t from, size_t to)
{
    for (size_t i = 0; i < l->edge_count; i++)
        if (l->edges[i].from == from && l->edges[i].to == to)
            return &l->edges[i];
    return NULL;
}

/* One edge between two; the first that says so. */
static struct lineage_edge *edge(struct making *k, size_t from, size_t to, const char *relation,
                                 enum edge_status status, const char *because)
{
    struct lineage *l = k->l;
    struct lineage_edge *known = find_edge(l, from, to);
    if (known)
        return known;
    struct lineage_edge *grown =
        from != SIZE_MAX && to != SIZE_MAX && relation
            ? arena_grow(k->a, l->edges, l->edge_count, &l->edge_cap, sizeof *grown)
            : NULL;
    if (!grown) {
        err_set(k->e, ERR_MEMORY, "out of memory for a lineage");
        return NULL;
    }
    l->edges = grown;
    l->edges[l->edge_count] = (struct lineage_edge){from, to, relation, status, because};
    return &l->edges[l->edge_count++];
}

/* ---- what is claimed ---- */

static const char made_from[] = "made from";

static const char *declared_relation(struct making *k, const struct lineage_base *b)
{
    struct span r = b->model->card.base_model_relation;
    if (r.n)
        return shown(k, r);
    return b->facts->architecture.is_adapter ? "adapter"
           : b->facts->base_model_count > 1  ? lineage_merge
                                             : made_from;
}

static bool claim_one(struct making *k, size_t to, const char *name, const char *kind,
                      const char *relation, const char *who)
{
    size_t from = node(k, name, kind, NULL);
    struct lineage_edge *e = from == to ? NULL : edge(k, from, to, relation, EDGE_DECLARED, who);
    if (e && relation == lineage_merge && strcmp(e->relation, made_from) == 0)
        e->relation =
            lineage_merge; /* a mergekit configuration knows it better than a card without a word */
    return from == to || e;
}

static bool claim_merge(struct making *k, const struct lineage_base *b, size_t to)
{
    struct merge_plan p;
    if (!merge_plan_read(&p, b->model, 0, k->a, k->e))
        return false;
    if (p.trouble)
        k->l->trouble = p.trouble;
    for (size_t i = 0; i < p.model_count; i++)
        if (!claim_one(k, to, p.models[i], "model", lineage_merge,
                       "its mergekit configuration names it"))
            return false;
    return true;
}

/* What the documents of a model at hand say of it. */
static bool claim_edges(struct making *k, const struct lineage_base *b, size_t to)
{
    static const char who[] = "the model's own documents name it", base[] = "its documents name it";
    const struct facts *f = b->facts;
    const char *relation = declared_relation(k, b);
    for (size_t i = 0; i < f->base_model_count; i++)
        if (!claim_one(k, to, shown(k, f->base_models[i]), "model", relation, to ? base : who))
            return false;
    if (!claim_merge(k, b, to))
        return false;
    for (size_t i = 0; i < f->dataset_count; i++)
        if (!claim_one(k, to, shown(k, f->datasets[i]), "dataset", "trained on", to ? base : who))
            return false;
    return true;
}

/* ---- what the tensors say ---- */

/* The relation in the words of cards; NULL: none that cards have. */
static const char *measured(const struct diff *d)
{
    switch (d->relation) {
    case REL_IDENTICAL:
    case REL_REPACKED:
        return "identical";
    case REL_QUANTISED:
        return d->reversed ? NULL : "quantized";
    case REL_FINE_TUNED:
        return "finetune";
    case REL_ADAPTER:
        return d->reversed ? NULL : "adapter";
    case REL_SAME_ARCHITECTURE:
    case REL_UNRELATED:
    case REL_UNDECIDED:
        break;
    }
    return NULL;
}

static bool agrees(const char *declared, const char *found)
{
    return strcmp(declared, found) == 0 || strcmp(declared, made_from) == 0 ||
           (strcmp(declared, lineage_merge) == 0 && strcmp(found, "finetune") == 0);
}

static bool compare(struct making *k, const struct lineage_base *from,
                    const struct lineage_base *to, struct diff *d)
{
    return inspect_diff(d, from->model, to->model, k->a, k->options, k->e);
}

/* The model at hand that a node is; NULL: it is not at hand. */
const struct lineage_base *lineage_at_hand(const struct making *k, size_t n)
{
    for (size_t i = 0; n && i < k->base_count; i++)
        if (strcmp(k->l->nodes[n].kind, "model") == 0 &&
            lineage_same_name(k->l->nodes[n].name, k->bases[i].name))
            return &k->bases[i];
    return n ? NULL : k->self;
}

bool lineage_judge(struct making *k, struct lineage_edge *e, struct diff *d)
{
    if (!compare(k, lineage_at_hand(k, e->from), lineage_at_hand(k, e->to), d))
        return false;
    const char *found = measured(d);
    if (d->relation == REL_UNDECIDED) {
        e->because = arena_printf(k->a, "the tensors do not decide it: %s", d->because);
    } else if (!found) {
        e->status = EDGE_CONTRADICTED;
        e->because = arena_printf(k->a, "%s%s: %s", relation_name(d->relation),
                                  d->reversed ? ", with the two exchanged" : "", d->because);
    } else if (!agrees(e->relation, found)) {
        e->status = EDGE_CONTRADICTED;
        e->because = arena_printf(k->a, "declared %s, and the tensors say %s: %s", e->relation,
                                  found, d->because);
    } else {
        e->status = EDGE_VERIFIED;
        if (strcmp(e->relation, made_from) == 0)
            e->relation = found;
        e->because = d->because;
    }
    return e->because || err_set(k->e, ERR_MEMORY, "out of memory for a lineage");
}

/* ---- ancestors at hand ---- */

static const char *root_of(struct making *k, const struct lineage_base *b)
{
    char hex[DIGEST_HEX + 1];
    return b->identity->has_tensor_root
               ? arena_str(k->a, span_str(digest_hex(hex, &b->identity->tensor_root)))
               : NULL;
}

/* Those that somebody names say what they were made from themselves, and so on; then those that
 * nobody names are compared with the model, and said to be what they are. */
static bool join(struct making *k)
{
    bool joined[LINEAGE_BASES] = {false};
    for (size_t i = 0; i < k->base_count; i++) {
        const struct lineage_base *b = &k->bases[i];
        size_t n = find_node(k->l, b->name, "model");
        if (joined[i] || n == SIZE_MAX)
            continue;
        k->l->nodes[n].digest = root_of(k, b);
        joined[i] = true;
        if (!claim_edges(k, b, n))
            return false;
        i = SIZE_MAX; /* one that was passed over may have been named now */
    }
    for (size_t i = 0; i < k->base_count; i++) {
        const struct lineage_base *b = &k->bases[i];
        struct diff d;
        if (joined[i])
            continue;
        if (!compare(k, b, k->self, &d))
            return false;
        const char *found = measured(&d);
        size_t n = node(k, b->name, "model", root_of(k, b));
        if (!edge(k, n, 0, found ? found : "unrelated", found ? EDGE_VERIFIED : EDGE_DECLARED,
                  found ? arena_printf(k->a, "not declared; %s", d.because) : d.because) ||
            !claim_edges(k, b, n))
            return false;
    }
    return true;
}

/* Every edge whose two ends are at hand. */
static bool judge_all(struct making *k)
{
    for (size_t i = 0; i < k->l->edge_count; i++) {
        struct lineage_edge *e = &k->l->edges[i];
        struct diff d;
        if (!e->from || !lineage_at_hand(k, e->from) || !lineage_at_hand(k, e->to) ||
            e->status != EDGE_DECLARED || strcmp(e->relation, "unrelated") == 0)
            continue;
        bool is_merge = strcmp(e->relation, lineage_merge) == 0;
        if (!(is_merge ? lineage_judge_merge(k, e) : lineage_judge(k, e, &d)))
            return false;
    }
    return true;
}

bool lineage_make(struct lineage *out, struct model *m, const struct facts *f,
                  const struct identity *identity, const struct lineage_base *bases, size_t count,
                  const struct diff_options *o, struct arena *a, struct err *e)
{
    const struct lineage_base self = {"", m, f, identity};
    struct making k = {
        .l = out, .self = &self, .bases = bases, .base_count = count, .options = o, .a = a, .e = e};
    *out = (struct lineage){.node_count = 0};
    if (count > LINEAGE_BASES)
        return err_set(e, ERR_LIMIT, "more than %d ancestors at hand", LINEAGE_BASES);
    const char *name = shown(&k, f->name.n ? f->name : span_str(last_part(m->path)));
    if (node(&k, name, "model", root_of(&k, &self)) == SIZE_MAX)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    return claim_edges(&k, &self, 0) && join(&k) && judge_all(&k);
}

const char *lineage_base_name(const char *path, struct arena *a)
{
    const char *cache = strstr(path, "models--");
    size_t n = strlen(path);
    if (cache) { /* .../models--ORG--NAME/snapshots/REVISION */
        struct span repo = {(const uint8_t *)cache + 8, strcspn(cache + 8, "/")};
        const uint8_t *dashes = memmem(repo.p, repo.n, "--", 2);
        size_t org = dashes ? (size_t)(dashes - repo.p) : 0;
        if (org)
            return arena_printf(a, "%.*s/%.*s", (int)org, (const char *)repo.p,
                                (int)(repo.n - org - 2), (const char *)repo.p + org + 2);
    }
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return arena_str(a, (struct span){(const uint8_t *)path + from, n - from});
}

bool lineage_copy(struct lineage *out, const struct lineage *l, struct arena *a, struct err *e)
{
    *out = *l;
    out->nodes = arena_array(a, l->node_count, sizeof *out->nodes);
    out->edges = arena_array(a, l->edge_count, sizeof *out->edges);
    if (!out->nodes || !out->edges)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    memcpy(out->nodes, l->nodes, l->node_count * sizeof *out->nodes);
    if (l->edge_count)
        memcpy(out->edges, l->edges, l->edge_count * sizeof *out->edges);
    out->node_cap = out->node_count;
    out->edge_cap = out->edge_count;
    return true;
}

bool lineage_add(struct lineage *l, const struct lineage_found *f, struct arena *a, struct err *e)
{
    struct making k = {.l = l, .a = a, .e = e};
    const struct lineage_node *n = &f->ancestor;
    size_t from = find_node(l, n->name, n->kind);
    struct lineage_edge *known = from == SIZE_MAX ? NULL : find_edge(l, from, 0);
    if (!known)
        return edge(&k, node(&k, n->name, n->kind, n->digest), 0, f->relation, f->status,
                    f->because) != NULL;
    if (!l->nodes[known->from].digest)
        l->nodes[known->from].digest = n->digest;
    if (known->status == EDGE_DECLARED || f->status == EDGE_CONTRADICTED) {
        known->status = f->status;
        known->because = f->because;
    }
    return true;
}
