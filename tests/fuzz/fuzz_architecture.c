/*
 * Facts of any bytes: read as the model file that they are, or, when they
 * begin like JSON, as the config.json of a tiny model in both containers' names.
 */
#include "assay/inspect.h"
#include "support/documents.h"
#include "support/tiny_family.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void facts(struct model *m)
{
    struct facts f;
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, 1 << 16);
    if (inspect_facts(&f, m, &e))
        architecture_canonical(&b, &f);
    buf_free(&b);
}

static void as_config(struct span text)
{
    size_t families = 0;
    struct tiny t;
    struct model *m = NULL;
    struct arena *a = arena_new(16 << 20);
    while (tiny_families[families])
        families++;
    const char *family = tiny_families[text.n % families];
    struct tiny_dims d = tiny_default_dims(family);
    if (a && tiny_build(&t, a, family, &d, FORMAT_SAFETENSORS)) {
        t.config = arena_str(a, text);
        m = t.config ? tiny_model(&t) : NULL;
    }
    if (m)
        facts(m);
    model_free(m);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {data, size};
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (span_starts(bytes, "{")) {
        as_config(bytes);
        return 0;
    }
    if (!model_read_memory(&m, "model", bytes, &e))
        return 0;
    facts(m);
    model_free(m);
    return 0;
}
