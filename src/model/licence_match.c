/*
 * Matching a text against the fingerprints of known licences: a fingerprint is
 * a run of blocks of four words that cover the reference; the longest ordered
 * subset of blocks found in the text decides. What the reference has and the
 * text lacks, and the other way round, both lower the share.
 */
#include "model/licence.h"

/* The text's blocks by hash, each chain from the last place to the first. */
struct places {
    uint32_t *head; /* index + 1 into the words; 0: none */
    uint32_t *next;
    uint32_t *hash;
    size_t mask;
    size_t count;
};

/* One block of the reference standing at one place of the text. */
struct hit {
    uint32_t block;   /* counted from the reference's first */
    uint32_t place;   /* word */
    uint32_t segment; /* counted likewise */
    uint32_t before;  /* previous hit + 1 in the best chain that ends here */
};

struct chain {
    struct hit *hits;
    size_t count;
    uint32_t *tails; /* tails[k]: hit that ends the best chain of k + 1 */
    size_t length;
};

static bool index_places(struct places *p, const struct words *w, struct arena *a)
{
    *p = (struct places){.mask = 1023};
    p->count = w->count >= LICENCE_BLOCK ? w->count - LICENCE_BLOCK + 1 : 0;
    while (p->mask < p->count)
        p->mask = p->mask * 2 + 1;
    p->head = arena_array(a, p->mask + 1, sizeof *p->head);
    p->next = arena_array(a, p->count + 1, sizeof *p->next);
    p->hash = arena_array(a, p->count + 1, sizeof *p->hash);
    if (!p->head || !p->next || !p->hash)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        p->hash[i] = licence_block(&w->items[i]);
        uint32_t *slot = &p->head[p->hash[i] & p->mask];
        p->next[i] = *slot;
        *slot = (uint32_t)i + 1;
    }
    return true;
}

/* The next place at or down the chain from `at` (index + 1) with this hash. */
static uint32_t place_from(const struct places *p, uint32_t at, uint32_t hash)
{
    for (unsigned steps = 0; at && steps < LICENCE_MAX_REPEATS * 4; steps++) {
        if (p->hash[at - 1] == hash)
            return at;
        at = p->next[at - 1];
    }
    return 0;
}

static uint32_t first_place(const struct places *p, uint32_t hash)
{
    return place_from(p, p->head[hash & p->mask], hash);
}

/* Extend the chains by one hit: strictly increasing places (patience sorting). */
static void extend(struct chain *c, struct hit h)
{
    size_t low = 0, high = c->length;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->hits[c->tails[middle]].place < h.place)
            low = middle + 1;
        else
            high = middle;
    }
    h.before = low ? c->tails[low - 1] + 1 : 0;
    c->hits[c->count] = h;
    c->tails[low] = (uint32_t)c->count++;
    if (low == c->length)
        c->length++;
}

static void blocks_of(const struct licence_reference *r, uint32_t *first, uint32_t *count)
{
    const struct licence_segment *s = &licence_segments[r->segment];
    const struct licence_segment *last = s + r->segments - 1;
    *first = s->first;
    *count = last->first + last->count - s->first;
}

static uint32_t core_blocks(const struct licence_reference *r)
{
    uint32_t core = 0;
    for (uint32_t s = r->segment; s < r->segment + r->segments; s++)
        core += licence_segments[s].optional ? 0 : licence_segments[s].count;
    return core;
}

/* At least a third of the reference's core stands somewhere in the text; in a
 * text that is long enough for that. */
static bool comes_near(const struct licence_reference *r, const struct places *p)
{
    uint32_t core = core_blocks(r), found = 0;
    if (core == 0 || p->count < core)
        return false;
    for (uint32_t s = r->segment; s < r->segment + r->segments; s++) {
        const struct licence_segment *g = &licence_segments[s];
        for (uint32_t b = 0; b < g->count && !g->optional; b++)
            found += first_place(p, licence_blocks[g->first + b]) != 0;
    }
    return (uint64_t)found * 3 >= core;
}

