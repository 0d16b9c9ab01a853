/*
 * What the server itself says: errors in OpenAI's shape, lists, texts. Nothing of a
 * model's answer passes here.
 */
#include "serve/front/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/json.h"

enum { REPLY_MAX = 4 << 20 };

static void put_error_body(struct buf *out, const char *type, const char *code, const char *param,
                           const char *message)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    jw_key(&w, "error");
    jw_object(&w);
    jw_key(&w, "message");
    jw_str(&w, message);
    jw_key(&w, "type");
    jw_str(&w, type);
    jw_key(&w, "param");
    jw_str(&w, param);
    jw_key(&w, "code");
    jw_str(&w, code);
    if (strcmp(code, REPLY_NO_THREADS) == 0) {
        jw_key(&w, "details");
        jw_object(&w);
        jw_key(&w, "error_code");
        jw_str(&w, code);
        jw_end_object(&w);
    }
    jw_end_object(&w);
    jw_end_object(&w);
}

void reply_error_body(struct buf *out, const char *type, const char *code, const char *message)
{
    put_error_body(out, type, code, NULL, message);
}

static void put(struct conn *c, unsigned status, const char *content_type, const char *more,
                struct span body, bool keep)
{
    struct buf out;
    buf_init(&out, REPLY_MAX);
    http_put_status(&out, status);
    buf_printf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", content_type, body.n,
               more, keep ? "" : "Connection: close\r\n");
    buf_put_span(&out, body);
    conn_put(c, buf_span(&out));
    buf_free(&out);
    conn_finish(c, keep);
}

void reply_with(struct conn *c, unsigned status, const char *content_type, struct span body)
{
    put(c, status, content_type, "", body, true);
}

/* Whoever is refused before a body was read must not have it read as the next request. */
static bool may_keep(const struct conn *c, unsigned status)
{
    const struct http_request *r = conn_request(c);
    bool unread = r && (r->has_length || r->chunked) && !conn_has_body(c);
    return r && !unread && status != 426;
}

static void put_error(struct conn *c, unsigned status, const char *type, const char *code,
                      const char *param, const char *message, bool keep)
{
    const char *more = status == 429 || status == 503 ? "Retry-After: 1\r\n"
                       : status == 401                ? "WWW-Authenticate: Bearer\r\n"
                       : status == 426                ? "Upgrade: HTTP/1.1\r\n"
                                                      : "";
    struct buf body;
    buf_init(&body, REPLY_MAX);
    put_error_body(&body, type, code, param, message);
    put(c, status, "application/json", more, buf_span(&body), keep);
    buf_free(&body);
}

void reply_error(struct conn *c, unsigned status, const char *type, const char *code,
                 const char *message)
{
    put_error(c, status, type, code, NULL, message, may_keep(c, status));
}

void reply_wrong(struct conn *c, const struct complaint *w, const char *code, const char *message)
{
    unsigned status = w->status ? w->status : 400;
    put_error(c, status, "invalid_request_error", w->code ? w->code : code,
              w->param[0] ? w->param : NULL, message, may_keep(c, status));
}

bool complain(struct complaint *c, struct err *e, const char *code, const char *param,
              const char *fmt, ...)
{
    char text[384];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)snprintf(c->param, sizeof c->param, "%s", param);
    c->code = code;
    return err_set(e, ERR_FORMAT, "'%s' %s", c->param, n < 0 ? "is wrong" : text);
}

void reply_malformed(struct conn *c, unsigned status, const char *why)
{
    put_error(c, status, "invalid_request_error", "invalid_request", NULL, why, false);
}

void reply_json(struct conn *c, struct span body)
{
    put(c, 200, "application/json", "", body, true);
}

void reply_large(struct conn *c, const char *content_type, struct span body)
{
    struct buf head;
    buf_init(&head, 1024);
    http_put_status(&head, 200);
    buf_printf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", content_type, body.n);
    conn_put(c, buf_span(&head));
    conn_put(c, body);
    buf_free(&head);
    conn_finish(c, true);
}

void reply_text(struct conn *c, const char *content_type, struct span body)
{
    put(c, 200, content_type, "", body, true);
}
