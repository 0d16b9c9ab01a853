/*
 * A zip by its central directory, each entry against its local header. The
 * bytes between are for zip_gap.c. APPNOTE.TXT 6.3.10 sections 4.3 and 4.4.
 */
#include "archive/zip.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"

enum { SHOWN = 200, END_SEARCH = ZIP_END_SIZE + UINT16_MAX, DESCRIPTOR_MOST = 24 };

void zip_note(struct zip *z, enum archive_quirk quirk, uint64_t at, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    z->note(z->arg, quirk, at, text);
}

struct archive_member *zip_add(struct zip *z)
{
    struct archive_member *all =
        arena_grow(z->a, z->out->members, z->out->count, &z->cap, sizeof *all);
    if (!all) {
        z->failed = true;
        err_set(z->e, ERR_MEMORY, "out of memory");
        return NULL;
    }
    z->out->members = all;
    return &all[z->out->count++];
}

/* ---- one header ---- */

/* 4.5.3: only the fields that are all ones stand in it, in this order. */
void zip_extra64(struct zip_header *h, struct span extra, bool central)
{
    struct cursor c = cursor_over(extra);
    while (cursor_left(&c) >= 4) {
        uint16_t id = cursor_u16(&c), n = cursor_u16(&c);
        struct span body = cursor_take(&c, n);
        if (id != 1 || !cursor_ok(&c))
            continue;
        struct cursor f = cursor_over(body);
        if (h->size == UINT32_MAX && cursor_left(&f) >= 8)
            h->size = cursor_u64(&f);
        if (h->stored == UINT32_MAX && cursor_left(&f) >= 8)
            h->stored = cursor_u64(&f);
        if (central && h->offset == UINT32_MAX && cursor_left(&f) >= 8)
            h->offset = cursor_u64(&f);
        return;
    }
}

bool zip_local(struct zip *z, uint64_t at, struct zip_header *h)
{
    uint8_t fixed[ZIP_LOCAL_SIZE];
    struct err ignored = ERR_INIT;
    *h = (struct zip_header){.offset = at};
    if (at > z->in->size || z->in->size - at < sizeof fixed ||
        !input_read(z->in, fixed, at, sizeof fixed, &ignored) || load_u32le(fixed) != ZIP_LOCAL)
        return false;
    h->flags = load_u16le(fixed + 6);
    h->method = load_u16le(fixed + 8);
    h->crc = load_u32le(fixed + 14);
    h->stored = load_u32le(fixed + 18);
    h->size = load_u32le(fixed + 22);
    size_t name = load_u16le(fixed + 26), extra = load_u16le(fixed + 28);
    h->end = at + sizeof fixed + name + extra;
    struct span rest;
    if (h->end > z->in->size ||
        !input_load(&rest, z->in, at + sizeof fixed, name + extra, z->a, &ignored))
        return false;
    h->name = span_sub(rest, 0, name);
    zip_extra64(h, span_sub(rest, name, extra), false);
    return true;
}

static bool central(struct cursor *c, struct zip_header *h)
{
    if (cursor_left(c) < ZIP_CENTRAL_SIZE || cursor_u32(c) != ZIP_CENTRAL)
        return false;
    h->made_by = cursor_u16(c);
    cursor_u16(c);
    h->flags = cursor_u16(c);
    h->method = cursor_u16(c);
    cursor_u32(c);
    h->crc = cursor_u32(c);
    h->stored = cursor_u32(c);
    h->size = cursor_u32(c);
    uint16_t name = cursor_u16(c), extra = cursor_u16(c), comment = cursor_u16(c);
    cursor_u32(c); /* disk, internal attributes */
    h->attributes = cursor_u32(c);
    h->offset = cursor_u32(c);
    h->name = cursor_take(c, name);
    zip_extra64(h, cursor_take(c, extra), true);
    cursor_skip(c, comment);
    return cursor_ok(c);
}

/* ---- an entry against its local header ---- */

