/* Any template over a small conversation; what the user wrote is never trusted. */
#include <stdlib.h>
#include <string.h>

#include "assay/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char request[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
    "\"\xE2\x98\x83\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{"
    "\"name\":\"f\",\"arguments\":{\"a\":1.5}}}]}],\"tools\":[],\"x\":[1,2,[3]],\"n\":7}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1 << 20);
    struct template *t = NULL;
    struct rendered r = {0};
    struct err e = ERR_INIT;
    struct json variables;
    if (!a || !json_parse(&variables, span_str(request), JSON_STRICT, a, &e))
        abort();
    const struct template_word words[] = {{"bos_token", span_str("<s>")}};
    const struct template_input in = {variables, words, 1, true, 0};
    if (template_new(&t, (struct span){data, size}, &e) && template_render(&r, t, &in, &e))
        for (size_t i = 0; i < r.count; i++)
            if (r.parts[i].trusted && r.parts[i].text.n &&
                memmem(r.parts[i].text.p, r.parts[i].text.n, "\xE2\x98\x83", 3) &&
                !memmem(data, size, "\xE2\x98\x83", 3) && !memmem(data, size, "\\", 1))
                abort();
    rendered_free(&r);
    template_free(t);
    arena_free(a);
    return 0;
}
