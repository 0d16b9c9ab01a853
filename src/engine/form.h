/*
 * Private to src/engine: what an answer is held to, as a machine that reads an octet at a time. A
 * form is a list of nodes, made of JSON Schemas by schema.c; its state is a few stacks of
 * frames, one for each way in which what was said so far can be read. Which octets may
 * follow is a pure function of it, so a replay finds the same.
 */
#ifndef ENGINE_FORM_H
#define ENGINE_FORM_H

#include "assay/engine.h"

enum {
    FORM_DEPTH = 64,    /* frames: levels of a value, its texts around it included */
    FORM_THREADS = 256, /* ways of reading at once; further ones are not followed */
    FORM_SPACES = 16,   /* octets of white space in a row */
    FORM_DIGITS = 24,   /* in a row */
    FORM_POWER = 3,     /* digits of an exponent */
    FORM_NODES = 16384,
    FORM_LIST = 8192,        /* members, values or alternatives of a node */
    FORM_TEXT = 16384,       /* octets of one text */
    FORM_WAYS = 1 << 16,     /* alternatives of all unions */
    FORM_TRIGGERS = 1 << 16, /* octets of all triggers */
    FORM_STRING = 1 << 24,   /* characters or items that a bound may say */
    FORM_SEVERAL_MAX = 255,
    FORM_UNIQUE = 32,  /* values of which an array may hold each once */
    FORM_MATCHES = 254 /* items of an array that are counted */
};

/* Octets of which one goes on with any character that was begun (RFC 3629). */
#define FORM_PARTS "\x80\x90\xa0"

enum form_kind {
    FORM_UNSET,
    FORM_REFUSED,  /* only while it is made: nothing refers to it */
    FORM_ALIAS,    /* only while it is made: the same as `value` */
    FORM_LITERALS, /* one of the texts, in the order of their octets */
    FORM_TEXTUAL,  /* a string of min to max characters */
    FORM_NUMBER,   /* whole: an integer */
    FORM_REGULAR,  /* a string or a number that the automaton takes */
    FORM_OBJECT,   /* these members, in their order; those that are not required may be missing */
    FORM_MAP,      /* an object of names like `name`, its values like `value` */
    FORM_ARRAY,  /* min to max items: the first like those of the list, further ones like `value` */
    FORM_ANY,    /* like one of the list's values, none of which is an ANY itself */
    FORM_FRAMED, /* the first text of the list, `value`, its second text, which may be empty */
    FORM_SEVERAL /* 1 to max of `value`, the texts of the list before the first, between two and
                  * behind the last; each may be empty, and without the last its end is not written */
};

struct form_item {
    struct span text; /* of a member: its name as JSON, quotes included */
    uint32_t value;   /* a node */
    bool required;
};

struct form_node {
    enum form_kind kind;
    bool whole;
    bool loose;    /* the schema that it is of allows values which it does not have */
    uint32_t need; /* frames that its smallest value takes; above FORM_DEPTH: there is none */
    uint32_t min, max;
    uint32_t value, name;
    /* Of an array: its items are `value`s, words of a list, of which none comes twice; or some are
     * `match`, one of the two that `value` is a union of, at least and at most so many. */
    bool unique;
    uint8_t match_min, match_max; /* 255: any number */
    uint32_t match;               /* 0: none is counted */
    struct form_item *item;
    uint32_t count;
    const struct automaton *automaton;
};

struct form_octet_set {
    uint64_t bit[4];
};

/* Opaque beyond src/engine; all of it in the arena that it was read into. */
struct engine_form {
    struct form_node *node; /* 0: any string, which names of maps are like */
    uint32_t count, root;
    struct span text; /* as it was given */
    /* NULL: an answer is held to the root. Otherwise it is free until a trigger was said, and again
     * after what belongs to it, where `again` says so. */
    const struct form_triggers *triggers;
    bool again;
    struct form_octet_set
        needs; /* each must be a token of its own, so that there is always a way on */
};

static inline void form_set_add(struct form_octet_set *s, uint8_t c)
{
    s->bit[c >> 6] |= UINT64_C(1) << (c & 63);
}

static inline bool form_set_has(const struct form_octet_set *s, uint8_t c)
{
    return s->bit[c >> 6] >> (c & 63) & 1;
}

struct form_frame {
    uint16_t node;
    uint8_t state, left;
    uint32_t count;
};

struct form_thread {
    uint8_t depth; /* frames */
    uint8_t spaces;
    struct form_frame frame[FORM_DEPTH];
};

struct form_state {
    const struct engine_form *form;
    uint16_t count;
    bool begun;    /* an octet was said: no white space stands before the first */
    bool over;     /* the value is whole: nothing may follow */
    bool may_end;  /* the value is whole, and more of it may follow: the answer may end here */
    bool free;     /* no trigger was said, or what belongs to the last one is over */
    uint32_t said; /* of a trigger, while it is free */
    struct form_thread thread[FORM_THREADS];
};

void form_begin(struct form_state *s, const struct engine_form *f);
/* What is used of it. */
void form_copy(struct form_state *to, const struct form_state *from);
/* Take the octets; false, and *s is of no use any more, when they cannot follow. `framing`: they
 * may stand in the texts around values alone, as control tokens do, and say nothing in free text
 * but a trigger. */
bool form_push(struct form_state *s, struct span bytes, bool framing);
/* Whether a text is a string, number or word that the node has. */
bool form_takes(const struct engine_form *f, uint32_t node, struct span text);
/* Whether a value of a node, which is no union, may begin with an octet. */
bool form_may_begin(const struct engine_form *f, const struct form_node *node, uint8_t c);
/* Whether all ways of reading are within a string, which only a quote ends; *room: as many characters may
 * follow, whatever they are but quotes and backslashes. */
bool form_in_strings(const struct form_state *s, uint32_t *room);
/* One way of reading alone. */
void form_copy_one(struct form_state *to, const struct form_state *from, uint16_t thread);

/* ---- form_free.c ---- */

/* How far triggers were said once the octet is; 0: no beginning of one. */
uint32_t form_trigger_next(const struct form_triggers *t, uint32_t at, uint8_t octet);
/* The node that is to follow; 0: no trigger ends here. */
uint32_t form_trigger_value(const struct form_triggers *t, uint32_t at);

#endif
