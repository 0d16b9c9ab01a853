/*
 * An exchange: one request and its answer as entries of the log. exchange_begin
 * writes the intent before anything is forwarded or computed, exchange_window a
 * part of a stream before it is released, exchange_end the outcome before the
 * end of the answer is. Each returns at once; its callback runs in the thread
 * that drives the book, when the record is durable or never will be.
 *
 * Content is sealed under the names of docs/log-format.md, "Names of sealed fields".
 * Nothing is cut: what is larger than EXCHANGE_PIECE goes into windows of its own,
 * and a call's content under a name is the concatenation of what its entries
 * hold under it, in their order. docs/serving.md.
 */
#ifndef ASSAY_EXCHANGE_H
#define ASSAY_EXCHANGE_H

#include "assay/log.h"

enum {
    EXCHANGE_PIECE = 1 << 20, /* bytes of one field in one entry */
    EXCHANGE_FIELDS = 16,     /* sealed fields handed over at once */
    EXCHANGE_OPEN_MAX = 16384 /* calls open at once in a book: room for their outcomes */
};

enum exchange_api {
    EXCHANGE_CHAT,
    EXCHANGE_COMPLETIONS,
    EXCHANGE_RESPONSES,
    EXCHANGE_EMBEDDINGS,
    EXCHANGE_MESSAGES,
    EXCHANGE_RUN,
    EXCHANGE_APIS
};

enum exchange_route { EXCHANGE_ENGINE, EXCHANGE_UPSTREAM, EXCHANGE_ROUTES };

/* What is held back until it is durable. */
enum exchange_durability {
    EXCHANGE_ANSWER, /* the answer as a whole */
    EXCHANGE_EACH,   /* every window of a stream */
    EXCHANGE_END,    /* the end of a stream alone */
    EXCHANGE_DURABILITIES
};

enum exchange_result {
    EXCHANGE_COMPLETE,
    EXCHANGE_CLIENT_ABORT,
    EXCHANGE_UPSTREAM_ABORT,
    EXCHANGE_TIMEOUT,
    EXCHANGE_REFUSED,
    EXCHANGE_ERROR,
    EXCHANGE_SHUTDOWN,
    EXCHANGE_CRASH, /* written by the log itself, at a start */
    EXCHANGE_RESULTS
};

const char *exchange_api_name(enum exchange_api api);
const char *exchange_result_name(enum exchange_result r);

/* Which model. Digests that are not known are NULL, texts empty. */
struct exchange_model {
    struct span name;
    const struct digest *tensor_root, *manifest_root, *architecture, *tokenizer, *chat_template;
    struct span numerics;
    const struct digest *adapters; /* tensor roots, in the order they were applied; not read back */
    size_t adapter_count;
    bool enrolled; /* by the entry `entry` */
    uint64_t entry;
};

struct exchange_upstream {
    struct span name, url;            /* as configured; the URL without credentials */
    struct span fingerprint;          /* `system_fingerprint` that it gave */
    const struct digest *certificate; /* SHA-256 of the certificate that it showed (DER) */
};

/* What an intent says. */
struct exchange_call {
    enum exchange_api api;
    enum exchange_route route;
    enum exchange_durability durability;
    bool stream;
    bool relayed; /* the upstream gets the request's octets as they came */
    struct exchange_model model;
    struct exchange_upstream upstream; /* name empty: there is none */
    struct span subject;               /* the caller, in clear; only its pseudonym is in the leaf */
    const struct digest *credential;   /* keyed hash of the client's credential */
    struct span policy;
    struct span sampling; /* a JSON object as exchange_sampling writes; empty: none */
    bool tokens_known;
    uint64_t tokens_in;
};

struct exchange_tokens {
    bool known, estimated;
    uint64_t input, output, cached, reasoning; /* the last two: 0 is not written */
};

/* Microseconds; 0 is not written, but for total. */
struct exchange_timings {
    uint64_t queue, prefill, first_byte, decode, total;
};

/* What an outcome says. */
struct exchange_outcome {
    enum exchange_result result;
    bool relayed;             /* the client gets the upstream's octets as they came */
    unsigned attempts;        /* 1 for the engine; read of a crash: 0, nobody knows */
    unsigned status;          /* HTTP, given to the client; 0: none */
    unsigned upstream_status; /* 0: none */
    uint64_t released;        /* bytes of the answer handed to the client's connection, if known */
    struct span error;        /* short code, nothing of the content */
    struct span response_id;
    struct exchange_model model; /* name empty: as in the intent */
    struct exchange_upstream upstream;
    const struct span *finish; /* why each answer ended */
    size_t finish_count;
    struct exchange_tokens tokens;
    struct exchange_timings timings;
};

