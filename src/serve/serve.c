/*
 * The service: opens the log, listens, hands requests to their endpoints, reloads on SIGHUP and
 * drains on SIGTERM. What it says about itself goes out as one JSON object a line.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>

#include "assay/base/file.h"
#include "serve/handlers/receipts.h"
#include "serve/service.h"

enum { LINE_MAX_BYTES = 4096, SECOND_MS = 1000, RECEIPTS_MAX = 64 };

uint64_t service_now_us(void)
{
    return clock_wall();
}

void service_say(struct service *s, const char *event, const char *fmt, ...)
{
    char members[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 256];
    va_list args;
    if (!s->options->say)
        return;
    va_start(args, fmt);
    int n = vsnprintf(members, sizeof members, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof members)
        return;
    n = snprintf(line, sizeof line, "{\"time_us\":%llu,\"event\":\"%s\"%s%s}",
                 (unsigned long long)service_now_us(), event, n ? "," : "", members);
    if (n > 0 && (size_t)n < sizeof line)
        s->options->say(s->options->say_arg, (struct span){(const uint8_t *)line, (size_t)n});
}

const char *service_refuses(struct service *s)
{
    if (s->log_stopped)
        return "log_unavailable";
    if (s->disk_full)
        return "log_disk_full";
    if (s->draining)
        return "shutting_down";
    return s->call_count > s->settings->limits.calls ? "too_many_calls" : NULL;
}

/* ---- requests ---- */

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

/* Before the body is read: paths, methods and callers that are none are refused here. */
static bool admit(struct service *s, struct conn *c, const struct http_request *r, bool admin,
                  const struct endpoint **ep, struct caller *who)
{
    bool other_method;
    *ep = endpoint_find(r, &other_method);
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
        reply_error(c, other_method ? 405 : 404, "invalid_request_error",
                    other_method ? "method_not_allowed" : "not_found",
                    "There is no such endpoint.");
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
    return true;
}

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

/* ---- time ---- */

static void on_durable(void *arg)
{
    struct service *s = arg;
    size_t n = exchange_book_run(s->book);
    s->metrics.batches += n > 0;
    s->metrics.rows += n;
    if (!s->held_back || exchange_book_pressed(s->book))
        return;
    s->held_back = false;
    for (struct call *next, *c = s->calls; c; c = next) {
        next = c->next;
        gate_go_on(&c->gate);
    }
}

/* What this turn of the loop wants written goes to the log together. */
static void push_soon(void *arg)
{
    struct service *s = arg;
    loop_timer_now(s->push);
}

static void on_push(void *arg)
{
    struct service *s = arg;
    exchange_book_push(s->book);
}

/* Outcomes must still fit when the disk runs full: intents stop before. */
static void look_at_disk(struct service *s)
{
    struct statvfs v;
    bool full = statvfs(s->folder, &v) == 0 &&
                (uint64_t)v.f_bavail * v.f_frsize < s->settings->limits.reserve;
    if (full != s->disk_full)
        service_say(s, full ? "disk_full" : "disk_free", "\"reserve\":%llu",
                    (unsigned long long)s->settings->limits.reserve);
    s->disk_full = full;
}

static void on_grave(void *arg)
{
    call_bury(arg);
}

static void on_second(void *arg)
{
    struct service *s = arg;
    refused_write(s);
    look_at_disk(s);
}

/* ---- ending ---- */

void service_call_over(struct service *s)
{
    if (s->draining && s->call_count == 0)
        loop_stop(s->loop);
}

static void on_drain_over(void *arg)
{
    struct service *s = arg;
    s->drained = true;
    for (struct call *next, *c = s->calls; c; c = next) {
        next = c->next;
        call_shut_down(c);
    }
    loop_timer_start(s->drain_timer, SECOND_MS); /* whose intents were on their way */
}

static void on_term(void *arg)
{
    struct service *s = arg;
    if (s->draining) { /* asked twice: now */
        on_drain_over(s);
        return;
    }
    s->draining = true;
    service_say(s, "draining", "\"calls\":%zu", s->call_count);
    listener_drain(s->server);
    if (s->admin)
        listener_drain(s->admin);
    loop_timer_start(s->drain_timer, (unsigned)s->settings->limits.drain_ms);
    if (s->call_count == 0)
        loop_stop(s->loop);
}

/* ---- the configuration in the log ---- */

