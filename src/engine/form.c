/*
 * The machine. Numbers end only with what follows them, so an octet may be taken by the frame
 * below; unions are followed in every way that still fits. A frame is opened only where its
 * smallest value fits below FORM_DEPTH: from every state there is a way to the end.
 */
#include <string.h>

#include "engine/automaton.h"
#include "engine/form_step.h"

enum { DEAD = UINT8_MAX };

/* The texts around and between several values. */
enum { TEXT_BEFORE, TEXT_BETWEEN, TEXT_BEHIND };

/* ---- frames ---- */

static bool fits(const struct engine_form *form, const struct form_thread *t, uint32_t node)
{
    return t->depth + form->node[node].need <= FORM_DEPTH;
}

static void open(struct form_thread *t, uint32_t node)
{
    t->frame[t->depth++] = (struct form_frame){.node = (uint16_t)node};
}

/* ---- texts ---- */

/* A place in a list of texts: which one, and how many of its octets were said. */
static uint32_t place(uint32_t item, size_t n)
{
    return item << 16 | (uint32_t)n;
}

static uint32_t item_of(const struct form_frame *f)
{
    return f->count >> 16;
}

static size_t said_of(const struct form_frame *f)
{
    return f->count & 0xffff;
}

/* Whether text k goes on with c where text j is after n octets. */
static bool goes_on(const struct form_node *node, uint32_t k, uint32_t j, size_t n, uint8_t c)
{
    struct span text = node->item[k].text;
    return text.n > n && text.p[n] == c &&
           (k == j || n == 0 || memcmp(text.p, node->item[j].text.p, n) == 0);
}

/* The array that holds a value, where it holds none twice: its count is the set of those that it has. */
static struct form_frame *set_around(const struct engine_form *form, struct form_thread *t)
{
    struct form_frame *f = t->depth > 1 ? &t->frame[t->depth - 2] : NULL;
    return f && form->node[f->node].kind == FORM_ARRAY && form->node[f->node].unique ? f : NULL;
}

static enum taken in_literals(const struct engine_form *form, const struct form_node *node,
                              struct form_thread *t, struct form_frame *f, uint8_t c)
{
    struct form_frame *set = set_around(form, t);
    uint32_t j = item_of(f), had = set ? set->count : 0;
    size_t n = said_of(f);
    if (n == 0 && is_space(c))
        return space(t);
    for (uint32_t k = j; k < node->count; k++) {
        if (!goes_on(node, k, j, n, c) || (set && had >> k & 1))
            continue;
        struct span text = node->item[k].text;
        bool whole = text.n == n + 1 && text.p[0] != '-' && !is_digit(text.p[0]);
        f->count = place(k, n + 1);
        if (whole && set)
            set->count |= UINT32_C(1) << k;
        return whole ? close(t) : TAKEN;
    }
    if (n == 0 || node->item[j].text.n != n)
        return NOT;
    if (set)
        set->count |= UINT32_C(1) << j;
    return BEFORE;
}

static enum taken in_framed(const struct form_node *node, struct form_thread *t,
                            struct form_frame *f, uint8_t c)
{
    struct span text = node->item[f->state == AFTER].text;
    if (text.p[f->count] != c)
        return NOT;
    if (++f->count < text.n)
        return TAKEN;
    if (f->state == AFTER)
        return close(t);
    f->count = 0;
    f->state = AFTER;
    if (node->item[1].text.n == 0)
        t->depth--; /* it ends with its value */
    open(t, node->value);
    return TAKEN;
}

/* ---- how a value begins ---- */

static bool any_may_begin(const struct engine_form *f, const struct form_node *any, uint8_t c)
{
    bool may = false;
    for (uint32_t i = 0; !may && i < any->count; i++)
        may = form_may_begin(f, &f->node[any->item[i].value], c);
    return may;
}

