/* Private to src/serve: a request's JSON and its head, before anything is done with them. */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include "assay/base/err.h"
#include "assay/listener.h"

struct call;
struct service;

/* What each API wants of its members: "wanted" of its endpoint. */
extern const char *const request_chat[],
    *const request_completions[], *const request_responses[], *const request_embeddings[],
                                                                  *const request_messages[];

/* Judge the body; fills model, stream, sampling. On failure `why` says what the caller did wrong. */
bool request_read(struct call *c, struct span body, struct buf *sampling, struct err *why);
/* The client's head with credentials replaced by their keyed hashes. */
bool request_head_record(struct service *s, const struct conn *c, struct buf *out);

#endif
