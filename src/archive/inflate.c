/*
 * Inflating within limits. What comes out is kept in memory while it is small
 * and in a file without a name afterwards, so that a parser can read it at
 * any place and a bomb costs at most the limit on disk.
 */
#include "assay/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 64 << 10 };

struct spool {
    struct buf memory;
    int fd; /* -1: all is in memory */
    uint64_t n;
};

static struct spool *spool_new(void)
{
    struct spool *s = calloc(1, sizeof *s);
    if (s) {
        buf_init(&s->memory, INFLATE_MEMORY);
        s->fd = -1;
    }
    return s;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    buf_free(&s->memory);
    free(s);
}

static bool write_all(int fd, const uint8_t *p, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return err_errno(e, NULL, "unpacked bytes cannot be kept in a temporary file");
        p += put;
        n -= (size_t)put;
    }
    return true;
}

/* A file that never has a name; memory where the folder for such files has none. */
static bool use_file(struct spool *s, struct err *e)
{
    const char *folder = getenv("TMPDIR");
    s->fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0)
        s->fd = memfd_create("assay", MFD_CLOEXEC);
    if (s->fd < 0)
        return err_errno(e, NULL, "no temporary file for unpacked bytes");
    bool ok = write_all(s->fd, s->memory.p, s->memory.n, e);
    buf_free(&s->memory);
    buf_init(&s->memory, INFLATE_MEMORY);
    return ok;
}

static bool spool_put(struct spool *s, const uint8_t *p, size_t n, struct err *e)
{
    s->n += n;
    if (s->fd < 0 && n <= INFLATE_MEMORY - s->memory.n) {
        buf_put(&s->memory, p, n);
        return buf_ok(&s->memory) || err_set(e, ERR_MEMORY, "out of memory");
    }
    return (s->fd >= 0 || use_file(s, e)) && write_all(s->fd, p, n, e);
}

static bool spool_read(const void *arg, void *buf, uint64_t offset, size_t n, struct err *e)
{
    const struct spool *s = arg;
    uint8_t *p = buf;
    if (s->fd < 0) {
        memcpy(p, s->memory.p + offset, n);
        return true;
    }
    while (n > 0) {
        ssize_t got = pread(s->fd, p, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_errno(e, NULL, "unpacked bytes cannot be read back");
        p += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

struct inflating {
    z_stream z;
    const struct input *in;
    uint64_t most, read; /* bytes of the input handed to zlib */
    struct inflated *out;
    uint8_t from[CHUNK], to[CHUNK];
};

static void stop(struct inflating *f, enum err_code code, const char *why)
{
    f->out->code = code;
    f->out->why = why;
}

static bool feed(struct inflating *f, struct err *e)
{
    uint64_t left = f->in->size - f->read;
    size_t n = left < CHUNK ? (size_t)left : CHUNK;
    if (!input_read(f->in, f->from, f->read, n, e))
        return false;
    f->read += n;
    f->z.next_in = f->from;
    f->z.avail_in = (uInt)n;
    return true;
}

static bool take(struct inflating *f, struct err *e)
{
    size_t n = CHUNK - f->z.avail_out;
    struct spool *s = f->out->spool;
    if (n > f->most - s->n)
        n = (size_t)(f->most - s->n);
    f->out->crc = (uint32_t)crc32(f->out->crc, f->to, (uInt)n);
    if (!spool_put(s, f->to, n, e))
        return false;
    uint64_t used = f->read - f->z.avail_in;
    if (s->n >= f->most)
        stop(f, ERR_LIMIT, "more comes out than is unpacked of one member");
    else if (s->n > INFLATE_FREE && s->n / INFLATE_RATIO > used)
        stop(f, ERR_LIMIT, "it grows more than two hundredfold: a decompression bomb");
    return true;
}

static bool run(struct inflating *f, struct err *e)
{
    int status = Z_OK;
    while (status == Z_OK && !f->out->why) {
        if (f->z.avail_in == 0 && f->read < f->in->size && !feed(f, e))
            return false;
        f->z.next_out = f->to;
        f->z.avail_out = CHUNK;
        status = inflate(&f->z, Z_NO_FLUSH);
        if (status == Z_MEM_ERROR)
            return err_set(e, ERR_MEMORY, "out of memory while inflating");
        if (!take(f, e))
            return false;
        /* An end that is reached exactly at the limit is an end. */
        if (status == Z_STREAM_END && f->out->spool->n < f->most)
            f->out->why = NULL;
    }
    f->out->whole = status == Z_STREAM_END && !f->out->why;
    if (!f->out->whole && !f->out->why)
        stop(f, ERR_FORMAT,
             status == Z_BUF_ERROR || status == Z_OK ? "the compressed bytes end too early"
                                                     : "the compressed bytes are broken");
    f->out->used = f->read - f->z.avail_in;
    return true;
}

bool inflate_input(struct inflated *out, const struct input *in, enum inflate_kind kind,
                   uint64_t most, struct err *e)
{
    static const int bits[] = {
        [INFLATE_RAW] = -MAX_WBITS, [INFLATE_ZLIB] = MAX_WBITS, [INFLATE_GZIP] = MAX_WBITS + 16};
    *out = (struct inflated){.spool = spool_new()};
    struct inflating *f = calloc(1, sizeof *f);
    bool ok = out->spool && f && inflateInit2(&f->z, bits[kind]) == Z_OK;
    if (!ok) {
        free(f);
        return err_set(e, ERR_MEMORY, "out of memory");
    }
    f->in = in;
    f->out = out;
    f->most = most ? most : INFLATE_MOST;
    ok = run(f, e);
    inflateEnd(&f->z);
    free(f);
    out->bytes = (struct input){.read = spool_read,
                                .arg = out->spool,
                                .size = out->spool->n,
                                .origin = in->origin,
                                .derived = true};
    return ok;
}

bool input_crc(uint32_t *out, const struct input *in, struct err *e)
{
    uint8_t chunk[CHUNK];
    *out = 0;
    for (uint64_t at = 0, n; at < in->size; at += n) {
        n = in->size - at < CHUNK ? in->size - at : CHUNK;
        if (!input_read(in, chunk, at, (size_t)n, e))
            return false;
        *out = (uint32_t)crc32(*out, chunk, (uInt)n);
    }
    return true;
}
