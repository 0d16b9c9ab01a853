/*
 * Is this a pickle? Protocols 0 and 1 have no magic, so the opcodes are walked
 * with nothing but a count of what is on the stack. Text and weights fail
 * within a few bytes; what imports and calls before it fails is a pickle,
 * because an unpickler would have done that much.
 */
#include "model/pickle.h"

#include <string.h>

enum argument {
    ARG_NONE,
    ARG_1,
    ARG_2,
    ARG_4,
    ARG_8,
    ARG_LINE,
    ARG_NUMBER, /* a line with a decimal number */
    ARG_QUOTED, /* a line within quotes */
    ARG_NAMES,  /* two lines, each a dotted name */
    ARG_LENGTH1,
    ARG_LENGTH4,
    ARG_LENGTH8
};

enum { TO_MARK = -1, MIN_OPS = 64 };

/* Everything but what the table says fails. */
static const struct effect {
    uint8_t op;
    uint8_t argument;
    int8_t pops, pushes;
    char role; /* i import, x import by number, c call, s stop, m mark */
} effects[] = {
    {'(', ARG_NONE, 0, 0, 'm'},
    {'.', ARG_NONE, 1, 0, 's'},
    {'0', ARG_NONE, 1, 0, 0},
    {'1', ARG_NONE, TO_MARK, 0, 0},
    {'2', ARG_NONE, 1, 2, 0},
    {'F', ARG_NUMBER, 0, 1, 0},
    {'I', ARG_NUMBER, 0, 1, 0},
    {'J', ARG_4, 0, 1, 0},
    {'K', ARG_1, 0, 1, 0},
    {'L', ARG_NUMBER, 0, 1, 0},
    {'M', ARG_2, 0, 1, 0},
    {'N', ARG_NONE, 0, 1, 0},
    {'P', ARG_LINE, 0, 1, 0},
    {'Q', ARG_NONE, 1, 1, 0},
    {'R', ARG_NONE, 2, 1, 'c'},
    {'S', ARG_QUOTED, 0, 1, 0},
    {'T', ARG_LENGTH4, 0, 1, 0},
    {'U', ARG_LENGTH1, 0, 1, 0},
    {'V', ARG_LINE, 0, 1, 0},
    {'X', ARG_LENGTH4, 0, 1, 0},
    {'a', ARG_NONE, 2, 1, 0},
    {'b', ARG_NONE, 2, 1, 'c'},
    {'c', ARG_NAMES, 0, 1, 'i'},
    {'d', ARG_NONE, TO_MARK, 1, 0},
    {'}', ARG_NONE, 0, 1, 0},
    {'e', ARG_NONE, TO_MARK, 0, 0},
    {'g', ARG_NUMBER, 0, 1, 0},
    {'h', ARG_1, 0, 1, 0},
    {'i', ARG_NAMES, TO_MARK, 1, 'i'},
    {'j', ARG_4, 0, 1, 0},
    {'l', ARG_NONE, TO_MARK, 1, 0},
    {']', ARG_NONE, 0, 1, 0},
    {'o', ARG_NONE, TO_MARK, 1, 'c'},
    {'p', ARG_NUMBER, 1, 1, 0},
    {'q', ARG_1, 1, 1, 0},
    {'r', ARG_4, 1, 1, 0},
    {'s', ARG_NONE, 3, 1, 0},
    {'t', ARG_NONE, TO_MARK, 1, 0},
    {')', ARG_NONE, 0, 1, 0},
    {'u', ARG_NONE, TO_MARK, 0, 0},
    {'G', ARG_8, 0, 1, 0},
    {0x80, ARG_1, 0, 0, 0},
    {0x81, ARG_NONE, 2, 1, 'c'},
    {0x82, ARG_1, 0, 1, 'x'},
    {0x83, ARG_2, 0, 1, 'x'},
    {0x84, ARG_4, 0, 1, 'x'},
    {0x85, ARG_NONE, 1, 1, 0},
    {0x86, ARG_NONE, 2, 1, 0},
    {0x87, ARG_NONE, 3, 1, 0},
    {0x88, ARG_NONE, 0, 1, 0},
    {0x89, ARG_NONE, 0, 1, 0},
    {0x8a, ARG_LENGTH1, 0, 1, 0},
    {0x8b, ARG_LENGTH4, 0, 1, 0},
    {'B', ARG_LENGTH4, 0, 1, 0},
    {'C', ARG_LENGTH1, 0, 1, 0},
    {0x8c, ARG_LENGTH1, 0, 1, 0},
    {0x8d, ARG_LENGTH8, 0, 1, 0},
    {0x8e, ARG_LENGTH8, 0, 1, 0},
    {0x8f, ARG_NONE, 0, 1, 0},
    {0x90, ARG_NONE, TO_MARK, 0, 0},
    {0x91, ARG_NONE, TO_MARK, 1, 0},
    {0x92, ARG_NONE, 3, 1, 'c'},
    {0x93, ARG_NONE, 2, 1, 'i'},
    {0x94, ARG_NONE, 1, 1, 0},
    {0x95, ARG_8, 0, 0, 0},
    {0x96, ARG_LENGTH8, 0, 1, 0},
    {0x97, ARG_NONE, 0, 1, 0},
    {0x98, ARG_NONE, 1, 1, 0},
};

