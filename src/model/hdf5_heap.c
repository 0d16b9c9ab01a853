/*
 * Heaps of HDF5: the global ones, which hold texts of any length, and the
 * fractal ones, in which a group with many links or attributes keeps them, found
 * through a B-tree of version 2. III.A.2 B-trees, III.E global, III.G fractal heaps.
 */
#include "model/hdf5.h"

#include <string.h>

enum { ITEM_HEAD = 16, LEVELS = 16, ID_MOST = 32 };

static bool peek(struct hdf5 *h, void *out, uint64_t at, size_t n)
{
    struct err ignored = ERR_INIT;
    return ++h->lookups <= HDF5_LOOKUPS && input_read(&h->c->in, out, at, n, &ignored);
}

/* ---- global heaps ---- */

/* Every object on the way counts: a file may ask for the last of many as often as it likes. */
bool hdf5_heap_item(struct hdf5 *h, uint64_t at, uint32_t index, uint32_t n, struct span *out,
                    uint64_t *where)
{
    struct span head;
    if (!hdf5_load(h, at, ITEM_HEAD, &head) || memcmp(head.p, "GCOL", 4) != 0)
        return false;
    uint64_t size = load_u64le(head.p + 8), from = ITEM_HEAD;
    if (size > h->c->in.size - at)
        return false;
    for (unsigned i = 0; i < UINT16_MAX && from + ITEM_HEAD <= size; i++) {
        uint8_t o[ITEM_HEAD];
        if (!peek(h, o, at + from, sizeof o))
            return false;
        uint64_t bytes = load_u64le(o + 8);
        if (load_u16le(o) == index) {
            *where = at + from + ITEM_HEAD;
            return n <= bytes && hdf5_load(h, *where, n, out);
        }
        if (bytes > size || load_u16le(o) == 0)
            return false;
        from += ITEM_HEAD + (bytes + 7) / 8 * 8;
    }
    return false;
}

/* ---- B-trees of version 2 ---- */

struct tree {
    struct hdf5 *h;
    uint32_t node; /* bytes of a node */
    uint16_t record;
    uint8_t type;
    unsigned depth;
    size_t count_size;         /* bytes that say how many records a child has */
    size_t total_size[LEVELS]; /* the same of all below it, by level */
    bool (*visit)(void *arg, struct span record);
    void *arg;
};

/* Bytes that hold a number up to n. */
static size_t bytes_for(uint64_t n)
{
    size_t bytes = 1;
    while (n >>= 8)
        bytes++;
    return bytes;
}

static uint64_t number(struct cursor *c, size_t width)
{
    struct span s = cursor_take(c, width);
    uint64_t n = 0;
    for (size_t i = s.n; i-- > 0;)
        n = n << 8 | s.p[i];
    return n;
}

/* As H5B2__hdr_init computes how many records fit, level by level. */
static bool size_levels(struct tree *t)
{
    enum { AROUND = 10 }; /* signature, version, type and checksum of a node */
    if (t->record == 0 || t->node < AROUND + (uint32_t)t->record || t->depth >= LEVELS)
        return false;
    uint64_t most = (t->node - AROUND) / t->record, all = most;
    t->count_size = bytes_for(most);
    t->total_size[0] = 0;
    for (unsigned level = 1; level <= t->depth; level++) {
        size_t pointer = HDF5_ADDRESS + t->count_size + t->total_size[level - 1];
        if (t->node < AROUND + pointer)
            return false;
        most = (t->node - (AROUND + pointer)) / (t->record + pointer);
        if (!size_mul(&all, all, most + 1))
            return false;
        all += most;
        t->total_size[level] = bytes_for(all);
    }
    return true;
}

/* Levels go down by one, so that no tree leads back into itself. */
static bool walk_node(const struct tree *t, uint64_t at, uint64_t count, unsigned level)
{
    struct span s;
    if (!hdf5_load(t->h, at, t->node, &s))
        return false;
    struct cursor c = cursor_over(s);
    struct span sign = cursor_take(&c, 4);
    cursor_skip(&c, 1);
    if (!cursor_ok(&c) || memcmp(sign.p, level ? "BTIN" : "BTLF", 4) != 0 ||
        cursor_u8(&c) != t->type)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        struct span record = cursor_take(&c, t->record);
        if (!cursor_ok(&c) || !t->visit(t->arg, record))
            return false;
    }
    for (uint64_t i = 0; level && i <= count; i++) {
        uint64_t child = cursor_u64(&c), records = number(&c, t->count_size);
        cursor_skip(&c, t->total_size[level - 1]);
        if (!cursor_ok(&c) || t->h->no_memory || !walk_node(t, child, records, level - 1))
            return false;
    }
    return true;
}

