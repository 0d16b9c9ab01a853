/*
 * From a program to a table of states: the subset construction with threads
 * in order of preference, so that the table finds the match that backtracking
 * would find (Cox, "Regular Expression Matching: the Virtual Machine Approach").
 *
 * A state is the list of places that the threads reached with the last
 * character. What the next character is, and what preceded, is known when the
 * list is expanded; so looking one character ahead costs nothing.
 */
#include <string.h>

#include "assay/base/map.h"
#include "tokenizer/regex_program.h"

/* A state's key: `before`, then the threads, 16 bits each. */
struct state {
    struct span key;
};

struct builder {
    const struct program *p;
    struct regex *re;
    struct arena *arena;          /* scratch, freed when the table stands */
    const struct sample *samples; /* one of each class */
    struct state *states;
    size_t count, cap;
    struct map known;
    uint16_t *threads; /* the next state's, while it is collected */
    size_t thread_count;
    uint32_t *stack, *seen, *added; /* marks by instruction */
    uint32_t mark;
    uint64_t work;
    struct err *e;
};

static bool out_of_memory(struct builder *b)
{
    return err_set(b->e, ERR_MEMORY, "out of memory");
}

/* ---- what holds between two characters ---- */

struct place {
    enum before before;
    bool end;           /* no character follows */
    struct sample next; /* of the class that follows */
};

static bool in_set(const struct set *s, struct sample c)
{
    return set_has(s, c.code_point, c.category);
}

static bool holds(const struct builder *b, const struct instruction *i, const struct place *at)
{
    switch (i->op) {
    case OP_NEXT:
        return !at->end && in_set(b->p->sets[i->x], at->next);
    case OP_NOT_NEXT:
        return at->end || !in_set(b->p->sets[i->x], at->next);
    case OP_END:
        return at->end;
    case OP_LINE_END:
        return at->end || at->next.code_point == '\n';
    case OP_BEGIN:
        return at->before == BEFORE_NOTHING;
    case OP_LINE_BEGIN:
        return at->before == BEFORE_NOTHING || at->before == BEFORE_LINE_END;
    case OP_WORD_EDGE:
        return ((at->before == BEFORE_WORD) != (!at->end && in_set(b->p->word, at->next))) !=
               (i->x == 1);
    case OP_SET:
    case OP_SPLIT:
    case OP_JUMP:
    case OP_MATCH:
        break;
    }
    return true;
}

static void add_thread(struct builder *b, uint32_t pc)
{
    if (b->added[pc] == b->mark)
        return;
    b->added[pc] = b->mark;
    b->threads[b->thread_count++] = (uint16_t)pc;
}

/* Everything reachable from pc without a character, most preferred first: true when a match
 * ends here, which makes every thread after it pointless. */
static bool expand(struct builder *b, uint32_t pc, const struct place *at)
{
    size_t depth = 0;
    b->stack[depth++] = pc;
    while (depth) {
        pc = b->stack[--depth];
        if (b->seen[pc] == b->mark)
            continue;
        b->seen[pc] = b->mark;
        b->work++;
        const struct instruction *i = &b->p->code[pc];
        if (i->op == OP_MATCH)
            return true;
        if (i->op == OP_SET) {
            if (!at->end && in_set(b->p->sets[i->x], at->next))
                add_thread(b, pc + 1);
        } else if (i->op == OP_SPLIT) {
            b->stack[depth++] = i->y;
            b->stack[depth++] = i->x;
        } else if (i->op == OP_JUMP) {
            b->stack[depth++] = i->x;
        } else if (holds(b, i, at)) {
            b->stack[depth++] = pc + 1;
        }
    }
    return false;
}

/* ---- states ---- */

/* The number of the state with the collected threads, made when new; false on a limit. */
static bool state_of(struct builder *b, enum before before, uint16_t *out)
{
    uint8_t key[2 * (REGEX_MAX_PROGRAM + 2)];
    uint32_t previous;
    store_u16le(key, (uint16_t)before);
    for (size_t i = 0; i < b->thread_count; i++)
        store_u16le(key + 2 * (i + 1), b->threads[i]);
    struct span k = {key, 2 * (b->thread_count + 1)};
    uint32_t found = map_get(&b->known, k);
    if (found != MAP_NONE) {
        *out = (uint16_t)found;
        return true;
    }
    if (b->count >= REGEX_MAX_STATES)
        return err_set(b->e, ERR_LIMIT, "regular expression: more than %d states",
                       REGEX_MAX_STATES);
    struct state *states = arena_grow(b->arena, b->states, b->count, &b->cap, sizeof *states);
    if (!states)
        return out_of_memory(b);
    b->states = states;
    states[b->count].key = arena_span(b->arena, k);
    if (!states[b->count].key.p ||
        !map_put(&b->known, states[b->count].key, (uint32_t)b->count, &previous))
        return out_of_memory(b);
    *out = (uint16_t)b->count++;
    return true;
}

