/*
 * One word to tokens: whole when the vocabulary says so, from the cache when
 * it was met before, by the model otherwise.
 */
#include "tokenizer/word.h"

#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/unicode.h"

/* Words repeat: most of a long text's are answered from here. */
enum { CACHE_SLOTS = 8192, CACHE_TEXT = 23, CACHE_IDS = 8 };

struct cached {
    uint32_t hash;
    uint8_t length, count; /* length 0: empty */
    uint8_t text[CACHE_TEXT];
    uint32_t ids[CACHE_IDS];
};

struct word_cache {
    struct cached slots[CACHE_SLOTS];
};

struct word_cache *word_cache_new(void)
{
    return calloc(1, sizeof(struct word_cache));
}

bool encode_id(struct encoder *x, uint32_t id)
{
    x->unknown_last = false;
    return tokens_add(x->out, id, x->e);
}

static bool encode_unk(struct encoder *x)
{
    uint32_t unk = x->t->roles.unk;
    bool fused = x->unknown_last && x->t->fuse_unknown;
    x->unknown_last = true;
    return unk == TOKEN_NONE || fused || tokens_add(x->out, unk, x->e);
}

bool encode_unknown(struct encoder *x, struct span text)
{
    const struct tokenizer *t = x->t;
    bool all = t->byte_level || t->byte_fallback;
    for (size_t i = 0; i < text.n && all; i++)
        all = t->byte_ids[text.p[i]] < PIECE_UNSPOKEN;
    if (!all)
        return encode_unk(x);
    for (size_t i = 0; i < text.n; i++)
        if (!encode_id(x, t->byte_ids[text.p[i]]))
            return false;
    return true;
}

static bool encode_fresh(struct encoder *x, struct span word)
{
    const struct tokenizer *t = x->t;
    if (t->ignore_merges) {
        uint32_t id = pieces_get(t, word);
        if (id < PIECE_UNSPOKEN)
            return encode_id(x, id);
    }
    return t->kind == TOKENIZER_UNIGRAM ? encode_unigram(x, word) : encode_merges(x, word);
}

static bool encode_cached(struct encoder *x, struct span word)
{
    if (!x->cache || word.n > CACHE_TEXT || x->unknown_last)
        return encode_fresh(x, word);
    uint32_t hash = map_hash(word);
    struct cached *c = &x->cache->slots[hash % CACHE_SLOTS];
    if (c->length == word.n && c->hash == hash && memcmp(c->text, word.p, word.n) == 0) {
        for (size_t i = 0; i < c->count; i++)
            if (!tokens_add(x->out, c->ids[i], x->e))
                return false;
        return true;
    }
    size_t before = x->out->n;
    if (!encode_fresh(x, word))
        return false;
    size_t made = x->out->n - before;
    if (made > CACHE_IDS || made == 0 || x->unknown_last)
        return true;
    c->hash = hash;
    c->length = (uint8_t)word.n;
    c->count = (uint8_t)made;
    memcpy(c->text, word.p, word.n);
    memcpy(c->ids, x->out->id + before, made * sizeof *c->ids);
    return true;
}

/* Cut where no piece can reach across; see pair_known. */
static bool encode_cut(struct encoder *x, struct span text)
{
    uint32_t before = 0;
    size_t from = 0;
    for (size_t i = 0, length; i < text.n; i += length) {
        uint32_t c = unicode_at(text.p + i, &length);
        if (i > from && !pair_known(x->t, before, c)) {
            if (!encode_cached(x, span_sub(text, from, i - from)))
                return false;
            from = i;
        }
        before = c;
    }
    return from == text.n || encode_cached(x, span_sub(text, from, text.n - from));
}

static bool all_newlines(struct span word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] != '\n')
            return false;
    return true;
}

bool encode_word(struct encoder *x, struct span word)
{
    const struct tokenizer *t = x->t;
    x->unknown_last = false;
    if (word.n == 0)
        return true;
    if (t->words_shown) {
        buf_clear(&x->split);
        if (!byte_level_decode(&x->split, word) || !buf_ok(&x->split))
            return err_set(x->e, ERR_MEMORY, "out of memory");
        word = buf_span(&x->split);
    }
    if (t->kind == TOKENIZER_WORDPIECE)
        return encode_wordpiece(x, word);
    if (t->newlines_whole && all_newlines(word)) {
        uint32_t id = pieces_get(t, word);
        if (id < PIECE_UNSPOKEN)
            return encode_id(x, id);
    }
    return t->pairs && !t->ignore_merges ? encode_cut(x, word) : encode_cached(x, word);
}
