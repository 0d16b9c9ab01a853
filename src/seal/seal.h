/* Private to src/seal. */
#ifndef SEAL_SEAL_H
#define SEAL_SEAL_H

#include <openssl/evp.h>

#include "assay/seal.h"

/* HMAC-SHA-256 (RFC 2104) of the parts as if they were joined. */
struct digest seal_hmac(const struct seal_key *key, const struct span *parts, size_t count);
/* u64be n, as it stands before what has n bytes; returns `out`. */
struct span seal_length(uint8_t out[8], uint64_t n);

/*
 * The calling thread's cipher contexts: to fetch an algorithm and make a context costs
 * more than to seal a short prompt. NULL: out of memory.
 */
struct seal_tools {
    EVP_CIPHER_CTX *gcm, *wrap, *block; /* block: AES-256 of one block, for wrapping */
};

struct seal_tools *seal_tools(void);
/* A context keeps the keys of what it did last: done with them. */
void seal_tool_forget(EVP_CIPHER_CTX *ctx);

#endif
