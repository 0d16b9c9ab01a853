/* Bodies of requests as they are judged, and of answers as facts are read from them. */
#include <stdlib.h>

#include "serve/call/call.h"
#include "serve/call/request.h"
#include "serve/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const char *const request_chat[], *const request_embeddings[];

static void judge(struct span in, const char *const *wanted)
{
    struct endpoint ep = {.wanted = wanted};
    struct call c = {.endpoint = &ep, .arena = arena_new(1 << 20)};
    struct buf sampling;
    struct err why = ERR_INIT;
    buf_init(&sampling, 4096);
    if (c.arena && request_read(&c, in, &sampling, &why)) {
        if (c.model.n == 0 || c.model_end <= c.model_at || c.model_end > in.n)
            abort();
    } else if (why.text[0] == '\0') {
        abort(); /* whoever is refused is told why */
    }
    buf_free(&sampling);
    arena_free(c.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {data, size};
    judge(in, request_chat);
    judge(in, request_embeddings);
    for (unsigned api = 0; api < EXCHANGE_APIS; api++) {
        struct facts f;
        facts_init(&f, (enum exchange_api)api, size);
        facts_body(&f, in);
        facts_stream(&f, in);
        facts_stream_end(&f);
        facts_free(&f);
    }
    return 0;
}
