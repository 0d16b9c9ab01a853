/*
 * Added tokens: cut out of a text before it is split into words. The longest
 * one wins, as in Hugging Face's tokenizers and SentencePiece; they stand
 * sorted, and a match narrows the list a byte at a time.
 */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { ADDED_MAX_LENGTH = 1024 };

struct added {
    const struct tokenizer *t;
    uint32_t *ids; /* by text */
    size_t count;
    bool begins[256];
};

static struct span sought(const struct entry *x)
{
    return x->normalised ? x->sought : x->text;
}

static struct span text_of(const struct added *set, size_t i)
{
    return sought(&set->t->entries[set->ids[i]]);
}

struct sortable {
    struct span text;
    uint32_t id;
};

static int by_text(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int order = span_cmp(x->text, y->text);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static bool belongs(const struct entry *x, bool normalised)
{
    return x->added && x->normalised == normalised && sought(x).n;
}

static bool build_one(struct tokenizer *t, bool normalised, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (!belongs(&t->entries[i], normalised))
            continue;
        n++;
        if (sought(&t->entries[i]).n > ADDED_MAX_LENGTH)
            return err_set(e, ERR_LIMIT, "added token %zu is longer than %d bytes", i,
                           ADDED_MAX_LENGTH);
    }
    if (n == 0)
        return true;
    struct added *set = arena_alloc(t->arena, sizeof *set);
    struct sortable *sorted = arena_array(t->arena, n, sizeof *sorted);
    if (!set || !sorted || !(set->ids = arena_array(t->arena, n, sizeof *set->ids)))
        return err_set(e, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < t->count; i++)
        if (belongs(&t->entries[i], normalised))
            sorted[set->count++] = (struct sortable){sought(&t->entries[i]), (uint32_t)i};
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 0; i < n; i++) {
        set->ids[i] = sorted[i].id;
        set->begins[sorted[i].text.p[0]] = true;
    }
    set->t = t;
    t->added[normalised] = set;
    return true;
}

bool added_build(struct tokenizer *t, struct err *e)
{
    return build_one(t, false, e) && build_one(t, true, e);
}

bool added_begins(const struct added *set, uint8_t byte)
{
    return set->begins[byte];
}

/* The first of ids[low..high) whose byte at `depth` is at least `byte`; shorter ones are first. */
static size_t bound(const struct added *set, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t mid = (low + high) / 2;
        struct span s = text_of(set, mid);
        if (s.n <= depth || s.p[depth] < byte)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool allowed(const struct entry *x, size_t end, size_t trusted, bool protocol)
{
    bool control = x->type == TOKEN_CONTROL || x->type == TOKEN_UNKNOWN;
    return end <= trusted || (!control && (protocol || !x->protocol));
}

uint32_t added_match(const struct tokenizer *t, const struct added *set, struct span text,
                     size_t at, size_t trusted, bool protocol, size_t *length)
{
    uint32_t best = TOKEN_NONE;
    size_t low = 0, high = set->count;
    for (size_t depth = 0; at + depth < text.n && low < high; depth++) {
        unsigned byte = text.p[at + depth];
        low = bound(set, low, high, depth, byte);
        high = bound(set, low, high, depth, byte + 1);
        if (low == high || text_of(set, low).n != depth + 1)
            continue;
        const struct entry *x = &t->entries[set->ids[low]];
        if (!allowed(x, at + depth + 1, trusted, protocol))
            continue;
        best = set->ids[low];
        *length = depth + 1;
    }
    return best;
}
