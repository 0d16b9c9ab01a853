/*
 * A report's JSON, a framework, a card of a data set, a statement and a document beside a model
 * from any bytes: refused or read, never worse.
 */
#include <stdint.h>

#include "assay/provenance.h"
#include "assay/report.h"

/* A report made of nothing but these bytes: whatever they are, it is made. */
static void make_of(struct span bytes)
{
    struct report_attestation statement = {"x.yaml", bytes};
    struct report_document document = {"x.json", bytes};
    struct report_input in = {
        .attestations = &statement,
        .attestation_count = 1,
        .documents = &document,
        .document_count = 1,
        .until = UINT64_MAX,
        .as_of = "2026-11-23T00:00:00Z",
        .edition = FOR_ALL,
    };
    struct report *r = NULL;
    struct err e = ERR_INIT;
    if (report_make(&r, &in, &e))
        report_free(r);
}

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
        make_of(bytes);
    }
    arena_free(a);
    return 0;
}
