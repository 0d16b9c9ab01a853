/*
 * Leaves from anywhere: what is accepted is written again from its decoded form
 * and must give the same bytes, and its members made canonical must not change.
 */
#include <stdlib.h>

#include "record/canonical.h"

#include "assay/record.h"

enum { ARENA = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span leaf = {data, size}, body;
    struct record_head head;
    struct record r;
    struct err e = ERR_INIT;
    struct arena *a = arena_new(ARENA);
    struct buf again;
    buf_init(&again, RECORD_MAX);
    bool judged = record_check(&head, &body, leaf, &e);
    demand(judged || (e.code != ERR_NONE && e.text[0] && e.offset <= size));
    err_clear(&e);
    demand(record_decode(&r, leaf, a, &e) == judged);
    if (judged) {
        demand(span_eq(body, json_text(r.body)));
        demand(record_canonical(&again, body, &e) && span_eq(buf_span(&again), body));
        buf_clear(&again);
        demand(record_encode(&again, &r.head, body, r.fields, r.field_count, &e));
        demand(span_eq(buf_span(&again), leaf));
    }
    /* Any JSON as members: what the encoder accepts, the decoder does. */
    struct buf made;
    buf_init(&made, RECORD_MAX);
    head = (struct record_head){.kind = (enum record_kind)(size % RECORD_KINDS)};
    err_clear(&e);
    if (record_encode(&made, &head, leaf, NULL, 0, &e))
        demand(record_check(&head, NULL, buf_span(&made), &e));
    else
        demand(made.n == 0 && e.code != ERR_NONE);
    buf_free(&made);
    buf_free(&again);
    arena_free(a);
    return 0;
}
