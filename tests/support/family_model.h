/*
 * Tiny models that compute: the tensors of tiny_family.h with small random
 * weights, every setting that the family reads, and a vocabulary that any
 * loader accepts. The same bytes on every machine.
 */
#ifndef SUPPORT_FAMILY_MODEL_H
#define SUPPORT_FAMILY_MODEL_H

#include <stdbool.h>

#include "assay/dtype.h"

enum { FAMILY_WORDS = 320, FAMILY_CONTEXT = 128, FAMILY_WINDOW = 8, FAMILY_CHARACTERS = 10 };

/* Families that the engine computes, NULL at the end. */
extern const char *const family_names[];

/* What a test may spoil. */
struct family_change {
    const char *drop;       /* tensor to leave out */
    const char *poison;     /* tensor whose first weight becomes NaN */
    const char *shrink;     /* tensor that loses its last row */
    float rope_base;        /* 0: 10000 */
    uint32_t layers;        /* that it declares; 0: as many as there are */
    const char *template;   /* of chats; NULL: none */
    enum dtype type;        /* of matrices; DTYPE_F32 (0), DTYPE_F16, DTYPE_BF16, DTYPE_Q8_0 */
    const char *words[4];   /* texts of tokens 3, 4 ...; NULL: the usual ones */
    bool control;           /* the first of the words is a control token */
    const char *characters; /* each a token, from FAMILY_CHARACTERS on; NULL: none */
};

/* Writes a GGUF file. */
bool family_write(const char *path, const char *family, const struct family_change *change);

#endif
