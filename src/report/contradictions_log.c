/*
 * Contradictions between a log and what is said of it: 27, 30 and 32 of the
 * catalogue. What the log alone shows comes before what takes a statement too,
 * so that a verifier with the log makes the same claims again.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "report/making.h"

static void refute_listed(struct making *k, struct claim *c, const struct listed *l)
{
    for (uint64_t i = 0; c && i < l->count && i < ACTIVITY_LISTED; i++)
        claim_refute(k->s, c, prove_leaf(k, l->entry[i]));
}

static void refute_by_range(struct making *k, struct claim *c, const char *measure)
{
    claim_refute(k->s, c, prove_range(k, measure, activity_measure(k->r->activity, measure, k->a)));
}

/* ---- 27: contents handed out ---- */

static void user_data(struct making *k)
{
    const struct activity *y = k->r->activity;
    const struct claim *said = made_before(k, "human.user-data", NULL);
    if (!said || !says_no(said->value) || y->disclosure.count == 0)
        return;
    struct claim *c = make_opposed(
        k, 27, "Contents of calls were handed out, and no user data is said to be used", said,
        NULL);
    if (!c)
        return;
    c->observed = make_text(k, "%" PRIu64 " disclosures", y->disclosure.count);
    c->reason = "for a person to judge: a disclosure to an auditor is no training";
    refute_listed(k, c, &y->disclosure);
    refute_by_range(k, c, "disclosures");
}

/* ---- 30: served and documented ---- */

/* A model of the same name that is another one. */
static void served_as(struct making *k, const struct used_model *u)
{
    const struct report_model *m = k->in->model;
    char root[DIGEST_HEX + 1], template[DIGEST_HEX + 1];
    struct claim *c = NULL;
    digest_hex(root, &m->identity->tensor_root);
    digest_hex(template, &m->identity->chat_template);
    if (u->tensor_root.n && !span_is(u->tensor_root, root)) {
        c = make_contradiction(k, 30, "What was served under this name is another model",
                               make_text(k, "tensor root %s", root),
                               make_text(k, "tensor root %s in %" PRIu64 " calls",
                                         make_shown(k, u->tensor_root, 70), u->calls));
        claim_prove(k->s, c, prove_file(k, m, 0));
    } else if (u->template_digest.n && m->identity->has_template &&
               !span_is(u->template_digest, template)) {
        c = make_contradiction(k, 30, "The model was served with another chat template",
                               make_text(k, "template %s", template),
                               make_text(k, "template %s in %" PRIu64 " calls",
                                         make_shown(k, u->template_digest, 70), u->calls));
        if (m->model->template_count)
            claim_prove(k->s, c, prove_place(k, m, m->model->templates[0].origin));
    }
    if (!c)
        return;
    claim_says(k->s, c, &(struct claim_source){.path = m->shown, .place = "the model examined"});
    claim_says(
        k->s, c,
        &(struct claim_source){.path = "log", .place = make_text(k, "entry %" PRIu64, u->first)});
    claim_refute(k->s, c, prove_leaf(k, u->first));
}

static void served(struct making *k)
{
    const struct report_model *m = k->in->model;
    const struct activity *y = k->r->activity;
    if (!m || !m->identity->has_tensor_root)
        return;
    for (size_t i = 0; i < y->model_count; i++) {
        const struct used_model *u = &y->models[i];
        if ((m->facts->name.n && span_eq(u->name, m->facts->name)) || span_is(u->name, m->shown))
            served_as(k, u);
    }
}

/* The upstream says itself that another model answered. */
static void answered(struct making *k)
{
    const struct activity *y = k->r->activity;
    if (y->answered_other.count == 0)
        return;
    struct claim *c = make_contradiction(
        k, 30, "Another model answered than the one asked for",
        "calls name the model that they ask for",
        make_text(k, "%" PRIu64 " outcomes name another", y->answered_other.count));
    if (!c)
        return;
    for (uint64_t i = 0; i < y->answered_other.count && i < ACTIVITY_LISTED; i++) {
        struct span leaf;
        struct record record;
        uint64_t intent;
        if (log_reader_leaf(k->reader, y->answered_other.entry[i], k->a, &leaf, NULL) &&
            record_decode(&record, leaf, k->a, NULL) &&
            json_u64(json_get(record.body, "intent"), &intent))
            claim_prove(k->s, c, prove_leaf(k, intent));
    }
    refute_listed(k, c, &y->answered_other);
    refute_by_range(k, c, "answered-by");
}

