/*
 * The machine's frames of strings and numbers, and of what an automaton reads. Numbers end only with what
 * follows them, so an octet may be taken by the frame below.
 */
#include <string.h>

#include "engine/automaton.h"
#include "engine/form_step.h"

/* Of a number. */
enum { MINUS = 1, ZERO, DIGITS, POINT, FRACTION, EXPONENT, SIGN, POWER };

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- strings ---- */

static enum taken begin_character(const struct form_node *node, struct form_frame *f, uint8_t c)
{
    static const struct {
        uint8_t from, to, left, state;
    } leads[] = {{0xc2, 0xdf, 1, UTF_REST}, {0xe0, 0xe0, 2, UTF_E0},   {0xe1, 0xec, 2, UTF_REST},
                 {0xed, 0xed, 2, UTF_ED},   {0xee, 0xef, 2, UTF_REST}, {0xf0, 0xf0, 3, UTF_F0},
                 {0xf1, 0xf3, 3, UTF_REST}, {0xf4, 0xf4, 3, UTF_F4}};
    if (f->count == node->max || c < ' ')
        return NOT;
    f->count++;
    if (c == '\\')
        return go(f, ESCAPE);
    if (c < 0x80)
        return TAKEN;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        if (c >= leads[i].from && c <= leads[i].to) {
            f->left = leads[i].left;
            return go(f, leads[i].state);
        }
    }
    return NOT;
}

/* RFC 3629: the second octet is held to less than the others by some first ones. */
static enum taken go_on_character(struct form_frame *f, uint8_t c)
{
    uint8_t from = f->state == UTF_E0 ? 0xa0 : f->state == UTF_F0 ? 0x90 : 0x80;
    uint8_t to = f->state == UTF_ED ? 0x9f : f->state == UTF_F4 ? 0x8f : 0xbf;
    if (c < from || c > to)
        return NOT;
    return go(f, --f->left ? UTF_REST : IN_STRING);
}

/* No half of a pair: what is beyond the basic plane is written as it is. */
static enum taken escaped(struct form_frame *f, uint8_t c)
{
    if (f->state == ESCAPE && c != 'u')
        return c && strchr("\"\\/bfnrt", c) ? go(f, IN_STRING) : NOT;
    if (f->state == ESCAPE) {
        f->left = 4;
        return go(f, HEX);
    }
    if (!is_hex(c) || (f->state == HEX_D && !(c >= '0' && c <= '7')))
        return NOT;
    bool first = f->left == 4;
    f->left--;
    if (first && (c == 'd' || c == 'D'))
        return go(f, HEX_D);
    return go(f, f->left ? HEX : IN_STRING);
}

enum taken form_in_string(const struct form_node *node, struct form_thread *t, struct form_frame *f,
                          uint8_t c)
{
    if (f->state == BEGIN)
        return is_space(c) ? space(t) : c == '"' ? go(f, IN_STRING) : NOT;
    if (f->state >= UTF_E0)
        return go_on_character(f, c);
    if (f->state >= ESCAPE)
        return escaped(f, c);
    if (c == '"')
        return f->count >= node->min ? close(t) : NOT;
    return begin_character(node, f, c);
}

/* ---- numbers ---- */

static enum taken digit(struct form_frame *f, uint8_t c, unsigned then)
{
    if (!is_digit(c))
        return NOT;
    f->count = 1;
    return go(f, then);
}

static enum taken begin_number(struct form_thread *t, struct form_frame *f, uint8_t c)
{
    bool minus = f->state == MINUS;
    if (is_space(c) && !minus)
        return space(t);
    if (c == '-' && !minus)
        return go(f, MINUS);
    return c == '0' ? go(f, ZERO) : digit(f, c, DIGITS);
}

/* What the digits so far may be followed by; any of it may also be the number's end. */
static enum taken go_on_number(const struct form_node *node, struct form_frame *f, uint8_t c)
{
    unsigned s = f->state;
    if (is_digit(c))
        return s != ZERO && f->count++ < (s == POWER ? FORM_POWER : FORM_DIGITS) ? TAKEN : NOT;
    if (c == '.' && !node->whole && (s == ZERO || s == DIGITS))
        return go(f, POINT);
    if ((c == 'e' || c == 'E') && !node->whole && s != POWER)
        return go(f, EXPONENT);
    return BEFORE;
}

enum taken form_in_number(const struct form_node *node, struct form_thread *t, struct form_frame *f,
                          uint8_t c)
{
    switch (f->state) {
    case BEGIN:
    case MINUS:
        return begin_number(t, f, c);
    case POINT:
        return digit(f, c, FRACTION);
    case EXPONENT:
        return c == '+' || c == '-' ? go(f, SIGN) : digit(f, c, POWER);
    case SIGN:
        return digit(f, c, POWER);
    default:
        return go_on_number(node, f, c);
    }
}

enum taken form_in_regular(const struct form_node *node, struct form_thread *t,
                           struct form_frame *f, uint8_t c)
{
    if (f->state == BEGIN && is_space(c))
        return space(t);
    uint16_t next = automaton_next(node->automaton, f->count, c);
    if (next == AUTOMATON_NONE)
        return node->automaton->end[f->count] == AUTOMATON_MAY_END ? BEFORE : NOT;
    f->count = next;
    return node->automaton->end[next] == AUTOMATON_ENDS ? close(t) : go(f, OPEN);
}