static bool record_settings(struct service *s, const char *reason, struct err *e)
{
    char hex[DIGEST_HEX + 1];
    struct log_receipt r;
    struct buf body;
    struct json_writer w;
    buf_init(&body, 65536);
    jw_init(&w, json_sink_buf, &body, false);
    jw_object(&w);
    jw_key(&w, "changes");
    jw_raw(&w, span_str("[{\"name\":\"serve\"}]"));
    jw_key(&w, "digest");
    jw_str(&w, digest_hex(hex, &s->settings->digest));
    jw_key(&w, "reason");
    jw_str(&w, reason);
    jw_key(&w, "software");
    jw_str(&w, "assay " ASSAY_VERSION);
    jw_end_object(&w);
    struct log_entry entry = {.kind = RECORD_CONFIG, .body = buf_span(&body)};
    bool ok = log_append(s->log, &entry, &r, e);
    if (ok)
        metrics_written(&s->metrics, r.seq);
    buf_free(&body);
    return ok;
}

static struct listener_tls tls_of(const struct settings *s)
{
    const struct tls_config *t = &s->tls;
    return (struct listener_tls){
        t->certificate.n ? arena_str(s->arena, t->certificate) : NULL,
        t->key.n ? arena_str(s->arena, t->key) : NULL,
        t->client_ca.n ? arena_str(s->arena, t->client_ca) : NULL,
    };
}

static void on_hup(void *arg)
{
    struct service *s = arg;
    struct settings *fresh = NULL;
    struct err e = ERR_INIT;
    if (!serve_settings_read(&fresh, s->options, &e) || !enrolled_read(fresh, &e)) {
        serve_settings_release(fresh);
        service_say(s, "reload_refused", "\"code\":\"%s\"", err_name(e.code));
        return;
    }
    bool same = serve_settings_same_engines(fresh, s->settings); /* else it needs a restart */
    if (!same || !workers_agree(s, fresh, &e)) {
        serve_settings_release(fresh);
        service_say(s, "reload_refused", "\"code\":\"%s\"",
                    same ? "weights_not_enrolled" : "engine_changed");
        return;
    }
    struct settings *old = s->settings;
    s->settings = fresh;
    if (!record_settings(s, "reload", &e)) {
        s->settings = old;
        serve_settings_release(fresh);
        service_say(s, "reload_refused", "\"code\":\"%s\"", err_name(e.code));
        return;
    }
    struct listener_tls tls = tls_of(fresh);
    if (!listener_reload(s->server, &tls, &e) || (s->admin && !listener_reload(s->admin, &tls, &e)))
        service_say(s, "certificate_refused", "\"code\":\"%s\"", err_name(e.code));
    serve_settings_release(old);
    memset(s->circuits, 0, sizeof s->circuits);
    service_say(s, "reloaded", "\"models\":%zu", s->settings->models.count);
}

/* ---- beginning ---- */

static bool load_secret(struct service *s, const char *folder, struct err *e)
{
    char path[4096];
    struct span bytes;
    struct arena *a = arena_new(65536);
    struct err missing = ERR_INIT;
    snprintf(path, sizeof path, "%s/credential.key", folder);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory");
    bool ok = true;
    if (!file_read(&bytes, path, SEAL_KEY, true, a, &missing)) {
        ok = seal_random(s->secret.b, SEAL_KEY, e) &&
             file_create(path, (struct span){s->secret.b, SEAL_KEY}, e);
    } else if (bytes.n == SEAL_KEY) {
        memcpy(s->secret.b, bytes.p, SEAL_KEY);
    } else {
        ok = err_at(e, ERR_CONFIG, path, ERR_NO_OFFSET, "is not %d bytes", SEAL_KEY);
    }
    arena_wipe(a);
    arena_free(a);
    return ok;
}

static bool open_log(struct service *s, struct err *e)
{
    struct log_paths paths = {s->options->key, s->options->operator_key};
    s->folder = strndup((const char *)s->settings->log.p, s->settings->log.n);
    bool ok = s->folder || err_set(e, ERR_MEMORY, "out of memory");
    ok = ok && log_open(&s->log, s->folder, &paths, e);
    if (ok && !log_is_owner(s->log))
        ok = err_set(e, ERR_USAGE, "another process owns the log in %s: a server owns its log",
                     s->folder);
    return ok && load_secret(s, s->folder, e) && record_settings(s, "start", e) &&
           exchange_book_open(&s->book, s->log, e);
}

