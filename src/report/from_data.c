/*
 * Claims about data sets, training runs and lineage: counted where the data is at
 * hand, declared where only a card or a trainer says it, contradicted where the
 * two disagree.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "report/scores.h"

enum { FILES_LISTED = 50 };

/* ---- data sets ---- */

static const char *prove_data_file(struct making *k, const struct dataset *d, size_t i)
{
    const struct dataset_file *f = &d->files[i];
    return prove_bytes(k, make_text(k, "%s/%s", d->name, f->name), f->bytes, &f->digest);
}

static bool is_card(const struct dataset *d, size_t i)
{
    return d->card.path && strcmp(d->files[i].name, d->card.path) == 0;
}

/* The files that were counted; the card is what is held against them. */
static void prove_data(struct making *k, const struct dataset *d, struct claim *c, bool against)
{
    for (size_t i = 0, given = 0; c && i < d->file_count && given < FILES_LISTED; i++) {
        if (!d->files[i].read || (against && is_card(d, i)))
            continue;
        (against ? claim_refute : claim_prove)(k->s, c, prove_data_file(k, d, i));
        given++;
    }
}

static void prove_card(struct making *k, const struct dataset *d, struct claim *c)
{
    for (size_t i = 0; c && i < d->file_count; i++)
        if (d->files[i].read && is_card(d, i))
            claim_prove(k->s, c, prove_data_file(k, d, i));
}

static struct claim *counted(struct making *k, const struct dataset *d, const char *property,
                             const char *value, const char *rule)
{
    struct claim *c = value ? make_claim(k, property, CLAIM_VERIFIED, rule) : NULL;
    if (!c)
        return NULL;
    c->value = value;
    if (!d->complete) {
        c->status = CLAIM_MISSING;
        c->reason = "not every file could be read whole";
    }
    prove_data(k, d, c, false);
    return c;
}

static void declared(struct making *k, const struct dataset *d, const char *property,
                     const char *value)
{
    struct claim *c = value ? make_claim(k, property, CLAIM_DECLARED, NULL) : NULL;
    if (!c)
        return;
    c->value = value;
    struct claim_source s = {.path = d->card.path,
                             .place = card_kind_name(d->card.kind),
                             .has_digest = true,
                             .digest = d->card.digest};
    claim_says(k->s, c, &s);
    prove_card(k, d, c);
}

/* Of Parquet files: what they say of themselves, no row is decoded. */
static void footer_claims(struct making *k, const struct dataset *d)
{
    const char *place = make_text(k, "footers of %zu Parquet files", d->footer_files);
    const struct claim_source s = {.path = d->name, .place = place};
    const struct {
        const char *property, *value;
    } said[] = {{"dataset.rows", make_text(k, "%" PRIu64, d->footer_rows)},
                {"dataset.columns", d->columns}};
    for (size_t i = 0; place && i < 2; i++) {
        struct claim *c = said[i].value
                              ? make_claim(k, said[i].property, CLAIM_DECLARED,
                                           "as Parquet footers say, whose row groups were "
                                           "added up; no row was decoded")
                              : NULL;
        if (!c)
            continue;
        c->value = said[i].value;
        claim_says(k->s, c, &s);
        prove_data(k, d, c, false);
    }
}

static void counted_claims(struct making *k, const struct dataset *d)
{
    char hex[DIGEST_HEX + 1], shares[600];
    counted(k, d, "dataset.digest", make_text(k, "%s", digest_hex(hex, &d->manifest_root)),
            "Merkle root over the files sorted by name: name, size, SHA-256");
    counted(k, d, "dataset.bytes", make_text(k, "%" PRIu64, d->bytes), "sum of the files' sizes");
    if (d->has_rows) {
        counted(k, d, "dataset.rows", make_text(k, "%" PRIu64, d->rows),
                "rows of JSON lines, CSV (without heads), TSV and text, empty ones left out");
        counted(k, d, "dataset.duplicates",
                d->all_compared ? make_text(k, "%" PRIu64, d->duplicates)
                                : make_text(k, "%" PRIu64 " among the first %" PRIu64 " rows",
                                            d->duplicates, d->compared_rows),
                "rows whose bytes stood before");
        if (dataset_language_shares(shares, sizeof shares, d))
            counted(k, d, "dataset.languages", make_text(k, "%s", shares),
                    "script and common small words of each row, by bytes; und: none stood out");
    }
    if (d->footer_files)
        footer_claims(k, d);
    if (d->has_tokens)
        counted(k, d, "dataset.tokens", make_text(k, "%" PRIu64, d->tokens),
                "encoded with the tokenizer given");
    if (d->first_date)
        counted(k, d, "dataset.dates", make_text(k, "%s to %s", d->first_date, d->last_date),
                "dates of the form YYYY-MM-DD that stand in the text");
    if (d->has_overlap)
        counted(k, d, "dataset.overlap",
                make_text(k, "%" PRIu64 " rows stand in %s too", d->overlap, d->overlap_with),
                "rows with equal bytes");
}

