/*
 * Calls: which models answered, for whom, with what settings, how they ended and
 * how long they took.
 */
#include <stdio.h>
#include <string.h>

#include "report/activity_walk.h"

#define HOUR_US (UINT64_C(3600) * 1000000)

static const char *const end_names[CALL_ENDS] = {
    "complete", "client_abort", "upstream_abort", "timeout",
    "refused",  "error",        "shutdown",       "crash",
};

const char *call_end_name(enum call_end end)
{
    return end_names[end];
}

/* ---- subjects ---- */

static void note_subject(struct walk *k, const struct record_head *h)
{
    static const uint8_t none[16] = {0};
    if (!h->has_subject)
        return;
    k->y->with_subject++;
    uint64_t slot = 0;
    memcpy(&slot, h->subject, sizeof slot); /* pseudonyms are random */
    for (size_t tries = 0; tries < k->subject_slots; tries++, slot++) {
        uint8_t *at = k->subjects[slot % k->subject_slots];
        if (memcmp(at, h->subject, 16) == 0)
            return;
        if (memcmp(at, none, 16) != 0)
            continue;
        if (k->y->subjects >= ACTIVITY_SUBJECTS)
            break;
        memcpy(at, h->subject, 16);
        k->y->subjects++;
        return;
    }
    k->y->subjects_overflowed = true;
}

/* ---- models ---- */

static bool same_model(const struct used_model *u, struct span name, struct span tensors,
                       struct span manifest)
{
    return span_eq(u->name, name) && span_eq(u->tensor_root, tensors) &&
           span_eq(u->manifest_root, manifest);
}

static struct used_model *new_model(struct walk *k, struct span model, struct span route,
                                    uint64_t seq)
{
    struct activity *y = k->y;
    struct used_model *u = y->model_count < ACTIVITY_MODELS ? &y->models[y->model_count] : NULL;
    if (!u)
        return NULL;
    struct span tensors = canon_text(canon_get(model, "tensor_root"));
    struct span manifest = canon_text(canon_get(model, "manifest_root"));
    uint8_t bits = walk_bits(k, tensors) | walk_bits(k, manifest);
    *u = (struct used_model){
        .name = arena_span(y->arena, canon_text(canon_get(model, "name"))),
        .tensor_root = arena_span(y->arena, tensors),
        .manifest_root = arena_span(y->arena, manifest),
        .template_digest = arena_span(y->arena, canon_text(canon_get(model, "template"))),
        .route = arena_span(y->arena, canon_text(route)),
        .first = seq,
        .enrolled = bits & ROOT_ENROLLED,
        .checked = bits & ROOT_CHECKED,
        .examined = (tensors.n && span_is(tensors, k->root_hex)) ||
                    (manifest.n && span_is(manifest, k->manifest_hex)),
    };
    y->model_count++;
    return u;
}

static struct used_model *find_model(struct walk *k, struct span body, uint64_t seq)
{
    struct span model = canon_get(body, "model");
    struct span name = canon_text(canon_get(model, "name"));
    struct span tensors = canon_text(canon_get(model, "tensor_root"));
    struct span manifest = canon_text(canon_get(model, "manifest_root"));
    for (size_t i = 0; i < k->y->model_count; i++)
        if (same_model(&k->y->models[i], name, tensors, manifest))
            return &k->y->models[i];
    return new_model(k, model, canon_get(body, "route"), seq);
}

/* The hour that an entry belongs to; clocks that step back stay in the first. */
static struct hour *hour_of(struct walk *k, uint64_t us)
{
    struct activity *y = k->y;
    uint64_t hour = us / HOUR_US;
    if (y->hour_count == 0)
        y->first_hour = hour;
    uint64_t at = hour < y->first_hour ? 0 : hour - y->first_hour;
    if (at >= ACTIVITY_HOURS)
        at = ACTIVITY_HOURS - 1;
    while (y->hour_count <= at) {
        struct hour *grown =
            arena_grow(y->arena, y->hours, y->hour_count, &k->hour_cap, sizeof *grown);
        if (!grown)
            return NULL;
        y->hours = grown;
        y->hours[y->hour_count++] = (struct hour){0};
    }
    return &y->hours[at];
}

static void count_found(struct walk *k, uint64_t seq)
{
    uint8_t number[8];
    k->y->last_call = seq;
    store_u64be(number, seq);
    sha256_update(k->found, number, sizeof number);
}

/* ---- settings ---- */

struct used_setting *walk_use(struct used_setting *list, size_t *count, const char *text,
                              uint64_t seq)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(list[i].text, text) == 0) {
            list[i].calls++;
            return &list[i];
        }
    if (*count == ACTIVITY_SETTINGS)
        return NULL;
    struct used_setting *u = &list[(*count)++];
    *u = (struct used_setting){.calls = 1, .first = seq};
    memcpy(u->text, text, strlen(text) + 1);
    return u;
}

/* What makes one call unlike another without being a setting is left out. */
static bool is_setting(struct span name)
{
    return !span_is(name, "seed") && !span_is(name, "max_tokens") && !span_is(name, "n");
}

static void note_settings(struct walk *k, struct span sampling, uint64_t seq)
{
    struct canon c = canon_over(sampling);
    struct span name, value;
    char text[SETTING_TEXT] = "";
    size_t n = 0;
    while (canon_next(&c, &name, &value)) {
        struct span plain = value.n && value.p[0] == '"' ? canon_text(value) : value;
        size_t more = name.n + plain.n + 3;
        if (!is_setting(name) || n + more >= sizeof text)
            continue;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s %.*s", n ? ", " : "", (int)name.n,
                              (const char *)name.p, (int)plain.n, (const char *)plain.p);
    }
    if (!walk_use(k->y->settings, &k->y->setting_count, text, seq))
        k->y->other_settings++;
}

