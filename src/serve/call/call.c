/*
 * A call from its request to its outcome: intent durable, an upstream asked (and another,
 * as long as no byte came), the answer through the gate, the outcome. Whatever goes
 * wrong ends in gate_end, so that no intent stays without an outcome while the log
 * can be written.
 */
#include "serve/service.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_ARENA = 512 << 20, WAIT_HIGH = 256 << 10, WAIT_LOW = 64 << 10, SMALL = 1 << 20 };

/* ---- lifetime ---- */

static void on_gone(struct guest *g);
static void on_drained(struct guest *g);

static struct call *make(struct service *s, struct conn *conn, const struct endpoint *ep,
                         const struct caller *who)
{
    struct call *c = calloc(1, sizeof *c);
    struct arena *a = arena_new(CALL_ARENA);
    if (!c || !a) {
        arena_free(a);
        free(c);
        return NULL;
    }
    c->service = s;
    c->settings = serve_settings_hold(s->settings);
    c->endpoint = ep;
    c->caller = *who;
    c->conn = conn;
    c->arena = a;
    c->start_us = service_now_us();
    conn_take_body(conn, &c->body);
    buf_init(&c->request_body, s->settings->limits.body + SMALL);
    buf_init(&c->request_head, SMALL);
    buf_init(&c->client_head, 4 * SMALL); /* of both, and each may be as long as is configured */
    buf_init(&c->upstream_head, SMALL);
    buf_init(&c->own_reply, SMALL);
    gate_init(&c->gate, c, s->settings->limits.answer);
    facts_init(&c->facts, ep->api, c->body.n);
    c->next = s->calls;
    if (c->next)
        c->next->previous = c;
    s->calls = c;
    s->call_count++;
    c->guest = (struct guest){on_gone, on_drained};
    conn_set_user(conn, &c->guest);
    return c;
}

/* No word of it comes any more; its memory stays until the loop turns, because whoever
 * called may still look at it. */
void call_free(struct call *c)
{
    struct service *s = c->service;
    if (c->dead)
        return;
    c->dead = true;
    if (c->backend)
        c->backend->forget(c);
    if (c->conn)
        conn_set_user(c->conn, NULL);
    if (c->previous)
        c->previous->next = c->next;
    else
        s->calls = c->next;
    if (c->next)
        c->next->previous = c->previous;
    s->call_count--;
    c->conn = NULL;
    gate_close(&c->gate);
    c->next = s->dead;
    s->dead = c;
    loop_timer_start(s->grave, 0);
    service_call_over(s);
}

void call_bury(struct service *s)
{
    struct call *c = s->dead;
    s->dead = NULL;
    for (struct call *next; c; c = next) {
        next = c->next;
        gate_free(&c->gate);
        facts_free(&c->facts);
        usage_filter_free(&c->filter);
        buf_free(&c->body);
        buf_free(&c->request_body);
        buf_free(&c->request_head);
        buf_free(&c->client_head);
        buf_free(&c->upstream_head);
        buf_free(&c->own_reply);
        serve_settings_release(c->settings);
        arena_free(c->arena);
        free(c);
    }
}

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

/* ---- the beginning ---- */

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

/* What was sealed since the last time, and so many tokens. */
static void spend(struct call *c, uint64_t tokens)
{
    budget_spend(c->service, c->caller.key, tokens, c->sealed - c->spent);
    c->spent = c->sealed;
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
    spend(c, 0); /* at once: what many callers send together counts as they send it */
    return true;
}

