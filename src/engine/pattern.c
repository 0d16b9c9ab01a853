/*
 * Terms are made once: what is the same has the same number, and alternatives are sorted, so that
 * there are few derivatives. Characters that no set tells apart have the same ones, and the
 * octets of a character are followed only as far as they matter.
 */
#include "engine/pattern.h"

#include <stdlib.h>
#include <string.h>

enum {
    PATTERN_ARENA = 64 << 20,
    SLOTS = 2 * PATTERN_TERMS,
    LAST = 0x10ffff,
    JOINED = 1024,
    WORK = 1 << 24,
    INTERVALS = 4096
};

/* A term by its content, or a derivative by its term and class. */
struct pattern_slot {
    uint32_t term; /* number + 1; 0: free */
    uint32_t of;   /* number + 1 of the term that it is the derivative of; 0: a term itself */
    uint32_t by;
};

bool pattern_new(struct pattern *p, struct err *e)
{
    *p = (struct pattern){.a = arena_new(PATTERN_ARENA)};
    p->term = calloc(PATTERN_TERMS, sizeof *p->term);
    p->slot = calloc(SLOTS, sizeof *p->slot);
    if (p->a == NULL || p->term == NULL || p->slot == NULL) {
        pattern_free(p);
        return err_set(e, ERR_MEMORY, "no memory for a pattern");
    }
    p->term[TERM_NOTHING] = (struct term){.kind = TERM_NOTHING};
    p->term[TERM_EMPTY] = (struct term){.kind = TERM_EMPTY, .empty = true};
    p->terms = 2;
    (void)term_any(p, 0, PATTERN_ENDLESS); /* no set is added any more once there are classes */
    return true;
}

void pattern_free(struct pattern *p)
{
    arena_free(p->a);
    free(p->term);
    free(p->slot);
    *p = (struct pattern){0};
}

/* ---- terms ---- */

static uint32_t mixed(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t h = (a * 0x9e3779b97f4a7c15u) ^ (b * 0xbf58476d1ce4e5b9u) ^ (c * 0x94d049bb133111ebu);
    return (uint32_t)((h ^ h >> 31) * 0x9e3779b97f4a7c15u >> 40) % SLOTS;
}

static bool same(const struct term *a, const struct term *b)
{
    return a->kind == b->kind && a->left == b->left && a->right == b->right && a->min == b->min &&
           a->max == b->max;
}

static uint32_t put(struct pattern *p, struct term t)
{
    uint32_t i = mixed((uint64_t)t.kind << 32 | t.left, (uint64_t)t.right << 32,
                       (uint64_t)t.min << 32 | t.max);
    for (; p->slot[i].term != 0; i = (i + 1) % SLOTS)
        if (p->slot[i].of == 0 && same(&p->term[p->slot[i].term - 1], &t))
            return p->slot[i].term - 1;
    if (p->terms == PATTERN_TERMS) {
        p->full = true;
        return TERM_NOTHING;
    }
    p->term[p->terms++] = t;
    p->slot[i] = (struct pattern_slot){.term = p->terms};
    return p->terms - 1;
}

uint32_t term_set(struct pattern *p, const struct range *range, size_t count)
{
    uint32_t i = 0;
    if (count == 0)
        return TERM_NOTHING;
    for (; i < p->sets; i++)
        if (p->set[i].count == count && memcmp(p->set[i].range, range, count * sizeof *range) == 0)
            break;
    struct range *copy = i == p->sets ? arena_array(p->a, count, sizeof *copy) : NULL;
    if (i == p->sets && (i == PATTERN_SETS || copy == NULL)) {
        p->full = true;
        return TERM_NOTHING;
    }
    if (i == p->sets) {
        memcpy(copy, range, count * sizeof *range);
        p->set[p->sets++] = (struct range_set){copy, (uint32_t)count};
    }
    return put(p, (struct term){.kind = TERM_SET, .left = i});
}

/* Leans to the right. */
uint32_t term_pair(struct pattern *p, uint32_t left, uint32_t right)
{
    const struct term l = p->term[left];
    if (left == TERM_NOTHING || right == TERM_NOTHING)
        return TERM_NOTHING;
    if (left == TERM_EMPTY || right == TERM_EMPTY)
        return left == TERM_EMPTY ? right : left;
    if (l.kind == TERM_PAIR)
        return term_pair(p, l.left, term_pair(p, l.right, right));
    return put(p, (struct term){.kind = TERM_PAIR,
                                .empty = l.empty && p->term[right].empty,
                                .left = left,
                                .right = right});
}

