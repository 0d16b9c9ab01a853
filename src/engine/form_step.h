/* Private to src/engine: what an octet does in a frame of a form, for the files that the machine is in. */
#ifndef ENGINE_FORM_STEP_H
#define ENGINE_FORM_STEP_H

#include "engine/form.h"

enum taken {
    NOT, /* the octet cannot follow */
    TAKEN,
    BEFORE, /* the value ended before the octet, which is its parent's */
    ENTER   /* a frame was opened that takes the octet */
};

/* States of a frame; 0: its value has not begun. Strings and numbers have their own. */
enum { BEGIN, OPEN, NAME, COLON, AFTER, NEXT, END };
enum { IN_STRING = 1, ESCAPE, HEX, HEX_D, UTF_E0, UTF_ED, UTF_F0, UTF_F4, UTF_REST };

static inline bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline enum taken space(struct form_thread *t)
{
    return ++t->spaces <= FORM_SPACES ? TAKEN : NOT;
}

static inline enum taken go(struct form_frame *f, unsigned state)
{
    f->state = (uint8_t)state;
    return TAKEN;
}

static inline enum taken close(struct form_thread *t)
{
    t->depth--;
    return TAKEN;
}

/* ---- form_scalars.c ---- */

enum taken form_in_string(const struct form_node *node, struct form_thread *t, struct form_frame *f,
                          uint8_t c);
enum taken form_in_number(const struct form_node *node, struct form_thread *t, struct form_frame *f,
                          uint8_t c);
enum taken form_in_regular(const struct form_node *node, struct form_thread *t,
                           struct form_frame *f, uint8_t c);

#endif
