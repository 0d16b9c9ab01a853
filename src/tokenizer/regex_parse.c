/*
 * From a pattern's text to a program: recursive descent over Oniguruma's
 * syntax (doc/RE), each piece emitted as it is read. A repeated piece is
 * copied for each repetition, its jumps moved along.
 */
#include <string.h>

#include "assay/base/text.h"
#include "tokenizer/regex_set.h"

struct parser {
    struct span text;
    size_t at;
    unsigned depth;
    bool fold; /* (?i) */
    struct program *p;
    struct err *e;
};

static bool refuse(const struct parser *s, const char *what)
{
    return err_at(s->e, ERR_UNSUPPORTED, NULL, s->at, "regular expression: %s", what);
}

static bool more(const struct parser *s)
{
    return s->at < s->text.n;
}

static bool peek(const struct parser *s, const char *what)
{
    return span_starts(span_sub(s->text, s->at, s->text.n), what);
}

static bool accept(struct parser *s, const char *what)
{
    if (!peek(s, what))
        return false;
    s->at += strlen(what);
    return true;
}

static bool emit(struct parser *s, enum opcode op, uint32_t x, uint32_t y)
{
    struct program *p = s->p;
    if (p->count >= REGEX_MAX_PROGRAM)
        return err_at(s->e, ERR_LIMIT, NULL, s->at, "regular expression: more than %d instructions",
                      REGEX_MAX_PROGRAM);
    struct instruction *code = arena_grow(p->arena, p->code, p->count, &p->cap, sizeof *p->code);
    if (!code)
        return err_set(s->e, ERR_MEMORY, "out of memory");
    p->code = code;
    code[p->count++] = (struct instruction){op, x, y};
    p->looks_back |= op == OP_BEGIN || op == OP_LINE_BEGIN || op == OP_WORD_EDGE;
    return true;
}

/* Enter a set; *number says which it is. */
static bool add_set(struct parser *s, const struct set *set, uint32_t *number)
{
    struct program *p = s->p;
    if (!set)
        return false; /* the reader of sets has said why */
    const struct set **sets =
        arena_grow(p->arena, p->sets, p->set_count, &p->set_cap, sizeof *p->sets);
    if (!sets)
        return err_set(s->e, ERR_MEMORY, "out of memory");
    p->sets = sets;
    sets[p->set_count] = set;
    *number = (uint32_t)p->set_count++;
    return true;
}

static bool emit_set(struct parser *s, enum opcode op, const struct set *set)
{
    uint32_t number = 0;
    return add_set(s, set, &number) && emit(s, op, number, 0);
}

/* ---- one piece ---- */

/* What was emitted for one piece; all jumps within stay within or lead to its end. */
struct piece {
    size_t begin, end;     /* instructions */
    const struct set *set; /* NULL: more than a single set, which cannot be possessive */
    bool nothing;          /* (?i): no piece at all */
};

static bool alternatives(struct parser *s);

static const struct set *read_set(struct parser *s)
{
    struct set_reader r = {s->text, s->at, s->fold, 0, s->p->arena, s->e};
    const struct set *set = set_read(&r);
    s->at = r.at;
    return set;
}

/* The sets of (?=x|y): each alternative is one set. */
static const struct set *ahead_set(struct parser *s)
{
    const struct set *all = NULL;
    do {
        const struct set *one = read_set(s);
        all = one ? set_or(s->p->arena, all, one) : NULL;
    } while (all && accept(s, "|"));
    if (all && !accept(s, ")")) {
        (void)refuse(s, "look-ahead of more than one character");
        return NULL;
    }
    return all;
}

static bool group(struct parser *s, struct piece *out)
{
    bool fold = s->fold;
    if (accept(s, "(?=") || peek(s, "(?!")) {
        bool wanted = !accept(s, "(?!");
        return emit_set(s, wanted ? OP_NEXT : OP_NOT_NEXT, ahead_set(s));
    }
    if (accept(s, "(?i)")) {
        s->fold = true;
        out->nothing = true;
        return true;
    }
    if (accept(s, "(?i:"))
        s->fold = true;
    else if (!accept(s, "(?:") && (peek(s, "(?") || !accept(s, "(")))
        return refuse(s, "a group of this kind is not supported");
    if (++s->depth > REGEX_MAX_NESTING)
        return refuse(s, "groups are nested too deeply");
    if (!alternatives(s))
        return false;
    s->depth--;
    s->fold = fold;
    return accept(s, ")") || refuse(s, "a group is not closed");
}

