/* The bounded growing buffer. */
#include "assay/base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

enum { FIRST_CAP = 256 }; /* what most need, in one allocation */

/* Room for n more bytes and a NUL, or failed. */
static bool reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->n) {
        b->failed = true;
        return false;
    }
    if (b->n + n < b->cap)
        return true;
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap <= b->n + n && cap < SIZE_MAX / 2)
        cap *= 2;
    uint8_t *p = cap > b->n + n ? realloc(b->p, cap) : NULL;
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || !reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

uint8_t *buf_add(struct buf *b, size_t n)
{
    if (!reserve(b, n))
        return NULL;
    b->n += n;
    return b->p + b->n - n;
}

bool buf_room(struct buf *b, size_t n)
{
    return reserve(b, n);
}

void buf_put_span(struct buf *b, struct span s)
{
    buf_put(b, s.p, s.n);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put_span(b, span_str(s));
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void buf_put_u16le(struct buf *b, uint16_t v)
{
    uint8_t raw[2];
    store_u16le(raw, v);
    buf_put(b, raw, sizeof raw);
}

void buf_put_u32le(struct buf *b, uint32_t v)
{
    uint8_t raw[4];
    store_u32le(raw, v);
    buf_put(b, raw, sizeof raw);
}

void buf_put_u64le(struct buf *b, uint64_t v)
{
    uint8_t raw[8];
    store_u64le(raw, v);
    buf_put(b, raw, sizeof raw);
}

void buf_put_u64be(struct buf *b, uint64_t v)
{
    buf_put_u64le(b, __builtin_bswap64(v));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = b->cap - b->n; /* mostly it is enough */
    int n = vsnprintf(room ? (char *)b->p + b->n : NULL, room, fmt, args);
    if (n < 0)
        b->failed = true;
    else if (n > 0 && reserve(b, (size_t)n)) {
        if ((size_t)n >= room)
            vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

struct span buf_span(const struct buf *b)
{
    return (struct span){b->p, b->n};
}

const char *buf_cstr(struct buf *b)
{
    if (!b->p)
        reserve(b, 0);
    if (!b->p)
        return "";
    b->p[b->n] = '\0';
    return (const char *)b->p;
}
