/*
 * oneOf: of its alternatives just one may hold. A form lets through what one of them holds, so no
 * other may hold that as well; where types, constants, or a member of each that differs show it,
 * the union is one like any other.
 */
#include <string.h>

#include "engine/automaton.h"
#include "engine/schema.h"

enum { DEPTH = 8, WORK = 1 << 22 };

enum { OF_WORD = 1, OF_STRING = 2, OF_NUMBER = 4, OF_OBJECT = 8, OF_ARRAY = 16 };

struct comparison {
    struct engine_form *form;
    uint32_t work;
};

static unsigned type_of_text(struct span text)
{
    switch (text.p[0]) {
    case '"':
        return OF_STRING;
    case '{':
        return OF_OBJECT;
    case '[':
        return OF_ARRAY;
    case 't':
    case 'f':
    case 'n':
        return OF_WORD;
    default:
        return OF_NUMBER;
    }
}

static unsigned types_of(const struct form_node *n)
{
    unsigned types = 0;
    switch (n->kind) {
    case FORM_LITERALS:
        for (uint32_t i = 0; i < n->count; i++)
            types |= type_of_text(n->item[i].text);
        return types;
    case FORM_TEXTUAL:
        return OF_STRING;
    case FORM_NUMBER:
        return OF_NUMBER;
    case FORM_REGULAR:
        return automaton_next(n->automaton, 0, '"') == AUTOMATON_NONE ? OF_NUMBER : OF_STRING;
    case FORM_OBJECT:
    case FORM_MAP:
        return OF_OBJECT;
    case FORM_ARRAY:
        return OF_ARRAY;
    case FORM_UNSET:
    case FORM_REFUSED:
    case FORM_ALIAS:
    case FORM_ANY:
    case FORM_FRAMED:
    case FORM_SEVERAL:
        break;
    }
    return OF_WORD | OF_STRING | OF_NUMBER | OF_OBJECT | OF_ARRAY;
}

/* Whether it is written in the one way in which its value can be; 1.0 is 1, -0 is 0, and members may
 * come in any order. */
static bool is_plain(struct span text, unsigned type)
{
    if (type != OF_NUMBER)
        return type == OF_WORD || type == OF_STRING;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '.' || text.p[i] == 'e' || text.p[i] == 'E')
            return false;
    return !span_is(text, "-0");
}

static bool differ(struct span a, struct span b)
{
    unsigned type = type_of_text(a);
    return type != type_of_text(b) || (is_plain(a, type) && is_plain(b, type) && !span_eq(a, b));
}

static bool literals_apart(struct comparison *c, const struct form_node *a,
                           const struct form_node *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t k = 0; k < b->count; k++)
            if (c->work++ > WORK || !differ(a->item[i].text, b->item[k].text))
                return false;
    return true;
}

static bool apart(struct comparison *c, uint32_t a, uint32_t b, unsigned depth);

/* A member whose values are apart, and which both require; or, where there is none, which both have: it
 * is always written then, as if they did. (A tag with a default is no required one.) */
static bool member_apart(struct comparison *c, struct form_node *a, struct form_node *b,
                         bool required, unsigned depth)
{
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t k = 0; (a->item[i].required || !required) && k < b->count; k++) {
            if (c->work++ > WORK)
                return false;
            if ((!b->item[k].required && required) || !span_eq(a->item[i].text, b->item[k].text) ||
                !apart(c, a->item[i].value, b->item[k].value, depth + 1))
                continue;
            a->item[i].required = b->item[k].required = true;
            return true;
        }
    }
    return false;
}

static bool objects_apart(struct comparison *c, struct form_node *a, struct form_node *b,
                          unsigned depth)
{
    return member_apart(c, a, b, true, depth) || member_apart(c, a, b, false, depth);
}

static bool union_apart(struct comparison *c, const struct form_node *any, uint32_t other,
                        unsigned depth)
{
    for (uint32_t i = 0; i < any->count; i++)
        if (!apart(c, any->item[i].value, other, depth + 1))
            return false;
    return true;
}

static bool apart(struct comparison *c, uint32_t a, uint32_t b, unsigned depth)
{
    a = form_resolved(c->form, a);
    b = form_resolved(c->form, b);
    if (a == FORM_NODES || b == FORM_NODES || a == b || depth > DEPTH || c->work++ > WORK)
        return false;
    struct form_node *x = &c->form->node[a], *y = &c->form->node[b];
    if (x->kind == FORM_ANY)
        return union_apart(c, x, b, depth);
    if (y->kind == FORM_ANY)
        return union_apart(c, y, a, depth);
    if (x->kind == FORM_OBJECT && y->kind == FORM_OBJECT)
        return objects_apart(c, x, y, depth);
    if (x->loose || y->loose)
        return false;
    if ((types_of(x) & types_of(y)) == 0)
        return true;
    return x->kind == FORM_LITERALS && y->kind == FORM_LITERALS && literals_apart(c, x, y);
}

bool form_check_apart(struct form_maker *m, struct err *e)
{
    struct comparison c = {.form = m->form};
    for (size_t n = 0; n < m->apart_count; n++) {
        const struct form_node *any = &m->form->node[m->apart[n].node];
        for (uint32_t i = 0; i < any->count; i++) {
            for (uint32_t k = 0; k < i; k++) {
                if (apart(&c, any->item[k].value, any->item[i].value, 0))
                    continue;
                buf_clear(m->where);
                buf_put_span(m->where, m->apart[n].where);
                m->fault = m->apart[n].node;
                return err_set(e, ERR_UNSUPPORTED,
                               "alternatives %u and %u may both hold: they must differ in their "
                               "type, or in the constants of a member that both require",
                               k, i);
            }
        }
    }
    return true;
}
