/*
 * Names to indices: finds duplicates and looks things up.
 *
 * Open addressing over borrowed spans, keyed with a per-process random seed so
 * that a hostile file cannot choose colliding names. The order of iteration is
 * never used for output.
 */
#ifndef ASSAY_BASE_MAP_H
#define ASSAY_BASE_MAP_H

#include "assay/base/arena.h"

#define MAP_NONE UINT32_MAX

struct map {
    struct arena *arena;
    struct map_slot *slots;
    size_t mask; /* slots - 1 */
    size_t used;
};

/* Room for `expect` names without growing. False when out of memory. */
bool map_init(struct map *m, struct arena *a, size_t expect) ASSAY_MUST_CHECK;
/*
 * Insert name -> value. *previous gets the value that stands there already
 * (which is kept) or MAP_NONE. The name's bytes are borrowed for the map's life.
 */
bool map_put(struct map *m, struct span name, uint32_t value, uint32_t *previous) ASSAY_MUST_CHECK;
/* The keyed hash behind it, for tables of other shapes; never stored or shown. */
uint32_t map_hash(struct span name);
uint32_t map_get(const struct map *m, struct span name); /* MAP_NONE when absent */

#endif
