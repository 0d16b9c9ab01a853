/*
 * From a request's head to its endpoint: paths, methods and callers that are none are refused
 * before the body is read. The answers to /health and /metrics are made here.
 */
#include "serve/front/route.h"

#include <string.h>

#include "serve/call/call.h"
#include "serve/engine/workers.h"
#include "serve/front/auth.h"
#include "serve/front/endpoints.h"
#include "serve/front/refused.h"
#include "serve/front/reply.h"
#include "serve/handlers/handlers.h"
#include "serve/service.h"

static void health(struct service *s, struct conn *c)
{
    const char *why = service_refuses(s);
    if (why) {
        reply_error(c, 503, "server_error", why, "The server takes no calls now.");
        return;
    }
    reply_json(c, span_str("{\"status\":\"ok\"}"));
}

static void metrics(struct service *s, struct conn *c)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    metrics_text(s, &text);
    reply_text(c, "text/plain; version=0.0.4", buf_span(&text));
    buf_free(&text);
}

/* Whether a field's value has the parameter charset, and it is not UTF-8, which JSON is in. */
static bool is_in_other_charset(struct span value)
{
    static const char name[] = "charset=";
    for (; value.n >= sizeof name - 1; value = span_sub(value, 1, value.n)) {
        if (!http_name_is(span_sub(value, 0, sizeof name - 1), name))
            continue;
        struct span s = span_sub(value, sizeof name - 1, value.n);
        const uint8_t *end = memchr(s.p, ';', s.n);
        s = span_sub(s, 0, end ? (size_t)(end - s.p) : s.n);
        if (s.n > 1 && s.p[0] == '"' && s.p[s.n - 1] == '"')
            s = span_sub(s, 1, s.n - 2);
        if (!http_name_is(s, "utf-8") && !http_name_is(s, "utf8"))
            return true;
    }
    return false;
}

/* Fields that would have an upstream decode a body which is judged and recorded as it stands: whoever
 * decodes it might read another request. */
static const char *unreadable(const struct http_request *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct http_field *f = &r->fields[i];
        if (http_name_is(f->name, "content-encoding") && !http_name_is(f->value, "identity"))
            return "The body may not be compressed: send it without Content-Encoding.";
        if (http_name_is(f->name, "content-type") && is_in_other_charset(f->value))
            return "The body is JSON in UTF-8: name no other charset in Content-Type.";
    }
    return NULL;
}

/* Before the body is read: paths, methods and callers that are none are refused here. */
static bool admit(struct service *s, struct conn *c, const struct http_request *r, bool admin,
                  const struct endpoint **ep, struct caller *who)
{
    const char *allowed, *unread;
    *ep = endpoint_find(r, &allowed);
    /* With an address of their own administrators are served there, and nobody else is. */
    if (*ep && s->settings->admin_address && (*ep)->kind != ENDPOINT_HEALTH &&
        (*ep)->admin != admin)
        *ep = NULL;
    if (r->upgrade) { /* clients fall back to POST on 426 alone */
        refused_count(s, REFUSED_MALFORMED);
        reply_error(c, 426, "invalid_request_error", "upgrade_required",
                    "WebSocket is not spoken here; use POST.");
        return false;
    }
    if (!*ep) {
        refused_count(s, REFUSED_MALFORMED);
        if (allowed)
            reply_other_method(c, allowed);
        else
            reply_error(c, 404, "invalid_request_error", "not_found", "There is no such endpoint.");
        return false;
    }
    enum auth_result result = auth_caller(s, c, who);
    if (result != AUTH_OK && (*ep)->kind != ENDPOINT_HEALTH) {
        refused_count(s, REFUSED_UNAUTHENTICATED);
        reply_error(c, 401, "invalid_request_error", "invalid_api_key",
                    result == AUTH_MISSING ? "No API key was given." : "The API key is not known.");
        return false;
    }
    if ((*ep)->admin && s->settings->keys.count && !(who->key && who->key->admin)) {
        refused_count(s, REFUSED_UNAUTHENTICATED);
        reply_error(c, 403, "invalid_request_error", "not_an_administrator",
                    "This key is not an administrator's.");
        return false;
    }
    unread = unreadable(r);
    if (unread) {
        refused_count(s, REFUSED_MALFORMED);
        reply_error(c, 415, "invalid_request_error", "unsupported_media_type", unread);
        return false;
    }
    return true;
}

/* ---- from the listeners ---- */

static bool on_head(void *arg, struct conn *c, const struct http_request *r)
{
    const struct endpoint *ep;
    struct caller who;
    return admit(arg, c, r, false, &ep, &who);
}

static bool on_admin_head(void *arg, struct conn *c, const struct http_request *r)
{
    const struct endpoint *ep;
    struct caller who;
    return admit(arg, c, r, true, &ep, &who);
}

static void serve_request(struct service *s, struct conn *c, const struct http_request *r,
                          bool admin)
{
    const struct endpoint *ep;
    struct caller who;
    if (!admit(s, c, r, admin, &ep, &who))
        return;
    switch (ep->kind) {
    case ENDPOINT_CALL:
        call_begin(s, c, ep, &who);
        break;
    case ENDPOINT_MODELS:
        models_begin(s, c, &who);
        break;
    case ENDPOINT_MODEL:
        model_tell(s, c, span_sub(r->path, strlen(ep->path), r->path.n), &who);
        break;
    case ENDPOINT_RECEIPT:
        receipt_begin(s, c, span_sub(r->path, strlen(ep->path), r->path.n), &who);
        break;
    case ENDPOINT_HEALTH:
        health(s, c);
        break;
    case ENDPOINT_METRICS:
        metrics(s, c);
        break;
    case ENDPOINT_REPLAY:
        replay_begin(s, c, span_sub(r->path, strlen(ep->path), r->path.n));
        break;
    case ENDPOINT_ENGINE_ONLY:
        engine_tool(s, c, ep, &who);
        break;
    }
}

static void on_request(void *arg, struct conn *c, const struct http_request *r, struct span body)
{
    (void)body;
    serve_request(arg, c, r, false);
}

static void on_admin_request(void *arg, struct conn *c, const struct http_request *r,
                             struct span body)
{
    (void)body;
    serve_request(arg, c, r, true);
}

static void on_malformed(void *arg, struct conn *c, unsigned status, const char *why)
{
    struct service *s = arg;
    refused_count(s, status == 413 || status == 408 ? REFUSED_LIMITED : REFUSED_MALFORMED);
    reply_malformed(c, status, why);
}

static void on_gone(void *arg, struct conn *c)
{
    struct guest *g = conn_user(c);
    (void)arg;
    if (g)
        g->gone(g);
}

static void on_drained(void *arg, struct conn *c)
{
    struct guest *g = conn_user(c);
    (void)arg;
    if (g && g->drained)
        g->drained(g);
}

struct listener_calls route_calls(struct service *s, bool admin)
{
    return (struct listener_calls){admin ? on_admin_head : on_head,
                                   admin ? on_admin_request : on_request,
                                   on_malformed,
                                   on_gone,
                                   on_drained,
                                   s};
}
