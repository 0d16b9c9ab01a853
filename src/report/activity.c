/*
 * The walk. Each leaf is checked, hashed into the tree and counted; members are
 * taken from the canonical text without building a tree of values.
 */
#include "report/activity_walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_EVERY = 8192 };

void walk_list(struct listed *l, uint64_t seq)
{
    if (l->count < ACTIVITY_LISTED)
        l->entry[l->count] = seq;
    l->count++;
}

bool walk_in_period(const struct walk *k, uint64_t us)
{
    return us >= k->w->since && us < k->w->until;
}

bool walk_counts(const struct walk *k, const struct record_head *h)
{
    bool of = !k->w->subjects;
    for (size_t i = 0; !of && h->has_subject && i < k->w->subject_count; i++)
        of = memcmp(h->subject, k->w->subjects[i].b, sizeof h->subject) == 0;
    if (of && k->mine)
        k->mine[h->seq / 8] |= (uint8_t)(1u << h->seq % 8);
    return of && walk_in_period(k, h->wall_us);
}

bool walk_counts_outcome(const struct walk *k, const struct record_head *h, uint64_t intent)
{
    bool mine = !k->mine || (intent < h->seq && k->mine[intent / 8] >> intent % 8 & 1);
    return mine && walk_in_period(k, h->wall_us);
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

uint8_t walk_bits(const struct walk *k, struct span hex)
{
    uint32_t at = hex.n ? map_get(&k->roots, hex) : MAP_NONE;
    return at == MAP_NONE ? 0 : k->root_bits[at];
}

bool walk_mark(struct walk *k, struct span model, uint8_t bit)
{
    return mark_root(k, canon_text(canon_get(model, "tensor_root")), bit) &&
           mark_root(k, canon_text(canon_get(model, "manifest_root")), bit);
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
        walk_list(&y->backwards, h->seq);
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
    hash = record_hash(leaf);
    merkle_append(&k->tree, &hash);
    if (k->tree.size == k->w->anchor_size)
        *k->anchor = merkle_root(&k->tree);
    if (!k->broken && (!record_check(&h, &body, leaf, &k->why) || h.seq != seq)) {
        k->broken = true;
        k->broken_at = seq;
    }
    if (k->broken)
        return true;
    on_clock(k, &h);
    k->y->entries++;
    k->y->kinds[h.kind]++;
    k->y->in_period[h.kind] += walk_in_period(k, h.wall_us);
    return k->ok = walk_event(k, &h, body);
}

static void find_open(struct walk *k)
{
    for (uint64_t seq = 0; seq < k->w->size; seq++)
        if (k->open[seq / 8] >> seq % 8 & 1)
            walk_list(&k->y->open_calls, seq);
    k->y->open = k->y->open_calls.count;
}

/* Calls of models that a check found to have the finding, before it or after. */
static void count_found_calls(struct walk *k)
{
    struct activity *y = k->y;
    for (size_t i = 0; y->finding && i < y->model_count; i++) {
        const struct used_model *u = &y->models[i];
        if (!((walk_bits(k, u->tensor_root) | walk_bits(k, u->manifest_root)) & ROOT_FOUND))
            continue;
        y->finding_models++;
        y->finding_calls += u->calls;
        if (y->finding_models == 1 || u->first < y->finding_first)
            y->finding_first = u->first;
        if (u->last > y->finding_last)
            y->finding_last = u->last;
    }
}

static bool start(struct walk *k, struct arena *a)
{
    struct activity *y = k->y;
    y->finding = k->w->finding;
    k->found_text = y->finding ? arena_printf(a, "\"rule\":\"%s\"", y->finding) : NULL;
    if (k->w->tensor_root)
        digest_hex(k->root_hex, k->w->tensor_root);
    if (k->w->manifest_root)
        digest_hex(k->manifest_hex, k->w->manifest_root);
    k->subject_slots = 2 * ACTIVITY_SUBJECTS;
    k->open = calloc(1, (size_t)(k->w->size / 8) + 1);
    k->mine = k->w->subjects ? calloc(1, (size_t)(k->w->size / 8) + 1) : NULL;
    k->asked = calloc(1, (size_t)k->w->size + 1);
    k->subjects = calloc(k->subject_slots, sizeof *k->subjects);
    k->found = sha256_new();
    y->models = arena_array(a, ACTIVITY_MODELS, sizeof *y->models);
    y->settings = arena_array(a, ACTIVITY_SETTINGS, sizeof *y->settings);
    y->programs = arena_array(a, ACTIVITY_SETTINGS, sizeof *y->programs);
    if (!k->open || (k->w->subjects && !k->mine) || !k->asked || !k->subjects || !k->found ||
        !y->models || !y->settings || !y->programs || !map_init(&k->roots, a, 64))
        return err_set(k->e, ERR_MEMORY, "out of memory for what the log adds up to");
    merkle_start(&k->tree);
    sha256_start(k->found);
    return true;
}

/* Changed since, if the root says so; else written by what this version does not know. */
static bool judge_broken(const struct walk *k)
{
    struct digest root = merkle_root(&k->tree);
    if (k->tree.size < k->w->size || !digest_eq(&root, &k->w->root))
        return err_set(k->e, ERR_INTEGRITY,
                       "entry %" PRIu64 " was changed: it cannot be read, and the entries do not "
                       "give the root that the checkpoint of %" PRIu64 " entries signs",
                       k->broken_at, k->w->size);
    return err_set(k->e, k->why.code ? k->why.code : ERR_INTEGRITY, "entry %" PRIu64 ": %s",
                   k->broken_at, k->why.code ? k->why.text : "it has the number of another");
}

bool activity_read(struct activity *out, struct digest *root, struct digest *anchor,
                   struct log_reader *r, const struct activity_wanted *w, struct arena *a,
                   struct err *e)
{
    struct walk k = {.y = out, .w = w, .anchor = anchor, .e = e, .ok = true, .why = ERR_INIT};
    *out = (struct activity){.arena = a,
                             .since = w->since,
                             .until = w->until,
                             .of = w->subjects,
                             .of_count = w->subject_count};
    bool ok = start(&k, a) && log_reader_walk(r, 0, on_leaf, &k, e) && k.ok &&
              (!k.broken || judge_broken(&k)) &&
              (out->entries == w->size ||
               err_set(e, ERR_USAGE, "the log has %llu entries, fewer than the %llu asked for",
                       (unsigned long long)out->entries, (unsigned long long)w->size));
    if (ok) {
        *root = merkle_root(&k.tree);
        find_open(&k);
        count_found_calls(&k);
        sha256_finish(k.found, &out->found);
    }
    sha256_free(k.found);
    free(k.open);
    free(k.mine);
    free(k.asked);
    free(k.subjects);
    return ok;
}
