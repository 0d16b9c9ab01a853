/* Private to src/seal. */
#ifndef SEAL_SEAL_H
#define SEAL_SEAL_H

#include "assay/seal.h"

/* HMAC-SHA-256 of `data` under `key`; false when OpenSSL refuses. */
bool seal_hmac(const struct seal_key *key, struct span data, struct digest *out,
               struct err *e) ASSAY_MUST_CHECK;
/* u64be length, then the bytes: no two lists of spans give the same bytes. */
void seal_put_framed(struct buf *out, struct span s);

#endif
