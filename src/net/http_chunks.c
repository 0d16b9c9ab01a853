/*
 * The chunked coding (RFC 9112 section 7.1) without what nobody needs and
 * smugglers use: no extensions, no trailers, no blanks, at most eight digits.
 */
#include "assay/base/text.h"
#include "assay/http.h"

enum chunk_state { SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, LAST_CR, LAST_LF };

static bool size_byte(struct http_chunks *c, uint8_t b, struct err *e)
{
    int v = text_hex_digit(b);
    if (b == '\r' && c->digits) {
        c->state = SIZE_LF;
        return true;
    }
    if (v < 0)
        return err_set(e, ERR_FORMAT, "a chunk's size is not hexadecimal and CR LF");
    if (c->digits == HTTP_CHUNK_DIGITS)
        return err_set(e, ERR_FORMAT, "a chunk's size has more than %d digits", HTTP_CHUNK_DIGITS);
    c->digits++;
    c->left = c->left << 4 | (uint64_t)v;
    return true;
}

static bool expect(struct http_chunks *c, uint8_t b, uint8_t wanted, enum chunk_state next,
                   struct err *e)
{
    if (b != wanted)
        return err_set(e, ERR_FORMAT, "a chunk does not end in CR LF, or a trailer follows");
    c->state = (int)next;
    return true;
}

static bool control_byte(struct http_chunks *c, uint8_t b, struct err *e)
{
    switch ((enum chunk_state)c->state) {
    case SIZE:
        return size_byte(c, b, e);
    case SIZE_LF:
        c->digits = 0;
        return expect(c, b, '\n', c->left ? DATA : LAST_CR, e);
    case DATA_CR:
        return expect(c, b, '\r', DATA_LF, e);
    case DATA_LF:
        return expect(c, b, '\n', SIZE, e);
    case LAST_CR:
        return expect(c, b, '\r', LAST_LF, e);
    case LAST_LF:
        c->done = b == '\n';
        return expect(c, b, '\n', LAST_LF, e);
    case DATA:
        break;
    }
    return false;
}

bool http_chunks_feed(struct http_chunks *c, struct span in, size_t *used, struct buf *out,
                      struct err *e)
{
    size_t i = 0;
    while (i < in.n && !c->done) {
        if (c->state != DATA) {
            if (!control_byte(c, in.p[i++], e))
                return false;
            continue;
        }
        size_t n = in.n - i < c->left ? in.n - i : (size_t)c->left;
        buf_put(out, in.p + i, n);
        i += n;
        c->left -= n;
        if (c->left == 0)
            c->state = DATA_CR;
    }
    *used = i;
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the body is longer than is accepted");
}
