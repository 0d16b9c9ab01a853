/*
 * From ids to text: each token stands for bytes, and characters come out when
 * their bytes are complete.
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "assay/base/text.h"

void decoder_init(struct decoder *d, const struct tokenizer *t, unsigned flags)
{
    *d = (struct decoder){.t = t, .flags = flags, .started = flags & DECODE_CONTINUES};
}

/* Bytes that a first byte demands; 0: it begins nothing. */
static unsigned sequence_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* May these bytes be the beginning of a character? (Unicode 15, table 3-7) */
static bool may_begin(const uint8_t *p, unsigned n)
{
    static const uint8_t tail[3] = {0x80, 0x80, 0x80};
    uint8_t whole[4];
    unsigned wanted = sequence_length(p[0]);
    if (wanted <= n)
        return false;
    memcpy(whole, p, n);
    memcpy(whole + n, tail, wanted - n);
    if (utf8_length(whole, wanted))
        return true;
    if (n > 1)
        return false;
    /* E0 and F0 need more than 80 next: the first byte alone may begin. */
    whole[1] = 0xBF;
    if (utf8_length(whole, wanted))
        return true;
    whole[1] = 0x9F;
    return utf8_length(whole, wanted) != 0;
}

static void put_bad(struct decoder *d, const uint8_t *p, size_t n, struct buf *out)
{
    if (d->flags & DECODE_REPLACE_BAD)
        utf8_put(out, 0xFFFD);
    else
        buf_put(out, p, n);
}

/* What is held and cannot go on to be a character comes out. */
static void put_byte(struct decoder *d, uint8_t byte, struct buf *out)
{
    d->held[d->held_count++] = byte;
    while (d->held_count) {
        size_t n = utf8_length(d->held, d->held_count);
        if (n) {
            buf_put(out, d->held, n);
        } else if (may_begin(d->held, d->held_count)) {
            return;
        } else {
            /* A maximal beginning is one replacement; a byte that begins nothing is one too. */
            n = d->held_count > 1 ? d->held_count - 1 : 1;
            put_bad(d, d->held, n, out);
        }
        d->held_count -= (unsigned)n;
        memmove(d->held, d->held + n, d->held_count);
    }
}

static void put_bytes(struct decoder *d, struct span bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (d->held_count == 0 && bytes.p[i] < 0x80)
            buf_put_u8(out, bytes.p[i]);
        else
            put_byte(d, bytes.p[i], out);
    }
}

static bool put_token(struct decoder *d, uint32_t id, struct buf *out, struct err *e)
{
    struct token token;
    if (!tokenizer_token(&token, d->t, id))
        return err_set(e, ERR_FORMAT, "no token has the id %u; the vocabulary ends at %zu", id,
                       d->t->count);
    bool control = token.type == TOKEN_CONTROL || token.type == TOKEN_UNKNOWN;
    if (control && !(d->flags & DECODE_SPECIAL))
        return true;
    struct span bytes = token.bytes;
    bool subword =
        d->t->subword.n && span_eq(span_sub(token.text, 0, d->t->subword.n), d->t->subword);
    if (subword)
        bytes = span_sub(bytes, d->t->subword.n, bytes.n);
    else if (d->t->spaces_between && d->started)
        put_bytes(d, span_str(" "), out);
    if (!d->started && d->t->strip_first && bytes.n && bytes.p[0] == ' ')
        bytes = span_sub(bytes, 1, bytes.n);
    d->started = true;
    put_bytes(d, bytes, out);
    return true;
}

bool decoder_push(struct decoder *d, uint32_t id, struct buf *out, struct err *e)
{
    return put_token(d, id, out, e) &&
           (buf_ok(out) || err_set(e, ERR_LIMIT, "the text is longer than %zu bytes", out->max));
}

void decoder_finish(struct decoder *d, struct buf *out)
{
    if (d->held_count)
        put_bad(d, d->held, d->held_count, out);
    d->held_count = 0;
}

bool tokenizer_decode(struct buf *out, const struct tokenizer *t, const uint32_t *ids, size_t n,
                      unsigned flags, struct err *e)
{
    struct decoder d;
    decoder_init(&d, t, flags);
    for (size_t i = 0; i < n; i++)
        if (!decoder_push(&d, ids[i], out, e))
            return false;
    decoder_finish(&d, out);
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the text is longer than %zu bytes", out->max);
}
