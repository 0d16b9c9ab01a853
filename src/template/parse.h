/*
 * Private to templates: the parser's state, shared by statements and
 * expressions, and the names that the language knows.
 */
#ifndef TEMPLATE_PARSE_H
#define TEMPLATE_PARSE_H

#include "assay/template.h"
#include "template/lex.h"

struct template
{
    struct arena *arena;
    struct span source;
    const struct template_node *root;
    struct err unknown; /* the first name that is refused when the rendering gets there */
};

struct parser {
    struct lexer lexer;
    struct lexeme now; /* the token that is next */
    struct arena *arena;
    struct err *e;
    unsigned depth;
    unsigned loops;         /* for statements around */
    struct span *callables; /* macros, set targets, parameters: what may be called by name */
    size_t callable_count, callable_cap;
};

bool parse_fault(struct parser *p, enum err_code code, const char *fmt, ...) ASSAY_PRINTF(3, 4);
bool parse_advance(struct parser *p) ASSAY_MUST_CHECK;
/* Is the next token this name or operator? */
bool parse_is(const struct parser *p, enum token_kind kind, const char *text);
/* Step over it when it is; *found says so. */
bool parse_accept(struct parser *p, enum token_kind kind, const char *text,
                  bool *found) ASSAY_MUST_CHECK;
bool parse_expect(struct parser *p, enum token_kind kind, const char *text) ASSAY_MUST_CHECK;

/* A node at the next token's place; NULL with the error set. */
struct template_node *parse_node(struct parser *p, enum template_kind kind);
struct template_node *parse_nothing(struct parser *p);
bool parse_callable(struct parser *p, struct span name) ASSAY_MUST_CHECK;

/* Children are added at the end. */
struct children {
    struct template_node *parent, *last;
};
/* False when the child is NULL: the error is set already. */
bool add_child(struct children *c, struct template_node *child) ASSAY_MUST_CHECK;

/* expression.c; NULL with the error set */
struct template_node *parse_expression(struct parser *p, bool with_choice);
/* An expression, or a tuple of several without parentheses. */
struct template_node *parse_tuple(struct parser *p, bool with_choice, bool may_be_target);
/* "x", "x, y", "(x, y), z"; with `attribute`, "x.y" too. */
struct template_node *parse_target(struct parser *p, bool attribute);
/* Filters on `value` as long as there are some. `started`: the first has no bar. */
struct template_node *parse_filters(struct parser *p, struct template_node *value, bool started);
bool parse_arguments(struct parser *p, struct children *c) ASSAY_MUST_CHECK;

/* judge.c; once all macros are known */
bool judge_names(struct parser *p, struct template *t) ASSAY_MUST_CHECK;

/* names.c: what the language knows; each list ends with NULL */
bool known_filter(struct span name);
bool known_test(struct span name);
bool known_function(struct span name);
bool known_method(struct span name);

#endif
