/*
 * Measures: what a range of a log can be asked, each with its exact query. A
 * verifier runs the same query over the same range and compares the text.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/clock.h"
#include "assay/base/text.h"
#include "assay/seal.h"
#include "report/activity.h"

enum { TEXT_MAX = 4096 };

/* ---- values ---- */

static void put(char *text, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void put(char *text, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text + n, TEXT_MAX - n, fmt, args);
    va_end(args);
}

static void put_entries(char *text, const struct activity *y)
{
    put(text, "%" PRIu64, y->entries);
    for (int i = 0; i < RECORD_KINDS; i++)
        if (y->kinds[i])
            put(text, ", %s %" PRIu64, record_kind_name((enum record_kind)i), y->kinds[i]);
}

static void put_listed(char *text, const struct listed *l)
{
    put(text, "%" PRIu64, l->count);
    for (uint64_t i = 0; i < l->count && i < ACTIVITY_LISTED; i++)
        put(text, "%s%" PRIu64, i ? ", " : l->count == 1 ? ": entry " : ": entries ", l->entry[i]);
    if (l->count > ACTIVITY_LISTED)
        put(text, " and %" PRIu64 " more", l->count - ACTIVITY_LISTED);
}

static void put_calls(char *text, const struct activity *y)
{
    put(text, "%" PRIu64, y->calls);
}

static void put_open(char *text, const struct activity *y)
{
    put(text, "open ");
    put_listed(text, &y->open_calls);
    put(text, "; outcomes that close no call %" PRIu64, y->stray);
}

static void put_unapproved(char *text, const struct activity *y)
{
    put_listed(text, &y->unapproved);
}

static void put_outcomes(char *text, const struct activity *y)
{
    put(text, "%" PRIu64, y->answered);
    for (int i = 0; i < CALL_ENDS; i++)
        if (y->ends[i])
            put(text, ", %s %" PRIu64, call_end_name((enum call_end)i), y->ends[i]);
}

static void put_tokens(char *text, const struct activity *y)
{
    put(text, "%" PRIu64 " in, %" PRIu64 " out", y->tokens_in, y->tokens_out);
    if (y->tokens_estimated)
        put(text, "; counted by us and not by the upstream in %" PRIu64 " calls",
            y->tokens_estimated);
}

static void put_latency(char *text, const struct activity *y)
{
    static const double shares[] = {0.5, 0.95, 0.99};
    if (y->timed == 0) {
        put(text, "none was timed");
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        uint64_t us = activity_quantile(y, shares[i]);
        put(text, "%s%d %% below %" PRIu64 ".%03" PRIu64 " s", i ? ", " : "",
            (int)(shares[i] * 100 + 0.5), us / 1000000, us / 1000 % 1000);
    }
}

static void put_refused(char *text, const struct activity *y)
{
    if (y->of) { /* who is turned away before a call is known by no name */
        put(text, "%" PRIu64 " calls refused", y->ends[END_REFUSED]);
        return;
    }
    put(text, "%" PRIu64 " calls refused, %" PRIu64 " requests turned away before they were calls",
        y->ends[END_REFUSED], y->refused);
}

static void put_subjects(char *text, const struct activity *y)
{
    put(text, "%s%" PRIu64 " pseudonyms in %" PRIu64 " calls",
        y->subjects_overflowed ? "more than " : "", y->subjects, y->with_subject);
}

static void put_span(char *text, struct span s, size_t max)
{
    char shown[200];
    put(text, "%s", text_shown(shown, max < sizeof shown ? max : sizeof shown, s));
}

static void put_models(char *text, const struct activity *y)
{
    put(text, "%zu", y->model_count);
    for (size_t i = 0; i < y->model_count && i < 24; i++) {
        const struct used_model *u = &y->models[i];
        put(text, "; ");
        put_span(text, u->name, 100);
        put(text, " %" PRIu64 " calls, ", u->calls);
        if (u->tensor_root.n) {
            put(text, "tensor root ");
            put_span(text, u->tensor_root, 17);
        } else
            put(text, "known by name alone");
    }
    if (y->other_models)
        put(text, "; others %" PRIu64 " calls", y->other_models);
}

