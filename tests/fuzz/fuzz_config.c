/* What configurations name to be called, read as YAML and as JSON. */
#include "model/code.h"
#include "support/content_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool examine(const struct content *c)
{
    return config_examine(c, "fuzz.yaml") && config_examine(c, "fuzz.json");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    content_fuzz("fuzz.yaml", (struct span){bytes, n}, examine);
    return 0;
}
