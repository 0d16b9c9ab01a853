/*
 * Private to templates: the source as tokens, with Jinja's white-space control
 * done (trim_blocks, lstrip_blocks, "-" and "+" at a tag).
 */
#ifndef TEMPLATE_LEX_H
#define TEMPLATE_LEX_H

#include "assay/base/arena.h"

enum token_kind {
    LEX_END,
    LEX_TEXT,         /* what stands between tags */
    LEX_OUTPUT_BEGIN, /* {{ */
    LEX_OUTPUT_END,
    LEX_TAG_BEGIN, /* {% */
    LEX_TAG_END,
    LEX_NAME,
    LEX_STRING_LITERAL,
    LEX_INTEGER,
    LEX_FLOAT,
    LEX_OPERATOR
};

struct lexeme {
    enum token_kind kind;
    struct span text; /* strings: escapes resolved */
    uint32_t line, offset;
    int64_t integer;
    double real;
};

struct lexer {
    struct span source; /* line ends made '\n' */
    struct arena *arena;
    struct err *e;
    size_t at;
    uint32_t line;
    bool in_tag, output; /* within a tag; it is {{ */
    bool line_start;     /* the last token ended a line */
    bool started;
    char open[256]; /* brackets that are open in the tag */
    size_t open_count;
    struct lexeme pending; /* the tag that ended the last text */
    bool has_pending;
};

/* The source with '\n' as its line end, and without the last one. */
bool lexer_init(struct lexer *x, struct span source, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;
bool lexer_next(struct lexer *x, struct lexeme *out) ASSAY_MUST_CHECK;

#endif
