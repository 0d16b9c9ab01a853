/*
 * An answer, RFC 9112 sections 4, 6 and 7, read as strictly as a request: what frames its body
 * must leave no second reading, or what is recorded is not what others would have seen.
 */
#include "net/http_grammar.h"

#include <string.h>

enum { INTERIM_MOST = 16 }; /* interim answers before the one that counts */
enum { STATUS_AT = 9, STATUS_END = 12, SWITCHING = 101, NO_CONTENT = 204, NOT_MODIFIED = 304 };

static bool read_status(struct http_answer *a, struct span line, struct err *e)
{
    bool known = span_starts(line, "HTTP/1.1 ") || span_starts(line, "HTTP/1.0 ");
    if (!known || line.n < STATUS_END || (line.n > STATUS_END && line.p[STATUS_END] != ' '))
        return err_set(e, ERR_FORMAT, "the answer's first line is not HTTP/1.1 and a status");
    a->minor = line.p[STATUS_AT - 2] - (unsigned)'0';
    for (size_t i = STATUS_AT; i < STATUS_END; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return err_set(e, ERR_FORMAT, "the answer's status is not three digits");
        a->status = a->status * 10 + (line.p[i] - (unsigned)'0');
    }
    if (a->status < 100 || a->status == SWITCHING)
        return err_set(e, ERR_FORMAT, "the answer's status is %u, which was not asked for",
                       a->status);
    a->bodiless = a->status == NO_CONTENT || a->status == NOT_MODIFIED;
    a->keep_alive = a->minor == 1;
    return true;
}

static bool take_length(struct http_answer *a, struct span value, struct err *e)
{
    if (a->has_length || !http_length_read(&a->length, value))
        return err_set(e, ERR_FORMAT, "the answer's Content-Length is not one decimal number");
    a->has_length = true;
    return true;
}

static bool take_coding(struct http_answer *a, struct span value, struct err *e)
{
    if (a->chunked || !http_name_is(value, "chunked"))
        return err_set(e, ERR_FORMAT, "the answer's only transfer coding may be chunked");
    a->chunked = true;
    return a->minor == 1 ||
           err_set(e, ERR_FORMAT, "the answer is HTTP/1.0, which has no transfer codings");
}

static bool take_field(struct http_answer *a, const struct http_field *f, struct err *e)
{
    if (http_name_is(f->name, "content-length"))
        return take_length(a, f->value, e);
    if (http_name_is(f->name, "transfer-encoding"))
        return take_coding(a, f->value, e);
    if (http_name_is(f->name, "connection"))
        a->keep_alive = a->keep_alive && !http_list_has(f->value, "close");
    return true;
}

bool http_answer_read(struct http_answer *out, struct span head, struct err *e)
{
    struct span line;
    struct http_field f;
    const char *why = NULL;
    *out = (struct http_answer){.status = 0};
    if (!http_take_line(&head, &line) || !read_status(out, line, e))
        return false;
    while (http_take_line(&head, &line) && line.n) {
        if (!http_field_read(&f, line, &why))
            return err_set(e, ERR_FORMAT, "in the answer, %s", why);
        if (!take_field(out, &f, e))
            return false;
    }
    return !(out->has_length && out->chunked) ||
           err_set(e, ERR_FORMAT,
                   "in the answer, Content-Length stands together with Transfer-Encoding");
}

/* ---- as it arrives ---- */

enum { IN_HEAD, IN_LENGTH, IN_CHUNKS, UNTIL_CLOSE, OVER };

void http_incoming_init(struct http_incoming *in, size_t head_max)
{
    *in = (struct http_incoming){.state = IN_HEAD};
    buf_init(&in->seen, head_max);
}

void http_incoming_clear(struct http_incoming *in)
{
    struct buf seen = in->seen;
    buf_clear(&seen);
    *in = (struct http_incoming){.state = IN_HEAD, .seen = seen};
}

void http_incoming_free(struct http_incoming *in)
{
    buf_free(&in->seen);
}

bool http_incoming_ends(const struct http_incoming *in)
{
    return in->state == UNTIL_CLOSE || in->state == OVER;
}

