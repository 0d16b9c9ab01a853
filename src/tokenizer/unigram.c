/*
 * Unigram: the segmentation with the highest sum of scores (SentencePiece,
 * unigram_model.cc, EncodeOptimized). A character that no piece covers costs
 * ten more than the worst piece.
 */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>

#include "assay/unicode.h"

struct best {
    double score;
    uint32_t from; /* where the last piece begins; TOKEN_NONE: not reached */
    uint32_t piece;
};

static void reach(struct best *at, double score, size_t from, uint32_t piece)
{
    if (at->from == TOKEN_NONE || score > at->score)
        *at = (struct best){score, (uint32_t)from, piece};
}

/* Every piece that begins at i. */
static void step(const struct tokenizer *t, struct span word, struct best *best, size_t i,
                 size_t length)
{
    size_t most = word.n - i < t->longest ? word.n - i : t->longest, more = 0;
    bool single = false;
    for (size_t n = length; n <= most; n += more) {
        uint32_t id = pieces_get(t, span_sub(word, i, n));
        if (id != TOKEN_NONE) {
            const struct entry *x = &t->entries[id];
            double own = t->scores ? t->scores[id] : (double)x->score;
            double score = x->type == TOKEN_USER_DEFINED ? 0 : own;
            reach(&best[i + n], best[i].score + score, i, id);
            single |= n == length;
        }
        if (i + n >= word.n)
            break;
        (void)unicode_at(word.p + i + n, &more);
    }
    if (!single)
        reach(&best[i + length], best[i].score + (double)t->unknown_score, i, TOKEN_NONE);
}

/* The ends of the pieces, last first. */
static size_t walk_back(const struct best *best, size_t end, uint32_t *path)
{
    size_t n = 0;
    for (size_t at = end; at > 0; at = best[at].from)
        path[n++] = (uint32_t)at;
    return n;
}

static bool emit(struct encoder *x, struct span word, const struct best *best, const uint32_t *path,
                 size_t n)
{
    while (n) {
        uint32_t end = path[--n];
        const struct best *b = &best[end];
        if (!(b->piece == TOKEN_NONE ? encode_unknown(x, span_sub(word, b->from, end - b->from))
                                     : encode_id(x, b->piece)))
            return false;
    }
    return true;
}

bool encode_unigram(struct encoder *x, struct span word)
{
    struct best *best = malloc((word.n + 1) * sizeof *best);
    uint32_t *path = malloc((word.n + 1) * sizeof *path);
    bool ok = best && path;
    if (!ok)
        (void)err_set(x->e, ERR_MEMORY, "out of memory");
    for (size_t i = 0; ok && i <= word.n; i++)
        best[i] = (struct best){0, i ? TOKEN_NONE : 0, TOKEN_NONE};
    for (size_t i = 0, length; ok && i < word.n; i += length) {
        (void)unicode_at(word.p + i, &length);
        step(x->t, word, best, i, length);
    }
    ok = ok && emit(x, word, best, path, walk_back(best, word.n, path));
    free(best);
    free(path);
    return ok;
}
