/*
 * One capped arena per parsed thing; freeing it is one call.
 *
 * Allocation returns zeroed memory aligned to 16 bytes, or NULL when the cap
 * is reached or the system refuses; callers pass that on as ERR_MEMORY.
 */
#ifndef ASSAY_BASE_ARENA_H
#define ASSAY_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "assay/base/bytes.h"

struct arena;

struct arena *arena_new(size_t cap); /* NULL when out of memory */
void arena_free(struct arena *a);    /* NULL is harmless */

void *arena_alloc(struct arena *a, size_t n);
/* count * size, checked. */
void *arena_array(struct arena *a, uint64_t count, size_t size);
/*
 * Grow an array that is filled one item at a time: when n == *cap the items
 * move to a block of twice the size. Returns the (possibly moved) array with
 * room for item n, or NULL.
 */
void *arena_grow(struct arena *a, void *items, size_t n, size_t *cap, size_t size);
/* Copies. The string copy is NUL-terminated. */
char *arena_str(struct arena *a, struct span s);
char *arena_printf(struct arena *a, const char *fmt, ...) ASSAY_PRINTF(2, 3);
struct span arena_span(struct arena *a, struct span s);
/* Overwrite everything handed out, for arenas that held secrets. */
void arena_wipe(struct arena *a);
/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);

/* Fault injection for tests: the n-th allocation from now fails (0: never). */
void arena_fail_after(uint64_t n);

#endif
