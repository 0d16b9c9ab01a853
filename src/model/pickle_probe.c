/*
 * Is this a pickle? Protocols 0 and 1 have no magic, so the opcodes are walked
 * with nothing but a count of what is on the stack, from one pickle to the next.
 * Text and weights fail within a few bytes; what imports and calls before it
 * fails is a pickle, because an unpickler would have done that much.
 */
#include "model/pickle.h"

#include <string.h>

enum argument {
    ARG_NONE,
    ARG_1,
    ARG_PROTOCOL,
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

static const uint8_t PROTOCOLS = 5;

enum {
    TO_MARK = -1,
    MIN_OPS = 64,  /* that no text has in a row by chance */
    FEWEST_OPS = 3 /* of the shortest pickle that is worth reading */
};

/* Everything but what the table says fails. */
static const struct effect {
    uint8_t op;
    uint8_t argument;
    int8_t pops, pushes;
    char role; /* i import, n by two texts, x by number, c call, s stop, m mark,
                  h holder of arguments, t text, p put into the memo, g get */
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
    {'S', ARG_QUOTED, 0, 1, 't'},
    {'T', ARG_LENGTH4, 0, 1, 't'},
    {'U', ARG_LENGTH1, 0, 1, 't'},
    {'V', ARG_LINE, 0, 1, 't'},
    {'X', ARG_LENGTH4, 0, 1, 't'},
    {'a', ARG_NONE, 2, 1, 0},
    {'b', ARG_NONE, 2, 1, 'c'},
    {'c', ARG_NAMES, 0, 1, 'i'},
    {'d', ARG_NONE, TO_MARK, 1, 'h'},
    {'}', ARG_NONE, 0, 1, 'h'},
    {'e', ARG_NONE, TO_MARK, 0, 0},
    {'g', ARG_NUMBER, 0, 1, 'g'},
    {'h', ARG_1, 0, 1, 'g'},
    {'i', ARG_NAMES, TO_MARK, 1, 'i'},
    {'j', ARG_4, 0, 1, 'g'},
    {'l', ARG_NONE, TO_MARK, 1, 0},
    {']', ARG_NONE, 0, 1, 0},
    {'o', ARG_NONE, TO_MARK, 1, 'c'},
    {'p', ARG_NUMBER, 1, 1, 'p'},
    {'q', ARG_1, 1, 1, 'p'},
    {'r', ARG_4, 1, 1, 'p'},
    {'s', ARG_NONE, 3, 1, 0},
    {'t', ARG_NONE, TO_MARK, 1, 'h'},
    {')', ARG_NONE, 0, 1, 'h'},
    {'u', ARG_NONE, TO_MARK, 0, 0},
    {'G', ARG_8, 0, 1, 0},
    {0x80, ARG_PROTOCOL, 0, 0, 0},
    {0x81, ARG_NONE, 2, 1, 'c'},
    {0x82, ARG_1, 0, 1, 'x'},
    {0x83, ARG_2, 0, 1, 'x'},
    {0x84, ARG_4, 0, 1, 'x'},
    {0x85, ARG_NONE, 1, 1, 'h'},
    {0x86, ARG_NONE, 2, 1, 'h'},
    {0x87, ARG_NONE, 3, 1, 'h'},
    {0x88, ARG_NONE, 0, 1, 0},
    {0x89, ARG_NONE, 0, 1, 0},
    {0x8a, ARG_LENGTH1, 0, 1, 0},
    {0x8b, ARG_LENGTH4, 0, 1, 0},
    {'B', ARG_LENGTH4, 0, 1, 0},
    {'C', ARG_LENGTH1, 0, 1, 0},
    {0x8c, ARG_LENGTH1, 0, 1, 't'},
    {0x8d, ARG_LENGTH8, 0, 1, 't'},
    {0x8e, ARG_LENGTH8, 0, 1, 0},
    {0x8f, ARG_NONE, 0, 1, 0},
    {0x90, ARG_NONE, TO_MARK, 0, 0},
    {0x91, ARG_NONE, TO_MARK, 1, 0},
    {0x92, ARG_NONE, 3, 1, 'c'},
    {0x93, ARG_NONE, 2, 1, 'n'},
    {0x94, ARG_NONE, 1, 1, 'p'},
    {0x95, ARG_8, 0, 0, 0},
    {0x96, ARG_LENGTH8, 0, 1, 0},
    {0x97, ARG_NONE, 0, 1, 0},
    {0x98, ARG_NONE, 1, 1, 0},
};

struct probe {
    struct cursor c; /* over the head */
    uint64_t size;   /* of all of it */
    size_t op_at;    /* where the latest opcode stands */
    size_t depth, marks, ops;
    size_t texts; /* that were pushed, or may have been */
    size_t mark[CONTENT_HEAD];
    bool versioned, imports, calls, stopped;
    bool memo;   /* it has something */
    bool held;   /* something that arguments or state could be */
    bool denied; /* it imports what is well known to be dangerous */
    bool acts;   /* what an unpickler would have done so far; an import alone runs a module */
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
    case ARG_PROTOCOL:
        return cursor_u8(&p->c) <= PROTOCOLS || !cursor_ok(&p->c);
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
        if (p->marks < CONTENT_HEAD) /* of several heads together; so many are a pickle by now */
            p->mark[p->marks++] = p->depth;
        p->acts = p->acts || (p->imports && p->denied);
        return true;
    }
    if (!p->versioned && ((e->role == 'g' && !p->memo) || (e->role == 'n' && p->texts < 2)))
        return false; /* an unpickler raises */
    p->memo = p->memo || e->role == 'p';
    p->texts += e->role == 't' || e->role == 'g' || e->op == '2';
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
    p->imports = p->imports || e->role == 'i' || (e->role == 'x' && p->versioned) || e->role == 'n';
    /* A list of words, one a line, imports and builds all day, and never makes what a call takes. */
    p->held = p->held || e->role == 'h' || p->versioned;
    p->calls = p->calls || (e->role == 'c' && (p->held || e->op == 'o')) || e->op == 'i';
    p->stopped = e->role == 's';
    bool denied = p->denied && (p->held || p->marks);
    p->acts = p->acts || (p->imports && (p->calls || p->stopped || denied));
    return true;
}