static bool walk_tree(struct tree *t, uint64_t at)
{
    struct span s;
    if (!hdf5_load(t->h, at, 34, &s) || memcmp(s.p, "BTHD", 4) != 0)
        return false;
    t->type = s.p[5];
    t->node = load_u32le(s.p + 6);
    t->record = load_u16le(s.p + 10);
    t->depth = load_u16le(s.p + 12);
    uint64_t root = load_u64le(s.p + 16);
    if (root == HDF5_NOWHERE)
        return true;
    return size_levels(t) && walk_node(t, root, load_u16le(s.p + 24), t->depth);
}

/* ---- fractal heaps ---- */

struct heap {
    struct hdf5 *h;
    const struct hdf5_object *owner;
    bool links;     /* or attributes */
    size_t skip;    /* bytes of a record before its identifier */
    size_t id_size; /* bytes of an identifier */
    size_t offset_size, length_size;
    uint64_t width, start, direct_most; /* blocks of a row; bytes of the first and of the largest */
    uint64_t root, huge;
    unsigned rows;
    /* What is looked for among the huge objects. */
    uint64_t key, found_at, found_size;
};

static unsigned log2_of(uint64_t n)
{
    unsigned bits = 0;
    while (n >>= 1)
        bits++;
    return bits;
}

static bool read_heap(struct heap *p, uint64_t at)
{
    struct span s;
    if (!hdf5_load(p->h, at, 142, &s) || memcmp(s.p, "FRHP", 4) != 0 || load_u16le(s.p + 7) != 0)
        return false; /* filters have not been seen in one */
    uint64_t managed = load_u32le(s.p + 10);
    p->id_size = load_u16le(s.p + 5);
    p->huge = load_u64le(s.p + 22);
    p->width = load_u16le(s.p + 110);
    p->start = load_u64le(s.p + 112);
    p->direct_most = load_u64le(s.p + 120);
    p->offset_size = (load_u16le(s.p + 128) + 7u) / 8;
    p->root = load_u64le(s.p + 132);
    p->rows = load_u16le(s.p + 140);
    bool power = p->start && !(p->start & (p->start - 1)) && p->width &&
                 !(p->width & (p->width - 1)) && p->direct_most >= p->start &&
                 p->direct_most <= UINT32_MAX;
    size_t direct = (log2_of(p->direct_most) + 7) / 8, any = bytes_for(managed);
    p->length_size = direct < any ? direct : any;
    return power && p->id_size > 1 && p->id_size <= ID_MOST && p->offset_size <= 8;
}

/* The block that holds an offset of the heap: rows double in size from the second on, and those
 * whose blocks would be too large hold tables of blocks instead. */
static bool find_block(struct heap *p, uint64_t offset, uint64_t *block, uint64_t *base,
                       uint64_t *size)
{
    unsigned direct_rows = log2_of(p->direct_most) - log2_of(p->start) + 2, rows = p->rows;
    uint64_t at = p->root, first = p->start * p->width;
    *base = 0;
    *size = p->start;
    for (unsigned level = 0; rows && level < LEVELS; level++) {
        uint64_t in = offset - *base;
        unsigned row = in < first ? 0 : log2_of(in / first) + 1;
        uint64_t bytes = row ? p->start << (row - 1) : p->start;
        uint64_t from = row ? first << (row - 1) : 0, column = (in - from) / bytes;
        /* Signature, version, the heap's address and the block's offset come before the table. */
        uint64_t entry =
            at + 5 + HDF5_ADDRESS + p->offset_size + (row * p->width + column) * HDF5_ADDRESS;
        uint8_t sign[4], address[HDF5_ADDRESS];
        if (row >= rows || row > 62 || !peek(p->h, sign, at, sizeof sign) ||
            memcmp(sign, "FHIB", 4) != 0 || !peek(p->h, address, entry, sizeof address))
            return false;
        at = load_u64le(address);
        *base += from + column * bytes;
        *size = bytes;
        if (row < direct_rows)
            rows = 0;
        else if (bytes < first)
            return false;
        else
            rows = log2_of(bytes) - log2_of(first) + 1;
    }
    *block = at;
    return rows == 0;
}

