/* The footer of a Parquet file: any bytes. */
#include "provenance/parquet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(4 << 20);
    struct parquet p;
    struct err e = ERR_INIT;
    if (a && parquet_footer(&p, (struct span){data, size}, "footer", 0, a, &e) &&
        p.named > p.column_count)
        __builtin_trap();
    arena_free(a);
    return 0;
}
