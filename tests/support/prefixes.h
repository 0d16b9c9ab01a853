/*
 * Every prefix of an input, read from memory that ends at an unreadable page:
 * one byte read too far is a signal and not a matter of luck.
 */
#ifndef SUPPORT_PREFIXES_H
#define SUPPORT_PREFIXES_H

#include "assay/model.h"

/* A copy of bytes whose last byte is the last of its page. */
struct guarded {
    void *map;
    size_t size;
    struct span bytes;
};

bool guarded_copy(struct guarded *g, struct span bytes);
void guarded_free(struct guarded *g);

/* Called with a guarded copy of each prefix, the whole included. */
typedef void prefix_visit(struct span prefix, void *arg);
/* Every prefix from 0 bytes to all of them; those beyond `dense` bytes only
 * every `stride` (0: 1). False when out of memory. */
bool prefixes_each(struct span bytes, size_t dense, size_t stride, prefix_visit *visit, void *arg);

/*
 * Read every prefix as a model, walk everything it holds, and count the
 * prefixes whose verdict is not incomplete. Returns false when one could not
 * be read at all (which says: out of memory).
 */
bool prefixes_read(const char *name, struct span bytes, size_t *complete);
/* Touch every tensor, value, item and lookup of a model; returns a sum of it. */
uint64_t model_walk(const struct model *m);

#endif
