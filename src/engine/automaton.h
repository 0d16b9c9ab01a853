/*
 * Private to src/engine: the texts of a regular language as a table, which a form reads an octet at
 * a time. From every state of it there is a way to an end.
 */
#ifndef ENGINE_AUTOMATON_H
#define ENGINE_AUTOMATON_H

#include "engine/form.h"

enum { AUTOMATON_STATES = 16384, AUTOMATON_NONE = UINT16_MAX };

/* Whether a text may be over in a state; it must be where nothing can follow. */
enum automaton_end { AUTOMATON_GOES_ON, AUTOMATON_MAY_END, AUTOMATON_ENDS };

struct automaton {
    uint32_t states, classes; /* the first state is where texts begin */
    uint8_t class_of[256];    /* of octets: all of a class lead to the same states */
    const uint16_t *next;     /* of each state, for each class; AUTOMATON_NONE: does not follow */
    const uint8_t *end;       /* of each state */
    struct form_octet_set needs; /* enough of them to come to an end from every state */
};

/* A language by what its states are: any numbers. */
struct automaton_language {
    uint64_t start;
    /* Where an octet leads; NOT_A_STATE: nowhere. */
    uint64_t (*next)(void *arg, uint64_t state, uint8_t octet);
    bool (*may_end)(void *arg, uint64_t state);
    void *arg;
};
#define NOT_A_STATE UINT64_MAX

/* ERR_UNSUPPORTED: it has no text, or too many states. */
bool automaton_make(const struct automaton **out, const struct automaton_language *language,
                    struct arena *a, struct err *e) ASSAY_MUST_CHECK;

static inline uint16_t automaton_next(const struct automaton *m, uint32_t state, uint8_t octet)
{
    return m->next[(size_t)state * m->classes + m->class_of[octet]];
}

#endif