static bool transition(struct builder *b, const struct span key, size_t class, uint16_t *out)
{
    struct place at = {.before = (enum before)load_u16le(key.p),
                       .end = class == b->re->class_count};
    if (!at.end)
        at.next = b->samples[class];
    b->mark++;
    b->thread_count = 0;
    bool match = false;
    for (size_t i = 1; i < key.n / 2 && !match; i++)
        match = expand(b, load_u16le(key.p + 2 * i), &at);
    *out = 0;
    if (b->thread_count) {
        enum before before =
            b->re->class_before ? (enum before)b->re->class_before[class] : BEFORE_NOTHING;
        if (!state_of(b, before, out))
            return false;
    }
    *out |= match ? ROW_MATCH : 0;
    if (b->work > REGEX_MAX_WORK)
        return err_set(b->e, ERR_LIMIT, "regular expression: too complex");
    return true;
}

static bool start_states(struct builder *b)
{
    uint16_t dead;
    b->thread_count = 0;
    if (!state_of(b, BEFORE_NOTHING, &dead)) /* no threads: state 0 */
        return false;
    for (int before = 0; before < 4; before++) {
        b->mark++;
        b->thread_count = 0;
        add_thread(b, 0);
        if (!state_of(b, b->p->looks_back ? (enum before)before : BEFORE_NOTHING,
                      &b->re->start[before]))
            return false;
    }
    return true;
}

/* Rows grow with the states that they name. */
static bool fill(struct builder *b, struct arena *a)
{
    size_t width = b->re->class_count + 1, rows_cap = 0;
    uint16_t *rows = NULL;
    for (size_t s = 0; s < b->count; s++) {
        if (s >= rows_cap) {
            size_t cap = rows_cap ? rows_cap * 2 : 64;
            uint16_t *more = arena_array(b->arena, (uint64_t)cap * width, sizeof *rows);
            if (!more)
                return out_of_memory(b);
            if (rows)
                memcpy(more, rows, s * width * sizeof *rows);
            rows = more;
            rows_cap = cap;
        }
        for (size_t c = 0; c < width; c++)
            if (!transition(b, b->states[s].key, c, &rows[s * width + c]))
                return false;
    }
    b->re->rows = arena_array(a, (uint64_t)b->count * width, sizeof *rows);
    if (!b->re->rows || !rows)
        return out_of_memory(b);
    memcpy(b->re->rows, rows, b->count * width * sizeof *rows);
    return true;
}

static bool note_before(struct builder *b, struct arena *a)
{
    if (!b->p->looks_back)
        return true;
    uint8_t *before = arena_alloc(a, b->re->class_count + 1);
    if (!before)
        return out_of_memory(b);
    for (size_t c = 0; c < b->re->class_count; c++)
        before[c] = b->samples[c].code_point == '\n'    ? BEFORE_LINE_END
                    : in_set(b->p->word, b->samples[c]) ? BEFORE_WORD
                                                        : BEFORE_OTHER;
    b->re->class_before = before;
    return true;
}

static bool build(struct builder *b, struct regex *re, struct arena *a)
{
    size_t n = b->p->count;
    if (!regex_classify(re, b->p, a, &b->samples, b->e))
        return false;
    b->threads = arena_array(b->arena, n + 1, sizeof *b->threads);
    b->stack = arena_array(b->arena, 2 * n + 2, sizeof *b->stack);
    b->seen = arena_array(b->arena, n + 1, sizeof *b->seen);
    b->added = arena_array(b->arena, n + 1, sizeof *b->added);
    if (!b->threads || !b->stack || !b->seen || !b->added || !map_init(&b->known, b->arena, 64))
        return out_of_memory(b);
    return note_before(b, a) && start_states(b) && fill(b, a);
}

enum { SCRATCH = 256 << 20 };

bool regex_new(const struct regex **out, struct span pattern, struct arena *a, struct err *e)
{
    struct arena *scratch = arena_new(SCRATCH);
    struct program p = {.arena = scratch};
    struct builder b = {.p = &p, .arena = scratch, .e = e};
    struct regex *re = arena_alloc(a, sizeof *re);
    bool ok = scratch && re;
    if (!ok)
        (void)out_of_memory(&b);
    b.re = re;
    ok = ok && regex_parse(&p, pattern, e) && build(&b, re, a);
    arena_free(scratch);
    *out = ok ? re : NULL;
    return ok;
}
