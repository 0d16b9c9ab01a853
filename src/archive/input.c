/* Bytes at any place, and the window that slides over them. */
#include "assay/archive.h"

#include <stdlib.h>
#include <string.h>

static bool read_memory(const void *arg, void *buf, uint64_t offset, size_t n, struct err *e)
{
    (void)e;
    memcpy(buf, (const uint8_t *)arg + offset, n);
    return true;
}

struct input input_memory(struct span s)
{
    return (struct input){.read = read_memory, .arg = s.p, .size = s.n};
}

struct input input_part(const struct input *in, uint64_t from, uint64_t n)
{
    struct input part = *in;
    if (from > in->size)
        from = in->size;
    part.start = in->start + from;
    part.size = n < in->size - from ? n : in->size - from;
    if (!in->derived)
        part.origin = in->origin + from;
    return part;
}

uint64_t input_origin(const struct input *in, uint64_t at)
{
    return in->derived ? in->origin : in->origin + at;
}

bool input_read(const struct input *in, void *buf, uint64_t at, size_t n, struct err *e)
{
    if (at > in->size || n > in->size - at)
        return err_at(e, ERR_FORMAT, NULL, input_origin(in, at),
                      "%zu bytes were asked for and %llu are there", n,
                      (unsigned long long)(at < in->size ? in->size - at : 0));
    return n == 0 || in->read(in->arg, buf, in->start + at, n, e);
}

bool input_load(struct span *out, const struct input *in, uint64_t at, size_t n, struct arena *a,
                struct err *e)
{
    *out = SPAN_EMPTY;
    if (at >= in->size)
        return true;
    if (n > in->size - at)
        n = (size_t)(in->size - at);
    uint8_t *p = arena_alloc(a, n ? n : 1);
    if (!p)
        return err_set(e, ERR_MEMORY, "out of memory");
    if (!input_read(in, p, at, n, e))
        return false;
    *out = (struct span){p, n};
    return true;
}

/* ---- window ---- */

enum { FETCH_FIRST = 4 << 10 };

bool window_open(struct window *w, struct input in)
{
    *w = (struct window){.in = in, .fetch = FETCH_FIRST, .error = ERR_INIT};
    w->buf = malloc(WINDOW_BYTES);
    return w->buf != NULL;
}

void window_close(struct window *w)
{
    free(w->buf);
    w->buf = NULL;
}

void window_fault(struct window *w, enum err_code code, const char *text)
{
    if (!w->fault) {
        w->fault = text;
        w->fault_code = code;
        w->fault_at = window_at(w);
    }
    w->base = w->in.size;
    w->have = w->pos = 0;
}

/* Keep what is left, then read on: little at first, more while it goes on. */
static bool refill(struct window *w, size_t n)
{
    size_t left = w->have - w->pos;
    uint64_t from = w->base + w->have, there = w->in.size - from;
    size_t want = n - left > w->fetch ? n - left : (size_t)w->fetch;
    memmove(w->buf, w->buf + w->pos, left);
    w->base += w->pos;
    w->pos = 0;
    w->have = left;
    if (want > WINDOW_BYTES - left)
        want = WINDOW_BYTES - left;
    if (want > there)
        want = (size_t)there;
    if (!input_read(&w->in, w->buf + left, from, want, &w->error)) {
        window_fault(w, ERR_IO, "the bytes could not be read");
        return false;
    }
    w->have += want;
    if (w->fetch < WINDOW_TAKE)
        w->fetch *= 2;
    return true;
}

bool window_need(struct window *w, size_t n)
{
    if (w->fault)
        return false;
    if (n <= w->have - w->pos)
        return true;
    if (n > window_left(w)) {
        window_fault(w, ERR_FORMAT, "the input ends before the bytes that are declared here");
        return false;
    }
    if (n > WINDOW_TAKE) {
        window_fault(w, ERR_LIMIT, "more bytes at once than are read");
        return false;
    }
    return refill(w, n);
}

struct span window_take(struct window *w, size_t n)
{
    if (!window_need(w, n))
        return SPAN_EMPTY;
    struct span s = {w->buf + w->pos, n};
    w->pos += n;
    return s;
}

struct span window_peek(struct window *w, size_t n)
{
    uint64_t left = window_left(w);
    if (n > left)
        n = (size_t)left;
    return window_need(w, n) ? (struct span){w->buf + w->pos, n} : SPAN_EMPTY;
}

void window_seek(struct window *w, uint64_t at)
{
    if (w->fault)
        return;
    if (at > w->in.size) {
        window_fault(w, ERR_FORMAT, "an offset points beyond the end of the input");
    } else if (at >= w->base && at <= w->base + w->have) {
        w->pos = (size_t)(at - w->base);
    } else {
        w->base = at;
        w->have = w->pos = 0;
        w->fetch = FETCH_FIRST;
    }
}

void window_skip(struct window *w, uint64_t n)
{
    if (n > window_left(w))
        window_fault(w, ERR_FORMAT, "the input ends before the bytes that are declared here");
    else
        window_seek(w, window_at(w) + n);
}

struct span window_line(struct window *w)
{
    for (size_t want = 128, seen = 0;; want *= 2) {
        struct span s = window_peek(w, want < WINDOW_TAKE ? want : WINDOW_TAKE);
        const uint8_t *end = s.n > seen ? memchr(s.p + seen, '\n', s.n - seen) : NULL;
        if (end) {
            s.n = (size_t)(end - s.p);
            w->pos += s.n + 1;
            return s;
        }
        if (s.n == window_left(w) || want >= WINDOW_TAKE) {
            window_fault(w, s.n < WINDOW_TAKE ? ERR_FORMAT : ERR_LIMIT,
                         s.n < WINDOW_TAKE ? "the input ends within a line"
                                           : "a line is longer than is read");
            return SPAN_EMPTY;
        }
        seen = s.n;
    }
}
