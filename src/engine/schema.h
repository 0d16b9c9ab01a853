/* Private to src/engine: the nodes of a form, made of a JSON Schema. */
#ifndef ENGINE_SCHEMA_H
#define ENGINE_SCHEMA_H

#include "engine/form.h"

/* A form while it is made. */
struct form_maker {
    struct engine_form *form;
    struct arena *a;
    size_t room;
    struct json root; /* of the schema, which references look into */
    uint32_t first;   /* its first node */
    size_t *made_of;  /* offset in the schema of what each node was made of */
    size_t made_room;
    uint32_t free;     /* the node of any value; 0: not made yet */
    unsigned depth;    /* of the schemas within one another that are being read */
    struct buf *where; /* what an error is about, as a JSON pointer within the schema */
};

/* A node of its own. */
bool form_new(struct form_maker *m, enum form_kind kind, uint32_t *node,
              struct err *e) ASSAY_MUST_CHECK;
/* A list of as many items. */
bool form_list(struct form_maker *m, uint32_t node, size_t count, struct err *e) ASSAY_MUST_CHECK;
/* A schema and what it refers to. ERR_UNSUPPORTED: it asks for more than a form can hold an answer
 * to, or for what no value can be; m->where says where. */
bool schema_node(struct form_maker *m, struct json schema, uint32_t *node,
                 struct err *e) ASSAY_MUST_CHECK;
/* Once all are made: unions within unions, references, and how deep each value goes at least. */
bool form_settle(struct form_maker *m, struct err *e) ASSAY_MUST_CHECK;

#endif
