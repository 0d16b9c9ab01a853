/*
 * States are found from the first one on, in the order of octets, so the same language gives the same
 * table. Those from which there is no way to an end are taken out, and octets that nothing
 * tells apart become one class.
 */
#include "engine/automaton.h"

#include <stdlib.h>
#include <string.h>

enum { OCTETS = 256, SLOTS = 2 * AUTOMATON_STATES };

/* What was found so far. */
struct search {
    const struct automaton_language *language;
    uint32_t count;
    uint64_t *state; /* by number */
    uint16_t *slot;  /* open addressing: number + 1; 0: free */
    uint16_t *next;  /* OCTETS for each state */
};

static void search_free(struct search *f)
{
    free(f->state);
    free(f->slot);
    free(f->next);
}

static bool search_new(struct search *f, const struct automaton_language *language, struct err *e)
{
    *f = (struct search){.language = language,
                         .state = calloc(AUTOMATON_STATES, sizeof *f->state),
                         .slot = calloc(SLOTS, sizeof *f->slot),
                         .next = malloc((size_t)AUTOMATON_STATES * OCTETS * sizeof *f->next)};
    if (f->state && f->slot && f->next)
        return true;
    search_free(f);
    return err_set(e, ERR_MEMORY, "no memory for a form");
}

/* The number of a state, a new one if need be; AUTOMATON_NONE: there is no room. */
static uint16_t number_of(struct search *f, uint64_t state)
{
    uint64_t h = (state ^ state >> 29) * 0x9e3779b97f4a7c15u;
    uint32_t i = (uint32_t)(h >> 40) % SLOTS;
    while (f->slot[i] != 0 && f->state[f->slot[i] - 1] != state)
        i = (i + 1) % SLOTS;
    if (f->slot[i] != 0)
        return (uint16_t)(f->slot[i] - 1);
    if (f->count == AUTOMATON_STATES)
        return AUTOMATON_NONE;
    f->state[f->count++] = state;
    f->slot[i] = (uint16_t)f->count;
    return (uint16_t)(f->count - 1);
}

static bool find_all(struct search *f, struct err *e)
{
    (void)number_of(f, f->language->start);
    for (uint32_t i = 0; i < f->count; i++) {
        for (unsigned c = 0; c < OCTETS; c++) {
            uint64_t to = f->language->next(f->language->arg, f->state[i], (uint8_t)c);
            uint16_t n = to == NOT_A_STATE ? AUTOMATON_NONE : number_of(f, to);
            if (to != NOT_A_STATE && n == AUTOMATON_NONE)
                return err_set(e, ERR_UNSUPPORTED, "takes more than %d states", AUTOMATON_STATES);
            f->next[(size_t)i * OCTETS + c] = n;
        }
    }
    return true;
}

/* ---- classes of octets ---- */

static bool same_column(const struct search *f, unsigned a, unsigned b)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->next[(size_t)i * OCTETS + a] != f->next[(size_t)i * OCTETS + b])
            return false;
    return true;
}