static void compare(struct zip *z, const struct zip_header *c, const struct zip_header *l)
{
    char a[SHOWN], b[SHOWN];
    text_shown(a, sizeof a, c->name);
    if (!span_eq(c->name, l->name))
        zip_note(z, ARCHIVE_NAMES, l->offset, "the directory says \"%s\", the local header \"%s\"",
                 a, text_shown(b, sizeof b, l->name));
    if (c->method != l->method)
        zip_note(z, ARCHIVE_HEADERS, l->offset, "\"%s\": method %u in the directory, %u locally", a,
                 (unsigned)c->method, (unsigned)l->method);
    if ((c->flags ^ l->flags) & (ZIP_ENCRYPTED | ZIP_STRONG | ZIP_PATCHED | ZIP_MASKED))
        zip_note(z, ARCHIVE_HEADERS, l->offset, "\"%s\": flags 0x%x in the directory, 0x%x locally",
                 a, (unsigned)c->flags, (unsigned)l->flags);
    if (l->flags & ZIP_SIZES_FOLLOW)
        return;
    if (c->stored != l->stored || c->size != l->size)
        zip_note(z, ARCHIVE_HEADERS, l->offset,
                 "\"%s\": %llu of %llu bytes in the directory, %llu of %llu locally", a,
                 (unsigned long long)c->stored, (unsigned long long)c->size,
                 (unsigned long long)l->stored, (unsigned long long)l->size);
    if (c->crc != l->crc)
        zip_note(z, ARCHIVE_HEADERS, l->offset, "\"%s\": CRC %08x in the directory, %08x locally",
                 a, (unsigned)c->crc, (unsigned)l->crc);
}

/* Made on Unix, and a symbolic link there (APPNOTE 4.4.15, st_mode). */
static bool is_link(const struct zip_header *h)
{
    enum { UNIX = 3, IFMT = 0170000, IFLNK = 0120000 };
    return h->made_by >> 8 == UNIX && (h->attributes >> 16 & IFMT) == IFLNK;
}

static bool odd_name(struct span s)
{
    if (utf8_invalid(s) != TEXT_VALID)
        return true;
    for (size_t i = 0; i < s.n;)
        if (unicode_is_hidden(utf8_next(s, &i)))
            return true;
    return false;
}

static void check_name(struct zip *z, const struct zip_header *h)
{
    char shown[SHOWN];
    text_shown(shown, sizeof shown, h->name);
    if (archive_name_escapes(h->name))
        zip_note(z, ARCHIVE_TRAVERSAL, h->offset, "\"%s\" leads out of the folder", shown);
    if (odd_name(h->name))
        zip_note(z, ARCHIVE_NAME_ODD, h->offset, "\"%s\"", shown);
}

/* A link's bytes are where it leads. */
static void check_link(struct zip *z, const struct zip_header *h, const struct zip_header *local)
{
    char name[SHOWN], to[SHOWN];
    struct span target = SPAN_EMPTY;
    struct err ignored = ERR_INIT;
    if (!is_link(h))
        return;
    bool read = h->method == ZIP_STORED && h->stored <= ARCHIVE_NAME &&
                input_load(&target, z->in, local->end, (size_t)h->stored, z->a, &ignored);
    bool out = !read || archive_link_escapes(h->name, target, z->a);
    zip_note(z, out ? ARCHIVE_LINK_OUTSIDE : ARCHIVE_LINK, h->offset,
             "\"%s\" is a symbolic link to \"%s\"", text_shown(name, sizeof name, h->name),
             read ? text_shown(to, sizeof to, target) : "what is compressed");
}

static bool member_of(struct zip *z, const struct zip_header *h, const struct zip_header *local,
                      bool hidden)
{
    char shown[SHOWN];
    struct archive_member *m = zip_add(z);
    if (!m)
        return false;
    text_shown(shown, sizeof shown, h->name);
    *m = (struct archive_member){.name = h->name,
                                 .header = local->offset,
                                 .data = local->end,
                                 .stored = h->stored,
                                 .size = h->size,
                                 .crc = h->crc,
                                 .method = h->method,
                                 .has_crc = true,
                                 .encrypted = ((h->flags | local->flags) & ZIP_ENCRYPTED) != 0,
                                 .hidden = hidden,
                                 .folder = span_ends(h->name, "/") && h->size == 0};
    if (m->encrypted)
        zip_note(z, ARCHIVE_ENCRYPTED, local->offset, "\"%s\" is marked as encrypted", shown);
    else if ((h->flags | local->flags) & (ZIP_STRONG | ZIP_MASKED | ZIP_PATCHED))
        zip_note(z, ARCHIVE_HEADERS, local->offset,
                 "\"%s\" has flags 0x%x, which readers refuse or misread", shown,
                 (unsigned)(h->flags | local->flags));
    if (m->method != ZIP_STORED && m->method != ZIP_DEFLATED)
        zip_note(z, ARCHIVE_METHOD, local->offset, "\"%s\" is compressed by method %u", shown,
                 (unsigned)m->method);
    if (m->stored > z->in->size - m->data) {
        zip_note(z, ARCHIVE_TRUNCATED, local->offset, "\"%s\" claims %llu bytes and %llu are left",
                 shown, (unsigned long long)m->stored, (unsigned long long)(z->in->size - m->data));
        m->stored = z->in->size - m->data;
    }
    return true;
}

