/*
 * Lineage: what the documents claim, and what the tensors of the ancestors at
 * hand say to it. A claim about an ancestor that is not at hand stays declared;
 * one that the tensors refute is contradicted, whatever the card says.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "assay/provenance.h"

enum { SHOWN = 200 };

const char *edge_status_name(enum edge_status s)
{
    static const char *const names[] = {"declared", "verified", "contradicted"};
    return names[s];
}

struct making {
    struct lineage *l;
    struct model *model;
    const struct facts *facts;
    struct arena *a;
    struct err *e;
};

static const char *shown(struct making *k, struct span s)
{
    char text[SHOWN + 8];
    return arena_str(k->a, span_str(text_shown(text, sizeof text, s)));
}

static size_t node(struct making *k, const char *name, const char *kind, const char *digest)
{
    struct lineage *l = k->l;
    for (size_t i = 0; i < l->node_count; i++)
        if (strcmp(l->nodes[i].name, name) == 0 && strcmp(l->nodes[i].kind, kind) == 0) {
            if (!l->nodes[i].digest)
                l->nodes[i].digest = digest;
            return i;
        }
    struct lineage_node *grown =
        arena_grow(k->a, l->nodes, l->node_count, &l->node_cap, sizeof *grown);
    if (!grown)
        return SIZE_MAX;
    l->nodes = grown;
    l->nodes[l->node_count] = (struct lineage_node){name, kind, digest};
    return l->node_count++;
}

static struct lineage_edge *edge(struct making *k, size_t from, size_t to, const char *relation,
                                 enum edge_status status, const char *because)
{
    struct lineage *l = k->l;
    struct lineage_edge *grown =
        from != SIZE_MAX && to != SIZE_MAX
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

static const char *declared_relation(struct making *k)
{
    struct span r = k->model->card.base_model_relation;
    if (r.n)
        return shown(k, r);
    return k->facts->architecture.is_adapter ? "adapter" : "made from";
}

static bool claim_edges(struct making *k)
{
    const struct facts *f = k->facts;
    const char *relation = declared_relation(k);
    for (size_t i = 0; i < f->base_model_count; i++) {
        const char *name = shown(k, f->base_models[i]);
        if (!name || !relation ||
            !edge(k, node(k, name, "model", NULL), 0,
                  f->base_model_count > 1 && strcmp(relation, "made from") == 0 ? "merge"
                                                                                : relation,
                  EDGE_DECLARED, "the model's own documents name it"))
            return false;
    }
    for (size_t i = 0; i < f->dataset_count; i++) {
        const char *name = shown(k, f->datasets[i]);
        if (!name || !edge(k, node(k, name, "dataset", NULL), 0, "trained on", EDGE_DECLARED,
                           "the model's own documents name it"))
            return false;
    }
    return true;
}

/* ---- what the tensors say ---- */

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static struct lineage_edge *edge_from(struct making *k, const char *base, const char *kind)
{
    for (size_t i = 0; i < k->l->edge_count; i++) {
        const char *name = k->l->nodes[k->l->edges[i].from].name;
        if (strcmp(k->l->nodes[k->l->edges[i].from].kind, kind) == 0 &&
            (strcasecmp(name, base) == 0 || strcasecmp(last_part(name), last_part(base)) == 0))
            return &k->l->edges[i];
    }
    return NULL;
}

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
    return strcmp(declared, found) == 0 || strcmp(declared, "made from") == 0 ||
           (strcmp(declared, "merge") == 0 && strcmp(found, "finetune") == 0);
}

static void judge(struct making *k, struct lineage_edge *e, const struct diff *d)
{
    const char *found = measured(d);
    if (d->relation == REL_UNDECIDED) {
        e->because = arena_printf(k->a, "the tensors do not decide it: %s", d->because);
        return;
    }
    if (!found) {
        e->status = EDGE_CONTRADICTED;
        e->because = arena_printf(k->a, "%s%s: %s", relation_name(d->relation),
                                  d->reversed ? ", with the two exchanged" : "", d->because);
    } else if (!agrees(e->relation, found)) {
        e->status = EDGE_CONTRADICTED;
        e->because = arena_printf(k->a, "declared %s, and the tensors say %s: %s", e->relation,
                                  found, d->because);
    } else {
        e->status = EDGE_VERIFIED;
        if (strcmp(e->relation, "made from") == 0)
            e->relation = found;
        e->because = d->because;
    }
}

static bool compare(struct making *k, const struct lineage_base *b)
{
    struct diff d;
    struct diff_options o = {.threads = 0};
    char hex[DIGEST_HEX + 1];
    const char *digest = b->identity->has_tensor_root
                             ? arena_str(k->a, span_str(digest_hex(hex, &b->identity->tensor_root)))
                             : NULL;
    if (!inspect_diff(&d, b->model, k->model, k->a, &o, k->e))
        return false;
    struct lineage_edge *e = edge_from(k, b->name, "model");
    if (e) {
        if (!k->l->nodes[e->from].digest)
            k->l->nodes[e->from].digest = digest;
        judge(k, e, &d);
        return true;
    }
    /* Nobody claims it, and it is at hand: say what it is when it is something. */
    const char *found = measured(&d);
    return edge(k, node(k, b->name, "model", digest), 0, found ? found : "unrelated",
                found ? EDGE_VERIFIED : EDGE_DECLARED,
                found ? arena_printf(k->a, "not declared; %s", d.because) : d.because) != NULL;
}

bool lineage_make(struct lineage *out, struct model *m, const struct facts *f,
                  const struct identity *identity, const struct lineage_base *bases, size_t count,
                  struct arena *a, struct err *e)
{
    struct making k = {.l = out, .model = m, .facts = f, .a = a, .e = e};
    char hex[DIGEST_HEX + 1];
    *out = (struct lineage){.node_count = 0};
    const char *name = shown(&k, f->name.n ? f->name : span_str(last_part(m->path)));
    const char *digest = identity->has_tensor_root
                             ? arena_str(a, span_str(digest_hex(hex, &identity->tensor_root)))
                             : NULL;
    if (!name || node(&k, name, "model", digest) == SIZE_MAX)
        return err_set(e, ERR_MEMORY, "out of memory for a lineage");
    if (!claim_edges(&k))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!compare(&k, &bases[i]))
            return false;
    return true;
}

bool lineage_add(struct lineage *l, const struct lineage_found *f, struct arena *a, struct err *e)
{
    struct making k = {.l = l, .a = a, .e = e};
    const struct lineage_node *n = &f->ancestor;
    struct lineage_edge *known = edge_from(&k, n->name, n->kind);
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