/* "temperature 0.7, top_p 0.9": the value that a text gives a name; empty: it gives none. */
static struct span setting_in(const char *text, struct span name)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        struct span one = {(const uint8_t *)text, n};
        while (one.n && one.p[0] == ' ')
            one = span_sub(one, 1, one.n - 1);
        if (one.n > name.n + 1 && memcmp(one.p, name.p, name.n) == 0 && one.p[name.n] == ' ')
            return span_sub(one, name.n + 1, one.n - name.n - 1);
        text += n + (text[n] == ',');
    }
    return SPAN_EMPTY;
}

/* Does a call's setting give one of the stated names another value? */
static bool sets_otherwise(const char *stated, const char *used)
{
    while (*stated) {
        size_t n = strcspn(stated, ","), from = strspn(stated, " ");
        struct span one = {(const uint8_t *)stated + from, n > from ? n - from : 0};
        size_t name = 0;
        while (name < one.n && one.p[name] != ' ')
            name++;
        struct span value = name < one.n ? span_sub(one, name + 1, one.n - name - 1) : SPAN_EMPTY;
        struct span other = setting_in(used, span_sub(one, 0, name));
        double a, b;
        if (value.n && other.n && text_to_double(value, &a) && text_to_double(other, &b) &&
            (a < b || a > b))
            return true;
        stated += n + (stated[n] == ',');
    }
    return false;
}

static void settings(struct making *k)
{
    const struct activity *y = k->r->activity;
    const struct claim *said = made_before(k, "human.sampling", NULL);
    for (size_t i = 0; said && i < y->setting_count; i++) {
        const struct used_setting *u = &y->settings[i];
        if (!sets_otherwise(said->value, u->text))
            continue;
        struct claim *c = make_opposed(
            k, 30, "Calls were made with other sampling settings than those stated", said, NULL);
        if (!c)
            return;
        c->observed = make_text(k, "%s in %" PRIu64 " calls", u->text, u->calls);
        c->about = "calls.settings";
        c->reason = "for a person to judge";
        claim_refute(k->s, c, prove_leaf(k, u->first));
        refute_by_range(k, c, "settings");
    }
}

/* ---- 32: time and retention ---- */

static void clocks(struct making *k)
{
    const struct activity *y = k->r->activity;
    if (!y->clock_back && !y->boot_back)
        return;
    struct claim *c = make_contradiction(
        k, 32, "The log's clock ran backwards", "entries are in the order of their numbers",
        make_text(k, "%" PRIu64 " times by the wall clock, %" PRIu64 " by the boot clock",
                  y->clock_back, y->boot_back));
    refute_by_range(k, c, "clock");
    refute_listed(k, c, &y->backwards);
    claim_prove(k->s, c, prove_leaf(k, 0));
}

/* A restore that names a larger size before it: entries between are lost. */
static void gaps(struct making *k)
{
    const struct activity *y = k->r->activity;
    if (y->restore.count == 0)
        return;
    struct claim *c = make_contradiction(
        k, 32, "The log went on from a backup", "a log keeps every entry",
        make_text(k, "%" PRIu64 " restores: what came between backup and restore is lost",
                  y->restore.count));
    claim_prove(k->s, c, prove_leaf(k, 0));
    refute_listed(k, c, &y->restore);
    refute_by_range(k, c, "changes");
}

static void retention(struct making *k)
{
    const struct activity *y = k->r->activity;
    const struct claim *said = made_before(k, "human.log-retention", NULL);
    uint64_t days = 0;
    if (!said)
        return;
    struct span digits = span_str(said->value);
    for (digits.n = 0; said->value[digits.n] >= '0' && said->value[digits.n] <= '9';)
        digits.n++;
    if (!text_u64(digits, &days) || days <= y->floor_days)
        return;
    struct claim *c =
        make_opposed(k, 32, "Retention is set to less than what is stated", said, NULL);
    if (!c)
        return;
    c->observed = y->floor_days ? make_text(k, "%" PRIu64 " days", y->floor_days)
                                : "no retention is set in the log";
    refute_listed(k, c, &y->config);
    refute_by_range(k, c, "retention");
}

/* Content that was destroyed before the stated time was over. */
static void erased_early(struct making *k)
{
    const struct activity *y = k->r->activity;
    const struct claim *said = made_before(k, "human.log-erasures", NULL);
    if (!said || !says_no(said->value) || y->erasure.count == 0)
        return;
    struct claim *c =
        make_opposed(k, 32, "Content was erased, and no erasure is stated", said, NULL);
    if (!c)
        return;
    c->observed = make_text(k, "%" PRIu64 " erasures", y->erasure.count);
    refute_listed(k, c, &y->erasure);
    refute_by_range(k, c, "erasures");
}

void contradictions_from_calls(struct making *k)
{
    served(k);
    answered(k);
    clocks(k);
    gaps(k);
    user_data(k);
    settings(k);
    retention(k);
    erased_early(k);
}
