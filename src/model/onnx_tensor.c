/*
 * A tensor of ONNX: bytes within the message, numbers as fields, or a range of
 * another file, whose path is the writer's choice and must stay in the folder.
 */
#include "model/onnx.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { RAW_DATA = 9, EXTERNAL = 13, LOCATION = 14, SHOWN = 160 };

struct onnx_tensor {
    uint64_t at, name_at, name_n;
    uint64_t shape[MODEL_MAX_RANK], elements;
    uint32_t rank, type;
    bool raw, external, fields, overflow;
    uint64_t data, bytes; /* of raw_data, or of the range */
    uint8_t path[1024];
    struct span location;
    bool has_length;
};

static enum dtype dtype_of(uint32_t type)
{
    static const enum dtype types[] = {
        [0] = DTYPE_NONE,         [1] = DTYPE_F32,      [2] = DTYPE_U8,
        [3] = DTYPE_I8,           [4] = DTYPE_U16,      [5] = DTYPE_I16,
        [6] = DTYPE_I32,          [7] = DTYPE_I64,      [8] = DTYPE_NONE,
        [9] = DTYPE_BOOL,         [10] = DTYPE_F16,     [11] = DTYPE_F64,
        [12] = DTYPE_U32,         [13] = DTYPE_U64,     [14] = DTYPE_C64,
        [15] = DTYPE_NONE,        [16] = DTYPE_BF16,    [17] = DTYPE_F8_E4M3,
        [18] = DTYPE_F8_E4M3FNUZ, [19] = DTYPE_F8_E5M2, [20] = DTYPE_F8_E5M2FNUZ};
    return type < sizeof types / sizeof *types ? types[type] : DTYPE_NONE;
}

static void add_dimension(struct onnx_tensor *t, uint64_t v)
{
    if (t->rank < MODEL_MAX_RANK)
        t->shape[t->rank] = v;
    t->rank++;
    t->overflow = !size_mul(&t->elements, t->elements, v) || t->overflow;
}

static void read_dimensions(struct onnx_tensor *t, struct proto *p)
{
    if (p->wire == PROTO_VARINT) {
        add_dimension(t, p->value);
        return;
    }
    while (window_ok(p->w) && window_at(p->w) < p->next) { /* packed */
        uint64_t v = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            uint8_t b = window_u8(p->w);
            v |= (uint64_t)(b & 0x7f) << shift;
            if (!(b & 0x80))
                break;
        }
        add_dimension(t, v);
    }
}

/* location, offset, length, checksum: texts all of them. */
static void read_external(struct onnx_tensor *t, struct proto e)
{
    uint8_t key[32], value[sizeof t->path];
    struct span k = SPAN_EMPTY, v = SPAN_EMPTY;
    while (proto_next(&e)) {
        if (proto_is(&e, 1, PROTO_LENGTH))
            k = proto_text(&e, key, sizeof key);
        else if (proto_is(&e, 2, PROTO_LENGTH))
            v = proto_text(&e, value, sizeof value);
    }
    if (span_is(k, "location") && v.n) {
        memcpy(t->path, v.p, v.n);
        t->location = (struct span){t->path, v.n};
    } else if (span_is(k, "offset")) {
        text_u64(v, &t->data);
    } else if (span_is(k, "length")) {
        t->has_length = text_u64(v, &t->bytes);
    }
}

static void read_fields(struct onnx_tensor *t, struct proto *p)
{
    while (proto_next(p)) {
        bool length = p->wire == PROTO_LENGTH;
        if (p->field == 1)
            read_dimensions(t, p);
        else if (proto_is(p, 2, PROTO_VARINT))
            t->type = (uint32_t)p->value;
        else if (p->field == 8 && length) {
            t->name_at = window_at(p->w);
            t->name_n = p->value;
        } else if (p->field == RAW_DATA && length) {
            t->raw = true;
            t->data = window_at(p->w);
            t->bytes = p->value;
        } else if (p->field == EXTERNAL && length)
            read_external(t, proto_inner(p));
        else if (proto_is(p, LOCATION, PROTO_VARINT))
            t->external = p->value == 1;
        else if ((p->field >= 4 && p->field <= 7) || p->field == 10 || p->field == 11)
            t->fields = true;
    }
}

