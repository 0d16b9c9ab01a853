/*
 * From a request to its durable intent: the body is judged, the caller's rights and budgets too,
 * and a backend chosen. Whoever is refused here had nothing forwarded and is counted, not recorded;
 * an intent that the log does not take is a refusal as well.
 */
#include "serve/call/call.h"
#include "serve/call/request.h"
#include "serve/config/enrolled.h"
#include "serve/service.h"

/* ---- refusals ---- */

/* Refused before there is an intent: nothing is forwarded, and it is counted. */
static void refuse(struct call *c, enum refusal what, unsigned status, const char *code,
                   const char *message)
{
    struct conn *conn = c->conn;
    const char *type = status == 429   ? "rate_limit_exceeded"
                       : status >= 500 ? "server_error"
                                       : "invalid_request_error";
    refused_count(c->service, what);
    call_free(c);
    reply_error(conn, status, type, code, message);
}

/* The caller's fault: which field, and why. */
static void refuse_wrong(struct call *c, const char *code, const struct err *why)
{
    struct conn *conn = c->conn;
    const struct complaint w = c->wrong;
    refused_count(c->service, REFUSED_MALFORMED);
    call_free(c);
    reply_wrong(conn, &w, code, why->text);
}

/* 503 and why; nothing leaves. */
static void no_log(struct call *c, const struct err *e)
{
    service_say_error(c->service, "log_refused", err_name(e->code), e);
    /* What is no limit lasts: the log takes nothing more, which /health tells. */
    if (e->code != ERR_LIMIT && e->code != ERR_MEMORY)
        c->service->log_stopped = true;
    c->service->metrics.refused[REASON_LOG]++;
    refuse(c, REFUSED_LIMITED, 503, e->code == ERR_LIMIT ? "log_queue_full" : "log_unavailable",
           "The audit log cannot be written, so nothing is answered.");
}

static bool refuse_model(struct call *c, unsigned status, const char *code, const char *why)
{
    struct err e = ERR_INIT;
    c->wrong.status = status;
    complain(&c->wrong, &e, code, "model", "%s", why);
    refuse_wrong(c, code, &e);
    return false;
}

static bool may_begin(struct call *c, const struct model_config **m)
{
    const char *used_up, *why = service_refuses(c->service);
    if (why) {
        c->service->metrics.refused[REASON_LOG]++;
        refuse(c, REFUSED_LIMITED, 503, why, "The server takes no calls now; try again later.");
        return false;
    }
    *m = serve_settings_model(c->settings, c->model);
    if (!*m)
        return refuse_model(c, 404, "model_not_found", "names no model that is served here");
    if (c->settings->enrolled_only && !enrolled_find(c->settings, c->model))
        return refuse_model(c, 403, "model_not_enrolled",
                            "is not enrolled, and the policy serves no other (assay record)");
    if (!serve_settings_key_may(c->caller.key, c->model))
        return refuse_model(c, 403, "model_not_allowed", "is not for this key");
    used_up = budget_take(c->service, c->caller.key);
    if (used_up) {
        c->service->metrics.refused[REASON_BUDGET]++;
        refuse(c, REFUSED_LIMITED, 429, used_up, "The budget of this key is used up for now.");
        return false;
    }
    return true;
}

/* ---- the intent ---- */

static struct exchange_call describe(struct call *c)
{
    const struct enrolled *known = enrolled_find(c->settings, c->model);
    struct exchange_call what = {
        .api = c->endpoint->api,
        .route = c->backend->route,
        .durability = !c->stream                     ? EXCHANGE_ANSWER
                      : c->settings->durability == 1 ? EXCHANGE_END
                                                     : EXCHANGE_EACH,
        .stream = c->stream,
        .model.name = c->model,
        .policy = c->settings->enrolled_only ? span_str("enrolled_only") : SPAN_EMPTY,
        .subject = c->subject.n    ? c->subject
                   : c->caller.key ? c->caller.key->name
                                   : SPAN_EMPTY,
        .credential = c->caller.has_credential ? &c->caller.credential : NULL,
        .sampling = c->sampling,
    };
    c->backend->describe(c, &what);
    what.model.enrolled = known != NULL;
    what.model.entry = known ? known->entry : 0;
    return what;
}

static bool write_intent(struct call *c, struct err *e)
{
    struct log_content content[2 + BACKEND_FIELDS];
    size_t n = 0;
    struct exchange_call what = describe(c);
    bool both = c->request_head.n != 0;
    buf_put_span(&c->client_head, buf_span(&c->request_head));
    if (!buf_ok(&c->client_head))
        return err_set(e, ERR_MEMORY, "out of memory for a request");
    content[n++] = (struct log_content){span_str("request"), buf_span(&c->body)};
    content[n++] = (struct log_content){span_str(both ? "request_headers" : "request_header"),
                                        buf_span(&c->client_head)};
    n += c->backend->intent(c, content + n);
    for (size_t i = 0; i < n; i++)
        c->sealed += content[i].data.n;
    if (!gate_intent(&c->gate, c->service->book, &what, content, n, e))
        return false;
    call_spend(c, 0); /* at once: what many callers send together counts as they send it */
    return true;
}

void call_prepared(struct call *c, bool ok, const struct err *e)
{
    struct err why = *e;
    c->state = CALL_INTENT;
    if (!c->conn) {
        call_free(c); /* nothing was asked of anybody, and nobody waits */
    } else if (c->service->drained) {
        refuse(c, REFUSED_LIMITED, 503, "shutting_down", "The server is shutting down.");
    } else if (!ok && why.code == ERR_LIMIT) {
        c->service->metrics.refused[REASON_LOG]++;
        refuse(c, REFUSED_LIMITED, 503, "engine_busy", "Too many calls wait for the engine.");
    } else if (!ok && why.code != ERR_MEMORY) {
        refuse_wrong(c, "unsupported_request", &why);
    } else if (!ok || !write_intent(c, &why)) {
        no_log(c, &why);
    }
}

static void prepare(struct call *c)
{
    struct err e = ERR_INIT;
    if (!request_head_record(c->service, c->conn, &c->client_head)) {
        err_set(&e, ERR_MEMORY, "out of memory for a request");
        no_log(c, &e);
        return;
    }
    if (c->backend->begin) {
        c->state = CALL_PREPARING;
        c->backend->begin(c);
        return;
    }
    bool ok = c->backend->prepare(c, &e);
    call_prepared(c, ok, &e);
}

void call_begin(struct service *s, struct conn *conn, const struct endpoint *ep,
                const struct caller *who)
{
    const struct model_config *m = NULL;
    struct err e = ERR_INIT;
    struct buf sampling;
    struct call *c = call_new(s, conn, ep, who);
    if (!c) {
        reply_error(conn, 503, "server_error", "out_of_memory", "The server is out of memory.");
        return;
    }
    buf_init(&sampling, 4096);
    bool ok = request_read(c, buf_span(&c->body), &sampling, &e);
    c->sampling = arena_span(c->arena, buf_span(&sampling));
    buf_free(&sampling);
    if (!ok) {
        refuse_wrong(c, "invalid_body", &e);
    } else if (may_begin(c, &m)) {
        pick_targets(c, m);
        c->backend = c->targets[0]->engine ? &engine_backend : &upstream_backend;
        prepare(c);
    }
}
