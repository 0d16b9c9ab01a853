/* Private to src/serve: the allow-list of endpoints, and what each of them is. */
#ifndef SERVE_ENDPOINTS_H
#define SERVE_ENDPOINTS_H

#include "assay/exchange.h"
#include "assay/http.h"

enum endpoint_kind {
    ENDPOINT_CALL, /* goes to a model: recorded, through the gate */
    ENDPOINT_MODELS,
    ENDPOINT_MODEL,   /* by its name */
    ENDPOINT_RECEIPT, /* by response id or entry */
    ENDPOINT_HEALTH,
    ENDPOINT_METRICS,
    ENDPOINT_REPLAY,     /* by response id or entry */
    ENDPOINT_ENGINE_ONLY /* what only the bundled engine can do */
};

struct endpoint {
    const char *method, *path; /* a path that ends in a slash is a prefix */
    enum endpoint_kind kind;
    enum exchange_api api;
    const char *suffix;        /* behind an upstream's URL */
    const char *const *wanted; /* members of a request, and their types: see call/request.c */
    bool admin;
};

/* NULL: there is none; *allowed: but the path exists, for this method. */
const struct endpoint *endpoint_find(const struct http_request *r, const char **allowed);

#endif
