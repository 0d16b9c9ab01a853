/*
 * The walk. Each leaf is checked, hashed into the tree and counted; members are
 * taken from the canonical text without building a tree of values.
 */
#include "report/activity.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "report/canon.h"

enum { LOOK_EVERY = 8192 };

#define HOUR_US (UINT64_C(3600) * 1000000)

static const char *const end_names[CALL_ENDS] = {
    "complete", "client_abort", "upstream_abort", "timeout",
    "refused",  "error",        "shutdown",       "crash",
};

const char *call_end_name(enum call_end end)
{
    return end_names[end];
}

struct walk {
    struct activity *y;
    const struct activity_wanted *w;
    struct merkle tree;
    struct digest *anchor;
    struct sha256 *found;
    uint8_t *open;  /* a bit for each entry that is an intent still open */
    uint8_t *asked; /* for each entry: 1 + the model that an intent asked for; 0: unknown */
    uint8_t (*subjects)[16];
    size_t subject_slots;
    uint64_t last_us, last_boot_us;
    uint8_t boot_id[16];
    char root_hex[DIGEST_HEX + 1], manifest_hex[DIGEST_HEX + 1];
    size_t hour_cap;
    struct map roots; /* tensor and manifest roots met in model leaves -> bits below */
    uint8_t *root_bits;
    size_t root_count, root_cap;
    struct err *e;
    bool ok;
};

enum { ROOT_ENROLLED = 1, ROOT_CHECKED = 2 };

static void list(struct listed *l, uint64_t seq)
{
    if (l->count < ACTIVITY_LISTED)
        l->entry[l->count] = seq;
    l->count++;
}

static bool in_period(const struct walk *k, uint64_t us)
{
    return us >= k->w->since && us < k->w->until;
}

/* ---- roots: what was enrolled and checked so far ---- */

static bool mark_root(struct walk *k, struct span hex, uint8_t bit)
{
    uint32_t at = hex.n ? map_get(&k->roots, hex) : MAP_NONE, previous;
    if (hex.n == 0)
        return true;
    if (at == MAP_NONE) {
        uint8_t *bits = arena_grow(k->y->arena, k->root_bits, k->root_count, &k->root_cap, 1);
        struct span kept = arena_span(k->y->arena, hex);
        at = (uint32_t)k->root_count;
        if (!bits || !kept.p || !map_put(&k->roots, kept, at, &previous))
            return err_set(k->e, ERR_MEMORY, "out of memory for the models of the log");
        k->root_bits = bits;
        k->root_bits[k->root_count++] = 0;
    }
    k->root_bits[at] |= bit;
    return true;
}

static uint8_t root_bits(const struct walk *k, struct span hex)
{
    uint32_t at = hex.n ? map_get(&k->roots, hex) : MAP_NONE;
    return at == MAP_NONE ? 0 : k->root_bits[at];
}

static bool mark_model(struct walk *k, struct span model, uint8_t bit)
{
    return mark_root(k, canon_text(canon_get(model, "tensor_root")), bit) &&
           mark_root(k, canon_text(canon_get(model, "manifest_root")), bit);
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

/* ---- calls ---- */

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
    uint8_t bits = root_bits(k, tensors) | root_bits(k, manifest);
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

/* One more use of a text; NULL when there is no room for another. */
static struct used_setting *use_setting(struct used_setting *list, size_t *count, const char *text,
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
    if (!use_setting(k->y->settings, &k->y->setting_count, text, seq))
        k->y->other_settings++;
}

static bool on_intent(struct walk *k, const struct record_head *h, struct span body)
{
    k->open[h->seq / 8] |= (uint8_t)(1u << h->seq % 8);
    if (!in_period(k, h->wall_us))
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
        list(&y->unapproved, h->seq);
        return true;
    }
    u->calls++;
    u->last = h->seq;
    k->asked[h->seq] = u - y->models < UINT8_MAX ? (uint8_t)(u - y->models + 1) : 0;
    if (!u->examined && !u->checked)
        list(&y->unapproved, h->seq);
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
    list(&y->answered_other, seq);
}

static bool on_outcome(struct walk *k, const struct record_head *h, struct span body)
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
    if (!in_period(k, h->wall_us))
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

/* ---- everything else ---- */

