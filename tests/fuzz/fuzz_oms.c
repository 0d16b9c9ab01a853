/*
 * Signature bundles on any bytes: what is accepted compares with a list of
 * files, whatever names and ranges it claims.
 */
#include <stdlib.h>

#include "assay/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct signed_file files[] = {{.name = "a", .size = 3, .known = true},
                                               {.name = "b/c", .size = 0, .known = true},
                                               {.name = "d", .size = 9}};
    struct arena *a = arena_new(64 << 20);
    struct signature *s = NULL;
    struct signature_comparison c;
    struct signature_signer signer;
    struct signature_trust nobody = {0};
    struct err e = ERR_INIT;
    if (a && signature_read(&s, (struct span){data, size}, a, &e)) {
        if (signature_verify(s, &nobody, &signer, &e))
            abort();
        err_clear(&e);
        if (signature_compare(&c, s, files, 3, false, "d", a, &e) && c.equal > 3)
            abort();
    } else if (a && e.code == ERR_NONE) {
        abort();
    }
    signature_close(s);
    arena_free(a);
    return 0;
}
