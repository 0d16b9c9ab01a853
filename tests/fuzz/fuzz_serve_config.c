/* Configurations: read or refused with words, never more than that. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve/config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    struct settings *s = NULL;
    struct err e = ERR_INIT;
    struct serve_options o = {.config = path, .log = "log"};
    if (!path[0])
        snprintf(path, sizeof path, "/tmp/fuzz_serve_config.%d", (int)getpid());
    FILE *f = fopen(path, "we");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        return 0;
    if (!serve_settings_read(&s, &o, &e) && e.text[0] == '\0')
        abort();
    serve_settings_release(s);
    unlink(path);
    return 0;
}
