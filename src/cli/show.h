/*
 * Pieces of text that several commands show: shapes, numbers, metadata values.
 * Each writes into the caller's array, cut to fit, safe on a terminal.
 */
#ifndef ASSAY_CLI_SHOW_H
#define ASSAY_CLI_SHOW_H

#include "cli/output.h"
#include "cli/subject.h"

enum { SHOW_SIZE = 512, SHOW_NAME = 120 };

/* Any text of a file, at most `max` characters. */
const char *show_text(char out[SHOW_SIZE], struct span s, size_t max);
/* "576 x 1536"; "scalar" for rank 0. */
const char *show_shape(char out[SHOW_SIZE], const struct tensor *t);
/* Six significant digits: "-0.0123457", "1.5e+20", "NaN". */
const char *show_number(char out[SHOW_SIZE], double v);
/* "81.4 %"; never 0 or 100 when it is not. */
const char *show_share(char out[SHOW_SIZE], double share);
/* A metadata value in one line; arrays as "[49152 strings] a, b, c, ...". */
const char *show_value(char out[SHOW_SIZE], const struct value *v, size_t max);

#endif
