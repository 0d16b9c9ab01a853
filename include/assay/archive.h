/*
 * Containers from outside: bytes at any place, a window that slides over
 * them, bounded inflating, and the members of zip and tar archives.
 *
 * Nothing here trusts a container's own account of itself. A zip is read by
 * its central directory and by its local headers, and every disagreement is
 * told to the caller, because two readers that disagree about an archive are
 * how a payload passes one of them. A stored member is a range of the file,
 * so that what is found in it has a place; an inflated one is bounded and
 * spooled to a file without a name once it outgrows a fixed buffer.
 */
#ifndef ASSAY_ARCHIVE_H
#define ASSAY_ARCHIVE_H

#include "assay/base/arena.h"

/*
 * Bytes that can be read at any place. Cheap to copy, borrowed from whoever
 * made it. `origin` is the file offset of byte 0 while `derived` is false;
 * afterwards (inflated, decoded) it is where the container's data began.
 */
struct input {
    bool (*read)(const void *arg, void *buf, uint64_t offset, size_t n, struct err *e);
    const void *arg;
    uint64_t start; /* of byte 0 in what `read` reads */
    uint64_t size;
    uint64_t origin;
    bool derived;
};

struct input input_memory(struct span s); /* borrowed */
/* Bytes [from, from+n), clipped to the input. */
struct input input_part(const struct input *in, uint64_t from, uint64_t n);
/* The place to show for byte `at`. */
uint64_t input_origin(const struct input *in, uint64_t at);
bool input_read(const struct input *in, void *buf, uint64_t at, size_t n,
                struct err *e) ASSAY_MUST_CHECK;
/* A copy of at most n bytes from `at`; false when a read failed or memory ran out. */
bool input_load(struct span *out, const struct input *in, uint64_t at, size_t n, struct arena *a,
                struct err *e) ASSAY_MUST_CHECK;

/*
 * A cursor over an input of any size through a buffer of fixed size. As with
 * struct cursor the first fault wins, moves to the end and makes later reads
 * return zero. What is taken is borrowed until the next call.
 */
enum { WINDOW_TAKE = 64 << 10, WINDOW_BYTES = 128 << 10 };

struct window {
    struct input in;
    uint8_t *buf;
    uint64_t base;  /* offset of buf[0] in the input */
    size_t have;    /* bytes of buf that are filled */
    size_t pos;     /* next byte in buf */
    uint64_t fetch; /* bytes to read at least next time; grows while reading goes on */
    const char *fault;
    uint64_t fault_at; /* in the input */
    enum err_code fault_code;
    struct err error; /* of the read behind ERR_IO */
};

bool window_open(struct window *w, struct input in) ASSAY_MUST_CHECK; /* false: out of memory */
void window_close(struct window *w);
void window_fault(struct window *w, enum err_code code, const char *text);
/* Make n bytes (at most WINDOW_TAKE) stand in the buffer from pos; false faults. */
bool window_need(struct window *w, size_t n);
struct span window_take(struct window *w, size_t n); /* n at most WINDOW_TAKE */
/* Up to n bytes from pos without moving; fewer at the end of the input. */
struct span window_peek(struct window *w, size_t n);
void window_skip(struct window *w, uint64_t n);
void window_seek(struct window *w, uint64_t at);
/* Up to and without the next line feed, which is skipped; at most WINDOW_TAKE
 * bytes, more faults with ERR_LIMIT. */
struct span window_line(struct window *w);

static inline bool window_ok(const struct window *w)
{
    return !w->fault;
}
static inline uint64_t window_at(const struct window *w)
{
    return w->base + w->pos;
}
static inline uint64_t window_left(const struct window *w)
{
    return w->in.size - window_at(w);
}
static inline uint8_t window_u8(struct window *w)
{
    if (w->pos < w->have)
        return w->buf[w->pos++];
    return window_need(w, 1) ? w->buf[w->pos++] : 0;
}

/* ---- inflating ---- */

enum inflate_kind { INFLATE_RAW, INFLATE_ZLIB, INFLATE_GZIP };

/* Inflated bytes, in memory or in a file without a name. */
struct spool;

enum {
    INFLATE_RATIO = 200,      /* beyond INFLATE_FREE, output over input */
    INFLATE_FREE = 64 << 20,  /* bytes that may come from any input */
    INFLATE_MOST = INT32_MAX, /* bytes of one member */
    INFLATE_MEMORY = 4 << 20  /* bytes held in memory before the file is used */
};

