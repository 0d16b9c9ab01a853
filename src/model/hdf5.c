/*
 * HDF5, as far as Keras puts code into it: the attributes of the root group,
 * where model_config and training_config stand. Everything else is data, which
 * is not listed. HDF5 File Format Specification 3.0: II.A superblock, IV.A
 * object headers, IV.A.2.m attributes, III.E global heaps.
 */
#include "model/keras.h"

#include <string.h>

#include "assay/base/text.h"

enum {
    SIGNATURE = 8,
    MESSAGE_ATTRIBUTE = 0x0c,
    MESSAGE_CONTINUATION = 0x10,
    MESSAGE_ATTRIBUTE_INFO = 0x15,
    CLASS_STRING = 3,
    CLASS_VARIABLE = 9,
    BLOCKS = 64,
    LOOKUPS = 64,
    HEADER_MOST = 1 << 20,
    TEXT_MOST = 64 << 20,
    SHOWN = 80
};

struct hdf5 {
    const struct content *c;
    struct arena *a;
    bool unread; /* attributes may exist that were not reached */
    bool no_memory;
    size_t configs;
    unsigned lookups; /* of heaps */
};

bool hdf5_sniff(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= SIGNATURE && memcmp(head.p, "\x89HDF\r\n\x1a\n", SIGNATURE) == 0;
}

static bool load(struct hdf5 *h, uint64_t at, uint64_t n, struct span *out)
{
    struct err why = ERR_INIT;
    if (at > h->c->in.size || n > h->c->in.size - at || n > TEXT_MOST)
        return false;
    if (input_load(out, &h->c->in, at, (size_t)n, h->a, &why))
        return true;
    h->no_memory = h->no_memory || why.code == ERR_MEMORY;
    return false;
}

/* ---- texts ---- */

/* Object `index` of the global heap collection at `at`; indices have 16 bits, so many objects at
 * most are looked at. */
static bool heap_text(struct hdf5 *h, uint64_t at, uint32_t index, uint32_t n, struct span *out,
                      uint64_t *where)
{
    struct span head;
    if (!load(h, at, 16, &head) || memcmp(head.p, "GCOL", 4) != 0)
        return false;
    uint64_t size = load_u64le(head.p + 8), from = 16;
    if (size > h->c->in.size - at)
        return false;
    for (unsigned i = 0; i < UINT16_MAX && from + 16 <= size; i++) {
        uint8_t o[16];
        struct err ignored = ERR_INIT;
        if (!input_read(&h->c->in, o, at + from, sizeof o, &ignored))
            return false;
        uint64_t bytes = load_u64le(o + 8);
        if (load_u16le(o) == index) {
            *where = at + from + 16;
            return n <= bytes && load(h, *where, n, out);
        }
        if (bytes > size || load_u16le(o) == 0)
            return false;
        from += 16 + (bytes + 7) / 8 * 8;
    }
    return false;
}

static bool is_config(struct span name)
{
    return span_is(name, "model_config") || span_is(name, "training_config");
}

static void judge_text(struct hdf5 *h, struct span name, struct span text, uint64_t at)
{
    while (text.n && text.p[text.n - 1] == 0)
        text.n--;
    if (is_config(name) && text.n) {
        h->configs++;
        h->no_memory = !keras_judge(h->c, text, at) || h->no_memory;
    }
}

/* ---- attributes ---- */

static size_t padded(size_t n, bool pad)
{
    return pad ? (n + 7) / 8 * 8 : n;
}

/* Version 1 pads its parts to eight bytes, 2 and 3 do not. */
static void read_attribute(struct hdf5 *h, struct span m, uint64_t at)
{
    struct cursor c = cursor_over(m);
    uint8_t version = cursor_u8(&c);
    cursor_u8(&c);
    size_t name_n = cursor_u16(&c), type_n = cursor_u16(&c), space_n = cursor_u16(&c);
    if (version == 3)
        cursor_u8(&c);
    struct span name = cursor_take(&c, padded(name_n, version == 1));
    struct span type = cursor_take(&c, padded(type_n, version == 1));
    cursor_skip(&c, padded(space_n, version == 1));
    if (!cursor_ok(&c) || type.n < 8 || version < 1 || version > 3) {
        h->unread = true;
        return;
    }
    name.n = strnlen((const char *)name.p, name.n);
    uint8_t class = type.p[0] & 0x0f;
    struct span text = span_sub(m, c.pos, m.n);
    uint64_t where = at + c.pos;
    if (class == CLASS_STRING) {
        text.n = load_u32le(type.p + 4) < text.n ? load_u32le(type.p + 4) : text.n;
    } else if (class == CLASS_VARIABLE && text.n >= 16 && is_config(name)) {
        if (++h->lookups > LOOKUPS || !heap_text(h, load_u64le(text.p + 4), load_u32le(text.p + 12),
                                                 load_u32le(text.p), &text, &where)) {
            h->unread = true;
            return;
        }
    } else {
        return; /* numbers */
    }
    judge_text(h, name, text, where);
}

