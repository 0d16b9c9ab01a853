/*
 * Which upstream is asked, and which after it. Lower priorities come later; within
 * one, turns are given by weight (smooth weighted round robin, so that the order is the same
 * in every run); an upstream whose circuit is open stands last.
 */
#include "serve/call/call.h"
#include "serve/service.h"
#include "serve/upstream/upstream.h"

static bool is_open(const struct service *s, const struct target_config *t, uint64_t now)
{
    return s->circuits[t->index].open_until_ms > now;
}

/* The one whose turn it is among those of one priority that are not taken yet. */
static size_t next_turn(struct service *s, const struct model_config *m, const bool *taken,
                        uint64_t priority, bool open, uint64_t now)
{
    const struct target_config *t = m->targets.items;
    size_t best = m->targets.count;
    int64_t total = 0;
    for (size_t i = 0; i < m->targets.count; i++) {
        if (taken[i] || t[i].priority != priority || is_open(s, &t[i], now) != open)
            continue;
        struct circuit *c = &s->circuits[t[i].index];
        c->turn += (int64_t)t[i].weight;
        total += (int64_t)t[i].weight;
        if (best == m->targets.count || c->turn > s->circuits[t[best].index].turn)
            best = i;
    }
    if (best < m->targets.count)
        s->circuits[t[best].index].turn -= total;
    return best;
}

static bool next_priority(const struct model_config *m, const bool *taken, uint64_t *out)
{
    const struct target_config *t = m->targets.items;
    bool found = false;
    for (size_t i = 0; i < m->targets.count; i++) {
        if (taken[i] || (found && t[i].priority >= *out))
            continue;
        *out = t[i].priority;
        found = true;
    }
    return found;
}

void pick_targets(struct call *c, const struct model_config *m)
{
    struct service *s = c->service;
    const struct target_config *t = m->targets.items;
    bool taken[TARGETS_MAX] = {false};
    uint64_t now = loop_now_ms(s->loop), priority = 0;
    for (int open = 0; open < 2; open++) {
        bool seen[TARGETS_MAX];
        for (size_t i = 0; i < TARGETS_MAX; i++)
            seen[i] = taken[i];
        while (next_priority(m, seen, &priority)) {
            size_t i;
            while ((i = next_turn(s, m, taken, priority, open, now)) < m->targets.count) {
                taken[i] = true;
                c->targets[c->target_count++] = &t[i];
            }
            for (i = 0; i < m->targets.count; i++)
                seen[i] = seen[i] || t[i].priority == priority;
        }
    }
}

void pick_report(struct service *s, size_t upstream, bool worked)
{
    struct circuit *c = &s->circuits[upstream];
    const struct upstream_config *u;
    if (worked) {
        c->failures = 0;
        c->open_until_ms = 0;
        return;
    }
    u = serve_settings_upstream(s->settings, upstream);
    c->failures++;
    if (u->break_after && c->failures >= u->break_after)
        c->open_until_ms = loop_now_ms(s->loop) + u->break_ms;
}