static bool on_config(struct walk *k, const struct record_head *h, struct span body)
{
    struct span changes = canon_get(body, "changes");
    list(&k->y->config, h->seq);
    /* [{"name":"retention.floor_days","value":"180"},...] */
    while (changes.n > 2) {
        changes = span_sub(changes, 1, changes.n - 1); /* the bracket or comma */
        size_t n = 0;
        while (n < changes.n && changes.p[n] != '}')
            n++;
        struct span one = span_sub(changes, 0, n + 1);
        struct span name = canon_text(canon_get(one, "name"));
        uint64_t days = canon_count(canon_text(canon_get(one, "value")));
        if (span_is(name, "retention.floor_days"))
            k->y->floor_days = days;
        if (span_is(name, "retention.ceiling_days"))
            k->y->ceiling_days = days;
        changes = span_sub(changes, n + 1, changes.n);
    }
    return true;
}

static bool on_check(struct walk *k, const struct record_head *h, struct span body)
{
    bool pass = span_is(canon_text(canon_get(body, "result")), "pass");
    list(&k->y->check, h->seq);
    if (!pass) {
        list(&k->y->failed_check, h->seq);
        return true;
    }
    return mark_model(k, canon_get(body, "model"), ROOT_CHECKED);
}

static bool on_replay(struct walk *k, const struct record_head *h, struct span body)
{
    list(&k->y->replay, h->seq);
    if (!span_is(canon_text(canon_get(body, "result")), "match"))
        list(&k->y->mismatch, h->seq);
    return true;
}

static bool on_refused(struct walk *k, const struct record_head *h, struct span body)
{
    if (in_period(k, h->wall_us))
        k->y->refused += canon_count(canon_get(body, "limited")) +
                         canon_count(canon_get(body, "malformed")) +
                         canon_count(canon_get(body, "unauthenticated"));
    return true;
}

static bool on_start(struct walk *k, const struct record_head *h, struct span body)
{
    char program[SETTING_TEXT] = "";
    struct span software = canon_text(canon_get(body, "software"));
    if (software.n < sizeof program)
        memcpy(program, software.p, software.n);
    (void)use_setting(k->y->programs, &k->y->program_count, program, h->seq);
    list(&k->y->start, h->seq);
    if (canon_count(canon_get(body, "crashed")))
        list(&k->y->crash, h->seq);
    return true;
}

static bool on_model(struct walk *k, const struct record_head *h, struct span body)
{
    list(&k->y->enrolled, h->seq);
    return mark_model(k, body, ROOT_ENROLLED);
}

static bool on_training(struct walk *k, const struct record_head *h, struct span body)
{
    list(&k->y->training, h->seq);
    if (span_is(canon_text(canon_get(body, "phase")), "end"))
        list(&k->y->training_end, h->seq);
    return true;
}

/* The genesis names the first key, a rotation the one that signs the trees that hold it. */
static bool on_key(struct walk *k, const struct record_head *h, struct span body)
{
    const char *name = h->kind == RECORD_GENESIS ? "key" : "new";
    k->y->key = arena_span(k->y->arena, canon_text(canon_get(body, name)));
    return k->y->key.p || err_set(k->e, ERR_MEMORY, "out of memory for the log's key");
}

typedef bool on_kind(struct walk *k, const struct record_head *h, struct span body);

/* Kinds that stand in neither table are counted and nothing more. */
static on_kind *const handlers[RECORD_KINDS] = {
    [RECORD_GENESIS] = on_key,          [RECORD_KEY] = on_key,
    [RECORD_MODEL] = on_model,          [RECORD_CALL_INTENT] = on_intent,
    [RECORD_CALL_OUTCOME] = on_outcome, [RECORD_CHECK] = on_check,
    [RECORD_CONFIG] = on_config,        [RECORD_REPLAY] = on_replay,
    [RECORD_REFUSED] = on_refused,      [RECORD_START] = on_start,
    [RECORD_TRAINING] = on_training,
};

#define LISTED(member) (offsetof(struct activity, member) + 1)
static const size_t listed_kinds[RECORD_KINDS] = {
    [RECORD_DATASET] = LISTED(dataset),
    [RECORD_REPORT] = LISTED(report),
    [RECORD_DISCLOSURE] = LISTED(disclosure),
    [RECORD_ERASURE] = LISTED(erasure),
    [RECORD_HOLD] = LISTED(hold),
    [RECORD_RESTORE] = LISTED(restore),
};
#undef LISTED