uint32_t term_repeat(struct pattern *p, uint32_t left, uint32_t min, uint32_t max)
{
    if (max == 0 || left == TERM_EMPTY)
        return TERM_EMPTY;
    if (left == TERM_NOTHING)
        return min ? TERM_NOTHING : TERM_EMPTY;
    if (min == 1 && max == 1)
        return left;
    bool empty = p->term[left].empty;
    return put(p, (struct term){.kind = TERM_REPEAT,
                                .empty = min == 0 || empty,
                                .left = left,
                                .min = empty ? 0 : min,
                                .max = max});
}

uint32_t term_not(struct pattern *p, uint32_t left)
{
    uint32_t all = term_any(p, 0, PATTERN_ENDLESS);
    const struct term l = p->term[left];
    if (left == TERM_NOTHING || left == all)
        return left == all ? TERM_NOTHING : all;
    if (l.kind == TERM_NOT)
        return l.left;
    return put(p, (struct term){.kind = TERM_NOT, .empty = !l.empty, .left = left});
}

uint32_t term_any(struct pattern *p, uint32_t min, uint32_t max)
{
    static const struct range all[] = {{0, 0xd7ff}, {0xe000, LAST}};
    return term_repeat(p, term_set(p, all, 2), min, max);
}

/* The terms that a join is of, in ascending order. */
static uint32_t parts_of(const struct pattern *p, enum term_kind kind, uint32_t t,
                         uint32_t part[JOINED])
{
    uint32_t n = 0;
    for (; p->term[t].kind == kind && n < JOINED; t = p->term[t].right)
        part[n++] = p->term[t].left;
    if (n < JOINED)
        part[n++] = t;
    return n;
}

static uint32_t join_two(struct pattern *p, enum term_kind kind, uint32_t left, uint32_t right)
{
    bool l = p->term[left].empty, r = p->term[right].empty;
    return put(p, (struct term){.kind = (uint8_t)kind,
                                .empty = kind == TERM_EITHER ? l || r : l && r,
                                .left = left,
                                .right = right});
}

uint32_t term_join(struct pattern *p, enum term_kind kind, uint32_t left, uint32_t right)
{
    uint32_t a[JOINED], b[JOINED], all = term_any(p, 0, PATTERN_ENDLESS), out;
    uint32_t unit = kind == TERM_EITHER ? TERM_NOTHING : all;
    uint32_t zero = kind == TERM_EITHER ? all : TERM_NOTHING;
    if (left == zero || right == zero)
        return zero;
    if (left == unit || left == right)
        return right;
    if (right == unit)
        return left;
    uint32_t i = parts_of(p, kind, left, a), k = parts_of(p, kind, right, b);
    p->work += i + k;
    if (i == JOINED || k == JOINED) {
        p->full = true;
        return TERM_NOTHING;
    }
    /* From the largest down, each once. */
    out = a[i - 1] > b[k - 1] ? a[--i] : b[--k];
    while (i || k) {
        uint32_t t = k == 0 || (i && a[i - 1] > b[k - 1]) ? a[--i] : b[--k];
        uint32_t first = p->term[out].kind == kind ? p->term[out].left : out;
        if (t != first)
            out = join_two(p, kind, t, out);
    }
    return out;
}

/* ---- classes of characters ---- */

enum { WORDS = PATTERN_SETS / 64 };

