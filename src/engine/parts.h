/*
 * Private to src/engine: which tensors a model must have, under which names,
 * in which shapes, and where each goes. weights.c loads what parts.c has found.
 */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include "engine/weights.h"

/* One tensor of the model and its place. A tensor without a place is digested alone. */
struct item {
    uint32_t tensor;
    struct matrix *matrix; /* NULL: a vector, or nothing */
    const float **vector;
    uint8_t *bytes;  /* of the matrix */
    float *numbers;  /* of the vector */
    bool transposed; /* stored input first */
    bool plus_one;   /* stored minus 1 */
    bool packed;     /* a product will use it */
};

struct items {
    struct item *all;
    size_t count;
};

/* In the model's order of tensors; also sets c->vocabulary and c->tied from what is there.
 * Refuses what is missing, misshapen, of a type without products, or unknown. */
bool parts_find(struct items *out, struct weights *w, const struct model *m, struct settings *c,
                struct err *e) ASSAY_MUST_CHECK;

#endif