static void put_clock(char *text, const struct activity *y)
{
    put(text, "wall clock back %" PRIu64 " times, boot clock back %" PRIu64 " times", y->clock_back,
        y->boot_back);
}

static void put_span_of_time(char *text, const struct activity *y)
{
    char first[32], last[32];
    put(text, "entries 0 to %" PRIu64 ", %s to %s", y->entries ? y->entries - 1 : 0,
        clock_text(first, y->first_us), clock_text(last, y->last_us));
}

static void put_changes(char *text, const struct activity *y)
{
    put_listed(text, &y->config);
    put(text, "; starts %" PRIu64 ", restores %" PRIu64 ", key changes %" PRIu64, y->start.count,
        y->restore.count, y->kinds[RECORD_KEY]);
}

static void put_erasures(char *text, const struct activity *y)
{
    put(text, "erasures ");
    put_listed(text, &y->erasure);
    put(text, "; legal holds ");
    put_listed(text, &y->hold);
}

static void put_disclosures(char *text, const struct activity *y)
{
    put_listed(text, &y->disclosure);
}

static void put_checks(char *text, const struct activity *y)
{
    put_listed(text, &y->check);
    put(text, "; not passed ");
    put_listed(text, &y->failed_check);
}

static void put_replays(char *text, const struct activity *y)
{
    put_listed(text, &y->replay);
    put(text, "; without a match ");
    put_listed(text, &y->mismatch);
}

static void put_retention(char *text, const struct activity *y)
{
    char first[32];
    put(text, "oldest entry %s", clock_text(first, y->first_us));
    if (y->floor_days)
        put(text, "; kept at least %" PRIu64 " days", y->floor_days);
    if (y->ceiling_days)
        put(text, "; kept at most %" PRIu64 " days", y->ceiling_days);
    if (!y->floor_days && !y->ceiling_days)
        put(text, "; no retention is set");
}

static void put_enrolled(char *text, const struct activity *y)
{
    put_listed(text, &y->enrolled);
}

static void put_training(char *text, const struct activity *y)
{
    put(text, "training ");
    put_listed(text, &y->training);
    put(text, "; data sets ");
    put_listed(text, &y->dataset);
}

static void put_finding_entries(char *text, const struct activity *y)
{
    put_listed(text, &y->finding_entries);
}

static void put_finding_calls(char *text, const struct activity *y)
{
    put(text, "%" PRIu64 " by %zu models", y->finding_calls, y->finding_models);
    if (y->finding_calls)
        put(text, ", entries %" PRIu64 " to %" PRIu64, y->finding_first, y->finding_last);
    if (y->other_models)
        put(text, "; of %" PRIu64 " calls more the models are not told apart", y->other_models);
}

static void put_answered_other(char *text, const struct activity *y)
{
    put_listed(text, &y->answered_other);
}

static void put_settings(char *text, const struct activity *y)
{
    put(text, "%zu", y->setting_count);
    for (size_t i = 0; i < y->setting_count && i < 12; i++) {
        const struct used_setting *u = &y->settings[i];
        put(text, "; ");
        put_span(text, span_str(u->text[0] ? u->text : "none given"), SETTING_TEXT);
        put(text, ": %" PRIu64 " calls", u->calls);
    }
    if (y->other_settings)
        put(text, "; others %" PRIu64 " calls", y->other_settings);
    for (size_t i = 0; i < y->program_count && i < 8; i++) {
        put(text, "%s", i ? ", " : "; by ");
        put_span(text, span_str(y->programs[i].text), 60);
    }
}

static void put_computing(char *text, const struct activity *y)
{
    if (y->computed == 0) {
        put(text, "no call says how long was computed");
        return;
    }
    put(text, "%" PRIu64 ".%03" PRIu64 " s of computing in %" PRIu64 " calls",
        y->computing_us / 1000000, y->computing_us / 1000 % 1000, y->computed);
}

