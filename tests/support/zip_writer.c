#include "support/zip_writer.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void zw_init(struct zip_writer *w)
{
    buf_init(&w->out, (size_t)1 << 30);
    buf_init(&w->directory, 64 << 20);
    w->entries = 0;
}

void zw_free(struct zip_writer *w)
{
    buf_free(&w->out);
    buf_free(&w->directory);
}

/* Raw deflate; the caller frees. */
static struct span deflated(struct span s, uint8_t **own)
{
    z_stream z = {0};
    uLong room = compressBound((uLong)s.n) + 64;
    *own = malloc(room);
    if (!*own || deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    uint8_t *copy = malloc(s.n + 1);
    if (!copy)
        abort();
    memcpy(copy, s.p, s.n);
    z.next_in = copy;
    z.avail_in = (uInt)s.n;
    z.next_out = *own;
    z.avail_out = (uInt)room;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    struct span out = {*own, (size_t)z.total_out};
    deflateEnd(&z);
    free(copy);
    return out;
}

struct fields {
    uint16_t flags, method;
    uint32_t crc, stored, size;
    const char *name;
};

static void put_fields(struct buf *b, const struct fields *f)
{
    buf_put_u16le(b, 20);
    buf_put_u16le(b, f->flags);
    buf_put_u16le(b, f->method);
    buf_put_u32le(b, 0x21 << 16);
    buf_put_u32le(b, f->crc);
    buf_put_u32le(b, f->stored);
    buf_put_u32le(b, f->size);
    buf_put_u16le(b, (uint16_t)strlen(f->name));
    buf_put_u16le(b, 0);
}

void zw_add(struct zip_writer *w, const char *name, struct span bytes, bool deflate,
            const struct zip_lie *lie)
{
    static const struct zip_lie truth;
    const struct zip_lie *l = lie ? lie : &truth;
    uint8_t *own = NULL;
    struct span stored = deflate ? deflated(bytes, &own) : bytes;
    uint16_t method = deflate ? 8 : 0;
    uint32_t crc = l->crc ? l->crc : (uint32_t)crc32(0, bytes.p, (uInt)bytes.n);
    uint32_t at = (uint32_t)w->out.n;
    struct fields local = {l->local_flags,
                           l->local_method ? l->local_method : method,
                           crc,
                           (uint32_t)stored.n,
                           l->local_size ? l->local_size : (uint32_t)bytes.n,
                           l->local_name ? l->local_name : name};
    struct fields central = {l->central_flags,
                             l->central_method ? l->central_method : method,
                             crc,
                             (uint32_t)stored.n,
                             (uint32_t)bytes.n,
                             name};
    buf_put_u32le(&w->out, 0x04034b50);
    put_fields(&w->out, &local);
    buf_put_str(&w->out, local.name);
    buf_put_span(&w->out, stored);
    free(own);
    if (l->unlisted)
        return;
    buf_put_u32le(&w->directory, 0x02014b50);
    buf_put_u16le(&w->directory, l->mode ? 3 << 8 | 20 : 20);
    put_fields(&w->directory, &central);
    buf_put_u16le(&w->directory, 0); /* comment */
    buf_put_u32le(&w->directory, 0);
    buf_put_u32le(&w->directory, (uint32_t)l->mode << 16);
    buf_put_u32le(&w->directory, at);
    buf_put_str(&w->directory, name);
    w->entries++;
}

void zw_finish(struct zip_writer *w)
{
    uint32_t at = (uint32_t)w->out.n;
    buf_put_span(&w->out, buf_span(&w->directory));
    buf_put_u32le(&w->out, 0x06054b50);
    buf_put_u32le(&w->out, 0);
    buf_put_u16le(&w->out, (uint16_t)w->entries);
    buf_put_u16le(&w->out, (uint16_t)w->entries);
    buf_put_u32le(&w->out, (uint32_t)w->directory.n);
    buf_put_u32le(&w->out, at);
    buf_put_u16le(&w->out, 0);
}
