/*
 * The generated Unicode tables, as tools/unicode_tables.py writes them. Only
 * unicode.c reads them.
 */
#ifndef UNICODE_DATA_H
#define UNICODE_DATA_H

#include <stddef.h>
#include <stdint.h>

struct unicode_pair {
    uint32_t code_point; /* bit 31: its decomposition is not composed again */
    uint32_t first, second;
};

struct unicode_class {
    uint32_t first, last;
    uint8_t value;
};

/* Every step-th code point from first to last, and what is added to it. */
struct unicode_shift {
    uint32_t first, last;
    uint8_t step;
    int32_t difference;
};

/* `count` code points of unicode_longer_text, from `at` on. */
struct unicode_text {
    uint32_t code_point;
    uint16_t at;
    uint8_t count;
};

extern const uint32_t unicode_category_runs[]; /* first code point << 5 | category */
extern const size_t unicode_category_count;
extern const struct unicode_pair unicode_canonical_rows[];
extern const size_t unicode_canonical_count;
extern const struct unicode_class unicode_combining_rows[];
extern const size_t unicode_combining_count;
extern const struct unicode_shift unicode_lower_rows[];
extern const size_t unicode_lower_count;
/* Compatibility decompositions that are not canonical, whole: to one code point, and to several. */
extern const struct unicode_shift unicode_compatible_rows[];
extern const size_t unicode_compatible_count;
extern const struct unicode_text unicode_longer_rows[];
extern const size_t unicode_longer_count;
extern const uint16_t unicode_longer_text[];

#endif
