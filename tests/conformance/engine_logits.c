/* engine_logits MODEL ID...: the logits after the last id, as float32, on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "assay/engine.h"

static void put(void *arg, uint32_t position, const float *logits, size_t n)
{
    (void)arg;
    (void)position;
    (void)fwrite(logits, sizeof *logits, n, stdout);
}

int main(int argc, char **argv)
{
    static uint32_t ids[4096];
    struct engine *g = NULL;
    struct err e = ERR_INIT;
    struct engine_options o = {.threads = 1};
    size_t n = 0;
    for (int i = 2; i < argc && n < 4096; i++)
        ids[n++] = (uint32_t)strtoul(argv[i], NULL, 10);
    struct engine_request r = {
        .tokens = ids, .count = n, .max_tokens = 1, .sampling = engine_greedy(), .logits = put};
    uint64_t id;
    bool work = true;
    bool ok = argc > 2 && engine_load(&g, argv[1], &o, &e) && engine_submit(g, &r, &id, &e);
    while (ok && work)
        ok = engine_step(g, &work, &e);
    if (!ok)
        (void)fprintf(stderr, "%s\n", e.text);
    engine_free(g);
    return ok ? 0 : 1;
}
