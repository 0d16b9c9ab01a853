/* Private to src/engine: numbers as they are written, and the automaton of those within bounds. */
#ifndef ENGINE_DECIMAL_H
#define ENGINE_DECIMAL_H

#include "engine/automaton.h"

enum {
    DECIMAL_DIGITS = 24,    /* before the point */
    DECIMAL_PRECISION = 15, /* where there is a fraction: different doubles for different texts */
    DECIMAL_MULTIPLE = 16384
};

/* 0.d1d2d3... * 10^point; d1 and the last digit are not 0. */
struct decimal {
    bool negative;
    uint8_t count; /* 0: zero */
    int8_t point;
    uint8_t digit[DECIMAL_DIGITS + DECIMAL_PRECISION];
};

/* Of a number of JSON; false: it has more than DECIMAL_DIGITS digits before the point, or more than
 * DECIMAL_PRECISION behind it. */
bool decimal_read(struct decimal *out, struct span text) ASSAY_MUST_CHECK;
/* Below 0, 0, above 0. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

struct decimal_bounds {
    bool whole;
    bool has_least, has_most;         /* bounds there are */
    bool without_least, without_most; /* the bound itself is not allowed */
    struct decimal least, most;
    uint32_t multiple; /* of multiple / 10^scale; 0: of anything */
    uint8_t scale;
};

/* multipleOf; false: it is not above 0, or has more digits than can be counted with. */
bool decimal_multiple(struct decimal_bounds *b, const struct decimal *of) ASSAY_MUST_CHECK;
bool decimal_automaton(const struct automaton **out, const struct decimal_bounds *b,
                       struct arena *a, struct err *e) ASSAY_MUST_CHECK;

#endif
