/*
 * The catalogue's contradictions: what each puts in question, and those that the
 * model alone shows, which come from module check as findings. Numbers are public
 * (docs/findings.md and docs/reports.md).
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/check.h"
#include "report/making.h"

/* What each puts in question, and (NULL: the check module says it) what it compares. */
static const struct {
    unsigned number;
    const char *property, *compares;
} catalogue[] = {
    {1, "model.parameters", NULL},
    {2, "model.parameters.figures", NULL},
    {3, "model.architecture.shape", NULL},
    {4, "model.architecture", NULL},
    {5, "model.digest.tensors", NULL},
    {6, "model.architecture.shape", NULL},
    {7, "model.precision", NULL},
    {8, "model.precision", NULL},
    {9, "model.context", NULL},
    {10, "model.tokenizer", NULL},
    {11, "model.tokenizer", NULL},
    {12, "model.template", NULL},
    {13, "model.template", NULL},
    {14, "model.tokenizer", NULL},
    {15, "model.base", NULL},
    {16, "model.base.relation", NULL},
    {17, "model.base", NULL},
    {18, "model.lineage", NULL},
    {19, "model.licence", NULL},
    {20, "model.licence", NULL},
    {21, "dataset.licence", "licences of data sets against that of the model"},
    {22, "dataset.digest", "digests in a card against the files"},
    {23, "dataset.rows", "counts in a card against the counted"},
    {24, "training.compute", "declared compute against 6 x parameters x tokens"},
    {25, "dataset.dates", "declared dates against those in the data"},
    {26, "model.modality.input", NULL},
    {27, "dataset.synthetic", "denied synthetic or user data against cards and disclosures"},
    {28, "model.signature", NULL},
    {29, "model.evaluation", "results of evaluations against each other"},
    {30, "calls.models", "what is documented against what was served"},
    {31, "calls.system-prompt", "the published system prompt against the one that was used"},
    {32, "log.retention", "stated retention against settings, gaps and clocks"},
    {33, "model.card", "documents about the model against it and each other"},
};

static const char *compares(unsigned number)
{
    for (size_t i = 0; i < sizeof catalogue / sizeof catalogue[0]; i++)
        if (catalogue[i].number == number && catalogue[i].compares)
            return catalogue[i].compares;
    for (const struct contradiction *c = contradictions; c->title; c++)
        if (c->number == number)
            return c->title;
    return "";
}

static const char *about(unsigned number)
{
    for (size_t i = 0; i < sizeof catalogue / sizeof catalogue[0]; i++)
        if (catalogue[i].number == number)
            return catalogue[i].property;
    return NULL;
}

struct claim *make_contradiction(struct making *k, unsigned number, const char *title,
                                 const char *says, const char *found)
{
    struct claim *c =
        make_claim(k, "contradiction", CLAIM_CONTRADICTED,
                   make_text(k, "number %u of the catalogue: %s", number, compares(number)));
    if (!c)
        return NULL;
    size_t same = 0;
    for (size_t i = 0; i < k->s->count; i++)
        same += strcmp(k->s->claim[i]->property, "contradiction") == 0 &&
                strcmp(k->s->claim[i]->rule, c->rule) == 0;
    /* Its number is in its id, so that another source's contradictions do not move it. */
    c->id = same > 1 ? make_text(k, "contradiction-%u#%zu", number, same)
                     : make_text(k, "contradiction-%u", number);
    c->about = about(number);
    c->title = title;
    c->value = says;
    c->observed = found;
    return c;
}

/* Where both claims stand: sources of the one after the other, and their evidence apart. */
static void take_sides(struct making *k, struct claim *c, const struct claim *said,
                       const struct claim *found)
{
    for (size_t i = 0; said && i < said->source_count; i++)
        claim_says(k->s, c, &said->sources[i]);
    for (size_t i = 0; said && i < said->evidence_count; i++)
        claim_prove(k->s, c, said->evidence[i]);
    for (size_t i = 0; found && i < found->source_count; i++)
        claim_says(k->s, c, &found->sources[i]);
    for (size_t i = 0; found && i < found->evidence_count; i++)
        claim_refute(k->s, c, found->evidence[i]);
}

static const char *spoken(struct making *k, const struct claim *c)
{
    return c->value ? make_text(k, "%s, of %s: %s", c->title, c->subject, c->value) : c->title;
}

struct claim *make_opposed(struct making *k, unsigned number, const char *title,
                           const struct claim *said, const struct claim *found)
{
    struct claim *c =
        make_contradiction(k, number, title, spoken(k, said), found ? spoken(k, found) : NULL);
    if (c)
        take_sides(k, c, said, found);
    return c;
}

struct claim *made_before(const struct making *k, const char *property, const char *subject)
{
    for (size_t i = 0; i < k->s->count; i++) {
        struct claim *c = k->s->claim[i];
        if (strcmp(c->property, property) == 0 && c->value &&
            (!subject || (c->subject && strcmp(c->subject, subject) == 0)))
            return c;
    }
    return NULL;
}

/* ---- from findings of the model ---- */

static const char *place_text(struct making *k, const struct report_model *m, struct origin o)
{
    return o.file < m->model->file_count
               ? make_text(k, "%s at offset %" PRIu64, m->model->files[o.file].name, o.offset)
               : m->shown;
}

/* No one place contradicts it: what the property in question was recomputed from does. */
static void refute_by_weights(struct making *k, struct claim *c)
{
    const struct claim *counted = c->about ? made_before(k, c->about, NULL) : NULL;
    if (!counted)
        counted = made_before(k, "model.digest.tensors", NULL);
    for (size_t i = 0; counted && i < counted->evidence_count; i++)
        claim_refute(k->s, c, counted->evidence[i]);
}

void contradictions_from_model(struct making *k, const struct report_model *m)
{
    const struct verdict *v = &m->model->verdict;
    for (size_t i = 0; i < v->count; i++) {
        const struct finding *f = &v->findings[i];
        const struct contradiction *x = contradiction_of(f->rule);
        if (!x)
            continue;
        struct claim *c = make_contradiction(k, x->number, rules[f->rule].title,
                                             make_shown(k, span_str(f->detail), 600), NULL);
        if (!c)
            return;
        c->reason = x->review ? "for a person to judge" : rules[f->rule].remedy;
        claim_says(k->s, c,
                   &(struct claim_source){.path = place_text(k, m, f->origin),
                                          .place = "the claim",
                                          .says = rules[f->rule].id});
        claim_prove(k->s, c, prove_place(k, m, f->origin));
        if (f->against.file == ORIGIN_NO_FILE) {
            refute_by_weights(k, c);
            continue;
        }
        claim_says(k->s, c,
                   &(struct claim_source){.path = place_text(k, m, f->against),
                                          .place = "what contradicts it"});
        claim_refute(k->s, c, prove_place(k, m, f->against));
    }
}