/* The catalogue's number of a disagreement; 0: it has none. */
static unsigned note_number(const char *rule)
{
    static const struct {
        const char *rule;
        unsigned number;
    } numbers[] = {{"dataset.digest", 22},
                   {"dataset.file", 22},
                   {"dataset.rows", 23},
                   {"dataset.bytes", 23},
                   {"dataset.dates", 25}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(numbers[i].rule, rule) == 0)
            return numbers[i].number;
    return 0;
}

static struct claim *note_claim(struct making *k, const struct dataset_note *n, const char *title)
{
    const struct property *p = property_find(span_str(n->rule));
    unsigned number = note_number(n->rule);
    const char *declared = make_shown(k, span_str(n->declared ? n->declared : n->counted), 400);
    const char *found = make_shown(k, span_str(n->counted), 400);
    struct claim *c;
    if (n->contradicts && number)
        c = make_contradiction(k, number, title, declared, found);
    else
        c = make_claim(k, n->contradicts ? "contradiction" : "dataset",
                       n->contradicts ? CLAIM_CONTRADICTED : CLAIM_DECLARED,
                       "the card is held against what was counted");
    if (!c)
        return NULL;
    c->title = title;
    c->value = declared;
    c->observed = found;
    c->about = n->contradicts && p ? p->id : NULL;
    c->reason = n->contradicts ? "declared and counted disagree" : NULL;
    return c;
}

/* Each disagreement is a claim of its own, about the property that was counted. */
static void note_claims(struct making *k, const struct dataset *d)
{
    for (size_t i = 0; i < d->note_count; i++) {
        const struct dataset_note *n = &d->notes[i];
        const struct property *p = property_find(span_str(n->rule));
        struct claim *c = note_claim(
            k, n,
            make_text(k, "%s of %s, declared against counted", p ? p->title : n->rule,
                      make_shown(k, span_str(d->card.name ? d->card.name : d->name), 80)));
        if (!c)
            return;
        struct claim_source s = {.path = d->card.path ? d->card.path : d->name,
                                 .place = n->rule,
                                 .has_digest = d->card.kind != CARD_NONE,
                                 .digest = d->card.digest};
        claim_says(k->s, c, &s);
        prove_card(k, d, c);
        prove_data(k, d, c, true);
    }
}

const char *dataset_shown(struct making *k, const struct dataset *d)
{
    return make_shown(k, span_str(d->card.name ? d->card.name : d->name), 120);
}

void claims_from_dataset(struct making *k, const struct dataset *d)
{
    const struct dataset_card *c = &d->card;
    k->subject = dataset_shown(k, d);
    k->subject_digest = &d->manifest_root;
    struct claim *one =
        counted(k, d, "dataset", make_text(k, "%s, %zu files", k->subject, d->file_count),
                "every file was read and hashed");
    if (one && c->description)
        claim_says(k->s, one,
                   &(struct claim_source){.path = c->path,
                                          .place = "description",
                                          .says = make_shown(k, span_str(c->description), 300),
                                          .has_digest = true,
                                          .digest = c->digest});
    counted_claims(k, d);
    declared(k, d, "dataset.licence", c->licence);
    declared(k, d, "dataset.source", c->source ? c->source : c->url);
    declared(k, d, "dataset.collection", c->collection);
    declared(k, d, "dataset.consent", c->consent);
    declared(k, d, "dataset.personal", c->personal);
    declared(k, d, "dataset.synthetic", c->synthetic);
    note_claims(k, d);
}

/* ---- training ---- */

void training_stands(struct making *k, const struct training_run *t, struct claim *c, bool against)
{
    for (size_t i = 0; i < t->file_count; i++) {
        claim_says(k->s, c,
                   &(struct claim_source){
                       .path = t->files[i], .has_digest = true, .digest = t->file_digest[i]});
        (against ? claim_refute : claim_prove)(
            k->s, c, prove_bytes(k, t->files[i], t->file_bytes[i], &t->file_digest[i]));
    }
}

static struct claim *run_claim(struct making *k, const struct training_run *t, const char *property,
                               const char *value)
{
    struct claim *c = value ? make_claim(k, property, CLAIM_DECLARED, NULL) : NULL;
    if (!c)
        return NULL;
    c->value = make_shown(k, span_str(value), 600);
    training_stands(k, t, c, false);
    return c;
}

