/*
 * The catalogue's contradictions that need data sets, training runs, a log or
 * people; those that the model alone shows come from module check as findings.
 * Numbers are public (docs/findings.md and docs/reports.md).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "assay/base/text.h"
#include "assay/check.h"
#include "report/making.h"

const char *contradiction_about(unsigned number)
{
    static const struct {
        unsigned number;
        const char *property;
    } about[] = {
        {1, "model.parameters"},
        {2, "model.parameters.figures"},
        {3, "model.architecture.shape"},
        {4, "model.architecture"},
        {5, "model.digest.tensors"},
        {6, "model.architecture.shape"},
        {7, "model.precision"},
        {8, "model.precision"},
        {9, "model.context"},
        {10, "model.tokenizer"},
        {11, "model.tokenizer"},
        {12, "model.template"},
        {13, "model.template"},
        {14, "model.tokenizer"},
        {15, "model.base"},
        {16, "model.base.relation"},
        {17, "model.base"},
        {18, "model.lineage"},
        {19, "model.licence"},
        {20, "model.licence"},
        {21, "dataset.licence"},
        {22, "dataset.digest"},
        {23, "dataset.rows"},
        {24, "training.compute"},
        {25, "dataset.dates"},
        {26, "model.modality.input"},
        {27, "dataset.synthetic"},
        {28, "model.signature"},
        {29, "model.evaluation"},
        {30, "calls.models"},
        {32, "log.retention"},
        {33, "model.card"},
    };
    for (size_t i = 0; i < sizeof about / sizeof about[0]; i++)
        if (about[i].number == number)
            return about[i].property;
    return NULL;
}

struct claim *make_contradiction(struct making *k, unsigned number, const char *title,
                                 const char *says, const char *found)
{
    struct claim *c = make_claim(k, "contradiction", CLAIM_CONTRADICTED,
                                 make_text(k, "number %u of the catalogue", number));
    if (!c)
        return NULL;
    c->about = contradiction_about(number);
    c->title = title;
    c->value = says;
    c->observed = found;
    return c;
}

/* ---- from findings of the model ---- */

static const char *place_text(struct making *k, const struct report_model *m, struct origin o)
{
    return o.file < m->model->file_count
               ? make_text(k, "%s at offset %" PRIu64, m->model->files[o.file].name, o.offset)
               : m->shown;
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
        if (f->against.file == ORIGIN_NO_FILE)
            continue;
        claim_says(k->s, c,
                   &(struct claim_source){.path = place_text(k, m, f->against),
                                          .place = "what contradicts it"});
        claim_prove(k->s, c, prove_place(k, m, f->against));
    }
}

/* ---- words ---- */

static bool holds(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; text && *text; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return false;
}

/* "No", "none", "no user data". */
static bool denies(const char *text)
{
    return text &&
           (strncasecmp(text, "no", 2) == 0 || holds(text, "does not") || holds(text, "without"));
}

static const char *said(const struct claims *s, const char *property)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->claim[i]->property, property) == 0 && s->claim[i]->value)
            return s->claim[i]->value;
    return NULL;
}

/* ---- 21, 25, 27: data sets against what is said of the model ---- */

