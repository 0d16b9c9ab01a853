/*
 * A request's head, RFC 9112 sections 2 to 6, read by its strict grammar. Nothing is repaired
 * and nothing skipped: the answer to what is not clean is an error.
 */
#include "net/http_grammar.h"

#include <string.h>

#include "assay/base/text.h"

enum { LENGTH_DIGITS = 15 };

/* RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && memchr(others, c, sizeof others - 1));
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool http_name_is(struct span name, const char *text)
{
    size_t n = strlen(text);
    if (name.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(name.p[i]) != (uint8_t)text[i])
            return false;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
    while (s.n && is_blank(s.p[0]))
        s = span_sub(s, 1, s.n);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool http_list_has(struct span list, const char *text)
{
    while (list.n) {
        const uint8_t *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        if (http_name_is(trim(span_sub(list, 0, n)), text))
            return true;
        list = span_sub(list, comma ? n + 1 : n, list.n);
    }
    return false;
}

void http_unescape(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && i + 2 < text.n ? text_hex_digit(text.p[i + 1]) : -1;
        int low = high < 0 ? -1 : text_hex_digit(text.p[i + 2]);
        uint8_t c = text.p[i];
        if (low >= 0) {
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        buf_put_u8(out, c);
    }
}

size_t http_field_count(const struct http_request *r, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += http_name_is(r->fields[i].name, name);
    return n;
}

const struct http_field *http_field_find(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (http_name_is(r->fields[i].name, name))
            return &r->fields[i];
    return NULL;
}

enum http_head_state http_head_find(struct span input, size_t *from, size_t *length)
{
    for (size_t i = *from; i < input.n; i++) {
        uint8_t c = input.p[i];
        bool after_return = i > 0 && input.p[i - 1] == '\r';
        if (c == '\0' || (c == '\n') != after_return)
            return HTTP_HEAD_BAD;
        if (c == '\n' && i >= 3 && input.p[i - 2] == '\n') {
            *length = i + 1;
            return HTTP_HEAD_WHOLE;
        }
    }
    *from = input.n;
    return HTTP_HEAD_PART;
}

static bool refuse(unsigned *status, unsigned with, struct err *e, const char *text)
{
    *status = with;
    return err_set(e, ERR_FORMAT, "%s", text);
}

bool http_take_line(struct span *rest, struct span *line)
{
    const uint8_t *end = memchr(rest->p, '\r', rest->n);
    if (!end)
        return false;
    size_t n = (size_t)(end - rest->p);
    *line = span_sub(*rest, 0, n);
    *rest = span_sub(*rest, n + 2, rest->n);
    return true;
}

/* ---- the request line ---- */

static bool read_version(struct http_request *r, struct span s, unsigned *status, struct err *e)
{
    bool known = span_is(s, "HTTP/1.1") || span_is(s, "HTTP/1.0");
    if (known)
        r->minor = s.p[7] - (unsigned)'0';
    else if (s.n == 8 && span_starts(s, "HTTP/"))
        return refuse(status, 505, e, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return known || refuse(status, 400, e, "the request line ends in no HTTP version");
}

/* Origin-form alone: there is no other server behind this one to be asked for by name. */
static bool read_target(struct http_request *r, struct span s, unsigned *status, struct err *e)
{
    if (s.n > HTTP_TARGET_MAX)
        return refuse(status, 414, e, "the request's target is too long");
    if (s.n == 0 || s.p[0] != '/')
        return refuse(status, 400, e, "the request's target does not begin with a slash");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '#')
            return refuse(status, 400, e, "the request's target holds a byte that none may hold");
    r->target = s;
    const uint8_t *mark = memchr(s.p, '?', s.n);
    size_t n = mark ? (size_t)(mark - s.p) : s.n;
    r->path = span_sub(s, 0, n);
    r->query = mark ? span_sub(s, n + 1, s.n) : SPAN_EMPTY;
    return true;
}

static bool read_line(struct http_request *r, struct span line, unsigned *status, struct err *e)
{
    const uint8_t *first = memchr(line.p, ' ', line.n);
    const uint8_t *last = memrchr(line.p, ' ', line.n);
    if (!first || first == last)
        return refuse(status, 400, e, "the request line is not METHOD TARGET VERSION");
    size_t at = (size_t)(first - line.p), end = (size_t)(last - line.p);
    r->method = span_sub(line, 0, at);
    if (!is_token(r->method))
        return refuse(status, 400, e, "the request's method is no token");
    return read_version(r, span_sub(line, end + 1, line.n), status, e) &&
           read_target(r, span_sub(line, at + 1, end - at - 1), status, e);
}

/* ---- fields ---- */

static bool wrong(const char **why, const char *text)
{
    *why = text;
    return false;
}

