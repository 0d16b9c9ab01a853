/* A report's JSON, a framework and a card of a data set from any bytes: refused or read, never worse. */
#include <stdint.h>

#include "assay/provenance.h"
#include "assay/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(64 << 20);
    struct err e = ERR_INIT;
    struct report_check with = {.trust = NULL};
    struct report_verdict v;
    struct framework f;
    struct dataset_card c;
    struct span bytes = {data, size};
    if (a && size) {
        (void)report_is(bytes);
        bool proved = report_verify(&v, bytes, &with, a, &e);
        err_clear(&e);
        bool framework = framework_parse(&f, bytes, "x.yaml", a, &e);
        err_clear(&e);
        bool card = dataset_card_read(&c, "x.json", bytes, a, &e) &&
                    dataset_card_read(&c, "x.md", bytes, a, &e);
        (void)(proved && framework && card);
    }
    arena_free(a);
    return 0;
}
