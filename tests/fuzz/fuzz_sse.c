/* Events, the whole at once and cut at every place: both must read the same. */
#include <stdlib.h>
#include <string.h>

#include "assay/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see(void *arg, const struct sse_event *e)
{
    buf_put_span(arg, e->event);
    buf_put_u8(arg, '|');
    buf_put_span(arg, e->data);
    buf_put_u64le(arg, e->begin);
}

static void read_in(struct span in, size_t step, struct buf *out)
{
    struct sse s;
    sse_init(&s);
    for (size_t at = 0; at < in.n; at += step)
        sse_feed(&s, span_sub(in, at, step), see, out);
    sse_end(&s, see, out);
    sse_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = {data, size};
    struct buf whole, cut;
    if (size > 65536 || (size >= 1 && data[0] == 0xEF)) /* a mark that is cut is no mark */
        return 0;
    buf_init(&whole, 16 << 20);
    buf_init(&cut, 16 << 20);
    read_in(in, size + 1, &whole);
    read_in(in, 1 + size % 5, &cut);
    if (whole.n != cut.n || (whole.n && memcmp(whole.p, cut.p, whole.n) != 0))
        abort();
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
