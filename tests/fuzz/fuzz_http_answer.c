/* What an upstream sends, whole and cut at places that the input chooses: the same must come out. */
#include <stdlib.h>
#include <string.h>

#include "assay/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_MAX = 4096, BODY_MAX = 1 << 20 };

struct told {
    enum http_step last;
    unsigned heads;
    struct buf text;
};

static void read_all(struct told *out, struct span input, size_t piece)
{
    struct http_incoming in;
    struct buf decoded;
    struct span got;
    *out = (struct told){.last = HTTP_STEP_MORE};
    buf_init(&out->text, BODY_MAX);
    buf_init(&decoded, BODY_MAX);
    http_incoming_init(&in, HEAD_MAX);
    for (size_t at = 0; at < input.n && out->last < HTTP_STEP_OVER; at += piece) {
        struct span bytes = span_sub(input, at, piece);
        while ((out->last = http_incoming_next(&in, &bytes, &decoded, &got, NULL)) !=
                   HTTP_STEP_MORE &&
               out->last < HTTP_STEP_OVER) {
            out->heads += out->last == HTTP_STEP_HEAD;
            buf_put_span(&out->text, got);
        }
    }
    if (out->heads > 1 || (out->last == HTTP_STEP_OVER && out->heads != 1))
        abort();
    buf_free(&decoded);
    http_incoming_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {data, size};
    struct told whole, parts;
    if (size > BODY_MAX)
        return 0;
    read_all(&whole, input, size ? size : 1);
    read_all(&parts, input, 1 + size % 7);
    if (whole.last == parts.last && whole.last != HTTP_STEP_BAD &&
        !span_eq(buf_span(&whole.text), buf_span(&parts.text)))
        abort();
    if ((whole.last == HTTP_STEP_BAD) != (parts.last == HTTP_STEP_BAD))
        abort();
    buf_free(&whole.text);
    buf_free(&parts.text);
    return 0;
}