static bool collect(struct chain *c, const struct licence_reference *r, const struct places *p,
                    struct arena *a)
{
    uint32_t first, count;
    blocks_of(r, &first, &count);
    *c = (struct chain){NULL, 0, NULL, 0};
    size_t room = (size_t)count * LICENCE_MAX_REPEATS;
    c->hits = arena_array(a, room, sizeof *c->hits);
    c->tails = arena_array(a, room, sizeof *c->tails);
    if (!c->hits || !c->tails)
        return false;
    for (uint32_t s = 0; s < r->segments; s++) {
        const struct licence_segment *g = &licence_segments[r->segment + s];
        for (uint32_t b = g->first; b < g->first + g->count; b++) {
            uint32_t at = first_place(p, licence_blocks[b]);
            for (unsigned n = 0; at && n < LICENCE_MAX_REPEATS; n++) {
                extend(c, (struct hit){b - first, at - 1, s, 0});
                at = place_from(p, p->next[at - 1], licence_blocks[b]);
            }
        }
    }
    return true;
}

/* The best chain, in order, written over tails. */
static void unwind(struct chain *c)
{
    uint32_t at = c->length ? c->tails[c->length - 1] + 1 : 0;
    for (size_t k = c->length; k-- > 0 && at;) {
        c->tails[k] = at - 1;
        at = c->hits[at - 1].before;
    }
}

/* Words from..to-1 that are no copyright line; *at: offset of the first. */
static size_t foreign(const struct words *w, size_t from, size_t to, uint32_t *at)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        if (!w->items[i].notice && n++ == 0)
            *at = w->items[i].at;
    return n;
}

/* What stands between two neighbours of the chain that should touch. */
static void judge_gap(struct licence_match *m, const struct words *w, const struct hit *prev,
                      const struct hit *next)
{
    const struct licence_segment *before = &licence_segments[m->reference->segment + prev->segment];
    const struct licence_segment *after = &licence_segments[m->reference->segment + next->segment];
    uint32_t at = 0;
    size_t n = foreign(w, prev->place + LICENCE_BLOCK, next->place, &at);
    if (before->optional || after->optional) {
        if (m->stray == 0 && n)
            m->stray_at = at;
        m->stray += n;
        return;
    }
    size_t allowed = prev->segment == next->segment ? 0 : after->gap;
    bool skipped = next->block != prev->block + 1;
    if ((skipped || n > allowed) && m->altered_at == UINT32_MAX)
        m->altered_at = n ? at : w->items[next->place].at;
    if (n > allowed)
        m->inserted += n - allowed;
}

static void judge(struct licence_match *m, const struct words *w, const struct chain *c)
{
    const struct licence_reference *r = m->reference;
    size_t core = core_blocks(r), found = 0;
    for (size_t k = 0; k < c->length; k++)
        found += !licence_segments[r->segment + c->hits[c->tails[k]].segment].optional;
    const struct hit *first = &c->hits[c->tails[0]];
    const struct hit *last = &c->hits[c->tails[c->length - 1]];
    m->altered_at = m->stray_at = UINT32_MAX;
    uint32_t at = 0;
    if ((m->stray = foreign(w, 0, first->place, &at)) > 0)
        m->stray_at = at;
    for (size_t k = 1; k < c->length; k++)
        judge_gap(m, w, &c->hits[c->tails[k - 1]], &c->hits[c->tails[k]]);
    size_t tail = foreign(w, last->place + LICENCE_BLOCK, w->count, &at);
    if (m->stray <= LICENCE_STRAY_WORDS && tail)
        m->stray_at = at;
    m->stray += tail;
    m->missing = core - found;
    m->share = (double)found / ((double)core + (double)m->inserted / LICENCE_BLOCK);
    if (m->missing && m->altered_at == UINT32_MAX)
        m->altered_at = w->items[first->place].at;
}

/* More of the text explained wins; at the same share the longer licence does. */
static bool better(const struct licence_match *a, const struct licence_match *b)
{
    if (!b->reference || a->share > b->share)
        return true;
    return a->share == b->share && a->stray < b->stray;
}

bool licence_compare(struct licence_match *out, const struct words *w, struct arena *a)
{
    *out = (struct licence_match){.reference = NULL};
    struct places p;
    if (!index_places(&p, w, a))
        return false;
    for (size_t i = 0; i < licence_reference_count; i++) {
        struct licence_match m = {.reference = &licence_references[i]};
        struct chain c;
        if (!comes_near(m.reference, &p))
            continue;
        if (!collect(&c, m.reference, &p, a))
            return false;
        unwind(&c);
        if (c.length == 0)
            continue;
        judge(&m, w, &c);
        if (better(&m, out))
            *out = m;
    }
    return true;
}