bool form_may_begin(const struct engine_form *f, const struct form_node *node, uint8_t c)
{
    switch (node->kind) {
    case FORM_TEXTUAL:
        return c == '"';
    case FORM_NUMBER:
        return c == '-' || is_digit(c);
    case FORM_REGULAR:
        return automaton_next(node->automaton, 0, c) != AUTOMATON_NONE;
    case FORM_OBJECT:
    case FORM_MAP:
        return c == '{';
    case FORM_ARRAY:
        return c == '[';
    case FORM_LITERALS:
    case FORM_FRAMED:
        for (uint32_t i = 0; i < (node->kind == FORM_FRAMED ? 1 : node->count); i++)
            if (node->item[i].text.p[0] == c)
                return true;
        return false;
    case FORM_SEVERAL:
        if (node->item[TEXT_BEFORE].text.n)
            return node->item[TEXT_BEFORE].text.p[0] == c;
        return any_may_begin(f, &f->node[node->value], c);
    case FORM_UNSET:
    case FORM_REFUSED:
    case FORM_ALIAS:
    case FORM_ANY:
        break;
    }
    return false;
}

/* ---- several values ---- */

/* Another value; the last one of all takes the place of the frame where no text is behind it. */
static void open_another(const struct form_node *node, struct form_thread *t, struct form_frame *f)
{
    f->left++;
    f->count = 0;
    f->state = AFTER;
    if (f->left == node->max && node->item[TEXT_BEHIND].text.n == 0)
        t->depth--;
    open(t, node->value);
}

/* An octet of one of the texts; what follows it. */
static enum taken in_text(const struct form_node *node, struct form_thread *t, struct form_frame *f,
                          unsigned which, unsigned state, uint8_t c)
{
    struct span text = node->item[which].text;
    if (text.n <= f->count || text.p[f->count] != c)
        return NOT;
    f->state = (uint8_t)state;
    if (++f->count < text.n)
        return TAKEN;
    if (which == TEXT_BEHIND)
        return close(t);
    open_another(node, t, f);
    return TAKEN;
}

/* Behind a value, and before all of them. */
static enum taken between(const struct engine_form *form, const struct form_node *node,
                          struct form_thread *t, struct form_frame *f, uint8_t c)
{
    bool first = f->state == BEGIN;
    unsigned which = first ? TEXT_BEFORE : TEXT_BETWEEN;
    if (!first && in_text(node, t, f, TEXT_BEHIND, END, c) == TAKEN)
        return TAKEN;
    if (f->left == node->max)
        return NOT;
    if (node->item[which].text.n)
        return in_text(node, t, f, which, first ? OPEN : NEXT, c);
    if (!is_space(c) && !any_may_begin(form, &form->node[node->value], c))
        return NOT;
    open_another(node, t, f);
    return ENTER;
}

static enum taken in_several(const struct engine_form *form, const struct form_node *node,
                             struct form_thread *t, struct form_frame *f, uint8_t c)
{
    switch (f->state) {
    case OPEN:
        return in_text(node, t, f, TEXT_BEFORE, OPEN, c);
    case NEXT:
        return in_text(node, t, f, TEXT_BETWEEN, NEXT, c);
    case END:
        return in_text(node, t, f, TEXT_BEHIND, END, c);
    default:
        return between(form, node, t, f, c);
    }
}

/* Whether an answer may end here: behind a value, or where another was not begun. */
static bool may_end_here(const struct engine_form *form, const struct form_thread *t)
{
    const struct form_frame *f = &t->frame[0], *next = &t->frame[1];
    const struct form_node *node = &form->node[f->node];
    if (t->depth == 0 || t->depth > 2 || node->kind != FORM_SEVERAL || f->state != AFTER ||
        node->item[TEXT_BEHIND].text.n)
        return false;
    return t->depth == 1 || (f->left > 1 && node->item[TEXT_BETWEEN].text.n == 0 &&
                             form->node[next->node].kind == FORM_ANY);
}

/* ---- objects and arrays ---- */

/* The next member whose name goes on with c; none that is required is passed over. */
static bool name_goes_on(const struct engine_form *form, const struct form_node *node,
                         const struct form_thread *t, struct form_frame *f, uint8_t c)
{
    uint32_t j = item_of(f);
    size_t n = said_of(f);
    for (uint32_t k = j; k < node->count; k++) {
        if (goes_on(node, k, j, n, c) && fits(form, t, node->item[k].value)) {
            f->count = place(k, n + 1);
            return true;
        }
        if (node->item[k].required)
            break;
    }
    return false;
}

/* Whether members from j on may follow, and whether none need to. */
static bool may_follow(const struct engine_form *form, const struct form_node *node,
                       const struct form_thread *t, uint32_t j)
{
    for (; j < node->count; j++) {
        if (fits(form, t, node->item[j].value))
            return true;
        if (node->item[j].required)
            break;
    }
    return false;
}

