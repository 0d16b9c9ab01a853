/*
 * A model against the base that it claims: what the tensors say of the two,
 * template, tokenizer, licence and lineage. What needs no base to be seen
 * (a relation that the files themselves exclude) is judged without one.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "check/claims.h"

enum { SHOWN = 120 };

static struct origin card_place(const struct model *m)
{
    return m->has_card ? m->card.front.origin : ORIGIN_NOWHERE;
}

static struct origin template_place(const struct model *m)
{
    return m->template_count ? m->templates[0].origin : ORIGIN_NOWHERE;
}

/* ---- 16: the relation, by the files alone ---- */

static bool mostly_floating(const struct facts *f)
{
    static const char *const floating[] = {"F32", "F16", "BF16", "F64"};
    uint64_t all = 0, plain = 0;
    for (int t = 0; t < DTYPE_COUNT; t++) {
        all += f->types[t].elements;
        for (size_t i = 0; i < sizeof floating / sizeof *floating; i++)
            if (strcmp(dtypes[t].name, floating[i]) == 0)
                plain += f->types[t].elements;
    }
    return all && plain == all;
}

static void relation(const struct check_input *in, const char *what)
{
    char shown[SHOWN];
    verdict_add(&in->model->verdict, RULE_CLAIM_RELATION, card_place(in->model),
                "the card says base_model_relation: %s; %s",
                text_shown(shown, sizeof shown, in->model->card.base_model_relation), what);
    verdict_against(&in->model->verdict, claim_tensors(in->model));
}

static void check_relation_alone(const struct check_input *in)
{
    struct span r = in->model->card.base_model_relation;
    bool adapter = in->facts->architecture.is_adapter;
    if (!in->model->tensor_count || !r.n)
        return;
    if (span_is(r, "adapter") && !adapter)
        relation(in, "the weights are a whole model");
    else if (!span_is(r, "adapter") && adapter)
        relation(in, "the weights are an adapter");
    else if (span_is(r, "quantized") && mostly_floating(in->facts))
        relation(in, "no tensor is quantised");
    else if (span_is(r, "merge") && in->facts->base_model_count == 1)
        relation(in, "one base model is named");
}

/* ---- 18: lineage ---- */

static struct span last_part(struct span s)
{
    size_t at = s.n;
    while (at > 0 && s.p[at - 1] != '/')
        at--;
    return span_sub(s, at, s.n);
}

static bool same_name(struct span a, struct span b)
{
    return a.n && a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0;
}

static bool names(const struct facts *f, struct span name)
{
    for (size_t i = 0; i < f->base_model_count; i++)
        if (same_name(f->base_models[i], name) ||
            same_name(last_part(f->base_models[i]), last_part(name)))
            return true;
    return false;
}

static void check_lineage(const struct check_input *in)
{
    char shown[SHOWN];
    const struct facts *f = in->facts, *b = in->base ? in->base->facts : NULL;
    if (f->name.n && memchr(f->name.p, '/', f->name.n) && names(f, f->name))
        verdict_add(&in->model->verdict, RULE_CLAIM_LINEAGE, card_place(in->model),
                    "the model %s names itself as its base",
                    text_shown(shown, sizeof shown, f->name));
    if (b && f->name.n && b->name.n && names(b, f->name) && names(f, b->name))
        verdict_add(&in->model->verdict, RULE_CLAIM_LINEAGE, card_place(in->model),
                    "the given base names this model (%s) as its own base",
                    text_shown(shown, sizeof shown, f->name));
}

/* ---- 15, 16: tensors ---- */

static void check_tensors(const struct check_input *in)
{
    const struct diff *d = in->base->diff;
    const char *relation_found = relation_name(d->relation);
    struct span r = in->model->card.base_model_relation;
    bool claimed = in->facts->base_model_count > 0;
    if (d->relation == REL_UNDECIDED)
        return;
    if (claimed && (d->relation == REL_UNRELATED || d->relation == REL_SAME_ARCHITECTURE)) {
        verdict_add(&in->model->verdict, RULE_CLAIM_BASE, card_place(in->model),
                    "a base is claimed; against the given one the tensors are %s: %s",
                    relation_found, d->because);
        verdict_against(&in->model->verdict, claim_tensors(in->model));
    }
    bool identical = d->relation == REL_IDENTICAL || d->relation == REL_REPACKED;
    if (span_is(r, "finetune") && identical)
        relation(in, "the tensors are those of the given base");
    else if (span_is(r, "quantized") && d->relation == REL_FINE_TUNED)
        relation(in, "the weights moved further than rounding explains");
}

