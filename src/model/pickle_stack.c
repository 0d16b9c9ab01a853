/*
 * What an unpickler holds: the stack with its marks, the memo, and the items
 * of recent tuples. The memo is keyed by what really stands on top of the
 * stack; a scanner that takes the argument of the opcode before instead can be
 * made to see another name than the one that is loaded.
 */
#include "model/pickle.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, PAGES = PICKLE_MEMO / PAGE };

bool(pickle_fail)(struct pickle *p, const char *why)
{
    p->end = PICKLE_BROKEN;
    p->why = why;
    return false;
}

bool(pickle_over)(struct pickle *p, const char *what)
{
    p->end = PICKLE_LIMIT;
    p->why = what;
    return false;
}

bool(pickle_no_memory)(struct pickle *p)
{
    p->end = PICKLE_NO_MEMORY;
    return false;
}

static bool grow(void **items, size_t *cap, size_t size)
{
    size_t n = *cap ? *cap * 2 : 256;
    void *larger = realloc(*items, n * size);
    if (!larger)
        return false;
    *items = larger;
    *cap = n;
    return true;
}

bool pickle_push(struct pickle *p, pv v)
{
    if (p->depth == PICKLE_STACK)
        return pickle_over(p, "the stack is deeper than is followed");
    if (p->depth == p->stack_cap && !grow((void **)&p->stack, &p->stack_cap, sizeof *p->stack))
        return pickle_no_memory(p);
    p->stack[p->depth++] = v;
    return true;
}

/* Below the last mark there is nothing to take. */
static size_t fence(const struct pickle *p)
{
    return p->mark_count ? p->marks[p->mark_count - 1] : 0;
}

bool pickle_pop(struct pickle *p, pv *v)
{
    *v = pv_make(PV_UNKNOWN, 0, 0);
    if (p->depth > fence(p)) {
        *v = p->stack[--p->depth];
        return true;
    }
    return p->fragment || pickle_fail(p, "the stack is empty");
}

bool pickle_top(struct pickle *p, pv *v)
{
    *v = pv_make(PV_UNKNOWN, 0, 0);
    if (p->depth > fence(p)) {
        *v = p->stack[p->depth - 1];
        return true;
    }
    return p->fragment ? pickle_push(p, *v) : pickle_fail(p, "the stack is empty");
}

bool pickle_mark(struct pickle *p)
{
    if (p->mark_count == PICKLE_STACK)
        return pickle_over(p, "marks are nested deeper than is followed");
    if (p->mark_count == p->mark_cap && !grow((void **)&p->marks, &p->mark_cap, sizeof *p->marks))
        return pickle_no_memory(p);
    p->marks[p->mark_count++] = (uint32_t)p->depth;
    return true;
}

bool pickle_pop_mark(struct pickle *p, size_t *from, size_t *n)
{
    *from = *n = 0;
    if (!p->mark_count && !p->fragment)
        return pickle_fail(p, "there is no mark");
    *from = p->mark_count ? p->marks[--p->mark_count] : 0;
    *n = p->depth - *from;
    p->depth = *from;
    return true;
}

/* ---- memo ---- */

static pv *memo_slot(struct pickle *p, uint64_t key, bool make)
{
    if (!p->memo && make)
        p->memo = calloc(PAGES, sizeof *p->memo);
    if (!p->memo)
        return NULL;
    pv **page = &p->memo[key / PAGE];
    if (!*page && make)
        *page = calloc(PAGE, sizeof **page);
    return *page ? &(*page)[key % PAGE] : NULL;
}

/* Absent is 0, so what is stored is never PV_UNKNOWN with no place. */
static const pv stored_unknown = 1;

bool pickle_memo_put(struct pickle *p, uint64_t key, pv v)
{
    if (key >= PICKLE_MEMO)
        return pickle_over(p, "a key of the memo is larger than is followed");
    pv *slot = memo_slot(p, key, true);
    if (!slot)
        return pickle_no_memory(p);
    p->memo_used += *slot == 0;
    *slot = v ? v : stored_unknown;
    return true;
}

bool pickle_memo_get(struct pickle *p, uint64_t key, pv *v)
{
    pv *slot = key < PICKLE_MEMO ? memo_slot(p, key, false) : NULL;
    *v = slot ? *slot : 0;
    return *v != 0;
}

/* ---- tuples ---- */

pv pickle_tuple(struct pickle *p, const pv *items, size_t n)
{
    if (n >= PICKLE_RING / 2)
        return pv_make(PV_TUPLE, PV_COUNT_UNKNOWN, p->ring_at);
    uint64_t at = p->ring_at;
    for (size_t i = 0; i < n; i++)
        p->ring[p->ring_at++ % PICKLE_RING] = items[i];
    p->ring_at += n == 0; /* so that no two tuples are the same */
    return pv_make(PV_TUPLE, (uint32_t)n, at);
}

bool pickle_items(const struct pickle *p, pv tuple, size_t *n)
{
    *n = pv_class(tuple);
    return pv_kind(tuple) == PV_TUPLE && *n != PV_COUNT_UNKNOWN &&
           p->ring_at - pv_at(tuple) <= PICKLE_RING;
}

bool pickle_item(const struct pickle *p, pv tuple, size_t i, pv *out)
{
    size_t n;
    *out = pv_make(PV_UNKNOWN, 0, 0);
    if (!pickle_items(p, tuple, &n) || i >= n)
        return false;
    *out = p->ring[(pv_at(tuple) + i) % PICKLE_RING];
    return true;
}

/* ---- life ---- */

void pickle_reset(struct pickle *p)
{
    for (size_t i = 0; p->memo && i < PAGES && p->memo_used; i++) {
        free(p->memo[i]);
        p->memo[i] = NULL;
    }
    p->memo_used = 0;
    p->depth = p->mark_count = p->item_count = 0;
    p->frame_end = 0;
    p->items_of = 0;
    pickle_shared_reset(p);
    p->why = NULL;
}

bool pickle_open(struct pickle *p, const struct content *c)
{
    *p = (struct pickle){.c = *c};
    if (!c->budget->pickle)
        content_note(c, RULE_PICKLE_PRESENT, 0, 0, "a pickle, judged without running it");
    c->budget->pickle = true;
    p->a = arena_new((size_t)2 << 30);
    p->ring = calloc(PICKLE_RING, sizeof *p->ring);
    return p->a && p->ring && window_open(&p->w, c->in) && map_init(&p->global_names, p->a, 0) &&
           map_init(&p->nodes, p->a, 0);
}

void pickle_close(struct pickle *p)
{
    pickle_reset(p);
    window_close(&p->w);
    free(p->memo);
    free(p->ring);
    free(p->shared);
    free(p->stack);
    free(p->marks);
    arena_free(p->a);
}
