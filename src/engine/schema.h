/* Private to src/engine: the nodes of a form, made of a JSON Schema. */
#ifndef ENGINE_SCHEMA_H
#define ENGINE_SCHEMA_H

#include "assay/base/map.h"
#include "engine/form.h"

/* Types, as a set. */
enum {
    IS_NULL = 1,
    IS_BOOLEAN = 2,
    IS_STRING = 4,
    IS_INTEGER = 8,
    IS_NUMBER = 16,
    IS_OBJECT = 32,
    IS_ARRAY = 64,
    IS_ANY = 127
};

/* The way to a place in the schema. */
struct way {
    const struct way *up;
    struct span key; /* of an item of an array: empty */
    size_t index;
};

/* Alternatives of which no two may hold. */
struct form_apart {
    uint32_t node; /* FORM_ANY */
    struct span where;
};

/* A form while it is made. */
struct form_maker {
    struct engine_form *form;
    struct arena *a;
    size_t room;
    struct json root;     /* of the schema, which references look into */
    uint32_t first;       /* its first node */
    struct json *made_of; /* what each node was made of */
    size_t made_room;
    uint32_t free;      /* the node of any value; 0: not made yet */
    unsigned depth;     /* of the schemas within one another that are being read */
    struct buf *where;  /* what an error is about, as a JSON pointer within the schema */
    uint32_t fault;     /* the node that an error is about which is found once all are made */
    bool none;          /* what was refused last has no value */
    uint64_t work;      /* of making automata: as many patterns as a schema holds are bounded */
    uint32_t states;    /* of all automata */
    struct map strings; /* what strings were held to, to the node that was made for it first */
    struct map merged;  /* what several schemas say together, likewise; of one schema */
    struct form_apart *apart;
    size_t apart_count, apart_room;
    struct form_triggers *triggers; /* NULL: none */
    struct span last;               /* the schema of the alternative before, and its node */
    uint32_t last_node;
};

/* ERR_UNSUPPORTED, about a keyword of the schema at a place, or (NULL) the schema itself. */
bool schema_refuse(struct form_maker *m, const struct way *at, const char *key, const char *why,
                   struct err *e);
/* The same where it has no value. */
bool schema_refuse_none(struct form_maker *m, const struct way *at, const char *key,
                        const char *why, struct err *e);
/* The node of a schema at its place, made once; of any value; of the schema's objects. */
bool schema_make(struct form_maker *m, struct json schema, const struct way *at, uint32_t *out,
                 struct err *e) ASSAY_MUST_CHECK;
bool schema_any(struct form_maker *m, uint32_t *out, struct err *e) ASSAY_MUST_CHECK;
bool schema_object(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e) ASSAY_MUST_CHECK;
/* Whether a keyword says nothing of values, and whether a schema has one that does beside $ref and
 * allOf. `at` NULL: it is the schema as a whole. */
bool schema_is_annotation(struct json keyword, const struct way *at);
bool schema_says(struct json schema, const struct way *at);
/* One schema that says what this one does and all those that must hold with it: of its allOf and $ref. */
bool schema_merge(struct form_maker *m, struct json schema, const struct way *at, struct json *out,
                  struct err *e) ASSAY_MUST_CHECK;
const char *schema_type_name(unsigned type);

/* The constants that `not` leaves out, where they are of one of the types; none where there is no `not`. */
struct schema_left_out {
    struct json first;
    bool listed;
    unsigned types;
};
/* Of a schema that has nothing but constants; `key` is where it stands. */
bool schema_constants_of(struct form_maker *m, struct json schema, const struct way *at,
                         const char *key, struct schema_left_out *out,
                         struct err *e) ASSAY_MUST_CHECK;
bool schema_left_out(struct form_maker *m, struct json schema, const struct way *at,
                     struct schema_left_out *out, struct err *e) ASSAY_MUST_CHECK;
struct json schema_left_next(const struct schema_left_out *l, struct json v);
bool schema_leaves_out(const struct schema_left_out *l, struct json v);
bool schema_leaves_out_type(const struct schema_left_out *l, enum json_type type); /* one of it */
/* The types that have a value left, as far as it is words. */
unsigned schema_types_left(const struct schema_left_out *l, unsigned types);
/* Arrays, or (min NULL) objects: the empty array alone can be left out. */
bool schema_leaves_in(struct form_maker *m, const struct schema_left_out *l, enum json_type type,
                      const struct way *at, uint32_t *min, struct err *e) ASSAY_MUST_CHECK;