bool http_field_read(struct http_field *out, struct span line, const char **why)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (is_blank(line.p[0]))
        return wrong(why, "a header field is folded over two lines");
    if (!colon)
        return wrong(why, "a header field has no colon");
    size_t n = (size_t)(colon - line.p);
    *out = (struct http_field){span_sub(line, 0, n), trim(span_sub(line, n + 1, line.n))};
    if (!is_token(out->name))
        return wrong(why, "a header field's name is no token");
    for (size_t i = 0; i < out->value.n; i++)
        if ((out->value.p[i] < ' ' && out->value.p[i] != '\t') || out->value.p[i] == 0x7f)
            return wrong(why, "a header field's value holds a control character");
    return true;
}

bool http_length_read(uint64_t *out, struct span value)
{
    return value.n <= LENGTH_DIGITS && text_u64(value, out);
}

static bool read_field(struct http_request *r, struct span line, unsigned *status, struct err *e)
{
    const char *why = NULL;
    if (r->count == HTTP_FIELDS_MAX)
        return refuse(status, 431, e, "the request has too many header fields");
    if (!http_field_read(&r->fields[r->count], line, &why))
        return refuse(status, 400, e, why);
    r->count++;
    return true;
}

static bool once(const struct http_request *r, unsigned *status, struct err *e)
{
    static const char *const names[] = {"host",
                                        "content-length",
                                        "transfer-encoding",
                                        "authorization",
                                        "content-type",
                                        "x-api-key",
                                        "expect",
                                        NULL};
    for (size_t i = 0; names[i]; i++)
        if (http_field_count(r, names[i]) > 1)
            return refuse(status, 400, e, "a header field that may stand once stands twice");
    return true;
}

static bool read_host(const struct http_request *r, unsigned *status, struct err *e)
{
    static const char marks[] = ".-_:[]~%";
    const struct http_field *f = http_field_find(r, "host");
    if (!f)
        return r->minor == 0 || refuse(status, 400, e, "the request has no Host");
    for (size_t i = 0; i < f->value.n; i++) {
        uint8_t c = lower(f->value.p[i]);
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || memchr(marks, c, sizeof marks - 1);
        if (!ok)
            return refuse(status, 400, e, "the Host is not a host");
    }
    return true;
}

static bool read_length(struct http_request *r, unsigned *status, struct err *e)
{
    const struct http_field *length = http_field_find(r, "content-length");
    const struct http_field *coding = http_field_find(r, "transfer-encoding");
    if (length && coding)
        return refuse(status, 400, e, "Content-Length stands together with Transfer-Encoding");
    if (coding && r->minor == 0)
        return refuse(status, 400, e, "Transfer-Encoding is unknown to HTTP/1.0");
    if (coding && !http_name_is(coding->value, "chunked"))
        return refuse(status, 501, e, "the only transfer coding known here is chunked");
    r->chunked = coding != NULL;
    if (!length)
        return true;
    r->has_length = http_length_read(&r->length, length->value);
    return r->has_length || refuse(status, 400, e, "Content-Length is not one decimal number");
}

static bool read_connection(struct http_request *r, unsigned *status, struct err *e)
{
    r->keep_alive = r->minor == 1;
    for (size_t i = 0; i < r->count; i++) {
        const struct http_field *f = &r->fields[i];
        if (http_name_is(f->name, "connection")) {
            r->keep_alive = r->keep_alive && !http_list_has(f->value, "close");
            r->upgrade = r->upgrade || http_list_has(f->value, "upgrade");
        }
        if (http_name_is(f->name, "expect") && !http_name_is(f->value, "100-continue"))
            return refuse(status, 417, e, "the only expectation known here is 100-continue");
        r->expect_continue = r->expect_continue || http_name_is(f->name, "expect");
    }
    return true;
}

bool http_request_read(struct http_request *out, struct span head, unsigned *status, struct err *e)
{
    struct span line;
    size_t from = 0, length = 0;
    out->count = 0;
    out->minor = 0;
    out->has_length = out->chunked = out->upgrade = out->expect_continue = false;
    out->length = 0;
    *status = 0;
    if (http_head_find(head, &from, &length) != HTTP_HEAD_WHOLE || length != head.n)
        return refuse(status, 400, e, "a line of the head does not end in CR LF");
    if (!http_take_line(&head, &line) || !read_line(out, line, status, e))
        return refuse(status, *status ? *status : 400, e, "the request has no request line");
    while (http_take_line(&head, &line) && line.n)
        if (!read_field(out, line, status, e))
            return false;
    return once(out, status, e) && read_host(out, status, e) && read_length(out, status, e) &&
           read_connection(out, status, e);
}
