/*
 * HDF5 from its superblock on: every object's header, in both of its forms, and
 * what its messages say. II.A superblock, IV.A object headers.
 */
#include "model/hdf5.h"

#include <string.h>

#include "assay/base/text.h"

/* IV.A.2 */
enum message {
    MESSAGE_SPACE = 0x01,
    MESSAGE_LINK_INFO = 0x02,
    MESSAGE_TYPE = 0x03,
    MESSAGE_LINK = 0x06,
    MESSAGE_EXTERNAL = 0x07,
    MESSAGE_LAYOUT = 0x08,
    MESSAGE_FILTERS = 0x0b,
    MESSAGE_ATTRIBUTE = 0x0c,
    MESSAGE_CONTINUATION = 0x10,
    MESSAGE_TABLE = 0x11,
    MESSAGE_ATTRIBUTE_INFO = 0x15,
    MESSAGE_LAST = 0x18
};

enum { SIGNATURE = 8, BLOCKS = 64, HEADER_MOST = 1 << 20 };

bool hdf5_sniff(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= SIGNATURE && memcmp(head.p, "\x89HDF\r\n\x1a\n", SIGNATURE) == 0;
}

bool hdf5_load(struct hdf5 *h, uint64_t at, uint64_t n, struct span *out)
{
    struct err why = ERR_INIT;
    *out = SPAN_EMPTY;
    if (at > h->c->in.size || n > h->c->in.size - at || n > HDF5_TEXT ||
        n > HDF5_LOADED - h->loaded)
        return false;
    h->loaded += n;
    if (input_load(out, &h->c->in, at, (size_t)n, h->a, &why))
        return out->n == n;
    h->no_memory = h->no_memory || why.code == ERR_MEMORY;
    return false;
}

void hdf5_unread(struct hdf5 *h, uint64_t at, const char *what)
{
    if (h->unread)
        return;
    h->unread = what;
    h->unread_at = at;
}

void hdf5_content(struct hdf5 *h, uint64_t at, uint64_t n, const char *name)
{
    struct input in = input_part(&h->c->in, at, n);
    struct content within;
    if (in.size && content_sniff(&in) != FORMAT_UNKNOWN && content_within(&within, h->c, in, name))
        h->no_memory = !content_examine(&within) || h->no_memory;
}

/* ---- messages ---- */

/* The addresses at `skip` of an info message: of a heap with more, and of its index by name. */
static void read_info(struct hdf5 *h, const struct hdf5_object *o, struct span s, size_t skip,
                      bool links)
{
    if (s.n < skip + 2 * HDF5_ADDRESS)
        hdf5_unread(h, o->at, links ? "links in a heap" : "attributes in a heap");
    else if (load_u64le(s.p + skip) != HDF5_NOWHERE)
        hdf5_dense(h, o, load_u64le(s.p + skip), load_u64le(s.p + skip + HDF5_ADDRESS), links);
}

static void read_message(struct hdf5 *h, struct hdf5_object *o, uint16_t type, struct span body,
                         uint64_t at)
{
    uint8_t flags = body.n > 1 ? body.p[1] : 0;
    switch (type) {
    case MESSAGE_SPACE:
        o->space = body;
        break;
    case MESSAGE_TYPE:
        hdf5_type(&o->type, body);
        break;
    case MESSAGE_LAYOUT:
        hdf5_layout(h, o, body, at);
        break;
    case MESSAGE_EXTERNAL:
        o->external = true;
        content_note(h->c, RULE_HDF5_EXTERNAL, at, body.n,
                     "a dataset takes its bytes from other files");
        break;
    case MESSAGE_FILTERS:
        o->filtered = true;
        break;
    case MESSAGE_LINK:
        hdf5_link(h, o, body, at);
        break;
    case MESSAGE_TABLE:
        hdf5_table(h, o, body);
        break;
    case MESSAGE_ATTRIBUTE:
        hdf5_attribute(h, body, at);
        break;
    case MESSAGE_LINK_INFO:
        read_info(h, o, body, flags & 1 ? 10 : 2, true);
        break;
    case MESSAGE_ATTRIBUTE_INFO:
        read_info(h, o, body, flags & 1 ? 4 : 2, false);
        break;
    default:
        if (type > MESSAGE_LAST)
            hdf5_unread(h, at, "a message of an unknown type");
    }
}

