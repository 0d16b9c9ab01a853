/*
 * Private to src/serve: a call of a model, and the backends that answer it. Everything runs in the
 * loop's thread; the log's commit thread is reached through the exchange book alone.
 */
#ifndef SERVE_CALL_H
#define SERVE_CALL_H

#include "assay/transfer.h"
#include "serve/call/facts.h"
#include "serve/call/gate.h"
#include "serve/call/usage.h"
#include "serve/config/settings.h"
#include "serve/front/auth.h"
#include "serve/front/endpoints.h"
#include "serve/front/reply.h"
#include "serve/front/route.h"

struct call;
struct engine_job;

/* ---- who answers ---- */

enum { BACKEND_FIELDS = 5 };

/* An upstream or the engine. Everything else, above all the gate, is the same for both. */
struct backend {
    enum exchange_route route;
    /* What the call needs before its intent is written. ERR_MEMORY is ours, the rest the caller's. */
    bool (*prepare)(struct call *c, struct err *e);
    void (*describe)(struct call *c, struct exchange_call *out);
    /* Fields that are sealed with the intent and with the outcome; returns how many. */
    size_t (*intent)(struct call *c, struct log_content content[BACKEND_FIELDS]);
    size_t (*sealed)(struct call *c, struct log_content content[BACKEND_FIELDS]);
    bool (*ask)(struct call *c, struct err *e);
    /* False: it is still at work, and calls call_stopped when it is not. */
    bool (*stop)(struct call *c);
    void (*outcome)(struct call *c, struct exchange_outcome *o);
    void (*forget)(struct call *c); /* the call is no more */
    /* NULL, or what is called instead of prepare: call_prepared is called later. */
    void (*begin)(struct call *c);
};
extern const struct backend upstream_backend, engine_backend;

/* ---- a call ---- */

/* Why a call ended whose answer the log could not take. */
#define CALL_LOG_FULL "log_full"

enum call_state {
    CALL_PREPARING, /* in a thread; its memory stays until call_prepared */
    CALL_INTENT,    /* the intent is on its way to the disk */
    CALL_ASKING,    /* a backend works */
    CALL_ENDING     /* the outcome is on its way */
};

enum {
    TARGETS_MAX = 64,
    WAIT_LOW = 64 << 10 /* octets: with fewer that wait, an upstream is read on */
};

struct call {
    struct guest guest;
    struct call *next, *previous;
    bool dead;
    struct service *service;
    struct settings *settings;
    const struct endpoint *endpoint;
    struct caller caller;
    struct conn *conn; /* NULL: the client left */
    struct arena *arena;
    enum call_state state;
    struct span model;          /* as asked for; in the arena */
    struct span subject;        /* for whom the caller asks, as it says; in the arena */
    struct span sampling;       /* as the leaf has it; in the arena */
    struct complaint wrong;     /* with the request */
    size_t model_at, model_end; /* where its name stands in the body, quotes included */
    struct edit usage;          /* by which it would ask for its usage; of a stream */
    bool stream, body_rewritten;
    const char **lines;      /* what the upstream gets as fields, NULL-ended */
    struct buf body;         /* as the client sent it */
    struct buf request_body; /* what the upstream gets, when it is not what the client sent */
    struct buf request_head; /* as recorded; empty: no upstream gets one */
    struct buf client_head;  /* and what the intent says of both */
    const struct target_config *targets[TARGETS_MAX]; /* in the order of trying */
    size_t target_count, target;
    unsigned tries; /* of this target */
    unsigned attempts;
    const struct backend *backend; /* NULL: refused before one was chosen */
    struct transfer *transfer;
    struct engine_job *job;
    bool stopping; /* the backend was told to stop; result and error say why */
    struct facts facts;
    struct usage_filter filter;
    struct gate gate;
    struct buf upstream_head;
    unsigned upstream_status;
    bool fresh;   /* the next attempt takes no kept connection: the last one's was being closed */
    bool discard; /* this attempt's answer: another is to be asked */
    bool has_certificate;
    struct buf own_reply; /* what the client gets instead of an answer that failed */
    unsigned status;      /* that the client gets */
    struct digest certificate;
    enum exchange_result result;
    const char *error;
    uint64_t start_us, first_byte_us, queued_us;
    uint64_t sealed, spent; /* bytes; spent: of them, off the key's budget already */
};

/* ---- its life: call.c ---- */

/* NULL: out of memory. What the connection tells goes to the call until it is freed. */
struct call *call_new(struct service *s, struct conn *conn, const struct endpoint *ep,
                      const struct caller *who);
/* Off its key's budget: what was sealed since the last time, and so many tokens. */
void call_spend(struct call *c, uint64_t tokens);
void call_shut_down(struct call *c);
/* No word of it comes any more; its memory stays until call_bury. */
void call_free(struct call *c);
void call_bury(struct service *s);

/* ---- its beginning: admit.c ---- */

/* A request to an endpoint of kind ENDPOINT_CALL, whole and with a caller. */
void call_begin(struct service *s, struct conn *c, const struct endpoint *ep,
                const struct caller *who);
/* What the backend's `begin` came to; not ok: e says why. */
void call_prepared(struct call *c, bool ok, const struct err *e);

/* ---- its outcome: outcome.c ---- */

/* The answer is over, `whole` or not: the outcome is written, and once it is durable call_finished is
 * called. `error` is a word of the log's, or NULL. */
void call_end(struct call *c, enum exchange_result result, const char *error, bool whole);

/* ---- the gate's word: see gate.h ---- */

void call_intent_durable(struct call *c);
void call_attempt_durable(struct call *c);
void call_released(struct call *c);
void call_finished(struct call *c, const struct log_receipt *r);
/* Asked when the outcome is written: the status that the client gets; 0: it is not there. */
unsigned call_status(struct call *c);
void call_log_failed(struct call *c, const struct err *why);

/* ---- the upstream's word: upstream/upstream.c ---- */

void call_upstream_head(struct call *c, unsigned status, struct span lines);
bool call_upstream_data(struct call *c, struct span bytes);
void call_upstream_done(struct call *c, const struct transfer_result *r);

/* ---- the engine's word: engine/backend.c ---- */

void call_answer_whole(struct call *c);
void call_give_up(struct call *c, enum exchange_result result, const char *error);
void call_stopped(struct call *c);

#endif