/* ---- 12, 14: texts ---- */

/* White space at the ends of lines makes no other template. */
static bool same_text(struct span a, struct span b)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < a.n && (a.p[i] == ' ' || a.p[i] == '\n' || a.p[i] == '\r'))
            i++;
        while (k < b.n && (b.p[k] == ' ' || b.p[k] == '\n' || b.p[k] == '\r'))
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n;
        if (a.p[i++] != b.p[k++])
            return false;
    }
}

static void check_template(const struct check_input *in)
{
    const struct model *m = in->model, *b = in->base->model;
    if (!m->template_count || !b->template_count ||
        same_text(m->templates[0].bytes, b->templates[0].bytes))
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_TEMPLATE_BASE, template_place(m),
                "the chat template (%zu bytes) is not that of the given base (%zu bytes)",
                m->templates[0].bytes.n, b->templates[0].bytes.n);
}

static void check_tokenizer(const struct check_input *in)
{
    const struct identity *a = in->identity, *b = in->base->identity;
    const struct document *d = &in->model->documents[DOC_TOKENIZER];
    if (!a || !b || !a->has_tokenizer || !b->has_tokenizer ||
        digest_eq(&a->tokenizer, &b->tokenizer))
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_TOKENIZER_BASE,
                d->file == ORIGIN_NO_FILE ? claim_metadata(in->model, "tokenizer.ggml.tokens")
                                          : (struct origin){d->file, 0, 0},
                "the tokenizer (%llu entries) is not that of the given base (%llu entries)",
                (unsigned long long)in->facts->tokenizer.size,
                (unsigned long long)(in->base->facts ? in->base->facts->tokenizer.size : 0));
}

/* ---- 19: licence ---- */

/* How much a licence forbids: 0 nothing, 1 terms of use, 2 no commerce; -1: not judged. */
static int strictness(const char *spdx)
{
    static const struct {
        const char *begins;
        int level;
    } table[] = {{"CC-BY-NC", 2}, {"LicenseRef-", 1}, {"OpenRAIL", 1}, {"BigScience", 1},
                 {"CC-BY-", 0},   {"MIT", 0},         {"Apache-", 0},  {"BSD-", 0},
                 {"CC0-", 0},     {"Unlicense", 0},   {"ISC", 0}};
    for (size_t i = 0; spdx && i < sizeof table / sizeof *table; i++)
        if (strncmp(spdx, table[i].begins, strlen(table[i].begins)) == 0)
            return table[i].level;
    return -1;
}

static int strictest(const struct facts *f, size_t *which)
{
    int worst = -1;
    for (size_t i = 0; i < f->licence_count; i++) {
        int level = strictness(f->licences[i].spdx);
        if (level > worst) {
            worst = level;
            *which = i;
        }
    }
    return worst;
}

static void check_licence(const struct check_input *in)
{
    size_t a = 0, b = 0;
    const struct facts *base = in->base->facts;
    int ours = strictest(in->facts, &a), theirs = base ? strictest(base, &b) : -1;
    if (ours < 0 || theirs <= ours)
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_LICENCE_BASE, in->facts->licences[a].origin,
                "the model names %s, the given base %s, which forbids more",
                in->facts->licences[a].spdx, base->licences[b].spdx);
}

bool check_claims_base(const struct check_input *in, struct err *e)
{
    (void)e;
    if (!in->facts)
        return true;
    check_relation_alone(in);
    check_lineage(in);
    if (!in->base)
        return true;
    if (in->base->diff)
        check_tensors(in);
    check_template(in);
    check_tokenizer(in);
    check_licence(in);
    return true;
}
