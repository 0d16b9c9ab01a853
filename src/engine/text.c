/*
 * An answer's text: tokens are decoded as they come, and the end of what was
 * decoded is held back while a stop string could begin in it.
 */
#include "engine/text.h"

#include <string.h>

enum { TEXT_MAX = 1 << 26 };

void text_start(struct answer_text *t, const struct tokenizer *tokenizer,
                const struct engine_request *r)
{
    unsigned flags = DECODE_REPLACE_BAD | (r->special ? DECODE_SPECIAL : 0);
    *t = (struct answer_text){.on = tokenizer != NULL, .stop_count = r->stop_count};
    buf_init(&t->held, TEXT_MAX);
    buf_init(&t->show, TEXT_MAX);
    if (t->on)
        decoder_init(&t->decoder, tokenizer, flags | DECODE_CONTINUES);
    for (size_t i = 0; i < r->stop_count; i++)
        t->stops[i] = r->stops[i];
}

void text_free(struct answer_text *t)
{
    buf_free(&t->held);
    buf_free(&t->show);
}

/* Where the first complete stop string begins; n when there is none. */
static size_t stop_at(const struct answer_text *t, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < t->stop_count; k++) {
            struct span s = t->stops[k];
            if (s.n != 0 && s.n <= n - i && memcmp(p + i, s.p, s.n) == 0)
                return i;
        }
    }
    return n;
}

/* The longest end of the text that is the beginning of a stop string. */
static size_t begun(const struct answer_text *t, const uint8_t *p, size_t n)
{
    size_t most = 0;
    for (size_t k = 0; k < t->stop_count; k++) {
        struct span s = t->stops[k];
        for (size_t length = s.n < n + 1 ? s.n : n + 1; length-- > 1;) {
            if (length > most && length <= n && memcmp(p + n - length, s.p, length) == 0)
                most = length;
        }
    }
    return most;
}

static struct span show(struct answer_text *t, size_t n, bool keep_rest)
{
    buf_clear(&t->show);
    buf_put(&t->show, t->held.p, n);
    size_t rest = keep_rest ? t->held.n - n : 0;
    if (rest != 0)
        memmove(t->held.p, t->held.p + n, rest);
    t->held.n = rest;
    return buf_span(&t->show);
}

struct span text_push(struct answer_text *t, uint32_t id, bool *stopped)
{
    struct err e = ERR_INIT;
    *stopped = false;
    if (!t->on || !decoder_push(&t->decoder, id, &t->held, &e))
        return SPAN_EMPTY;
    size_t n = t->held.n, at = stop_at(t, t->held.p, n);
    if (at < n) {
        *stopped = true;
        return show(t, at, false);
    }
    return show(t, n - begun(t, t->held.p, n), true);
}

struct span text_finish(struct answer_text *t)
{
    if (!t->on)
        return SPAN_EMPTY;
    decoder_finish(&t->decoder, &t->held);
    return show(t, t->held.n, false);
}
