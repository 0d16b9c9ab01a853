/*
 * The gate: the one place of this server where a byte of a model's answer leaves, and only
 * when the log has it. An intent is durable before call_intent_durable is called; an answer
 * that is no stream leaves when its outcome is durable; a stream's window is durable
 * before it leaves, and its end when the outcome is. With durability `end` windows
 * are still written, but only the terminal event waits.
 */
#ifndef SERVE_GATE_H
#define SERVE_GATE_H

#include "assay/exchange.h"
#include "assay/listener.h"

struct call;

struct gate {
    struct call *call;
    struct exchange *exchange;
    enum exchange_durability durability;
    bool stream;        /* the answer leaves in windows */
    bool chunked;       /* and in chunks; otherwise until the connection ends */
    bool head_left;     /* status and fields were handed to the connection */
    bool busy;          /* a window is on its way to the disk */
    bool waits;         /* a window waits for the log's queue */
    bool ending;        /* the outcome waits for the window, or is on its way */
    bool whole;         /* the answer came to its end: all of it may leave */
    bool lost;          /* the log did not take a part of it: nothing more leaves */
    struct buf head;    /* status line and fields, without what is ours */
    struct buf pending; /* octets of the answer that are not in the log yet */
    struct buf flight;  /* octets of the window that is on its way */
    struct buf held;    /* durability `end`: the terminal event and what follows */
    bool apart;         /* the client gets less than the upstream gave: both are written */
    struct buf given;   /* if so: octets of the upstream's that are not in the log yet */
    bool head_logged;
    uint64_t seen;        /* octets of the answer so far */
    uint64_t released;    /* octets handed to the connection */
    uint64_t terminal_at; /* where the terminal event of a stream begins; UINT64_MAX: not seen */
    uint64_t seq;         /* of the newest entry: the intent, then the outcome */
    struct digest leaf;
    struct exchange_outcome outcome;
    uint64_t sent_before_leaving; /* bytes that the connection took, when its client left */
    size_t limit;                 /* of pending */
};

void gate_init(struct gate *g, struct call *c, size_t limit);
void gate_close(struct gate *g); /* nothing follows */
void gate_free(struct gate *g);
/* False: the call is refused, nothing is recorded. */
bool gate_intent(struct gate *g, struct exchange_book *b, const struct exchange_call *what,
                 const struct log_content *content, size_t count, struct err *e) ASSAY_MUST_CHECK;
/* What an attempt at another upstream sends, durable before call_attempt_durable is called. */
void gate_attempt(struct gate *g, const struct log_content *content, size_t count);
/* Octets of the answer. False: more than may wait. */
bool gate_add(struct gate *g, struct span octets) ASSAY_MUST_CHECK;
/* Of an answer of which the client gets less: what the upstream gave, before gate_add has its part.
 * False: more than may wait. */
bool gate_add_apart(struct gate *g, struct span octets) ASSAY_MUST_CHECK;
/* The answer is whole, or will not become so: write the outcome, then let go. What the outcome
 * borrows lives as long as the call. Called once. */
void gate_end(struct gate *g, const struct exchange_outcome *o, bool whole);
/* Write the window that waited for the log's queue. */
void gate_go_on(struct gate *g);
/* Octets that left, at most. */
uint64_t gate_released(const struct gate *g);
/* Octets that wait to become durable or to be taken by the client. */
size_t gate_waiting(const struct gate *g);

#endif
