/* Licence expressions on any bytes; one that is accepted is allowed by no empty list. */
#include <stdlib.h>

#include "assay/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4 << 20);
    const struct spdx *x = NULL;
    struct err e = ERR_INIT;
    struct span text = {data, size};
    size_t line = 1;
    struct config_texts empty = {NULL, NULL, 0}, itself = {&text, &line, 1};
    if (a && spdx_parse(&x, text, a, &e)) {
        if (spdx_allowed(x, &empty))
            abort();
        (void)spdx_allowed(x, &itself);
    } else if (a && e.code == ERR_NONE) {
        abort();
    }
    arena_free(a);
    return 0;
}
