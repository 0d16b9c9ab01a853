/*
 * The order of reading: documents by a draw each, then packed into windows one
 * after the other; a document that does not fit begins the next window.
 */
#include <stdlib.h>
#include <string.h>

#include "train/data.h"
#include "train/random.h"

struct drawn {
    uint64_t key;
    size_t document;
};

static int by_key(const void *pa, const void *pb)
{
    const struct drawn *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->document > b->document) - (a->document < b->document);
}

static size_t tokens_of(const struct documents *d, size_t document)
{
    return d->starts[document + 1] - d->starts[document];
}

static void pack(struct epoch *p, const struct documents *d, bool packing, size_t context)
{
    size_t used = 0;
    for (size_t i = 0; i < d->count; i++) {
        size_t n = tokens_of(d, p->order[i]);
        bool begins = i == 0 || !packing || used + n > context + 1;
        if (begins) {
            p->windows[p->count++] = (struct window){i, 0};
            used = 0;
        }
        used += n;
        p->windows[p->count - 1].count++;
    }
}

bool epoch_make(struct epoch *out, const struct documents *d, uint64_t seed, uint64_t number,
                bool in_order, bool packing, size_t context, struct arena *a, struct err *e)
{
    *out = (struct epoch){.number = number};
    out->order = arena_array(a, d->count, sizeof *out->order);
    out->windows = arena_array(a, d->count, sizeof *out->windows);
    struct drawn *drawn = malloc((d->count + 1) * sizeof *drawn);
    bool ok = out->order && out->windows && drawn;
    for (size_t i = 0; ok && i < d->count; i++)
        drawn[i] = (struct drawn){in_order ? i : random_bits(seed, RANDOM_ORDER, number, i), i};
    if (ok) {
        qsort(drawn, d->count, sizeof *drawn, by_key);
        for (size_t i = 0; i < d->count; i++)
            out->order[i] = drawn[i].document;
        pack(out, d, packing, context);
    }
    free(drawn);
    return ok || err_set(e, ERR_MEMORY, "out of memory for the order of the data");
}

size_t window_fill(const struct documents *d, const struct epoch *p, size_t window, size_t length,
                   uint32_t *tokens, uint32_t *targets, uint8_t *counts)
{
    const struct window *w = &p->windows[window];
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++) {
        size_t at = d->starts[p->order[w->first + i]], end = d->starts[p->order[w->first + i] + 1];
        for (; at < end && n < length; at++, n++) {
            bool last = at + 1 == end; /* what follows belongs to another document */
            tokens[n] = d->tokens[at];
            targets[n] = last ? d->tokens[at] : d->tokens[at + 1];
            counts[n] = !last && d->counts[at + 1];
        }
    }
    for (size_t i = n; i < length; i++) {
        tokens[i] = targets[i] = n ? tokens[n - 1] : 0;
        counts[i] = 0;
    }
    return n;
}