/* ---- the book: a log, and the one thread that drives exchanges with it ---- */

struct exchange_book;
struct exchange;

/* The log stays the caller's and outlives the book; a log has one book at a time. */
bool exchange_book_open(struct exchange_book **out, struct log *l, struct err *e) ASSAY_MUST_CHECK;
/* Waits until nothing is on its way (callbacks run). Exchanges must be freed before. NULL is harmless. */
void exchange_book_close(struct exchange_book *b);
/* An eventfd that becomes readable when exchange_book_run has callbacks to run; the log's. */
int exchange_book_fd(const struct exchange_book *b);
/*
 * For callers with a loop: records are handed to the commit thread when the loop has done what
 * it has in hand, all together, so that they share a sync. `soon` is called at the first of
 * them, and exchange_book_push must follow before the loop waits.
 */
void exchange_book_together(struct exchange_book *b, void (*soon)(void *arg), void *arg);
void exchange_book_push(struct exchange_book *b);
/* Windows are better written later: the disk does not keep up. The outcome need not wait. */
bool exchange_book_pressed(const struct exchange_book *b);
/* Run the callbacks of what is settled; returns how many there were. */
size_t exchange_book_run(struct exchange_book *b);
/* Calls begun and not ended, and records on their way. */
size_t exchange_book_open_calls(const struct exchange_book *b);
size_t exchange_book_pending(const struct exchange_book *b);

/* ---- one call ---- */

/* `r` is borrowed; not ok: nothing may be released, and its error says why. */
typedef void exchange_done(void *arg, const struct log_receipt *r);

/*
 * Write the intent with its content, which is borrowed until `done` is called: the call may
 * be forwarded or computed then. False: nothing was queued (ERR_LIMIT: too much is on its way,
 * ERR_IO: the log cannot be written) and *out is NULL.
 */
bool exchange_begin(struct exchange **out, struct exchange_book *b,
                    const struct exchange_call *call, const struct log_content *content,
                    size_t count, exchange_done *done, void *arg, struct err *e) ASSAY_MUST_CHECK;
/* The intent is durable: an outcome is owed. */
bool exchange_is_open(const struct exchange *x);
uint64_t exchange_intent(const struct exchange *x); /* its entry */
uint64_t exchange_windows(const struct exchange *x);
/*
 * Write a window; `released`: bytes of the answer that left before it. The content is borrowed
 * until the function returns. False: nothing of it was queued, or not all; end the call. ERR_LIMIT:
 * nothing was, for the log's queue is full; the call may go on when it is not (exchange_book_pressed).
 */
bool exchange_window(struct exchange *x, const struct log_content *content, size_t count,
                     uint64_t released, exchange_done *done, void *arg,
                     struct err *e) ASSAY_MUST_CHECK;
/*
 * Write the outcome with its content, borrowed until the function returns. Once a call; again, with
 * less, when `done` was told that it, or a window before it, was not written (ERR_LIMIT: the disk is
 * full, and what the intent reserved is left for it). It follows windows that are on their way.
 */
bool exchange_end(struct exchange *x, const struct exchange_outcome *outcome,
                  const struct log_content *content, size_t count, exchange_done *done, void *arg,
                  struct err *e) ASSAY_MUST_CHECK;
/* Callbacks that are still to come are not called any more. An open call stays open. NULL is harmless. */
void exchange_free(struct exchange *x);

/*
 * For callers without a loop: wait until what was last handed over is settled, running the
 * book's callbacks meanwhile. Returns whether it is durable; *out (may be NULL) says where.
 */
bool exchange_wait(struct exchange *x, struct log_receipt *out, struct err *e) ASSAY_MUST_CHECK;

/* ---- parameters and reading back ---- */

/* The object `sampling` of a leaf from a request's own parameters (OpenAI's names), appended:
 * those that say nothing of the content. Writes nothing when there are none. */
void exchange_sampling(struct buf *out, struct json request);

/* An intent or an outcome as it was recorded; borrowed from the record. Digests stand in `room`. */
struct exchange_digests {
    struct digest tensor_root, manifest_root, architecture, tokenizer, chat_template, certificate,
        credential;
};
bool exchange_read_call(struct exchange_call *out, struct exchange_digests *room,
                        const struct record *intent, struct err *e) ASSAY_MUST_CHECK;
bool exchange_read_outcome(struct exchange_outcome *out, struct exchange_digests *room,
                           uint64_t *intent, const struct record *outcome,
                           struct err *e) ASSAY_MUST_CHECK;

#endif
