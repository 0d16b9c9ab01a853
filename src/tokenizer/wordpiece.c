/*
 * WordPiece: the longest piece that a word begins with, then the longest that
 * the rest begins with; a word with a rest that no piece begins is unknown.
 * BERT's files mark pieces that continue a word ("##"), GGUF those that begin one.
 */
#include "tokenizer/tokenizer.h"

#include "assay/unicode.h"

static size_t characters(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xC0) != 0x80;
    return n;
}

/* The piece of exactly these bytes of the word. */
static uint32_t piece_of(struct encoder *x, struct span part, bool begins)
{
    const struct tokenizer *t = x->t;
    struct span mark = begins ? t->wordstart : t->subword;
    if (mark.n == 0)
        return pieces_get(t, part);
    struct buf *b = &x->split;
    buf_clear(b);
    buf_put_span(b, mark);
    buf_put_span(b, part);
    return buf_ok(b) ? pieces_get(t, buf_span(b)) : TOKEN_NONE;
}

/* Its length, or 0. */
static size_t longest(struct encoder *x, struct span word, size_t at, uint32_t *id)
{
    size_t n = word.n - at < x->t->longest ? word.n - at : x->t->longest;
    for (; n > 0; n--) {
        if (at + n < word.n && (word.p[at + n] & 0xC0) == 0x80)
            continue;
        *id = piece_of(x, span_sub(word, at, n), at == 0);
        if (*id != TOKEN_NONE)
            return n;
    }
    return 0;
}

bool encode_wordpiece(struct encoder *x, struct span word)
{
    size_t before = x->out->n;
    uint32_t id = TOKEN_NONE;
    bool known = characters(word) <= x->t->longest_word;
    for (size_t at = 0, n; known && at < word.n; at += n) {
        n = longest(x, word, at, &id);
        known = n > 0;
        if (known && !encode_id(x, id))
            return false;
    }
    if (known)
        return true;
    x->out->n = before;
    return x->t->roles.unk == TOKEN_NONE || tokens_add(x->out, x->t->roles.unk, x->e);
}