static void read_message(struct hdf5 *h, uint16_t type, struct span body, uint64_t at,
                         uint64_t next[2])
{
    if (type == MESSAGE_ATTRIBUTE)
        read_attribute(h, body, at);
    else if (type == MESSAGE_CONTINUATION && body.n >= 16) {
        next[0] = load_u64le(body.p);
        next[1] = load_u64le(body.p + 8);
    } else if (type == MESSAGE_ATTRIBUTE_INFO && body.n >= 10) {
        /* Attributes in a heap of their own, unless its address says there are none. */
        size_t skip = 2u + (body.p[1] & 1 ? 2u : 0);
        if (body.n >= skip + 8 && load_u64le(body.p + skip) != UINT64_MAX)
            h->unread = true;
    }
}

/* Messages of one block of a header; `order`: version 2 with creation order. */
static void read_block(struct hdf5 *h, uint64_t at, struct span s, bool old, bool order,
                       uint64_t next[2])
{
    struct cursor c = cursor_over(s);
    size_t head = old ? 8 : order ? 6 : 4;
    while (!h->no_memory && cursor_left(&c) >= head) {
        uint16_t type = old ? cursor_u16(&c) : cursor_u8(&c);
        uint16_t n = cursor_u16(&c);
        cursor_skip(&c, head - (old ? 4 : 3));
        uint64_t body = at + c.pos;
        struct span m = cursor_take(&c, n);
        if (!cursor_ok(&c)) {
            h->unread = true;
            return;
        }
        read_message(h, type, m, body, next);
    }
}

static void read_header(struct hdf5 *h, uint64_t at)
{
    struct span head, block;
    uint64_t next[2] = {0, 0}, n, from;
    bool old = true, order = false;
    h->unread = true;
    if (!load(h, at, 16, &head))
        return;
    if (memcmp(head.p, "OHDR", 4) == 0) {
        uint8_t flags = head.p[5];
        size_t skip = 6u + (flags & 0x20 ? 16u : 0) + (flags & 0x10 ? 4u : 0);
        size_t width = (size_t)1 << (flags & 3);
        if (!load(h, at, skip + 8, &head))
            return;
        n = load_u64le(head.p + skip) & (width == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * width) - 1);
        from = at + skip + width;
        old = false;
        order = flags & 4;
    } else if (head.p[0] == 1) {
        n = load_u32le(head.p + 8);
        from = at + 16;
    } else {
        return;
    }
    h->unread = false;
    for (unsigned i = 0; n && !h->no_memory; i++) {
        if (i == BLOCKS || n > HEADER_MOST || !load(h, from, n, &block)) {
            h->unread = true;
            return;
        }
        next[0] = next[1] = 0;
        size_t skip = !old && i ? 4 : 0, tail = !old && i ? 4 : 0; /* OCHK and its checksum */
        if (block.n >= skip + tail)
            read_block(h, from + skip, span_sub(block, skip, block.n - skip - tail), old, order,
                       next);
        from = next[0];
        n = next[1];
    }
}

/* The root group's header: in the symbol table entry before version 2, a field after. */
static bool root_of(struct hdf5 *h, uint64_t *root)
{
    struct span s;
    if (!load(h, 0, 48, &s) || (s.p[8] < 2 && !load(h, 0, 96, &s)))
        return false;
    uint8_t version = s.p[8];
    if (version > 3 || s.p[version < 2 ? 13 : 9] != 8)
        return false;
    *root = load_u64le(s.p + (version == 0 ? 64 : version == 1 ? 68 : 36));
    return true;
}

bool hdf5_examine(const struct content *c)
{
    struct hdf5 h = {.c = c, .a = arena_new((size_t)256 << 20)};
    uint64_t root;
    if (!h.a)
        return false;
    if (root_of(&h, &root))
        read_header(&h, root);
    else
        h.unread = true;
    arena_free(h.a);
    if (h.unread || !h.configs) {
        content_note(c, RULE_FOLDER_NOT_READ, 0, 0, "HDF5 is recognised and not read%s",
                     h.unread ? ", and its attributes only in part" : "");
        content_incomplete(c);
    } else {
        content_note(c, RULE_KERAS_WEIGHTS, 0, 0,
                     "the configuration was judged, the weights are not listed");
    }
    return !h.no_memory;
}
