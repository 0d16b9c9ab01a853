/* A bundle as read, shared by the files that read, verify and compare. */
#ifndef SIGNATURE_SIGNATURE_H
#define SIGNATURE_SIGNATURE_H

#include "assay/signature.h"

#define OMS_MEDIA_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define OMS_PREDICATE "https://model_signing/signature/v1.0"
#define OMS_STATEMENT "https://in-toto.io/Statement/v1"

struct resource {
    const char *path;
    bool shard;
    uint64_t start, end; /* of a shard, [start, end) */
    struct digest digest;
};

struct signature {
    enum signature_material material;
    struct span hint; /* of a key; may be empty */
    struct cert *chain[CERT_MAX_CHAIN];
    size_t chain_count;
    struct dsse envelope;
    struct span subject;
    struct resource *resources; /* by path, then start */
    size_t resource_count;
    bool shards;
    const char **ignore; /* NULL-ended */
};

/* The statement that the envelope holds (statement.c). */
bool statement_read(struct signature *s, struct arena *a, struct err *e) ASSAY_MUST_CHECK;

#endif
