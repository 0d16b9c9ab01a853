/*
 * Frameworks against claims. A requirement's status is that of its worst claim;
 * there is no average. What nobody said becomes a missing claim, so that the
 * counts on the cover say what is missing too.
 */
#include "report/clauses.h"

#include <string.h>

static bool in_scope(const struct report_input *in, const char *when)
{
    for (size_t i = 0; when && i < in->scope_count; i++)
        if (strcmp(in->scopes[i], when) == 0)
            return true;
    return when == NULL;
}

static const char *why_not(struct making *k, const struct requirement *q)
{
    char day[11];
    size_t n = strlen(k->in->as_of);
    memcpy(day, k->in->as_of, n < 10 ? n : 10);
    day[n < 10 ? n : 10] = '\0';
    if (!in_scope(k->in, q->when))
        return make_text(k, "only for %s; --scope %s says that it is", q->when, q->when);
    if (!requirement_applies(q, day))
        return q->from && strcmp(day, q->from) < 0 ? make_text(k, "not before %s", q->from)
                                                   : make_text(k, "applied until %s", q->until);
    return NULL;
}

/* Where a property that nobody stated would come from. */
static const char *remedy(struct making *k, const char *property)
{
    const struct property *p = property_find(span_str(property));
    const char *fill = p ? p->fill : "H";
    if (strcmp(fill, "H") == 0)
        return make_text(k, "a person must say it: assay attest, property %s", property);
    if (strchr(fill, 'L') && !k->reader)
        return "no log was given (--log)";
    if (strchr(fill, 'W') && !k->in->model)
        return "no model was given (--model)";
    if (strcmp(property, "dataset.tokens") == 0 && k->in->dataset_count)
        return "no tokenizer was given to count them with (--tokenizer)";
    if (strchr(fill, 'D'))
        return k->in->dataset_count ? "the data sets that were given do not say it"
                                    : "no data set was given (--datasets)";
    if (strchr(fill, 'T'))
        return k->in->training
                   ? "the training run that was given does not say it"
                   : "no training run was given (--training) or is in the log that says it";
    if (strchr(fill, 'C'))
        return "neither card nor metadata say it";
    return "nothing that was given says it";
}

static bool put(struct making *k, struct clause *c, struct claim *claim, size_t *cap)
{
    struct claim **grown = arena_grow(k->a, c->claims, c->count, cap, sizeof *grown);
    if (!grown || !claim)
        return false;
    c->claims = grown;
    c->claims[c->count++] = claim;
    return true;
}

/* Of that property, or a contradiction that puts it in question. */
static bool is_about(const struct claim *c, const char *property)
{
    return strcmp(c->property, property) == 0 || (c->about && strcmp(c->about, property) == 0);
}

/* All claims about a property, or a missing one that is made now. */
static bool gather_property(struct making *k, struct clause *c, const char *property, size_t *cap)
{
    size_t before = c->count;
    for (size_t i = 0; i < k->s->count; i++)
        if (is_about(k->s->claim[i], property) && !put(k, c, k->s->claim[i], cap))
            return false;
    return c->count > before || put(k, c, make_missing(k, property, remedy(k, property)), cap);
}

/* parameters.active and the like are about some models alone: absent is no gap. */
static bool optional(const char *property)
{
    static const char *const names[] = {"model.parameters.active", "model.tags",
                                        "contradiction",           "dataset.overlap",
                                        "model.vocabulary",        NULL};
    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], property) == 0)
            return true;
    return false;
}

static bool said(const struct claims *s, const char *property)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->claim[i]->property, property) == 0)
            return true;
    return false;
}

/* What cannot be read of a framework is missing, whatever was found for the rest of it. */
static struct claim *make_fault(struct making *k, const char *file, const char *what)
{
    const char *slash = strrchr(file, '/'); /* never a path of this machine */
    file = slash ? slash + 1 : file;
    return make_missing(k, "framework.file", make_text(k, "%s: %s", file, what));
}

static bool make_clause(struct making *k, struct clause *c)
{
    const struct requirement *q = c->requirement;
    const char *name = make_text(k, "%s:%s", c->framework->id, q->id);
    size_t cap = 0;
    c->reason = why_not(k, q);
    for (size_t i = 0; i < q->claim_count; i++) {
        /* What does not apply is not asked for, but what there is is shown. */
        if ((c->reason || optional(q->claims[i])) && !said(k->s, q->claims[i]))
            continue;
        if (!gather_property(k, c, q->claims[i], &cap))
            return false;
    }
    if (q->fault && !put(k, c, make_fault(k, c->framework->name, q->fault), &cap))
        return false;
    c->status = CLAIM_NOT_APPLICABLE;
    for (size_t i = 0; i < c->count; i++) {
        claim_requirement(k->s, c->claims[i], name);
        if (!c->reason && claim_worse(c->claims[i]->status, c->status))
            c->status = c->claims[i]->status;
    }
    return name != NULL;
}

bool clauses_make(struct making *k, struct err *e)
{
    const struct report_input *in = k->in;
    struct report *r = k->r;
    size_t total = 0;
    for (size_t i = 0; i < in->framework_count; i++)
        total += in->frameworks[i].count;
    r->clauses = arena_array(k->a, total + 1, sizeof *r->clauses);
    bool ok = r->clauses != NULL;
    for (size_t i = 0; i < in->fault_count; i++)
        make_fault(k, in->faults[i].file, in->faults[i].text);
    for (size_t i = 0; ok && i < in->framework_count; i++)
        for (size_t n = 0; ok && n < in->frameworks[i].count; n++) {
            struct clause *c = &r->clauses[r->clause_count++];
            *c = (struct clause){.framework = &in->frameworks[i],
                                 .requirement = &in->frameworks[i].requirements[n]};
            ok = make_clause(k, c);
            r->clauses_by[c->status]++;
        }
    for (size_t i = 0; i < k->s->count; i++)
        r->counts[k->s->claim[i]->status]++;
    return (ok && !k->s->failed) || err_set(e, ERR_MEMORY, "out of memory for the requirements");
}
