/*
 * Text that comes from outside and is shown to people.
 */
#ifndef ASSAY_BASE_TEXT_H
#define ASSAY_BASE_TEXT_H

#include "assay/base/bytes.h"

#define TEXT_VALID SIZE_MAX

/* Offset of the first byte that is not well-formed UTF-8 (Unicode 15, table
 * 3-7), or TEXT_VALID. */
size_t utf8_invalid(struct span s);
/* Length of the well-formed sequence that p, with n > 0 bytes left, begins; 0 when none does. */
size_t utf8_length(const uint8_t *p, size_t n);
/* Decode one code point at s[*pos] and advance; 0xFFFD for a bad byte. */
uint32_t utf8_next(struct span s, size_t *pos);
void utf8_put(struct buf *b, uint32_t code_point);
/* Controls, format characters, bidirectional overrides, zero-width, tags,
 * private use and noncharacters: what a reader cannot see. */
bool unicode_is_hidden(uint32_t code_point);

/* Append s so that it is safe on a terminal and in a table: hidden and control
 * characters and bad bytes as \xNN or \u{NNNN}, cut to max_chars with "…". */
void text_show(struct buf *b, struct span s, size_t max_chars);
/* As text_show, into a NUL-terminated array; returns `out`. */
const char *text_shown(char *out, size_t size, struct span s);

/* "1.05 MiB", "269.0 MB/s" etc. are all written by these two. */
const char *text_bytes(char *out, size_t size, uint64_t bytes); /* binary: B, KiB, MiB.. */
const char *text_count(char *out, size_t size, uint64_t n);     /* "134.5 M", "1.24 B" */
const char *text_grouped(char *out, size_t size, uint64_t n);   /* "134,515,008" */

/* Shortest decimal text that reads back to the same double ("0.1", "1e-05",
 * "NaN", "inf"). The same on every machine and locale. */
const char *text_double(char *out, size_t size, double v);
/* The same of a float: read as a double and rounded, it is that float again. */
const char *text_float(char *out, size_t size, float v);
/* A decimal number (JSON's grammar, checked by the caller) in any locale; too
 * large gives an infinity. False when out of memory. */
bool text_to_double(struct span s, double *out);
/* What a hexadecimal digit of either case is worth; -1: it is none. */
int text_hex_digit(uint8_t c);
/* Strict decimal, the whole span; false on anything else or overflow. */
bool text_u64(struct span s, uint64_t *out);

/* The one of up to `count` words nearest to `word`, or NULL when none is near. */
struct suggestion {
    const char *word;
    size_t word_length;
    const char *best;
    size_t distance;
};
struct suggestion suggest_start(const char *word, size_t length);
void suggest_offer(struct suggestion *s, const char *candidate);
const char *suggest_best(const struct suggestion *s);

#endif