/* A message that stands elsewhere, once for several objects. */
static void read_shared(struct hdf5 *h, struct hdf5_object *o, uint16_t type, struct span body,
                        uint64_t at)
{
    if (type == MESSAGE_TYPE)
        hdf5_shared_type(h, &o->type, body, at);
    else if (type != MESSAGE_SPACE)
        hdf5_unread(h, at, "a message that stands elsewhere");
}

/* ---- headers ---- */

struct header {
    bool old, order; /* version 1; version 2 with creation order */
    unsigned count;  /* of its blocks, as far as they are known: any may name further ones */
    struct {
        uint64_t at, n;
    } block[BLOCKS];
};

static void add_block(struct hdf5 *h, struct header *x, uint64_t at, uint64_t n)
{
    if (x->count == BLOCKS) {
        hdf5_unread(h, at, "a header of more blocks than are followed");
        return;
    }
    x->block[x->count].at = at;
    x->block[x->count++].n = n;
}

static bool read_head(struct hdf5 *h, uint64_t at, struct header *out)
{
    struct span s;
    if (!hdf5_load(h, at, 16, &s))
        return false;
    *out = (struct header){.old = s.p[0] == 1};
    if (memcmp(s.p, "OHDR", 4) != 0) {
        add_block(h, out, at + 16, load_u32le(s.p + 8));
        return out->old;
    }
    uint8_t flags = s.p[5];
    size_t skip = 6u + (flags & 0x20 ? 16u : 0) + (flags & 0x10 ? 4u : 0);
    size_t width = (size_t)1 << (flags & 3);
    if (!hdf5_load(h, at, skip + 8, &s))
        return false;
    uint64_t n = load_u64le(s.p + skip);
    out->old = false;
    out->order = flags & 4;
    add_block(h, out, at + skip + width, width == 8 ? n : n & (((uint64_t)1 << 8 * width) - 1));
    return true;
}

/* Messages of one block; where the header goes on is added to `x`. */
static void read_block(struct hdf5 *h, struct hdf5_object *o, struct header *x, struct span s,
                       uint64_t at)
{
    struct cursor c = cursor_over(s);
    size_t head = x->old ? 8 : x->order ? 6 : 4;
    while (!h->no_memory && cursor_left(&c) >= head) {
        uint16_t type = x->old ? cursor_u16(&c) : cursor_u8(&c);
        uint16_t n = cursor_u16(&c);
        uint8_t flags = cursor_u8(&c);
        cursor_skip(&c, head - (x->old ? 5 : 4));
        uint64_t body = at + c.pos;
        struct span m = cursor_take(&c, n);
        if (!cursor_ok(&c)) {
            hdf5_unread(h, body, "a message that reaches beyond its header");
            return;
        }
        if (type == MESSAGE_CONTINUATION) {
            if (m.n >= 2 * HDF5_ADDRESS)
                add_block(h, x, load_u64le(m.p), load_u64le(m.p + HDF5_ADDRESS));
            else
                hdf5_unread(h, body, "where a header goes on");
        } else if (o->type_only && (type != MESSAGE_TYPE || (flags & HDF5_SHARED))) {
            continue;
        } else if (flags & HDF5_SHARED) {
            read_shared(h, o, type, m, body);
        } else {
            read_message(h, o, type, m, body);
        }
    }
}

