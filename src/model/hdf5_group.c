/*
 * What groups lead to: link messages of the newer form, and the symbol tables
 * of the older one. IV.A.2.g links, III.A B-trees, III.B symbol tables, III.D
 * local heaps.
 */
#include "model/hdf5.h"

#include <string.h>

#include "assay/base/text.h"

enum {
    LINK_HARD = 0,
    LINK_SOFT = 1,
    LINK_EXTERNAL = 64,
    NODE_HEAD = 24,
    ENTRY = 40,         /* bytes of a symbol table entry */
    CACHE_SYMBOLIC = 2, /* kind of an entry that is a symbolic link */
    SHOWN = 120
};

bool hdf5_enter(struct hdf5 *h, uint64_t at, const char *path, struct span name)
{
    uint32_t previous;
    uint64_t *key = arena_alloc(h->a, sizeof *key);
    if (!key) {
        h->no_memory = true;
        return false;
    }
    *key = at;
    if (!map_put(&h->seen, (struct span){(const uint8_t *)key, sizeof *key}, 0, &previous)) {
        h->no_memory = true;
        return false;
    }
    if (previous != MAP_NONE) /* a second name of it, or a way back */
        return true;
    if (h->queue_count == HDF5_OBJECTS || strlen(path) + name.n + 1 > HDF5_PATH) {
        hdf5_unread(h, at, "more objects, or longer names, than are followed");
        return true;
    }
    char *own = arena_printf(h->a, "%s%s%.*s", path, *path ? "/" : "", (int)name.n,
                             name.n ? (const char *)name.p : "");
    struct hdf5_object *all =
        arena_grow(h->a, h->queue, h->queue_count, &h->queue_cap, sizeof *all);
    if (!own || !all) {
        h->no_memory = true;
        return false;
    }
    h->queue = all;
    h->queue[h->queue_count++] = (struct hdf5_object){.at = at, .path = own};
    return true;
}

static void note_out(struct hdf5 *h, uint64_t at, struct span name)
{
    char shown[SHOWN];
    content_note(h->c, RULE_HDF5_EXTERNAL, at, 0, "the link \"%s\" leads to another file",
                 text_shown(shown, sizeof shown, name));
}

void hdf5_link(struct hdf5 *h, const struct hdf5_object *group, struct span message, uint64_t at)
{
    struct cursor c = cursor_over(message);
    uint8_t version = cursor_u8(&c), flags = cursor_u8(&c);
    uint8_t kind = flags & 8 ? cursor_u8(&c) : LINK_HARD;
    cursor_skip(&c, (flags & 4 ? 8u : 0) + (flags & 16 ? 1u : 0));
    struct span width = cursor_take(&c, (size_t)1 << (flags & 3));
    uint64_t n = 0;
    for (size_t i = width.n; i-- > 0;)
        n = n << 8 | width.p[i];
    struct span name = cursor_take(&c, n);
    if (!cursor_ok(&c) || version != 1) {
        hdf5_unread(h, at, "a link");
        return;
    }
    if (kind == LINK_HARD && cursor_left(&c) >= HDF5_ADDRESS)
        (void)hdf5_enter(h, cursor_u64(&c), group->path, name);
    else if (kind == LINK_EXTERNAL)
        note_out(h, at, name);
    else if (kind != LINK_SOFT) /* which leads to a name of this file, or nowhere */
        hdf5_unread(h, at, "a link of a kind of its own");
}

/* ---- symbol tables ---- */

struct table {
    struct hdf5 *h;
    const struct hdf5_object *group;
    struct span names; /* the local heap's data */
};

static struct span name_at(const struct table *t, uint64_t offset)
{
    if (offset >= t->names.n)
        return SPAN_EMPTY;
    struct span s = span_sub(t->names, (size_t)offset, t->names.n);
    s.n = strnlen((const char *)s.p, s.n);
    return s;
}

static void read_symbols(const struct table *t, uint64_t at)
{
    struct span head, s;
    if (!hdf5_load(t->h, at, 8, &head) || memcmp(head.p, "SNOD", 4) != 0 ||
        !hdf5_load(t->h, at + 8, (uint64_t)load_u16le(head.p + 6) * ENTRY, &s)) {
        hdf5_unread(t->h, at, "a symbol table node");
        return;
    }
    for (size_t i = 0; i + ENTRY <= s.n && !t->h->no_memory; i += ENTRY) {
        struct span name = name_at(t, load_u64le(s.p + i));
        if (!name.n)
            hdf5_unread(t->h, at + 8 + i, "a link without a name");
        else if (load_u32le(s.p + i + 16) != CACHE_SYMBOLIC)
            (void)hdf5_enter(t->h, load_u64le(s.p + i + 8), t->group->path, name);
    }
}

/* Levels go down by one, so that no tree leads back into itself. */
static void read_tree(const struct table *t, uint64_t at, unsigned level, bool top)
{
    struct span head, s;
    bool ok = hdf5_load(t->h, at, NODE_HEAD, &head) && memcmp(head.p, "TREE", 4) == 0 &&
              head.p[4] == 0 && (top || head.p[5] == level) && head.p[5] < 16;
    size_t used = ok ? load_u16le(head.p + 6) : 0;
    /* A key, then children and keys in turn. */
    if (!ok || !hdf5_load(t->h, at + NODE_HEAD, (2 * used + 1) * HDF5_ADDRESS, &s)) {
        hdf5_unread(t->h, at, "a group's tree");
        return;
    }
    level = head.p[5];
    for (size_t i = 0; i < used && !t->h->no_memory; i++) {
        uint64_t child = load_u64le(s.p + (2 * i + 1) * HDF5_ADDRESS);
        if (level)
            read_tree(t, child, level - 1, false);
        else
            read_symbols(t, child);
    }
}

void hdf5_table(struct hdf5 *h, const struct hdf5_object *group, struct span message)
{
    struct table t = {h, group, SPAN_EMPTY};
    struct span heap;
    if (message.n < 2 * HDF5_ADDRESS || !hdf5_load(h, load_u64le(message.p + 8), 32, &heap) ||
        memcmp(heap.p, "HEAP", 4) != 0 ||
        !hdf5_load(h, load_u64le(heap.p + 24), load_u64le(heap.p + 8), &t.names)) {
        hdf5_unread(h, group->at, "a group's names");
        return;
    }
    read_tree(&t, load_u64le(message.p), 0, true);
}
