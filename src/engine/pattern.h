/*
 * Private to src/engine: languages of strings, as terms of a regular algebra. A term's derivative by a
 * character is what may still follow it, so terms are the states of an automaton, and languages
 * are intersected by a term as well.
 */
#ifndef ENGINE_PATTERN_H
#define ENGINE_PATTERN_H

#include "engine/automaton.h"

enum {
    PATTERN_TEXT = 4096,     /* octets of one */
    PATTERN_TERMS = 1 << 17, /* and derivatives, of one string's language */
    PATTERN_SETS = 256,
    PATTERN_RANGES = 1024, /* of one set */
    PATTERN_REPEAT = 1 << 24
};
#define PATTERN_ENDLESS UINT32_MAX

enum term_kind {
    TERM_NOTHING, /* no string */
    TERM_EMPTY,   /* the one without characters */
    TERM_SET,     /* one character of `left`, a set */
    TERM_PAIR,    /* left, then right */
    TERM_REPEAT,  /* left, min to max times */
    TERM_EITHER,  /* left or right */
    TERM_BOTH,    /* what is left and right */
    TERM_NOT      /* what is not left */
};

struct term {
    uint8_t kind;
    bool empty; /* whether it has the empty string */
    uint32_t left, right, min, max;
};

struct range {
    uint32_t from, to;
};

struct range_set {
    const struct range *range; /* ascending, apart, without surrogates */
    uint32_t count;
};

struct pattern_slot;

/* What the terms of one string's language are kept in. */
struct pattern {
    struct arena *a; /* of its own */
    struct term *term;
    struct range_set set[PATTERN_SETS];
    uint32_t terms, sets;
    struct pattern_slot *slot;
    bool full; /* of terms or sets, or no memory: what was made is of no use */
    /* Characters that no set tells apart, once all sets are there. */
    uint32_t *start;    /* of each interval of them */
    uint16_t *class_of; /* of each interval; 0: in no set */
    uint32_t *one_of;   /* of each class: a character */
    uint32_t intervals, classes;
    uint32_t derived, work; /* what it took so far */
};

bool pattern_new(struct pattern *p, struct err *e) ASSAY_MUST_CHECK;
void pattern_free(struct pattern *p);

uint32_t term_set(struct pattern *p, const struct range *range, size_t count);
uint32_t term_pair(struct pattern *p, uint32_t left, uint32_t right);
uint32_t term_repeat(struct pattern *p, uint32_t left, uint32_t min, uint32_t max);
/* TERM_EITHER or TERM_BOTH. */
uint32_t term_join(struct pattern *p, enum term_kind kind, uint32_t left, uint32_t right);
/* Any other string. */
uint32_t term_not(struct pattern *p, uint32_t left);
/* Any string of min to max characters. */
uint32_t term_any(struct pattern *p, uint32_t min, uint32_t max);

/* Strings in which an ECMA 262 expression finds something, as with its flag u. ERR_UNSUPPORTED: it
 * is none, or beyond the subset (docs/engine.md). */
bool pattern_parse(uint32_t *term, struct pattern *p, struct span text,
                   struct err *e) ASSAY_MUST_CHECK;

/* The automaton of the term's strings as JSON. */
bool pattern_automaton(const struct automaton **out, struct pattern *p, uint32_t term,
                       struct arena *a, struct err *e) ASSAY_MUST_CHECK;

/* The expression of a named format; NULL: it is not known. */
const char *pattern_of_format(struct span name);
/* One whose strings are known to have at most `max` characters; NULL: there is none. */
const char *pattern_of_short_format(struct span name, uint32_t max);

#endif
