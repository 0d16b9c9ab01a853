#include "support/torch_writer.h"

#include <stdio.h>
#include <string.h>

#include "support/zip_writer.h"

static void text(struct buf *b, const char *s)
{
    buf_put_u8(b, 'X');
    buf_put_u32le(b, (uint32_t)strlen(s));
    buf_put_str(b, s);
}

static void integer(struct buf *b, uint64_t v)
{
    buf_put_u8(b, 0x8a);
    buf_put_u8(b, 6);
    for (int i = 0; i < 6; i++)
        buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

static void integers(struct buf *b, const uint64_t *v, unsigned n)
{
    buf_put_u8(b, '(');
    for (unsigned i = 0; i < n; i++)
        integer(b, v[i]);
    buf_put_u8(b, 't');
}

static void tensor(struct buf *b, const struct torch_item *t, unsigned key)
{
    char name[16];
    snprintf(name, sizeof name, "%u", key);
    bool quantised = t->storage[0] == 'Q';
    buf_printf(b, "ctorch._utils\n%s\n((", quantised ? "_rebuild_qtensor" : "_rebuild_tensor_v2");
    text(b, "storage");
    buf_printf(b, "ctorch\n%s\n", t->storage);
    text(b, name);
    text(b, "cpu");
    integer(b, t->elements);
    buf_put_str(b, "tQ");
    integer(b, t->offset);
    integers(b, t->shape, t->rank);
    integers(b, t->stride, t->rank);
    if (quantised) /* scale 1, zero point 0 */
        buf_put_str(b, "(ctorch\nper_tensor_affine\nF1.0\nI0\nt");
    buf_put_u8(b, 0x89);
    buf_put_str(b, "ccollections\nOrderedDict\n)RtR");
}

static unsigned key_of(const struct torch_item *items, size_t i)
{
    unsigned key = 0;
    for (size_t k = 1; k <= i; k++)
        key += items[k].bytes.p != NULL;
    return key;
}

void torch_pickle(struct buf *out, const struct torch_item *items, size_t n, const char *outer)
{
    buf_put(out, "\x80\x02", 2);
    if (outer) {
        buf_put_u8(out, '}');
        text(out, outer);
    }
    buf_put_str(out, "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < n; i++) {
        text(out, items[i].name);
        tensor(out, &items[i], key_of(items, i));
    }
    buf_put_u8(out, 'u');
    if (outer)
        buf_put_u8(out, 's');
    buf_put_u8(out, '.');
}

static void write_zip(struct buf *out, const struct torch_item *items, size_t n, const char *outer)
{
    struct zip_writer w;
    struct buf pickle;
    char name[64];
    zw_init(&w);
    buf_init(&pickle, 64 << 20);
    torch_pickle(&pickle, items, n, outer);
    zw_add(&w, "archive/data.pkl", buf_span(&pickle), false, NULL);
    zw_add(&w, "archive/byteorder", span_str("little"), false, NULL);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "archive/data/%u", key_of(items, i));
        if (items[i].bytes.p)
            zw_add(&w, name, items[i].bytes, false, NULL);
    }
    zw_add(&w, "archive/version", span_str("3\n"), false, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    buf_free(&pickle);
    zw_free(&w);
}

static void write_legacy(struct buf *out, const struct torch_item *items, size_t n,
                         const char *outer)
{
    char name[16];
    buf_put(out, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8P\x19.\x80\x02M\xe9\x03.", 21);
    buf_put(out, "\x80\x02}", 3);
    text(out, "little_endian");
    buf_put(out, "\x88s.", 3);
    torch_pickle(out, items, n, outer);
    buf_put(out, "\x80\x02](", 4);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%u", key_of(items, i));
        if (items[i].bytes.p)
            text(out, name);
    }
    buf_put(out, "e.", 2);
    for (size_t i = 0; i < n; i++) {
        if (!items[i].bytes.p)
            continue;
        buf_put_u64le(out, items[i].elements);
        buf_put_span(out, items[i].bytes);
    }
}

void torch_write(struct buf *out, enum torch_form form, const struct torch_item *items, size_t n,
                 const char *outer)
{
    if (form == TORCH_ZIP)
        write_zip(out, items, n, outer);
    else
        write_legacy(out, items, n, outer);
}