static bool read_object(struct hdf5 *h, struct hdf5_object *o)
{
    struct header x;
    struct span block;
    if (!read_head(h, o->at, &x)) {
        hdf5_unread(h, o->at, "an object's header");
        return false;
    }
    for (unsigned i = 0; i < x.count && !h->no_memory; i++) {
        uint64_t at = x.block[i].at, n = x.block[i].n;
        size_t around = !x.old && i ? 4 : 0; /* OCHK, and its checksum */
        if (n > HEADER_MOST || !hdf5_load(h, at, n, &block) || block.n < 2 * around) {
            hdf5_unread(h, at, "a header's block");
            return false;
        }
        read_block(h, o, &x, span_sub(block, around, block.n - 2 * around), at + around);
    }
    if (o->layout)
        hdf5_dataset(h, o);
    return true;
}

/* IV.A.2 "shared message": by the address of the object that has the type, in three versions. */
void hdf5_shared_type(struct hdf5 *h, struct hdf5_type *out, struct span message, uint64_t at)
{
    enum { IN_HEAP = 1 };
    struct cursor c = cursor_over(message);
    uint8_t version = cursor_u8(&c), kind = cursor_u8(&c);
    cursor_skip(&c, version == 1 ? 6 : 0);
    struct hdf5_object named = {.at = cursor_u64(&c), .path = "", .type_only = true};
    *out = (struct hdf5_type){.known = false};
    if (cursor_ok(&c) && version >= 1 && version <= 3 && !(version == 3 && kind == IN_HEAP) &&
        read_object(h, &named))
        *out = named.type;
    if (!out->known)
        hdf5_unread(h, at, "a type that stands elsewhere");
}

/* ---- the file ---- */

/* The file's own word for where it ends. */
static void check_end(struct hdf5 *h, uint64_t end)
{
    uint64_t size = h->c->in.size;
    if (end > size)
        hdf5_unread(h, size, "the file ends before the end that it names");
    if (end >= size)
        return;
    content_note(h->c, RULE_COVERAGE_UNEXPLAINED, end, size - end,
                 "%llu bytes after the end that the file names", (unsigned long long)(size - end));
    hdf5_content(h, end, size - end, "after its end");
}

/* The root group's header: in the symbol table entry before version 2, a field after. */
static bool root_of(struct hdf5 *h, uint64_t *root)
{
    struct span s;
    if (!hdf5_load(h, 0, 48, &s) || (s.p[8] < 2 && !hdf5_load(h, 0, 96, &s)))
        return false;
    uint8_t version = s.p[8];
    size_t sizes = version < 2 ? 13 : 9;
    if (version > 3 || s.p[sizes] != HDF5_ADDRESS || s.p[sizes + 1] != HDF5_ADDRESS)
        return false;
    *root = load_u64le(s.p + (version == 0 ? 64 : version == 1 ? 68 : 36));
    check_end(h, load_u64le(s.p + (version == 0 ? 40 : version == 1 ? 44 : 28)));
    return true;
}

static void note_what_was_read(const struct hdf5 *h)
{
    const struct content *c = h->c;
    if (h->unread) {
        content_note(c, RULE_FOLDER_NOT_READ, h->unread_at, 0, "HDF5 is not read whole: %s",
                     h->unread);
        content_incomplete(c);
    }
    if (h->listed < h->datasets) {
        content_note(c, RULE_KERAS_WEIGHTS, 0, 0, "%zu of %zu datasets are not listed",
                     h->datasets - h->listed, h->datasets);
        content_unlisted(c);
    }
}

bool hdf5_examine(const struct content *c)
{
    struct hdf5 h = {.c = c, .a = arena_new((size_t)HDF5_LOADED * 4)};
    uint64_t root;
    if (!h.a)
        return false;
    h.no_memory = !map_init(&h.seen, h.a, 0);
    if (!h.no_memory && !(root_of(&h, &root) && hdf5_enter(&h, root, "", SPAN_EMPTY)))
        hdf5_unread(&h, 0, "its superblock");
    for (size_t i = 0; i < h.queue_count && !h.no_memory; i++) {
        struct hdf5_object o = h.queue[i]; /* the queue grows, and moves, meanwhile */
        (void)read_object(&h, &o);
    }
    note_what_was_read(&h);
    arena_free(h.a);
    return !h.no_memory;
}
