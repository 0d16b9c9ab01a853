/*
 * HTTP/1.1 messages (RFC 9110, 9112) as pure functions over bytes: what a client sent is read
 * strictly, because what the log records must be what was said. Every way in which
 * two readers of one message could disagree is refused: bare line feeds, folded
 * fields, spaces before a colon, conflicting or listed lengths, any transfer coding
 * but `chunked`, chunk extensions and trailers.
 */
#ifndef ASSAY_HTTP_H
#define ASSAY_HTTP_H

#include "assay/base/bytes.h"

enum {
    HTTP_FIELDS_MAX = 64,      /* of one message */
    HTTP_TARGET_MAX = 4096,    /* bytes */
    HTTP_HEAD_MAX = 32 * 1024, /* bytes, unless the server says otherwise */
    HTTP_CHUNK_DIGITS = 8      /* hexadecimal digits of a chunk's size */
};

struct http_field {
    struct span name, value; /* the value without the blanks around it */
};

/* Borrowed from the head that it was read from. */
struct http_request {
    struct span method, target, path, query; /* the query without its question mark */
    unsigned minor;                          /* HTTP/1.minor */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t count;
    bool has_length, chunked;
    uint64_t length;
    bool keep_alive, expect_continue, upgrade;
};

/* What stands at the beginning of `input`. */
enum http_head_state {
    HTTP_HEAD_PART,  /* more is needed */
    HTTP_HEAD_WHOLE, /* *length: bytes of it, its blank line included */
    HTTP_HEAD_BAD    /* a bare line feed or carriage return, or a NUL */
};

/* `from`: how far earlier calls have looked; moved on. */
enum http_head_state http_head_find(struct span input, size_t *from, size_t *length);

/*
 * Read a request's head. On failure *status is what to answer with: 400, 414,
 * 431, 501 or 505.
 */
bool http_request_read(struct http_request *out, struct span head, unsigned *status,
                       struct err *e) ASSAY_MUST_CHECK;
/* The only field of that name (compared without case); NULL when there is none. */
const struct http_field *http_field_find(const struct http_request *r, const char *name);
size_t http_field_count(const struct http_request *r, const char *name);
/* ASCII, without case. */
bool http_name_is(struct span name, const char *lower);
/* A comma-separated list of tokens holds this one. */
bool http_list_has(struct span list, const char *lower);
/* Text of a target with its %XX read; what is no such thing stays as it is. */
void http_unescape(struct buf *out, struct span text);

/* ---- chunked bodies, as they arrive ---- */

struct http_chunks {
    int state;
    unsigned digits;
    uint64_t left; /* of the chunk */
    bool done;     /* the last chunk was read; nothing is consumed any more */
};

/* Consume what belongs to the body, appending its octets to `out`; *used bytes of `in`. */
bool http_chunks_feed(struct http_chunks *c, struct span in, size_t *used, struct buf *out,
                      struct err *e) ASSAY_MUST_CHECK;

/* ---- an answer, as it arrives ---- */

struct http_answer {
    unsigned status, minor; /* HTTP/1.minor */
    bool has_length, chunked, bodiless, keep_alive;
    uint64_t length; /* with neither it nor chunks, the body ends where the connection does */
};

/* As strictly as a request's head: `head` is whole, its blank line included. */
bool http_answer_read(struct http_answer *out, struct span head, struct err *e) ASSAY_MUST_CHECK;

struct http_incoming {
    struct http_answer answer; /* once its head was whole */
    int state;
    struct buf seen; /* of a head that comes in parts */
    size_t scanned;
    unsigned interim;
    uint64_t left;
    struct http_chunks chunks;
};

enum http_step {
    HTTP_STEP_MORE, /* all of *bytes was taken, and more is needed */
    HTTP_STEP_HEAD, /* *out: status line and fields; interim answers were skipped */
    HTTP_STEP_DATA, /* *out: octets of the body, at least one */
    HTTP_STEP_OVER, /* the answer is whole; what is left of *bytes is not part of it */
    HTTP_STEP_BAD   /* e says why it is no answer */
};

void http_incoming_init(struct http_incoming *in, size_t head_max);
void http_incoming_clear(struct http_incoming *in); /* for the next answer */
void http_incoming_free(struct http_incoming *in);
/* Moves *bytes on. *out is borrowed until the next step from *bytes, from `in`, or from
 * `decoded`, which is the caller's and has room for as many octets as *bytes. */
enum http_step http_incoming_next(struct http_incoming *in, struct span *bytes, struct buf *decoded,
                                  struct span *out, struct err *e);
/* Whether the answer is whole if the connection ends now. */
bool http_incoming_ends(const struct http_incoming *in);

/* ---- what a server says ---- */

const char *http_reason(unsigned status);
void http_put_status(struct buf *out, unsigned status);
/* A field; a value with line ends or other controls is not written, and false returned. */
bool http_put_field(struct buf *out, const char *name, struct span value);
/* A chunk of `n` bytes: what stands before it. After it stands HTTP_CRLF. */
void http_put_chunk(struct buf *out, size_t n);
#define HTTP_CRLF "\r\n"
#define HTTP_LAST_CHUNK "0\r\n\r\n"

#endif