/* Numbers: what lies at a bound becomes one; *within: others are left. Then the node, of numbers within
 * the bounds, becomes the list of those that are not left out. */
struct decimal_bounds;
void schema_numbers_left(const struct schema_left_out *l, struct decimal_bounds *b, bool *within);
bool schema_integers_left(struct form_maker *m, const struct schema_left_out *l,
                          const struct way *at, const struct decimal_bounds *b, uint32_t node,
                          struct err *e) ASSAY_MUST_CHECK;
/* Whether they are the same value, however it is written; of numbers with more digits than are counted
 * with, where they are written alike. And whether there are none such in a value. */
bool schema_equal(struct json a, struct json b);
bool schema_countable(struct json v);
/* The types that a value is of. */
unsigned schema_type_of(struct json v);
/* Texts in the order of their octets, as a node of them has them. */
void schema_sort(struct form_item *items, size_t n);
bool schema_array(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                  struct err *e) ASSAY_MUST_CHECK;
/* Which types it allows; where it does not say, what its other keywords speak of. */
bool schema_types(struct form_maker *m, struct json schema, const struct way *at, unsigned *out,
                  struct err *e) ASSAY_MUST_CHECK;
/* The schema within `root` that a $ref leads to; missing: none. */
struct json schema_referred(struct json root, struct json reference);
/* Whether a keyword speaks of values of some type. */
bool schema_speaks(struct span key);
/* A value, or a name, as it is written; empty: it is too long. */
struct span schema_written(struct form_maker *m, struct json v, const struct span *name);
/* The node of the values of enum and const that everything else allows. */
bool schema_constants(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                      struct err *e) ASSAY_MUST_CHECK;
/* What a bound of a count says; *out stays when there is none. */
bool schema_count(struct form_maker *m, struct json schema, const struct way *at, const char *key,
                  uint32_t *out, struct err *e) ASSAY_MUST_CHECK;
/* The node of the schema's strings, and of its numbers. */
bool schema_string(struct form_maker *m, struct json schema, const struct way *at, uint32_t node,
                   struct err *e) ASSAY_MUST_CHECK;
bool schema_pattern(struct form_maker *m, struct span text, const struct way *at, uint32_t node,
                    struct err *e) ASSAY_MUST_CHECK; /* strings with it, whatever else */
bool schema_number(struct form_maker *m, struct json schema, const struct way *at, bool whole,
                   uint32_t node, struct err *e) ASSAY_MUST_CHECK;
/* Whether alternatives that must be apart are, as far as their types and constants show. */
bool form_check_apart(struct form_maker *m, struct err *e) ASSAY_MUST_CHECK;
/* What a node stands for; FORM_NODES: for itself, and so for nothing. */
uint32_t form_resolved(const struct engine_form *f, uint32_t node);

/* A node of its own. */
bool form_new(struct form_maker *m, enum form_kind kind, uint32_t *node,
              struct err *e) ASSAY_MUST_CHECK;
/* A list of as many items. */
bool form_list(struct form_maker *m, uint32_t node, size_t count, struct err *e) ASSAY_MUST_CHECK;
/* A schema and what it refers to. ERR_UNSUPPORTED: it asks for more than a form can hold an answer
 * to, or for what no value can be; m->where says where. */
bool schema_node(struct form_maker *m, struct json schema, uint32_t *node,
                 struct err *e) ASSAY_MUST_CHECK;
/* A text after which an answer is held to *value, a node that is to be set. Valid until the next one. */
bool form_trigger_add(struct form_maker *m, struct span text, uint32_t **value,
                      struct err *e) ASSAY_MUST_CHECK;
/* Once all are there. */
void form_triggers_link(struct form_triggers *t);
/* Once all are made: unions within unions, references, and how deep each value goes at least. */
bool form_settle(struct form_maker *m, struct err *e) ASSAY_MUST_CHECK;

#endif