static bool may_end(const struct form_node *node, uint32_t j)
{
    while (j < node->count && !node->item[j].required)
        j++;
    return j == node->count;
}

static enum taken in_name(const struct engine_form *form, const struct form_node *node,
                          struct form_thread *t, struct form_frame *f, uint8_t c)
{
    if (!name_goes_on(form, node, t, f, c))
        return NOT;
    return go(f, said_of(f) == node->item[item_of(f)].text.n ? COLON : NAME);
}

/* Between a name and its value. */
static enum taken colon(struct form_thread *t, struct form_frame *f, uint8_t c, uint32_t value)
{
    if (c != ':')
        return NOT;
    f->state = AFTER;
    open(t, value);
    return TAKEN;
}

static enum taken in_object(const struct engine_form *form, const struct form_node *node,
                            struct form_thread *t, struct form_frame *f, uint8_t c)
{
    uint32_t j = item_of(f);
    if (f->state == NAME)
        return in_name(form, node, t, f, c);
    if (is_space(c))
        return space(t);
    switch (f->state) {
    case BEGIN:
        return c == '{' ? go(f, OPEN) : NOT;
    case COLON:
        return colon(t, f, c, node->item[j].value);
    case AFTER:
        if (c != ',' || !may_follow(form, node, t, j + 1))
            return c == '}' && may_end(node, j + 1) ? close(t) : NOT;
        f->count = place(j + 1, 0);
        return go(f, NEXT);
    default:
        if (c == '}' && f->state == OPEN && may_end(node, 0))
            return close(t);
        return c == '"' ? in_name(form, node, t, f, c) : NOT;
    }
}

static enum taken in_map(const struct engine_form *form, const struct form_node *node,
                         struct form_thread *t, struct form_frame *f, uint8_t c)
{
    bool more = fits(form, t, node->name) && fits(form, t, node->value);
    if (is_space(c))
        return space(t);
    switch (f->state) {
    case BEGIN:
        return c == '{' ? go(f, OPEN) : NOT;
    case COLON:
        return colon(t, f, c, node->value);
    case AFTER:
        return c == ',' && more ? go(f, NEXT) : c == '}' ? close(t) : NOT;
    default:
        if (c == '}' && f->state == OPEN)
            return close(t);
        if (c != '"' || !more)
            return NOT;
        f->state = COLON;
        open(t, node->name);
        return ENTER;
    }
}

static uint32_t items_of(const struct form_node *node, const struct form_frame *f)
{
    return node->unique ? (uint32_t)__builtin_popcount(f->count) : f->count;
}

static enum taken in_array(const struct engine_form *form, const struct form_node *node,
                           struct form_thread *t, struct form_frame *f, uint8_t c)
{
    uint32_t n = items_of(node, f);
    uint32_t value = n < node->count ? node->item[n].value : node->value;
    bool more = n < node->max && fits(form, t, value);
    if (is_space(c))
        return space(t);
    if (f->state == BEGIN)
        return c == '[' ? go(f, OPEN) : NOT;
    if (c == ']')
        return n >= node->min && f->left >= node->match_min ? close(t) : NOT;
    if (!more || (f->state == AFTER && c != ','))
        return NOT;
    bool first = f->state == OPEN;
    f->state = AFTER;
    f->count += !node->unique;
    open(t, value);
    return first ? ENTER : TAKEN;
}

/* The array whose items are counted that a union is the next item of. */
static struct form_frame *count_around(const struct engine_form *form, struct form_thread *t)
{
    struct form_frame *f = t->depth > 1 ? &t->frame[t->depth - 2] : NULL;
    return f && form->node[f->node].kind == FORM_ARRAY && form->node[f->node].match ? f : NULL;
}

/* Whether the item, which is counted already, may be one of those that match, or not be one. */
static bool may_count(const struct form_node *array, const struct form_frame *f, uint32_t value)
{
    if (value == array->match)
        return array->match_max == UINT8_MAX || f->left < array->match_max;
    return f->left >= array->match_min ||
           array->max - f->count >= (uint32_t)(array->match_min - f->left);
}

/* One that matches was begun. */
static void count(const struct engine_form *form, struct form_thread *t, uint32_t value)
{
    struct form_frame *f = count_around(form, t);
    if (f && value == form->node[f->node].match && f->left < UINT8_MAX)
        f->left++;
}

