/* The pickle machine over any bytes: never out of bounds, always the same verdict. */
#include "model/pickle.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.pkl", (struct span){bytes, n}, pickle_examine);
    return 0;
}
