/*
 * Attributes: configurations of Keras wherever they stand, and strings that
 * hold content of their own, since readers such as PyTables unpickle them.
 * IV.A.2.m attributes, III.E global heaps.
 */
#include "model/hdf5.h"

#include <string.h>

#include "assay/base/text.h"

enum { HEAP_HEAD = 16, SHOWN = 80 };

/* Object `index` of the global heap collection at `at`. Every object on the way counts: a file may
 * ask for the last of many as often as it likes. */
static bool heap_text(struct hdf5 *h, uint64_t at, uint32_t index, uint32_t n, struct span *out,
                      uint64_t *where)
{
    struct span head;
    if (!hdf5_load(h, at, HEAP_HEAD, &head) || memcmp(head.p, "GCOL", 4) != 0)
        return false;
    uint64_t size = load_u64le(head.p + 8), from = HEAP_HEAD;
    if (size > h->c->in.size - at)
        return false;
    for (unsigned i = 0; i < UINT16_MAX && from + HEAP_HEAD <= size; i++) {
        uint8_t o[HEAP_HEAD];
        struct err ignored = ERR_INIT;
        if (++h->lookups > HDF5_LOOKUPS || !input_read(&h->c->in, o, at + from, sizeof o, &ignored))
            return false;
        uint64_t bytes = load_u64le(o + 8);
        if (load_u16le(o) == index) {
            *where = at + from + HEAP_HEAD;
            return n <= bytes && hdf5_load(h, *where, n, out);
        }
        if (bytes > size || load_u16le(o) == 0)
            return false;
        from += HEAP_HEAD + (bytes + 7) / 8 * 8;
    }
    return false;
}

/* By its name, or by what every configuration of Keras has. */
static bool is_config(struct span name, struct span text)
{
    return span_is(name, "model_config") || span_is(name, "training_config") ||
           (text.n && text.p[0] == '{' && memmem(text.p, text.n, "\"class_name\"", 12));
}

static void judge_text(struct hdf5 *h, struct span name, struct span text, uint64_t at)
{
    char shown[SHOWN];
    while (text.n && text.p[text.n - 1] == 0)
        text.n--;
    if (!text.n)
        return;
    if (is_config(name, text)) {
        h->no_memory = !keras_judge(h->c, text, at) || h->no_memory;
    } else {
        hdf5_content(h, at, text.n, text_shown(shown, sizeof shown, name));
    }
}

static size_t padded(size_t n, bool pad)
{
    return pad ? (n + 7) / 8 * 8 : n;
}

/* An array of strings in a heap: length, address and index of each. */
static void judge_variable(struct hdf5 *h, struct span name, struct span data, uint64_t at)
{
    enum { REFERENCE = 16 };
    for (size_t i = 0; i + REFERENCE <= data.n && !h->no_memory; i += REFERENCE) {
        const uint8_t *r = data.p + i;
        struct span text;
        uint64_t where;
        if (load_u32le(r) == 0)
            continue;
        if (!heap_text(h, load_u64le(r + 4), load_u32le(r + 12), load_u32le(r), &text, &where)) {
            hdf5_unread(h, at + i, "an attribute whose text is not in its heap");
            return;
        }
        judge_text(h, name, text, where);
    }
}

/* Version 1 pads its parts to eight bytes, 2 and 3 do not. */
void hdf5_attribute(struct hdf5 *h, struct span message, uint64_t at)
{
    enum { SHARED_PARTS = 3 };
    struct cursor c = cursor_over(message);
    uint8_t version = cursor_u8(&c), flags = cursor_u8(&c);
    size_t name_n = cursor_u16(&c), type_n = cursor_u16(&c), space_n = cursor_u16(&c);
    struct hdf5_type type;
    char shown[SHOWN];
    if (version == 3)
        cursor_u8(&c);
    struct span name = cursor_take(&c, padded(name_n, version == 1));
    hdf5_type(&type, cursor_take(&c, padded(type_n, version == 1)));
    cursor_skip(&c, padded(space_n, version == 1));
    if (!cursor_ok(&c) || !type.known || version < 1 || version > 3 ||
        (version > 1 && (flags & SHARED_PARTS))) {
        hdf5_unread(h, at, "an attribute");
        return;
    }
    name.n = strnlen((const char *)name.p, name.n);
    struct span data = span_sub(message, c.pos, message.n);
    uint64_t from = at + c.pos;
    if (type.class == HDF5_VARIABLE)
        judge_variable(h, name, data, from);
    else if (type.class == HDF5_STRING || type.class == HDF5_OPAQUE)
        for (size_t i = 0; type.size && i + type.size <= data.n && !h->no_memory; i += type.size)
            judge_text(h, name, span_sub(data, i, type.size), from + i);
    else if (type.class == HDF5_COMPOUND || type.class == HDF5_ARRAY)
        hdf5_content(h, from, data.n, text_shown(shown, sizeof shown, name));
}
