/* A line at a time; only a line or an event that is cut by the feed is copied twice. */
#include "assay/sse.h"

#include <string.h>

#include "assay/base/text.h"

void sse_init(struct sse *s)
{
    *s = (struct sse){.offset = 0};
    buf_init(&s->line, SSE_EVENT_MAX);
    buf_init(&s->data, SSE_EVENT_MAX);
    buf_init(&s->event, 256);
}

void sse_free(struct sse *s)
{
    buf_free(&s->line);
    buf_free(&s->data);
    buf_free(&s->event);
}

/* A buffer that grew large for one event is given back. */
static void empty(struct buf *b)
{
    if (b->cap > 16384 || b->failed) {
        size_t max = b->max;
        buf_free(b);
        buf_init(b, max);
    }
    buf_clear(b);
}

static void dispatch(struct sse *s, uint64_t end, sse_visit *visit, void *arg)
{
    bool whole = !s->overflow && buf_ok(&s->data) && buf_ok(&s->event);
    if (s->any_data && whole) {
        struct sse_event e = {buf_span(&s->event), buf_span(&s->data), s->begin, end};
        visit(arg, &e);
    }
    s->overflows += !whole;
    s->any_data = s->overflow = s->started = false;
    empty(&s->data);
    empty(&s->event);
}

static void field(struct sse *s, struct span line)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    size_t n = colon ? (size_t)(colon - line.p) : line.n;
    struct span name = span_sub(line, 0, n), value = span_sub(line, n + 1, line.n);
    if (value.n && value.p[0] == ' ')
        value = span_sub(value, 1, value.n);
    if (span_is(name, "data")) {
        if (s->any_data)
            buf_put_u8(&s->data, '\n');
        buf_put_span(&s->data, value);
        s->any_data = true;
    } else if (span_is(name, "event")) {
        buf_clear(&s->event);
        buf_put_span(&s->event, value);
    }
}

static void line_ends(struct sse *s, struct span line, uint64_t end, sse_visit *visit, void *arg)
{
    if (line.n == 0 && !s->line.failed) {
        dispatch(s, end, visit, arg);
        s->begin = end;
    } else if (s->line.failed) {
        s->overflow = true;
    } else {
        s->started = true;
        field(s, line);
    }
    empty(&s->line);
}

/* The end of the line that begins at `at`, or bytes.n. */
static size_t find_end(struct span bytes, size_t at)
{
    while (at < bytes.n && bytes.p[at] != '\n' && bytes.p[at] != '\r')
        at++;
    return at;
}

void sse_feed(struct sse *s, struct span bytes, sse_visit *visit, void *arg)
{
    size_t at = 0;
    if (bytes.n && s->offset == 0 && bytes.p[0] == 0xEF && span_starts(bytes, "\xEF\xBB\xBF"))
        at = 3; /* a byte order mark */
    while (at < bytes.n) {
        if (s->after_return && bytes.p[at] == '\n') {
            s->after_return = false;
            at++;
            if (!s->started)
                s->begin = s->offset + at;
            continue;
        }
        s->after_return = false;
        size_t end = find_end(bytes, at);
        struct span part = span_sub(bytes, at, end - at);
        if (end == bytes.n) {
            buf_put_span(&s->line, part);
            break;
        }
        if (s->line.n || s->line.failed) {
            buf_put_span(&s->line, part);
            part = buf_span(&s->line);
        }
        s->after_return = bytes.p[end] == '\r';
        at = end + 1;
        line_ends(s, part, s->offset + at, visit, arg);
    }
    s->offset += bytes.n;
}

void sse_end(struct sse *s, sse_visit *visit, void *arg)
{
    if (s->line.n)
        line_ends(s, buf_span(&s->line), s->offset, visit, arg);
    if (s->started)
        dispatch(s, s->offset, visit, arg);
}
