/*
 * Private to src/engine: LoRA adapters at run time, y = Wx + s * (B (A x)),
 * each product rounded to binary32 before the next (docs/numerics.md).
 */
#ifndef ENGINE_ADAPTER_H
#define ENGINE_ADAPTER_H

#include "assay/engine.h"
#include "engine/weights.h"

enum { ADAPTER_MAX_RANK = 1024 };

/* What one adapter adds to one matrix; the list goes in the order they were given. */
struct adapted {
    struct matrix a, b; /* rank x inputs, outputs x rank; plain elements */
    float scale;
    struct adapted *next;
};

/* Loads every tensor of the adapter, hangs it on `w` and sets *applied. Memory is w's. */
bool adapter_load(struct weights *w, const struct settings *c, const struct engine_adapter *from,
                  struct engine_applied *applied, struct err *e) ASSAY_MUST_CHECK;

#endif
