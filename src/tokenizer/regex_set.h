/*
 * Private to the regular expressions: reading character sets.
 */
#ifndef TOKENIZER_REGEX_SET_H
#define TOKENIZER_REGEX_SET_H

#include "tokenizer/regex_program.h"

struct set_reader {
    struct span text;
    size_t at;
    bool fold; /* either case */
    unsigned depth;
    struct arena *arena;
    struct err *e;
};

/* One character, escape, property or bracketed set at `at`; NULL with the error set. */
const struct set *set_read(struct set_reader *r);
/* NULL: nothing yet. NULL only when out of memory. */
const struct set *set_or(struct arena *a, const struct set *x, const struct set *y);

#endif