static struct listener_limits limits_of(const struct settings *s)
{
    return (struct listener_limits){.head = s->limits.head,
                                    .body = s->limits.body,
                                    .connections = s->limits.connections,
                                    .head_ms = (unsigned)s->limits.head_ms,
                                    .idle_ms = (unsigned)s->limits.idle_ms,
                                    .body_ms = (unsigned)s->limits.body_ms,
                                    .stall_ms = (unsigned)s->limits.stall_ms,
                                    .low_water = 65536};
}

static bool listen_on(struct service *s, struct listener **out, const char *address, unsigned port,
                      bool admin, struct err *e)
{
    struct listener_limits limits = limits_of(s->settings);
    struct listener_calls calls = {admin ? on_admin_head : on_head,
                                   admin ? on_admin_request : on_request,
                                   on_malformed,
                                   on_gone,
                                   on_drained,
                                   s};
    struct listener_tls tls = tls_of(s->settings);
    return listener_open(out, s->loop, address, port, &tls, &limits, &calls, e);
}

static bool listen_all(struct service *s, struct err *e)
{
    const struct settings *c = s->settings;
    return listen_on(s, &s->server, c->address, c->port, false, e) &&
           (!c->admin_address || listen_on(s, &s->admin, c->admin_address, c->admin_port, true, e));
}

static bool watch(struct service *s, struct err *e)
{
    struct loop *l = s->loop;
    s->durable = loop_readable(l, exchange_book_fd(s->book), on_durable, s);
    s->second = loop_every(l, SECOND_MS, on_second, s);
    s->on_term = loop_signal(l, SIGTERM, on_term, s);
    s->on_int = loop_signal(l, SIGINT, on_term, s);
    s->on_hup = loop_signal(l, SIGHUP, on_hup, s);
    s->drain_timer = loop_timer(l, on_drain_over, s);
    s->grave = loop_timer(l, on_grave, s);
    s->push = loop_timer(l, on_push, s);
    if (s->push)
        exchange_book_together(s->book, push_soon, s);
    return (s->push && s->grave && s->durable && s->second && s->on_term && s->on_int &&
            s->on_hup && s->drain_timer) ||
           err_set(e, ERR_MEMORY, "out of memory");
}

/* As many descriptors as the system lets us have. */
static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    /* Ignored but while the loop watches for them: the log is closed in peace. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

static void close_service(struct service *s)
{
    replays_stop(s);           /* they wait for the engines */
    errands_close(s->readers); /* calls that are prepared end here */
    errands_close(s->receipts);
    for (struct call *next, *c = s->calls; c; c = next) {
        next = c->next;
        call_free(c);
    }
    call_bury(s);
    models_free(s);
    workers_stop(s);
    listener_close(s->server);
    listener_close(s->admin);
    transfers_close(s->transfers);
    if (s->log && s->book)
        refused_write(s);
    loop_event_free(s->durable);
    loop_event_free(s->second);
    loop_event_free(s->on_term);
    loop_event_free(s->on_int);
    loop_event_free(s->on_hup);
    loop_event_free(s->drain_timer);
    loop_event_free(s->grave);
    if (s->book)
        exchange_book_together(s->book, NULL, NULL);
    loop_event_free(s->push);
    log_reader_close(s->reader);
    exchange_book_close(s->book);
    log_close(s->log);
    loop_free(s->loop);
    budgets_free(s);
    free(s->folder);
    serve_settings_release(s->settings);
    seal_wipe(&s->secret, sizeof s->secret);
    free(s);
}

bool serve_run(const struct serve_options *o, struct err *e)
{
    struct service *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_MEMORY, "out of memory for the service");
    s->options = o;
    raise_limits();
    bool ok = serve_settings_read(&s->settings, o, e) && loop_new(&s->loop, e) &&
              listen_all(s, e) && privileges_drop(s->settings, e) && open_log(s, e) &&
              enrolled_read(s->settings, e) && transfers_open(&s->transfers, s->loop, e) &&
              watch(s, e) && errands_open(&s->receipts, s->loop, 1, RECEIPTS_MAX, e) &&
              workers_start(s, e) && replays_start(s, e);
    if (ok) {
        look_at_disk(s);
        service_say(s, "listening", "\"port\":%u,\"admin_port\":%u", listener_port(s->server),
                    s->admin ? listener_port(s->admin) : 0);
        ok = loop_run(s->loop, e);
        service_say(s, "stopped", "\"calls\":%zu", s->call_count);
    }
    close_service(s);
    return ok;
}

bool serve_check(const struct serve_options *o, struct err *e)
{
    struct settings *s = NULL;
    bool ok = serve_settings_read(&s, o, e);
    serve_settings_release(s);
    return ok;
}
