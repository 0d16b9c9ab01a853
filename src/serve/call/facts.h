/*
 * Private to src/serve: what an answer says of itself (identifier, model, usage, why it
 * ended), read from the bytes that pass, which are never changed.
 */
#ifndef SERVE_FACTS_H
#define SERVE_FACTS_H

#include "assay/exchange.h"
#include "assay/sse.h"

enum { FACTS_TEXT = 160, FACTS_FINISH = 16, FACTS_BODY_MAX = 4 << 20 };

struct facts {
    enum exchange_api api;
    struct sse sse;
    char id[FACTS_TEXT], model[FACTS_TEXT], fingerprint[FACTS_TEXT];
    char finish[FACTS_FINISH][32];
    size_t finish_count;
    bool reported; /* usage, by who computed */
    uint64_t input, output, cached, reasoning;
    uint64_t deltas;      /* events that carry a piece of the answer */
    uint64_t bytes_in;    /* of the request, for an estimate */
    uint64_t terminal_at; /* where the terminal event begins; UINT64_MAX */
    bool failed;          /* the stream itself reported an error */
    /* NULL, or told of an event that has the usage and no choice, as include_usage asks for it. */
    void (*usage_event)(void *arg, const struct sse_event *e);
    void *usage_arg;
};

void facts_init(struct facts *f, enum exchange_api api, uint64_t request_bytes);
void facts_free(struct facts *f);
void facts_stream(struct facts *f, struct span bytes);
void facts_stream_end(struct facts *f);
void facts_body(struct facts *f, struct span body);
struct exchange_tokens facts_tokens(const struct facts *f, bool answered);

#endif
