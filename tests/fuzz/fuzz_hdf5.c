/* HDF5's headers and attributes, and the Keras configuration in them. */
#include "model/keras.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.h5", (struct span){bytes, n}, hdf5_examine);
    return 0;
}
