/*
 * Receipts on any bytes, believing everybody, so that the parser and the proof are
 * reached. What is accepted is what it says it is.
 */
#include <stdlib.h>

#include "assay/verify.h"

enum { ARENA = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void judge(const struct verified *v)
{
    demand(v->index < v->checkpoint.size && v->record.head.seq == v->index && !v->pinned);
    struct record_head again;
    demand(record_check(&again, NULL, v->record.leaf, NULL));
    demand(v->field_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trust t = {.required = 0};
    struct verified v;
    struct err e = ERR_INIT;
    struct buf text;
    struct arena *a = arena_new(ARENA);
    bool ok = verify_receipt(&v, (struct span){data, size}, &t, a, &e);
    demand(ok == (e.code == ERR_NONE));
    buf_init(&text, 16 << 20);
    if (ok) {
        judge(&v);
        verified_text(&text, VERIFIED_RECEIPT, &v);
    }
    buf_free(&text);
    arena_free(a);
    return 0;
}