/* 503 and why; nothing leaves. */
static void no_log(struct call *c, const struct err *e)
{
    service_say(c->service, "log_refused", "\"code\":\"%s\"", err_name(e->code));
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
    struct call *c = make(s, conn, ep, who);
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

/* ---- the end ---- */

/* What the client gets of a call that ended without an answer. */
static void prepare_own(struct call *c)
{
    static const struct {
        unsigned status;
        const char *code, *message;
    } texts[] = {{502, "upstream_failed", "The model's server did not answer as it should."},
                 {503, "shutting_down", "The server is shutting down; try again elsewhere."},
                 {504, "upstream_timeout", "The model's server did not answer in time."}};
    size_t i = c->result == EXCHANGE_TIMEOUT ? 2 : c->result == EXCHANGE_SHUTDOWN ? 1 : 0;
    c->status = texts[i].status;
    reply_error_body(&c->own_reply, "server_error", texts[i].code, texts[i].message);
}

unsigned call_status(struct call *c)
{
    c->status = c->gate.whole || c->gate.head_left ? c->upstream_status : 0;
    if (c->status == 0 && c->conn)
        prepare_own(c);
    return c->status;
}

static void end(struct call *c, enum exchange_result result, const char *error, bool whole)
{
    static const struct exchange_model unknown;
    struct exchange_outcome o = {
        .result = result,
        .attempts = c->attempts,
        .upstream_status = c->upstream_status,
        .error = span_str(error),
        .response_id = span_str(c->facts.id),
        .model = unknown,
        .tokens = facts_tokens(&c->facts, c->upstream_status == 200),
        .timings = {.queue = c->queued_us,
                    .first_byte = c->first_byte_us,
                    .total = service_now_us() - c->start_us},
    };
    struct span *finish = arena_array(c->arena, FACTS_FINISH, sizeof *finish);
    for (size_t i = 0; finish && i < c->facts.finish_count; i++)
        finish[i] = span_str(c->facts.finish[i]);
    o.finish = finish;
    o.finish_count = finish ? c->facts.finish_count : 0;
    if (c->facts.model[0])
        o.model.name = span_str(c->facts.model);
    c->backend->outcome(c, &o);
    c->state = CALL_ENDING;
    c->result = result;
    c->error = error;
    gate_end(&c->gate, &o, whole);
}

void call_give_up(struct call *c, enum exchange_result result, const char *error)
{
    if (c->state == CALL_ENDING || c->stopping) /* its outcome is written already, or will be */
        return;
    c->result = result;
    c->error = error;
    c->stopping = true;
    if (c->backend->stop(c))
        call_stopped(c);
}

void call_stopped(struct call *c)
{
    if (c->state != CALL_ENDING)
        end(c, c->result, c->error, false);
}

static void say_over(struct call *c)
{
    struct service *s = c->service;
    uint64_t us = service_now_us() - c->start_us;
    metrics_call(&s->metrics, c);
    service_say(s, "call",
                "\"intent\":%llu,\"api\":\"%s\",\"outcome\":\"%s\",\"status\":%u,\"attempts\":%u,"
                "\"released\":%llu,\"us\":%llu%s%s%s",
                (unsigned long long)exchange_intent(c->gate.exchange),
                exchange_api_name(c->endpoint->api), exchange_result_name(c->result), c->status,
                c->attempts, (unsigned long long)c->gate.released, (unsigned long long)us,
                c->error ? ",\"error\":\"" : "", c->error ? c->error : "", c->error ? "\"" : "");
}

void call_finished(struct call *c, const struct log_receipt *r)
{
    struct service *s = c->service;
    struct conn *conn = c->conn;
    bool whole = c->gate.whole, begun = c->gate.head_left;
    bool keep = whole && (c->gate.chunked || !c->gate.stream);
    metrics_written(&s->metrics, r->seq);
    spend(c, c->facts.input + c->facts.output);
    say_over(c);
    if (conn)
        conn_set_user(conn, NULL);
    struct buf own = c->own_reply;
    unsigned status = c->status;
    buf_init(&c->own_reply, 0);
    c->conn = NULL;
    call_free(c);
    if (conn && whole)
        conn_finish(conn, keep);
    else if (conn && begun)
        conn_abort(conn);
    else if (conn)
        reply_with(conn, status, "application/json", buf_span(&own));
    buf_free(&own);
}

void call_log_failed(struct call *c, const struct err *why)
{
    struct service *s = c->service;
    struct conn *conn = c->conn;
    bool begun = c->gate.head_left;
    if (c->dead)
        return;
    if (why->code != ERR_LIMIT)
        s->log_stopped = true;
    s->metrics.refused[REASON_LOG]++;
    service_say(s, "log_failed", "\"code\":\"%s\"", err_name(why->code));
    c->conn = NULL;
    if (conn)
        conn_set_user(conn, NULL);
    call_free(c);
    if (conn && begun)
        conn_abort(conn);
    else if (conn)
        reply_error(conn, 503, "server_error", "log_unavailable",
                    "The audit log cannot be written, so nothing is answered.");
}

/* ---- the client ---- */

static void on_gone(struct guest *g)
{
    struct call *c = (struct call *)(void *)g;
    c->gate.sent_before_leaving = conn_sent(c->conn);
    conn_set_user(c->conn, NULL);
    c->conn = NULL;
    if (c->state != CALL_ASKING || c->settings->on_abort == 1)
        return;
    call_give_up(c, EXCHANGE_CLIENT_ABORT, NULL);
}

void call_shut_down(struct call *c)
{
    if (c->state == CALL_ASKING)
        call_give_up(c, EXCHANGE_SHUTDOWN, NULL);
}

static void on_drained(struct guest *g)
{
    call_released((struct call *)(void *)g);
}

void call_released(struct call *c)
{
    if (c->transfer && gate_waiting(&c->gate) <= WAIT_LOW)
        transfer_pause(c->transfer, false);
}

/* ---- the upstream ---- */

static void ask(struct call *c)
{
    struct err e = ERR_INIT;
    c->attempts++;
    c->tries++;
    c->service->metrics.asked += c->backend == &upstream_backend;
    c->upstream_status = 0;
    c->discard = false;
    buf_clear(&c->upstream_head);
    if (!c->backend->ask(c, &e))
        call_give_up(c, EXCHANGE_ERROR, "upstream_not_asked");
}

void call_intent_durable(struct call *c)
{
    c->queued_us = service_now_us() - c->start_us;
    metrics_commit(&c->service->metrics, c->queued_us);
    c->state = CALL_ASKING;
    if (!c->conn)
        call_give_up(c, EXCHANGE_CLIENT_ABORT, NULL);
    else if (c->service->draining && c->service->drained)
        call_give_up(c, EXCHANGE_SHUTDOWN, NULL);
    else
        ask(c);
}

void call_attempt_durable(struct call *c)
{
    if (c->state == CALL_ENDING)
        return;
    if (!c->conn)
        call_give_up(c, EXCHANGE_CLIENT_ABORT, NULL);
    else
        ask(c);
}

/* The same once more, or the next upstream, which gets a request of its own: that is
 * recorded before it is sent. */
static void ask_again(struct call *c)
{
    struct log_content content[1 + BACKEND_FIELDS];
    struct err e = ERR_INIT;
    if (c->tries <= call_upstream(c)->retries) {
        ask(c);
        return;
    }
    c->target++;
    c->tries = 0;
    if (!c->backend->prepare(c, &e)) {
        call_give_up(c, EXCHANGE_ERROR, "upstream_not_asked");
        return;
    }
    content[0] =
        (struct log_content){span_str("upstream_request_header"), buf_span(&c->request_head)};
    gate_attempt(&c->gate, content, 1 + c->backend->intent(c, content + 1));
}

static bool may_ask_again(const struct call *c)
{
    return c->conn && (c->tries <= call_upstream(c)->retries || c->target + 1 < c->target_count);
}

static bool is_passing(unsigned status)
{
    return status == 429 || status == 502 || status == 503 || status == 504 || status == 529;
}

void call_upstream_head(struct call *c, unsigned status, struct span lines)
{
    c->upstream_status = status;
    c->first_byte_us = service_now_us() - c->start_us;
    c->discard = is_passing(status) && may_ask_again(c);
    if (c->discard)
        return;
    buf_put_span(&c->upstream_head, lines);
    upstream_answer_head(c, status, lines);
}

static bool pass(struct call *c, struct span bytes)
{
    if (c->gate.stream) {
        facts_stream(&c->facts, bytes);
        c->gate.terminal_at = c->facts.terminal_at;
    }
    return gate_add(&c->gate, bytes);
}

/* The same where the client does not get all of it; `last`: nothing follows. */
static bool pass_filtered(struct call *c, struct span bytes, bool last)
{
    struct span clients;
    if (!gate_add_apart(&c->gate, bytes))
        return false;
    bool ok = last ? usage_filter_end(&c->filter, &clients)
                   : usage_filter_feed(&c->filter, bytes, &clients);
    c->gate.terminal_at = usage_filter_terminal(&c->filter);
    return ok && (clients.n == 0 || gate_add(&c->gate, clients));
}

bool call_upstream_data(struct call *c, struct span bytes)
{
    if (c->discard)
        return false;
    if (!(c->filter.on ? pass_filtered(c, bytes, false) : pass(c, bytes)))
        return false;
    if (c->transfer && c->gate.stream && gate_waiting(&c->gate) > WAIT_HIGH)
        transfer_pause(c->transfer, true);
    return true;
}

void call_answer_whole(struct call *c)
{
    bool fits = true;
    if (c->filter.on)
        fits = pass_filtered(c, SPAN_EMPTY, true);
    else if (c->gate.stream)
        facts_stream_end(&c->facts);
    else
        facts_body(&c->facts, buf_span(&c->gate.pending));
    bool unfinished =
        c->gate.stream && c->facts.terminal_at == UINT64_MAX && c->facts.finish_count == 0;
    if (!c->conn)
        end(c, EXCHANGE_CLIENT_ABORT, NULL, false);
    else if (!fits)
        end(c, EXCHANGE_ERROR, "answer_too_large", false);
    else if (unfinished)
        end(c, EXCHANGE_UPSTREAM_ABORT, "stream_without_end", true);
    else if (c->upstream_status >= 400 || c->facts.failed)
        end(c, EXCHANGE_ERROR, c->facts.failed ? "upstream_error_event" : "upstream_status", true);
    else
        end(c, EXCHANGE_COMPLETE, NULL, true);
}

void call_upstream_done(struct call *c, const struct transfer_result *r)
{
    bool worked = r->end == TRANSFER_OK && !is_passing(r->status);
    bool late = r->end == TRANSFER_FIRST_BYTE || r->end == TRANSFER_IDLE;
    c->transfer = NULL;
    c->has_certificate = r->has_certificate;
    memcpy(c->certificate.b, r->certificate, DIGEST_SIZE);
    /* What we would not take is no fault of the upstream's; what we did not want to take is. Nor is it
     * one to close a connection that nobody uses, just when somebody does. */
    bool refused = r->end == TRANSFER_REFUSED && !c->discard;
    if (!r->stale &&
        c->settings == c->service->settings) /* others number their upstreams otherwise */
        pick_report(c->service, c->targets[c->target]->index, worked || refused);
    c->service->metrics.stale += r->stale;
    c->fresh = r->stale;
    bool nothing_came = c->discard || (r->end != TRANSFER_OK && !r->sent);
    if (nothing_came && may_ask_again(c))
        ask_again(c);
    else if (r->end == TRANSFER_OK && !c->discard)
        call_answer_whole(c);
    else if (!c->conn)
        end(c, EXCHANGE_CLIENT_ABORT, NULL, false);
    else if (r->end == TRANSFER_REFUSED)
        end(c, EXCHANGE_ERROR, "answer_too_large", false);
    else
        end(c, late ? EXCHANGE_TIMEOUT : EXCHANGE_UPSTREAM_ABORT, transfer_end_name(r->end), false);
}
