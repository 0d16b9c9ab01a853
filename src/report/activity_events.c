/*
 * Entries that are no calls: what was enrolled, checked, executed again, changed.
 */
#include <stddef.h>
#include <string.h>

#include "report/activity_walk.h"

static bool on_config(struct walk *k, const struct record_head *h, struct span body)
{
    struct span changes = canon_get(body, "changes");
    walk_list(&k->y->config, h->seq);
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

/* Notes an entry whose findings name the one asked for. The text is canonical: a quote within a string
 * is escaped, so a member is found as it is written. */
static bool note_finding(struct walk *k, uint64_t seq, struct span body, struct span model)
{
    const char *rule = k->found_text;
    struct span findings = rule ? canon_get(body, "findings") : SPAN_EMPTY;
    if (!findings.n || !memmem(findings.p, findings.n, rule, strlen(rule)))
        return true;
    walk_list(&k->y->finding_entries, seq);
    return walk_mark(k, model, ROOT_FOUND);
}

static bool on_check(struct walk *k, const struct record_head *h, struct span body)
{
    bool pass = span_is(canon_text(canon_get(body, "result")), "pass");
    walk_list(&k->y->check, h->seq);
    if (!note_finding(k, h->seq, body, canon_get(body, "model")))
        return false;
    if (!pass) {
        walk_list(&k->y->failed_check, h->seq);
        return true;
    }
    return walk_mark(k, canon_get(body, "model"), ROOT_CHECKED);
}

static bool on_replay(struct walk *k, const struct record_head *h, struct span body)
{
    walk_list(&k->y->replay, h->seq);
    if (!span_is(canon_text(canon_get(body, "result")), "match"))
        walk_list(&k->y->mismatch, h->seq);
    return true;
}

static bool on_refused(struct walk *k, const struct record_head *h, struct span body)
{
    if (walk_in_period(k, h->wall_us) && !k->w->subjects) /* those named nobody */
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
    (void)walk_use(k->y->programs, &k->y->program_count, program, h->seq);
    walk_list(&k->y->start, h->seq);
    if (canon_count(canon_get(body, "crashed")))
        walk_list(&k->y->crash, h->seq);
    return true;
}

static bool on_model(struct walk *k, const struct record_head *h, struct span body)
{
    walk_list(&k->y->enrolled, h->seq);
    return note_finding(k, h->seq, body, body) && walk_mark(k, body, ROOT_ENROLLED);
}

static bool on_training(struct walk *k, const struct record_head *h, struct span body)
{
    walk_list(&k->y->training, h->seq);
    if (span_is(canon_text(canon_get(body, "phase")), "end"))
        walk_list(&k->y->training_end, h->seq);
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
    [RECORD_GENESIS] = on_key,
    [RECORD_KEY] = on_key,
    [RECORD_MODEL] = on_model,
    [RECORD_CALL_INTENT] = walk_intent,
    [RECORD_CALL_OUTCOME] = walk_outcome,
    [RECORD_CHECK] = on_check,
    [RECORD_CONFIG] = on_config,
    [RECORD_REPLAY] = on_replay,
    [RECORD_REFUSED] = on_refused,
    [RECORD_START] = on_start,
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

bool walk_event(struct walk *k, const struct record_head *h, struct span body)
{
    if (listed_kinds[h->kind])
        walk_list((struct listed *)(void *)((char *)k->y + listed_kinds[h->kind] - 1), h->seq);
    return !handlers[h->kind] || handlers[h->kind](k, h, body);
}