static void add_entry(struct zip *z, struct zip_header *h)
{
    char shown[SHOWN];
    struct zip_header local;
    uint64_t at = h->offset + z->shift;
    h->offset = at;
    check_name(z, h);
    if (at < h->offset || !zip_local(z, at, &local)) {
        zip_note(z, ARCHIVE_HEADERS, at,
                 "\"%s\": there is no local header where the directory says",
                 text_shown(shown, sizeof shown, h->name));
        struct archive_member *m = zip_add(z);
        if (m)
            *m = (struct archive_member){.name = h->name, .header = at, .data = at, .broken = true};
        return;
    }
    compare(z, h, &local);
    check_link(z, h, &local);
    member_of(z, h, &local, false);
}

/* ---- the end of the archive ---- */

/* The end record that readers take: the last whose comment reaches the end of
 * the file, else the last at all. */
static bool find_end(struct zip *z, uint8_t record[ZIP_END_SIZE])
{
    struct span tail;
    uint64_t size = z->in->size;
    size_t n = size < END_SEARCH ? (size_t)size : END_SEARCH, best = SIZE_MAX;
    if (!input_load(&tail, z->in, size - n, n, z->a, z->e)) {
        z->failed = true;
        return false;
    }
    for (size_t i = n < ZIP_END_SIZE ? 0 : n - ZIP_END_SIZE + 1; i-- > 0;) {
        if (load_u32le(tail.p + i) != ZIP_END)
            continue;
        size_t comment = load_u16le(tail.p + i + 20);
        bool exact = i + ZIP_END_SIZE + comment == n;
        if (best == SIZE_MAX || exact)
            best = i;
        if (exact)
            break;
    }
    if (best == SIZE_MAX)
        return false;
    memcpy(record, tail.p + best, ZIP_END_SIZE);
    z->tail = size - n + best;
    struct span comment = span_sub(tail, best + ZIP_END_SIZE, load_u16le(record + 20));
    z->out->comment = comment;
    z->end = z->tail + ZIP_END_SIZE + comment.n;
    return true;
}

/* 4.3.14: sizes that do not fit the end record stand in another before it. */
static uint64_t end64(struct zip *z, uint64_t entries)
{
    uint8_t r[ZIP_END64_SIZE];
    struct err ignored = ERR_INIT;
    uint64_t at = z->tail;
    if (at < ZIP_LOCATOR_SIZE ||
        !input_read(z->in, r, at - ZIP_LOCATOR_SIZE, ZIP_LOCATOR_SIZE, &ignored) ||
        load_u32le(r) != ZIP_LOCATOR64)
        return entries;
    at -= ZIP_LOCATOR_SIZE;
    uint64_t record = load_u64le(r + 8);
    bool there = input_read(z->in, r, record, sizeof r, &ignored) && load_u32le(r) == ZIP_END64;
    if (!there && at >= ZIP_END64_SIZE) { /* its offset does not count what stands before */
        record = at - ZIP_END64_SIZE;
        there = input_read(z->in, r, record, sizeof r, &ignored) && load_u32le(r) == ZIP_END64;
    }
    if (!there) {
        zip_note(z, ARCHIVE_DIRECTORY_BROKEN, at, "the zip64 locator points to no record");
        return entries;
    }
    z->directory_size = load_u64le(r + 40);
    z->directory = load_u64le(r + 48);
    z->tail = record;
    return load_u64le(r + 32);
}

/* The directory ends where the end records begin; what is between that and
 * the declared offset stands before the archive. */
static bool locate(struct zip *z, uint64_t *entries)
{
    uint8_t r[ZIP_END_SIZE];
    if (!find_end(z, r))
        return false;
    z->directory_size = load_u32le(r + 12);
    z->directory = load_u32le(r + 16);
    *entries = end64(z, load_u16le(r + 10));
    uint64_t end;
    if (!size_add(&end, z->directory, z->directory_size) || end > z->tail)
        return false;
    z->shift = z->tail - end;
    z->directory += z->shift;
    return true;
}

