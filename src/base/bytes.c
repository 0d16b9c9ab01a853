/* Spans and the bounded cursor. */
#include "assay/base/bytes.h"

#include <string.h>

struct span span_str(const char *s)
{
    return s ? (struct span){(const uint8_t *)s, strlen(s)} : SPAN_EMPTY;
}

bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_is(struct span a, const char *s)
{
    return span_eq(a, span_str(s));
}

bool span_among(struct span a, const char *words)
{
    for (const char *at = words; a.n && *at;) {
        size_t n = strcspn(at, " ");
        if (n == a.n && memcmp(at, a.p, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool span_starts(struct span a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

bool span_ends(struct span a, const char *suffix)
{
    size_t n = strlen(suffix);
    return a.n >= n && (n == 0 || memcmp(a.p + (a.n - n), suffix, n) == 0);
}

struct span span_sub(struct span s, size_t from, size_t n)
{
    if (from >= s.n)
        return SPAN_EMPTY;
    return (struct span){s.p + from, n < s.n - from ? n : s.n - from};
}

struct cursor cursor_over(struct span s)
{
    return (struct cursor){.base = s.p, .avail = s.n, .size = s.n};
}

bool cursor_ok(const struct cursor *c)
{
    return c->fault == NULL;
}

size_t cursor_left(const struct cursor *c)
{
    return c->size - c->pos;
}

uint64_t cursor_at(const struct cursor *c)
{
    return c->origin + c->pos;
}

void cursor_fault(struct cursor *c, enum err_code code, const char *text)
{
    if (!c->fault) {
        c->fault = text;
        c->fault_code = code;
        c->fault_at = cursor_at(c);
    }
    c->pos = c->size;
}

bool cursor_check(const struct cursor *c, struct err *e)
{
    return !c->fault || err_at(e, c->fault_code, NULL, c->fault_at, "%s", c->fault);
}

/* The next n bytes, in memory; NULL and a fault when they do not exist. */
static const uint8_t *need(struct cursor *c, uint64_t n)
{
    /* Where an input without memory ends there is no address to add to. */
    static const uint8_t nothing[1];
    if (c->fault)
        return NULL;
    if (n == 0)
        return nothing;
    if (n > c->size - c->pos) {
        cursor_fault(c, ERR_FORMAT, "the input ends before the bytes that are declared here");
        return NULL;
    }
    size_t end = c->pos + (size_t)n;
    if (c->limit && end > c->limit) {
        cursor_fault(c, ERR_LIMIT, "the limit on bytes held in memory is reached here");
        return NULL;
    }
    if (end > c->avail) {
        if (c->fill)
            c->avail = c->fill(c->fill_arg, end);
        if (end > c->avail) {
            cursor_fault(c, ERR_IO, "the bytes could not be read");
            return NULL;
        }
    }
    const uint8_t *p = c->base + c->pos;
    c->pos = end;
    return p;
}

uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *p = need(c, 1);
    return p ? p[0] : 0;
}

uint16_t cursor_u16(struct cursor *c)
{
    const uint8_t *p = need(c, 2);
    if (!p)
        return 0;
    return c->big_endian ? __builtin_bswap16(load_u16le(p)) : load_u16le(p);
}

uint32_t cursor_u32(struct cursor *c)
{
    const uint8_t *p = need(c, 4);
    if (!p)
        return 0;
    return c->big_endian ? __builtin_bswap32(load_u32le(p)) : load_u32le(p);
}

uint64_t cursor_u64(struct cursor *c)
{
    const uint8_t *p = need(c, 8);
    if (!p)
        return 0;
    return c->big_endian ? __builtin_bswap64(load_u64le(p)) : load_u64le(p);
}

float cursor_f32(struct cursor *c)
{
    uint32_t bits = cursor_u32(c);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

double cursor_f64(struct cursor *c)
{
    uint64_t bits = cursor_u64(c);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

struct span cursor_take(struct cursor *c, uint64_t n)
{
    const uint8_t *p = need(c, n);
    return p ? (struct span){p, (size_t)n} : SPAN_EMPTY;
}

void cursor_skip(struct cursor *c, uint64_t n)
{
    if (c->fault)
        return;
    if (n > c->size - c->pos)
        cursor_fault(c, ERR_FORMAT, "the input ends before the bytes that are declared here");
    else
        c->pos += (size_t)n;
}

void cursor_seek(struct cursor *c, uint64_t pos)
{
    if (c->fault)
        return;
    if (pos > c->size)
        cursor_fault(c, ERR_FORMAT, "an offset points beyond the end of the input");
    else
        c->pos = (size_t)pos;
}

uint64_t cursor_count(struct cursor *c, uint64_t claimed, size_t min_size)
{
    if (c->fault)
        return 0;
    if (claimed > (c->size - c->pos) / min_size) {
        cursor_fault(c, ERR_FORMAT, "a count is larger than the bytes left can hold");
        return 0;
    }
    return claimed;
}

uint64_t cursor_atmost(struct cursor *c, uint64_t v, uint64_t max, const char *what)
{
    if (v <= max)
        return v;
    cursor_fault(c, ERR_FORMAT, what);
    return 0;
}

uint16_t load_u16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t load_u32le(const uint8_t *p)
{
    return (uint32_t)load_u16le(p) | (uint32_t)load_u16le(p + 2) << 16;
}

uint64_t load_u64le(const uint8_t *p)
{
    return (uint64_t)load_u32le(p) | (uint64_t)load_u32le(p + 4) << 32;
}

void store_u16le(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void store_u32le(uint8_t *p, uint32_t v)
{
    store_u16le(p, (uint16_t)v);
    store_u16le(p + 2, (uint16_t)(v >> 16));
}

void store_u64le(uint8_t *p, uint64_t v)
{
    store_u32le(p, (uint32_t)v);
    store_u32le(p + 4, (uint32_t)(v >> 32));
}

void store_u64be(uint8_t *p, uint64_t v)
{
    store_u64le(p, __builtin_bswap64(v));
}

bool size_mul(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool size_add(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}
