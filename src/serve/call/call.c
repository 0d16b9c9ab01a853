/*
 * A call's life: made of a request, told when its client leaves or has room, buried when the loop
 * turns. What happens in between stands in the order in which it happens: admit.c until the intent
 * is durable, attempt.c until the answer is whole, outcome.c until the client has it.
 */
#include "serve/call/call.h"

#include <stdlib.h>

#include "serve/service.h"

enum { CALL_ARENA = 512 << 20, SMALL = 1 << 20 };

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

void call_released(struct call *c)
{
    if (c->transfer && gate_waiting(&c->gate) <= WAIT_LOW)
        transfer_pause(c->transfer, false);
}

static void on_drained(struct guest *g)
{
    call_released((struct call *)(void *)g);
}

/* ---- lifetime ---- */

struct call *call_new(struct service *s, struct conn *conn, const struct endpoint *ep,
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

/* What was sealed since the last time, and so many tokens. */
void call_spend(struct call *c, uint64_t tokens)
{
    budget_spend(c->service, c->caller.key, tokens, c->sealed - c->spent);
    c->spent = c->sealed;
}