static bool set_has(const struct range_set *s, uint32_t c)
{
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (s->range[middle].to < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->range[low].from <= c;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Where any of the sets begins or goes on after its ranges. */
static bool find_intervals(struct pattern *p)
{
    size_t n = 1;
    for (uint32_t i = 0; i < p->sets; i++)
        n += 2 * (size_t)p->set[i].count;
    p->start = arena_array(p->a, n, sizeof *p->start);
    if (p->start == NULL)
        return false;
    n = 1;
    for (uint32_t i = 0; i < p->sets; i++) {
        for (uint32_t k = 0; k < p->set[i].count; k++) {
            p->start[n++] = p->set[i].range[k].from;
            p->start[n++] = p->set[i].range[k].to + 1;
        }
    }
    qsort(p->start, n, sizeof *p->start, by_number);
    for (size_t i = 0; i < n; i++)
        if (p->intervals == 0 || p->start[i] != p->start[p->intervals - 1])
            p->start[p->intervals++] = p->start[i];
    return p->intervals <= INTERVALS;
}

/* Intervals in the same sets are one class; class 0 is in none. */
static bool classify(struct pattern *p)
{
    if (!find_intervals(p))
        return false;
    uint64_t(*in)[WORDS] = arena_array(p->a, (uint64_t)p->intervals + 1, sizeof *in);
    p->class_of = arena_array(p->a, p->intervals, sizeof *p->class_of);
    p->one_of = arena_array(p->a, (uint64_t)p->intervals + 1, sizeof *p->one_of);
    if (in == NULL || p->class_of == NULL || p->one_of == NULL)
        return false;
    p->classes = 1;
    for (uint32_t i = 0; i < p->intervals; i++) {
        uint64_t *mine = in[p->classes];
        uint32_t k = 0;
        memset(mine, 0, sizeof *in);
        for (uint32_t s = 0; s < p->sets; s++)
            if (set_has(&p->set[s], p->start[i]))
                mine[s / 64] |= UINT64_C(1) << s % 64;
        while (memcmp(in[k], mine, sizeof *in) != 0)
            k++;
        if (k == p->classes)
            p->one_of[p->classes++] = p->start[i];
        p->class_of[i] = (uint16_t)k;
        p->work += k;
    }
    return true;
}

static uint32_t interval_of(const struct pattern *p, uint32_t c)
{
    uint32_t low = 0, high = p->intervals;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (p->start[middle] <= c)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- derivatives ---- */

static uint32_t derive(struct pattern *p, uint32_t term, uint32_t class);

static uint32_t derive_new(struct pattern *p, uint32_t term, uint32_t class)
{
    const struct term t = p->term[term];
    uint32_t out, rest = term;
    switch ((enum term_kind)t.kind) {
    case TERM_NOTHING:
    case TERM_EMPTY:
        break;
    case TERM_SET:
        return set_has(&p->set[t.left], p->one_of[class]) ? TERM_EMPTY : TERM_NOTHING;
    case TERM_PAIR:
        out = term_pair(p, derive(p, t.left, class), t.right);
        return p->term[t.left].empty ? term_join(p, TERM_EITHER, out, derive(p, t.right, class))
                                     : out;
    case TERM_REPEAT:
        return term_pair(p, derive(p, t.left, class),
                         term_repeat(p, t.left, t.min ? t.min - 1 : 0,
                                     t.max == PATTERN_ENDLESS ? t.max : t.max - 1));
    case TERM_EITHER:
    case TERM_BOTH:
        out = t.kind == TERM_EITHER ? TERM_NOTHING : term_any(p, 0, PATTERN_ENDLESS);
        for (; p->term[rest].kind == t.kind; rest = p->term[rest].right)
            out = term_join(p, t.kind, out, derive(p, p->term[rest].left, class));
        return term_join(p, t.kind, out, derive(p, rest, class));
    case TERM_NOT:
        return term_not(p, derive(p, t.left, class));
    }
    return TERM_NOTHING;
}

/* What may follow a character of the class in the term's strings. */
static uint32_t derive(struct pattern *p, uint32_t term, uint32_t class)
{
    uint32_t i = mixed(term, class, 1);
    p->full = p->full || p->derived == PATTERN_TERMS || p->work > WORK;
    if (p->full || term <= TERM_EMPTY)
        return TERM_NOTHING;
    for (; p->slot[i].term != 0; i = (i + 1) % SLOTS)
        if (p->slot[i].of == term + 1 && p->slot[i].by == class)
            return p->slot[i].term - 1;
    uint32_t out = derive_new(p, term, class);
    if (p->full)
        return TERM_NOTHING;
    for (i = mixed(term, class, 1); p->slot[i].term != 0;)
        i = (i + 1) % SLOTS;
    p->slot[i] = (struct pattern_slot){out + 1, term + 1, class};
    p->derived++;
    return out;
}

/* ---- strings as JSON ---- */

enum phase {
    BEFORE,
    TEXT,
    ESCAPE, /* behind a backslash */
    HEX,    /* behind \u, `at` digits of it: of 0000 to 001f */
    PART,   /* `left` octets of a character are missing, which is at least `at` */
    ALIKE,  /* the same, but only its class matters any more, which is `at` */
    BEHIND
};

static uint64_t packed(enum phase phase, uint32_t term, uint32_t left, uint32_t at)
{
    return phase | (uint64_t)left << 3 | (uint64_t)term << 5 | (uint64_t)at << 32;
}

static uint64_t after(struct pattern *p, uint32_t term, uint32_t class)
{
    uint32_t then = class == 0 ? TERM_NOTHING : derive(p, term, class);
    return then == TERM_NOTHING ? NOT_A_STATE : packed(TEXT, then, 0, 0);
}

static uint64_t after_character(struct pattern *p, uint32_t term, uint32_t c)
{
    return after(p, term, p->class_of[interval_of(p, c)]);
}

/* `left` more octets decide which of the characters from `at` on it is. */
static uint64_t within(struct pattern *p, uint32_t term, uint32_t left, uint32_t at)
{
    uint32_t last = at + (UINT32_C(1) << 6 * left) - 1, i = interval_of(p, at);
    uint32_t class = p->class_of[i];
    bool narrowed = at == 0 || left == 0; /* RFC 3629: no longer forms */
    while (!narrowed && i + 1 < p->intervals && p->start[i + 1] <= last)
        if (p->class_of[++i] != class)
            return packed(PART, term, left, at);
    if (left == 0)
        return after(p, term, class);
    if (narrowed)
        return packed(PART, term, left, at);
    return after(p, term, class) == NOT_A_STATE ? NOT_A_STATE : packed(ALIKE, term, left, class);
}

static uint64_t goes_on(struct pattern *p, uint32_t term, uint32_t left, uint32_t at, uint8_t octet)
{
    uint8_t least = at != 0 ? 0x80 : left == 2 ? 0xa0 : 0x90;
    if (octet < least || octet > 0xbf)
        return NOT_A_STATE;
    return within(p, term, left - 1, at + ((uint32_t)(octet & 0x3f) << 6 * (left - 1)));
}

static uint64_t begins(struct pattern *p, uint32_t term, uint8_t octet)
{
    if (octet == '"')
        return p->term[term].empty ? packed(BEHIND, TERM_EMPTY, 0, 0) : NOT_A_STATE;
    if (octet == '\\')
        return packed(ESCAPE, term, 0, 0);
    if (octet < ' ' || (octet >= 0x80 && octet < 0xc2) || octet > 0xf4)
        return NOT_A_STATE;
    if (octet < 0x80)
        return after_character(p, term, octet);
    uint32_t left = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
    return within(p, term, left, (uint32_t)(octet & (0x3f >> left)) << 6 * left);
}

static uint64_t escaped(struct pattern *p, uint32_t term, uint8_t octet)
{
    static const char written[] = "\"\\bfnrt", meant[] = "\"\\\b\f\n\r\t";
    const char *c = octet ? strchr(written, octet) : NULL;
    if (octet == 'u')
        return packed(HEX, term, 0, 0);
    return c == NULL ? NOT_A_STATE : after_character(p, term, (uint8_t)meant[c - written]);
}

/* Of control characters alone: \u00, 0 or 1, a digit. */
static uint64_t hexadecimal(struct pattern *p, uint32_t term, uint32_t at, uint8_t octet)
{
    bool digit = octet >= '0' && octet <= '9', letter = octet >= 'a' && octet <= 'f';
    if (at < 2)
        return octet == '0' ? packed(HEX, term, 0, at + 1) : NOT_A_STATE;
    if (at == 2)
        return octet == '0' || octet == '1' ? packed(HEX, term, 0, octet) : NOT_A_STATE;
    if (!digit && !letter)
        return NOT_A_STATE;
    uint32_t low = digit ? (uint32_t)(octet - '0') : (uint32_t)(octet - 'a' + 10);
    return after_character(p, term, (at - '0') * 16 + low);
}

static uint64_t next(void *arg, uint64_t state, uint8_t octet)
{
    struct pattern *p = arg;
    uint32_t left = state >> 3 & 3, term = state >> 5 & 0x7ffffff, at = (uint32_t)(state >> 32);
    switch ((enum phase)(state & 7)) {
    case BEFORE:
        return octet == '"' ? packed(TEXT, term, 0, 0) : NOT_A_STATE;
    case TEXT:
        return begins(p, term, octet);
    case ESCAPE:
        return escaped(p, term, octet);
    case HEX:
        return hexadecimal(p, term, at, octet);
    case PART:
        return goes_on(p, term, left, at, octet);
    case ALIKE:
        if (octet < 0x80 || octet > 0xbf)
            return NOT_A_STATE;
        return left > 1 ? packed(ALIKE, term, left - 1, at) : after(p, term, at);
    case BEHIND:
        break;
    }
    return NOT_A_STATE;
}

static bool may_end(void *arg, uint64_t state)
{
    (void)arg;
    return (state & 7) == BEHIND;
}

bool pattern_automaton(const struct automaton **out, struct pattern *p, uint32_t term,
                       struct arena *a, struct err *e)
{
    const struct automaton_language language = {packed(BEFORE, term, 0, 0), next, may_end, p};
    if (p->full || !classify(p))
        return err_set(e, ERR_UNSUPPORTED, "is too large");
    bool ok = automaton_make(out, &language, a, e);
    return p->full ? err_set(e, ERR_UNSUPPORTED, "is too large") : ok;
}
