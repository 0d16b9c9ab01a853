/* ONNX: the wire format, graphs within graphs, tensors. */
#include "model/onnx.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.onnx", (struct span){bytes, n}, onnx_examine);
    return 0;
}
