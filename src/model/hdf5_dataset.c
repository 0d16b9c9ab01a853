/*
 * Datasets: plain arrays of numbers in one piece become tensors; strings and
 * opaque bytes are looked at as content; chunks and records are data that is
 * not listed. IV.A.2.b dataspace, d datatype, i layout.
 */
#include "model/hdf5.h"

#include <string.h>

#include "assay/base/text.h"

enum { STORED_COMPACT = 0, STORED_WHOLE = 1, STORED_CHUNKS = 2, STORED_VIRTUAL = 3, SHOWN = 120 };

/* ---- types ---- */

void hdf5_type(struct hdf5_type *out, struct span message)
{
    *out = (struct hdf5_type){.known = false};
    if (message.n < 8)
        return;
    *out = (struct hdf5_type){.known = true,
                              .class = (enum hdf5_class)(message.p[0] & 0x0f),
                              .size = load_u32le(message.p + 4),
                              .message = message};
}

static enum dtype integer_of(uint32_t size, bool is_signed)
{
    switch (size) {
    case 1:
        return is_signed ? DTYPE_I8 : DTYPE_U8;
    case 2:
        return is_signed ? DTYPE_I16 : DTYPE_U16;
    case 4:
        return is_signed ? DTYPE_I32 : DTYPE_U32;
    case 8:
        return is_signed ? DTYPE_I64 : DTYPE_U64;
    default:
        return DTYPE_NONE;
    }
}

/* By the width of the mantissa, which stands after offset, precision and exponent. */
static enum dtype float_of(uint32_t size, uint8_t mantissa)
{
    if (size == 2)
        return mantissa == 10 ? DTYPE_F16 : mantissa == 7 ? DTYPE_BF16 : DTYPE_NONE;
    if (size == 4)
        return mantissa == 23 ? DTYPE_F32 : DTYPE_NONE;
    return size == 8 && mantissa == 52 ? DTYPE_F64 : DTYPE_NONE;
}

/* Little-endian numbers that fill their bytes. */
static enum dtype dtype_of(const struct hdf5_type *t)
{
    struct span m = t->message;
    bool big = m.n > 1 && (m.p[1] & 1);
    if (!t->known || big || m.n < 12 || load_u16le(m.p + 8) != 0 ||
        load_u16le(m.p + 10) != 8 * t->size)
        return DTYPE_NONE;
    if (t->class == HDF5_FIXED)
        return integer_of(t->size, m.p[1] & 8);
    return t->class == HDF5_FLOAT && m.n >= 16 ? float_of(t->size, m.p[15]) : DTYPE_NONE;
}

/* ---- layouts ---- */

static void read_old_layout(struct hdf5 *h, struct hdf5_object *o, struct span s, uint64_t at)
{
    /* Version, rank, class, five bytes, an address unless compact, sizes of 4 bytes. */
    o->storage = s.n > 2 ? s.p[2] : STORED_CHUNKS;
    if (o->storage == STORED_WHOLE && s.n >= 16) {
        o->data = load_u64le(s.p + 8);
        o->bytes = HDF5_NOWHERE; /* as long as its shape says */
    } else if (o->storage != STORED_CHUNKS) {
        hdf5_unread(h, at, "a dataset's place");
    }
}

/* A B-tree of version 1 until version 3; then one of five indices, of which a single chunk is read. */
static void read_chunks(struct hdf5_object *o, struct cursor *c, uint8_t version)
{
    enum { SINGLE = 1, FILTERED = 2 };
    uint8_t flags = version > 3 ? cursor_u8(c) : 0, dimensions = cursor_u8(c);
    if (version == 3) {
        o->data = cursor_u64(c);
        o->dimensions = dimensions;
        return;
    }
    uint8_t width = cursor_u8(c);
    o->bytes = 1;
    for (unsigned i = 0; i < dimensions; i++) {
        struct span s = cursor_take(c, width);
        uint64_t n = 0;
        for (size_t k = s.n; k-- > 0;)
            n = n << 8 | s.p[k];
        if (!size_mul(&o->bytes, o->bytes, n))
            o->bytes = HDF5_NOWHERE;
    }
    if (cursor_u8(c) == SINGLE && !(flags & FILTERED)) {
        o->data = cursor_u64(c);
        o->storage = STORED_WHOLE;
        o->single = true;
    }
}

