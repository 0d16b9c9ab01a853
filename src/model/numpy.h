/* NumPy's arrays. Private to src/model. */
#ifndef MODEL_NUMPY_H
#define MODEL_NUMPY_H

#include "model/pickle.h"

struct numpy_array {
    struct span descr; /* "<f4"; empty for a record */
    bool object;       /* elements are Python objects: a pickle follows */
    bool columns;      /* fortran_order */
    uint32_t rank;     /* may be more than MODEL_MAX_RANK */
    uint64_t shape[MODEL_MAX_RANK];
    uint64_t data; /* offset of what follows the header */
};

/* False, with *why, when the header is not what NumPy writes. */
bool numpy_read(struct numpy_array *out, const struct input *in, struct arena *a, const char **why);
bool numpy_sniff(struct span head, uint64_t size);
bool numpy_examine(const struct content *c);

#endif
