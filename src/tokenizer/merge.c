/*
 * Merging pairs: byte-pair encoding with ranks, and SentencePiece's variant
 * whose order is the score of the result. The best pair goes first, the left
 * one of equals; a heap and a linked list keep a word of n characters within
 * n log n steps.
 */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "assay/unicode.h"

static bool out_of_memory(struct encoder *x)
{
    return err_set(x->e, ERR_MEMORY, "out of memory");
}

/* Ascending numbers for descending scores. */
static uint32_t score_rank(float score)
{
    uint32_t bits;
    float f = score + 0.0f; /* no negative zero */
    memcpy(&bits, &f, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7FFFFFFF;
}

static bool find_pair(const struct encoder *x, struct span word, const struct symbol *l,
                      const struct symbol *r, uint32_t *rank, uint32_t *result)
{
    const struct tokenizer *t = x->t;
    if (t->kind == TOKENIZER_SPM) {
        struct span both = span_sub(word, l->start, l->length + r->length);
        *result = both.n <= t->longest ? pieces_get(t, both) : TOKEN_NONE;
        if (*result == TOKEN_NONE)
            return false;
        *rank = score_rank(t->entries[*result].score);
        return true;
    }
    const struct merge *m = merges_get(&t->merges, l->piece, r->piece);
    if (!m)
        return false;
    *rank = m->rank;
    *result = m->result;
    return true;
}

/* ---- heap ---- */

static bool push(struct encoder *x, struct candidate c)
{
    if (x->heap_count == x->heap_cap) {
        size_t cap = x->heap_cap ? x->heap_cap * 2 : 256;
        struct candidate *heap = realloc(x->heap, cap * sizeof *heap);
        if (!heap)
            return out_of_memory(x);
        x->heap = heap;
        x->heap_cap = cap;
    }
    size_t i = x->heap_count++;
    for (size_t up; i > 0 && x->heap[up = (i - 1) / 2].key > c.key; i = up)
        x->heap[i] = x->heap[up];
    x->heap[i] = c;
    return true;
}

static struct candidate pop(struct encoder *x)
{
    struct candidate top = x->heap[0], last = x->heap[--x->heap_count];
    size_t i = 0;
    for (size_t down; (down = 2 * i + 1) < x->heap_count; i = down) {
        if (down + 1 < x->heap_count && x->heap[down + 1].key < x->heap[down].key)
            down++;
        if (last.key <= x->heap[down].key)
            break;
        x->heap[i] = x->heap[down];
    }
    x->heap[i] = last;
    return top;
}

/* ---- symbols ---- */

static bool offer(struct encoder *x, struct span word, uint32_t left, uint32_t right)
{
    uint32_t rank, result;
    if (left == TOKEN_NONE || right == TOKEN_NONE)
        return true;
    const struct symbol *l = &x->symbols[left], *r = &x->symbols[right];
    if (!find_pair(x, word, l, r, &rank, &result))
        return true;
    return push(x, (struct candidate){(uint64_t)rank << 32 | left, l->length + r->length, result});
}

/* One symbol a byte or a character. */
static bool spread(struct encoder *x, struct span word, size_t *count)
{
    const struct tokenizer *t = x->t;
    if (word.n > x->symbol_cap) {
        struct symbol *s = realloc(x->symbols, word.n * sizeof *s);
        if (!s)
            return out_of_memory(x);
        x->symbols = s;
        x->symbol_cap = word.n;
    }
    size_t n = 0;
    for (size_t i = 0, length = 1; i < word.n; i += length, n++) {
        if (!t->byte_level)
            (void)unicode_at(word.p + i, &length);
        uint32_t piece =
            t->byte_level ? t->byte_ids[word.p[i]] : pieces_get(t, span_sub(word, i, length));
        x->symbols[n] =
            (struct symbol){(uint32_t)i, (uint32_t)length, (uint32_t)n - 1, (uint32_t)n + 1, piece};
    }
    if (n)
        x->symbols[n - 1].next = TOKEN_NONE;
    *count = n;
    return true;
}

static bool merge_all(struct encoder *x, struct span word)
{
    while (x->heap_count) {
        struct candidate c = pop(x);
        uint32_t left = (uint32_t)c.key;
        struct symbol *l = &x->symbols[left];
        if (l->length == 0 || l->next == TOKEN_NONE)
            continue;
        /* Neighbours only grow: the sum of lengths tells whether these are the two. */
        struct symbol *r = &x->symbols[l->next];
        if (l->length + r->length != c.size)
            continue;
        l->length = c.size;
        l->piece = c.result;
        l->next = r->next;
        r->length = 0;
        if (l->next != TOKEN_NONE)
            x->symbols[l->next].previous = left;
        if (!offer(x, word, l->previous, left) || !offer(x, word, left, l->next))
            return false;
    }
    return true;
}

bool encode_merges(struct encoder *x, struct span word)
{
    size_t n = 0;
    x->heap_count = 0;
    if (!spread(x, word, &n))
        return false;
    for (uint32_t i = 1; i < n; i++)
        if (!offer(x, word, i - 1, i))
            return false;
    if (!merge_all(x, word))
        return false;
    for (uint32_t i = 0; n && i != TOKEN_NONE; i = x->symbols[i].next) {
        const struct symbol *s = &x->symbols[i];
        bool spoken = s->piece < PIECE_UNSPOKEN;
        if (!(spoken ? encode_id(x, s->piece)
                     : encode_unknown(x, span_sub(word, s->start, s->length))))
            return false;
    }
    return true;
}