void hdf5_layout(struct hdf5 *h, struct hdf5_object *o, struct span message, uint64_t at)
{
    struct cursor c = cursor_over(message);
    uint8_t version = cursor_u8(&c);
    o->layout = true;
    if (version < 3) {
        read_old_layout(h, o, message, at);
        return;
    }
    o->storage = cursor_u8(&c);
    if (o->storage == STORED_COMPACT) {
        o->bytes = cursor_u16(&c);
        o->data = at + c.pos;
        cursor_skip(&c, o->bytes);
    } else if (o->storage == STORED_WHOLE) {
        o->data = cursor_u64(&c);
        o->bytes = cursor_u64(&c);
    } else if (o->storage == STORED_CHUNKS) {
        read_chunks(o, &c, version);
    } else if (o->storage == STORED_VIRTUAL) {
        content_note(h->c, RULE_HDF5_EXTERNAL, at, message.n,
                     "a virtual dataset takes its bytes from other datasets or files");
        hdf5_unread(h, at, "a virtual dataset");
    } else {
        hdf5_unread(h, at, "a dataset's place");
    }
    if (!cursor_ok(&c) || version > 5)
        hdf5_unread(h, at, "a dataset's place");
}

/* ---- shapes ---- */

static bool read_shape(struct tensor *t, struct span space)
{
    struct cursor c = cursor_over(space);
    uint8_t version = cursor_u8(&c);
    t->rank = cursor_u8(&c);
    cursor_skip(&c, version == 1 ? 6 : 2);
    t->elements = 1;
    if (version < 1 || version > 2 || t->rank > MODEL_MAX_RANK)
        return false;
    for (uint32_t i = 0; i < t->rank; i++) {
        t->shape[i] = cursor_u64(&c);
        if (!size_mul(&t->elements, t->elements, t->shape[i]))
            return false;
    }
    /* Version 2 says by its type that there is no element at all. */
    return cursor_ok(&c) && !(version == 2 && space.n > 3 && space.p[3] == 2);
}

static bool in_file(const struct hdf5 *h, uint64_t at, uint64_t n)
{
    return at <= h->c->in.size && n <= h->c->in.size - at;
}

static void list(struct hdf5 *h, const struct hdf5_object *o)
{
    struct tensor t = {.dtype = dtype_of(&o->type)};
    uint64_t bytes = 0;
    if (t.dtype == DTYPE_NONE || !read_shape(&t, o->space) ||
        !dtype_size(t.dtype, t.elements, &bytes) ||
        (o->bytes != HDF5_NOWHERE && o->bytes < bytes) ||
        (o->single && o->bytes != bytes)) /* a larger chunk has gaps between its rows */
        return;
    if (t.elements && !in_file(h, o->data, bytes))
        return;
    struct tensor *added = model_add_tensor(h->c->m);
    t.name = arena_span(h->c->m->arena, span_str(o->path));
    if (!added || !t.name.p) {
        h->no_memory = true;
        return;
    }
    t.entry = (struct origin){h->c->file, input_origin(&h->c->in, o->at), 0};
    t.data = (struct origin){h->c->file, input_origin(&h->c->in, t.elements ? o->data : o->at),
                             t.elements ? bytes : 0};
    *added = t;
    h->listed++;
}

/* The file itself, or the weights of a .keras archive that are stored as they are. */
static bool is_the_model(const struct content *c)
{
    return !c->in.derived && (!c->depth || (c->m->files[c->file].format == FORMAT_KERAS &&
                                            c->depth == 1 && strcmp(c->where, KERAS_WEIGHTS) == 0));
}

