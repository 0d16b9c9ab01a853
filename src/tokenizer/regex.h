/*
 * Regular expressions of tokenizers, matched in linear time.
 *
 * The subset that tokenizer.json files and llama.cpp's rules use, with the
 * meaning that Oniguruma gives it: leftmost match, earlier alternatives first.
 * A pattern becomes a table of states when the tokenizer is made, so matching
 * neither allocates nor backtracks; looking one character ahead and back is
 * part of the table. What the subset lacks (back references, look-ahead of
 * more than one character, look-behind) is refused by name.
 */
#ifndef TOKENIZER_REGEX_H
#define TOKENIZER_REGEX_H

#include "assay/base/arena.h"

enum {
    REGEX_MAX_PATTERN = 1 << 16,
    REGEX_MAX_NESTING = 50,
    REGEX_MAX_REPEAT = 1000,
    REGEX_MAX_PROGRAM = 1 << 13, /* instructions */
    REGEX_MAX_STATES = 1 << 12,
    REGEX_MAX_WORK = 40000000 /* steps of building the table */
};

struct regex;

/* The result lives in `a` and never changes. The error's offset is within the pattern. */
bool regex_new(const struct regex **out, struct span pattern, struct arena *a,
               struct err *e) ASSAY_MUST_CHECK;

/*
 * The first match that is not empty, at or after `from`; text is UTF-8. False
 * when there is none. *budget falls by one for each character looked at; at 0
 * the search gives up and returns false: patterns exist that look at a long
 * text again from each of its places.
 */
bool regex_find(const struct regex *re, struct span text, size_t from, size_t *start, size_t *end,
                uint64_t *budget);

#endif
