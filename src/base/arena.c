/* The capped arena: a list of blocks, each at least as large as the last. */
#include "assay/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 16 << 10, LARGEST_BLOCK = 1 << 20, ALIGN = 16 };

/* No parsed thing is larger, and sizes below it cannot overflow. */
#define ARENA_MOST ((size_t)1 << 39)

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) uint8_t bytes[];
};

struct arena {
    struct block *blocks;
    size_t used, cap, next_size;
};

static _Thread_local uint64_t fail_after;

void arena_fail_after(uint64_t n)
{
    fail_after = n;
}

struct arena *arena_new(size_t cap)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a) {
        a->cap = cap < ARENA_MOST ? cap : ARENA_MOST;
        a->next_size = FIRST_BLOCK;
    }
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->blocks; b;) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    free(a);
}

/*
 * A block of its own for large requests, so that growing arrays do not waste
 * the rest of the current block.
 */
static struct block *add_block(struct arena *a, size_t n)
{
    bool alone = n > a->next_size / 4;
    size_t size = alone ? n : a->next_size;
    struct block *b = calloc(1, sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    if (alone && a->blocks) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
    }
    if (!alone && a->next_size < LARGEST_BLOCK)
        a->next_size *= 2;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (fail_after && --fail_after == 0)
        return NULL;
    if (n > ARENA_MOST)
        return NULL;
    n = n ? (n + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (n > a->cap - a->used)
        return NULL;
    struct block *b = a->blocks;
    if (!b || n > b->size - b->used)
        b = add_block(a, n);
    if (!b)
        return NULL;
    void *p = b->bytes + b->used;
    b->used += n;
    a->used += n;
    return p;
}

void *arena_array(struct arena *a, uint64_t count, size_t size)
{
    uint64_t n;
    if (!size_mul(&n, count, size) || n > SIZE_MAX)
        return NULL;
    return arena_alloc(a, (size_t)n);
}

void *arena_grow(struct arena *a, void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    size_t larger = n < SIZE_MAX / 2 ? (n < 4 ? 8 : n * 2) : SIZE_MAX;
    void *p = arena_array(a, larger, size);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, items, n * size);
    *cap = larger;
    return p;
}

char *arena_str(struct arena *a, struct span s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return p;
}

struct span arena_span(struct arena *a, struct span s)
{
    char *p = arena_str(a, s);
    return p ? (struct span){(const uint8_t *)p, s.n} : SPAN_EMPTY;
}

void arena_wipe(struct arena *a)
{
    for (struct block *b = a->blocks; b; b = b->next)
        explicit_bzero(b->bytes, b->used);
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
