/* What a client sends, as a head and as a chunked body cut at places that the input chooses. */
#include <stdlib.h>

#include "assay/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_request request;

static void body(struct span in, size_t step)
{
    struct http_chunks c = {0};
    struct buf out;
    size_t used = 0;
    buf_init(&out, 65536);
    for (size_t at = 0; at < in.n && !c.done; at += used)
        if (!http_chunks_feed(&c, span_sub(in, at, step), &used, &out, NULL) || used == 0)
            break;
    if (out.n > in.n)
        abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {data, size};
    size_t from = 0, length = 0;
    unsigned status = 0;
    if (http_head_find(in, &from, &length) != HTTP_HEAD_WHOLE)
        return 0;
    if (!http_request_read(&request, span_sub(in, 0, length), &status, NULL)) {
        if (status < 400 || status > 505)
            abort();
        return 0;
    }
    if (request.chunked && request.has_length)
        abort();
    if (request.chunked)
        body(span_sub(in, length, size), 1 + size % 7);
    return 0;
}
