/*
 * Attributes: configurations of Keras wherever they stand, and strings that
 * hold content of their own, since readers such as PyTables unpickle them.
 * IV.A.2.m attributes, III.E global heaps.
 */
#include "model/hdf5.h"

#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 80 };

/* By its name, or by what every configuration of Keras has. */
static bool is_config(struct span name, struct span text)
{
    return span_is(name, "model_config") || span_is(name, "training_config") ||
           (text.n && text.p[0] == '{' && memmem(text.p, text.n, "\"class_name\"", 12));
}

void hdf5_text(struct hdf5 *h, struct span name, struct span text, uint64_t at)
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
void hdf5_variable(struct hdf5 *h, struct span name, struct span data, uint64_t at)
{
    enum { REFERENCE = 16 };
    for (size_t i = 0; i + REFERENCE <= data.n && !h->no_memory; i += REFERENCE) {
        const uint8_t *r = data.p + i;
        struct span text;
        uint64_t where;
        if (load_u32le(r) == 0)
            continue;
        if (!hdf5_heap_item(h, load_u64le(r + 4), load_u32le(r + 12), load_u32le(r), &text,
                            &where)) {
            hdf5_unread(h, at + i, "a text that is not in its heap");
            return;
        }
        hdf5_text(h, name, text, where);
    }
}

/* Version 1 pads its parts to eight bytes, 2 and 3 do not. */
void hdf5_attribute(struct hdf5 *h, struct span message, uint64_t at)
{
    enum { SHARED_TYPE = 1 }; /* the space may be shared, too: it is not needed */
    struct cursor c = cursor_over(message);
    uint8_t version = cursor_u8(&c), flags = cursor_u8(&c);
    size_t name_n = cursor_u16(&c), type_n = cursor_u16(&c), space_n = cursor_u16(&c);
    struct hdf5_type type;
    char shown[SHOWN];
    if (version == 3)
        cursor_u8(&c);
    struct span name = cursor_take(&c, padded(name_n, version == 1));
    uint64_t type_at = at + c.pos;
    struct span type_is = cursor_take(&c, padded(type_n, version == 1));
    if (version > 1 && (flags & SHARED_TYPE))
        hdf5_shared_type(h, &type, type_is, type_at);
    else
        hdf5_type(&type, type_is);
    cursor_skip(&c, padded(space_n, version == 1));
    if (!cursor_ok(&c) || !type.known || version < 1 || version > 3) {
        hdf5_unread(h, at, "an attribute");
        return;
    }
    name.n = strnlen((const char *)name.p, name.n);
    struct span data = span_sub(message, c.pos, message.n);
    uint64_t from = at + c.pos;
    if (type.class == HDF5_VARIABLE)
        hdf5_variable(h, name, data, from);
    else if (type.class == HDF5_STRING || type.class == HDF5_OPAQUE)
        for (size_t i = 0; type.size && i + type.size <= data.n && !h->no_memory; i += type.size)
            hdf5_text(h, name, span_sub(data, i, type.size), from + i);
    else if (type.class == HDF5_COMPOUND || type.class == HDF5_ARRAY)
        hdf5_content(h, from, data.n, text_shown(shown, sizeof shown, name));
}