static bool permissive(const char *licence)
{
    static const char *const names[] = {"apache", "mit", "bsd", "cc-by-4", "cc0", "isc"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (holds(licence, names[i]) && !holds(licence, "-nc"))
            return true;
    return false;
}

static bool not_commercial(const char *licence)
{
    return holds(licence, "-nc") || holds(licence, "non-commercial") ||
           holds(licence, "noncommercial") || holds(licence, "research only");
}

static void data_licence(struct making *k, const struct dataset *d)
{
    const char *model = said(k->s, "model.licence");
    struct claim *c;
    if (!not_commercial(d->card.licence) || !permissive(model))
        return;
    c = make_contradiction(
        k, 21,
        "A data set that excludes commercial use under a model that "
        "allows it",
        make_text(k, "the model is under %s", model),
        make_text(k, "%s is under %s", d->name, make_shown(k, span_str(d->card.licence), 100)));
    if (c)
        c->reason = "for a person to judge";
}

static void data_dates(struct making *k, const struct dataset *d)
{
    static const char *const stated[] = {"human.latest-acquisition", "human.knowledge-cutoff",
                                         "human.release-date"};
    for (size_t i = 0; d->last_date && i < 3; i++) {
        const char *day = said(k->s, stated[i]);
        if (day && strlen(day) >= 10 && date_ok((struct span){(const uint8_t *)day, 10}) &&
            strncmp(day, d->last_date, 10) < 0)
            make_contradiction(k, 25, "Dates in the data are later than what is stated",
                               make_text(k, "%s: %.10s", stated[i], day),
                               make_text(k, "a date of %s in %s", d->last_date, d->name));
    }
}

static void data_synthetic(struct making *k, const struct dataset *d)
{
    const char *stated = said(k->s, "human.synthetic-data");
    if (denies(stated) && d->card.synthetic && !denies(d->card.synthetic))
        make_contradiction(
            k, 27, "Synthetic data among data that is said to hold none",
            make_text(k, "%s", stated),
            make_text(k, "%s: %s", d->name, make_shown(k, span_str(d->card.synthetic), 200)));
}

/* ---- 27, 30, 32: the log against what is said ---- */

static void user_data(struct making *k)
{
    const struct activity *y = k->r->activity;
    const char *stated = said(k->s, "human.user-data");
    struct claim *c;
    if (!denies(stated) || y->disclosure.count == 0)
        return;
    c = make_contradiction(k, 27,
                           "Contents of calls were handed out, and no user data is said to "
                           "be used",
                           make_text(k, "%s", stated),
                           make_text(k, "%" PRIu64 " disclosures", y->disclosure.count));
    if (c)
        c->reason = "for a person to judge: a disclosure to an auditor is no training";
    for (uint64_t i = 0; c && i < y->disclosure.count && i < ACTIVITY_LISTED; i++)
        claim_prove(k->s, c, prove_leaf(k, y->disclosure.entry[i]));
}

/* A model of the same name that is another one: documented is not served. */
static void served(struct making *k)
{
    const struct report_model *m = k->in->model;
    const struct activity *y = k->r->activity;
    char hex[DIGEST_HEX + 1];
    if (!m || !m->identity->has_tensor_root)
        return;
    digest_hex(hex, &m->identity->tensor_root);
    for (size_t i = 0; i < y->model_count; i++) {
        const struct used_model *u = &y->models[i];
        bool named = m->facts->name.n && span_eq(u->name, m->facts->name);
        bool other = u->tensor_root.n && !span_is(u->tensor_root, hex);
        if (!named && !span_is(u->name, m->shown))
            continue;
        struct claim *c = NULL;
        if (other)
            c = make_contradiction(k, 30, "What was served under this name is another model",
                                   make_text(k, "tensor root %s", hex),
                                   make_text(k, "tensor root %s in %" PRIu64 " calls",
                                             make_shown(k, u->tensor_root, 70), u->calls));
        else if (u->template_digest.n && m->identity->has_template &&
                 !span_is(u->template_digest, digest_hex(hex, &m->identity->chat_template)))
            c = make_contradiction(k, 30, "The model was served with another chat template",
                                   make_text(k, "template %s", hex),
                                   make_text(k, "template %s in %" PRIu64 " calls",
                                             make_shown(k, u->template_digest, 70), u->calls));
        if (c)
            claim_prove(k->s, c, prove_leaf(k, u->first));
        digest_hex(hex, &m->identity->tensor_root);
    }
}

static void retention(struct making *k)
{
    const struct activity *y = k->r->activity;
    const char *stated = said(k->s, "human.log-retention");
    uint64_t days = 0;
    struct claim *c;
    if (y->clock_back || y->boot_back) {
        c = make_contradiction(
            k, 32, "The log's clock ran backwards", "entries are in the order of their numbers",
            make_text(k, "%" PRIu64 " times by the wall clock, %" PRIu64 " by the boot clock",
                      y->clock_back, y->boot_back));
        if (c)
            claim_prove(k->s, c, prove_range(k, "clock", activity_measure(y, "clock", k->a)));
    }
    if (!stated)
        return;
    struct span digits = span_str(stated);
    for (digits.n = 0; stated[digits.n] >= '0' && stated[digits.n] <= '9';)
        digits.n++;
    if (!text_u64(digits, &days) || days == y->floor_days)
        return;
    if (y->floor_days == 0 || y->floor_days < days) {
        c = make_contradiction(k, 32, "Retention is set to less than what is stated",
                               make_text(k, "%" PRIu64 " days", days),
                               y->floor_days ? make_text(k, "%" PRIu64 " days", y->floor_days)
                                             : "no retention is set in the log");
        for (uint64_t i = 0; c && i < y->config.count && i < ACTIVITY_LISTED; i++)
            claim_prove(k->s, c, prove_leaf(k, y->config.entry[i]));
    }
}

/* ---- 29: evaluations ---- */

/* A metric of the run that the card states otherwise. */
static void evaluation(struct making *k)
{
    const struct training_run *t = k->in->training;
    const char *results = said(k->s, "model.evaluation");
    for (size_t i = 0; results && t && i < t->metric_count; i++) {
        char name[100], value[200];
        snprintf(name, sizeof name, "%.80s ", t->metrics[i].name);
        snprintf(value, sizeof value, "%.80s %.80s", t->metrics[i].name, t->metrics[i].value);
        if (holds(results, name) && !holds(results, value))
            make_contradiction(k, 29, "An evaluation result is not that of the training run",
                               make_text(k, "%s", results), make_text(k, "%s", value));
    }
}

void contradictions_from_all(struct making *k)
{
    for (size_t i = 0; i < k->in->dataset_count; i++) {
        data_licence(k, &k->in->datasets[i]);
        data_dates(k, &k->in->datasets[i]);
        data_synthetic(k, &k->in->datasets[i]);
    }
    if (k->r->has_log) {
        user_data(k);
        served(k);
        retention(k);
    }
    evaluation(k);
}
