/*
 * The capped arena: a list of blocks, each at least as large as the last. Most arenas need one
 * small block for a few microseconds, so each thread keeps some of them, wiped as far as
 * they were used; not where a sanitizer watches for use after free.
 */
#include "assay/base/arena.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 16 << 10, LARGEST_BLOCK = 1 << 20, ALIGN = 16 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SPARE_BLOCKS = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
enum { SPARE_BLOCKS = 0 };
#else
enum { SPARE_BLOCKS = 64 };
#endif
#else
enum { SPARE_BLOCKS = 64 };
#endif

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

/* ---- blocks that a thread keeps ---- */

static _Thread_local struct block *spare;
static _Thread_local int spare_count;
static pthread_key_t spare_key; /* its destructor frees them when the thread ends */
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;
static bool spare_kept;

static void free_spare(void *unused)
{
    (void)unused;
    while (spare) {
        struct block *next = spare->next;
        free(spare);
        spare = next;
    }
    spare_count = SPARE_BLOCKS; /* none is kept any more */
}

static void prepare_spare(void)
{
    spare_kept = pthread_key_create(&spare_key, free_spare) == 0;
}

static struct block *take_spare(void)
{
    struct block *b = spare;
    if (!b)
        return NULL;
    spare = b->next;
    spare_count--;
    b->next = NULL;
    return b;
}

static bool keep_spare(struct block *b)
{
    if (b->size != FIRST_BLOCK || spare_count >= SPARE_BLOCKS)
        return false;
    pthread_once(&spare_once, prepare_spare);
    if (!spare_kept || (!spare && pthread_setspecific(spare_key, b) != 0))
        return false;
    memset(b->bytes, 0, b->used);
    b->used = 0;
    b->next = spare;
    spare = b;
    spare_count++;
    return true;
}

/* ---- arenas ---- */

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
        if (!keep_spare(b))
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
    struct block *b = size == FIRST_BLOCK ? take_spare() : NULL;
    if (!b)
        b = calloc(1, sizeof *b + size);
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
    char most[256]; /* texts */
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(most, sizeof most, fmt, args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p && (size_t)n < sizeof most)
        memcpy(p, most, (size_t)n + 1);
    else if (p)
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