static const char *joined(struct making *k, const char *const *list, size_t n)
{
    char text[2000] = "";
    size_t at = 0;
    for (size_t i = 0; i < n && at + 200 < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.150s", at ? ", " : "", list[i]);
    return at ? make_text(k, "%s", text) : NULL;
}

static const char *settings(struct making *k, const struct training_run *t)
{
    char text[3000] = "";
    size_t at = 0;
    for (size_t i = 0; i < t->hyper_count && at + 300 < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.80s %.120s", at ? ", " : "",
                               t->hyper[i].name, t->hyper[i].value);
    return at ? make_text(k, "%s", text) : NULL;
}

/* 6 N D, the usual estimate of the compute of a dense transformer. */
static void estimate(struct making *k, const struct training_run *t)
{
    const struct report_model *m = k->in->model;
    double declared_flop;
    uint64_t n = m ? m->facts->architecture.parameters.total : 0;
    if (!n || !t->tokens)
        return;
    double flop = 6.0 * (double)n * (double)t->tokens;
    struct claim *c = make_claim(k, "training.compute", CLAIM_DECLARED,
                                 "6 x parameters counted x tokens that the trainer states");
    if (!c)
        return;
    c->value = make_text(k, "about %.2g FLOP, estimated%s", flop,
                         flop >= 1e25   ? "; above 10^25: presumed systemic risk"
                         : flop >= 1e23 ? "; above 10^23: the indicator of a general-purpose model"
                                        : "");
    if (!t->flops || !text_to_double(span_str(t->flops), &declared_flop) || declared_flop <= 0)
        return;
    double ratio = declared_flop / flop;
    if (ratio <= 3 && ratio >= 1.0 / 3)
        return;
    struct claim *x = make_opposed(
        k, 24, "Compute for training, declared against 6 x parameters x tokens",
        made_before(k, "training.compute", NULL), made_before(k, "model.parameters", NULL));
    if (x) {
        x->observed =
            make_text(k, "about %.2g FLOP: 6 x %" PRIu64 " parameters x %" PRIu64 " tokens", flop,
                      n, t->tokens);
        x->tolerance = "a factor of 3";
        x->reason = "the two are further apart than recomputation and padding explain";
    }
}

void claims_from_training(struct making *k, const struct training_run *t)
{
    run_claim(k, t, "training.run",
              t->name ? t->name : joined(k, (const char *const *)t->files, t->file_count));
    run_claim(k, t, "training.method", t->method);
    run_claim(k, t, "training.hyperparameters", settings(k, t));
    run_claim(k, t, "training.datasets",
              joined(k, (const char *const *)t->datasets, t->dataset_count));
    run_claim(k, t, "training.code", t->code);
    run_claim(k, t, "training.energy", t->energy_kwh);
    run_claim(k, t, "training.time",
              t->hours      ? make_text(k, "%s hours%s%s", t->hours, t->hardware ? " on " : "",
                                   t->hardware ? t->hardware : "")
              : t->finished ? make_text(k, "%s to %s", t->started ? t->started : "?", t->finished)
                            : NULL);
    if (t->tokens)
        run_claim(k, t, "training.tokens", make_text(k, "%" PRIu64, t->tokens));
    run_claim(k, t, "training.compute", t->flops);
    for (size_t i = 0; i < t->metric_count; i++) {
        struct claim *c = run_claim(k, t, "training.metrics",
                                    make_text(k, "%s %s", t->metrics[i].name, t->metrics[i].value));
        score_add(k, span_str(t->metrics[i].name), SPAN_EMPTY, span_str(t->metrics[i].value), c);
    }
    estimate(k, t);
}

/* ---- lineage ---- */

void claims_from_lineage(struct making *k)
{
    const struct lineage *l = k->in->lineage;
    static const enum claim_status status[] = {CLAIM_DECLARED, CLAIM_VERIFIED, CLAIM_CONTRADICTED};
    if (l->trouble)
        make_missing(k, "model.lineage", make_shown(k, span_str(l->trouble), 400));
    for (size_t i = 0; i < l->edge_count; i++) {
        const struct lineage_edge *x = &l->edges[i];
        if (strcmp(l->nodes[x->from].kind, "model") != 0)
            continue;
        if (x->status != k->r->lineage->edges[i].status)
            continue; /* the log has the last word: claims_from_recorded */
        struct claim *c = make_claim(k, "model.lineage", status[x->status],
                                     "tensors are compared with those of the ancestor, where it is "
                                     "at hand (docs/formats/diff.md)");
        if (!c)
            return;
        c->value = x->to ? make_text(k, "%s: %s, of %s", x->relation, l->nodes[x->from].name,
                                     l->nodes[x->to].name)
                         : make_text(k, "%s: %s", x->relation, l->nodes[x->from].name);
        c->observed = x->status == EDGE_CONTRADICTED ? x->because : NULL;
        c->reason = x->status == EDGE_DECLARED ? "the ancestor is not at hand (--base)" : NULL;
        claim_says(k->s, c,
                   &(struct claim_source){.path = k->in->model->shown,
                                          .place = edge_status_name(x->status),
                                          .says = make_shown(k, span_str(x->because), 400)});
    }
}
