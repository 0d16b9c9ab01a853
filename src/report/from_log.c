/*
 * Claims about a log, and about the calls that stand in it. Each is a measure
 * over the whole range whose tree the signed head covers; what a claim cannot
 * reach (calls that did not go through Assay) stands in the claim itself.
 */
#include <inttypes.h>
#include <string.h>

#include "report/scores.h"

static const char covers_calls[] =
    "calls that went through Assay; a call made elsewhere leaves nothing here";

/* A measure as a verified claim. */
static struct claim *measured(struct making *k, const char *property, const char *measure)
{
    const char *value = activity_measure(k->r->activity, measure, k->a);
    struct claim *c =
        make_claim(k, property, CLAIM_VERIFIED, activity_query(k->r->activity, measure, k->a));
    if (!c || !value) {
        k->s->failed |= !value;
        return NULL;
    }
    c->value = value;
    claim_prove(k->s, c, prove_range(k, measure, value));
    return c;
}

static void prove_listed(struct making *k, struct claim *c, const struct listed *l)
{
    for (uint64_t i = 0; c && i < l->count && i < ACTIVITY_LISTED; i++)
        claim_prove(k->s, c, prove_leaf(k, l->entry[i]));
}

/* ---- the log itself ---- */

static void integrity_claims(struct making *k)
{
    struct claim *c = make_claim(k, "log.integrity", CLAIM_VERIFIED,
                                 "every entry was hashed again; the tree's root is the one that "
                                 "the signed checkpoint names");
    if (c) {
        claim_value(k->s, c, "%" PRIu64 " entries give the signed root", k->r->head.size);
        claim_prove(k->s, c,
                    prove_range(k, "entries", activity_measure(k->r->activity, "entries", k->a)));
        claim_prove(k->s, c, prove_leaf(k, 0));
    }
    c = make_claim(k, "log.anchor", CLAIM_VERIFIED,
                   "cosignatures of witnesses over a checkpoint of this log, within the range");
    if (c && k->r->anchor.n && k->r->anchored_by) {
        claim_value(k->s, c, "%zu witness%s for the first %" PRIu64 " of %" PRIu64 " entries",
                    k->r->anchored_by, k->r->anchored_by == 1 ? " vouches" : "es vouch",
                    k->r->anchor_size, k->r->head.size);
        if (k->r->anchor_size < k->r->head.size)
            c->reason = "the entries after that are vouched for by the log's own key alone";
    } else if (c && k->r->anchor.n) {
        c->status = CLAIM_DECLARED;
        claim_value(k->s, c,
                    "cosigned up to entry %" PRIu64 " by witnesses whose keys were not given",
                    k->r->anchor_size);
        c->reason = "give the witnesses' keys by --trust to have their signatures checked";
    } else if (c) {
        c->status = CLAIM_MISSING;
        c->reason = "self-attested: nobody but the log's own key vouches for its head, so its "
                    "owner could show another history to somebody else";
    }
}

/* What a run that ended in this model measured, for what a card says of it. */
static void score_metrics(struct making *k, uint64_t seq, struct claim *c)
{
    const struct report_model *m = k->in->model;
    char hex[DIGEST_HEX + 1];
    struct span leaf, root, name, value;
    struct record record;
    if (!m || !m->identity->has_tensor_root ||
        !log_reader_leaf(k->reader, seq, k->a, &leaf, NULL) ||
        !record_decode(&record, leaf, k->a, NULL) ||
        !json_string(json_get(json_get(record.body, "model"), "tensor_root"), &root) ||
        !span_is(root, digest_hex(hex, &m->identity->tensor_root)))
        return;
    for (struct json x = json_first(json_get(record.body, "metrics")); json_type(x);
         x = json_next(x))
        if (json_string(json_get(x, "name"), &name) && json_string(json_get(x, "value"), &value)) {
            struct claim *one = make_claim(k, "training.metrics", CLAIM_VERIFIED,
                                           "a training run that ended in these weights has it on "
                                           "record");
            if (!one)
                return;
            one->value = make_text(k, "%s %s", make_shown(k, name, 80), make_shown(k, value, 40));
            claim_says(k->s, one,
                       &(struct claim_source){.path = "log",
                                              .place = make_text(k, "entry %" PRIu64, seq)});
            claim_prove(k->s, one, prove_leaf(k, seq));
            score_add(k, name, SPAN_EMPTY, value, one);
        }
    claim_prove(k->s, c, prove_leaf(k, seq));
}

static void training_claims(struct making *k)
{
    const struct activity *y = k->r->activity;
    if (y->training.count == 0 && y->dataset.count == 0)
        return;
    struct claim *c = measured(k, "log.training", "training");
    for (uint64_t i = 0; i < y->training_end.count && i < ACTIVITY_LISTED; i++)
        score_metrics(k, y->training_end.entry[i], c);
}

