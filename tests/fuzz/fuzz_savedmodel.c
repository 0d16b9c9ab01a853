/* Graphs of TensorFlow. */
#include "model/onnx.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.pb", (struct span){bytes, n}, savedmodel_examine);
    return 0;
}
