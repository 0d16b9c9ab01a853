/* Policies on any bytes: refused with an error, or dates and rules in order. */
#include <stdlib.h>

#include "assay/policy.h"

enum { ARENA = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA);
    struct policy p;
    struct err e = ERR_INIT;
    if (a && policy_parse(&p, (struct span){data, size}, "fuzz", a, &e)) {
        for (size_t i = 0; i < p.waiver_count; i++)
            if (p.waivers[i].expires < p.waivers[i].created)
                abort();
        (void)policy_fails(&p, RULE_READ_OPEN);
    } else if (a && e.code == ERR_NONE) {
        abort();
    }
    arena_free(a);
    return 0;
}