static bool read_directory(struct zip *z, uint64_t entries)
{
    struct span text;
    size_t n =
        z->directory_size < ARCHIVE_DIRECTORY ? (size_t)z->directory_size : ARCHIVE_DIRECTORY;
    if (!input_load(&text, z->in, z->directory, n, z->a, z->e)) {
        z->failed = true;
        return false;
    }
    struct cursor c = cursor_over(text);
    uint64_t seen = 0;
    for (; !z->failed && cursor_left(&c) > 0; seen++) {
        struct zip_header h = {0};
        uint64_t at = z->directory + c.pos;
        if (seen == ARCHIVE_MEMBERS || !central(&c, &h)) {
            bool limit = seen == ARCHIVE_MEMBERS || n < z->directory_size;
            zip_note(z, limit ? ARCHIVE_LIMIT : ARCHIVE_DIRECTORY_BROKEN, at,
                     limit ? "the directory is longer than is read"
                           : "an entry of the directory is broken");
            return false;
        }
        add_entry(z, &h);
    }
    if (seen != entries && !z->failed)
        zip_note(z, ARCHIVE_DIRECTORY_BROKEN, z->directory,
                 "the end record counts %llu members, the directory holds %llu",
                 (unsigned long long)entries, (unsigned long long)seen);
    return !z->failed;
}

/* ---- all of it ---- */

static int by_place(const void *a, const void *b)
{
    const struct archive_member *x = a, *y = b;
    if (x->header != y->header)
        return x->header < y->header ? -1 : 1;
    return span_cmp(x->name, y->name);
}

/* After the data a descriptor of 12 to 24 bytes may follow. */
static uint64_t after(struct zip *z, const struct archive_member *m)
{
    uint8_t d[DESCRIPTOR_MOST] = {0};
    struct err ignored = ERR_INIT;
    uint64_t at = m->data + m->stored, left = z->in->size - at;
    size_t n = left < sizeof d ? (size_t)left : sizeof d;
    if (m->broken || !input_read(z->in, d, at, n, &ignored))
        return at;
    size_t sign = n >= 4 && load_u32le(d) == ZIP_DESCRIPTOR ? 4 : 0;
    if (n < sign + 12 || load_u32le(d + sign) != m->crc)
        return at;
    if (n >= sign + 20 && load_u64le(d + sign + 4) == m->stored)
        return at + sign + 20;
    return load_u32le(d + sign + 4) == (uint32_t)m->stored ? at + sign + 12 : at;
}

static void walk_gaps(struct zip *z)
{
    size_t listed = z->out->count;
    uint64_t at = 0;
    if (listed)
        qsort(z->out->members, listed, sizeof *z->out->members, by_place);
    for (size_t i = 0; i < listed && !z->failed; i++) {
        struct archive_member m = z->out->members[i];
        if (m.broken)
            continue;
        if (m.header > at)
            zip_gap(z, at, m.header);
        else if (m.header < at)
            zip_note(z, ARCHIVE_OVERLAP, m.header, "members share bytes");
        uint64_t end = after(z, &m);
        if (end > at)
            at = end;
    }
    uint64_t stop = z->directory_size || listed ? z->directory : z->tail;
    if (!z->failed && stop > at)
        zip_gap(z, at, stop);
    if (z->out->count > listed)
        qsort(z->out->members, z->out->count, sizeof *z->out->members, by_place);
}

static void check_twins(struct zip *z)
{
    struct map names;
    char shown[SHOWN];
    if (!map_init(&names, z->a, z->out->count)) {
        z->failed = true;
        return;
    }
    for (size_t i = 0; i < z->out->count; i++) {
        uint32_t previous;
        const struct archive_member *m = &z->out->members[i];
        if (!map_put(&names, m->name, (uint32_t)i, &previous))
            z->failed = true;
        else if (previous != MAP_NONE)
            zip_note(z, ARCHIVE_DUPLICATE, m->header, "\"%s\" is there more than once",
                     text_shown(shown, sizeof shown, m->name));
    }
}

bool zip_read(struct archive *out, const struct input *in, struct arena *a, archive_note *note,
              void *arg, struct err *e)
{
    struct zip z = {.in = in, .a = a, .out = out, .note = note, .arg = arg, .e = e};
    uint64_t entries = 0;
    *out = (struct archive){0};
    if (locate(&z, &entries)) {
        if (z.shift)
            zip_note(&z, ARCHIVE_PREFIX, 0,
                     "%llu bytes stand before the archive and are not counted by it",
                     (unsigned long long)z.shift);
        read_directory(&z, entries);
        if (z.end < in->size)
            zip_note(&z, ARCHIVE_TRAILING, z.end, "%llu bytes follow the end of the archive",
                     (unsigned long long)(in->size - z.end));
    } else if (!z.failed) {
        zip_note(&z, ARCHIVE_DIRECTORY_BROKEN, 0,
                 "there is no directory at the end that can be read");
        z.directory = z.tail = in->size;
        z.directory_size = 0;
    }
    if (!z.failed)
        walk_gaps(&z);
    if (!z.failed)
        check_twins(&z);
    out->explained = z.end < in->size && z.end ? z.end : in->size;
    return !z.failed || err_set(e, ERR_MEMORY, "out of memory");
}