/* ---- an octet ---- */

static enum taken in_frame(const struct engine_form *form, struct form_thread *t, uint8_t c)
{
    struct form_frame *f = &t->frame[t->depth - 1];
    const struct form_node *node = &form->node[f->node];
    switch (node->kind) {
    case FORM_LITERALS:
        return in_literals(form, node, t, f, c);
    case FORM_TEXTUAL:
        return form_in_string(node, t, f, c);
    case FORM_NUMBER:
        return form_in_number(node, t, f, c);
    case FORM_REGULAR:
        return form_in_regular(node, t, f, c);
    case FORM_OBJECT:
        return in_object(form, node, t, f, c);
    case FORM_MAP:
        return in_map(form, node, t, f, c);
    case FORM_ARRAY:
        return in_array(form, node, t, f, c);
    case FORM_FRAMED:
        return in_framed(node, t, f, c);
    case FORM_SEVERAL:
        return in_several(form, node, t, f, c);
    case FORM_UNSET:
    case FORM_REFUSED:
    case FORM_ALIAS:
    case FORM_ANY:
        break;
    }
    return NOT;
}

static void copy_thread(struct form_thread *to, const struct form_thread *from)
{
    to->depth = from->depth;
    to->spaces = from->spaces;
    memcpy(to->frame, from->frame, from->depth * sizeof *from->frame);
}

static bool is_framing(enum form_kind k)
{
    return k == FORM_FRAMED || k == FORM_SEVERAL;
}

static void step(struct form_state *s, struct form_thread *t, uint8_t c, bool framing);

/* The octet begins one of several values: this thread follows the first that can, further ones
 * the others. */
static enum taken split(struct form_state *s, struct form_thread *t, uint8_t c, bool framing)
{
    struct form_frame *f = &t->frame[t->depth - 1];
    const struct form_node *any = &s->form->node[f->node];
    const struct form_frame *counts = count_around(s->form, t);
    uint32_t first = UINT32_MAX;
    if (is_space(c))
        return space(t);
    for (uint32_t i = 0; i < any->count; i++) {
        uint32_t value = any->item[i].value;
        const struct form_node *node = &s->form->node[value];
        if (!form_may_begin(s->form, node, c) || t->depth - 1 + node->need > FORM_DEPTH ||
            (framing && !is_framing(node->kind)) ||
            (counts && !may_count(&s->form->node[counts->node], counts, value)))
            continue;
        if (first == UINT32_MAX) {
            first = value;
        } else if (s->count < FORM_THREADS) {
            struct form_thread *other = &s->thread[s->count++];
            copy_thread(other, t);
            other->spaces = 0;
            other->frame[other->depth - 1] = (struct form_frame){.node = (uint16_t)value};
            count(s->form, other, value);
            step(s, other, c, framing);
        }
    }
    if (first == UINT32_MAX)
        return NOT;
    *f = (struct form_frame){.node = (uint16_t)first};
    count(s->form, t, first);
    return in_frame(s->form, t, c);
}

static void step(struct form_state *s, struct form_thread *t, uint8_t c, bool framing)
{
    uint8_t spaces = t->spaces;
    enum taken taken = NOT;
    do {
        if (t->depth == 0)
            break;
        enum form_kind kind = s->form->node[t->frame[t->depth - 1].node].kind;
        taken = framing && !is_framing(kind) && kind != FORM_ANY ? NOT
                : kind == FORM_ANY                               ? split(s, t, c, framing)
                                                                 : in_frame(s->form, t, c);
        if (taken == BEFORE)
            t->depth--;
    } while (taken == BEFORE || taken == ENTER);
    if (t->depth == 0 ? taken != TAKEN : taken == NOT)
        t->depth = DEAD;
    if (t->spaces == spaces)
        t->spaces = 0;
}

static bool octet(struct form_state *s, uint8_t c, bool framing)
{
    uint16_t n = s->count, kept = 0;
    if (!s->begun && is_space(c))
        return false;
    s->begun = true;
    s->may_end = false;
    for (uint16_t i = 0; i < n; i++)
        step(s, &s->thread[i], c, framing);
    for (uint16_t i = 0; i < s->count; i++) {
        if (s->thread[i].depth == DEAD)
            continue;
        s->over = s->over || s->thread[i].depth == 0;
        s->may_end = s->may_end || may_end_here(s->form, &s->thread[i]);
        if (kept != i)
            copy_thread(&s->thread[kept], &s->thread[i]);
        kept++;
    }
    s->count = kept;
    return kept != 0;
}

