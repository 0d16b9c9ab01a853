/*
 * What the server itself says: errors in the shape of the API that was asked, OpenAI's or
 * Anthropic's, lists, texts. Nothing of a model's answer passes here.
 */
#include "serve/front/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/json.h"

enum { REPLY_MAX = 4 << 20 };

/* What an error says. */
struct said {
    unsigned status;
    const char *type, *code, *param, *message; /* the type is OpenAI's; param may be NULL */
    const char *allowed;                       /* the method that there is; NULL: not told */
};

static void put_openai(struct json_writer *w, const struct said *s)
{
    jw_key(w, "message");
    jw_str(w, s->message);
    jw_key(w, "type");
    jw_str(w, s->type);
    jw_key(w, "param");
    jw_str(w, s->param);
    jw_key(w, "code");
    jw_str(w, s->code);
}

/* By status, as that API's clients choose their exception. */
static const char *anthropic_type(unsigned status)
{
    static const struct {
        unsigned status;
        const char *type;
    } types[] = {{401, "authentication_error"}, {403, "permission_error"},
                 {404, "not_found_error"},      {413, "request_too_large"},
                 {429, "rate_limit_error"},     {503, "overloaded_error"},
                 {504, "timeout_error"},        {529, "overloaded_error"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].status == status)
            return types[i].type;
    return status >= 500 ? "api_error" : "invalid_request_error";
}

static void put_anthropic(struct json_writer *w, const struct said *s)
{
    jw_key(w, "type");
    jw_str(w, anthropic_type(s->status));
    jw_key(w, "message");
    jw_str(w, s->message);
    jw_key(w, "details");
    jw_object(w);
    jw_key(w, "error_code");
    jw_str(w, s->code);
    if (s->param) {
        jw_key(w, "param");
        jw_str(w, s->param);
    }
    jw_end_object(w);
}

/* Whether the request is for Anthropic's API: its line says so, also where no more could be read. */
static bool is_messages(const struct conn *c)
{
    static const char route[] = "/v1/messages";
    struct span head = conn_head(c);
    const uint8_t *blank = head.n ? memchr(head.p, ' ', head.n) : NULL;
    if (!blank)
        return false;
    struct span target = span_sub(head, (size_t)(blank - head.p) + 1, head.n);
    struct span rest = span_sub(target, strlen(route), target.n);
    return span_starts(target, route) && rest.n &&
           (rest.p[0] == ' ' || rest.p[0] == '/' || rest.p[0] == '?');
}

static void put_error_body(struct buf *out, const struct conn *c, const struct said *s)
{
    struct json_writer w;
    bool messages = is_messages(c);
    jw_init(&w, json_sink_buf, out, false);
    jw_object(&w);
    if (messages) {
        jw_key(&w, "type");
        jw_str(&w, "error");
    }
    jw_key(&w, "error");
    jw_object(&w);
    if (messages)
        put_anthropic(&w, s);
    else
        put_openai(&w, s);
    jw_end_object(&w);
    jw_end_object(&w);
}

void reply_error_body(struct buf *out, const struct conn *c, unsigned status, const char *type,
                      const char *code, const char *message)
{
    put_error_body(out, c, &(struct said){status, type, code, NULL, message, NULL});
}

/* Whoever asks by HEAD reads no body: it would be taken for the next answer. */
static bool is_head(const struct conn *c)
{
    return span_starts(conn_head(c), "HEAD ");
}

static void put(struct conn *c, unsigned status, const char *content_type, const char *more,
                struct span body, bool keep)
{
    struct buf out;
    buf_init(&out, REPLY_MAX);
    http_put_status(&out, status);
    buf_printf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n", content_type, body.n,
               more, keep ? "" : "Connection: close\r\n");
    if (!is_head(c))
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

static void put_error(struct conn *c, const struct said *s, bool keep)
{
    const char *more = s->status == 429 || s->status == 503 ? "Retry-After: 1\r\n"
                       : s->status == 401                   ? "WWW-Authenticate: Bearer\r\n"
                       : s->status == 426                   ? "Upgrade: HTTP/1.1\r\n"
                       : !s->allowed                        ? ""
                       : strcmp(s->allowed, "GET") == 0     ? "Allow: GET, HEAD\r\n"
                                                            : "Allow: POST\r\n";
    struct buf body;
    buf_init(&body, REPLY_MAX);
    put_error_body(&body, c, s);
    put(c, s->status, "application/json", more, buf_span(&body), keep);
    buf_free(&body);
}

void reply_error(struct conn *c, unsigned status, const char *type, const char *code,
                 const char *message)
{
    put_error(c, &(struct said){status, type, code, NULL, message, NULL}, may_keep(c, status));
}

void reply_other_method(struct conn *c, const char *allowed)
{
    const struct said s = {405,  "invalid_request_error",      "method_not_allowed",
                           NULL, "There is no such endpoint.", allowed};
    put_error(c, &s, may_keep(c, 405));
}

void reply_wrong(struct conn *c, const struct complaint *w, const char *code, const char *message)
{
    unsigned status = w->status ? w->status : 400;
    const struct said s = {status,
                           "invalid_request_error",
                           w->code ? w->code : code,
                           w->param[0] ? w->param : NULL,
                           message,
                           NULL};
    put_error(c, &s, may_keep(c, status));
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
    put_error(c,
              &(struct said){status, "invalid_request_error", "invalid_request", NULL, why, NULL},
              false);
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
    if (!is_head(c))
        conn_put(c, body);
    buf_free(&head);
    conn_finish(c, true);
}

void reply_text(struct conn *c, const char *content_type, struct span body)
{
    put(c, 200, content_type, "", body, true);
}
