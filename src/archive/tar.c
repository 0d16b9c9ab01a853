/*
 * A tar archive, header by header: ustar, GNU long names and pax records.
 * POSIX.1-2017 pax "ustar Interchange Format" and "pax Header Block".
 */
#include "assay/archive.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum {
    BLOCK = 512,
    NAME = 0,
    SIZE = 124,
    CHECKSUM = 148,
    TYPE = 156,
    LINK = 157,
    MAGIC = 257,
    PREFIX = 345,
    PAX_MOST = 1 << 20,
    SHOWN = 200
};

struct tar {
    const struct input *in;
    struct arena *a;
    struct archive *out;
    size_t cap;
    archive_note *note;
    void *arg;
    struct err *e;
    bool failed;
    struct span name, link; /* from a long-name or pax header, for the next member */
    bool has_size;
    uint64_t size;
};

static void note(struct tar *t, enum archive_quirk quirk, uint64_t at, const char *fmt, ...)
    ASSAY_PRINTF(4, 5);
static void note(struct tar *t, enum archive_quirk quirk, uint64_t at, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    t->note(t->arg, quirk, at, text);
}

/* Octal with spaces and NUL around it, or GNU's base 256. */
static bool number(const uint8_t *p, size_t n, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    if (p[0] & 0x80) {
        for (i = n > 8 ? n - 8 : 1; i < n; i++)
            *out = *out << 8 | p[i];
        return p[0] == 0x80;
    }
    while (i < n && p[i] == ' ')
        i++;
    size_t first = i;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        *out = *out << 3 | (uint64_t)(p[i] - '0');
    return i > first && (i == n || p[i] == 0 || p[i] == ' ');
}

/* The sum of all bytes with the field itself as spaces, unsigned or (old) signed. Those spaces
 * alone are 256: small numbers happen to be the signed sum of small numbers. */
static bool checksum_ok(const uint8_t *h)
{
    enum { LEAST = 8 * ' ' };
    uint64_t claimed;
    int64_t plain = 0, sign = 0;
    if (!number(h + CHECKSUM, 8, &claimed) || claimed < LEAST)
        return false;
    for (size_t i = 0; i < BLOCK; i++) {
        bool field = i >= CHECKSUM && i < CHECKSUM + 8;
        plain += field ? ' ' : h[i];
        sign += field ? ' ' : (int8_t)h[i];
    }
    return (int64_t)claimed == plain || (int64_t)claimed == sign;
}

bool tar_sniff(struct span head)
{
    if (head.n < BLOCK || head.p[0] == 0)
        return false;
    return checksum_ok(head.p) || memcmp(head.p + MAGIC, "ustar", 5) == 0;
}

static struct span field(const uint8_t *p, size_t n)
{
    const uint8_t *end = n ? memchr(p, 0, n) : NULL;
    return (struct span){p, end ? (size_t)(end - p) : n};
}

static struct span name_of(struct tar *t, const uint8_t *h)
{
    if (t->name.n)
        return t->name;
    struct span name = field(h + NAME, 100), prefix = field(h + PREFIX, 155);
    bool ustar = memcmp(h + MAGIC, "ustar\0", 6) == 0;
    char *joined = ustar && prefix.n
                       ? arena_printf(t->a, "%.*s/%.*s", (int)prefix.n, (const char *)prefix.p,
                                      (int)name.n, (const char *)name.p)
                       : arena_str(t->a, name);
    if (!joined)
        t->failed = true;
    return span_str(joined);
}

/* ---- headers about the next member ---- */