/* ---- free text ---- */

static void hold_to(struct form_state *s, uint32_t node)
{
    s->free = s->may_end = false;
    s->count = 1;
    s->thread[0].depth = 0;
    s->thread[0].spaces = 0;
    open(&s->thread[0], node);
}

static void set_free(struct form_state *s)
{
    s->free = true;
    s->over = s->may_end = false;
    s->said = s->count = 0;
}

static void free_octet(struct form_state *s, uint8_t c)
{
    const struct form_triggers *t = s->form->triggers;
    s->said = form_trigger_next(t, s->said, c);
    if (form_trigger_value(t, s->said) != 0)
        hold_to(s, form_trigger_value(t, s->said));
}

/* Whether a trigger ends within the octets. */
static bool is_triggered(const struct form_state *s, struct span bytes)
{
    uint32_t said = s->said;
    for (size_t i = 0; i < bytes.n; i++) {
        said = form_trigger_next(s->form->triggers, said, bytes.p[i]);
        if (form_trigger_value(s->form->triggers, said) != 0)
            return true;
    }
    return false;
}

/* ---- */

void form_begin(struct form_state *s, const struct engine_form *f)
{
    s->form = f;
    s->begun = s->over = s->free = s->may_end = false;
    s->said = 0;
    if (f->triggers == NULL) {
        hold_to(s, f->root);
        return;
    }
    s->begun = true;
    set_free(s);
}

void form_copy(struct form_state *to, const struct form_state *from)
{
    to->form = from->form;
    to->count = from->count;
    to->begun = from->begun;
    to->over = from->over;
    to->may_end = from->may_end;
    to->free = from->free;
    to->said = from->said;
    for (uint16_t i = 0; i < from->count; i++)
        copy_thread(&to->thread[i], &from->thread[i]);
}

bool form_push(struct form_state *s, struct span bytes, bool framing)
{
    if (s->free && framing && !is_triggered(s, bytes))
        return true;
    for (size_t i = 0; i < bytes.n; i++) {
        if (s->over)
            return false;
        if (s->free)
            free_octet(s, bytes.p[i]);
        else if (!octet(s, bytes.p[i], framing))
            return false;
        if (s->over && s->form->again)
            set_free(s);
    }
    return true;
}

bool form_takes(const struct engine_form *f, uint32_t node, struct span text)
{
    struct form_thread t = {0};
    open(&t, node);
    for (size_t i = 0; i < text.n; i++)
        if (t.depth == 0 || in_frame(f, &t, text.p[i]) != TAKEN)
            return false;
    return t.depth == 0 || in_frame(f, &t, ',') == BEFORE;
}

/* Within a string, so that only a quote ends it; *room: characters that may follow whatever they are. */
static bool within_string(const struct engine_form *form, const struct form_thread *t,
                          uint32_t *room)
{
    if (t->depth == 0)
        return false;
    const struct form_frame *f = &t->frame[t->depth - 1];
    const struct form_node *node = &form->node[f->node];
    *room = 0;
    if (node->kind == FORM_LITERALS)
        return said_of(f) != 0 && node->item[item_of(f)].text.p[0] == '"';
    if (node->kind == FORM_REGULAR)
        return f->state == OPEN && automaton_next(node->automaton, 0, '"') != AUTOMATON_NONE;
    if (node->kind != FORM_TEXTUAL || f->state != IN_STRING)
        return false;
    *room = node->max == UINT32_MAX ? UINT32_MAX : node->max - f->count;
    return true;
}

bool form_in_strings(const struct form_state *s, uint32_t *room)
{
    uint32_t one;
    *room = 0;
    for (uint16_t i = 0; i < s->count; i++) {
        if (!within_string(s->form, &s->thread[i], &one))
            return false;
        *room = one > *room ? one : *room;
    }
    return s->count != 0;
}

void form_copy_one(struct form_state *to, const struct form_state *from, uint16_t thread)
{
    to->form = from->form;
    to->count = 1;
    to->begun = from->begun;
    to->over = to->free = to->may_end = false;
    to->said = 0;
    copy_thread(&to->thread[0], &from->thread[thread]);
}
