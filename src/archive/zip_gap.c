/*
 * Bytes of a zip that its directory does not explain. Readers that walk local
 * headers (streaming ones, and those that repair) find members there which
 * others never see; a broken tail makes everything such a member.
 */
#include "archive/zip.h"

#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 200, HIDDEN_MOST = 10000 };

/* Offset of the next local header at or after `from`, or `to`. */
static uint64_t next_local(struct zip *z, uint64_t from, uint64_t to)
{
    struct window w;
    uint64_t at = to;
    struct input part = input_part(z->in, from, to - from);
    if (!window_open(&w, part)) {
        z->failed = true;
        return to;
    }
    while (at == to && window_left(&w) >= 4) {
        struct span s = window_peek(&w, WINDOW_TAKE);
        if (s.n < 4)
            break;
        const uint8_t *p = memchr(s.p, 'P', s.n - 3);
        if (p && load_u32le(p) == ZIP_LOCAL)
            at = from + window_at(&w) + (uint64_t)(p - s.p);
        window_skip(&w, p ? (uint64_t)(p - s.p) + 1 : s.n - 3);
    }
    window_close(&w);
    return at;
}

static bool all_zero(struct zip *z, uint64_t from, uint64_t to)
{
    uint8_t chunk[4096];
    struct err ignored = ERR_INIT;
    for (uint64_t at = from, n; at < to; at += n) {
        n = to - at < sizeof chunk ? to - at : sizeof chunk;
        if (!input_read(z->in, chunk, at, (size_t)n, &ignored))
            return false;
        for (size_t i = 0; i < n; i++)
            if (chunk[i])
                return false;
    }
    return true;
}

static void note_bytes(struct zip *z, uint64_t from, uint64_t to)
{
    if (from == to || all_zero(z, from, to))
        return;
    zip_note(z, from == 0 ? ARCHIVE_PREFIX : ARCHIVE_GAP, from,
             "%llu bytes belong to no member of the archive", (unsigned long long)(to - from));
}

/* Where the bytes of a hidden member end: as its header says, or, when sizes
 * follow the data, where the next member or the gap ends. */
static void add_hidden(struct zip *z, const struct zip_header *h, uint64_t to, uint64_t *end)
{
    char shown[SHOWN];
    struct archive_member *m = zip_add(z);
    if (!m)
        return;
    uint64_t left = to > h->end ? to - h->end : 0;
    bool unsized = (h->flags & ZIP_SIZES_FOLLOW) && h->stored == 0;
    *m = (struct archive_member){.name = h->name,
                                 .header = h->offset,
                                 .data = h->end,
                                 .stored = unsized || h->stored > left ? left : h->stored,
                                 .size = h->size,
                                 .crc = unsized ? 0 : h->crc,
                                 .method = h->method,
                                 .has_crc = !unsized,
                                 .encrypted = (h->flags & ZIP_ENCRYPTED) != 0,
                                 .hidden = true,
                                 .folder = span_ends(h->name, "/") && h->size == 0};
    zip_note(z, ARCHIVE_HIDDEN, h->offset,
             "\"%s\" has a local header and no entry in the directory",
             text_shown(shown, sizeof shown, h->name));
    if (archive_name_escapes(h->name))
        zip_note(z, ARCHIVE_TRAVERSAL, h->offset, "\"%s\" leads out of the folder", shown);
    if (!unsized && h->stored > left)
        zip_note(z, ARCHIVE_TRUNCATED, h->offset, "\"%s\" claims %llu bytes and %llu are left",
                 shown, (unsigned long long)h->stored, (unsigned long long)left);
    /* What follows a descriptor is found by its signature again. */
    *end = unsized ? h->end : h->end + m->stored;
}

void zip_gap(struct zip *z, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; from < to && !z->failed; i++) {
        struct zip_header h;
        uint64_t at = next_local(z, from, to), end = at + 1;
        if (i == HIDDEN_MOST) {
            zip_note(z, ARCHIVE_LIMIT, from, "more than %d hidden members; the rest is not read",
                     HIDDEN_MOST);
            return;
        }
        bool member = at < to && zip_local(z, at, &h);
        if (member || at == to)
            note_bytes(z, from, at);
        if (member)
            add_hidden(z, &h, to, &end);
        from = at == to ? to : end;
    }
}
