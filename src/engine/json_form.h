/*
 * Private to src/engine: an answer that is held to be one JSON object. The state after what was
 * said so far; which octets may follow is a pure function of it, so a replay finds the same.
 */
#ifndef ENGINE_JSON_FORM_H
#define ENGINE_JSON_FORM_H

#include "assay/base/bytes.h"

enum { JSON_FORM_DEPTH = 64, JSON_FORM_SPACES = 16 };

struct json_form {
    uint64_t arrays;  /* a bit for each level: it is an array */
    uint8_t depth;    /* open objects and arrays */
    uint8_t state;    /* enum json_state of json_form.c; 0: nothing was said */
    uint8_t spaces;   /* in a row */
    uint8_t left;     /* of \uXXXX */
    const char *word; /* what is left of true, false or null */
    bool name;        /* the string is a member's name */
};

/* Take the octets; false, and *f is of no use any more, when they cannot follow. */
bool json_form_push(struct json_form *f, struct span bytes);
/* The object is closed: nothing may follow. */
bool json_form_over(const struct json_form *f);
/* Octets that every state can go on with one of, each to be a token of its own. */
extern const char json_form_needs[];

#endif
