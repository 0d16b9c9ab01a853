/*
 * Splitting a text into words: each step cuts what the one before left, and
 * what comes out of the last is a word. Nothing is collected, so a text of any
 * length needs no memory here.
 */
#include "tokenizer/tokenizer.h"

#include "assay/unicode.h"

/* ---- patterns ---- */

/* Pieces of one step as they are found; behaviours that join hold one back. */
struct joiner {
    struct encoder *x;
    struct span whole;
    size_t next; /* the step for what comes out */
    enum split_behaviour behaviour;
    struct span held;
    bool holds, held_match, last_match;
};

/* A piece of `whole` to the steps that follow; only a piece at its beginning begins the text. */
static bool onward(struct encoder *x, struct span whole, struct span piece, size_t next)
{
    x->first &= piece.p == whole.p;
    return encode_split(x, piece, next);
}

static bool let_go(struct joiner *j)
{
    bool held = j->holds;
    j->holds = false;
    return !held || onward(j->x, j->whole, j->held, j->next);
}

static bool hold(struct joiner *j, struct span piece, bool match)
{
    if (!let_go(j))
        return false;
    j->held = piece;
    j->holds = true;
    j->held_match = match;
    return true;
}

static bool join(struct joiner *j, struct span piece, bool match)
{
    j->held.n += piece.n; /* they stand side by side */
    j->held_match = match;
    return true;
}

/* normalizer.rs, NormalizedString::split: a match or the gap between two. */
static bool piece_found(struct joiner *j, struct span piece, bool match)
{
    bool last = j->last_match;
    if (piece.n == 0)
        return true;
    j->last_match = match;
    switch (j->behaviour) {
    case SPLIT_REMOVED:
        return match || onward(j->x, j->whole, piece, j->next);
    case SPLIT_ISOLATED:
        return onward(j->x, j->whole, piece, j->next);
    case SPLIT_WITH_PREVIOUS:
        return match && !last && j->holds ? join(j, piece, match) : hold(j, piece, match);
    case SPLIT_WITH_NEXT:
        return !match && j->holds && j->held_match ? join(j, piece, match) : hold(j, piece, match);
    case SPLIT_CONTIGUOUS:
        return match == last && j->holds ? join(j, piece, match) : hold(j, piece, match);
    }
    return true;
}

static bool split_pattern(struct encoder *x, struct span text, const struct split_step *s,
                          size_t next)
{
    struct joiner j = {.x = x, .whole = text, .next = next, .behaviour = s->behaviour};
    size_t at = 0, start, end;
    while (regex_find(s->pattern, text, at, &start, &end, &x->budget)) {
        if (!piece_found(&j, span_sub(text, at, start - at), s->invert) ||
            !piece_found(&j, span_sub(text, start, end - start), !s->invert))
            return false;
        at = end;
    }
    if (x->budget == 0)
        return err_set(x->e, ERR_LIMIT,
                       "the splitting pattern looks at this text again and again: it would take "
                       "too long");
    return piece_found(&j, span_sub(text, at, text.n - at), s->invert) && let_go(&j);
}

/* ---- digits ---- */

/* tiny_aya: \d{1,3}(?=(?:\d{3})*\b), a run that a word goes on after is left alone; afmoe:
 * every run of \p{N}. */
static bool split_digits(struct encoder *x, struct span text, const struct split_step *s,
                         size_t next)
{
    uint32_t digits = s->invert ? UC_BIT(UC_ND) : UC_NUMBER;
    size_t from = 0, length;
    for (size_t i = 0; i < text.n;) {
        size_t run = i, count = 0;
        uint32_t c = unicode_at(text.p + i, &length);
        while (digits >> unicode_category(c) & 1) {
            count++;
            i += length;
            if (i == text.n)
                break;
            c = unicode_at(text.p + i, &length);
        }
        bool edge =
            !s->invert || i == text.n ||
            !((UC_LETTER | UC_MARK | UC_BIT(UC_NL) | UC_BIT(UC_PC)) >> unicode_category(c) & 1);
        if (count == 0 || !edge) {
            i += i < text.n ? length : 0;
            continue;
        }
        if (run > from && !onward(x, text, span_sub(text, from, run - from), next))
            return false;
        for (size_t left = count, take; left; left -= take) {
            take = left % 3 ? left % 3 : 3;
            size_t end = run;
            for (size_t k = 0; k < take; k++, end += length)
                (void)unicode_at(text.p + end, &length);
            if (!onward(x, text, span_sub(text, run, end - run), next))
                return false;
            run = end;
        }
        from = i;
    }
    return from == text.n || onward(x, text, span_sub(text, from, text.n - from), next);
}

/* ---- steps that rewrite ---- */

static bool rewritten(struct encoder *x, struct buf *b, size_t next)
{
    bool ok =
        buf_ok(b) ? encode_split(x, buf_span(b), next) : err_set(x->e, ERR_MEMORY, "out of memory");
    buf_free(b);
    return ok;
}

static bool prefix_space(struct encoder *x, struct span text, size_t next)
{
    struct buf b;
    if (text.n == 0 || text.p[0] == ' ')
        return encode_split(x, text, next);
    buf_init(&b, text.n + 2);
    buf_put_u8(&b, ' ');
    buf_put_span(&b, text);
    return rewritten(x, &b, next);
}

static bool show_bytes(struct encoder *x, struct span text, size_t next)
{
    struct buf b;
    buf_init(&b, 2 * text.n + 2);
    for (size_t i = 0; i < text.n; i++)
        byte_level_put(&b, text.p[i]);
    return rewritten(x, &b, next);
}

static bool metaspace(struct encoder *x, struct span text, const struct split_step *s, size_t next)
{
    struct buf b;
    buf_init(&b, (text.n + 2) * (s->text.n + 1));
    bool begins = text.n >= s->text.n && span_eq(span_sub(text, 0, s->text.n), s->text);
    bool wanted = s->prepend == PREPEND_ALWAYS || (s->prepend == PREPEND_FIRST && x->first);
    if (wanted && text.n && text.p[0] != ' ' && !begins)
        buf_put_span(&b, s->text);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ' ')
            buf_put_span(&b, s->text);
        else
            buf_put_u8(&b, text.p[i]);
    return rewritten(x, &b, next);
}

bool encode_split(struct encoder *x, struct span text, size_t step)
{
    if (step == x->t->split_count)
        return encode_word(x, text);
    const struct split_step *s = &x->t->split[step];
    switch (s->kind) {
    case SPLIT_PATTERN:
        return split_pattern(x, text, s, step + 1);
    case SPLIT_PREFIX_SPACE:
        return prefix_space(x, text, step + 1);
    case SPLIT_METASPACE:
        return metaspace(x, text, s, step + 1);
    case SPLIT_SHOW_BYTES:
        return show_bytes(x, text, step + 1);
    case SPLIT_DIGITS_3:
        return split_digits(x, text, s, step + 1);
    }
    return false;
}