struct inflated {
    struct spool *spool; /* NULL when nothing came out */
    struct input bytes;  /* derived */
    uint64_t used;       /* bytes of the input that were consumed */
    uint32_t crc;        /* of the output */
    bool whole;          /* the stream ended as the format says */
    const char *why;     /* why not, when !whole */
    enum err_code code;  /* ERR_LIMIT: a bomb or the cap, ERR_FORMAT: broken */
};

/* Inflate one stream, at most `most` bytes (0: INFLATE_MOST). What came out
 * before a fault stays. False only when the system refused; the caller closes
 * the spool in any case. */
bool inflate_input(struct inflated *out, const struct input *in, enum inflate_kind kind,
                   uint64_t most, struct err *e) ASSAY_MUST_CHECK;
void spool_close(struct spool *s); /* NULL is harmless */
/* CRC-32 of the input's bytes. */
bool input_crc(uint32_t *out, const struct input *in, struct err *e) ASSAY_MUST_CHECK;

/* ---- members ---- */

enum { ARCHIVE_MEMBERS = 100000, ARCHIVE_NAME = 4096, ARCHIVE_DIRECTORY = 64 << 20 };

/* What is odd about an archive; the caller decides what it means. */
enum archive_quirk {
    ARCHIVE_NAMES,            /* local and central names differ */
    ARCHIVE_HEADERS,          /* local and central method, flags, sizes or CRC differ */
    ARCHIVE_ENCRYPTED,        /* a flag says encrypted */
    ARCHIVE_METHOD,           /* a compression method that is not read */
    ARCHIVE_CRC,              /* the bytes do not have the CRC that is declared */
    ARCHIVE_DUPLICATE,        /* two members of one name */
    ARCHIVE_HIDDEN,           /* a local member that the directory does not list */
    ARCHIVE_GAP,              /* bytes that belong to no member */
    ARCHIVE_PREFIX,           /* bytes before the first member */
    ARCHIVE_TRAILING,         /* bytes after the end */
    ARCHIVE_OVERLAP,          /* members share bytes */
    ARCHIVE_DIRECTORY_BROKEN, /* no or a broken directory */
    ARCHIVE_TRUNCATED,        /* a member reaches beyond the end */
    ARCHIVE_TRAVERSAL,        /* a name leaves the folder it is unpacked in */
    ARCHIVE_LINK,             /* a symbolic or hard link */
    ARCHIVE_LINK_OUTSIDE,     /* that leads out */
    ARCHIVE_SPECIAL,          /* a device, FIFO and the like */
    ARCHIVE_NAME_ODD,         /* a name that is not text: NUL, control characters, not UTF-8 */
    ARCHIVE_CHECKSUM,         /* a tar header's checksum is wrong */
    ARCHIVE_LIMIT,            /* a limit was reached: not everything was read */
    ARCHIVE_QUIRKS
};

/* `at` is an offset in the input. */
typedef void archive_note(void *arg, enum archive_quirk quirk, uint64_t at, const char *text);

struct archive_member {
    struct span name; /* as the directory has it; a hidden one's local name */
    uint64_t header;  /* offset of its (local) header in the archive */
    uint64_t data;    /* offset of its bytes as stored */
    uint64_t stored;  /* bytes there */
    uint64_t size;    /* bytes declared after inflating */
    uint32_t crc;
    uint16_t method; /* zip's: 0 stored, 8 deflated; 0 in tar */
    bool has_crc;    /* zip; false where a hidden member declares none */
    bool encrypted;
    bool hidden;
    bool folder;
    bool broken; /* no bytes can be had */
};

struct archive {
    struct archive_member *members; /* in the order of their bytes */
    size_t count;
    struct span comment;
    uint64_t explained; /* zip: bytes of members, headers and directory */
};

bool zip_read(struct archive *out, const struct input *in, struct arena *a, archive_note *note,
              void *arg, struct err *e) ASSAY_MUST_CHECK;
bool tar_read(struct archive *out, const struct input *in, struct arena *a, archive_note *note,
              void *arg, struct err *e) ASSAY_MUST_CHECK;
bool tar_sniff(struct span head); /* by the first header's checksum or magic */
/* Does the name lead out of the folder that it is unpacked in? */
bool archive_name_escapes(struct span name);
/* Does a symbolic link of that name, which counts from its own folder? */
bool archive_link_escapes(struct span name, struct span target, struct arena *a);

#endif