/* Columns that are the same share one; *out, of as many rows, belongs to the caller. */
static bool classify(struct search *f, struct automaton *m, uint16_t **out, struct err *e)
{
    unsigned of_class[OCTETS] = {0};
    for (unsigned c = 0; c < OCTETS; c++) {
        uint32_t k = 0;
        while (k < m->classes && !same_column(f, of_class[k], c))
            k++;
        if (k == m->classes)
            of_class[m->classes++] = c;
        m->class_of[c] = (uint8_t)k;
    }
    uint16_t *table = calloc((size_t)f->count * m->classes, sizeof *table);
    if (table == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    for (uint32_t i = 0; i < f->count; i++)
        for (uint32_t k = 0; k < m->classes; k++)
            table[(size_t)i * m->classes + k] = f->next[(size_t)i * OCTETS + of_class[k]];
    *out = table;
    return true;
}

/* ---- ways to an end ---- */

/* Where each state stands when they are met going backwards from the ends; AUTOMATON_NONE: from it
 * none is reached. `rank` holds 0 for the ends. */
static bool find_ways(uint16_t *rank, const uint16_t *table, uint32_t states, uint32_t classes,
                      struct err *e)
{
    size_t cells = (size_t)states * classes;
    uint32_t *first = calloc((size_t)states + 1, sizeof *first);
    uint16_t *from = calloc(cells + 1, sizeof *from), *met = calloc(states, sizeof *met), n = 0;
    bool ok = first && from && met;
    for (size_t i = 0; ok && i < cells; i++)
        if (table[i] != AUTOMATON_NONE)
            first[table[i]]++;
    for (uint32_t i = 0; ok && i < states; i++)
        first[i + 1] += first[i];
    for (size_t i = 0; ok && i < cells; i++)
        if (table[i] != AUTOMATON_NONE)
            from[--first[table[i]]] = (uint16_t)(i / classes);
    for (uint32_t i = 0; ok && i < states; i++)
        if (rank[i] == 0)
            met[n++] = (uint16_t)i;
    for (uint32_t done = 0; done < n; done++) {
        rank[met[done]] = (uint16_t)done;
        for (uint32_t k = first[met[done]]; k < first[met[done] + 1]; k++) {
            if (rank[from[k]] != AUTOMATON_NONE)
                continue;
            rank[from[k]] = 0;
            met[n++] = from[k];
        }
    }
    free(first);
    free(from);
    free(met);
    return ok || err_set(e, ERR_MEMORY, "no memory for a form");
}

/* The octet by which a state comes nearer to an end, of those that are needed anyway if it can. */
static void need(struct automaton *m, const uint16_t *row, const uint16_t *rank, uint16_t here)
{
    unsigned best = OCTETS;
    for (unsigned c = OCTETS; c-- > 0;) {
        uint16_t to = row[m->class_of[c]];
        if (to == AUTOMATON_NONE || rank[to] >= here)
            continue;
        if (form_set_has(&m->needs, (uint8_t)c))
            return;
        best = c;
    }
    form_set_add(&m->needs, (uint8_t)best);
}

/* The states that are left, in their order. */
static bool keep(struct automaton *m, const struct search *f, const uint16_t *table,
                 const uint16_t *rank, struct arena *a, struct err *e)
{
    uint16_t *number = calloc((size_t)f->count + 1, sizeof *number);
    for (uint32_t i = 0; number && i < f->count; i++)
        number[i] = rank[i] == AUTOMATON_NONE ? AUTOMATON_NONE : (uint16_t)m->states++;
    uint16_t *next = arena_array(a, (uint64_t)m->states * m->classes, sizeof *next);
    uint8_t *end = arena_alloc(a, m->states);
    bool ok = number && next && end;
    m->next = next;
    m->end = end;
    for (uint32_t i = 0; ok && i < f->count; i++) {
        const uint16_t *row = table + (size_t)i * m->classes;
        bool follows = false, may_end = f->language->may_end(f->language->arg, f->state[i]);
        if (rank[i] == AUTOMATON_NONE)
            continue;
        for (uint32_t k = 0; k < m->classes; k++) {
            *next = row[k] == AUTOMATON_NONE ? AUTOMATON_NONE : number[row[k]];
            follows = follows || *next != AUTOMATON_NONE;
            next++;
        }
        *end++ = !may_end ? AUTOMATON_GOES_ON : follows ? AUTOMATON_MAY_END : AUTOMATON_ENDS;
        if (!may_end)
            need(m, row, rank, rank[i]);
    }
    free(number);
    return ok || err_set(e, ERR_MEMORY, "no memory for a form");
}

static bool settle(struct automaton *m, struct search *f, struct arena *a, struct err *e)
{
    uint16_t *table = NULL, *rank = calloc((size_t)f->count + 1, sizeof *rank);
    bool ok = rank != NULL || err_set(e, ERR_MEMORY, "no memory for a form");
    for (uint32_t i = 0; ok && i < f->count; i++)
        rank[i] = f->language->may_end(f->language->arg, f->state[i]) ? 0 : AUTOMATON_NONE;
    ok = ok && classify(f, m, &table, e) && find_ways(rank, table, f->count, m->classes, e);
    if (ok && rank[0] == AUTOMATON_NONE)
        ok = err_set(e, ERR_UNSUPPORTED, "allows no value");
    ok = ok && keep(m, f, table, rank, a, e);
    free(rank);
    free(table);
    return ok;
}

bool automaton_make(const struct automaton **out, const struct automaton_language *language,
                    struct arena *a, struct err *e)
{
    struct search f;
    struct automaton *m = arena_alloc(a, sizeof *m);
    *out = m;
    if (m == NULL)
        return err_set(e, ERR_MEMORY, "no memory for a form");
    if (!search_new(&f, language, e))
        return false;
    bool ok = find_all(&f, e) && settle(m, &f, a, e);
    search_free(&f);
    return ok;
}