/* The model's file that the path names, from the folder of the ONNX file. */
static uint32_t file_at(const struct content *c, struct span location)
{
    const char *own = c->m->files[c->file].name, *slash = strrchr(own, '/');
    int folder = slash ? (int)(slash - own) + 1 : 0;
    char *path = arena_printf(c->m->arena, "%.*s%.*s", folder, own, (int)location.n,
                              (const char *)location.p);
    for (uint32_t i = 0; path && i < c->m->file_count; i++)
        if (strcmp(c->m->files[i].name, path) == 0)
            return i;
    return ORIGIN_NO_FILE;
}

static bool place_external(const struct content *c, struct onnx_tensor *t, uint32_t *file)
{
    char shown[SHOWN];
    text_shown(shown, sizeof shown, t->location);
    if (archive_name_escapes(t->location) ||
        memchr(t->location.p ? t->location.p : t->path, 0, t->location.n)) {
        content_note(c, RULE_ONNX_PATH, t->at, 0, "the tensor's data are in \"%s\"", shown);
        content_incomplete(c);
        return false;
    }
    *file = file_at(c, t->location);
    if (*file == ORIGIN_NO_FILE || c->depth) {
        content_note(c, RULE_ONNX_EXTERNAL, t->at, 0, "the tensor's data are in \"%s\"%s", shown,
                     c->m->folder ? ", which is not there" : "; name the folder to read it too");
        content_incomplete(c);
        return false;
    }
    uint64_t size = c->m->files[*file].size;
    if (t->data > size || (t->has_length && t->bytes > size - t->data)) {
        content_note(c, RULE_ONNX_TENSOR, t->at, 0, "the tensor's data reach beyond \"%s\"", shown);
        content_incomplete(c);
        return false;
    }
    if (!t->has_length)
        t->bytes = size - t->data;
    c->m->files[*file].walked = true; /* its bytes are accounted for here */
    return true;
}

static bool list_tensor(const struct content *c, const struct input *in,
                        const struct onnx_tensor *t, uint32_t file, enum dtype dtype)
{
    struct span name;
    struct err ignored = ERR_INIT;
    struct tensor *out = model_add_tensor(c->m);
    size_t n = t->name_n < 4096 ? (size_t)t->name_n : 4096;
    if (!out || !input_load(&name, in, t->name_at, n, c->m->arena, &ignored))
        return false;
    *out = (struct tensor){.name = name,
                           .dtype = dtype,
                           .rank = t->rank,
                           .elements = t->elements,
                           .entry = {c->file, input_origin(in, t->at), 0},
                           .data = {file, t->raw ? input_origin(in, t->data) : t->data, t->bytes}};
    memcpy(out->shape, t->shape, sizeof out->shape);
    return true;
}

/* Judged, and without a range of a file of its own. */
static bool unlisted(const struct content *c, const struct onnx_tensor *t)
{
    content_note(c, RULE_TENSOR_UNLISTED, t->at, 0, "a tensor %s",
                 t->raw || t->external ? "of a graph within an archive"
                                       : "whose numbers are fields of the file");
    content_unlisted(c);
    return true;
}

bool onnx_tensor(const struct content *c, struct proto *p)
{
    struct onnx_tensor t = {.at = window_at(p->w), .elements = 1};
    const struct input *in = &p->w->in;
    uint32_t file = c->file;
    uint64_t bytes = 0;
    read_fields(&t, p);
    if (!window_ok(p->w))
        return true;
    enum dtype dtype = dtype_of(t.type);
    if (t.external && !place_external(c, &t, &file))
        return true;
    /* Without a name it is a constant within a node; numbers as fields have no range. */
    if (!t.name_n || dtype == DTYPE_NONE)
        return true;
    if (!(t.raw || t.external) || c->depth || in->derived)
        return unlisted(c, &t);
    if (t.overflow || t.rank > MODEL_MAX_RANK || !dtype_size(dtype, t.elements, &bytes) ||
        bytes != t.bytes) {
        content_note(c, RULE_ONNX_TENSOR, t.at, 0,
                     "the tensor's type and sizes take %llu bytes and it has %llu",
                     (unsigned long long)bytes, (unsigned long long)t.bytes);
        content_incomplete(c);
        return true;
    }
    return list_tensor(c, in, &t, file, dtype);
}
