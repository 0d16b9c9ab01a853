/* NumPy's header literal and what follows it. */
#include "model/numpy.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.npy", (struct span){bytes, n}, numpy_examine);
    return 0;
}
