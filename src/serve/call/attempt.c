/*
 * A backend is asked, and what it answers goes to the gate. Another one is asked as long as nothing
 * of an answer was taken: the same upstream so many times, then the next, whose request is recorded
 * before it is sent.
 */
#include "serve/call/call.h"

#include <string.h>

#include "serve/service.h"
#include "serve/upstream/upstream.h"

enum { WAIT_HIGH = 256 << 10 };

/* ---- asking ---- */

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

static bool may_ask_again(const struct call *c)
{
    return c->conn && (c->tries <= call_upstream(c)->retries || c->target + 1 < c->target_count);
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

/* ---- what comes ---- */

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
        call_end(c, EXCHANGE_CLIENT_ABORT, NULL, false);
    else if (!fits)
        call_end(c, EXCHANGE_ERROR, "answer_too_large", false);
    else if (c->facts.failed) /* which is how a stream may end */
        call_end(c, EXCHANGE_ERROR, "upstream_error_event", true);
    else if (unfinished)
        call_end(c, EXCHANGE_UPSTREAM_ABORT, "stream_without_end", true);
    else if (c->upstream_status >= 300) /* nobody follows a redirection */
        call_end(c, EXCHANGE_ERROR, "upstream_status", true);
    else
        call_end(c, EXCHANGE_COMPLETE, NULL, true);
}

/* Why, for whoever operates the upstream: the outcome has the word for it alone. */
static void say_failed(struct call *c, const struct transfer_result *r)
{
    struct json_writer w;
    struct buf text;
    buf_init(&text, 4096);
    buf_put_str(&text, "\"upstream\":");
    jw_init(&w, json_sink_buf, &text, false);
    jw_string(&w, call_upstream(c)->name);
    buf_printf(&text, ",\"error\":\"%s\",\"why\":", transfer_end_name(r->end));
    jw_init(&w, json_sink_buf, &text, false);
    jw_str(&w, r->why);
    service_say(c->service, "upstream_failed", "%s", buf_cstr(&text));
    buf_free(&text);
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
    if (r->end != TRANSFER_OK && r->end != TRANSFER_REFUSED)
        say_failed(c, r);
    c->fresh = r->stale;
    bool nothing_came = c->discard || (r->end != TRANSFER_OK && !r->sent);
    if (nothing_came && may_ask_again(c))
        ask_again(c);
    else if (r->end == TRANSFER_OK && !c->discard)
        call_answer_whole(c);
    else if (!c->conn)
        call_end(c, EXCHANGE_CLIENT_ABORT, NULL, false);
    else if (r->end == TRANSFER_REFUSED)
        call_end(c, EXCHANGE_ERROR, "answer_too_large", false);
    else
        call_end(c, late ? EXCHANGE_TIMEOUT : EXCHANGE_UPSTREAM_ABORT, transfer_end_name(r->end),
                 false);
}
