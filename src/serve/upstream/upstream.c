/*
 * The request as an upstream gets it, and the head of its answer as the client gets it.
 * What belongs to one connection alone, and what identifies the client to us, is
 * not passed on; everything else is, in its order.
 */
#include <string.h>

#include "assay/base/text.h"
#include "serve/call/call.h"
#include "serve/service.h"
#include "serve/upstream/upstream.h"

enum { LINES_MAX = HTTP_FIELDS_MAX + 16, MODEL_TEXT_MAX = 4096 };

/* Not passed to upstreams: RFC 9110 section 7.6.1, credentials, and what we say ourselves. */
static const char *const kept_back[] = {"connection",
                                        "keep-alive",
                                        "proxy-connection",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "expect",
                                        "host",
                                        "content-length",
                                        "authorization",
                                        "x-api-key",
                                        "api-key",
                                        "cookie",
                                        "proxy-authorization",
                                        "accept-encoding",
                                        "via",
                                        "forwarded",
                                        "x-forwarded-for",
                                        "x-forwarded-host",
                                        "x-forwarded-proto",
                                        "x-real-ip",
                                        NULL};

static bool in(const char *const *names, struct span name)
{
    for (; *names; names++)
        if (http_name_is(name, *names))
            return true;
    return false;
}

const struct upstream_config *call_upstream(const struct call *c)
{
    return serve_settings_upstream(c->settings, c->targets[c->target]->index);
}

/* A field that Connection names goes no further. */
static bool is_named(const struct http_request *r, struct span name)
{
    char lower[64];
    if (name.n >= sizeof lower)
        return false;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    lower[name.n] = '\0';
    for (size_t i = 0; i < r->count; i++)
        if (http_name_is(r->fields[i].name, "connection") &&
            http_list_has(r->fields[i].value, lower))
            return true;
    return false;
}

struct lines {
    const char *line[LINES_MAX + 1];
    size_t count;
    struct arena *a;
    bool failed;
};

static void add_line(struct lines *l, const char *line)
{
    l->failed = l->failed || !line || l->count == LINES_MAX;
    if (!l->failed)
        l->line[l->count++] = line;
}

/* As struct transfer_request has them. */
static void add_field(struct lines *l, const struct http_field *f)
{
    add_line(l, f->value.n
                    ? arena_printf(l->a, "%.*s: %.*s", (int)f->name.n, (const char *)f->name.p,
                                   (int)f->value.n, (const char *)f->value.p)
                    : arena_printf(l->a, "%.*s;", (int)f->name.n, (const char *)f->name.p));
}

/* The fields but for the credential, which stands first. */
static void list_fields(struct lines *l, const struct call *c)
{
    const struct http_request *r = conn_request(c->conn);
    bool accept = http_field_find(r, "accept") != NULL;
    for (size_t i = 0; i < r->count; i++)
        if (!in(kept_back, r->fields[i].name) && !is_named(r, r->fields[i].name))
            add_field(l, &r->fields[i]);
    if (!accept)
        add_line(l, "Accept: */*");
    if (!http_field_find(r, "content-type"))
        add_line(l, "Content-Type: application/json");
    add_line(l, "Accept-Encoding: identity");
    add_line(l, "Via: 1.1 assay");
}

const char *upstream_credential(struct arena *a, const struct upstream_config *u, struct span shown)
{
    int n = (int)shown.n;
    const char *p = (const char *)shown.p;
    if (u->style == STYLE_ANTHROPIC)
        return arena_printf(a, "x-api-key: %.*s", n, p);
    if (u->style == STYLE_AZURE)
        return arena_printf(a, "api-key: %.*s", n, p);
    return arena_printf(a, "Authorization: Bearer %.*s", n, p);
}

/* As it goes over an HTTP/1.1 connection; the credential is replaced by its keyed hash. */
static bool record_head(struct call *c, const struct lines *l)
{
    const struct upstream_config *u = call_upstream(c);
    struct buf *out = &c->request_head;
    size_t body = c->body_rewritten ? c->request_body.n : c->body.n;
    buf_clear(out);
    buf_put_str(out, "POST ");
    buf_put_span(out, u->path);
    buf_printf(out, "%s HTTP/1.1\r\nHost: ", c->endpoint->suffix);
    buf_put_span(out, u->host);
    buf_put_str(out, HTTP_CRLF);
    for (size_t i = 0; i < l->count; i++) {
        size_t n = strlen(l->line[i]);
        bool empty = n && l->line[i][n - 1] == ';' && !strchr(l->line[i], ':');
        buf_put(out, l->line[i], empty ? n - 1 : n);
        buf_put_str(out, empty ? ":\r\n" : HTTP_CRLF);
    }
    buf_printf(out, "Content-Length: %zu\r\n\r\n", body);
    return buf_ok(out);
}

