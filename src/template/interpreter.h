/*
 * Private to templates: one rendering.
 */
#ifndef TEMPLATE_INTERPRETER_H
#define TEMPLATE_INTERPRETER_H

#include "template/parse.h"
#include "template/value.h"

/* Variables of a block; a name that is not here is sought in the outer one. */
struct scope {
    struct dict variables;
    struct scope *outer;
};

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct interpreter {
    const struct template *t;
    const struct template_input *in;
    struct arena *arena;
    struct err *e;
    struct scope *scope, *globals;
    struct maker *out; /* where output goes: the result, or a macro's or block's text */
    const struct template_node *at; /* for messages */
    uint64_t steps;
    unsigned depth, calls, loop_depth;
    enum flow flow;
};

enum { EVAL_DEPTH = 3000, VALUE_DEPTH = 200 };

/* An error at the node that is evaluated; returns false. */
bool runtime_fault(struct interpreter *x, enum err_code code, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
/* The function, filter ... of that name is not there. */
bool unsupported(struct interpreter *x, const char *what, struct span name);
bool no_memory(struct interpreter *x);
/* n steps more. */
bool spend(struct interpreter *x, uint64_t n) ASSAY_MUST_CHECK;

bool eval(struct interpreter *x, const struct template_node *n, struct value *out) ASSAY_MUST_CHECK;
bool exec_block(struct interpreter *x, const struct template_node *block) ASSAY_MUST_CHECK;
bool assign(struct interpreter *x, const struct template_node *target,
            struct value v) ASSAY_MUST_CHECK;
/* `first` (a filter's value) and the arguments from node n on. */
bool gather(struct interpreter *x, const struct value *first, const struct template_node *n,
            struct arguments *a) ASSAY_MUST_CHECK;
bool call_value(struct interpreter *x, struct value callee, struct arguments *a,
                struct value *out) ASSAY_MUST_CHECK;
bool call_macro(struct interpreter *x, const struct macro *m, struct arguments *a,
                struct value *out) ASSAY_MUST_CHECK;
struct scope *scope_new(struct interpreter *x, struct scope *outer);
/* The items that iterating a value gives: a list's own, a dict's keys, a string's characters. */
bool iterate(struct interpreter *x, struct value v, struct list **out) ASSAY_MUST_CHECK;
/* object.name: methods before keys; object[name]: keys before methods. */
bool get_attribute(struct interpreter *x, struct value object, struct span name, bool methods_first,
                   struct value *out) ASSAY_MUST_CHECK;
bool get_item(struct interpreter *x, struct value object, struct value key,
              struct value *out) ASSAY_MUST_CHECK;
bool get_slice(struct interpreter *x, struct value object, const struct value part[3],
               struct value *out) ASSAY_MUST_CHECK;
bool operate(struct interpreter *x, struct span name, struct value a, struct value b,
             struct value *out) ASSAY_MUST_CHECK;
bool compare(struct interpreter *x, struct span name, struct value a, struct value b,
             bool *out) ASSAY_MUST_CHECK;
bool contains(struct interpreter *x, struct value a, struct value in, bool *out) ASSAY_MUST_CHECK;

/* ---- callables by table ---- */

/* A filter's or method's value is items[0]; the others follow. */
struct function {
    const char *name;
    const char *parameters; /* "default_value boolean": names for keywords, after the value */
    unsigned least, most;   /* arguments after the value */
    bool (*run)(struct interpreter *x, struct arguments *a, struct value *out);
};

const struct function *find_filter(struct span name);
const struct function *find_test(struct span name);
const struct function *find_method(struct span name, enum value_type of);
const struct function *find_function(struct span name);
/* Put keyword arguments in their places and call. */
bool call_function(struct interpreter *x, const struct function *f, struct arguments *a,
                   struct value *out) ASSAY_MUST_CHECK;
/* The i-th argument, or undefined. */
struct value argument(const struct arguments *a, size_t i);

/* Tables of the files that hold them; each ends with a NULL name. */
extern const struct function string_filters[], list_filters[], value_filters[], all_tests[],
    all_functions[], string_methods[], list_methods[], dict_methods[], loop_methods[],
    dict_type_methods[];
bool is_dict_type(struct value v); /* the function dict */

/* filters_text.c: with &, <, > and quotes as HTML has them, unless it is markup */
void put_escaped_html(struct maker *m, const struct string *s);
/* format.c */
bool format_braces(struct interpreter *x, struct arguments *a, struct value *out) ASSAY_MUST_CHECK;
bool format_percent(struct interpreter *x, const struct string *format, struct value args,
                    struct value *out) ASSAY_MUST_CHECK;
bool put_time(struct maker *m, struct span format, int64_t now) ASSAY_MUST_CHECK;

#endif
