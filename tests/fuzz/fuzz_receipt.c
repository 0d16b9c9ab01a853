/*
 * Receipts and disclosures on any bytes, believing everybody, so that the parser
 * and the proof are reached. What is accepted is what it says it is.
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
    for (size_t i = 0; i < v->field_count; i++)
        demand(v->fields[i].field.n != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const verify[])(struct verified *, struct span, const struct trust *,
                                  struct arena *, struct err *) = {verify_receipt, verify_bundle};
    struct trust t = {.required = 0};
    struct buf text;
    buf_init(&text, 16 << 20);
    for (size_t i = 0; i < 2; i++) {
        struct arena *a = arena_new(ARENA);
        struct verified v;
        struct err e = ERR_INIT;
        bool ok = verify[i](&v, (struct span){data, size}, &t, a, &e);
        demand(ok == (e.code == ERR_NONE));
        if (ok) {
            judge(&v);
            verified_text(&text, i ? VERIFIED_DISCLOSURE : VERIFIED_RECEIPT, &v);
        }
        arena_free(a);
    }
    buf_free(&text);
    return 0;
}