/* What this upstream calls the model, as JSON; none where the client says it so. */
static bool model_edit(struct call *c, struct span name, struct edit *out)
{
    struct json_writer w;
    struct buf text;
    *out = (struct edit){.with = SPAN_EMPTY};
    if (name.n == 0 || span_eq(name, c->model))
        return true;
    buf_init(&text, MODEL_TEXT_MAX);
    jw_init(&w, json_sink_buf, &text, false);
    jw_string(&w, name);
    *out = (struct edit){c->model_at, c->model_end, arena_span(c->arena, buf_span(&text))};
    buf_free(&text);
    return out->with.n != 0 && !w.failed;
}

/* The body with these octets replaced, and nothing else. */
static bool rewrite(struct call *c, struct edit first, struct edit second)
{
    struct span body = buf_span(&c->body);
    size_t at = 0;
    buf_clear(&c->request_body);
    c->body_rewritten = first.with.n || second.with.n;
    if (!c->body_rewritten)
        return true;
    const struct edit edits[] = {first.at < second.at ? first : second,
                                 first.at < second.at ? second : first};
    for (size_t i = 0; i < 2; i++) {
        if (edits[i].with.n == 0)
            continue;
        buf_put_span(&c->request_body, span_sub(body, at, edits[i].at - at));
        buf_put_span(&c->request_body, edits[i].with);
        at = edits[i].end;
    }
    buf_put_span(&c->request_body, span_sub(body, at, body.n));
    return buf_ok(&c->request_body);
}

static bool rewrite_body(struct call *c, const struct upstream_config *u)
{
    struct edit model, none = {.with = SPAN_EMPTY};
    return model_edit(c, c->targets[c->target]->model, &model) &&
           rewrite(c, model, u->include_usage ? c->usage : none);
}

static bool prepare(struct call *c, struct err *e)
{
    const struct upstream_config *u = call_upstream(c);
    struct lines recorded = {.a = c->arena}, sent = {.a = c->arena};
    char shown[16 + DIGEST_HEX + 1] = "hmac-sha256:";
    struct digest hash;
    if (!rewrite_body(c, u))
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    if (u->key.n) {
        auth_hash(c->service, u->key, &hash);
        digest_hex(shown + strlen(shown), &hash);
        add_line(&recorded, upstream_credential(c->arena, u, span_str(shown)));
        add_line(&sent, upstream_credential(c->arena, u, u->key));
    }
    list_fields(&recorded, c);
    for (size_t i = sent.count; i < recorded.count; i++)
        sent.line[i] = recorded.line[i];
    if (recorded.failed || sent.failed || !record_head(c, &recorded))
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    sent.line[recorded.count] = "Expect:";
    c->lines = arena_array(c->arena, recorded.count + 2, sizeof *c->lines);
    if (!c->lines)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    memcpy(c->lines, sent.line, (recorded.count + 1) * sizeof *c->lines);
    return true;
}

/* ---- asking ---- */

static void on_head(void *arg, unsigned status, struct span lines)
{
    call_upstream_head(arg, status, lines);
}

static bool on_data(void *arg, struct span bytes)
{
    return call_upstream_data(arg, bytes);
}

static void on_done(void *arg, const struct transfer_result *r)
{
    call_upstream_done(arg, r);
}

static bool ask(struct call *c, struct err *e)
{
    static const struct transfer_calls calls = {on_head, on_data, on_done};
    const struct upstream_config *u = call_upstream(c);
    const char *url = arena_printf(c->arena, "%s%s", u->url_text, c->endpoint->suffix);
    struct transfer_request r = {
        .url = url,
        .post = true,
        .fresh = c->fresh,
        .fields = c->lines,
        .body = c->body_rewritten ? buf_span(&c->request_body) : buf_span(&c->body),
        .ca_file = u->ca_text,
        .connect_ms = (unsigned)u->connect_ms,
        .first_byte_ms = (unsigned)u->first_byte_ms,
        .idle_ms = (unsigned)u->idle_ms,
    };
    if (!url)
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    return transfer_start(&c->transfer, c->service->transfers, &r, &calls, c, e);
}