static void upkeep_claims(struct making *k)
{
    const struct activity *y = k->r->activity;
    measured(k, "log.range", "time");
    measured(k, "log.events", "entries");
    struct claim *c = measured(k, "log.clock", "clock");
    if (c && y->boot_back) {
        c->status = CLAIM_CONTRADICTED;
        c->reason = "the boot clock never runs backwards on an honest machine";
    }
    c = measured(k, "log.retention", "retention");
    prove_listed(k, c, &y->config);
    if (c)
        claim_prove(k->s, c, prove_leaf(k, 0));
    c = measured(k, "log.changes", "changes");
    prove_listed(k, c, &y->config);
    prove_listed(k, c, &y->restore);
    c = measured(k, "log.erasures", "erasures");
    prove_listed(k, c, &y->erasure);
    prove_listed(k, c, &y->hold);
    c = measured(k, "log.disclosures", "disclosures");
    prove_listed(k, c, &y->disclosure);
    c = measured(k, "log.checks", "checks");
    prove_listed(k, c, &y->check);
    c = measured(k, "log.replays", "replays");
    prove_listed(k, c, &y->replay);
    if (c && y->mismatch.count) {
        c->status = CLAIM_CONTRADICTED;
        c->reason = "a replay did not give what the log has";
    }
}

/* Is the examined model enrolled, with these roots? */
static void enrolment_claim(struct making *k)
{
    const struct report_model *m = k->in->model;
    const struct activity *y = k->r->activity;
    char hex[DIGEST_HEX + 1];
    struct claim *c = make_claim(k, "log.model", CLAIM_VERIFIED,
                                 "an entry of kind model names the tensor root of the model "
                                 "examined");
    if (!c)
        return;
    c->status = CLAIM_MISSING;
    c->reason = "no entry among the first of its kind enrols the model that was examined";
    if (!m || !m->identity->has_tensor_root)
        return;
    digest_hex(hex, &m->identity->tensor_root);
    for (uint64_t i = 0; i < y->enrolled.count && i < ACTIVITY_LISTED; i++) {
        struct span leaf;
        struct record record;
        if (!log_reader_leaf(k->reader, y->enrolled.entry[i], k->a, &leaf, NULL) ||
            !record_decode(&record, leaf, k->a, NULL))
            continue;
        struct span root;
        if (!json_string(json_get(record.body, "tensor_root"), &root) || !span_is(root, hex))
            continue;
        c->status = CLAIM_VERIFIED;
        c->reason = NULL;
        claim_value(k->s, c, "entry %" PRIu64, y->enrolled.entry[i]);
        claim_prove(k->s, c, prove_leaf(k, y->enrolled.entry[i]));
        return;
    }
}

void claims_from_log(struct making *k)
{
    integrity_claims(k);
    upkeep_claims(k);
    enrolment_claim(k);
    training_claims(k);
}

/* ---- calls ---- */

/* A claim that something is not there is worth what its end is: who else vouches for it? */
static void say_end(struct making *k, struct claim *c)
{
    const struct report *r = k->r;
    if (!c)
        return;
    const char *end = "self-attested: no witness vouches for the end of the range";
    if (r->anchor.n && r->anchored_by && r->activity->last_call < r->anchor_size)
        end = make_text(k,
                        "anchored: witnesses vouch for the first %" PRIu64
                        " entries, and no call of the period stands after them",
                        r->anchor_size);
    else if (r->anchor.n && r->anchored_by)
        end = make_text(k,
                        "anchored for the first %" PRIu64 " entries alone: calls after them are "
                        "vouched for by the log's own key",
                        r->anchor_size);
    c->reason = c->reason ? make_text(k, "%s; %s", c->reason, end) : end;
}

static void completeness_claims(struct making *k)
{
    const struct activity *y = k->r->activity;
    struct claim *c = measured(k, "calls", "calls");
    if (c)
        c->covers = covers_calls;
    c = measured(k, "calls.complete", "open");
    if (c) {
        c->covers = covers_calls;
        prove_listed(k, c, &y->open_calls);
        if (y->open || y->stray) {
            c->status = CLAIM_CONTRADICTED;
            c->reason = "calls stand open, or outcomes close none";
        }
        say_end(k, c);
    }
    c = measured(k, "calls.unapproved", "unapproved");
    if (c) {
        c->covers = covers_calls;
        prove_listed(k, c, &y->unapproved);
        if (y->unapproved.count) {
            c->status = CLAIM_CONTRADICTED;
            c->reason = "a model answered that is not the one examined and that no check passed "
                        "before";
        } else if (y->calls == 0)
            c->reason = "no call was made in the period";
        say_end(k, c);
    }
    c = measured(k, "log.approval", "checks");
    if (c && y->check.count == 0) {
        c->status = CLAIM_MISSING;
        c->value = NULL;
        c->reason = "no check against a policy stands in the log; assay check --log records one";
    }
}

