/* safetensors: parse, walk everything, and never call cut data complete. */
#include <stdlib.h>

#include "support/prefixes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "fuzz.safetensors", (struct span){bytes, n}, &e))
        return 0;
    volatile uint64_t sink = model_walk(m);
    (void)sink;
    uint64_t end = m->files[0].data;
    if (verdict_accepts(&m->verdict, BREAKS_LOADER) && !m->verdict.incomplete) {
        /* What the reference accepts is covered without gap to the last byte. */
        for (size_t i = 0; i < m->tensor_count; i++) {
            if (m->tensors[i].data.offset != end)
                abort();
            end += m->tensors[i].data.length;
        }
        if (m->files[0].format == FORMAT_SAFETENSORS && end != n)
            abort();
    }
    model_free(m);
    return 0;
}