static bool on_record(struct walk *k, const struct record_head *h, struct span body)
{
    if (listed_kinds[h->kind])
        list((struct listed *)(void *)((char *)k->y + listed_kinds[h->kind] - 1), h->seq);
    return !handlers[h->kind] || handlers[h->kind](k, h, body);
}

static void on_clock(struct walk *k, const struct record_head *h)
{
    struct activity *y = k->y;
    if (y->entries == 0)
        y->first_us = h->wall_us;
    bool wall = y->entries && h->wall_us < k->last_us;
    bool boot =
        y->entries && memcmp(k->boot_id, h->boot_id, 16) == 0 && h->boot_us < k->last_boot_us;
    y->clock_back += wall;
    y->boot_back += boot;
    if (wall || boot)
        list(&y->backwards, h->seq);
    k->last_us = y->last_us = h->wall_us;
    k->last_boot_us = h->boot_us;
    memcpy(k->boot_id, h->boot_id, 16);
}

static bool on_leaf(void *arg, uint64_t seq, struct span leaf)
{
    struct walk *k = arg;
    struct record_head h;
    struct span body;
    struct digest hash;
    if (seq >= k->w->size)
        return false;
    struct progress p = k->w->progress;
    if (seq % LOOK_EVERY == 0 && p.report && !p.report(p.arg, "reading the log", seq, k->w->size))
        return k->ok = err_set(k->e, ERR_INTERRUPTED, "interrupted: no report was made");
    if (!record_check(&h, &body, leaf, k->e) || h.seq != seq)
        return k->ok = err_set(k->e, ERR_INTEGRITY, "entry %llu is no entry, or another's",
                               (unsigned long long)seq);
    hash = record_hash(leaf);
    merkle_append(&k->tree, &hash);
    if (k->tree.size == k->w->anchor_size)
        *k->anchor = merkle_root(&k->tree);
    on_clock(k, &h);
    k->y->entries++;
    k->y->kinds[h.kind]++;
    k->y->in_period[h.kind] += in_period(k, h.wall_us);
    return k->ok = on_record(k, &h, body);
}

static void find_open(struct walk *k)
{
    for (uint64_t seq = 0; seq < k->w->size; seq++)
        if (k->open[seq / 8] >> seq % 8 & 1)
            list(&k->y->open_calls, seq);
    k->y->open = k->y->open_calls.count;
}

static bool start(struct walk *k, struct arena *a)
{
    struct activity *y = k->y;
    if (k->w->tensor_root)
        digest_hex(k->root_hex, k->w->tensor_root);
    if (k->w->manifest_root)
        digest_hex(k->manifest_hex, k->w->manifest_root);
    k->subject_slots = 2 * ACTIVITY_SUBJECTS;
    k->open = calloc(1, (size_t)(k->w->size / 8) + 1);
    k->asked = calloc(1, (size_t)k->w->size + 1);
    k->subjects = calloc(k->subject_slots, sizeof *k->subjects);
    k->found = sha256_new();
    y->models = arena_array(a, ACTIVITY_MODELS, sizeof *y->models);
    y->settings = arena_array(a, ACTIVITY_SETTINGS, sizeof *y->settings);
    y->programs = arena_array(a, ACTIVITY_SETTINGS, sizeof *y->programs);
    if (!k->open || !k->asked || !k->subjects || !k->found || !y->models || !y->settings ||
        !y->programs || !map_init(&k->roots, a, 64))
        return err_set(k->e, ERR_MEMORY, "out of memory for what the log adds up to");
    merkle_start(&k->tree);
    sha256_start(k->found);
    return true;
}

bool activity_read(struct activity *out, struct digest *root, struct digest *anchor,
                   struct log_reader *r, const struct activity_wanted *w, struct arena *a,
                   struct err *e)
{
    struct walk k = {.y = out, .w = w, .anchor = anchor, .e = e, .ok = true};
    *out = (struct activity){.arena = a, .since = w->since, .until = w->until};
    bool ok = start(&k, a) && log_reader_walk(r, 0, on_leaf, &k, e) && k.ok &&
              (out->entries == w->size ||
               err_set(e, ERR_USAGE, "the log has %llu entries, fewer than the %llu asked for",
                       (unsigned long long)out->entries, (unsigned long long)w->size));
    if (ok) {
        *root = merkle_root(&k.tree);
        find_open(&k);
        sha256_finish(k.found, &out->found);
    }
    sha256_free(k.found);
    free(k.open);
    free(k.asked);
    free(k.subjects);
    return ok;
}
