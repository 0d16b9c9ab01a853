/*
 * Standard output for people: colour, width, wrapped fields and tables.
 *
 * Colour is for terminals only, never when NO_COLOR is set and not empty
 * (no-color.org). The width is the terminal's, or COLUMNS, or 80 in a pipe, so
 * that what a pipe gets does not depend on the window it was started from.
 * Everything that came from a file passes text_show before it comes here.
 */
#ifndef ASSAY_CLI_OUTPUT_H
#define ASSAY_CLI_OUTPUT_H

#include <stdio.h>

#include "assay/base/bytes.h"

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_HEAD };

struct out {
    FILE *f;
    bool terminal;
    bool colour;
    unsigned width; /* columns */
    int error;      /* errno of the first write that failed */
};

/* In wrapped text: shown as a space, and no line ends there. Safe text never holds it. */
#define NO_BREAK '\x01'

enum { OUT_MIN_WIDTH = 40, OUT_MAX_WIDTH = 200, OUT_LABEL = 13 };

void out_init(struct out *o, FILE *f, enum colour mode);
void out_put(struct out *o, const char *s);
void out_printf(struct out *o, const char *fmt, ...) ASSAY_PRINTF(2, 3);
void out_style(struct out *o, enum style style, const char *s);
/* A heading on a line of its own, after an empty line. */
void out_heading(struct out *o, const char *s);
/* `  label        value`, the value wrapped at spaces under itself. */
void out_field(struct out *o, const char *label, const char *fmt, ...) ASSAY_PRINTF(3, 4);
void out_field_styled(struct out *o, enum style style, const char *label, const char *value);
/* Words wrapped at the width; every line begins with `indent` spaces. */
void out_wrapped(struct out *o, unsigned indent, const char *text);
/* As out_wrapped, when the first line stands at `column` already. */
void out_wrapped_at(struct out *o, unsigned column, const char *text);
/* Flush; false when something could not be written, now or before: see error. */
bool out_flush(struct out *o);

/* Columns that UTF-8 text takes on a terminal. */
size_t text_columns(struct span s);

/*
 * A table whose columns are as wide as their widest cell. Cells are added row
 * by row; table_print writes and empties it. A table that runs out of memory
 * prints what it holds and says so.
 */
enum { TABLE_COLUMNS = 12, TABLE_MAX_BYTES = 1 << 30 };

struct table {
    const char *align; /* one letter a column: 'l' or 'r' */
    size_t columns;
    size_t at; /* column of the next cell */
    unsigned widths[TABLE_COLUMNS];
    struct buf cells; /* NUL-terminated, row after row */
    bool header;      /* the first row is a heading */
};

void table_init(struct table *t, const char *align, bool header);
void table_cell(struct table *t, const char *fmt, ...) ASSAY_PRINTF(2, 3);
void table_print(struct table *t, struct out *o, unsigned indent);
void table_free(struct table *t);

#endif
