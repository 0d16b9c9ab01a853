/*
 * Containers that stand in others more than once: a few hundred bytes can name
 * billions of items so, for whoever walks what was loaded. Only what GET or DUP
 * put on the stack again is weighed, and what holds it, so a pickle without
 * shared containers costs nothing here.
 */
#include "model/pickle.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHARED_SLOTS = 1 << 17, /* a power of two */
    SHARED_MOST = 1 << 16,  /* containers that are weighed; what comes after is not */
    WEIGHT_MOST = 1 << 20,  /* items that a pickle may stand for ... */
    WEIGHT_RATIO = 64       /* ... and how many times more than it has opcodes */
};

/* How many items a walk through a container meets. */
struct pickle_shared {
    pv id; /* 0: a free slot */
    uint64_t weight;
};

static pv id_of(pv v)
{
    enum pv_kind k = pv_kind(v);
    bool container = k == PV_LIST || k == PV_DICT || k == PV_SET || (k == PV_TUPLE && pv_class(v));
    return container ? pv_make(k, 0, pv_at(v)) : 0;
}

/* The slot of an id, or the free one where it would stand. */
static struct pickle_shared *slot_of(const struct pickle *p, pv id)
{
    uint32_t i = map_hash((struct span){(const uint8_t *)&id, sizeof id});
    while (p->shared[i % SHARED_SLOTS].id && p->shared[i % SHARED_SLOTS].id != id)
        i++;
    return &p->shared[i % SHARED_SLOTS];
}

static struct pickle_shared *enter(struct pickle *p, pv id)
{
    struct pickle_shared *s = slot_of(p, id);
    if (s->id || p->shared_count == SHARED_MOST)
        return s->id ? s : NULL;
    p->shared_count++;
    *s = (struct pickle_shared){id, 1};
    return s;
}

void pickle_shared_again(struct pickle *p, pv v)
{
    pv id = id_of(v);
    if (!id)
        return;
    if (!p->shared)
        p->shared = calloc(SHARED_SLOTS, sizeof *p->shared);
    if (p->shared)
        (void)enter(p, id);
}

void pickle_weigh(struct pickle *p, pv holder, pv value)
{
    pv of = p->shared_count ? id_of(holder) : 0, id = of ? id_of(value) : 0;
    const struct pickle_shared *held = id ? slot_of(p, id) : NULL;
    struct pickle_shared *s = held && held->id ? enter(p, of) : NULL;
    if (!s)
        return;
    s->weight = held->weight > UINT64_MAX - s->weight ? UINT64_MAX : s->weight + held->weight;
    if (p->told_shared || s->weight < WEIGHT_MOST || s->weight / WEIGHT_RATIO < p->ops)
        return;
    p->told_shared = true;
    pickle_note(p, RULE_PICKLE_EXPANSION, "%llu opcodes stand for more than %llu items",
                (unsigned long long)p->ops, (unsigned long long)s->weight - 1);
}

void pickle_shared_reset(struct pickle *p)
{
    if (p->shared_count)
        memset(p->shared, 0, SHARED_SLOTS * sizeof *p->shared);
    p->shared_count = 0;
}
