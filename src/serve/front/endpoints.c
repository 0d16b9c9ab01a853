/* The allow-list: what is not in this table is not served. */
#include "serve/front/endpoints.h"

#include <string.h>

#include "serve/call/request.h"

/* clang-format off */
static const struct endpoint endpoints[] = {
    {"POST", "/v1/chat/completions", ENDPOINT_CALL, EXCHANGE_CHAT, "/chat/completions", request_chat, false},
    {"POST", "/v1/completions", ENDPOINT_CALL, EXCHANGE_COMPLETIONS, "/completions", request_completions, false},
    {"POST", "/v1/responses", ENDPOINT_CALL, EXCHANGE_RESPONSES, "/responses", request_responses, false},
    {"POST", "/v1/embeddings", ENDPOINT_CALL, EXCHANGE_EMBEDDINGS, "/embeddings", request_embeddings, false},
    {"POST", "/v1/messages", ENDPOINT_CALL, EXCHANGE_MESSAGES, "/messages", request_messages, false},
    {"GET", "/v1/models", ENDPOINT_MODELS, EXCHANGE_RUN, NULL, NULL, false},
    {"GET", "/v1/models/", ENDPOINT_MODEL, EXCHANGE_RUN, NULL, NULL, false},
    {"GET", "/v1/receipts/", ENDPOINT_RECEIPT, EXCHANGE_RUN, NULL, NULL, false},
    {"POST", "/tokenize", ENDPOINT_ENGINE_ONLY, EXCHANGE_RUN, NULL, NULL, false},
    {"POST", "/apply-template", ENDPOINT_ENGINE_ONLY, EXCHANGE_RUN, NULL, NULL, false},
    {"POST", "/v1/messages/count_tokens", ENDPOINT_ENGINE_ONLY, EXCHANGE_MESSAGES, NULL, NULL, false},
    {"POST", "/v1/responses/input_tokens", ENDPOINT_ENGINE_ONLY, EXCHANGE_RESPONSES, NULL, NULL, false},
    {"POST", "/v1/replay/", ENDPOINT_REPLAY, EXCHANGE_RUN, NULL, NULL, true},
    {"GET", "/health", ENDPOINT_HEALTH, EXCHANGE_RUN, NULL, NULL, false},
    {"GET", "/metrics", ENDPOINT_METRICS, EXCHANGE_RUN, NULL, NULL, true},
};
/* clang-format on */

static bool path_is(const struct endpoint *ep, struct span path)
{
    size_t n = strlen(ep->path);
    if (ep->path[n - 1] == '/')
        return path.n > n && span_starts(path, ep->path);
    return span_is(path, ep->path);
}

/* HEAD is GET without the answer's body, which reply.c leaves out. */
static bool method_is(const struct endpoint *ep, struct span method)
{
    return span_is(method, ep->method) ||
           (span_is(method, "HEAD") && strcmp(ep->method, "GET") == 0);
}

const struct endpoint *endpoint_find(const struct http_request *r, const char **allowed)
{
    *allowed = NULL;
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        if (!path_is(&endpoints[i], r->path))
            continue;
        if (method_is(&endpoints[i], r->method))
            return &endpoints[i];
        *allowed = endpoints[i].method;
    }
    return NULL;
}
