/*
 * Private to templates: what a template computes with. Values are copied
 * freely; what they point to lives in the rendering's arena until its end.
 */
#ifndef TEMPLATE_VALUE_H
#define TEMPLATE_VALUE_H

#include "assay/template.h"

enum value_type {
    V_UNDEFINED, /* text: what was not there, for messages */
    V_NONE,
    V_BOOL,
    V_INTEGER,
    V_FLOAT,
    V_STRING,
    V_LIST,
    V_TUPLE,
    V_DICT,
    V_NAMESPACE, /* dict, whose entries {% set ns.x %} changes */
    V_LOOP,
    V_MACRO,
    V_METHOD,
    V_FUNCTION,
    V_TYPES
};

/* Where trust changes: up to `end` the characters are trusted or not. */
struct run {
    size_t end;
    bool trusted;
};

struct string {
    struct span text;
    const struct run *runs; /* NULL: `trusted` holds throughout */
    size_t run_count;
    bool trusted;
    bool markup; /* Markup of Jinja: what is added to it with + is escaped */
};

struct value {
    enum value_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        const struct string *string;
        struct list *list; /* LIST, TUPLE */
        struct dict *dict; /* DICT, NAMESPACE */
        struct loop *loop;
        struct macro *macro;
        struct method *method;
        const struct function *function;
    } as;
};

struct list {
    struct value *items;
    size_t count, cap;
};

struct pair {
    struct value key, value;
};

struct dict {
    struct pair *pairs; /* in the order of insertion */
    size_t count, cap;
    uint32_t *slots; /* of string keys: index + 1; NULL while there are few */
    size_t mask;
};

struct loop {
    const struct list *items;
    size_t index;
    struct value last_changed;
    unsigned depth;
};

/* A method that was looked up but not yet called. */
struct method {
    struct value self;
    struct span name;
};

struct macro {
    const struct template_node *node; /* MACRO or CALL_BLOCK */
    struct scope *scope;              /* where it was defined */
};

struct interpreter;

/* Arguments of a call, a filter or a test. */
struct arguments {
    struct value *items;
    size_t count;
    struct pair *named; /* keys are strings */
    size_t named_count;
    struct value caller; /* of a call block; else undefined */
};

#define UNDEFINED ((struct value){.type = V_UNDEFINED})
#define NONE ((struct value){.type = V_NONE})

static inline struct value boolean(bool b)
{
    return (struct value){.type = V_BOOL, .as.boolean = b};
}

static inline struct value integer(int64_t i)
{
    return (struct value){.type = V_INTEGER, .as.integer = i};
}

static inline struct value real(double d)
{
    return (struct value){.type = V_FLOAT, .as.real = d};
}

static inline struct value of_list(enum value_type type, struct list *l)
{
    return (struct value){.type = type, .as.list = l};
}

static inline struct value of_dict(struct dict *d)
{
    return (struct value){.type = V_DICT, .as.dict = d};
}

static inline bool is_sequence(struct value v)
{
    return v.type == V_LIST || v.type == V_TUPLE;
}

static inline bool is_number(struct value v)
{
    return v.type == V_BOOL || v.type == V_INTEGER || v.type == V_FLOAT;
}

/* ---- strings ---- */

/* Text that grows, with its trust. Lives in memory of its own until it is made a value. */
struct maker {
    struct interpreter *x;
    struct buf text;
    struct run *runs;
    size_t count, cap;
    bool markup;
};

void maker_init(struct maker *m, struct interpreter *x);
void maker_free(struct maker *m);
void maker_put(struct maker *m, struct span text, bool trusted);
void maker_text(struct maker *m, const char *text); /* trusted */
/* Bytes [from, from + n) of a string, as they are marked. */
void maker_part(struct maker *m, const struct string *s, size_t from, size_t n);
void maker_string(struct maker *m, const struct string *s);
/* The value; frees the maker. */
bool maker_value(struct maker *m, struct value *out) ASSAY_MUST_CHECK;

bool string_value(struct interpreter *x, struct span text, bool trusted,
                  struct value *out) ASSAY_MUST_CHECK;
bool string_part(struct interpreter *x, const struct string *s, size_t from, size_t n,
                 struct value *out) ASSAY_MUST_CHECK;
bool string_trusted(const struct string *s, size_t at);
size_t characters(struct span s);
/* Byte offset of the i-th character; the end when there are fewer. */
size_t character_offset(struct span s, size_t i);

/* ---- containers ---- */

struct list *list_new(struct interpreter *x);
bool list_add(struct interpreter *x, struct list *l, struct value v) ASSAY_MUST_CHECK;
struct dict *dict_new(struct interpreter *x);
/* A key that is there keeps its place. */
bool dict_set(struct interpreter *x, struct dict *d, struct value key,
              struct value v) ASSAY_MUST_CHECK;
struct value *dict_find(struct interpreter *x, const struct dict *d, struct value key);
struct value *dict_find_text(struct interpreter *x, const struct dict *d, struct span key);
void dict_remove(struct dict *d, struct value *found);

/* ---- what Python says of values ---- */

const char *type_name(struct value v); /* "str", "Undefined" */
bool truth(struct value v);
bool equal(struct interpreter *x, struct value a, struct value b, unsigned depth);
/* -1, 0, 1; false when the two have no order. */
bool order(struct interpreter *x, struct value a, struct value b, int *out) ASSAY_MUST_CHECK;
/* str(v), repr(v) */
bool put_value(struct maker *m, struct value v) ASSAY_MUST_CHECK;
bool put_repr(struct maker *m, struct value v, unsigned depth) ASSAY_MUST_CHECK;
bool to_string(struct interpreter *x, struct value v, const struct string **out) ASSAY_MUST_CHECK;
/* repr(float): the shortest that reads back, with Python's exponents. */
enum { FLOAT_TEXT = 64 };
const char *python_float(char out[FLOAT_TEXT], double d);

/* From the request; every string in it is untrusted. */
bool from_json(struct interpreter *x, struct json v, struct value *out) ASSAY_MUST_CHECK;

struct json_style {
    bool ascii; /* escape what is not ASCII */
    int indent; /* -1: on one line */
    bool sort_keys;
    const char *item, *key; /* separators; NULL: Python's own */
};
bool put_json(struct maker *m, struct value v, const struct json_style *style,
              unsigned depth) ASSAY_MUST_CHECK;

#endif