/* After its STOP another may begin, with a stack of its own. */
static void restart(struct probe *p)
{
    p->depth = p->marks = p->texts = 0;
    p->imports = p->calls = p->held = p->denied = p->stopped = false;
    const uint8_t *next = p->c.base + p->c.pos;
    p->versioned = cursor_left(&p->c) > 1 && next[0] == 0x80 && next[1] <= PROTOCOLS;
}

/* Returns whether all of the head decodes, as pickles one after another. */
static bool walk(struct probe *p)
{
    while (cursor_left(&p->c) > 0) {
        p->op_at = p->c.pos;
        const struct effect *e = effect_of(cursor_u8(&p->c));
        if (!e || !argument(p, e) || (cursor_ok(&p->c) && !run(p, e)))
            return false;
        p->ops += cursor_ok(&p->c);
        if (p->stopped && p->depth > 0 && !p->versioned)
            return false; /* no pickler leaves anything */
        if (p->stopped && cursor_left(&p->c) > 0)
            restart(p);
    }
    /* Faults are the end of the head, not of the pickle. */
    return p->stopped || p->size > CONTENT_HEAD || cursor_ok(&p->c);
}

static bool probe(struct probe *p, struct span head, uint64_t size)
{
    *p = (struct probe){.c = cursor_over(head), .size = size};
    if (head.n < 2 || !effect_of(head.p[0]))
        return false;
    p->versioned = head.p[0] == 0x80 && head.p[1] <= PROTOCOLS;
    return walk(p);
}

bool pickle_sniff(struct span head, uint64_t size)
{
    struct probe p;
    bool walked = probe(&p, head, size);
    bool said = head.n > 1 && head.p[0] == 0x80 && head.p[1] <= PROTOCOLS;
    if (p.acts || (said && p.ops >= FEWEST_OPS))
        return true;
    /* What is longer than the head must go on for long. */
    return walked && p.ops >= (p.stopped ? FEWEST_OPS : MIN_OPS) && (p.stopped || size > head.n);
}

/* Where the opcode ends that the head begins with, and that is longer than the head. */
static bool pass(struct probe *p, const struct input *in, uint64_t *at)
{
    const uint8_t *op = p->c.base;
    const struct effect *e = effect_of(*op);
    enum argument kind = e ? (enum argument)e->argument : ARG_NONE;
    uint8_t chunk[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    *at += 1;
    if (kind == ARG_LENGTH4)
        *at += 4 + (uint64_t)load_u32le(op + 1);
    else if (kind == ARG_LENGTH8)
        *at += 8 + load_u64le(op + 1);
    unsigned lines = kind == ARG_NAMES ? 2 : kind >= ARG_LINE && kind < ARG_NAMES ? 1 : 0;
    while (lines) {
        size_t n = in->size - *at < sizeof chunk ? (size_t)(in->size - *at) : sizeof chunk;
        if (!n || !input_read(in, chunk, *at, n, &ignored))
            return false;
        const uint8_t *end = memchr(chunk, '\n', n);
        *at += end ? (uint64_t)(end - chunk) + 1 : n;
        lines -= end != NULL;
    }
    p->ops++;
    return e && run(p, e);
}

bool pickle_sniff_beyond(const struct input *in)
{
    struct probe p = {.depth = 0};
    uint8_t head[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    uint64_t at = 0;
    for (unsigned i = 0; i < MIN_OPS && in->size > CONTENT_HEAD && at < in->size; i++) {
        size_t n = in->size - at < sizeof head ? (size_t)(in->size - at) : sizeof head;
        if (!input_read(in, head, at, n, &ignored))
            return false;
        p.c = cursor_over((struct span){head, n});
        p.size = in->size - at;
        bool walked = walk(&p);
        if (p.acts || (walked && p.ops >= MIN_OPS))
            return true;
        if (!walked || (n == p.size && cursor_ok(&p.c)))
            return walked && p.stopped && p.ops >= FEWEST_OPS;
        if (cursor_ok(&p.c) || p.op_at)
            at += cursor_ok(&p.c) ? n : p.op_at;
        else if (!pass(&p, in, &at))
            return p.acts;
    }
    return false;
}

bool pickle_sniff_string(struct span head, uint64_t size)
{
    struct probe p;
    bool walked = probe(&p, head, size);
    if (p.acts || size == UINT64_MAX)
        return p.acts || walked;
    /* A whole pickle that does nothing is nothing; one that goes on may still do something. */
    return walked && p.ops >= FEWEST_OPS && (p.stopped || size > head.n) &&
           (head.p[0] == 0x80 || p.ops >= MIN_OPS); /* a protocol that there is, or it had failed */
}
