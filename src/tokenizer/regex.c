/*
 * Classes of characters, and the walk through the table.
 */
#include "tokenizer/regex_program.h"

#include <stdlib.h>
#include <string.h>

/* ---- classes ---- */

struct classifier {
    const struct program *p;
    struct regex *re;
    uint32_t *bounds;
    size_t count, cap;
    uint64_t *signatures; /* class by class: a bit for each set */
    size_t words;
    struct sample *samples;
    struct err *e;
};

static bool add_bound(struct classifier *k, uint32_t first)
{
    uint32_t *b = arena_grow(k->p->arena, k->bounds, k->count, &k->cap, sizeof *b);
    if (!b)
        return err_set(k->e, ERR_MEMORY, "out of memory");
    k->bounds = b;
    b[k->count++] = first;
    return true;
}

static bool add_bounds(struct classifier *k, const struct set *s)
{
    for (; s; s = s->b) {
        if (s->kind == SET_RANGE && (!add_bound(k, s->low) || !add_bound(k, s->high + 1)))
            return false;
        if (s->a && !add_bounds(k, s->a))
            return false;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool segments(struct classifier *k, struct arena *a)
{
    if (!add_bound(k, 0))
        return false;
    for (size_t i = 0; i < k->p->set_count; i++)
        if (!add_bounds(k, k->p->sets[i]))
            return false;
    qsort(k->bounds, k->count, sizeof *k->bounds, by_value);
    size_t kept = 0;
    for (size_t i = 0; i < k->count; i++)
        if (k->bounds[i] < UNICODE_END && (kept == 0 || k->bounds[kept - 1] != k->bounds[i]))
            k->bounds[kept++] = k->bounds[i];
    k->count = kept;
    struct regex *re = k->re;
    re->segment_count = kept;
    re->bounds = arena_array(a, kept, sizeof *re->bounds);
    re->classes = arena_array(a, kept, sizeof *re->classes);
    k->words = k->p->set_count / 64 + 1;
    k->signatures =
        arena_array(k->p->arena, (uint64_t)(CLASSES_MAX + 1) * k->words, sizeof *k->signatures);
    k->samples = arena_array(k->p->arena, CLASSES_MAX + 1, sizeof *k->samples);
    if (!re->bounds || !re->classes || !k->signatures || !k->samples)
        return err_set(k->e, ERR_MEMORY, "out of memory");
    memcpy(re->bounds, k->bounds, kept * sizeof *re->bounds);
    return true;
}

/* The class of a sample, by which sets it is in; made when new. */
static bool class_of(struct classifier *k, struct sample c, uint8_t *out)
{
    struct regex *re = k->re;
    uint64_t *fresh = k->signatures + re->class_count * k->words;
    memset(fresh, 0, k->words * sizeof *fresh);
    for (size_t i = 0; i < k->p->set_count; i++)
        if (set_has(k->p->sets[i], c.code_point, c.category))
            fresh[i / 64] |= UINT64_C(1) << i % 64;
    size_t at = 0;
    while (memcmp(k->signatures + at * k->words, fresh, k->words * sizeof *fresh) != 0)
        at++;
    *out = (uint8_t)at;
    if (at < re->class_count)
        return true;
    if (re->class_count == CLASSES_MAX)
        return err_set(k->e, ERR_LIMIT, "regular expression: more than %d kinds of characters",
                       CLASSES_MAX);
    k->samples[re->class_count++] = c;
    return true;
}

enum { SMALL = 512 }; /* code points of a segment whose categories are looked up */

/* Categories that occur between two code points; all of them in a large segment. */
static uint32_t present(uint32_t first, uint32_t end)
{
    uint32_t bits = 0;
    if (end - first > SMALL)
        return UINT32_MAX;
    for (uint32_t c = first; c < end; c++)
        bits |= UC_BIT(unicode_category(c));
    return bits;
}

bool regex_classify(struct regex *re, const struct program *p, struct arena *a,
                    const struct sample **samples, struct err *e)
{
    struct classifier k = {.p = p, .re = re, .e = e};
    if (!segments(&k, a))
        return false;
    for (size_t s = 0; s < k.count; s++) {
        uint32_t end = s + 1 < k.count ? k.bounds[s + 1] : UNICODE_END;
        uint32_t bits = present(k.bounds[s], end);
        for (int c = 0; c < UC_COUNT; c++) {
            struct sample sample = {k.bounds[s], (enum unicode_category)c};
            if ((bits >> c & 1) && !class_of(&k, sample, &re->classes[s][c]))
                return false;
        }
        for (uint32_t c = k.bounds[s]; c < end && c < 0x80; c++)
            re->ascii[c] = re->classes[s][unicode_category(c)];
    }
    *samples = k.samples;
    return true;
}

/* ---- matching ---- */

static uint8_t class_at(const struct regex *re, uint32_t c)
{
    if (c < 0x80)
        return re->ascii[c];
    size_t low = 0, high = re->segment_count;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (re->bounds[mid] <= c)
            low = mid;
        else
            high = mid;
    }
    return re->classes[low][unicode_category(c)];
}

static enum before before(const struct regex *re, struct span text, size_t at)
{
    if (at == 0)
        return BEFORE_NOTHING;
    if (!re->class_before)
        return BEFORE_OTHER;
    size_t from = at - 1, length;
    while (from > 0 && (text.p[from] & 0xC0) == 0x80)
        from--;
    return (enum before)re->class_before[class_at(re, unicode_at(text.p + from, &length))];
}

/* The longest that preference allows from `at`; `at` itself when nothing matches. */
static size_t match_at(const struct regex *re, struct span text, size_t at, uint64_t *budget)
{
    size_t width = re->class_count + 1, best = at;
    uint32_t state = re->start[before(re, text, at)];
    for (size_t i = at; state && *budget; --*budget) {
        size_t length = 0;
        uint8_t class = (uint8_t)re->class_count;
        if (i < text.n)
            class = class_at(re, unicode_at(text.p + i, &length));
        uint16_t t = re->rows[state * width + class];
        if (t & ROW_MATCH)
            best = i;
        if (i == text.n)
            break;
        state = t & ROW_STATE;
        i += length;
    }
    return best;
}

bool regex_find(const struct regex *re, struct span text, size_t from, size_t *start, size_t *end,
                uint64_t *budget)
{
    for (size_t i = from, length; i < text.n && *budget; i += length) {
        size_t stop = match_at(re, text, i, budget);
        if (stop > i) {
            *start = i;
            *end = stop;
            return *budget > 0;
        }
        (void)unicode_at(text.p + i, &length);
    }
    return false;
}