bool walk_intent(struct walk *k, const struct record_head *h, struct span body)
{
    k->open[h->seq / 8] |= (uint8_t)(1u << h->seq % 8);
    if (!walk_counts(k, h))
        return true;
    struct activity *y = k->y;
    struct used_model *u = find_model(k, body, h->seq);
    struct hour *hour = hour_of(k, h->wall_us);
    if (!hour)
        return err_set(k->e, ERR_MEMORY, "out of memory for the hours of the log");
    y->calls++;
    hour->calls++;
    count_found(k, h->seq);
    note_subject(k, h);
    note_settings(k, canon_get(body, "sampling"), h->seq);
    if (!u) {
        y->other_models++;
        walk_list(&y->unapproved, h->seq);
        return true;
    }
    u->calls++;
    u->last = h->seq;
    k->asked[h->seq] = u - y->models < UINT8_MAX ? (uint8_t)(u - y->models + 1) : 0;
    if (!u->examined && !u->checked)
        walk_list(&y->unapproved, h->seq);
    return true;
}

static void add_latency(struct activity *y, uint64_t us)
{
    unsigned octave = us < 16 ? 0 : 63u - (unsigned)__builtin_clzll(us) - 3u;
    unsigned bin = octave ? octave * 16 + (unsigned)(us >> (octave - 1) & 15) : (unsigned)us;
    y->latency[bin < LATENCY_BINS ? bin : LATENCY_BINS - 1]++;
    y->timed++;
}

uint64_t activity_quantile(const struct activity *y, double share)
{
    uint64_t below = (uint64_t)(share * (double)y->timed), seen = 0;
    for (unsigned bin = 0; bin < LATENCY_BINS && y->timed; bin++) {
        seen += y->latency[bin];
        if (seen > below || seen == y->timed)
            return bin < 16 ? bin + 1 : (UINT64_C(16) + bin % 16 + 1) << (bin / 16 - 1);
    }
    return 0;
}

static void count_tokens(struct activity *y, struct hour *hour, struct span tokens)
{
    struct canon c = canon_over(tokens);
    struct span name, value;
    while (canon_next(&c, &name, &value)) {
        if (span_is(name, "input")) {
            y->tokens_in += canon_count(value);
            hour->tokens_in += canon_count(value);
        } else if (span_is(name, "output")) {
            y->tokens_out += canon_count(value);
            hour->tokens_out += canon_count(value);
        } else if (span_is(name, "estimated") && span_is(value, "true"))
            y->tokens_estimated++;
    }
}

static void count_end(struct activity *y, struct hour *hour, struct span end)
{
    for (int i = 0; i < CALL_ENDS; i++)
        if (span_is(end, end_names[i])) {
            y->ends[i]++;
            hour->refused += i == END_REFUSED;
            hour->errors += i != END_COMPLETE && i != END_REFUSED && i != END_CLIENT_ABORT;
        }
}

static void count_time(struct activity *y, struct hour *hour, struct span timings)
{
    struct canon c = canon_over(timings);
    struct span name, value;
    uint64_t us = 0, computing = 0;
    if (timings.n == 0)
        return;
    while (canon_next(&c, &name, &value)) {
        if (span_is(name, "total_us"))
            us = canon_count(value);
        else if (span_is(name, "decode_us") || span_is(name, "prefill_us"))
            computing += canon_count(value);
    }
    y->computing_us += computing;
    y->computed += computing != 0;
    add_latency(y, us);
    hour->latency_us += us;
    hour->timed++;
}

/* A snapshot of the model asked for ("name-2026-10-01", "name:latest") is that model. */
static void note_answerer(struct walk *k, uint64_t intent, uint64_t seq, struct span model)
{
    struct activity *y = k->y;
    uint8_t asked = intent < seq ? k->asked[intent] : 0;
    struct span by = canon_text(canon_get(model, "name"));
    struct span name = asked ? y->models[asked - 1].name : SPAN_EMPTY;
    if (!name.n || !by.n || span_eq(name, by) ||
        (by.n > name.n && memcmp(by.p, name.p, name.n) == 0))
        return;
    walk_list(&y->answered_other, seq);
}

bool walk_outcome(struct walk *k, const struct record_head *h, struct span body)
{
    struct activity *y = k->y;
    struct canon c = canon_over(body);
    struct span name, value, model = SPAN_EMPTY;
    struct span tokens = SPAN_EMPTY, end = SPAN_EMPTY, timings = SPAN_EMPTY;
    uint64_t intent = UINT64_MAX;
    while (canon_next(&c, &name, &value)) {
        if (span_is(name, "intent"))
            intent = canon_count(value);
        else if (span_is(name, "model"))
            model = value;
        else if (span_is(name, "outcome"))
            end = canon_text(value);
        else if (span_is(name, "timings"))
            timings = value;
        else if (span_is(name, "tokens"))
            tokens = value;
    }
    uint8_t bit = (uint8_t)(1u << intent % 8);
    if (intent >= h->seq || !(k->open[intent / 8] & bit))
        y->stray++;
    else
        k->open[intent / 8] &= (uint8_t)~bit;
    if (!walk_counts_outcome(k, h, intent))
        return true;
    struct hour *hour = hour_of(k, h->wall_us);
    if (!hour)
        return err_set(k->e, ERR_MEMORY, "out of memory for the hours of the log");
    y->answered++;
    count_found(k, h->seq);
    count_tokens(y, hour, tokens);
    count_end(y, hour, end);
    count_time(y, hour, timings);
    note_answerer(k, intent, h->seq, model);
    return true;
}
