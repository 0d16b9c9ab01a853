/* A Keras configuration as text. */
#include "model/keras.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct span text;

static bool judge(const struct content *c)
{
    return keras_judge(c, text, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    text = (struct span){bytes, n};
    content_fuzz("fuzz.json", text, judge);
    return 0;
}
