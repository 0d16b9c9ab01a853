/* Checkpoints of PyTorch: every listed tensor lies within the file. */
#include "model/torch.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.pt", (struct span){bytes, n}, NULL);
    return 0;
}
