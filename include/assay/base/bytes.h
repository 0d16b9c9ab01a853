/*
 * Borrowed bytes, the bounded cursor every parser reads through, and the
 * bounded growing buffer every writer writes to.
 *
 * No parser does pointer arithmetic on input. A cursor records its first
 * fault with its offset, moves to the end and makes every later read return
 * zero, so that a parser reads as the format's grammar and asks cursor_ok
 * once per item. A cursor may stand on a window that grows on demand
 * (see source_cursor); its `size` is always the logical end of the input, so
 * counts are judged against bytes that exist, not bytes already in memory.
 */
#ifndef ASSAY_BASE_BYTES_H
#define ASSAY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assay/base/err.h"

/* Borrowed bytes: never freed through the span, not NUL-terminated. */
struct span {
    const uint8_t *p;
    size_t n;
};

#define SPAN_EMPTY ((struct span){NULL, 0})

struct span span_str(const char *s); /* borrowed; NULL gives the empty span */
bool span_eq(struct span a, struct span b);
bool span_is(struct span a, const char *s);
bool span_among(struct span a, const char *words); /* equals one of them; blanks divide them */
int span_cmp(struct span a, struct span b);        /* bytewise, shorter first: <0, 0, >0 */
bool span_starts(struct span a, const char *prefix);
bool span_ends(struct span a, const char *suffix);
/* Bytes [from, from+n) of s, clipped to s. */
struct span span_sub(struct span s, size_t from, size_t n);

/*
 * Called when a cursor needs bytes that are not in memory yet: make at least
 * `need` bytes from the start of the input available (need <= size) and
 * return how many are. The window's address never changes. A smaller return
 * than `need` means a read error.
 */
typedef size_t cursor_fill(void *arg, size_t need);

struct cursor {
    const uint8_t *base; /* first byte of the input */
    size_t pos;          /* next byte to read */
    size_t avail;        /* bytes in memory, from base */
    size_t size;         /* logical end of the input */
    size_t limit;        /* bytes beyond this are never brought into memory; 0: no limit */
    uint64_t origin;     /* offset in the file of base[0] */
    bool big_endian;     /* how cursor_u16.. read; little-endian by default */
    cursor_fill *fill;   /* NULL: everything is in memory */
    void *fill_arg;
    const char *fault; /* NULL while all is well; a constant text otherwise */
    uint64_t fault_at; /* file offset of the first fault */
    enum err_code fault_code;
};

struct cursor cursor_over(struct span s);
bool cursor_ok(const struct cursor *c);
size_t cursor_left(const struct cursor *c);
/* File offset of the next byte. */
uint64_t cursor_at(const struct cursor *c);

/* Record a fault at the current offset, unless there is one, and move to the end. */
void cursor_fault(struct cursor *c, enum err_code code, const char *text);
/* The cursor's fault as an err; returns cursor_ok. */
bool cursor_check(const struct cursor *c, struct err *e);

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
float cursor_f32(struct cursor *c);
double cursor_f64(struct cursor *c);
/* n bytes, borrowed from the input; empty on a fault. n may be any claim. */
struct span cursor_take(struct cursor *c, uint64_t n);
void cursor_skip(struct cursor *c, uint64_t n);
/* Move to an absolute position in the input. */
void cursor_seek(struct cursor *c, uint64_t pos);

/*
 * A claimed count of items of at least `min_size` bytes each (min_size > 0):
 * returns it when the bytes left can hold it, faults and returns 0 otherwise.
 * Every count passes here before anything is allocated or looped over.
 */
uint64_t cursor_count(struct cursor *c, uint64_t claimed, size_t min_size);
/* `v` when v <= max; faults and returns 0 otherwise. */
uint64_t cursor_atmost(struct cursor *c, uint64_t v, uint64_t max, const char *what);

/* Unaligned loads from memory that the caller has bounded. */
uint16_t load_u16le(const uint8_t *p);
uint32_t load_u32le(const uint8_t *p);
uint64_t load_u64le(const uint8_t *p);
void store_u16le(uint8_t *p, uint16_t v);
void store_u32le(uint8_t *p, uint32_t v);
void store_u64le(uint8_t *p, uint64_t v);
void store_u64be(uint8_t *p, uint64_t v);

/* Checked products and sums: false on overflow, *out untouched. */
bool size_mul(uint64_t *out, uint64_t a, uint64_t b) ASSAY_MUST_CHECK;
bool size_add(uint64_t *out, uint64_t a, uint64_t b) ASSAY_MUST_CHECK;

/*
 * A growing buffer with a maximum. Once an append fails (maximum or memory)
 * it stays failed and later appends do nothing: test buf_ok once at the end.
 */
struct buf {
    uint8_t *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
void buf_clear(struct buf *b);
bool buf_ok(const struct buf *b);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_span(struct buf *b, struct span s);
/* n bytes more, for the caller to write before anything else is appended; NULL when failed. */
uint8_t *buf_add(struct buf *b, size_t n);
/* Room for n bytes that are to be appended: one allocation instead of several. */
bool buf_room(struct buf *b, size_t n);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16le(struct buf *b, uint16_t v);
void buf_put_u32le(struct buf *b, uint32_t v);
void buf_put_u64le(struct buf *b, uint64_t v);
void buf_put_u64be(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* Borrowed until the next append. */
struct span buf_span(const struct buf *b);
/* NUL-terminated view (the NUL is not counted); borrowed until the next append. */
const char *buf_cstr(struct buf *b);

#endif