/* ---- what the log gets ---- */

static void describe(struct call *c, struct exchange_call *out)
{
    const struct upstream_config *u = call_upstream(c);
    out->relayed = !c->body_rewritten;
    out->upstream = (struct exchange_upstream){.name = u->name, .url = u->url};
}

static size_t intent(struct call *c, struct log_content content[BACKEND_FIELDS])
{
    size_t n = 0;
    if (c->body_rewritten)
        content[n++] =
            (struct log_content){span_str("upstream_request"), buf_span(&c->request_body)};
    return n;
}

static size_t sealed(struct call *c, struct log_content content[BACKEND_FIELDS])
{
    (void)c;
    (void)content;
    return 0; /* what came is the answer, and the gate has it */
}

static void outcome(struct call *c, struct exchange_outcome *o)
{
    const struct upstream_config *u = call_upstream(c);
    o->upstream =
        (struct exchange_upstream){.name = u->name,
                                   .url = u->url,
                                   .fingerprint = span_str(c->facts.fingerprint),
                                   .certificate = c->has_certificate ? &c->certificate : NULL};
}

static void forget(struct call *c)
{
    if (c->transfer)
        transfer_cancel(c->transfer);
    c->transfer = NULL;
}

static bool stop(struct call *c)
{
    forget(c);
    return true;
}

const struct backend upstream_backend = {
    EXCHANGE_UPSTREAM, prepare, describe, intent, sealed, ask, stop, outcome, forget, NULL};

/* ---- the head of the answer ---- */

static bool is_passed_on(struct span name)
{
    static const char *const names[] = {"content-type", "content-encoding", "retry-after",
                                        "x-request-id", "request-id",       NULL};
    static const char *const prefixes[] = {"x-ratelimit-", "openai-", "anthropic-", NULL};
    char lower[32];
    size_t n = name.n < sizeof lower - 1 ? name.n : sizeof lower - 1;
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    lower[n] = '\0';
    for (size_t i = 0; prefixes[i]; i++)
        if (strncmp(lower, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return in(names, name);
}

static bool next_line(struct span *rest, struct http_field *f)
{
    if (rest->n == 0)
        return false;
    const uint8_t *end = memchr(rest->p, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    struct span line = span_sub(*rest, 0, n);
    *rest = span_sub(*rest, end ? n + 1 : n, rest->n);
    while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
        line.n--;
    const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    size_t at = colon ? (size_t)(colon - line.p) : 0;
    f->name = span_sub(line, 0, at);
    f->value = span_sub(line, colon ? at + 1 : line.n, line.n);
    while (f->value.n && (f->value.p[0] == ' ' || f->value.p[0] == '\t'))
        f->value = span_sub(f->value, 1, f->value.n);
    return true;
}

/* A media type's letters may be of any case, and parameters may follow. */
static bool is_events(struct span value)
{
    static const char type[] = "text/event-stream";
    struct span rest = span_sub(value, sizeof type - 1, value.n);
    return value.n >= sizeof type - 1 && http_name_is(span_sub(value, 0, sizeof type - 1), type) &&
           (rest.n == 0 || rest.p[0] == ';' || rest.p[0] == ' ' || rest.p[0] == '\t');
}

void upstream_answer_head(struct call *c, unsigned status, struct span lines)
{
    struct gate *g = &c->gate;
    struct http_field f;
    bool events = false, coded = false;
    http_put_status(&g->head, status);
    while (next_line(&lines, &f)) {
        char name[64];
        if (f.name.n == 0 || f.name.n >= sizeof name || !is_passed_on(f.name))
            continue;
        memcpy(name, f.name.p, f.name.n);
        name[f.name.n] = '\0';
        (void)http_put_field(&g->head, name, f.value);
        if (http_name_is(f.name, "content-type"))
            events = is_events(f.value);
        coded = coded || http_name_is(f.name, "content-encoding");
    }
    /* Of a stream that is compressed all the same no event can be told from another. */
    g->stream = c->stream && events && !coded && status == 200;
    g->chunked = c->conn && conn_request(c->conn)->minor == 1;
    bool asked =
        c->backend == &upstream_backend && call_upstream(c)->include_usage && c->usage.with.n;
    g->apart = g->stream && asked;
    if (g->apart)
        usage_filter_begin(&c->filter, &c->facts, g->limit);
}
