/* Tar archives with everything in them. */
#include "model/content.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.tar", (struct span){bytes, n}, archive_examine_tar);
    return 0;
}