/* RFC 9112 section 6.3. */
static int framing(const struct http_answer *a)
{
    if (a->bodiless || (a->has_length && a->length == 0))
        return OVER;
    return a->has_length ? IN_LENGTH : a->chunked ? IN_CHUNKS : UNTIL_CLOSE;
}

static enum http_step bad(struct err *e, const char *why)
{
    (void)err_set(e, ERR_FORMAT, "%s", why);
    return HTTP_STEP_BAD;
}

/* Mostly a head comes in one part, and stays where it is; otherwise its parts are put together. */
static enum http_step take_head(struct http_incoming *in, struct span *bytes, struct span *out,
                                struct err *e)
{
    static const char begins[] = "HTTP/";
    size_t before = in->seen.n, length = 0, room = in->seen.max - before;
    if (before) /* what the body has of it already needs no room */
        buf_put_span(&in->seen, span_sub(*bytes, 0, room < bytes->n ? room : bytes->n));
    struct span seen = before ? buf_span(&in->seen) : *bytes;
    if (memcmp(seen.p, begins, seen.n < sizeof begins - 1 ? seen.n : sizeof begins - 1) != 0)
        return bad(e, "the answer does not begin with HTTP/");
    enum http_head_state found = http_head_find(seen, &in->scanned, &length);
    if (found == HTTP_HEAD_BAD)
        return bad(e, "a line of the answer's head does not end in CR LF, or it holds a NUL");
    if (found == HTTP_HEAD_PART && !before)
        buf_put_span(&in->seen, *bytes);
    bool longer = found == HTTP_HEAD_PART ? bytes->n > room : length > in->seen.max;
    if (!buf_ok(&in->seen) || longer)
        return bad(e, "the answer's head is longer than is accepted");
    *bytes = span_sub(*bytes, found == HTTP_HEAD_WHOLE ? length - before : bytes->n, bytes->n);
    if (found == HTTP_HEAD_PART)
        return HTTP_STEP_MORE;
    if (!http_answer_read(&in->answer, span_sub(seen, 0, length), e))
        return HTTP_STEP_BAD;
    in->scanned = 0;
    buf_clear(&in->seen); /* its octets stay where they are */
    if (in->answer.status < 200)
        return ++in->interim > INTERIM_MOST ? bad(e, "too many interim answers") : HTTP_STEP_MORE;
    in->state = framing(&in->answer);
    in->left = in->answer.length;
    *out = span_sub(seen, 0, length - 2);
    return HTTP_STEP_HEAD;
}

static enum http_step take_chunks(struct http_incoming *in, struct span *bytes, struct buf *decoded,
                                  struct span *out, struct err *e)
{
    size_t used = 0;
    buf_clear(decoded);
    if (!http_chunks_feed(&in->chunks, *bytes, &used, decoded, e))
        return HTTP_STEP_BAD;
    *bytes = span_sub(*bytes, used, bytes->n);
    *out = buf_span(decoded);
    if (in->chunks.done)
        in->state = OVER;
    return out->n ? HTTP_STEP_DATA : HTTP_STEP_MORE;
}

static enum http_step take_octets(struct http_incoming *in, struct span *bytes, struct span *out)
{
    bool counted = in->state == IN_LENGTH;
    size_t n = counted && in->left < bytes->n ? (size_t)in->left : bytes->n;
    *out = span_sub(*bytes, 0, n);
    *bytes = span_sub(*bytes, n, bytes->n);
    in->left -= counted ? n : 0;
    if (counted && in->left == 0)
        in->state = OVER;
    return HTTP_STEP_DATA;
}

enum http_step http_incoming_next(struct http_incoming *in, struct span *bytes, struct buf *decoded,
                                  struct span *out, struct err *e)
{
    enum http_step step = HTTP_STEP_MORE;
    while (step == HTTP_STEP_MORE && in->state != OVER && bytes->n)
        step = in->state == IN_HEAD     ? take_head(in, bytes, out, e)
               : in->state == IN_CHUNKS ? take_chunks(in, bytes, decoded, out, e)
                                        : take_octets(in, bytes, out);
    return step == HTTP_STEP_MORE && in->state == OVER ? HTTP_STEP_OVER : step;
}