/* Items of texts or bytes, one after another. */
static void judge_items(struct hdf5 *h, const struct hdf5_object *o, uint64_t at, uint64_t n)
{
    struct span s, name = span_str(o->path);
    if (!hdf5_load(h, at, n, &s)) {
        hdf5_unread(h, at, "a dataset of texts");
        return;
    }
    if (o->type.class == HDF5_VARIABLE)
        hdf5_variable(h, name, s, at);
    for (size_t i = 0, size = o->type.size;
         o->type.class != HDF5_VARIABLE && size && i + size <= s.n && !h->no_memory; i += size)
        hdf5_text(h, name, span_sub(s, i, size), at + i);
}

/* III.A.1, nodes of kind 1: keys of size, filters and place, then children and keys in turn. Levels
 * go down by one, so that no tree leads back into itself. */
static bool judge_chunks(struct hdf5 *h, const struct hdf5_object *o, uint64_t at, unsigned level,
                         bool top)
{
    enum { HEAD = 24, CHUNKS = 1, LEVELS = 16 };
    size_t key = 8 + 8 * (size_t)o->dimensions;
    struct span head, s;
    bool ok = hdf5_load(h, at, HEAD, &head) && memcmp(head.p, "TREE", 4) == 0 &&
              head.p[4] == CHUNKS && (top || head.p[5] == level) && head.p[5] < LEVELS;
    size_t used = ok ? load_u16le(head.p + 6) : 0;
    if (!ok || !hdf5_load(h, at + HEAD, used * (key + HDF5_ADDRESS) + key, &s))
        return false;
    level = head.p[5];
    for (size_t i = 0; ok && i < used && !h->no_memory; i++) {
        const uint8_t *p = s.p + i * (key + HDF5_ADDRESS);
        uint64_t child = load_u64le(p + key);
        if (level)
            ok = judge_chunks(h, o, child, level - 1, false);
        else
            judge_items(h, o, child, load_u32le(p));
    }
    return ok;
}

/* Texts in chunks: what their readers unpickle stands there as well (PyTables' objects do). */
static void judge_chunked(struct hdf5 *h, const struct hdf5_object *o)
{
    bool texts = o->type.class == HDF5_STRING || o->type.class == HDF5_OPAQUE ||
                 o->type.class == HDF5_VARIABLE;
    if (texts && o->data != HDF5_NOWHERE &&
        (!o->dimensions || o->filtered || !judge_chunks(h, o, o->data, 0, true)))
        hdf5_unread(h, o->at, "texts in chunks");
}

static void judge_variable(struct hdf5 *h, const struct hdf5_object *o)
{
    struct tensor t;
    uint64_t bytes = o->bytes;
    bool shaped = read_shape(&t, o->space) && size_mul(&bytes, t.elements, o->type.size);
    if (!shaped || (o->bytes != HDF5_NOWHERE && o->bytes < bytes))
        bytes = o->bytes;
    if (bytes)
        judge_items(h, o, o->data, bytes);
}

void hdf5_dataset(struct hdf5 *h, const struct hdf5_object *o)
{
    bool whole = o->storage == STORED_WHOLE || o->storage == STORED_COMPACT;
    char shown[SHOWN];
    h->datasets++;
    if (!o->type.known || o->external)
        return; /* which was said */
    if (o->storage == STORED_CHUNKS)
        judge_chunked(h, o);
    if (whole && o->filtered)
        hdf5_unread(h, o->at, "a dataset that is filtered in one piece");
    if (!whole || o->filtered || o->data == HDF5_NOWHERE)
        return;
    if (o->bytes != HDF5_NOWHERE && !in_file(h, o->data, o->bytes)) {
        hdf5_unread(h, o->at, "a dataset that reaches beyond the end");
        return;
    }
    if (o->type.class == HDF5_VARIABLE)
        judge_variable(h, o);
    else if (o->type.class == HDF5_STRING || o->type.class == HDF5_OPAQUE)
        hdf5_content(h, o->data, o->bytes == HDF5_NOWHERE ? UINT64_MAX : o->bytes,
                     text_shown(shown, sizeof shown, span_str(o->path)));
    else if (is_the_model(h->c) && *o->path)
        list(h, o);
}
