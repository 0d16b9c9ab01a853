/*
 * DSSE v1 envelopes (secure-systems-lab/dsse): a payload with its type, and
 * signatures over the pre-authentication encoding of both.
 */
#ifndef ASSAY_DSSE_H
#define ASSAY_DSSE_H

#include "assay/base/json.h"
#include "assay/pkey.h"

#define DSSE_INTOTO "application/vnd.in-toto+json"

enum { DSSE_MAX_SIGNATURES = 64 };

/* "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload. */
void dsse_pae(struct buf *out, struct span type, struct span payload);

/* The envelope as one JSON object, signed by every key. An empty keyid is
 * written when `keyids` is NULL; else keyids[i] goes with keys[i]. */
bool dsse_write(struct json_writer *w, const char *type, struct span payload,
                const struct pkey *const *keys, const char *const *keyids, size_t count,
                struct err *e) ASSAY_MUST_CHECK;

struct dsse_signature {
    struct span keyid; /* may be empty; a hint, never trusted */
    struct span sig;
};

/* Decoded into the arena, or borrowed from the JSON's text. */
struct dsse {
    struct span type, payload;
    struct dsse_signature *signatures;
    size_t count;
};

bool dsse_read(struct dsse *out, struct json envelope, struct arena *a,
               struct err *e) ASSAY_MUST_CHECK;
/* Is any of the signatures this key's? */
bool dsse_verify(const struct dsse *d, const struct pkey *k);

#endif