/* The classes must tell apart what anchors ask for. */
static bool need(struct parser *s, const struct set **which, const char *text)
{
    struct set_reader r = {.text = span_str(text), .arena = s->p->arena, .e = s->e};
    uint32_t number;
    if (!*which)
        *which = set_read(&r);
    return add_set(s, *which, &number);
}

static bool anchor(struct parser *s, bool *found)
{
    static const struct {
        const char *text;
        enum opcode op;
        uint32_t x;
    } anchors[] = {
        {"^", OP_LINE_BEGIN, 0}, {"$", OP_LINE_END, 0},    {"\\A", OP_BEGIN, 0},
        {"\\z", OP_END, 0},      {"\\b", OP_WORD_EDGE, 0}, {"\\B", OP_WORD_EDGE, 1},
    };
    *found = true;
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++)
        if (accept(s, anchors[i].text))
            return need(s, &s->p->word, "\\w") && need(s, &s->p->line_end, "\\n") &&
                   emit(s, anchors[i].op, anchors[i].x, 0);
    *found = false;
    return true;
}

static bool piece(struct parser *s, struct piece *out)
{
    bool found;
    *out = (struct piece){.begin = s->p->count};
    if (!anchor(s, &found))
        return false;
    if (!found && peek(s, "(")) {
        if (!group(s, out))
            return false;
    } else if (!found) {
        if (peek(s, "*") || peek(s, "+") || peek(s, "?"))
            return refuse(s, "nothing to repeat");
        out->set = read_set(s);
        if (!emit_set(s, OP_SET, out->set))
            return false;
    }
    out->end = s->p->count;
    return true;
}

/* ---- repetition ---- */

struct repeat {
    uint32_t least, most; /* most UINT32_MAX: no limit */
    bool lazy, possessive;
};

static bool number(struct parser *s, uint32_t *out)
{
    size_t from = s->at;
    uint64_t v = 0;
    while (more(s) && s->text.p[s->at] >= '0' && s->text.p[s->at] <= '9' && s->at - from < 6)
        v = v * 10 + (s->text.p[s->at++] - '0');
    *out = (uint32_t)v;
    return s->at > from;
}

/* {n}, {n,}, {,m}, {n,m}; anything else is an ordinary brace. */
static bool braces(struct parser *s, struct repeat *r)
{
    size_t from = s->at;
    if (!accept(s, "{"))
        return false;
    bool least = number(s, &r->least), comma = accept(s, ",");
    if (!least)
        r->least = 0;
    r->most = r->least;
    bool most = comma && number(s, &r->most);
    if (comma && !most)
        r->most = UINT32_MAX;
    if ((least || most) && accept(s, "}"))
        return true;
    s->at = from;
    return false;
}

static bool quantifier(struct parser *s, struct repeat *r)
{
    bool counted = false;
    if (accept(s, "*"))
        *r = (struct repeat){0, UINT32_MAX, false, false};
    else if (accept(s, "+"))
        *r = (struct repeat){1, UINT32_MAX, false, false};
    else if (accept(s, "?"))
        *r = (struct repeat){0, 1, false, false};
    else if (braces(s, r))
        counted = true;
    else
        return false;
    r->lazy = accept(s, "?");
    r->possessive = !r->lazy && !counted && accept(s, "+");
    return true;
}

/* The piece once more. */
static bool again(struct parser *s, const struct instruction *block, const struct piece *x)
{
    uint32_t moved = (uint32_t)(s->p->count - x->begin);
    for (size_t i = 0; i < x->end - x->begin; i++) {
        struct instruction c = block[i];
        if (c.op == OP_SPLIT || c.op == OP_JUMP)
            c.x += moved;
        if (c.op == OP_SPLIT)
            c.y += moved;
        if (!emit(s, c.op, c.x, c.y))
            return false;
    }
    return true;
}

static bool split(struct parser *s, bool lazy, size_t *at)
{
    *at = s->p->count;
    uint32_t next = (uint32_t)*at + 1;
    return emit(s, OP_SPLIT, lazy ? 0 : next, lazy ? next : 0);
}

static void split_to(struct parser *s, size_t at, bool lazy)
{
    struct instruction *i = &s->p->code[at];
    *(lazy ? &i->x : &i->y) = (uint32_t)s->p->count;
}

/* Repetitions beyond the least: x* as a loop, x{0,n} as n nested options. A possessive one
 * may stop only where its set does not go on. */