struct probe {
    struct cursor c; /* over the head */
    uint64_t size;   /* of all of it */
    size_t depth, marks, ops;
    size_t mark[CONTENT_HEAD];
    bool versioned, imports, calls, stopped;
    bool denied; /* it imports what is well known to be dangerous */
};

static const struct effect *effect_of(uint8_t op)
{
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        if (effects[i].op == op)
            return &effects[i];
    return NULL;
}

static struct span line(struct cursor *c)
{
    size_t left = cursor_left(c), n = 0;
    while (n < left && c->base[c->pos + n] != '\n')
        n++;
    struct span s = cursor_take(c, n);
    cursor_skip(c, 1);
    return s;
}

static bool all_of(struct span s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(set, s.p[i]))
            return false;
    return s.n > 0;
}

static bool is_name(struct span s)
{
    return all_of(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") &&
           !(s.p[0] >= '0' && s.p[0] <= '9') && s.p[0] != '.';
}

/* Beyond the head only lengths are known; they must lie within the whole. */
static bool skip(struct probe *p, uint64_t n)
{
    if (n > p->size - p->c.pos)
        return false;
    cursor_skip(&p->c, n);
    return true;
}

static bool names(struct probe *p)
{
    bool scanner;
    struct span module = line(&p->c);
    if (cursor_ok(&p->c) && !p->versioned && !is_name(module))
        return false;
    struct span name = line(&p->c);
    if (!cursor_ok(&p->c))
        return true;
    p->denied = p->denied || pickle_denied(module, name, &scanner) != NULL;
    return p->versioned || is_name(name);
}

static bool argument(struct probe *p, const struct effect *e)
{
    struct span s;
    switch ((enum argument)e->argument) {
    case ARG_NONE:
        return true;
    case ARG_1:
        return skip(p, 1);
    case ARG_2:
        return skip(p, 2);
    case ARG_4:
        return skip(p, 4);
    case ARG_8:
        return skip(p, 8);
    case ARG_LINE:
        line(&p->c);
        return true;
    case ARG_NUMBER:
        s = line(&p->c);
        return !cursor_ok(&p->c) || all_of(s, "0123456789+-.eELxXabcdfinAN_ \r");
    case ARG_QUOTED:
        s = line(&p->c);
        return !cursor_ok(&p->c) || (s.n >= 2 && (s.p[0] == '\'' || s.p[0] == '"'));
    case ARG_NAMES:
        return names(p);
    case ARG_LENGTH1:
        return skip(p, cursor_u8(&p->c));
    case ARG_LENGTH4:
        return skip(p, cursor_u32(&p->c));
    case ARG_LENGTH8:
        return skip(p, cursor_u64(&p->c));
    }
    return false;
}

static bool run(struct probe *p, const struct effect *e)
{
    size_t floor = p->marks ? p->mark[p->marks - 1] : 0;
    if (e->role == 'm') {
        p->mark[p->marks++] = p->depth;
        return true;
    }
    if (e->pops == TO_MARK) {
        if (!p->marks)
            return false;
        p->depth = p->mark[--p->marks];
    } else if (p->depth < floor + (size_t)e->pops) {
        return false;
    } else {
        p->depth -= (size_t)e->pops;
    }
    p->depth += (size_t)e->pushes;
    /* Numbers came with protocol 2: without its header, random bytes look like one
       once in ten thousand, and every numpy scalar is a string of eight. */
    p->imports = p->imports || e->role == 'i' || (e->role == 'x' && p->versioned);
    p->calls = p->calls || e->role == 'c' || e->op == 'i';
    p->stopped = e->role == 's';
    return true;
}

static bool walk(struct probe *p)
{
    while (cursor_left(&p->c) > 0 && !p->stopped) {
        const struct effect *e = effect_of(cursor_u8(&p->c));
        if (!e || !argument(p, e) || (cursor_ok(&p->c) && !run(p, e)))
            return false;
        p->ops++;
    }
    /* Faults are the end of the head, not of the pickle. */
    return p->stopped || p->size > CONTENT_HEAD || cursor_ok(&p->c);
}

/* What an unpickler would have done by the end of the head; an import alone runs a module. */
static bool acts(const struct probe *p)
{
    return p->imports && (p->calls || p->stopped || p->denied);
}

/* Returns whether all of the head decodes. */
static bool probe(struct probe *p, struct span head, uint64_t size)
{
    static const uint8_t protocols = 5;
    *p = (struct probe){.c = cursor_over(head), .size = size};
    if (head.n < 2 || !effect_of(head.p[0]))
        return false;
    p->versioned = head.p[0] == 0x80 && head.p[1] <= protocols;
    return walk(p);
}

bool pickle_sniff(struct span head, uint64_t size)
{
    struct probe p;
    bool walked = probe(&p, head, size);
    if (acts(&p) || (p.versioned && p.ops > 2))
        return true;
    if (!walked)
        return false;
    return p.stopped ? p.ops > 2 && p.depth == 0 : p.ops >= MIN_OPS && size > head.n;
}

bool pickle_sniff_string(struct span head, uint64_t size)
{
    struct probe p;
    bool walked = probe(&p, head, size);
    if (acts(&p))
        return true;
    if (!walked || p.ops <= 2)
        return false;
    if (p.stopped)
        return p.versioned || (p.depth == 0 && p.c.pos == size);
    return p.versioned || (p.ops >= MIN_OPS && size > head.n);
}