static bool managed_at(struct heap *p, struct cursor *c, uint64_t *at, uint64_t *n)
{
    uint64_t offset = number(c, p->offset_size), block, base, size;
    uint8_t sign[4];
    *n = number(c, p->length_size);
    if (!cursor_ok(c) || !find_block(p, offset, &block, &base, &size) || offset - base > size ||
        *n > size - (offset - base) || !peek(p->h, sign, block, sizeof sign) ||
        memcmp(sign, "FHDB", 4) != 0)
        return false;
    *at = block + (offset - base);
    return true;
}

/* Huge objects: address, length and key. */
static bool visit_huge(void *arg, struct span record)
{
    struct heap *p = arg;
    if (record.n < 24)
        return false;
    if (load_u64le(record.p + 16) == p->key) {
        p->found_at = load_u64le(record.p);
        p->found_size = load_u64le(record.p + 8);
    }
    return true;
}

static bool huge_at(struct heap *p, struct cursor *c, uint64_t *at, uint64_t *n)
{
    struct tree t = {.h = p->h, .visit = visit_huge, .arg = p};
    if (p->id_size > 2 * HDF5_ADDRESS) {
        *at = cursor_u64(c);
        *n = cursor_u64(c);
        return cursor_ok(c);
    }
    p->key = number(c, cursor_left(c) < 8 ? cursor_left(c) : 8);
    p->found_at = HDF5_NOWHERE;
    if (!walk_tree(&t, p->huge) || t.type != 1 || p->found_at == HDF5_NOWHERE)
        return false;
    *at = p->found_at;
    *n = p->found_size;
    return true;
}

static bool object_of(struct heap *p, struct span id, struct span *body, uint64_t *at)
{
    enum { MANAGED = 0, HUGE_ONE = 1, TINY = 2 };
    struct cursor c = cursor_over(id);
    uint8_t flags = cursor_u8(&c);
    uint64_t n;
    if (flags >> 6 != 0)
        return false;
    if ((flags >> 4 & 3) == TINY) {
        *at = 0;
        *body = cursor_take(&c, (flags & 15u) + 1);
        return cursor_ok(&c);
    }
    bool ok = (flags >> 4 & 3) == MANAGED    ? managed_at(p, &c, at, &n)
              : (flags >> 4 & 3) == HUGE_ONE ? huge_at(p, &c, at, &n)
                                             : false;
    return ok && hdf5_load(p->h, *at, n, body);
}

static bool visit_record(void *arg, struct span record)
{
    struct heap *p = arg;
    struct span body;
    uint64_t at = 0;
    if (record.n < p->skip + p->id_size)
        return false;
    /* An attribute that several objects share stands in another heap. */
    bool shared = !p->links && record.n > p->id_size && record.p[p->id_size] & HDF5_SHARED;
    if (shared || !object_of(p, span_sub(record, p->skip, p->id_size), &body, &at))
        return false;
    if (p->links)
        hdf5_link(p->h, p->owner, body, at);
    else
        hdf5_attribute(p->h, body, at);
    return !p->h->no_memory;
}

void hdf5_dense(struct hdf5 *h, const struct hdf5_object *o, uint64_t heap, uint64_t index,
                bool links)
{
    enum { LINK_NAMES = 5, ATTRIBUTE_NAMES = 8, HASH = 4 };
    struct heap p = {.h = h, .owner = o, .links = links, .skip = links ? HASH : 0};
    struct tree t = {.h = h, .visit = visit_record, .arg = &p};
    uint8_t type = 0;
    bool ok = peek(h, &type, index + 5, 1) && type == (links ? LINK_NAMES : ATTRIBUTE_NAMES);
    if (!ok || !read_heap(&p, heap) || !walk_tree(&t, index))
        hdf5_unread(h, heap, links ? "links in a heap" : "attributes in a heap");
}
