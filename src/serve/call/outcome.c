/*
 * How a call ends: its outcome goes to the log, and what the client gets follows from it. Whatever
 * goes wrong ends in call_end, so that no intent stays without an outcome while the log can be
 * written; where it cannot, nothing more leaves.
 */
#include "serve/call/call.h"

#include <string.h>

#include "serve/service.h"

/* What the client gets of a call that ended without an answer. */
static void prepare_own(struct call *c)
{
    static const struct {
        unsigned status;
        const char *code, *message;
    } texts[] = {
        {502, "upstream_failed", "The model's server did not answer as it should."},
        {503, "shutting_down", "The server is shutting down; try again elsewhere."},
        {504, "upstream_timeout", "The model's server did not answer in time."},
        {503, CALL_LOG_FULL, "The audit log has no room for the answer; try again later."}};
    bool full = c->error && strcmp(c->error, CALL_LOG_FULL) == 0;
    size_t i = c->result == EXCHANGE_TIMEOUT    ? 2
               : c->result == EXCHANGE_SHUTDOWN ? 1
               : full                           ? 3
                                                : 0;
    c->status = texts[i].status;
    reply_error_body(&c->own_reply, c->conn, c->status, "server_error", texts[i].code,
                     texts[i].message);
}

unsigned call_status(struct call *c)
{
    c->status = c->gate.whole || c->gate.head_left ? c->upstream_status : 0;
    if (c->status == 0 && c->conn)
        prepare_own(c);
    return c->status;
}

void call_end(struct call *c, enum exchange_result result, const char *error, bool whole)
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
        call_end(c, c->result, c->error, false);
}

/* ---- what the log says to it ---- */

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
    call_spend(c, c->facts.input + c->facts.output);
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
    bool stopped = why->code != ERR_LIMIT; /* else it goes on: there is no room now */
    s->log_stopped = s->log_stopped || stopped;
    s->metrics.refused[REASON_LOG]++;
    service_say_error(s, "log_failed", err_name(why->code), why);
    c->conn = NULL;
    if (conn)
        conn_set_user(conn, NULL);
    call_free(c);
    if (conn && begun)
        conn_abort(conn);
    else if (conn)
        reply_error(conn, 503, "server_error", stopped ? "log_unavailable" : CALL_LOG_FULL,
                    "The audit log cannot be written, so nothing is answered.");
}