/* Where a finding was made, and what a model that has it answered. */
static void finding_claims(struct making *k)
{
    const struct activity *y = k->r->activity;
    if (!y->finding)
        return;
    struct claim *c = measured(k, "finding.entries", "finding-entries");
    prove_listed(k, c, &y->finding_entries);
    if (c && y->finding_entries.count == 0)
        c->reason =
            "no check and no enrolment on record found it; assay check --log records what it finds";
    c = measured(k, "finding.calls", "finding-calls");
    if (!c)
        return;
    c->covers = covers_calls;
    if (y->finding_calls) {
        claim_prove(k->s, c, prove_leaf(k, y->finding_first));
        claim_prove(k->s, c, prove_leaf(k, y->finding_last));
    }
    say_end(k, c);
}

/* Millionths of a currency, to the hundredth. */
static const char *money(struct making *k, uint64_t millionths)
{
    uint64_t cents = (millionths + 5000) / 10000;
    return make_text(k, "%" PRIu64 ".%02" PRIu64, cents / 100, cents % 100);
}

static uint64_t cost(const struct activity *y, uint64_t in, uint64_t out)
{
    return (uint64_t)((double)y->tokens_in * (double)in / 1e6 +
                      (double)y->tokens_out * (double)out / 1e6 + 0.5);
}

/* What a million tokens came to, as they were used: the mixture of read and written ones. */
static const char *per_million(struct making *k, uint64_t millionths)
{
    double tokens = (double)k->r->activity->tokens_in + (double)k->r->activity->tokens_out;
    return money(k, tokens > 0 ? (uint64_t)((double)millionths / tokens * 1e6 + 0.5) : 0);
}

static void cost_claim(struct making *k)
{
    const struct report_prices *p = &k->in->prices;
    const struct activity *y = k->r->activity;
    if (!p->currency)
        return;
    struct claim *c = make_claim(k, "calls.cost", CLAIM_VERIFIED,
                                 "tokens of the calls times the price table given; the prices "
                                 "themselves are declared");
    if (!c)
        return;
    uint64_t own = cost(y, p->input, p->output);
    uint64_t other = cost(y, p->commercial_input, p->commercial_output);
    c->value = make_text(
        k, "%s %s for %" PRIu64 " tokens in and %" PRIu64 " out, %s %s for a million tokens",
        money(k, own), p->currency, y->tokens_in, y->tokens_out, per_million(k, own), p->currency);
    if (p->has_commercial)
        c->value = make_text(k, "%s; %s %s at the prices of %s, %s %s for a million", c->value,
                             money(k, other), p->currency, p->commercial_name,
                             per_million(k, other), p->currency);
    c->covers = covers_calls;
    c->status = CLAIM_DECLARED;
    claim_says(k->s, c, &(struct claim_source){.path = p->name, .place = "prices"});
    claim_prove(k->s, c, prove_range(k, "tokens", activity_measure(y, "tokens", k->a)));
}

/* What inference took: time as the calls say it, energy by the watts that a person states. */
static void compute_claim(struct making *k)
{
    const struct report_prices *p = &k->in->prices;
    const struct activity *y = k->r->activity;
    if (y->computed == 0)
        return;
    struct claim *c = measured(k, "calls.energy", "computing");
    if (!c)
        return;
    c->covers = covers_calls;
    c = p->watts ? make_claim(k, "calls.energy", CLAIM_DECLARED,
                              "that time at the power that the price table states")
                 : NULL;
    if (!c)
        return;
    double hours = (double)y->computing_us / 3.6e9;
    c->value = make_text(k, "%.3g kWh at %" PRIu64 " W", hours * (double)p->watts / 1e3, p->watts);
    c->covers = covers_calls;
    claim_says(k->s, c, &(struct claim_source){.path = p->name, .place = "watts"});
    claim_prove(k->s, c, prove_range(k, "computing", activity_measure(y, "computing", k->a)));
}

void claims_from_calls(struct making *k)
{
    static const struct {
        const char *property, *measure;
    } plain[] = {
        {"calls.outcomes", "outcomes"}, {"calls.tokens", "tokens"},
        {"calls.latency", "latency"},   {"calls.refused", "refused"},
        {"calls.subjects", "subjects"}, {"calls.models", "models"},
        {"calls.settings", "settings"}, {"calls.answered-by", "answered-by"},
    };
    completeness_claims(k);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        struct claim *c = measured(k, plain[i].property, plain[i].measure);
        if (c)
            c->covers = covers_calls;
    }
    finding_claims(k);
    cost_claim(k);
    compute_claim(k);
    const struct activity *y = k->r->activity;
    for (size_t i = 0; i < y->model_count && i < 8; i++) {
        struct claim *c = claims_find(k->s, "calls.models");
        claim_prove(k->s, c, prove_leaf(k, y->models[i].first));
    }
}
