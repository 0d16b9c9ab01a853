/*
 * Text that is free until one of several texts was said, the triggers: from then on it is held to what
 * belongs to that one. They are looked for all at once (Aho and Corasick, 1975), an octet at a
 * time, so that it does not matter where tokens begin and end.
 */
#include "engine/form.h"
#include "engine/schema.h"

/* How far a trigger was said; 0: not at all. */
struct trigger_state {
    uint32_t child, sibling; /* 0: none */
    uint32_t fail;           /* the longest other beginning that what was said so far ends with */
    uint32_t next;           /* while it is made: the states in the order of their lengths */
    uint32_t value;          /* what is to follow; 0: no trigger ends here */
    uint8_t octet;
};

struct form_triggers {
    struct trigger_state *state;
    uint32_t count;
    size_t room;
};

static uint32_t child_of(const struct form_triggers *t, uint32_t at, uint8_t octet)
{
    uint32_t c = t->state[at].child;
    while (c != 0 && t->state[c].octet != octet)
        c = t->state[c].sibling;
    return c;
}

static bool new_state(struct form_triggers *t, struct arena *a, uint32_t parent, uint8_t octet,
                      uint32_t *out, struct err *e)
{
    if (t->count == FORM_TRIGGERS)
        return err_set(e, ERR_UNSUPPORTED, "its triggers have more than %d octets", FORM_TRIGGERS);
    struct trigger_state *grown = arena_grow(a, t->state, t->count, &t->room, sizeof *grown);
    if (grown == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    t->state = grown;
    *out = t->count++;
    grown[*out] = (struct trigger_state){.octet = octet};
    if (*out != 0) {
        grown[*out].sibling = grown[parent].child;
        grown[parent].child = *out;
    }
    return true;
}

bool form_trigger_add(struct form_maker *m, struct span text, uint32_t **value, struct err *e)
{
    uint32_t at = 0, ignored;
    if (m->triggers == NULL) {
        m->triggers = arena_alloc(m->a, sizeof *m->triggers);
        if (m->triggers == NULL)
            return err_set(e, ERR_MEMORY, "no memory for a form");
        if (!new_state(m->triggers, m->a, 0, 0, &ignored, e))
            return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        uint32_t next = child_of(m->triggers, at, text.p[i]);
        if (next == 0 && !new_state(m->triggers, m->a, at, text.p[i], &next, e))
            return false;
        at = next;
    }
    *value = &m->triggers->state[at].value;
    return true;
}

/* Shorter ones first: where one fails to is known before it is asked for. */
void form_triggers_link(struct form_triggers *t)
{
    uint32_t last = 0;
    for (uint32_t at = 0, more = 1; more != 0; at = t->state[at].next) {
        for (uint32_t c = t->state[at].child; c != 0; c = t->state[c].sibling) {
            struct trigger_state *s = &t->state[c];
            s->fail = at == 0 ? 0 : form_trigger_next(t, t->state[at].fail, s->octet);
            if (s->value == 0)
                s->value = t->state[s->fail].value;
            t->state[last].next = c;
            last = c;
        }
        more = t->state[at].next;
    }
}

uint32_t form_trigger_next(const struct form_triggers *t, uint32_t at, uint8_t octet)
{
    uint32_t next;
    while ((next = child_of(t, at, octet)) == 0 && at != 0)
        at = t->state[at].fail;
    return next;
}

uint32_t form_trigger_value(const struct form_triggers *t, uint32_t at)
{
    return t->state[at].value;
}