static bool optional(struct parser *s, const struct instruction *block, const struct piece *x,
                     const struct repeat *r)
{
    uint32_t count = r->most == UINT32_MAX ? 1 : r->most - r->least;
    size_t exits[REGEX_MAX_REPEAT], made = 0, behind = 0;
    for (; made < count; made++)
        if (!split(s, r->lazy, &exits[made]) || !again(s, block, x))
            return false;
    if (r->most == UINT32_MAX && !emit(s, OP_JUMP, (uint32_t)exits[0], 0))
        return false;
    if (r->possessive && r->most != UINT32_MAX) {
        /* All taken: nothing more to demand. */
        behind = s->p->count;
        if (!emit(s, OP_JUMP, 0, 0))
            return false;
    }
    for (size_t i = 0; i < made; i++)
        split_to(s, exits[i], r->lazy);
    if (r->possessive && !emit_set(s, OP_NOT_NEXT, x->set))
        return false;
    if (behind)
        s->p->code[behind].x = (uint32_t)s->p->count;
    return true;
}

static bool repeat(struct parser *s, struct piece *x, const struct repeat *r)
{
    if (r->most < r->least || r->least > REGEX_MAX_REPEAT ||
        (r->most != UINT32_MAX && r->most > REGEX_MAX_REPEAT))
        return refuse(s, "repeated more than 1000 times, or less than nothing");
    if (r->possessive && !x->set)
        return refuse(s, "a possessive group");
    size_t n = x->end - x->begin;
    struct instruction *block = arena_array(s->p->arena, n + 1, sizeof *block);
    if (!block)
        return err_set(s->e, ERR_MEMORY, "out of memory");
    if (n)
        memcpy(block, s->p->code + x->begin, n * sizeof *block);
    s->p->count = x->begin;
    for (uint32_t i = 0; i < r->least; i++)
        if (!again(s, block, x))
            return false;
    if (r->most != r->least && !optional(s, block, x, r))
        return false;
    *x = (struct piece){.begin = x->begin, .end = s->p->count};
    return true;
}

static bool repeated(struct parser *s)
{
    struct repeat r;
    struct piece x;
    if (!piece(s, &x))
        return false;
    while (!x.nothing && quantifier(s, &r))
        if (!repeat(s, &x, &r))
            return false;
    return true;
}

/* ---- sequences ---- */

static bool sequence(struct parser *s)
{
    while (more(s) && !peek(s, "|") && !peek(s, ")"))
        if (!repeated(s))
            return false;
    return true;
}

/* a|b|c: SPLIT a, (SPLIT b, c), each jumping behind the last. (?i) without a colon holds
 * to the end of its group. */
static bool alternatives(struct parser *s)
{
    size_t from = s->p->count, jump = 0;
    bool first = true;
    for (;;) {
        size_t choice = s->p->count;
        if (!emit(s, OP_SPLIT, (uint32_t)choice + 1, UINT32_MAX) || !sequence(s))
            return false;
        if (!accept(s, "|")) {
            /* The last one has nothing beside it. */
            s->p->code[choice] = (struct instruction){OP_JUMP, (uint32_t)choice + 1, 0};
            break;
        }
        /* Each jump remembers the one before until the end is known. */
        size_t last = s->p->count;
        if (!emit(s, OP_JUMP, first ? UINT32_MAX : (uint32_t)jump, 0))
            return false;
        jump = last;
        first = false;
        s->p->code[choice].y = (uint32_t)s->p->count;
    }
    for (size_t j = jump; !first;) {
        uint32_t before = s->p->code[j].x;
        s->p->code[j].x = (uint32_t)s->p->count;
        first = before == UINT32_MAX;
        j = before;
    }
    return from <= s->p->count;
}

bool regex_parse(struct program *out, struct span pattern, struct err *e)
{
    struct parser s = {.text = pattern, .p = out, .e = e};
    if (pattern.n > REGEX_MAX_PATTERN)
        return err_set(e, ERR_LIMIT, "regular expression: longer than %d bytes", REGEX_MAX_PATTERN);
    if (utf8_invalid(pattern) != TEXT_VALID)
        return err_set(e, ERR_FORMAT, "regular expression: not UTF-8");
    if (!alternatives(&s))
        return false;
    if (more(&s))
        return refuse(&s, "a parenthesis closes nothing");
    return emit(&s, OP_MATCH, 0, 0);
}
