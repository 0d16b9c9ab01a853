/* Model cards and licence texts: any bytes, both readers. */
#include "model/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "a card", (struct span){data, size}, &e))
        return 0;
    if (card_read(m, 0) && licence_read(m, 0))
        verdict_sort(&m->verdict);
    model_free(m);
    return 0;
}
