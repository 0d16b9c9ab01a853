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
    FILTER_BITS = 20,
    SHARED_MOST = 1 << 16, /* containers that are weighed; what comes after is not */
    WEIGHT_MOST = 1 << 20, /* items that a pickle may stand for ... */
    WEIGHT_RATIO = 64      /* ... and how many times more than it has opcodes */
};

/* How many items a walk through a container meets. */
struct weighed {
    pv id; /* 0: a free slot */
    uint64_t weight;
};

struct pickle_shared {
    struct weighed slots[SHARED_SLOTS];
    uint64_t filter[(1 << FILTER_BITS) / 64];
    struct weighed *latest;
    size_t count;
    pv waiting; /* holds one light item so far */
    bool told;
};

static pv id_of(pv v)
{
    enum pv_kind k = pv_kind(v);
    bool container = k == PV_LIST || k == PV_DICT || k == PV_SET || (k == PV_TUPLE && pv_class(v));
    return container ? pv_make(k, 0, pv_at(v)) : 0;
}

/* A bit for each id that was entered, so that most that were not cost no look at the table. */
static uint64_t filter_bit(pv id)
{
    return id * UINT64_C(0x9e3779b97f4a7c15) >> (64 - FILTER_BITS);
}

static bool may_be_entered(const struct pickle *p, pv id)
{
    uint64_t bit = filter_bit(id);
    return p->shared->filter[bit / 64] >> bit % 64 & 1;
}

/* The slot of an id, or the free one where it would stand; the latest is remembered. */
static struct weighed *slot_of(struct pickle *p, pv id)
{
    struct pickle_shared *t = p->shared;
    if (t->latest && t->latest->id == id)
        return t->latest;
    uint32_t i = map_hash((struct span){(const uint8_t *)&id, sizeof id});
    while (t->slots[i % SHARED_SLOTS].id && t->slots[i % SHARED_SLOTS].id != id)
        i++;
    if (t->slots[i % SHARED_SLOTS].id)
        t->latest = &t->slots[i % SHARED_SLOTS];
    return &t->slots[i % SHARED_SLOTS];
}

static struct weighed *enter(struct pickle *p, pv id)
{
    uint64_t bit = filter_bit(id);
    struct weighed *s = slot_of(p, id);
    if (s->id || p->shared->count == SHARED_MOST)
        return s->id ? s : NULL;
    p->shared->count++;
    *s = (struct weighed){id, 1};
    p->shared->filter[bit / 64] |= (uint64_t)1 << bit % 64;
    return s;
}

void pickle_shared_again(struct pickle *p, pv v)
{
    pv id = id_of(v);
    if (!id)
        return;
    if (!p->shared)
        p->shared = calloc(1, sizeof *p->shared);
    if (p->shared)
        (void)enter(p, id);
}

/* A holder is entered by its second light item in a row, or its first heavy one: most containers
 * that hold something shared hold it once. */
static struct weighed *holder_of(struct pickle *p, pv of, uint64_t held)
{
    struct pickle_shared *t = p->shared;
    struct weighed *s = may_be_entered(p, of) ? slot_of(p, of) : NULL;
    if (s && s->id)
        return s;
    if (held == 1 && t->waiting != of) {
        t->waiting = of;
        return NULL;
    }
    s = enter(p, of);
    if (s && t->waiting == of)
        s->weight++;
    return s;
}

void pickle_weigh(struct pickle *p, pv holder, pv value)
{
    pv of = p->shared && p->shared->count ? id_of(holder) : 0, id = of ? id_of(value) : 0;
    const struct weighed *held = id && may_be_entered(p, id) ? slot_of(p, id) : NULL;
    if (!held || !held->id)
        return;
    uint64_t weight = held->weight;
    struct weighed *s = holder_of(p, of, weight);
    if (!s)
        return;
    s->weight = weight > UINT64_MAX - s->weight ? UINT64_MAX : s->weight + weight;
    if (p->shared->told || s->weight < WEIGHT_MOST || s->weight / WEIGHT_RATIO < p->ops)
        return;
    p->shared->told = true;
    pickle_note(p, RULE_PICKLE_EXPANSION, "%llu opcodes stand for more than %llu items",
                (unsigned long long)p->ops, (unsigned long long)s->weight - 1);
}

void pickle_shared_reset(struct pickle *p)
{
    bool told = p->shared && p->shared->told;
    if (!p->shared || (!p->shared->count && !p->shared->waiting))
        return;
    memset(p->shared, 0, sizeof *p->shared);
    p->shared->told = told;
}
