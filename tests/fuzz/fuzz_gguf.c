/* GGUF: parse, walk every value and array, look every name up. */
#include "support/prefixes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static volatile uint64_t sink;
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "fuzz-00001-of-00002.gguf", (struct span){bytes, n}, &e))
        return 0;
    sink += model_walk(m);
    model_free(m);
    return 0;
}