/* "LENGTH KEY=VALUE\n", LENGTH counting itself. */
static void read_pax(struct tar *t, struct span s, uint64_t at)
{
    while (s.n) {
        size_t n = 0, i = 0;
        for (; i < s.n && i < 9 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            n = n * 10 + (size_t)(s.p[i] - '0');
        if (i == s.n || s.p[i] != ' ' || n <= i + 1 || n > s.n) {
            note(t, ARCHIVE_DIRECTORY_BROKEN, at, "a pax record is broken");
            return;
        }
        struct span record = span_sub(s, i + 1, n - i - 2);
        if (span_starts(record, "path="))
            t->name = span_sub(record, 5, record.n);
        else if (span_starts(record, "linkpath="))
            t->link = span_sub(record, 9, record.n);
        else if (span_starts(record, "size="))
            t->has_size = text_u64(span_sub(record, 5, record.n), &t->size);
        s = span_sub(s, n, s.n);
    }
}

static void read_about(struct tar *t, uint8_t type, uint64_t at, uint64_t size)
{
    struct span body;
    if (size > PAX_MOST) {
        note(t, ARCHIVE_LIMIT, at, "a header about the next member has %llu bytes and is not read",
             (unsigned long long)size);
        return;
    }
    if (!input_load(&body, t->in, at, (size_t)size, t->a, t->e)) {
        t->failed = true;
        return;
    }
    if (type == 'x')
        read_pax(t, body, at);
    else if (type == 'L')
        t->name = field(body.p, body.n);
    else if (type == 'K')
        t->link = field(body.p, body.n);
}

/* ---- members ---- */

static void check_type(struct tar *t, const uint8_t *h, struct span name, uint64_t at)
{
    char a[SHOWN], b[SHOWN];
    uint8_t type = h[TYPE];
    struct span link = t->link.n ? t->link : field(h + LINK, 100);
    text_shown(a, sizeof a, name);
    if (archive_name_escapes(name))
        note(t, ARCHIVE_TRAVERSAL, at, "\"%s\" leads out of the folder", a);
    if (utf8_invalid(name) != TEXT_VALID)
        note(t, ARCHIVE_NAME_ODD, at, "\"%s\"", a);
    if (type == '1' || type == '2') {
        /* A hard link counts from the archive's top. */
        bool out =
            type == '2' ? archive_link_escapes(name, link, t->a) : archive_name_escapes(link);
        note(t, out ? ARCHIVE_LINK_OUTSIDE : ARCHIVE_LINK, at, "\"%s\" is a link to \"%s\"", a,
             text_shown(b, sizeof b, link));
    } else if (type == '3' || type == '4' || type == '6') {
        note(t, ARCHIVE_SPECIAL, at, "\"%s\" is a device or FIFO", a);
    }
}

static bool has_data(uint8_t type)
{
    return !(type >= '1' && type <= '6');
}

/* Returns the bytes of data that follow the header. */
static uint64_t read_member(struct tar *t, const uint8_t *h, uint64_t at)
{
    uint64_t size = 0, left = t->in->size - at - BLOCK;
    uint8_t type = h[TYPE];
    if (!number(h + SIZE, 12, &size))
        note(t, ARCHIVE_DIRECTORY_BROKEN, at, "a member's size is no number");
    if (type == 'x' || type == 'L' || type == 'K' || type == 'g') {
        if (size > left)
            note(t, ARCHIVE_TRUNCATED, at, "a header claims %llu bytes and %llu are left",
                 (unsigned long long)size, (unsigned long long)left);
        else
            read_about(t, type, at + BLOCK, size);
        return size < left ? size : left;
    }
    if (t->has_size)
        size = t->size;
    struct span name = name_of(t, h);
    check_type(t, h, name, at);
    if (!has_data(type))
        size = 0;
    if (size > left) {
        note(t, ARCHIVE_TRUNCATED, at, "a member claims %llu bytes and %llu are left",
             (unsigned long long)size, (unsigned long long)left);
        size = left;
    }
    struct archive_member *all =
        arena_grow(t->a, t->out->members, t->out->count, &t->cap, sizeof *all);
    if (!all) {
        t->failed = true;
        return size;
    }
    t->out->members = all;
    all[t->out->count++] =
        (struct archive_member){.name = name,
                                .header = at,
                                .data = at + BLOCK,
                                .stored = size,
                                .size = size,
                                .folder = !has_data(type) || span_ends(name, "/")};
    t->name = t->link = SPAN_EMPTY;
    t->has_size = false;
    return size;
}

static bool is_zero(const uint8_t *h)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (h[i])
            return false;
    return true;
}

/* After two blocks of zeros nothing but zeros (the padding of a tape) may follow. */
static void check_rest(struct tar *t, uint64_t at)
{
    uint8_t h[BLOCK];
    for (uint64_t n; at < t->in->size && !t->failed; at += n) {
        n = t->in->size - at < BLOCK ? t->in->size - at : BLOCK;
        memset(h, 0, sizeof h);
        if (!input_read(t->in, h, at, (size_t)n, t->e)) {
            t->failed = true;
        } else if (!is_zero(h)) {
            note(t, ARCHIVE_TRAILING, at, "%llu bytes follow the end of the archive",
                 (unsigned long long)(t->in->size - at));
            return;
        }
    }
}

bool tar_read(struct archive *out, const struct input *in, struct arena *a, archive_note *n,
              void *arg, struct err *e)
{
    struct tar t = {.in = in, .a = a, .out = out, .note = n, .arg = arg, .e = e};
    uint8_t h[BLOCK];
    uint64_t at = 0;
    *out = (struct archive){.explained = in->size};
    while (!t.failed && in->size - at >= BLOCK) {
        if (!input_read(in, h, at, BLOCK, e))
            return false;
        if (is_zero(h)) {
            check_rest(&t, at);
            return !t.failed;
        }
        if (!checksum_ok(h))
            note(&t, ARCHIVE_CHECKSUM, at, "the header's checksum is wrong");
        if (out->count == ARCHIVE_MEMBERS || (!checksum_ok(h) && at > 0)) {
            note(&t, ARCHIVE_LIMIT, at, "the archive is not read beyond this place");
            return true;
        }
        uint64_t size = read_member(&t, h, at);
        uint64_t next = at + BLOCK + size + (BLOCK - size % BLOCK) % BLOCK;
        at = next < in->size ? next : in->size;
    }
    if (!t.failed && (out->count == 0 || at < in->size))
        note(&t, ARCHIVE_TRUNCATED, at, "the archive ends without its two blocks of zeros");
    return !t.failed || err_set(e, ERR_MEMORY, "out of memory");
}
