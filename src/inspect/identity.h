/* Private to identity: the length-prefixed encoding that every digest is over. */
#ifndef INSPECT_IDENTITY_H
#define INSPECT_IDENTITY_H

#include "assay/inspect.h"

/* Bytes on their way into a SHA-256, gathered so that many small pieces are cheap. */
struct encoder {
    struct sha256 *sha;
    size_t n;
    uint8_t bytes[4096];
};

/* `domain` goes in with its terminating NUL. False when out of memory. */
bool encode_start(struct encoder *x, const char *domain) ASSAY_MUST_CHECK;
void encode_raw(struct encoder *x, const void *p, size_t n);
void encode_u64(struct encoder *x, uint64_t v);
/* u64be length, then the bytes. */
void encode_span(struct encoder *x, struct span s);
void encode_finish(struct encoder *x, struct digest *out);

/* identity_tokenizer.c: *has stays false without a tokenizer; false when out of memory. */
bool identity_tokenizer(struct digest *out, bool *has, const struct model *m,
                        const struct facts *f) ASSAY_MUST_CHECK;

#endif