static const struct measure {
    const char *name, *query;
    void (*put)(char *text, const struct activity *y);
    bool period; /* of the period's calls, not of the whole range */
} measures[] = {
    {"entries", "count entries, by kind", put_entries, false},
    {"time", "first and last entry and their wall clocks", put_span_of_time, false},
    {"clock", "count entries whose clock is before their predecessor's", put_clock, false},
    {"calls", "count kind=call-intent", put_calls, true},
    {"open", "list kind=call-intent that no later call-outcome.intent names", put_open, false},
    {"unapproved",
     "list kind=call-intent where model is neither the one examined nor one that an earlier "
     "kind=check with result=pass names by its roots",
     put_unapproved, true},
    {"outcomes", "count kind=call-outcome, by outcome", put_outcomes, true},
    {"tokens", "sum kind=call-outcome tokens.input, tokens.output", put_tokens, true},
    {"latency", "quantiles of kind=call-outcome timings.total_us, at most 6.3 % too high",
     put_latency, true},
    {"refused", "count outcome=refused; sum kind=refused", put_refused, true},
    {"subjects", "count distinct subject of kind=call-intent", put_subjects, true},
    {"models", "group kind=call-intent by model.name, tensor_root, manifest_root", put_models,
     true},
    {"answered-by",
     "list kind=call-outcome whose model.name neither is nor begins with that of its intent",
     put_answered_other, true},
    {"settings", "group kind=call-intent by sampling without seed and lengths; kind=start software",
     put_settings, true},
    {"computing", "sum kind=call-outcome timings.prefill_us, timings.decode_us", put_computing,
     true},
    {"changes", "list kind=config; count kind=start, restore, key", put_changes, false},
    {"erasures", "list kind=erasure; list kind=hold", put_erasures, false},
    {"disclosures", "list kind=disclosure", put_disclosures, false},
    {"checks", "list kind=check, and those with another result than pass", put_checks, false},
    {"replays", "list kind=replay, and those with another result than match", put_replays, false},
    {"retention", "first entry; last kind=config with retention.*", put_retention, false},
    {"enrolled", "list kind=model", put_enrolled, false},
    {"training", "list kind=training; list kind=dataset", put_training, false},
    {"finding-entries", "list kind=check, kind=model whose findings name the rule",
     put_finding_entries, false},
    {"finding-calls",
     "count kind=call-intent whose model has a root that an entry names whose findings name the "
     "rule",
     put_finding_calls, true},
};

static const struct measure *find(struct span name)
{
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++)
        if (span_is(name, measures[i].name))
            return &measures[i];
    return NULL;
}

const char *activity_measure(const struct activity *y, const char *name, struct arena *a)
{
    char text[TEXT_MAX] = "";
    const struct measure *m = find(span_str(name));
    if (!m)
        return NULL;
    m->put(text, y);
    return arena_str(a, span_str(text));
}

/* ", subject in 0123..., 4567..." */
static const char *subject_words(const struct activity *y, struct arena *a)
{
    struct buf b;
    char hex[SEAL_ID_HEX + 1];
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < y->of_count; i++) {
        buf_put_str(&b, i ? " " : ", subject in ");
        buf_put_str(&b, seal_id_hex(hex, &y->of[i]));
    }
    const char *text = buf_ok(&b) ? arena_str(a, buf_span(&b)) : NULL;
    buf_free(&b);
    return text;
}

const char *activity_query(const struct activity *y, const char *name, struct arena *a)
{
    char since[32], until[32];
    const struct measure *m = find(span_str(name));
    bool rule = m && span_starts(span_str(m->name), "finding-") && y->finding;
    const char *period = "", *of = "";
    if (m && m->period && (y->since || y->until != UINT64_MAX))
        period = arena_printf(a, ", %s <= wall_us < %s", clock_text(since, y->since),
                              clock_text(until, y->until));
    if (m && m->period && y->of)
        of = subject_words(y, a);
    if (!m || !period || !of)
        return NULL;
    return arena_printf(a, "%s: %s%s%s%s%s", m->name, m->query, rule ? " " : "",
                        rule ? y->finding : "", period, of);
}

const char *activity_query_name(struct span query)
{
    size_t n = 0;
    while (n < query.n && query.p[n] != ':')
        n++;
    const struct measure *m = find(span_sub(query, 0, n));
    return m ? m->name : NULL;
}
